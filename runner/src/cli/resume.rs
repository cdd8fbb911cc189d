//! `hprun resume [RUN]`: the same loop from a log that is not empty.

use std::path::{Path, PathBuf};

use super::args::{Global, ResumeArgs};
use super::choice;
use super::failure::CliError;
use super::launch::{Launch, aws_wish, check_offline, check_reached, refuse_missing_programs};
use super::params::{Givers, to_record};
use super::print;
use super::source::{Source, state_folder};
use super::target::{AwsWish, Reached, SandboxWish, kept_speed};
use crate::event::{PassStarted, RunStarted, Target};
use crate::plan::Plan;
use crate::state::{Left, RunState};
use crate::store::{Store, StoreError};

/// Goes on with a run.
pub async fn run(global: &Global, args: ResumeArgs) -> Result<(), CliError> {
    let store = Store::open_existing(state_folder(global)?)?.ok_or(StoreError::NoRuns)?;
    let row = store.find_to_resume(args.run.as_deref())?;
    // Held before its events are read, so that no other process adds to them meanwhile.
    let lock = store.folder().lock(&row.id)?;
    let state = replay(&store, &row.id)?;
    let started = state.started.clone().ok_or_else(|| StoreError::NoSuchRun(row.id.clone()))?;
    refuse_gone(&row.id, &state, args.choice.take_back)?;
    let path = state.path().unwrap_or(&started.path).to_owned();
    print::note(format!("run {} of {} ({path})", row.id, row.pipeline));
    let recorded = state.pass.as_ref().map_or_else(|| started.params.clone(), |pass| pass.params.clone());
    let source = read_source(&path)?;
    let mut givers = Givers::read(&args.params)?.over(recorded);
    let offline = check_offline(&source, &mut givers, &args.pass)?;
    let wish = aws_wish(&source, &offline.0, &offline.1.values)?;
    let reached = reach(&started, wish, args.sandbox_faults.clone()).await?;
    refuse_elsewhere(&started, &reached)?;
    let (pipeline, params) = check_reached(&source, &mut givers, &reached, offline).await?;
    let plan = Plan::new(pipeline, params);
    let selection = choice::selection(&args.choice, &plan, &state)?;
    if !args.choice.explain {
        refuse_missing_programs(&source, &plan)?;
    }
    let launch = Launch { global, pass: &args.pass, store: &store, run: row.id, lock, source: &source, plan, reached };
    let mut notes = givers.environment_differs(&source);
    notes.extend(givers.defaults_differ(&source, state.text().unwrap_or_default()));
    let pass = PassStarted {
        text: (state.text() != Some(&*source.text)).then(|| source.text.clone()),
        selection,
        orphaned: orphans(&state, &launch.plan),
        notes,
        ..launch.pass_started(to_record(&launch.plan.params))?
    };
    if args.choice.explain { launch.explain(state, pass).await } else { launch.go(state, Vec::new(), pass).await }
}

/// A run that goes on elsewhere, or whose things are another run's, must not go on here as well.
fn refuse_gone(run: &str, state: &RunState, take_back: bool) -> Result<(), CliError> {
    match &state.left {
        None => Ok(()),
        Some(Left::HandedOver(to)) => Err(CliError::refused(
            format!("what the run {run} made is the run {to}'s now"),
            format!("go on with that one: hprun resume {to}"),
        )),
        Some(Left::Exported(_)) if take_back => Ok(()),
        Some(Left::Exported(host)) => Err(CliError::refused(
            format!(
                "the run {run} was exported on {host}: it may go on elsewhere, and two at once would make things twice"
            ),
            format!("go on where it was imported; if nobody does, take it back: hprun resume {run} --take-back"),
        )),
    }
}

/// The state that a run's events lead to.
pub fn replay(store: &Store, run: &str) -> Result<RunState, CliError> {
    let entries = store.events(run)?;
    RunState::replay(&entries).map_err(|e| CliError::Engine { error: e.into(), run: run.to_owned() })
}

fn read_source(path: &str) -> Result<Source, CliError> {
    let file = Path::new(path);
    if !file.exists() {
        return Err(CliError::Usage {
            message: format!("the pipeline file {path} is gone"),
            help: Some("put it back: its recorded text is in `hprun show --output json`".to_owned()),
        });
    }
    Source::read(file)
}

async fn reach(started: &RunStarted, wish: AwsWish, faults: Option<PathBuf>) -> Result<Reached, CliError> {
    match &started.target {
        Target::Sandbox { world } => {
            let sandbox = SandboxWish { world: world.into(), speed: kept_speed(Path::new(world)), faults };
            Reached::sandbox(&sandbox, &wish).await
        }
        Target::Aws { profile } => {
            let profile = wish.profile.clone().or_else(|| profile.clone());
            Reached::aws(&AwsWish { profile, ..wish }).await
        }
    }
}

/// A run goes on where it began, and nowhere else.
fn refuse_elsewhere(started: &RunStarted, reached: &Reached) -> Result<(), CliError> {
    if started.account != reached.caller.account {
        return Err(CliError::refused(
            format!(
                "the run began in account {}, and these credentials lead to {}",
                started.account, reached.caller.account
            ),
            "log in to the account that it began in",
        ));
    }
    if started.region != reached.region {
        return Err(CliError::refused(
            format!("the run began in region {}, and this would go on in {}", started.region, reached.region),
            format!("set the region back to {}, or begin a new run", started.region),
        ));
    }
    Ok(())
}

/// Steps that have done something and are gone from the file.
fn orphans(state: &RunState, plan: &Plan) -> Vec<String> {
    let begun = state.steps.iter().filter(|(_, step)| step.attempts > 0 || !step.records.is_empty());
    begun.map(|(id, _)| id.clone()).filter(|id| plan.index(id).is_none()).collect()
}
