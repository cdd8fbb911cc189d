//! Quotes around what `json` writes: a text has its own, so that no value makes JSON of it.
//! Knows nothing of templates.

use std::ops::Range;

use crate::cluster_config::json::{AS_JSON, HOLE_END, HOLE_START};
use crate::partial::{Hole, ValueType};

/// Those of the places `as_json` that stand in a string and hold a quote, or surely will.
pub(super) fn json(text: &str, as_json: &[Range<usize>], holes: &[Hole]) -> Vec<Range<usize>> {
    let (mut found, mut at, mut state) = (Vec::new(), 0, State::default());
    // Where the next quote or end of line is that was looked for.
    let mut next = 0;
    for place in as_json {
        state.read(&text[at..place.start]);
        at = place.end;
        let written = &text[place.clone()];
        if !state.quoted || !has_quotes(written, holes) {
            state.read(written);
            continue;
        }
        if next < place.end {
            next = text[place.end..].find(['"', '\n']).map_or(text.len(), |n| place.end + n);
        }
        if text[next..].starts_with('"') {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_quotes_of_its_own_is_told_in_a_string_that_ends_in_its_line() {
        // Places are marked with < and >, which are taken out.
        let told = |marked: &str| {
            let (mut text, mut places) = (String::new(), Vec::new());
            for c in marked.chars() {
                match c {
                    '<' => places.push(text.len()..text.len()),
                    '>' => places.last_mut().expect("it begins before it ends").end = text.len(),
                    c => text.push(c),
                }
            }
            let hole = [Hole::of(ValueType::String)];
            json(&text, &places, &hole).into_iter().map(|place| text[place].to_owned()).collect::<Vec<_>>()
        };
        let unknown = |n: u32| format!("<{HOLE_START}{AS_JSON}{n}{HOLE_END}>");
        let none: [&str; 0] = [];
        assert_eq!(told(r#"[<"a">, "<"b">", "<5>"]"#), [r#""b""#]);
        assert_eq!(told("[\"<\"a\">\n\"<\"b\">,\n<\"c\">]"), none);
        assert_eq!(told("\"<\"a\"> \n\"<\"b\">\" \"<\"c\">\n"), ["\"b\""]);
        let many = format!("\"{}\"", unknown(1).repeat(3));
        assert_eq!(told(&many).len(), 3);
        assert_eq!(told(&many.replace("<", " <").replacen("> ", ">\n ", 1)), none.map(str::to_owned).to_vec());
    }
}
