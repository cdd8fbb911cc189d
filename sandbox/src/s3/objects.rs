//! Objects are made: put and copy.
//! Must not know multipart uploads, which store their objects through `store`.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3Request, S3Result};

use super::bodies;
use super::checks::{self, Sum};
use super::reading::find;
use super::service::{Service, error, failed, timestamp};
use super::state::{self, About, Bucket, Encryption};
use crate::wire::ServiceError;

/// The whole body of an upload.
pub(super) async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let chunks: Vec<Bytes> = body.try_collect().await.map_err(|cause| {
        failed(ServiceError::new(400, "IncompleteBody", format!("the request body cannot be read: {cause}")))
    })?;
    Ok(chunks.concat().into())
}

pub(super) async fn put(service: &Service, mut req: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
    let body = collect(req.input.body.take()).await?;
    let trailers = req.trailing_headers.as_ref().and_then(s3s::TrailingHeaders::take);
    let sum = checks::verify(&body, &req.headers, trailers.as_ref()).map_err(failed)?;
    let input = req.input;
    let metadata = input.metadata.unwrap_or_default().into_iter().collect();
    let about = about(&req.headers, metadata);
    storage_class(&req.headers).map_err(failed)?;
    let object = Stored { size: body.len(), etag: checks::md5_hex(&body), sum, parts: 0 };
    let put = store(
        service,
        &input.bucket,
        &input.key,
        &body,
        about,
        object,
        input.if_none_match.is_some(),
        input.if_match.as_ref(),
    )?;
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, checksum_type } =
        put.sum;
    Ok(PutObjectOutput {
        e_tag: Some(ETag::Strong(put.etag)),
        version_id: put.version,
        server_side_encryption: Some(put.encryption.algorithm.into()),
        ssekms_key_id: put.encryption.key,
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
        ..PutObjectOutput::default()
    })
}

/// What an object will be, beside what its maker says of it.
pub(super) struct Stored {
    pub(super) size: usize,
    pub(super) etag: String,
    pub(super) sum: Sum,
    pub(super) parts: usize,
}

/// What an answer tells of an object just made.
pub(super) struct Put {
    pub(super) etag: String,
    pub(super) version: Option<String>,
    pub(super) encryption: Encryption,
    pub(super) sum: Checksum,
    pub(super) made: jiff::Timestamp,
}

/// Writes the bytes, then the state that names them; a failed condition leaves both as they were.
#[expect(
    clippy::too_many_arguments,
    reason = "an object is told by all of these; a struct would be built only to be taken apart"
)]
pub(super) fn store(
    service: &Service,
    bucket: &str,
    key: &str,
    body: &[u8],
    about: About,
    stored: Stored,
    only_new: bool,
    only_if: Option<&IfMatch>,
) -> S3Result<Put> {
    let name = bodies::write(service.world.dir(), body).map_err(s3s::S3Error::internal_error)?;
    let (result, unused) = service.world.with(&service.region, |state, cx| {
        let new_id = state.ids.hex(32);
        let made = cx.now;
        let result = (|| {
            let bucket = state.s3.bucket_mut(bucket, cx.region)?;
            conditions(bucket, key, only_new, only_if)?;
            let encryption = if about.encryption == Encryption::default() {
                bucket.encryption.clone()
            } else {
                about.encryption.clone()
            };
            let object = state::Object {
                body: name.clone(),
                size: u64::try_from(stored.size).unwrap_or(u64::MAX),
                etag: stored.etag.clone(),
                sum: Some(stored.sum.clone()),
                about: About { encryption: encryption.clone(), ..about.clone() },
                parts: stored.parts,
            };
            let (id, unused) = bucket.put(key, made, Some(object), new_id);
            let version = bucket.versioning.is_some().then_some(id);
            Ok((
                Put { etag: stored.etag.clone(), version, encryption, sum: checks::fields(Some(&stored.sum)), made },
                unused,
            ))
        })();
        match result {
            Ok((put, unused)) => (Ok(put), unused),
            Err(error) => (Err(error), vec![name.clone()]),
        }
    });
    bodies::remove(service.world.dir(), &unused);
    result.map_err(failed)
}

fn conditions(bucket: &Bucket, key: &str, only_new: bool, only_if: Option<&IfMatch>) -> Result<(), ServiceError> {
    let present =
        bucket.objects.get(key).and_then(|versions| versions.last()).and_then(|version| version.object.as_ref());
    let fits = match only_if {
        None => true,
        Some(ETagCondition::Any) => present.is_some(),
        Some(ETagCondition::ETag(etag)) => present.is_some_and(|object| object.etag == etag.value()),
    };
    if (only_new && present.is_some()) || !fits {
        return Err(ServiceError::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        ));
    }
    Ok(())
}

/// What the headers of an upload say of the object.
pub(super) fn about(headers: &HeaderMap, metadata: BTreeMap<String, String>) -> About {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let encoding = text("content-encoding").map(|it| {
        let kept: Vec<&str> = it.split(',').map(str::trim).filter(|it| *it != "aws-chunked").collect();
        kept.join(",")
    });
    About {
        content_type: text("content-type"),
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: encoding.filter(|it| !it.is_empty()),
        content_language: text("content-language"),
        metadata,
        encryption: text("x-amz-server-side-encryption").map_or_else(Encryption::default, |algorithm| Encryption {
            algorithm,
            key: text("x-amz-server-side-encryption-aws-kms-key-id"),
            bucket_key: false,
        }),
    }
}

/// Refuses storage classes other than the standard one, by name.
pub(super) fn storage_class(headers: &HeaderMap) -> Result<(), ServiceError> {
    match headers.get("x-amz-storage-class").and_then(|it| it.to_str().ok()) {
        None | Some("STANDARD") => Ok(()),
        Some(other) => Err(ServiceError::not_part(format!("storage class {other} of service s3"))),
    }
}

pub(super) fn copy(service: &Service, req: S3Request<CopyObjectInput>) -> S3Result<CopyObjectOutput> {
    let input = req.input;
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(failed(ServiceError::not_part("a copy source other than bucket/key of service s3")));
    };
    let source = find(service, bucket, key, version_id.as_deref())?;
    let replace = input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == "REPLACE");
    if **bucket == *input.bucket && **key == *input.key && !replace {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(error(400, "InvalidRequest", message));
    }
    let body = bodies::read(service.world.dir(), &source.object.body).map_err(s3s::S3Error::internal_error)?;
    let said = about(&req.headers, input.metadata.unwrap_or_default().into_iter().collect());
    let about = if replace { said } else { About { encryption: said.encryption, ..source.object.about } };
    let algorithm = source.object.sum.as_ref().map_or("CRC64NVME", |sum| sum.algorithm.as_str());
    let stored = Stored { size: body.len(), etag: checks::md5_hex(&body), sum: Sum::of(algorithm, &body), parts: 0 };
    let put = store(service, &input.bucket, &input.key, &body, about, stored, false, None)?;
    Ok(copied(put, source.version))
}

fn copied(put: Put, source_version: Option<String>) -> CopyObjectOutput {
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, checksum_type } =
        put.sum;
    CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            e_tag: Some(ETag::Strong(put.etag)),
            last_modified: Some(timestamp(put.made)),
            checksum_crc32,
            checksum_crc32c,
            checksum_crc64nvme,
            checksum_sha1,
            checksum_sha256,
            checksum_type,
        }),
        version_id: put.version,
        copy_source_version_id: source_version,
        server_side_encryption: Some(put.encryption.algorithm.into()),
        ssekms_key_id: put.encryption.key,
        ..CopyObjectOutput::default()
    }
}
