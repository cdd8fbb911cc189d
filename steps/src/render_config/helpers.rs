//! The helpers of templates, over values of which some are not known yet: what is wrong is kept, and rendering goes on.
//! Knows nothing of how marks are put into a template, or of JSON text.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, PathAndJson, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};
use serde_json::Value as Json;

use super::compare::COMPARISONS;
use super::render::{Problem, hole, meant, problem};
use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::codes::rendered;
use crate::partial::{Hole, Piece, Text, ValueType};

/// Our helper around every name in a template: it finds out whether there is a value.
pub(super) const VALUE: &str = "hprun-value";
/// The same around a name that is written: a list or a map has no text.
pub(super) const TEXT: &str = "hprun-text";
/// Stands for a call that cannot be made: what it would give is not known.
pub(super) const HOLE: &str = "hprun-hole";

/// Counts what is rendered again and again, and ends it where it has no end in sight: text may not come of it.
pub(super) const STEP: &str = "hprun-step";
/// Most rounds of loops, blocks and partials together; a partial counts for many.
const MOST_STEPS: usize = 1_000_000;

/// What the helpers found while rendering.
#[derive(Default)]
pub(super) struct Found {
    seen: Mutex<Vec<(usize, What)>>,
    decided_by_hole: AtomicBool,
    unknown: AtomicUsize,
    steps: AtomicUsize,
    /// Parts of values that are not known: the number of the value, and the path of the part in it.
    parts: Mutex<Vec<(usize, String)>>,
}

enum What {
    /// A name without a value, and advice
    Undefined(String, Option<String>),
    /// A list or a map in the text
    NotText(String, &'static str),
    /// An argument that its helper does not take
    WrongArgument(String),
}

impl Found {
    /// Whether a value that is not known decided what is written.
    pub fn decided_by_hole(&self) -> bool {
        self.decided_by_hole.load(Ordering::Relaxed)
    }

    /// Whether rendering was ended because it went on too long.
    pub fn went_on(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > MOST_STEPS
    }

    /// What was found, in the order of the template, each once.
    pub fn problems(&self, source: &str, range: impl Fn(usize) -> Range<usize>) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.seen().iter().map(|(place, what)| what.problem(source, range(*place))).collect();
        problems.sort_by_key(|p| p.span.start);
        problems.dedup();
        problems
    }

    /// These holes, and behind them those of their parts.
    pub fn with_parts(&self, holes: &[Hole]) -> Vec<Hole> {
        let mut all = holes.to_vec();
        for (whole, path) in self.parts().iter() {
            let text = match whole.checked_sub(1).and_then(|at| all.get(at)).map(|hole| hole.text.0.as_slice()) {
                Some([Piece::From(source)]) => Text(vec![Piece::From(format!("{source}.{path}"))]),
                Some(_) | None => Text::default(),
            };
            all.push(Hole { of: ValueType::Any, text });
        }
        all
    }

    fn parts(&self) -> MutexGuard<'_, Vec<(usize, String)>> {
        self.parts.lock().expect("nothing panics while it holds the parts")
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(usize, What)>> {
        self.seen.lock().expect("nothing panics while it holds what was found")
    }

    /// A value that is not known, and no other's.
    fn unknown(&self) -> Json {
        Json::String(hole(2_000_000 + self.unknown.fetch_add(1, Ordering::Relaxed)))
    }

    /// Keeps what is wrong at the place that this argument holds; a hole stands for the value.
    fn add(&self, h: &Helper<'_>, place: usize, what: What) -> Json {
        let place = h.param(place).and_then(|p| p.value().as_u64()).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let mut seen = self.seen();
        seen.push((place, what));
        Json::String(hole(1_000_000 + seen.len()))
    }
}

impl What {
    fn problem(&self, source: &str, span: Range<usize>) -> Problem {
        match self {
            Self::Undefined(message, help) => Problem {
                code: &rendered::UNKNOWN_VALUE,
                undefined: true,
                help: help.clone(),
                ..problem(message.clone(), span)
            },
            Self::NotText(name, kind) => Problem {
                code: &rendered::WRONG_HELPER_USE,
                help: Some(as_json(name, source, &span)),
                ..problem(format!("`{name}` is {kind}, which cannot be written as it is"), span)
            },
            Self::WrongArgument(message) => {
                Problem { code: &rendered::WRONG_HELPER_USE, ..problem(message.clone(), span) }
            }
        }
    }
}

