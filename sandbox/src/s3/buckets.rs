//! Buckets and their settings over the wire.
//! Must not know objects, except that a bucket with any cannot be deleted.

use s3s::S3Result;
use s3s::dto::*;

use super::service::{Service, error, failed, timestamp};
use super::state::{self, Encryption};
use crate::wire::ServiceError;
use crate::world::State;

/// The account as S3 names an owner: its canonical user id.
pub(super) fn owner() -> Owner {
    Owner {
        id: Some("0fd4a9a4b6a1c3d2e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c".to_owned()),
        display_name: None,
    }
}

/// Names that somebody else has had for years, as everywhere in AWS.
const TAKEN: [&str; 4] = ["bucket", "my-bucket", "test-bucket", "mybucket"];

/// Makes a bucket in a region.
pub(super) fn make(state: &mut State, name: &str, region: &str, now: jiff::Timestamp) -> Result<(), ServiceError> {
    valid_name(name)?;
    if TAKEN.contains(&name) {
        let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
        return Err(ServiceError::new(409, "BucketAlreadyExists", message).with_member("BucketName", name));
    }
    if state.s3.buckets.contains_key(name) {
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(ServiceError::new(409, "BucketAlreadyOwnedByYou", message).with_member("BucketName", name));
    }
    state.s3.buckets.insert(name.to_owned(), state::Bucket::new(region, now));
    Ok(())
}

/// AWS docs, "General purpose bucket naming rules".
fn valid_name(name: &str) -> Result<(), ServiceError> {
    let allowed = name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.');
    let ends = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let bytes = name.as_bytes();
    let bounds = bytes.first().copied().is_some_and(ends) && bytes.last().copied().is_some_and(ends);
    let address = name.split('.').count() == 4 && name.split('.').all(|it| it.parse::<u8>().is_ok());
    let reserved = name.starts_with("xn--")
        || name.starts_with("sthree-")
        || name.ends_with("-s3alias")
        || name.ends_with("--ol-s3");
    if (3..=63).contains(&name.len()) && allowed && bounds && !name.contains("..") && !address && !reserved {
        Ok(())
    } else {
        Err(ServiceError::new(400, "InvalidBucketName", "The specified bucket is not valid.")
            .with_member("BucketName", name))
    }
}

/// Deletes a bucket that holds nothing.
pub(super) fn unmake(state: &mut State, name: &str, region: &str) -> Result<(), ServiceError> {
    let bucket = state.s3.bucket(name, region)?;
    if !bucket.objects.is_empty() {
        let hint = if bucket.versioning.is_some() { ". You must delete all versions in the bucket." } else { "" };
        let message = format!("The bucket you tried to delete is not empty{hint}");
        return Err(ServiceError::new(409, "BucketNotEmpty", message).with_member("BucketName", name));
    }
    state.s3.buckets.remove(name);
    Ok(())
}

pub(super) fn create(service: &Service, input: CreateBucketInput) -> S3Result<CreateBucketOutput> {
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(failed(ServiceError::not_part("object lock in operation CreateBucket of service s3")));
    }
    let asked = input.create_bucket_configuration.and_then(|it| it.location_constraint);
    let asked = asked.as_ref().map(BucketLocationConstraint::as_str).unwrap_or("us-east-1");
    if asked != service.region {
        let shown = if asked == "us-east-1" { "unspecified" } else { asked };
        let message = format!(
            "The {shown} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        return Err(error(400, "IllegalLocationConstraintException", &message));
    }
    let made = service.world.with(&service.region, |state, cx| {
        make(state, &input.bucket, cx.region, cx.now)?;
        let bucket = state.s3.bucket_mut(&input.bucket, cx.region)?;
        if let Some(ownership) = &input.object_ownership {
            bucket.ownership = Some(ownership.as_str().to_owned());
        }
        Ok(())
    });
    match made {
        // us-east-1 alone answers the owner of the bucket as if it had made it (AWS API reference, CreateBucket).
        Err(ServiceError { code, .. }) if code == "BucketAlreadyOwnedByYou" && service.region == "us-east-1" => {}
        other => other.map_err(failed)?,
    }
    Ok(CreateBucketOutput { location: Some(format!("{}/{}", service.world.endpoint(), input.bucket)) })
}

