//! Just enough HTTP to ask the sandbox something without any of hprun's code.
//! Must not be used to do what hprun should do.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// One POST; the status and the body of the answer.
pub fn post(endpoint: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    send("POST", endpoint, path, headers, body)
}

/// A call of SageMaker's JSON protocol.
pub fn sagemaker(endpoint: &str, operation: &str, body: &Value) -> Value {
    let target = format!("SageMaker.{operation}");
    let signed = authorization("sagemaker");
    let headers =
        [("x-amz-target", &*target), ("content-type", "application/x-amz-json-1.1"), ("authorization", &*signed)];
    let (status, answer) = post(endpoint, "/", &headers, &body.to_string());
    assert_eq!(status, 200, "{operation}: {answer}");
    serde_json::from_str(&answer).unwrap()
}

/// A call of a JSON 1.1 protocol that must be answered well.
pub fn json(endpoint: &str, service: &str, target: &str, body: &Value) {
    let signed = authorization(service);
    let headers =
        [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1"), ("authorization", &*signed)];
    let (status, answer) = post(endpoint, "/", &headers, &body.to_string());
    assert_eq!(status, 200, "{target}: {answer}");
}

/// A GET of a REST protocol; the body of the answer, which must be good.
pub fn get(endpoint: &str, service: &str, path: &str) -> String {
    let (status, body) = send("GET", endpoint, path, &[("authorization", &authorization(service))], "");
    assert_eq!(status, 200, "GET {path} of {service}: {body}");
    body
}

/// A GET of S3, the one service of the sandbox that verifies signatures. `query` as it is signed: `uploads=`.
pub fn s3(endpoint: &str, path: &str, query: &str) -> String {
    const NAMES: &str = "host;x-amz-content-sha256;x-amz-date";
    let (host, payload) = (endpoint.trim_start_matches("http://"), "UNSIGNED-PAYLOAD");
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/us-west-2/s3/aws4_request", &time[..8]);
    let head = format!("host:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{time}\n");
    let request = hex::encode(Sha256::digest(format!("GET\n{path}\n{query}\n{head}\n{NAMES}\n{payload}")));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{request}");
    let key = scope.split('/').fold(b"AWS4hprun-sandbox-secret".to_vec(), |key, part| hmac(&key, part));
    let signature = hex::encode(hmac(&key, &to_sign));
    let credential = format!("AKIAHPRUNSANDBOX0000/{scope}");
    let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={NAMES}, Signature={signature}");
    let headers = [("authorization", &*signed), ("x-amz-date", &*time), ("x-amz-content-sha256", payload)];
    let (status, body) = send("GET", endpoint, &format!("{path}?{query}"), &headers, "");
    assert_eq!(status, 200, "GET {path}?{query} of S3: {body}");
    body
}

/// HMAC-SHA256 (RFC 2104) with a key of at most 64 bytes.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let pad = |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).unwrap_or(&0) ^ with).collect() };
    let inner = Sha256::digest([&pad(0x36), text.as_bytes()].concat());
    Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()).to_vec()
}

/// A call of a query protocol; its XML as text.
pub fn query(endpoint: &str, service: &str, form: &str) -> (u16, String) {
    let signed = authorization(service);
    post(endpoint, "/", &[("content-type", "application/x-www-form-urlencoded"), ("authorization", &*signed)], form)
}

/// The texts between `<tag>` and `</tag>`.
pub fn tags(xml: &str, tag: &str) -> Vec<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

/// The sandbox reads the service, the region and the key of a signature, and does not verify it.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIAHPRUNSANDBOX0000/20260101/us-west-2/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

fn send(method: &str, endpoint: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}
