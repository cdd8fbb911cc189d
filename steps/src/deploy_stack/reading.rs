//! The template that a deploy-stack names, with the values that its inputs give.
//! Knows nothing of what is wrong with either.

use std::sync::Arc;

use super::request::text_of;
use crate::files::Files;
use crate::partial::{Partial, Place, Text, nearest};
use crate::template::node::Unreadable;
use crate::template::{Argument, Arguments, Stack, Template};

/// The template that the inputs name, if it can be read.
pub fn template_of(inputs: &Partial, files: &Files) -> Option<Arc<Template>> {
    read(inputs.str_at("template")?, files).ok()
}

/// The template at `path`, read once however often it is asked for. Without an error, the file itself cannot be read.
pub fn read(path: &str, files: &Files) -> Result<Arc<Template>, Option<Unreadable>> {
    let file = files.get(path).map_err(|_| None)?;
    let parsed = file.parsed(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) => Template::read(text).map(Arc::new),
        Err(e) => {
            let place = Place::of(&(e.valid_up_to()..e.valid_up_to()));
            Err(Unreadable { message: "it is not UTF-8 text".to_owned(), place })
        }
    });
    match parsed.as_deref() {
        Some(Ok(template)) => Ok(Arc::clone(template)),
        Some(Err(e)) => Err(Some(e.clone())),
        None => Err(None),
    }
}

/// The values of the template's parameters, as far as the inputs say: what is not known, and secrets, have no text. Nor has
/// what the template refuses or does not know by that name: that is told, and what it would decide is left open.
pub fn arguments(inputs: &Partial, template: &Template) -> Arguments {
    let unknown = || Argument::Unknown(Text::default());
    match inputs.get("parameters") {
        Some(Partial::Unknown(..)) => template.parameters.keys().map(|name| (name.clone(), unknown())).collect(),
        Some(Partial::Map(entries, _)) => {
            let argument = |(name, (_, value)): (&String, &(Place, Partial))| {
                let Some(parameter) = template.parameters.get(name) else {
                    let meant = nearest(name, template.parameters.keys().map(String::as_str));
                    let meant = meant.filter(|meant| !entries.contains_key(*meant)).unwrap_or(name);
                    return (meant.to_owned(), unknown());
                };
                let argument = match value.known().map(|known| text_of(&known)) {
                    Some(Ok(text)) if parameter.is_looked_up() || parameter.refuses(&text).is_none() => {
                        Argument::Text(text)
                    }
                    Some(Ok(_) | Err(_)) => unknown(),
                    None => value.text().map_or_else(unknown, Argument::Unknown),
                };
                (name.clone(), argument)
            };
            entries.iter().map(argument).collect()
        }
        Some(Partial::Known(..) | Partial::List(..)) | None => Arguments::new(),
    }
}

/// Looks at the stack that these inputs make, as far as it is known; none where the template cannot be read.
pub fn with_stack<T>(inputs: &Partial, files: &Files, look: impl FnOnce(&Stack<'_>) -> T) -> Option<T> {
    let template = template_of(inputs, files)?;
    Some(look(&Stack::new(&template, arguments(inputs, &template))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileInput, FileKind};
    use crate::value::Value;

    #[test]
    fn one_reading_answers_every_question() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("t.yaml"), "Resources: {}").expect("it can be written");
        let inputs = Partial::from_value(&Value::from_json(&serde_json::json!({ "template": "t.yaml" })));
        let file = FileInput { path: "t.yaml".to_owned(), kind: FileKind::File, place: Place::default() };
        let files = Files::load(folder.path(), &[file]);
        let first = template_of(&inputs, &files).expect("it is a template");
        let again = template_of(&inputs, &files).expect("it is a template");
        assert!(Arc::ptr_eq(&first, &again));
    }
}