pub(super) fn delete(service: &Service, input: &DeleteBucketInput) -> S3Result<DeleteBucketOutput> {
    service.world.with(&service.region, |state, cx| unmake(state, &input.bucket, cx.region)).map_err(failed)?;
    Ok(DeleteBucketOutput {})
}

pub(super) fn head(service: &Service, input: &HeadBucketInput) -> S3Result<HeadBucketOutput> {
    look(service, &input.bucket, |bucket| {
        Ok(HeadBucketOutput { bucket_region: Some(bucket.region.clone()), ..HeadBucketOutput::default() })
    })
}

pub(super) fn list(service: &Service, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
    if input.max_buckets.is_some() || input.continuation_token.is_some() {
        return Err(failed(ServiceError::not_part("pages in operation ListBuckets of service s3")));
    }
    let prefix = input.prefix.clone().unwrap_or_default();
    let buckets: Vec<Bucket> = service.world.read(&service.region, |state, _| {
        let wanted = |name: &str, region: &str| {
            name.starts_with(&prefix) && input.bucket_region.as_ref().is_none_or(|it| it == region)
        };
        let found = state.s3.buckets.iter().filter(|(name, bucket)| wanted(name, &bucket.region));
        // The region is told only to those who page or filter (AWS API reference, ListBuckets).
        let paged = input.prefix.is_some() || input.bucket_region.is_some();
        found
            .map(|(name, bucket)| Bucket {
                name: Some(name.clone()),
                creation_date: Some(timestamp(bucket.created)),
                bucket_region: paged.then(|| bucket.region.clone()),
            })
            .collect()
    });
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        owner: Some(owner()),
        prefix: input.prefix,
        ..ListBucketsOutput::default()
    })
}

/// Reads a bucket.
pub(super) fn look<T>(
    service: &Service,
    name: &str,
    look: impl FnOnce(&state::Bucket) -> Result<T, ServiceError>,
) -> S3Result<T> {
    service.world.read(&service.region, |state, cx| look(state.s3.bucket(name, cx.region)?)).map_err(failed)
}

/// Changes a bucket.
pub(super) fn change(service: &Service, name: &str, change: impl FnOnce(&mut state::Bucket)) -> S3Result<()> {
    service
        .world
        .with(&service.region, |state, cx| {
            change(state.s3.bucket_mut(name, cx.region)?);
            Ok(())
        })
        .map_err(failed)
}

pub(super) fn location(service: &Service, input: &GetBucketLocationInput) -> S3Result<GetBucketLocationOutput> {
    look(service, &input.bucket, |bucket| {
        let named = (bucket.region != "us-east-1").then(|| bucket.region.clone().into());
        Ok(GetBucketLocationOutput { location_constraint: named })
    })
}

pub(super) fn put_encryption(
    service: &Service,
    input: PutBucketEncryptionInput,
) -> S3Result<PutBucketEncryptionOutput> {
    let rule = input.server_side_encryption_configuration.rules.into_iter().next();
    let rule =
        rule.and_then(|rule| rule.apply_server_side_encryption_by_default.map(|by| (by, rule.bucket_key_enabled)));
    let Some((by, bucket_key)) = rule else {
        return Err(error(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    };
    let encryption = Encryption {
        algorithm: by.sse_algorithm.as_str().to_owned(),
        key: by.kms_master_key_id,
        bucket_key: bucket_key.unwrap_or(false),
    };
    change(service, &input.bucket, |bucket| bucket.encryption = encryption)?;
    Ok(PutBucketEncryptionOutput {})
}

pub(super) fn get_encryption(
    service: &Service,
    input: &GetBucketEncryptionInput,
) -> S3Result<GetBucketEncryptionOutput> {
    look(service, &input.bucket, |bucket| {
        let by = ServerSideEncryptionByDefault {
            sse_algorithm: bucket.encryption.algorithm.clone().into(),
            kms_master_key_id: bucket.encryption.key.clone(),
        };
        let rule = ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by),
            bucket_key_enabled: Some(bucket.encryption.bucket_key),
        };
        Ok(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration { rules: vec![rule] }),
        })
    })
}

