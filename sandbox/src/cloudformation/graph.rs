//! Which resource needs which: the references of a template, checked, and the order they impose.
//! It must not know values: it needs only the names and, for the order, which conditions hold.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::intrinsics::function;
use super::substitute::{self, Part};
use super::template::Template;
use super::text::{TemplateError, get_att_pair};
use super::types;

/// One thing that an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reference {
    Name(String),
    Attribute(String, String),
    Condition(String),
}

/// Whether each condition holds.
pub type Conditions = BTreeMap<String, bool>;

const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// Checks every name that the template mentions, in whatever branch it stands.
pub fn check(template: &Template) -> Result<(), TemplateError> {
    check_conditions(template)?;
    let mut found = Vec::new();
    for spec in template.resources.values() {
        collect_all(spec.properties.values(), &mut found)?;
        found.extend(
            spec.depends_on.iter().filter(|name| !template.resources.contains_key(*name)).cloned().map(Reference::Name),
        );
        found.extend(spec.condition.iter().cloned().map(Reference::Condition));
    }
    check_names(template, &found, "Resources")?;
    let mut found = Vec::new();
    for output in template.outputs.values() {
        collect_all(std::iter::once(&output.value).chain(&output.export), &mut found)?;
        found.extend(output.condition.iter().cloned().map(Reference::Condition));
    }
    check_names(template, &found, "Outputs")
}

fn check_conditions(template: &Template) -> Result<(), TemplateError> {
    let mut found = Vec::new();
    collect_all(template.conditions.values(), &mut found)?;
    let mut unresolved = Vec::new();
    for reference in found {
        match reference {
            Reference::Name(name) if template.parameters.contains_key(&name) || PSEUDO.contains(&name.as_str()) => {}
            Reference::Condition(name) if template.conditions.contains_key(&name) => {}
            Reference::Condition(name) => {
                return Err(TemplateError::format(format!(
                    "Unresolved condition dependency [{name}] in the Conditions block of the template"
                )));
            }
            Reference::Name(name) | Reference::Attribute(name, _) => push_once(&mut unresolved, name),
        }
    }
    if unresolved.is_empty() {
        return Ok(());
    }
    Err(TemplateError::format(format!(
        "Unresolved dependencies [{}]. Cannot reference resources in the Conditions block of the template",
        unresolved.join(", ")
    )))
}

fn check_names(template: &Template, found: &[Reference], block: &str) -> Result<(), TemplateError> {
    let mut unresolved = Vec::new();
    for reference in found {
        match reference {
            Reference::Name(name) => {
                if !template.parameters.contains_key(name)
                    && !template.resources.contains_key(name)
                    && !PSEUDO.contains(&name.as_str())
                {
                    push_once(&mut unresolved, name.clone());
                }
            }
            Reference::Attribute(name, attribute) => {
                let Some(spec) = template.resources.get(name) else {
                    return Err(TemplateError::error(format!(
                        "instance of Fn::GetAtt references undefined resource {name}"
                    )));
                };
                if !attribute.is_empty() && types::find(&spec.kind).is_some_and(|kind| !kind.gives(attribute)) {
                    return Err(TemplateError::error(format!(
                        "resource {name} does not support attribute type {attribute} in Fn::GetAtt"
                    )));
                }
            }
            Reference::Condition(name) => {
                if !template.conditions.contains_key(name) {
                    return Err(TemplateError::format(format!(
                        "Unresolved condition dependency [{name}] in the {block} block of the template"
                    )));
                }
            }
        }
    }
    if unresolved.is_empty() { Ok(()) } else { Err(unresolved_in(block, &unresolved)) }
}

