//! What a request says of itself: service and region (from the signature), operation, access key; and the errors that any service gives.
//! Must not touch the world.

use bytes::Bytes;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::wire::{Call, Protocol, ServiceError, protocol_of};
use crate::{eks, s3};

pub(super) fn call(head: &Parts, body: Bytes) -> Call {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let authorization = head.headers.get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let credential = match authorization.split_once("Credential=") {
        Some((_, rest)) => rest.split([',', ' ']).next().unwrap_or_default().to_owned(),
        None => {
            query.iter().find(|(key, _)| key == "X-Amz-Credential").map(|(_, value)| value.clone()).unwrap_or_default()
        }
    };
    // access key / date / region / service / aws4_request
    let mut scope = credential.split('/');
    let access_key = scope.next().unwrap_or_default().to_owned();
    let region = scope.nth(1).unwrap_or("us-east-1").to_owned();
    // A region becomes the name of a folder: what cannot be one leaves the call without a service, so that it is refused.
    let plain = |it: &str| it.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let service = scope.next().filter(|_| plain(&region)).unwrap_or_default().to_owned();
    let region = if plain(&region) { region } else { "us-east-1".to_owned() };
    let mut call = Call {
        service,
        operation: String::new(),
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query,
        headers: head.headers.clone(),
        body,
        region,
        access_key,
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    call.operation = operation(&call);
    call
}

fn operation(call: &Call) -> String {
    match protocol_of(&call.service) {
        Protocol::Query | Protocol::Ec2 => {
            let in_body = form_urlencoded::parse(&call.body)
                .find(|(key, _)| key == "Action")
                .map(|(_, value)| value.into_owned());
            in_body.or_else(|| call.query("Action").map(str::to_owned)).unwrap_or_default()
        }
        Protocol::Json11 => {
            let target = call.header("x-amz-target").unwrap_or_default();
            target.rsplit('.').next().unwrap_or_default().to_owned()
        }
        Protocol::RestJson => eks::operation(&call.method, &call.path).unwrap_or_default().to_owned(),
        Protocol::RestXml => s3::operation(call).unwrap_or_default().to_owned(),
    }
}

/// Whether an operation of this name changes the world when it succeeds.
pub(super) fn changes(call: &Call) -> bool {
    const READING: [&str; 11] =
        ["Describe", "List", "Get", "Head", "Validate", "Filter", "Check", "Search", "Estimate", "Simulate", "Assume"];
    !READING.iter().any(|prefix| call.operation.starts_with(prefix))
}

/// The request's first line without its signature.
pub(super) fn request_line(call: &Call) -> String {
    let query: Vec<String> = call
        .query
        .iter()
        .filter(|(key, _)| !key.starts_with("X-Amz-"))
        .map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") })
        .collect();
    let path = percent_decode_str(&call.path).decode_utf8_lossy();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{} {path}{mark}{}", call.method, query.join("&"))
}

/// The answer to an access key that is not the sandbox's, or to none.
pub(super) fn stranger(call: &Call) -> ServiceError {
    if call.service.is_empty() {
        return ServiceError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
    }
    match protocol_of(&call.service) {
        Protocol::Query => {
            ServiceError::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        Protocol::Ec2 => {
            ServiceError::new(401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        }
        Protocol::Json11 => ServiceError::new(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Protocol::RestJson => ServiceError::new(
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        Protocol::RestXml => ServiceError::new(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
    }
}

pub(super) fn throttled(call: &Call) -> ServiceError {
    match protocol_of(&call.service) {
        Protocol::Query => ServiceError::new(400, "Throttling", "Rate exceeded"),
        Protocol::Ec2 => ServiceError::new(503, "RequestLimitExceeded", "Request limit exceeded."),
        Protocol::Json11 => ServiceError::new(400, "ThrottlingException", "Rate exceeded"),
        Protocol::RestJson => ServiceError::new(429, "TooManyRequestsException", "Too Many Requests"),
        Protocol::RestXml => ServiceError::new(503, "SlowDown", "Please reduce your request rate."),
    }
}

pub(super) fn server_error(call: &Call, status: u16) -> ServiceError {
    let code = match (protocol_of(&call.service), status) {
        (_, 503) => "ServiceUnavailable",
        (Protocol::Ec2 | Protocol::RestXml, _) => "InternalError",
        (Protocol::RestJson, _) => "ServerException",
        (Protocol::Query | Protocol::Json11, _) => "InternalFailure",
    };
    ServiceError::new(status, code, "We encountered an internal error. Please try again.")
}

pub(super) fn expired(call: &Call) -> ServiceError {
    let message = "The security token included in the request is expired";
    match protocol_of(&call.service) {
        Protocol::Query => ServiceError::new(403, "ExpiredToken", message),
        Protocol::Ec2 => ServiceError::new(400, "RequestExpired", "Request has expired."),
        Protocol::Json11 => ServiceError::new(400, "ExpiredTokenException", message),
        Protocol::RestJson => ServiceError::new(403, "ExpiredTokenException", message),
        Protocol::RestXml => ServiceError::new(400, "ExpiredToken", "The provided token has expired."),
    }
}
