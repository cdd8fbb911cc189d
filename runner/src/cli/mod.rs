//! The command line: one file a command. Only here does hprun read arguments, print, and exit.
//! Knows nothing of how a run is done.

mod args;
mod cfn_lint;
mod check;
mod choice;
mod codes;
mod completions;
mod confirm;
mod eks_token;
mod explain;
mod export;
mod failure;
mod graph;
mod iam_policy;
mod import;
mod launch;
mod live;
mod logging;
mod lsp;
mod outputs;
mod params;
mod plan;
mod print;
mod recorded;
mod reference;
mod rerun;
mod resume;
mod run;
mod runs;
#[cfg(feature = "sandbox")]
mod sandbox;
mod schema;
mod show;
mod signals;
mod source;
mod steps;
mod target;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
pub use failure::CliError;

/// Runs the program with these arguments (the first is its name).
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    keep_panics_of_steps_quiet();
    let cli = match Cli::try_parse_from(args::with_run_implied(arguments)) {
        Ok(cli) => cli,
        Err(e) => {
            // Clap prints help and version to stdout, everything else to stderr, each with its own code.
            let code = if e.use_stderr() { 2 } else { 0 };
            drop(e.print());
            return ExitCode::from(code);
        }
    };
    if let Err(error) = logging::start(&cli.global) {
        return fail(&error);
    }
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A step's panic becomes its failure, with secrets taken out of it; the usual message on stderr would show them, and
/// break the live view.
fn keep_panics_of_steps_quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::engine::is_in_step() {
            usual(panic);
        }
    }));
}

fn dispatch(cli: Cli) -> Result<(), CliError> {
    let global = &cli.global;
    match cli.command {
        Command::Run(args) => block_on(run::run(global, args)),
        Command::Resume(args) => block_on(resume::run(global, args)),
        Command::Rerun(args) => block_on(rerun::run(global, args)),
        Command::Check(args) if args.live => block_on(check::run_live(global, &args)),
        Command::Check(args) => check::run(global, &args),
        Command::Plan(args) => plan::run(global, &args),
        Command::Runs => runs::run(global),
        Command::Show(args) => show::run(global, &args),
        Command::Outputs(args) => outputs::run(global, &args),
        Command::Export(args) => export::run(global, &args),
        Command::Import(args) => import::run(global, &args),
        Command::Steps(args) => steps::run(global, &args),
        Command::Schema => schema::run(),
        Command::Explain(args) => codes::run(global, &args),
        Command::Graph(args) => graph::run(global, &args),
        Command::IamPolicy(args) => iam_policy::run(global, &args),
        Command::Lsp(args) => lsp::run(&args),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => block_on(sandbox::run(args)),
        Command::EksToken(args) => block_on(eks_token::run(args)),
        Command::Completions(args) => completions::run(&args),
    }
}

fn block_on<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::io("start the async runtime"))?;
    let result = runtime.block_on(async {
        signals::listen()?;
        future.await
    });
    // A blocked read (a terminal question, a slow disk) must not keep a program that is done.
    runtime.shutdown_background();
    result
}

fn fail(error: &CliError) -> ExitCode {
    drop(anstream::stderr().write_all(error.text().as_bytes()));
    error.exit_code()
}
