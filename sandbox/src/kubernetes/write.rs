//! Requests that change objects: create, update and the four kinds of patch.
//! Must not know who may; that was decided before.

use jiff::Timestamp;

use serde_json::{Value, json};

use super::api::find;

use super::apply::{self, Manager};

use super::defaults;

use super::patch;

use super::request::{Request, Target};
use super::rules;

use super::status::Refusal;

use super::store::{Cluster, items, name, namespace, stamp, text};
use super::unknown;

/// Creates an object from the body.
///
/// # Errors
/// What a real server refuses.
pub fn create(cluster: &mut Cluster, request: &Request, target: &Target, now: Timestamp) -> Result<Value, Refusal> {
    let mut object = request.object()?;
    if object["metadata"].get("resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty()) {
        return Err(Refusal::bad_request("resourceVersion should not be set on objects to be created"));
    }
    if text(&object, "/metadata/name").is_empty() {
        let prefix = text(&object, "/metadata/generateName").to_owned();
        if !prefix.is_empty() {
            let suffix = cluster.new_uid(&prefix)[..5].to_owned();
            object["metadata"]["name"] = json!(format!("{prefix}{suffix}"));
        }
    }
    insert(cluster, request, target, object, Write::Plain, now)
}

/// How an object came to be as it is: decides about `managedFields`.
#[derive(Clone, Copy, PartialEq)]
pub enum Write {
    /// By a create, update or patch.
    Plain,
    /// By server-side apply.
    Applied,
}

fn insert(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    mut object: Value,
    how: Write,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let resource = &target.resource;
    let shelf = resource.qualified();
    check_identity(target, &mut object)?;
    let (space, own) = (namespace(&object).to_owned(), name(&object).to_owned());
    if resource.namespaced {
        let home = cluster.get("namespaces", "", &space).ok_or_else(|| Refusal::not_found("namespaces", &space))?;
        if !home["metadata"]["deletionTimestamp"].is_null() {
            let why = format!("unable to create new content in namespace {space} because it is being terminated");
            return Err(Refusal::not_allowed(&shelf, &own, &why));
        }
    }
    if cluster.get(&shelf, &space, &own).is_some() {
        return Err(Refusal::already_exists(&shelf, &own));
    }
    let uid = cluster.new_uid(&format!("{shelf}/{space}/{own}"));
    object["metadata"]["uid"] = json!(uid);
    object["metadata"]["creationTimestamp"] = stamp(now);
    if object.get("spec").is_some() {
        object["metadata"]["generation"] = json!(1);
    }
    if resource.status {
        remove(&mut object, "status");
    }
    finish(cluster, request, target, &Value::Null, object, how, now)
}

/// Update or patch of an object or of a part of it; the HTTP code tells whether it was created.
///
/// # Errors
/// What a real server refuses.
pub fn change(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    now: Timestamp,
) -> Result<(u16, Value), Refusal> {
    let body = request.object()?;
    if target.subresource == "scale" && target.resource.scalable() {
        return super::scale::scale(cluster, request, target, &body, now).map(|scale| (200, scale));
    }
    let known = match target.subresource.as_str() {
        "" => true,
        "status" => target.resource.status,
        "finalize" => target.resource.plural == "namespaces",
        _ => false,
    };
    if !known {
        return Err(Refusal::no_such_path());
    }
    let live = find(cluster, target).cloned();
    let applies = request.content_type == "application/apply-patch+yaml";
    let live = match live {
        Ok(live) => live,
        Err(_) if applies && target.subresource.is_empty() => {
            let applied = applied(request, target, &Value::Null, &body, now)?;
            return insert(cluster, request, target, applied, Write::Applied, now).map(|made| (201, made));
        }
        Err(refusal) => return Err(refusal),
    };
    let wanted = match request.method.as_str() {
        "PUT" => body,
        _ if applies => applied(request, target, &live, &body, now)?,
        _ => patched(request, target, &live, &body)?,
    };
    let how = if applies { Write::Applied } else { Write::Plain };
    let changed = replace(cluster, request, target, &live, wanted, how, now)?;
    Ok((200, changed))
}

