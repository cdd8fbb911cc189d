//! Ctrl-C and its kin: the first asks the run to stop at a safe point, the second leaves at once.
//! Knows nothing of runs but the token that asks them to stop.

use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::CliError;

/// The exit code of a program that was told to stop.
const INTERRUPTED: i32 = 130;

/// Set as soon as something takes the time to stop at a safe point.
static STOP: OnceLock<CancellationToken> = OnceLock::new();

/// Listens for SIGINT, SIGTERM and SIGHUP. While nothing has begun, the first of them ends the process with 130. Once
/// there is a [`stop_token`], the first fires it and the second ends the process: all that counts is on disk already.
///
/// # Errors
/// The system takes no handler.
pub fn listen() -> Result<(), CliError> {
    // Under `nohup` a closed terminal is not to matter.
    let hangup = (!is_ignored(SignalKind::hangup())).then(SignalKind::hangup);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()].into_iter().chain(hangup) {
        let mut signals = signal(kind).map_err(CliError::io("listen for signals"))?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                match STOP.get() {
                    Some(stop) if !stop.is_cancelled() => stop.cancel(),
                    Some(_) | None => std::process::exit(INTERRUPTED),
                }
            }
        });
    }
    Ok(())
}

/// The token that fires on the first signal from now on.
pub fn stop_token() -> CancellationToken {
    STOP.get_or_init(CancellationToken::new).clone()
}

/// Whether this process was started with that signal ignored (proc(5) status, `SigIgn`). Where that cannot be read, it
/// was not.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
