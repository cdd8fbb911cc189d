//! Cluster events, which only continuous clusters have: how they are written, listed and described.
//! Must not know when something happens; `life` and `node` say so.

use serde_json::{Map, Value, json};

use super::model::{Cluster, Event, Group, Level, Node, Resource};
use super::{list, request};
use crate::wire::{ServiceError, epoch};
use crate::world::{Moment, State};

/// An event of the whole cluster: `Cluster NAME` and what it did.
pub(super) fn cluster(cluster: &mut Cluster, cx: &Moment<'_>, level: Level, what: &str) {
    let mut roles: Vec<&str> = cluster.groups.iter().map(|group| group.spec.execution_role.as_str()).collect();
    roles.dedup();
    let metadata = json!({ "Cluster": { "EksRoleAccessEntries": roles } });
    let description = format!("Cluster {} {what}", cluster.name);
    push(cluster, cx, Resource::Cluster, (None, None), (level, description), Some(metadata));
}

/// The whole cluster has failed in this.
pub(super) fn failed(cluster: &mut Cluster, cx: &Moment<'_>, text: String, reason: &str) {
    let metadata = json!({ "Cluster": { "FailureMessage": reason } });
    let place = (None, None);
    push(cluster, cx, Resource::Cluster, place, (Level::Error, text), Some(metadata));
}

/// A group begins to grow.
pub(super) fn scaling(cluster: &mut Cluster, at: usize, cx: &Moment<'_>) {
    let group = cluster.groups[at].clone();
    let vpc = cluster.vpc_of(&group);
    let (name, whole) = (group.name(), cluster.name.clone());
    let started = format!("InstanceGroup {name} scaling started successfully in Cluster {whole}");
    push(
        cluster,
        cx,
        Resource::InstanceGroup,
        (Some(name), None),
        (Level::Info, started),
        Some(numbers(cluster, &group, None)),
    );
    let network =
        json!({ "InstanceGroup": { "SubnetId": vpc.subnets.first(), "SecurityGroupIds": vpc.security_group_ids } });
    let found = format!("No CapacityReservation found for Cluster {whole} and IG {name}, using on-demand pool");
    push(cluster, cx, Resource::InstanceGroup, (Some(name), None), (Level::Info, found), Some(network));
}

/// A group could not get its instances.
pub(super) fn launch_failed(cluster: &mut Cluster, at: usize, reason: &str, cx: &Moment<'_>) {
    let group = cluster.groups[at].clone();
    let text = format!("Instance creation in Cluster {} and InstanceGroup {} failed", cluster.name, group.name());
    let metadata = json!({ "Instance": { "FailureMessage": reason } });
    push(cluster, cx, Resource::Instance, (Some(group.name()), None), (Level::Error, text), Some(metadata));
}

/// A group has all that it asked for.
pub(super) fn group_done(cluster: &mut Cluster, at: usize, cx: &Moment<'_>) {
    let group = cluster.groups[at].clone();
    let text = format!("Instance Group {} scaling in Cluster {} completed successfully", group.name(), cluster.name);
    push(
        cluster,
        cx,
        Resource::InstanceGroup,
        (Some(group.name()), None),
        (Level::Info, text),
        Some(numbers(cluster, &group, None)),
    );
}

/// Something about one instance.
pub(super) fn instance(
    cluster: &mut Cluster,
    node: &Node,
    level: Level,
    text: &str,
    script: Option<&str>,
    cx: &Moment<'_>,
) {
    let mut metadata = json!({ "CustomerEni": node.eni, "NodeLogicalId": node.logical_id });
    if let Some(state) = script {
        metadata["LcsExecutionState"] = json!(state);
    }
    let place = (Some(node.group.as_str()), Some(node.id.as_str()));
    push(cluster, cx, Resource::Instance, place, (level, text.to_owned()), Some(json!({ "Instance": metadata })));
}

