//! What a question is called: its code, its words, and when a run would find out.
//! Knows nothing of answers.

use super::{Instances, NetworkPart, Question};
use crate::codes::live;
use crate::finding::Code;

impl Instances {
    fn words(self) -> &'static str {
        match self {
            Self::InCluster => "in the cluster",
            Self::InAll => "in all clusters",
            Self::Spot => "spot instances",
        }
    }
}

impl NetworkPart {
    /// As they are called in sentences.
    pub fn words(self) -> &'static str {
        match self {
            Self::Vpcs => "VPCs",
            Self::Gateways => "internet gateways",
            Self::Addresses => "elastic addresses",
        }
    }
}

impl Question {
    /// The kind of mistake that a bad answer is.
    pub fn code(&self) -> &'static Code {
        self.facts().0
    }

    /// After about how many minutes of a full deployment the run would fail where the answer is bad.
    pub fn fails_after(&self) -> u32 {
        self.facts().1
    }

    /// What is asked, as the end of a sentence: `whether …`.
    pub fn subject(&self) -> String {
        let (_, _, words, about) = self.facts();
        if about.is_empty() { words.to_owned() } else { format!("{words} ({about})") }
    }

    /// Code, minutes, words, and what it is about. The times are those of a full deployment: a stack of its own takes 20
    /// minutes, the chart a few more, then the cluster is made; nodes need another 15.
    fn facts(&self) -> (&'static Code, u32, &'static str, String) {
        let is = |code, minutes, words, about: &str| (code, minutes, words, about.to_owned());
        let all = |code, minutes, words, about: &[String]| (code, minutes, words, about.join(", "));
        match self {
            Self::Region => is(&live::REGION, 1, "whether the region is switched on and has HyperPod", ""),
            Self::Zone { zone } => is(&live::ZONE, 2, "whether the zone is in the region", zone),
            Self::TypesOffered { types, .. } => all(&live::TYPES_OFFERED, 40, "whether types are offered there", types),
            Self::TypeQuota { instance_type: of, .. } => is(&live::TYPE_QUOTA, 25, "whether its quota leaves room", of),
            Self::TotalQuota { which, .. } => {
                is(&live::TOTAL_QUOTA, 25, "whether the quota of instances leaves room", which.words())
            }
            Self::VolumeQuota { .. } => is(&live::VOLUME_QUOTA, 25, "whether volumes may be so large", ""),
            Self::NetworkQuota { which, .. } => {
                is(&live::NETWORK_QUOTAS, 3, "whether the network's quota leaves room", which.words())
            }
            Self::BlockFree { cidr, .. } => is(&live::BLOCK_FREE, 2, "whether the VPC can take on the block", cidr),
            Self::OneVpc { subnets, .. } => {
                all(&live::ONE_VPC, 25, "whether the network is there, in one VPC", subnets)
            }
            Self::There { id } => is(&live::ONE_VPC, 3, "whether what the stack is given is there", id),
            Self::WayOut { subnets } => all(&live::WAY_OUT, 40, "whether nodes have a way out", subnets),
            Self::FreeAddresses { subnets, .. } => all(&live::FREE_ADDRESSES, 30, "whether addresses suffice", subnets),
            Self::SelfReference { groups, .. } => all(&live::SELF_REFERENCE, 35, "whether nodes may meet", groups),
            Self::GroupsMeet { eks, .. } => is(&live::GROUPS_MEET, 40, "whether nodes and EKS may meet", eks),
            Self::EksActive { eks } => is(&live::EKS_ACTIVE, 1, "whether the EKS cluster is active", eks),
            Self::EksAccessMode { eks } => is(&live::EKS_ACCESS_MODE, 10, "whether EKS takes access entries", eks),
            Self::EksVersion { eks } => is(&live::EKS_VERSION, 10, "whether HyperPod works with the version", eks),
            Self::EksVpc { eks, .. } => is(&live::EKS_VPC, 10, "whether EKS is in the VPC of the nodes", eks),
            Self::Cni { eks } => is(&live::CNI, 25, "whether the network plugin is new enough", eks),
            Self::PodIdentity { eks } => is(&live::POD_IDENTITY, 25, "whether the pod identity agent is there", eks),
            Self::CallerEntry { eks, .. } => is(&live::CALLER_ENTRY, 4, "whether EKS lets the caller in", eks),
            Self::RoleTrust { role } => is(&live::ROLE_TRUST, 10, "whether SageMaker may assume the role", role),
            Self::RolePolicies { role, .. } => {
                is(&live::ROLE_POLICIES, 25, "whether the role may do what nodes do", role)
            }
            Self::BucketRegion { bucket } => is(&live::BUCKET_REGION, 5, "whether the bucket is in the region", bucket),
            Self::ScriptThere { key, .. } => is(&live::SCRIPT_THERE, 25, "whether the script is there", key),
            Self::RoleReads { bucket, .. } => is(&live::ROLE_READS, 25, "whether the role may read the bucket", bucket),
            Self::EndpointPolicy { bucket, .. } => is(&live::ENDPOINT_POLICY, 25, "whether S3 is let through", bucket),
            Self::PassRole { role } => is(&live::PASS_ROLE, 10, "whether the caller may pass the role", role),
            Self::LinkedRole => is(&live::LINKED_ROLE, 25, "whether HyperPod's own role is there or can be made", ""),
            Self::TrainingPlan { plan, .. } => is(&live::TRAINING_PLAN, 25, "whether the training plan suffices", plan),
            Self::ClusterName { name, .. } => is(&live::CLUSTER_NAME, 25, "whether the cluster's name is free", name),
            Self::StackName { name, .. } => is(&live::STACK_NAME, 1, "whether the stack's name is free", name),
            Self::Release { release, .. } => is(&live::RELEASE, 20, "whether the release's name is free", release),
            Self::OneZone { subnets } => all(&live::ONE_ZONE, 40, "whether the nodes are in one zone", subnets),
            Self::Clock => is(&live::CLOCK, 1, "whether this machine's clock is right", ""),
            Self::CredentialsLast { .. } => {
                is(&live::CREDENTIALS_LAST, 60, "whether the credentials last long enough", "")
            }
        }
    }
}
