//! What is made in a world by hand, for tests of what only looks: calls for which hprun has no client, and a cluster.
//! Knows nothing of any step type.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bench, REGION};

/// A Query call of EC2 or IAM; the body of its answer.
pub async fn form(bench: &Bench, service: &str, operation: &str, fields: &str) -> String {
    let version = if service == "ec2" { "2016-11-15" } else { "2010-05-08" };
    let body = format!("Action={operation}&Version={version}&{fields}");
    send(bench, (service, REGION), "POST /", "content-type: application/x-www-form-urlencoded", &body).await
}

/// A bucket of another region.
pub async fn bucket(bench: &Bench, name: &str, region: &'static str) {
    let there = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(region.into()).build();
    let of_region = aws_sdk_s3::config::Builder::new().region(aws_sdk_s3::config::Region::new(region));
    let made = bench.clients.s3().create_bucket().bucket(name).create_bucket_configuration(there);
    made.customize().config_override(of_region).send().await.expect("a bucket is made");
}

/// A HyperPod cluster with one ml.m5.large, and all that it needs.
pub async fn cluster(bench: &Bench, name: &str) {
    let vpc = element(&form(bench, "ec2", "CreateVpc", "CidrBlock=10.7.0.0/16").await, "vpcId");
    let mut subnets = Vec::new();
    for (cidr, zone) in [("10.7.1.0/24", "usw2-az1"), ("10.7.2.0/24", "usw2-az2")] {
        let fields = format!("VpcId={vpc}&CidrBlock={cidr}&AvailabilityZoneId={zone}");
        subnets.push(element(&form(bench, "ec2", "CreateSubnet", &fields).await, "subnetId"));
    }
    let fields = format!("VpcId={vpc}&GroupName=n&GroupDescription=n");
    let group = element(&form(bench, "ec2", "CreateSecurityGroup", &fields).await, "groupId");
    for (role, service) in [("of-eks", "eks.amazonaws.com"), ("of-nodes", "sagemaker.amazonaws.com")] {
        let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] });
        let trust: String = url::form_urlencoded::byte_serialize(trust.to_string().as_bytes()).collect();
        form(bench, "iam", "CreateRole", &format!("RoleName={role}&AssumeRolePolicyDocument={trust}")).await;
    }
    bench.advance(Duration::from_secs(60));
    let role = |name: &str| format!("arn:aws:iam::{}:role/{name}", crate::support::ACCOUNT);
    let body = json!({
        "name": "under-it", "roleArn": role("of-eks"), "resourcesVpcConfig": { "subnetIds": subnets },
        "accessConfig": { "authenticationMode": "API" },
    });
    let json = "content-type: application/json";
    send(bench, ("eks", REGION), "POST /clusters", json, &body.to_string()).await;
    bench.advance(Duration::from_secs(1200));
    let script = json!({ "SourceS3Uri": "s3://sagemaker-scripts", "OnCreate": "on_create.sh" });
    let body = json!({
        "ClusterName": name,
        "Orchestrator": { "Eks": { "ClusterArn": format!("arn:aws:eks:{REGION}:{}:cluster/under-it", crate::support::ACCOUNT) } },
        "VpcConfig": { "Subnets": [subnets[0]], "SecurityGroupIds": [group] },
        "InstanceGroups": [{
            "InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1, "ExecutionRole": role("of-nodes"),
            "LifeCycleConfig": script,
        }],
    });
    let target = "content-type: application/x-amz-json-1.1\r\nx-amz-target: SageMaker.CreateCluster";
    send(bench, ("sagemaker", REGION), "POST /", target, &body.to_string()).await;
    // Right after it was made a cluster is not found.
    bench.advance(Duration::from_secs(120));
}

/// The text of the first element of this name.
pub fn element(answer: &str, tag: &str) -> String {
    let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no <{tag}> in {answer}"));
    rest.split_once("</").expect("a closed element").0.to_owned()
}

async fn send(bench: &Bench, (service, region): (&str, &str), line: &str, headers: &str, body: &str) -> String {
    let host = bench.sandbox.endpoint().strip_prefix("http://").expect("a plain address").to_owned();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=AKIAHPRUNSANDBOX0000/20260901/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("the sandbox listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 20"), "{line} {body}: {answer}");
    answer
}
