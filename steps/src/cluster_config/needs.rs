//! What a cluster config asks of AWS before the run: quotas, network, EKS, roles, scripts.
//! Knows nothing of how that is answered; what is not known yet waits.

use std::ops::Range;

use super::json::{Node, What};
use crate::codes::live;
use crate::finding::{At, Code};
use crate::question::{Asked, Question, Wish};

/// Families whose nodes need EFA for what they are bought for.
const EFA: [&str; 4] = ["ml.p4", "ml.p5", "ml.p6", "ml.trn"];

/// Everything that `config`, a CreateCluster request as far as it is known, asks. `at` turns spans into places; `adopt` says
/// whether a cluster of that name is taken over.
pub fn questions(config: &Node, adopt: bool, at: &dyn Fn(&Range<usize>) -> At) -> Vec<Asked> {
    let groups: Vec<Group> = config
        .get("InstanceGroups")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .map(|node| Group::read(node, at))
        .collect();
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
    asked.extend(all.groups.iter().flat_map(|group| group.questions(&all.subnets)));
    asked
}

struct Cluster {
    at: At,
    network: At,
    orchestrator: At,
    name: Wish<String>,
    eks: Wish<String>,
    subnets: Wish<Vec<String>>,
    security: Wish<Vec<String>>,
    groups: Vec<Group>,
}

/// An instance group.
struct Group {
    at: At,
    instance_type: Wish<String>,
    count: Wish<u64>,
    spot: bool,
    plan: Wish<String>,
    volume: Wish<u64>,
    role: Wish<String>,
    /// Bucket and key.
    script: Wish<(String, String)>,
    script_at: At,
    role_at: At,
    /// Where the group has subnets of its own.
    subnets: Wish<Vec<String>>,
}

impl Group {
    fn read(node: &Node, at: &dyn Fn(&Range<usize>) -> At) -> Self {
        let requirements = node.get("InstanceRequirements").and_then(|of| of.get("InstanceTypes"));
        let first = requirements.and_then(|types| types.items().first());
        let script = node.get("LifeCycleConfig");
        let (uri, name) = (script.and_then(|of| of.get("SourceS3Uri")), script.and_then(|of| of.get("OnCreate")));
        let volumes = node.get("InstanceStorageConfigs").map(Node::items).unwrap_or_default();
        let volume = volumes.iter().filter_map(|of| of.get("EbsVolumeConfig")?.get("VolumeSizeInGB")).next();
        let role = node.get("ExecutionRole");
        Self {
            at: at(&node.get("InstanceType").or(first).unwrap_or(node).span),
            instance_type: text(node.get("InstanceType").or(first)),
            count: whole(node.get("InstanceCount")),
            spot: node.get("CapacityRequirements").is_some_and(|of| of.get("Spot").is_some()),
            plan: text(node.get("TrainingPlanArn")),
            volume: whole(volume),
            role: text(role),
            script: text(uri).and(text(name)).map(|(uri, name)| object(&uri, &name)),
            script_at: at(&uri.unwrap_or(node).span),
            role_at: at(&role.unwrap_or(node).span),
            subnets: texts(node.get("OverrideVpcConfig").and_then(|vpc| vpc.get("Subnets"))),
        }
    }

    fn is_efa(&self) -> bool {
        matches!(&self.instance_type, Wish::Now(name) if EFA.iter().any(|family| name.starts_with(family)))
    }

    fn own_or<'a>(&'a self, subnets: &'a Wish<Vec<String>>) -> &'a Wish<Vec<String>> {
        if self.subnets == Wish::None { subnets } else { &self.subnets }
    }

