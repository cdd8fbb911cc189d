//! Patches: JSON patch, merge patch and strategic merge patch as pure functions from document to document.
//! Must not know who sends them or where the document is kept.

use serde_json::{Map, Value};

use super::lists::{self, ListKind};
use super::store::items;

/// RFC 7386: nulls delete, objects merge, everything else replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    let target = object(target);
    for (key, value) in patch {
        if value.is_null() {
            target.shift_remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902.
///
/// # Errors
/// What about the patch cannot be carried out.
pub fn json(target: &mut Value, patch: &Value) -> Result<(), String> {
    let operations = patch.as_array().ok_or("a JSON patch is a list of operations")?;
    for operation in operations {
        let path = operation["path"].as_str().ok_or("an operation of a JSON patch needs a path")?;
        let from = operation["from"].as_str().unwrap_or_default();
        match operation["op"].as_str().unwrap_or_default() {
            "add" => add(target, path, operation["value"].clone())?,
            "remove" => drop(remove(target, path)?),
            "replace" => {
                *target.pointer_mut(path).ok_or_else(|| missing(path))? = operation["value"].clone();
            }
            "move" => {
                let value = remove(target, from)?;
                add(target, path, value)?;
            }
            "copy" => {
                let value = target.pointer(from).ok_or_else(|| missing(from))?.clone();
                add(target, path, value)?;
            }
            "test" if target.pointer(path) == Some(&operation["value"]) => {}
            "test" => return Err(format!("testing value {path} failed: test failed")),
            other => return Err(format!("unexpected kind of operation: {other}")),
        }
    }
    Ok(())
}

fn missing(path: &str) -> String {
    format!("the path {path} is missing: missing value")
}

fn parent<'a, 'p>(target: &'a mut Value, path: &'p str) -> Result<(&'a mut Value, String, &'p str), String> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| missing(path))?;
    let last = last.replace("~1", "/").replace("~0", "~");
    Ok((target.pointer_mut(parent).ok_or_else(|| missing(path))?, last, path))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    match parent(target, path)? {
        (Value::Object(object), key, _) => drop(object.insert(key, value)),
        (Value::Array(list), key, _) if key == "-" => list.push(value),
        (Value::Array(list), key, path) => {
            let at: usize = key.parse().ok().filter(|at| *at <= list.len()).ok_or_else(|| missing(path))?;
            list.insert(at, value);
        }
        (_, _, path) => return Err(missing(path)),
    }
    Ok(())
}

fn remove(target: &mut Value, path: &str) -> Result<Value, String> {
    match parent(target, path)? {
        (Value::Object(object), key, path) => object.shift_remove(&key).ok_or_else(|| missing(path)),
        (Value::Array(list), key, path) => {
            let at: usize = key.parse().ok().filter(|at| *at < list.len()).ok_or_else(|| missing(path))?;
            Ok(list.remove(at))
        }
        (_, _, path) => Err(missing(path)),
    }
}

/// Strategic merge: like `merge`, but lists of named things merge by their key, and `$patch`, `$retainKeys`,
/// `$deleteFromPrimitiveList/…` and `$setElementOrder/…` are obeyed.
pub fn strategic(target: &mut Value, patch: &Value) {
    strategic_at(target, patch, &mut Vec::new());
}

fn strategic_at<'p>(target: &mut Value, patch: &'p Value, path: &mut Vec<&'p str>) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if changes.get("$patch").is_some_and(|directive| directive == "replace") {
        *target = without_directives(patch);
        return;
    }
    let target = object(target);
    if changes.get("$patch").is_some_and(|directive| directive == "delete") {
        target.clear();
        return;
    }
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        target.retain(|key, _| kept.iter().any(|one| one == key));
    }
    for (key, value) in changes.iter().filter(|(key, _)| !key.starts_with('$')) {
        path.push(key);
        match value {
            Value::Null => drop(target.shift_remove(key)),
            Value::Array(list) => list_at(target.entry(key.clone()).or_insert(Value::Null), list, path),
            Value::Object(_) => strategic_at(target.entry(key.clone()).or_insert(Value::Null), value, path),
            _ => drop(target.insert(key.clone(), value.clone())),
        }
        path.pop();
    }
    directives(target, changes, path);
}

