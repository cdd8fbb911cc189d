//! Buckets and bucket policies as CloudFormation resources.
//! Must not know stacks; properties come resolved, and a property that is not listed here is refused by name.

use serde_json::{Map, Value, json};

use super::buckets;
use super::state::{self, Encryption};
use crate::cfn_resource::{Created, Given, Made, Readiness, Tags};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// Makes the bucket of an `AWS::S3::Bucket`.
///
/// # Errors
/// S3's own, as for an existing name.
pub fn create_bucket(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let name = match text(properties, "BucketName") {
        Some(name) => name,
        None => format!("bucket-{}", state.ids.suffix(12)),
    };
    let settings = settings(properties, tags)?;
    buckets::make(state, &name, cx.region, cx.now)?;
    settings.apply(state.s3.bucket_mut(&name, cx.region)?);
    Ok(made(&name, cx.region))
}

/// Changes the settings of a bucket; its name cannot change.
///
/// # Errors
/// `NoSuchBucket`, and properties that the sandbox does not have.
pub fn update_bucket(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let settings = settings(properties, tags)?;
    settings.apply(state.s3.bucket_mut(id, cx.region)?);
    Ok(made(id, cx.region))
}

/// Deletes a bucket; one that is gone already is no error.
///
/// # Errors
/// `BucketNotEmpty`.
pub fn delete_bucket(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    if super::bucket_exists(state, id) { buckets::unmake(state, id, cx.region) } else { Ok(()) }
}

/// A bucket is ready as soon as it is there.
pub fn ready_bucket(state: &State, cx: &Moment<'_>, id: &str) -> Readiness {
    if super::bucket_exists(state, id) {
        Readiness::Ready(made(id, cx.region).attributes)
    } else {
        Readiness::Failed(format!("The bucket {id} does not exist"))
    }
}

/// Puts the policy of an `AWS::S3::BucketPolicy`; its id is the bucket's name.
///
/// # Errors
/// `NoSuchBucket`, `MalformedPolicy`.
pub fn create_bucket_policy(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, _tags: Tags<'_>) -> Created {
    known(properties, &["Bucket", "PolicyDocument"], "AWS::S3::BucketPolicy")?;
    let bucket = text(properties, "Bucket").unwrap_or_default();
    let policy = properties.get("PolicyDocument").cloned().unwrap_or_default().to_string();
    let target = state.s3.bucket_mut(&bucket, cx.region)?;
    buckets::valid_policy(&bucket, &policy)?;
    target.policy = Some(policy);
    Ok(Made { id: bucket, attributes: Map::new() })
}

/// Puts another policy.
///
/// # Errors
/// As for `create_bucket_policy`.
pub fn update_bucket_policy(
    state: &mut State,
    cx: &Moment<'_>,
    _id: &str,
    properties: Given<'_>,
    tags: Tags<'_>,
) -> Created {
    create_bucket_policy(state, cx, properties, tags)
}

/// Takes the policy away; a bucket that is gone already is no error.
///
/// # Errors
/// None today; the shape is CloudFormation's.
pub fn delete_bucket_policy(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    if let Some(bucket) = state.s3.buckets.get_mut(id) {
        bucket.policy = None;
    }
    Ok(())
}

/// A policy is ready at once.
pub fn ready_bucket_policy(_state: &State, _cx: &Moment<'_>, _id: &str) -> Readiness {
    Readiness::Ready(Map::new())
}

/// What the properties say a bucket shall be.
struct Settings {
    versioning: Option<String>,
    encryption: Encryption,
    public_access: Option<[bool; 4]>,
    ownership: Option<String>,
    tags: Vec<(String, String)>,
}

impl Settings {
    fn apply(self, bucket: &mut state::Bucket) {
        // Versioning that was on once can only be suspended.
        bucket.versioning = self.versioning.or_else(|| bucket.versioning.as_ref().map(|_| "Suspended".to_owned()));
        bucket.encryption = self.encryption;
        bucket.public_access = self.public_access;
        bucket.ownership = self.ownership;
        bucket.tags = self.tags;
    }
}

