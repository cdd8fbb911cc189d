//! Template text to JSON: JSON as it is, YAML with CloudFormation's short tags written out as `Fn::…` objects.
//! It must not know what the sections of a template mean.

use serde_json::{Map, Value};
use serde_yaml::Value as Yaml;

/// What is wrong with a template or with the values given to it, in AWS's words; the message of a `ValidationError`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

impl TemplateError {
    /// `Template format error: …`
    pub fn format(text: impl std::fmt::Display) -> Self {
        Self(format!("Template format error: {text}"))
    }

    /// `Template error: …`
    pub fn error(text: impl std::fmt::Display) -> Self {
        Self(format!("Template error: {text}"))
    }
}

/// Reads a template body. Text whose first character is `{` is JSON, anything else YAML, as AWS decides it.
pub fn parse(body: &str) -> Result<Value, TemplateError> {
    let value = if body.trim_start().starts_with('{') { json(body)? } else { yaml(body)? };
    if value.is_object() { Ok(value) } else { Err(TemplateError::format("unsupported structure.")) }
}

fn json(body: &str) -> Result<Value, TemplateError> {
    serde_json::from_str(body).map_err(|error| {
        TemplateError::format(format!("JSON not well-formed. (line {}, column {})", error.line(), error.column()))
    })
}

fn yaml(body: &str) -> Result<Value, TemplateError> {
    let read: Yaml = serde_yaml::from_str(body).map_err(|error| {
        let place =
            error.location().map_or_else(String::new, |at| format!(" (line {}, column {})", at.line(), at.column()));
        TemplateError::format(format!("YAML not well-formed.{place}"))
    })?;
    from_yaml(read)
}

fn from_yaml(value: Yaml) -> Result<Value, TemplateError> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => number_from(&number)?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                object.insert(key_text(&key)?, from_yaml(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => long_form(&tagged.tag.to_string(), from_yaml(tagged.value)?),
    })
}

fn number_from(number: &serde_yaml::Number) -> Result<Value, TemplateError> {
    if let Some(whole) = number.as_i64() {
        return Ok(Value::from(whole));
    }
    if let Some(whole) = number.as_u64() {
        return Ok(Value::from(whole));
    }
    number
        .as_f64()
        .and_then(serde_json::Number::from_f64)
        .map(Value::Number)
        .ok_or_else(|| TemplateError::format(format!("number {number} cannot be represented")))
}

/// AWS takes unquoted numbers and booleans as keys (a mapping by account id is the usual case) and reads them as text.
fn key_text(key: &Yaml) -> Result<String, TemplateError> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        Yaml::Null | Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_) => {
            Err(TemplateError::format("a key of a mapping must be a string"))
        }
    }
}

fn long_form(tag: &str, value: Value) -> Value {
    let short = tag.trim_start_matches('!');
    let (name, value) = match (short, value) {
        ("Ref" | "Condition", value) => (short.to_owned(), value),
        ("GetAtt", Value::String(text)) => ("Fn::GetAtt".to_owned(), get_att_pair(&text)),
        (_, value) => (format!("Fn::{short}"), value),
    };
    Value::Object(Map::from_iter([(name, value)]))
}

/// `Resource.Attribute` to its pair; only the first dot divides (`Nested.Outputs.Key`).
pub fn get_att_pair(text: &str) -> Value {
    match text.split_once('.') {
        Some((name, attribute)) => Value::Array(vec![name.into(), attribute.into()]),
        None => Value::Array(vec![text.into()]),
    }
}
