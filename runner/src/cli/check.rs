//! `hprun check FILE`: everything that is wrong, as far as it can be known offline.

use super::args::{FileArgs, Global};
use super::failure::CliError;
use super::params::Givers;
use super::print;
use super::source::Source;

/// Checks it. Params without a value are no error here: their types are enough.
pub fn run(_: &Global, args: &FileArgs) -> Result<(), CliError> {
    let source = Source::read(&args.file)?;
    let givers = Givers::read(&args.params)?;
    let (known, wrong) = match givers.resolve(&source) {
        Ok(params) => (params, Vec::new()),
        Err(problems) => (problems.known, problems.wrong),
    };
    let pipeline = source.check(&known.values, wrong)?;
    let (count, plural) = (pipeline.steps.len(), if pipeline.steps.len() == 1 { "" } else { "s" });
    print::note(format!("{}: {count} step{plural}, no errors", source.shown));
    Ok(())
}
