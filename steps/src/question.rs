//! What a step asks of AWS before the run: plain data, one variant a question of the preflight list (P01 to P44).
//! Knows nothing of how a question is answered, or of who asks it.

use crate::codes::live;
use crate::finding::{At, Code};
use crate::partial::Partial;

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

/// A question with the place that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Which one.
    pub code: &'static Code,
    /// Where the inputs say what is asked about.
    pub at: At,
    /// The question; none while what it is about comes from a step that has not run.
    pub question: Option<Question>,
}

impl Asked {
    /// A question that can be asked now.
    pub fn now(at: At, question: Question) -> Self {
        Self { code: question.code(), at, question: Some(question) }
    }

    /// A question that waits for the run.
    pub fn waits(at: At, code: &'static Code) -> Self {
        Self { code, at, question: None }
    }

    /// The question that follows from `value`; one that waits where it is not known, none where there is none.
    pub fn of<T>(code: &'static Code, at: &At, value: Wish<T>, question: impl FnOnce(T) -> Question) -> Option<Self> {
        match value {
            Wish::None => None,
            Wish::Later => Some(Self::waits(at.clone(), code)),
            Wish::Now(value) => Some(Self::now(at.clone(), question(value))),
        }
    }
}

/// What inputs say of something before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish<T> {
    /// Nothing.
    None,
    /// Something that a step will give.
    Later,
    /// This.
    Now(T),
}

impl Wish<String> {
    /// The text of an input.
    pub fn text(input: Option<&Partial>) -> Self {
        match input {
            None => Self::None,
            Some(Partial::Unknown(..)) => Self::Later,
            Some(known) => {
                known.as_str().filter(|text| !text.is_empty()).map_or(Self::None, |t| Self::Now(t.to_owned()))
            }
        }
    }
}

impl<T> Wish<T> {
    /// The same of something else.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> Wish<U> {
        match self {
            Self::None => Wish::None,
            Self::Later => Wish::Later,
            Self::Now(value) => Wish::Now(to(value)),
        }
    }

    /// Both; later if either comes later, none if either is none.
    pub fn and<U>(self, other: Wish<U>) -> Wish<(T, U)> {
        match (self, other) {
            (Self::None, _) | (_, Wish::None) => Wish::None,
            (Self::Later, _) | (_, Wish::Later) => Wish::Later,
            (Self::Now(one), Wish::Now(two)) => Wish::Now((one, two)),
        }
    }

    /// What it is, if it is known.
    pub fn known(self) -> Option<T> {
        match self {
            Self::None | Self::Later => None,
            Self::Now(value) => Some(value),
        }
    }
}

/// What the steps of a pipeline bring: it need not be there before the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Objects in S3, as `s3://bucket/key`.
    pub objects: Vec<String>,
    /// Names of what stacks make.
    pub made: Vec<String>,
}

