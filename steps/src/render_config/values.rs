//! What a name in a template stands for: its value, the value that was meant, or one that is not known.
//! Knows nothing of the helpers that are given it.

use handlebars::{Context, Helper, RenderContext};
use serde_json::Value as Json;

use super::functions::text;
use super::helpers::{BLOCK, BLOCK_BY_PARTS, Know, What, place_in};
use super::render::meant;
use crate::cluster_config::json::HOLE_START;

impl Know {
    /// For another helper: the value of a name. Of one that has none the value that was most likely meant, so that what is wrong
    /// with that one is told in the same pass; else a hole.
    pub(super) fn argument<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let value = match h.param(0) {
            Some(param) if !param.is_value_missing() => param.value().clone(),
            Some(_) | None => self.missing(h, ctx, rc),
        };
        let decides = match h.param(2).and_then(|p| p.value().as_str()) {
            Some(BLOCK) => value.as_str().is_some_and(|text| text.contains(HOLE_START)),
            Some(BLOCK_BY_PARTS) => is_open(&value),
            Some(_) | None => false,
        };
        if decides {
            self.found.decided().insert(place_in(h, 1));
        }
        value
    }

    /// To be written: the same as text. A list or a map has none; then it is a hole, and that is told.
    pub(super) fn written<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let value = self.argument(h, ctx, rc);
        let Some(kind) = self.without_text(&value) else { return Json::String(text(&value)) };
        // Of a call, its text stands behind the place.
        let name = match h.param(3).and_then(|p| p.value().as_str()) {
            Some(call) => format!("({call})"),
            None => h.param(0).and_then(|p| p.relative_path()).cloned().unwrap_or_default(),
        };
        self.found.add(h, 1, What::NotText(name, kind))
    }

    fn missing<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let name = h.param(0).and_then(|p| p.relative_path()).cloned().unwrap_or_default();
        let words = format!("`{name}` has no value");
        let told = self.found.told(h, 1, &words);
        if let Some((hole, None)) = told {
            return hole;
        }
        let (parent, key, there) = first_missing(&name, |path| in_scope(path, ctx, rc));
        if let Some(part) = self.part(&name, &parent, &there) {
            return part;
        }
        if let Some((hole, Some(right))) = told {
            return there.get(right).cloned().unwrap_or(hole);
        }
        let undefined = |help, meant| self.found.add(h, 1, What::Undefined(words, help, meant));
        let at_root = there == *ctx.data();
        if !at_root && parent.is_empty() && self.values.get(&key).is_some() {
            let help = format!("inside the block a name is looked up in its item: write `../{name}` or `@root.{name}`");
            return undefined(Some(help), None);
        }
        let names: Vec<&str> =
            there.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        if let Some(right) = meant(&key, &names) {
            let value = there.get(right).filter(|_| name == format!("{parent}{key}"));
            let hole = undefined(Some(format!("did you mean `{parent}{right}`?")), value.map(|_| right.to_owned()));
            return value.cloned().unwrap_or(hole);
        }
        let names = names.join(", ");
        let help = match (at_root, there.is_object()) {
            (true, _) if names.is_empty() => Some("add it to `values`".to_owned()),
            (true, _) => Some(format!("add it to `values` (there are: {names})")),
            (false, true) => Some(format!("there are: {names}")),
            (false, false) => None,
        };
        undefined(help, None)
    }
}

/// Whether a part of a value is not known.
fn is_open(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains(HOLE_START),
        Json::Array(items) => items.iter().any(is_open),
        Json::Object(entries) => entries.values().any(is_open),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// What stands at a path here.
pub(super) fn in_scope<'rc>(path: &str, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Option<Json> {
    let found = rc.evaluate(ctx, path).ok()?;
    (!found.is_missing()).then(|| found.as_json().clone())
}

/// The first part of a path that has no value: what stands before it (with its separator), its name, and what it is looked
/// up in.
pub(super) fn first_missing(path: &str, value: impl Fn(&str) -> Option<Json>) -> (String, String, Json) {
    let mut path = path;
    loop {
        let cut = path.rfind(['.', '/']).map_or(0, |at| at + 1);
        let (parent, key) = path.split_at(cut);
        let there = value(&format!("{parent}this"));
        let outer = parent.trim_end_matches(['.', '/']);
        match there {
            Some(there) => return (parent.to_owned(), key.to_owned(), there),
            None if outer.is_empty() || outer == path => return (parent.to_owned(), key.to_owned(), Json::Null),
            None => path = outer,
        }
    }
}
