//! Unknown fields of the built-in kinds: found down to a pod's containers, and refused by name.
//! Must not know what a known field may hold. Kinds that `fields.txt` does not have, and custom resources, are not looked into.
//!
//! A real server refuses under `fieldValidation=Strict`, and else drops the field with a warning that is easily overlooked. Here
//! it is refused under `Warn` too, which is also what is meant when nothing is said: a typing error must not look fine.

use serde_json::Value;

use super::request::Request;
use super::resource::Resource;
use super::status::Refusal;

/// A shape a line: its name, then its fields, each with the shape of what it holds where that is looked into as well.
const SHAPES: &str = include_str!("fields.txt");

/// Refuses an object with fields that its kind does not have.
///
/// # Errors
/// 400, with all unknown fields.
pub fn refuse(resource: &Resource, request: &Request, object: &Value) -> Result<(), Refusal> {
    if resource.custom || request.get("fieldValidation") == "Ignore" {
        return Ok(());
    }
    let Some(fields) = fields(&resource.kind) else {
        return Ok(());
    };
    let mut found = Vec::new();
    let own = |key: &str| matches!(key, "apiVersion" | "kind");
    for (key, value) in object.as_object().into_iter().flatten().filter(|(key, _)| !own(key)) {
        look(&fields, key, value, "", &mut found);
    }
    if found.is_empty() {
        return Ok(());
    }
    let (kind, version) = (&resource.kind, &resource.version);
    let named: Vec<String> = found.iter().map(|path| format!("unknown field \"{path}\"")).collect();
    Err(Refusal::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
        named.join(", ")
    )))
}

type Fields = Vec<(&'static str, Option<&'static str>)>;

fn fields(shape: &str) -> Option<Fields> {
    let mut words = SHAPES.lines().map(str::split_whitespace).find(|words| words.clone().next() == Some(shape))?;
    words.next();
    Some(words.map(|word| word.split_once(':').map_or((word, None), |(name, below)| (name, Some(below)))).collect())
}

/// Looks at one field of an object of these fields.
fn look(known: &Fields, key: &str, value: &Value, above: &str, found: &mut Vec<String>) {
    let path = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    let Some((_, below)) = known.iter().find(|(name, _)| *name == key) else {
        found.push(path);
        return;
    };
    let Some(below) = below.and_then(fields) else {
        return;
    };
    let mut inside = |value: &Value, path: &str| {
        for (key, value) in value.as_object().into_iter().flatten() {
            look(&below, key, value, path, found);
        }
    };
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                inside(item, &format!("{path}[{at}]"));
            }
        }
        one => inside(one, &path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_that_a_field_leads_to_is_there() {
        for line in SHAPES.lines() {
            for below in line.split_whitespace().filter_map(|word| word.split_once(':')).map(|(_, below)| below) {
                assert!(fields(below).is_some(), "{below} in {line}");
            }
        }
    }

    #[test]
    fn unknown_fields_are_found_where_they_are() {
        let deployment = serde_json::json!({
            "spec": { "replica": 1, "template": { "spec": { "containers": [{ "name": "a", "imagePolicy": "x" }], "volumes": [{ "free": 1 }] } } },
            "sepc": {},
        });
        let known = fields("Deployment").expect("it is in the table");
        let mut found = Vec::new();
        for (key, value) in deployment.as_object().expect("an object") {
            look(&known, key, value, "", &mut found);
        }
        found.sort();
        assert_eq!(found, ["sepc", "spec.replica", "spec.template.spec.containers[0].imagePolicy"]);
    }
}
