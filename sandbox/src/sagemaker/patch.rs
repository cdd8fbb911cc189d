//! UpdateClusterSoftware: moves a cluster's nodes to another image, batch by batch.
//! Must not know requests; the operation that begins it is in `update`.

use std::time::Duration;

use serde_json::Value;

use super::life::PATCH;
use super::model::{Cluster, GroupStatus, Phase, Status, Work};
use super::{neighbours, node};
use crate::world::{Moment, State};

/// Begins the next batch, or ends the update when none is left or one failed.
pub(super) fn next(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) {
    if let Some(message) = failure(cluster) {
        return take_back(cluster, &message, state, cx);
    }
    let pending: Vec<usize> =
        (0..cluster.nodes.len()).filter(|at| cluster.nodes[*at].phase == Phase::PatchPending).collect();
    if pending.is_empty() {
        return done(cluster);
    }
    let config = cluster.groups.iter().find_map(|group| group.software_config.clone());
    let all = cluster
        .nodes
        .iter()
        .filter(|node| cluster.groups.iter().any(|group| group.desired.is_some() && group.name() == node.group))
        .count();
    for at in pending.into_iter().take(batch(config.as_ref(), all)) {
        let node = &mut cluster.nodes[at];
        node.phase = Phase::Patching;
        node.due = Some(cx.now + PATCH);
        let name = node.kubernetes_name();
        neighbours::leave(state, cx, &cluster.eks_name, &name);
    }
    let wait = config
        .as_ref()
        .and_then(|config| config.pointer("/WaitIntervalInSeconds"))
        .and_then(Value::as_u64)
        .unwrap_or(0);
    cluster.due = Some(cx.now + PATCH + Duration::from_secs(wait));
}

/// How many nodes at once: all, unless the request says less.
fn batch(config: Option<&Value>, all: usize) -> usize {
    let Some(size) = config.and_then(|config| config.pointer("/RollingUpdatePolicy/MaximumBatchSize")) else {
        return all;
    };
    let value = size.get("Value").and_then(Value::as_u64).unwrap_or(1);
    let value = usize::try_from(value).unwrap_or(usize::MAX);
    match size.get("Type").and_then(Value::as_str) {
        Some("CAPACITY_PERCENTAGE") => (all.saturating_mul(value) / 100).max(1),
        _ => value,
    }
}

fn failure(cluster: &Cluster) -> Option<String> {
    cluster.nodes.iter().find_map(|node| match &node.phase {
        Phase::Failure { message } => {
            Some(format!("Instance {} failed to update with the following error: \"{message}\"", node.id))
        }
        _ => None,
    })
}

fn take_back(cluster: &mut Cluster, message: &str, state: &mut State, cx: &Moment<'_>) {
    for at in 0..cluster.nodes.len() {
        let phase = &mut cluster.nodes[at].phase;
        if matches!(phase, Phase::PatchPending | Phase::Failure { .. }) {
            *phase = Phase::Running;
            node::join(cluster, at, state, cx);
        }
    }
    cluster.failure = Some(message.to_owned());
    end(cluster, "RollbackComplete", false);
}

fn done(cluster: &mut Cluster) {
    cluster.failure = None;
    end(cluster, "Succeeded", true);
}

fn end(cluster: &mut Cluster, software: &str, moved: bool) {
    cluster.work = Work::Idle;
    cluster.status = Status::InService;
    for group in &mut cluster.groups {
        if let Some(desired) = group.desired.take() {
            group.status = GroupStatus::InService;
            group.software = Some(software.to_owned());
            group.software_config = None;
            if moved {
                group.image = desired;
            }
        }
    }
}
