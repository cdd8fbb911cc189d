//! Templates that stand in the sandbox's S3: `TemplateURL` to text.
//! It must not know what a template means.

use super::template::URL_LIMIT;
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// The text of the template at this URL: `https://BUCKET.s3.REGION.amazonaws.com/KEY`, the path-style forms of it, or
/// one below the sandbox's own endpoint.
pub(super) fn template(state: &State, cx: &Moment<'_>, url: &str) -> Result<String, ServiceError> {
    let (bucket, key) = place(cx, url)
        .ok_or_else(|| ServiceError::new(400, "ValidationError", "TemplateURL must be a supported URL."))?;
    let bytes = crate::s3::body_of(&state.s3, cx.dir, &bucket, &key).ok_or_else(|| ServiceError::new(400, "ValidationError", "S3 error: The specified key does not exist.\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"))?;
    if bytes.len() > URL_LIMIT {
        return Err(ServiceError::new(
            400,
            "ValidationError",
            format!("Template may not exceed {URL_LIMIT} bytes in size."),
        ));
    }
    String::from_utf8(bytes.to_vec())
        .map_err(|_| ServiceError::new(400, "ValidationError", "Template format error: YAML not well-formed."))
}

fn place(cx: &Moment<'_>, url: &str) -> Option<(String, String)> {
    let parsed = url::Url::parse(url).ok()?;
    let path =
        percent_encoding::percent_decode_str(parsed.path().trim_start_matches('/')).decode_utf8().ok()?.into_owned();
    let host = parsed.host_str()?;
    let path_style = url.starts_with(cx.endpoint) || host.starts_with("s3.") || host.starts_with("s3-");
    let (bucket, key) = if path_style {
        path.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned()))?
    } else {
        let bucket = host
            .strip_suffix(".amazonaws.com")
            .and_then(|rest| rest.split_once(".s3"))
            .map(|(bucket, _)| bucket.to_owned())?;
        (bucket, path)
    };
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}
