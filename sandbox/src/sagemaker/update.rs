//! UpdateCluster, UpdateClusterSoftware and DeleteCluster: what they change at once.
//! Must not know how the change comes about; that is `life` and `patch`.

use serde_json::{Value, json};

use super::life::{DELETE, PREPARE};
use super::model::{Before, Cluster, GroupSpec, GroupStatus, Image, Level, Phase, Status, Work};
use super::{create, events, images, node, request, rules};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// UpdateCluster: groups that are given replace those of their name whole, so that members left out are reset.
pub(super) fn cluster(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    request::changeable(cluster)?;
    let name = cluster.name.clone();
    let given = request::groups(body);
    let leaving: Vec<String> = request::member(body, "InstanceGroupsToDelete").unwrap_or_default();
    rules::groups(&given)?;
    check(cluster, &given, &leaving, body)?;
    let eks = request::eks(state, &cluster.eks_name)?;
    request::surroundings(state, cx, &given, &eks)?;
    let mut after: Vec<(GroupSpec, bool)> = given.clone();
    let cluster = request::cluster(state, body)?;
    let replaced = |name: &str| {
        leaving.iter().any(|it| it == name) || given.iter().any(|(spec, _)| spec.instance_group_name == name)
    };
    after.extend(
        cluster
            .groups
            .iter()
            .filter(|group| !replaced(group.name()))
            .map(|group| (group.spec.clone(), group.restricted)),
    );
    request::limits(state, cx, &name, &after)?;
    let cluster = request::cluster_mut(state, body)?;
    apply(cluster, given, &leaving);
    cluster.settings.extend(create::settings(body));
    cluster.continuous = cluster.settings.contains_key("NodeProvisioningMode");
    cluster.failure = None;
    cluster.status = Status::Updating;
    cluster.work = Work::Preparing;
    cluster.due = Some(cx.now + PREPARE);
    events::cluster(cluster, cx, Level::Info, "update started successfully");
    Ok(json!({ "ClusterArn": cluster.arn }))
}

fn check(cluster: &Cluster, given: &[(GroupSpec, bool)], leaving: &[String], body: &Value) -> Result<(), ServiceError> {
    let found = |name: &str| cluster.groups.iter().find(|group| group.name() == name);
    for name in leaving {
        if found(name).is_none() {
            return Err(super::invalid(format!(
                "Instance group {name} in InstanceGroupsToDelete does not exist in cluster {}.",
                cluster.name
            )));
        }
        if given.iter().any(|(spec, _)| spec.instance_group_name == *name) {
            return Err(super::invalid(format!("Instance group {name} cannot be both updated and deleted.")));
        }
    }
    for (spec, restricted) in given {
        let Some(group) = found(&spec.instance_group_name) else {
            continue;
        };
        if group.spec.override_vpc_config != spec.override_vpc_config {
            let text = format!("OverrideVpcConfig of instance group {} cannot be changed.", group.name());
            return Err(super::invalid(text));
        }
        if group.restricted != *restricted {
            return Err(super::invalid(format!(
                "Instance group {} cannot become or cease to be a restricted one.",
                group.name()
            )));
        }
    }
    if body.get("Orchestrator").is_some_and(|it| Some(it) != cluster.settings.get("Orchestrator")) {
        return Err(super::invalid("Orchestrator cannot be changed."));
    }
    let mut settings = cluster.settings.clone();
    settings.extend(create::settings(body));
    create::scaling(&settings)
}

