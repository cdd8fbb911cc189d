//! A CloudFormation template as a tree with places, from YAML or JSON; short tags stand in their long form (`Fn::Sub`).
//! Knows nothing of what the sections of a template mean.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde::de::IgnoredAny;

use crate::partial::Place;

/// Deepest nesting that is read: everything that walks a tree may go down this far.
const DEEPEST: usize = 128;
/// Most values of one template, aliases written out: a small text must not become a large tree.
const MOST_VALUES: usize = 1_000_000;

/// One value of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Bytes of the template's text.
    pub place: Place,
    /// What stands there.
    pub shape: Shape,
}

/// What stands at a place of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Nothing: `null`, `~`, or a key without a value.
    Null,
    /// A scalar, spelled as in the file: CloudFormation compares parameters as text.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; of keys that stand twice, the first.
    Map(Vec<Entry>),
}

/// An entry of a mapping: its key, where the key stands, and the value.
pub type Entry = (String, Place, Node);

/// A text that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The whole of it.
    pub root: Node,
    /// Keys that stand twice in one mapping.
    pub duplicates: Vec<Duplicate>,
    /// Where mappings are merged (`<<`); they are merged here, so that nothing seems to lack.
    pub merges: Vec<Place>,
}

/// A key that stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// Where it stands first.
    pub first: Place,
    /// Where it stands again.
    pub again: Place,
}

/// Why a text cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Lower case, no full stop.
    pub message: String,
    /// Bytes of the text.
    pub place: Place,
}

impl Tree {
    /// Reads a template's text: JSON if it begins with `{`, as CloudFormation decides it, else YAML.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if !text.trim_start().starts_with('{') {
            return Builder::default().read(text);
        }
        if let Err(e) = serde_json::from_str::<IgnoredAny>(text) {
            let at = offset(text, e.line(), e.column());
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            return Err(Unreadable { message: format!("it is no JSON: {message}"), place: at });
        }
        // JSON is YAML but for some rare escapes: then the tree has no places.
        Builder::default().read(text).or_else(|unreadable| match serde_json::from_str(text) {
            Ok(value) => Ok(Self { root: from_json(value), duplicates: Vec::new(), merges: Vec::new() }),
            Err(_) => Err(unreadable),
        })
    }
}

impl Node {
    /// The entry `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _, _)| name == key).map(|(_, _, node)| node)
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.shape {
            Shape::Map(entries) => entries,
            Shape::Null | Shape::Scalar(_) | Shape::List(_) => &[],
        }
    }

    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::List(items) => items,
            Shape::Null | Shape::Scalar(_) | Shape::Map(_) => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(text) => Some(text),
            Shape::Null | Shape::List(_) | Shape::Map(_) => None,
        }
    }

    /// How CloudFormation's reader may spell a plain scalar, where that is not as the file has it: to YAML 1.1 `yes` is
    /// true and `1.30` the number 1.3. Which spelling is compared then is written nowhere.
    pub fn respelled(&self) -> Option<String> {
        let text = self.text()?;
        // Quotes make the place longer than the text.
        if (self.place.end - self.place.start) as usize != text.len() {
            return None;
        }
        let respelled = match text {
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "True" | "TRUE" => "true".to_owned(),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" | "False" | "FALSE" => "false".to_owned(),
            number if number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                number.parse::<f64>().ok()?.to_string()
            }
            _ => return None,
        };
        (respelled != text).then_some(respelled)
    }

    /// Values in it, itself included, and how deep they lie.
    fn measure(&self) -> (usize, usize) {
        let add = |(count, depth): (usize, usize), below: (usize, usize)| (count + below.0, depth.max(below.1 + 1));
        match &self.shape {
            Shape::Null | Shape::Scalar(_) => (1, 1),
            Shape::List(items) => items.iter().map(Self::measure).fold((1, 1), add),
            Shape::Map(entries) => entries.iter().map(|(_, _, node)| node.measure()).fold((1, 1), add),
        }
    }
}

/// Builds the tree from the parser's events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    /// Finished values with an anchor, and what [`Node::measure`] said of them.
    anchors: HashMap<usize, (Node, (usize, usize))>,
    values: usize,
    /// Values kept for aliases.
    kept: usize,
    duplicates: Vec<Duplicate>,
    merges: Vec<Place>,
    root: Option<Node>,
}

