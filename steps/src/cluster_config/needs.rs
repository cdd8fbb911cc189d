//! What a cluster config asks of AWS before the run: quotas, network, EKS, roles, scripts.
//! Knows nothing of how that is answered; what is not known yet waits.

mod network;

use std::ops::Range;

use super::json::{Node, What};
use crate::codes::live;
use crate::finding::{At, Code};
use crate::question::{Asked, Instances, Question, Wish};
use crate::s3_address;

/// Families whose nodes need EFA for what they are bought for.
const EFA: [&str; 4] = ["ml.p4", "ml.p5", "ml.p6", "ml.trn"];

/// Everything that `config`, a CreateCluster request as far as it is known, asks. `at` turns spans into places; `adopt` says
/// whether a cluster of that name is taken over.
pub fn questions(config: &Node, adopt: bool, at: &dyn Fn(&Range<usize>) -> At) -> Vec<Asked> {
    let lists = ["InstanceGroups", "RestrictedInstanceGroups"].map(|name| config.get(name));
    let nodes = lists.iter().flatten().flat_map(|list| list.items());
    let groups: Vec<Group> = nodes.map(|node| Group::read(node, at)).collect();
    let unknown = lists.into_iter().flatten().find(|list| list.is_unknown()).map(|list| at(&list.span));
    let vpc = config.get("VpcConfig");
    let subnets = texts(vpc.and_then(|vpc| vpc.get("Subnets")));
    let security = texts(vpc.and_then(|vpc| vpc.get("SecurityGroupIds")));
    let arn = config.get("Orchestrator").and_then(|of| of.get("Eks")).and_then(|eks| eks.get("ClusterArn"));
    let all = Cluster {
        at: at(&config.get("ClusterName").unwrap_or(config).span),
        network: at(&vpc.unwrap_or(config).span),
        orchestrator: at(&arn.unwrap_or(config).span),
        name: text(config.get("ClusterName")),
        eks: text(arn).map(|arn| arn.rsplit_once("cluster/").map_or(arn.clone(), |(_, name)| name.to_owned())),
        subnets: if matches!(vpc.map(|vpc| &vpc.what), Some(What::Unknown(_))) { Wish::Later } else { subnets },
        security,
        groups,
        unknown,
    };
    let mut asked =
        vec![Asked::now(all.at.clone(), Question::Region), Asked::now(all.at.clone(), Question::LinkedRole)];
    asked.extend(Asked::of(&live::CLUSTER_NAME, &all.at, all.name.clone(), |name| Question::ClusterName {
        name,
        adopt,
    }));
    asked.extend(all.capacity());
    asked.extend(all.plans());
    asked.extend(all.network());
    asked.extend(all.eks());
    asked.extend(all.groups.iter().flat_map(|group| group.questions(&all.subnets, &all.name)));
    if let Some(at) = &all.unknown {
        asked.extend(OF_GROUPS.map(|code| Asked::waits(at.clone(), code)));
    }
    asked
}

/// The same where parts of the request hang on what is not known yet: its groups and their network may be others, so what is
/// asked about these waits.
pub fn of_a_draft(asked: Vec<Asked>, at: &At) -> Vec<Asked> {
    let hangs = |code: &'static Code| OF_GROUPS.iter().chain(&OF_ALL_GROUPS).any(|of| *of == code);
    let wait = |asked: Asked| if hangs(asked.code) { Asked::waits(asked.at, asked.code) } else { asked };
    let groups = OF_GROUPS.iter().map(|code| Asked::waits(at.clone(), code));
    asked.into_iter().map(wait).chain(groups).collect()
}

/// What is asked of each group, and so waits where nobody knows the groups.
static OF_GROUPS: [&Code; 9] = [
    &live::TYPE_QUOTA,
    &live::VOLUME_QUOTA,
    &live::TYPES_OFFERED,
    &live::ROLE_TRUST,
    &live::ROLE_POLICIES,
    &live::PASS_ROLE,
    &live::BUCKET_REGION,
    &live::SCRIPT_THERE,
    &live::ROLE_READS,
];

