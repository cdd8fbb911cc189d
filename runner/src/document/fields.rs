//! The fields of a mapping, taken one by one; what nobody took is an unknown key.
//! Knows nothing of which mapping it reads.

use std::time::Duration;

use hprun_steps::duration;
use hprun_steps::partial::{Place, nearest};
use hprun_steps::value::Value;

use super::yaml::{Key, Node, NodeValue};
use crate::codes::{file, pipeline};
use crate::diagnostic::Diagnostic;

/// The entries of one mapping that are still to be taken.
pub struct Fields<'a> {
    what: String,
    place: Place,
    entries: Vec<(Key, Node)>,
    asked: Vec<&'static str>,
    /// Those of them that are not there.
    open: Vec<&'static str>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Fields<'a> {
    /// The fields of `node`, called `what` in messages; none (and a diagnostic) if it is no mapping.
    pub fn of(node: Node, what: impl Into<String>, diagnostics: &'a mut Vec<Diagnostic>) -> Option<Self> {
        let what = what.into();
        let (place, kind) = (node.place, node.kind());
        match node.value {
            NodeValue::Map(entries) => {
                Some(Self { what, place, entries, asked: Vec::new(), open: Vec::new(), diagnostics })
            }
            NodeValue::List(_) | NodeValue::Scalar(_) => {
                let known = diagnostics.iter().any(|d| d.place == place);
                if !known {
                    diagnostics.push(Diagnostic::error(
                        &file::NOT_A_MAP,
                        place,
                        format!("{what} must be a map, this is {}", a(kind)),
                    ));
                }
                None
            }
        }
    }

    /// Where to send what is wrong.
    pub fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
        self.diagnostics
    }

    /// The value of `key`, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<(Key, Node)> {
        self.asked.push(key);
        let at = self.entries.iter().position(|(k, _)| k.text == key);
        if at.is_none() {
            self.open.push(key);
        }
        Some(self.entries.remove(at?))
    }

    /// The value of `key`, which has to be there.
    pub fn need(&mut self, key: &'static str) -> Option<(Key, Node)> {
        let found = self.take(key);
        if found.is_none() {
            // A misspelt key is reported as such; saying that it is missing too would only repeat it.
            let misspelt = self.entries.iter().any(|(k, _)| nearest(&k.text, [key]).is_some());
            if !misspelt {
                let message = format!("{} has no `{key}`", self.what);
                self.diagnostics.push(Diagnostic::error(&pipeline::MISSING_KEY, self.place, message));
            }
        }
        found
    }

    /// The text of `key`. Numbers are not taken for text: a version 1.10 would lose its zero.
    pub fn text(&mut self, key: &'static str) -> Option<(String, Place)> {
        let (_, node) = self.take(key)?;
        self.as_text(key, node)
    }

    /// The text of `key`, which has to be there.
    pub fn need_text(&mut self, key: &'static str) -> Option<(String, Place)> {
        let (_, node) = self.need(key)?;
        self.as_text(key, node)
    }

    fn as_text(&mut self, key: &str, node: Node) -> Option<(String, Place)> {
        let (place, kind) = (node.place, node.kind());
        match node.value {
            NodeValue::Scalar(Value::String(text)) => Some((text, place)),
            NodeValue::Scalar(Value::Integer(_) | Value::Float(_) | Value::Bool(_)) => {
                let message = format!("`{key}` must be text");
                self.push(Diagnostic::error(&file::WRONG_VALUE, place, message).help("put it in quotes"));
                None
            }
            NodeValue::Scalar(_) | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong(place, format!("`{key}` must be text, this is {}", a(kind)));
                None
            }
        }
    }

    /// The boolean of `key`.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let (_, node) = self.take(key)?;
        match node.value {
            NodeValue::Scalar(Value::Bool(b)) => Some(b),
            NodeValue::Scalar(_) | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong(node.place, format!("`{key}` must be true or false"));
                None
            }
        }
    }

    /// The number of `key`.
    pub fn number(&mut self, key: &'static str) -> Option<(f64, Place)> {
        let (_, node) = self.take(key)?;
        match node.value {
            #[expect(clippy::cast_precision_loss, reason = "limits and factors are small numbers")]
            NodeValue::Scalar(Value::Integer(i)) => Some((i as f64, node.place)),
            NodeValue::Scalar(Value::Float(f)) => Some((f, node.place)),
            NodeValue::Scalar(_) | NodeValue::List(_) | NodeValue::Map(_) => {
                self.wrong(node.place, format!("`{key}` must be a number"));
                None
            }
        }
    }

    /// The duration of `key`, such as `45m` or `1h30m`.
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        let (text, place) = match self.take(key)? {
            (_, Node { value: NodeValue::Scalar(Value::String(text)), place }) => (text, place),
            (_, Node { value: NodeValue::Scalar(Value::Integer(i)), place }) => {
                let message = format!("`{key}` needs a unit: {i} what");
                self.push(Diagnostic::error(&file::WRONG_DURATION, place, message).help(format!("write {i}s or {i}m")));
                return None;
            }
            (_, node) => {
                self.wrong(node.place, format!("`{key}` must be a duration such as 45m or 1h30m"));
                return None;
            }
        };
        match duration::parse(&text) {
            Some(duration) if !duration.is_zero() || key == "delay" => Some(duration),
            Some(_) => {
                self.wrong(place, format!("`{key}` must be longer than nothing"));
                None
            }
            None => {
                let message = format!("`{text}` is not a duration");
                self.push(Diagnostic::error(&file::WRONG_DURATION, place, message).help(duration::UNITS));
                None
            }
        }
    }

    /// Reports every key that was not taken, with the nearest that could have been.
    pub fn finish(self) {
        for (key, _) in &self.entries {
            self.diagnostics.push(unknown_key(&key.text, key.place, &self.what, &self.asked, &self.open));
        }
    }

    fn wrong(&mut self, place: Place, message: String) {
        self.push(Diagnostic::error(&file::WRONG_VALUE, place, message));
    }

    /// Adds a diagnostic, unless the same place has one already (a value that could not be read at all).
    fn push(&mut self, diagnostic: Diagnostic) {
        if !self.diagnostics.iter().any(|d| d.place == diagnostic.place) {
            self.diagnostics.push(diagnostic);
        }
    }
}

/// The diagnostic for a key that `what` does not have: it has the `known`, of which the `open` are not there yet.
pub fn unknown_key(key: &str, place: Place, what: &str, known: &[&str], open: &[&str]) -> Diagnostic {
    let help = match nearest(key, known.iter().copied()) {
        Some(right) if open.contains(&right) => format!("did you mean `{right}`?"),
        Some(right) => format!("did you mean `{right}`, which is there already?"),
        None => format!("it has {}", list(known)),
    };
    Diagnostic::error(&pipeline::UNKNOWN_KEY, place, format!("{what} has no key `{key}`")).help(help)
}

/// `a`, `b` and `c`: names in backquotes.
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => format!("`{}`", one.as_ref()),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|name| format!("`{}`", name.as_ref())).collect();
            format!("{} and `{}`", first.join(", "), last.as_ref())
        }
    }
}

/// The kind with its article.
pub fn a(kind: &str) -> String {
    match kind {
        "null" => "empty".to_owned(),
        "integer" => "an integer".to_owned(),
        other => format!("a {other}"),
    }
}
