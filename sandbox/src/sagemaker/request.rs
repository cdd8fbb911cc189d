//! What the operations share: finding the cluster, reading groups, checking what the account and the neighbours allow.
//! Must not change anything.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::{Cluster, GroupSpec, Status, VpcConfig};
use super::neighbours::{self, Eks};
use super::{types, views};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// The cluster that `ClusterName` names, by name or ARN.
pub(super) fn cluster<'a>(state: &'a State, body: &Value) -> Result<&'a Cluster, ServiceError> {
    let name = text(body, "ClusterName");
    let found = state.sagemaker.clusters.values().find(|cluster| cluster.name == name || cluster.arn == name);
    found.ok_or_else(|| no_cluster(name))
}

/// The same, to change it.
pub(super) fn cluster_mut<'a>(state: &'a mut State, body: &Value) -> Result<&'a mut Cluster, ServiceError> {
    let name = text(body, "ClusterName");
    let found = state.sagemaker.clusters.values_mut().find(|cluster| cluster.name == name || cluster.arn == name);
    found.ok_or_else(|| no_cluster(name))
}

pub(super) fn no_cluster(name: &str) -> ServiceError {
    super::not_found(format!("Cluster with name {name} was not found."))
}

/// A member's text; empty when it is not there.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member as its type; the model has been checked.
pub(super) fn member<T: DeserializeOwned>(body: &Value, name: &str) -> Option<T> {
    let value = body.get(name)?.clone();
    Some(
        serde_json::from_value(value)
            .unwrap_or_else(|error| panic!("shapes.txt and the model differ in {name}: {error}")),
    )
}

/// All groups of a request, and whether each is a restricted one.
pub(super) fn groups(body: &Value) -> Vec<(GroupSpec, bool)> {
    let plain: Option<Vec<GroupSpec>> = member(body, "InstanceGroups");
    let restricted: Option<Vec<GroupSpec>> = member(body, "RestrictedInstanceGroups");
    let plain = plain.into_iter().flatten().map(|spec| (spec, false));
    plain.chain(restricted.into_iter().flatten().map(|spec| (spec, true))).collect()
}

/// Refuses while the cluster is busy, and for good when it has failed.
pub(super) fn changeable(cluster: &Cluster) -> Result<(), ServiceError> {
    match cluster.status {
        Status::InService => Ok(()),
        Status::Failed => {
            Err(conflict(cluster, "A cluster that has failed cannot be updated; delete it and create it again."))
        }
        Status::Creating | Status::Updating | Status::SystemUpdating | Status::RollingBack | Status::Deleting => {
            Err(conflict(cluster, "Wait until the cluster is InService."))
        }
    }
}

pub(super) fn conflict(cluster: &Cluster, advice: &str) -> ServiceError {
    let text = format!(
        "Cluster {} is in status {} and cannot be changed now. {advice}",
        cluster.arn,
        views::status(cluster.status)
    );
    ServiceError::new(400, "ConflictException", text)
}

/// Roles that can be assumed, networks that are those of the EKS cluster.
pub(super) fn surroundings(
    state: &State,
    cx: &Moment<'_>,
    groups: &[(GroupSpec, bool)],
    eks: &Eks,
) -> Result<(), ServiceError> {
    for (spec, _) in groups {
        role(state, cx, &spec.execution_role)?;
        if let Some(vpc) = &spec.override_vpc_config {
            network(state, vpc, eks)?;
        }
    }
    Ok(())
}

/// The EKS cluster of this name or ARN.
pub(super) fn eks(state: &State, name_or_arn: &str) -> Result<Eks, ServiceError> {
    let found = neighbours::eks(state, name_or_arn);
    found.ok_or_else(|| super::invalid(format!("EKS cluster {name_or_arn} was not found.")))
}

/// Refuses a role that SageMaker cannot assume now.
pub(super) fn role(state: &State, cx: &Moment<'_>, role: &str) -> Result<(), ServiceError> {
    match neighbours::role_problem(state, cx, role) {
        None => Ok(()),
        Some(_) => Err(super::invalid(format!(
            "Could not assume role {role}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role."
        ))),
    }
}

/// Refuses subnets and security groups that are not there.
pub(super) fn network(state: &State, vpc: &VpcConfig, eks: &Eks) -> Result<(), ServiceError> {
    neighbours::check_network(state, vpc, &eks.vpc).map_err(super::invalid)
}

/// The account's limits, were `groups` the groups of the cluster of this name.
pub(super) fn limits(
    state: &State,
    cx: &Moment<'_>,
    name: &str,
    groups: &[(GroupSpec, bool)],
) -> Result<(), ServiceError> {
    let others = state.sagemaker.clusters.values().filter(|cluster| cluster.name != name);
    let mut used = BTreeMap::<String, u64>::new();
    for cluster in others.clone() {
        for group in cluster.groups.iter().filter(|_| cluster.status != Status::Failed) {
            add(&mut used, &group.spec, group.target);
        }
    }
    let before = state.sagemaker.clusters.get(name);
    let mut had = BTreeMap::<String, u64>::new();
    for group in before.iter().flat_map(|cluster| &cluster.groups) {
        add(&mut had, &group.spec, group.target);
    }
    let mut asked = BTreeMap::<String, u64>::new();
    for (spec, _) in groups {
        add(&mut asked, spec, spec.instance_count);
    }
    let total = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
    within(cx, types::PER_CLUSTER, 0, total(&had), total(&asked))?;
    within(cx, types::TOTAL, total(&used), total(&had), total(&asked))?;
    let spot = |counts: &BTreeMap<String, u64>| {
        counts.iter().filter(|(quota, _)| types::is_of_spot(quota)).map(|(_, count)| count).sum::<u64>()
    };
    within(cx, types::SPOT_TOTAL, spot(&used), spot(&had), spot(&asked))?;
    for (quota, count) in &asked {
        let had = had.get(quota).copied().unwrap_or(0);
        within(cx, quota, used.get(quota).copied().unwrap_or(0), had, *count)?;
    }
    let volumes = groups.iter().flat_map(|(spec, _)| spec.instance_storage_configs.iter().flatten());
    let sizes = volumes.filter_map(|config| config.ebs_volume_config.as_ref()?.volume_size_in_gb);
    let (largest, limit) = (sizes.max().unwrap_or(0), types::limit(cx.faults, types::EBS_SIZE));
    if largest > limit {
        let text = format!(
            "The account-level service limit '{}' is {limit} Gigabytes, with a request of {largest} Gigabytes. {INCREASE}",
            types::EBS_SIZE
        );
        return Err(exceeded(text));
    }
    Ok(())
}

fn add(counts: &mut BTreeMap<String, u64>, spec: &GroupSpec, count: u32) {
    let first = spec.types().first().map(|it| types::usage_quota(it, spec.spot())).unwrap_or_default();
    *counts.entry(first).or_default() += u64::from(count);
}

const INCREASE: &str = "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.";

/// What stays within the limit, or asks for no more than there was, is fine.
fn within(cx: &Moment<'_>, quota: &str, others: u64, had: u64, asked: u64) -> Result<(), ServiceError> {
    let limit = types::limit(cx.faults, quota);
    if asked <= had || others + asked <= limit {
        return Ok(());
    }
    let (current, delta) = (others + had, asked - had);
    Err(exceeded(format!(
        "The account-level service limit '{quota}' is {limit} Instances, with current utilization of {current} Instances and a request delta of {delta} Instances. {INCREASE}"
    )))
}

fn exceeded(text: String) -> ServiceError {
    ServiceError::new(400, "ResourceLimitExceeded", text)
}
