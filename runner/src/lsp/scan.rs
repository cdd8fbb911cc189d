//! One pass over a YAML text, left to right, that goes on whatever it meets.
//! Knows nothing of pipelines; [`super::sketch`] says what the result means.

mod flow;

use std::ops::Range;

use super::sketch::{Entry, Part, Role, Scalar};

/// The pass.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    frames: Vec<Frame>,
    pub(super) entries: Vec<Entry>,
    ending: End,
}

/// What was found where the text ends.
pub(super) struct Ending {
    pub(super) inside: Option<usize>,
    pub(super) role: Role,
    pub(super) typed: Range<usize>,
    pub(super) is_flow: bool,
    pub(super) needs_space: bool,
}

/// A mapping or list that is open.
#[derive(Clone, Copy)]
struct Frame {
    kind: Kind,
    /// Of a block: the column that its keys or dashes stand in.
    column: usize,
    /// The entry whose value it is.
    parent: Option<usize>,
    /// Its last entry.
    current: Option<usize>,
    /// Its items so far.
    count: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    List,
    FlowMap,
    FlowList,
}

/// What the pass was about when the text ended.
enum End {
    /// At the beginning of a line, or in its indentation.
    Line(usize),
    /// In a token that may be a key of `inside`.
    Key { inside: Option<usize>, typed: Range<usize> },
    /// In or before a value of `inside`.
    Value { inside: Option<usize>, typed: Range<usize>, role: Role },
    /// In a comment, or behind what is finished.
    Nothing,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // A byte order mark is no part of the first key.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, frames: Vec::new(), entries: Vec::new(), ending: End::Line(at) }
    }

    pub(super) fn run(&mut self) {
        while self.at < self.text.len() {
            self.line();
        }
        let in_flow = self.frames.last().is_some_and(Frame::is_flow);
        if self.text.ends_with('\n') && !in_flow {
            self.ending = End::Line(self.text.len());
        }
    }

    /// What was found at the end of the text.
    pub(super) fn ending(&mut self) -> Ending {
        let end = self.text.len();
        let is_flow = self.frames.last().is_some_and(Frame::is_flow);
        let needs_space = self.text.ends_with(':');
        // What was not begun begins at the cursor, behind the spaces before it.
        let at_cursor = |typed: Range<usize>| if typed.is_empty() { end..end } else { typed };
        let found = |inside, role, typed| Ending { inside, role, typed: at_cursor(typed), is_flow, needs_space };
        match std::mem::replace(&mut self.ending, End::Nothing) {
            End::Key { inside, typed } => Ending { needs_space: false, ..found(inside, Role::Key, typed) },
            End::Value { inside, typed, role } => found(inside, role, typed),
            End::Nothing => found(None, Role::Nothing, end..end),
            End::Line(start) => {
                let (inside, role) = self.on_fresh_line(end - start);
                Ending { is_flow: false, ..found(inside, role, end..end) }
            }
        }
    }

    /// What can be written on an empty line whose cursor stands in `column`.
    fn on_fresh_line(&mut self, column: usize) -> (Option<usize>, Role) {
        while self.frames.last().is_some_and(|frame| frame.column > column) {
            self.frames.pop();
        }
        let Some(&frame) = self.frames.last() else { return (None, Role::Key) };
        if frame.column < column {
            let is_taken = frame.current.is_some_and(|current| self.entries[current].scalar.is_some());
            return if is_taken { (None, Role::Nothing) } else { (frame.current, Role::Either) };
        }
        match (frame.kind, self.frames.iter().rev().nth(1)) {
            (Kind::List, Some(outer)) if outer.column == column => (outer.parent, Role::Key),
            (Kind::List, _) => (frame.parent, Role::Dash),
            (Kind::Map | Kind::FlowMap | Kind::FlowList, _) => (frame.parent, Role::Key),
        }
    }

    /// Reads one line of a block, and the lines that what begins on it goes on over.
    fn line(&mut self) {
        let (start, end) = (self.at, self.line_end(self.at));
        self.at = end + 1;
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        self.ending = End::Line(start);
        let mut at = self.skip(start, end);
        let rest = &self.text[at..end];
        if rest.is_empty() {
            return;
        }
        if rest.starts_with('#') || (at == start && (rest.starts_with("---") || rest.starts_with('%'))) {
            self.ending = End::Nothing;
            return;
        }
        while self.text[at..end].starts_with("- ") || &self.text[at..end] == "-" {
            let item = self.item(at - start, at);
            at = self.skip(at + 1, end);
            self.ending = End::Value { inside: Some(item), typed: end..end, role: Role::Either };
            if at == end || self.text[at..].starts_with('#') {
                return;
            }
        }
        match self.key_at(at, end) {
            Some((key, place, behind)) => {
                let entry = self.key(at - start, key, place);
                self.value(entry, behind, end);
            }
            None => self.loose(at - start, at, end),
        }
    }

    /// The key that begins at `at`, if a colon follows it: its text, its place, and where the colon ends.
    fn key_at(&self, at: usize, end: usize) -> Option<(String, Range<usize>, usize)> {
        let quote = self.text[at..].chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote {
            let close = at + 1 + self.text[at + 1..end].find(quote)?;
            let colon = self.skip(close + 1, end);
            let is_key = self.text[colon..end].starts_with(':');
            return is_key.then(|| (self.text[at + 1..close].to_owned(), at..close + 1, colon + 1));
        }
        if self.text[at..].starts_with(['{', '[', '|', '>', '&', '!', '#']) {
            return None;
        }
        let bytes = self.text.as_bytes();
        let ends = |colon: usize| colon + 1 >= end || matches!(bytes[colon + 1], b' ' | b'\t' | b'\r');
        let colon = (at..end).find(|colon| bytes[*colon] == b':' && ends(*colon))?;
        let key = self.text[at..colon].trim_end();
        // A colon in a comment or behind an expression is none of a key.
        (!key.contains(" #") && !key.contains("{{")).then(|| (key.to_owned(), at..at + key.len(), colon + 1))
    }

    /// A line without a colon: a value of its own line, or a key of which only the beginning is there.
    fn loose(&mut self, column: usize, at: usize, end: usize) {
        let opens = self.text[at..].starts_with(['{', '[', '|', '>', '&', '!', '"', '\'']);
        while self.frames.last().is_some_and(|frame| frame.column > column) {
            self.frames.pop();
        }
        match self.frames.last().copied() {
            Some(frame) if frame.column == column && frame.kind == Kind::Map && !opens => {
                let place = at..at + self.text[at..end].trim_end().len();
                let entry = self.key(column, self.text[place.clone()].to_owned(), place.clone());
                let inside = self.entries[entry].parent;
                self.ending = End::Key { inside, typed: place };
            }
            Some(Frame { current: Some(current), .. }) if self.entries[current].scalar.is_none() => {
                self.value(current, at, end);
                if let End::Value { role, .. } = &mut self.ending
                    && !opens
                {
                    *role = Role::Either;
                }
            }
            Some(_) => self.ending = End::Nothing,
            None if opens => self.flow(None, at, 0),
            None => self.ending = End::Key { inside: None, typed: at..end },
        }
    }

    /// The value of `entry`, which begins behind `at`.
    fn value(&mut self, entry: usize, at: usize, end: usize) {
        let mut at = self.skip(at, end);
        self.ending = End::Value { inside: Some(entry), typed: end..end, role: Role::Value };
        // Anchors and tags stand before the value.
        while self.text[at..end].starts_with(['&', '!']) {
            at = self.skip(at + self.text[at..end].find(' ').unwrap_or(end - at), end);
        }
        let rest = &self.text[at..end];
        let column = self.frames.last().map_or(0, |frame| frame.column);
        match rest.chars().next() {
            None => {}
            Some('#') => self.ending = End::Nothing,
            Some('{' | '[') if !rest.starts_with("{{") => self.flow(Some(entry), at, column),
            Some('|' | '>') => self.block(entry, end, column),
            Some(quote @ ('"' | '\'')) => {
                let close = self.quoted(entry, at, quote, column);
                self.at = self.at.max(self.line_end(close) + 1);
            }
            Some(_) => {
                let text = rest.find(" #").map_or(rest, |comment| &rest[..comment]).trim_end();
                let is_over = rest.len() > text.len() && rest.contains(" #");
                let place = at..at + text.len();
                if !is_over {
                    self.ending = End::Value { inside: Some(entry), typed: at..end, role: Role::Value };
                } else {
                    self.ending = End::Nothing;
                }
                self.set(entry, text.to_owned(), place);
            }
        }
    }

    /// A text of several lines, whose header ends at `end`.
    fn block(&mut self, entry: usize, end: usize, column: usize) {
        let start = (end + 1).min(self.text.len());
        let mut at = start;
        while at < self.text.len() {
            let line_end = self.line_end(at);
            let content = self.skip(at, line_end);
            let is_last = line_end == self.text.len();
            if content - at <= column && (content < line_end || is_last) {
                break;
            }
            at = line_end + 1;
        }
        let stop = at.min(self.text.len());
        if at > self.text.len() || stop == self.text.len() && !self.text.ends_with('\n') && start < stop {
            self.ending = End::Value { inside: Some(entry), typed: stop..stop, role: Role::Value };
        }
        let text = self.text[start..stop].trim_end();
        let first = start + (text.len() - text.trim_start().len());
        self.set(entry, text.to_owned(), first..start + text.len());
        self.at = at.max(self.at);
    }

    /// A scalar in quotes that opens at `at`; where it ends. One that is not closed ends with the lines that are indented.
    fn quoted(&mut self, entry: usize, at: usize, quote: char, column: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut here = at + 1;
        while here < bytes.len() {
            match bytes[here] {
                b'\\' if quote == '"' => here += 1,
                b'\'' if quote == '\'' && bytes.get(here + 1) == Some(&b'\'') => here += 1,
                byte if byte == quote as u8 => {
                    self.set(entry, self.text[at + 1..here].to_owned(), at..here + 1);
                    self.ending = End::Nothing;
                    return here + 1;
                }
                b'\n' if self.is_outside(here + 1, column) => break,
                _ => {}
            }
            here += 1;
        }
        let here = here.min(self.text.len());
        self.set(entry, self.text[at + 1..here].to_owned(), at..here);
        self.ending = End::Value { inside: Some(entry), typed: at + 1..here, role: Role::Value };
        here
    }

    /// Closes what a dash in `column` ends, and begins an item.
    fn item(&mut self, column: usize, at: usize) -> usize {
        while self.frames.last().is_some_and(|frame| frame.column > column) {
            self.frames.pop();
        }
        let top = self.frames.last().copied();
        if !top.is_some_and(|frame| frame.kind == Kind::List && frame.column == column) {
            let parent = top.and_then(|frame| frame.current);
            self.frames.push(Frame { kind: Kind::List, column, parent, current: None, count: 0 });
        }
        self.next_item(at)
    }

    /// A new item of the inmost list.
    fn next_item(&mut self, at: usize) -> usize {
        let frame = *self.frames.last().expect("items stand in lists");
        let entry = self.add(frame.parent, Part::Item(frame.count), at..at, frame.is_flow());
        let frame = self.frames.last_mut().expect("items stand in lists");
        frame.count += 1;
        frame.current = Some(entry);
        entry
    }

    /// Closes what a key in `column` ends, and takes the key.
    fn key(&mut self, column: usize, key: String, place: Range<usize>) -> usize {
        let closes = |frame: &Frame| frame.column > column || (frame.column == column && frame.kind == Kind::List);
        while self.frames.last().is_some_and(closes) {
            self.frames.pop();
        }
        let top = self.frames.last().copied();
        if !top.is_some_and(|frame| frame.kind == Kind::Map && frame.column == column) {
            let parent = top.and_then(|frame| frame.current);
            self.frames.push(Frame { kind: Kind::Map, column, parent, current: None, count: 0 });
        }
        let parent = self.frames.last().and_then(|frame| frame.parent);
        let entry = self.add(parent, Part::Key(key), place, false);
        self.frames.last_mut().expect("a key stands in a mapping").current = Some(entry);
        entry
    }

    fn add(&mut self, parent: Option<usize>, part: Part, place: Range<usize>, is_flow: bool) -> usize {
        let end = place.end;
        self.entries.push(Entry { parent, part, place, end, scalar: None, is_flow });
        self.entries.len() - 1
    }

    fn set(&mut self, entry: usize, text: String, place: Range<usize>) {
        self.entries[entry].end = place.end;
        self.entries[entry].scalar = Some(Scalar { text, place });
    }

    /// Whether the line at `start` is indented no deeper than `column`, and closes nothing.
    fn is_outside(&self, start: usize, column: usize) -> bool {
        let end = self.line_end(start.min(self.text.len()));
        let content = self.skip(start.min(end), end);
        content < end && content - start <= column && !self.text[content..].starts_with(['}', ']'])
    }

    fn skip(&self, at: usize, end: usize) -> usize {
        let end = end.max(at);
        at + self.text[at..end].find(|c: char| !matches!(c, ' ' | '\t' | '\r')).unwrap_or(end - at)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |length| at + length)
    }
}

impl Frame {
    fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::FlowMap | Kind::FlowList)
    }
}
