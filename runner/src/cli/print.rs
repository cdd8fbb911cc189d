//! The two ways out: data on stdout, everything else on stderr.
//! Knows nothing of what is said.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use super::CliError;

/// Data for stdout, ended by a new line. A reader that has seen enough (`| head`) is no error; a full disk is one.
pub fn data(text: impl Display) -> Result<(), CliError> {
    let text = text.to_string();
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut stdout = anstream::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::io("write to stdout")(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A line for stderr. Where nobody reads it, nothing can be said about that either.
pub fn note(text: impl Display) {
    let text = text.to_string();
    let text = text.strip_suffix('\n').unwrap_or(&text);
    drop(writeln!(anstream::stderr(), "{text}"));
}
