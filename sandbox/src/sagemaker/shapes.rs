//! The request model of SageMaker as data (`shapes.txt`), and the check of a request against it in AWS's words.
//! Must not know what any operation does; rules that AWS checks behind its model are in `rules`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::types;
use crate::wire::ServiceError;

/// Checks a request body against the shape of that name.
///
/// # Errors
/// `SerializationException` for a wrong JSON type or a member that the shape does not have, `ValidationException` with every
/// broken constraint otherwise.
pub(super) fn check(shape: &str, body: &Value) -> Result<(), ServiceError> {
    let mut found = Vec::new();
    walk(shape, body, "", &mut found)?;
    if found.is_empty() {
        return Ok(());
    }
    let errors = if found.len() == 1 { "error" } else { "errors" };
    let text = format!("{} validation {errors} detected: {}", found.len(), found.join("; "));
    Err(super::invalid(text))
}

#[derive(Debug)]
enum Shape {
    Struct { members: Vec<Member>, union: bool },
    List { limits: Limits, of: String },
    Map { limits: Limits, key: String, value: String },
    Enum(Vec<String>),
    Text { limits: Limits, pattern: Option<(String, Regex)> },
    Integer(Limits),
    Boolean,
    Time,
}

#[derive(Debug)]
struct Member {
    name: String,
    required: bool,
    shape: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Limits {
    min: Option<i64>,
    max: Option<i64>,
}

fn table() -> &'static BTreeMap<String, Shape> {
    static TABLE: OnceLock<BTreeMap<String, Shape>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = include_str!("shapes.txt").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| parse(line).unwrap_or_else(|| panic!("shapes.txt: `{line}`"))).collect()
    })
}

fn parse(line: &str) -> Option<(String, Shape)> {
    let (name, rest) = line.split_once(' ')?;
    let (kind, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let mut words = rest.split_whitespace().peekable();
    let limits = match words.peek().and_then(|word| word.split_once("..")) {
        Some((min, max)) if matches!(kind, "list" | "map" | "string" | "integer") => {
            words.next();
            Limits { min: min.parse().ok(), max: max.parse().ok() }
        }
        _ => Limits::default(),
    };
    let shape = match kind {
        "struct" | "union" => {
            Shape::Struct { members: words.map(member).collect::<Option<_>>()?, union: kind == "union" }
        }
        "list" => Shape::List { limits, of: words.next()?.to_owned() },
        "map" => Shape::Map { limits, key: words.next()?.to_owned(), value: words.next()?.to_owned() },
        "enum" if rest == "@instance-types" => Shape::Enum(types::all().map(|it| it.name.to_owned()).collect()),
        "enum" => Shape::Enum(words.map(str::to_owned).collect()),
        "string" => Shape::Text { limits, pattern: pattern(rest)? },
        "integer" => Shape::Integer(limits),
        "boolean" => Shape::Boolean,
        "timestamp" => Shape::Time,
        _ => return None,
    };
    Some((name.to_owned(), shape))
}

fn member(word: &str) -> Option<Member> {
    let (name, shape) = word.split_once(':')?;
    let required = name.ends_with('!');
    Some(Member { name: name.trim_end_matches('!').to_owned(), required, shape: shape.to_owned() })
}

/// The pattern after the first `/` that begins a word; `None` in the outer option when it is no regular expression.
fn pattern(rest: &str) -> Option<Option<(String, Regex)>> {
    let Some(at) = rest.find('/') else {
        return Some(None);
    };
    let text = &rest[at + 1..];
    let regex = Regex::new(&format!("^(?s:{text})$")).ok()?;
    Some(Some((text.to_owned(), regex)))
}

fn walk(name: &str, value: &Value, path: &str, found: &mut Vec<String>) -> Result<(), ServiceError> {
    let shape = table().get(name).unwrap_or_else(|| panic!("shapes.txt has no shape {name}"));
    match (shape, value) {
        (Shape::Struct { members, union }, Value::Object(object)) => walk_members(members, *union, object, path, found),
        (Shape::List { limits, of }, Value::Array(items)) => {
            length(*limits, items.len(), value, path, found);
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| walk(of, item, &format!("{path}.{}.member", at + 1), found))
        }
        (Shape::Map { limits, key, value: of }, Value::Object(object)) => {
            length(*limits, object.len(), value, path, found);
            object.iter().try_for_each(|(name, item)| {
                walk(key, &Value::String(name.clone()), &format!("{path}.{name}.key"), found)?;
                walk(of, item, &format!("{path}.{name}.value"), found)
            })
        }
        (Shape::Enum(_) | Shape::Text { .. }, Value::String(text)) => {
            check_text(shape, text, value, path, found);
            Ok(())
        }
        (Shape::Integer(limits), Value::Number(number)) if number.as_i64().is_some() => {
            range(*limits, number.as_i64().expect("just asked"), "value", value, path, found);
            Ok(())
        }
        (Shape::Boolean, Value::Bool(_)) | (Shape::Time, Value::Number(_)) => Ok(()),
        (wanted, got) => Err(mistyped(wanted, got, path)),
    }
}

