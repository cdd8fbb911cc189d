//! A world with a stepped clock and a client that speaks raw JSON to it.
//! Knows the wire only, nothing of the sandbox's inside but its public door.

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::{Ask, ask, open_at};
use hprun_sandbox::Sandbox;
use serde_json::{Value, json};

/// 2026-08-01T00:00:00Z
const START: i64 = 1_785_542_400_000_000;
pub const BUCKET: &str = "sagemaker-scripts";
pub const ROLE: &str = "arn:aws:iam::111122223333:role/hp-execution";
pub const EKS_ARN: &str = "arn:aws:eks:us-west-2:111122223333:cluster/train";

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub sandbox: Sandbox,
    pub now: Arc<AtomicI64>,
    pub vpc: Value,
}

/// A world with everything that a cluster needs.
pub async fn bench(faults: &str) -> Bench {
    let bench = closed_bench(faults).await;
    bench.open_security_group().await;
    bench
}

/// The same, but the nodes' security group does not let its members talk to each other.
pub async fn closed_bench(faults: &str) -> Bench {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let now = Arc::new(AtomicI64::new(START));
    let sandbox = open_at(dir.path(), &now, (!faults.is_empty()).then_some(faults)).await;
    let vpc = json!({ "SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"] });
    let mut bench = Bench { dir, sandbox, now, vpc };
    bench.furnish().await;
    bench
}

