//! A sandbox of its own for each test, and the few calls the tests make, over HTTP.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use hprun_sandbox::{ClockKind, FaultScript, Options, Sandbox};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest as _, Sha256};

/// 2026-11-23T12:00:00Z
const START: i64 = 1_795_435_200_000_000;

/// A world at `START`, with a clock that stands still.
pub struct Aws {
    sandbox: Sandbox,
    clock: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

impl Aws {
    pub async fn new() -> Self {
        Self::with_faults("").await
    }

    /// `faults` is a fault script in YAML.
    pub async fn with_faults(faults: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START));
        let faults = (!faults.is_empty()).then(|| serde_yaml::from_str(faults).unwrap());
        let sandbox = open(folder.path(), &clock, faults).await;
        Self { sandbox, clock, folder }
    }

    /// Stops the sandbox and opens its world again.
    pub async fn reopen(self) -> Self {
        let Self { sandbox, clock, folder } = self;
        sandbox.stop().await;
        let sandbox = open(folder.path(), &clock, None).await;
        Self { sandbox, clock, folder }
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    pub fn endpoint(&self) -> &str {
        self.sandbox.endpoint()
    }

    /// A CloudFormation call that must succeed; gives the XML.
    pub async fn ok(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let (status, body) = self.call(operation, parameters).await;
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    /// A CloudFormation call that must fail; gives `Code: Message`.
    pub async fn refused(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let (status, body) = self.call(operation, parameters).await;
        assert!(status >= 400, "{operation} was not refused: {body}");
        format!("{}: {}", first(&body, "Code"), first(&body, "Message"))
    }

    async fn call(&self, operation: &str, parameters: &[(&str, &str)]) -> (u16, String) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", operation).append_pair("Version", "2010-05-15");
        form.extend_pairs(parameters);
        let scope = "AKIAHPRUNSANDBOX0000/20261123/us-west-2/cloudformation/aws4_request";
        let request = Request::post(self.endpoint())
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form.finish())))
            .unwrap();
        send(request).await
    }

    /// Puts an object into a bucket that is there.
    pub async fn put_object(&self, bucket: &str, key: &str, body: &str) {
        let host = self.endpoint().trim_start_matches("http://").to_owned();
        // Signatures go by the wall clock, also in a world whose own clock stands still.
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let canonical = format!(
            "PUT\n/{bucket}/{key}\n\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{date}\n\nhost;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
        );
        let scope = format!("{}/us-west-2/s3/aws4_request", &date[..8]);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let secret = b"AWS4hprun-sandbox-secret".to_vec();
        let key_bytes = scope.split('/').fold(secret, |key, part| hmac(&key, part.as_bytes()));
        let signature = hex::encode(hmac(&key_bytes, text.as_bytes()));
        let request = Request::put(format!("{}/{bucket}/{key}", self.endpoint()))
            .header("x-amz-date", &date)
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential=AKIAHPRUNSANDBOX0000/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"))
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let (status, answer) = send(request).await;
        assert_eq!(status, 200, "PutObject {bucket}/{key}: {answer}");
    }

    pub async fn create(&self, name: &str, template: &str) -> String {
        let body = self.ok("CreateStack", &[("StackName", name), ("TemplateBody", template)]).await;
        first(&body, "StackId")
    }

    /// `STATUS`, or `STATUS: reason`.
    pub async fn status(&self, name: &str) -> String {
        let body = self.ok("DescribeStacks", &[("StackName", name)]).await;
        let reason = first(&body, "StackStatusReason");
        let status = first(&body, "StackStatus");
        if reason.is_empty() { status } else { format!("{status}: {reason}") }
    }

    /// The stack's events, oldest first: `seconds since START, logical id, status, reason`.
    pub async fn events(&self, name: &str) -> String {
        let body = self.ok("DescribeStackEvents", &[("StackName", name)]).await;
        let mut lines: Vec<String> = all(&body, "member").iter().map(|event| event_line(event)).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// `LogicalId=physical id` of each resource.
    pub async fn resources(&self, name: &str) -> Vec<(String, String, String)> {
        let body = self.ok("ListStackResources", &[("StackName", name)]).await;
        let of = |it: &String| {
            (first(it, "LogicalResourceId"), first(it, "PhysicalResourceId"), first(it, "ResourceStatus"))
        };
        all(&body, "member").iter().map(of).collect()
    }
}

fn event_line(event: &str) -> String {
    let at: jiff::Timestamp = first(event, "Timestamp").parse().unwrap();
    let seconds = (at.as_microsecond() - START) / 1_000_000;
    let reason = first(event, "ResourceStatusReason");
    format!("{seconds:>5} {} {} {reason}", first(event, "LogicalResourceId"), first(event, "ResourceStatus"))
        .trim_end()
        .to_owned()
}

async fn open(folder: &Path, clock: &Arc<AtomicI64>, faults: Option<FaultScript>) -> Sandbox {
    let clock = ClockKind::Manual(Arc::clone(clock));
    Sandbox::open(Options { world: folder.to_owned(), clock, faults, policy: None }).await.unwrap()
}

async fn send(request: Request<Full<Bytes>>) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// HMAC-SHA256 (RFC 2104); the keys here are shorter than a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

/// The text of the first element of this name; empty if there is none.
pub fn first(xml: &str, tag: &str) -> String {
    all(xml, tag).into_iter().next().unwrap_or_default()
}

/// The contents of all elements of this name, outermost ones only.
pub fn all(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find(&open) {
        let inside = &rest[start + open.len()..];
        let (mut depth, mut at) = (1, 0);
        while depth > 0 {
            let next_close = at + inside[at..].find(&close).expect("an element is closed");
            match inside[at..].find(&open).map(|it| at + it) {
                Some(next_open) if next_open < next_close => (depth, at) = (depth + 1, next_open + open.len()),
                _ => (depth, at) = (depth - 1, next_close + close.len()),
            }
        }
        found.push(unescape(&inside[..at - close.len()]));
        rest = &inside[at..];
    }
    found
}

fn unescape(text: &str) -> String {
    if text.contains('<') {
        return text.to_owned();
    }
    text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}
