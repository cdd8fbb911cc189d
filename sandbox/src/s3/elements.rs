//! Unknown elements in XML bodies: refused by name, because `s3s` would pass them over.
//! Must not know what an element means.

use crate::wire::{Call, ServiceError};

/// The elements that the sandbox acts on, by operation.
const KNOWN: &[(&str, &[&str])] = &[
    ("CreateBucket", &["CreateBucketConfiguration", "LocationConstraint"]),
    ("PutBucketVersioning", &["VersioningConfiguration", "Status"]),
    (
        "PutBucketEncryption",
        &[
            "ServerSideEncryptionConfiguration",
            "Rule",
            "ApplyServerSideEncryptionByDefault",
            "SSEAlgorithm",
            "KMSMasterKeyID",
            "BucketKeyEnabled",
        ],
    ),
    (
        "PutPublicAccessBlock",
        &[
            "PublicAccessBlockConfiguration",
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        ],
    ),
    ("PutBucketTagging", &["Tagging", "TagSet", "Tag", "Key", "Value"]),
    ("PutBucketOwnershipControls", &["OwnershipControls", "Rule", "ObjectOwnership"]),
    ("DeleteObjects", &["Delete", "Object", "Key", "VersionId", "Quiet"]),
    (
        "CompleteMultipartUpload",
        &[
            "CompleteMultipartUpload",
            "Part",
            "ETag",
            "PartNumber",
            "ChecksumCRC32",
            "ChecksumCRC32C",
            "ChecksumCRC64NVME",
            "ChecksumSHA1",
            "ChecksumSHA256",
        ],
    ),
];

/// Refuses a body with an element that its operation does not have.
///
/// # Errors
/// Names the first such element.
pub(super) fn refuse(call: &Call) -> Result<(), ServiceError> {
    let Some((_, known)) = KNOWN.iter().find(|(operation, _)| *operation == call.operation) else {
        return Ok(());
    };
    let body = String::from_utf8_lossy(&call.body);
    // A `<` in a value is written `&lt;`, so every one begins a tag.
    for tag in body.split('<').skip(1).filter(|tag| !tag.starts_with(['/', '?', '!'])) {
        let name = tag.split(|letter: char| letter.is_whitespace() || matches!(letter, '>' | '/')).next();
        let name = name.unwrap_or_default();
        if !known.contains(&name) {
            let what = format!("element {name} of operation {} of service s3", call.operation);
            return Err(ServiceError::not_part(what));
        }
    }
    Ok(())
}