fn numbers(cluster: &Cluster, group: &Group, failure: Option<&str>) -> Value {
    let count = cluster.nodes_of(group.name()).filter(|node| node.started()).count();
    let mut scaling = json!({ "InstanceCount": count, "TargetCount": group.target });
    if let Some(minimum) = group.spec.min_instance_count {
        scaling["MinCount"] = json!(minimum);
    }
    if let Some(failure) = failure {
        scaling["FailureMessage"] = json!(failure);
    }
    json!({ "InstanceGroupScaling": scaling })
}

fn push(
    cluster: &mut Cluster,
    cx: &Moment<'_>,
    resource: Resource,
    (group, instance): (Option<&str>, Option<&str>),
    (level, description): (Level, String),
    metadata: Option<Value>,
) {
    if !cluster.continuous {
        return;
    }
    let id = event_id(cluster.id(), cluster.events.len());
    let (group, instance) = (group.map(str::to_owned), instance.map(str::to_owned));
    cluster.events.push(Event { id, at: cx.now, resource, group, instance, level, description, metadata });
}

/// A UUID that is the same in every world that does the same things.
fn event_id(cluster: &str, number: usize) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(format!("event {number} of {cluster}"));
    let bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// ListClusterEvents.
pub(super) fn list(state: &State, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    let group = body.get("InstanceGroupName").and_then(Value::as_str);
    let node = body.get("NodeId").and_then(Value::as_str);
    let resource = body.get("ResourceType").and_then(Value::as_str);
    let fits = |event: &&Event| {
        group.is_none_or(|it| event.group.as_deref() == Some(it))
            && node.is_none_or(|it| event.instance.as_deref() == Some(it))
            && resource.is_none_or(|it| resource_name(event.resource) == it)
            && list::within(event.at, body, "EventTimeAfter", "EventTimeBefore")
    };
    let mut events: Vec<&Event> = cluster.events.iter().filter(fits).collect();
    // Newest first, unless asked otherwise (AWS API reference).
    if body.get("SortOrder").and_then(Value::as_str) != Some("Ascending") {
        events.reverse();
    }
    let (page, next) = list::page(events, body, 10)?;
    let events: Vec<Value> = page.into_iter().map(|event| Value::Object(summary(cluster, event))).collect();
    Ok(list::with_next(json!({ "Events": events }), next))
}

/// DescribeClusterEvent.
pub(super) fn describe(state: &State, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    let id = body.get("EventId").and_then(Value::as_str).unwrap_or_default();
    let found = cluster.events.iter().find(|event| event.id == id);
    let event =
        found.ok_or_else(|| super::not_found(format!("Event {id} of cluster {} was not found.", cluster.name)))?;
    let mut details = summary(cluster, event);
    if let Some(metadata) = &event.metadata {
        details.insert("EventDetails".into(), json!({ "EventMetadata": metadata }));
    }
    Ok(json!({ "EventDetails": details }))
}

fn summary(cluster: &Cluster, event: &Event) -> Map<String, Value> {
    let mut summary = Map::new();
    summary.insert("EventId".into(), json!(event.id));
    summary.insert("ClusterArn".into(), json!(cluster.arn));
    summary.insert("ClusterName".into(), json!(cluster.name));
    if let Some(group) = &event.group {
        summary.insert("InstanceGroupName".into(), json!(group));
    }
    if let Some(instance) = &event.instance {
        summary.insert("InstanceId".into(), json!(instance));
    }
    summary.insert("ResourceType".into(), json!(resource_name(event.resource)));
    summary.insert("EventTime".into(), epoch(event.at));
    summary.insert("Description".into(), json!(event.description));
    let level = match event.level {
        Level::Info => "Info",
        Level::Warn => "Warn",
        Level::Error => "Error",
    };
    summary.insert("EventLevel".into(), json!(level));
    summary
}

fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Cluster => "Cluster",
        Resource::InstanceGroup => "InstanceGroup",
        Resource::Instance => "Instance",
    }
}
