//! The calls of EKS: which one is meant, and those that belong to no kind of thing.
//! Chooses only; each kind of thing has its requests in a module of its own, and its rules in another.

use serde::Deserialize;
use serde_json::{Value, json};

use super::model::Tags;
use super::{access, access_requests, addon_requests, cluster, cluster_requests, fault, routes, views};
use crate::wire::{Call, Reply, ServiceError};
use crate::world::{Moment, State};

/// A body, or EKS's error.
pub(super) type Answer = Result<Value, ServiceError>;

/// Answers a call.
pub(super) fn answer(state: &mut State, cx: &Moment<'_>, call: &Call) -> Result<Reply, ServiceError> {
    let (operation, values) = routes::find(&call.method, &call.path).ok_or_else(|| call.not_part())?;
    refuse_unknown(call, operation)?;
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let body = match (operation, values.as_slice()) {
        (_, []) => without_name(state, cx, call, operation),
        ("ListTagsForResource" | "TagResource" | "UntagResource", [arn]) => tags(state, call, operation, arn),
        (_, [name]) if operation.ends_with("Cluster") || operation == "UpdateClusterConfig" => {
            cluster_requests::answer(state, cx, call, operation, name)
        }
        (_, [name, rest @ ..]) if operation.contains("Addon") => {
            addon_requests::answer(state, cx, call, operation, name, rest.first().copied())
        }
        (_, [name, rest @ ..]) if operation.contains("Access") => {
            access_requests::answer(state, cx, call, operation, name, rest)
        }
        (_, [name, rest @ ..]) if operation.contains("PodIdentity") => {
            access_requests::pod_identity(state, cx, call, operation, name, rest.first().copied())
        }
        (_, [name, rest @ ..]) => other_lists(state, call, operation, name, rest.first().copied()),
    };
    body.map(|body| Reply::rest_json(&body))
}

/// Refuses query parameters that an operation does not have, and a body where it has none.
fn refuse_unknown(call: &Call, operation: &str) -> Result<(), ServiceError> {
    let known: &[&str] = match operation {
        // Listings know theirs, see `list`.
        "DescribeAddonVersions" => return Ok(()),
        _ if operation.starts_with("List") && operation != "ListTagsForResource" => return Ok(()),
        "DescribeUpdate" => &["addonName"],
        "UntagResource" => &["tagKeys"],
        _ => &[],
    };
    let unknown = call.query.iter().find(|(key, _)| !known.contains(&key.as_str()));
    match unknown {
        Some((unknown, _)) => {
            Err(ServiceError::not_part(format!("parameter {unknown} of operation {operation} of service eks")))
        }
        None => Ok(()),
    }
}

fn without_name(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str) -> Answer {
    match operation {
        "CreateCluster" => cluster_requests::create(state, cx, call),
        "ListClusters" => {
            list(call, "clusters", state.eks.clusters.keys().map(|name| json!(name)).collect(), &["include"])
        }
        "DescribeAddonVersions" => addon_requests::versions(call),
        _ => {
            let policies = access::POLICIES.iter().map(
                |(name, _)| json!({ "name": name, "arn": format!("arn:aws:eks::aws:cluster-access-policy/{name}") }),
            );
            list(call, "accessPolicies", policies.collect(), &[])
        }
    }
}

/// One page of a listing. `filters` are the query parameters that the caller has used already.
pub(super) fn list(call: &Call, member: &str, items: Vec<Value>, filters: &[&str]) -> Answer {
    let known = |key: &str| ["maxResults", "nextToken"].contains(&key) || filters.contains(&key);
    if let Some((unknown, _)) = call.query.iter().find(|(key, _)| !known(key)) {
        return Err(ServiceError::not_part(format!(
            "parameter {unknown} of operation {} of service eks",
            call.operation
        )));
    }
    let wrong = |name: &str| fault("InvalidParameterException", format!("Invalid value for {name}"));
    let size: usize = call.query("maxResults").map_or(Ok(100), |text| text.parse().map_err(|_| wrong("maxResults")))?;
    let start: usize = call.query("nextToken").map_or(Ok(0), |text| text.parse().map_err(|_| wrong("nextToken")))?;
    let end = start.saturating_add(size.max(1));
    let next = (end < items.len()).then(|| end.to_string());
    let page: Vec<Value> = items.into_iter().skip(start).take(size.max(1)).collect();
    let mut body = json!({ member: page });
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    Ok(body)
}

fn other_lists(state: &State, call: &Call, operation: &str, name: &str, id: Option<&str>) -> Answer {
    let cluster = cluster::find(state, name)?;
    match (operation, id) {
        ("DescribeUpdate", Some(id)) => {
            let missing = || fault("ResourceNotFoundException", format!("No update found for ID: {id}"));
            Ok(json!({ "update": views::update(cluster.updates.get(id).ok_or_else(missing)?) }))
        }
        ("ListUpdates", _) => {
            let addon = call.query("addonName");
            let listed = cluster.updates.values().filter(|update| update.addon.as_deref() == addon);
            list(call, "updateIds", listed.map(|update| json!(update.id)).collect(), &["addonName"])
        }
        ("ListNodegroups", _) => list(call, "nodegroups", vec![], &[]),
        ("ListFargateProfiles", _) => list(call, "fargateProfileNames", vec![], &[]),
        _ => Err(call.not_part()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagRequest {
    tags: Tags,
}

fn tags(state: &mut State, call: &Call, operation: &str, arn: &str) -> Answer {
    let found =
        tags_of(state, arn).ok_or_else(|| fault("NotFoundException", format!("No resource found for arn: {arn}")))?;
    match operation {
        "TagResource" => found.extend(call.json::<TagRequest>()?.tags),
        "UntagResource" => {
            let keys = call.query.iter().filter(|(key, _)| key == "tagKeys").map(|(_, value)| value);
            for key in keys {
                found.remove(key);
            }
        }
        _ => return Ok(json!({ "tags": found })),
    }
    Ok(json!({}))
}

fn tags_of<'a>(state: &'a mut State, arn: &str) -> Option<&'a mut Tags> {
    for cluster in state.eks.clusters.values_mut() {
        if cluster.arn == arn {
            return Some(&mut cluster.tags);
        }
        if let Some(addon) = cluster.addons.values_mut().find(|addon| addon.arn == arn) {
            return Some(&mut addon.tags);
        }
        if let Some(entry) = cluster.access.values_mut().find(|entry| entry.arn == arn) {
            return Some(&mut entry.tags);
        }
        if let Some(association) = cluster.pod_identities.values_mut().find(|association| association.arn == arn) {
            return Some(&mut association.tags);
        }
    }
    None
}
