//! The files that steps name, each read once in one check: what is parsed of a file is parsed once, however many steps name it.
//! Knows nothing of what steps do with them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use hprun_steps::StepType;
use hprun_steps::files::{FileInput, FileKind, Files};
use hprun_steps::partial::Partial;

use crate::codes::inputs;
use crate::diagnostic::Diagnostic;

/// What was read for one step, for the others that name the same.
pub(super) struct Shelf<'a> {
    loader: &'a dyn Fn(&[FileInput]) -> Files,
    /// By the paths, with what they were to be.
    loaded: HashMap<Vec<String>, (Vec<FileKind>, Files)>,
}

impl<'a> Shelf<'a> {
    /// An empty one, filled by this loader.
    pub(super) fn new(loader: &'a dyn Fn(&[FileInput]) -> Files) -> Self {
        Self { loader, loaded: HashMap::new() }
    }

    /// The files that the step names; those that cannot be read are reported where they are named.
    pub(super) fn load(
        &mut self,
        partial: &Partial,
        step_type: Option<&'static StepType>,
        problems: &mut Vec<Diagnostic>,
    ) -> Files {
        let inputs = step_type.map(|of| (of.files)(partial)).unwrap_or_default();
        if inputs.is_empty() {
            return Files::default();
        }
        let files = self.take(&inputs);
        let mut told = HashSet::new();
        for (path, why) in files.errors() {
            let input = inputs.iter().find(|input| path.starts_with(&input.path));
            let place = input.map_or_else(|| partial.place(), |input| input.place);
            if told.insert((place.start, path.to_owned())) {
                let help = match files.meant_by(path) {
                    Some(meant) => format!("did you mean `{}`?", meant.display()),
                    None if why.starts_with("holds more") => {
                        "all of it is read before the run: name the folder that holds only what is meant".to_owned()
                    }
                    None => "paths are relative to the pipeline file".to_owned(),
                };
                problems.push(Diagnostic::error(&inputs::UNREADABLE_FILE, place, unreadable(path, why)).help(help));
            }
        }
        files
    }

    fn take(&mut self, inputs: &[FileInput]) -> Files {
        let paths: Vec<String> = inputs.iter().map(|input| input.path.clone()).collect();
        let kinds: Vec<FileKind> = inputs.iter().map(|input| input.kind).collect();
        if let Some((_, files)) = self.loaded.get(&paths).filter(|(read, _)| *read == kinds) {
            return files.clone();
        }
        let files = (self.loader)(inputs);
        self.loaded.insert(paths, (kinds, files.clone()));
        files
    }
}

/// What is said of a file that cannot be read.
pub(super) fn unreadable(path: &Path, why: &str) -> String {
    format!("cannot read {}: it {why}", path.display())
}
