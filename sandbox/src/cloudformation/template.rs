//! A template as parsed: its sections, with names and shapes checked; expressions stay unevaluated JSON.
//! It must not know parameter values, stacks or services.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::parameters::Declared;
use super::text::{self, TemplateError};
use super::types;

/// AWS's limit of `TemplateBody`, in bytes (AWS API reference).
pub const BODY_LIMIT: usize = 51_200;
/// AWS's limit of a template read from S3, in bytes (AWS API reference).
pub const URL_LIMIT: usize = 1_048_576;

/// A template whose sections have the right shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// `Description`
    pub description: Option<String>,
    /// `Parameters`, as declared.
    pub parameters: IndexMap<String, Declared>,
    /// `Mappings`: map name, first key, second key.
    pub mappings: Map<String, Value>,
    /// `Conditions`, unevaluated.
    pub conditions: IndexMap<String, Value>,
    /// `Rules`, unevaluated.
    pub rules: IndexMap<String, Rule>,
    /// `Resources`
    pub resources: IndexMap<String, ResourceSpec>,
    /// `Outputs`
    pub outputs: IndexMap<String, OutputSpec>,
    /// `Metadata`, for `GetTemplateSummary`.
    pub metadata: Option<Value>,
}

/// One rule: assertions that hold if the condition does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `RuleCondition`
    pub condition: Option<Value>,
    /// `Assert` and `AssertDescription` of each assertion.
    pub assertions: Vec<(Value, Option<String>)>,
}

/// One resource of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceSpec {
    /// The resource type.
    pub kind: String,
    /// `Properties`, unevaluated.
    pub properties: Map<String, Value>,
    /// `DependsOn`
    pub depends_on: Vec<String>,
    /// `Condition`: the name of one.
    pub condition: Option<String>,
    /// `DeletionPolicy`
    pub deletion: Policy,
    /// `UpdateReplacePolicy`
    pub replace: Policy,
    /// `Metadata`
    pub metadata: Option<Value>,
}

/// What happens to a resource that leaves the stack or is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It is kept and forgotten.
    Retain,
    /// It is kept, but deleted if the operation that made it fails.
    RetainExceptOnCreate,
}

/// One output of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// `Value`, unevaluated.
    pub value: Value,
    /// `Description`
    pub description: Option<String>,
    /// `Condition`: the name of one.
    pub condition: Option<String>,
    /// `Export.Name`, unevaluated.
    pub export: Option<Value>,
}

impl Template {
    /// Reads and checks a template body (not its size: that depends on where it comes from).
    pub fn parse(body: &str) -> Result<Self, TemplateError> {
        let Value::Object(root) = text::parse(body)? else {
            return Err(TemplateError::format("unsupported structure."));
        };
        check_sections(&root)?;
        let template = Self {
            description: optional_text(&root, "Description")?,
            parameters: section(&root, "Parameters", Declared::parse)?,
            mappings: mappings(&root)?,
            conditions: section(&root, "Conditions", condition)?,
            rules: section(&root, "Rules", rule)?,
            resources: section(&root, "Resources", resource)?,
            outputs: section(&root, "Outputs", output)?,
            metadata: root.get("Metadata").cloned(),
        };
        if template.resources.is_empty() {
            return Err(TemplateError::format("At least one Resources member must be defined."));
        }
        template.check_types()?;
        super::graph::check(&template)?;
        Ok(template)
    }

    fn check_types(&self) -> Result<(), TemplateError> {
        let mut unknown: Vec<&str> =
            self.resources.values().map(|it| it.kind.as_str()).filter(|kind| types::find(kind).is_none()).collect();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(TemplateError::format(format!(
            "Unrecognized resource types: [{}] (hprun sandbox: not part of the sandbox)",
            unknown.join(", ")
        )))
    }

