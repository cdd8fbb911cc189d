//! The objects of one cluster, their versions, and a memory of the last changes for watches.
//! Must not know kinds: an object is a JSON document on a shelf.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many changes a watch can look back on; older ones answer 410 and the client lists anew.
const REMEMBERED: usize = 1000;

/// One cluster's objects.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cluster {
    /// Its EKS name.
    pub name: String,
    /// Kubernetes minor version, e.g. `1.33`.
    pub version: String,
    /// The last resource version given out.
    pub revision: u64,
    /// Shelf (`deployments.apps`) → `namespace/name` → object.
    shelves: BTreeMap<String, BTreeMap<String, Value>>,
    /// The instant at which a scheduled pod runs, or a running pod of a Job ends: `namespace/name` of the pod.
    pub due: BTreeMap<String, Timestamp>,
    /// The revision at which the controllers last had nothing to do.
    pub settled: u64,
    #[serde(skip)]
    changes: VecDeque<Change>,
    /// The oldest revision from which `changes` is complete.
    #[serde(skip)]
    remembered_from: u64,
    #[serde(skip)]
    remembers: bool,
}

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Change {
    /// The revision it made.
    pub revision: u64,
    /// The shelf.
    pub shelf: Arc<str>,
    /// The object before; `None` when it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; when it was deleted, its last state with the revision of the deletion.
    pub after: Arc<Value>,
    /// Whether it is gone now.
    pub deleted: bool,
}

impl Cluster {
    /// An empty cluster.
    pub fn new(name: &str, version: &str) -> Cluster {
        Cluster { name: name.to_owned(), version: version.to_owned(), revision: 1, ..Cluster::default() }
    }

    /// One object; `namespace` is empty for those that live in none.
    pub fn get(&self, shelf: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.shelves.get(shelf)?.get(&place(namespace, name))
    }

    /// The objects of a shelf, of one namespace or of all, by namespace and name.
    pub fn list<'a>(&'a self, shelf: &str, namespace: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
        self.shelves
            .get(shelf)
            .into_iter()
            .flat_map(|shelf| shelf.values())
            .filter(move |object| namespace.is_none_or(|namespace| text(object, "/metadata/namespace") == namespace))
    }

    /// The names of all shelves that hold something.
    pub fn shelves(&self) -> Vec<String> {
        self.shelves.iter().filter(|(_, shelf)| !shelf.is_empty()).map(|(name, _)| name.clone()).collect()
    }

    /// Stores an object under its own name and namespace with a new resource version, and returns it. An object that is as it
    /// was keeps its version.
    pub fn put(&mut self, shelf: &str, mut object: Value) -> Value {
        let place = place(text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        let before = self.shelves.get(shelf).and_then(|shelf| shelf.get(&place)).cloned();
        if let Some(before) = &before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if object == *before {
                return object;
            }
        }
        self.start_remembering();
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.remember(shelf, before, object.clone(), false);
        self.shelves.entry(shelf.to_owned()).or_default().insert(place, object.clone());
        object
    }

    /// Takes an object off its shelf.
    pub fn remove(&mut self, shelf: &str, namespace: &str, name: &str) -> Option<Value> {
        let removed = self.shelves.get_mut(shelf)?.remove(&place(namespace, name))?;
        self.start_remembering();
        self.revision += 1;
        let mut last = removed.clone();
        last["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.remember(shelf, Some(removed.clone()), last, true);
        Some(removed)
    }

    /// Changes one object in place; nothing happens if it is not there.
    pub fn change(&mut self, shelf: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.get(shelf, namespace, name).cloned() {
            change(&mut object);
            self.put(shelf, object);
        }
    }

    /// The changes on a shelf after a revision.
    ///
    /// # Errors
    /// The oldest revision from which changes are known, when that is younger than the one asked for.
    pub fn changes_after(&mut self, shelf: &str, revision: u64) -> Result<Vec<Change>, u64> {
        self.start_remembering();
        if revision < self.remembered_from {
            return Err(self.remembered_from);
        }
        Ok(self
            .changes
            .iter()
            .filter(|change| change.revision > revision && *change.shelf == *shelf)
            .cloned()
            .collect())
    }

    /// A new uid, the same in every world with the same history.
    pub fn new_uid(&self, seed: &str) -> String {
        let digest = hex::encode(Sha256::digest(format!("{}/{}/{seed}", self.name, self.revision)));
        format!("{}-{}-4{}-8{}-{}", &digest[..8], &digest[8..12], &digest[12..15], &digest[15..18], &digest[18..30])
    }

    fn start_remembering(&mut self) {
        if !self.remembers {
            self.remembers = true;
            self.remembered_from = self.revision;
        }
    }

    fn remember(&mut self, shelf: &str, before: Option<Value>, after: Value, deleted: bool) {
        let (before, after) = (before.map(Arc::new), Arc::new(after));
        self.changes.push_back(Change { revision: self.revision, shelf: shelf.into(), before, after, deleted });
        while self.changes.len() > REMEMBERED {
            if let Some(forgotten) = self.changes.pop_front() {
                self.remembered_from = forgotten.revision;
            }
        }
    }
}

/// The text at a JSON pointer; empty when there is none.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`; empty for objects that live in none.
pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// The elements at a JSON pointer; none when there is no array.
pub fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A time as Kubernetes writes it: whole seconds.
pub fn stamp(at: Timestamp) -> Value {
    json!(format!("{at:.0}"))
}

fn place(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, phase: &str) -> Value {
        json!({ "metadata": { "name": name, "namespace": "a" }, "status": { "phase": phase } })
    }

    #[test]
    fn versions_rise_with_changes_and_stay_without() {
        let mut cluster = Cluster::new("c", "1.33");
        let made = cluster.put("pods", pod("x", "Pending"));
        let same = cluster.put("pods", pod("x", "Pending"));
        let changed = cluster.put("pods", pod("x", "Running"));
        let versions: Vec<&str> = [&made, &same, &changed].map(|o| text(o, "/metadata/resourceVersion")).to_vec();
        assert_eq!(versions, ["2", "2", "3"]);
    }

    #[test]
    fn a_watch_sees_what_came_after_and_is_told_when_that_is_forgotten() {
        let mut cluster = Cluster::new("c", "1.33");
        cluster.put("pods", pod("x", "Pending"));
        cluster.put("secrets", pod("s", ""));
        cluster.remove("pods", "a", "x");
        let seen: Vec<(u64, bool)> =
            cluster.changes_after("pods", 2).expect("remembered").iter().map(|c| (c.revision, c.deleted)).collect();
        assert_eq!(seen, [(4, true)]);
        let reopened: Cluster = serde_json::from_value(serde_json::to_value(&cluster).expect("json")).expect("cluster");
        let mut reopened = reopened;
        assert_eq!(reopened.changes_after("pods", 2).map(|_| ()), Err(4));
    }
}
