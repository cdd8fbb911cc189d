//! What is wrong with a text that a person wrote: where, why, and what to write instead.
//! Knows nothing of pipelines; says nothing by itself: [`render`] and [`to_json`] give text to whoever prints it.

mod brief;
mod json;
mod lines;
mod render;
mod sarif;
mod sources;

use std::sync::Arc;

use hprun_steps::files::Files;
use hprun_steps::finding::{At, Code, Finding, Severity};
use hprun_steps::partial::Place;

pub(crate) use brief::brief;
pub use json::to_json;
pub use lines::{Lines, Position};
pub use render::render;
pub use sarif::to_sarif;
pub(crate) use sources::Sources;
pub use sources::Subject;

/// One thing that is wrong, or that a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of mistake it is.
    pub code: &'static Code,
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
    /// Other places that explain it.
    pub related: Vec<Related>,
}

/// A place that explains a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// The text that it is in.
    pub file: File,
    /// Where in that text.
    pub place: Place,
    /// What is there, in a few words.
    pub words: String,
}

/// The text that a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// The pipeline file, whose text the caller holds.
    Pipeline,
    /// A file that the pipeline names, with its text; none where it could not be read as text.
    Beside {
        /// As the pipeline spells it: relative to the pipeline's folder.
        path: String,
        /// The text that `place` counts in.
        text: Option<Arc<str>>,
    },
    /// A file that the command line names, with its text; none where no line of it may be shown.
    Named {
        /// As the command line spells it: relative to the folder that a person is in.
        path: String,
        /// The text that `place` counts in.
        text: Option<Arc<str>>,
    },
    /// No file: the command line or the environment.
    Nowhere,
}

impl File {
    /// The path of another file than the pipeline's own.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Beside { path, .. } | Self::Named { path, .. } => Some(path),
            Self::Pipeline | Self::Nowhere => None,
        }
    }
}

impl Diagnostic {
    /// An error at a place of the pipeline file.
    pub fn error(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            file: File::Pipeline,
            place,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    /// A warning at a place of the pipeline file.
    pub fn warning(code: &'static Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// The same, as a warning.
    #[must_use]
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// An error that no file holds.
    pub fn nowhere(code: &'static Code, message: impl Into<String>) -> Self {
        Self { file: File::Nowhere, ..Self::error(code, Place::default(), message) }
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

    /// The same, pointing at one more place of the same text.
    #[must_use]
    pub fn related(mut self, place: Place, words: impl Into<String>) -> Self {
        self.related.push(Related { file: self.file.clone(), place, words: words.into() });
        self
    }

    /// What a step type found, with the text of the file that it found it in.
    pub fn from_finding(finding: Finding, files: &Files) -> Self {
        let Finding { code, severity, at, message, help, related } = finding;
        let (file, place) = locate(at, files);
        let related = related.into_iter().map(|(at, words)| {
            let (file, place) = locate(at, files);
            Related { file, place, words }
        });
        Self { code, severity, file, place, message, help, related: related.collect() }
    }

    /// Whether it is about the same bytes of the same file.
    pub fn is_at_the_place_of(&self, other: &Self) -> bool {
        self.place == other.place && self.file.path() == other.file.path()
    }

    /// Whether it keeps the pipeline from running.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

fn locate(at: At, files: &Files) -> (File, Place) {
    match at {
        At::Pipeline(place) => (File::Pipeline, place),
        At::File { path, place } => {
            let text = files.shared_text(&path);
            (File::Beside { path, text }, place)
        }
    }
}
