//! What is wrong with a deploy-stack before it runs, and which outputs it will have: from its inputs and its template.
//! Knows nothing of AWS; what a template says by itself is told by [`crate::template`].

use std::time::Duration;

use std::sync::Arc;

use indexmap::IndexMap;

use super::request::text_of;
use super::{Capability, StackOutputs, default_capabilities};
use crate::codes::template as codes;
use crate::fact::{Fact, Tie};
use crate::files::Files;
use crate::finding::{At, Finding};
use crate::partial::{Hole, Partial, Place, Text, ValueType, nearest};
use crate::step::{DeclaredOutput, DeclaredOutputs, declared_outputs};
use crate::template::node::Unreadable;
use crate::template::{
    self, Argument, Arguments, Holds, LARGEST_BODY, LARGEST_TEMPLATE, Parameter, Problem, Stack, Template,
};
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
        }
        Err(Some(e)) => {
            let message = format!("the template cannot be read: {}", e.message);
            findings.push(Finding::in_file(&codes::UNREADABLE_TEMPLATE, path, e.place, message));
        }
        Err(None) => {}
    }
    findings
}

/// `name`, `id` and the template's output keys, without those that these parameters do not make.
pub fn outputs(inputs: &Partial, files: &Files) -> DeclaredOutputs {
    let mut declared = declared_outputs::<StackOutputs>();
    let Some(template) = template_of(inputs, files) else { return declared };
    let stack = Stack::new(&template, arguments(inputs, &template));
    for (key, output) in &template.outputs {
        if stack.has(output.condition.as_ref()) == Holds::No {
            continue;
        }
        let description = output.description.clone().unwrap_or_else(|| "an output of the template".to_owned());
        declared.entry(key.clone()).or_insert(DeclaredOutput { value_type: ValueType::String, description });
    }
    declared
}

/// Outputs of the template that these parameters do not make, each with the reason.
pub fn absent(inputs: &Partial, files: &Files) -> IndexMap<String, String> {
    let Some(template) = template_of(inputs, files) else { return IndexMap::new() };
    let stack = Stack::new(&template, arguments(inputs, &template));
    let absent = template.outputs.iter().filter_map(|(key, output)| {
        let (condition, _) = output.condition.as_ref().filter(|_| stack.has(output.condition.as_ref()) == Holds::No)?;
        let values = template::values(&stack, condition);
        let with = if values.is_empty() { String::new() } else { format!(", and {values} makes it false") };
        Some((key.clone(), format!("the template has it only if `{condition}` holds{with}")))
    });
    absent.collect()
}

/// The outputs as far as their values are known: what AWS gives is named after the expression of the template.
pub fn foreseen(inputs: &Partial, files: &Files) -> IndexMap<String, Partial> {
    let mut foreseen = IndexMap::new();
    if let Some(name) = inputs.get("name") {
        foreseen.insert("name".to_owned(), name.clone());
    }
    let Some(template) = template_of(inputs, files) else { return foreseen };
    let stack = Stack::new(&template, arguments(inputs, &template));
    let name = inputs.get("name").and_then(Partial::text).unwrap_or_default();
    for (key, output) in &template.outputs {
        if matches!(key.as_str(), "name" | "id") || stack.has(output.condition.as_ref()) != Holds::Yes {
            continue;
        }
        let Some(text) = output.value.as_ref().and_then(|value| stack.abroad(stack.text(value), &name)) else {
            continue;
        };
        let value = match text.as_known() {
            Some(text) => Partial::Known(Value::String(text.to_owned()), Place::default()),
            None => Partial::Unknown(Hole { of: ValueType::String, text }, Place::default()),
        };
        foreseen.insert(key.clone(), value);
    }
    foreseen
}

/// The stack that it makes, with the outputs that it may have; and the zones and ARNs that it is given.
pub fn facts(inputs: &Partial, files: &Files) -> Vec<Fact> {
    let Some(template) = template_of(inputs, files) else { return Vec::new() };
    let mut facts = Vec::new();
    let name = inputs.get("name").and_then(Partial::text);
    if let (Some(name), Some(input), false) = (name, inputs.get("template"), template.open) {
        let outputs = outputs(inputs, files).into_keys().filter(|key| key != "name" && key != "id").collect();
        let named = names(&Stack::new(&template, arguments(inputs, &template)));
        facts.push(Fact::Makes { stack: name, outputs, named, place: input.place() });
    }
    if let Some(Partial::Map(given, _)) = inputs.get("parameters") {
        let named = given.values().filter_map(|(_, value)| Some((value.as_str()?, value.place())));
        let named = named.filter(|(text, _)| belongs_somewhere(text));
        facts.extend(named.map(|(text, place)| Fact::Names {
            id: Text::known(text),
            at: At::Pipeline(place),
            tie: Tie::Loose,
        }));
    }
    let defaults = template.parameters.iter().filter_map(|(name, parameter)| {
        let (text, place) = parameter.default.as_ref().filter(|(text, _)| belongs_somewhere(text))?;
        Some((name.as_str(), text, *place))
    });
    let mut defaults = defaults.peekable();
    if defaults.peek().is_some() {
        let stack = Stack::new(&template, arguments(inputs, &template));
        // A default that this mode does not use may be of any region.
        let used = stack.used_parameters();
        let path = inputs.str_at("template").unwrap_or_default();
        let at = |place| At::File { path: path.to_owned(), place };
        facts.extend(
            defaults
                .filter(|(name, _, _)| used.contains(name) && !stack.is_given(name))
                .map(|(_, text, place)| Fact::Names { id: Text::known(text.clone()), at: at(place), tie: Tie::Loose }),
        );
    }
    facts
}

