//! `hprun run FILE`: a new run, from the check to its end.

use super::args::{Global, RunArgs};
use super::confirm;
use super::failure::CliError;
use super::launch::{Launch, aws_wish, check_offline, check_reached, refuse_missing_programs};
use super::params::{Givers, to_record};
use super::print;
use super::source::{Source, state_folder};
use super::target::{Reached, SandboxWish};
use crate::event::{Event, FORMAT, RunStarted, Target};
use crate::plan::Plan;
use crate::state::RunState;
use crate::store::{Store, new_run_id};

/// Runs it.
pub async fn run(global: &Global, args: RunArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let mut givers = Givers::read(&args.pipeline.params)?;
    let offline = check_offline(&source, &mut givers, &args.pass)?;
    let wish = aws_wish(&source, &offline.0, &offline.1.values)?;
    let store = Store::open(state_folder(global)?)?;
    let run = new_run_id();
    let reached = if args.sandbox {
        let world = args.sandbox_world.clone().unwrap_or_else(|| store.folder().path().join("worlds").join(&run));
        let sandbox = SandboxWish { world, speed: args.sandbox_speed, faults: args.sandbox_faults.clone() };
        Reached::sandbox(&sandbox, &wish).await?
    } else {
        Reached::aws(&wish).await?
    };
    let (pipeline, params) = check_reached(&source, &mut givers, &reached, offline).await?;
    let plan = Plan::new(pipeline, params);
    refuse_missing_programs(&source, &plan)?;
    if !args.new {
        refuse_unfinished(&store, &plan, &reached)?;
    }
    ask_before_real(&args, &plan, &reached)?;
    let started = run_started(&source, &plan, &reached);
    let lock = store.folder().lock(&run)?;
    let launch = Launch { global, pass: &args.pass, store: &store, run, lock, source: &source, plan, reached };
    print::note(format!("run {}", launch.run));
    let pass = launch.pass_started(started.params.clone())?;
    launch.go(RunState::default(), vec![Event::RunStarted(Box::new(started))], pass).await
}

/// One unfinished run of a pipeline in a place is enough: a second would make everything twice.
fn refuse_unfinished(store: &Store, plan: &Plan, reached: &Reached) -> Result<(), CliError> {
    let key = reached.target.key();
    let unfinished = store.unfinished(&plan.name, key, &reached.caller.account, &reached.region)?;
    match unfinished.first() {
        None => Ok(()),
        Some(row) => Err(CliError::refused(
            format!("run {} of {} is not finished here", row.id, plan.name),
            format!("go on with it: hprun resume {}; or begin another: --new", row.id),
        )),
    }
}

/// A real account is asked about: it costs money.
fn ask_before_real(args: &RunArgs, plan: &Plan, reached: &Reached) -> Result<(), CliError> {
    if matches!(reached.target, Target::Sandbox { .. }) || args.pass.yes {
        return Ok(());
    }
    if args.pass.no_input || !confirm::can_ask() {
        return Err(CliError::refused(
            format!("nothing was done: this would change {}", reached.line()),
            "say --yes to run without being asked, or --sandbox to try it without an account",
        ));
    }
    print::note(format!("{} {}", plan.name, plan.version.as_deref().unwrap_or_default()));
    for step in &plan.steps {
        print::note(format!("  {:<24} {}", step.spec.id.as_str(), step.spec.step_type.summary));
    }
    if confirm::yes(&format!("Run this in {}?", reached.line()))? {
        Ok(())
    } else {
        Err(CliError::Refused { message: "nothing was done".to_owned(), help: None })
    }
}

fn run_started(source: &Source, plan: &Plan, reached: &Reached) -> RunStarted {
    RunStarted {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pipeline: plan.name.clone(),
        path: source.path.to_string_lossy().into_owned(),
        text: source.text.clone(),
        target: reached.target.clone(),
        partition: reached.caller.partition.clone(),
        account: reached.caller.account.clone(),
        region: reached.region.clone(),
        caller: reached.caller.arn.clone(),
        params: to_record(&plan.params),
        lineage: Vec::new(),
    }
}
