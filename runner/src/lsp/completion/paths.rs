//! Paths of files and folders, where a step type reads what its inputs name.
//! Knows no step type: each is asked with a text in the place of the path.

use hprun_steps::files::{FileInput, FileKind};
use hprun_steps::partial::{Partial, Place};
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::spelling::spelled;
use super::{Item, Kind};
use crate::lsp::page::Page;
use crate::lsp::sketch::{Part, Spot};

/// Paths of files and folders, where the step type says that the input names one.
pub fn files(page: &Page<'_>, spot: &Spot, put: &dyn Fn(&str) -> String) -> Vec<Item> {
    let Some(kind) = file_kind(page, spot) else { return Vec::new() };
    let typed = &page.text[spot.typed.clone()];
    let (folder, start) = typed.rfind('/').map_or(("", 0), |slash| (&typed[..=slash], slash + 1));
    let wanted = |is_folder: bool| is_folder || kind != FileKind::Folder;
    let listed = page.beside.list(folder).into_iter().filter(|one| wanted(one.is_folder) && !one.name.starts_with('.'));
    let start = spot.typed.start + start;
    let end = start
        + page.text[start..].find(['/', '\n', '\r', '"', '\'', ',', '}', ']', ' ']).unwrap_or(page.text.len() - start);
    listed
        .map(|one| {
            let slash = if one.is_folder { "/" } else { "" };
            let whole = format!("{folder}{}", one.name);
            let written = spelled(page.text, spot, &whole, true);
            // What has to stand in quotes is written anew from its beginning.
            let (start, insert) = match written == whole {
                true if !folder.is_empty() => (start, one.name.clone()),
                true | false => (spot.typed.start, put(&written)),
            };
            Item {
                label: format!("{}{slash}", one.name),
                kind: if one.is_folder { Kind::Folder } else { Kind::File },
                detail: String::new(),
                about: String::new(),
                replace: start..end,
                insert,
                rank: 0,
            }
        })
        .collect()
}

/// What kind of file the value at the spot names, if the step type reads it as a file: it is asked with a text in its place.
fn file_kind(page: &Page<'_>, spot: &Spot) -> Option<FileKind> {
    let step = page.step_around(&spot.entries)?;
    let of = step.step_type?;
    let [_, _, with, rest @ ..] = spot.way.as_slice() else { return None };
    if !with.is("with") || rest.is_empty() {
        return None;
    }
    let marked = Place { start: u32::MAX, end: u32::MAX };
    let with = page.sketch.child(Some(step.entry), "with");
    let inputs = Guess { page, marked }.tree(with, rest);
    let named: Vec<FileInput> = (of.files)(&inputs);
    named.into_iter().find(|input| input.place == marked).map(|input| input.kind)
}

/// Inputs as far as the text spells them, with a marked text at one way.
struct Guess<'a> {
    page: &'a Page<'a>,
    marked: Place,
}

impl Guess<'_> {
    fn tree(&self, entry: Option<usize>, rest: &[Part]) -> Partial {
        let nowhere = Place::default();
        let [next, after @ ..] = rest else {
            return Partial::Known(Value::from("x"), self.marked);
        };
        match next {
            Part::Key(key) => {
                let mut entries = self.map(entry);
                let child = entry.and_then(|entry| self.page.sketch.child(Some(entry), key));
                entries.insert(key.clone(), (nowhere, self.tree(child, after)));
                Partial::Map(entries, nowhere)
            }
            // The other items of a list say nothing of this one.
            Part::Item(_) => Partial::List(vec![self.tree(None, after)], nowhere),
        }
    }

    /// The scalars of a mapping; the rest of it says nothing of where files are.
    fn map(&self, entry: Option<usize>) -> IndexMap<String, (Place, Partial)> {
        let Some(entry) = entry else { return IndexMap::new() };
        let sketch = &self.page.sketch;
        let scalars = sketch.children(Some(entry)).filter_map(|at| {
            let Part::Key(key) = &sketch.entries[at].part else { return None };
            let text = sketch.entries[at].scalar.as_ref()?.text.as_str();
            Some((key.clone(), (Place::default(), Partial::Known(Value::from(text), Place::default()))))
        });
        scalars.collect()
    }
}
