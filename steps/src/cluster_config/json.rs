//! JSON text as a tree that keeps places, read on through faults, so that one pass finds them all.
//! Knows nothing of what the JSON is for.

use std::collections::HashMap;
use std::ops::Range;

use crate::partial::{Hole, Partial, Piece, Text, ValueType};
use crate::value::Value;

/// Begins a hole: a part of the text whose value is not known (an undefined or not yet known expression).
pub const HOLE_START: char = '\u{F0002}';
/// Ends a hole.
pub const HOLE_END: char = '\u{F0003}';
/// Stands before the number of a hole that is written as JSON, quotes included if it needs them.
pub const AS_JSON: char = 'j';

/// Most levels of nesting: more is an error, so that no text can exhaust the stack.
const DEEPEST: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub what: What,
    /// Bytes of the text (or of the pipeline file) that spell it.
    pub span: Range<usize>,
}

/// A value of JSON, or one that is not known.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A number
    Number(serde_json::Number),
    /// Text
    Text(String),
    /// Text of which a part is not known
    Open(Text),
    /// A sequence
    List(Vec<Node>),
    /// A mapping, keys with their places, in the order of the text
    Map(Vec<(String, Range<usize>, Node)>),
    /// A value that is not known
    Unknown(Hole),
}

/// What is wrong with the text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where.
    pub span: Range<usize>,
    /// Of what kind it is.
    pub kind: FaultKind,
}

/// What a fault lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// In a word: what stands around it makes no difference
    Spelling,
    /// In the order of words: something is missing, or stands where it cannot
    Order,
    /// In nothing that is known: a text stands here without quotes, and may be JSON itself
    Bare,
    /// In a key that stands in the same mapping before, there
    Twice(Range<usize>),
}

/// The tree that `text` spells as far as it can be read, and every fault found on the way.
pub fn parse(text: &str) -> (Node, Vec<Fault>) {
    parse_with(text, &[])
}

/// The same for a text with holes, by number from 1.
pub fn parse_with(text: &str, holes: &[Hole]) -> (Node, Vec<Fault>) {
    let mut reader = Reader { text, holes, at: 0, depth: 0, faults: Vec::new() };
    let root = reader.value();
    reader.blank();
    if reader.at < text.len() && reader.faults.is_empty() {
        reader.fault("there is more text after the end of the JSON value", reader.at..text.len());
    }
    (root, reader.faults)
}

impl Node {
    /// Something whose value is not known.
    pub fn unknown(span: Range<usize>) -> Self {
        Self { what: What::nothing(), span }
    }

