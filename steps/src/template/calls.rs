//! Intrinsic functions as they stand in a template: which there are, and what each must be given.
//! Knows nothing of values, and of names only where they stand.

use super::node::{Node, Shape};
use crate::partial::Place;

/// A function with what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// `Ref`, or `Fn::…`.
    pub name: &'a str,
    /// Where the name stands.
    pub place: Place,
    /// What it is given.
    pub argument: &'a Node,
}

/// Every function there is, those of rules and of macros of CloudFormation's own included.
pub const FUNCTIONS: [&str; 28] = [
    "Ref",
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Contains",
    "Fn::EachMemberEquals",
    "Fn::EachMemberIn",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAZs",
    "Fn::GetAtt",
    "Fn::GetStackOutput",
    "Fn::If",
    "Fn::Implies",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::RefAll",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
    "Fn::ValueOf",
    "Fn::ValueOfAll",
    "Fn::ForEach",
];

impl<'a> Call<'a> {
    /// The function that `node` is, if it is one.
    pub fn of(node: &'a Node) -> Option<Self> {
        let [(name, place, argument)] = node.entries() else { return None };
        (name == "Ref" || name.starts_with("Fn::")).then_some(Self { name, place: *place, argument })
    }

    /// The function or the named condition that `node` is, where a condition is asked for.
    pub fn of_condition(node: &'a Node) -> Option<Self> {
        match node.entries() {
            [(name, place, argument)] if name == "Condition" => Some(Self { name, place: *place, argument }),
            _ => Self::of(node),
        }
    }

    /// What it takes, if it is given something else.
    pub fn wrong_arguments(&self) -> Option<&'static str> {
        let (argument, items) = (self.argument, self.argument.items());
        let is_value = |node: &Node| node.text().is_some() || Call::of(node).is_some();
        let is_list = |node: &Node| matches!(node.shape, Shape::List(_)) || Call::of(node).is_some();
        let (right, takes) = match self.name {
            "Ref" => (argument.text().is_some_and(|t| !t.is_empty()), "the name of a parameter or a resource"),
            "Condition" => (argument.text().is_some(), "the name of a condition"),
            "Fn::GetAtt" => (attribute(argument).is_some(), "a resource and an attribute of it: `Name.Attribute`"),
            "Fn::Sub" => (
                argument.text().is_some()
                    || matches!(items, [text, map] if text.text().is_some() && matches!(map.shape, Shape::Map(_))),
                "a text, or a list of a text and a mapping",
            ),
            "Fn::Join" => (
                matches!(items, [mark, list] if mark.text().is_some() && is_list(list)),
                "a list of two: a text and a list",
            ),
            "Fn::Select" => (
                matches!(items, [index, list] if is_value(index) && is_list(list)),
                "a list of two: a number and a list",
            ),
            "Fn::Split" => (
                matches!(items, [mark, text] if mark.text().is_some_and(|m| !m.is_empty()) && is_value(text)),
                "a list of two: what divides, and a text",
            ),
            "Fn::If" => (
                matches!(items, [name, _, _] if name.text().is_some()),
                "a list of three: the name of a condition, and the two values",
            ),
            "Fn::FindInMap" => (
                matches!(items, [map, first, second] if is_value(map) && is_value(first) && is_value(second)),
                "a list of three: the name of a mapping and two keys",
            ),
            "Fn::GetAZs" if argument.shape == Shape::Null => (true, ""),
            "Fn::GetAZs" | "Fn::ImportValue" | "Fn::Base64" => (is_value(argument), "one text"),
            "Fn::Cidr" => (
                matches!(items.len(), 2 | 3) && items.iter().all(is_value),
                "a list of a block, a count and, if wanted, the bits of a host",
            ),
            "Fn::Equals" => (items.len() == 2, "a list of two values"),
            "Fn::Not" => (items.len() == 1, "a list of one condition"),
            "Fn::And" | "Fn::Or" => (matches!(items.len(), 2..=10), "a list of 2 to 10 conditions"),
            "Fn::Contains" | "Fn::EachMemberEquals" => {
                (matches!(items, [list, _] if is_list(list)), "a list of two: a list and a text")
            }
            "Fn::EachMemberIn" => {
                (matches!(items, [some, all] if is_list(some) && is_list(all)), "a list of two lists")
            }
            _ => (true, ""),
        };
        (!right).then_some(takes)
    }
}

/// The resource and the attribute that `Fn::GetAtt` names; the attribute may be an expression.
pub fn attribute(argument: &Node) -> Option<(&str, Attribute<'_>, Place)> {
    if let Some(text) = argument.text() {
        let (name, attribute) = text.split_once('.')?;
        let named = !name.is_empty() && !attribute.is_empty();
        return named.then_some((name, Attribute::Named(attribute), inside(argument, 0, name.len())));
    }
    match argument.items() {
        [name, attribute] => {
            let text = name.text().filter(|name| !name.is_empty())?;
            match attribute.text() {
                Some(named) => (!named.is_empty()).then_some((text, Attribute::Named(named), name.place)),
                None => Some((text, Attribute::Expression(attribute), name.place)),
            }
        }
        // A long attribute may be given in pieces.
        [name, rest @ ..] if rest.len() > 1 && rest.iter().all(|part| part.text().is_some()) => {
            Some((name.text()?, Attribute::Expression(argument), name.place))
        }
        _ => None,
    }
}

