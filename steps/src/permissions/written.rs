//! What the files hold that earlier steps write, found by path however it is spelled.
//! Knows neither the steps nor what the texts mean.

use std::collections::BTreeMap;

use crate::files::spelled;
use crate::partial::Text;

/// The files that earlier steps write.
#[derive(Clone, Debug, Default)]
pub struct WrittenFiles(BTreeMap<Text, Vec<WrittenFile>>);

/// What one step writes into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// With `*` for what is not known; none where nothing is.
    pub text: Option<String>,
    /// Whether it is surely written: the step is not skipped, and its failure ends the run.
    pub surely: bool,
}

impl WrittenFiles {
    /// None yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes on what a step writes to `path`.
    pub fn note(&mut self, path: &Text, file: WrittenFile) {
        let all = self.0.entry(spelled(path)).or_default();
        if !all.contains(&file) {
            all.push(file);
        }
    }

    /// What steps write to `path`: of several, such as one for each mode, any may be what lies there.
    pub fn at(&self, path: &Text) -> &[WrittenFile] {
        self.0.get(&spelled(path)).map_or(&[], Vec::as_slice)
    }
}
