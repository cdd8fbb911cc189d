//! Inputs of a step against the JSON Schema of its type, each finding at its place in the file.
//! Knows the keywords that schemas of Rust types use, no step type, and no value that an expression will have.

use std::collections::HashMap;
use std::sync::LazyLock;

use hprun_steps::StepType;
use hprun_steps::partial::{Partial, Place, ValueType, nearest};
use hprun_steps::value::Value;
use regex::Regex;
use serde_json::Value as Json;

use super::authored::unknown_input;
use crate::codes::inputs;
use crate::diagnostic::Diagnostic;
use crate::document::fields::{a, list};

/// Checks inputs; keeps schemas and patterns, so that ten thousand steps cost one schema each type.
#[derive(Default)]
pub struct InputChecker {
    schemas: HashMap<&'static str, Json>,
    patterns: HashMap<String, Option<Regex>>,
}

impl InputChecker {
    /// What is wrong with the inputs of a step of this type.
    pub fn check(&mut self, step_type: &'static StepType, inputs: &Partial) -> Vec<Diagnostic> {
        let schema = self.schemas.remove(step_type.name).unwrap_or_else(|| (step_type.input_schema)().to_value());
        let mut walk = Walk { root: &schema, what: step_type.name.to_owned(), patterns: &mut self.patterns };
        let mut problems = Vec::new();
        walk.check(&schema, inputs, &mut problems);
        self.schemas.insert(step_type.name, schema);
        problems
    }
}

struct Walk<'a> {
    root: &'a Json,
    /// The mapping or input that is being looked at, for messages.
    what: String,
    patterns: &'a mut HashMap<String, Option<Regex>>,
}