fn check_text(shape: &Shape, text: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Shape::Enum(values) = shape
        && !values.iter().any(|it| it == text)
    {
        let values = values.join(", ");
        let rule = format!("Member must satisfy enum value set: [{values}]");
        found.push(broken(value, path, &rule));
    }
    if let Shape::Text { limits, pattern } = shape {
        length(*limits, text.chars().count(), value, path, found);
        if let Some((pattern, regex)) = pattern
            && !regex.is_match(text)
        {
            let rule = format!("Member must satisfy regular expression pattern: {pattern}");
            found.push(broken(value, path, &rule));
        }
    }
}

fn walk_members(
    members: &[Member],
    union: bool,
    object: &Map<String, Value>,
    path: &str,
    found: &mut Vec<String>,
) -> Result<(), ServiceError> {
    if let Some(unknown) = object.keys().find(|key| !members.iter().any(|member| member.name == **key)) {
        let place = if path.is_empty() { "the request".to_owned() } else { format!("'{path}'") };
        let known: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let text = format!("Unknown member {unknown} in {place}, must be one of: {}", known.join(", "));
        return Err(ServiceError::new(400, "SerializationException", text));
    }
    let set = object.values().filter(|value| !value.is_null()).count();
    if union && set != 1 {
        found.push(broken(&Value::Object(object.clone()), path, "Member must have exactly one of its members set"));
    }
    for member in members {
        let place = below(path, &member.name);
        match object.get(&member.name).filter(|value| !value.is_null()) {
            Some(value) => walk(&member.shape, value, &place, found)?,
            None if member.required => {
                found.push(format!("Value null at '{place}' failed to satisfy constraint: Member must not be null"))
            }
            None => {}
        }
    }
    Ok(())
}

