//! What is wrong with a deploy-stack before it runs: from its inputs and its template.
//! Knows nothing of AWS; what a template says by itself is told by [`crate::template`].

use super::reading::{arguments, read};
use super::request::text_of;
use super::{Capability, default_capabilities};
use crate::codes::template as codes;
use crate::files::Files;
use crate::finding::{At, Finding};
use crate::partial::{Partial, Place, ValueType, nearest};
use crate::template::{self, LARGEST_BODY, LARGEST_TEMPLATE, Parameter, Problem, Stack, Template};
use crate::value::Value;

/// Everything that can be said offline, in one pass.
pub fn check(inputs: &Partial, files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(name) = inputs.get("name") {
        findings.extend(
            name.as_str()
                .and_then(wrong_name)
                .map(|message| Finding::error(&codes::WRONG_STACK_NAME, name.place(), message)),
        );
    }
    let Some(input) = inputs.get("template") else { return findings };
    let Some(path) = input.as_str() else { return findings };
    match files.get(path) {
        Ok(file) => findings.extend(size(inputs, path, file.bytes.len(), input.place())),
        Err(message) => findings.push(Finding::error(&codes::UNREADABLE_TEMPLATE, input.place(), message)),
    }
    match read(path, files) {
        Ok(template) => {
            findings.extend(parameters(inputs, &template, path));
            findings.extend(capabilities(inputs, &template, path));
            let stack = Stack::new(&template, arguments(inputs, &template));
            findings.extend(template::check(&stack).into_iter().map(|problem| in_template(problem, path)));
            findings.extend(shown(inputs, &stack, path));
        }
        Err(Some(e)) => {
            let message = format!("the template cannot be read: {}", e.message);
            findings.push(Finding::in_file(&codes::UNREADABLE_TEMPLATE, path, e.place, message));
        }
        Err(None) => {}
    }
    findings
}

fn in_template(problem: Problem, path: &str) -> Finding {
    let Problem { code, severity, place, message, help, related } = problem;
    let at = |place| At::File { path: path.to_owned(), place };
    let related = related.into_iter().map(|(place, words)| (at(place), words)).collect();
    Finding { code, severity, at: at(place), message, help, related }
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
        return Some(Finding::error(&codes::TEMPLATE_TOO_LARGE, place, message).help("split it into nested stacks"));
    }
    let bucket = inputs.get("template-bucket").is_some_and(|b| !matches!(b, Partial::Known(Value::Null, _)));
    (size > LARGEST_BODY && !bucket).then(|| {
        let message = format!("{path} is {size} bytes; a request takes {LARGEST_BODY}");
        Finding::error(&codes::TEMPLATE_TOO_LARGE, place, message).help("name a bucket for it: `template-bucket: …`")
    })
}

/// The values that the inputs give, and those that they do not give, against what the template declares.
fn parameters(inputs: &Partial, template: &Template, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let given = match inputs.get("parameters") {
        Some(Partial::Map(entries, _)) => Some(entries),
        Some(Partial::Unknown(..)) => return findings,
        Some(Partial::Known(..) | Partial::List(..)) | None => None,
    };
    let mut misspelt = Vec::new();
    for (name, (place, value)) in given.into_iter().flatten() {
        let Some(parameter) = template.parameters.get(name) else {
            if template.open && template.parameters.is_empty() {
                continue;
            }
            let near = nearest(name, template.parameters.keys().map(String::as_str));
            misspelt.extend(near);
            findings.push(unknown_parameter(name, *place, near, template, path));
            continue;
        };
        let declared = At::File { path: path.to_owned(), place: parameter.place };
        let finding = parameter_value(name, value, parameter);
        findings.extend(finding.map(|finding| finding.related(declared, "declared here")));
    }
    let missing = template.parameters.iter().filter(|(name, parameter)| {
        parameter.default.is_none() && !given.is_some_and(|given| given.contains_key(*name))
    });
    // A parameter whose name is misspelt is told as that.
    let missing: Vec<_> = missing.filter(|(name, _)| !misspelt.contains(&name.as_str())).collect();
    if !missing.is_empty() {
        let place = inputs.get("parameters").or(inputs.get("template")).unwrap_or(inputs).place();
        let names: Vec<String> = missing.iter().map(|(name, _)| format!("`{name}`")).collect();
        let finding =
            Finding::error(&codes::MISSING_PARAMETER, place, format!("{path} needs a value for {}", names.join(", ")));
        let declared = missing.iter().take(5).map(|(_, parameter)| {
            (At::File { path: path.to_owned(), place: parameter.place }, "declared without a default".to_owned())
        });
        let finding = finding.help("add it under `parameters:`, or give it a Default");
        findings.push(Finding { related: declared.collect(), ..finding });
    }
    findings
}

