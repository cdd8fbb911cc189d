//! Checksums of S3: those a client sends are verified, those S3 keeps are computed.
//! Must not know objects, only bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::Checksum;
use serde::{Deserialize, Serialize};

use crate::wire::ServiceError;

/// The algorithms by the names S3 gives them.
pub(super) const ALGORITHMS: [&str; 5] = ["CRC64NVME", "CRC32", "CRC32C", "SHA256", "SHA1"];

/// A checksum that S3 keeps with an object or part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    pub(super) algorithm: String,
    /// Base64; of a composite one with `-PARTS` behind it.
    pub(super) value: String,
    /// `FULL_OBJECT` or `COMPOSITE`.
    pub(super) kind: String,
}

impl Sum {
    pub(super) fn of(algorithm: &str, body: &[u8]) -> Sum {
        Sum { algorithm: algorithm.to_owned(), value: compute(algorithm, body), kind: "FULL_OBJECT".to_owned() }
    }
}

/// The checksum of these bytes in base64.
pub(super) fn compute(algorithm: &str, body: &[u8]) -> String {
    let mut hasher = ChecksumHasher::default();
    match algorithm {
        "CRC32" => hasher.crc32 = Some(Crc32::new()),
        "CRC32C" => hasher.crc32c = Some(Crc32c::new()),
        "SHA1" => hasher.sha1 = Some(Sha1::new()),
        "SHA256" => hasher.sha256 = Some(Sha256::new()),
        _ => hasher.crc64nvme = Some(Crc64Nvme::new()),
    }
    hasher.update(body);
    let Checksum { checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256, .. } =
        hasher.finalize();
    [checksum_crc32, checksum_crc32c, checksum_crc64nvme, checksum_sha1, checksum_sha256]
        .into_iter()
        .flatten()
        .next()
        .expect("one algorithm was chosen")
}

pub(super) fn md5_hex(body: &[u8]) -> String {
    hex::encode(Md5::checksum(body))
}

/// Verifies what the client sent with these bytes (headers and trailers) and gives the checksum to keep: the client's, or S3's
/// own CRC64NVME.
pub(super) fn verify(body: &[u8], headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Result<Sum, ServiceError> {
    verify_md5(body, headers)?;
    let sent = |algorithm: &str| {
        let name = format!("x-amz-checksum-{}", algorithm.to_lowercase());
        let value = headers.get(&name).or_else(|| trailers.and_then(|it| it.get(&name)));
        value.and_then(|it| it.to_str().ok()).map(str::to_owned)
    };
    let mut kept = None;
    for algorithm in ALGORITHMS {
        if let Some(value) = sent(algorithm) {
            if compute(algorithm, body) != value {
                let message = format!("The {algorithm} you specified did not match the calculated checksum.");
                return Err(ServiceError::new(400, "BadDigest", message));
            }
            if kept.is_some() {
                let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
                return Err(ServiceError::new(400, "InvalidRequest", message));
            }
            kept = Some(Sum { algorithm: algorithm.to_owned(), value, kind: "FULL_OBJECT".to_owned() });
        }
    }
    let asked = headers.get("x-amz-sdk-checksum-algorithm").and_then(|it| it.to_str().ok());
    if kept.is_none() && asked.is_some() {
        let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
        return Err(ServiceError::new(400, "InvalidRequest", message));
    }
    Ok(kept.unwrap_or_else(|| Sum::of("CRC64NVME", body)))
}

fn verify_md5(body: &[u8], headers: &HeaderMap) -> Result<(), ServiceError> {
    let Some(sent) = headers.get("content-md5").and_then(|it| it.to_str().ok()) else {
        return Ok(());
    };
    let decoded = STANDARD.decode(sent).ok().filter(|it| it.len() == 16);
    match decoded {
        None => Err(ServiceError::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")),
        Some(digest) if hex::encode(&digest) == md5_hex(body) => Ok(()),
        Some(_) => {
            Err(ServiceError::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
        }
    }
}

/// The checksum of checksums of a composite upload, with the number of parts behind it.
pub(super) fn composite(algorithm: &str, parts: &[&str]) -> String {
    let raw: Vec<u8> = parts.iter().filter_map(|part| STANDARD.decode(part).ok()).flatten().collect();
    format!("{}-{}", compute(algorithm, &raw), parts.len())
}

/// In the form of an answer.
pub(super) fn fields(sum: Option<&Sum>) -> Checksum {
    let mut fields = Checksum::default();
    let Some(Sum { algorithm, value, kind }) = sum else {
        return fields;
    };
    let value = Some(value.clone());
    match algorithm.as_str() {
        "CRC32" => fields.checksum_crc32 = value,
        "CRC32C" => fields.checksum_crc32c = value,
        "SHA1" => fields.checksum_sha1 = value,
        "SHA256" => fields.checksum_sha256 = value,
        _ => fields.checksum_crc64nvme = value,
    }
    fields.checksum_type = Some(kind.clone().into());
    fields
}
