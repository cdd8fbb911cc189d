//! The batch operations on nodes: add, delete, reboot, replace; each may fail in part.
//! Must not know how nodes live on.

use serde_json::{Map, Value, json};

use super::life::{self, REBOOT};
use super::model::{Cluster, Phase, Status};
use super::{neighbours, node, request, types};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// BatchAddClusterNodes: raises the target of groups of a continuous cluster. The same token gives the same answer.
pub(super) fn add(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let token = request::text(body, "ClientToken").to_owned();
    let cluster = request::cluster(state, body)?;
    if let Some(answer) = cluster.tokens.get(&token) {
        return Ok(answer.clone());
    }
    let name = cluster.name.clone();
    if !cluster.continuous {
        return Err(super::invalid("BatchAddClusterNodes requires NodeProvisioningMode to be Continuous."));
    }
    let entries = body.get("NodesToAdd").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut after: Vec<_> = cluster.groups.iter().map(|group| (group.spec.clone(), group.restricted)).collect();
    for (spec, _) in &mut after {
        let more =
            entries.iter().filter(|entry| entry["InstanceGroupName"] == spec.instance_group_name.as_str()).map(count);
        spec.instance_count += more.sum::<u32>();
    }
    request::limits(state, cx, &name, &after)?;
    let mut cluster = state.sagemaker.clusters.remove(&name).expect("just found");
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in &entries {
        match add_to(&mut cluster, entry, state, cx) {
            Ok(added) => done.extend(added),
            Err(error) => failed.push(error),
        }
    }
    let answer = json!({ "Successful": done, "Failed": failed });
    if !token.is_empty() {
        cluster.tokens.insert(token, answer.clone());
    }
    state.sagemaker.clusters.insert(name, cluster);
    Ok(answer)
}

fn count(entry: &Value) -> u32 {
    entry["IncrementTargetCountBy"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(0)
}

fn add_to(cluster: &mut Cluster, entry: &Value, state: &mut State, cx: &Moment<'_>) -> Result<Vec<Value>, Value> {
    let name = request::text(entry, "InstanceGroupName");
    let refuse = |code: &str, text: String| {
        Err(json!({ "InstanceGroupName": name, "ErrorCode": code, "FailedCount": count(entry), "Message": text }))
    };
    let Some(at) = cluster.groups.iter().position(|group| group.name() == name) else {
        return refuse(
            "InstanceGroupNotFound",
            format!("Instance group {name} was not found in cluster {}.", cluster.name),
        );
    };
    if cluster.status != Status::InService {
        return refuse(
            "InvalidInstanceGroupStatus",
            format!("Instance group {name} cannot be scaled while the cluster is busy."),
        );
    }
    let types: Vec<&str> = entry["InstanceTypes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let group = &mut cluster.groups[at];
    if let Some(other) = types.iter().find(|it| !group.spec.types().contains(it)) {
        return refuse(
            "IncompatibleInstanceTypes",
            format!("Instance group {name} does not have instance type {other}."),
        );
    }
    if entry.get("AvailabilityZones").is_some() {
        // The zone of a node follows its subnet here; what cannot be honoured is not taken.
        return refuse(
            "IncompatibleAvailabilityZones",
            "hprun sandbox: AvailabilityZones is not part of the sandbox".to_owned(),
        );
    }
    group.target += count(entry);
    group.spec.instance_count = group.target;
    group.status = super::model::GroupStatus::Updating;
    let before = cluster.nodes.len();
    node::launch(cluster, at, state, cx);
    let made = &cluster.nodes[before..];
    if made.is_empty() {
        // No capacity now: it is tried again, and the ids of nodes to come are not known here.
        return Ok(Vec::new());
    }
    Ok(made
        .iter()
        .map(|node| json!({ "NodeLogicalId": node.logical_id, "InstanceGroupName": name, "Status": node.status() }))
        .collect())
}

/// BatchDeleteClusterNodes: sends the nodes away and lowers their groups' targets.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    each(state, cx, body, &OF_NODES, |cluster, at, state, cx| {
        let group = cluster.nodes[at].group.clone();
        if let Some(group) = cluster.groups.iter_mut().find(|it| it.spec.instance_group_name == group) {
            group.target = group.target.saturating_sub(1);
            group.spec.instance_count = group.target;
            group.spec.min_instance_count = group.spec.min_instance_count.map(|minimum| minimum.min(group.target));
        }
        node::shut_down(&mut cluster.nodes[at], &cluster.eks_name, state, cx);
    })
}

