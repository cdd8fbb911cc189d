//! `hprun sandbox`: serves a world until Ctrl-C and prints what other programs need to reach it.

use std::io::Write;

use hprun_sandbox::{ClockKind, Options, Sandbox};

use super::args::SandboxArgs;
use super::signals::stop_token;
use super::target::{read_faults, read_policy, temporary_world};
use super::{CliError, print};

/// Serves until told to stop.
pub async fn run(args: SandboxArgs) -> Result<(), CliError> {
    let stop = stop_token();
    let (world, _temporary) = match args.world {
        Some(world) => (world, None),
        None => {
            let folder = temporary_world()?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    let faults = args.faults.as_deref().map(read_faults).transpose()?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let clock = ClockKind::Scaled { speed: args.speed };
    let options = Options { world: world.clone(), clock, faults, policy };
    let sandbox =
        Sandbox::open(options).await.map_err(|error| CliError::Refused { message: error.to_string(), help: None })?;
    let mut stdout = std::io::stdout().lock();
    for (name, value) in sandbox.environment() {
        let line = format!("export {name}={}\n", super::outputs::quoted(&value));
        stdout.write_all(line.as_bytes()).map_err(CliError::io("print the environment"))?;
    }
    stdout.flush().map_err(CliError::io("print the environment"))?;
    drop(stdout);
    print::note(format!("serving the world in {} until Ctrl-C", world.display()));
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(())
}