/// A collection whose end has not come.
struct Open {
    start: Place,
    anchor: usize,
    tag: Option<(String, Place)>,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    /// The entries, and the key whose value comes next.
    Map(Vec<Entry>, Option<(String, Place)>),
}

impl Builder {
    fn read(mut self, text: &str) -> Result<Tree, Unreadable> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| {
                let start = e.marker().byte_offset().unwrap_or_default();
                Unreadable { message: format!("it is no YAML: {}", e.info()), place: place(start, start) }
            })?;
            let at = place_of(&span);
            match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let tag = named(tag.as_deref(), &span);
                    let plain = style == ScalarStyle::Plain && tag.is_none();
                    let nothing = plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                    let shape = if nothing { Shape::Null } else { Shape::Scalar(text.into_owned()) };
                    self.finish(Node { place: at, shape }, tag, anchor)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.begin(&span, anchor, tag.as_deref(), Items::List(vec![]))?
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.begin(&span, anchor, tag.as_deref(), Items::Map(vec![], None))?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
                Event::Alias(anchor) => self.alias(anchor, at)?,
                Event::DocumentStart(..) if self.root.is_some() => {
                    return Err(Unreadable { message: "it holds more than one document".to_owned(), place: at });
                }
                // Begins and ends of documents, and comments in builds that have them.
                _ => {}
            }
        }
        let root = self.root.ok_or(Unreadable { message: "it is empty".to_owned(), place: Place::default() })?;
        Ok(Tree { root, duplicates: self.duplicates, merges: self.merges })
    }

    fn begin(&mut self, span: &Span, anchor: usize, tag: Option<&Tag>, items: Items) -> Result<(), Unreadable> {
        let start = place_of(span);
        if self.open.len() >= DEEPEST {
            return Err(Unreadable { message: format!("it is nested more than {DEEPEST} deep"), place: start });
        }
        self.open.push(Open { start, anchor, tag: named(tag, span), items });
        Ok(())
    }

    fn end(&mut self, at: Place) -> Result<(), Unreadable> {
        let Some(Open { start, anchor, tag, items }) = self.open.pop() else { return Ok(()) };
        let shape = match items {
            Items::List(items) => Shape::List(items),
            Items::Map(entries, _) => {
                let entries = self.merged(entries);
                Shape::Map(self.unique(entries))
            }
        };
        let last = match &shape {
            Shape::List(items) => items.last().map(|node| node.place.end),
            Shape::Map(entries) => entries.last().map(|(_, key, node)| node.place.end.max(key.end)),
            Shape::Null | Shape::Scalar(_) => None,
        };
        // A block ends where the next one begins: what a person sees ends with its last value.
        let end = if at.end > at.start { at.end } else { last.unwrap_or(at.end) };
        self.finish(Node { place: Place { start: start.start, end: end.max(start.start) }, shape }, tag, anchor)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<(), Unreadable> {
        let Some((node, (count, depth))) = self.anchors.get(&anchor) else {
            return Err(Unreadable { message: "an alias stands inside what it names".to_owned(), place: at });
        };
        if self.open.len() + depth > DEEPEST || self.values + count > MOST_VALUES {
            return Err(Unreadable { message: "its aliases make it too large".to_owned(), place: at });
        }
        self.values += count;
        let node = node.clone();
        self.finish(node, None, 0)
    }

    /// Puts a finished value where it belongs.
    fn finish(&mut self, node: Node, tag: Option<(String, Place)>, anchor: usize) -> Result<(), Unreadable> {
        let node = match tag {
            Some((tag, at)) => long_form(node, tag, at),
            None => node,
        };
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Unreadable { message: format!("it has more than {MOST_VALUES} values"), place: node.place });
        }
        if anchor != 0 {
            let size = node.measure();
            self.kept += size.0;
            if self.kept > MOST_VALUES {
                return Err(Unreadable { message: "its anchors are too large".to_owned(), place: node.place });
            }
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(items)) => items.push(node),
            Some(Items::Map(entries, key)) => match key.take() {
                Some((key, at)) => entries.push((key, at, node)),
                None => {
                    let text = match node.shape {
                        Shape::Scalar(text) => text,
                        Shape::Null => String::new(),
                        Shape::List(_) | Shape::Map(_) => {
                            let message = "a key is not text".to_owned();
                            return Err(Unreadable { message, place: node.place });
                        }
                    };
                    *key = Some((text, node.place));
                }
            },
        }
        Ok(())
    }

    /// The entries with those that `<<` names, where they do not stand already.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if !entries.iter().any(|(key, _, _)| key == "<<") {
            return entries;
        }
        let (merges, mut kept): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _, _)| key == "<<");
        let mut known: HashSet<String> = kept.iter().map(|(key, _, _)| key.clone()).collect();
        for (_, place, node) in merges {
            self.merges.push(place);
            let from = if node.items().is_empty() { std::slice::from_ref(&node) } else { node.items() };
            for (key, _, value) in from.iter().flat_map(Node::entries) {
                if known.insert(key.clone()) {
                    kept.push((key.clone(), place, value.clone()));
                }
            }
        }
        kept
    }

    /// The entries without those whose key stands before.
    fn unique(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let mut seen: HashMap<&str, Place> = HashMap::with_capacity(entries.len());
        let mut twice = Vec::new();
        for (i, (key, again, _)) in entries.iter().enumerate() {
            if let Some(first) = seen.insert(key, *again) {
                seen.insert(key, first);
                twice.push(i);
                self.duplicates.push(Duplicate { key: key.clone(), first, again: *again });
            }
        }
        if twice.is_empty() {
            return entries;
        }
        let kept = entries.into_iter().enumerate().filter(|(i, _)| twice.binary_search(i).is_err());
        kept.map(|(_, entry)| entry).collect()
    }
}

