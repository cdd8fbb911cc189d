//! Clusters, groups and nodes as the API shows them.
//! Must not change anything.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::model::{Cluster, Group, GroupStatus, Image, KubernetesConfig, Node, Phase, Status};
use super::{images, life, request};
use crate::wire::{ServiceError, epoch};
use crate::world::{Moment, State};

/// For how long a new cluster is not found yet.
const UNSEEN: Duration = Duration::from_secs(2);

/// Whether Describe and List see the cluster already.
pub(super) fn visible(cluster: &Cluster, cx: &Moment<'_>) -> bool {
    cx.now >= cluster.created + UNSEEN
}

/// DescribeCluster.
pub(super) fn describe_cluster(state: &State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    if !visible(cluster, cx) {
        return Err(request::no_cluster(&cluster.name));
    }
    let groups = |restricted: bool| -> Vec<Value> {
        let those = (0..cluster.groups.len()).filter(|at| cluster.groups[*at].restricted == restricted);
        those.map(|at| group_details(cluster, at)).collect()
    };
    let mut answer = json!({
        "ClusterArn": cluster.arn,
        "ClusterName": cluster.name,
        "ClusterStatus": status(cluster.status),
        "CreationTime": epoch(cluster.created),
        "InstanceGroups": groups(false),
        "VpcConfig": cluster.vpc,
    });
    if cluster.groups.iter().any(|group| group.restricted) {
        answer["RestrictedInstanceGroups"] = json!(groups(true));
    }
    if let Some(failure) = &cluster.failure {
        answer["FailureMessage"] = json!(failure);
    }
    for (name, value) in &cluster.settings {
        answer[name] = match name.as_str() {
            "AutoScaling" => auto_scaling(cluster, value),
            "RestrictedInstanceGroupsConfig" => restricted_config(value),
            _ => value.clone(),
        };
    }
    Ok(answer)
}

fn auto_scaling(cluster: &Cluster, value: &Value) -> Value {
    let mut value = value.clone();
    value["Status"] = json!(if cluster.status == Status::Creating { "Creating" } else { "InService" });
    value
}

fn restricted_config(value: &Value) -> Value {
    let shared = &value["SharedEnvironmentConfig"];
    json!({ "SharedEnvironmentConfig": {
        "CurrentFSxLustreConfig": shared["FSxLustreConfig"],
        "DesiredFSxLustreConfig": shared["FSxLustreConfig"],
        "CurrentFSxLustreDeletionPolicy": shared["FSxLustreDeletionPolicy"],
        "DesiredFSxLustreDeletionPolicy": shared["FSxLustreDeletionPolicy"],
    } })
}

/// One member of InstanceGroups or RestrictedInstanceGroups.
fn group_details(cluster: &Cluster, at: usize) -> Value {
    let group = &cluster.groups[at];
    let mut details = set_members(group);
    details.insert("CurrentCount".into(), json!(life::started(cluster, at)));
    details.insert("TargetCount".into(), json!(group.target));
    details.insert("Status".into(), json!(group_status(group.status)));
    if group.restricted {
        return Value::Object(details);
    }
    details.insert("TargetStateCount".into(), json!(group.target));
    let desired = group.desired.as_ref().unwrap_or(&group.image);
    images_of(&mut details, &group.image, Some(desired));
    details.insert("ImageVersionStatus".into(), json!(images::status(&group.image)));
    let alive = cluster.nodes_of(group.name()).filter(|node| node.alive() && node.started()).count();
    if alive != group.target as usize && group.status != GroupStatus::Failed {
        details.insert("ActiveOperations".into(), json!({ "Scaling": 1 }));
    }
    if let Some(software) = &group.software {
        details.insert("SoftwareUpdateStatus".into(), json!(software));
    }
    if let Some(config) = &group.software_config {
        details.insert("ActiveSoftwareUpdateConfig".into(), config.clone());
    }
    details.insert("InstanceTypeDetails".into(), type_details(cluster, group));
    Value::Object(details)
}

/// The members of the specification that were set, under the names that they have in an answer.
fn set_members(group: &Group) -> Map<String, Value> {
    let Value::Object(spec) = json!(group.spec) else { unreachable!("a struct is an object") };
    let mut details = Map::new();
    for (name, value) in spec.into_iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "InstanceCount" | "ImageId" | "ImageReleaseVersion" => {}
            "MinInstanceCount" => drop(details.insert("MinCount".into(), value)),
            "InstanceRequirements" => {
                let types = &value["InstanceTypes"];
                details.insert(name, json!({ "CurrentInstanceTypes": types, "DesiredInstanceTypes": types }));
            }
            "KubernetesConfig" => drop(details.insert(name, kubernetes(group.spec.kubernetes_config.as_ref()))),
            "AutoPatchConfig" => {
                let mut value = value;
                if let Some(schedule) = value.as_object_mut().and_then(|it| it.remove("PatchSchedule")) {
                    value["CurrentPatchSchedule"] = schedule.clone();
                    value["DesiredPatchSchedule"] = schedule;
                }
                details.insert(name, value);
            }
            _ => drop(details.insert(name, value)),
        }
    }
    details
}

fn kubernetes(config: Option<&KubernetesConfig>) -> Value {
    let mut details = Map::new();
    if let Some(labels) = config.and_then(|config| config.labels.as_ref()) {
        details.insert("CurrentLabels".into(), json!(labels));
        details.insert("DesiredLabels".into(), json!(labels));
    }
    if let Some(taints) = config.and_then(|config| config.taints.as_ref()) {
        details.insert("CurrentTaints".into(), json!(taints));
        details.insert("DesiredTaints".into(), json!(taints));
    }
    Value::Object(details)
}

