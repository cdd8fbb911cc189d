//! Quotes around what `json` writes: a text has its own, so that no value makes JSON of it.
//! Knows nothing of templates.

use std::ops::Range;

use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::partial::{Hole, ValueType};

/// Those of the places `as_json` that stand in a string and hold a quote, or surely will.
pub(super) fn json(text: &str, as_json: &[Range<usize>], holes: &[Hole]) -> Vec<Range<usize>> {
    let (mut found, mut at, mut state) = (Vec::new(), 0, State::default());
    for place in as_json {
        state.read(&text[at..place.start]);
        at = place.end;
        let written = &text[place.clone()];
        if !state.quoted || !has_quotes(written, holes) {
            state.read(written);
            continue;
        }
        let line = text[place.end..].split('\n').next().unwrap_or_default();
        if line.contains('"') {
            found.push(place.clone());
        }
    }
    found
}

fn has_quotes(written: &str, holes: &[Hole]) -> bool {
    let hole = written.strip_prefix(HOLE_START).and_then(|text| text.strip_suffix(HOLE_END));
    let number = hole.and_then(|hole| hole.strip_prefix(AS_JSON)?.parse::<usize>().ok());
    let hole = number.and_then(|number| holes.get(number.checked_sub(1)?));
    written.contains('"') || hole.is_some_and(|hole| hole.of == ValueType::String)
}

/// Whether a string is open, which it is to the end of its line at most.
#[derive(Default)]
struct State {
    quoted: bool,
    escaped: bool,
}

impl State {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => self.quoted = false,
                '"' if !self.escaped => self.quoted = !self.quoted,
                _ => {}
            }
            self.escaped = self.quoted && c == '\\' && !self.escaped;
        }
    }
}
