//! `hprun rerun [RUN]`: a new run with the same file and params, to which passes what the old one made.
//! Knows nothing of what a step then finds of it.

use super::args::{Global, RerunArgs};
use super::failure::CliError;
use super::launch::{Beginning, Launch, ask_before_real, refuse_missing_programs, run_started};
use super::params::to_record;
use super::print;
use super::recorded::{Again, Recorded};
use super::source::state_folder;
use crate::event::{Event, PassStarted, RunStarted};
use crate::state::RunState;
use crate::store::{Store, StoreError, new_run_id};

/// Begins it.
pub async fn run(global: &Global, args: RerunArgs) -> Result<(), CliError> {
    let store = Store::open_existing(state_folder(global)?)?.ok_or(StoreError::NoRuns)?;
    let old = Recorded::hold(&store, &store.find(args.run.as_deref())?)?;
    old.refuse_gone(&store, "rerun")?;
    let Again { source, plan, reached, notes } = old.again(&args.params, &args.pass, &args.sandbox).await?;
    refuse_missing_programs(&source, &plan)?;
    ask_before_real(&args.pass, &plan, &reached, "say --yes to run without being asked")?;
    let orphaned = old.orphans(&plan);
    let run = new_run_id();
    let lock = store.folder().lock(&run)?;
    let lineage = old.started.lineage.iter().chain([&old.id]).cloned().collect();
    let started = RunStarted { lineage, ..run_started(&source, &plan, &reached) };
    let first = [Event::RunStarted(Box::new(started))].into_iter().chain(inherited(&old.state)).collect();
    let launch = Launch { global, pass: &args.pass, store: &store, run, lock, source: &source, plan, reached };
    print::note(format!("run {}, to which passes what {} made", launch.run, old.id));
    let pass = PassStarted { orphaned, notes, ..launch.pass_started(to_record(&launch.plan.params))? };
    launch.go(Beginning { state: RunState::default(), first, from: Some(old) }, pass).await
}

/// What each step of the old run recorded, and what it handed on at last.
fn inherited(old: &RunState) -> impl Iterator<Item = Event> {
    old.steps.iter().filter_map(|(id, step)| {
        let outputs = step.success.as_ref().or(step.former.as_ref()).map(|success| success.outputs.clone());
        let something = !step.records.is_empty() || outputs.is_some();
        something.then(|| Event::Inherited { step: id.clone(), records: step.records.clone(), outputs })
    })
}
