//! Questions to a person, on a terminal only.
//! Knows nothing of what is asked about.

use std::io::{BufRead, IsTerminal, Write};

use super::CliError;

/// Whether a person can be asked.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a yes. Anything but `yes` or `y` is a no.
pub fn yes(question: &str) -> Result<bool, CliError> {
    let answer = line(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line of text.
pub fn line(prompt: &str) -> Result<String, CliError> {
    let mut stderr = std::io::stderr();
    stderr.write_all(prompt.as_bytes()).and_then(|()| stderr.flush()).map_err(CliError::io("ask on the terminal"))?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(CliError::io("read the answer"))?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a secret: what is typed is not shown.
pub fn secret(prompt: &str) -> Result<String, CliError> {
    let term = console::Term::stderr();
    term.write_str(prompt).map_err(CliError::io("ask on the terminal"))?;
    term.read_secure_line().map_err(CliError::io("read the answer"))
}
