//! `hprun resume [RUN]`: the same loop from a log that is not empty.

use std::path::{Path, PathBuf};

use super::args::{Global, ResumeArgs};
use super::failure::CliError;
use super::launch::{Launch, aws_wish, check_offline, check_reached, refuse_missing_programs};
use super::params::{Givers, to_record};
use super::print;
use super::source::{Source, state_folder};
use super::target::{AwsWish, Reached, SandboxWish, kept_speed};
use crate::event::{Event, PassStarted, RunStarted, Target};
use crate::plan::Plan;
use crate::state::RunState;
use crate::store::{Store, StoreError};

/// Goes on with a run.
pub async fn run(global: &Global, args: ResumeArgs) -> Result<(), CliError> {
    let store = Store::open_existing(state_folder(global)?)?.ok_or(StoreError::NoRuns)?;
    let row = store.find_to_resume(args.run.as_deref())?;
    // Held before its events are read, so that no other process adds to them meanwhile.
    let lock = store.folder().lock(&row.id)?;
    let state = replay(&store, &row.id)?;
    print::note(format!("run {} of {} ({})", row.id, row.pipeline, row.path));
    let started = state.started.clone().ok_or_else(|| StoreError::NoSuchRun(row.id.clone()))?;
    let recorded = state.pass.as_ref().map_or_else(|| started.params.clone(), |pass| pass.params.clone());
    let source = read_source(&started)?;
    let mut givers = Givers::read(&args.params)?.over(recorded);
    let offline = check_offline(&source, &mut givers, &args.pass)?;
    let wish = aws_wish(&source, &offline.0, &offline.1.values)?;
    let reached = reach(&started, wish, args.sandbox_faults.clone()).await?;
    refuse_elsewhere(&started, &reached)?;
    let (pipeline, params) = check_reached(&source, &mut givers, &reached, offline).await?;
    let plan = Plan::new(pipeline, params);
    refuse_missing_programs(&source, &plan)?;
    let launch = Launch { global, pass: &args.pass, store: &store, run: row.id, lock, source: &source, plan, reached };
    let pass = PassStarted {
        text: (source.text != latest_text(&store, &launch.run, &started)?).then(|| source.text.clone()),
        orphaned: orphans(&state, &launch.plan),
        notes: givers.environment_differs(&source),
        ..launch.pass_started(to_record(&launch.plan.params))?
    };
    launch.go(state, None, pass).await
}

/// The state that a run's events lead to.
pub fn replay(store: &Store, run: &str) -> Result<RunState, CliError> {
    let entries = store.events(run)?;
    RunState::replay(&entries).map_err(|e| CliError::Engine { error: e.into(), run: run.to_owned() })
}

fn read_source(started: &RunStarted) -> Result<Source, CliError> {
    let path = Path::new(&started.path);
    if !path.exists() {
        return Err(CliError::Usage {
            message: format!("the pipeline file {} is gone", started.path),
            help: Some("put it back: its recorded text is in `hprun show --output json`".to_owned()),
        });
    }
    Source::read(path)
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

/// The pipeline's text as last recorded.
fn latest_text(store: &Store, run: &str, started: &RunStarted) -> Result<String, CliError> {
    let newest = store.events(run)?.into_iter().rev().find_map(|entry| match entry.event {
        Event::PassStarted(pass) => pass.text,
        Event::RunStarted(_)
        | Event::AttemptStarted { .. }
        | Event::Recorded { .. }
        | Event::StepSucceeded { .. }
        | Event::AttemptFailed { .. }
        | Event::AttemptInterrupted { .. }
        | Event::StepSkipped { .. }
        | Event::StepReused { .. }
        | Event::PassEnded { .. } => None,
    });
    Ok(newest.unwrap_or_else(|| started.text.clone()))
}

/// Steps that have done something and are gone from the file.
fn orphans(state: &RunState, plan: &Plan) -> Vec<String> {
    let known = |id: &String| plan.steps.iter().any(|step| step.spec.id.as_str() == id);
    state.steps.keys().filter(|id| !known(id)).cloned().collect()
}
