//! A sandbox with one cluster, and a client for its Kubernetes API: TLS, an EKS token, JSON.
//! Must not know what is tested.
#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses its own part of this")]

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use hprun_sandbox::world::{ACCESS_KEY, SECRET_KEY};
use hprun_sandbox::{ClockKind, Options, Sandbox, kubernetes};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub const REGION: &str = "us-west-2";
pub const CLUSTER: &str = "ml";
/// A fixed start, so that nothing depends on the day.
const START: i64 = 1_767_225_600_000_000;

pub fn manual() -> ClockKind {
    ClockKind::Manual(Arc::new(AtomicI64::new(START)))
}

pub async fn open(dir: &std::path::Path, clock: ClockKind) -> Sandbox {
    let options = Options { world: dir.to_path_buf(), clock, faults: None, policy: None };
    let sandbox = Sandbox::open(options).await.expect("the world opens");
    sandbox.world().with(REGION, |state, cx| kubernetes::create_cluster(state, cx, CLUSTER));
    sandbox
}

pub fn add_node(sandbox: &Sandbox, name: &str) {
    let labels = [("sagemaker.amazonaws.com/compute-type".to_owned(), "hyperpod".to_owned())];
    let node =
        kubernetes::NodeSpec { name: name.to_owned(), labels: labels.into(), taints: Vec::new(), capacity: [].into() };
    sandbox.world().with(REGION, |state, cx| kubernetes::add_node(state, cx, CLUSTER, node));
}

pub fn advance(sandbox: &Sandbox, seconds: u64) {
    sandbox.clock().advance(Duration::from_secs(seconds));
    sandbox.world().tick();
}

/// The authority's certificate, PEM in base64, and the cluster's URL.
pub fn address(sandbox: &Sandbox) -> (String, String) {
    sandbox.world().read(REGION, |_, cx| (kubernetes::certificate_authority(cx), kubernetes::endpoint(cx, CLUSTER)))
}

/// A client that may speak to one cluster, or may not.
pub struct Client {
    base: String,
    authority: String,
    port: u16,
    token: String,
}

impl Client {
    /// A client for another cluster than the usual one.
    pub fn of(sandbox: &Sandbox, cluster: &str) -> Client {
        let usual = Client::with_token(sandbox, &token(cluster));
        let base = format!("{}/clusters/{cluster}", sandbox.world().kubernetes_endpoint());
        Client { base, ..usual }
    }

    pub fn new(sandbox: &Sandbox) -> Client {
        Client::with_token(sandbox, &token(CLUSTER))
    }

    pub fn with_token(sandbox: &Sandbox, token: &str) -> Client {
        let (authority, base) = address(sandbox);
        let port =
            base.split(':').nth(2).and_then(|rest| rest.split('/').next()).expect("a port").parse().expect("a port");
        Client { base, authority, port, token: token.to_owned() }
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, "", Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send("POST", path, "application/json", body.to_string().into()).await
    }

    pub async fn send(&self, method: &str, path: &str, media: &str, body: Bytes) -> (u16, Value) {
        let answer = self.open(method, path, media, body).await;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (
            status,
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        )
    }

    pub async fn open(&self, method: &str, path: &str, media: &str, body: Bytes) -> http::Response<Incoming> {
        let path = format!("/clusters/{}{path}", self.base.rsplit('/').next().expect("a cluster"));
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("user-agent", "test/1");
        if !media.is_empty() {
            request = request.header("content-type", media);
        }
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let request = request.body(Full::new(body)).expect("a request");
        self.connect().await.send_request(request).await.expect("an answer")
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let pem = base64::engine::general_purpose::STANDARD.decode(&self.authority).expect("base64");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions");
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection");
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        sender
    }
}

/// An EKS token for a cluster, made now as `aws eks get-token` makes it.
pub fn token(cluster: &str) -> String {
    let date = format!("{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let scope = format!("{}/{REGION}/sts/aws4_request", &date[..8]);
    let credential = format!("{ACCESS_KEY}/{scope}").replace('/', "%2F");
    let query = format!(
        "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}\
         &X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
    );
    let host = format!("sts.{REGION}.amazonaws.com");
    let empty = hex::encode(Sha256::digest(b""));
    let request = format!("GET\n/\n{query}\nhost:{host}\nx-k8s-aws-id:{cluster}\n\nhost;x-k8s-aws-id\n{empty}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
    let start = format!("AWS4{SECRET_KEY}").into_bytes();
    let key = scope.split('/').fold(start, |key, part| hmac(&key, part));
    let url = format!("https://{host}/?{query}&X-Amz-Signature={}", hex::encode(hmac(&key, &to_sign)));
    format!("k8s-aws-v1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(url))
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0u8; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}
