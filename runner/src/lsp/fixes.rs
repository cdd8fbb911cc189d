//! What a finding advises, as a change of the text.
//! Knows nothing of the protocol, or of how findings come about: it reads their advice.

use std::ops::Range;

use super::page::Page;
use crate::diagnostic::{Diagnostic, File};
use crate::document::yaml::UNQUOTED;

/// A change that mends a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// The finding, by its place in the list.
    pub finding: usize,
    /// What is replaced.
    pub replace: Range<usize>,
    /// By what.
    pub insert: String,
}

/// The fixes for the findings that touch these bytes.
pub fn fixes(page: &Page<'_>, found: &[Diagnostic], asked: &Range<usize>) -> Vec<Fix> {
    let touches = |finding: &Diagnostic| {
        let place = finding.place;
        finding.file == File::Pipeline && place.start as usize <= asked.end && asked.start <= place.end as usize
    };
    let of = |(at, finding): (usize, &Diagnostic)| {
        let help = finding.help.as_deref()?;
        let place = finding.place.start as usize..finding.place.end as usize;
        let (title, replace, insert) = advice(page, help, place)?;
        Some(Fix { title, finding: at, replace, insert })
    };
    found.iter().enumerate().filter(|(_, finding)| touches(finding)).filter_map(of).collect()
}

/// The change that an advice means, with a title.
fn advice(page: &Page<'_>, help: &str, place: Range<usize>) -> Option<(String, Range<usize>, String)> {
    let text = page.text.get(place.clone())?;
    if let Some(right) = help.strip_prefix("did you mean `").and_then(|rest| rest.strip_suffix("`?")) {
        let (replace, insert) = meant(text, right)?;
        let replace = place.start + replace.start..place.start + replace.end;
        return Some((format!("Write `{right}`"), replace, insert));
    }
    if help == "put it in quotes" && !text.contains(['"', '\n']) {
        return Some(("Put it in quotes".to_owned(), place, format!("\"{text}\"")));
    }
    if let Some(right) = help.strip_prefix("write ").filter(|right| text.starts_with("{{") && right.starts_with('"')) {
        return Some(("Put the expression in quotes".to_owned(), place, right.to_owned()));
    }
    // Where the value ends cannot be said if the line goes on with something of YAML, or has quotes in it.
    let behind = text.rsplit_once("}}").map_or(text, |(_, behind)| behind);
    let goes_on = text.contains(" #") || text.contains(": ") || behind.contains([',', ']', '}']);
    let is_plain = !text.contains(['"', '\\']) && !goes_on;
    if help == UNQUOTED && is_plain {
        return Some(("Put the expression in quotes".to_owned(), place, format!("\"{text}\"")));
    }
    let (id, user) = help.strip_prefix("add `")?.split_once("` to the `needs` of `")?;
    let (replace, insert) = needed(page, id, user.strip_suffix('`')?)?;
    Some((format!("Add `{id}` to the needs of this step"), replace, insert))
}

/// The word of `text` that `right` was meant by, and what to write for it.
fn meant(text: &str, right: &str) -> Option<(Range<usize>, String)> {
    let (beginning, last) = right.rsplit_once('.').map_or(("", right), |(before, last)| (before, last));
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let mut words: Vec<Range<usize>> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| is_word(*c)) {
        match words.last_mut() {
            Some(word) if word.end == at => word.end += c.len_utf8(),
            _ => words.push(at..at + c.len_utf8()),
        }
    }
    let far =
        |word: &Range<usize>| strsim::damerau_levenshtein(&text[word.clone()].to_lowercase(), &last.to_lowercase());
    // Of equals the last: names narrow down from left to right.
    let word = words.into_iter().rev().filter(|word| far(word) <= last.len()).min_by_key(far)?;
    let stands_there = !beginning.is_empty() && text[..word.start].ends_with(&format!("{beginning}."));
    let insert = if stands_there { last } else { right };
    Some((word, insert.to_owned()))
}

/// Where `id` goes into the needs of the step `user`, and how it is written there.
fn needed(page: &Page<'_>, id: &str, user: &str) -> Option<(Range<usize>, String)> {
    let step = page.step(user)?;
    let sketch = &page.sketch;
    let Some(needs) = sketch.child(Some(step.entry), "needs") else {
        // Without `needs` it needs the step above, which it must go on to need.
        let steps = page.steps();
        let at = steps.iter().position(|other| other.entry == step.entry)?;
        let above = at.checked_sub(1).map(|above| &steps[above]).filter(|above| above.finally == step.finally);
        let above = above.and_then(|above| above.id).filter(|above| above.text != id);
        let ids: Vec<&str> = above.map(|above| above.text.as_str()).into_iter().chain([id]).collect();
        let of = step.type_name?;
        let line = page.line(of.place.start);
        let key = &sketch.entries[sketch.child(Some(step.entry), "type")?];
        let written = format!("needs: [{}]", ids.join(", "));
        return Some(match key.is_flow {
            true => (of.place.end..of.place.end, format!(", {written}")),
            false => {
                let indent = " ".repeat(key.place.start - page.line(key.place.start).start);
                (line.end..line.end, format!("\n{indent}{written}"))
            }
        });
    };
    if let Some(one) = &sketch.entries[needs].scalar {
        return Some((one.place.clone(), format!("[{}, {id}]", one.text)));
    }
    let last = sketch.children(Some(needs)).last();
    match last {
        Some(last) if sketch.entries[last].is_flow => {
            let end = sketch.entries[last].end;
            Some((end..end, format!(", {id}")))
        }
        Some(last) => {
            let line = page.line(sketch.entries[last].place.start);
            let indent = " ".repeat(sketch.entries[last].place.start - line.start);
            Some((line.end..line.end, format!("\n{indent}- {id}")))
        }
        None => {
            let open = page.text[sketch.entries[needs].place.end..].find('[')? + sketch.entries[needs].place.end + 1;
            Some((open..open, id.to_owned()))
        }
    }
}
