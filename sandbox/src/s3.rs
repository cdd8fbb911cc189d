//! S3: buckets and objects. The `s3s` crate speaks the protocol and checks signatures; this module keeps the things.
//! Must not know who stores what in it; CloudFormation and HyperPod use the plain functions.

mod bodies;
mod buckets;
mod checks;
mod deletion;
mod elements;
mod listing;
mod multipart;
mod objects;
mod reading;
mod resource;
mod service;
mod state;

use std::sync::Arc;

use http::StatusCode;
use http_body_util::BodyExt as _;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

pub use reading::{body_of, read_object};
pub use resource::{
    create_bucket, create_bucket_policy, delete_bucket, delete_bucket_policy, ready_bucket, ready_bucket_policy,
    update_bucket, update_bucket_policy,
};
pub use state::{Bucket, Object, State, Version, bucket_exists, current, object_exists};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{ACCESS_KEY, ACCOUNT, SECRET_KEY, World};

/// Answers a call.
pub async fn handle(world: &Arc<World>, call: &Call) -> Reply {
    if let Err(error) = refuse(call).and_then(|()| elements::refuse(call)) {
        return error.reply(call);
    }
    match through_s3s(world, call).await {
        Ok(reply) => reply,
        Err(message) => ServiceError::new(500, "InternalError", message).reply(call),
    }
}

/// The operation that a request means, as AWS spells it; `None` for those that are not part of the sandbox.
pub fn operation(call: &Call) -> Option<&'static str> {
    let path = call.path.trim_start_matches('/');
    let has = |name: &str| call.query(name).is_some();
    let object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match (call.method.as_str(), path.is_empty(), object) {
        ("GET", true, _) => Some("ListBuckets"),
        ("HEAD", false, false) => Some("HeadBucket"),
        ("HEAD", false, true) => Some("HeadObject"),
        (method, false, false) => bucket_operation(method, call),
        ("GET", false, true) if has("uploadId") => Some("ListParts"),
        ("GET", false, true) if !has_subresource(call) => Some("GetObject"),
        ("PUT", false, true) if has("uploadId") && call.header("x-amz-copy-source").is_none() => Some("UploadPart"),
        ("PUT", false, true) if has("uploadId") || has_subresource(call) => None,
        ("PUT", false, true) if call.header("x-amz-copy-source").is_some() => Some("CopyObject"),
        ("PUT", false, true) => Some("PutObject"),
        ("POST", false, true) if has("uploads") => Some("CreateMultipartUpload"),
        ("POST", false, true) if has("uploadId") => Some("CompleteMultipartUpload"),
        ("DELETE", false, true) if has("uploadId") => Some("AbortMultipartUpload"),
        ("DELETE", false, true) if !has_subresource(call) => Some("DeleteObject"),
        _ => None,
    }
}

/// What a request about a bucket can be about; a query key, and the operation's name behind Get, Put and Delete.
const ABOUT: [(&str, &str, &str, &str); 6] = [
    ("versioning", "GetBucketVersioning", "PutBucketVersioning", ""),
    ("encryption", "GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"),
    ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
    ("policy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    ("tagging", "GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"),
    ("ownershipControls", "GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls"),
];

fn bucket_operation(method: &str, call: &Call) -> Option<&'static str> {
    let has = |name: &str| call.query(name).is_some();
    for (key, get, put, delete) in ABOUT {
        if has(key) {
            let name = match method {
                "GET" => get,
                "PUT" => put,
                "DELETE" => delete,
                _ => "",
            };
            return (!name.is_empty()).then_some(name);
        }
    }
    match method {
        "GET" if has("location") => Some("GetBucketLocation"),
        "GET" if has("uploads") => Some("ListMultipartUploads"),
        "GET" if has("versions") => Some("ListObjectVersions"),
        "GET" if call.query("list-type") == Some("2") => Some("ListObjectsV2"),
        "GET" if !has_subresource(call) => Some("ListObjects"),
        "PUT" if !has_subresource(call) => Some("CreateBucket"),
        "DELETE" if !has_subresource(call) => Some("DeleteBucket"),
        "POST" if has("delete") => Some("DeleteObjects"),
        _ => None,
    }
}

