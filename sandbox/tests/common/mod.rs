//! A small AWS client for the tests: signs with SigV4, sends over HTTP, gives status, headers and body.
//! Must not use the crate's own wire code, so that both sides do not make the same mistake.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part of this")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::{Digest as _, Sha256};

use hprun_sandbox::{ClockKind, FaultScript, Options, Sandbox};

pub const KEY: &str = "AKIAHPRUNSANDBOX0000";

pub async fn open(dir: &Path, faults: Option<&str>) -> (Sandbox, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    (open_at(dir, &now, faults).await, now)
}

/// Opens a world whose clock is `now`, in microseconds since the epoch.
pub async fn open_at(dir: &Path, now: &Arc<AtomicI64>, faults: Option<&str>) -> Sandbox {
    let script = faults.map(|text| serde_yaml::from_str::<FaultScript>(text).expect("the script of the test is right"));
    let options =
        Options { world: dir.to_path_buf(), clock: ClockKind::Manual(Arc::clone(now)), faults: script, policy: None };
    Sandbox::open(options).await.expect("the world opens")
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub struct Ask<'a> {
    pub service: &'a str,
    pub method: &'a str,
    /// Path and query; the query's keys must be in order.
    pub path: &'a str,
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
    pub key: &'a str,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Ask { service: "s3", method: "GET", path: "/", headers: &[], body: b"", key: KEY }
    }
}

/// `None` when the connection was closed without an answer.
pub async fn ask(sandbox: &Sandbox, ask: Ask<'_>) -> Option<Answer> {
    let host = sandbox.endpoint().trim_start_matches("http://").to_owned();
    let given = ask.headers.iter().find(|(name, _)| *name == "x-amz-content-sha256");
    let digest = given.map_or_else(|| hex::encode(Sha256::digest(ask.body)), |(_, value)| (*value).to_owned());
    let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut headers: Vec<(String, String)> = vec![
        ("host".to_owned(), host.clone()),
        ("x-amz-content-sha256".to_owned(), digest.clone()),
        ("x-amz-date".to_owned(), date.clone()),
    ];
    let others = ask.headers.iter().filter(|it| Some(*it) != given);
    headers.extend(others.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    headers.sort();
    let (path, query) = ask.path.split_once('?').unwrap_or((ask.path, ""));
    let query: Vec<String> = query
        .split('&')
        .filter(|it| !it.is_empty())
        .map(|it| if it.contains('=') { it.to_owned() } else { format!("{it}=") })
        .collect();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("{}\n{path}\n{}\n{lines}\n{}\n{digest}", ask.method, query.join("&"), names.join(";"));
    let scope = format!("{}/us-west-2/{}/aws4_request", &date[..8], ask.service);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = b"AWS4hprun-sandbox-secret".to_vec();
    for part in [&date[..8], "us-west-2", ask.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        ask.key,
        names.join(";")
    );
    let mut request = Request::builder()
        .method(ask.method)
        .uri(format!("http://{host}{}", ask.path))
        .header("authorization", authorization);
    for (name, value) in &headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(ask.body))).expect("the request of the test is right");
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let response = client.request(request).await.ok()?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