/// How to write a list or a map, for the quotes that stand around it now.
fn as_json(name: &str, source: &str, span: &Range<usize>) -> String {
    let (before, after) = (&source[..span.start], &source[span.end.min(source.len())..]);
    if before.ends_with("[\"") && after.starts_with("\"]") {
        format!("write {{{{json {name}}}}} without the quotes and the brackets")
    } else if before.ends_with('"') && after.starts_with('"') {
        format!("write {{{{json {name}}}}} without the quotes, or {{{{join {name} \",\"}}}}")
    } else {
        format!("write {{{{json {name}}}}}")
    }
}

/// Registers all of ours; `holes` are the types of the values that are not known, by number from 1.
pub(super) fn register(engine: &mut Handlebars<'_>, values: &Json, holes: &[ValueType]) -> Arc<Found> {
    let found = Arc::new(Found::default());
    let know = Know { found: Arc::clone(&found), holes: holes.into() };
    engine.register_escape_fn(handlebars::no_escape);
    for (name, purpose) in [(VALUE, Purpose::Argument), (TEXT, Purpose::Text)] {
        engine.register_helper(name, Box::new(ValueHelper { know: know.clone(), values: values.clone(), purpose }));
    }
    engine.register_helper(STEP, Box::new(StepHelper(know.clone())));
    engine.register_helper(HOLE, Box::new(HoleHelper(know.clone())));
    engine.register_helper("json", Box::new(JsonHelper));
    engine.register_helper("default", Box::new(DefaultHelper(know.clone())));
    engine.register_helper("lookup", Box::new(LookupHelper(know.clone())));
    engine.register_helper("len", Box::new(LenHelper(know.clone())));
    engine.register_helper("join", Box::new(JoinHelper(know)));
    for (name, compare) in COMPARISONS {
        engine.register_helper(name, Box::new(compare));
    }
    found
}

/// What is known of holes, and where to put what is found.
#[derive(Clone)]
struct Know {
    found: Arc<Found>,
    holes: Arc<[ValueType]>,
}

impl Know {
    /// The type of a value that is one hole; none for any other value.
    fn hole(&self, value: &Json) -> Option<ValueType> {
        let number = value.as_str()?.strip_prefix(HOLE_START)?.strip_suffix(HOLE_END)?;
        let number = number.trim_start_matches(AS_JSON).parse::<usize>().ok()?;
        Some(number.checked_sub(1).and_then(|at| self.holes.get(at)).copied().unwrap_or(ValueType::Any))
    }

    /// The part of `there` that the path `name` leads to, where that is not known: the same each time it is named. `parent`
    /// is how far the path is known. What surely has no parts has none.
    fn part(&self, name: &str, parent: &str, there: &Json) -> Option<Json> {
        if !matches!(self.hole(there)?, ValueType::List | ValueType::Map | ValueType::Any) {
            return None;
        }
        let whole = there.as_str()?.trim_matches([HOLE_START, HOLE_END, AS_JSON]).parse().ok()?;
        let path = name.strip_prefix(parent)?.trim_start_matches("this.").to_owned();
        let mut parts = self.found.parts();
        let at = parts.iter().position(|known| *known == (whole, path.clone())).unwrap_or_else(|| {
            parts.push((whole, path));
            parts.len() - 1
        });
        Some(Json::String(hole(self.holes.len() + 1 + at)))
    }

    /// `a list` or `a map`, for what has no text.
    fn without_text(&self, value: &Json) -> Option<&'static str> {
        match (value, self.hole(value)) {
            (Json::Array(_), _) | (_, Some(ValueType::List)) => Some("a list"),
            (Json::Object(_), _) | (_, Some(ValueType::Map)) => Some("a map"),
            (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), Some(_) | None) => None,
        }
    }

    /// The word for what a value is or will be.
    fn kind(&self, value: &Json) -> &'static str {
        match (value, self.hole(value)) {
            (_, Some(of)) => of.word(),
            (Json::Null, None) => "null",
            (Json::Bool(_), None) => "a boolean",
            (Json::Number(_), None) => "a number",
            (Json::String(_), None) => "a text",
            (Json::Array(_), None) => "a list",
            (Json::Object(_), None) => "a map",
        }
    }
}

