//! How a step fails: what to say, and what the runner may do next.
//! Knows nothing of who prints it: the runner's command line adds hints on exit codes and commands.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::Secret;

/// A step failed. The text is lower case, has no full stop, and names the thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// What went wrong, in one sentence: for a failed stack its first cause.
    pub message: String,
    /// What led to it, nearest first, without repeating the message: the service's words, log lines.
    pub causes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// What the runner may do next.
    pub class: ErrorClass,
    /// The service's error code, such as `ValidationError`.
    pub code: Option<String>,
    /// The service's request id.
    pub request_id: Option<String>,
}

/// What the runner may do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The inputs are wrong: trying again cannot help.
    Invalid,
    /// hprun will not do it: the resource is somebody else's, or AWS cannot make the change.
    Refused,
    /// It failed, and is known to have failed: may be tried again as `retry` says.
    Failed,
    /// Throttled, a 5xx or no connection, before anything can have happened: may be tried again.
    Transient,
    /// Nobody knows whether it happened (no answer, or the time ran out): the next attempt finds out.
    Unknown,
    /// The credentials are missing, expired or refused: a person has to log in.
    Login,
    /// The run was told to stop.
    Interrupted,
}

impl ErrorClass {
    /// Whether the call is known not to have taken effect, so that a new try is a new request.
    pub fn is_known(self) -> bool {
        match self {
            Self::Invalid | Self::Refused | Self::Failed => true,
            Self::Transient | Self::Unknown | Self::Login | Self::Interrupted => false,
        }
    }

    /// Whether the same step may be tried again without a person.
    pub fn may_retry(self) -> bool {
        match self {
            Self::Failed | Self::Transient | Self::Unknown => true,
            Self::Invalid | Self::Refused | Self::Login | Self::Interrupted => false,
        }
    }
}

impl StepError {
    /// A failure of `class`.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), help: None, class, code: None, request_id: None }
    }

    /// The inputs are wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Invalid, message)
    }

    /// hprun will not do it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Refused, message)
    }

    /// It failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorClass::Failed, message)
    }

    /// The run was told to stop.
    pub fn interrupted() -> Self {
        Self::new(ErrorClass::Interrupted, "interrupted")
    }

    /// The same failure with one more cause behind it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// The same failure with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the service gave this code.
    pub fn has_code(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// The same failure with every secret's text replaced by its name.
    #[must_use]
    pub fn redacted(mut self, secrets: &[&Secret]) -> Self {
        for secret in secrets {
            self.message = secret.redact(&self.message);
            self.help = self.help.map(|h| secret.redact(&h));
            self.causes = self.causes.iter().map(|c| secret.redact(c)).collect();
        }
        self
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StepError {}
