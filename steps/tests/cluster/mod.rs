//! An EKS cluster on the bench, made by the calls that make one at AWS, and the programs that speak to it.
//! Knows nothing of any one step type but update-kubeconfig, which leads to a cluster.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part of this")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_eks::types::{AuthenticationMode, CreateAccessConfigRequest, VpcConfigRequest};
use hprun_steps::update_kubeconfig::UpdateKubeconfig;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{ACCOUNT, Bench, REGION};

pub const CLUSTER: &str = "ml";

/// A bench with an active cluster whose maker may do everything in it, and the path of a kubeconfig for it.
pub async fn connected() -> (Bench, String) {
    let bench = bench().await;
    make(&bench, AuthenticationMode::ApiAndConfigMap, true).await;
    bench.advance(Duration::from_secs(1200));
    let tried = bench.run::<UpdateKubeconfig>(json!({ "cluster": CLUSTER })).await;
    let path = tried.result.expect("the cluster lets its maker in")["path"].as_str().expect("a path").to_owned();
    (bench, path)
}

/// A bench whose kubeconfigs name a program that prints tokens.
pub async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    bench.run.program = token_program();
    bench
}

/// Starts to make the cluster.
pub async fn make(bench: &Bench, mode: AuthenticationMode, maker_is_admin: bool) {
    let vpc = element(&form(bench, "ec2", "CreateVpc", "2016-11-15", "CidrBlock=10.0.0.0/16").await, "vpcId");
    let mut network = VpcConfigRequest::builder();
    for (cidr, zone) in [("10.0.1.0/24", "usw2-az1"), ("10.0.2.0/24", "usw2-az2")] {
        let fields = format!("VpcId={vpc}&CidrBlock={cidr}&AvailabilityZoneId={zone}");
        let subnet = form(bench, "ec2", "CreateSubnet", "2016-11-15", &fields).await;
        network = network.subnet_ids(element(&subnet, "subnetId"));
    }
    let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": "eks.amazonaws.com" }, "Action": "sts:AssumeRole" }] });
    let trust: String = url::form_urlencoded::byte_serialize(trust.to_string().as_bytes()).collect();
    let fields = format!("RoleName=control-plane&AssumeRolePolicyDocument={trust}");
    form(bench, "iam", "CreateRole", "2010-05-08", &fields).await;
    bench.advance(Duration::from_secs(60));
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(mode)
        .bootstrap_cluster_creator_admin_permissions(maker_is_admin);
    let made = bench.clients.eks().create_cluster().name(CLUSTER).version("1.33");
    let made = made.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/control-plane"));
    made.resources_vpc_config(network.build()).access_config(access.build()).send().await.expect("a cluster is made");
}

/// A Query call of a service for which hprun has no client; the body of its answer.
async fn form(bench: &Bench, service: &str, operation: &str, version: &str, fields: &str) -> String {
    let host = bench.sandbox.endpoint().strip_prefix("http://").expect("a plain address").to_owned();
    let body = format!("Action={operation}&Version={version}&{fields}");
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAHPRUNSANDBOX0000/20260901/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\nauthorization: {signed}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(host).await.expect("the sandbox listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
    answer
}

fn element(answer: &str, tag: &str) -> String {
    let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no <{tag}> in {answer}"));
    rest.split_once("</").expect("a closed element").0.to_owned()
}

/// The example of this crate that prints tokens as `hprun eks-token` does.
pub fn token_program() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let program = own.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("examples/eks-token");
    assert!(program.is_file(), "{} is missing: cargo build -p hprun-steps --examples", program.display());
    program
}

/// A real helm, from the cache or the variable that tests/tools.py fills.
pub fn tool(name: &str) -> String {
    let variable = format!("HPRUN_{}", name.to_uppercase());
    if let Ok(path) = std::env::var(&variable) {
        return path;
    }
    let script = root().join("tests/tools.py");
    let ran = std::process::Command::new("python3").arg(script).arg(name).output().expect("python3 is there");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let line = String::from_utf8(ran.stdout).expect("text");
    line.trim().split_once('=').expect("NAME=PATH").1.to_owned()
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the repository").to_owned()
}