/// Gives the value of a name. Of one that has none it gives the value that was most likely meant, so that what is wrong with
/// that one is told in the same pass; else a hole.
struct ValueHelper {
    know: Know,
    values: Json,
    purpose: Purpose,
}

/// What becomes of a value.
enum Purpose {
    /// Another helper is given it.
    Argument,
    /// It is written.
    Text,
}

impl ValueHelper {
    /// The value, if it has a text; else a hole, and that is told.
    fn with_text(&self, h: &Helper<'_>, value: Json) -> Json {
        let Some(kind) = self.know.without_text(&value) else { return value };
        // Of a call, its text stands behind the place.
        let name = match h.param(3).and_then(|p| p.value().as_str()) {
            Some(call) => format!("({call})"),
            None => h.param(0).and_then(|p| p.relative_path()).cloned().unwrap_or_default(),
        };
        self.know.found.add(h, 1, What::NotText(name, kind))
    }

    fn value<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let block = h.param(2).is_some_and(|p| p.value() == &Json::Bool(true));
        let value = match h.param(0) {
            Some(param) if !param.is_value_missing() => param.value().clone(),
            Some(_) | None => self.missing(h, ctx, rc),
        };
        if block && value.as_str().is_some_and(|text| text.contains(HOLE_START)) {
            self.know.found.decided_by_hole.store(true, Ordering::Relaxed);
        }
        value
    }

    fn missing<'rc>(&self, h: &Helper<'rc>, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Json {
        let name = h.param(0).and_then(|p| p.relative_path()).cloned().unwrap_or_default();
        let (parent, key, there) = first_missing(&name, |path| in_scope(path, ctx, rc));
        if let Some(part) = self.know.part(&name, &parent, &there) {
            return part;
        }
        let undefined = |help| self.know.found.add(h, 1, What::Undefined(format!("`{name}` has no value"), help));
        let at_root = there == *ctx.data();
        if !at_root && parent.is_empty() && self.values.get(&key).is_some() {
            return undefined(Some(format!(
                "inside the block a name is looked up in its item: write `../{name}` or `@root.{name}`"
            )));
        }
        let names: Vec<&str> =
            there.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        if let Some(right) = meant(&key, &names) {
            let hole = undefined(Some(format!("did you mean `{parent}{right}`?")));
            let whole = name == format!("{parent}{key}");
            return there.get(right).filter(|_| whole).cloned().unwrap_or(hole);
        }
        let names = names.join(", ");
        undefined(match (at_root, there.is_object()) {
            (true, _) if names.is_empty() => Some("add it to `values`".to_owned()),
            (true, _) => Some(format!("add it to `values` (there are: {names})")),
            (false, true) => Some(format!("there are: {names}")),
            (false, false) => None,
        })
    }
}

/// What stands at a path here.
fn in_scope<'rc>(path: &str, ctx: &'rc Context, rc: &RenderContext<'_, 'rc>) -> Option<Json> {
    let found = rc.evaluate(ctx, path).ok()?;
    (!found.is_missing()).then(|| found.as_json().clone())
}

/// The first part of a path that has no value: what stands before it (with its separator), its name, and what it is looked
/// up in.
fn first_missing(path: &str, value: impl Fn(&str) -> Option<Json>) -> (String, String, Json) {
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

impl HelperDef for ValueHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = self.value(h, ctx, rc);
        Ok(ScopedJson::Derived(match self.purpose {
            Purpose::Argument => value,
            Purpose::Text => Json::String(text(&self.with_text(h, value))),
        }))
    }
}

/// The text of a value that has one.
fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null | Json::Array(_) | Json::Object(_) => String::new(),
        Json::Bool(flag) => flag.to_string(),
        Json::Number(number) => number.to_string(),
    }
}

/// Gives a value that is not known.
struct HoleHelper(Know);

impl HelperDef for HoleHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(self.0.found.unknown()))
    }
}

/// Writes nothing, and counts as many steps as its argument says.
struct StepHelper(Know);

impl HelperDef for StepHelper {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        let steps = h.param(0).and_then(|p| p.value().as_u64()).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        self.0.found.steps.fetch_add(steps, Ordering::Relaxed);
        if self.0.found.went_on() {
            return Err(RenderErrorReason::Other("it goes on too long".to_owned()).into());
        }
        Ok(())
    }
}

/// `{{json value}}`: the value as JSON.
struct JsonHelper;

