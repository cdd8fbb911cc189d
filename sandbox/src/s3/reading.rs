//! Objects are read: get and head.
//! Must not change anything.

use bytes::Bytes;
use s3s::S3Result;
use s3s::dto::*;

use super::service::{Service, error, failed, timestamp};
use super::state::{self, State};
use super::{bodies, checks};
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

/// What was found for a GET or HEAD.
pub(super) struct Found {
    pub(super) object: state::Object,
    pub(super) made: jiff::Timestamp,
    pub(super) version: Option<String>,
}

pub(super) fn find(service: &Service, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Found> {
    service
        .world
        .read(&service.region, |state, cx| {
            let bucket = state.s3.bucket(bucket, cx.region)?;
            let versions = bucket.objects.get(key).map(Vec::as_slice).unwrap_or_default();
            let found = match version {
                None => versions.last().filter(|it| it.object.is_some()).ok_or_else(|| no_key(key))?,
                Some(id) => versions.iter().find(|it| it.id == id).ok_or_else(no_version)?,
            };
            let object = found.object.clone().ok_or_else(|| {
                ServiceError::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            })?;
            Ok(Found { object, made: found.made, version: bucket.versioning.is_some().then(|| found.id.clone()) })
        })
        .map_err(failed)
}

fn no_key(key: &str) -> ServiceError {
    ServiceError::new(404, "NoSuchKey", "The specified key does not exist.").with_member("Key", key)
}

fn no_version() -> ServiceError {
    ServiceError::new(404, "NoSuchVersion", "The specified version does not exist.")
}

fn unchanged(found: &Found, if_match: Option<&IfMatch>, if_none_match: Option<&IfNoneMatch>) -> S3Result<()> {
    let is = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == found.object.etag,
    };
    if if_match.is_some_and(|condition| !is(condition)) {
        return Err(error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"));
    }
    if if_none_match.is_some_and(is) {
        return Err(error(304, "NotModified", "Not Modified"));
    }
    Ok(())
}

pub(super) fn get(service: &Service, input: GetObjectInput) -> S3Result<GetObjectOutput> {
    if input.part_number.is_some() || input.if_modified_since.is_some() || input.if_unmodified_since.is_some() {
        return Err(failed(ServiceError::not_part(
            "a part number or a condition by time in operation GetObject of service s3",
        )));
    }
    let found = find(service, &input.bucket, &input.key, input.version_id.as_deref())?;
    unchanged(&found, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let body = bodies::read(service.world.dir(), &found.object.body).map_err(s3s::S3Error::internal_error)?;
    let (body, content_range) = part_of(body, input.range)?;
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
        return Err(failed(ServiceError::not_part("a range or a part number in operation HeadObject of service s3")));
    }
    let found = find(service, &input.bucket, &input.key, input.version_id.as_deref())?;
    unchanged(&found, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    Ok(described(found, input.checksum_mode.is_some()))
}

fn described(found: Found, with_sum: bool) -> HeadObjectOutput {
    let Found { object, made, version } = found;
    let sum = checks::fields(object.sum.as_ref().filter(|_| with_sum));
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, checksum_type } =
        sum;
    let about = object.about;
    HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        content_length: i64::try_from(object.size).ok(),
        content_type: Some(about.content_type.unwrap_or_else(|| "binary/octet-stream".to_owned())),
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

/// The part of the body that a range asks for, with the header that says which.
fn part_of(body: Bytes, range: Option<Range>) -> S3Result<(Bytes, Option<String>)> {
    let Some(range) = range else {
        return Ok((body, None));
    };
    let size = body.len() as u64;
    let part = range.check(size).map_err(|_| error(416, "InvalidRange", "The requested range is not satisfiable"))?;
    let shown = format!("bytes {}-{}/{size}", part.start, part.end - 1);
    let at = |place: u64| usize::try_from(place).expect("a body in memory fits into usize");
    Ok((body.slice(at(part.start)..at(part.end)), Some(shown)))
}
