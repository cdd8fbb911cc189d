//! How an error of the AWS SDK becomes a [`StepError`]: one sentence, the service's words, the request id, a class.
//! Knows nothing of any one call; what a code means to a step is the step's to say.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use crate::error::{ErrorClass, StepError};

/// Codes that mean "not now": the call had no effect and may be sent again (AWS SDK retry guide).
const THROTTLED: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
];

/// Codes that mean that a person has to log in, or log in as someone else.
const LOGIN: [&str; 11] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "MissingAuthenticationToken",
];

/// Codes of status 400 that mean that the service waited in vain for the rest of a request (AWS SDK retry guide).
const TIMED_OUT: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];

/// `doing` in the infinitive, such as `describe the stack hyperpod`: the message is "could not … : the service's words".
pub fn explain<E>(doing: &str, error: SdkError<E, HttpResponse>) -> StepError
where
    E: ProvideErrorMetadata + RequestId + Error + 'static,
{
    let could_not = format!("could not {doing}");
    match &error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code().map(str::to_owned);
            let words = service.err().message().unwrap_or("the service gave no reason").trim().trim_end_matches('.');
            let class = classify(code.as_deref(), status);
            let request_id = service.err().request_id().map(str::to_owned);
            let name = code.clone().unwrap_or_else(|| format!("HTTP {status}"));
            let mut failure = StepError::new(class, format!("{could_not}: {words} ({name})"));
            failure.code = code;
            failure.request_id = request_id;
            with_login_help(failure)
        }
        SdkError::ConstructionFailure(_) => {
            StepError::invalid(format!("{could_not}: the request cannot be built")).because(chain(&error))
        }
        SdkError::TimeoutError(_) => {
            StepError::new(ErrorClass::Unknown, format!("{could_not}: no answer in time")).because(chain(&error))
        }
        SdkError::DispatchFailure(failure) => {
            let text = chain(&error);
            if is_credentials(&text) {
                return with_login_help(
                    StepError::new(ErrorClass::Login, format!("{could_not}: no usable AWS credentials")).because(text),
                );
            }
            // A connection that was never made cannot have carried the request; one that broke may have.
            let never_sent =
                failure.as_connector_error().is_some_and(|e| e.is_user() || text.contains("onnection refused"));
            let class = if never_sent { ErrorClass::Transient } else { ErrorClass::Unknown };
            StepError::new(class, format!("{could_not}: the connection failed")).because(text)
        }
        SdkError::ResponseError(_) | _ => {
            StepError::new(ErrorClass::Unknown, format!("{could_not}: the answer cannot be read"))
                .because(chain(&error))
        }
    }
}

/// The class of a service's error by its code and HTTP status.
fn classify(code: Option<&str>, status: u16) -> ErrorClass {
    match code {
        Some(code) if THROTTLED.contains(&code) => ErrorClass::Transient,
        Some(code) if LOGIN.contains(&code) => ErrorClass::Login,
        Some(code) if TIMED_OUT.contains(&code) => ErrorClass::Unknown,
        _ if status == 429 => ErrorClass::Transient,
        // A server's error says nothing of what was done before it.
        _ if status >= 500 => ErrorClass::Unknown,
        _ => ErrorClass::Failed,
    }
}

fn is_credentials(text: &str) -> bool {
    ["CredentialsNotLoaded", "credentials", "ProviderError", "SSO", "token has expired"]
        .iter()
        .any(|w| text.contains(w))
}

fn with_login_help(error: StepError) -> StepError {
    if error.class != ErrorClass::Login || error.help.is_some() {
        return error;
    }
    let login = match std::env::var("AWS_PROFILE") {
        Ok(profile) if !profile.is_empty() => format!("aws sso login --profile {profile}"),
        _ => "aws sso login".to_owned(),
    };
    error.help(format!("log in again (for example `{login}`), then resume: nothing is lost"))
}

/// The innermost causes as one line, without the Debug tails that the SDK adds.
fn chain(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !text.is_empty() && parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() { error.to_string() } else { parts.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_follows_from_the_code_and_the_status() {
        let table = [
            (Some("ThrottlingException"), 400, ErrorClass::Transient),
            (Some("SlowDown"), 503, ErrorClass::Transient),
            (None, 429, ErrorClass::Transient),
            (Some("ExpiredToken"), 403, ErrorClass::Login),
            (Some("ExpiredTokenException"), 400, ErrorClass::Login),
            (Some("UnrecognizedClientException"), 403, ErrorClass::Login),
            (Some("RequestTimeout"), 400, ErrorClass::Unknown),
            (Some("InternalFailure"), 500, ErrorClass::Unknown),
            (None, 503, ErrorClass::Unknown),
            (Some("ValidationError"), 400, ErrorClass::Failed),
            (None, 403, ErrorClass::Failed),
        ];
        for (code, status, expected) in table {
            assert_eq!(classify(code, status), expected, "{code:?} {status}");
        }
    }
}