/// BatchRebootClusterNodes.
pub(super) fn reboot(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    each(state, cx, body, &OF_INSTANCES, |cluster, at, state, cx| {
        let node = &mut cluster.nodes[at];
        node.phase = Phase::Rebooting;
        node.due = Some(cx.now + REBOOT);
        let name = node.kubernetes_name();
        neighbours::leave(state, cx, &cluster.eks_name, &name);
    })
}

/// BatchReplaceClusterNodes: the nodes go, and their groups launch others.
pub(super) fn replace(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    each(state, cx, body, &OF_INSTANCES, |cluster, at, state, cx| {
        let name = cluster.nodes[at].group.clone();
        node::shut_down(&mut cluster.nodes[at], &cluster.eks_name, state, cx);
        if let Some(at) = cluster.groups.iter().position(|group| group.name() == name) {
            life::scale(cluster, at, state, cx);
        }
    })
}

/// How an operation names what it could not do to a node.
struct Words {
    /// The member that holds the code.
    code: &'static str,
    /// The code of a node that is not there.
    missing: &'static str,
    /// The code of a node that is in the wrong status.
    unfit: &'static str,
}

const OF_NODES: Words = Words { code: "Code", missing: "NodeIdNotFound", unfit: "InvalidNodeStatus" };
const OF_INSTANCES: Words = Words { code: "ErrorCode", missing: "InstanceIdNotFound", unfit: "InvalidInstanceStatus" };

/// Does something to each node that the request names, by id or logical id, and says which could not be found or used.
fn each(
    state: &mut State,
    cx: &Moment<'_>,
    body: &Value,
    words: &Words,
    act: impl Fn(&mut Cluster, usize, &mut State, &Moment<'_>),
) -> Result<Value, ServiceError> {
    let name = request::cluster(state, body)?.name.clone();
    if body.get("NodeIds").is_none() && body.get("NodeLogicalIds").is_none() {
        return Err(super::invalid("At least one of NodeIds or NodeLogicalIds must be provided."));
    }
    let mut cluster = state.sagemaker.clusters.remove(&name).expect("just found");
    let mut answer = Map::new();
    for (list, member, good, bad) in [
        ("NodeIds", "NodeId", "Successful", "Failed"),
        ("NodeLogicalIds", "NodeLogicalId", "SuccessfulNodeLogicalIds", "FailedNodeLogicalIds"),
    ] {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for id in body.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let found = cluster.nodes.iter().position(|node| node.id == id || node.logical_id == id);
            match found.map(|at| (at, usable(&cluster, at))) {
                Some((at, true)) => {
                    act(&mut cluster, at, state, cx);
                    done.push(id);
                }
                Some((_, false)) => failed.push(json!({ words.code: words.unfit, "Message": format!("Node {id} is not in a status that allows this."), member: id })),
                None => failed.push(json!({ words.code: words.missing, "Message": format!("Node {id} was not found in cluster {name}."), member: id })),
            }
        }
        if !done.is_empty() {
            answer.insert(good.into(), json!(done));
        }
        if !failed.is_empty() {
            answer.insert(bad.into(), json!(failed));
        }
    }
    state.sagemaker.clusters.insert(name, cluster);
    Ok(Value::Object(answer))
}

/// A node that runs, of a known type, in a cluster that is not busy.
fn usable(cluster: &Cluster, at: usize) -> bool {
    let node = &cluster.nodes[at];
    cluster.status == Status::InService && node.started() && types::find(&node.instance_type).is_some()
}
