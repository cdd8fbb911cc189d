//! All that is wrong with a template for the values of its parameters, in one pass.
//! Knows nothing of where values and text come from.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::conditions::Holds;
use super::evaluate::Stack;
use super::{Problem, limits, network, rules, walk, zones};
use crate::codes::template as codes;
use crate::partial::{Place, Text};

/// What is wrong with the template of this stack, and with it for these parameters. What is not known is no mistake.
pub fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = stack.template.problems.clone();
    problems.extend(limits::check(stack.template));
    problems.extend(defaults(stack));
    problems.extend(circular_conditions(stack));
    problems.extend(walk::check(stack));
    problems.extend(rules::check(stack));
    problems.extend(network::check(stack));
    problems.extend(zones::check(stack));
    problems.extend(nested(stack));
    problems.extend(exports(stack));
    problems
}

/// Defaults that their own parameters refuse: an error only where the default is used.
fn defaults(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, parameter) in &stack.template.parameters {
        let Some((default, place)) = &parameter.default else { continue };
        // What CloudFormation reads in it is not known, and may be allowed.
        if parameter.default_is_unsure {
            continue;
        }
        let Some(refusal) = parameter.refuses(default) else { continue };
        let message = format!("the parameter `{name}` {refusal}, and that is its default");
        problems.push(if stack.is_given(name) {
            Problem::warning(&codes::WRONG_DEFAULT, *place, message)
        } else {
            let help = match parameter.meant(default) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "give another value under `parameters`, or mend the default".to_owned(),
            };
            Problem::error(&codes::WRONG_DEFAULT, *place, message).help(help)
        });
    }
    problems
}

fn circular_conditions(stack: &Stack<'_>) -> Vec<Problem> {
    let told = stack.circles.iter().map(|group| {
        let mut group = group.clone();
        group.sort_by_key(|name| stack.template.conditions.get_index_of(*name));
        let place = |name: &str| stack.template.conditions[name].place;
        let names: Vec<String> = group.iter().map(|name| format!("`{name}`")).collect();
        let message = match names.as_slice() {
            [one] => format!("the condition {one} names itself"),
            _ => format!("conditions go round in a circle: {}", names.join(", ")),
        };
        let related = group.iter().skip(1).map(|name| (place(name), "one of them".to_owned())).collect();
        let problem = Problem::error(&codes::CIRCULAR_CONDITIONS, place(group[0]), message);
        Problem { related, ..problem }.help("one of them must not name another")
    });
    told.collect()
}

/// Nested stacks whose template is a path: CloudFormation reads it from S3, and nobody puts it there.
fn nested(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, resource) in &stack.template.resources {
        if resource.kind.0 != "AWS::CloudFormation::Stack" || stack.has(resource.condition.as_ref()) == Holds::No {
            continue;
        }
        let Some(node) = resource.properties.as_ref().and_then(|properties| properties.get("TemplateURL")) else {
            continue;
        };
        let text = stack.text(node);
        // A beginning that is not known may be the bucket.
        let is_path = text.as_known().is_some_and(|text| !text.contains("://"));
        if is_path {
            problems.push(
                Problem::error(
                    &codes::LOCAL_NESTED_TEMPLATE,
                    node.place,
                    format!("the nested stack `{id}` names a file of this machine: {text}"),
                )
                .help(
                    "CloudFormation reads nested templates from S3 only, and deploy-stack sends this template as it is: \
                     `aws cloudformation package` uploads them and writes a template with their URLs",
                ),
            );
        }
    }
    problems
}

/// Outputs that are surely made and exported under one name.
fn exports(stack: &Stack<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen: HashMap<Text, (&str, Place)> = HashMap::new();
    for (key, output) in &stack.template.outputs {
        let Some(node) = output.export.as_ref().filter(|_| stack.has(output.condition.as_ref()) == Holds::Yes) else {
            continue;
        };
        let name = stack.text(node);
        if name.is_unknown() {
            continue;
        }
        match seen.entry(name) {
            Entry::Vacant(free) => drop(free.insert((key, node.place))),
            Entry::Occupied(taken) => {
                let (other, at) = taken.get();
                let message = format!("`{key}` is exported under the same name as `{other}`");
                let problem = Problem::error(&codes::EXPORTED_TWICE, node.place, message);
                problems.push(Problem { related: vec![(*at, "exported here".to_owned())], ..problem });
            }
        }
    }
    problems
}
