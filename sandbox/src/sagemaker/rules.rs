//! The rules that the live service checks behind its request model (facts part A: "live").
//! Pure: a request and, for an update, what the cluster is.

use std::collections::BTreeSet;

use super::images::RELEASES;
use super::model::GroupSpec;
use super::types::{self, Accelerator};
use crate::wire::ServiceError;

/// Checks the groups of a request together.
pub(super) fn groups(groups: &[(GroupSpec, bool)]) -> Result<(), ServiceError> {
    let mut names = BTreeSet::new();
    for (spec, restricted) in groups {
        let name = &spec.instance_group_name;
        if !names.insert(name) {
            return refuse(format!("Instance group names must be unique. Duplicate instance group name: {name}"));
        }
        group(spec, *restricted)?;
    }
    Ok(())
}

fn group(spec: &GroupSpec, restricted: bool) -> Result<(), ServiceError> {
    let name = &spec.instance_group_name;
    if spec.instance_type.is_some() == spec.instance_requirements.is_some() {
        return refuse(format!(
            "Exactly one of InstanceType or InstanceRequirements must be provided for instance group {name}."
        ));
    }
    if let Some(minimum) = spec.min_instance_count.filter(|minimum| *minimum > spec.instance_count) {
        let count = spec.instance_count;
        return refuse(format!(
            "MinInstanceCount {minimum} must be less than or equal to InstanceCount {count} for instance group {name}."
        ));
    }
    if !restricted {
        life_cycle(spec)?;
    }
    if spec.slurm_config.is_some() {
        return refuse(format!(
            "SlurmConfig is not supported for clusters with EKS orchestrator (instance group {name})."
        ));
    }
    let plain =
        spec.types().into_iter().find(|it| types::find(it).is_none_or(|it| it.accelerator == Accelerator::None));
    if let Some(plain) = plain.filter(|_| spec.on_start_deep_health_checks.is_some()) {
        return refuse(format!(
            "OnStartDeepHealthChecks is not supported for instance type {plain} (instance group {name})."
        ));
    }
    let checks = spec.on_start_deep_health_checks.as_deref().unwrap_or_default();
    if checks.len() == 2 && checks[0] == checks[1] {
        return refuse(format!("OnStartDeepHealthChecks must not hold {} twice (instance group {name}).", checks[0]));
    }
    exclusive_capacity(spec)?;
    if let Some(version) = spec.image_release_version.as_deref().filter(|version| !RELEASES.contains(version)) {
        return refuse(format!(
            "ImageReleaseVersion {version} does not exist; the sandbox has {}.",
            RELEASES.join(", ")
        ));
    }
    if spec.image_id.is_some() && spec.image_release_version.is_some() {
        return refuse(format!("ImageId and ImageReleaseVersion cannot be provided together (instance group {name})."));
    }
    storage(spec)?;
    kubernetes(spec)
}

fn life_cycle(spec: &GroupSpec) -> Result<(), ServiceError> {
    let name = &spec.instance_group_name;
    let Some(config) = &spec.life_cycle_config else {
        return refuse(format!(
            "LifeCycleConfig is required for instance group {name} when the cluster uses the EKS orchestrator."
        ));
    };
    match (&config.source_s3_uri, &config.on_create, &config.on_init_complete) {
        (None, None, None) => {
            refuse(format!("LifeCycleConfig was provided but contains no configuration for instance group {name}."))
        }
        (_, Some(_), Some(_)) => refuse(format!(
            "OnCreate and OnInitComplete are mutually exclusive in LifeCycleConfig of instance group {name}."
        )),
        (None, _, _) => {
            refuse(format!("LifeCycleConfig is incomplete for instance group {name}: SourceS3Uri is missing."))
        }
        (Some(_), None, None) => {
            refuse(format!("LifeCycleConfig is incomplete for instance group {name}: OnCreate is missing."))
        }
        (Some(_), Some(_), None) | (Some(_), None, Some(_)) => Ok(()),
    }
}

fn exclusive_capacity(spec: &GroupSpec) -> Result<(), ServiceError> {
    let name = &spec.instance_group_name;
    let set = |member: &str| {
        spec.capacity_requirements.as_ref().is_some_and(|it| it.get(member).is_some_and(|value| !value.is_null()))
    };
    if spec.capacity_requirements.is_some() && set("Spot") == set("OnDemand") {
        return refuse(format!(
            "Exactly one of Spot or OnDemand must be provided in CapacityRequirements of instance group {name}."
        ));
    }
    if set("Spot") && spec.training_plan_arn.is_some() {
        return refuse(format!("TrainingPlanArn cannot be used with Spot capacity (instance group {name})."));
    }
    Ok(())
}

fn storage(spec: &GroupSpec) -> Result<(), ServiceError> {
    let name = &spec.instance_group_name;
    let volumes = spec.instance_storage_configs.iter().flatten().filter_map(|config| config.ebs_volume_config.as_ref());
    for volume in volumes {
        let root = volume.root_volume == Some(true);
        if root && (volume.volume_size_in_gb.is_some() || volume.volume_kms_key_id.is_none()) {
            return refuse(format!(
                "A root volume configuration needs VolumeKmsKeyId and takes no VolumeSizeInGB (instance group {name})."
            ));
        }
        if !root && volume.volume_size_in_gb.is_none() {
            return refuse(format!("VolumeSizeInGB is required in EbsVolumeConfig of instance group {name}."));
        }
    }
    Ok(())
}

