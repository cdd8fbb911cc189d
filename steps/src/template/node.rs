//! A CloudFormation template as a tree with places and short tags (`!Ref`, `!Sub` …), from YAML or JSON.
//! Knows nothing of what the sections of a template mean.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_saphyr::{Spanned, Tagged};

use crate::partial::Place;

/// One value of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Bytes of the template's text.
    pub place: Place,
    /// The short tag, such as `!Ref`.
    pub tag: Option<String>,
    /// What stands there.
    pub shape: Shape,
}

/// What stands at a place of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A scalar, spelled as in the file: CloudFormation compares parameters as text.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Place, Node)>),
}

impl Node {
    /// Reads a template's text. The error says why it cannot be read, and where.
    pub fn read(text: &str) -> Result<Self, (String, Place)> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let mut node: Self = serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            let place = e.location().map(place_of).unwrap_or_default();
            (e.to_string(), place)
        })?;
        node.respell(text);
        Ok(node)
    }

    /// The entry `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _, _)| name == key).map(|(_, _, node)| node)
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(String, Place, Self)] {
        match &self.shape {
            Shape::Map(entries) => entries,
            Shape::Scalar(_) | Shape::List(_) => &[],
        }
    }

    /// The items of a sequence; none for anything else.
    pub fn items(&self) -> &[Self] {
        match &self.shape {
            Shape::List(items) => items,
            Shape::Scalar(_) | Shape::Map(_) => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(text) => Some(text),
            Shape::List(_) | Shape::Map(_) => None,
        }
    }

    /// Numbers and booleans back as they were spelled: `1.30` is a version, not 1.3.
    fn respell(&mut self, text: &str) {
        match &mut self.shape {
            Shape::Scalar(scalar) => {
                let spelled = text.get(self.place.start as usize..self.place.end as usize).map(str::trim);
                // A quoted or tagged scalar is text already; only a plain one that was read as a number differs.
                if let Some(spelled) = spelled
                    && spelled != scalar
                    && spelled.parse::<f64>().is_ok_and(|number| scalar.parse::<f64>() == Ok(number))
                {
                    spelled.clone_into(scalar);
                }
            }
            Shape::List(items) => items.iter_mut().for_each(|item| item.respell(text)),
            Shape::Map(entries) => entries.iter_mut().for_each(|(_, _, node)| node.respell(text)),
        }
    }
}

fn place_of(location: serde_saphyr::Location) -> Place {
    let span = location.span();
    let start = span.byte_offset().unwrap_or_default();
    let end = start + span.byte_len().unwrap_or_default();
    Place { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Tagged(shape, tag), defined, .. } = Spanned::<Tagged<Shape>>::deserialize(deserializer)?;
        Ok(Self { place: place_of(defined), tag, shape })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyShape)
    }
}

struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a CloudFormation template")
    }
    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(String::new()))
    }
    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(String::new()))
    }
    fn visit_bool<E>(self, v: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_i128<E>(self, v: i128) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_u128<E>(self, v: u128) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_string()))
    }
    fn visit_str<E>(self, v: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(v.to_owned()))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let place = place_of(key.defined);
            entries.push((key.value, place, map.next_value()?));
        }
        Ok(Shape::Map(entries))
    }
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Shape, A::Error> {
        let (_, content) = data.variant::<String>()?;
        content.newtype_variant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as one line: tags before their values.
    fn show(node: &Node) -> String {
        let tag = node.tag.as_ref().map(|t| format!("{t} ")).unwrap_or_default();
        let shape = match &node.shape {
            Shape::Scalar(text) => text.clone(),
            Shape::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Shape::Map(entries) => format!(
                "{{{}}}",
                entries.iter().map(|(k, _, v)| format!("{k}: {}", show(v))).collect::<Vec<_>>().join(", ")
            ),
        };
        format!("{tag}{shape}")
    }

    fn check(text: &str) -> String {
        match Node::read(text) {
            Ok(node) => show(&node),
            Err((message, place)) => format!("{message} at {}", place.start),
        }
    }

    #[test]
    fn short_tags_and_spelling_are_kept() {
        assert_eq!(check("a: !Ref B\nb: !GetAtt C.Arn\n"), "{a: !Ref B, b: !GetAtt C.Arn}");
        assert_eq!(check("a: !If [x, !Sub '${y}', {z: 1.30}]\n"), "{a: !If [x, !Sub ${y}, {z: 1.30}]}");
        assert_eq!(
            check("a: !Equals [!Ref X, 'true']\nb: true\nc: 007\nd: yes\n"),
            "{a: !Equals [!Ref X, true], b: true, c: 007, d: yes}"
        );
        assert_eq!(check("a: !Transform {Name: AWS::Include}\nb:\n"), "{a: !Transform {Name: AWS::Include}, b: }");
        assert_eq!(check("{\"a\": {\"Ref\": \"B\"}, \"b\": [1, \"2\"]}"), "{a: {Ref: B}, b: [1, 2]}");
        assert_eq!(check("a: &x [1]\nb: *x\n"), "{a: [1], b: [1]}");
    }

    #[test]
    fn a_place_is_the_bytes_of_the_value() {
        let text = "äa: 1\nParameters:\n  One: { Default: x }\n";
        let node = Node::read(text).expect("it is YAML");
        let (_, key, one) = &node.get("Parameters").expect("there").entries()[0];
        assert_eq!(&text[key.start as usize..key.end as usize], "One");
        let default = one.get("Default").expect("there").place;
        assert_eq!(&text[default.start as usize..default.end as usize], "x");
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        assert!(check("a: 1\na: 2\n").contains("duplicate"), "{}", check("a: 1\na: 2\n"));
        assert!(check("a: [1\n").contains("at "), "{}", check("a: [1\n"));
    }
}