/// The directives that stand beside the list they are about.
fn directives<'p>(target: &mut Map<String, Value>, changes: &'p Map<String, Value>, path: &mut Vec<&'p str>) {
    for (key, value) in changes {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(list) = target.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|one| !gone.contains(one));
            }
        }
    }
    for (key, order) in changes {
        let Some(field) = key.strip_prefix("$setElementOrder/") else {
            continue;
        };
        path.push(field);
        let keys = match lists::kind(path) {
            ListKind::Map(keys) => keys,
            ListKind::Set | ListKind::Atomic => &[],
        };
        path.pop();
        let place = |one: &Value| {
            items(order, "").iter().position(|wanted| {
                if keys.is_empty() { wanted == one } else { keys[..1].iter().all(|key| wanted[key] == one[key]) }
            })
        };
        if let Some(list) = target.get_mut(field).and_then(Value::as_array_mut) {
            list.sort_by_key(|one| place(one).unwrap_or(usize::MAX));
        }
    }
}

fn list_at<'p>(target: &mut Value, list: &'p [Value], path: &mut Vec<&'p str>) {
    let key = match lists::kind(path) {
        ListKind::Map(keys) => keys[0],
        ListKind::Set => {
            let kept = array(target);
            kept.extend(list.iter().filter(|one| !kept.contains(one)).cloned().collect::<Vec<_>>());
            return;
        }
        ListKind::Atomic => {
            *target = Value::Array(list.to_vec());
            return;
        }
    };
    let replace = list.iter().any(|one| one["$patch"] == "replace");
    if replace {
        *target = Value::Array(list.iter().filter(|one| one["$patch"] != "replace").map(without_directives).collect());
        return;
    }
    let target = array(target);
    for change in list {
        let found = target.iter().position(|one| one[key] == change[key]);
        match (found, change["$patch"] == "delete") {
            (Some(at), true) => drop(target.remove(at)),
            (Some(at), false) => strategic_at(&mut target[at], change, path),
            (None, true) => {}
            (None, false) => target.push(without_directives(change)),
        }
    }
}

fn without_directives(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(key, value)| !key.starts_with('$') && !value.is_null())
                .map(|(key, value)| (key.clone(), without_directives(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_directives).collect()),
        other => other.clone(),
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("made an array above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strategic_patches_merge_named_things_by_their_key() {
        let live = json!({ "spec": { "replicas": 1, "template": { "spec": {
            "containers": [{ "name": "a", "image": "a:1", "args": ["x"] }, { "name": "b", "image": "b:1" }],
            "tolerations": [{ "operator": "Exists" }] } } } });
        for (patch, expected) in [
            (
                json!({ "spec": { "template": { "spec": { "containers": [{ "name": "a", "image": "a:2" }] } } } }),
                json!([{ "name": "a", "image": "a:2", "args": ["x"] }, { "name": "b", "image": "b:1" }]),
            ),
            (
                json!({ "spec": { "template": { "spec": { "containers": [{ "name": "b", "$patch": "delete" }, { "name": "c" }],
                    "$setElementOrder/containers": [{ "name": "c" }, { "name": "a" }] } } } }),
                json!([{ "name": "c" }, { "name": "a", "image": "a:1", "args": ["x"] }]),
            ),
            (
                json!({ "spec": { "template": { "spec": { "containers": [{ "$patch": "replace" }, { "name": "z" }] } } } }),
                json!([{ "name": "z" }]),
            ),
        ] {
            let mut target = live.clone();
            strategic(&mut target, &patch);
            assert_eq!(target["spec"]["template"]["spec"]["containers"], expected, "{patch}");
            assert_eq!(target["spec"]["replicas"], 1);
        }
    }

    #[test]
    fn merge_and_json_patches_follow_their_rfcs() {
        let mut target = json!({ "a": { "b": 1, "c": [1, 2] } });
        merge(&mut target, &json!({ "a": { "b": null, "c": [3] }, "d": "x" }));
        assert_eq!(target, json!({ "a": { "c": [3] }, "d": "x" }));
        let operations = json!([
            { "op": "test", "path": "/d", "value": "x" }, { "op": "add", "path": "/a/c/-", "value": 4 },
            { "op": "add", "path": "/l~1x", "value": 1 }, { "op": "remove", "path": "/d" },
        ]);
        super::json(&mut target, &operations).expect("applies");
        assert_eq!(target, json!({ "a": { "c": [3, 4] }, "l/x": 1 }));
        let missing = json!([{ "op": "replace", "path": "/nowhere", "value": 1 }]);
        assert!(super::json(&mut target, &missing).is_err());
    }
}
