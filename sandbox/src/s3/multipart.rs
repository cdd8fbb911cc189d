//! Multipart uploads.
//! Must not know how a finished object is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::dto::*;
use s3s::{S3Request, S3Result};

use super::bodies;
use super::checks::{self, Sum};
use super::objects::{self, Stored};
use super::service::{Service, error, failed, timestamp};
use super::state;
use crate::wire::ServiceError;

/// AWS: every part but the last has at least 5 MiB.
const LEAST_PART: u64 = 5 * 1024 * 1024;

pub(super) fn create(
    service: &Service,
    req: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let input = req.input;
    // Here the header names the algorithm of the parts to come.
    let algorithm = input.checksum_algorithm.as_ref().map(|it| it.as_str().to_owned());
    let text = |name: &str| req.headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let algorithm = algorithm.or_else(|| text("x-amz-checksum-algorithm"));
    let kind = sum_kind(algorithm.as_deref(), text("x-amz-checksum-type")).map_err(failed)?;
    objects::storage_class(&req.headers).map_err(failed)?;
    let about = objects::about(&req.headers, input.metadata.unwrap_or_default().into_iter().collect());
    let (id, encryption) = service
        .world
        .with(&service.region, |state, cx| {
            let id = state.ids.hex(64);
            let bucket = state.s3.bucket_mut(&input.bucket, cx.region)?;
            let upload = state::Upload {
                key: input.key.clone(),
                started: cx.now,
                about: about.clone(),
                algorithm: algorithm.clone(),
                sum_kind: kind.clone(),
                parts: Default::default(),
            };
            bucket.uploads.insert(id.clone(), upload);
            Ok((id, bucket.encryption.clone()))
        })
        .map_err(failed)?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: algorithm.clone().map(Into::into),
        checksum_type: algorithm.map(|_| kind.into()),
        server_side_encryption: Some(encryption.algorithm.into()),
        ..CreateMultipartUploadOutput::default()
    })
}

/// AWS docs: CRC64NVME is always of the full object, SHA only composite, CRC32 and CRC32C composite unless asked otherwise.
fn sum_kind(algorithm: Option<&str>, asked: Option<String>) -> Result<String, ServiceError> {
    let usual = match algorithm {
        None | Some("CRC64NVME") => "FULL_OBJECT",
        Some(_) => "COMPOSITE",
    };
    let possible = match algorithm {
        None | Some("CRC64NVME") => vec!["FULL_OBJECT"],
        Some("SHA1" | "SHA256") => vec!["COMPOSITE"],
        Some(_) => vec!["COMPOSITE", "FULL_OBJECT"],
    };
    let kind = asked.unwrap_or_else(|| usual.to_owned());
    if possible.contains(&kind.as_str()) {
        Ok(kind)
    } else {
        let algorithm = algorithm.unwrap_or("CRC64NVME").to_lowercase();
        Err(ServiceError::new(
            400,
            "InvalidRequest",
            format!("The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."),
        ))
    }
}

pub(super) async fn upload(service: &Service, mut req: S3Request<UploadPartInput>) -> S3Result<UploadPartOutput> {
    let body = objects::collect(req.input.body.take()).await?;
    let trailers = req.trailing_headers.as_ref().and_then(s3s::TrailingHeaders::take);
    let mut sum = checks::verify(&body, &req.headers, trailers.as_ref()).map_err(failed)?;
    let input = req.input;
    if !(1..=10_000).contains(&input.part_number) {
        return Err(error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive"));
    }
    let etag = checks::md5_hex(&body);
    let name = bodies::write(service.world.dir(), &body).map_err(s3s::S3Error::internal_error)?;
    let replaced = service.world.with(&service.region, |state, cx| {
        let upload = upload_mut(state, cx.region, &input.bucket, &input.key, &input.upload_id)?;
        if let Some(algorithm) = upload.algorithm.as_deref().filter(|it| *it != sum.algorithm) {
            sum = Sum::of(algorithm, &body);
        }
        let part = state::Part {
            body: name.clone(),
            size: body.len() as u64,
            etag: etag.clone(),
            sum: Some(sum.clone()),
            made: cx.now,
        };
        Ok(upload.parts.insert(input.part_number, part).map(|old| old.body))
    });
    let unused = match &replaced {
        Ok(old) => old.iter().cloned().collect(),
        Err(_) => vec![name],
    };
    bodies::remove(service.world.dir(), &unused);
    replaced.map_err(failed)?;
    Ok(uploaded(etag, &sum))
}

fn uploaded(etag: String, sum: &Sum) -> UploadPartOutput {
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
        checks::fields(Some(sum));
    UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        ..UploadPartOutput::default()
    }
}

