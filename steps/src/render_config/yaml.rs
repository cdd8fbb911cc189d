//! Whether a text is YAML: one document or several, as a file of Kubernetes objects holds them.
//! Knows nothing of what it is for.

use serde_json::Value as Json;

use super::render::{line_starts, position};

/// Why a text is no YAML.
pub(super) struct Fault {
    /// Lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The byte where reading stopped.
    pub at: usize,
}

/// The first thing that makes `text` no YAML.
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    match serde_saphyr::from_str_multiple_with_options::<Json, Vec<Json>>(text, options) {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error, text)),
    }
}

fn explain(error: &serde_saphyr::Error, text: &str) -> Fault {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let starts = line_starts(text);
    let at = error.location().map_or(0, |at| position(text, &starts, number(at.line()), number(at.column())));
    let line = &text[text[..at].rfind('\n').map_or(0, |n| n + 1)..];
    let line = line.split('\n').next().unwrap_or_default();
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or(&words).trim_start_matches("error: ");
    // Some begin with the place.
    let words = match words.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, words)) => words,
        None => words,
    };
    let indent = &line[..line.len() - line.trim_start().len()];
    let (message, help) = if let Some(key) = words.strip_prefix("duplicate mapping key: ") {
        let key = key.split(", set ").next().unwrap_or(key);
        (format!("the key `{key}` stands twice in one mapping"), None)
    } else if indent.contains('\t') || words.contains("tab") {
        ("a line is indented with a tab".to_owned(), Some("indent with spaces: YAML has no tabs"))
    } else if words.contains("placement of ':'") {
        ("a `:` cannot stand here".to_owned(), Some("a `[` or a `{` before it may lack its end"))
    } else if words.contains("mapping values") {
        (
            "a `: ` cannot stand here".to_owned(),
            Some("put a value that holds `: ` in quotes, and check the indentation"),
        )
    } else {
        (words.to_owned(), None)
    };
    Fault { message, help: help.map(str::to_owned), at }
}
