//! What configs ask, as tables.

use super::*;
use crate::partial::Place;
use crate::question::{Brought, Instances, settled};

fn asked(config: &serde_json::Value) -> Vec<Asked> {
    let (node, faults) = crate::cluster_config::json::parse(&config.to_string());
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
    let total = |which| Question::TotalQuota { which, wanted: 5, cluster: cluster.clone() };
    assert_eq!(quotas, [&of_type, &total(Instances::InCluster), &total(Instances::InAll)]);
}

#[test]
fn spot_instances_are_counted_among_all_and_apart() {
    let spot = serde_json::json!({ "Spot": {} });
    let groups = serde_json::json!([
        { "InstanceType": "ml.m5.large", "InstanceCount": 2, "CapacityRequirements": spot },
        { "InstanceType": "ml.g5.xlarge", "InstanceCount": 3, "CapacityRequirements": spot },
        { "InstanceRequirements": { "InstanceTypes": ["ml.m5.large", "ml.m5.xlarge"] }, "InstanceCount": 4, "CapacityRequirements": spot },
        { "InstanceType": "ml.m5.large", "InstanceCount": 1, "CapacityRequirements": { "OnDemand": {} } },
    ]);
    let asked = asked(&serde_json::json!({ "ClusterName": "ml", "InstanceGroups": groups }));
    for (which, wanted) in [(Instances::InCluster, 10), (Instances::InAll, 10), (Instances::Spot, 9)] {
        let total = Question::TotalQuota { which, wanted, cluster: "ml".to_owned() };
        assert!(asked.iter().any(|asked| asked.question.as_ref() == Some(&total)), "{asked:#?}");
    }
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
    let asked = settled(asked(&config), &Brought::default());
    let waits: Vec<u16> = asked.iter().filter(|a| a.question.is_none()).map(|a| a.code.number).collect();
    for number in [1005, 1006, 1010, 1011, 1012, 1013, 1014, 1015, 1018, 1022, 1029] {
        assert!(waits.contains(&number), "HP{number} waits: {waits:?}");
    }
    assert!(asked.iter().any(|a| matches!(a.question, Some(Question::ClusterName { .. }))));
}

#[test]
fn of_an_eks_cluster_that_a_step_tells_of_the_one_is_asked_that_the_pipeline_connects_to() {
    use crate::cluster_config::json::{HOLE_END, HOLE_START};
    let config = serde_json::json!({
        "ClusterName": "ml",
        "Orchestrator": { "Eks": { "ClusterArn": format!("{HOLE_START}1{HOLE_END}") } },
        "VpcConfig": { "Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
    });
    let mut asked = asked(&config);
    asked.push(Asked::now(At::Pipeline(Place::default()), Question::EksActive { eks: "mine".to_owned() }));
    let asked: Vec<Question> =
        settled(asked, &Brought::default()).into_iter().filter_map(|asked| asked.question).collect();
    let (eks, groups, subnets) = (|| "mine".to_owned(), vec!["sg-1".to_owned()], vec!["subnet-1".to_owned()]);
    assert!(asked.contains(&Question::GroupsMeet { groups, eks: eks() }), "{asked:#?}");
    assert!(asked.contains(&Question::EksVpc { eks: eks(), subnets }), "{asked:#?}");
}

#[test]
fn a_group_in_a_network_of_its_own_is_asked_about_there() {
    let own = serde_json::json!({ "Subnets": ["subnet-2"], "SecurityGroupIds": ["sg-2"] });
    let asked = asked(&serde_json::json!({
        "ClusterName": "ml",
        "InstanceGroups": [
            { "InstanceType": "ml.m5.large", "InstanceCount": 2 },
            { "InstanceType": "ml.p5.48xlarge", "InstanceCount": 1, "OverrideVpcConfig": own },
        ],
        "VpcConfig": { "Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"] },
    }));
    let has = |question: Question| asked.iter().any(|asked| asked.question.as_ref() == Some(&question));
    for (number, efa) in [(1, false), (2, true)] {
        let (subnets, groups) = (vec![format!("subnet-{number}")], vec![format!("sg-{number}")]);
        assert!(has(Question::OneVpc { subnets: subnets.clone(), groups: groups.clone() }), "{asked:#?}");
        assert!(has(Question::WayOut { subnets }) && has(Question::SelfReference { groups, efa }), "{asked:#?}");
    }
}

