//! S3 over real HTTP with signed requests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use base64::Engine as _;
use common::{Answer, Ask, ask, open};
use hprun_sandbox::Sandbox;

async fn call(sandbox: &Sandbox, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    ask(sandbox, Ask { method, path, headers, body, ..Ask::default() }).await.expect("an answer")
}

async fn bucket(sandbox: &Sandbox) {
    let body =
        b"<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
    let answer = call(sandbox, "PUT", "/a-bucket", &[], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn crc32(body: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(crc32fast::hash(body).to_be_bytes())
}

#[tokio::test]
async fn an_object_is_there_after_reopening_with_its_metadata_and_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    bucket(&sandbox).await;
    let sum = crc32(b"hello");
    let headers = [("content-type", "text/x-sh"), ("x-amz-checksum-crc32", sum.as_str()), ("x-amz-meta-digest", "d1")];
    let answer = call(&sandbox, "PUT", "/a-bucket/x/on_create.sh", &headers, b"hello").await;
    assert_eq!(
        (answer.status, answer.headers["etag"].to_str().unwrap()),
        (200, "\"5d41402abc4b2a76b9719d911017c592\""),
        "{}",
        answer.text()
    );
    sandbox.stop().await;

    let (sandbox, _) = open(dir.path(), None).await;
    let answer = call(&sandbox, "GET", "/a-bucket/x/on_create.sh", &[("x-amz-checksum-mode", "ENABLED")], b"").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    for (name, value) in
        [("content-type", "text/x-sh"), ("x-amz-checksum-crc32", sum.as_str()), ("x-amz-meta-digest", "d1")]
    {
        assert_eq!(answer.headers[name], value, "{name}");
    }
    let answer = call(&sandbox, "GET", "/a-bucket/x/on_create.sh", &[("range", "bytes=1-2")], b"").await;
    assert_eq!((answer.status, answer.text().as_str()), (206, "el"));
    assert!(sandbox.world().read("us-west-2", |state, _| hprun_sandbox::s3::object_exists(
        state,
        "a-bucket",
        "x/on_create.sh"
    )));
    let body = hprun_sandbox::s3::read_object(sandbox.world(), "us-west-2", "a-bucket", "x/on_create.sh");
    assert_eq!(body.as_deref(), Some(&b"hello"[..]));
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    bucket(&sandbox).await;
    let wrong = crc32(b"other");
    for (headers, code) in [
        (vec![("x-amz-checksum-crc32", wrong.as_str())], "BadDigest"),
        (vec![("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "BadDigest"),
        (vec![("content-md5", "short")], "InvalidDigest"),
        (vec![("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
        (vec![("x-amz-acl", "public-read")], "header x-amz-acl of operation PutObject"),
    ] {
        let answer = call(&sandbox, "PUT", "/a-bucket/k", &headers, b"hello").await;
        assert!(
            answer.status == 400 && answer.text().contains(code),
            "{headers:?}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(call(&sandbox, "HEAD", "/a-bucket/k", &[], b"").await.status, 404);
    assert_eq!(std::fs::read_dir(dir.path().join("s3")).map_or(0, Iterator::count), 0, "no file is left behind");
}

#[tokio::test]
async fn the_errors_of_buckets_are_those_of_aws() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    let west =
        b"<CreateBucketConfiguration><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
    bucket(&sandbox).await;
    call(&sandbox, "PUT", "/a-bucket/k", &[], b"v").await;
    let cases: [(&str, &str, &[u8], u16, &str); 7] = [
        ("PUT", "/a-bucket", west, 409, "BucketAlreadyOwnedByYou"),
        ("PUT", "/my-bucket", west, 409, "BucketAlreadyExists"),
        ("PUT", "/other-bucket", b"", 400, "IllegalLocationConstraintException"),
        ("DELETE", "/a-bucket", b"", 409, "BucketNotEmpty"),
        ("GET", "/no-such-bucket", b"", 404, "NoSuchBucket"),
        ("GET", "/a-bucket/none", b"", 404, "NoSuchKey"),
        ("GET", "/a-bucket?acl", b"", 400, "operation GET /a-bucket?acl of service s3 is not part of the sandbox"),
    ];
    for (method, path, body, status, text) in cases {
        let answer = call(&sandbox, method, path, &[], body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains(text), "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_versioned_bucket_keeps_what_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    bucket(&sandbox).await;
    let on = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(call(&sandbox, "PUT", "/a-bucket?versioning", &[], on).await.status, 200);
    let first = call(&sandbox, "PUT", "/a-bucket/k", &[], b"one").await.headers["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    call(&sandbox, "PUT", "/a-bucket/k", &[], b"two").await;
    let gone = call(&sandbox, "DELETE", "/a-bucket/k", &[], b"").await;
    assert_eq!((gone.status, gone.headers["x-amz-delete-marker"].to_str().unwrap()), (204, "true"));
    assert_eq!(call(&sandbox, "GET", "/a-bucket/k", &[], b"").await.status, 404);
    assert_eq!(call(&sandbox, "GET", &format!("/a-bucket/k?versionId={first}"), &[], b"").await.text(), "one");
    let marker = gone.headers["x-amz-version-id"].to_str().unwrap();
    call(&sandbox, "DELETE", &format!("/a-bucket/k?versionId={marker}"), &[], b"").await;
    assert_eq!(call(&sandbox, "GET", "/a-bucket/k", &[], b"").await.text(), "two");
}

#[tokio::test]
async fn a_multipart_upload_is_one_object_when_it_is_complete_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    bucket(&sandbox).await;
    let begun = call(&sandbox, "POST", "/a-bucket/big?uploads", &[], b"").await.text();
    let id = begun.split("<UploadId>").nth(1).and_then(|it| it.split('<').next()).unwrap().to_owned();
    let large = vec![7_u8; 5 * 1024 * 1024];
    let mut parts = String::new();
    for (number, body) in [(1, &large[..]), (2, &b"end"[..])] {
        let answer =
            call(&sandbox, "PUT", &format!("/a-bucket/big?partNumber={number}&uploadId={id}"), &[], body).await;
        let etag = answer.headers["etag"].to_str().unwrap();
        parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
    }
    assert_eq!(call(&sandbox, "HEAD", "/a-bucket/big", &[], b"").await.status, 404);
    let path = format!("/a-bucket/big?uploadId={id}");
    let swapped =
        "<CompleteMultipartUpload><Part><PartNumber>9</PartNumber><ETag>\"x\"</ETag></Part></CompleteMultipartUpload>";
    assert!(call(&sandbox, "POST", &path, &[], swapped.as_bytes()).await.text().contains("InvalidPart"));
    let done = call(
        &sandbox,
        "POST",
        &path,
        &[],
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").as_bytes(),
    )
    .await;
    assert!(done.status == 200 && done.text().contains("-2"), "{}", done.text());
    assert_eq!(call(&sandbox, "GET", "/a-bucket/big", &[], b"").await.body.len(), large.len() + 3);
    assert_eq!(std::fs::read_dir(dir.path().join("s3")).unwrap().count(), 1, "the files of the parts are gone");
}

#[tokio::test]
async fn a_chunked_upload_is_checked_by_its_trailer() {
    let dir = tempfile::tempdir().unwrap();
    let (sandbox, _) = open(dir.path(), None).await;
    bucket(&sandbox).await;
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    for (sum, status) in [(crc32(b"other"), 400), (crc32(b"hello"), 200)] {
        let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n");
        let answer = call(&sandbox, "PUT", "/a-bucket/k", &headers, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let answer = call(&sandbox, "GET", "/a-bucket/k", &[], b"").await;
    assert_eq!(answer.text(), "hello");
    assert!(!answer.headers.contains_key("content-encoding"), "aws-chunked is not kept");
}