fn settings(properties: Given<'_>, tags: Tags<'_>) -> Result<Settings, ServiceError> {
    const KNOWN: [&str; 6] = [
        "BucketName",
        "BucketEncryption",
        "VersioningConfiguration",
        "PublicAccessBlockConfiguration",
        "OwnershipControls",
        "Tags",
    ];
    known(properties, &KNOWN, "AWS::S3::Bucket")?;
    let versioning = properties.get("VersioningConfiguration").and_then(Value::as_object);
    if let Some(versioning) = versioning {
        known(versioning, &["Status"], "AWS::S3::Bucket VersioningConfiguration")?;
    }
    let block = properties.get("PublicAccessBlockConfiguration").and_then(Value::as_object);
    const FLAGS: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    if let Some(block) = block {
        known(block, &FLAGS, "AWS::S3::Bucket PublicAccessBlockConfiguration")?;
    }
    let ownership = ownership(properties)?;
    Ok(Settings {
        versioning: versioning.and_then(|it| text(it, "Status")),
        encryption: encryption(properties)?,
        public_access: Some(block.map_or([true; 4], |block| FLAGS.map(|flag| is_true(block.get(flag))))),
        ownership: Some(ownership.unwrap_or_else(|| "BucketOwnerEnforced".to_owned())),
        tags: tags.to_vec(),
    })
}

fn ownership(properties: Given<'_>) -> Result<Option<String>, ServiceError> {
    let Some(controls) = properties.get("OwnershipControls").and_then(Value::as_object) else {
        return Ok(None);
    };
    known(controls, &["Rules"], "AWS::S3::Bucket OwnershipControls")?;
    let Some(rule) = controls.get("Rules").and_then(|rules| rules.pointer("/0")).and_then(Value::as_object) else {
        return Ok(None);
    };
    known(rule, &["ObjectOwnership"], "AWS::S3::Bucket OwnershipControls rule")?;
    Ok(text(rule, "ObjectOwnership"))
}

fn encryption(properties: Given<'_>) -> Result<Encryption, ServiceError> {
    let Some(asked) = properties.get("BucketEncryption").and_then(Value::as_object) else {
        return Ok(Encryption::default());
    };
    known(asked, &["ServerSideEncryptionConfiguration"], "AWS::S3::Bucket BucketEncryption")?;
    let rule =
        asked.get("ServerSideEncryptionConfiguration").and_then(|it| it.pointer("/0")).cloned().unwrap_or_default();
    if let Some(rule) = rule.as_object() {
        known(rule, &["ServerSideEncryptionByDefault", "BucketKeyEnabled"], "AWS::S3::Bucket BucketEncryption rule")?;
    }
    let by = rule.get("ServerSideEncryptionByDefault").and_then(Value::as_object).cloned().unwrap_or_default();
    known(&by, &["SSEAlgorithm", "KMSMasterKeyID"], "AWS::S3::Bucket ServerSideEncryptionByDefault")?;
    let algorithm = text(&by, "SSEAlgorithm").unwrap_or_else(|| "AES256".to_owned());
    Ok(Encryption { algorithm, key: text(&by, "KMSMasterKeyID"), bucket_key: is_true(rule.get("BucketKeyEnabled")) })
}

fn made(name: &str, region: &str) -> Made {
    let attributes = json!({
        "Arn": format!("arn:aws:s3:::{name}"),
        "DomainName": format!("{name}.s3.amazonaws.com"),
        "RegionalDomainName": format!("{name}.s3.{region}.amazonaws.com"),
        "DualStackDomainName": format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        "WebsiteURL": format!("http://{name}.s3-website-{region}.amazonaws.com"),
    });
    Made::new(name, attributes)
}

fn known(properties: Given<'_>, names: &[&str], what: &str) -> Result<(), ServiceError> {
    match properties.keys().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ServiceError::not_part(format!("property {name} of {what}"))),
    }
}

fn text(properties: Given<'_>, name: &str) -> Option<String> {
    properties.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// CloudFormation hands on booleans as booleans or as texts.
fn is_true(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Bool(true))) || value.and_then(Value::as_str) == Some("true")
}