/// All questions of a pipeline as they are asked: each once, with what the steps know of each other.
pub fn settled(all: Vec<Asked>, brought: &Brought) -> Vec<Asked> {
    let zones: Vec<String> = all
        .iter()
        .filter_map(|asked| match &asked.question {
            Some(Question::Zone { zone }) => Some(zone.clone()),
            Some(_) | None => None,
        })
        .collect();
    let is_any = |asked: &Asked| matches!(&asked.question, Some(Question::ClusterName { name, .. }) if name.is_empty());
    let adopts = all.iter().any(is_any);
    let clusters: Vec<String> = all
        .iter()
        .filter_map(|asked| match &asked.question {
            Some(Question::EksActive { eks }) if !eks.is_empty() => Some(eks.clone()),
            Some(_) | None => None,
        })
        .collect();
    let mut kept: Vec<Asked> = Vec::new();
    for mut asked in all {
        if let Some(eks) = asked.question.as_mut().and_then(Question::eks_mut).filter(|eks| eks.is_empty()) {
            match clusters.as_slice() {
                [one, others @ ..] if others.iter().all(|other| other == one) => one.clone_into(eks),
                _ => asked.question = None,
            }
        }
        if is_any(&asked) {
            continue;
        }
        if let Some(Question::ClusterName { adopt, .. }) = &mut asked.question {
            *adopt |= adopts;
        }
        if let Some(Question::TypesOffered { zone: zone @ None, subnets, .. }) = &mut asked.question
            && let ([one], []) = (zones.as_slice(), subnets.as_slice())
        {
            // The only zone that the pipeline names is where its new subnet will be.
            *zone = Some(one.clone());
        }
        let is_put = matches!(&asked.question, Some(Question::ScriptThere { bucket, key })
            if brought.objects.iter().any(|object| *object == format!("s3://{bucket}/{key}")));
        // Of an ARN the name is the last part.
        let is_made =
            |name: &&str| name.rsplit('/').next().is_some_and(|name| brought.made.iter().any(|made| made == name));
        if asked.question.as_ref().is_some_and(|question| question.names().iter().any(is_made)) {
            asked.question = None;
        }
        let asked_before = asked.question.is_some() && kept.iter().any(|before| before.question == asked.question);
        let waits_before = asked.question.is_none()
            && kept.iter().any(|before| before.question.is_none() && before.code == asked.code);
        if !is_put && !asked_before && !waits_before {
            kept.push(asked);
        }
    }
    kept
}

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

    /// Names, ids and ARNs of what must be there for an answer.
    fn names(&self) -> Vec<&str> {
        fn each(ids: &[String]) -> Vec<&str> {
            ids.iter().map(String::as_str).collect()
        }
        match self {
            Self::TypesOffered { subnets: ids, .. }
            | Self::WayOut { subnets: ids }
            | Self::FreeAddresses { subnets: ids, .. }
            | Self::SelfReference { groups: ids, .. }
            | Self::OneZone { subnets: ids } => each(ids),
            Self::OneVpc { subnets, groups } => [each(subnets), each(groups)].concat(),
            Self::GroupsMeet { groups: ids, eks } | Self::EksVpc { eks, subnets: ids } => {
                [each(ids), vec![eks]].concat()
            }
            Self::EksActive { eks }
            | Self::EksAccessMode { eks }
            | Self::EksVersion { eks }
            | Self::Cni { eks }
            | Self::PodIdentity { eks }
            | Self::CallerEntry { eks, .. }
            | Self::Release { eks, .. } => vec![eks],
            Self::RoleTrust { role } | Self::RolePolicies { role, .. } | Self::PassRole { role } => vec![role],
            Self::RoleReads { role, bucket, .. } => vec![role, bucket],
            Self::BucketRegion { bucket } | Self::ScriptThere { bucket, .. } => vec![bucket],
            Self::EndpointPolicy { subnets, bucket, .. } => [each(subnets), vec![bucket]].concat(),
            Self::BlockFree { vpc: id, .. } | Self::There { id } => vec![id],
            Self::TrainingPlan { plan, subnets, .. } => [each(subnets), vec![plan]].concat(),
            Self::Region
            | Self::Zone { .. }
            | Self::TypeQuota { .. }
            | Self::TotalQuota { .. }
            | Self::VolumeQuota { .. }
            | Self::NetworkQuota { .. }
            | Self::LinkedRole
            | Self::ClusterName { .. }
            | Self::StackName { .. }
            | Self::Clock
            | Self::CredentialsLast { .. } => Vec::new(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(question: Question) -> Asked {
        Asked::now(At::Pipeline(crate::partial::Place::default()), question)
    }

    #[test]
    fn a_question_is_asked_once_and_types_are_asked_for_in_the_only_zone() {
        let types = |zone: Option<&str>| Question::TypesOffered {
            types: vec!["ml.m5.large".to_owned()],
            zone: zone.map(str::to_owned),
            subnets: Vec::new(),
        };
        let zone = |zone: &str| Question::Zone { zone: zone.to_owned() };
        let check = |all: &[Question], kept: &[Question]| {
            let got = settled(all.iter().cloned().map(asked).collect(), &Brought::default());
            assert_eq!(got.into_iter().filter_map(|asked| asked.question).collect::<Vec<_>>(), kept);
        };
        check(&[Question::Region, types(None), Question::Region], &[Question::Region, types(None)]);
        check(&[types(None), zone("usw2-az1")], &[types(Some("usw2-az1")), zone("usw2-az1")]);
        let two = [types(None), zone("usw2-az1"), zone("usw2-az2")];
        check(&two, &two);
    }

    #[test]
    fn a_release_is_asked_about_in_the_only_cluster_and_waits_without_one() {
        let release = |eks: &str| Question::Release {
            eks: eks.to_owned(),
            namespace: "kube-system".to_owned(),
            release: "r".to_owned(),
            adopt: false,
        };
        let cluster = |eks: &str| Question::EksActive { eks: eks.to_owned() };
        let check =
            |all: Vec<Question>| settled(all.into_iter().map(asked).collect(), &Brought::default())[0].question.clone();
        assert_eq!(check(vec![release(""), cluster("one")]), Some(release("one")));
        assert_eq!(check(vec![release(""), cluster("one"), cluster("two")]), None);
        assert_eq!(check(vec![release("")]), None);
        let version = |eks: &str| Question::EksVersion { eks: eks.to_owned() };
        assert_eq!(check(vec![version(""), cluster(""), cluster("one")]), Some(version("one")));
    }

    #[test]
    fn a_script_that_a_step_brings_is_not_looked_for() {
        let there = asked(Question::ScriptThere { bucket: "b".to_owned(), key: "a/on_create.sh".to_owned() });
        let put = |object: &str| Brought { objects: vec![object.to_owned()], ..Brought::default() };
        assert_eq!(settled(vec![there.clone()], &put("s3://b/a/on_create.sh")), []);
        assert_eq!(settled(vec![there.clone()], &put("s3://b/on_create.sh")), [there]);
    }

    #[test]
    fn what_a_stack_of_the_run_makes_is_not_asked_about_before() {
        let bucket = |name: &str| Question::BucketRegion { bucket: name.to_owned() };
        let brought = Brought { made: vec!["ours".to_owned()], ..Brought::default() };
        let kept = settled(vec![asked(bucket("ours")), asked(bucket("theirs"))], &brought);
        let kept: Vec<_> = kept.into_iter().map(|asked| asked.question).collect();
        assert_eq!(kept, [None, Some(bucket("theirs"))]);
    }
}
