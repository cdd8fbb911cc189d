//! Requests that delete: one object, a collection, an eviction.
//! Must not know who may; that was decided before.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::find;
use super::collect;
use super::request::{Request, Target};
use super::selector::Selector;
use super::status::Refusal;
use super::store::{Cluster, items, text};

/// Deletes one object.
///
/// # Errors
/// 404, 409 for preconditions that do not hold, 403 for what cannot go.
pub fn delete(cluster: &mut Cluster, request: &Request, target: &Target, now: Timestamp) -> Result<Value, Refusal> {
    let options = if request.body.is_empty() { Value::Null } else { request.object()? };
    let object = find(cluster, target)?.clone();
    let shelf = target.resource.qualified();
    let preconditions = &options["preconditions"];
    for (part, pointer) in [("uid", "/metadata/uid"), ("resourceVersion", "/metadata/resourceVersion")] {
        let wanted = text(preconditions, &format!("/{part}"));
        if !wanted.is_empty() && wanted != text(&object, pointer) {
            let why = format!(
                "Precondition failed: {part} in precondition: {wanted}, in object meta: {}",
                text(&object, pointer)
            );
            return Err(Refusal::cannot_fulfil(&shelf, &target.name, &why));
        }
    }
    if shelf == "namespaces" && matches!(target.name.as_str(), "default" | "kube-system" | "kube-public") {
        return Err(Refusal::not_allowed(&shelf, &target.name, "this namespace may not be deleted"));
    }
    let dry = request.dry_run() || items(&options, "/dryRun").iter().any(|one| one == "All");
    if !dry {
        remove_object(cluster, request, &options, &shelf, &object, now);
    }
    let left = cluster.get(&shelf, &target.namespace, &target.name);
    match left.filter(|left| !dry && !left["metadata"]["deletionTimestamp"].is_null()) {
        Some(left) => Ok(left.clone()),
        None => {
            let details = json!({ "name": target.name, "group": target.resource.group, "kind": target.resource.plural, "uid": object["metadata"]["uid"] });
            Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }))
        }
    }
}

fn remove_object(
    cluster: &mut Cluster,
    request: &Request,
    options: &Value,
    shelf: &str,
    object: &Value,
    now: Timestamp,
) {
    let policy = Some(text(options, "/propagationPolicy"))
        .filter(|policy| !policy.is_empty())
        .unwrap_or(request.get("propagationPolicy"));
    if policy == "Orphan" || options["orphanDependents"] == true {
        let uid = &object["metadata"]["uid"];
        for other in cluster.shelves() {
            let dependents: Vec<Value> = cluster
                .list(&other, None)
                .filter(|one| items(one, "/metadata/ownerReferences").iter().any(|owner| owner["uid"] == *uid))
                .cloned()
                .collect();
            for mut dependent in dependents {
                let kept: Vec<Value> = items(&dependent, "/metadata/ownerReferences")
                    .iter()
                    .filter(|owner| owner["uid"] != *uid)
                    .cloned()
                    .collect();
                dependent["metadata"]["ownerReferences"] = json!(kept);
                cluster.put(&other, dependent);
            }
        }
    }
    collect::delete(cluster, shelf, object, now);
}

/// Deletes what the selectors pick.
///
/// # Errors
/// 400 for a selector that cannot be read.
pub fn delete_collection(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let selector = Selector::parse(request.get("labelSelector"), request.get("fieldSelector"))?;
    let options = if request.body.is_empty() { Value::Null } else { request.object()? };
    let shelf = target.resource.qualified();
    let space = Some(target.namespace.as_str()).filter(|space| !space.is_empty());
    let picked: Vec<Value> = cluster.list(&shelf, space).filter(|object| selector.picks(object)).cloned().collect();
    if !request.dry_run() {
        for object in &picked {
            remove_object(cluster, request, &options, &shelf, object, now);
        }
    }
    Ok(json!({ "kind": format!("{}List", target.resource.kind), "apiVersion": target.resource.api_version(),
        "metadata": { "resourceVersion": cluster.revision.to_string() }, "items": picked }))
}

/// Evicts a pod: it goes at once.
///
/// # Errors
/// 404.
pub fn evict(cluster: &mut Cluster, request: &Request, target: &Target, now: Timestamp) -> Result<Value, Refusal> {
    let pod = find(cluster, target)?.clone();
    if !request.dry_run() {
        collect::delete(cluster, "pods", &pod, now);
    }
    Ok(json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 }))
}
