//! create-cluster and wait-status against the sandbox over HTTP, on a stepped clock.

mod support;

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use hprun_sandbox::FaultScript;
use hprun_steps::ErrorClass;
use hprun_steps::cluster_config::shapes::{CLUSTER, Field, Shape};
use hprun_steps::cluster_config::{self, json, request};
use hprun_steps::context::Record;
use hprun_steps::create_cluster::CreateCluster;
use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::step::Health;
use hprun_steps::wait_status::WaitStatus;
use serde_json::{Value as Json, json};
use support::{Bench, RUN, STEP, Try};

/// What stands around a cluster: network, roles, EKS cluster.
const SURROUNDINGS: &str = r"
Parameters:
  Eks: { Type: String, Default: train }
  Role: { Type: String, Default: hp-execution }
Resources:
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.1.0.0/16 } }
  SubnetA: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.1.0.0/24, AvailabilityZone: us-west-2a } }
  SubnetB: { Type: AWS::EC2::Subnet, Properties: { VpcId: !Ref Vpc, CidrBlock: 10.1.1.0/24, AvailabilityZone: us-west-2b } }
  Nodes: { Type: AWS::EC2::SecurityGroup, Properties: { GroupDescription: nodes, VpcId: !Ref Vpc } }
  ControlPlane:
    Type: AWS::IAM::Role
    Properties:
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonEKSClusterPolicy']
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { Service: eks.amazonaws.com }, Action: 'sts:AssumeRole' }]
  Execution:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref Role
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonSageMakerClusterInstanceRolePolicy']
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { Service: sagemaker.amazonaws.com }, Action: 'sts:AssumeRole' }]
  EksCluster:
    Type: AWS::EKS::Cluster
    Properties:
      Name: !Ref Eks
      RoleArn: !GetAtt ControlPlane.Arn
      AccessConfig: { AuthenticationMode: API_AND_CONFIG_MAP }
      ResourcesVpcConfig: { SubnetIds: [!Ref SubnetA, !Ref SubnetB] }
Outputs:
  Subnet: { Value: !Ref SubnetB }
  Group: { Value: !Ref Nodes }
";

/// A bench on which a cluster can be made.
struct Room {
    bench: Bench,
    vpc: Json,
}

impl std::ops::Deref for Room {
    type Target = Bench;
    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl std::ops::DerefMut for Room {
    fn deref_mut(&mut self) -> &mut Bench {
        &mut self.bench
    }
}

/// A bench with all that a cluster needs, and with a bucket that holds a good and a bad script.
async fn bench(faults: Option<FaultScript>) -> Room {
    furnished(faults, "train", "hp-execution").await
}

async fn furnished(faults: Option<FaultScript>, eks: &str, role: &str) -> Room {
    let mut bench = Bench::with_faults(faults).await;
    let s3 = bench.clients.s3();
    let here = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::UsWest2).build();
    s3.create_bucket().bucket("sagemaker-scripts").create_bucket_configuration(here).send().await.expect("a bucket");
    script(&bench, "good", "#!/bin/bash\nset -e\necho fine\n").await;
    script(&bench, "bad", "#!/bin/bash\necho about to fail\nexit 7\n").await;
    bench.file("surroundings.yaml", SURROUNDINGS);
    let with =
        json!({ "name": "surroundings", "template": "surroundings.yaml", "parameters": { "Eks": eks, "Role": role } });
    // By another run, so that nothing of it is taken for the cluster's.
    bench.run.id = "00before".to_owned();
    let made = bench.run::<DeployStack>(with).await.result.expect("the surroundings are made");
    bench.run.id = RUN.to_owned();
    let vpc = json!({ "SecurityGroupIds": [made["Group"]], "Subnets": [made["Subnet"]] });
    Room { bench, vpc }
}

async fn script(bench: &Bench, prefix: &str, text: &str) {
    let body = ByteStream::from(text.as_bytes().to_vec());
    let put = bench.clients.s3().put_object().bucket("sagemaker-scripts").key(format!("{prefix}/on_create.sh"));
    put.body(body).send().await.expect("an object");
}

