//! The `Scale` of a workload: read, set, patched.
//! Must not know what the controllers do about it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::find;
use super::patch;
use super::request::{Request, Target};
use super::status::Refusal;
use super::store::{Cluster, text};
use super::write::{Write, replace};

/// The `Scale` of a workload.
pub fn scale_of(object: &Value) -> Value {
    let selector: Vec<String> = object["spec"]["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let meta = &object["metadata"];
    json!({ "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": { "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "creationTimestamp": meta["creationTimestamp"] },
        "spec": { "replicas": object["spec"]["replicas"] },
        "status": { "replicas": object["status"]["replicas"].as_u64().unwrap_or(0), "selector": selector.join(",") } })
}

/// Sets or patches the scale.
///
/// # Errors
/// 404, and 409 when the workload has changed meanwhile.
pub fn scale(
    cluster: &mut Cluster,
    request: &Request,
    target: &Target,
    body: &Value,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let live = find(cluster, target)?.clone();
    let mut scale = scale_of(&live);
    match request.method.as_str() {
        "PUT" => scale = body.clone(),
        _ => patch::merge(&mut scale, body),
    }
    let sent = text(&scale, "/metadata/resourceVersion");
    if !sent.is_empty() && sent != text(&live, "/metadata/resourceVersion") {
        return Err(Refusal::conflict(&target.resource.qualified(), &target.name));
    }
    let mut wanted = live.clone();
    wanted["spec"]["replicas"] = json!(scale["spec"]["replicas"].as_u64().unwrap_or(0));
    let whole = Target { subresource: String::new(), ..target.clone() };
    let changed = replace(cluster, request, &whole, &live, wanted, Write::Plain, now)?;
    Ok(scale_of(&changed))
}
