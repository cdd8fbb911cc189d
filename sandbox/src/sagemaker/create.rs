//! CreateCluster.
//! Must not know how the cluster lives on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::life::PREPARE;
use super::model::{Cluster, Group, GroupSpec, GroupStatus, Level, Status, VpcConfig, Work};
use super::neighbours::{self, Eks};
use super::{events, images, request, rules, tags};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// Members that DescribeCluster gives back as they were set.
const SETTINGS: [&str; 7] = [
    "Orchestrator",
    "NodeRecovery",
    "TieredStorageConfig",
    "NodeProvisioningMode",
    "ClusterRole",
    "AutoScaling",
    "RestrictedInstanceGroupsConfig",
];

/// Makes the cluster, which is then `Creating`.
pub(super) fn cluster(state: &mut State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let name = request::text(body, "ClusterName").to_owned();
    let groups = request::groups(body);
    if groups.is_empty() {
        return Err(super::invalid("At least one of InstanceGroups or RestrictedInstanceGroups must be provided."));
    }
    let tags = tags::read(body)?;
    let eks = orchestrator(state, body)?;
    let vpc: VpcConfig = request::member(body, "VpcConfig")
        .ok_or_else(|| super::invalid("VpcConfig is required for clusters with EKS orchestrator."))?;
    rules::groups(&groups)?;
    let settings = settings(body);
    scaling(&settings)?;
    free_name(state, &name)?;
    request::network(state, &vpc, &eks)?;
    request::surroundings(state, cx, &groups, &eks)?;
    if let Some(role) = settings.get("ClusterRole").and_then(Value::as_str) {
        request::role(state, cx, role)?;
    }
    request::limits(state, cx, &name, &groups)?;
    neighbours::make_service_linked_role(state, cx);
    let arn = format!("arn:aws:sagemaker:{}:{}:cluster/{}", cx.region, cx.account, state.ids.suffix(12));
    let mut cluster = Cluster {
        name: name.clone(),
        arn: arn.clone(),
        created: cx.now,
        status: Status::Creating,
        failure: None,
        was_in_service: false,
        continuous: settings.contains_key("NodeProvisioningMode"),
        eks_name: eks.name,
        vpc,
        settings,
        groups: groups.into_iter().map(|(spec, restricted)| new_group(spec, restricted)).collect(),
        nodes: Vec::new(),
        tags,
        events: Vec::new(),
        work: Work::Preparing,
        due: Some(cx.now + PREPARE),
        tokens: BTreeMap::new(),
    };
    events::cluster(&mut cluster, cx, Level::Info, "creation started successfully");
    state.sagemaker.clusters.insert(name, cluster);
    Ok(json!({ "ClusterArn": arn }))
}

fn free_name(state: &State, name: &str) -> Result<(), ServiceError> {
    if !state.sagemaker.clusters.contains_key(name) {
        return Ok(());
    }
    let text = format!("Cluster with name {name} already exists. Choose a different name.");
    Err(ServiceError::new(400, "ResourceInUse", text))
}

/// A group that has no nodes yet.
pub(super) fn new_group(spec: GroupSpec, restricted: bool) -> Group {
    Group {
        target: spec.instance_count,
        image: images::asked(&spec),
        spec,
        restricted,
        status: GroupStatus::Creating,
        launch_at: None,
        before: None,
        desired: None,
        software: None,
        software_config: None,
    }
}

/// The settings of a request that are set.
pub(super) fn settings(body: &Value) -> BTreeMap<String, Value> {
    SETTINGS.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect()
}

/// Checks AutoScaling against the settings beside it.
pub(super) fn scaling(settings: &BTreeMap<String, Value>) -> Result<(), ServiceError> {
    let enabled = settings.get("AutoScaling").is_some_and(|it| it["Mode"] == "Enable");
    rules::auto_scaling(enabled, settings.contains_key("NodeProvisioningMode"), settings.contains_key("ClusterRole"))
}

/// The EKS cluster, which must be there, active, and open to access entries.
fn orchestrator(state: &State, body: &Value) -> Result<Eks, ServiceError> {
    let orchestrator = body.get("Orchestrator");
    let slurm = orchestrator.is_none_or(|it| it.get("Slurm").is_some());
    let arn = orchestrator.and_then(|it| it.pointer("/Eks/ClusterArn")).and_then(Value::as_str);
    let arn = match (slurm, arn) {
        (true, Some(_)) => {
            return Err(super::invalid("Exactly one of Eks or Slurm must be provided in Orchestrator."));
        }
        (true, None) => {
            return Err(ServiceError::not_part(
                "a HyperPod cluster with the Slurm orchestrator (Orchestrator.Eks is not set)",
            ));
        }
        (false, None) => {
            return Err(super::invalid("Exactly one of Eks or Slurm must be provided in Orchestrator."));
        }
        (false, Some(arn)) => arn,
    };
    let eks = request::eks(state, arn)?;
    if !eks.active {
        return Err(super::invalid(format!("EKS cluster {arn} must be in ACTIVE status.")));
    }
    if eks.authentication_mode == "CONFIG_MAP" {
        let text =
            format!("The authentication mode of EKS cluster {arn} must be API or API_AND_CONFIG_MAP, not CONFIG_MAP.");
        return Err(super::invalid(text));
    }
    Ok(eks)
}
