//! The reference page of a step type, written from its schemas and doc comments: `hprun steps TYPE` and docs/steps.
//! Knows no step type by name; the text is Markdown that reads as well on a terminal.

use std::fmt::Write as _;

use hprun_steps::StepType;
use schemars::Schema;
use serde_json::{Map, Value};

/// Widest line of a page, but for words that are longer and for examples.
const WIDTH: usize = 100;

/// The reference page of a step type.
pub fn page(step_type: &StepType) -> String {
    let (inputs, outputs) = ((step_type.input_schema)(), (step_type.output_schema)());
    let mut page = format!("# {}\n\n{}\n", step_type.name, wrapped("", &sentence(step_type.summary)));
    if let Some(about) = about(&inputs).filter(|about| about != step_type.summary) {
        write!(page, "\n{}\n", wrapped("", &about)).expect("writing to a string");
    }
    write!(page, "\n```yaml\n{}\n```\n", step_type.example.trim()).expect("writing to a string");
    page.push_str("\n## Inputs\n\n");
    page.push_str(&section(&inputs, true));
    page.push_str("\n## Outputs\n\n");
    if let Some(about) = about(&outputs) {
        write!(page, "{}\n\n", wrapped("", &about)).expect("writing to a string");
    }
    page.push_str(&section(&outputs, false));
    page
}

/// The list of all step types, with links to their pages.
pub fn index(types: &[StepType]) -> String {
    let mut text = String::from("# Step types\n\nEach page is what `hprun steps TYPE` prints.\n\n");
    for step_type in types {
        let line = format!("[{name}]({name}.md): {}", sentence(step_type.summary), name = step_type.name);
        writeln!(text, "{}", wrapped("- ", &line)).expect("writing to a string");
    }
    text
}

/// What the doc comment of the type says, unless it only names the type.
fn about(schema: &Schema) -> Option<String> {
    let text = in_one_line(schema.get("description")?.as_str()?);
    let only_a_name = ["Inputs of ", "Outputs of "].iter().any(|start| text.starts_with(start)) && !text.contains(':');
    (!only_a_name).then_some(text)
}

fn section(schema: &Schema, inputs: bool) -> String {
    let text = schema.as_value().as_object().map(|root| fields(root, "", inputs)).unwrap_or_default();
    if text.is_empty() { "None.\n".to_owned() } else { text }
}

/// One list item a field, with the fields or choices inside it below.
fn fields(schema: &Map<String, Value>, indent: &str, inputs: bool) -> String {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut text = String::new();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let must = if inputs && required.contains(&name.as_str()) { ", required" } else { "" };
        let about = field.get("description").and_then(Value::as_str).map(in_one_line).unwrap_or_default();
        let about = [sentence(&about), limits(field), default(field, &about)];
        let about = about.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let item = format!("`{name}` ({}{must}): {about}", words(field));
        writeln!(text, "{}", wrapped(&format!("{indent}- "), &item)).expect("writing to a string");
        text.push_str(&inside(field, &format!("{indent}  "), inputs));
    }
    text
}

/// What lies inside a field: the fields of a map or of a list's items, or the choices that have a meaning of their own.
fn inside(field: &Value, indent: &str, inputs: bool) -> String {
    if let Some(object) = field.as_object().filter(|object| object.contains_key("properties")) {
        return fields(object, indent, inputs);
    }
    let mut text = String::new();
    for choice in branches(field) {
        let about = choice.get("description").and_then(Value::as_str).filter(|_| has_meaning(choice));
        if let (Some(value), Some(about)) = (choice.get("const"), about) {
            let item = format!("`{}`: {}", plain(value), sentence(&in_one_line(about)));
            writeln!(text, "{}", wrapped(&format!("{indent}- "), &item)).expect("writing to a string");
        } else {
            text.push_str(&inside(choice, indent, inputs));
        }
    }
    for of in ["items", "additionalProperties"] {
        text.push_str(
            &field.get(of).filter(|of| of.is_object()).map(|of| inside(of, indent, inputs)).unwrap_or_default(),
        );
    }
    text
}

/// The alternatives of a field, without the one that only says that it may be left out.
fn branches(field: &Value) -> impl Iterator<Item = &Value> {
    let options = field.get("oneOf").or_else(|| field.get("anyOf")).and_then(Value::as_array);
    options.into_iter().flatten().filter(|option| option.get("type").and_then(Value::as_str) != Some("null"))
}

