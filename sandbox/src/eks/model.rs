//! What EKS keeps: clusters with their add-ons, access entries and pod identity associations.
//! Data only; the rules are in the modules beside it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// The EKS clusters of one region, by name.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    pub(crate) clusters: BTreeMap<String, Cluster>,
}

/// How far a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Being made.
    Creating,
    /// Usable.
    Active,
    /// An update is under way; usable.
    Updating,
    /// Being deleted.
    Deleting,
}

/// Who decides about access to a cluster: access entries, the config map `aws-auth`, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthenticationMode {
    /// The config map only: access entries cannot be made.
    ConfigMap,
    /// Both.
    ApiAndConfigMap,
    /// Access entries only.
    Api,
}

/// An EKS cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// Unique in the region.
    pub name: String,
    /// With the name at its end.
    pub arn: String,
    /// Such as `1.33`.
    pub version: String,
    /// The cluster's own role.
    pub role_arn: String,
    /// How far it is.
    pub status: Status,
    /// When the present status ends.
    pub(super) due: Option<Timestamp>,
    pub(super) created: Timestamp,
    /// Where its network interfaces are.
    pub subnets: Vec<String>,
    /// The groups given at creation.
    pub security_groups: Vec<String>,
    /// The group that EKS made for it.
    pub cluster_security_group: String,
    /// The VPC of the subnets.
    pub vpc: String,
    pub(super) public_access: bool,
    pub(super) private_access: bool,
    pub(super) public_cidrs: Vec<String>,
    pub(super) service_cidr: String,
    /// Who decides about access.
    pub mode: AuthenticationMode,
    pub(super) creator_is_admin: bool,
    /// The role that made the cluster.
    pub(super) creator: String,
    pub(super) log_types: Vec<String>,
    pub(super) support: String,
    pub(super) deletion_protection: bool,
    pub(super) token: Option<String>,
    pub(super) interfaces: Vec<String>,
    pub(super) issuer: String,
    pub(super) tags: Tags,
    pub(super) addons: BTreeMap<String, Addon>,
    pub(super) access: BTreeMap<String, AccessEntry>,
    pub(super) pod_identities: BTreeMap<String, PodIdentity>,
    pub(super) updates: BTreeMap<String, Update>,
}

/// How far an add-on is; whether it is degraded is asked of Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AddonStatus {
    Creating,
    Active,
    Updating,
    Deleting,
}

/// An add-on of a cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Addon {
    pub name: String,
    pub arn: String,
    pub version: String,
    pub status: AddonStatus,
    pub due: Option<Timestamp>,
    pub role_arn: Option<String>,
    pub configuration: Option<String>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub tags: Tags,
}

/// A role's access to a cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccessEntry {
    pub principal: String,
    pub arn: String,
    pub kind: String,
    pub username: String,
    pub groups: Vec<String>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub tags: Tags,
    pub policies: BTreeMap<String, PolicyAssociation>,
}

/// An access policy of an access entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PolicyAssociation {
    /// Empty: the whole cluster.
    pub namespaces: Vec<String>,
    pub associated: Timestamp,
    pub modified: Timestamp,
}

/// A role for the pods of a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PodIdentity {
    pub id: String,
    pub arn: String,
    pub namespace: String,
    pub service_account: String,
    pub role_arn: String,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub tags: Tags,
}

/// A change of a cluster or an add-on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Update {
    pub id: String,
    pub kind: String,
    pub params: Vec<(String, String)>,
    pub created: Timestamp,
    pub done: bool,
    pub due: Timestamp,
    /// The add-on it is about; None for the cluster.
    pub addon: Option<String>,
}
