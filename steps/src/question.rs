//! What a step asks of AWS before the run: plain data, one variant a question of the preflight list (P01 to P44).
//! Knows nothing of how a question is answered, or of who asks it.

mod asked;
mod settled;
mod words;

pub use asked::{Asked, Wish};
pub use settled::{Brought, settled};

use crate::fact::Made;

/// A question about the account, the region, or what is there already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// P02: whether the region is switched on and has HyperPod.
    Region,
    /// P03: whether a zone id belongs to the region.
    Zone {
        /// Such as `usw2-az2`.
        zone: String,
    },
    /// P04: whether instance types are offered in a zone, or in those of subnets; without either, in the region.
    TypesOffered {
        /// Such as `ml.p5.48xlarge`.
        types: Vec<String>,
        /// The zone's id.
        zone: Option<String>,
        /// Ids of subnets.
        subnets: Vec<String>,
    },
    /// P05: whether the quota of a type leaves room.
    TypeQuota {
        /// Such as `ml.p5.48xlarge`.
        instance_type: String,
        /// How many instances.
        wanted: u64,
        /// Whether they are spot instances, which have a quota of their own.
        spot: bool,
        /// The cluster that they are for: what it has already counts as its own.
        cluster: String,
    },
    /// P06: whether a quota of instances of any type leaves room.
    TotalQuota {
        /// Which quota.
        which: Instances,
        /// How many instances that count.
        wanted: u64,
        /// The cluster that they are for.
        cluster: String,
    },
    /// P07: whether a volume may be so large.
    VolumeQuota {
        /// Size of the largest.
        gigabytes: u64,
    },
    /// P08: whether a quota of the network leaves room.
    NetworkQuota {
        /// The stack that makes them: where it is there already, so are they.
        stack: String,
        /// Of what.
        which: NetworkPart,
        /// How many the stack makes.
        wanted: u64,
    },
    /// P09: whether a VPC can take on a block of addresses.
    BlockFree {
        /// The stack that adds it.
        stack: String,
        /// The VPC.
        vpc: String,
        /// The block.
        cidr: String,
    },
    /// P10: whether subnets and security groups are there, in one VPC.
    OneVpc {
        /// Ids of subnets.
        subnets: Vec<String>,
        /// Ids of security groups.
        groups: Vec<String>,
    },
    /// P10: whether something that a stack is given is there.
    There {
        /// Id of a VPC, a subnet, a security group or a NAT gateway.
        id: String,
    },
    /// P11: whether nodes in these subnets have a way out, and none is public.
    WayOut {
        /// Ids of subnets.
        subnets: Vec<String>,
    },
    /// P12: whether the subnets have addresses for all nodes.
    FreeAddresses {
        /// Ids of subnets.
        subnets: Vec<String>,
        /// Types and how many of each.
        nodes: Vec<(String, u64)>,
        /// The cluster that they are for: where it is there already, its nodes have theirs.
        cluster: String,
    },
    /// P13: whether a security group lets its members speak with each other.
    SelfReference {
        /// Ids of security groups.
        groups: Vec<String>,
        /// Whether there are nodes with EFA, which do not work without it.
        efa: bool,
    },
    /// P14: whether nodes and the EKS control plane may speak with each other.
    GroupsMeet {
        /// Ids of security groups.
        groups: Vec<String>,
        /// Name of the EKS cluster; here and below empty for the one that the pipeline connects to.
        eks: String,
    },
    /// P15: whether the EKS cluster is active.
    EksActive {
        /// Its name.
        eks: String,
    },
    /// P16: whether it takes access entries.
    EksAccessMode {
        /// Its name.
        eks: String,
    },
    /// P17: whether HyperPod works with its version.
    EksVersion {
        /// Its name.
        eks: String,
    },
    /// P18: whether it is in the VPC of the nodes.
    EksVpc {
        /// Its name.
        eks: String,
        /// Ids of the nodes' subnets.
        subnets: Vec<String>,
    },
    /// P19: whether its network plugin is new enough.
    Cni {
        /// Its name.
        eks: String,
    },
    /// P20: whether it has the pod identity agent.
    PodIdentity {
        /// Its name.
        eks: String,
    },
    /// P21: whether it has an access entry for the caller.
    CallerEntry {
        /// Its name.
        eks: String,
        /// The role that is assumed for it; the caller's own where there is none.
        role: Option<String>,
    },
    /// P22: whether SageMaker may assume the nodes' role.
    RoleTrust {
        /// Its ARN.
        role: String,
    },
    /// P23: whether the nodes' role may do what nodes do.
    RolePolicies {
        /// Its ARN.
        role: String,
        /// The cluster that they are for, which their logs are named after; empty where it is not known.
        cluster: String,
    },
    /// P24: whether the bucket is there, in the region.
    BucketRegion {
        /// Its name.
        bucket: String,
    },
    /// P25: whether a lifecycle script is there.
    ScriptThere {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// P27: whether the nodes' role may read the scripts.
    RoleReads {
        /// Its ARN.
        role: String,
        /// The bucket.
        bucket: String,
        /// The key of a script.
        key: String,
    },
    /// P28: whether the S3 endpoint of the nodes' VPC lets the bucket through.
    EndpointPolicy {
        /// Ids of the nodes' subnets.
        subnets: Vec<String>,
        /// The bucket.
        bucket: String,
        /// The key of a script.
        key: String,
    },
    /// P29: whether the caller may hand the role to SageMaker.
    PassRole {
        /// Its ARN.
        role: String,
    },
    /// P30: whether HyperPod's own role is there, or the caller may make it.
    LinkedRole,
    /// P31: whether a training plan has what a group needs.
    TrainingPlan {
        /// Its ARN.
        plan: String,
        /// The group's type.
        instance_type: String,
        /// How many instances.
        wanted: u64,
        /// Ids of the group's subnets, as far as they are known.
        subnets: Vec<String>,
        /// The cluster that they are for: what it has already is taken out of the plan.
        cluster: String,
    },
    /// P32: whether the name of the cluster is free, or ours.
    ClusterName {
        /// The name; empty for whichever cluster the pipeline makes, of which only `adopt` is known here.
        name: String,
        /// Whether one that is there is taken over.
        adopt: bool,
    },
    /// P33: whether the name of the stack is free, or ours, and it can be worked with.
    StackName {
        /// The name.
        name: String,
        /// Whether one that is there is taken over.
        adopt: bool,
    },
    /// P36: whether the name of the release is free, or ours.
    Release {
        /// Name of the EKS cluster; empty for the one that the pipeline connects to.
        eks: String,
        /// The namespace.
        namespace: String,
        /// Its name.
        release: String,
        /// Whether one that is there is taken over.
        adopt: bool,
    },
    /// P41: whether a group's nodes with EFA stay in one zone.
    OneZone {
        /// Ids of the group's subnets.
        subnets: Vec<String>,
    },
    /// P42: whether this machine's clock is right.
    Clock,
    /// P43: whether the credentials last as long as the run.
    CredentialsLast {
        /// How long a run takes.
        minutes: u32,
    },
}