fn upload_mut<'a>(
    state: &'a mut crate::world::State,
    region: &str,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<&'a mut state::Upload, ServiceError> {
    let upload = state.s3.bucket_mut(bucket, region)?.uploads.get_mut(id);
    upload.filter(|upload| upload.key == key).ok_or_else(no_upload)
}

fn no_upload() -> ServiceError {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    ServiceError::new(404, "NoSuchUpload", message)
}

pub(super) fn complete(
    service: &Service,
    mut input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let upload = find(service, &input.bucket, &input.key, &input.upload_id)?;
    let asked = input.multipart_upload.take();
    let asked = asked.and_then(|it| it.parts).unwrap_or_default();
    let chosen = choose(&upload, &asked).map_err(failed)?;
    let (body, etag) = assemble(service, &chosen)?;
    let sum = whole_sum(&upload, &chosen, &body);
    agree(&input, &sum)?;
    let stored = Stored { size: body.len(), etag, sum, parts: chosen.len() };
    let put = objects::store(
        service,
        &input.bucket,
        &input.key,
        &body,
        upload.about.clone(),
        stored,
        input.if_none_match.is_some(),
        input.if_match.as_ref(),
    )?;
    discard(service, &input.bucket, &input.upload_id);
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, checksum_type } =
        put.sum;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!("{}/{}/{}", service.world.endpoint(), input.bucket, input.key)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(ETag::Strong(put.etag)),
        version_id: put.version,
        server_side_encryption: Some(put.encryption.algorithm.into()),
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
        checksum_type,
        ..CompleteMultipartUploadOutput::default()
    })
}

/// The bytes of the parts one after another, and the ETag of the whole.
fn assemble(service: &Service, chosen: &[state::Part]) -> S3Result<(Vec<u8>, String)> {
    let mut body = Vec::new();
    for part in chosen {
        body.extend_from_slice(&bodies::read(service.world.dir(), &part.body).map_err(s3s::S3Error::internal_error)?);
    }
    let digests: Vec<u8> = chosen.iter().filter_map(|part| hex::decode(&part.etag).ok()).flatten().collect();
    let etag = format!("{}-{}", checks::md5_hex(&digests), chosen.len());
    Ok((body, etag))
}

/// The checksum that the client sends for the whole must be the one of the whole.
fn agree(input: &CompleteMultipartUploadInput, sum: &Sum) -> S3Result<()> {
    let sent = [
        &input.checksum_crc64nvme,
        &input.checksum_crc32,
        &input.checksum_crc32c,
        &input.checksum_sha256,
        &input.checksum_sha1,
    ];
    for (algorithm, value) in checks::ALGORITHMS.into_iter().zip(sent) {
        if value.as_ref().is_some_and(|value| algorithm != sum.algorithm || *value != sum.value) {
            return Err(error(
                400,
                "BadDigest",
                &format!("The {algorithm} you specified did not match the calculated checksum."),
            ));
        }
    }
    Ok(())
}

fn find(service: &Service, bucket: &str, key: &str, id: &str) -> S3Result<state::Upload> {
    service
        .world
        .read(&service.region, |state, cx| {
            let upload = state.s3.bucket(bucket, cx.region)?.uploads.get(id);
            upload.filter(|upload| upload.key == key).cloned().ok_or_else(no_upload)
        })
        .map_err(failed)
}

