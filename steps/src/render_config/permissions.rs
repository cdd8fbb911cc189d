//! render-config calls nothing of AWS; what the file holds that it writes is told to the step that reads it.
//! Knows nothing of what is in the file.

use crate::partial::Partial;
use crate::permissions::{Needs, Surroundings, patterns};

/// The rendered text, with `*` for what is not known.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let template = inputs.str_at("template").and_then(|path| super::compiled(path, around.files).ok());
    let values = inputs.get("values").map(patterns).unwrap_or_default();
    let rendered = template.and_then(|template| template.as_ref().as_ref().ok()?.render(&values, &[]).ok());
    Needs { writes: rendered.map(|rendered| rendered.text), ..Needs::default() }
}