/// Known names of buckets, roles and EKS clusters that the stack will have, or may have.
fn names(stack: &Stack<'_>) -> Vec<String> {
    let made = stack.template.resources.values().filter(|it| stack.has(it.condition.as_ref()) != Holds::No);
    let name = |resource: &template::Resource| {
        let property = match resource.kind.0.as_str() {
            "AWS::S3::Bucket" => "BucketName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::EKS::Cluster" => "Name",
            _ => return None,
        };
        stack.text(resource.properties.as_ref()?.get(property)?).as_known().map(str::to_owned)
    };
    made.filter_map(name).collect()
}

/// How long the slowest of its resources takes to be made (general knowledge: an EKS control plane takes 8 to 12 minutes, a NAT
/// gateway 1 to 2).
pub fn least(inputs: &Partial, files: &Files) -> Option<(Duration, &'static str)> {
    with_stack(inputs, files, |stack| {
        let all = template::resource_types(stack);
        let makes = |kind: &str| all.iter().any(|of| of.kind == kind && of.holds == Holds::Yes);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        [("AWS::EKS::Cluster", minutes(7), "an EKS cluster"), ("AWS::EC2::NatGateway", minutes(1), "a NAT gateway")]
            .into_iter()
            .find(|(kind, ..)| makes(kind))
            .map(|(_, least, what)| (least, what))
    })?
}

/// Looks at the stack that these inputs make, as far as it is known; none where the template cannot be read.
pub fn with_stack<T>(inputs: &Partial, files: &Files, look: impl FnOnce(&Stack<'_>) -> T) -> Option<T> {
    let template = template_of(inputs, files)?;
    Some(look(&Stack::new(&template, arguments(inputs, &template))))
}

/// Whether a text may name a zone or a resource of a region: an ARN, a zone's id or a zone's name.
fn belongs_somewhere(text: &str) -> bool {
    let is_zone_id = text.split_once("-az").is_some_and(|(region, zone)| {
        !region.contains('-') && !zone.is_empty() && zone.chars().all(|c| c.is_ascii_digit())
    });
    let is_zone = text.split('-').count() >= 3
        && text.len() < 32
        && text.ends_with(|c: char| c.is_ascii_lowercase())
        && text.trim_end_matches(|c: char| c.is_ascii_lowercase()).ends_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    text.starts_with("arn:") || is_zone_id || is_zone
}

/// The template that the inputs name, if it can be read.
pub fn template_of(inputs: &Partial, files: &Files) -> Option<Arc<Template>> {
    read(inputs.str_at("template")?, files).ok()
}

/// The template at `path`, read once however often it is asked for. Without an error, the file itself cannot be read.
pub fn read(path: &str, files: &Files) -> Result<Arc<Template>, Option<Unreadable>> {
    let file = files.get(path).map_err(|_| None)?;
    let parsed = file.parsed(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) => Template::read(text).map(Arc::new),
        Err(e) => {
            let place = Place { start: e.valid_up_to() as u32, end: e.valid_up_to() as u32 };
            Err(Unreadable { message: "it is not UTF-8 text".to_owned(), place })
        }
    });
    match parsed.as_deref() {
        Some(Ok(template)) => Ok(Arc::clone(template)),
        Some(Err(e)) => Err(Some(e.clone())),
        None => Err(None),
    }
}

