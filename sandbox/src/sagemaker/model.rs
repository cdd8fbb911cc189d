//! What SageMaker keeps: clusters with their groups, nodes and events, and the specifications they were asked with.
//! Data only; how it moves is in `life`.

use super::plans::Reserved;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The HyperPod clusters of one region, by name, and its training plans.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    pub(super) clusters: BTreeMap<String, Cluster>,
    /// Training plans by name, and what was offered for more, by id.
    pub(super) plans: BTreeMap<String, Reserved>,
    pub(super) offers: BTreeMap<String, Reserved>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cluster {
    pub name: String,
    pub arn: String,
    pub created: Timestamp,
    pub status: Status,
    pub failure: Option<String>,
    /// Its creation succeeded; what fails later is rolled back.
    pub was_in_service: bool,
    /// Runs its groups on their own: InService before any node, events, retries.
    pub continuous: bool,
    pub eks_name: String,
    pub vpc: VpcConfig,
    /// Members that DescribeCluster gives back as they were set: Orchestrator, NodeRecovery, TieredStorageConfig and so on.
    pub settings: BTreeMap<String, Value>,
    pub groups: Vec<Group>,
    pub nodes: Vec<Node>,
    pub tags: BTreeMap<String, String>,
    pub events: Vec<Event>,
    pub work: Work,
    /// When the present work is due, or given up.
    pub due: Option<Timestamp>,
    /// Answers to BatchAddClusterNodes by client token.
    pub tokens: BTreeMap<String, Value>,
}

/// The cluster's status as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Creating,
    Updating,
    SystemUpdating,
    RollingBack,
    Deleting,
    InService,
    Failed,
}

/// What the cluster as a whole is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Work {
    Idle,
    /// Access entries, network; no node yet.
    Preparing,
    /// Classic mode: waits for the nodes, at most until `due`.
    Scaling,
    /// Classic mode: all nodes are there.
    Settling,
    /// UpdateClusterSoftware.
    Patching,
    /// Takes back what failed.
    RollingBack {
        reason: String,
    },
    Deleting,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub spec: GroupSpec,
    /// One of `RestrictedInstanceGroups`.
    pub restricted: bool,
    pub status: GroupStatus,
    pub target: u32,
    /// When missing nodes are launched.
    pub launch_at: Option<Timestamp>,
    /// What it was before the update under way, to roll back to; `Some(None)` when the update made it.
    pub before: Option<Option<Box<Before>>>,
    pub image: Image,
    /// What UpdateClusterSoftware is moving it to.
    pub desired: Option<Image>,
    /// SoftwareUpdateStatus.
    pub software: Option<String>,
    pub software_config: Option<Value>,
}

/// A group as it was before an update.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Before {
    pub spec: GroupSpec,
    pub target: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum GroupStatus {
    InService,
    Creating,
    Updating,
    Failed,
    SystemUpdating,
    Deleting,
}

/// A machine image and its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Image {
    pub id: String,
    pub release: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Node {
    pub id: String,
    pub logical_id: String,
    pub group: String,
    pub instance_type: String,
    pub launched: Timestamp,
    pub patched: Option<Timestamp>,
    pub phase: Phase,
    pub due: Option<Timestamp>,
    pub eni: String,
    pub address: String,
    pub zone: String,
    pub zone_id: String,
    pub security_groups: Vec<String>,
    pub image: Image,
    pub spot: bool,
}

