//! The S3 calls of upload-lifecycle: look at an object, put it whole or in parts, delete it.
//! Knows nothing of folders. Every object says in its metadata that hprun put it there, and what it holds.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};

use super::folder::Script;
use crate::aws_error::explain;
use crate::context::{RunInfo, StepContext};
use crate::error::{ErrorClass, StepError};

/// Metadata: digest of the contents.
const SHA256: &str = "hprun-sha256";
/// Metadata: the run that put it there.
const RUN: &str = "hprun-run-id";
/// Size of one part, in bytes: at most 16 for the largest file that hprun reads.
const PART: usize = 16 * 1024 * 1024;

/// A bucket, and whose uploads they are.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
    run: String,
}

/// What is in the bucket under one key.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The key.
    pub key: String,
    /// Size in bytes; none when there is no object.
    pub size: Option<usize>,
    /// When it was last changed.
    pub changed: Option<String>,
    sha256: Option<String>,
    run: Option<String>,
}

impl Found {
    /// Whether it holds what the script holds.
    pub fn is(&self, script: &Script) -> bool {
        self.size == Some(script.bytes.len()) && self.sha256.as_deref() == Some(script.sha256.as_str())
    }

    /// Whether this run put it there, or one whose things passed to it.
    pub fn is_by(&self, run: &RunInfo) -> bool {
        self.run.as_deref().is_some_and(|id| run.is_ours(id))
    }

    /// Whether it is there and is not by `run`.
    pub fn is_foreign(&self, run: &RunInfo) -> bool {
        self.size.is_some() && !self.is_by(run)
    }

    /// Who put it there, to show.
    pub fn owner(&self) -> String {
        self.run
            .as_ref()
            .map_or_else(|| "hprun did not upload it".to_owned(), |run| format!("the run {run} uploaded it"))
    }
}

impl Bucket {
    /// The bucket of this name, for uploads of this run.
    pub fn new(cx: &StepContext<'_>, name: &str) -> Self {
        Self { client: cx.clients.s3().clone(), name: name.to_owned(), run: cx.run.id.clone() }
    }

    /// HeadObject. Without ListBucket permission AWS answers 403 for a key that is not there.
    pub async fn head(&self, key: &str) -> Result<Found, StepError> {
        let answer = match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => answer,
            Err(SdkError::ServiceError(e)) if e.raw().status().as_u16() == 404 => {
                return Ok(Found { key: key.to_owned(), ..Found::default() });
            }
            Err(e) => {
                let error = explain(&format!("look at s3://{}/{key}", self.name), e);
                return Err(match error.class {
                    ErrorClass::Failed => error.help("the caller needs s3:GetObject and s3:ListBucket on this bucket"),
                    ErrorClass::Invalid
                    | ErrorClass::Refused
                    | ErrorClass::Transient
                    | ErrorClass::Unknown
                    | ErrorClass::Login
                    | ErrorClass::Interrupted => error,
                });
            }
        };
        let meta = |name: &str| answer.metadata().and_then(|all| all.get(name)).cloned();
        Ok(Found {
            key: key.to_owned(),
            size: answer.content_length().and_then(|size| usize::try_from(size).ok()),
            changed: answer.last_modified().map(ToString::to_string),
            sha256: meta(SHA256),
            run: meta(RUN),
        })
    }

    /// Puts the script there, whole or not at all.
    pub async fn put(&self, script: &Script) -> Result<(), StepError> {
        if script.is_large() {
            return self.put_in_parts(script).await;
        }
        let call = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(&script.key)
            .metadata(SHA256, &script.sha256)
            .metadata(RUN, &self.run)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .body(script.bytes.clone().into());
        call.send().await.map(drop).map_err(|e| self.not_put(explain(&self.putting(script), e)))
    }

    async fn put_in_parts(&self, script: &Script) -> Result<(), StepError> {
        let call = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(&script.key)
            .metadata(SHA256, &script.sha256)
            .metadata(RUN, &self.run)
            .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
            .checksum_type(ChecksumType::FullObject);
        let begun = call.send().await.map_err(|e| self.not_put(explain(&self.putting(script), e)))?;
        let upload = begun.upload_id().unwrap_or_default();
        let result = self.put_parts(script, upload).await;
        if result.is_err() {
            // Parts that stay behind cost money; that they could not be removed is not the fault to tell of.
            let abort = self.client.abort_multipart_upload().bucket(&self.name).key(&script.key).upload_id(upload);
            drop(abort.send().await);
        }
        result
    }

    async fn put_parts(&self, script: &Script, upload: &str) -> Result<(), StepError> {
        let mut parts = CompletedMultipartUpload::builder();
        for (number, start) in (1..).zip((0..script.bytes.len()).step_by(PART)) {
            let body = script.bytes.slice(start..script.bytes.len().min(start + PART));
            let call = self.client.upload_part().bucket(&self.name).key(&script.key).upload_id(upload);
            let call = call.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).body(body.into());
            let answer = call.send().await.map_err(|e| explain(&self.putting(script), e))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag().map(str::to_owned))
                .set_checksum_crc64_nvme(answer.checksum_crc64_nvme().map(str::to_owned));
            parts = parts.parts(part.build());
        }
        let call = self.client.complete_multipart_upload().bucket(&self.name).key(&script.key).upload_id(upload);
        let call = call.checksum_type(ChecksumType::FullObject).multipart_upload(parts.build());
        call.send().await.map(drop).map_err(|e| explain(&self.putting(script), e))
    }

    /// Ends uploads in parts of exactly this key that a crash left behind.
    pub async fn abort_unfinished(&self, key: &str) -> Result<(), StepError> {
        let doing = format!("end unfinished uploads of s3://{}/{key}", self.name);
        let call = self.client.list_multipart_uploads().bucket(&self.name).prefix(key);
        let answer = call.send().await.map_err(|e| explain(&doing, e))?;
        for upload in answer.uploads().iter().filter(|upload| upload.key() == Some(key)) {
            let call = self.client.abort_multipart_upload().bucket(&self.name).key(key);
            let call = call.upload_id(upload.upload_id().unwrap_or_default());
            call.send().await.map_err(|e| explain(&doing, e))?;
        }
        Ok(())
    }

    /// DeleteObject.
    pub async fn delete(&self, key: &str) -> Result<(), StepError> {
        let call = self.client.delete_object().bucket(&self.name).key(key);
        call.send().await.map(drop).map_err(|e| explain(&format!("delete s3://{}/{key}", self.name), e))
    }

    fn putting(&self, script: &Script) -> String {
        format!("upload {} to s3://{}", script.name, self.name)
    }

    fn not_put(&self, error: StepError) -> StepError {
        match error.code.as_deref() {
            Some("NoSuchBucket") => error.help(format!("make the bucket {} first, or name another", self.name)),
            Some("AccessDenied") => error.help("the caller needs s3:PutObject on this bucket"),
            _ => error,
        }
    }
}
