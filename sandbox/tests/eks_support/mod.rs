//! A world with a stepped clock, and a client that speaks EC2's and IAM's forms and EKS's JSON to it.
//! Knows the wire only, nothing of the sandbox's inside but its public door.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hprun_sandbox::{ClockKind, Options, Sandbox};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// 2026-08-01T00:00:00Z
const START: i64 = 1_785_542_400_000_000;
pub const REGION: &str = "us-west-2";

pub struct Bench {
    pub sandbox: Sandbox,
    now: Arc<AtomicI64>,
    client: Client<HttpConnector, Full<Bytes>>,
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
    let sandbox = open(&dir, &now).await;
    Bench { sandbox, now, client: Client::builder(TokioExecutor::new()).build_http(), dir }
}

async fn open(dir: &tempfile::TempDir, now: &Arc<AtomicI64>) -> Sandbox {
    let options = Options { world: dir.path().to_path_buf(), clock: ClockKind::Manual(Arc::clone(now)), faults: None };
    Sandbox::open(options).await.expect("the world opens")
}

impl Bench {
    /// Stops the server and opens the same world again.
    pub async fn reopen(self) -> Bench {
        let Bench { sandbox, now, client, dir } = self;
        sandbox.stop().await;
        let sandbox = open(&dir, &now).await;
        Bench { sandbox, now, client, dir }
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
        let credential = format!("AKIAHPRUNSANDBOX0000/20260801/{REGION}/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.sandbox.endpoint()))
            .header("content-type", kind)
            .header("authorization", signed)
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let answer = self.client.request(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a whole body").to_bytes();
        Answer { status, body: String::from_utf8_lossy(&body).into_owned() }
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
