//! `hprun check FILE --live`: the questions of all steps, asked of AWS or of the sandbox, and what comes of them.
//! Knows nothing of any one question.

use std::collections::HashMap;
use std::path::Path;

use hprun_steps::fact::Fact;
use hprun_steps::files::Files;
use hprun_steps::finding::At;
use hprun_steps::partial::ValueType;
use hprun_steps::preflight::{Asker, Whose, with_the_caller};
use hprun_steps::question::{Asked, Brought, Question, settled};

use super::args::{CheckArgs, Global};
use super::failure::CliError;
use super::launch::{aws_wish, check_reached};
use super::params::Givers;
use super::print;
use super::signals::stop_token;
use super::source::{Source, open_store};
use super::target::{Reached, SandboxWish, temporary_world};
use crate::diagnostic::Diagnostic;
use crate::event::Event;
use crate::expr::KnownScope;
use crate::params::{ParamSpec, Params};
use crate::pipeline::{Pipeline, Written};
use crate::store::{Moved, RunRow, StateFolder};

/// How often things are followed from one run to the next.
const MOST_HEIRS: usize = 1_000;

/// What is asked about.
pub struct Subject<'a> {
    /// The file.
    pub source: &'a Source,
    /// It as checked offline.
    pub pipeline: &'a Pipeline,
    /// The values that its params have.
    pub params: &'a Params,
}

/// Asks, and says how many questions there were and how many wait for the run. The account is only read.
pub async fn ask(
    global: &Global,
    args: &CheckArgs,
    givers: &mut Givers,
    subject: &Subject<'_>,
) -> Result<Vec<Diagnostic>, CliError> {
    let stop = stop_token();
    let temporary = temporary_world()?;
    let reached = tokio::select! {
        reached = reach(args, subject, temporary.path()) => reached?,
        () = stop.cancelled() => return Err(CliError::Interrupted),
    };
    let asked = tokio::select! {
        asked = ask_reached(global, subject, givers, &reached) => asked,
        () = stop.cancelled() => Err(CliError::Interrupted),
    };
    // A world is let go of before its folder is removed, however this ends.
    reached.close().await;
    asked
}

async fn reach(args: &CheckArgs, subject: &Subject<'_>, temporary: &Path) -> Result<Reached, CliError> {
    let wish = aws_wish(subject.source, subject.pipeline, &subject.params.values)?;
    if !args.sandbox {
        return Reached::aws(&wish).await;
    }
    let world = args.sandbox_world.clone().unwrap_or_else(|| temporary.to_owned());
    if !world.exists() {
        return Err(CliError::Usage {
            message: format!("there is no world in {}", world.display()),
            help: Some("a check makes none; leave --sandbox-world out for a fresh one".to_owned()),
        });
    }
    let sandbox = SandboxWish { world, speed: args.sandbox_speed, faults: args.sandbox_faults.clone(), policy: None };
    Reached::sandbox(&sandbox, &wish).await
}