pub(super) fn put_access_block(
    service: &Service,
    input: &PutPublicAccessBlockInput,
) -> S3Result<PutPublicAccessBlockOutput> {
    let block = &input.public_access_block_configuration;
    let flags =
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets];
    change(service, &input.bucket, |bucket| bucket.public_access = Some(flags.map(|it| it.unwrap_or(false))))?;
    Ok(PutPublicAccessBlockOutput {})
}

pub(super) fn get_access_block(
    service: &Service,
    input: &GetPublicAccessBlockInput,
) -> S3Result<GetPublicAccessBlockOutput> {
    look(service, &input.bucket, |bucket| {
        let missing = || {
            ServiceError::new(
                404,
                "NoSuchPublicAccessBlockConfiguration",
                "The public access block configuration was not found",
            )
        };
        let [block_acls, ignore_acls, block_policy, restrict] = bucket.public_access.ok_or_else(missing)?;
        let block = PublicAccessBlockConfiguration {
            block_public_acls: Some(block_acls),
            ignore_public_acls: Some(ignore_acls),
            block_public_policy: Some(block_policy),
            restrict_public_buckets: Some(restrict),
        };
        Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(block) })
    })
}

pub(super) fn get_tagging(service: &Service, input: &GetBucketTaggingInput) -> S3Result<GetBucketTaggingOutput> {
    look(service, &input.bucket, |bucket| {
        if bucket.tags.is_empty() {
            return Err(ServiceError::new(404, "NoSuchTagSet", "The TagSet does not exist"));
        }
        let tag_set =
            bucket.tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect();
        Ok(GetBucketTaggingOutput { tag_set })
    })
}

pub(super) fn get_ownership(
    service: &Service,
    input: &GetBucketOwnershipControlsInput,
) -> S3Result<GetBucketOwnershipControlsOutput> {
    look(service, &input.bucket, |bucket| {
        let missing =
            || ServiceError::new(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found");
        let rule = OwnershipControlsRule { object_ownership: bucket.ownership.clone().ok_or_else(missing)?.into() };
        Ok(GetBucketOwnershipControlsOutput { ownership_controls: Some(OwnershipControls { rules: vec![rule] }) })
    })
}

/// A policy must be a JSON object with statements that speak of this bucket.
pub(super) fn valid_policy(bucket: &str, policy: &str) -> Result<(), ServiceError> {
    let malformed = |message: &str| ServiceError::new(400, "MalformedPolicy", message);
    let value: serde_json::Value = serde_json::from_str(policy)
        .map_err(|_| malformed("Policies must be valid JSON and the first byte must be '{'"))?;
    let statements = match value.get("Statement") {
        Some(serde_json::Value::Array(list)) => list.clone(),
        Some(one @ serde_json::Value::Object(_)) => vec![one.clone()],
        _ => return Err(malformed("Missing required field Statement")),
    };
    let arn = format!("arn:aws:s3:::{bucket}");
    for statement in &statements {
        for (field, other) in
            [("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource"), ("Effect", "Effect")]
        {
            if statement.get(field).is_none() && statement.get(other).is_none() {
                return Err(malformed(&format!("Missing required field {field}")));
            }
        }
        let resources = match statement.get("Resource") {
            Some(serde_json::Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let fits = |it: &serde_json::Value| {
            it.as_str().is_some_and(|it| {
                it == "*" || it == arn || it.starts_with(&format!("{arn}/")) || it == format!("{arn}*")
            })
        };
        if !resources.iter().all(fits) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    Ok(())
}
