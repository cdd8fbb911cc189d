//! `hprun lsp`: a language server on stdin and stdout, for editors.
//! Knows nothing of what it answers.

use std::io::{BufReader, stdin, stdout};

use super::CliError;
use super::args::LspArgs;
use super::params::Givers;
use crate::lsp::{End, Neighbours, serve};

/// Serves until the editor ends it.
pub fn run(args: &LspArgs) -> Result<(), CliError> {
    let givers = Givers::read(&args.params)?;
    let neighbours =
        Neighbours { types: hprun_steps::STEP_TYPES, give: Box::new(move |specs| givers.resolve_specs(specs)) };
    match serve(BufReader::new(stdin()), stdout().lock(), neighbours) {
        Ok(End::Asked) => Ok(()),
        Ok(End::Unasked) => Err(CliError::ClientGone),
        Err(e) => Err(CliError::io("write to the editor")(e)),
    }
}
