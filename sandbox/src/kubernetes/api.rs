//! What a request is answered with: documents about the API, objects, lists, watches, and the parts of pods.
//! Must not know HTTP beyond method, path and media types.

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{self, Caller};
use super::request::{Request, Target};
use super::selector::Selector;
use super::status::Refusal;
use super::store::{Cluster, items, name, namespace, text};
use super::watch::Watch;
use super::{delete, discovery, openapi, scale, table, write};

/// An answer, before it is put into HTTP.
#[derive(Debug)]
pub enum Answer {
    /// A document.
    Json(u16, Value),
    /// A document with a media type of its own.
    Typed(&'static str, Value),
    /// Plain text.
    Text(String),
    /// Changes, as they come.
    Watch(Box<Watch>),
}

/// Answers a request of a caller who is known.
///
/// # Errors
/// The `Status` that a real server would answer.
pub fn handle(cluster: &mut Cluster, caller: &Caller, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
    let path = request.path.trim_end_matches('/').to_owned();
    match path.as_str() {
        "" => {
            return Ok(Answer::Json(
                200,
                json!({ "paths": ["/api", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"] }),
            ));
        }
        "/version" => return Ok(Answer::Json(200, discovery::version(cluster))),
        "/healthz" | "/livez" | "/readyz" => return Ok(Answer::Text("ok".to_owned())),
        "/openapi/v3" => return Ok(Answer::Json(200, openapi::index(cluster))),
        _ => {}
    }
    if let Some(group) = path.strip_prefix("/openapi/v3/") {
        return openapi::group(cluster, group)
            .map(|document| Answer::Json(200, document))
            .ok_or_else(Refusal::no_such_path);
    }
    if let Some(answer) = discovery::answer(cluster, &path, &request.accept) {
        return Ok(answer);
    }
    let target = Target::parse(cluster, &path)?;
    access::check(caller, &target, target.verb(request))?;
    resource(cluster, caller, request, &target, now)
}

fn resource(
    cluster: &mut Cluster,
    caller: &Caller,
    request: &Request,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    if !target.resource.stored {
        return match request.method.as_str() {
            "POST" => Ok(Answer::Json(201, access::review(cluster, caller, &target.resource, request.object()?))),
            _ => Err(Refusal::method_not_allowed()),
        };
    }
    match (request.method.as_str(), target.name.is_empty(), target.subresource.as_str()) {
        ("GET", true, "") if request.flag("watch") => watch(cluster, request, target, now),
        ("GET", true, "") => list(cluster, request, target, now),
        ("GET", false, "" | "status") if request.flag("watch") => Err(Refusal::method_not_allowed()),
        ("GET", false, "" | "status") => {
            let object = find(cluster, target)?.clone();
            Ok(Answer::Json(200, shaped(request, target, object, now)))
        }
        ("GET", false, "scale") if target.resource.scalable() => {
            Ok(Answer::Json(200, scale::scale_of(find(cluster, target)?)))
        }
        ("GET", false, "log") if target.resource.plural == "pods" => log(find(cluster, target)?, request),
        ("POST", true, "") => {
            let made = write::create(cluster, request, target, now)?;
            Ok(Answer::Json(201, shaped(request, target, made, now)))
        }
        ("POST", false, "eviction") if target.resource.plural == "pods" => {
            delete::evict(cluster, request, target, now).map(|status| Answer::Json(201, status))
        }
        ("POST" | "GET", false, "exec" | "attach" | "portforward") if target.resource.plural == "pods" => {
            Err(Refusal::bad_request(format!(
                "hprun sandbox: {} is not part of the sandbox: its pods run no programs",
                target.subresource
            )))
        }
        ("PUT", false, _) | ("PATCH", false, _) => {
            let (code, changed) = write::change(cluster, request, target, now)?;
            Ok(Answer::Json(code, shaped(request, target, changed, now)))
        }
        ("DELETE", false, "") => delete::delete(cluster, request, target, now).map(|status| Answer::Json(200, status)),
        ("DELETE", true, "") => {
            delete::delete_collection(cluster, request, target, now).map(|list| Answer::Json(200, list))
        }
        (_, _, "") => Err(Refusal::method_not_allowed()),
        _ => Err(Refusal::no_such_path()),
    }
}

/// The object that a target names.
///
/// # Errors
/// 404.
pub fn find<'a>(cluster: &'a Cluster, target: &Target) -> Result<&'a Value, Refusal> {
    let resource = target.resource.qualified();
    cluster.get(&resource, &target.namespace, &target.name).ok_or_else(|| Refusal::not_found(&resource, &target.name))
}

/// An object in the form that was asked for.
fn shaped(request: &Request, target: &Target, mut object: Value, now: Timestamp) -> Value {
    if target.resource.custom {
        object["apiVersion"] = json!(target.resource.api_version());
    }
    if request.wants_table() {
        let version = object["metadata"]["resourceVersion"].clone();
        return table::table(&target.resource, &[object], version, request.get("includeObject"), now);
    }
    if request.wants_metadata() {
        return metadata_only(&object);
    }
    object
}

/// The `PartialObjectMetadata` of an object.
pub fn metadata_only(object: &Value) -> Value {
    json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
}

fn selector(request: &Request) -> Result<Selector, Refusal> {
    Selector::parse(request.get("labelSelector"), request.get("fieldSelector"))
}

fn list(cluster: &mut Cluster, request: &Request, target: &Target, now: Timestamp) -> Result<Answer, Refusal> {
    let selector = selector(request)?;
    let resource = &target.resource;
    let space = Some(target.namespace.as_str()).filter(|space| !space.is_empty());
    let place = |object: &Value| format!("{}/{}", namespace(object), name(object));
    let (from, version) = continued(request.get("continue"), cluster.revision)?;
    let mut found: Vec<Value> = cluster
        .list(&resource.qualified(), space)
        .filter(|object| selector.picks(object) && (from.is_empty() || place(object) > from))
        .cloned()
        .collect();
    let limit = request.get("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut meta = json!({ "resourceVersion": version.to_string() });
    if found.len() > limit {
        meta["remainingItemCount"] = json!(found.len() - limit);
        found.truncate(limit);
        let last = found.last().map(place).unwrap_or_default();
        meta["continue"] = json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{version} {last}")));
    }
    if request.wants_table() {
        let mut table =
            table::table(resource, &found, meta["resourceVersion"].clone(), request.get("includeObject"), now);
        table["metadata"] = meta;
        return Ok(Answer::Json(200, table));
    }
    if request.wants_metadata() {
        let found: Vec<Value> = found.iter().map(metadata_only).collect();
        return Ok(Answer::Json(
            200,
            json!({ "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "items": found }),
        ));
    }
    let version = resource.api_version();
    if resource.custom {
        found.iter_mut().for_each(|object| object["apiVersion"] = json!(version));
    }
    Ok(Answer::Json(
        200,
        json!({ "kind": format!("{}List", resource.kind), "apiVersion": version, "metadata": meta, "items": found }),
    ))
}

/// Where a `continue` token goes on, and at which revision its list began.
fn continued(token: &str, revision: u64) -> Result<(String, u64), Refusal> {
    if token.is_empty() {
        return Ok((String::new(), revision));
    }
    let invalid = || Refusal::bad_request("continue key is not valid: it was not given out by this server");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let token = String::from_utf8(bytes).map_err(|_| invalid())?;
    let (version, place) = token.split_once(' ').ok_or_else(invalid)?;
    Ok((place.to_owned(), version.parse().map_err(|_| invalid())?))
}

fn watch(cluster: &mut Cluster, request: &Request, target: &Target, now: Timestamp) -> Result<Answer, Refusal> {
    let shelf = target.resource.qualified();
    let sent = request.get("resourceVersion");
    let initial = request.flag("sendInitialEvents");
    let from_start = initial || matches!(sent, "" | "0");
    let mut watch = Watch::new(target.clone(), selector(request)?, request, cluster.revision);
    if from_start {
        let space = Some(target.namespace.as_str()).filter(|space| !space.is_empty());
        let found: Vec<Value> = cluster.list(&shelf, space).cloned().collect();
        watch.begin(&found, initial, now);
    } else {
        let revision = sent.parse().map_err(|_| Refusal::bad_request(format!("invalid resource version: {sent}")))?;
        cluster.changes_after(&shelf, revision).map_err(|oldest| Refusal::expired(revision, oldest))?;
        watch.revision = revision;
    }
    Ok(Answer::Watch(Box::new(watch)))
}

/// A pod's log. No program runs in the sandbox, so the log says only that, once the pod has started.
fn log(pod: &Value, request: &Request) -> Result<Answer, Refusal> {
    let containers: Vec<&str> = items(pod, "/spec/containers").iter().map(name_of).collect();
    let wanted = request.get("container");
    let chosen = match (wanted, containers.as_slice()) {
        ("", [only]) => *only,
        ("", several) => {
            return Err(Refusal::bad_request(format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                name(pod),
                several.join(" ")
            )));
        }
        (wanted, all) if all.contains(&wanted) => wanted,
        (wanted, _) => {
            return Err(Refusal::bad_request(format!("container {wanted} is not valid for pod {}", name(pod))));
        }
    };
    if text(pod, "/status/phase") == "Pending" {
        return Err(Refusal::bad_request(format!(
            "container \"{chosen}\" in pod \"{}\" is waiting to start: ContainerCreating",
            name(pod)
        )));
    }
    Ok(Answer::Text(format!(
        "hprun sandbox: pod {} runs no program, so container {chosen} has nothing to log\n",
        name(pod)
    )))
}

fn name_of(container: &Value) -> &str {
    text(container, "/name")
}
