//! AddTags, ListTags and DeleteTags on clusters.
//! Must not know what the tags mean to their owner.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::Cluster;
use super::request;
use crate::wire::ServiceError;
use crate::world::State;

/// The `Tags` of a request; keys are unique.
pub(super) fn read(body: &Value) -> Result<BTreeMap<String, String>, ServiceError> {
    let mut tags = BTreeMap::new();
    for tag in body.get("Tags").and_then(Value::as_array).into_iter().flatten() {
        let key = request::text(tag, "Key").to_owned();
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(super::invalid(format!("Tag keys must not begin with aws: ({key}).")));
        }
        if tags.insert(key.clone(), request::text(tag, "Value").to_owned()).is_some() {
            return Err(super::invalid(format!("Tag keys must be unique. Duplicate key: {key}")));
        }
    }
    Ok(tags)
}

pub(super) fn add(state: &mut State, body: &Value) -> Result<Value, ServiceError> {
    let new = read(body)?;
    let cluster = find(state, body)?;
    let count = cluster.tags.keys().chain(new.keys()).collect::<std::collections::BTreeSet<_>>().len();
    if count > 50 {
        return Err(super::invalid("A resource cannot have more than 50 tags."));
    }
    cluster.tags.extend(new);
    Ok(json!({ "Tags": shown(cluster) }))
}

pub(super) fn list(state: &mut State, body: &Value) -> Result<Value, ServiceError> {
    Ok(json!({ "Tags": shown(find(state, body)?) }))
}

pub(super) fn delete(state: &mut State, body: &Value) -> Result<Value, ServiceError> {
    let cluster = find(state, body)?;
    for key in body.get("TagKeys").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        cluster.tags.remove(key);
    }
    Ok(json!({}))
}

fn find<'a>(state: &'a mut State, body: &Value) -> Result<&'a mut Cluster, ServiceError> {
    let arn = request::text(body, "ResourceArn");
    let found = state.sagemaker.clusters.values_mut().find(|cluster| cluster.arn == arn);
    found.ok_or_else(|| super::not_found(format!("Resource {arn} was not found.")))
}

fn shown(cluster: &Cluster) -> Vec<Value> {
    cluster.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}
