//! What to say when no token can be had for a Kubernetes API.
//! Must not show how the program that gives tokens was called: its environment may hold credentials.

use std::os::unix::process::ExitStatusExt;

use kube::client::AuthError;

use crate::error::{ErrorClass, StepError};

/// The failure of `doing` something for which there is no token.
pub fn no_token(doing: &str, error: &AuthError) -> StepError {
    let could_not = format!("could not {doing}");
    let AuthError::AuthExecRun { out, .. } = error else {
        return StepError::new(ErrorClass::Login, format!("{could_not}: no token")).because(error.to_string());
    };
    if let Some(signal) = out.status.signal() {
        // Ctrl-C on a terminal reaches it, too.
        let message = format!("{could_not}: the program that gives the token was ended by signal {signal}");
        return StepError::new(ErrorClass::Transient, message);
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let error = StepError::new(ErrorClass::Login, format!("{could_not}: the program that gives the token failed"));
    said.lines().map(str::trim).filter(|line| !line.is_empty()).take(8).fold(error, StepError::because)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{ExitStatus, Output};

    use super::*;

    fn failed(status: i32, stderr: &str) -> StepError {
        let out = Output { status: ExitStatus::from_raw(status), stdout: Vec::new(), stderr: stderr.into() };
        let cmd = "AWS_SECRET_ACCESS_KEY=hidden hprun eks-token".to_owned();
        no_token("ask the API", &AuthError::AuthExecRun { cmd, out: Box::new(out) })
    }

    #[test]
    fn what_the_program_said_is_told_and_not_how_it_was_called() {
        let error = failed(256, "error: the token has expired\n\nhelp: log in\n");
        assert_eq!(error.class, ErrorClass::Login);
        assert_eq!(error.message, "could not ask the API: the program that gives the token failed");
        assert_eq!(error.causes, ["error: the token has expired", "help: log in"]);
    }

    #[test]
    fn a_program_that_was_ended_says_nothing_of_a_login() {
        let error = failed(2, "");
        assert_eq!(error.class, ErrorClass::Transient);
        assert_eq!(error.message, "could not ask the API: the program that gives the token was ended by signal 2");
    }
}
