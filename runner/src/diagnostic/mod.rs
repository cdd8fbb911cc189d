//! What is wrong with a text that a person wrote: where, why, and what to write instead.
//! Knows nothing of pipelines; says nothing by itself: [`render`] and [`to_json`] give text to whoever prints it.

mod lines;
mod render;

use std::sync::Arc;

use hprun_steps::files::Files;
use hprun_steps::partial::{At, Finding, Place, Severity};

pub use lines::{Lines, Position};
pub use render::{render, to_json};

/// One thing that is wrong, or that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The text that it is about.
    pub file: File,
    /// Where in that text.
    pub place: Place,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places in the same text that explain it, each with a few words.
    pub related: Vec<(Place, String)>,
}

/// The text that a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// The pipeline file, whose text the caller holds.
    Pipeline,
    /// Another file, with its text; none where it could not be read as text.
    Other {
        /// As a person spelled it.
        path: String,
        /// The text that `place` counts in.
        text: Option<Arc<str>>,
    },
    /// No file: the command line or the environment.
    Nowhere,
}

impl Diagnostic {
    /// An error at a place of the pipeline file.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: File::Pipeline,
            place,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning at a place of the pipeline file.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// An error that no file holds.
    pub fn nowhere(message: impl Into<String>) -> Self {
        Self { file: File::Nowhere, ..Self::error(Place::default(), message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with advice, where there is any.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The same, pointing at one more place.
    #[must_use]
    pub fn related(mut self, place: Place, words: impl Into<String>) -> Self {
        self.related.push((place, words.into()));
        self
    }

    /// What a step type found, with the text of the file that it found it in.
    pub fn from_finding(finding: Finding, files: &Files) -> Self {
        let (file, place) = match finding.at {
            At::Pipeline(place) => (File::Pipeline, place),
            At::File { path, place } => {
                let text = files.text(&path).ok().map(Arc::from);
                (File::Other { path, text }, place)
            }
        };
        Self {
            severity: finding.severity,
            file,
            place,
            message: finding.message,
            help: finding.help,
            related: Vec::new(),
        }
    }

    /// Whether it keeps the pipeline from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