/// Instances that have a quota, whatever their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instances {
    /// Those of one cluster.
    InCluster,
    /// Those of all clusters.
    InAll,
    /// Spot instances of all clusters, which count among all besides.
    Spot,
}

/// Parts of a network that have a quota in each region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetworkPart {
    /// Networks.
    Vpcs,
    /// Internet gateways.
    Gateways,
    /// Elastic addresses.
    Addresses,
}

impl Question {
    /// The EKS cluster that it is about.
    fn eks_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::GroupsMeet { eks, .. }
            | Self::EksActive { eks }
            | Self::EksAccessMode { eks }
            | Self::EksVersion { eks }
            | Self::EksVpc { eks, .. }
            | Self::Cni { eks }
            | Self::PodIdentity { eks }
            | Self::CallerEntry { eks, .. }
            | Self::Release { eks, .. } => Some(eks),
            Self::Region
            | Self::Zone { .. }
            | Self::TypesOffered { .. }
            | Self::TypeQuota { .. }
            | Self::TotalQuota { .. }
            | Self::VolumeQuota { .. }
            | Self::NetworkQuota { .. }
            | Self::BlockFree { .. }
            | Self::OneVpc { .. }
            | Self::There { .. }
            | Self::WayOut { .. }
            | Self::FreeAddresses { .. }
            | Self::SelfReference { .. }
            | Self::RoleTrust { .. }
            | Self::RolePolicies { .. }
            | Self::BucketRegion { .. }
            | Self::ScriptThere { .. }
            | Self::RoleReads { .. }
            | Self::EndpointPolicy { .. }
            | Self::PassRole { .. }
            | Self::LinkedRole
            | Self::TrainingPlan { .. }
            | Self::ClusterName { .. }
            | Self::StackName { .. }
            | Self::OneZone { .. }
            | Self::Clock
            | Self::CredentialsLast { .. } => None,
        }
    }

    /// What has a name that is chosen and must be there for an answer.
    fn needs(&self) -> Vec<Need<'_>> {
        match self {
            Self::GroupsMeet { eks, .. }
            | Self::EksActive { eks }
            | Self::EksAccessMode { eks }
            | Self::EksVersion { eks }
            | Self::EksVpc { eks, .. }
            | Self::Cni { eks }
            | Self::PodIdentity { eks }
            | Self::CallerEntry { eks, .. }
            | Self::Release { eks, .. } => vec![Need::EksCluster(eks)],
            Self::RoleTrust { role } | Self::RolePolicies { role, .. } | Self::PassRole { role } => {
                vec![Need::Role(role)]
            }
            Self::RoleReads { role, bucket, .. } => vec![Need::Role(role), Need::Bucket(bucket)],
            Self::BucketRegion { bucket } | Self::ScriptThere { bucket, .. } | Self::EndpointPolicy { bucket, .. } => {
                vec![Need::Bucket(bucket)]
            }
            Self::Region
            | Self::Zone { .. }
            | Self::TypesOffered { .. }
            | Self::TypeQuota { .. }
            | Self::TotalQuota { .. }
            | Self::VolumeQuota { .. }
            | Self::NetworkQuota { .. }
            | Self::BlockFree { .. }
            | Self::OneVpc { .. }
            | Self::There { .. }
            | Self::WayOut { .. }
            | Self::FreeAddresses { .. }
            | Self::SelfReference { .. }
            | Self::LinkedRole
            | Self::TrainingPlan { .. }
            | Self::ClusterName { .. }
            | Self::StackName { .. }
            | Self::OneZone { .. }
            | Self::Clock
            | Self::CredentialsLast { .. } => Vec::new(),
        }
    }
}

