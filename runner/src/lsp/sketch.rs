//! The shape of a YAML text, also while it is no valid YAML: keys, items and scalars with their places.
//! Knows nothing of pipelines, and reports nothing: what is wrong with a text, the real parser says.

use std::ops::Range;

use super::scan::{Ending, Scanner};

/// The keys and items of a text, each after the one that it stands in.
#[derive(Debug, Default)]
pub struct Sketch {
    /// In the order of the text.
    pub entries: Vec<Entry>,
}

/// A key of a mapping or an item of a list, with what is known of its value.
#[derive(Debug)]
pub struct Entry {
    /// The entry whose value this one is part of; none at the top.
    pub parent: Option<usize>,
    /// Its name in there.
    pub part: Part,
    /// Where its key stands; of an item, where it begins.
    pub place: Range<usize>,
    /// One past the last byte of all that is in it.
    pub end: usize,
    /// Its value, if that is a scalar.
    pub scalar: Option<Scalar>,
    /// Whether it stands in braces or brackets.
    pub is_flow: bool,
}

/// One part of the way from the top of a text to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A key of a mapping.
    Key(String),
    /// An item of a list, counted from 0.
    Item(usize),
}

/// A scalar as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text: without quotes, escapes as they are.
    pub text: String,
    /// Where it stands, quotes included.
    pub place: Range<usize>,
}

/// Where a cursor stands in a text, and what can be written there.
#[derive(Debug, PartialEq, Eq)]
pub struct Spot {
    /// The entries that it stands in, from the top; the last may be a new one.
    pub entries: Vec<Option<usize>>,
    /// The way to it: for a key the mapping that the key would be in, for a value the key or item that has it.
    pub way: Vec<Part>,
    /// What can be written there.
    pub role: Role,
    /// What was typed of it, up to the cursor; without an opening quote.
    pub typed: Range<usize>,
    /// Whether it stands in braces or brackets.
    pub is_flow: bool,
    /// Whether a space has to come before it: the cursor stands right behind a colon.
    pub needs_space: bool,
}

/// What can be written at a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A key.
    Key,
    /// A value.
    Value,
    /// A value, or the first key of a mapping.
    Either,
    /// A dash that begins the next item of a list.
    Dash,
    /// Nothing: it is a comment.
    Nothing,
}

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub enum On {
    /// The key of this entry.
    Key(usize),
    /// The scalar of this entry.
    Scalar(usize),
}

impl Sketch {
    /// The sketch of `text`.
    pub fn of(text: &str) -> Self {
        let mut scanner = Scanner::new(text);
        scanner.run();
        let mut entries = scanner.entries;
        for at in (0..entries.len()).rev() {
            if let Some(parent) = entries[at].parent {
                entries[parent].end = entries[parent].end.max(entries[at].end);
            }
        }
        Self { entries }
    }

    /// Where the byte `cursor` of `text` stands, of which this is the sketch.
    pub fn spot(&self, text: &str, cursor: usize) -> Spot {
        let mut scanner = Scanner::new(&text[..cursor]);
        scanner.run();
        let Ending { inside, role, typed, is_flow, needs_space } = scanner.ending();
        let before = Self { entries: scanner.entries };
        let way = inside.map(|entry| before.way(entry)).unwrap_or_default();
        let mut entries: Vec<Option<usize>> = before.ancestry(inside).into_iter().map(Some).collect();
        entries.reverse();
        // The text before the cursor has the same entries, but for the last word: what goes on behind it may change it.
        let mut outer = Some(None);
        for (entry, part) in entries.iter_mut().zip(&way) {
            let is_own =
                |at: usize| self.entries.get(at).is_some_and(|own| Some(own.parent) == outer && own.part == *part);
            *entry = entry.filter(|at| is_own(*at));
            outer = entry.map(Some);
        }
        Spot { entries, way, role, typed, is_flow, needs_space }
    }

    /// The entry called `key` in `parent`.
    pub fn child(&self, parent: Option<usize>, key: &str) -> Option<usize> {
        self.children(parent).find(|at| matches!(&self.entries[*at].part, Part::Key(name) if name == key))
    }

    /// What stands in `parent`, in order.
    pub fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        let first = parent.map_or(0, |parent| parent + 1);
        let end = parent.map_or(usize::MAX, |parent| self.entries[parent].end);
        let inside = self.entries[first.min(self.entries.len())..].iter().enumerate();
        inside
            .take_while(move |(_, entry)| entry.place.start <= end)
            .filter(move |(_, entry)| entry.parent == parent)
            .map(move |(at, _)| first + at)
    }

    /// The scalar of the entry called `key` in `parent`.
    pub fn scalar(&self, parent: Option<usize>, key: &str) -> Option<&Scalar> {
        self.entries[self.child(parent, key)?].scalar.as_ref()
    }

    /// The entry that this way leads to.
    pub fn find(&self, way: &[&str]) -> Option<usize> {
        way.iter().try_fold(None, |parent, key| self.child(parent, key).map(Some)).flatten()
    }

    /// The way from the top to the entry.
    pub fn way(&self, entry: usize) -> Vec<Part> {
        let mut way: Vec<Part> =
            self.ancestry(Some(entry)).into_iter().map(|at| self.entries[at].part.clone()).collect();
        way.reverse();
        way
    }

    /// The entry and all that it stands in, inmost first.
    pub fn ancestry(&self, entry: Option<usize>) -> Vec<usize> {
        std::iter::successors(entry, |at| self.entries[*at].parent).collect()
    }

    /// What stands at the byte `at`.
    pub fn at(&self, at: usize) -> Option<On> {
        let holds = |place: &Range<usize>| place.start <= at && at <= place.end;
        let of = |(i, entry): (usize, &Entry)| {
            let is_key = matches!(entry.part, Part::Key(_)) && holds(&entry.place);
            let is_scalar = entry.scalar.as_ref().is_some_and(|scalar| holds(&scalar.place));
            is_key.then_some(On::Key(i)).or_else(|| is_scalar.then_some(On::Scalar(i)))
        };
        self.entries.iter().enumerate().rev().find_map(of)
    }
}