/// What is asked of groups together, of their network, or of some groups only.
static OF_ALL_GROUPS: [&Code; 10] = [
    &live::TOTAL_QUOTA,
    &live::ONE_VPC,
    &live::WAY_OUT,
    &live::FREE_ADDRESSES,
    &live::SELF_REFERENCE,
    &live::GROUPS_MEET,
    &live::EKS_VPC,
    &live::ENDPOINT_POLICY,
    &live::ONE_ZONE,
    &live::TRAINING_PLAN,
];

struct Cluster {
    at: At,
    network: At,
    orchestrator: At,
    name: Wish<String>,
    eks: Wish<String>,
    subnets: Wish<Vec<String>>,
    security: Wish<Vec<String>>,
    groups: Vec<Group>,
    /// Where groups come from a step, if some do.
    unknown: Option<At>,
}

/// An instance group.
struct Group {
    at: At,
    /// None where any of several types will do: of these nothing is asked.
    instance_type: Wish<String>,
    count: Wish<u64>,
    count_at: At,
    spot: bool,
    plan: Wish<String>,
    volumes: Vec<(Wish<u64>, At)>,
    role: Wish<String>,
    /// Bucket and key of each script.
    scripts: Vec<Wish<(String, String)>>,
    script_at: At,
    role_at: At,
    /// Where the group has subnets and security groups of its own.
    network: At,
    subnets: Wish<Vec<String>>,
    security: Wish<Vec<String>>,
}

impl Group {
    fn read(node: &Node, at: &dyn Fn(&Range<usize>) -> At) -> Self {
        let requirements = node.get("InstanceRequirements").and_then(|of| of.get("InstanceTypes"));
        let types = requirements.map(Node::items).unwrap_or_default();
        let first = if types.len() > 1 { None } else { types.first() };
        let script = node.get("LifeCycleConfig");
        let uri = script.and_then(|of| of.get("SourceS3Uri"));
        let names = ["OnCreate", "OnInitComplete"].into_iter().filter_map(|name| script?.get(name));
        let volumes = node.get("InstanceStorageConfigs").map(Node::items).unwrap_or_default();
        let volumes = volumes.iter().filter_map(|of| of.get("EbsVolumeConfig")?.get("VolumeSizeInGB"));
        let count = node.get("InstanceCount");
        let (role, own) = (node.get("ExecutionRole"), node.get("OverrideVpcConfig"));
        Self {
            at: at(&node.get("InstanceType").or(first).unwrap_or(node).span),
            instance_type: text(node.get("InstanceType").or(first)),
            count: whole(count),
            count_at: at(&count.unwrap_or(node).span),
            spot: node.get("CapacityRequirements").is_some_and(|of| of.get("Spot").is_some()),
            plan: text(node.get("TrainingPlanArn")),
            volumes: volumes.map(|size| (whole(Some(size)), at(&size.span))).collect(),
            role: text(role),
            scripts: names.map(|name| text(uri).and(text(Some(name))).map(|(uri, name)| object(&uri, &name))).collect(),
            script_at: at(&uri.unwrap_or(node).span),
            role_at: at(&role.unwrap_or(node).span),
            network: at(&own.unwrap_or(node).span),
            subnets: texts(own.and_then(|vpc| vpc.get("Subnets"))),
            security: texts(own.and_then(|vpc| vpc.get("SecurityGroupIds"))),
        }
    }

    fn is_efa(&self) -> bool {
        matches!(&self.instance_type, Wish::Now(name) if EFA.iter().any(|family| name.starts_with(family)))
    }

    /// Its type and how many; an empty type where any of several will do: each node takes one address at least.
    fn nodes(&self) -> Option<(String, u64)> {
        match (&self.instance_type, &self.count) {
            (Wish::Later, _) | (_, Wish::Later | Wish::None) => None,
            (Wish::Now(of), Wish::Now(count)) => Some((of.clone(), *count)),
            (Wish::None, Wish::Now(count)) => Some((String::new(), *count)),
        }
    }

    fn own_or<'a>(&'a self, subnets: &'a Wish<Vec<String>>) -> &'a Wish<Vec<String>> {
        if self.subnets == Wish::None { subnets } else { &self.subnets }
    }

