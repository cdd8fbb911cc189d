//! What is wrong with a deploy-stack before it runs, and which outputs it will have: from its inputs and its template.
//! Knows nothing of AWS; references inside the template are not followed here.

use super::StackOutputs;
use super::request::text_of;
use crate::codes::template;
use crate::fact::Fact;
use crate::files::Files;
use crate::finding::{At, Finding};
use crate::partial::{Partial, Place, ValueType, nearest};
use crate::step::{DeclaredOutput, DeclaredOutputs, declared_outputs};
use crate::template::node::Node;
use crate::template::{LARGEST_BODY, LARGEST_TEMPLATE, Template};
use crate::value::Value;

/// Everything that can be said offline, in one pass.
pub fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(name) = inputs.get("name") {
        findings.extend(
            name.as_str()
                .and_then(wrong_name)
                .map(|message| Finding::error(&template::WRONG_STACK_NAME, name.place(), message)),
        );
    }
    let Some(input) = inputs.get("template") else { return findings };
    let Some(path) = input.as_str() else { return findings };
    let text = match files.text(path) {
        Ok(text) => text,
        Err(message) => {
            findings.push(Finding::error(&template::UNREADABLE_TEMPLATE, input.place(), message));
            return findings;
        }
    };
    findings.extend(size(inputs, path, text.len(), input.place()));
    match Template::read(text) {
        Ok(template) => findings.extend(parameters(inputs, &template, path)),
        Err((message, place)) => findings.push(Finding::in_file(&template::UNREADABLE_TEMPLATE, path, place, message)),
    }
    findings
}

/// `name`, `id` and the template's output keys.
pub fn outputs(inputs: &Partial, files: &Files) -> DeclaredOutputs {
    let mut declared = declared_outputs::<StackOutputs>();
    let Some(Ok(text)) = inputs.str_at("template").map(|path| files.text(path)) else { return declared };
    // A template that is no good as a whole may still name its outputs: references to them are not the fault.
    let Ok(tree) = Node::read(text) else { return declared };
    for (key, _, output) in tree.get("Outputs").map(Node::entries).unwrap_or_default() {
        let description =
            output.get("Description").and_then(Node::text).unwrap_or("an output of the template").to_owned();
        let output = DeclaredOutput { value_type: ValueType::String, description };
        declared.entry(key.clone()).or_insert(output);
    }
    declared
}

/// The stack that it makes with its outputs, and what belongs to a region among its parameters.
pub fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
    let Some(template) = inputs.get("template") else { return Vec::new() };
    let readable = template.as_str().is_some_and(|path| files.text(path).is_ok_and(|text| Node::read(text).is_ok()));
    let stack = inputs.get("name").and_then(Partial::text).filter(|_| readable);
    let makes = stack.map(|stack| {
        let outputs = outputs(inputs, files).into_keys().filter(|key| key != "name" && key != "id").collect();
        Fact::Makes { stack, outputs, place: template.place() }
    });
    let parameters = match inputs.get("parameters") {
        Some(Partial::Map(parameters, _)) => parameters.values().map(|(_, value)| value).collect(),
        Some(_) | None => Vec::new(),
    };
    let named = parameters.into_iter().chain(inputs.get("role-arn"));
    let named = named.filter_map(|value| Some(Fact::Names { id: value.text()?, at: At::Pipeline(value.place()) }));
    makes.into_iter().chain(named).collect()
}

fn wrong_name(name: &str) -> Option<String> {
    let good = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (!good).then(|| {
        format!("`{name}` is no name for a stack: letters, digits and hyphens, at most 128, beginning with a letter")
    })
}

fn size(inputs: &Partial, path: &str, size: usize, place: Place) -> Option<Finding> {
    if size > LARGEST_TEMPLATE {
        let message = format!("{path} is {size} bytes; CloudFormation takes {LARGEST_TEMPLATE}");
        return Some(Finding::error(&template::TEMPLATE_TOO_LARGE, place, message).help("split it into nested stacks"));
    }
    let bucket = inputs.get("template-bucket").is_some_and(|b| !matches!(b, Partial::Known(Value::Null, _)));
    (size > LARGEST_BODY && !bucket).then(|| {
        let message = format!("{path} is {size} bytes; a request takes {LARGEST_BODY}");
        Finding::error(&template::TEMPLATE_TOO_LARGE, place, message).help("name a bucket for it: `template-bucket: …`")
    })
}

fn parameters(inputs: &Partial, template: &Template, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let given = match inputs.get("parameters") {
        Some(Partial::Map(entries, _)) => Some(entries),
        Some(Partial::Unknown(..)) => return findings,
        Some(Partial::Known(..) | Partial::List(..)) | None => None,
    };
    for (name, (place, value)) in given.into_iter().flatten() {
        let Some(parameter) = template.parameters.get(name) else {
            let finding =
                Finding::error(&template::UNKNOWN_PARAMETER, *place, format!("{path} has no parameter `{name}`"));
            let names = template.parameters.keys().map(String::as_str);
            findings.push(match nearest(name, names) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding,
            });
            continue;
        };
        if value.value_type() == ValueType::Secret {
            if !parameter.no_echo {
                let message = format!("the parameter `{name}` shows its value to everyone who may describe the stack");
                findings.push(
                    Finding::error(&template::SECRET_PARAMETER_SHOWN, value.place(), message)
                        .help("give it `NoEcho: true` in the template"),
                );
            }
            continue;
        }
        let Some(known) = value.known() else { continue };
        match text_of(&known) {
            Err(message) => findings.push(Finding::error(
                &template::WRONG_PARAMETER_VALUE,
                value.place(),
                format!("the parameter `{name}` {message}"),
            )),
            Ok(text) => findings.extend(parameter.refuses(&text).map(|e| {
                Finding::error(&template::WRONG_PARAMETER_VALUE, value.place(), format!("the parameter `{name}`: {e}"))
            })),
        }
    }
    let missing = template.parameters.iter().filter(|(name, parameter)| {
        parameter.default.is_none() && !given.is_some_and(|given| given.contains_key(*name))
    });
    let missing: Vec<String> = missing.map(|(name, _)| format!("`{name}`")).collect();
    if !missing.is_empty() {
        let place = inputs.get("parameters").unwrap_or(inputs).place();
        let message = format!("{path} needs a value for {}", missing.join(", "));
        findings.push(
            Finding::error(&template::MISSING_PARAMETER, place, message)
                .help("add it under `parameters:`, or give it a Default"),
        );
    }
    findings
}