fn applied(request: &Request, target: &Target, live: &Value, body: &Value, now: Timestamp) -> Result<Value, Refusal> {
    if request.get("fieldManager").is_empty() {
        return Err(Refusal::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    let mut body = body.clone();
    check_identity(target, &mut body)?;
    if let Some(meta) = body["metadata"].as_object_mut() {
        if meta.get("managedFields").is_some_and(|fields| !fields.is_null() && *fields != json!([])) {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        meta.shift_remove("managedFields");
        if meta.get("creationTimestamp").is_some_and(Value::is_null) {
            meta.shift_remove("creationTimestamp");
        }
    }
    apply::apply(live, &body, manager(request, target, &stamp(now)))
        .map_err(|conflicts| Refusal::apply_conflict(&conflicts))
}

fn manager<'a>(request: &'a Request, target: &Target, now: &'a Value) -> Manager<'a> {
    // The version only labels the entry, so a kind's own is as good as the one that the manager spoke.
    let api_version: &str = match (target.resource.custom, target.resource.group.as_str()) {
        (false, "") => "v1",
        (false, "apps") => "apps/v1",
        (false, "batch") => "batch/v1",
        _ => "v1",
    };
    Manager {
        name: request.manager(),
        api_version,
        force: request.flag("force"),
        known_lists: !target.resource.custom,
        now,
    }
}

fn patched(request: &Request, target: &Target, live: &Value, body: &Value) -> Result<Value, Refusal> {
    let mut wanted = live.clone();
    match request.content_type.as_str() {
        "application/merge-patch+json" => patch::merge(&mut wanted, body),
        "application/strategic-merge-patch+json" if target.resource.custom => {
            return Err(Refusal::unsupported_media(
                "strategic merge patches of custom resources are not supported; accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
            ));
        }
        "application/strategic-merge-patch+json" => patch::strategic(&mut wanted, body),
        "application/json-patch+json" => patch::json(&mut wanted, body)
            .map_err(|why| Refusal::invalid(&target.resource.qualified_kind(), &target.name, "patch", &why))?,
        other => return Err(Refusal::unsupported_media(other)),
    }
    Ok(wanted)
}

/// Puts a wanted state in place of the live one, as far as the target allows.
///
/// # Errors
/// 409 for an old version, 422 for a broken rule.
pub fn replace(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    live: &Value,
    mut wanted: Value,
    how: Write,
    now: Timestamp,
) -> Result<Value, Refusal> {
    check_identity(target, &mut wanted)?;
    let shelf = target.resource.qualified();
    let sent = text(&wanted, "/metadata/resourceVersion");
    if !sent.is_empty() && sent != text(live, "/metadata/resourceVersion") {
        return Err(Refusal::conflict(&shelf, name(live)));
    }
    let uid = text(&wanted, "/metadata/uid");
    if !uid.is_empty() && uid != text(live, "/metadata/uid") {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            text(live, "/metadata/uid")
        );
        return Err(Refusal::cannot_fulfil(&shelf, name(live), &why));
    }
    if target.subresource == "status" {
        let mut next = live.clone();
        next["status"] = wanted["status"].clone();
        for part in ["labels", "annotations"] {
            if let Some(value) = wanted["metadata"].get(part) {
                next["metadata"][part] = value.clone();
            }
        }
        wanted = next;
    } else if target.resource.status {
        match live.get("status") {
            Some(status) => wanted["status"] = status.clone(),
            None => remove(&mut wanted, "status"),
        }
    }
    for part in ["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] {
        match live["metadata"].get(part) {
            Some(value) => wanted["metadata"][part] = value.clone(),
            None => remove(&mut wanted["metadata"], part),
        }
    }
    keep_allocated(&target.resource.qualified(), live, &mut wanted);
    finish(cluster, request, target, live, wanted, how, now)
}

/// What the server once filled in stays when an update leaves it out.
fn keep_allocated(shelf: &str, live: &Value, wanted: &mut Value) {
    let parts: &[&str] = match shelf {
        "services" => &["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"],
        "jobs.batch" => &["selector"],
        _ => &[],
    };
    for part in parts {
        if wanted["spec"].get(*part).is_none_or(Value::is_null) && live["spec"].get(*part).is_some() {
            wanted["spec"][*part] = live["spec"][*part].clone();
        }
    }
}

/// Defaults, rules, generation, ownership; then the object is stored unless this is a dry run.
fn finish(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    live: &Value,
    mut object: Value,
    how: Write,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let resource = &target.resource;
    unknown::refuse(resource, request, &object)?;
    defaults::fill(resource, &mut object, now);
    rules::validate(resource, &object, Some(live).filter(|live| !live.is_null()))?;
    if !live.is_null() {
        let specified = |object: &Value| {
            object.as_object().map(|fields| {
                fields
                    .iter()
                    .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect::<std::collections::BTreeMap<_, _>>()
            })
        };
        if object.get("spec").is_some() && specified(&object) != specified(live) {
            let generation = live["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
            object["metadata"]["generation"] = json!(generation);
        }
    }
    if how == Write::Plain && target.subresource.is_empty() {
        apply::note_update(live, &mut object, manager(request, target, &stamp(now)));
    }
    if request.dry_run() {
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        if live.is_null() {
            remove(&mut object["metadata"], "resourceVersion");
        }
        return Ok(object);
    }
    let shelf = resource.qualified();
    let stored = cluster.put(&shelf, object);
    let leaving = !stored["metadata"]["deletionTimestamp"].is_null();
    if leaving && items(&stored, "/metadata/finalizers").is_empty() && shelf != "namespaces" {
        cluster.remove(&shelf, namespace(&stored), name(&stored));
    }
    Ok(stored)
}

/// Body and path must speak of the same object of the same kind; what the body leaves out is filled in.
fn check_identity(target: &Target, object: &mut Value) -> Result<(), Refusal> {
    let resource = &target.resource;
    if !object.is_object() {
        return Err(Refusal::bad_request("the body is not an object"));
    }
    let (kind, version) = (text(object, "/kind"), text(object, "/apiVersion"));
    let wrong_kind = !kind.is_empty() && kind != resource.kind;
    let wrong_version = !version.is_empty() && version != resource.api_version() && !resource.custom;
    if wrong_kind || wrong_version {
        let why = format!(
            "{kind} in version \"{version}\" cannot be handled as a {}: converting ({version}.{kind}) to ({}.{}): unknown conversion",
            resource.kind,
            resource.api_version(),
            resource.kind
        );
        return Err(Refusal::bad_request(why));
    }
    let space = namespace(object);
    if resource.namespaced && !space.is_empty() && space != target.namespace {
        return Err(Refusal::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request: {space} is not {}",
            target.namespace
        )));
    }
    let own = name(object);
    if !target.name.is_empty() && !own.is_empty() && own != target.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({})",
            target.name
        )));
    }
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(target.namespace);
    } else {
        remove(&mut object["metadata"], "namespace");
    }
    if !target.name.is_empty() {
        object["metadata"]["name"] = json!(target.name);
    }
    Ok(())
}

fn remove(object: &mut Value, key: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove(key);
    }
}
