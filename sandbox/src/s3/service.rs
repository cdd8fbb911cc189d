//! What `s3s` calls: each operation handed to the module that does it.
//! Must not do anything itself.

use std::sync::Arc;
use std::time::SystemTime;

use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::{buckets, deletion, listing, multipart, objects, reading};
use crate::wire::ServiceError;
use crate::world::World;

/// One call's view of S3: the world, from the region of the signature.
pub(super) struct Service {
    pub(super) world: Arc<World>,
    pub(super) region: String,
}

pub(super) fn error(status: u16, code: &str, message: &str) -> S3Error {
    failed(ServiceError::new(status, code, message))
}

pub(super) fn failed(cause: ServiceError) -> S3Error {
    let code = S3ErrorCode::from_bytes(cause.code.as_bytes()).expect("error codes are text");
    let mut error = S3Error::with_message(code, cause.message);
    if let Ok(status) = http::StatusCode::from_u16(cause.status) {
        error.set_status_code(status);
    }
    if let Some(region) = cause.members.get("Region").and_then(|it| it.as_str()).and_then(|it| it.parse().ok()) {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-amz-bucket-region", region);
        error.set_headers(headers);
    }
    error
}

pub(super) fn timestamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from(SystemTime::from(at))
}

fn ok<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

#[async_trait::async_trait]
impl S3 for Service {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        ok(buckets::create(self, req.input)?)
    }
    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        // AWS answers deletions with 204; s3s knows that for objects only.
        let mut response = S3Response::new(buckets::delete(self, &req.input)?);
        response.status = Some(http::StatusCode::NO_CONTENT);
        Ok(response)
    }
    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        ok(buckets::head(self, &req.input)?)
    }
    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        ok(buckets::list(self, req.input)?)
    }
    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        ok(buckets::location(self, &req.input)?)
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        ok(objects::put(self, req).await?)
    }
    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        ok(reading::get(self, req.input)?)
    }
    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        ok(reading::head(self, req.input)?)
    }
    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        ok(objects::copy(self, req)?)
    }
    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        ok(deletion::delete(self, &req.input)?)
    }
    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        ok(deletion::delete_many(self, req.input)?)
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        ok(listing::v1(self, req.input)?)
    }
    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        ok(listing::v2(self, req.input)?)
    }
    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        ok(listing::versions(self, req.input)?)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        ok(multipart::create(self, req)?)
    }
    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        ok(multipart::upload(self, req).await?)
    }
    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        ok(multipart::complete(self, req.input)?)
    }
    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        ok(multipart::abort(self, &req.input)?)
    }
    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        ok(multipart::parts(self, req.input)?)
    }
    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        ok(multipart::uploads(self, req.input)?)
    }

    async fn put_bucket_versioning(
        &self,
        req: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let status = req.input.versioning_configuration.status.map(|it| it.as_str().to_owned());
        buckets::change(self, &req.input.bucket, |bucket| bucket.versioning = status.or(bucket.versioning.take()))?;
        ok(PutBucketVersioningOutput {})
    }
    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        ok(buckets::look(self, &req.input.bucket, |bucket| {
            Ok(GetBucketVersioningOutput { status: bucket.versioning.clone().map(Into::into), ..Default::default() })
        })?)
    }
    async fn put_bucket_encryption(
        &self,
        req: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
        ok(buckets::put_encryption(self, req.input)?)
    }
    async fn get_bucket_encryption(
        &self,
        req: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        ok(buckets::get_encryption(self, &req.input)?)
    }
    async fn delete_bucket_encryption(
        &self,
        req: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        buckets::change(self, &req.input.bucket, |bucket| bucket.encryption = Default::default())?;
        ok(DeleteBucketEncryptionOutput {})
    }
    async fn put_public_access_block(
        &self,
        req: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        ok(buckets::put_access_block(self, &req.input)?)
    }
    async fn get_public_access_block(
        &self,
        req: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        ok(buckets::get_access_block(self, &req.input)?)
    }
    async fn delete_public_access_block(
        &self,
        req: S3Request<DeletePublicAccessBlockInput>,
    ) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
        buckets::change(self, &req.input.bucket, |bucket| bucket.public_access = None)?;
        ok(DeletePublicAccessBlockOutput {})
    }
    async fn put_bucket_policy(
        &self,
        req: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        buckets::valid_policy(&req.input.bucket, &req.input.policy).map_err(failed)?;
        buckets::change(self, &req.input.bucket, |bucket| bucket.policy = Some(req.input.policy))?;
        ok(PutBucketPolicyOutput {})
    }
    async fn get_bucket_policy(
        &self,
        req: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        ok(buckets::look(self, &req.input.bucket, |bucket| {
            let missing = || ServiceError::new(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
            Ok(GetBucketPolicyOutput { policy: Some(bucket.policy.clone().ok_or_else(missing)?) })
        })?)
    }
    async fn delete_bucket_policy(
        &self,
        req: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        buckets::change(self, &req.input.bucket, |bucket| bucket.policy = None)?;
        ok(DeleteBucketPolicyOutput {})
    }
    async fn put_bucket_tagging(
        &self,
        req: S3Request<PutBucketTaggingInput>,
    ) -> S3Result<S3Response<PutBucketTaggingOutput>> {
        let tags = req
            .input
            .tagging
            .tag_set
            .into_iter()
            .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
        buckets::change(self, &req.input.bucket, |bucket| bucket.tags = tags.collect())?;
        ok(PutBucketTaggingOutput {})
    }
    async fn get_bucket_tagging(
        &self,
        req: S3Request<GetBucketTaggingInput>,
    ) -> S3Result<S3Response<GetBucketTaggingOutput>> {
        ok(buckets::get_tagging(self, &req.input)?)
    }
    async fn delete_bucket_tagging(
        &self,
        req: S3Request<DeleteBucketTaggingInput>,
    ) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
        buckets::change(self, &req.input.bucket, |bucket| bucket.tags.clear())?;
        ok(DeleteBucketTaggingOutput {})
    }
    async fn put_bucket_ownership_controls(
        &self,
        req: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
        let ownership =
            req.input.ownership_controls.rules.into_iter().next().map(|rule| rule.object_ownership.as_str().to_owned());
        buckets::change(self, &req.input.bucket, |bucket| bucket.ownership = ownership)?;
        ok(PutBucketOwnershipControlsOutput {})
    }
    async fn get_bucket_ownership_controls(
        &self,
        req: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        ok(buckets::get_ownership(self, &req.input)?)
    }
    async fn delete_bucket_ownership_controls(
        &self,
        req: S3Request<DeleteBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
        buckets::change(self, &req.input.bucket, |bucket| bucket.ownership = None)?;
        ok(DeleteBucketOwnershipControlsOutput {})
    }
}
