//! How clusters move on in sandbox time: nodes are launched, run their scripts, join, fail; updates roll back; clusters go away.
//! Must not know requests or answers; everything that will happen is in the state, with the instant at which it falls due.

use std::time::Duration;

use jiff::Timestamp;

use super::model::{Cluster, Group, GroupStatus, Level, Phase, Status, Work};
use super::{events, neighbours, node, patch};
use crate::world::{Moment, State};

/// A classic cluster of any size takes 12 minutes: 2 to prepare, 6 to boot, 3 for the scripts, 1 to settle.
pub(super) const PREPARE: Duration = Duration::from_secs(2 * 60);
pub(super) const BOOT: Duration = Duration::from_secs(6 * 60);
pub(super) const SCRIPT: Duration = Duration::from_secs(3 * 60);
pub(super) const SETTLE: Duration = Duration::from_secs(60);
pub(super) const DEEP_CHECK: Duration = Duration::from_secs(60 * 60);
pub(super) const SHUT_DOWN: Duration = Duration::from_secs(2 * 60);
pub(super) const ROLL_BACK: Duration = Duration::from_secs(3 * 60);
pub(super) const DELETE: Duration = Duration::from_secs(3 * 60);
pub(super) const PATCH: Duration = Duration::from_secs(8 * 60);
pub(super) const REBOOT: Duration = Duration::from_secs(4 * 60);
/// How long continuous mode waits before it asks again for what it could not get.
pub(super) const RETRY: Duration = Duration::from_secs(5 * 60);
/// For how long MinInstanceCount is waited for (facts: AWS docs).
pub(super) const MINIMUM_WAIT: Duration = Duration::from_secs(3 * 60 * 60);

/// Moves every cluster on to `cx.now`, from one due instant to the next; says whether anything changed.
pub(super) fn advance(state: &mut State, cx: &Moment<'_>) -> bool {
    let mut moved = false;
    loop {
        let clusters = state.sagemaker.clusters.values();
        let next = clusters.flat_map(|cluster| cluster.instants().map(|at| (at, cluster.name.clone()))).min();
        let Some((at, name)) = next.filter(|(at, _)| *at <= cx.now) else {
            return moved;
        };
        moved = true;
        let mut cluster = state.sagemaker.clusters.remove(&name).expect("just found");
        let lives = step(&mut cluster, state, &cx.at(at));
        if lives {
            state.sagemaker.clusters.insert(name, cluster);
        }
    }
}

/// Does all that is due in one cluster at this instant; `false` when the cluster is gone.
fn step(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) -> bool {
    while let Some(at) = cluster.nodes.iter().position(|node| is_due(node.due, cx)) {
        node::step(cluster, at, state, cx);
    }
    if is_due(cluster.due, cx) {
        cluster.due = None;
        match cluster.work.clone() {
            Work::Idle => {}
            Work::Preparing => prepared(cluster, state, cx),
            Work::Scaling => give_up(cluster, state, cx),
            Work::Settling => finish(cluster),
            Work::Patching => patch::next(cluster, state, cx),
            Work::RollingBack { reason } => rolled_back(cluster, reason, state, cx),
            Work::Deleting => return false,
        }
    }
    for at in 0..cluster.groups.len() {
        if is_due(cluster.groups[at].launch_at, cx) {
            cluster.groups[at].launch_at = None;
            node::launch(cluster, at, state, cx);
        }
    }
    settle(cluster, state, cx);
    true
}

fn is_due(at: Option<Timestamp>, cx: &Moment<'_>) -> bool {
    at.is_some_and(|at| at <= cx.now)
}