    /// The entry `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.what {
            What::Map(entries) => entries.iter().find(|(k, ..)| k == key).map(|(_, _, node)| node),
            What::Null
            | What::Flag(_)
            | What::Number(_)
            | What::Text(_)
            | What::Open(_)
            | What::List(_)
            | What::Unknown(_) => None,
        }
    }

    /// The text, where it is whole: without a hole.
    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text) => Some(text),
            What::Open(_)
            | What::Null
            | What::Flag(_)
            | What::Number(_)
            | What::List(_)
            | What::Map(_)
            | What::Unknown(_) => None,
        }
    }

    /// The text as far as it is known; none for what is no text.
    pub fn open_text(&self) -> Option<Text> {
        match &self.what {
            What::Text(text) => Some(Text::known(text.clone())),
            What::Open(text) => Some(text.clone()),
            What::Unknown(Hole { of: ValueType::String | ValueType::Any, text }) => Some(text.clone()),
            What::Unknown(_) | What::Null | What::Flag(_) | What::Number(_) | What::List(_) | What::Map(_) => None,
        }
    }

    /// The whole number.
    pub fn whole(&self) -> Option<i64> {
        match &self.what {
            What::Number(number) => number.as_i64(),
            What::Null
            | What::Flag(_)
            | What::Text(_)
            | What::Open(_)
            | What::List(_)
            | What::Map(_)
            | What::Unknown(_) => None,
        }
    }

    /// The items of a sequence; none where it is something else.
    pub fn items(&self) -> &[Node] {
        match &self.what {
            What::List(items) => items,
            What::Null
            | What::Flag(_)
            | What::Number(_)
            | What::Text(_)
            | What::Open(_)
            | What::Map(_)
            | What::Unknown(_) => &[],
        }
    }

    /// Whether it is not known at all: a hole and nothing else.
    pub fn is_unknown(&self) -> bool {
        matches!(self.what, What::Unknown(_))
    }

    /// The word for this kind of value.
    pub fn kind(&self) -> &'static str {
        match &self.what {
            What::Null => "null",
            What::Flag(_) => "a boolean",
            What::Number(_) => "a number",
            What::Text(_) | What::Open(_) => "a string",
            What::List(_) => "a list",
            What::Map(_) => "an object",
            What::Unknown(_) => "unknown",
        }
    }

    /// The tree of inputs of a step; places are those of the pipeline file.
    pub fn from_partial(partial: &Partial) -> Self {
        let place = partial.place();
        let span = place.start as usize..place.end as usize;
        let what = match partial {
            Partial::Unknown(hole, _) => What::Unknown(hole.clone()),
            Partial::Known(value, _) => return Self::from_value(value, span),
            Partial::List(items, _) => What::List(items.iter().map(Self::from_partial).collect()),
            Partial::Map(entries, _) => What::Map(
                entries
                    .iter()
                    .map(|(key, (at, value))| {
                        (key.clone(), at.start as usize..at.end as usize, Self::from_partial(value))
                    })
                    .collect(),
            ),
        };
        Self { what, span }
    }

    /// The tree of a resolved value, all of it standing at `span`. A secret is not known.
    pub fn from_value(value: &Value, span: Range<usize>) -> Self {
        let below = |v: &Value| Self::from_value(v, span.clone());
        let what = match value {
            Value::Null => What::Null,
            Value::Bool(flag) => What::Flag(*flag),
            Value::Integer(number) => What::Number((*number).into()),
            Value::Float(number) => serde_json::Number::from_f64(*number).map_or(What::Null, What::Number),
            Value::String(text) => What::Text(text.clone()),
            Value::List(items) => What::List(items.iter().map(below).collect()),
            Value::Map(entries) => {
                What::Map(entries.iter().map(|(key, v)| (key.clone(), span.clone(), below(v))).collect())
            }
            Value::Secret(_) => What::Unknown(Hole::of(ValueType::Secret)),
        };
        Self { what, span }
    }
}

impl What {
    /// A value of which nothing is known.
    fn nothing() -> Self {
        Self::Unknown(Hole::of(ValueType::Any))
    }
}