impl Part {
    /// Whether it is this key.
    pub fn is(&self, key: &str) -> bool {
        matches!(self, Self::Key(name) if name == key)
    }
}

#[cfg(test)]
mod tests {
    use hprun_steps::partial::Place;
    use proptest::prelude::*;

    use super::*;
    use crate::document::yaml::{self, Node, NodeValue};

    /// A key, where it stands, and where its value does, if that is a scalar.
    type Expected = (Vec<Part>, Range<usize>, Option<Range<usize>>);

    /// Every key with its way and its place, as the parser of pipelines has it.
    fn keys_of(node: &Node, way: &[Part], keys: &mut Vec<Expected>) {
        let part_of = |part: Part| way.iter().cloned().chain([part]).collect::<Vec<_>>();
        match &node.value {
            NodeValue::Map(entries) => {
                for (key, value) in entries {
                    let way = part_of(Part::Key(key.text.clone()));
                    let bytes = |place: Place| place.start as usize..place.end as usize;
                    let is_text = matches!(value.value, NodeValue::Scalar(_));
                    keys.push((way.clone(), bytes(key.place), is_text.then(|| bytes(value.place))));
                    keys_of(value, &way, keys);
                }
            }
            NodeValue::List(items) => {
                items.iter().enumerate().for_each(|(i, item)| keys_of(item, &part_of(Part::Item(i)), keys));
            }
            NodeValue::Scalar(_) => {}
        }
    }

    #[test]
    fn of_a_text_that_is_yaml_the_sketch_is_what_the_parser_reads() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join("pipelines");
        let files =
            std::fs::read_dir(folder).expect("the shipped pipelines").map(|entry| entry.expect("an entry").path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        let texts = files.map(|path| std::fs::read_to_string(path).expect("text"));
        let odd = "a: 'it''s'\n\"b c\":\n- x # one\n- { d: [1, \"}\", e], f: {} }\n- - g\n  - h: |\n      i: j\n\n      k\n    l: >-\n      m\nn: http://o:p\n";
        for text in texts.chain([odd.to_owned()]) {
            for text in [text.clone(), text.replace('\n', "\r\n")] {
                let mut expected = Vec::new();
                keys_of(&yaml::parse(&text).0.expect("it is YAML"), &[], &mut expected);
                let sketch = Sketch::of(&text);
                for (way, key, scalar) in expected {
                    let same_way = |at: &usize| sketch.entries[*at].place == key && sketch.way(*at) == way;
                    let found = (0..sketch.entries.len()).find(same_way);
                    let found = found.unwrap_or_else(|| panic!("{way:?} is not where it is: {text}"));
                    let place = sketch.entries[found].scalar.as_ref().map(|scalar| scalar.place.clone());
                    if scalar.as_ref().is_some_and(|scalar| !scalar.is_empty()) {
                        assert_eq!(place, scalar, "{way:?} of {text}");
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_has_a_sketch_and_any_cursor_a_spot(
            tokens in proptest::collection::vec(
                prop::sample::select(vec![
                    "a", "key", ": ", ":", "- ", "-", " ", "    ", "\n", "\r\n", "\t", "{", "}", "[", "]", ",", "\"", "'", "|", ">",
                    "{{", "}}", "#", " # ", "ä😀", "&x ", "!Ref ", "\\", "---\n", "''",
                ]),
                0..40,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let text = tokens.concat();
            let sketch = Sketch::of(&text);
            for (at, entry) in sketch.entries.iter().enumerate() {
                prop_assert!(entry.place.end <= entry.end && entry.end <= text.len(), "{text:?}: {entry:?}");
                prop_assert!(entry.parent.is_none_or(|parent| parent < at), "{text:?}: {entry:?}");
                prop_assert!(text.get(entry.place.clone()).is_some(), "{text:?}: {entry:?}");
                let scalar = entry.scalar.as_ref();
                prop_assert!(scalar.is_none_or(|scalar| text.get(scalar.place.clone()).is_some()), "{text:?}: {entry:?}");
            }
            let cursors: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let cursor = *at.get(&cursors);
            let spot = sketch.spot(&text, cursor);
            prop_assert!(spot.typed.end <= cursor && text.get(spot.typed.clone()).is_some(), "{text:?} at {cursor}: {spot:?}");
            let known = spot.entries.iter().flatten().all(|entry| *entry < sketch.entries.len());
            prop_assert!(known, "{text:?} at {cursor}: {spot:?}");
        }
    }
}