impl HelperDef for JsonHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = h.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("json", 0))?;
        Ok(ScopedJson::Derived(Json::String(bare_holes(value.value().to_string()))))
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

/// `{{default value other …}}`: the first that has a value, or may have one.
struct DefaultHelper(Know);

impl HelperDef for DefaultHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = |of: &PathAndJson<'rc>| {
            if !of.is_value_missing() {
                return Some(of.value().clone()).filter(|value| !value.is_null());
            }
            let name = of.relative_path()?;
            let (parent, _, there) = first_missing(name, |path| in_scope(path, ctx, rc));
            self.0.part(name, &parent, &there)
        };
        Ok(ScopedJson::Derived(h.params().iter().find_map(value).unwrap_or(Json::Null)))
    }
}

/// `{{lookup a key}}`: the entry of a map or the item of a list. The third argument is its place, the fourth whether it may
/// be missing.
struct LookupHelper(Know);

impl HelperDef for LookupHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (Some(of), Some(key)) = (h.param(0), h.param(1)) else { return Ok(ScopedJson::Derived(Json::Null)) };
        let (of, key) = (of.value(), key.value());
        if self.0.hole(of).is_some() || text(key).contains(HOLE_START) {
            return Ok(ScopedJson::Derived(self.0.found.unknown()));
        }
        let entry = match of {
            Json::Array(items) => text(key).parse::<usize>().ok().and_then(|at| items.get(at)),
            Json::Object(entries) => entries.get(&text(key)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
        };
        let value = match entry {
            Some(entry) => entry.clone(),
            None if h.param(3).is_some_and(|p| p.value() == &Json::Bool(true)) => Json::Null,
            None => {
                let names: Vec<&str> = of.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                let help = match meant(&text(key), &names) {
                    Some(right) => Some(format!("did you mean \"{right}\"?")),
                    None if of.is_object() => Some(format!("there are: {}", names.join(", "))),
                    None => of.as_array().map(|items| format!("it has {} items, counted from 0", items.len())),
                };
                let message =
                    format!("there is no `{}` in this {}", text(key), self.0.kind(of).trim_start_matches("a "));
                self.0.found.add(h, 2, What::Undefined(message, help))
            }
        };
        Ok(ScopedJson::Derived(value))
    }
}

/// `{{len a}}`: characters of a text, items of a list, entries of a map. The second argument is its place.
struct LenHelper(Know);

impl HelperDef for LenHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = h.param(0).map_or(&Json::Null, |p| p.value());
        Ok(ScopedJson::Derived(match value {
            Json::String(text) if text.contains(HOLE_START) => self.0.found.unknown(),
            Json::String(text) => text.chars().count().into(),
            Json::Array(items) => items.len().into(),
            Json::Object(entries) => entries.len().into(),
            Json::Null | Json::Bool(_) | Json::Number(_) => {
                let message = format!("`len` counts a text, a list or a map, not {}", self.0.kind(value));
                self.0.found.add(h, 1, What::WrongArgument(message))
            }
        }))
    }
}

/// `{{join list separator}}`: the items as one text. The third argument is its place.
struct JoinHelper(Know);

impl JoinHelper {
    fn joined(&self, h: &Helper<'_>) -> Result<Json, String> {
        let (items, separator) =
            (h.param(0).map_or(&Json::Null, |p| p.value()), h.param(1).map_or(&Json::Null, |p| p.value()));
        let wrong = || {
            Err(format!("`join` takes a list and a text, not {} and {}", self.0.kind(items), self.0.kind(separator)))
        };
        let Some(between) = separator.as_str() else { return wrong() };
        let Json::Array(items) = items else {
            return match self.0.hole(items) {
                Some(ValueType::List | ValueType::Any) => Ok(self.0.found.unknown()),
                Some(_) | None => wrong(),
            };
        };
        let mut words = Vec::with_capacity(items.len());
        for item in items {
            if item.is_null() || self.0.without_text(item).is_some() {
                return Err(format!(
                    "`join` writes texts and numbers, and one of these items is {}",
                    self.0.kind(item)
                ));
            }
            words.push(text(item));
        }
        Ok(Json::String(words.join(between)))
    }
}

impl HelperDef for JoinHelper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let joined = self.joined(h);
        Ok(ScopedJson::Derived(joined.unwrap_or_else(|message| self.0.found.add(h, 2, What::WrongArgument(message)))))
    }
}
