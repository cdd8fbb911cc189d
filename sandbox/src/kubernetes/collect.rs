//! What goes when something else goes: dependents of deleted owners, the contents of deleted namespaces; and what every namespace has.
//! Must not know workloads or pods.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pods;
use super::store::{Cluster, items, name, namespace, stamp, text};

/// Collects and completes once; the caller repeats it until nothing changes.
pub fn reconcile(cluster: &mut Cluster, now: Timestamp) {
    for space in cluster.list("namespaces", None).cloned().collect::<Vec<_>>() {
        if space["metadata"]["deletionTimestamp"].is_null() {
            complete(cluster, name(&space), now);
        } else {
            empty(cluster, name(&space), now);
        }
    }
    orphans(cluster, now);
}

/// Deletes an object: at once, or by marking it when finalizers have to go first.
pub fn delete(cluster: &mut Cluster, shelf: &str, object: &Value, now: Timestamp) {
    let held = !items(object, "/metadata/finalizers").is_empty() || shelf == "namespaces";
    if held {
        cluster.change(shelf, namespace(object), name(object), |object| {
            if object["metadata"]["deletionTimestamp"].is_null() {
                object["metadata"]["deletionTimestamp"] = stamp(now);
                object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            }
            if shelf == "namespaces" {
                object["status"]["phase"] = json!("Terminating");
            }
        });
    } else if shelf == "pods" {
        pods::remove(cluster, namespace(object), name(object));
    } else {
        cluster.remove(shelf, namespace(object), name(object));
        if shelf == "customresourcedefinitions.apiextensions.k8s.io" {
            let shelf = name(object).to_owned();
            for custom in cluster.list(&shelf, None).cloned().collect::<Vec<_>>() {
                cluster.remove(&shelf, namespace(&custom), name(&custom));
            }
        }
    }
}

fn complete(cluster: &mut Cluster, space: &str, now: Timestamp) {
    let make = |cluster: &mut Cluster, shelf: &str, kind: &str, name: &str| {
        if cluster.get(shelf, space, name).is_none() {
            let uid = cluster.new_uid(&format!("{kind}/{space}/{name}"));
            let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": space, "uid": uid, "creationTimestamp": stamp(now) } });
            if kind == "ConfigMap" {
                object["data"] = json!({ "ca.crt": "" });
            }
            cluster.put(shelf, object);
        }
    };
    make(cluster, "serviceaccounts", "ServiceAccount", "default");
    make(cluster, "configmaps", "ConfigMap", "kube-root-ca.crt");
}

fn empty(cluster: &mut Cluster, space: &str, now: Timestamp) {
    let mut left = false;
    for shelf in cluster.shelves() {
        let inside: Vec<Value> = cluster.list(&shelf, Some(space)).cloned().collect();
        for object in inside {
            left |= !items(&object, "/metadata/finalizers").is_empty();
            delete(cluster, &shelf, &object, now);
        }
    }
    if !left {
        cluster.remove("namespaces", "", space);
    }
}

/// Deletes what is owned only by objects that are gone.
fn orphans(cluster: &mut Cluster, now: Timestamp) {
    let mut uids = BTreeSet::new();
    let mut owned = Vec::new();
    for shelf in cluster.shelves() {
        for object in cluster.list(&shelf, None) {
            uids.insert(text(object, "/metadata/uid").to_owned());
            if !items(object, "/metadata/ownerReferences").is_empty() {
                owned.push((shelf.clone(), object.clone()));
            }
        }
    }
    for (shelf, object) in owned {
        let alone = items(&object, "/metadata/ownerReferences").iter().all(|owner| !uids.contains(text(owner, "/uid")));
        if alone && object["metadata"]["deletionTimestamp"].is_null() {
            delete(cluster, &shelf, &object, now);
        }
    }
}
