//! Why a condition is as it is: the parameters that it reads, with their values.
//! Knows nothing of what follows from it.

use std::collections::HashSet;

use super::conditions::named_in;
use super::evaluate::Stack;
use super::node::{Node, Shape};

/// Most parameters that are named: more would say nothing.
const MOST_NAMED: usize = 4;

/// The parameters that decide a condition, with their values: `CreateEKSCluster=false, CreateSubnet=true`.
pub fn values<'a>(stack: &Stack<'a>, condition: &'a str) -> String {
    follow(stack, vec![condition], Vec::new())
}

/// The parameters that these expressions read, with their values.
pub(super) fn values_in<'a>(stack: &Stack<'_>, expressions: impl Iterator<Item = &'a Node>) -> String {
    let (mut parameters, mut named) = (Vec::new(), Vec::new());
    for expression in expressions {
        read_in(expression, &mut parameters);
        named_in(expression, &mut named);
    }
    follow(stack, named, parameters)
}

/// The parameters that are read already, and those that the named conditions read, each once.
fn follow<'a>(stack: &Stack<'a>, mut open: Vec<&'a str>, mut parameters: Vec<&'a str>) -> String {
    let mut seen: HashSet<&str> = open.iter().copied().collect();
    while let Some(name) = open.pop() {
        let Some(condition) = stack.template.conditions.get(name) else { continue };
        read_in(&condition.expression, &mut parameters);
        let mut named = Vec::new();
        named_in(&condition.expression, &mut named);
        open.extend(named.into_iter().filter(|name| seen.insert(name)));
    }
    shown(stack, parameters)
}

fn shown(stack: &Stack<'_>, mut parameters: Vec<&str>) -> String {
    let declared = &stack.template.parameters;
    parameters.retain(|name| declared.get(*name).is_some_and(|parameter| !parameter.no_echo));
    parameters.sort_by_key(|name| declared.get_index_of(*name));
    parameters.dedup();
    let known = parameters.iter().filter_map(|name| {
        let text = stack.argument(name)?;
        Some(format!("{name}={}", text.as_known().map(|text| if text.is_empty() { "''" } else { text })?))
    });
    let known: Vec<String> = known.collect();
    let more = if known.len() > MOST_NAMED { ", …" } else { "" };
    format!("{}{more}", known[..known.len().min(MOST_NAMED)].join(", "))
}

/// The names that `Ref` names in an expression.
fn read_in<'a>(node: &'a Node, found: &mut Vec<&'a str>) {
    match &node.shape {
        Shape::Null | Shape::Scalar(_) => {}
        Shape::List(items) => items.iter().for_each(|item| read_in(item, found)),
        Shape::Map(entries) => {
            for (key, _, node) in entries {
                match (key.as_str(), node.text()) {
                    ("Ref", Some(name)) => found.push(name),
                    ("Fn::Sub", Some(text)) => {
                        found.extend(super::calls::parts(text).into_iter().filter_map(|part| match part {
                            super::calls::Part::Name(name, _, _) => Some(name),
                            super::calls::Part::Text(_)
                            | super::calls::Part::Literal(_)
                            | super::calls::Part::Wrong(..) => None,
                        }))
                    }
                    (_, _) => read_in(node, found),
                }
            }
        }
    }
}
