//! The texts that diagnostics are about, with their lines: counted once, asked often.
//! Knows nothing of how a diagnostic is shown.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{File, Lines};

/// The texts behind the files of a set of diagnostics.
pub struct Sources<'a> {
    pipeline: Source<'a>,
    others: RefCell<HashMap<*const u8, Rc<Vec<usize>>>>,
}

/// A text, its name, and where its lines start.
#[derive(Clone)]
pub struct Source<'a> {
    /// As a person spelled it.
    pub path: &'a str,
    /// The text; none where it could not be read as text.
    pub text: Option<(&'a str, Lines<'a>)>,
}

impl<'a> Sources<'a> {
    /// With the name and the text of the pipeline file.
    pub fn new((path, text): (&'a str, &'a str)) -> Self {
        let pipeline = Source { path, text: Some((text, Lines::of(text))) };
        Self { pipeline, others: RefCell::default() }
    }

    /// The text of `file`; none where there is no file.
    pub fn of(&self, file: &'a File) -> Option<Source<'a>> {
        match file {
            File::Pipeline => Some(self.pipeline.clone()),
            File::Other { path, text } => {
                let text = text.as_ref().map(|text| (text.as_ref(), self.lines(text)));
                Some(Source { path, text })
            }
            File::Nowhere => None,
        }
    }

    fn lines<'t>(&self, text: &'t Arc<str>) -> Lines<'t> {
        let mut others = self.others.borrow_mut();
        let starts = others.entry(text.as_ptr()).or_insert_with(|| Lines::of(text).starts());
        Lines::with_starts(text, Rc::clone(starts))
    }
}