impl Room {
    fn config(&self, prefix: &str) -> Json {
        json!({
            "ClusterName": "ml",
            "Orchestrator": { "Eks": { "ClusterArn": "arn:aws:eks:us-west-2:111122223333:cluster/train" } },
            "NodeRecovery": "Automatic",
            "InstanceGroups": [{
                "InstanceGroupName": "workers", "InstanceType": "ml.m5.2xlarge", "InstanceCount": 2,
                "ExecutionRole": "arn:aws:iam::111122223333:role/hp-execution",
                "LifeCycleConfig": { "SourceS3Uri": format!("s3://sagemaker-scripts/{prefix}"), "OnCreate": "on_create.sh" },
            }],
            "VpcConfig": self.vpc,
            "Tags": [{ "Key": "team", "Value": "ml" }],
        })
    }
}

#[tokio::test]
async fn a_cluster_is_made_once_and_waited_for() {
    let bench = bench(None).await;
    let made = bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await;
    let outputs = made.result.expect("the cluster is made");
    assert_eq!(outputs["name"], "ml");
    let sent = &bench.effects("CreateCluster")[0];
    let mut expected = bench.config("good");
    let own = [json!({ "Key": "hprun:run-id", "Value": RUN }), json!({ "Key": "hprun:step", "Value": STEP })];
    expected["Tags"].as_array_mut().expect("tags").extend(own);
    assert_eq!(sent.body, expected, "the body is the config and our tags");
    let again =
        bench.run_with_history::<CreateCluster>(json!({ "cluster": bench.config("good") }), &made.records).await;
    assert_eq!(again.result.expect("it is there"), outputs);
    assert_eq!(again.records, made.records, "nothing new to record");
    let waited = bench.run::<WaitStatus>(json!({ "cluster": "ml", "until": "nodes-running" })).await;
    let status = waited.result.expect("it comes up");
    assert_eq!((&status["status"], &status["nodes"]), (&json!("InService"), &json!(2)));
    assert!(waited.progress.iter().any(|l| l.contains("nodes 0/2 running, 2 pending")), "{:?}", waited.progress);
    assert_eq!(bench.effects("CreateCluster").len(), 1);
}

