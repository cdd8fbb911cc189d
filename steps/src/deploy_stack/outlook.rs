//! What the stack of a deploy-stack will have, before it is made: its outputs, what it brings, how long it takes at least.
//! Knows nothing of AWS, or of what is wrong with the template.

use std::time::Duration;

use indexmap::IndexMap;

use super::StackOutputs;
use super::reading::{arguments, template_of, with_stack};
use crate::fact::{Fact, Made, Tie};
use crate::files::Files;
use crate::finding::At;
use crate::partial::{Hole, Partial, Place, Text, ValueType};
use crate::region;
use crate::step::{DeclaredOutput, DeclaredOutputs, declared_outputs};
use crate::template::{self, Holds, Stack};
use crate::value::Value;

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
    let mut facts: Vec<Fact> = created(inputs).into_iter().collect();
    let Some(template) = template_of(inputs, files) else { return facts };
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

fn created(inputs: &Partial) -> Option<Fact> {
    let adopts = inputs.get("adopt").is_some_and(|adopt| adopt.known() != Some(Value::Bool(false)));
    let name = inputs.get("name").filter(|_| !adopts)?;
    Some(Fact::Creates { what: "stack", name: name.text()?, at: At::Pipeline(name.place()) })
}

/// Buckets, roles and EKS clusters that the stack will have, or may have, and whose names are known.
fn names(stack: &Stack<'_>) -> Vec<Made> {
    let made = stack.template.resources.values().filter(|it| stack.has(it.condition.as_ref()) != Holds::No);
    let named = |resource: &template::Resource| {
        let property = |name: &str| resource.properties.as_ref().and_then(|all| all.get(name));
        let known = |name: &str| stack.text(property(name)?).as_known().map(str::to_owned);
        match resource.kind.0.as_str() {
            "AWS::S3::Bucket" => known("BucketName").map(Made::Bucket),
            "AWS::IAM::Role" => {
                let path = if property("Path").is_some() { known("Path") } else { Some("/".to_owned()) };
                known("RoleName").map(|name| Made::Role { path, name })
            }
            "AWS::EKS::Cluster" => known("Name").map(Made::EksCluster),
            _ => None,
        }
    };
    made.filter_map(named).collect()
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

/// Whether a text may name a zone or a resource of a region: an ARN, a zone's id or a zone's name.
fn belongs_somewhere(text: &str) -> bool {
    text.starts_with("arn:") || region::of_zone(text).is_some()
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
        inputs_of(TEXT, parameters)
    }

    fn inputs_of(text: &str, parameters: serde_json::Value) -> (Partial, Files) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("t.yaml"), text).expect("it can be written");
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
    fn what_a_stack_makes_is_named_with_its_kind_as_far_as_it_is_known() {
        let of = |path: &str| {
            let text = format!("Resources:\n  R: {{ Type: AWS::IAM::Role, Properties: {{ RoleName: ml{path} }} }}\n");
            let bucket = "  B: { Type: AWS::S3::Bucket, Properties: { BucketName: ml } }\n";
            let eks = "  E: { Type: AWS::EKS::Cluster, Properties: { Name: ml } }\n  U: { Type: AWS::S3::Bucket }\n";
            let (partial, files) = inputs_of(&format!("{text}{bucket}{eks}"), serde_json::json!({}));
            let makes = |fact| if let Fact::Makes { named, .. } = fact { Some(named) } else { None };
            facts(&partial, &files).into_iter().find_map(makes).expect("it makes a stack")
        };
        let role = |path: Option<&str>| Made::Role { path: path.map(str::to_owned), name: "ml".to_owned() };
        let table = [("", Some("/")), (", Path: /team/", Some("/team/")), (", Path: !Sub '/${AWS::AccountId}/'", None)];
        for (path, expected) in table {
            let all = [role(expected), Made::Bucket("ml".to_owned()), Made::EksCluster("ml".to_owned())];
            assert_eq!(of(path), all, "{path}");
        }
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
}
