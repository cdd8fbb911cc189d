//! The files beside a pipeline file: from the editor where it has them open, else from the disk.
//! Knows nothing of what they hold.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hprun_steps::files::{FileInput, Files, normalize};
use percent_encoding::percent_decode_str;

use super::page::{Beside, Listed};
use crate::address;

/// A folder with nothing in it: what lies beside a text that is no file, nobody knows.
const NOWHERE: &str = "/dev/null";
/// Largest file that is shown or looked into, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The files beside one pipeline file.
#[derive(Clone)]
pub struct Disk {
    /// Its folder; none of a text that is no file, such as a new one or an old version.
    pub base: Option<PathBuf>,
    /// The texts that the editor has open, by their real paths.
    pub open: Arc<HashMap<PathBuf, OpenText>>,
}

/// A text that the editor has open.
#[derive(Clone, Debug)]
pub struct OpenText {
    /// Its address, as the editor spells it.
    pub uri: String,
    /// The text.
    pub text: Arc<str>,
}

impl Disk {
    /// Reads what inputs name.
    pub fn load(&self, inputs: &[FileInput]) -> Files {
        let Some(base) = &self.base else { return Files::load(Path::new(NOWHERE), inputs) };
        let mut files = Files::load(base, inputs);
        files.overlay(&|path| self.opened(path).map(|open| Arc::clone(&open.text)));
        files
    }

    /// The address of the file at this path.
    pub fn address(&self, path: &Path) -> String {
        self.opened(path).map_or_else(|| address::of(path), |open| open.uri.clone())
    }

    fn opened(&self, path: &Path) -> Option<&OpenText> {
        self.open.get(&real(path))
    }

    /// Where a path of the pipeline leads; none where nobody knows its folder.
    pub fn full(&self, path: &str) -> Option<PathBuf> {
        Some(normalize(&self.base.as_ref()?.join(path)))
    }
}

impl Beside for Disk {
    fn list(&self, folder: &str) -> Vec<Listed> {
        let Some(full) = self.full(folder) else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(full) else { return Vec::new() };
        let mut listed: Vec<Listed> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let is_folder = entry.path().is_dir();
                Some(Listed { name: entry.file_name().into_string().ok()?, is_folder })
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    fn text(&self, path: &str) -> Option<Arc<str>> {
        let full = self.full(path)?;
        if let Some(open) = self.opened(&full) {
            return Some(Arc::clone(&open.text));
        }
        let is_small = std::fs::metadata(&full).is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST);
        is_small.then(|| std::fs::read_to_string(&full).ok()).flatten().map(Arc::from)
    }

    fn is_file(&self, path: &str) -> bool {
        self.full(path).is_some_and(|full| self.opened(&full).is_some() || full.is_file())
    }
}

/// The path without symbolic links, so that two ways to one file are the same; the file itself may not be there yet.
fn real(path: &Path) -> PathBuf {
    let of_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| normalize(path))
}

/// The real path that an address names, if it names a file: relative paths in a pipeline start at its real folder.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    // A host other than this one cannot be reached as a path.
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let path = percent_decode_str(path).decode_utf8().ok()?;
    path.starts_with('/').then(|| real(Path::new(path.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_path_lead_to_each_other() {
        let path = Path::new("/nowhere/a b/ä#1.yaml");
        assert_eq!(address::of(path), "file:///nowhere/a%20b/%C3%A4%231.yaml");
        assert_eq!(path_of(&address::of(path)).as_deref(), Some(path));
        assert_eq!(path_of("file:///nowhere/x/../p%3Aq.yaml").as_deref(), Some(Path::new("/nowhere/p:q.yaml")));
        assert_eq!(path_of("untitled:Untitled-1"), None);
    }
}
