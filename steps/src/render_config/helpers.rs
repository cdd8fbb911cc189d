//! The helpers of templates, over values of which some are not known yet: what is wrong is kept, and rendering goes on.
//! Knows nothing of how marks are put into a template, or of JSON text.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    ScopedJson,
};
use serde_json::Value as Json;

use super::compare::COMPARISONS;
use super::render::{Problem, hole, problem, written};
use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::codes::rendered;
use crate::partial::{Hole, Piece, Text, ValueType};

/// Our helper around every name in a template: it finds out whether there is a value.
pub(super) const VALUE: &str = "hprun-value";
/// The same around a name that is written: a list or a map has no text.
pub(super) const TEXT: &str = "hprun-text";
/// What [`VALUE`] is told of a value that decides a block: whether there is one, or what it is like.
pub(super) const BLOCK: &str = "block";
/// The same of a value that is compared, part by part.
pub(super) const BLOCK_BY_PARTS: &str = "parts";
/// Stands for a call that cannot be made: what it would give is not known.
pub(super) const HOLE: &str = "hprun-hole";

/// Writes a mark past the indentation of a partial.
pub(super) const MARK: &str = "hprun-mark";
/// Counts what is rendered again and again, and ends it where it has no end in sight: text may not come of it.
pub(super) const STEP: &str = "hprun-step";
/// Most rounds of loops, blocks and partials, and calls of helpers, together; a partial counts for many.
const MOST_STEPS: usize = 2_000_000;

/// What the helpers found while rendering.
#[derive(Default)]
pub(super) struct Found {
    seen: Mutex<Seen>,
    /// The places of the blocks that a value decided which is not known.
    decided: Mutex<HashSet<usize>>,
    unknown: AtomicUsize,
    steps: AtomicUsize,
    /// What comes of values that are not known.
    parts: Mutex<Vec<Derived>>,
}

/// What comes of a value that is not known: a part of it, or the number that it spells.
#[derive(PartialEq)]
struct Derived {
    /// The number of the value.
    of: usize,
    /// The path of the part in it; empty for the whole.
    path: String,
    value_type: ValueType,
}

/// What is wrong, each once however many rounds of a loop come by.
#[derive(Default)]
struct Seen {
    all: Vec<(usize, What)>,
    /// Where in `all` the words stand that are said of a place.
    known: HashMap<(usize, String), usize>,
}

pub(super) enum What {
    /// A name without a value: the words, advice, and the name that was most likely meant
    Undefined(String, Option<String>, Option<String>),
    /// A list or a map in the text
    NotText(String, &'static str),
    /// An argument that its helper does not take
    WrongArgument(String),
}

impl Found {
    /// The places of the blocks that a value decided which is not known.
    pub fn decided(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.decided.lock().expect("nothing panics while it holds what was decided")
    }

    /// Whether rendering was ended because it went on too long.
    pub fn went_on(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > MOST_STEPS
    }

    /// What was found, in the order of the template, each once.
    pub fn problems(&self, source: &str, range: impl Fn(usize) -> Range<usize>) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.seen().all.iter().map(|(place, what)| what.problem(source, range(*place))).collect();
        problems.sort_by_key(|p| p.span.start);
        problems.dedup();
        problems
    }

    /// These holes, and behind them those of their parts.
    pub fn with_parts(&self, holes: &[Hole]) -> Vec<Hole> {
        let mut all = holes.to_vec();
        for Derived { of, path, value_type } in self.parts().iter() {
            let text = match of.checked_sub(1).and_then(|at| all.get(at)).map(|hole| hole.text.0.as_slice()) {
                Some([Piece::From(source)]) if !path.is_empty() => Text(vec![Piece::From(format!("{source}.{path}"))]),
                Some([Piece::From(source)]) => Text(vec![Piece::From(source.clone())]),
                Some(_) | None => Text::default(),
            };
            all.push(Hole { of: *value_type, text });
        }
        all
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Derived>> {
        self.parts.lock().expect("nothing panics while it holds the parts")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it holds what was found")
    }

    /// A value that is not known, and no other's.
    pub fn unknown(&self) -> Json {
        Json::String(hole(2_000_000 + self.unknown.fetch_add(1, Ordering::Relaxed)))
    }

    /// Keeps what is wrong at the place that this argument holds; a hole stands for the value.
    pub fn add(&self, h: &Helper<'_>, place: usize, what: What) -> Json {
        let place = place_in(h, place);
        let seen = &mut *self.seen();
        let number = *seen.known.entry((place, what.words())).or_insert_with(|| {
            seen.all.push((place, what));
            seen.all.len()
        });
        Json::String(hole(1_000_000 + number))
    }

    /// What stands for a name without a value, if these words are said of its place already: its hole, and the name that was
    /// most likely meant.
    pub fn told(&self, h: &Helper<'_>, place: usize, words: &str) -> Option<(Json, Option<String>)> {
        let seen = self.seen();
        let number = *seen.known.get(&(place_in(h, place), words.to_owned()))?;
        let meant = match &seen.all.get(number - 1)?.1 {
            What::Undefined(_, _, meant) => meant.clone(),
            What::NotText(..) | What::WrongArgument(_) => None,
        };
        Some((Json::String(hole(1_000_000 + number)), meant))
    }

    /// Counts steps; an error once they are too many.
    fn count(&self, steps: usize) -> Result<(), RenderError> {
        self.steps.fetch_add(steps, Ordering::Relaxed);
        if self.went_on() { Err(RenderErrorReason::Other("it goes on too long".to_owned()).into()) } else { Ok(()) }
    }
}

/// The place that this argument holds.
pub(super) fn place_in(h: &Helper<'_>, at: usize) -> usize {
    h.param(at).and_then(|p| p.value().as_u64()).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
}

impl What {
    /// What tells it from others at its place.
    fn words(&self) -> String {
        match self {
            Self::Undefined(words, ..) | Self::NotText(words, _) | Self::WrongArgument(words) => words.clone(),
        }
    }