/// The prefix is HyperPod's own.
fn kubernetes(spec: &GroupSpec) -> Result<(), ServiceError> {
    let config = spec.kubernetes_config.as_ref();
    let labels = config.and_then(|config| config.labels.as_ref()).into_iter().flat_map(|labels| labels.keys());
    let taints = config.and_then(|config| config.taints.as_ref()).into_iter().flatten().map(|taint| &taint.key);
    let mut keys = labels.chain(taints);
    match keys.find(|key| {
        key.split('/').next().is_some_and(|prefix| prefix.ends_with("sagemaker.amazonaws.com")) && key.contains('/')
    }) {
        Some(key) => refuse(format!(
            "{key} uses the reserved prefix sagemaker.amazonaws.com (instance group {}).",
            spec.instance_group_name
        )),
        None => Ok(()),
    }
}

/// AutoScaling needs continuous mode and a cluster role.
pub(super) fn auto_scaling(enabled: bool, continuous: bool, role: bool) -> Result<(), ServiceError> {
    match (enabled, continuous, role) {
        (true, false, _) => refuse("AutoScaling requires NodeProvisioningMode to be Continuous."),
        (true, true, false) => refuse("ClusterRole is required when AutoScaling is enabled."),
        (true, true, true) | (false, _, _) => Ok(()),
    }
}

fn refuse(text: impl Into<String>) -> Result<(), ServiceError> {
    Err(super::invalid(text))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{auto_scaling, groups};

    fn check(changes: Value) -> String {
        let mut group = json!({
            "InstanceGroupName": "g", "InstanceCount": 2, "InstanceType": "ml.g5.12xlarge", "ExecutionRole": "arn:aws:iam::111122223333:role/hp",
            "LifeCycleConfig": { "SourceS3Uri": "s3://b/p", "OnCreate": "on_create.sh" },
        });
        group.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        let spec = serde_json::from_value(group).expect("the case is a group");
        groups(&[(spec, false)]).map_or_else(|error| error.message, |()| "fine".to_owned())
    }

    #[test]
    fn each_live_rule_is_refused_in_its_own_words() {
        let cases = [
            (json!({}), "fine"),
            (
                json!({ "LifeCycleConfig": null }),
                "LifeCycleConfig is required for instance group g when the cluster uses the EKS orchestrator.",
            ),
            (
                json!({ "LifeCycleConfig": null, "InstanceCount": 0 }),
                "LifeCycleConfig is required for instance group g when the cluster uses the EKS orchestrator.",
            ),
            (
                json!({ "LifeCycleConfig": {} }),
                "LifeCycleConfig was provided but contains no configuration for instance group g.",
            ),
            (
                json!({ "LifeCycleConfig": { "SourceS3Uri": "s3://b" } }),
                "LifeCycleConfig is incomplete for instance group g: OnCreate is missing.",
            ),
            (
                json!({ "LifeCycleConfig": { "SourceS3Uri": "s3://b", "OnCreate": "a", "OnInitComplete": "b" } }),
                "OnCreate and OnInitComplete are mutually exclusive in LifeCycleConfig of instance group g.",
            ),
            (
                json!({ "InstanceType": null }),
                "Exactly one of InstanceType or InstanceRequirements must be provided for instance group g.",
            ),
            (
                json!({ "InstanceRequirements": { "InstanceTypes": ["ml.m5.large"] } }),
                "Exactly one of InstanceType or InstanceRequirements must be provided for instance group g.",
            ),
            (
                json!({ "MinInstanceCount": 3 }),
                "MinInstanceCount 3 must be less than or equal to InstanceCount 2 for instance group g.",
            ),
            (json!({ "OnStartDeepHealthChecks": ["InstanceStress"] }), "fine"),
            (
                json!({ "InstanceType": "ml.m5.large", "OnStartDeepHealthChecks": ["InstanceStress"] }),
                "OnStartDeepHealthChecks is not supported for instance type ml.m5.large (instance group g).",
            ),
            (
                json!({ "SlurmConfig": { "NodeType": "Login" } }),
                "SlurmConfig is not supported for clusters with EKS orchestrator (instance group g).",
            ),
            (
                json!({ "CapacityRequirements": {} }),
                "Exactly one of Spot or OnDemand must be provided in CapacityRequirements of instance group g.",
            ),
            (json!({ "CapacityRequirements": { "Spot": {} } }), "fine"),
            (
                json!({ "InstanceStorageConfigs": [{ "EbsVolumeConfig": { "RootVolume": true } }] }),
                "A root volume configuration needs VolumeKmsKeyId and takes no VolumeSizeInGB (instance group g).",
            ),
            (
                json!({ "KubernetesConfig": { "Labels": { "sagemaker.amazonaws.com/x": "y" } } }),
                "sagemaker.amazonaws.com/x uses the reserved prefix sagemaker.amazonaws.com (instance group g).",
            ),
            (
                json!({ "ImageReleaseVersion": "9.9.9" }),
                "ImageReleaseVersion 9.9.9 does not exist; the sandbox has 1.0.0, 1.1.0, 1.2.0.",
            ),
        ];
        for (changes, expected) in cases {
            assert_eq!(check(changes.clone()), expected, "{changes}");
        }
    }

    #[test]
    fn autoscaling_needs_continuous_mode_and_a_role() {
        let fine = |enabled, continuous, role| auto_scaling(enabled, continuous, role).is_ok();
        assert_eq!(
            [fine(true, true, true), fine(true, true, false), fine(true, false, true), fine(false, false, false)],
            [true, false, false, true]
        );
    }
}
