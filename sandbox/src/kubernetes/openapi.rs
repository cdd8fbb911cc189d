//! OpenAPI v3 documents: the paths with the kinds behind them and the query parameters that clients look for before they use them.
//! Must not claim schemas: fields are checked by the server (`unknown`), so a client has nothing to check them against.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::resource::{self, Resource};
use super::store::Cluster;

/// `/openapi/v3`: where each group's document is.
pub fn index(cluster: &Cluster) -> Value {
    let mut paths = Map::new();
    for resource in resource::all(cluster) {
        let key = key(&resource);
        if !paths.contains_key(&key) {
            let hash = group(cluster, &key).map(|document| hex::encode_upper(Sha256::digest(document.to_string())));
            let url = format!("/openapi/v3/{key}?hash={}", hash.unwrap_or_default());
            paths.insert(key, json!({ "serverRelativeURL": url }));
        }
    }
    json!({ "paths": paths })
}

/// The document of a group and version, `api/v1` or `apis/apps/v1`.
pub fn group(cluster: &Cluster, wanted: &str) -> Option<Value> {
    let resources: Vec<Resource> =
        resource::all(cluster).into_iter().filter(|resource| key(resource) == wanted).collect();
    if resources.is_empty() {
        return None;
    }
    let mut paths = Map::new();
    for resource in &resources {
        let space = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
        let collection = format!("/{wanted}/{space}{}", resource.plural);
        let kind = json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
        paths.insert(collection.clone(), json!({ "post": operation("post", &kind) }));
        if resource.stored {
            let operations =
                ["get", "put", "patch", "delete"].map(|method| (method.to_owned(), operation(method, &kind)));
            paths.insert(format!("{collection}/{{name}}"), Value::Object(operations.into_iter().collect()));
        }
    }
    Some(
        json!({ "openapi": "3.0.0", "info": { "title": "Kubernetes", "version": super::discovery::git_version(cluster) }, "paths": paths, "components": { "schemas": {} } }),
    )
}

fn key(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

fn operation(method: &str, kind: &Value) -> Value {
    let action =
        if method == "patch" || method == "put" || method == "delete" || method == "get" { method } else { "post" };
    let names: &[&str] = match method {
        "get" => &["pretty"],
        "delete" => &["dryRun", "gracePeriodSeconds", "propagationPolicy"],
        "patch" => &["dryRun", "fieldManager", "fieldValidation", "force"],
        _ => &["dryRun", "fieldManager", "fieldValidation"],
    };
    let parameter =
        |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
    let parameters: Vec<Value> = names.iter().map(parameter).collect();
    json!({ "x-kubernetes-action": action, "x-kubernetes-group-version-kind": kind, "parameters": parameters,
        "responses": { "200": { "description": "OK" } } })
}
