//! How an error of the AWS SDK becomes a [`StepError`]: one sentence, the service's words, the request id, a class.
//! Knows nothing of any one call; what a code means to a step is the step's to say.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
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
            failure
        }
        SdkError::ConstructionFailure(_) => {
            StepError::invalid(format!("{could_not}: the request cannot be built")).because(chain(&error))
        }
        SdkError::TimeoutError(_) => {
            StepError::new(ErrorClass::Unknown, format!("{could_not}: no answer in time")).because(chain(&error))
        }
        SdkError::DispatchFailure(_) => {
            let text = chain(&error);
            let (class, what) = undelivered(&error, &text);
            StepError::new(class, format!("{could_not}: {what}")).because(text)
        }
        SdkError::ResponseError(_) | _ => {
            StepError::new(ErrorClass::Unknown, format!("{could_not}: the answer cannot be read"))
                .because(chain(&error))
        }
    }
}

/// The class of a service's error by its code and HTTP status.
pub(crate) fn classify(code: Option<&str>, status: u16) -> ErrorClass {
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

/// What is known of a request to which no answer came: its class, and what to say.
fn undelivered(error: &(dyn Error + 'static), text: &str) -> (ErrorClass, &'static str) {
    // A connection that was never made cannot have carried the request; one that broke may have.
    let unresolved = text.contains("dns error") || text.contains("failed to lookup address");
    let unconnected = unresolved || text.contains("client error (Connect)") || text.contains("HTTP connect timeout");
    if causes(error).any(|cause| cause.is::<CredentialsError>()) {
        return if unconnected || text.contains("timeout occurred") {
            (ErrorClass::Transient, "no connection to what gives the credentials")
        } else {
            (ErrorClass::Login, "no usable AWS credentials")
        };
    }
    if text.contains("identity resolver timed out") {
        (ErrorClass::Transient, "what gives the credentials does not answer")
    } else if unresolved {
        (ErrorClass::Transient, "no connection, because the name of the service is not found (DNS)")
    } else if text.contains("onnection refused") {
        (ErrorClass::Transient, "no connection, because it is refused")
    } else if unconnected {
        (ErrorClass::Transient, "no connection")
    } else {
        (ErrorClass::Unknown, "the connection broke before the answer")
    }
}

/// The error and all that is behind it.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The innermost causes as one line, without the Debug tails that the SDK adds.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error).skip(1) {
        let text = cause.to_string();
        // "other" is the SDK's word for what it has no word for.
        if !text.is_empty() && text != "other" && parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
    }
    if parts.is_empty() { error.to_string() } else { parts.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{ClientOptions, Clients, SandboxEndpoint};

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

    /// What is said of a call to this address, by real clients and the real resolver.
    async fn call(url: &str) -> StepError {
        let (access_key, secret_key) = ("none".to_owned(), "none".to_owned());
        let sandbox = SandboxEndpoint { url: url.to_owned(), access_key, secret_key };
        let options = ClientOptions { sandbox: Some(sandbox), speed: Some(1000.0), ..ClientOptions::default() };
        Clients::new(options).await.caller().await.expect_err("nobody is there")
    }

    #[tokio::test]
    async fn a_connection_that_was_never_made_carried_nothing_and_says_why() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address");
        let refused = call(&format!("http://{nobody}")).await;
        assert_eq!(refused.class, ErrorClass::Transient, "{refused:?}");
        assert_eq!(refused.message, "could not ask AWS who is calling: no connection, because it is refused");
        let unknown = call("http://sts.us-west-2.invalid").await;
        assert_eq!(unknown.class, ErrorClass::Transient, "{unknown:?}");
        assert!(unknown.message.ends_with("no connection, because the name of the service is not found (DNS)"));
    }

    #[tokio::test]
    async fn a_connection_that_broke_may_have_carried_the_request() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let broken = call(&format!("http://{address}")).await;
        assert_eq!(broken.class, ErrorClass::Unknown, "{broken:?}");
    }
}