/// The values of the template's parameters, as far as the inputs say: what is not known, and secrets, have no text. Nor has
/// what the template refuses or does not know by that name: that is told, and what it would decide is left open.
pub fn arguments(inputs: &Partial, template: &Template) -> Arguments {
    let unknown = || Argument::Unknown(Text::default());
    match inputs.get("parameters") {
        Some(Partial::Unknown(..)) => template.parameters.keys().map(|name| (name.clone(), unknown())).collect(),
        Some(Partial::Map(entries, _)) => {
            let argument = |(name, (_, value)): (&String, &(Place, Partial))| {
                let Some(parameter) = template.parameters.get(name) else {
                    let meant = nearest(name, template.parameters.keys().map(String::as_str));
                    let meant = meant.filter(|meant| !entries.contains_key(*meant)).unwrap_or(name);
                    return (meant.to_owned(), unknown());
                };
                let argument = match value.known().map(|known| text_of(&known)) {
                    Some(Ok(text)) if parameter.is_looked_up() || parameter.refuses(&text).is_none() => {
                        Argument::Text(text)
                    }
                    Some(Ok(_) | Err(_)) => unknown(),
                    None => value.text().map_or_else(unknown, Argument::Unknown),
                };
                (name.clone(), argument)
            };
            entries.iter().map(argument).collect()
        }
        Some(Partial::Known(..) | Partial::List(..)) | None => Arguments::new(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{FileInput, FileKind};

    const TEXT: &str = r#"
Parameters:
  Full: { Type: String, Default: "false" }
  Prefix: { Type: String, Default: demo }
  FullZone: { Type: String, Default: euw1-az1 }
  Zone: { Type: String, Default: use1-az4 }
Conditions:
  Full: !Equals [!Ref Full, "true"]
Resources:
  Vpc: { Type: AWS::EC2::VPC, Condition: Full, Properties: { Zone: !Ref FullZone } }
  Subnet: { Type: AWS::EC2::Subnet, Properties: { AvailabilityZoneId: !Ref Zone } }
  Group: { Type: AWS::EC2::SecurityGroup }
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { BucketName: !Sub "sagemaker-${Prefix}-${AWS::AccountId}" }
  Role:
    Type: AWS::IAM::Role
    Properties: { RoleName: !Join ["-", [!Ref Prefix, role]] }
Outputs:
  Vpc: { Value: !Ref Vpc, Condition: Full }
  Group: { Value: !Ref Group, Description: Group of the nodes }
  Rule: { Value: !Sub "from ${Group.GroupId}" }
  Bucket: { Value: !Ref Bucket }
  Role: { Value: !GetAtt Role.Arn }
  Prefix: { Value: !Ref Prefix }
  Where: { Value: !Ref AWS::Region }
"#;

    /// The inputs with these parameters, and the files that they name.
    fn inputs(parameters: serde_json::Value) -> (Partial, Files) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("t.yaml"), TEXT).expect("it can be written");
        let inputs = serde_json::json!({ "name": "trial", "template": "t.yaml", "parameters": parameters });
        let file = FileInput { path: "t.yaml".to_owned(), kind: FileKind::File, place: Place::default() };
        (Partial::from_value(&Value::from_json(&inputs)), Files::load(folder.path(), &[file]))
    }

    #[test]
    fn the_outputs_are_those_of_the_mode() {
        let (partial, files) = inputs(serde_json::json!({}));
        let names: Vec<String> = outputs(&partial, &files).into_keys().collect();
        assert_eq!(names, ["name", "id", "Group", "Rule", "Bucket", "Role", "Prefix", "Where"]);
        assert_eq!(
            absent(&partial, &files)["Vpc"],
            "the template has it only if `Full` holds, and Full=false makes it false"
        );
        let (partial, files) = inputs(serde_json::json!({ "Full": true }));
        assert!(outputs(&partial, &files).contains_key("Vpc") && absent(&partial, &files).is_empty());
    }

    #[test]
    fn outputs_are_foreseen_as_far_as_they_are_known() {
        let (partial, files) = inputs(serde_json::json!({ "Prefix": "mine" }));
        let shown: Vec<String> = foreseen(&partial, &files)
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", value.text().expect("outputs are text")))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        name: trial
        Rule: from {{ trial.Group.GroupId }}
        Bucket: sagemaker-mine-{{ AWS::AccountId }}
        Role: arn:{{ AWS::Partition }}:iam::{{ AWS::AccountId }}:role/mine-role
        Prefix: mine
        Where: {{ AWS::Region }}
        ");
    }

    #[test]
    fn what_belongs_to_a_region_is_told_where_it_is_used() {
        let belongs = ["usw2-az2", "use1-az10", "us-west-2b", "us-west-2-lax-1a", "arn:aws:s3:::x"];
        assert!(belongs.iter().all(|text| belongs_somewhere(text)));
        let free = ["hyperpod-eks", "10.0.0.0/16", "true", "ml.g5.12xlarge", "a-az", "us-west-2", "my-own-x"];
        assert!(!free.iter().any(|text| belongs_somewhere(text)));
        let (partial, files) = inputs(serde_json::json!({ "Prefix": "usw2-az2" }));
        let named: Vec<_> = facts(&partial, &files)
            .into_iter()
            .filter_map(|fact| if let Fact::Names { id, .. } = fact { Some(id.to_string()) } else { None })
            .collect();
        // The zone of the full mode stands in the template, but this mode does not use it.
        assert_eq!(named, ["usw2-az2", "use1-az4"]);
    }

    #[test]
    fn one_reading_answers_every_question() {
        let (partial, files) = inputs(serde_json::json!({}));
        let first = template_of(&partial, &files).expect("it is a template");
        let again = template_of(&partial, &files).expect("it is a template");
        assert!(Arc::ptr_eq(&first, &again));
    }
}