    /// What is asked of its role, its script and its subnets.
    fn questions(&self, subnets: &Wish<Vec<String>>) -> Vec<Asked> {
        let of_role = |code: &'static Code, question: fn(String) -> Question| {
            Asked::of(code, &self.role_at, self.role.clone(), question)
        };
        let of_script = |code: &'static Code, question: fn((String, String)) -> Question| {
            Asked::of(code, &self.script_at, self.script.clone(), question)
        };
        let mut asked = vec![
            of_role(&live::ROLE_TRUST, |role| Question::RoleTrust { role }),
            of_role(&live::ROLE_POLICIES, |role| Question::RolePolicies { role }),
            of_role(&live::PASS_ROLE, |role| Question::PassRole { role }),
            of_script(&live::BUCKET_REGION, |(bucket, _)| Question::BucketRegion { bucket }),
            of_script(&live::SCRIPT_THERE, |(bucket, key)| Question::ScriptThere { bucket, key }),
            Asked::of(
                &live::ROLE_READS,
                &self.script_at,
                self.role.clone().and(self.script.clone()),
                |(role, (bucket, key))| Question::RoleReads { role, bucket, key },
            ),
            Asked::of(
                &live::ENDPOINT_POLICY,
                &self.script_at,
                self.own_or(subnets).clone().and(self.script.clone()),
                |(subnets, (bucket, _))| Question::EndpointPolicy { subnets, bucket },
            ),
        ];
        if let Wish::Now(own) = self.own_or(subnets)
            && self.is_efa()
            && own.len() > 1
        {
            asked.push(Some(Asked::now(self.at.clone(), Question::OneZone { subnets: own.clone() })));
        }
        asked.into_iter().flatten().collect()
    }
}