#[tokio::test]
async fn death_at_any_record_makes_no_second_cluster() {
    for records in 0..4 {
        let bench = bench(None).await;
        let how = Try { records_until_death: Some(records), ..Try::default() };
        let inputs = || json!({ "cluster": bench.config("good") });
        let died = bench.attempt::<CreateCluster>(inputs(), how).await;
        let resumed = bench.run_with_history::<CreateCluster>(inputs(), &died.records).await;
        let outputs = resumed.result.expect("it ends well");
        assert_eq!(bench.effects("CreateCluster").len(), 1, "after {records} records");
        let arn = outputs["cluster_arn"].as_str().expect("an ARN");
        let made = |r: &Record| matches!(r, Record::ResourceRecorded { id, .. } if id == arn);
        assert!(resumed.records.iter().any(made), "{:?}", resumed.records);
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_cluster() {
    let faults = r"
calls:
  - { service: sagemaker, operation: CreateCluster, times: 1, fault: lose-answer }
";
    let bench = bench(Some(serde_yaml::from_str(faults).expect("a fault script"))).await;
    let made = bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await;
    made.result.expect("it ends well");
    assert_eq!(bench.effects("CreateCluster").len(), 1);
}

#[tokio::test]
async fn a_failed_cluster_of_this_run_is_explained_and_made_again() {
    let bench = bench(None).await;
    let made = bench.run::<CreateCluster>(json!({ "cluster": bench.config("bad") })).await;
    let first = made.result.expect("it is made");
    let error = bench.run::<WaitStatus>(json!({ "cluster": "ml" })).await.result.expect_err("the script fails");
    assert!(error.message.contains("Lifecycle scripts did not run successfully"), "{error:?}");
    assert!(error.causes.iter().any(|line| line.contains("failed with exit code 7")), "{error:?}");
    assert!(error.help.as_deref().is_some_and(|h| h.contains("mend it")), "{error:?}");
    let health = bench.probe::<CreateCluster>(json!({ "cluster": bench.config("bad") }), &first, &made.records).await;
    assert!(matches!(health, Ok(Health::Lost(_))), "{health:?}");
    let again =
        bench.run_with_history::<CreateCluster>(json!({ "cluster": bench.config("good") }), &made.records).await;
    let second = again.result.expect("it is made again");
    assert_ne!(first["cluster_arn"], second["cluster_arn"]);
    assert!(again.progress.iter().any(|l| l.contains("deleting it to make it again")), "{:?}", again.progress);
    bench.run::<WaitStatus>(json!({ "cluster": "ml" })).await.result.expect("it comes up");
}

#[tokio::test]
async fn a_finished_wait_does_not_stand_for_a_cluster_that_was_made_again() {
    let bench = bench(None).await;
    let wait = || json!({ "cluster": "ml" });
    bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await.result.expect("it is made");
    let waited = bench.run::<WaitStatus>(wait()).await;
    let outputs = waited.result.expect("it comes up");
    let probe = async || bench.probe::<WaitStatus>(wait(), &outputs, &waited.records).await;
    assert_eq!(probe().await, Ok(Health::Good));
    bench.clients.sagemaker().delete_cluster().cluster_name("ml").send().await.expect("it is deleted");
    assert_eq!(probe().await, Ok(Health::Lost("it is being deleted".to_owned())));
    bench.advance(Duration::from_secs(3600));
    bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await.result.expect("it is made again");
    let health = probe().await;
    assert!(matches!(&health, Ok(Health::Lost(what)) if what.starts_with("Creating")), "{health:?}");
}

#[tokio::test]
async fn a_failed_cluster_whose_deletion_got_no_answer_is_recorded_as_gone() {
    let faults = json!({ "calls": [{ "service": "sagemaker", "operation": "DeleteCluster", "times": 1, "fault": "lose-answer" }] });
    let bench = bench(Some(serde_json::from_value(faults).expect("a fault script"))).await;
    let made = bench.run::<CreateCluster>(json!({ "cluster": bench.config("bad") })).await;
    let first = made.result.expect("it is made");
    bench.run::<WaitStatus>(json!({ "cluster": "ml" })).await.result.expect_err("the script fails");
    let again =
        bench.run_with_history::<CreateCluster>(json!({ "cluster": bench.config("good") }), &made.records).await;
    again.result.expect("it is made again");
    let gone = |r: &&Record| matches!(r, Record::ResourceRemoved { id, .. } if *id == first["cluster_arn"]);
    assert_eq!(again.records.iter().filter(gone).count(), 1, "{:?}", again.records);
    assert_eq!(bench.effects("CreateCluster").len(), 2);
}

#[tokio::test]
async fn a_role_that_was_made_a_moment_ago_is_waited_for_and_a_wrong_one_is_told() {
    let bench = bench(None).await;
    let start = SURROUNDINGS.find("  Execution:").expect("it is there");
    let end = SURROUNDINGS.find("  EksCluster:").expect("it is there");
    let role = SURROUNDINGS[start..end].replace("!Ref Role", "fresh-role");
    bench.file("role.yaml", format!("Resources:\n{role}"));
    let mut config = bench.config("good");
    config["InstanceGroups"][0]["ExecutionRole"] = json!("arn:aws:iam::111122223333:role/fresh-role");
    let error = bench.run::<CreateCluster>(json!({ "cluster": config })).await.result.expect_err("no such role");
    assert!(error.message.contains("assume role"), "{error:?}");
    assert!(error.help.as_deref().is_some_and(|help| help.contains("trusts sagemaker.amazonaws.com")), "{error:?}");
    let before = bench.effects("CreateCluster").len();
    let made = bench.run::<DeployStack>(json!({ "name": "role", "template": "role.yaml" })).await;
    made.result.expect("the role is made");
    bench.run::<CreateCluster>(json!({ "cluster": config })).await.result.expect("it becomes assumable");
    assert_eq!((before, bench.effects("CreateCluster").len()), (0, 1));
}

#[tokio::test]
async fn a_foreign_cluster_is_refused_unless_adopted() {
    let mut bench = bench(None).await;
    bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await.result.expect("it is made");
    bench.run.id = "02other".to_owned();
    let error =
        bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await.result.expect_err("refused");
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.causes[0].contains(RUN), "{error:?}");
    let adopted = bench.run::<CreateCluster>(json!({ "cluster": bench.config("good"), "adopt": true })).await;
    adopted.result.expect("it is taken over");
    assert_eq!(bench.effects("CreateCluster").len(), 1);
}

#[tokio::test]
async fn a_changed_count_waits_until_in_service_and_updates_every_group() {
    let bench = bench(None).await;
    let made = bench.run::<CreateCluster>(json!({ "cluster": bench.config("good") })).await;
    let mut more = bench.config("good");
    more["InstanceGroups"][0]["InstanceCount"] = json!(3);
    let changed = bench.run_with_history::<CreateCluster>(json!({ "cluster": more }), &made.records).await;
    changed.result.expect("it is updated");
    assert!(bench.passed() > Duration::from_secs(300), "it waited for InService first");
    let updates = bench.effects("UpdateCluster");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].body["InstanceGroups"], more["InstanceGroups"]);
    let status = bench.run::<WaitStatus>(json!({ "cluster": "ml", "until": "nodes-running" })).await.result;
    assert_eq!(status.expect("it comes up")["nodes"], 3);
    let mut moved = more;
    moved["VpcConfig"]["Subnets"] = json!(["subnet-99999999999999999"]);
    let refused = bench.run_with_history::<CreateCluster>(json!({ "cluster": moved }), &changed.records).await;
    assert_eq!(refused.result.expect_err("a network is fixed").class, ErrorClass::Refused);
}

