//! `hprun run FILE`: a new run, from the check to its end.

use super::args::{Global, RunArgs};
use super::failure::CliError;
use super::launch::{
    Beginning, Launch, ask_before_real, aws_wish, check_offline, check_reached, refuse_missing_programs, run_started,
};
use super::params::Givers;
use super::print;
use super::source::{Source, state_folder};
use super::target::{Reached, SandboxWish};
use crate::event::Event;
use crate::plan::Plan;
use crate::state::RunState;
use crate::store::{Moved, StartKey, StartLock, Store, new_run_id};

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
        let (faults, policy) = (args.sandbox_faults.clone(), args.sandbox_policy.clone());
        let sandbox = SandboxWish { world, speed: args.sandbox_speed, faults, policy };
        Reached::sandbox(&sandbox, &wish).await?
    } else {
        Reached::aws(&wish).await?
    };
    let (pipeline, params) = check_reached(&source, &mut givers, &reached, offline).await?;
    let plan = Plan::new(pipeline, params);
    refuse_missing_programs(&source, &plan)?;
    let start = if args.new { None } else { Some(begin_alone(&store, &plan, &reached)?) };
    let help = "say --yes to run without being asked, or --sandbox to try it without an account";
    ask_before_real(&args.pass, &plan, &reached, help)?;
    let started = run_started(&source, &plan, &reached);
    let lock = store.folder().lock(&run)?.with_start(start);
    let launch = Launch { global, pass: &args.pass, store: &store, run, lock, source: &source, plan, reached };
    print::note(format!("run {}", launch.run));
    let pass = launch.pass_started(started.params.clone())?;
    let first = vec![Event::RunStarted(Box::new(started))];
    launch.go(Beginning { state: RunState::default(), first, from: None }, pass).await
}

/// The right to begin a run of this pipeline in this place.
fn begin_alone(store: &Store, plan: &Plan, reached: &Reached) -> Result<StartLock, CliError> {
    refuse_unfinished(store, plan, reached)?;
    let (target, account, region) = (reached.target.key(), &reached.caller.account, &reached.region);
    let start = store.folder().lock_start(&StartKey { pipeline: &plan.name, target, account, region })?;
    // Again: another process may have recorded its run before it let this one in.
    refuse_unfinished(store, plan, reached)?;
    Ok(start)
}

/// One unfinished run of a pipeline in a place is enough: a second would make everything twice.
fn refuse_unfinished(store: &Store, plan: &Plan, reached: &Reached) -> Result<(), CliError> {
    let key = reached.target.key();
    let unfinished = store.unfinished(&plan.name, key, &reached.caller.account, &reached.region)?;
    match unfinished.first() {
        None => Ok(()),
        Some(row) if row.moved == Some(Moved::Exported) => Err(CliError::refused(
            format!("run {} of {} was exported, and may not be finished elsewhere", row.id, plan.name),
            format!("take it back: hprun resume {} --take-back; or begin another: --new", row.id),
        )),
        Some(row) => Err(CliError::refused(
            format!("run {} of {} is not finished here", row.id, plan.name),
            format!("go on with it: hprun resume {}; or begin another: --new", row.id),
        )),
    }
}
