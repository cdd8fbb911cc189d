//! A pipeline file as an editor has it: its text, the shape of that, and what is known of its steps.
//! Knows nothing of the protocol; other files are handed in.

use std::ops::Range;
use std::sync::Arc;

use hprun_steps::StepType;

use super::analysis::Known;
use super::sketch::{Part, Scalar, Sketch, Spot};

/// What an answer is made from.
pub struct Page<'a> {
    /// The text, as it is now.
    pub text: &'a str,
    /// Its shape.
    pub sketch: Sketch,
    /// What is known of the last text that could be read.
    pub known: &'a Known,
    /// The step types that there are.
    pub types: &'static [StepType],
    /// What stands beside it.
    pub beside: &'a dyn Beside,
}

/// The files beside a pipeline file; paths are relative to it.
pub trait Beside {
    /// What is in a folder.
    fn list(&self, folder: &str) -> Vec<Listed>;
    /// The text of a file, if it is one that is text.
    fn text(&self, path: &str) -> Option<Arc<str>>;
    /// Whether there is a file.
    fn is_file(&self, path: &str) -> bool;
}

/// One thing in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// A step as far as the text spells it.
pub struct StepAt<'a> {
    /// Its entry in the sketch.
    pub entry: usize,
    /// Its id.
    pub id: Option<&'a Scalar>,
    /// The word after `type:`.
    pub type_name: Option<&'a Scalar>,
    /// What that names.
    pub step_type: Option<&'static StepType>,
    /// Whether it stands under `finally:`.
    pub finally: bool,
}

impl<'a> Page<'a> {
    /// The page of `text`.
    pub fn new(text: &'a str, known: &'a Known, types: &'static [StepType], beside: &'a dyn Beside) -> Self {
        Self { text, sketch: Sketch::of(text), known, types, beside }
    }

    /// Whether it is a pipeline: its `apiVersion` begins with `hprun/`.
    pub fn is_pipeline(&self) -> bool {
        is_pipeline(&self.sketch)
    }

    /// All steps, in the order of the text.
    pub fn steps(&self) -> Vec<StepAt<'_>> {
        let of = |key: &'static str| {
            let list = self.sketch.child(None, key);
            let items: Vec<usize> = list.map(|list| self.sketch.children(Some(list)).collect()).unwrap_or_default();
            items.into_iter().map(move |entry| self.step_at(entry, key == "finally"))
        };
        of("steps").chain(of("finally")).collect()
    }

    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<StepAt<'_>> {
        self.steps().into_iter().find(|step| step.id.is_some_and(|scalar| scalar.text == id))
    }

    /// The step that these entries (from the top) stand in.
    pub fn step_around(&self, entries: &[Option<usize>]) -> Option<StepAt<'_>> {
        let list = entries.first().copied().flatten()?;
        let finally = self.sketch.entries[list].part.is("finally");
        let in_steps = finally || self.sketch.entries[list].part.is("steps");
        let item = entries.get(1).copied().flatten()?;
        in_steps.then(|| self.step_at(item, finally))
    }

    /// The step that the entry stands in.
    pub fn step_of(&self, entry: usize) -> Option<StepAt<'_>> {
        let mut entries: Vec<Option<usize>> = self.sketch.ancestry(Some(entry)).into_iter().map(Some).collect();
        entries.reverse();
        self.step_around(&entries)
    }

    fn step_at(&self, entry: usize, finally: bool) -> StepAt<'_> {
        let scalar = |key| self.sketch.scalar(Some(entry), key);
        let type_name = scalar("type");
        let step_type = type_name.and_then(|name| self.types.iter().find(|of| of.name == name.text));
        StepAt { entry, id: scalar("id"), type_name, step_type, finally }
    }

    /// The entry of the param `name`.
    pub fn param(&self, name: &str) -> Option<usize> {
        self.sketch.find(&["params", name])
    }

    /// The names of all params.
    pub fn params(&self) -> Vec<(&str, usize)> {
        let Some(params) = self.sketch.child(None, "params") else { return Vec::new() };
        let named = |at: usize| match &self.sketch.entries[at].part {
            Part::Key(name) => Some((name.as_str(), at)),
            Part::Item(_) => None,
        };
        self.sketch.children(Some(params)).filter_map(named).collect()
    }

    /// Where the cursor stands.
    pub fn spot(&self, cursor: usize) -> Spot {
        self.sketch.spot(self.text, cursor)
    }

    /// The line of the byte `at`, without its line break.
    pub fn line(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |before| before + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |length| at + length);
        start..end
    }
}

/// Whether it is the sketch of a pipeline.
pub fn is_pipeline(sketch: &Sketch) -> bool {
    sketch.scalar(None, "apiVersion").is_some_and(|version| version.text.starts_with("hprun/"))
}

/// Whether it may become a pipeline: it has no `apiVersion` yet, and no key that a pipeline has not.
pub fn may_become_pipeline(sketch: &Sketch) -> bool {
    const KEYS: [&str; 8] = ["apiVersion", "name", "version", "description", "params", "aws", "steps", "finally"];
    let is_ours = |at: usize| match &sketch.entries[at].part {
        Part::Key(key) => KEYS.iter().any(|known| known.starts_with(key.as_str())),
        Part::Item(_) => false,
    };
    sketch.scalar(None, "apiVersion").is_none() && sketch.children(None).all(is_ours)
}