#[test]
fn groups_that_share_subnets_are_added_up_whatever_network_they_are_told_in() {
    let vpc =
        |subnets: &[&str], security: &str| serde_json::json!({ "Subnets": subnets, "SecurityGroupIds": [security] });
    let group = |count: u64, own: serde_json::Value| serde_json::json!({ "InstanceType": "ml.p5.48xlarge", "InstanceCount": count, "OverrideVpcConfig": own });
    let asked = asked(&serde_json::json!({
        "ClusterName": "ml",
        "InstanceGroups": [
            { "InstanceType": "ml.p5.48xlarge", "InstanceCount": 1 },
            group(2, vpc(&["b", "a"], "sg-1")),
            group(4, vpc(&["a", "b"], "sg-2")),
            group(8, vpc(&["a"], "sg-1")),
            group(16, vpc(&["b", "c"], "sg-1")),
            group(32, vpc(&["d"], "sg-1")),
        ],
        "VpcConfig": vpc(&["a", "b"], "sg-1"),
    }));
    let rooms: Vec<(String, u64)> = asked
        .iter()
        .filter_map(|asked| {
            let Some(Question::FreeAddresses { subnets, nodes, .. }) = &asked.question else { return None };
            Some((subnets.concat(), nodes.iter().map(|(_, count)| count).sum()))
        })
        .collect();
    let room = |subnets: &str, count: u64| (subnets.to_owned(), count);
    assert_eq!(rooms, [room("ab", 15), room("a", 8), room("bc", 16), room("d", 32), room("abc", 31)]);
    let one_vpc = asked.iter().filter(|asked| matches!(asked.question, Some(Question::OneVpc { .. }))).count();
    assert_eq!(one_vpc, 5, "the second group names the cluster's own network in another order");
}

#[test]
fn however_many_networks_hang_together_the_nodes_of_all_are_added_up() {
    let many = 1_000;
    let group = |number: usize| {
        let subnets = [format!("subnet-{number:04}"), format!("subnet-{:04}", number + 1)];
        let own = serde_json::json!({ "Subnets": subnets, "SecurityGroupIds": ["sg-1"] });
        serde_json::json!({ "InstanceType": "ml.m5.large", "InstanceCount": 1, "OverrideVpcConfig": own })
    };
    // From the last to the first, and each network twice.
    let groups: Vec<_> = (0..many).rev().chain(0..many).map(group).collect();
    let asked = asked(&serde_json::json!({ "ClusterName": "ml", "InstanceGroups": groups }));
    let rooms: Vec<(usize, u64)> = asked
        .iter()
        .filter_map(|asked| {
            let Some(Question::FreeAddresses { subnets, nodes, .. }) = &asked.question else { return None };
            Some((subnets.len(), nodes.iter().map(|(_, count)| count).sum()))
        })
        .collect();
    // With a look at all others for each of them this would take a quarter of a minute.
    let (all, each) = rooms.split_last().expect("there are rooms");
    assert_eq!(*all, (many + 1, 2 * many as u64));
    assert!(each.len() == many && each.iter().all(|room| *room == (2, 2)), "{each:?}");
}