/// Whether a branch is a value whose meaning is told below the field.
fn has_meaning(branch: &Value) -> bool {
    branch.get("const").is_some() && branch.get("description").is_some()
}

/// The type of a field in the words of the pipeline file.
fn words(field: &Value) -> String {
    // A value of any type may be a secret too; only what is text and nothing else is called one.
    if field.get("x-secret").is_some() && field.get("type").and_then(Value::as_str) == Some("string") {
        return "secret".to_owned();
    }
    if branches(field).any(has_meaning) {
        return "choice".to_owned();
    }
    if field.get("enum").or_else(|| field.get("const")).is_some() {
        let choices = field.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
        let choices = choices.iter().chain(field.get("const")).filter(|choice| !choice.is_null());
        return choices.map(|choice| format!("`{}`", plain(choice))).collect::<Vec<_>>().join(" or ");
    }
    let options: Vec<String> = branches(field).map(words).collect();
    if !options.is_empty() {
        return options.join(" or ");
    }
    let named: Vec<&str> = match field.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        Some(_) | None => Vec::new(),
    };
    let of = |key: &str| field.get(key).filter(|of| of.is_object()).map(|of| format!(" of {}", words(of)));
    let word = |name: &&str| match *name {
        "array" => format!("list{}", of("items").unwrap_or_default()),
        "object" => format!("map{}", of("additionalProperties").unwrap_or_default()),
        other => other.to_owned(),
    };
    if named.is_empty() { "any value".to_owned() } else { named.iter().map(word).collect::<Vec<_>>().join(" or ") }
}

/// What a schema says of size and form, where that is more than the Rust type says.
fn limits(field: &Value) -> String {
    let number = |key: &str| field.get(key).and_then(Value::as_f64).filter(|n| *n != 0.0);
    let mut parts: Vec<String> = Vec::new();
    match (number("minimum"), number("maximum").filter(|n| *n < 1e9)) {
        (Some(least), Some(most)) => parts.push(format!("{least} to {most}.")),
        (Some(least), None) => parts.push(format!("At least {least}.")),
        (None, Some(most)) => parts.push(format!("At most {most}.")),
        (None, None) => {}
    }
    parts.extend(field.get("pattern").and_then(Value::as_str).map(|pattern| format!("Must match `{pattern}`.")));
    parts.join(" ")
}

/// The default, unless the description tells it or leaving the field out means nothing is set.
fn default(field: &Value, about: &str) -> String {
    let value = field.get("default").filter(|_| !about.contains("Default"));
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty() || entries.values().all(Value::is_null),
        Value::Bool(_) | Value::Number(_) => false,
    };
    value.filter(|value| !is_empty(value)).map(|value| format!("Default: `{}`.", plain(value))).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sentence(text: &str) -> String {
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// `text` behind `start`, in lines that hang below where it begins.
fn wrapped(start: &str, text: &str) -> String {
    let hang = " ".repeat(start.chars().count());
    let mut lines = vec![start.to_owned()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        let is_fresh = line.chars().count() == hang.len();
        if !is_fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{hang}{word}"));
        } else {
            line.push_str(if is_fresh { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: Value, expected: &str) {
        let schema = serde_json::json!({ "properties": { "x": field }, "required": ["x"] });
        assert_eq!(fields(schema.as_object().expect("an object"), "", true), expected);
    }

    #[test]
    fn a_field_says_its_type_its_limits_and_its_default() {
        let field = serde_json::json!({
            "type": ["integer", "null"], "minimum": 1, "maximum": 9, "default": 3, "description": "How many\nof them",
        });
        check(field, "- `x` (integer, required): How many of them. 1 to 9. Default: `3`.\n");
    }

    #[test]
    fn choices_and_inner_fields_stand_below() {
        let choice = serde_json::json!({ "const": "a", "type": "string", "description": "The first" });
        let field = serde_json::json!({ "description": "D.", "anyOf": [{ "oneOf": [choice] }, { "type": "null" }] });
        check(field, "- `x` (choice, required): D.\n  - `a`: The first.\n");
        let inner =
            serde_json::json!({ "type": "object", "properties": { "y": { "type": "string", "description": "Y." } } });
        let field = serde_json::json!({ "type": "array", "items": inner, "description": "D." });
        check(field, "- `x` (list of map, required): D.\n  - `y` (string): Y.\n");
    }

    #[test]
    fn long_texts_hang_below_their_beginning() {
        let text = wrapped("- ", &"word ".repeat(30));
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.lines().skip(1).all(|line| line.starts_with("  word")), "{text}");
    }
}
