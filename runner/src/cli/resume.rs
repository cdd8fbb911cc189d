//! `hprun resume [RUN]`: the same loop from a log that is not empty.

use super::args::{Global, ResumeArgs};
use super::choice;
use super::failure::CliError;
use super::launch::{Beginning, Launch, refuse_missing_programs};
use super::params::to_record;
use super::recorded::{Again, Recorded};
use super::source::state_folder;
use crate::decide;
use crate::event::PassStarted;
use crate::state::Left;
use crate::store::{Store, StoreError};

/// Goes on with a run.
pub async fn run(global: &Global, args: ResumeArgs) -> Result<(), CliError> {
    let store = Store::open_existing(state_folder(global)?)?.ok_or(StoreError::NoRuns)?;
    let recorded = Recorded::hold(&store, &store.find_to_resume(args.run.as_deref())?)?;
    if !(args.choice.take_back && matches!(recorded.state.left, Some(Left::Exported(_)))) {
        recorded.refuse_gone(&store, "resume")?;
    }
    let again = recorded.again(&args.params, &args.pass, &args.sandbox).await?;
    let Again { source, plan, reached, notes } = again;
    let orphaned = recorded.orphans(&plan);
    let Recorded { id, lock, state, .. } = recorded;
    let selection = choice::selection(&args.choice, &plan, &state)?;
    if !args.choice.explain {
        refuse_missing_programs(&source, &plan)?;
    }
    let launch = Launch { global, pass: &args.pass, store: &store, run: id, lock, source: &source, plan, reached };
    let pass = PassStarted {
        text: (state.text() != Some(&*source.text)).then(|| source.text.clone()),
        again: decide::again(&launch.plan, &selection),
        selection,
        orphaned,
        notes,
        ..launch.pass_started(to_record(&launch.plan.params))?
    };
    if args.choice.explain { launch.explain(state, pass).await } else { launch.go(Beginning::again(state), pass).await }
}
