//! Whether a text is YAML: one document or several, as a file of Kubernetes objects holds them.
//! Knows nothing of what it is for.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

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
    let options = serde_saphyr::options! {
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        ignore_binary_tag_for_string: true,
    };
    match serde_saphyr::from_str_multiple_with_options::<Anything, Vec<Anything>>(text, options) {
        Ok(_) => Ok(()),
        Err(error) => Err(explain(&error, text)),
    }
}

/// Any value, with keys of any kind. What it is we do not look at; that all of it can be read, we do.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_none<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self, D::Error> {
        Self::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self, D::Error> {
        Self::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        check(text).err().map(|fault| format!("{} {}", fault.at, fault.message)).unwrap_or_default()
    }

    #[test]
    fn what_is_yaml_passes_though_it_is_no_json() {
        let valid = [
            "a: .nan\nb: .inf\nc: -.inf\nd: 1e999\n",
            "~: c\n",
            "1: a\ntrue: b\n1.5: c\n",
            "? [a, b]\n: c\n",
            "? { a: b }\n: c\n",
            "j: !!binary \"AP8=\"\n",
            "a: &x { b: 1 }\nc: *x\nd: { <<: *x, e: 2 }\n",
            "a: !own { b: 1 }\nb: !!set { a, b }\nc: 2001-01-01\nd: 99999999999999999999999999\n",
            "a: 1\n---\nb: 2\n...\n",
            "",
        ];
        let refused: Vec<_> = valid.iter().filter(|text| !said(text).is_empty()).map(|text| said(text)).collect();
        assert!(refused.is_empty(), "{refused:?}");
    }

    #[test]
    fn what_is_no_yaml_is_told_in_our_words() {
        assert_eq!(said("a: 1\nb: 2\na: 3\n"), "10 the key `a` stands twice in one mapping");
        assert_eq!(said("a:\n\tb: 1\n"), "4 a line is indented with a tab");
        assert!(said("a: b: c\n").contains("cannot stand here"), "{}", said("a: b: c\n"));
        assert!(!said("a: *nowhere\n").is_empty());
    }
}
