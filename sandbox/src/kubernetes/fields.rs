//! The fields of an object as `managedFields` names them: which there are, where they lead, how they are written down.
//! Must not know managers or conflicts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::lists::{self, ListKind};
use super::patch;

/// One step on the way to a field, in the spelling of `fieldsV1`: `f:name`, `k:{"name":"x"}` or `v:"x"`.
pub type Path = Vec<String>;

/// The fields that a manager set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(pub BTreeSet<Path>);

pub fn list_kind(path: &[&str], known_lists: bool) -> ListKind {
    if known_lists || path.first() == Some(&"metadata") { lists::kind(path) } else { ListKind::Atomic }
}

/// The value of a key of a list element; a missing protocol is TCP.
pub fn key_value(element: &Value, key: &str) -> Value {
    match (&element[key], key) {
        (Value::Null, "protocol") => json!("TCP"),
        (value, _) => value.clone(),
    }
}

/// The fields that a manager of this object sets: all leaves but identity and status of the server's own making.
pub fn fields_of(object: &Value, known_lists: bool) -> Fields {
    let mut fields = BTreeSet::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                for part in ["labels", "annotations", "finalizers", "ownerReferences"] {
                    if let Some(value) = value.get(part).filter(|value| !value.is_null()) {
                        collect(
                            value,
                            &mut vec!["metadata", part],
                            vec!["f:metadata".to_owned(), format!("f:{part}")],
                            known_lists,
                            &mut fields,
                        );
                    }
                }
            }
            _ => collect(value, &mut vec![key], vec![format!("f:{key}")], known_lists, &mut fields),
        }
    }
    Fields(fields)
}

fn collect<'v>(value: &'v Value, names: &mut Vec<&'v str>, at: Path, known_lists: bool, fields: &mut BTreeSet<Path>) {
    let below = |step: String| at.iter().cloned().chain([step]).collect::<Path>();
    match (value, list_kind(names, known_lists)) {
        (Value::Object(object), _) if !object.is_empty() => {
            for (key, value) in object {
                names.push(key);
                collect(value, names, below(format!("f:{key}")), known_lists, fields);
                names.pop();
            }
        }
        (Value::Array(list), ListKind::Map(keys)) => {
            for element in list {
                let key: Map<String, Value> =
                    keys.iter().map(|key| ((*key).to_owned(), key_value(element, key))).collect();
                let step = format!("k:{}", Value::Object(key));
                fields.insert(below(step.clone()));
                collect(element, names, below(step), known_lists, fields);
            }
        }
        (Value::Array(list), ListKind::Set) => fields.extend(list.iter().map(|one| below(format!("v:{one}")))),
        _ => drop(fields.insert(at)),
    }
}

/// The index or name by which a step leads on from a value.
fn step_in<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    let (kind, rest) = step.split_once(':')?;
    match kind {
        "f" => value.get(rest),
        "k" => position(value, rest).and_then(|at| value.get(at)),
        _ => value.as_array()?.iter().find(|one| is_written(one, rest)),
    }
}

/// Whether a step's text stands for this value.
fn is_written(value: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|written| written == *value)
}

fn position(list: &Value, key: &str) -> Option<usize> {
    let key: Map<String, Value> = serde_json::from_str(key).ok()?;
    list.as_array()?.iter().position(|one| key.iter().all(|(name, value)| key_value(one, name) == *value))
}

/// The value at a path; for an element of a list with keys, that it is there (its fields have paths of their own).
pub fn find(object: &Value, path: &Path) -> Option<Value> {
    let found = path.iter().try_fold(object, |value, step| step_in(value, step))?;
    let is_element = path.last().is_some_and(|step| step.starts_with("k:"));
    Some(if is_element { Value::Null } else { found.clone() })
}

pub fn remove(object: &mut Value, path: &Path) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut at = object;
    for step in parents {
        let (kind, rest) = step.split_once(':').unwrap_or_default();
        let next = match kind {
            "f" => at.get_mut(rest),
            _ => match position(at, rest) {
                Some(index) => at.get_mut(index),
                None => None,
            },
        };
        let Some(next) = next else { return };
        at = next;
    }
    let (kind, rest) = last.split_once(':').unwrap_or_default();
    match (kind, at) {
        ("f", Value::Object(fields)) => drop(fields.shift_remove(rest)),
        ("k", list) => {
            if let Some(index) = position(list, rest) {
                list.as_array_mut().expect("it has a position").remove(index);
            }
        }
        (_, Value::Array(list)) => list.retain(|one| !is_written(one, rest)),
        _ => {}
    }
}

/// A path as messages name it: `.spec.template.spec.containers[name="a"].image`.
pub fn dotted(path: &Path) -> String {
    let part = |step: &String| match step.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", key)) => {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let pairs: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("[{}]", pairs.join(","))
        }
        Some((_, value)) => format!("[={value}]"),
        None => String::new(),
    };
    path.iter().map(part).collect()
}

impl Fields {
    /// The fields of a `managedFields` entry.
    pub fn read(entry: &Value) -> Fields {
        let mut fields = BTreeSet::new();
        read_below(&entry["fieldsV1"], &Vec::new(), &mut fields);
        Fields(fields)
    }

    /// The entry with these fields.
    pub fn write(&self, mut entry: Value) -> Value {
        let mut tree = json!({});
        for path in &self.0 {
            let mut at = &mut tree;
            for step in path {
                at = at
                    .as_object_mut()
                    .expect("the tree is made of objects")
                    .entry(step.clone())
                    .or_insert_with(|| json!({}));
            }
            if path.last().is_some_and(|step| step.starts_with("k:")) {
                patch::merge(at, &json!({ ".": {} }));
            }
        }
        entry["fieldsV1"] = tree;
        entry
    }
}

fn read_below(tree: &Value, at: &Path, fields: &mut BTreeSet<Path>) {
    for (step, below) in tree.as_object().into_iter().flatten() {
        if step == "." {
            fields.insert(at.clone());
            continue;
        }
        let path: Path = at.iter().cloned().chain([step.clone()]).collect();
        if below.as_object().is_some_and(Map::is_empty) {
            fields.insert(path);
        } else {
            read_below(below, &path, fields);
        }
    }
}
