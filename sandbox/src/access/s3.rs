//! The actions of S3 requests, whose names differ from those of the operations.
//! Must not look at what hprun declares.

use percent_encoding::percent_decode_str;

use super::question;
use crate::iam::Question;
use crate::s3::{bucket_exists, object_exists};
use crate::wire::Call;
use crate::world::State;

/// What is asked for this call.
pub(super) fn questions(state: &State, call: &Call) -> Vec<Question> {
    let path = percent_decode_str(call.path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    let object_arn = format!("arn:aws:s3:::{bucket}/{key}");
    let on_bucket = |action: &str| vec![question(action, bucket_arn.as_str())];
    let on_object = |action: &str| vec![question(action, object_arn.as_str())];
    match call.operation.as_str() {
        "ListBuckets" => vec![question("s3:ListAllMyBuckets", "*")],
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => on_bucket("s3:ListBucket"),
        "ListObjectVersions" => on_bucket("s3:ListBucketVersions"),
        "ListMultipartUploads" => on_bucket("s3:ListBucketMultipartUploads"),
        "GetBucketEncryption" => on_bucket("s3:GetEncryptionConfiguration"),
        "PutBucketEncryption" | "DeleteBucketEncryption" => on_bucket("s3:PutEncryptionConfiguration"),
        "GetPublicAccessBlock" => on_bucket("s3:GetBucketPublicAccessBlock"),
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => on_bucket("s3:PutBucketPublicAccessBlock"),
        "DeleteBucketTagging" => on_bucket("s3:PutBucketTagging"),
        "DeleteBucketOwnershipControls" => on_bucket("s3:PutBucketOwnershipControls"),
        "GetObject" | "HeadObject" => {
            let mut asked = on_object("s3:GetObject");
            // That there is no such object is told only to those who may list the bucket.
            if bucket_exists(state, bucket) && !object_exists(state, bucket, key) {
                asked.extend(on_bucket("s3:ListBucket"));
            }
            asked
        }
        "PutObject" | "CreateMultipartUpload" => {
            let mut asked = on_object("s3:PutObject");
            if call.header("x-amz-tagging").is_some() {
                asked.extend(on_object("s3:PutObjectTagging"));
            }
            asked
        }
        "UploadPart" | "CompleteMultipartUpload" => on_object("s3:PutObject"),
        "CopyObject" => {
            let source = call.header("x-amz-copy-source").unwrap_or_default().trim_start_matches('/');
            let source = percent_decode_str(source.split('?').next().unwrap_or_default()).decode_utf8_lossy();
            let mut asked = on_object("s3:PutObject");
            asked.push(question("s3:GetObject", format!("arn:aws:s3:::{source}")));
            asked
        }
        "ListParts" => on_object("s3:ListMultipartUploadParts"),
        "DeleteObject" if call.query("versionId").is_some() => on_object("s3:DeleteObjectVersion"),
        "DeleteObject" | "AbortMultipartUpload" => on_object(&format!("s3:{}", call.operation)),
        "DeleteObjects" => vec![question("s3:DeleteObject", format!("{bucket_arn}/*"))],
        other => on_bucket(&format!("s3:{other}")),
    }
}

/// The ARN of the object behind a template's URL: path style (as of the sandbox) or virtual-hosted style.
pub(super) fn arn_of_url(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        Some((bucket, _)) => format!("arn:aws:s3:::{bucket}/{path}"),
        None => format!("arn:aws:s3:::{path}"),
    }
}
