//! Parameters of a template: what it declares, and the values that a caller gives, checked against that.
//! It must not know stacks or resources; the previous values come in as data.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::template::{members, optional_text};
use super::text::TemplateError;

/// One declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// The type's name as written, e.g. `List<AWS::EC2::Subnet::Id>`.
    pub kind: String,
    /// `Default`
    pub default: Option<String>,
    /// `Description`
    pub description: Option<String>,
    /// `NoEcho`: the value is never shown.
    pub no_echo: bool,
    /// `AllowedValues`; empty if there is no such limit.
    pub allowed_values: Vec<String>,
    /// `AllowedPattern`, for the whole value.
    pub allowed_pattern: Option<String>,
    /// `ConstraintDescription`: said instead of the pattern.
    pub constraint: Option<String>,
    /// `MinLength`
    pub min_length: Option<f64>,
    /// `MaxLength`
    pub max_length: Option<f64>,
    /// `MinValue`
    pub min_value: Option<f64>,
    /// `MaxValue`
    pub max_value: Option<f64>,
}

/// One value as a caller gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Given {
    /// `ParameterValue`
    Value(String),
    /// `UsePreviousValue`
    Previous,
}

const AWS_TYPES: [&str; 12] = [
    "AWS::EC2::AvailabilityZone::Name",
    "AWS::EC2::Image::Id",
    "AWS::EC2::Instance::Id",
    "AWS::EC2::KeyPair::KeyName",
    "AWS::EC2::SecurityGroup::GroupName",
    "AWS::EC2::SecurityGroup::Id",
    "AWS::EC2::Subnet::Id",
    "AWS::EC2::Volume::Id",
    "AWS::EC2::VPC::Id",
    "AWS::Route53::HostedZone::Id",
    "String",
    "Number",
];

impl Declared {
    /// Reads one declaration.
    pub fn parse(name: &str, value: &Value) -> Result<Self, TemplateError> {
        const KNOWN: [&str; 11] = [
            "Type",
            "Default",
            "Description",
            "NoEcho",
            "AllowedValues",
            "AllowedPattern",
            "ConstraintDescription",
            "MinLength",
            "MaxLength",
            "MinValue",
            "MaxValue",
        ];
        let object = members(value, &format!("/Parameters/{name}"), &KNOWN, "parameter")?;
        let kind = optional_text(object, "Type")?
            .ok_or_else(|| TemplateError::format("Every Parameters object must contain a Type member."))?;
        check_type(&kind)?;
        let number = |member: &str| match object.get(member) {
            None => Ok(None),
            Some(value) => scalar(value)
                .and_then(|text| text.parse().ok())
                .map(Some)
                .ok_or_else(|| TemplateError::format(format!("Every {member} member must be a number."))),
        };
        let allowed_values = match object.get("AllowedValues") {
            None => Vec::new(),
            Some(Value::Array(values)) => values
                .iter()
                .map(|it| {
                    scalar(it).ok_or_else(|| TemplateError::format("Every AllowedValues member must be a string."))
                })
                .collect::<Result<_, _>>()?,
            Some(_) => {
                return Err(TemplateError::format("Every AllowedValues member must be a list."));
            }
        };
        let default = match object.get("Default") {
            None => None,
            Some(value) => {
                Some(scalar(value).ok_or_else(|| TemplateError::format("Every Default member must be a string."))?)
            }
        };
        let declared = Self {
            kind,
            default,
            description: optional_text(object, "Description")?,
            no_echo: object.get("NoEcho").and_then(scalar).is_some_and(|flag| flag.eq_ignore_ascii_case("true")),
            allowed_values,
            allowed_pattern: optional_text(object, "AllowedPattern")?,
            constraint: optional_text(object, "ConstraintDescription")?,
            min_length: number("MinLength")?,
            max_length: number("MaxLength")?,
            min_value: number("MinValue")?,
            max_value: number("MaxValue")?,
        };
        if let Some(pattern) = &declared.allowed_pattern {
            whole(pattern).map_err(|_| {
                TemplateError::format(format!(
                    "AllowedPattern of parameter {name} is not a regular expression that can be read"
                ))
            })?;
        }
        Ok(declared)
    }

