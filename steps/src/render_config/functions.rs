//! What the helpers of templates give, over values of which some are not known yet: `json`, `default`, `lookup`, `len`, `number`, `join`.
//! Knows nothing of how they are called.

use handlebars::{Context, Helper, PathAndJson, RenderContext};
use serde_json::Value as Json;

use super::helpers::{Know, What};
use super::render::meant;
use super::values::{first_missing, in_scope};
use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::partial::ValueType;

/// An argument; null where it lacks, which is told of the call.
pub(super) fn argument<'a>(h: &'a Helper<'_>, at: usize) -> &'a Json {
    h.param(at).map_or(&Json::Null, |param| param.value())
}

impl Know {
    /// `{{json value}}`: the value as JSON.
    pub(super) fn json<'rc>(&self, h: &Helper<'rc>, _: &'rc Context, _: &RenderContext<'_, 'rc>) -> Json {
        Json::String(bare_holes(argument(h, 0).to_string()))
    }

    /// `{{default value other …}}`: the first that has a value, or may have one.
    pub(super) fn default<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let value = |of: &PathAndJson<'rc>| {
            if !of.is_value_missing() {
                return Some(of.value().clone()).filter(|value| !value.is_null());
            }
            let name = of.relative_path()?;
            let (parent, _, there) = first_missing(name, |path| in_scope(path, ctx, rc));
            self.part(name, &parent, &there)
        };
        h.params().iter().find_map(value).unwrap_or(Json::Null)
    }

    /// `{{lookup a key}}`: the entry of a map or the item of a list. The third argument is its place, the fourth whether it may
    /// be missing.
    pub(super) fn lookup<'rc>(&self, h: &Helper<'rc>, _: &'rc Context, _: &RenderContext<'_, 'rc>) -> Json {
        let (of, key) = (argument(h, 0), argument(h, 1));
        if self.hole(of).is_some() || text(key).contains(HOLE_START) {
            return self.found.unknown();
        }
        let entry = match of {
            Json::Array(items) => text(key).parse::<usize>().ok().and_then(|at| items.get(at)),
            Json::Object(entries) => entries.get(&text(key)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        };
        match entry {
            Some(entry) => entry.clone(),
            None if h.param(3).is_some_and(|p| p.value() == &Json::Bool(true)) => Json::Null,
            None => {
                let names: Vec<&str> = of.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                let help = match meant(&text(key), &names) {
                    Some(right) => Some(format!("did you mean \"{right}\"?")),
                    None if of.is_object() => Some(format!("there are: {}", names.join(", "))),
                    None => of.as_array().map(|items| format!("it has {} items, counted from 0", items.len())),
                };
                let message = format!("there is no `{}` in this {}", text(key), self.kind(of).trim_start_matches("a "));
                self.found.add(h, 2, What::Undefined(message, help, None))
            }
        }
    }

    /// `{{len a}}`: characters of a text, items of a list, entries of a map. The second argument is its place.
    pub(super) fn len<'rc>(&self, h: &Helper<'rc>, _: &'rc Context, _: &RenderContext<'_, 'rc>) -> Json {
        let value = argument(h, 0);
        match value {
            Json::String(text) if text.contains(HOLE_START) => self.found.unknown(),
            Json::String(text) => text.chars().count().into(),
            Json::Array(items) => items.len().into(),
            Json::Object(entries) => entries.len().into(),
            Json::Null | Json::Bool(_) | Json::Number(_) => {
                let message = format!("`len` counts a text, a list or a map, not {}", self.kind(value));
                self.found.add(h, 1, What::WrongArgument(message))
            }
        }
    }

    /// `{{number a}}`: the number that a text spells, as JSON spells numbers. The second argument is its place.
    pub(super) fn number<'rc>(&self, h: &Helper<'rc>, _: &'rc Context, _: &RenderContext<'_, 'rc>) -> Json {
        let value = argument(h, 0);
        let what = match (value, self.hole(value)) {
            (Json::Number(_), _) => return value.clone(),
            (_, Some(ValueType::Integer | ValueType::Number)) => return value.clone(),
            (_, Some(ValueType::String | ValueType::Secret | ValueType::Any)) => return self.unknown_number(value),
            (Json::String(text), None) if text.contains(HOLE_START) => return self.found.unknown(),
            (Json::String(text), None) => match text.parse() {
                Ok(number) => return Json::Number(number),
                Err(_) => format!("`{text}`"),
            },
            (_, Some(ValueType::Boolean | ValueType::List | ValueType::Map))
            | (Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_), None) => self.kind(value).to_owned(),
        };
        let message = format!("`number` takes a number, or a text that is one, not {what}");
        self.found.add(h, 1, What::WrongArgument(message))
    }

    /// `{{join list separator}}`: the items as one text. The third argument is its place.
    pub(super) fn join<'rc>(&self, h: &Helper<'rc>, _: &'rc Context, _: &RenderContext<'_, 'rc>) -> Json {
        let joined = self.joined(h);
        joined.unwrap_or_else(|message| self.found.add(h, 2, What::WrongArgument(message)))
    }

    fn joined(&self, h: &Helper<'_>) -> Result<Json, String> {
        let (items, separator) = (argument(h, 0), argument(h, 1));
        let wrong =
            || Err(format!("`join` takes a list and a text, not {} and {}", self.kind(items), self.kind(separator)));
        let Some(between) = separator.as_str() else { return wrong() };
        let Json::Array(items) = items else {
            return match self.hole(items) {
                Some(ValueType::List | ValueType::Any) => Ok(self.found.unknown()),
                Some(_) | None => wrong(),
            };
        };
        let mut words = Vec::with_capacity(items.len());
        for item in items {
            if item.is_null() || self.without_text(item).is_some() {
                return Err(format!("`join` writes texts and numbers, and one of these items is {}", self.kind(item)));
            }
            words.push(text(item));
        }
        Ok(Json::String(words.join(between)))
    }
}

/// The text of a value that has one.
pub(super) fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null | Json::Array(_) | Json::Object(_) => String::new(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
    }
}

/// JSON text in which each string that is one hole stands for a value of any type.
fn bare_holes(json: String) -> String {
    let (open, close) = (format!("\"{HOLE_START}"), format!("{HOLE_END}\""));
    if !json.contains(&open) {
        return json;
    }
    let mut out = String::with_capacity(json.len());
    for (index, part) in json.split(&open).enumerate() {
        match part.split_once(&close).filter(|(number, _)| index > 0 && number.bytes().all(|b| b.is_ascii_digit())) {
            Some((number, rest)) => out.extend([&format!("{HOLE_START}{AS_JSON}{number}{HOLE_END}"), rest]),
            None if index > 0 => out.extend([open.as_str(), part]),
            None => out.push_str(part),
        }
    }
    out
}