#[test]
fn every_size_and_every_count_is_asked_about_where_it_stands() {
    let volume = |size: u64| serde_json::json!({ "EbsVolumeConfig": { "VolumeSizeInGB": size } });
    let config = serde_json::json!({
        "ClusterName": "ml",
        "InstanceGroups": [
            { "InstanceType": "ml.m5.large", "InstanceCount": 2, "InstanceStorageConfigs": [volume(100), volume(2000)] },
            { "InstanceRequirements": { "InstanceTypes": ["ml.p5.48xlarge", "ml.p4d.24xlarge"] }, "InstanceCount": 3 },
        ],
        "RestrictedInstanceGroups": [{ "InstanceType": "ml.g5.xlarge", "InstanceCount": u64::MAX / 2 }],
    });
    let text = config.to_string();
    let (node, _) = crate::cluster_config::json::parse(&text);
    let place = |span: &Range<usize>| At::Pipeline(Place { start: span.start as u32, end: span.end as u32 });
    let asked = questions(&node, false, &place);
    let at = |asked: &Asked| match &asked.at {
        At::Pipeline(place) => text[place.start as usize..place.end as usize].to_owned(),
        At::File { .. } => String::new(),
    };
    let told = |code: &'static Code| asked.iter().filter(|a| a.code == code).map(&at).collect::<Vec<_>>();
    assert_eq!(told(&live::VOLUME_QUOTA), ["100", "2000"]);
    assert_eq!(told(&live::TOTAL_QUOTA), ["2", "2"]);
    let types = told(&live::TYPE_QUOTA);
    assert_eq!(types, ["\"ml.m5.large\"", "\"ml.g5.xlarge\""], "of several types any will do: none is asked about");
    let unknown = Node::unknown(0..0);
    let inputs = Node { what: What::Map(vec![("InstanceGroups".to_owned(), 0..0, unknown)]), span: 0..0 };
    let waits = questions(&inputs, false, &place);
    assert!(waits.iter().any(|a| a.code == &live::TYPE_QUOTA && a.question.is_none()), "{waits:#?}");
}

#[test]
fn a_script_lies_below_its_folder() {
    for (uri, key) in [
        ("s3://b", "on.sh"),
        ("s3://b/", "on.sh"),
        ("s3://b/a/c/", "a/c/on.sh"),
        ("https://b/a", "a/on.sh"),
        ("https://b.s3.us-west-2.amazonaws.com/a", "a/on.sh"),
        ("https://s3.us-west-2.amazonaws.com/b/a", "a/on.sh"),
    ] {
        assert_eq!(object(uri, "on.sh"), ("b".to_owned(), key.to_owned()), "{uri}");
    }
}

#[test]
fn what_hangs_on_a_block_that_is_not_decided_waits() {
    use crate::files::{FileInput, FileKind, Files};
    use crate::partial::{Hole, Partial, ValueType};
    use crate::step::Step;
    use crate::value::Value;

    let template = r#"{"ClusterName":"c","VpcConfig":{"Subnets":["subnet-1"],"SecurityGroupIds":["sg-1"]},
"InstanceGroups":[{ {{#if (eq gpu "yes")}}"InstanceType":"ml.p5.48xlarge","InstanceCount":25{{else}}"InstanceType":"ml.m5.large","InstanceCount":1{{/if}} }]}"#;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.hbs"), template).expect("written");
    let place = Place::default();
    let input = FileInput { path: "t.hbs".to_owned(), kind: FileKind::File, place };
    let files = Files::load(folder.path(), &[input]);
    let check = |gpu: Partial, is_asked: bool| {
        let inputs = serde_json::json!({ "template": "t.hbs", "to": "out.json", "schema": "create-cluster" });
        let Partial::Map(mut entries, _) = Partial::from_value(&Value::from_json(&inputs)) else { panic!("a map") };
        let values = Partial::Map(std::iter::once(("gpu".to_owned(), (place, gpu))).collect(), place);
        entries.insert("values".to_owned(), (place, values));
        let asked = crate::render_config::RenderConfig::questions(&Partial::Map(entries, place), &files);
        for code in [&live::TYPE_QUOTA, &live::TOTAL_QUOTA, &live::TYPES_OFFERED, &live::WAY_OUT, &live::FREE_ADDRESSES]
        {
            let about: Vec<&Asked> = asked.iter().filter(|asked| asked.code == code).collect();
            let all = !about.is_empty() && about.iter().all(|asked| asked.question.is_some() == is_asked);
            assert!(all, "{is_asked}: {about:#?}");
        }
        assert!(asked.iter().any(|a| matches!(a.question, Some(Question::ClusterName { .. }))), "{asked:#?}");
    };
    check(Partial::Known(Value::String("yes".to_owned()), place), true);
    check(Partial::Unknown(Hole::of(ValueType::String), place), false);
}
