//! Server-side apply: which manager owns which field, conflicts between managers, and the merge itself.
//! Must not know the store; it makes a new object from the live one and the applied one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fields::{Fields, Path, dotted, fields_of, find, key_value, list_kind, remove};
use super::lists::ListKind;

use super::store::{items, text};

/// Who applies, and how.
#[derive(Debug, Clone, Copy)]
pub struct Manager<'a> {
    /// `fieldManager`.
    pub name: &'a str,
    /// `apiVersion` that the manager speaks.
    pub api_version: &'a str,
    /// Take over fields of other managers.
    pub force: bool,
    /// Whether the kind's lists are known (built-in kinds); those of custom resources are taken whole.
    pub known_lists: bool,
    /// The time to note.
    pub now: &'a Value,
}

/// The live object (null when there is none) with `applied` applied to it.
///
/// # Errors
/// The conflicts as (manager, field) when others own fields that would change.
pub fn apply(live: &Value, applied: &Value, manager: Manager<'_>) -> Result<Value, Vec<(String, String)>> {
    let wanted = fields_of(applied, manager.known_lists);
    let entries = items(live, "/metadata/managedFields");
    let before = entries.iter().find(|entry| is_apply_of(entry, manager.name)).map(Fields::read).unwrap_or_default();
    let mut conflicts = Vec::new();
    let mut others = Vec::new();
    for entry in entries.iter().filter(|entry| !is_apply_of(entry, manager.name)) {
        let mut fields = Fields::read(entry);
        let contested: Vec<Path> =
            fields.0.intersection(&wanted.0).filter(|path| find(live, path) != find(applied, path)).cloned().collect();
        // What the same program wrote by plain updates before is its own.
        let foreign = text(entry, "/manager") != manager.name;
        for path in contested {
            if foreign && !manager.force {
                conflicts.push((describe(entry), dotted(&path)));
            }
            fields.0.remove(&path);
        }
        others.push((entry.clone(), fields));
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    let mut result = if live.is_null() { json!({}) } else { live.clone() };
    for path in before.0.difference(&wanted.0).filter(|path| others.iter().all(|(_, fields)| !fields.0.contains(*path)))
    {
        remove(&mut result, path);
    }
    merge(&mut result, applied, &mut Vec::new(), manager.known_lists);
    let mut entries: Vec<Value> = others
        .into_iter()
        .filter(|(_, fields)| !fields.0.is_empty())
        .map(|(entry, fields)| fields.write(entry))
        .collect();
    let same = before == wanted;
    let time = items(live, "/metadata/managedFields")
        .iter()
        .find(|entry| is_apply_of(entry, manager.name))
        .filter(|_| same)
        .map(|entry| entry["time"].clone());
    let entry = json!({ "manager": manager.name, "operation": "Apply", "apiVersion": manager.api_version,
        "time": time.unwrap_or_else(|| manager.now.clone()), "fieldsType": "FieldsV1" });
    entries.push(wanted.write(entry));
    result["metadata"]["managedFields"] = Value::Array(entries);
    Ok(result)
}

/// Notes that a manager set, by a plain create, update or patch, what differs between the two objects.
pub fn note_update(before: &Value, after: &mut Value, manager: Manager<'_>) {
    let (old, new) = (fields_of(before, manager.known_lists), fields_of(after, manager.known_lists));
    let changed: BTreeSet<Path> = new
        .0
        .iter()
        .filter(|path| !old.0.contains(*path) || find(before, path) != find(after, path))
        .cloned()
        .collect();
    let mut entries: Vec<(Value, Fields)> =
        items(before, "/metadata/managedFields").iter().map(|entry| (entry.clone(), Fields::read(entry))).collect();
    let is_ours = |entry: &Value| entry["operation"] == "Update" && text(entry, "/manager") == manager.name;
    for (entry, fields) in &mut entries {
        let ours = is_ours(entry);
        fields.0.retain(|path| new.0.contains(path) && (ours || !changed.contains(path)));
    }
    if !changed.is_empty() {
        if !entries.iter().any(|(entry, _)| is_ours(entry)) {
            let entry = json!({ "manager": manager.name, "operation": "Update", "apiVersion": manager.api_version, "fieldsType": "FieldsV1" });
            entries.push((entry, Fields::default()));
        }
        for (entry, fields) in entries.iter_mut().filter(|(entry, _)| is_ours(entry)) {
            entry["time"] = manager.now.clone();
            fields.0.extend(changed.iter().cloned());
        }
    }
    let entries: Vec<Value> = entries
        .into_iter()
        .filter(|(_, fields)| !fields.0.is_empty())
        .map(|(entry, fields)| fields.write(entry))
        .collect();
    after["metadata"]["managedFields"] = Value::Array(entries);
}

fn is_apply_of(entry: &Value, manager: &str) -> bool {
    entry["operation"] == "Apply" && text(entry, "/manager") == manager
}

fn describe(entry: &Value) -> String {
    let manager = text(entry, "/manager");
    if entry["operation"] == "Apply" {
        format!("\"{manager}\"")
    } else {
        format!("\"{manager}\" using {}", text(entry, "/apiVersion"))
    }
}

/// What `merge` does with an applied object: objects merge, lists by their kind, all else replaces.
fn merge<'p>(target: &mut Value, applied: &'p Value, path: &mut Vec<&'p str>, known_lists: bool) {
    let Value::Object(fields) = applied else {
        *target = applied.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in fields {
        path.push(key);
        let slot = target.as_object_mut().expect("made an object above").entry(key.clone()).or_insert(Value::Null);
        match (value, list_kind(path, known_lists)) {
            (Value::Object(_), _) => merge(slot, value, path, known_lists),
            (Value::Array(list), ListKind::Map(keys)) => merge_list(slot, list, keys, path, known_lists),
            (Value::Array(list), ListKind::Set) => {
                let mut kept = items(slot, "").to_vec();
                kept.extend(list.iter().filter(|one| !items(slot, "").contains(one)).cloned());
                *slot = Value::Array(kept);
            }
            _ => *slot = value.clone(),
        }
        path.pop();
    }
}

fn merge_list<'p>(slot: &mut Value, list: &'p [Value], keys: &[&str], path: &mut Vec<&'p str>, known_lists: bool) {
    let mut kept = items(slot, "").to_vec();
    for applied in list {
        match kept.iter().position(|one| keys.iter().all(|key| key_value(one, key) == key_value(applied, key))) {
            Some(at) => merge(&mut kept[at], applied, path, known_lists),
            None => kept.push(applied.clone()),
        }
    }
    *slot = Value::Array(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str, force: bool) -> (String, bool) {
        (name.to_owned(), force)
    }

    fn run(live: &Value, applied: &Value, (name, force): (String, bool)) -> Result<Value, Vec<(String, String)>> {
        let now = json!("2026-01-01T00:00:00Z");
        apply(live, applied, Manager { name: &name, api_version: "apps/v1", force, known_lists: true, now: &now })
    }

    fn deployment(replicas: i32, containers: &[(&str, &str)]) -> Value {
        let containers: Vec<Value> =
            containers.iter().map(|(name, image)| json!({ "name": name, "image": image })).collect();
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d", "labels": { "a": "1" } },
            "spec": { "replicas": replicas, "template": { "spec": { "containers": containers } } } })
    }

    #[test]
    fn what_a_manager_no_longer_applies_goes_away() {
        let live = run(&Value::Null, &deployment(1, &[("a", "a:1"), ("b", "b:1")]), manager("helm", false))
            .expect("no conflict");
        let mut second = deployment(1, &[("a", "a:2")]);
        second["metadata"]["labels"] = json!({ "b": "2" });
        let live = run(&live, &second, manager("helm", false)).expect("no conflict");
        assert_eq!(live["spec"]["template"]["spec"]["containers"], json!([{ "name": "a", "image": "a:2" }]));
        assert_eq!(live["metadata"]["labels"], json!({ "b": "2" }));
    }

    #[test]
    fn another_managers_field_is_a_conflict_unless_forced_or_equal() {
        let live = run(&Value::Null, &deployment(1, &[("a", "a:1")]), manager("helm", false)).expect("no conflict");
        let conflicts =
            run(&live, &deployment(2, &[("a", "a:1")]), manager("kubectl", false)).expect_err("replicas are helm's");
        assert_eq!(conflicts, [("\"helm\"".to_owned(), ".spec.replicas".to_owned())]);
        let shared =
            run(&live, &deployment(1, &[("a", "a:1")]), manager("kubectl", false)).expect("equal values are shared");
        assert_eq!(items(&shared, "/metadata/managedFields").len(), 2);
        let taken = run(&live, &deployment(2, &[("a", "a:1")]), manager("kubectl", true)).expect("forced");
        assert_eq!(taken["spec"]["replicas"], 2);
        let back = run(&taken, &deployment(3, &[("a", "a:1")]), manager("helm", false)).expect_err("now kubectl's");
        assert_eq!(back[0].0, "\"kubectl\"");
    }

    #[test]
    fn a_plain_update_takes_the_fields_that_it_changes() {
        let live = run(&Value::Null, &deployment(1, &[("a", "a:1")]), manager("helm", false)).expect("no conflict");
        let mut edited = live.clone();
        edited["spec"]["replicas"] = json!(5);
        let now = json!("2026-01-01T00:00:01Z");
        note_update(
            &live,
            &mut edited,
            Manager { name: "edit", api_version: "apps/v1", force: false, known_lists: true, now: &now },
        );
        let conflicts = run(&edited, &deployment(1, &[("a", "a:1")]), manager("helm", false))
            .expect_err("replicas are the editor's");
        assert_eq!(conflicts[0].1, ".spec.replicas");
    }
}
