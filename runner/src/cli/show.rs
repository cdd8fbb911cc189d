//! `hprun show [RUN]`: a run as it happened, through the same reporters that showed it live.

use super::args::{Global, Output, ShowArgs};
use super::source::open_store;
use super::{CliError, print};
use crate::report::{Json, Plain, Reporter};
use crate::state::RunState;
use crate::store::StoreError;

/// Replays it on stdout.
pub fn run(global: &Global, args: &ShowArgs) -> Result<(), CliError> {
    let store = open_store(global)?.ok_or(StoreError::NoRuns)?;
    let row = store.find(args.run.as_deref())?;
    let mut reporter: Box<dyn Reporter> = match global.output {
        Output::Json => Box::new(Json::new(std::io::stdout(), &row.id)),
        Output::Auto | Output::Plain => {
            let out = anstream::AutoStream::auto(std::io::stdout());
            Box::new(Plain::new(out, jiff::tz::TimeZone::system(), jiff::Timestamp::now))
        }
    };
    if global.output != Output::Json {
        print::data(format!("run {} of {} ({})", row.id, row.pipeline, row.path))?;
    }
    let mut state = RunState::default();
    for entry in store.events(&row.id)? {
        state.apply(&entry).map_err(|e| CliError::Engine { error: e.into(), run: row.id.clone() })?;
        reporter.event(&entry, &state);
    }
    reporter.close(&state);
    Ok(())
}
