//! The program: parse, do, exit. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    hprun::cli::main(std::env::args_os().collect())
}
