//! What is known to be wrong before the run: a kind of mistake (its code), a place, and what to write instead.
//! Knows nothing of who looks for mistakes, or of how they are shown.

use std::fmt;

use crate::partial::Place;

/// A kind of mistake: its number, and what `hprun explain` says of it. Shown as `HP0123`.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The number, which never changes and is never given to another kind.
    pub number: u16,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it is wrong, and what would come of it.
    pub cause: &'static str,
    /// How it looks.
    pub example: &'static str,
    /// What to do.
    pub cure: &'static str,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HP{:04}", self.number)
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run goes on; a person should know.
    Warning,
    /// Nothing is run.
    Error,
}

/// Where a finding points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A place in the pipeline file.
    Pipeline(Place),
    /// A place in a file that the step reads: the path as the step spelled it, and a byte range in it.
    File {
        /// As spelled in the inputs.
        path: String,
        /// Byte range in that file.
        place: Place,
    },
}

/// Something wrong that is known before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind of mistake it is.
    pub code: &'static Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub at: At,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that explain it, each with a few words.
    pub related: Vec<(At, String)>,
}

impl Finding {
    /// An error at `at`.
    pub fn new(code: &'static Code, at: At, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, at, message: message.into(), help: None, related: Vec::new() }
    }

    /// An error at a place of the pipeline file.
    pub fn error(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self::new(code, At::Pipeline(place), message)
    }

    /// A warning at a place of the pipeline file.
    pub fn warning(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// An error in a file that a step reads.
    pub fn in_file(code: &'static Code, path: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        Self::new(code, At::File { path: path.into(), place }, message)
    }

    /// The same finding as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding with advice, where there is any.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The same finding, pointing at one more place.
    #[must_use]
    pub fn related(mut self, at: At, words: impl Into<String>) -> Self {
        self.related.push((at, words.into()));
        self
    }
}