fn unresolved_in(block: &str, names: &[String]) -> TemplateError {
    TemplateError::format(format!(
        "Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    ))
}

/// The resources that the conditions include, each with the included resources it needs.
/// References to resources that the conditions leave out, and cycles, are errors.
pub fn needs(template: &Template, conditions: &Conditions) -> Result<IndexMap<String, Vec<String>>, TemplateError> {
    let included = |name: &str| template.resources.get(name).is_some_and(|it| holds(conditions, it.condition.as_ref()));
    let mut graph = IndexMap::new();
    let mut unresolved = Vec::new();
    for (name, spec) in template.resources.iter().filter(|(name, _)| included(name)) {
        let mut found = Vec::new();
        for value in spec.properties.values() {
            collect(value, Some(conditions), &mut found)?;
        }
        let mut needed: Vec<String> = spec.depends_on.iter().filter(|it| included(it)).cloned().collect();
        for other in resources_of(template, found) {
            if included(&other) { push_once(&mut needed, other) } else { push_once(&mut unresolved, other) }
        }
        graph.insert(name.clone(), needed);
    }
    if !unresolved.is_empty() {
        return Err(unresolved_in("Resources", &unresolved));
    }
    for output in template.outputs.values().filter(|it| holds(conditions, it.condition.as_ref())) {
        let mut found = Vec::new();
        for value in std::iter::once(&output.value).chain(&output.export) {
            collect(value, Some(conditions), &mut found)?;
        }
        for other in resources_of(template, found).into_iter().filter(|it| !included(it)) {
            push_once(&mut unresolved, other);
        }
    }
    if !unresolved.is_empty() {
        return Err(unresolved_in("Outputs", &unresolved));
    }
    refuse_cycles(&graph)?;
    Ok(graph)
}

/// Whether something with this condition is included; no condition is always included.
pub fn holds(conditions: &Conditions, condition: Option<&String>) -> bool {
    condition.is_none_or(|name| conditions.get(name).copied().unwrap_or(false))
}

/// The resources that an expression names, with the attribute asked for (empty: `Ref`), in the branches that hold.
pub fn mentions(template: &Template, value: &Value, conditions: &Conditions) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // The template was checked when it was parsed: what cannot be collected would have been refused there.
    if collect(value, Some(conditions), &mut found).is_err() {
        return Vec::new();
    }
    let pairs = found.into_iter().filter_map(|reference| match reference {
        Reference::Name(name) => Some((name, String::new())),
        Reference::Attribute(name, attribute) => Some((name, attribute)),
        Reference::Condition(_) => None,
    });
    pairs.filter(|(name, _)| template.resources.contains_key(name)).collect()
}

fn resources_of(template: &Template, found: Vec<Reference>) -> Vec<String> {
    let names = found.into_iter().filter_map(|reference| match reference {
        Reference::Name(name) | Reference::Attribute(name, _) => Some(name),
        Reference::Condition(_) => None,
    });
    names.filter(|name| template.resources.contains_key(name)).collect()
}

/// Takes away what needs nothing that is left, until nothing is left or nothing can be taken: that is the cycle.
fn refuse_cycles(graph: &IndexMap<String, Vec<String>>) -> Result<(), TemplateError> {
    let mut left: Vec<&String> = graph.keys().collect();
    loop {
        let before = left.len();
        let still = left.clone();
        left.retain(|name| graph[*name].iter().any(|it| still.contains(&it)));
        if left.len() == before {
            break;
        }
    }
    // Resources that only lead into the cycle are not part of it.
    loop {
        let before = left.len();
        let still = left.clone();
        left.retain(|name| still.iter().any(|other| graph[*other].contains(name)));
        if left.len() == before {
            break;
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = left.iter().map(|it| it.as_str()).collect();
    Err(TemplateError(format!("Circular dependency between resources: [{}]", names.join(", "))))
}

fn collect_all<'a>(values: impl Iterator<Item = &'a Value>, found: &mut Vec<Reference>) -> Result<(), TemplateError> {
    for value in values {
        collect(value, None, found)?;
    }
    Ok(())
}

/// Collects what an expression names; with conditions only from the branch of `Fn::If` that holds.
fn collect(value: &Value, conditions: Option<&Conditions>, found: &mut Vec<Reference>) -> Result<(), TemplateError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|it| collect(it, conditions, found)),
        Value::Object(object) => match function(object)? {
            Some((name, argument)) => collect_call(name, argument, conditions, found),
            None => object.values().try_for_each(|it| collect(it, conditions, found)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn collect_call(
    name: &str,
    argument: &Value,
    conditions: Option<&Conditions>,
    found: &mut Vec<Reference>,
) -> Result<(), TemplateError> {
    match (name, argument) {
        ("Ref", Value::String(name)) => found.push(Reference::Name(name.clone())),
        ("Condition", Value::String(name)) => found.push(Reference::Condition(name.clone())),
        ("Fn::GetAtt", argument) => {
            let pair = argument.as_str().map_or_else(|| argument.clone(), get_att_pair);
            let [Value::String(name), attribute] = pair.as_array().map(Vec::as_slice).unwrap_or_default() else {
                return Err(TemplateError::error(
                    "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
                ));
            };
            found.push(Reference::Attribute(name.clone(), attribute.as_str().unwrap_or_default().to_owned()));
            return collect(attribute, conditions, found);
        }
        ("Fn::Sub", argument) => return collect_sub(argument, conditions, found),
        ("Fn::If", Value::Array(parts)) => {
            let [Value::String(condition), yes, no] = parts.as_slice() else {
                return Err(TemplateError::error(
                    "Fn::If requires a list argument with three elements, the first of them a condition's name",
                ));
            };
            found.push(Reference::Condition(condition.clone()));
            return match conditions.map(|it| it.get(condition).copied().unwrap_or(false)) {
                Some(true) => collect(yes, conditions, found),
                Some(false) => collect(no, conditions, found),
                None => collect(yes, None, found).and_then(|()| collect(no, None, found)),
            };
        }
        ("Ref", _) => {
            return Err(TemplateError::error("every Ref object must have a single String value."));
        }
        (
            "Fn::Base64" | "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" | "Fn::FindInMap" | "Fn::GetAZs"
            | "Fn::ImportValue" | "Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::Cidr",
            argument,
        ) => return collect(argument, conditions, found),
        (other, _) => return Err(super::intrinsics::unsupported(other)),
    }
    Ok(())
}

fn collect_sub(
    argument: &Value,
    conditions: Option<&Conditions>,
    found: &mut Vec<Reference>,
) -> Result<(), TemplateError> {
    let (text, locals) = match argument {
        Value::String(text) => (text, None),
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(text), Value::Object(locals)] => (text, Some(locals)),
            _ => return Err(substitute::wrong_arguments()),
        },
        _ => return Err(substitute::wrong_arguments()),
    };
    for part in substitute::parts(text)? {
        let Part::Variable(name) = part else { continue };
        if locals.is_some_and(|it| it.contains_key(&name)) {
            continue;
        }
        found.push(match name.split_once('.') {
            Some((resource, attribute)) => Reference::Attribute(resource.to_owned(), attribute.to_owned()),
            None => Reference::Name(name),
        });
    }
    locals.map_or(Ok(()), |it| it.values().try_for_each(|value| collect(value, conditions, found)))
}

fn push_once(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}
