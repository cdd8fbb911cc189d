//! Objects are deleted, one or many.
//! Must not know the bytes, except that files which nothing names any more are removed.

use s3s::S3Result;
use s3s::dto::*;

use super::bodies;
use super::service::{Service, error, failed};
use super::state::Bucket;
use crate::wire::ServiceError;

pub(super) fn delete(service: &Service, input: &DeleteObjectInput) -> S3Result<DeleteObjectOutput> {
    let gone = remove(service, &input.bucket, &[(input.key.clone(), input.version_id.clone())]).map_err(failed)?;
    let Some(gone) = gone.into_iter().next() else {
        return Ok(DeleteObjectOutput::default());
    };
    Ok(DeleteObjectOutput {
        delete_marker: gone.delete_marker,
        version_id: gone.delete_marker_version_id.or(gone.version_id),
        ..DeleteObjectOutput::default()
    })
}

pub(super) fn delete_many(service: &Service, input: DeleteObjectsInput) -> S3Result<DeleteObjectsOutput> {
    if input.delete.objects.is_empty() || input.delete.objects.len() > 1000 {
        return Err(error(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let keys: Vec<(String, Option<String>)> =
        input.delete.objects.into_iter().map(|it| (it.key, it.version_id)).collect();
    let gone = remove(service, &input.bucket, &keys).map_err(failed)?;
    let deleted = if input.delete.quiet == Some(true) { None } else { Some(gone) };
    Ok(DeleteObjectsOutput { deleted, ..DeleteObjectsOutput::default() })
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
            gone.push(remove_one(bucket, key, version.as_deref(), new_id, cx.now, &mut unused));
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
    let mut gone = DeletedObject { key: Some(key.to_owned()), ..DeletedObject::default() };
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
        None => unused.extend(bucket.take(key, "null").and_then(|it| it.object).map(|object| object.body)),
    }
    gone
}
