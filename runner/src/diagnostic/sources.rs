//! The texts that diagnostics are about, with their lines: counted once, asked often.
//! Knows nothing of how a diagnostic is shown.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::{File, Lines};

/// The pipeline file that diagnostics are shown for.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// As the command line names it.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The folder that paths in it start at, as a person can open it.
    pub folder: Cow<'a, Path>,
}

impl<'a> From<(&'a str, &'a str)> for Subject<'a> {
    /// With its path and its text; paths in it start beside it.
    fn from((path, text): (&'a str, &'a str)) -> Self {
        Self { path, text, folder: Cow::Borrowed(Path::new(path).parent().unwrap_or(Path::new(""))) }
    }
}

/// The texts behind the files of a set of diagnostics.
pub struct Sources<'a> {
    pipeline: Source<'a>,
    folder: &'a Path,
    others: RefCell<HashMap<*const u8, Rc<Vec<usize>>>>,
}

/// A text, its name, and where its lines start.
#[derive(Clone)]
pub struct Source<'a> {
    /// As a person can open it from the folder that they are in.
    pub path: Cow<'a, str>,
    /// The text; none where it could not be read as text.
    pub text: Option<(&'a str, Lines<'a>)>,
}

impl<'a> Sources<'a> {
    /// With the pipeline file.
    pub fn new(subject: &'a Subject<'a>) -> Self {
        let pipeline =
            Source { path: Cow::Borrowed(subject.path), text: Some((subject.text, Lines::of(subject.text))) };
        Self { pipeline, folder: &subject.folder, others: RefCell::default() }
    }

    /// The text of `file`; none where there is no file.
    pub fn of(&self, file: &'a File) -> Option<Source<'a>> {
        match file {
            File::Pipeline => Some(self.pipeline.clone()),
            File::Beside { path, text } => Some(Source { path: self.beside(path), text: self.read(text.as_ref()) }),
            File::Named { path, text } => Some(Source { path: Cow::Borrowed(path), text: self.read(text.as_ref()) }),
            File::Nowhere => None,
        }
    }

    /// A path that starts in the pipeline's folder.
    fn beside(&self, path: &'a str) -> Cow<'a, str> {
        if self.folder == Path::new("") {
            return Cow::Borrowed(path);
        }
        // Without the dots of `./templates`.
        let joined: PathBuf = self.folder.join(path).components().collect();
        Cow::Owned(joined.to_string_lossy().into_owned())
    }

    fn read<'t>(&self, text: Option<&'t Arc<str>>) -> Option<(&'t str, Lines<'t>)> {
        text.map(|text| (text.as_ref(), self.lines(text)))
    }

    fn lines<'t>(&self, text: &'t Arc<str>) -> Lines<'t> {
        let mut others = self.others.borrow_mut();
        let starts = others.entry(text.as_ptr()).or_insert_with(|| Lines::of(text).starts());
        Lines::with_starts(text, Rc::clone(starts))
    }
}
