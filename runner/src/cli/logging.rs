//! What -v and --log-file show: tracing's events, AWS request ids among them.
//! Never turns on the SDK's own body or signing logs: they would show secrets.

use std::fs::OpenOptions;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::CliError;
use super::args::Global;

/// Starts logging as the command line asks.
pub fn start(global: &Global) -> Result<(), CliError> {
    if global.verbose == 0 && global.log_file.is_none() {
        return Ok(());
    }
    let terminal = (global.verbose > 0)
        .then(|| fmt::layer().with_writer(std::io::stderr).with_target(false).with_filter(filter(global.verbose)));
    let file = match &global.log_file {
        None => None,
        Some(path) => {
            let mut options = OpenOptions::new();
            options.create(true).append(true);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(path).map_err(CliError::io(format!("open the log file {}", path.display())))?;
            Some(fmt::layer().json().with_writer(std::sync::Mutex::new(file)).with_filter(filter(2)))
        }
    };
    tracing_subscriber::registry().with(terminal).with(file).init();
    Ok(())
}

/// Our own crates only, and of the SDK no more than the request's outcome.
fn filter(verbose: u8) -> EnvFilter {
    let ours = match verbose {
        0 | 1 => "hprun=info,hprun_steps=info,hprun_sandbox=info",
        _ => "hprun=debug,hprun_steps=debug,hprun_sandbox=debug",
    };
    EnvFilter::new(format!("off,{ours}"))
}
