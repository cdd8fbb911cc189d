//! Ctrl-C and its kin: the first asks the run to stop at a safe point, the second leaves at once.
//! Knows nothing of runs but the token that asks them to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::CliError;

/// A token that fires on the first SIGINT, SIGTERM or SIGHUP. The second such signal ends the process with 130: all
/// that counts is on disk already.
pub fn stop_token() -> Result<CancellationToken, CliError> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let listen = |kind| signal(kind).map_err(CliError::io("listen for signals"));
    let (mut interrupt, mut terminate, mut hangup) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?, listen(SignalKind::hangup())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(130);
            }
            token.cancel();
        }
    });
    Ok(stop)
}