/// A short tag as the mapping that it stands for. `Ref` and `Condition` have no `Fn::` before their names.
fn long_form(node: Node, tag: String, at: Place) -> Node {
    let key = if tag == "Ref" || tag == "Condition" { tag } else { format!("Fn::{tag}") };
    let place = Place { start: at.start.min(node.place.start), end: node.place.end };
    Node { place, shape: Shape::Map(vec![(key, at, node)]) }
}

/// The short tag on a value, and where it stands; YAML's own tags say nothing that we need.
fn named(tag: Option<&Tag>, span: &Span) -> Option<(String, Place)> {
    let tag = tag.filter(|tag| tag.handle() == "!")?;
    let start = span.tag_start.and_then(|at| at.byte_offset()).or_else(|| span.start.byte_offset()).unwrap_or_default();
    Some((tag.suffix().to_owned(), place(start, start + 1 + tag.suffix().len())))
}

fn place_of(span: &Span) -> Place {
    place(span.start.byte_offset().unwrap_or_default(), span.end.byte_offset().unwrap_or_default())
}

fn place(start: usize, end: usize) -> Place {
    let small = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
    Place { start: small(start), end: small(end) }
}

/// The place of a line and a column (both from 1) as serde_json counts them: in bytes.
fn offset(text: &str, line: usize, column: usize) -> Place {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let at = (before + column.saturating_sub(1)).min(text.len());
    place(at, at)
}

