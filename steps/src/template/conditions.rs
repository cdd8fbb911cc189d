//! Which conditions of a template hold for given parameters, to count the resources that will be made.
//! Knows nothing of what only AWS knows (pseudo parameters, imports): that is "cannot be told".

use super::node::{Node, Shape};

/// Most conditions that may stand behind each other: a cycle ends here.
const DEEPEST: usize = 32;

/// Whether the condition `name` holds; `None` where that cannot be told offline.
pub fn holds(name: &str, conditions: Option<&Node>, value: &dyn Fn(&str) -> Option<String>) -> Option<bool> {
    Evaluation { conditions, value }.named(name, 0)
}

struct Evaluation<'a> {
    conditions: Option<&'a Node>,
    value: &'a dyn Fn(&str) -> Option<String>,
}

impl Evaluation<'_> {
    fn named(&self, name: &str, depth: usize) -> Option<bool> {
        if depth > DEEPEST {
            return None;
        }
        self.condition(self.conditions?.get(name)?, depth + 1)
    }

    fn condition(&self, node: &Node, depth: usize) -> Option<bool> {
        let (function, argument) = function(node)?;
        let each = || argument.items().iter().map(|item| self.condition(item, depth));
        match function {
            "Condition" => self.named(argument.text()?, depth),
            "Equals" => match argument.items() {
                [left, right] => Some(self.text(left)? == self.text(right)?),
                _ => None,
            },
            "Not" => each().next()?.map(|holds| !holds),
            "And" => all(each()),
            "Or" => all(each().map(|holds| holds.map(|h| !h))).map(|none| !none),
            _ => None,
        }
    }

    fn text(&self, node: &Node) -> Option<String> {
        match function(node) {
            Some(("Ref", name)) => (self.value)(name.text()?),
            Some(_) => None,
            None => node.text().map(str::to_owned),
        }
    }
}

/// Three-valued "and": false wins over what cannot be told.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<Option<bool>> = parts.collect();
    if parts.contains(&Some(false)) {
        return Some(false);
    }
    parts.iter().all(|part| *part == Some(true)).then_some(true)
}

/// The intrinsic function that `node` calls, in its short or its long spelling, and what it is given.
fn function(node: &Node) -> Option<(&str, Node)> {
    if let Some(tag) = node.tag.as_deref().and_then(|t| t.strip_prefix('!')) {
        return Some((tag, Node { tag: None, ..node.clone() }));
    }
    match &node.shape {
        Shape::Map(entries) => match entries.as_slice() {
            [(key, _, argument)] if key.starts_with("Fn::") || key == "Ref" || key == "Condition" => {
                Some((key.strip_prefix("Fn::").unwrap_or(key), argument.clone()))
            }
            _ => None,
        },
        Shape::Scalar(_) | Shape::List(_) => None,
    }
}