impl Cluster {
    /// Types, counts and volumes against what the account may have and the zone offers.
    fn capacity(&self) -> Vec<Asked> {
        let cluster = self.name.clone().known().unwrap_or_default();
        let mut asked = Vec::new();
        let mut sums: Vec<((String, bool), u64, At)> = Vec::new();
        let (mut total, mut all_known) = (0, true);
        for group in &self.groups {
            let both = group.instance_type.clone().and(group.count.clone());
            let Wish::Now((instance_type, count)) = both else {
                asked.push(Asked::waits(group.at.clone(), &live::TYPE_QUOTA));
                all_known = false;
                continue;
            };
            total += count;
            let key = (instance_type, group.spot);
            match sums.iter_mut().find(|(of, ..)| *of == key) {
                Some((_, sum, _)) => *sum += count,
                None => sums.push((key, count, group.at.clone())),
            }
        }
        for ((instance_type, spot), wanted, at) in sums.into_iter().filter(|(_, wanted, _)| *wanted > 0) {
            let cluster = cluster.clone();
            asked.push(Asked::now(at, Question::TypeQuota { instance_type, wanted, spot, cluster }));
        }
        match all_known {
            true if total > 0 => {
                asked.push(Asked::now(self.at.clone(), Question::TotalQuota { wanted: total, cluster }))
            }
            true => {}
            false => asked.push(Asked::waits(self.at.clone(), &live::TOTAL_QUOTA)),
        }
        let volumes: Vec<u64> = self.groups.iter().filter_map(|group| group.volume.clone().known()).collect();
        if self.groups.iter().any(|group| group.volume == Wish::Later) {
            asked.push(Asked::waits(self.at.clone(), &live::VOLUME_QUOTA));
        }
        if let Some(gigabytes) = volumes.into_iter().max() {
            asked.push(Asked::now(self.at.clone(), Question::VolumeQuota { gigabytes }));
        }
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

    fn network(&self) -> Vec<Asked> {
        let (at, subnets) = (&self.network, &self.subnets);
        let nodes = self
            .groups
            .iter()
            .filter(|group| group.subnets == Wish::None)
            .map(|group| Some((group.instance_type.clone().known()?, group.count.clone().known()?)));
        let nodes = nodes.collect::<Option<Vec<_>>>().map_or(Wish::Later, Wish::Now);
        let efa = self.groups.iter().any(Group::is_efa);
        let cluster = self.name.clone().known().unwrap_or_default();
        let asked = [
            Asked::of(&live::ONE_VPC, at, subnets.clone().and(self.security.clone()), |(subnets, groups)| {
                Question::OneVpc { subnets, groups }
            }),
            Asked::of(&live::WAY_OUT, at, subnets.clone(), |subnets| Question::WayOut { subnets }),
            Asked::of(&live::FREE_ADDRESSES, at, subnets.clone().and(nodes), |(subnets, nodes)| {
                Question::FreeAddresses { subnets, nodes, cluster }
            }),
            Asked::of(&live::SELF_REFERENCE, at, self.security.clone(), |groups| Question::SelfReference {
                groups,
                efa,
            }),
            Asked::of(&live::GROUPS_MEET, at, self.security.clone().and(self.eks.clone()), |(groups, eks)| {
                Question::GroupsMeet { groups, eks }
            }),
        ];
        asked.into_iter().flatten().collect()
    }

    fn eks(&self) -> Vec<Asked> {
        let of = |code: &'static Code, question: fn(String) -> Question| {
            Asked::of(code, &self.orchestrator, self.eks.clone(), question)
        };
        let both = self.eks.clone().and(self.subnets.clone());
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
    let path = uri.split_once("://").map_or(uri, |(_, path)| path);
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
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
mod tests {
    use super::*;
    use crate::partial::Place;

    fn asked(config: &serde_json::Value) -> Vec<Asked> {
        let (node, faults) = super::super::json::parse(&config.to_string());
        assert!(faults.is_empty(), "{faults:?}");
        questions(&node, false, &|_| At::Pipeline(Place::default()))
    }

    #[test]
    fn types_of_several_groups_are_added_up() {
        let group = |of: &str, count: u64| serde_json::json!({ "InstanceType": of, "InstanceCount": count });
        let groups = [group("ml.m5.large", 2), group("ml.m5.large", 3), group("ml.g5.xlarge", 0)];
        let asked = asked(&serde_json::json!({ "ClusterName": "ml", "InstanceGroups": groups }));
        let quotas: Vec<&Question> = asked
            .iter()
            .filter_map(|asked| asked.question.as_ref())
            .filter(|question| matches!(question, Question::TypeQuota { .. } | Question::TotalQuota { .. }))
            .collect();
        let (instance_type, cluster) = ("ml.m5.large".to_owned(), "ml".to_owned());
        let of_type = Question::TypeQuota { instance_type, wanted: 5, spot: false, cluster: cluster.clone() };
        assert_eq!(quotas, [&of_type, &Question::TotalQuota { wanted: 5, cluster }]);
    }

    #[test]
    fn what_is_not_known_waits() {
        use crate::cluster_config::json::{HOLE_END, HOLE_START};
        let hole = format!("{HOLE_START}1{HOLE_END}");
        let config = serde_json::json!({
            "ClusterName": "ml",
            "Orchestrator": { "Eks": { "ClusterArn": hole } },
            "InstanceGroups": [{ "InstanceType": "ml.m5.large", "InstanceCount": hole, "ExecutionRole": hole }],
            "VpcConfig": { "Subnets": [hole], "SecurityGroupIds": hole },
        });
        let asked = asked(&config);
        let waits: Vec<u16> = asked.iter().filter(|a| a.question.is_none()).map(|a| a.code.number).collect();
        for number in [1005, 1006, 1010, 1011, 1012, 1013, 1014, 1015, 1018, 1022, 1029] {
            assert!(waits.contains(&number), "HP{number} waits: {waits:?}");
        }
        assert!(asked.iter().any(|a| matches!(a.question, Some(Question::ClusterName { .. }))));
    }

    #[test]
    fn a_script_lies_below_its_folder() {
        for (uri, key) in
            [("s3://b", "on.sh"), ("s3://b/", "on.sh"), ("s3://b/a/c/", "a/c/on.sh"), ("https://b/a", "a/on.sh")]
        {
            assert_eq!(object(uri, "on.sh"), ("b".to_owned(), key.to_owned()), "{uri}");
        }
    }
}