/// The access entries are made; the groups may grow.
fn prepared(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) {
    let creating = cluster.status == Status::Creating;
    if let Err(reason) = make_access_entries(cluster, state, cx) {
        return roll_back(cluster, reason, state, cx);
    }
    let updated: Vec<usize> = (0..cluster.groups.len()).filter(|at| changed(&cluster.groups[*at])).collect();
    for at in updated {
        scale(cluster, at, state, cx);
    }
    if cluster.continuous {
        cluster.work = Work::Idle;
        cluster.status = Status::InService;
        cluster.was_in_service = true;
        cluster.groups.iter_mut().for_each(|group| group.before = None);
        let operation = if creating { "creation" } else { "update" };
        events::cluster(cluster, cx, Level::Info, &format!("{operation} completed successfully"));
    } else {
        cluster.work = Work::Scaling;
        let minimum = cluster.groups.iter().any(|group| group.spec.min_instance_count.is_some());
        cluster.due = minimum.then(|| cx.now + MINIMUM_WAIT);
    }
}

/// HyperPod lets its nodes into the EKS cluster by an access entry for each execution role.
fn make_access_entries(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) -> Result<(), String> {
    for at in 0..cluster.groups.len() {
        let role = &cluster.groups[at].spec.execution_role;
        let made = neighbours::make_access_entry(state, cx, &cluster.eks_name, role);
        made.map_err(|error| {
            let name = &cluster.name;
            let text = format!("EKS Access Entries creation failed for Cluster {name}");
            events::failed(cluster, cx, text, &error.message);
            error.message
        })?;
    }
    Ok(())
}

fn changed(group: &Group) -> bool {
    group.before.is_some() || group.status == GroupStatus::Creating || group.status == GroupStatus::Deleting
}

/// Sends the surplus of a group away, newest first, and has what is missing launched.
pub(super) fn scale(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let group = &mut cluster.groups[at];
    let (name, target) = (group.spec.instance_group_name.clone(), group.target as usize);
    let alive: Vec<usize> =
        (0..cluster.nodes.len()).filter(|at| cluster.nodes[*at].group == name && cluster.nodes[*at].alive()).collect();
    if alive.len() < target {
        group.launch_at = Some(cx.now);
        if cluster.continuous {
            events::scaling(cluster, at, cx);
        }
    }
    for surplus in alive.iter().skip(target) {
        node::shut_down(&mut cluster.nodes[*surplus], &cluster.eks_name, state, cx);
    }
}

/// Looks whether the groups, and with them a classic cluster, have what they want.
fn settle(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) {
    drop_deleted_groups(cluster);
    if cluster.work == Work::Scaling
        && let Some(reason) = fatal(cluster)
    {
        return roll_back(cluster, reason, state, cx);
    }
    let busy_cluster =
        matches!(cluster.work, Work::RollingBack { .. } | Work::Deleting | Work::Preparing | Work::Patching);
    if busy_cluster || cluster.status == Status::Failed {
        return;
    }
    let mut whole = true;
    for at in 0..cluster.groups.len() {
        let started = started(cluster, at);
        let group = &mut cluster.groups[at];
        let leaving = cluster
            .nodes
            .iter()
            .any(|node| node.group == group.spec.instance_group_name && node.phase == Phase::ShuttingDown);
        let there = started >= group.wanted() && (!leaving || cluster.continuous);
        if there && matches!(group.status, GroupStatus::Creating | GroupStatus::Updating) {
            group.status = GroupStatus::InService;
            if cluster.continuous {
                events::group_done(cluster, at, cx);
            }
        }
        whole &= there && cluster.groups[at].status == GroupStatus::InService;
    }
    if cluster.work == Work::Scaling && whole {
        cluster.work = Work::Settling;
        cluster.due = Some(cx.now + SETTLE);
    }
}

pub(super) fn started(cluster: &Cluster, at: usize) -> u32 {
    let started = cluster.nodes_of(cluster.groups[at].name()).filter(|node| node.started()).count();
    u32::try_from(started).unwrap_or(u32::MAX)
}