    /// What is asked of its role, its script and its subnets.
    fn questions(&self, subnets: &Wish<Vec<String>>, cluster: &Wish<String>) -> Vec<Asked> {
        let (at, role) = (&self.role_at, || self.role.clone());
        let cluster = cluster.clone().known().unwrap_or_default();
        let mut asked = vec![
            Asked::of(&live::ROLE_TRUST, at, role(), |role| Question::RoleTrust { role }),
            Asked::of(&live::ROLE_POLICIES, at, role(), |role| Question::RolePolicies { role, cluster }),
            Asked::of(&live::PASS_ROLE, at, role(), |role| Question::PassRole { role }),
        ];
        asked.extend(self.scripts.iter().flat_map(|script| self.of_script(script, self.own_or(subnets))));
        if let Wish::Now(own) = self.own_or(subnets)
            && self.is_efa()
            && own.len() > 1
        {
            asked.push(Some(Asked::now(self.at.clone(), Question::OneZone { subnets: own.clone() })));
        }
        asked.into_iter().flatten().collect()
    }

    /// What is asked of one of its scripts.
    fn of_script(&self, script: &Wish<(String, String)>, subnets: &Wish<Vec<String>>) -> [Option<Asked>; 4] {
        let (at, role, subnets) = (&self.script_at, self.role.clone(), subnets.clone());
        [
            Asked::of(&live::BUCKET_REGION, at, script.clone(), |(bucket, _)| Question::BucketRegion { bucket }),
            Asked::of(&live::SCRIPT_THERE, at, script.clone(), |(bucket, key)| Question::ScriptThere { bucket, key }),
            Asked::of(&live::ROLE_READS, at, role.and(script.clone()), |(role, (bucket, key))| Question::RoleReads {
                role,
                bucket,
                key,
            }),
            Asked::of(&live::ENDPOINT_POLICY, at, subnets.and(script.clone()), |(subnets, (bucket, key))| {
                Question::EndpointPolicy { subnets, bucket, key }
            }),
        ]
    }
}

impl Cluster {
    /// Types, counts and volumes against what the account may have and the zone offers.
    fn capacity(&self) -> Vec<Asked> {
        let cluster = self.name.clone().known().unwrap_or_default();
        let mut asked = Vec::new();
        let mut sums: Vec<((String, bool), u64, At)> = Vec::new();
        let mut total: Option<(u64, &At)> = None;
        let mut spot = 0_u64;
        let mut all_known = self.unknown.is_none();
        for group in &self.groups {
            match (&group.instance_type, &group.count) {
                (Wish::Now(_) | Wish::None, Wish::Now(0)) => {}
                (of_type @ (Wish::Now(_) | Wish::None), Wish::Now(count)) => {
                    let (before, at) = total.unwrap_or((0, &group.count_at));
                    total = Some((before.saturating_add(*count), at));
                    spot = spot.saturating_add(if group.spot { *count } else { 0 });
                    let Wish::Now(instance_type) = of_type else { continue };
                    let key = (instance_type.clone(), group.spot);
                    match sums.iter_mut().find(|(of, ..)| *of == key) {
                        Some((_, sum, _)) => *sum = sum.saturating_add(*count),
                        None => sums.push((key, *count, group.at.clone())),
                    }
                }
                (Wish::Later, _) | (_, Wish::Later | Wish::None) => {
                    asked.push(Asked::waits(group.at.clone(), &live::TYPE_QUOTA));
                    all_known = false;
                }
            }
        }
        for ((instance_type, spot), wanted, at) in sums {
            let cluster = cluster.clone();
            asked.push(Asked::now(at, Question::TypeQuota { instance_type, wanted, spot, cluster }));
        }
        match (all_known, total) {
            (true, Some((wanted, at))) => {
                let of = |(which, wanted)| Question::TotalQuota { which, wanted, cluster: cluster.clone() };
                let all = [(Instances::InCluster, wanted), (Instances::InAll, wanted), (Instances::Spot, spot)];
                let all = all.into_iter().filter(|(_, wanted)| *wanted > 0);
                asked.extend(all.map(|each| Asked::now(at.clone(), of(each))));
            }
            (true, None) => {}
            (false, _) => asked.push(Asked::waits(self.at.clone(), &live::TOTAL_QUOTA)),
        }
        asked.extend(self.groups.iter().flat_map(|group| &group.volumes).filter_map(|(size, at)| {
            Asked::of(&live::VOLUME_QUOTA, at, size.clone(), |gigabytes| Question::VolumeQuota { gigabytes })
        }));
        asked.extend(self.groups.iter().filter(|group| group.count != Wish::Now(0)).filter_map(|group| {
            let subnets = group.own_or(&self.subnets).clone().known().unwrap_or_default();
            let question = |of| Question::TypesOffered { types: vec![of], zone: None, subnets };
            Asked::of(&live::TYPES_OFFERED, &group.at, group.instance_type.clone(), question)
        }));
        asked
    }

