//! `hprun schema`: the JSON Schema of the pipeline file, for editors.

use super::{CliError, print};

/// Prints it.
pub fn run() -> Result<(), CliError> {
    print::data(format!("{:#}", crate::pipeline::schema::schema(hprun_steps::STEP_TYPES)))
}
