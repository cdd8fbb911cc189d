//! S3: whether the bucket is in the region, and a script is where it is looked for (P24, P25).
//! Knows nothing of what the scripts do.

use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::asker::Asker;
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::error::StepError;

/// How a bucket stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is in this region.
    In(String),
    /// There is none of the name.
    Missing,
}

async fn standing(asker: &Asker<'_>, bucket: &str) -> Result<Standing, StepError> {
    let ask = async {
        let answered = asker.clients.s3().head_bucket().bucket(bucket).send().await;
        let error = match answered {
            Ok(answer) => return Ok(Standing::In(answer.bucket_region().unwrap_or(asker.region()).to_owned())),
            Err(error) => error,
        };
        // An answer to HEAD has no body: what it means is its status and its headers.
        let raw = error.raw_response();
        let status = raw.map(|raw| raw.status().as_u16());
        let region = raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
        match (status, region) {
            (Some(404), _) => Ok(Standing::Missing),
            (Some(_), Some(region)) if region != asker.region() => Ok(Standing::In(region)),
            (status, _) => {
                let coded = error.code().is_some();
                let mut error = explain(&format!("look at the bucket {bucket}"), error);
                if status == Some(403) && (!coded || error.has_code("Forbidden")) {
                    error = refused(error, "s3:ListBucket");
                }
                Err(error)
            }
        }
    };
    asker.learnt.buckets.get(bucket, ask).await
}

/// Whether the bucket is of the account that is asked, as far as S3 says so; one that is not there will be. The error is that
/// of a question which S3 did not answer.
pub(super) async fn is_own(asker: &Asker<'_>, bucket: &str) -> Result<bool, StepError> {
    let ask = async {
        let head = asker.clients.s3().head_bucket().bucket(bucket).expected_bucket_owner(&asker.caller.account);
        let Err(error) = head.send().await else { return Ok(true) };
        match error.raw_response().map(|raw| raw.status().as_u16()) {
            Some(404) => Ok(true),
            // Refused, or in another region.
            Some(403 | 301) => Ok(false),
            Some(_) | None => Err(explain(&format!("look whose the bucket {bucket} is"), error)),
        }
    };
    asker.learnt.own_buckets.get(bucket, ask).await
}

pub(super) async fn region(asker: &Asker<'_>, bucket: &str) -> Result<Verdict, StepError> {
    Ok(region_verdict(bucket, asker.region(), &standing(asker, bucket).await?))
}

/// Of a bucket for nodes of a region.
fn region_verdict(bucket: &str, region: &str, standing: &Standing) -> Verdict {
    match standing {
        Standing::In(other) if other != region => {
            Verdict::bad(format!("the bucket {bucket} is in {other}, and the cluster will be in {region}"))
                .help("use a bucket of the cluster's region")
        }
        Standing::In(_) => Verdict::Good,
        Standing::Missing => Verdict::bad(format!("there is no bucket {bucket}")),
    }
}

pub(super) async fn script(asker: &Asker<'_>, bucket: &str, key: &str) -> Result<Verdict, StepError> {
    match standing(asker, bucket).await? {
        Standing::In(region) if region == asker.region() => {}
        // That the bucket is not as it should be is said where it is asked for.
        Standing::In(_) | Standing::Missing => return Ok(Verdict::Good),
    }
    let answered = asker.clients.s3().head_object().bucket(bucket).key(key).send().await;
    let (there, error) = match answered {
        Ok(answer) => (Some(answer.content_length().unwrap_or(1) > 0), None),
        Err(error) => match error.raw_response().map(|raw| raw.status().as_u16()) {
            Some(404) => (None, None),
            status => {
                let mut error = explain(&format!("look at s3://{bucket}/{key}"), error);
                if status == Some(403) {
                    error = refused(error, "s3:GetObject");
                }
                (None, Some(error))
            }
        },
    };
    error.map_or_else(|| Ok(script_verdict(bucket, key, there)), Err)
}

/// The refusal of a HEAD, whose answer has no words.
fn refused(error: StepError, action: &str) -> StepError {
    StepError { code: Some("AccessDenied".to_owned()), ..error }.because(format!("not authorized to perform: {action}"))
}

/// Of a script that is there and not empty, there and empty, or not there.
fn script_verdict(bucket: &str, key: &str, there: Option<bool>) -> Verdict {
    match there {
        Some(true) => Verdict::Good,
        Some(false) => Verdict::bad(format!("s3://{bucket}/{key} is empty")),
        None => Verdict::bad(format!("there is no s3://{bucket}/{key}, and no step of the pipeline puts it there"))
            .help("mend SourceS3Uri or OnCreate, or add an upload-lifecycle step"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_of_the_region() {
        let check = |standing| region_verdict("b", "us-west-2", &standing);
        assert_eq!(check(Standing::In("us-west-2".to_owned())), Verdict::Good);
        assert!(
            matches!(check(Standing::In("us-east-1".to_owned())), Verdict::Bad(message, _) if message.contains("us-east-1"))
        );
        assert_eq!(check(Standing::Missing), Verdict::bad("there is no bucket b"));
    }

    #[test]
    fn a_script_is_there_and_not_empty() {
        assert_eq!(script_verdict("b", "k", Some(true)), Verdict::Good);
        for there in [Some(false), None] {
            assert!(matches!(script_verdict("b", "k", there), Verdict::Bad(..)), "{there:?}");
        }
    }
}