    /// Capabilities that the template asks for, with the resource types that are the reason.
    pub fn capabilities(&self) -> (Vec<&'static str>, Vec<String>) {
        let iam: Vec<&ResourceSpec> = self.resources.values().filter(|it| it.kind.starts_with("AWS::IAM::")).collect();
        let mut reasons: Vec<String> = Vec::new();
        for spec in &iam {
            if !reasons.contains(&spec.kind) {
                reasons.push(spec.kind.clone());
            }
        }
        let named = iam.iter().any(|it| {
            types::find(&it.kind)
                .and_then(|kind| kind.name_property)
                .is_some_and(|name| it.properties.contains_key(name))
        });
        match (iam.is_empty(), named) {
            (true, _) => (Vec::new(), reasons),
            (false, true) => (vec!["CAPABILITY_NAMED_IAM"], reasons),
            (false, false) => (vec!["CAPABILITY_IAM"], reasons),
        }
    }
}

fn check_sections(root: &Map<String, Value>) -> Result<(), TemplateError> {
    const KNOWN: [&str; 10] = [
        "AWSTemplateFormatVersion",
        "Description",
        "Metadata",
        "Parameters",
        "Mappings",
        "Conditions",
        "Rules",
        "Resources",
        "Outputs",
        "Transform",
    ];
    let unknown: Vec<&str> = root.keys().map(String::as_str).filter(|key| !KNOWN.contains(key)).collect();
    if !unknown.is_empty() {
        return Err(TemplateError(format!("Invalid template property or properties [{}]", unknown.join(", "))));
    }
    if root.contains_key("Transform") {
        return Err(TemplateError::error("hprun sandbox: section Transform is not part of the sandbox"));
    }
    match root.get("AWSTemplateFormatVersion") {
        None => Ok(()),
        Some(Value::String(version)) if version == "2010-09-09" => Ok(()),
        Some(_) => {
            Err(TemplateError::format("Template format version is invalid. Supported versions are: [2010-09-09]"))
        }
    }
}

fn section<T>(
    root: &Map<String, Value>,
    name: &str,
    mut read: impl FnMut(&str, &Value) -> Result<T, TemplateError>,
) -> Result<IndexMap<String, T>, TemplateError> {
    match root.get(name) {
        None | Some(Value::Null) => Ok(IndexMap::new()),
        Some(Value::Object(entries)) => entries
            .iter()
            .map(|(key, value)| {
                check_logical_id(name, key)?;
                Ok((key.clone(), read(key, value)?))
            })
            .collect(),
        Some(_) => Err(TemplateError::format(format!("[/{name}] '{name}' must be an object"))),
    }
}

fn check_logical_id(section: &str, name: &str) -> Result<(), TemplateError> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    if plain || section == "Conditions" || section == "Rules" {
        return Ok(());
    }
    Err(TemplateError::format(match section {
        "Parameters" => format!("Parameter name {name} is non alphanumeric."),
        "Outputs" => format!("Output name {name} is non alphanumeric."),
        _ => format!("Resource name {name} is non alphanumeric."),
    }))
}

fn mappings(root: &Map<String, Value>) -> Result<Map<String, Value>, TemplateError> {
    let Some(Value::Object(maps)) = root.get("Mappings") else {
        return Ok(Map::new());
    };
    for (name, map) in maps {
        let regular = map.as_object().is_some_and(|first| first.values().all(Value::is_object));
        if !regular {
            return Err(TemplateError::format(format!(
                "Every Mappings member must be a map; '{name}' is not a map of maps"
            )));
        }
    }
    Ok(maps.clone())
}

fn condition(name: &str, value: &Value) -> Result<Value, TemplateError> {
    if value.is_object() {
        Ok(value.clone())
    } else {
        Err(TemplateError::format(format!("Every Conditions member must be a condition function; '{name}' is not")))
    }
}

fn rule(name: &str, value: &Value) -> Result<Rule, TemplateError> {
    let object = members(value, &format!("/Rules/{name}"), &["RuleCondition", "Assertions"], "rule")?;
    let listed = object.get("Assertions").and_then(Value::as_array).ok_or_else(|| {
        TemplateError::format(format!("[/Rules/{name}] every Rules object must contain a list of Assertions"))
    })?;
    let mut assertions = Vec::new();
    for assertion in listed {
        let assertion = members(
            assertion,
            &format!("/Rules/{name}/Assertions"),
            &["Assert", "AssertDescription"],
            "rule assertion",
        )?;
        let assert = assertion.get("Assert").ok_or_else(|| {
            TemplateError::format(format!("[/Rules/{name}/Assertions] every assertion must contain Assert"))
        })?;
        assertions.push((assert.clone(), optional_text(assertion, "AssertDescription")?));
    }
    Ok(Rule { condition: object.get("RuleCondition").cloned(), assertions })
}

