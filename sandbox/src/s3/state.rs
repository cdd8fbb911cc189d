//! What S3 holds, and the questions others ask of it.
//! Must not know HTTP, nor where the bytes of an object lie beyond the name of its file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checks::Sum;
use crate::wire::ServiceError;
use crate::world;

/// What S3 holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Buckets of the account, by name.
    pub buckets: BTreeMap<String, Bucket>,
}

/// A bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Where it is.
    pub region: String,
    /// When it was made.
    pub created: Timestamp,
    /// `Enabled` or `Suspended`; `None` if versioning was never on.
    pub versioning: Option<String>,
    /// Default encryption.
    pub encryption: Encryption,
    /// BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets; `None` when the configuration was deleted.
    pub public_access: Option<[bool; 4]>,
    /// The bucket policy as it was put.
    pub policy: Option<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Object ownership; `None` when the configuration was deleted.
    pub ownership: Option<String>,
    /// Versions of each key, oldest first.
    pub objects: BTreeMap<String, Vec<Version>>,
    /// Multipart uploads under way, by upload id.
    pub uploads: BTreeMap<String, Upload>,
}

/// Default encryption of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key.
    pub key: Option<String>,
    /// S3 bucket keys.
    pub bucket_key: bool,
}

impl Default for Encryption {
    /// What S3 gives every new bucket since January 2023 (AWS docs).
    fn default() -> Encryption {
        Encryption { algorithm: "AES256".to_owned(), key: None, bucket_key: false }
    }
}

/// A version of a key: an object or a delete marker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The version id; `null` when it was made without versioning.
    pub id: String,
    /// When it was made.
    pub made: Timestamp,
    /// The object; `None` is a delete marker.
    pub object: Option<Object>,
}

/// An object's description; its bytes are in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The name of the file with the bytes, below `s3/` in the world.
    pub body: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// The checksum that S3 keeps.
    pub(super) sum: Option<Sum>,
    /// What its maker said of it.
    pub about: About,
    /// Parts of the multipart upload it came from; 0 if it came whole.
    pub parts: usize,
}

/// What the maker of an object says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding` without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// User metadata by name without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// Server-side encryption of this object: algorithm and key.
    pub encryption: Encryption,
}

/// A multipart upload under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The key to be made.
    pub key: String,
    /// When it was begun.
    pub started: Timestamp,
    /// What the object will be.
    pub about: About,
    /// The checksum algorithm asked for.
    pub algorithm: Option<String>,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub sum_kind: String,
    /// Parts by number.
    pub parts: BTreeMap<i32, Part>,
}

/// A part that was uploaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The file with its bytes.
    pub body: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Its checksum.
    pub(super) sum: Option<Sum>,
    /// When it was uploaded.
    pub made: Timestamp,
}

/// Whether this bucket is there.
pub fn bucket_exists(state: &world::State, bucket: &str) -> bool {
    state.s3.buckets.contains_key(bucket)
}

/// Whether this bucket has an object of this key now.
pub fn object_exists(state: &world::State, bucket: &str, key: &str) -> bool {
    current(&state.s3, bucket, key).is_some()
}

/// The object that a plain GET of this key gives.
pub fn current<'a>(state: &'a State, bucket: &str, key: &str) -> Option<&'a Object> {
    state.buckets.get(bucket)?.objects.get(key)?.last()?.object.as_ref()
}

impl State {
    /// The bucket, for a caller in this region.
    pub(super) fn bucket(&self, name: &str, region: &str) -> Result<&Bucket, ServiceError> {
        let bucket = self.buckets.get(name).ok_or_else(|| no_bucket(name))?;
        if bucket.region == region { Ok(bucket) } else { Err(elsewhere(bucket, region)) }
    }

    /// The same, to change it.
    pub(super) fn bucket_mut(&mut self, name: &str, region: &str) -> Result<&mut Bucket, ServiceError> {
        let bucket = self.buckets.get_mut(name).ok_or_else(|| no_bucket(name))?;
        if bucket.region == region { Ok(bucket) } else { Err(elsewhere(bucket, region)) }
    }
}

impl Bucket {
    pub(super) fn new(region: &str, created: Timestamp) -> Bucket {
        Bucket {
            region: region.to_owned(),
            created,
            versioning: None,
            encryption: Encryption::default(),
            public_access: Some([true; 4]),
            policy: None,
            tags: Vec::new(),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// Adds a version of a key by the rules of the bucket's versioning. Gives its id, and the files that nothing needs any more.
    pub(super) fn put(
        &mut self,
        key: &str,
        made: Timestamp,
        object: Option<Object>,
        new_id: String,
    ) -> (String, Vec<String>) {
        let versions = self.objects.entry(key.to_owned()).or_default();
        let mut unused = Vec::new();
        let id = if self.versioning.as_deref() == Some("Enabled") {
            new_id
        } else {
            let (null, kept) = std::mem::take(versions).into_iter().partition(|version| version.id == "null");
            *versions = kept;
            let null: Vec<Version> = null;
            unused.extend(null.into_iter().filter_map(|version| version.object).map(|object| object.body));
            "null".to_owned()
        };
        versions.push(Version { id: id.clone(), made, object });
        (id, unused)
    }

    /// Takes a version away. Gives it, if it was there.
    pub(super) fn take(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let place = versions.iter().position(|version| version.id == id)?;
        let version = versions.remove(place);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(version)
    }
}

pub(super) fn no_bucket(name: &str) -> ServiceError {
    ServiceError::new(404, "NoSuchBucket", "The specified bucket does not exist").with_member("BucketName", name)
}

/// S3 names the right region in a header, too; `service` adds it from this member.
fn elsewhere(bucket: &Bucket, region: &str) -> ServiceError {
    let message =
        format!("The authorization header is malformed; the region '{region}' is wrong; expecting '{}'", bucket.region);
    ServiceError::new(400, "AuthorizationHeaderMalformed", message).with_member("Region", bucket.region.clone())
}
