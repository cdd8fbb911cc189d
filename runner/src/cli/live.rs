//! `hprun check FILE --live`: the questions of all steps, asked of AWS or of the sandbox, and what comes of them.
//! Knows nothing of any one question.

use std::path::Path;

use hprun_steps::fact::Fact;
use hprun_steps::files::Files;
use hprun_steps::partial::{Partial, ValueType};
use hprun_steps::preflight::{Asker, with_the_caller};
use hprun_steps::question::{Asked, settled};

use super::args::CheckArgs;
use super::failure::CliError;
use super::launch::{aws_wish, check_reached};
use super::params::Givers;
use super::print;
use super::signals::stop_token;
use super::source::Source;
use super::target::{AwsWish, Reached, SandboxWish, temporary_world};
use crate::diagnostic::Diagnostic;
use crate::expr::KnownScope;
use crate::params::{ParamSpec, Params};
use crate::pipeline::Pipeline;

/// Asks, and says how many questions there were and how many wait for the run. The account is only read.
pub async fn ask(
    args: &CheckArgs,
    source: &Source,
    givers: &mut Givers,
    (pipeline, params): (&Pipeline, &Params),
) -> Result<Vec<Diagnostic>, CliError> {
    let wish = aws_wish(source, pipeline, &params.values)?;
    // Whoever stops this before the end leaves no world behind.
    let stop = stop_token();
    let temporary = temporary_world()?;
    let reached = tokio::select! {
        reached = reach(args, &wish, temporary.path()) => reached?,
        () = stop.cancelled() => return Err(CliError::Interrupted),
    };
    let answered = tokio::select! {
        answered = answer(source, givers, &reached, (pipeline, params)) => answered,
        () = stop.cancelled() => Err(CliError::Interrupted),
    };
    // Before its folder goes.
    reached.close().await;
    drop(temporary);
    answered
}

async fn reach(args: &CheckArgs, wish: &AwsWish, temporary: &Path) -> Result<Reached, CliError> {
    if !args.sandbox {
        return Reached::aws(wish).await;
    }
    let world = args.sandbox_world.clone().unwrap_or_else(|| temporary.to_owned());
    let sandbox = SandboxWish { world, speed: args.sandbox_speed, faults: args.sandbox_faults.clone(), policy: None };
    Reached::sandbox(&sandbox, wish).await
}

async fn answer(
    source: &Source,
    givers: &mut Givers,
    reached: &Reached,
    (pipeline, params): (&Pipeline, &Params),
) -> Result<Vec<Diagnostic>, CliError> {
    // Params from SSM are known only now; what is missing still stays unknown.
    let fetched = check_reached(source, givers, reached, (pipeline.clone(), params.clone())).await;
    let (pipeline, params) = match fetched {
        Ok(more) => more,
        Err(CliError::Usage { .. }) => (pipeline.clone(), params.clone()),
        Err(error) => return Err(error),
    };
    let (asked, files) = questions(source, &pipeline, &params);
    let started = std::time::Instant::now();
    // No run asks, so nothing that is there is its own.
    let answered = Asker::new(&reached.clients, &reached.caller, &|_| false).ask(&asked).await;
    let unknown = match answered.unknown {
        0 => String::new(),
        count => format!(", {count} without an answer"),
    };
    let waiting = match answered.waiting {
        0 => String::new(),
        1 => "; 1 waits for the run, because it is about what a step will make".to_owned(),
        count => format!("; {count} wait for the run, because they are about what a step will make"),
    };
    let (count, seconds) = (answered.asked, started.elapsed().as_secs_f64());
    print::note(format!("{}: asked {count} questions in {seconds:.1}s{unknown}{waiting}", reached.line()));
    Ok(answered.findings.into_iter().map(|finding| Diagnostic::from_finding(finding, &files)).collect())
}

/// What all steps ask, and the files that the questions point into.
fn questions(source: &Source, pipeline: &Pipeline, params: &Params) -> (Vec<Asked>, Files) {
    let param_type = |name: &str| pipeline.params.get(name).map_or(ValueType::Any, ParamSpec::value_type);
    let outputs = |id: &str| pipeline.step(id).map(|step| &step.foreseen);
    let scope = KnownScope { params: &params.values, param_type: &param_type, outputs: &outputs };
    let (mut asked, mut puts, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for step in &pipeline.steps {
        let partial = step.with.partial(&scope);
        let named = (step.step_type.files)(&partial);
        let files = Files::load(&source.base, &named);
        // A step that may be skipped may need nothing.
        if step.when.is_none() {
            asked.extend((step.step_type.questions)(&partial, &files));
        }
        puts.extend(brought(&partial, step.step_type, &files));
        all.extend(named);
    }
    (settled(with_the_caller(asked), &puts), Files::load(&source.base, &all))
}

/// The objects that a step brings to S3, where their names are known.
fn brought(partial: &Partial, step_type: &hprun_steps::StepType, files: &Files) -> Vec<String> {
    let facts = (step_type.facts)(partial, files);
    let objects = facts.iter().filter_map(|fact| match fact {
        Fact::Puts { folder, names, .. } => Some((folder.as_known()?, names.as_ref()?)),
        Fact::NeedsObject { .. }
        | Fact::Makes { .. }
        | Fact::NeedsOutputs { .. }
        | Fact::Writes { .. }
        | Fact::Reads { .. }
        | Fact::Names { .. }
        | Fact::Together { .. }
        | Fact::RoleReads { .. } => None,
    });
    objects.flat_map(|(folder, names)| names.iter().map(move |name| format!("{folder}/{name}"))).collect()
}