fn type_details(cluster: &Cluster, group: &Group) -> Value {
    let types = group.spec.types();
    let details = types.into_iter().map(|name| {
        let count = cluster.nodes_of(group.name()).filter(|node| node.instance_type == name && node.started()).count();
        let mut details = json!({ "InstanceType": name, "CurrentCount": count });
        if let Some(threads) = group.spec.threads_per_core {
            details["ThreadsPerCore"] = json!(threads);
        }
        details
    });
    details.collect()
}

fn images_of(details: &mut Map<String, Value>, current: &Image, desired: Option<&Image>) {
    details.insert("CurrentImageId".into(), json!(current.id));
    if let Some(release) = &current.release {
        details.insert("CurrentImageReleaseVersion".into(), json!(release));
    }
    if let Some(desired) = desired {
        details.insert("DesiredImageId".into(), json!(desired.id));
        if let Some(release) = &desired.release {
            details.insert("DesiredImageReleaseVersion".into(), json!(release));
        }
    }
}

/// One member of ClusterSummaries.
pub(super) fn cluster_summary(cluster: &Cluster) -> Value {
    let mut summary = json!({
        "ClusterArn": cluster.arn,
        "ClusterName": cluster.name,
        "CreationTime": epoch(cluster.created),
        "ClusterStatus": status(cluster.status),
    });
    let plans: Vec<&String> = cluster.groups.iter().filter_map(|group| group.spec.training_plan_arn.as_ref()).collect();
    if !plans.is_empty() {
        summary["TrainingPlanArns"] = json!(plans);
    }
    summary
}

/// One member of ClusterNodeSummaries.
pub(super) fn node_summary(cluster: &Cluster, node: &Node, logical: bool) -> Value {
    let mut summary = json!({
        "InstanceGroupName": node.group,
        "InstanceId": node.id,
        "InstanceType": node.instance_type,
        "LaunchTime": epoch(node.launched),
        "InstanceStatus": instance_status(node),
        "PrivateDnsHostname": hostname(cluster, node),
        "ImageVersionStatus": images::status(&node.image),
    });
    if let Some(release) = &node.image.release {
        summary["CurrentImageReleaseVersion"] = json!(release);
    }
    if let Some(at) = node.patched {
        summary["LastSoftwareUpdateTime"] = epoch(at);
    }
    if logical {
        summary["NodeLogicalId"] = json!(node.logical_id);
    }
    summary
}

/// DescribeClusterNode.
pub(super) fn describe_node(state: &State, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    let id = body.get("NodeId").and_then(Value::as_str);
    let logical = body.get("NodeLogicalId").and_then(Value::as_str);
    if id.is_some() == logical.is_some() {
        return Err(super::invalid("Exactly one of NodeId and NodeLogicalId must be provided."));
    }
    let wanted = |node: &&Node| Some(node.id.as_str()) == id || Some(node.logical_id.as_str()) == logical;
    let missing = || {
        super::not_found(format!(
            "Instance {} of cluster {} was not found.",
            id.or(logical).unwrap_or_default(),
            cluster.name
        ))
    };
    let node = cluster.nodes.iter().find(wanted).ok_or_else(missing)?;
    Ok(json!({ "NodeDetails": node_details(cluster, node) }))
}

fn node_details(cluster: &Cluster, node: &Node) -> Value {
    let Value::Object(mut details) = node_summary(cluster, node, true) else { unreachable!("a summary is an object") };
    let group = cluster.groups.iter().find(|group| group.name() == node.group);
    details.remove("CurrentImageReleaseVersion");
    images_of(&mut details, &node.image, group.and_then(|group| group.desired.as_ref()).or(Some(&node.image)));
    details.insert("PrivatePrimaryIp".into(), json!(node.address));
    details.insert("Placement".into(), json!({ "AvailabilityZone": node.zone, "AvailabilityZoneId": node.zone_id }));
    details.insert("CapacityType".into(), json!(if node.spot { "Spot" } else { "OnDemand" }));
    if let Some(group) = group {
        let shown = [
            "LifeCycleConfig",
            "OverrideVpcConfig",
            "ThreadsPerCore",
            "InstanceStorageConfigs",
            "KubernetesConfig",
            "NetworkInterface",
        ];
        let set = set_members(group);
        details.extend(set.into_iter().filter(|(name, _)| shown.contains(&name.as_str())));
    }
    Value::Object(details)
}

fn instance_status(node: &Node) -> Value {
    let mut shown = json!({ "Status": node.status() });
    if let Phase::Failure { message } = &node.phase {
        shown["Message"] = json!(message);
    }
    shown
}

fn hostname(cluster: &Cluster, node: &Node) -> String {
    let region = cluster.arn.split(':').nth(3).unwrap_or_default();
    format!("ip-{}.{region}.compute.internal", node.address.replace('.', "-"))
}

/// A cluster's status as the API names it.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Creating => "Creating",
        Status::Updating => "Updating",
        Status::SystemUpdating => "SystemUpdating",
        Status::RollingBack => "RollingBack",
        Status::Deleting => "Deleting",
        Status::InService => "InService",
        Status::Failed => "Failed",
    }
}

fn group_status(status: GroupStatus) -> &'static str {
    match status {
        GroupStatus::InService => "InService",
        GroupStatus::Creating => "Creating",
        GroupStatus::Updating => "Updating",
        GroupStatus::Failed => "Failed",
        GroupStatus::SystemUpdating => "SystemUpdating",
        GroupStatus::Deleting => "Deleting",
    }
}