/// Where a node is in its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// The instance boots.
    Provisioning,
    /// Its lifecycle script runs, and will fail with these words.
    Script {
        failure: Option<String>,
    },
    DeepHealthCheck,
    Running,
    /// Waits for its batch of UpdateClusterSoftware.
    PatchPending,
    Patching,
    Rebooting,
    Failure {
        message: String,
    },
    ShuttingDown,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Event {
    pub id: String,
    pub at: Timestamp,
    pub resource: Resource,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub level: Level,
    pub description: String,
    /// `EventMetadata`, when the event has any.
    pub metadata: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Resource {
    Cluster,
    InstanceGroup,
    Instance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Level {
    Info,
    Warn,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct VpcConfig {
    pub security_group_ids: Vec<String>,
    pub subnets: Vec<String>,
}

/// One member of InstanceGroups or RestrictedInstanceGroups, as asked. What only comes back in an answer stays JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct GroupSpec {
    pub instance_group_name: String,
    pub instance_count: u32,
    pub min_instance_count: Option<u32>,
    pub instance_type: Option<String>,
    pub instance_requirements: Option<InstanceRequirements>,
    pub life_cycle_config: Option<LifeCycleConfig>,
    pub execution_role: String,
    pub threads_per_core: Option<u32>,
    pub instance_storage_configs: Option<Vec<StorageConfig>>,
    pub on_start_deep_health_checks: Option<Vec<String>>,
    pub training_plan_arn: Option<String>,
    pub override_vpc_config: Option<VpcConfig>,
    pub scheduled_update_config: Option<Value>,
    pub auto_patch_config: Option<Value>,
    pub image_id: Option<String>,
    pub image_release_version: Option<String>,
    pub kubernetes_config: Option<KubernetesConfig>,
    pub slurm_config: Option<Value>,
    pub capacity_requirements: Option<Value>,
    pub network_interface: Option<Value>,
    pub environment_config: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct InstanceRequirements {
    pub instance_types: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct LifeCycleConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_s3_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_create: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_init_complete: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct StorageConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ebs_volume_config: Option<EbsVolumeConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fsx_lustre_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fsx_open_zfs_config: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct EbsVolumeConfig {
    #[serde(rename = "VolumeSizeInGB", skip_serializing_if = "Option::is_none")]
    pub volume_size_in_gb: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_kms_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct KubernetesConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taints: Option<Vec<Taint>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Taint {
    pub key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub effect: String,
}

impl Cluster {
    /// The last part of the ARN.
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// The nodes of a group, oldest first.
    pub fn nodes_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Node> {
        self.nodes.iter().filter(move |node| node.group == group)
    }

    /// The instants at which something here falls due.
    pub fn instants(&self) -> impl Iterator<Item = Timestamp> {
        let groups = self.groups.iter().filter_map(|group| group.launch_at);
        let nodes = self.nodes.iter().filter_map(|node| node.due);
        self.due.into_iter().chain(groups).chain(nodes)
    }

    /// The network of a group: its own, or the cluster's.
    pub fn vpc_of(&self, group: &Group) -> VpcConfig {
        group.spec.override_vpc_config.clone().unwrap_or_else(|| self.vpc.clone())
    }
}

impl Group {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.spec.instance_group_name
    }

    /// How many nodes make it whole: the minimum when one is set.
    pub fn wanted(&self) -> u32 {
        self.spec.min_instance_count.unwrap_or(self.target)
    }
}

impl GroupSpec {
    /// The types that it may be made of, in order of priority.
    pub fn types(&self) -> Vec<&str> {
        let listed = self.instance_requirements.iter().flat_map(|it| &it.instance_types);
        self.instance_type.iter().chain(listed).map(String::as_str).collect()
    }

    /// Whether it asks for spot instances.
    pub fn spot(&self) -> bool {
        self.capacity_requirements.as_ref().is_some_and(|it| it.get("Spot").is_some_and(|spot| !spot.is_null()))
    }
}

impl Node {
    /// Whether it is, or is about to become, one of its group's nodes.
    pub fn alive(&self) -> bool {
        !matches!(self.phase, Phase::ShuttingDown | Phase::Failure { .. })
    }

    /// Whether its first start is behind it.
    pub fn started(&self) -> bool {
        match self.phase {
            Phase::DeepHealthCheck | Phase::Running | Phase::PatchPending | Phase::Patching | Phase::Rebooting => true,
            Phase::Provisioning | Phase::Script { .. } | Phase::Failure { .. } | Phase::ShuttingDown => false,
        }
    }

    /// Its status as the API names it.
    pub fn status(&self) -> &'static str {
        match self.phase {
            Phase::Provisioning | Phase::Script { .. } | Phase::Rebooting => "Pending",
            Phase::DeepHealthCheck => "DeepHealthCheckInProgress",
            Phase::Running | Phase::PatchPending => "Running",
            Phase::Patching => "SystemUpdating",
            Phase::Failure { .. } => "Failure",
            Phase::ShuttingDown => "ShuttingDown",
        }
    }

    /// Its name in Kubernetes.
    pub fn kubernetes_name(&self) -> String {
        format!("hyperpod-{}", self.id)
    }
}