    /// Training plans against what their groups need.
    fn plans(&self) -> Vec<Asked> {
        let asked =
            self.groups.iter().filter_map(|group| {
                let subnets = group.own_or(&self.subnets).clone().known().unwrap_or_default();
                let cluster = self.name.clone().known().unwrap_or_default();
                let all = group.plan.clone().and(group.instance_type.clone().and(group.count.clone()));
                Asked::of(&live::TRAINING_PLAN, &group.at, all, |(plan, (instance_type, wanted))| {
                    Question::TrainingPlan { plan, instance_type, wanted, subnets, cluster }
                })
            });
        asked.collect()
    }

    /// The EKS cluster; empty where a step will tell its ARN, for then it is the one that the pipeline connects to.
    fn eks_or_only(&self) -> Wish<String> {
        if self.eks == Wish::Later { Wish::Now(String::new()) } else { self.eks.clone() }
    }

    fn eks(&self) -> Vec<Asked> {
        let of = |code: &'static Code, question: fn(String) -> Question| {
            Asked::of(code, &self.orchestrator, self.eks_or_only(), question)
        };
        let both = self.eks_or_only().and(self.subnets.clone());
        let asked = [
            of(&live::EKS_ACTIVE, |eks| Question::EksActive { eks }),
            of(&live::EKS_ACCESS_MODE, |eks| Question::EksAccessMode { eks }),
            of(&live::EKS_VERSION, |eks| Question::EksVersion { eks }),
            Asked::of(&live::EKS_VPC, &self.orchestrator, both, |(eks, subnets)| Question::EksVpc { eks, subnets }),
            of(&live::CNI, |eks| Question::Cni { eks }),
            of(&live::POD_IDENTITY, |eks| Question::PodIdentity { eks }),
        ];
        asked.into_iter().flatten().collect()
    }
}

/// Bucket and key of a script.
fn object(uri: &str, name: &str) -> (String, String) {
    let (bucket, prefix) = s3_address::parts(uri).unwrap_or_else(|| {
        let path = uri.split_once("://").map_or(uri, |(_, path)| path);
        path.split_once('/').unwrap_or((path, ""))
    });
    let prefix = prefix.trim_end_matches('/');
    (bucket.to_owned(), if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") })
}

fn text(node: Option<&Node>) -> Wish<String> {
    match node.map(|node| (&node.what, node.text())) {
        None => Wish::None,
        Some((_, Some(text))) => Wish::Now(text.to_owned()),
        Some((What::Unknown(_) | What::Open(_) | What::Text(_), None)) => Wish::Later,
        Some((What::Null | What::Flag(_) | What::Number(_) | What::List(_) | What::Map(_), None)) => Wish::None,
    }
}

fn whole(node: Option<&Node>) -> Wish<u64> {
    let Some(node) = node else { return Wish::None };
    let is_hole = matches!(&node.what, What::Open(_));
    match node.whole().and_then(|number| u64::try_from(number).ok()) {
        Some(number) => Wish::Now(number),
        None if node.is_unknown() || is_hole => Wish::Later,
        None => Wish::None,
    }
}

fn texts(node: Option<&Node>) -> Wish<Vec<String>> {
    let Some(node) = node else { return Wish::None };
    if node.is_unknown() {
        return Wish::Later;
    }
    let items: Vec<Wish<String>> = node.items().iter().map(|item| text(Some(item))).collect();
    if items.is_empty() {
        return Wish::None;
    }
    items.into_iter().map(Wish::known).collect::<Option<Vec<_>>>().map_or(Wish::Later, Wish::Now)
}

#[cfg(test)]
mod tests;