/// The attribute that is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Attribute<'a> {
    /// By name.
    Named(&'a str),
    /// By an expression.
    Expression(&'a Node),
}

/// A part of an `Fn::Sub` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Characters as they are.
    Text(&'a str),
    /// `${!Name}`, which stands for `${Name}`.
    Literal(&'a str),
    /// A name, and where it begins and ends in the text.
    Name(&'a str, usize, usize),
    /// What stands between `${` and `}` and is no name, with the same.
    Wrong(&'a str, usize, usize),
}

/// The parts of an `Fn::Sub` text.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let (mut parts, mut done) = (Vec::new(), 0);
    while let Some(start) = text[done..].find("${").map(|at| at + done) {
        let Some(end) = text[start..].find('}').map(|at| at + start) else { break };
        if start > done {
            parts.push(Part::Text(&text[done..start]));
        }
        let inside = &text[start + 2..end];
        let name = inside.trim();
        parts.push(match name.strip_prefix('!') {
            Some(literal) => Part::Literal(literal),
            None if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c)) => {
                let from = start + 2 + (inside.len() - inside.trim_start().len());
                Part::Name(name, from, from + name.len())
            }
            None => Part::Wrong(inside, start, end + 1),
        });
        done = end + 1;
    }
    if done < text.len() {
        parts.push(Part::Text(&text[done..]));
    }
    parts
}

/// The text and the local names of an `Fn::Sub`.
pub fn substitution(argument: &Node) -> Option<(&Node, &[super::node::Entry])> {
    match argument.items() {
        [text, locals] => Some((text, locals.entries())),
        [] => argument.text().map(|_| (argument, [].as_slice())),
        _ => None,
    }
}

/// The place of the bytes `start..end` of a scalar's text, where the file spells it as it is; else the whole scalar.
pub fn inside(node: &Node, start: usize, end: usize) -> Place {
    let length = node.text().map_or(0, str::len);
    let spelled = (node.place.end - node.place.start) as usize;
    let quote = match spelled.checked_sub(length) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return node.place,
    };
    let at = |offset: usize| node.place.start + u32::try_from(offset + quote).unwrap_or_default();
    Place { start: at(start), end: at(end) }
}

#[cfg(test)]
mod tests {
    use super::super::node::Tree;
    use super::*;

    #[test]
    fn arguments_are_held_against_what_each_function_takes() {
        let table = [
            ("!Ref A", true),
            ("{Ref: [A]}", false),
            ("!GetAtt A.B.C", true),
            ("!GetAtt A", false),
            ("!GetAtt [A, B]", true),
            ("!GetAtt [A, !Ref B]", true),
            ("!Sub '${A}'", true),
            ("!Sub ['${A}', {A: 1}]", true),
            ("!Sub ['${A}']", false),
            ("!Join [',', [a, b]]", true),
            ("!Join [',', !Ref List]", true),
            ("!Join [',', a]", false),
            ("!Join [',', [a], b]", false),
            ("!Select [0, !GetAZs '']", true),
            ("!Select [0]", false),
            ("!Split ['', a]", false),
            ("!If [A, b, c]", true),
            ("!If [A, b]", false),
            ("!FindInMap [A, !Ref B, c]", true),
            ("!FindInMap [A, b]", false),
            ("!GetAZs", true),
            ("!Cidr [!Ref A, 3, 8]", true),
            ("!Cidr [!Ref A]", false),
            ("!Equals [a, b]", true),
            ("!Equals [a]", false),
            ("!Not [!Equals [a, b]]", true),
            ("!Not {a: b}", false),
            ("!And [!Equals [a, b]]", false),
            ("!Contains [[a], a]", true),
            ("!EachMemberIn [[a], a]", false),
        ];
        for (text, right) in table {
            let tree = Tree::read(&format!("V: {text}")).expect("it is YAML");
            let call = Call::of_condition(tree.root.get("V").expect("there")).expect("it is a function");
            assert_eq!(call.wrong_arguments().is_none(), right, "{text}");
        }
    }

    #[test]
    fn a_text_to_substitute_in_is_divided() {
        use Part::{Literal, Name, Text, Wrong};
        assert_eq!(parts("a${B}c"), [Text("a"), Name("B", 3, 4), Text("c")]);
        assert_eq!(parts("${ A.B }${!C}"), [Name("A.B", 3, 6), Literal("C")]);
        assert_eq!(parts("${a b}"), [Wrong("a b", 0, 6)]);
        assert_eq!(parts("$a ${"), [Text("$a ${")]);
        assert_eq!(parts("${ä}"), [Wrong("ä", 0, 5)]);
    }
}
