//! The `{{ … }}` around a cursor, also one that is not finished: the name that stands there, part by part.
//! Knows nothing of what names lead to.

use std::ops::Range;

/// A dotted name in an expression.
#[derive(Debug, PartialEq, Eq)]
pub struct Name<'a> {
    /// Its parts, each with its place.
    pub parts: Vec<(&'a str, Range<usize>)>,
    /// The part that the cursor stands in.
    pub at: usize,
}

impl Name<'_> {
    /// The parts before the one that the cursor stands in.
    pub fn before(&self) -> Vec<&str> {
        self.parts[..self.at].iter().map(|(text, _)| *text).collect()
    }

    /// The parts up to the cursor, that one included.
    pub fn upto(&self) -> Vec<&str> {
        self.parts[..=self.at].iter().map(|(text, _)| *text).collect()
    }

    /// The place of the part that the cursor stands in.
    pub fn place(&self) -> Range<usize> {
        self.parts[self.at].1.clone()
    }
}

/// The name at `cursor`, if that stands between `{{` and `}}` of its line (the end may be missing) and in no text.
pub fn name_at(text: &str, cursor: usize) -> Option<Name<'_>> {
    let line = text[..cursor].rfind('\n').map_or(0, |before| before + 1);
    let open = line + text[line..cursor].rfind("{{")? + 2;
    let inside = &text[open..cursor];
    if inside.contains("}}") || inside.matches('\'').count() % 2 == 1 {
        return None;
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = cursor - inside.chars().rev().take_while(|c| is_word(*c)).count();
    let end = cursor + text[cursor..].chars().take_while(|c| is_word(*c)).count();
    let mut parts = Vec::new();
    let mut from = start;
    for part in text[start..end].split('.') {
        parts.push((part, from..from + part.len()));
        from += part.len() + 1;
    }
    let at = parts.iter().position(|(_, place)| cursor <= place.end)?;
    Some(Name { parts, at })
}

/// Whether the name stands where a helper can: behind `{{`, `{{#if` or a bracket.
pub fn takes_helper(text: &str, name: &Name<'_>) -> bool {
    let before = text[..name.parts[0].1.start].trim_end_matches([' ', '~']);
    before.ends_with("{{") || before.ends_with('(')
}