fn from_json(value: serde_json::Value) -> Node {
    let shape = match value {
        serde_json::Value::Null => Shape::Null,
        serde_json::Value::Bool(b) => Shape::Scalar(b.to_string()),
        serde_json::Value::Number(n) => Shape::Scalar(n.to_string()),
        serde_json::Value::String(s) => Shape::Scalar(s),
        serde_json::Value::Array(items) => Shape::List(items.into_iter().map(from_json).collect()),
        serde_json::Value::Object(entries) => {
            Shape::Map(entries.into_iter().map(|(key, value)| (key, Place::default(), from_json(value))).collect())
        }
    };
    Node { place: Place::default(), shape }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as one line.
    fn show(node: &Node) -> String {
        match &node.shape {
            Shape::Null => "null".to_owned(),
            Shape::Scalar(text) => text.clone(),
            Shape::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Shape::Map(entries) => format!(
                "{{{}}}",
                entries.iter().map(|(k, _, v)| format!("{k}: {}", show(v))).collect::<Vec<_>>().join(", ")
            ),
        }
    }

    fn check(text: &str) -> String {
        match Tree::read(text) {
            Ok(tree) => show(&tree.root),
            Err(e) => format!("{} at {}", e.message, e.place.start),
        }
    }

    #[test]
    fn short_tags_become_long_and_spelling_is_kept() {
        assert_eq!(check("a: !Ref B\nb: !GetAtt C.Arn\n"), "{a: {Ref: B}, b: {Fn::GetAtt: C.Arn}}");
        assert_eq!(check("a: !If [x, !Sub '${y}', {z: 1.30}]\n"), "{a: {Fn::If: [x, {Fn::Sub: ${y}}, {z: 1.30}]}}");
        assert_eq!(
            check("a: !Equals [!Ref X, 'true']\nb: true\nc: 007\nd: yes\n"),
            "{a: {Fn::Equals: [{Ref: X}, true]}, b: true, c: 007, d: yes}"
        );
        assert_eq!(
            check("a: !Transform {Name: AWS::Include}\nb:\nc: ~\nd: ''\ne: !!str null\n"),
            "{a: {Fn::Transform: {Name: AWS::Include}}, b: null, c: null, d: , e: null}"
        );
        assert_eq!(check("{\"a\": {\"Ref\": \"B\"},\t\"b\": [1, \"2\", null]}"), "{a: {Ref: B}, b: [1, 2, null]}");
        assert_eq!(check("{\"a\": \"\\ud83d\\ude00 \\/\"}"), "{a: 😀 /}");
        assert_eq!(check("a: &x [1]\nb: *x\n"), "{a: [1], b: [1]}");
    }

    #[test]
    fn plain_words_that_yaml_reads_otherwise_are_known() {
        let text = "[yes, 'yes', Off, true, 1.30, \"1.30\", 012, 500, 1.5, 10.0.0.0/16, x]";
        let tree = Tree::read(text).expect("it is YAML");
        let respelled: Vec<_> = tree.root.items().iter().map(|item| item.respelled().unwrap_or_default()).collect();
        assert_eq!(respelled, ["true", "", "false", "", "1.3", "", "12", "", "", "", ""]);
    }

    #[test]
    fn a_place_is_the_bytes_of_the_value() {
        let text = "äa: 1\nParameters:\n  One: { Default: x }\n  Two: !Ref\n    One\n";
        let tree = Tree::read(text).expect("it is YAML");
        let spelled = |place: Place| &text[place.start as usize..place.end as usize];
        let parameters = tree.root.get("Parameters").expect("there");
        assert_eq!(spelled(parameters.entries()[0].1), "One");
        assert_eq!(spelled(parameters.entries()[0].2.get("Default").expect("there").place), "x");
        let two = &parameters.entries()[1].2;
        assert_eq!(spelled(two.place), "!Ref\n    One");
        assert_eq!((spelled(two.entries()[0].1), spelled(two.entries()[0].2.place)), ("!Ref", "One"));
        assert!(spelled(parameters.place).ends_with("One"), "{:?}", spelled(parameters.place));
    }

    #[test]
    fn keys_that_stand_twice_are_told_and_the_first_is_kept() {
        let tree = Tree::read("a: 1\nb: 2\na: {c: 1, c: 2}\n").expect("it is YAML");
        assert_eq!(show(&tree.root), "{a: 1, b: 2}");
        let told: Vec<_> = tree.duplicates.iter().map(|d| (d.key.as_str(), d.first.start, d.again.start)).collect();
        assert_eq!(told, [("c", 14, 20), ("a", 0, 10)]);
    }

    #[test]
    fn mappings_are_merged_in_one_pass_however_many_keys_they_have() {
        let keys: String = (0..20_000).map(|n| format!("  k{n}: x\n")).collect();
        let tree = Tree::read(&format!("a: &a\n{keys}b:\n{}  k0: own\n", "  <<: *a\n".repeat(20))).expect("it is YAML");
        let b = tree.root.get("b").expect("there");
        assert_eq!((b.entries().len(), b.get("k0").and_then(Node::text)), (20_000, Some("own")));
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let deep = format!("a: {}{}", "[".repeat(200), "]".repeat(200));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
        }
        let table = [
            ("a: [1\n", "it is no YAML: "),
            ("{\"a\": 1,}", "it is no JSON: key must be a string at 8"),
            ("", "it is empty at 0"),
            ("a: 1\n---\nb: 1\n", "it holds more than one document at 5"),
            ("? [a]\n: b\n", "a key is not text at 2"),
            ("a: &x [*x]\n", "an alias stands inside what it names at 7"),
            (deep.as_str(), "it is nested more than 128 deep at "),
            (bomb.as_str(), "its aliases make it too large at "),
        ];
        for (text, begins) in table {
            assert!(check(text).starts_with(begins), "{}", check(text));
        }
    }
}