struct Reader<'a> {
    text: &'a str,
    holes: &'a [Hole],
    at: usize,
    depth: usize,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes behind white space, and behind comments, which are a fault.
    fn blank(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
            let rest = self.rest();
            // Looked for at a comment only: of JSON in one line it is the end of all.
            let line = || rest.find('\n').unwrap_or(rest.len());
            let length = match rest.as_bytes() {
                [b'#', ..] | [b'/', b'/', ..] => line(),
                [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
                _ => return,
            };
            let (start, shown) = (self.at, length.min(line()));
            self.at += length;
            self.misspelt("JSON has no comments", start..start + shown);
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn fault(&mut self, message: impl Into<String>, span: Range<usize>) {
        self.faults.push(Fault { message: message.into(), span, kind: FaultKind::Order });
    }

    /// A fault in a word.
    fn misspelt(&mut self, message: impl Into<String>, span: Range<usize>) {
        self.faults.push(Fault { message: message.into(), span, kind: FaultKind::Spelling });
    }

    fn value(&mut self) -> Node {
        self.blank();
        let start = self.at;
        let what = match self.peek() {
            Some('{') if self.depth < DEEPEST => self.nested(Self::map),
            Some('[') if self.depth < DEEPEST => self.nested(Self::list),
            Some('{' | '[') => {
                self.misspelt("the nesting is too deep", start..start + 1);
                self.at = self.text.len();
                What::nothing()
            }
            Some('"') => {
                let text = self.string();
                self.text_of(text)
            }
            Some(HOLE_START) => self.bare_hole(),
            // Nothing is taken: what stands here ends the value that is missing.
            Some(',' | '}' | ']') | None => {
                self.fault("a value is missing here", start..start);
                What::nothing()
            }
            Some(':') => {
                self.fault("a `:` cannot stand here", start..start + 1);
                self.at += 1;
                What::nothing()
            }
            Some(_) => self.word(),
        };
        Node { what, span: start..self.at }
    }

    fn nested(&mut self, read: fn(&mut Self) -> What) -> What {
        self.depth += 1;
        self.at += 1;
        let what = read(self);
        self.depth -= 1;
        what
    }

    fn map(&mut self) -> What {
        let mut entries: Vec<(String, Range<usize>, Node)> = Vec::new();
        let mut known: HashMap<String, Range<usize>> = HashMap::new();
        loop {
            self.blank();
            if self.take('}') {
                return What::Map(entries);
            }
            let start = self.at;
            if self.peek() != Some('"') {
                self.fault("a key in double quotes is missing here", start..start);
                self.skip_entry();
            } else {
                let key = self.string();
                let place = start..self.at;
                match known.get(&key) {
                    Some(first) => self.faults.push(Fault {
                        message: format!("the key `{key}` is given twice"),
                        span: place.clone(),
                        kind: FaultKind::Twice(first.clone()),
                    }),
                    None => drop(known.insert(key.clone(), place.clone())),
                }
                self.blank();
                if !self.take(':') {
                    self.fault(format!("a `:` is missing after the key `{key}`"), self.at..self.at);
                }
                let value = self.value();
                entries.push((key, place, value));
            }
            if !self.entry_ends('}') {
                return What::Map(entries);
            }
        }
    }

    fn list(&mut self) -> What {
        let mut items = Vec::new();
        loop {
            self.blank();
            if self.take(']') {
                return What::List(items);
            }
            items.push(self.value());
            if !self.entry_ends(']') {
                return What::List(items);
            }
        }
    }

    /// After an entry: a comma (another entry must follow) or the end. False when reading cannot go on here.
    fn entry_ends(&mut self, end: char) -> bool {
        self.blank();
        let comma = self.at;
        if self.take(',') {
            self.blank();
            if self.peek() == Some(end) {
                self.fault(format!("a comma must not stand before `{end}`"), comma..comma + 1);
            }
            return true;
        }
        match self.peek() {
            Some(c) if c == end => true,
            None => {
                self.fault(format!("the text ends where `,` or `{end}` is needed"), self.at..self.at);
                false
            }
            // The other bracket belongs to a level further up.
            Some('}' | ']') => {
                self.fault(format!("`{end}` is needed here"), self.at..self.at + 1);
                false
            }
            Some(_) => {
                self.fault("a `,` is missing here", self.at..self.at);
                true
            }
        }
    }

    fn skip_entry(&mut self) {
        let before = self.at;
        self.at += self.rest().find([',', '}', ']', '\n']).unwrap_or(self.rest().len());
        if self.at == before
            && let Some(c) = self.peek()
            && c != ','
            && c != '}'
            && c != ']'
        {
            self.at += c.len_utf8();
        }
    }

    /// A hole outside of quotes: with what stands around it, it is one value that is not known.
    fn bare_hole(&mut self) -> What {
        let start = self.at;
        self.at += self.rest().find([',', '}', ']', '\n']).unwrap_or(self.rest().len());
        let word = self.text[start..self.at].trim_end();
        let Some(inner) = word.strip_prefix(HOLE_START).and_then(|word| word.strip_suffix(HOLE_END)) else {
            return What::nothing();
        };
        let hole = self.hole(inner);
        if hole.of != ValueType::String || inner.starts_with(AS_JSON) {
            return What::Unknown(hole);
        }
        let span = start..start + word.len();
        if may_be_json(&hole.text) {
            let message =
                "a text is written here without quotes: it must be a number, true, false, null or JSON of its own";
            self.faults.push(Fault { message: message.to_owned(), span, kind: FaultKind::Bare });
        } else {
            self.misspelt("a text is written here without quotes, whatever it will be", span);
        }
        What::nothing()
    }

    /// The hole of this number; of one that nobody gave nothing is known.
    fn hole(&self, number: &str) -> Hole {
        let number = number.trim_start_matches(AS_JSON);
        let hole = number.parse::<usize>().ok().and_then(|number| self.holes.get(number.checked_sub(1)?));
        // Of one that nobody gave it is known that it is itself.
        hole.cloned().unwrap_or_else(|| Hole::from(ValueType::Any, format!("value {number}")))
    }

    /// A string, with the holes in it.
    fn text_of(&self, text: String) -> What {
        if !text.contains(HOLE_START) {
            return What::Text(text);
        }
        let mut open = Text::known("");
        for (index, part) in text.split(HOLE_START).enumerate() {
            let (number, rest) = if index == 0 {
                (None, part)
            } else {
                part.split_once(HOLE_END).map_or((None, part), |(n, rest)| (Some(n), rest))
            };
            if let Some(number) = number {
                open = open.then(self.hole(number).text);
            }
            open = open.then(Text::known(rest));
        }
        let pieces = open.0.into_iter().filter(|piece| !matches!(piece, Piece::Known(known) if known.is_empty()));
        let open = Text(pieces.collect());
        let is_one_hole = text.starts_with(HOLE_START) && text.find(HOLE_END) == Some(text.len() - HOLE_END.len_utf8());
        if is_one_hole { What::Unknown(Hole { of: ValueType::String, text: open }) } else { What::Open(open) }
    }

    fn word(&mut self) -> What {
        let start = self.at;
        self.at += self.rest().find([',', '}', ']', ':', ' ', '\t', '\n', '\r']).unwrap_or(self.rest().len());
        let word = &self.text[start..self.at];
        if word.contains(HOLE_START) {
            return What::nothing();
        }
        match word {
            "true" => What::Flag(true),
            "false" => What::Flag(false),
            "null" => What::Null,
            _ => match serde_json::from_str::<serde_json::Number>(word) {
                Ok(number) => What::Number(number),
                Err(_) => {
                    let message = format!("`{}` is no JSON value: text stands in double quotes", shorten(word));
                    self.misspelt(message, start..self.at);
                    What::nothing()
                }
            },
        }
    }

    /// A string, its quotes taken; escapes are read by serde_json.
    fn string(&mut self) -> String {
        let start = self.at;
        let mut escaped = false;
        let mut end = None;
        for (offset, c) in self.text[start + 1..].char_indices() {
            match c {
                '\n' => break,
                '"' if !escaped => {
                    end = Some(start + 1 + offset);
                    break;
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        let Some(end) = end else {
            let line_end = self.rest().find('\n').map_or(self.text.len(), |n| start + n);
            self.at = line_end;
            self.misspelt("the string has no closing quote", start..line_end);
            return self.text[start + 1..line_end].to_owned();
        };
        self.at = end + 1;
        match serde_json::from_str::<String>(&self.text[start..=end]) {
            Ok(text) => text,
            Err(_) => {
                self.misspelt(
                    "the string holds an escape or control character that JSON does not know",
                    start..end + 1,
                );
                self.text[start + 1..end].to_owned()
            }
        }
    }
}

/// Whether a text may be JSON, by what is known of its beginning.
fn may_be_json(text: &Text) -> bool {
    let Some(Piece::Known(known)) = text.0.first() else { return true };
    let known = known.trim_start();
    let is_word = |word: &&str| word.starts_with(known) || known.starts_with(*word);
    known.starts_with(['"', '{', '[', '-'])
        || known.starts_with(|c: char| c.is_ascii_digit())
        || ["true", "false", "null"].iter().any(is_word)
}

fn shorten(word: &str) -> String {
    if word.chars().count() > 40 { word.chars().take(40).chain(['…']).collect() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn faults(text: &str) -> Vec<String> {
        parse(text).1.into_iter().map(|f| format!("{}:{} {}", f.span.start, f.span.end, f.message)).collect()
    }

    #[test]
    fn reading_goes_on_after_each_fault() {
        let none: [&str; 0] = [];
        assert_eq!(faults(r#"{"a": [1, "x\n", true, null, {"b": -1.5e3}]}"#), none);
        assert_eq!(faults(r#"{"a": ,"b": }"#), ["6:6 a value is missing here", "12:12 a value is missing here"]);
        assert_eq!(faults(r#"{"a": ml.m5}"#), ["6:11 `ml.m5` is no JSON value: text stands in double quotes"]);
        assert_eq!(faults("{\"a\": \u{F0002}0\u{F0003},\n\"b\": 1}"), none);
        assert_eq!(
            faults(r#"{"a": 1, "a": 2,}"#),
            ["9:12 the key `a` is given twice", "15:16 a comma must not stand before `}`"]
        );
        assert_eq!(faults("{\"a\": \"x\n}"), ["6:8 the string has no closing quote"]);
        assert_eq!(
            faults(r#"{"a": 1 "b": [1 2]"#),
            [
                "8:8 a `,` is missing here",
                "16:16 a `,` is missing here",
                "18:18 the text ends where `,` or `}` is needed"
            ]
        );
        assert_eq!(parse(&"[".repeat(100_000)).1[0].message, "the nesting is too deep");
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_an_end(text in "[\\[\\]{}\":,0-9a-z\\\\ \n\u{F0002}\u{F0003}é]{0,60}") {
            let (_, faults) = parse(&text);
            // What serde_json takes, this reader takes too, unless a key is given twice.
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(faults.iter().all(|f| f.message.contains("twice")), "{text:?}: {faults:?}");
            }
        }
    }
}