    fn problem(&self, source: &str, span: Range<usize>) -> Problem {
        match self {
            Self::Undefined(message, help, _) => Problem {
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
    let know = Know { found: Arc::clone(&found), holes: holes.into(), values: Arc::new(values.clone()) };
    engine.register_escape_fn(handlebars::no_escape);
    let gives: [(&str, Act); 9] = [
        (VALUE, Know::argument),
        (TEXT, Know::written),
        (HOLE, |know, _, _, _| know.found.unknown()),
        ("json", Know::json),
        ("default", Know::default),
        ("lookup", Know::lookup),
        ("len", Know::len),
        ("number", Know::number),
        ("join", Know::join),
    ];
    for (name, act) in gives {
        engine.register_helper(name, Box::new(Gives { know: know.clone(), act }));
    }
    engine.register_helper(STEP, Box::new(StepHelper(know)));
    engine.register_helper(MARK, Box::new(MarkHelper));
    for (name, compare) in COMPARISONS {
        engine.register_helper(name, Box::new(compare));
    }
    found
}

/// What a helper gives.
type Act = for<'a, 'rc> fn(&'a Know, &'a Helper<'rc>, &'rc Context, &'a RenderContext<'_, 'rc>) -> Json;

/// A helper that gives a value.
struct Gives {
    know: Know,
    act: Act,
}

impl HelperDef for Gives {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.know.found.count(1)?;
        Ok(ScopedJson::Derived((self.act)(&self.know, h, ctx, rc)))
    }
}

/// What is known of holes, the values, and where to put what is found.
#[derive(Clone)]
pub(super) struct Know {
    pub found: Arc<Found>,
    holes: Arc<[ValueType]>,
    pub values: Arc<Json>,
}

impl Know {
    /// The type of a value that is one hole; none for any other value.
    pub(super) fn hole(&self, value: &Json) -> Option<ValueType> {
        let number = value.as_str()?.strip_prefix(HOLE_START)?.strip_suffix(HOLE_END)?;
        let number = number.trim_start_matches(AS_JSON).parse::<usize>().ok()?;
        let at = number.checked_sub(1)?;
        let derived = || Some(self.found.parts().get(at.checked_sub(self.holes.len())?)?.value_type);
        Some(self.holes.get(at).copied().or_else(derived).unwrap_or(ValueType::Any))
    }

    /// The part of `there` that the path `name` leads to, where that is not known: the same each time it is named. `parent`
    /// is how far the path is known. What surely has no parts has none.
    pub(super) fn part(&self, name: &str, parent: &str, there: &Json) -> Option<Json> {
        if !matches!(self.hole(there)?, ValueType::List | ValueType::Map | ValueType::Any) {
            return None;
        }
        let path = name.strip_prefix(parent)?.trim_start_matches("this.").to_owned();
        self.derived(there, path, ValueType::Any)
    }

    /// The number that a value spells which is not known: the same each time.
    pub(super) fn unknown_number(&self, value: &Json) -> Json {
        self.derived(value, String::new(), ValueType::Number).unwrap_or_else(|| self.found.unknown())
    }

    fn derived(&self, whole: &Json, path: String, value_type: ValueType) -> Option<Json> {
        let of = whole.as_str()?.trim_matches([HOLE_START, HOLE_END, AS_JSON]).parse().ok()?;
        let derived = Derived { of, path, value_type };
        let mut parts = self.found.parts();
        let at = parts.iter().position(|known| *known == derived).unwrap_or_else(|| {
            parts.push(derived);
            parts.len() - 1
        });
        Some(Json::String(hole(self.holes.len() + 1 + at)))
    }

    /// `a list` or `a map`, for what has no text.
    pub(super) fn without_text(&self, value: &Json) -> Option<&'static str> {
        match (value, self.hole(value)) {
            (Json::Array(_), _) | (_, Some(ValueType::List)) => Some("a list"),
            (Json::Object(_), _) | (_, Some(ValueType::Map)) => Some("a map"),
            (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), Some(_) | None) => None,
        }
    }

    /// The word for what a value is or will be.
    pub(super) fn kind(&self, value: &Json) -> &'static str {
        match (value, self.hole(value)) {
            (_, Some(ValueType::Any)) => "a value",
            (_, Some(ValueType::Secret)) => "a secret",
            (_, Some(ValueType::Integer)) => "a whole number",
            (Json::Null, None) => "null",
            (_, Some(ValueType::Boolean)) | (Json::Bool(_), None) => "a boolean",
            (_, Some(ValueType::Number)) | (Json::Number(_), None) => "a number",
            (_, Some(ValueType::String)) | (Json::String(_), None) => "a text",
            (_, Some(ValueType::List)) | (Json::Array(_), None) => "a list",
            (_, Some(ValueType::Map)) | (Json::Object(_), None) => "a map",
        }
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
        self.0.found.count(steps)
    }
}

/// Writes the mark of the place that it is given. What is written by hand is nothing that would be indented, or that ends a line.
struct MarkHelper;

impl HelperDef for MarkHelper {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        Ok(out.write(&written(place_in(h, 0)))?)
    }
}