fn resource(name: &str, value: &Value) -> Result<ResourceSpec, TemplateError> {
    const KNOWN: [&str; 9] = [
        "Type",
        "Properties",
        "DependsOn",
        "Condition",
        "DeletionPolicy",
        "UpdateReplacePolicy",
        "Metadata",
        "CreationPolicy",
        "UpdatePolicy",
    ];
    let object = members(value, &format!("/Resources/{name}"), &KNOWN, "resource")?;
    for refused in ["CreationPolicy", "UpdatePolicy"] {
        if object.contains_key(refused) {
            return Err(TemplateError::error(format!(
                "hprun sandbox: {refused} of resource {name} is not part of the sandbox"
            )));
        }
    }
    let kind = optional_text(object, "Type")?.ok_or_else(|| {
        TemplateError::format(format!("[/Resources/{name}] Every Resources object must contain a Type member."))
    })?;
    let properties = match object.get("Properties") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(properties)) => properties.clone(),
        Some(_) => {
            return Err(TemplateError::format(format!("[/Resources/{name}/Properties] Properties must be an object")));
        }
    };
    Ok(ResourceSpec {
        kind,
        properties,
        depends_on: depends_on(object.get("DependsOn"))?,
        condition: optional_text(object, "Condition")?,
        deletion: policy(object, "DeletionPolicy")?,
        replace: policy(object, "UpdateReplacePolicy")?,
        metadata: object.get("Metadata").cloned(),
    })
}

fn depends_on(value: Option<&Value>) -> Result<Vec<String>, TemplateError> {
    let wrong = || TemplateError::format("DependsOn must be a string or list of strings.");
    match value {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) => many.iter().map(|it| it.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

fn policy(object: &Map<String, Value>, name: &str) -> Result<Policy, TemplateError> {
    match optional_text(object, name)?.as_deref() {
        None | Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") if name == "DeletionPolicy" => Ok(Policy::RetainExceptOnCreate),
        Some("Snapshot") => {
            Err(TemplateError::error(format!("{name} Snapshot is not supported by the resource types of the sandbox")))
        }
        Some(other) => Err(TemplateError::format(format!("Unrecognized {name} {other}"))),
    }
}

fn output(name: &str, value: &Value) -> Result<OutputSpec, TemplateError> {
    let object =
        members(value, &format!("/Outputs/{name}"), &["Value", "Description", "Condition", "Export"], "output")?;
    let export = match object.get("Export") {
        None => None,
        Some(export) => {
            let export = members(export, &format!("/Outputs/{name}/Export"), &["Name"], "export")?;
            Some(export.get("Name").cloned().ok_or_else(|| {
                TemplateError::format(format!(
                    "Output {name} is malformed. The Name field of every Export member must be specified."
                ))
            })?)
        }
    };
    Ok(OutputSpec {
        value: object.get("Value").cloned().ok_or_else(|| {
            TemplateError::format(format!("[/Outputs/{name}] Every Outputs member must contain a Value object"))
        })?,
        description: optional_text(object, "Description")?,
        condition: optional_text(object, "Condition")?,
        export,
    })
}

/// The members of an object, all of them known.
pub fn members<'a>(
    value: &'a Value,
    place: &str,
    known: &[&str],
    what: &str,
) -> Result<&'a Map<String, Value>, TemplateError> {
    let object = value.as_object().ok_or_else(|| TemplateError::format(format!("[{place}] must be an object")))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(TemplateError(format!("Invalid template {what} property '{key}'"))),
        None => Ok(object),
    }
}

/// A member that is a string if it is there.
pub fn optional_text(object: &Map<String, Value>, name: &str) -> Result<Option<String>, TemplateError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TemplateError::format(format!("Every {name} member must be a string."))),
    }
}
