//! What stands in braces and brackets, token by token, over as many lines as it takes.
//! Knows nothing of blocks but the column that they stand in.

use super::super::sketch::{Part, Role};
use super::{End, Frame, Kind, Scanner};

impl Scanner<'_> {
    /// A mapping or list in braces or brackets, which opens at `at`.
    pub(super) fn flow(&mut self, parent: Option<usize>, at: usize, column: usize) {
        let depth = self.frames.len();
        // Whatever stands in braces is deeper than any block.
        self.at = at;
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            match rest.as_bytes()[0] {
                b'\n' if parent.is_some() && self.is_outside(self.at + 1, column) => break,
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => {
                    self.at = self.line_end(self.at);
                    self.ending = End::Nothing;
                }
                b'{' if !rest.starts_with("{{") => self.open(Kind::FlowMap, parent, depth),
                b'[' => self.open(Kind::FlowList, parent, depth),
                b'}' | b']' => {
                    self.frames.pop();
                    self.at += 1;
                    self.ending = End::Nothing;
                    if self.frames.len() == depth {
                        break;
                    }
                }
                b',' => {
                    self.at += 1;
                    self.expect();
                }
                b':' => {
                    self.at += 1;
                    let inside = self.frames.last().and_then(|frame| frame.current);
                    self.ending = End::Value { inside, typed: self.at..self.at, role: Role::Value };
                }
                _ => self.token(column),
            }
        }
        // What is still open at the end of the text stays: a cursor stands in it.
        if self.at < self.text.len() {
            self.frames.truncate(depth);
            self.at = self.line_end(self.at) + 1;
        }
    }

    fn open(&mut self, kind: Kind, parent: Option<usize>, depth: usize) {
        let at = self.at;
        let parent = if self.frames.len() == depth { parent } else { self.in_list(at) };
        self.frames.push(Frame { kind, column: 0, parent, current: None, count: 0 });
        self.at += 1;
        self.expect();
    }

    /// The entry that what begins at `at` is the value of: in a list a new one.
    fn in_list(&mut self, at: usize) -> Option<usize> {
        match self.frames.last().copied() {
            Some(Frame { kind: Kind::FlowList, .. }) => Some(self.next_item(at)),
            Some(frame) => frame.current,
            None => None,
        }
    }

    /// The next entry of the inmost braces or brackets is expected.
    fn expect(&mut self) {
        let typed = self.at..self.at;
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.kind == Kind::FlowMap {
            frame.current = None;
            self.ending = End::Key { inside: frame.parent, typed };
        } else {
            self.ending = End::Value { inside: frame.parent, typed, role: Role::Value };
        }
    }

    /// A scalar in braces or brackets: a key, a value or an item.
    fn token(&mut self, column: usize) {
        let start = self.at;
        let frame = self.frames.last().copied();
        let is_key = frame.is_some_and(|frame| frame.kind == Kind::FlowMap && frame.current.is_none());
        let quote = self.text[start..].chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => self.before_break(start + 1, &quote.to_string()).map(|at| at + 1),
            None => None,
        };
        if let (Some(quote), false) = (quote, is_key) {
            if let Some(entry) = self.in_list(start) {
                self.at = self.quoted(entry, start, quote, column);
            } else {
                self.at = end.unwrap_or(self.text.len());
            }
            return;
        }
        let end = end.unwrap_or_else(|| self.plain_end(start));
        let place = start..start + self.text[start..end].trim_end().len();
        let text = self.text[place.clone()].trim_matches(['"', '\'']).to_owned();
        self.at = end.max(start + 1);
        if is_key {
            let parent = frame.and_then(|frame| frame.parent);
            let entry = self.add(parent, Part::Key(text), place.clone(), true);
            self.frames.last_mut().expect("a key stands in a mapping").current = Some(entry);
            self.ending = End::Key { inside: parent, typed: place };
        } else if let Some(entry) = self.in_list(start) {
            let inside = self.entries[entry].parent.filter(|_| matches!(self.entries[entry].part, Part::Item(_)));
            self.ending = End::Value { inside: inside.or(Some(entry)), typed: start..end, role: Role::Value };
            self.set(entry, text, place);
        }
    }

    /// Where plain text in braces or brackets ends.
    fn plain_end(&self, start: usize) -> usize {
        if self.text[start..].starts_with("{{") {
            return self.before_break(start, "}}").map_or_else(|| self.line_end(start), |at| at + 2);
        }
        let bytes = self.text.as_bytes();
        let ends = |at: usize| match bytes[at] {
            b',' | b'[' | b']' | b'{' | b'}' | b'\n' => true,
            b':' => matches!(bytes.get(at + 1), None | Some(b' ' | b',' | b'}' | b']' | b'\n')),
            b'#' => bytes[at - 1] == b' ',
            _ => false,
        };
        (start + 1..bytes.len()).find(|at| ends(*at)).unwrap_or(bytes.len())
    }

    /// Where `wanted` begins, if the line goes on to it. Looks no further: lines of a megabyte have a hundred thousand
    /// tokens.
    fn before_break(&self, start: usize, wanted: &str) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let at = (start..bytes.len()).find(|at| bytes[*at] == b'\n' || bytes[*at..].starts_with(wanted.as_bytes()))?;
        (bytes[at] != b'\n').then_some(at)
    }
}
