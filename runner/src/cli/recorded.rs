//! What `resume` and `rerun` share: a run of the record, held, with its file read as it is now and its target reached again.
//! Knows nothing of what is then done with it.

use std::path::Path;

use super::args::{ParamArgs, PassArgs, SandboxFileArgs};
use super::failure::CliError;
use super::launch::{aws_wish, check_offline, check_reached};
use super::params::Givers;
use super::print;
use super::source::Source;
use super::target::{AwsWish, Reached, SandboxWish, kept_speed};
use crate::event::{Event, RunStarted, Target};
use crate::plan::Plan;
use crate::state::{Left, RunState};
use crate::store::{RunLock, RunRow, Store, StoreError};

/// A run that this process holds.
pub struct Recorded {
    /// Its id.
    pub id: String,
    /// Keeps other processes from it.
    pub lock: RunLock,
    /// What it has come to.
    pub state: RunState,
    /// How it began.
    pub started: Box<RunStarted>,
}

/// What a recorded run is now.
pub struct Again {
    /// Its file, read anew.
    pub source: Source,
    /// What the file says with the run's params.
    pub plan: Plan,
    /// Where it happens.
    pub reached: Reached,
    /// What a person should know: an environment or a default that says something else than the record.
    pub notes: Vec<String>,
}

/// The state that a run's events lead to.
pub fn replay(store: &Store, run: &str) -> Result<RunState, CliError> {
    let entries = store.events(run)?;
    RunState::of(entries).map_err(|e| CliError::Engine { error: e.into(), run: run.to_owned() })
}

impl Recorded {
    /// Takes the run. Held before its events are read, so that no other process adds to them meanwhile.
    pub fn hold(store: &Store, row: &RunRow) -> Result<Self, CliError> {
        let lock = store.folder().lock(&row.id)?;
        let state = replay(store, &row.id)?;
        let started = state.started.clone().ok_or_else(|| StoreError::NoSuchRun(row.id.clone()))?;
        Ok(Self { id: row.id.clone(), lock, state, started })
    }

    /// A run that goes on elsewhere, or whose things are another run's, must not go on here as well. `command` is the one
    /// that was typed: it is named with the run to type it for.
    pub fn refuse_gone(&self, store: &Store, command: &str) -> Result<(), CliError> {
        let run = &self.id;
        match &self.state.left {
            None => Ok(()),
            Some(Left::HandedOver(to)) => Err(CliError::refused(
                format!("what the run {run} made is the run {to}'s now"),
                format!("go on with the newest one: hprun {command} {}", heir(store, to)),
            )),
            Some(Left::Exported(host)) => Err(CliError::refused(
                format!(
                    "the run {run} was exported on {host}: it may go on elsewhere, and two at once would make things twice"
                ),
                format!("go on where it was imported; if nobody does, take it back: hprun resume {run} --take-back"),
            )),
            Some(Left::Copied(host)) => Err(CliError::refused(
                format!("this is a copy of the run {run}, to look at: the run itself is on {host}"),
                format!("go on there, or bring it here: hprun export {run} there, hprun import here"),
            )),
        }
    }

    /// Reads its file as it is now and reaches its target: the same account, region or sandbox world.
    pub async fn again(
        &self,
        params: &ParamArgs,
        pass: &PassArgs,
        sandbox: &SandboxFileArgs,
    ) -> Result<Again, CliError> {
        let path = self.state.path().unwrap_or(&self.started.path);
        print::note(format!("run {} of {} ({path})", self.id, self.started.pipeline));
        let recorded = self.state.pass.as_ref().map_or(&self.started.params, |pass| &pass.params).clone();
        let source = read_source(path)?;
        let mut givers = Givers::read(params)?.over(recorded);
        let offline = check_offline(&source, &mut givers, pass)?;
        let wish = aws_wish(&source, &offline.0, &offline.1.values)?;
        let reached = reach(&self.started, wish, sandbox).await?;
        refuse_elsewhere(&self.started, &reached)?;
        let (pipeline, params) = check_reached(&source, &mut givers, &reached, offline).await?;
        let mut notes = givers.environment_differs(&source);
        notes.extend(givers.defaults_differ(&source, self.state.text().unwrap_or_default()));
        Ok(Again { plan: Plan::new(pipeline, params), source, reached, notes })
    }

    /// Steps that have done something and are gone from the file.
    pub fn orphans(&self, plan: &Plan) -> Vec<String> {
        let begun = self.state.steps.iter().filter(|(_, step)| step.attempts > 0 || !step.records.is_empty());
        begun.map(|(id, _)| id.clone()).filter(|id| plan.index(id).is_none()).collect()
    }
}

/// The newest run that what `run` made has passed to, as far as this store knows.
fn heir(store: &Store, run: &str) -> String {
    let mut run = run.to_owned();
    let mut events = store.events(&run);
    // A run is handed over to a newer one, so this ends.
    while let Some(Event::HandedOver { to }) = events.ok().and_then(|all| all.last().map(|last| last.event.clone())) {
        events = store.events(&to);
        run = to;
    }
    run
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

async fn reach(started: &RunStarted, wish: AwsWish, files: &SandboxFileArgs) -> Result<Reached, CliError> {
    match &started.target {
        Target::Sandbox { world } if !Path::new(world).is_dir() => Err(CliError::refused(
            format!("the run's sandbox world {world} is not here: another one would know nothing of what it made"),
            "put the folder back in its place, then resume",
        )),
        Target::Sandbox { world } => {
            let (faults, policy) = (files.sandbox_faults.clone(), files.sandbox_policy.clone());
            let sandbox = SandboxWish { world: world.into(), speed: kept_speed(Path::new(world)), faults, policy };
            Reached::sandbox(&sandbox, &wish).await
        }
        Target::Aws { .. } if files.sandbox_faults.is_some() || files.sandbox_policy.is_some() => {
            Err(CliError::refused(
                "the run is not in a sandbox: a fault script or a policy for one would do nothing",
                "leave out --sandbox-faults and --sandbox-policy",
            ))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing::run_started;

    #[tokio::test]
    async fn what_is_for_a_sandbox_is_refused_for_a_run_in_an_account() {
        let started = RunStarted { target: Target::Aws { profile: None }, ..run_started() };
        let file = || Some("given.yaml".into());
        for files in [
            SandboxFileArgs { sandbox_faults: file(), sandbox_policy: None },
            SandboxFileArgs { sandbox_faults: None, sandbox_policy: file() },
        ] {
            let refused = reach(&started, AwsWish::default(), &files).await.err().expect("it is refused");
            assert!(refused.text().contains("the run is not in a sandbox"), "{}", refused.text());
        }
    }
}