impl Walk<'_> {
    fn check(&mut self, schema: &Json, partial: &Partial, problems: &mut Vec<Diagnostic>) {
        let schema = resolve(self.root, schema);
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(key).and_then(Json::as_array) {
                self.one_of(branches, partial, problems);
            }
        }
        for part in schema.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            self.check(part, partial, problems);
        }
        let before = problems.len();
        self.check_type(schema, partial, problems);
        if problems.len() > before {
            return;
        }
        match partial {
            Partial::Known(value, place) => self.check_value(schema, value, *place, problems),
            Partial::Unknown(..) => {}
            Partial::List(items, place) => {
                check_count(schema, items.len(), *place, &self.what, problems);
                if let Some(of) = schema.get("items").or_else(|| ruled(schema)) {
                    items.iter().for_each(|item| self.check(of, item, problems));
                }
            }
            Partial::Map(entries, place) => self.check_map(schema, entries, *place, problems),
        }
    }

    fn check_map(
        &mut self,
        schema: &Json,
        entries: &indexmap::IndexMap<String, (Place, Partial)>,
        place: Place,
        problems: &mut Vec<Diagnostic>,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let known: Vec<&str> = properties.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
        let open: Vec<&str> = known.iter().copied().filter(|known| !entries.contains_key(*known)).collect();
        let mut unknown: Vec<&str> = Vec::new();
        for (key, (key_place, value)) in entries {
            let rule = properties.and_then(|p| p.get(key)).or_else(|| schema.get("additionalProperties"));
            let rule = rule.or_else(|| ruled(schema));
            match rule {
                Some(Json::Bool(false)) => {
                    unknown.push(key);
                    problems.push(unknown_input(key, *key_place, &self.what, &known, &open));
                }
                Some(rule) => {
                    let outer = std::mem::replace(&mut self.what, key.clone());
                    self.check(rule, value, problems);
                    self.what = outer;
                }
                None => {}
            }
        }
        for required in schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
            // A misspelt input is reported as such; saying that it is missing too would only repeat it.
            let misspelt = unknown.iter().any(|key| nearest(key, known.iter().copied()) == Some(required));
            if !entries.contains_key(required) && !misspelt {
                let about =
                    properties.and_then(|p| p.get(required)).and_then(|p| p.get("description")).and_then(Json::as_str);
                let message = format!("`{}` needs the input `{required}`", self.what);
                problems.push(
                    Diagnostic::error(&inputs::MISSING_INPUT, place, message)
                        .maybe_help(about.map(|about| format!("{required}: {}", first_line(about)))),
                );
            }
        }
    }

    /// The branches of an enum or of an optional value: one must fit; of several that do not, the likeliest speaks.
    fn one_of(&mut self, branches: &[Json], partial: &Partial, problems: &mut Vec<Diagnostic>) {
        let mut best: Option<((bool, usize), Vec<Diagnostic>)> = None;
        let mut texts: Vec<&str> = Vec::new();
        for branch in branches {
            let mut found = Vec::new();
            self.check(branch, partial, &mut found);
            if found.is_empty() {
                return;
            }
            let branch = resolve(self.root, branch);
            texts.extend(branch.get("const").and_then(Json::as_str));
            texts.extend(branch.get("enum").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str));
            let rank = (!is_meant(branch, partial), found.len());
            if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                best = Some((rank, found));
            }
        }
        match (partial, texts.is_empty()) {
            (Partial::Known(Value::String(text), place), false) => {
                problems.push(not_among(text, &texts, *place, &self.what))
            }
            (_, _) => problems.extend(best.map(|(_, found)| found).unwrap_or_default()),
        }
    }

    fn check_type(&self, schema: &Json, partial: &Partial, problems: &mut Vec<Diagnostic>) {
        let of = partial.value_type();
        let is_secret = schema.get("x-secret").and_then(Json::as_bool).unwrap_or(false);
        let types = types_of(schema);
        if of == ValueType::Secret {
            // Branches are asked one by one; a schema without a type of its own leaves it to them.
            let is_open = schema.get("anyOf").is_some() || schema.get("oneOf").is_some();
            if !is_secret && !is_open {
                let message = format!("`{}` is not marked for a secret, and this expression gives one", self.what);
                problems.push(
                    Diagnostic::error(&inputs::SECRET_NOT_TAKEN, partial.place(), message)
                        .help("a secret may only enter an input that the step type keeps from sight"),
                );
            }
            return;
        }
        let is_null = matches!(partial, Partial::Known(Value::Null, _));
        let fits = match of {
            ValueType::Any if is_null => types.contains(&"null"),
            ValueType::Any | ValueType::Secret => true,
            ValueType::Boolean => types.contains(&"boolean"),
            ValueType::Integer => types.contains(&"integer") || types.contains(&"number"),
            ValueType::Number => {
                types.contains(&"number") || (types.contains(&"integer") && matches!(partial, Partial::Unknown(..)))
            }
            ValueType::String => types.contains(&"string"),
            ValueType::List => types.contains(&"array"),
            ValueType::Map => types.contains(&"object"),
        };
        if types.is_empty() || fits {
            return;
        }
        let wanted: Vec<String> = types.iter().filter(|t| **t != "null").map(|t| a(our_word(t))).collect();
        let wanted = if wanted.is_empty() { "empty".to_owned() } else { wanted.join(" or ") };
        let message = match partial {
            Partial::Unknown(..) => format!("`{}` must be {wanted}, this expression gives {}", self.what, a(of.word())),
            _ if is_null => format!("`{}` is empty, it must be {wanted}", self.what),
            Partial::Known(..) | Partial::List(..) | Partial::Map(..) => {
                format!("`{}` must be {wanted}, this is {}", self.what, a(of.word()))
            }
        };
        let scalar = matches!(of, ValueType::Boolean | ValueType::Integer | ValueType::Number);
        let quote = scalar && types.contains(&"string") && matches!(partial, Partial::Known(..));
        problems.push(
            Diagnostic::error(&inputs::WRONG_INPUT_TYPE, partial.place(), message)
                .maybe_help(quote.then(|| "put it in quotes".to_owned())),
        );
    }

    fn check_value(&mut self, schema: &Json, value: &Value, place: Place, problems: &mut Vec<Diagnostic>) {
        let what = self.what.clone();
        let record = value.to_record();
        if let Some(only) = schema.get("const")
            && *only != record
        {
            problems.push(Diagnostic::error(&inputs::NOT_A_CHOICE, place, format!("`{what}` must be {only}")));
        }
        if let Some(choices) = schema.get("enum").and_then(Json::as_array)
            && !choices.contains(&record)
        {
            let texts: Vec<&str> = choices.iter().filter_map(Json::as_str).collect();
            let shown = record.as_str().map_or_else(|| record.to_string(), str::to_owned);
            problems.push(not_among(&shown, &texts, place, &what));
        }
        if let Value::String(text) = value {
            self.check_text(schema, text, place, problems);
        }
        let number = match value {
            Value::Integer(_) | Value::Float(_) => record.as_f64(),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => None,
        };
        let limit = |key: &str| schema.get(key).and_then(Json::as_f64);
        if let (Some(number), Some(minimum)) = (number, limit("minimum"))
            && number < minimum
        {
            problems.push(Diagnostic::error(
                &inputs::OUT_OF_RANGE,
                place,
                format!("`{what}` must be at least {minimum}, this is {record}"),
            ));
        }
        if let (Some(number), Some(maximum)) = (number, limit("maximum"))
            && number > maximum
        {
            problems.push(Diagnostic::error(
                &inputs::OUT_OF_RANGE,
                place,
                format!("`{what}` must be at most {maximum}, this is {record}"),
            ));
        }
    }

    fn check_text(&mut self, schema: &Json, text: &str, place: Place, problems: &mut Vec<Diagnostic>) {
        let what = &self.what;
        if let Some(pattern) = schema.get("pattern").and_then(Json::as_str) {
            let regex = self.patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
            if regex.as_ref().is_some_and(|regex| !regex.is_match(text)) {
                problems.push(Diagnostic::error(
                    &inputs::NO_MATCH,
                    place,
                    format!("`{what}` must match {pattern}, this is `{text}`"),
                ));
            }
        }
        let length = text.chars().count() as u64;
        let limit = |key: &str| schema.get(key).and_then(Json::as_u64);
        if limit("minLength").is_some_and(|minimum| length < minimum) {
            problems.push(Diagnostic::error(
                &inputs::WRONG_LENGTH,
                place,
                format!("`{what}` is too short: {length} characters"),
            ));
        }
        if let Some(maximum) = limit("maxLength").filter(|maximum| length > *maximum) {
            problems.push(Diagnostic::error(
                &inputs::WRONG_LENGTH,
                place,
                format!("`{what}` may have {maximum} characters, this has {length}"),
            ));
        }
    }
}

