//! `hprun completions SHELL`: a completion script on stdout.

use clap::CommandFactory;

use super::CliError;
use super::args::{Cli, CompletionsArgs};

/// Prints the script.
pub fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    clap_complete::generate(args.shell, &mut Cli::command(), "hprun", &mut std::io::stdout());
    Ok(())
}
