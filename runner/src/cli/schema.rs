//! `hprun schema`: the JSON Schema of the pipeline file, for editors.

use super::CliError;

/// Prints it.
pub fn run() -> Result<(), CliError> {
    println!("{:#}", crate::pipeline::schema::schema(hprun_steps::STEP_TYPES));
    Ok(())
}