fn check_count(schema: &Json, count: usize, place: Place, what: &str, problems: &mut Vec<Diagnostic>) {
    let limit = |key: &str| schema.get(key).and_then(Json::as_u64);
    if let Some(minimum) = limit("minItems").filter(|minimum| (count as u64) < *minimum) {
        problems.push(Diagnostic::error(
            &inputs::WRONG_COUNT,
            place,
            format!("`{what}` needs {minimum} items at least, this has {count}"),
        ));
    }
    if let Some(maximum) = limit("maxItems").filter(|maximum| (count as u64) > *maximum) {
        problems.push(Diagnostic::error(
            &inputs::WRONG_COUNT,
            place,
            format!("`{what}` may have {maximum} items, this has {count}"),
        ));
    }
}

fn resolve<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let pointer = schema.get("$ref").and_then(Json::as_str).and_then(|r| r.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// Whether a branch is the one that the author had in mind: its tag or its type is right.
fn is_meant(branch: &Json, partial: &Partial) -> bool {
    let properties = branch.get("properties").and_then(Json::as_object);
    let mut tags =
        properties.into_iter().flatten().filter_map(|(key, rule)| Some((key, rule.get("const")?))).peekable();
    if tags.peek().is_some() {
        return tags.all(|(key, tag)| partial.str_at(key) == tag.as_str());
    }
    let types = types_of(branch);
    match partial.value_type() {
        ValueType::List => types.contains(&"array"),
        ValueType::Map => types.contains(&"object"),
        ValueType::Any | ValueType::Secret => true,
        ValueType::Boolean | ValueType::Integer | ValueType::Number | ValueType::String => {
            !types.contains(&"array") && !types.contains(&"object") && !types.contains(&"null")
        }
    }
}

/// The rule for what a schema says nothing of: anything but a secret, unless it takes secrets. Branches speak for themselves.
fn ruled(schema: &Json) -> Option<&'static Json> {
    static NO_SECRET: LazyLock<Json> = LazyLock::new(|| Json::Object(serde_json::Map::new()));
    let is_open = ["x-secret", "anyOf", "oneOf", "allOf"].iter().any(|key| schema.get(key).is_some());
    (!is_open).then_some(&*NO_SECRET)
}

fn types_of(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        Some(_) | None => Vec::new(),
    }
}

fn not_among(text: &str, choices: &[&str], place: Place, what: &str) -> Diagnostic {
    let help = match nearest(text, choices.iter().copied()) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("there are {}", list(choices)),
    };
    Diagnostic::error(&inputs::NOT_A_CHOICE, place, format!("`{what}` cannot be `{text}`")).help(help)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches('.')
}

/// The word that pipeline files have for a type of JSON Schema.
fn our_word(json_type: &str) -> &str {
    match json_type {
        "array" => "list",
        "object" => "map",
        other => other,
    }
}