/// The query keys that the sandbox knows; any other is a subresource or an option that it does not have.
const QUERY: [&str; 33] = [
    "list-type",
    "prefix",
    "delimiter",
    "max-keys",
    "continuation-token",
    "start-after",
    "encoding-type",
    "fetch-owner",
    "marker",
    "key-marker",
    "version-id-marker",
    "uploads",
    "uploadId",
    "partNumber",
    "part-number-marker",
    "max-parts",
    "max-uploads",
    "upload-id-marker",
    "versionId",
    "delete",
    "location",
    "versioning",
    "encryption",
    "publicAccessBlock",
    "policy",
    "tagging",
    "ownershipControls",
    "versions",
    "x-id",
    "bucket-region",
    "max-buckets",
    "attributes",
    "response-content-type",
];

fn known_query(key: &str) -> bool {
    key.starts_with("X-Amz-") || QUERY.contains(&key)
}

fn has_subresource(call: &Call) -> bool {
    let about = |key: &str| ABOUT.iter().any(|(it, ..)| *it == key) || key == "attributes";
    call.query.iter().any(|(key, _)| !known_query(key) || about(key))
}

/// The `x-amz-` headers that the sandbox knows, beside `x-amz-meta-…` and `x-amz-checksum-…`.
const HEADERS: [&str; 19] = [
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-user-agent",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-copy-source",
    "x-amz-metadata-directive",
    "x-amz-expected-bucket-owner",
    "x-amz-source-expected-bucket-owner",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-mp-object-size",
    "x-amz-object-ownership",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-optional-object-attributes",
];

/// Refuses by name what the sandbox does not have, before `s3s` could ignore it.
fn refuse(call: &Call) -> Result<(), ServiceError> {
    if call.operation.is_empty() {
        let asked: String =
            call.query.iter().filter(|(key, _)| !key.starts_with("X-Amz-")).map(|(key, _)| format!("?{key}")).collect();
        return Err(ServiceError::not_part(format!("operation {} {}{asked} of service s3", call.method, call.path)));
    }
    for name in call.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")) {
        let known = HEADERS.contains(&name) || name.starts_with("x-amz-meta-") || name.starts_with("x-amz-checksum-");
        if !known {
            return Err(ServiceError::not_part(format!("header {name} of operation {} of service s3", call.operation)));
        }
    }
    if let Some((key, _)) = call.query.iter().find(|(key, _)| !known_query(key)) {
        return Err(ServiceError::not_part(format!("parameter {key} of operation {} of service s3", call.operation)));
    }
    if call.header("x-amz-expected-bucket-owner").is_some_and(|owner| owner != ACCOUNT) {
        return Err(ServiceError::new(403, "AccessDenied", "Access Denied"));
    }
    Ok(())
}

async fn through_s3s(world: &Arc<World>, call: &Call) -> Result<Reply, String> {
    let mut builder = S3ServiceBuilder::new(service::Service { world: Arc::clone(world), region: call.region.clone() });
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    let response = builder.build().call(request(call)?).await.map_err(|error| format!("{error:?}"))?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let failed = head.status.is_client_error() || head.status.is_server_error();
    let code = failed.then(|| code_in(&body).unwrap_or_else(|| head.status.as_str().to_owned()));
    Ok(Reply {
        status: StatusCode::from_u16(head.status.as_u16()).map_err(|error| error.to_string())?,
        headers: head.headers,
        body,
        error: code,
    })
}

fn request(call: &Call) -> Result<s3s::HttpRequest, String> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&call.query);
    let uri = format!("{}?{}", call.path, query.finish());
    let mut request = http::Request::builder().method(call.method.clone()).uri(uri.trim_end_matches('?'));
    if let Some(headers) = request.headers_mut() {
        headers.clone_from(&call.headers);
    }
    request.body(s3s::Body::from(call.body.clone())).map_err(|error| error.to_string())
}

fn code_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.to_owned())
}
