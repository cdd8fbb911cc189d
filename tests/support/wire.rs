//! Just enough HTTP to ask the sandbox something without any of hprun's code.
//! Must not be used to do what hprun should do.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

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