/// Secrets that outputs would show: `NoEcho` hides a parameter, not what is made of it (CloudFormation user guide, "Parameters").
fn shown(inputs: &Partial, stack: &Stack<'_>, path: &str) -> Vec<Finding> {
    let Some(Partial::Map(given, _)) = inputs.get("parameters") else { return Vec::new() };
    if !given.values().any(|(_, value)| value.value_type() == ValueType::Secret) {
        return Vec::new();
    }
    let shown = stack.shown_parameters().into_iter().filter_map(|(parameter, output, place)| {
        let (_, value) = given.get(parameter).filter(|(_, value)| value.value_type() == ValueType::Secret)?;
        let message =
            format!("the output `{output}` shows the secret in `{parameter}` to everyone who may describe the stack");
        let finding = Finding::error(&codes::SECRET_OUTPUT, value.place(), message);
        let output = At::File { path: path.to_owned(), place };
        Some(finding.related(output, "shown here").help("take it out of the output: `NoEcho` hides the parameter only"))
    });
    shown.collect()
}

fn unknown_parameter(name: &str, place: Place, near: Option<&str>, template: &Template, path: &str) -> Finding {
    let finding = Finding::error(&codes::UNKNOWN_PARAMETER, place, format!("{path} has no parameter `{name}`"));
    match near {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if template.parameters.is_empty() => finding.help("it has no parameters"),
        None => {
            let names: Vec<&str> = template.parameters.keys().map(String::as_str).take(20).collect();
            finding.help(format!("it has {}", names.join(", ")))
        }
    }
}

fn parameter_value(name: &str, value: &Partial, parameter: &Parameter) -> Option<Finding> {
    let place = value.place();
    if value.value_type() == ValueType::Secret {
        let message = format!("the parameter `{name}` shows its value to everyone who may describe the stack");
        return (!parameter.no_echo).then(|| {
            Finding::error(&codes::SECRET_PARAMETER_SHOWN, place, message)
                .help("give it `NoEcho: true` in the template")
        });
    }
    let known = value.known()?;
    let text = match text_of(&known) {
        Ok(text) => text,
        Err(message) => {
            let message = format!("the parameter `{name}` {message}");
            return Some(Finding::error(&codes::WRONG_PARAMETER_VALUE, place, message));
        }
    };
    if parameter.is_looked_up() {
        return None;
    }
    // What a hidden parameter refuses must not be told with its value.
    if parameter.no_echo && !text.is_empty() {
        let message = format!("the parameter `{name}` is hidden (`NoEcho`), but its value stands here in the clear");
        let finding = Finding::warning(&codes::PLAIN_VALUE_FOR_HIDDEN, place, message);
        return Some(finding.help("take it from a param with `secret: true`"));
    }
    let refusal = parameter.refuses(&text)?;
    let finding = Finding::error(&codes::WRONG_PARAMETER_VALUE, place, format!("the parameter `{name}` {refusal}"));
    let advice = parameter.meant(&text).map(|meant| format!("did you mean `{meant}`?"));
    let words = parameter.constraint.as_ref().map(|words| format!("its author says: {words}"));
    Some(finding.maybe_help(advice.or(words)))
}

/// What the template can do and the step does not acknowledge. CloudFormation asks the template alone, whatever its
/// conditions.
fn capabilities(inputs: &Partial, template: &Template, path: &str) -> Option<Finding> {
    let given: Vec<Capability> = match inputs.get("capabilities") {
        None => default_capabilities(),
        Some(Partial::Known(Value::Null, _)) => return None,
        Some(input) => input.known()?.parse().ok()?,
    };
    let has = |capability| given.contains(&capability);
    let needed = template::needed_capabilities(template);
    let (iam, named) = (has(Capability::CapabilityIam), has(Capability::CapabilityNamedIam));
    let lacks = match (&needed.named_iam, &needed.iam, needed.macros) {
        (Some((id, at)), _, _) if !named => {
            ("CAPABILITY_NAMED_IAM", format!("`{id}` is an IAM resource with a name"), *at)
        }
        (_, Some((id, at)), _) if !named && !iam => ("CAPABILITY_IAM", format!("`{id}` is an IAM resource"), *at),
        (_, _, Some(at)) if !has(Capability::CapabilityAutoExpand) => {
            ("CAPABILITY_AUTO_EXPAND", "a macro is called".to_owned(), at)
        }
        (_, _, _) => return None,
    };
    let (capability, why, at) = lacks;
    let place = inputs.get("capabilities").or(inputs.get("template")).unwrap_or(inputs).place();
    let all: Vec<String> = given
        .iter()
        .filter_map(|given| serde_json::to_value(given).ok()?.as_str().map(str::to_owned))
        .chain([capability.to_owned()])
        .collect();
    let message = format!("{path} needs {capability}, which the step does not acknowledge");
    Some(
        Finding::error(&codes::MISSING_CAPABILITY, place, message)
            .related(At::File { path: path.to_owned(), place: at }, why)
            .help(format!("write `capabilities: [{}]`", all.join(", "))),
    )
}