impl Bench {
    /// Everything that a cluster needs around it: network, roles, EKS cluster, scripts.
    async fn furnish(&mut self) {
        let vpc = self.ec2("CreateVpc", &[("CidrBlock", "10.1.0.0/16")], "vpcId").await;
        let mut subnets = Vec::new();
        for (zone, block) in [("us-west-2a", "10.1.0.0/24"), ("us-west-2b", "10.1.1.0/24")] {
            let asked = [("VpcId", vpc.as_str()), ("CidrBlock", block), ("AvailabilityZone", zone)];
            subnets.push(self.ec2("CreateSubnet", &asked, "subnetId").await);
        }
        let asked = [("VpcId", vpc.as_str()), ("GroupName", "hp"), ("GroupDescription", "nodes")];
        let security = self.ec2("CreateSecurityGroup", &asked, "groupId").await;
        self.vpc = json!({ "SecurityGroupIds": [security], "Subnets": [subnets[1]] });
        self.role("eks", "eks.amazonaws.com", "AmazonEKSClusterPolicy").await;
        self.role("hp-execution", "sagemaker.amazonaws.com", "AmazonSageMakerClusterInstanceRolePolicy").await;
        self.pass(30);
        let cluster = json!({
            "name": "train", "roleArn": "arn:aws:iam::111122223333:role/eks", "resourcesVpcConfig": { "subnetIds": subnets },
            "accessConfig": { "authenticationMode": "API_AND_CONFIG_MAP" },
        });
        let (status, answer) = self.send("eks", "/clusters", "application/json", "", cluster.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        self.pass(20 * 60);
        self.put("", "").await;
        self.put("/good/on_create.sh", "#!/bin/bash\nset -e\necho fine\n").await;
        self.put("/bad/on_create.sh", "#!/bin/bash\necho about to fail\nexit 7\n").await;
    }

    /// Lets all traffic pass between members of the nodes' security group, as EFA needs it.
    pub async fn open_security_group(&self) {
        let group = text(&self.vpc["SecurityGroupIds"][0]);
        for direction in ["Ingress", "Egress"] {
            let asked = [
                ("GroupId", group.as_str()),
                ("IpPermissions.1.IpProtocol", "-1"),
                ("IpPermissions.1.Groups.1.GroupId", group.as_str()),
            ];
            self.ec2(&format!("AuthorizeSecurityGroup{direction}"), &asked, "return").await;
        }
    }

    /// A role that a service may assume, with one managed policy; it cannot be assumed at once.
    pub async fn role(&self, name: &str, service: &str, policy: &str) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] }).to_string();
        self.query("iam", "CreateRole", "2010-05-08", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)])
            .await;
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        self.query("iam", "AttachRolePolicy", "2010-05-08", &[("RoleName", name), ("PolicyArn", &arn)]).await;
    }

    /// An EC2 call; the text of the first element of that name in its answer.
    async fn ec2(&self, operation: &str, members: &[(&str, &str)], element: &str) -> String {
        let answer = self.query("ec2", operation, "2016-11-15", members).await;
        let (_, rest) =
            answer.split_once(&format!("<{element}>")).unwrap_or_else(|| panic!("no {element} in {answer}"));
        rest.split('<').next().expect("text").to_owned()
    }

    async fn query(&self, service: &str, operation: &str, version: &str, members: &[(&str, &str)]) -> String {
        let fixed = [("Action", operation), ("Version", version)];
        let form: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fixed.iter().chain(members)).finish();
        let (status, answer) = self.send(service, "/", "application/x-www-form-urlencoded", "", form).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// Stops the server and opens the same world again.
    pub async fn reopen(&mut self) {
        let next = tempfile::tempdir().expect("a temporary folder");
        let placeholder = open_at(next.path(), &self.now, None).await;
        std::mem::replace(&mut self.sandbox, placeholder).stop().await;
        self.sandbox = open_at(self.dir.path(), &self.now, None).await;
    }

    /// Lets this many seconds of sandbox time pass.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// A call that succeeds.
    pub async fn ok(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.call("sagemaker", "SageMaker", operation, body).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    /// A call that fails: its code and message.
    pub async fn refused(&self, operation: &str, body: Value) -> String {
        let (status, answer) = self.call("sagemaker", "SageMaker", operation, body).await;
        assert_eq!(status, 400, "{operation}: {answer}");
        format!("{}: {}", answer["__type"].as_str().unwrap_or_default(), answer["message"].as_str().unwrap_or_default())
    }

    /// The lines of every stream of a log group.
    pub async fn log(&self, group: &str) -> Vec<String> {
        let (_, answer) = self.call("logs", "Logs_20140328", "FilterLogEvents", json!({ "logGroupName": group })).await;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        events.iter().map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub async fn describe(&self) -> Value {
        self.ok("DescribeCluster", json!({ "ClusterName": "train" })).await
    }

    /// Status, and for each group its name, status, current and target count.
    pub async fn look(&self) -> String {
        let cluster = self.describe().await;
        let groups = cluster["InstanceGroups"].as_array().cloned().unwrap_or_default();
        let groups: Vec<String> = groups
            .iter()
            .map(|it| {
                format!(
                    "{} {} {}/{}",
                    text(&it["InstanceGroupName"]),
                    text(&it["Status"]),
                    it["CurrentCount"],
                    it["TargetCount"]
                )
            })
            .collect();
        format!("{}: {}", text(&cluster["ClusterStatus"]), groups.join(", "))
    }

    /// The status of each node.
    pub async fn nodes(&self) -> Vec<String> {
        let answer = self.ok("ListClusterNodes", json!({ "ClusterName": "train", "MaxResults": 100 })).await;
        let nodes = answer["ClusterNodeSummaries"].as_array().cloned().unwrap_or_default();
        nodes.iter().map(|node| text(&node["InstanceStatus"]["Status"])).collect()
    }

    async fn call(&self, service: &str, prefix: &str, operation: &str, body: Value) -> (u16, Value) {
        let target = format!("{prefix}.{operation}");
        let (status, answer) = self.send(service, "/", "application/x-amz-json-1.1", &target, body.to_string()).await;
        (status, serde_json::from_str(&answer).expect("JSON"))
    }

    async fn send(&self, service: &str, path: &str, content_type: &str, target: &str, body: String) -> (u16, String) {
        let headers = [("content-type", content_type), ("x-amz-target", target)];
        let call = Ask { service, method: "POST", path, headers: &headers, body: body.as_bytes(), ..Ask::default() };
        let answer = ask(&self.sandbox, call).await.expect("an answer");
        (answer.status, answer.text())
    }

    /// Puts an object, or makes the bucket when the key is empty.
    pub async fn put(&self, key: &str, body: &str) {
        let path = format!("/{BUCKET}{key}");
        let body = if key.is_empty() {
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>"
        } else {
            body
        };
        let call = Ask { method: "PUT", path: &path, body: body.as_bytes(), ..Ask::default() };
        let answer = ask(&self.sandbox, call).await.expect("an answer");
        assert_eq!(answer.status, 200, "PUT {path}: {}", answer.text());
    }

    /// A CreateCluster request with one group of general nodes and one of accelerated ones, changed as asked.
    pub fn request(&self, changes: Value) -> Value {
        let mut request = json!({
            "ClusterName": "train",
            "Orchestrator": { "Eks": { "ClusterArn": EKS_ARN } },
            "InstanceGroups": [group("accel", "ml.g5.12xlarge", 2), group("general", "ml.m5.2xlarge", 1)],
            "VpcConfig": self.vpc,
            "NodeRecovery": "Automatic",
        });
        request.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        request
    }
}

/// A group whose script is good.
pub fn group(name: &str, instance_type: &str, count: u32) -> Value {
    json!({
        "InstanceGroupName": name, "InstanceType": instance_type, "InstanceCount": count, "ExecutionRole": ROLE,
        "LifeCycleConfig": { "SourceS3Uri": format!("s3://{BUCKET}/good"), "OnCreate": "on_create.sh" },
        "ThreadsPerCore": 1,
        "InstanceStorageConfigs": [{ "EbsVolumeConfig": { "VolumeSizeInGB": 500 } }],
    })
}

/// A group with members changed or added.
pub fn with(mut group: Value, changes: Value) -> Value {
    group.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
    group
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