/// AWS writes member names in these messages with a small first letter.
fn below(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let name: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn length(limits: Limits, length: usize, value: &Value, path: &str, found: &mut Vec<String>) {
    range(limits, i64::try_from(length).unwrap_or(i64::MAX), "length", value, path, found);
}

fn range(limits: Limits, number: i64, what: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    if let Some(min) = limits.min.filter(|min| number < *min) {
        found.push(broken(value, path, &format!("Member must have {what} greater than or equal to {min}")));
    }
    if let Some(max) = limits.max.filter(|max| number > *max) {
        found.push(broken(value, path, &format!("Member must have {what} less than or equal to {max}")));
    }
}

fn broken(value: &Value, path: &str, rule: &str) -> String {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("Value '{shown}' at '{path}' failed to satisfy constraint: {rule}")
}

fn mistyped(wanted: &Shape, got: &Value, path: &str) -> ServiceError {
    let got = match got {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.as_i64().is_none() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let wanted = match wanted {
        Shape::Struct { .. } => "a structure",
        Shape::List { .. } => "a list",
        Shape::Map { .. } => "a map",
        Shape::Enum(_) | Shape::Text { .. } => "a String",
        Shape::Integer(_) => "an Integer",
        Shape::Boolean => "a Boolean",
        Shape::Time => "a Timestamp",
    };
    ServiceError::new(400, "SerializationException", format!("{got} can not be converted to {wanted} (at '{path}')"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Shape, check, table};

    #[test]
    fn every_named_shape_is_there() {
        for (name, shape) in table() {
            let named: Vec<&String> = match shape {
                Shape::Struct { members, .. } => members.iter().map(|member| &member.shape).collect(),
                Shape::List { of, .. } => vec![of],
                Shape::Map { key, value, .. } => vec![key, value],
                Shape::Enum(values) => {
                    assert!(!values.is_empty(), "{name} has no values");
                    continue;
                }
                Shape::Text { .. } | Shape::Integer(_) | Shape::Boolean | Shape::Time => continue,
            };
            for shape in named {
                assert!(table().contains_key(shape), "{name} names {shape}");
            }
        }
    }

    #[test]
    fn what_breaks_the_model_is_said_in_awss_words() {
        let group = |change: serde_json::Value| {
            let mut group = json!({ "InstanceGroupName": "workers", "InstanceCount": 1, "InstanceType": "ml.m5.2xlarge", "ExecutionRole": "arn:aws:iam::111122223333:role/hp" });
            group.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
            json!({ "ClusterName": "c", "InstanceGroups": [group] })
        };
        let cases = [
            (group(json!({})), "fine"),
            (
                json!({}),
                "ValidationException: 1 validation error detected: Value null at 'clusterName' failed to satisfy constraint: Member must not be null",
            ),
            (
                group(json!({ "InstanceCount": 6759, "ThreadsPerCore": 3 })),
                "ValidationException: 2 validation errors detected: Value '6759' at 'instanceGroups.1.member.instanceCount' failed to satisfy constraint: Member must have value less than or equal to 6758; Value '3' at 'instanceGroups.1.member.threadsPerCore' failed to satisfy constraint: Member must have value less than or equal to 2",
            ),
            (
                json!({ "ClusterName": "c", "NodeRecovery": "AUTOMATIC" }),
                "ValidationException: 1 validation error detected: Value 'AUTOMATIC' at 'nodeRecovery' failed to satisfy constraint: Member must satisfy enum value set: [Automatic, None]",
            ),
            (
                json!({ "ClusterName": "-c" }),
                "ValidationException: 1 validation error detected: Value '-c' at 'clusterName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*",
            ),
            (
                group(json!({ "InstanceCount": "1" })),
                "SerializationException: STRING_VALUE can not be converted to an Integer (at 'instanceGroups.1.member.instanceCount')",
            ),
            (
                json!({ "ClusterName": "c", "TieredStorageConfig": { "Moode": "Enable" } }),
                "SerializationException: Unknown member Moode in 'tieredStorageConfig', must be one of: Mode, InstanceMemoryAllocationPercentage",
            ),
            (
                group(json!({ "InstanceStorageConfigs": [{}] })),
                "ValidationException: 1 validation error detected: Value '{}' at 'instanceGroups.1.member.instanceStorageConfigs.1.member' failed to satisfy constraint: Member must have exactly one of its members set",
            ),
        ];
        for (body, expected) in cases {
            let got =
                check("CreateClusterRequest", &body).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn a_wrong_instance_type_is_told_the_right_ones() {
        let body = json!({ "ClusterName": "c", "InstanceGroups": [{ "InstanceGroupName": "g", "InstanceCount": 1, "InstanceType": "m5.2xlarge", "ExecutionRole": "arn:aws:iam::111122223333:role/hp" }] });
        let error = check("CreateClusterRequest", &body).expect_err("m5.2xlarge lacks its ml.").to_string();
        assert!(error.contains("Value 'm5.2xlarge' at 'instanceGroups.1.member.instanceType'"), "{error}");
        assert!(error.contains("ml.m5.2xlarge, "), "{error}");
    }
}
