//! Reads the resolved properties of a CloudFormation resource: by name, with the types that templates leave loose.
//! Knows no resource type; each service says which properties it has.

use serde_json::{Map, Value};

use crate::wire::ServiceError;

/// The properties of one resource, or of one object in them; only known names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Properties<'a>(&'a Map<String, Value>);

impl<'a> Properties<'a> {
    /// Takes the properties if all their names are known.
    pub fn of(map: &'a Map<String, Value>, known: &[&str]) -> Result<Properties<'a>, ServiceError> {
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(invalid(format!("Encountered unsupported property {name}"))),
            None => Ok(Properties(map)),
        }
    }

    /// A text; numbers and booleans are taken as text, as CloudFormation does.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(scalar)
    }

    /// A text that must be there.
    pub fn need(&self, name: &str) -> Result<String, ServiceError> {
        self.text(name).ok_or_else(|| empty(name))
    }

    /// A boolean; `fallback` when it is not given.
    pub fn flag(&self, name: &str, fallback: bool) -> Result<bool, ServiceError> {
        match self.text(name).as_deref() {
            None => Ok(fallback),
            Some("true" | "True") => Ok(true),
            Some("false" | "False") => Ok(false),
            Some(other) => Err(invalid(format!("Value of property {name} must be a boolean, not {other}"))),
        }
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ServiceError> {
        let parse = |text: String| {
            text.parse().map_err(|_| invalid(format!("Value of property {name} must be a number, not {text}")))
        };
        self.text(name).map(parse).transpose()
    }

    /// A list of texts; empty when it is not given.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, ServiceError> {
        let wrong = || invalid(format!("Value of property {name} must be of type List of String"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(vec![]),
            Some(Value::Array(items)) => items.iter().map(|item| scalar(item).ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// A list of objects; empty when it is not given.
    pub fn objects(&self, name: &str) -> Result<Vec<&'a Map<String, Value>>, ServiceError> {
        let wrong = || invalid(format!("Value of property {name} must be a list of objects"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(vec![]),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_object().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, ServiceError> {
        let wrong = || invalid(format!("Value of property {name} must be an object"));
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_object().map(Some).ok_or_else(wrong),
        }
    }

    /// A JSON document, given as an object or as text.
    pub fn document(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            value => Some(value.to_string()),
        }
    }

    /// A JSON document that must be there.
    pub fn need_document(&self, name: &str) -> Result<String, ServiceError> {
        self.document(name).ok_or_else(|| empty(name))
    }

    /// The resource's own `Tags` (list or map) and those that the stack hands on; its own win.
    pub fn tags(&self, stack: &[(String, String)]) -> Result<Vec<(String, String)>, ServiceError> {
        let mut tags: Vec<(String, String)> = match self.0.get("Tags") {
            None | Some(Value::Null) => vec![],
            Some(Value::Object(map)) => map.iter().map(|(k, v)| (k.clone(), scalar(v).unwrap_or_default())).collect(),
            Some(_) => {
                let pair = |tag: &Map<String, Value>| {
                    let tag = Properties::of(tag, &["Key", "Value"])?;
                    Ok((tag.need("Key")?, tag.need("Value")?))
                };
                self.objects("Tags")?.into_iter().map(pair).collect::<Result<_, ServiceError>>()?
            }
        };
        for (key, value) in stack {
            if !tags.iter().any(|(own, _)| own == key) {
                tags.push((key.clone(), value.clone()));
            }
        }
        Ok(tags)
    }
}

/// An error in the words that CloudFormation passes on.
pub(crate) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "InvalidRequest", message)
}

fn empty(name: &str) -> ServiceError {
    invalid(format!("Property {name} cannot be empty."))
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
