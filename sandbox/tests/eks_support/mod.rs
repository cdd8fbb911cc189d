//! A world with a stepped clock, and a client that speaks EC2's and IAM's forms and EKS's JSON to it.
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
pub const REGION: &str = "us-west-2";

pub struct Bench {
    pub sandbox: Sandbox,
    now: Arc<AtomicI64>,
    dir: tempfile::TempDir,
}

/// What a call gave: status and body.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// The text of the first element of this name.
    pub fn element(&self, tag: &str) -> String {
        let (_, rest) =
            self.body.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no <{tag}> in {}", self.body));
        rest.split_once("</").map(|(text, _)| text.to_owned()).unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

pub async fn bench() -> Bench {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let now = Arc::new(AtomicI64::new(START));
    let sandbox = open_at(dir.path(), &now, None).await;
    Bench { sandbox, now, dir }
}

impl Bench {
    /// Stops the server and opens the same world again.
    pub async fn reopen(self) -> Bench {
        let Bench { sandbox, now, dir } = self;
        sandbox.stop().await;
        let sandbox = open_at(dir.path(), &now, None).await;
        Bench { sandbox, now, dir }
    }

    /// Lets this many seconds of sandbox time pass.
    pub fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// A Query call; fields as `Name=value&…`.
    pub async fn form(&self, service: &str, operation: &str, fields: &str) -> Answer {
        let version = if service == "ec2" { "2016-11-15" } else { "2010-05-08" };
        let body = format!("Action={operation}&Version={version}&{fields}");
        self.send(service, "POST", "/", "application/x-www-form-urlencoded", body).await
    }

    /// A Query call that succeeds.
    pub async fn done(&self, service: &str, operation: &str, fields: &str) -> Answer {
        let answer = self.form(service, operation, fields).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer
    }

    /// A Query call that fails: its code.
    pub async fn refused(&self, service: &str, operation: &str, fields: &str) -> String {
        let answer = self.form(service, operation, fields).await;
        assert!(answer.status >= 400, "{operation}: {}", answer.body);
        answer.element("Code")
    }

    /// An EKS call: status and JSON.
    pub async fn eks(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.send("eks", method, path, "application/json", body).await;
        (answer.status, answer.json())
    }

    async fn send(&self, service: &str, method: &str, path: &str, kind: &str, body: String) -> Answer {
        let headers = [("content-type", kind)];
        let call = Ask { service, method, path, headers: &headers, body: body.as_bytes(), ..Ask::default() };
        let answer = ask(&self.sandbox, call).await.expect("an answer");
        Answer { status: answer.status, body: answer.text() }
    }

    /// A VPC with two subnets in different zones: their ids.
    pub async fn network(&self) -> (String, String, String) {
        let vpc = self.done("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16").await.element("vpcId");
        let mut subnets = Vec::new();
        for (cidr, zone) in [("10.0.1.0/24", "usw2-az1"), ("10.0.2.0/24", "usw2-az2")] {
            let fields = format!("VpcId={vpc}&CidrBlock={cidr}&AvailabilityZoneId={zone}");
            subnets.push(self.done("ec2", "CreateSubnet", &fields).await.element("subnetId"));
        }
        let second = subnets.pop().expect("two subnets");
        (vpc, subnets.pop().expect("two subnets"), second)
    }

    /// A role that a service may assume; its ARN. It is too new to be assumed.
    pub async fn role(&self, name: &str, service: &str) -> String {
        let trust = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] });
        let fields = form_urlencoded::Serializer::new(String::new())
            .append_pair("RoleName", name)
            .append_pair("AssumeRolePolicyDocument", &trust.to_string())
            .finish();
        self.done("iam", "CreateRole", &fields).await.element("Arn")
    }
}