fn drop_deleted_groups(cluster: &mut Cluster) {
    if matches!(cluster.work, Work::Preparing | Work::RollingBack { .. }) {
        return;
    }
    let gone = |group: &Group| {
        group.status == GroupStatus::Deleting
            && !cluster.nodes.iter().any(|node| node.group == group.spec.instance_group_name)
    };
    let names: Vec<String> =
        cluster.groups.iter().filter(|group| gone(group)).map(|group| group.name().to_owned()).collect();
    cluster.groups.retain(|group| !names.iter().any(|name| name == group.name()));
}

/// The words of the failure that ends a classic creation or update, if there is one.
fn fatal(cluster: &Cluster) -> Option<String> {
    cluster.nodes.iter().find_map(|node| match &node.phase {
        Phase::Failure { message } => Some(format!(
            "Instance {} failed to provision with the following error: \"{message}\" Note that multiple instances may be impacted.",
            node.id
        )),
        Phase::Provisioning | Phase::Script { .. } | Phase::DeepHealthCheck | Phase::Running => None,
        Phase::PatchPending | Phase::Patching | Phase::Rebooting | Phase::ShuttingDown => None,
    })
}

/// The minimum was not reached in time.
fn give_up(cluster: &mut Cluster, state: &mut State, cx: &Moment<'_>) {
    let lacking = (0..cluster.groups.len()).find(|at| started(cluster, *at) < cluster.groups[*at].wanted());
    if let Some(at) = lacking {
        let (group, wanted) = (cluster.groups[at].name(), cluster.groups[at].wanted());
        let reason =
            format!("Instance group {group} did not reach its minimum instance count of {wanted} within 3 hours.");
        roll_back(cluster, reason, state, cx);
    }
}

/// Begins the way back of a classic creation or update: what it added is sent away.
pub(super) fn roll_back(cluster: &mut Cluster, reason: String, state: &mut State, cx: &Moment<'_>) {
    cluster.status = Status::RollingBack;
    cluster.work = Work::RollingBack { reason };
    cluster.due = Some(cx.now + ROLL_BACK);
    for at in 0..cluster.groups.len() {
        let group = &mut cluster.groups[at];
        group.launch_at = None;
        let keep = match &group.before {
            Some(Some(before)) => before.target as usize,
            Some(None) => 0,
            None if !cluster.was_in_service => 0,
            None => usize::MAX,
        };
        let name = group.spec.instance_group_name.clone();
        let mine: Vec<usize> = (0..cluster.nodes.len()).filter(|at| cluster.nodes[*at].group == name).collect();
        let (started, others): (Vec<usize>, Vec<usize>) = mine.into_iter().partition(|at| cluster.nodes[*at].started());
        for at in started.into_iter().skip(keep).chain(others) {
            node::shut_down(&mut cluster.nodes[at], &cluster.eks_name, state, cx);
        }
    }
}

/// A failed creation ends Failed; a failed update ends InService, as it was before, with the reason as FailureMessage.
fn rolled_back(cluster: &mut Cluster, reason: String, state: &mut State, cx: &Moment<'_>) {
    cluster.failure = Some(reason);
    cluster.work = Work::Idle;
    if !cluster.was_in_service {
        cluster.status = Status::Failed;
        cluster.groups.iter_mut().for_each(|group| group.status = GroupStatus::Failed);
        return;
    }
    cluster.status = Status::InService;
    cluster.groups.retain(|group| !matches!(group.before, Some(None)));
    for group in &mut cluster.groups {
        if let Some(Some(before)) = group.before.take() {
            group.spec = before.spec;
            group.target = before.target;
        }
        group.status = GroupStatus::InService;
    }
    for at in 0..cluster.groups.len() {
        scale(cluster, at, state, cx);
    }
}

fn finish(cluster: &mut Cluster) {
    cluster.work = Work::Idle;
    cluster.status = Status::InService;
    cluster.failure = None;
    cluster.was_in_service = true;
    cluster.groups.iter_mut().for_each(|group| group.before = None);
}