/// Every path of the request model, without indices.
fn paths(shape: &Shape, path: &str, all: &mut Vec<String>) {
    let below = |fields: &[Field], all: &mut Vec<String>| {
        for field in fields {
            let path = format!("{path}.{}", field.name);
            all.push(path.clone());
            paths(field.shape, &path, all);
        }
    };
    match shape {
        Shape::Record(fields) | Shape::OneOf(fields) => below(fields, all),
        Shape::List { of, .. } => paths(of, path, all),
        Shape::Text { .. }
        | Shape::Choice(_)
        | Shape::InstanceType
        | Shape::Whole { .. }
        | Shape::Flag
        | Shape::Moment
        | Shape::Map { .. } => {}
    }
}

fn uses(json: &Json, path: &str) -> bool {
    match (json, path.strip_prefix('.')) {
        (_, None) => true,
        (Json::Array(items), Some(_)) => items.iter().any(|item| uses(item, path)),
        (Json::Object(map), Some(rest)) => {
            let (key, end) = rest.find('.').map_or((rest, rest.len()), |n| (&rest[..n], n));
            map.get(key).is_some_and(|value| uses(value, &rest[end..]))
        }
        (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_), Some(_)) => false,
    }
}

#[tokio::test]
async fn every_field_of_a_config_reaches_the_wire_as_it_is() {
    let text = include_str!("fixtures/every-field.json");
    let configs: Vec<Json> = serde_json::from_str(text).expect("the fixture is JSON");
    let mut all = Vec::new();
    paths(&CLUSTER, "", &mut all);
    let unused: Vec<_> = all.iter().filter(|path| !configs.iter().any(|c| uses(c, path))).collect();
    assert!(unused.is_empty(), "the fixture does not use {unused:?}");
    let bench = Bench::new().await;
    for config in configs {
        let findings = cluster_config::check(&json::parse(&config.to_string()).0);
        assert!(findings.is_empty(), "{findings:#?}");
        // Whether the sandbox takes it does not matter here: its journal has what was sent.
        drop(request::create(bench.clients.sagemaker(), &config).expect("a request").send().await);
        let journal = bench.journal();
        let sent = journal.iter().rfind(|e| e.operation == "CreateCluster").expect("a call");
        assert_eq!(sent.body, config);
    }
}

#[tokio::test]
async fn the_examples_run() {
    let bench = furnished(None, "ml", "hyperpod-execution").await;
    script(&bench, "base-config", "#!/bin/bash\necho fine\n").await;
    let mut example = support::example::<CreateCluster>(json!({}));
    example["cluster"]["VpcConfig"] = bench.vpc.clone();
    let made = bench.run::<CreateCluster>(example).await;
    made.result.expect("the example makes a cluster");
    let ready = bench.run::<WaitStatus>(support::example::<WaitStatus>(json!({}))).await;
    assert_eq!(ready.result.expect("it comes up")["nodes"], 2);
}
