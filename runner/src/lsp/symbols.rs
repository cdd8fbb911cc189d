//! The steps and params of a text, as an outline.
//! Knows nothing of the protocol.

use std::ops::Range;

use super::page::Page;

/// One line of the outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is.
    pub detail: String,
    /// Whether it is a step.
    pub is_step: bool,
    /// All of it.
    pub whole: Range<usize>,
    /// Its name in the text.
    pub place: Range<usize>,
}

/// The params, then the steps.
pub fn symbols(page: &Page<'_>) -> Vec<Symbol> {
    if !page.is_pipeline() {
        return Vec::new();
    }
    let entries = &page.sketch.entries;
    let params = page.params().into_iter().map(|(name, at)| Symbol {
        name: name.to_owned(),
        detail: page.sketch.scalar(Some(at), "type").map(|of| of.text.clone()).unwrap_or_default(),
        is_step: false,
        whole: entries[at].place.start..entries[at].end,
        place: entries[at].place.clone(),
    });
    let steps = page.steps().into_iter().filter_map(|step| {
        let id = step.id?;
        Some(Symbol {
            name: id.text.clone(),
            detail: step.type_name.map(|of| of.text.clone()).unwrap_or_default(),
            is_step: true,
            whole: entries[step.entry].place.start..entries[step.entry].end,
            place: id.place.clone(),
        })
    });
    // An editor shows no outline at all where one name in it is empty.
    params.chain(steps).filter(|symbol| !symbol.name.trim().is_empty()).collect()
}