/// The parts that the client names, in its order, each as it was uploaded.
fn choose(upload: &state::Upload, asked: &[CompletedPart]) -> Result<Vec<state::Part>, ServiceError> {
    let invalid = || {
        let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
        ServiceError::new(400, "InvalidPart", message)
    };
    if asked.is_empty() {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        return Err(ServiceError::new(400, "MalformedXML", message));
    }
    let mut before = 0;
    let mut chosen = Vec::new();
    for (index, part) in asked.iter().enumerate() {
        let number = part.part_number.unwrap_or_default();
        if number <= before {
            return Err(ServiceError::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        before = number;
        let found = upload.parts.get(&number).ok_or_else(invalid)?;
        if part.e_tag.as_ref().is_none_or(|etag| etag.value() != found.etag) {
            return Err(invalid());
        }
        if found.size < LEAST_PART && index + 1 < asked.len() {
            return Err(ServiceError::new(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            ));
        }
        chosen.push(found.clone());
    }
    Ok(chosen)
}

fn whole_sum(upload: &state::Upload, parts: &[state::Part], body: &[u8]) -> Sum {
    let algorithm = upload.algorithm.as_deref().unwrap_or("CRC64NVME");
    if upload.sum_kind == "FULL_OBJECT" {
        return Sum::of(algorithm, body);
    }
    let values: Vec<&str> = parts.iter().filter_map(|part| part.sum.as_ref()).map(|sum| sum.value.as_str()).collect();
    debug_assert!(values.iter().all(|value| STANDARD.decode(value).is_ok()), "part checksums are base64");
    Sum { algorithm: algorithm.to_owned(), value: checks::composite(algorithm, &values), kind: "COMPOSITE".to_owned() }
}

/// Forgets an upload and its parts' files.
fn discard(service: &Service, bucket: &str, id: &str) -> bool {
    let upload = service
        .world
        .with(&service.region, |state, _| state.s3.buckets.get_mut(bucket).and_then(|it| it.uploads.remove(id)));
    let found = upload.is_some();
    let files: Vec<String> = upload.into_iter().flat_map(|it| it.parts.into_values()).map(|part| part.body).collect();
    bodies::remove(service.world.dir(), &files);
    found
}

pub(super) fn abort(service: &Service, input: &AbortMultipartUploadInput) -> S3Result<AbortMultipartUploadOutput> {
    find(service, &input.bucket, &input.key, &input.upload_id)?;
    discard(service, &input.bucket, &input.upload_id);
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) fn parts(service: &Service, input: ListPartsInput) -> S3Result<ListPartsOutput> {
    let upload = find(service, &input.bucket, &input.key, &input.upload_id)?;
    let after = input.part_number_marker.unwrap_or(0);
    let most = usize::try_from(input.max_parts.unwrap_or(1000).clamp(0, 1000)).expect("at least 0");
    let behind: Vec<(i32, &state::Part)> =
        upload.parts.iter().map(|(number, part)| (*number, part)).filter(|(number, _)| *number > after).collect();
    let listed: Vec<Part> = behind.iter().take(most).map(|(number, part)| described(*number, part)).collect();
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        part_number_marker: Some(after),
        next_part_number_marker: listed.last().and_then(|part| part.part_number),
        max_parts: i32::try_from(most).ok(),
        is_truncated: Some(behind.len() > most),
        parts: (!listed.is_empty()).then_some(listed),
        owner: Some(super::buckets::owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        checksum_algorithm: upload.algorithm.clone().map(Into::into),
        checksum_type: upload.algorithm.map(|_| upload.sum_kind.into()),
        ..ListPartsOutput::default()
    })
}

fn described(number: i32, part: &state::Part) -> Part {
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
        checks::fields(part.sum.as_ref());
    Part {
        part_number: Some(number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(timestamp(part.made)),
        checksum_crc32,
        checksum_crc32c,
        checksum_crc64nvme,
        checksum_sha1,
        checksum_sha256,
    }
}

pub(super) fn uploads(service: &Service, input: ListMultipartUploadsInput) -> S3Result<ListMultipartUploadsOutput> {
    if input.delimiter.is_some() || input.key_marker.is_some() {
        return Err(failed(ServiceError::not_part(
            "delimiters and markers in operation ListMultipartUploads of service s3",
        )));
    }
    let prefix = input.prefix.clone().unwrap_or_default();
    let mut uploads = service
        .world
        .read(&service.region, |state, cx| Ok(state.s3.bucket(&input.bucket, cx.region)?.uploads.clone()))
        .map_err(failed)?;
    uploads.retain(|_, upload| upload.key.starts_with(&prefix));
    let mut listed: Vec<MultipartUpload> = uploads
        .into_iter()
        .map(|(id, upload)| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(id),
            initiated: Some(timestamp(upload.started)),
            owner: Some(super::buckets::owner()),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            checksum_algorithm: upload.algorithm.clone().map(Into::into),
            checksum_type: upload.algorithm.map(|_| upload.sum_kind.into()),
            initiator: None,
        })
        .collect();
    listed.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(prefix),
        max_uploads: Some(1000),
        is_truncated: Some(false),
        uploads: (!listed.is_empty()).then_some(listed),
        ..ListMultipartUploadsOutput::default()
    })
}