async fn ask_reached(
    global: &Global,
    subject: &Subject<'_>,
    givers: &mut Givers,
    reached: &Reached,
) -> Result<Vec<Diagnostic>, CliError> {
    let (pipeline, params) = (subject.pipeline.clone(), subject.params.clone());
    // Params from SSM are known only now; what is missing still stays unknown.
    let fetched = check_reached(subject.source, givers, reached, (pipeline.clone(), params.clone())).await;
    let (pipeline, params) = match fetched {
        Ok(more) => more,
        Err(CliError::Usage { .. }) => (pipeline, params),
        Err(error) => return Err(error),
    };
    let (asked, files) = questions(subject.source, &pipeline, &params);
    let holders = holders(global);
    let started = std::time::Instant::now();
    // No run asks, so nothing that is there is its own.
    let whose = |run: &str| match holders.get(run) {
        Some(Holder { run, pipeline: of }) if *of == pipeline.name => Whose::Known(run.clone()),
        Some(Holder { pipeline: of, .. }) => Whose::Other(of.clone()),
        None => Whose::Foreign,
    };
    let answered = Asker::new(&reached.clients, &reached.caller, &whose).ask(&asked).await;
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

/// A run that has what another made, or what it made itself.
struct Holder {
    run: String,
    /// Name of its pipeline.
    pipeline: String,
}

/// Which run has what each run of the record made: itself, or the one that its things passed to. What cannot be read of the
/// record is as if it were not there: a check must not need one.
fn holders(global: &Global) -> HashMap<String, Holder> {
    // Looking for it must not make the folder.
    let folder = global.state.clone().or_else(StateFolder::default_path);
    let store = if folder.is_some_and(|folder| folder.exists()) { open_store(global) } else { Ok(None) };
    let Ok(Some(store)) = store else { return HashMap::new() };
    let rows = store.runs().unwrap_or_default();
    let heir = |row: &RunRow| match row.moved {
        Some(Moved::Copied) => None,
        Some(Moved::HandedOver) => store.events(&row.id).ok()?.into_iter().rev().find_map(|entry| {
            let Event::HandedOver { to } = entry.event else { return None };
            Some(to)
        }),
        Some(Moved::Exported | Moved::Imported) | None => Some(row.id.clone()),
    };
    let next: HashMap<String, String> = rows.iter().filter_map(|row| Some((row.id.clone(), heir(row)?))).collect();
    let pipelines: HashMap<&str, &str> = rows.iter().map(|row| (row.id.as_str(), row.pipeline.as_str())).collect();
    let last = |run: &String| {
        // Things may have passed on several times, but never back, unless the record is damaged.
        let heirs = std::iter::successors(Some(run), |holder| next.get(*holder).filter(|heir| heir != holder));
        let run = heirs.take(MOST_HEIRS).last().unwrap_or(run);
        let pipeline = pipelines.get(run.as_str()).copied().unwrap_or_default();
        Holder { run: run.clone(), pipeline: pipeline.to_owned() }
    };
    next.keys().map(|run| (run.clone(), last(run))).collect()
}

/// What all steps ask, and the files that the questions point into.
fn questions(source: &Source, pipeline: &Pipeline, params: &Params) -> (Vec<Asked>, Files) {
    let param_type = |name: &str| pipeline.params.get(name).map_or(ValueType::Any, ParamSpec::value_type);
    let foreseen = |id: &str| pipeline.step(id).map(|step| &step.foreseen);
    let scope = KnownScope { params: &params.values, param_type: &param_type, outputs: &foreseen };
    let (mut brought, mut hidden, mut written) = (Brought::default(), HashMap::new(), Written::default());
    for step in &pipeline.steps {
        let partial = step.with.partial(&scope);
        let facts = (step.step_type.facts)(&partial, &Files::load(&source.base, &(step.step_type.files)(&partial)));
        brought.objects.extend(objects(&facts));
        if step.is_sure() {
            written.note(&facts);
        }
        for fact in facts {
            if let Fact::Makes { named, .. } = fact {
                brought.made.extend(named);
                hidden.insert(step.id.as_str(), step.foreseen.hidden(step.id.as_str()));
            }
        }
    }
    // Names of what a stack makes may be known; but it is not there to be asked about.
    let at_hand = |id: &str| hidden.get(id).or_else(|| foreseen(id));
    let scope = KnownScope { outputs: &at_hand, ..scope };
    let (mut asked, mut all) = (Vec::new(), Vec::new());
    for step in &pipeline.steps {
        let partial = step.with.partial(&scope);
        let named = (step.step_type.files)(&partial);
        // A step that may be skipped may need nothing.
        if step.when.is_none() {
            let mut files = Files::load(&source.base, &named);
            written.leave_out(&(step.step_type.facts)(&partial, &files), &mut files);
            asked.extend((step.step_type.questions)(&partial, &files));
        }
        all.extend(named);
    }
    // Where the region stands is known here only.
    if let Some(region) = &pipeline.aws.region {
        for asked in asked.iter_mut().filter(|asked| asked.question == Some(Question::Region)) {
            asked.at = At::Pipeline(region.place());
        }
    }
    (settled(with_the_caller(asked), &brought), Files::load(&source.base, &all))
}

/// The objects that a step brings to S3, where their names are known.
fn objects(facts: &[Fact]) -> impl Iterator<Item = String> {
    let objects = facts.iter().filter_map(|fact| match fact {
        Fact::Puts { folder, names, .. } => Some((folder.as_known()?, names.as_ref()?)),
        Fact::Publishes { .. }
        | Fact::NeedsObject { .. }
        | Fact::Creates { .. }
        | Fact::Makes { .. }
        | Fact::NeedsOutputs { .. }
        | Fact::Writes { .. }
        | Fact::Reads { .. }
        | Fact::Names { .. }
        | Fact::Together { .. }
        | Fact::RoleReads { .. } => None,
    });
    objects.flat_map(|(folder, names)| names.iter().map(move |name| format!("{folder}/{name}")))
}
