//! Macros of a template: what CloudFormation rewrites before it looks at the rest.
//! Knows nothing of what they make.

use super::node::{Entry, Node, Shape};
use crate::partial::Place;

/// The macro of CloudFormation's own that adds functions, but no names unless it loops.
const LANGUAGE_EXTENSIONS: &str = "AWS::LanguageExtensions";

/// The macros that `Transform` names.
pub(super) fn transforms(node: Option<&Node>) -> Vec<(String, Place)> {
    let Some(node) = node else { return Vec::new() };
    let items = if let Shape::List(items) = &node.shape { items.as_slice() } else { std::slice::from_ref(node) };
    let name = |item: &Node| item.text().or_else(|| item.get("Name").and_then(Node::text)).map(str::to_owned);
    items.iter().map(|item| (name(item).unwrap_or_default(), item.place)).collect()
}

/// Whether a macro may add names: one of a person, one that loops, or one that stands where names do.
pub(super) fn is_open(root: &[Entry]) -> bool {
    let section = |name: &str| root.iter().find(|(key, _, _)| key == name).map(|(_, _, node)| node);
    let foreign = transforms(section("Transform")).iter().any(|(name, _)| name != LANGUAGE_EXTENSIONS);
    let adds = |entries: &[Entry]| {
        entries.iter().any(|(key, _, _)| key == "Fn::Transform" || key.starts_with("Fn::ForEach::"))
    };
    // The template's own metadata is never looked at.
    let mut sections = root.iter().filter(|(key, _, _)| key != "Metadata");
    let within = |node: &Node| adds(node.entries()) || node.entries().iter().any(|(_, _, node)| adds(node.entries()));
    foreign || adds(root) || sections.any(|(_, _, node)| within(node))
}

/// Where a macro is first called.
pub(super) fn first_macro(root: &[Entry]) -> Option<Place> {
    fn within(node: &Node) -> Option<Place> {
        match &node.shape {
            Shape::Null | Shape::Scalar(_) => None,
            Shape::List(items) => items.iter().find_map(within),
            Shape::Map(entries) => entries.iter().find_map(|(key, place, node)| {
                let calls = key == "Fn::Transform" || key.starts_with("Fn::ForEach::");
                if calls { Some(*place) } else { within(node) }
            }),
        }
    }
    // The template's own metadata is never looked at.
    let named = root.iter().find(|(key, _, _)| key == "Transform" || key == "Fn::Transform").map(|(_, at, _)| *at);
    named.or_else(|| root.iter().filter(|(key, _, _)| key != "Metadata").find_map(|(_, _, node)| within(node)))
}