    /// Whether `Ref` gives a list.
    pub fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }

    /// The value that `Ref` gives.
    pub fn reference(&self, text: &str) -> Value {
        if self.is_list() { Value::Array(items(text).map(Value::from).collect()) } else { Value::from(text) }
    }

    fn check(&self, name: &str, text: &str) -> Result<(), TemplateError> {
        let parts: Vec<&str> = if self.is_list() { items(text).collect() } else { vec![text] };
        let fail = |tail: String| match &self.constraint {
            Some(said) => Err(TemplateError(format!("Parameter {name} failed to satisfy constraint: {said}"))),
            None => Err(TemplateError(format!("Parameter {name} {tail}"))),
        };
        for part in &parts {
            if !self.allowed_values.is_empty() && !self.allowed_values.iter().any(|it| it == part) {
                return fail("must be one of AllowedValues".to_owned());
            }
            if let Some(pattern) = &self.allowed_pattern
                && !whole(pattern).is_ok_and(|regex| regex.is_match(part))
            {
                return fail(format!("must match pattern {pattern}"));
            }
            if self.kind.contains("Number") {
                let Ok(number) = part.parse::<f64>() else {
                    return Err(TemplateError(format!("Parameter '{name}' must be a number.")));
                };
                if self.min_value.is_some_and(|least| number < least) {
                    return fail(format!("must be a number not less than {}", self.min_value.unwrap_or_default()));
                }
                if self.max_value.is_some_and(|most| number > most) {
                    return fail(format!("must be a number not greater than {}", self.max_value.unwrap_or_default()));
                }
            }
        }
        let length = text.chars().count() as f64;
        if self.min_length.is_some_and(|least| length < least) {
            return fail(format!("must contain at least {} characters", self.min_length.unwrap_or_default()));
        }
        if self.max_length.is_some_and(|most| length > most) {
            return fail(format!("must contain at most {} characters", self.max_length.unwrap_or_default()));
        }
        check_id(&self.kind, name, &parts)
    }
}

/// AWS-specific types must name something that exists; without a look at EC2 the shape of the id is what can be checked.
fn check_id(kind: &str, name: &str, parts: &[&str]) -> Result<(), TemplateError> {
    let prefix = match kind.trim_start_matches("List<").trim_end_matches('>') {
        "AWS::EC2::VPC::Id" => "vpc-",
        "AWS::EC2::Subnet::Id" => "subnet-",
        "AWS::EC2::SecurityGroup::Id" => "sg-",
        "AWS::EC2::Image::Id" => "ami-",
        "AWS::EC2::Instance::Id" => "i-",
        "AWS::EC2::Volume::Id" => "vol-",
        _ => return Ok(()),
    };
    match parts.iter().find(|part| !part.starts_with(prefix)) {
        Some(part) => Err(TemplateError(format!(
            "Parameter validation failed: parameter value {part} for parameter name {name} does not exist. Rollback requested by user."
        ))),
        None => Ok(()),
    }
}

/// The values of all declared parameters: given, previous or default, in that order, each checked.
pub fn resolve(
    declared: &IndexMap<String, Declared>,
    given: &[(String, Given)],
    previous: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, TemplateError> {
    let unknown: Vec<&str> =
        given.iter().map(|(name, _)| name.as_str()).filter(|name| !declared.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(TemplateError(format!("Parameters: [{}] do not exist in the template", unknown.join(", "))));
    }
    let mut values = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        let said = given.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
        let value = match said {
            Some(Given::Value(value)) => Some(value.clone()),
            Some(Given::Previous) => match previous {
                None => {
                    return Err(TemplateError(format!(
                        "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                    )));
                }
                Some(before) => match before.get(name) {
                    Some(value) => Some(value.clone()),
                    None => {
                        return Err(TemplateError(format!(
                            "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the previous template"
                        )));
                    }
                },
            },
            None => declaration.default.clone(),
        };
        match value {
            Some(value) => {
                declaration.check(name, &value)?;
                values.insert(name.clone(), value);
            }
            None => missing.push(name.as_str()),
        }
    }
    if missing.is_empty() {
        Ok(values)
    } else {
        Err(TemplateError(format!("Parameters: [{}] must have values", missing.join(", "))))
    }
}

fn check_type(kind: &str) -> Result<(), TemplateError> {
    if kind.starts_with("AWS::SSM::") {
        return Err(TemplateError::error(format!("hprun sandbox: parameter type {kind} is not part of the sandbox")));
    }
    let inner = kind.strip_prefix("List<").and_then(|rest| rest.strip_suffix('>'));
    let known = match inner {
        Some(inner) => AWS_TYPES.contains(&inner) && inner != "String",
        None => kind == "CommaDelimitedList" || AWS_TYPES.contains(&kind),
    };
    if known { Ok(()) } else { Err(TemplateError::format(format!("Unrecognized parameter type: {kind}"))) }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|_| !text.is_empty())
}

fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{pattern})$"))
}

/// A string, number or boolean as text.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
