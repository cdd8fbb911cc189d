//! Bytes of a text as the protocol counts them: lines from 0, columns in UTF-16 units or, where the client offers it, bytes.
//! Knows nothing of what stands in the text.

use std::ops::Range;

use hprun_steps::partial::Place;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Lines;

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Units of UTF-16: what the protocol has by default.
    #[default]
    Utf16,
    /// Bytes of UTF-8.
    Utf8,
}

/// A place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// From 0.
    pub line: u32,
    /// From 0, in units of the encoding.
    pub character: u32,
}

/// From one position to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub start: Position,
    /// The one behind the last character.
    pub end: Position,
}

/// A text with its lines, to count in.
pub struct Ruler<'a> {
    text: &'a str,
    lines: Lines<'a>,
    encoding: Encoding,
}

impl<'a> Ruler<'a> {
    /// A ruler for this text.
    pub fn new(text: &'a str, encoding: Encoding) -> Self {
        Self { text, lines: Lines::of(text), encoding }
    }

    /// The position of the byte `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.line_of(offset);
        let before = &self.text[self.lines.start(line)..offset];
        let character = match self.encoding {
            Encoding::Utf16 => before.chars().map(char::len_utf16).sum(),
            Encoding::Utf8 => before.len(),
        };
        Position { line: number(line), character: number(character) }
    }

    /// The byte at `position`, or the nearest on its line; the end of the text for lines beyond it.
    pub fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        let start = self.lines.start(line);
        if self.lines.line_of(start) < line {
            return self.text.len();
        }
        let text = &self.text[start..self.lines.end(line).max(start)];
        let mut units = position.character as usize;
        for (at, c) in text.char_indices() {
            let width = match self.encoding {
                Encoding::Utf16 => c.len_utf16(),
                Encoding::Utf8 => c.len_utf8(),
            };
            if units < width {
                return start + at;
            }
            units -= width;
        }
        start + text.len()
    }

    /// The span of these bytes.
    pub fn span(&self, bytes: Range<usize>) -> Span {
        Span { start: self.position(bytes.start), end: self.position(bytes.end) }
    }

    /// The span of a finding: what spans several lines is told on its first, and nothing is narrower than a character.
    pub fn span_of(&self, place: Place) -> Span {
        let (start, end) = (place.start as usize, place.end as usize);
        let line_end = self.lines.end(self.lines.line_of(start.min(self.text.len())));
        let start = start.min(line_end);
        let next = self.text.get(start..line_end).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        self.span(start..end.clamp(start, line_end).max(start + next))
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(encoding: Encoding, text: &str, offset: usize, line: u32, character: u32) {
        let ruler = Ruler::new(text, encoding);
        assert_eq!(ruler.position(offset), Position { line, character });
        assert_eq!(ruler.offset(Position { line, character }), offset);
    }

    #[test]
    fn columns_count_what_was_agreed() {
        let text = "a: 😀 ä\r\nb: 1\n";
        let behind = text.find('\r').expect("it is there");
        check(Encoding::Utf16, text, behind, 0, 7);
        check(Encoding::Utf8, text, behind, 0, 10);
        check(Encoding::Utf16, text, text.len(), 2, 0);
    }

    #[test]
    fn what_lies_outside_is_the_nearest_there_is() {
        let ruler = Ruler::new("ab\ncd", Encoding::Utf16);
        assert_eq!(ruler.offset(Position { line: 0, character: 99 }), 2);
        assert_eq!(ruler.offset(Position { line: 9, character: 0 }), 5);
        assert_eq!(Ruler::new("", Encoding::Utf16).offset(Position { line: 1, character: 1 }), 0);
        // In the middle of a character that has two units.
        assert_eq!(Ruler::new("😀", Encoding::Utf16).offset(Position { line: 0, character: 1 }), 0);
    }
}
