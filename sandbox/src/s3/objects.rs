//! Objects: put, get, head, copy, delete.
//! Must not know multipart uploads.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3Request, S3Result};

use super::bodies;
use super::checks::{self, Sum};
use super::service::{Service, error, failed, timestamp};
use super::state::{self, About, Bucket, Encryption, State};
use crate::wire::ServiceError;
use crate::world::World;

/// The bytes of an object, `None` when it is not there.
pub fn read_object(world: &World, region: &str, bucket: &str, key: &str) -> Option<Bytes> {
    world.read(region, |state, cx| body_of(&state.s3, cx.dir, bucket, key))
}

/// The same inside `World::with`: `dir` is the world's.
pub fn body_of(state: &State, dir: &std::path::Path, bucket: &str, key: &str) -> Option<Bytes> {
    bodies::read(dir, &state::current(state, bucket, key)?.body).ok()
}

/// The whole body of an upload.
pub(super) async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else {
        return Ok(Bytes::new());
    };
    let chunks: Vec<Bytes> = body.try_collect().await.map_err(|cause| {
        failed(ServiceError::new(
            400,
            "IncompleteBody",
            format!("the request body cannot be read: {cause}"),
        ))
    })?;
    Ok(chunks.concat().into())
}

pub(super) async fn put(
    service: &Service,
    mut req: S3Request<PutObjectInput>,
) -> S3Result<PutObjectOutput> {
    let body = collect(req.input.body.take()).await?;
    let trailers = req
        .trailing_headers
        .as_ref()
        .and_then(s3s::TrailingHeaders::take);
    let sum = checks::verify(&body, &req.headers, trailers.as_ref()).map_err(failed)?;
    let input = req.input;
    let metadata = input.metadata.unwrap_or_default().into_iter().collect();
    let about = about(&req.headers, metadata);
    storage_class(&req.headers).map_err(failed)?;
    let object = Stored {
        size: body.len(),
        etag: checks::md5_hex(&body),
        sum,
        parts: 0,
    };
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
    let Checksum {
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
    } = put.sum;
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
                about: About {
                    encryption: encryption.clone(),
                    ..about.clone()
                },
                parts: stored.parts,
            };
            let (id, unused) = bucket.put(key, made, Some(object), new_id);
            let version = bucket.versioning.is_some().then_some(id);
            Ok((
                Put {
                    etag: stored.etag.clone(),
                    version,
                    encryption,
                    sum: checks::fields(Some(&stored.sum)),
                    made,
                },
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

fn conditions(
    bucket: &Bucket,
    key: &str,
    only_new: bool,
    only_if: Option<&IfMatch>,
) -> Result<(), ServiceError> {
    let present = bucket
        .objects
        .get(key)
        .and_then(|versions| versions.last())
        .and_then(|version| version.object.as_ref());
    let fits = match only_if {
        None => true,
        Some(ETagCondition::Any) => present.is_some(),
        Some(ETagCondition::ETag(etag)) => {
            present.is_some_and(|object| object.etag == etag.value())
        }
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
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|it| it.to_str().ok())
            .map(str::to_owned)
    };
    let encoding = text("content-encoding").map(|it| {
        let kept: Vec<&str> = it
            .split(',')
            .map(str::trim)
            .filter(|it| *it != "aws-chunked")
            .collect();
        kept.join(",")
    });
    About {
        content_type: text("content-type"),
        cache_control: text("cache-control"),
        content_disposition: text("content-disposition"),
        content_encoding: encoding.filter(|it| !it.is_empty()),
        content_language: text("content-language"),
        metadata,
        encryption: text("x-amz-server-side-encryption").map_or_else(
            Encryption::default,
            |algorithm| Encryption {
                algorithm,
                key: text("x-amz-server-side-encryption-aws-kms-key-id"),
                bucket_key: false,
            },
        ),
    }
}

/// Refuses storage classes other than the standard one, by name.
pub(super) fn storage_class(headers: &HeaderMap) -> Result<(), ServiceError> {
    match headers
        .get("x-amz-storage-class")
        .and_then(|it| it.to_str().ok())
    {
        None | Some("STANDARD") => Ok(()),
        Some(other) => Err(ServiceError::not_part(format!(
            "storage class {other} of service s3"
        ))),
    }
}

/// What was found for a GET or HEAD.
struct Found {
    object: state::Object,
    made: jiff::Timestamp,
    version: Option<String>,
}

fn find(service: &Service, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Found> {
    service
        .world
        .read(&service.region, |state, cx| {
            let bucket = state.s3.bucket(bucket, cx.region)?;
            let versions = bucket
                .objects
                .get(key)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let found = match version {
                None => versions
                    .last()
                    .filter(|it| it.object.is_some())
                    .ok_or_else(|| no_key(key))?,
                Some(id) => versions
                    .iter()
                    .find(|it| it.id == id)
                    .ok_or_else(no_version)?,
            };
            let object = found.object.clone().ok_or_else(|| {
                ServiceError::new(
                    405,
                    "MethodNotAllowed",
                    "The specified method is not allowed against this resource.",
                )
            })?;
            Ok(Found {
                object,
                made: found.made,
                version: bucket.versioning.is_some().then(|| found.id.clone()),
            })
        })
        .map_err(failed)
}

fn no_key(key: &str) -> ServiceError {
    ServiceError::new(404, "NoSuchKey", "The specified key does not exist.").with_member("Key", key)
}

fn no_version() -> ServiceError {
    ServiceError::new(
        404,
        "NoSuchVersion",
        "The specified version does not exist.",
    )
}

fn unchanged(
    found: &Found,
    if_match: Option<&IfMatch>,
    if_none_match: Option<&IfNoneMatch>,
) -> S3Result<()> {
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == found.object.etag,
    };
    if if_match.is_some_and(|condition| !is(condition)) {
        return Err(error(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        ));
    }
    if if_none_match.is_some_and(is) {
        return Err(error(304, "NotModified", "Not Modified"));
    }
    Ok(())
}

pub(super) fn get(service: &Service, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    if input.part_number.is_some()
        || input.if_modified_since.is_some()
        || input.if_unmodified_since.is_some()
    {
        return Err(failed(ServiceError::not_part(
            "a part number or a condition by time in operation GetObject of service s3",
        )));
    }
    let found = find(
        service,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    unchanged(
        &found,
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    let body = bodies::read(service.world.dir(), &found.object.body)
        .map_err(s3s::S3Error::internal_error)?;
    let (body, content_range) = match input.range {
        None => (body, None),
        Some(range) => {
            let part = range.check(found.object.size).map_err(|_| {
                error(
                    416,
                    "InvalidRange",
                    "The requested range is not satisfiable",
                )
            })?;
            let shown = format!(
                "bytes {}-{}/{}",
                part.start,
                part.end - 1,
                found.object.size
            );
            let bounds = |at: u64| usize::try_from(at).expect("a body in memory fits into usize");
            (
                body.slice(bounds(part.start)..bounds(part.end)),
                Some(shown),
            )
        }
    };
    let whole = content_range.is_none() && input.checksum_mode.is_some();
    let head = described(found, whole);
    Ok(GetObjectOutput {
        content_length: i64::try_from(body.len()).ok(),
        body: Some(StreamingBlob::from(s3s::Body::from(body))),
        accept_ranges: head.accept_ranges,
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        last_modified: head.last_modified,
        metadata: head.metadata,
        server_side_encryption: head.server_side_encryption,
        ssekms_key_id: head.ssekms_key_id,
        version_id: head.version_id,
        ..GetObjectOutput::default()
    })
}

pub(super) fn head(service: &Service, input: HeadObjectInput) -> S3Result<HeadObjectOutput> {
    if input.range.is_some() || input.part_number.is_some() {
        return Err(failed(ServiceError::not_part(
            "a range or a part number in operation HeadObject of service s3",
        )));
    }
    let found = find(
        service,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
    )?;
    unchanged(
        &found,
        input.if_match.as_ref(),
        input.if_none_match.as_ref(),
    )?;
    Ok(described(found, input.checksum_mode.is_some()))
}

fn described(found: Found, with_sum: bool) -> HeadObjectOutput {
    let Found {
        object,
        made,
        version,
    } = found;
    let sum = checks::fields(object.sum.as_ref().filter(|_| with_sum));
    let Checksum {
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
    } = sum;
    let about = object.about;
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(object.size).ok(),
        content_type: Some(
            about
                .content_type
                .unwrap_or_else(|| "binary/octet-stream".to_owned()),
        ),
        cache_control: about.cache_control,
        content_disposition: about.content_disposition,
        content_encoding: about.content_encoding,
        content_language: about.content_language,
        metadata: Some(about.metadata.into_iter().collect()),
        e_tag: Some(ETag::Strong(object.etag)),
        last_modified: Some(timestamp(made)),
        server_side_encryption: Some(about.encryption.algorithm.into()),
        ssekms_key_id: about.encryption.key,
        version_id: version,
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
        ..HeadObjectOutput::default()
    }
}

pub(super) fn copy(
    service: &Service,
    req: S3Request<CopyObjectInput>,
) -> S3Result<CopyObjectOutput> {
    let input = req.input;
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = &input.copy_source
    else {
        return Err(failed(ServiceError::not_part(
            "a copy source other than bucket/key of service s3",
        )));
    };
    let source = find(service, bucket, key, version_id.as_deref())?;
    let replace = input
        .metadata_directive
        .as_ref()
        .is_some_and(|it| it.as_str() == "REPLACE");
    if **bucket == *input.bucket && **key == *input.key && !replace {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(error(400, "InvalidRequest", message));
    }
    let body = bodies::read(service.world.dir(), &source.object.body)
        .map_err(s3s::S3Error::internal_error)?;
    let said = about(
        &req.headers,
        input.metadata.unwrap_or_default().into_iter().collect(),
    );
    let about = if replace {
        said
    } else {
        About {
            encryption: said.encryption,
            ..source.object.about
        }
    };
    let algorithm = source
        .object
        .sum
        .as_ref()
        .map_or("CRC64NVME", |sum| sum.algorithm.as_str());
    let stored = Stored {
        size: body.len(),
        etag: checks::md5_hex(&body),
        sum: Sum::of(algorithm, &body),
        parts: 0,
    };
    let put = store(
        service,
        &input.bucket,
        &input.key,
        &body,
        about,
        stored,
        false,
        None,
    )?;
    let Checksum {
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
    } = put.sum;
    Ok(CopyObjectOutput {
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
        copy_source_version_id: source.version,
        server_side_encryption: Some(put.encryption.algorithm.into()),
        ssekms_key_id: put.encryption.key,
        ..CopyObjectOutput::default()
    })
}

pub(super) fn delete(service: &Service, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let gone = remove(
        service,
        &input.bucket,
        &[(input.key.clone(), input.version_id.clone())],
    )
    .map_err(failed)?;
    let Some(gone) = gone.into_iter().next() else {
        return Ok(DeleteObjectOutput::default());
    };
    Ok(DeleteObjectOutput {
        delete_marker: gone.delete_marker,
        version_id: gone.delete_marker_version_id.or(gone.version_id),
        ..DeleteObjectOutput::default()
    })
}

pub(super) fn delete_many(
    service: &Service,
    input: DeleteObjectsInput,
) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(error(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let keys: Vec<(String, Option<String>)> = input
        .delete
        .objects
        .into_iter()
        .map(|it| (it.key, it.version_id))
        .collect();
    let gone = remove(service, &input.bucket, &keys).map_err(failed)?;
    let deleted = if input.delete.quiet == Some(true) {
        None
    } else {
        Some(gone)
    };
    Ok(DeleteObjectsOutput {
        deleted,
        ..DeleteObjectsOutput::default()
    })
}

fn remove(
    service: &Service,
    bucket: &str,
    keys: &[(String, Option<String>)],
) -> Result<Vec<DeletedObject>, ServiceError> {
    let (gone, unused) = service.world.with(&service.region, |state, cx| {
        let mut unused = Vec::new();
        let mut gone = Vec::new();
        for (key, version) in keys {
            let new_id = state.ids.hex(32);
            let bucket = state.s3.bucket_mut(bucket, cx.region)?;
            gone.push(remove_one(
                bucket,
                key,
                version.as_deref(),
                new_id,
                cx.now,
                &mut unused,
            ));
        }
        Ok((gone, unused))
    })?;
    bodies::remove(service.world.dir(), &unused);
    Ok(gone)
}

fn remove_one(
    bucket: &mut Bucket,
    key: &str,
    version: Option<&str>,
    new_id: String,
    now: jiff::Timestamp,
    unused: &mut Vec<String>,
) -> DeletedObject {
    let mut gone = DeletedObject {
        key: Some(key.to_owned()),
        ..DeletedObject::default()
    };
    match version {
        Some(id) => {
            let taken = bucket.take(key, id);
            gone.version_id = Some(id.to_owned());
            if taken.as_ref().is_some_and(|it| it.object.is_none()) {
                gone.delete_marker = Some(true);
                gone.delete_marker_version_id = Some(id.to_owned());
            }
            unused.extend(taken.and_then(|it| it.object).map(|object| object.body));
        }
        None if bucket.versioning.is_some() => {
            let (id, old) = bucket.put(key, now, None, new_id);
            unused.extend(old);
            gone.delete_marker = Some(true);
            gone.delete_marker_version_id = Some(id);
        }
        None => unused.extend(
            bucket
                .take(key, "null")
                .and_then(|it| it.object)
                .map(|object| object.body),
        ),
    }
    gone
}
