//! YAML text as a tree with places: the one module that knows the YAML parser.
//! Knows nothing of what a pipeline file holds.

use hprun_steps::partial::Place;
use hprun_steps::value::Value;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};

use crate::codes::file;
use crate::diagnostic::{Diagnostic, Lines};

/// Largest file, in bytes.
pub(crate) const LARGEST_TEXT: usize = 16 * 1024 * 1024;
/// Deepest nesting.
const DEEPEST: usize = 64;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Where it stands; of a mapping or a list, from its first child to its last.
    pub place: Place,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `Null`, `Bool`, `Integer`, `Float` or `String`
    Scalar(Value),
    /// A sequence
    List(Vec<Node>),
    /// A mapping whose keys are text and unique
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// The tree that `text` spells; none where it is no YAML at all. Keys that are no text and keys that stand twice are
/// reported and left out, so that the rest can be checked.
pub fn parse(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    if text.len() > LARGEST_TEXT {
        let message = format!("the file is larger than {} MB", LARGEST_TEXT / 1024 / 1024);
        return (None, vec![Diagnostic::error(&file::TOO_MUCH, Place::default(), message)]);
    }
    // The parser calls itself for each level; 64 of them are more than what a thread of 2 MB holds in a debug build.
    stacker::maybe_grow(STACK, STACK, || read(text))
}

/// What the deepest text takes of the stack, in bytes, with room to spare.
const STACK: usize = 8 * 1024 * 1024;

fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(root) => {
            let mut cleaner = Cleaner { text, diagnostics: Vec::new() };
            let node = cleaner.node(root);
            (Some(node), cleaner.diagnostics)
        }
        Err(error) => (None, vec![explain(error.without_snippet(), text)]),
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(LARGEST_TEXT),
            max_nodes: 2_000_000,
            max_events: 8_000_000,
            max_aliases: 200,
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_total_scalar_bytes: LARGEST_TEXT,
        },
    }
}

impl Node {
    /// The word for what it is, as `type:` has it.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Scalar(value) => value.kind(),
            NodeValue::List(_) => "list",
            NodeValue::Map(_) => "map",
        }
    }

    /// The value without places.
    pub fn to_value(&self) -> Value {
        match &self.value {
            NodeValue::Scalar(value) => value.clone(),
            NodeValue::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            NodeValue::Map(entries) => {
                Value::Map(entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())).collect())
            }
        }
    }
}

/// Turns what the parser gives into [`Node`]s and reports the keys that cannot stand.
struct Cleaner<'a> {
    text: &'a str,
    diagnostics: Vec<Diagnostic>,
}

impl Cleaner<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let place = self.place_of(raw.referenced);
        match raw.value {
            Raw::Scalar(value) => Node { value: NodeValue::Scalar(value), place },
            Raw::List(items) => {
                let items: Vec<_> = items.into_iter().map(|item| self.node(item)).collect();
                let end = items.last().map_or(place.end, |last| last.place.end);
                Node { value: NodeValue::List(items), place: Place { end: end.max(place.end), ..place } }
            }
            Raw::Map(entries) if is_braces_in_braces(&entries) => {
                let place = self.braces(place);
                let inner = self.text[place.start as usize..place.end as usize].to_owned();
                self.diagnostics.push(
                    Diagnostic::error(
                        &file::UNQUOTED_EXPRESSION,
                        place,
                        "an expression must stand in quotes: YAML reads `{{` as two mappings",
                    )
                    .help(format!("write \"{}\"", inner.replace('"', "'"))),
                );
                Node { value: NodeValue::Scalar(Value::Null), place }
            }
            Raw::Map(entries) => self.map(entries, place),
        }
    }

    fn map(&mut self, entries: Vec<(Spanned<Raw>, Spanned<Raw>)>, place: Place) -> Node {
        let mut seen = std::collections::HashMap::new();
        let mut kept: Vec<(Key, Node)> = Vec::with_capacity(entries.len());
        let mut end = place.end;
        for (key, value) in entries {
            let key_place = self.place_of(key.referenced);
            let value = self.node(value);
            end = end.max(value.place.end);
            let Some(text) = self.key(key.value, key_place) else { continue };
            if let Some(first) = seen.insert(text.clone(), key_place) {
                self.diagnostics.push(
                    Diagnostic::error(
                        &file::DOUBLE_KEY,
                        key_place,
                        format!("the key `{text}` stands twice in one mapping"),
                    )
                    .related(first, "first here")
                    .help("keep one of them"),
                );
                seen.insert(text, first);
                continue;
            }
            kept.push((Key { text, place: key_place }, value));
        }
        Node { value: NodeValue::Map(kept), place: Place { end, ..place } }
    }

    /// The text of a key. Numbers, booleans and null count as the text that they are written with.
    fn key(&mut self, raw: Raw, place: Place) -> Option<String> {
        match raw {
            Raw::Scalar(Value::String(text)) => Some(text),
            Raw::Scalar(_) => Some(self.text.get(place.start as usize..place.end as usize)?.to_owned()),
            Raw::List(_) | Raw::Map(_) => {
                self.diagnostics.push(
                    Diagnostic::error(&file::KEY_NOT_TEXT, place, "a key must be text")
                        .help("put the key in quotes; an expression cannot be a key"),
                );
                None
            }
        }
    }

    /// The place of `{{ … }}` that opens at `place`.
    fn braces(&self, place: Place) -> Place {
        let start = place.start as usize;
        let close = self.text[start..].find("}}").map_or(place.end as usize, |at| start + at + 2);
        Place { start: place.start, end: to_u32(close) }
    }

    fn place_of(&self, location: Location) -> Place {
        let span = location.span();
        let (Some(start), Some(len)) = (span.byte_offset(), span.byte_len()) else { return Place::default() };
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.text.len());
        let end = start.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(self.text.len());
        // A block scalar's span ends after its last line break, and a mapping's where its first key starts.
        let end = start + self.text.get(start..end).map_or(0, |text| text.trim_end().len());
        Place { start: to_u32(start), end: to_u32(end) }
    }
}

fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).expect("texts of more than 16 MB are refused")
}

fn is_braces_in_braces(entries: &[(Spanned<Raw>, Spanned<Raw>)]) -> bool {
    matches!(entries, [(key, value)] if matches!(key.value, Raw::Map(_)) && value.value == Raw::Scalar(Value::Null))
}

/// What the parser gives, before keys are looked at.
#[derive(Debug, PartialEq)]
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }
    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Bool(v)))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Integer(v)))
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Raw, E> {
        let number = i64::try_from(v).map_err(|_| E::custom(format!("the number {v} is too large: quote it")))?;
        Ok(Raw::Scalar(Value::Integer(number)))
    }
    fn visit_i128<E: de::Error>(self, v: i128) -> Result<Raw, E> {
        Err(E::custom(format!("the number {v} is too large: quote it")))
    }
    fn visit_u128<E: de::Error>(self, v: u128) -> Result<Raw, E> {
        Err(E::custom(format!("the number {v} is too large: quote it")))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Float(v)))
    }
    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::String(v.to_owned())))
    }
    fn visit_string<E>(self, v: String) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::String(v)))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// The parser's error at its place, with the advice for what people usually did.
fn explain(error: &serde_saphyr::Error, text: &str) -> Diagnostic {
    let lines = Lines::of(text);
    let start = error.location().map_or(0, |location| {
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        lines.offset(number(location.line()), number(location.column()))
    });
    let place = Place { start: to_u32(start), end: to_u32(start) };
    let line = lines.line_of(start);
    let on_line = &text[lines.start(line)..lines.end(line)];
    if matches!(error, serde_saphyr::Error::Budget { .. }) {
        return too_much(place, &error.to_string());
    }
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or(&words);
    // What the parser refuses on its way down it tells in words of its own.
    if words.starts_with("budget") || words.starts_with("recursion limit") {
        return too_much(place, words);
    }
    if words.contains("multiple YAML documents") {
        return Diagnostic::error(&file::NOT_YAML, second_document(text), "the file holds more than one YAML document")
            .help("one file holds one pipeline: remove the `---` line, and what is of another document");
    }
    let advice = advice(words, on_line, text);
    let place = match on_line.find("{{").filter(|_| advice.as_deref() == Some(UNQUOTED)) {
        // The whole value, not the place where YAML can make nothing of it any more.
        Some(at) => {
            Place { start: to_u32(lines.start(line) + at), end: to_u32(lines.start(line) + on_line.trim_end().len()) }
        }
        None => place,
    };
    Diagnostic::error(&file::NOT_YAML, place, format!("not valid YAML: {words}")).maybe_help(advice)
}

/// The line that begins another document; the parser points before it.
fn second_document(text: &str) -> Place {
    let lines = Lines::of(text);
    let mut is_in_one = false;
    for line in 0..text.matches('\n').count() + 1 {
        let (start, end) = (lines.start(line), lines.end(line));
        let here = text[start..end].trim_start_matches('\u{feff}').trim_end();
        if is_in_one && (here == "---" || here.starts_with("--- ")) {
            return Place { start: to_u32(start), end: to_u32(start + 3) };
        }
        is_in_one = is_in_one || !(here.is_empty() || here.starts_with(['#', '%']));
    }
    Place::default()
}

fn too_much(place: Place, words: &str) -> Diagnostic {
    // Behind the colon stand names of the parser's own.
    let words = words.split(": ").next().unwrap_or(words);
    Diagnostic::error(&file::TOO_MUCH, place, format!("the file is too much to read: {words}"))
        .help(format!("a file may hold 2 million values, 200 aliases and {DEEPEST} levels"))
}

/// The advice where YAML breaks on a value that begins with an expression.
pub const UNQUOTED: &str = "a value that starts with `{{` must stand in quotes: \"{{ … }}\"";

fn advice(words: &str, line: &str, text: &str) -> Option<String> {
    let indent = &line[..line.len() - line.trim_start().len()];
    let advice = if indent.contains('\t') || words.contains("tab") {
        "indent with spaces: YAML has no tabs"
    } else if text.trim_start_matches('\u{feff}').contains('\u{feff}') {
        "there is a byte order mark (U+FEFF) inside the file: remove it"
    } else if text.contains('\0') {
        "this is no UTF-8 text: save the file as UTF-8 (UTF-16 holds zero bytes)"
    } else if unquoted_expression(line) {
        UNQUOTED
    } else if words.contains("unsupported tag") {
        "a pipeline file has no tags: write the value itself"
    } else if words.contains("mapping values") {
        "put a value that holds `: ` in quotes, and check the indentation"
    } else {
        return None;
    };
    Some(advice.to_owned())
}

/// Whether a value on this line starts with `{{` outside of quotes.
fn unquoted_expression(line: &str) -> bool {
    line.split_once("{{")
        .is_some_and(|(before, _)| matches!(before.trim_end().chars().next_back(), Some(':' | '-' | '[' | ',')))
}