/// Something that must be there for an answer.
#[derive(Clone, Copy, Debug)]
enum Need<'a> {
    /// The bucket of this name.
    Bucket(&'a str),
    /// The role of this ARN.
    Role(&'a str),
    /// The EKS cluster of this name.
    EksCluster(&'a str),
}

impl Need<'_> {
    /// Whether it is this. Of which account a role is that is yet to be made, nothing says.
    fn is(self, made: &Made) -> bool {
        match (self, made) {
            (Self::Bucket(needed), Made::Bucket(name)) | (Self::EksCluster(needed), Made::EksCluster(name)) => {
                needed == name
            }
            (Self::Role(arn), Made::Role { path, name }) => {
                let mut parts = arn.splitn(6, ':').skip(2);
                let of_iam = parts.next() == Some("iam");
                let above = parts.nth(2).and_then(|role| role.strip_prefix("role")?.strip_suffix(name.as_str()));
                let is_path = |above: &str| path.as_ref().map_or(above.ends_with('/'), |path| path == above);
                of_iam && above.is_some_and(is_path)
            }
            (
                Self::Bucket(_) | Self::EksCluster(_) | Self::Role(_),
                Made::Bucket(_) | Made::EksCluster(_) | Made::Role { .. },
            ) => false,
        }
    }
}
