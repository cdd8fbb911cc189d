//! Byte offsets as lines and columns.
//! Knows nothing of what stands in the text.

use std::rc::Rc;

/// Where each line of a text starts: built once, asked often.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Rc<Vec<usize>>,
}

/// A line and a column, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl<'a> Lines<'a> {
    /// The lines of `text`.
    pub fn of(text: &'a str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self::with_starts(text, Rc::new(std::iter::once(0).chain(after_breaks).collect()))
    }

    /// The lines of `text`, which start where they were found to start.
    pub(super) fn with_starts(text: &'a str, starts: Rc<Vec<usize>>) -> Self {
        Self { text, starts }
    }

    /// Where each line starts.
    pub(super) fn starts(&self) -> Rc<Vec<usize>> {
        Rc::clone(&self.starts)
    }

    /// The line (from 0) that holds the byte `offset`; the last line for anything beyond the text.
    pub fn line_of(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Line and column of the byte `offset`.
    pub fn position(&self, offset: usize) -> Position {
        let offset = floor_char_boundary(self.text, offset);
        let line = self.line_of(offset);
        Position { line: line + 1, column: self.text[self.starts[line]..offset].chars().count() + 1 }
    }

    /// The byte at `line` and `column` (both from 1, the column in characters), or the nearest there is.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let line = line.clamp(1, self.starts.len()) - 1;
        let text = &self.text[self.starts[line]..self.end(line)];
        self.starts[line] + text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
    }

    /// First byte of the line (from 0).
    pub fn start(&self, line: usize) -> usize {
        self.starts[line.min(self.starts.len() - 1)]
    }

    /// One past the last byte of the line (from 0), without its line break.
    pub fn end(&self, line: usize) -> usize {
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        if self.text[..end].ends_with('\r') && end > self.start(line) { end - 1 } else { end }
    }
}

/// `offset`, or the start of the character that it falls in; the end of the text for anything beyond.
pub(crate) fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_both_ways_agree() {
        let text = "a: 1\r\nä: 日本\n";
        let lines = Lines::of(text);
        let at = text.find('本').expect("it is there");
        assert_eq!(lines.position(at), Position { line: 2, column: 5 });
        assert_eq!(lines.offset(2, 5), at);
        assert_eq!(lines.position(9_999), Position { line: 3, column: 1 });
        assert_eq!(&text[lines.start(0)..lines.end(0)], "a: 1");
    }
}
