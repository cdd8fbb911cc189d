//! Where what a name stands for is written.
//! Knows nothing of the protocol; other files are handed in.

use std::ops::Range;
use std::sync::Arc;

use super::expression::name_at;
use super::page::Page;
use super::sketch::{On, Part};
use super::template::{is_parameters, templates};

/// A place in this text or in a file beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file, relative to the pipeline file; none for the pipeline file itself.
    pub file: Option<(String, Option<Arc<str>>)>,
    /// Where in it.
    pub place: Range<usize>,
}

/// What the name at the byte `at` stands for, with the place of the name.
pub fn define(page: &Page<'_>, at: usize) -> Option<(Range<usize>, Target)> {
    if !page.is_pipeline() {
        return None;
    }
    if let Some(name) = name_at(page.text, at) {
        let target = match name.upto().as_slice() {
            ["params", param] => here(page.sketch.entries[page.param(param)?].place.clone()),
            ["steps", id] | ["steps", id, "outputs" | "status"] => step(page, id)?,
            ["steps", id, "outputs", output] => declared(page, id, output).or_else(|| step(page, id))?,
            _ => return None,
        };
        return Some((name.place(), target));
    }
    let entry = match page.sketch.at(at)? {
        On::Key(entry) => return Some((page.sketch.entries[entry].place.clone(), parameter(page, entry)?)),
        On::Scalar(entry) => entry,
    };
    let scalar = page.sketch.entries[entry].scalar.as_ref()?;
    let target = match page.sketch.way(entry).as_slice() {
        [_, Part::Item(_), key] | [_, Part::Item(_), key, Part::Item(_)] if key.is("needs") => {
            step(page, &scalar.text)?
        }
        [_, Part::Item(_), with, ..] if with.is("with") => file(page, entry, &scalar.text)?,
        _ => return None,
    };
    Some((scalar.place.clone(), target))
}

fn here(place: Range<usize>) -> Target {
    Target { file: None, place }
}

fn step(page: &Page<'_>, id: &str) -> Option<Target> {
    Some(here(page.step(id)?.id?.place.clone()))
}

/// The file that an input of a step names.
fn file(page: &Page<'_>, entry: usize, path: &str) -> Option<Target> {
    let id = page.step_of(entry)?.id?;
    let step = page.known.outline.as_ref()?.step(&id.text)?;
    let is_named = step.files.iter().any(|input| input.path == path) && page.beside.is_file(path);
    is_named.then(|| Target { file: Some((path.to_owned(), page.beside.text(path))), place: 0..0 })
}

/// Where an output is declared: among the outputs of a file that the step names, or as a key of its inputs.
fn declared(page: &Page<'_>, id: &str, output: &str) -> Option<Target> {
    let step = page.step(id)?;
    let in_file = templates(page, &step).into_iter().find_map(|template| {
        let place = template.output(output)?;
        Some(Target { file: Some((template.path, Some(template.text))), place })
    });
    let in_with = || {
        let with = page.sketch.child(Some(step.entry), "with")?;
        let maps: Vec<usize> = page.sketch.children(Some(with)).collect();
        let key = maps.into_iter().find_map(|map| page.sketch.child(Some(map), output))?;
        Some(here(page.sketch.entries[key].place.clone()))
    };
    in_file.or_else(in_with)
}

/// Where a template declares the parameter that this key gives a value to.
fn parameter(page: &Page<'_>, entry: usize) -> Option<Target> {
    let way = page.sketch.way(entry);
    let (Part::Key(name), outer) = way.split_last()? else { return None };
    let step = page.step_of(entry).filter(|_| is_parameters(outer))?;
    templates(page, &step).into_iter().find_map(|template| {
        let place = template.parameter_place(name)?;
        Some(Target { file: Some((template.path, Some(template.text))), place })
    })
}