fn apply(cluster: &mut Cluster, given: Vec<(GroupSpec, bool)>, leaving: &[String]) {
    for (spec, restricted) in given {
        let Some(group) =
            cluster.groups.iter_mut().find(|group| group.spec.instance_group_name == spec.instance_group_name)
        else {
            let mut group = create::new_group(spec, restricted);
            group.before = Some(None);
            cluster.groups.push(group);
            continue;
        };
        group.before = Some(Some(Box::new(Before { spec: group.spec.clone(), target: group.target })));
        group.target = spec.instance_count;
        group.spec = spec;
        group.status = GroupStatus::Updating;
    }
    for group in cluster.groups.iter_mut().filter(|group| leaving.contains(&group.spec.instance_group_name)) {
        group.before = Some(Some(Box::new(Before { spec: group.spec.clone(), target: group.target })));
        group.target = 0;
        group.status = GroupStatus::Deleting;
    }
}

/// UpdateClusterSoftware: every node of the groups gets another image, which replaces its root volume.
pub(super) fn software(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster_mut(state, body)?;
    request::changeable(cluster)?;
    let wanted = body.get("InstanceGroups").and_then(Value::as_array);
    let mut moves: Vec<(usize, Image)> = Vec::new();
    for (at, group) in cluster.groups.iter().enumerate() {
        let entry = wanted.and_then(|groups| groups.iter().find(|entry| entry["InstanceGroupName"] == group.name()));
        if wanted.is_none() || entry.is_some() {
            let version = entry.and_then(|entry| entry.get("ImageReleaseVersion")).and_then(Value::as_str);
            moves.push((at, target_image(version, body)?));
        }
    }
    for entry in wanted.into_iter().flatten() {
        let name = request::text(entry, "InstanceGroupName");
        if !cluster.groups.iter().any(|group| group.name() == name) {
            return Err(super::invalid(format!("Instance group {name} does not exist in cluster {}.", cluster.name)));
        }
    }
    for (at, image) in moves {
        let group = &mut cluster.groups[at];
        group.desired = Some(image);
        group.status = GroupStatus::SystemUpdating;
        group.software = Some("InProgress".to_owned());
        group.software_config = body.get("DeploymentConfig").cloned();
        let running = cluster
            .nodes
            .iter_mut()
            .filter(|node| node.group == group.spec.instance_group_name && node.phase == Phase::Running);
        running.for_each(|node| node.phase = Phase::PatchPending);
    }
    cluster.status = Status::SystemUpdating;
    cluster.work = Work::Patching;
    cluster.due = Some(cx.now + PREPARE);
    events::cluster(cluster, cx, Level::Info, "has been scheduled for UpdateClusterSoftware to latest.");
    Ok(json!({ "ClusterArn": cluster.arn }))
}

fn target_image(version: Option<&str>, body: &Value) -> Result<Image, ServiceError> {
    if let Some(version) = version {
        if !images::RELEASES.contains(&version) {
            let known = images::RELEASES.join(", ");
            return Err(super::invalid(format!(
                "ImageReleaseVersion {version} does not exist; the sandbox has {known}."
            )));
        }
        return Ok(images::release(version));
    }
    let custom = images::custom(body.get("ImageId").and_then(Value::as_str));
    Ok(custom.unwrap_or_else(|| images::release(images::RELEASES[images::RELEASES.len() - 1])))
}

/// DeleteCluster.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let name = request::cluster(state, body)?.name.clone();
    let mut cluster = state.sagemaker.clusters.remove(&name).expect("just found");
    let deletable = matches!(cluster.status, Status::InService | Status::Failed);
    let refused =
        (!deletable).then(|| request::conflict(&cluster, "Wait until it is InService or Failed, then delete it."));
    if deletable {
        cluster.status = Status::Deleting;
        cluster.work = Work::Deleting;
        cluster.due = Some(cx.now + DELETE);
        for group in &mut cluster.groups {
            group.status = GroupStatus::Deleting;
            group.launch_at = None;
        }
        for node in &mut cluster.nodes {
            node::shut_down(node, &cluster.eks_name, state, cx);
        }
    }
    let arn = cluster.arn.clone();
    state.sagemaker.clusters.insert(name, cluster);
    refused.map_or_else(|| Ok(json!({ "ClusterArn": arn })), Err)
}
