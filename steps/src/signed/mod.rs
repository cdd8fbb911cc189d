//! Requests that are signed here, to services for which a whole SDK would be too much: EC2, IAM, Service Quotas.
//! Knows nothing of what is asked. It sends only what reads; a changing call needs the record, and so an SDK's client.

pub mod xml;

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value as Json;

use crate::aws_error::classify;
use crate::clients::Clients;
use crate::error::{ErrorClass, StepError};
use xml::Xml;

/// How often a request that was throttled, or met a 5xx, is sent.
const TRIES: u32 = 3;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service that is spoken to without its SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// EC2: a form in, XML out.
    Ec2,
    /// IAM: the same; one endpoint a partition.
    Iam,
    /// STS, for the time that AWS has.
    Sts,
    /// Service Quotas: JSON 1.1.
    ServiceQuotas,
}

/// An answer, as far as anybody here looks at it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body.
    pub body: String,
    /// The service's clock: its header `date`.
    pub date: Option<String>,
}

/// The answer to a Query call: `action` with `fields`, in the order given.
///
/// # Errors
/// The service's, with its code; no answer; no credentials.
pub async fn query(
    clients: &Clients,
    service: Service,
    action: &str,
    fields: &[(String, String)],
) -> Result<Xml, StepError> {
    let answer = send_query(clients, service, action, fields).await?;
    Xml::read(&answer.body).map_err(|e| unreadable(action, &e))
}

/// The same, with the answer as it came.
///
/// # Errors
/// As [`query`].
pub async fn send_query(
    clients: &Clients,
    service: Service,
    action: &str,
    fields: &[(String, String)],
) -> Result<Answer, StepError> {
    let body = form(service, action, fields);
    let headers = vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
    send(clients, &Message { service, action, headers, body }).await
}

fn form(service: Service, action: &str, fields: &[(String, String)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", service.version());
    form.extend_pairs(fields).finish()
}

/// The answer to a JSON 1.1 call.
///
/// # Errors
/// As [`query`].
pub async fn json(clients: &Clients, service: Service, action: &str, body: &Json) -> Result<Json, StepError> {
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amz-target", format!("{}.{action}", service.version())),
    ];
    let answer = send(clients, &Message { service, action, headers, body: body.to_string() }).await?;
    serde_json::from_str(&answer.body).map_err(|e| unreadable(action, &e.to_string()))
}

impl Service {
    /// Version of the API; of a JSON service the beginning of its targets.
    fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::Iam => "2010-05-08",
            Self::Sts => "2011-06-15",
            Self::ServiceQuotas => "ServiceQuotasV20190624",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::ServiceQuotas => "servicequotas",
        }
    }

    /// Where it is in a region, and the region that a request is signed for (AWS General Reference).
    fn endpoint(self, region: &str) -> (String, String) {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        match self {
            Self::Ec2 | Self::Sts | Self::ServiceQuotas => {
                (format!("https://{}.{region}.{domain}", self.name()), region.to_owned())
            }
            // IAM is one for a partition.
            Self::Iam if region.starts_with("cn-") => {
                (format!("https://iam.cn-north-1.{domain}"), "cn-north-1".to_owned())
            }
            Self::Iam if region.starts_with("us-gov-") => {
                ("https://iam.us-gov.amazonaws.com".to_owned(), "us-gov-west-1".to_owned())
            }
            Self::Iam => ("https://iam.amazonaws.com".to_owned(), "us-east-1".to_owned()),
        }
    }
}

/// A request before it is signed.
struct Message<'a> {
    service: Service,
    action: &'a str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

async fn send(clients: &Clients, message: &Message<'_>) -> Result<Answer, StepError> {
    let mut pause = Duration::from_millis(100);
    for _ in 1..TRIES {
        match send_once(clients, message).await {
            Err(e) if e.class == ErrorClass::Transient || e.class == ErrorClass::Unknown => {
                tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                pause *= 3;
            }
            done => return done,
        }
    }
    send_once(clients, message).await
}

async fn send_once(clients: &Clients, message: &Message<'_>) -> Result<Answer, StepError> {
    let (service, action) = (message.service.name(), message.action);
    let doing = format!("ask {service} for {action}");
    let request = signed(clients, message, &doing).await?;
    let lost = |class, what: &str| StepError::new(class, format!("could not {doing}: {what}"));
    let answered = tokio::time::timeout(PATIENCE, clients.connections().call(request)).await;
    let response = match answered {
        Err(_) => return Err(lost(ErrorClass::Unknown, "no answer in time")),
        Ok(Err(e)) => return Err(lost(ErrorClass::Unknown, "no connection").because(e.to_string())),
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let (date, request_id) = (header("date"), header("x-amzn-requestid"));
    tracing::info!("{service} {action}: {status}, request id {}", request_id.as_deref().unwrap_or("none"));
    let body = tokio::time::timeout(PATIENCE, ByteStream::new(response.into_body()).collect()).await;
    let body = match body {
        Ok(Ok(body)) => String::from_utf8_lossy(&body.into_bytes()).into_owned(),
        Ok(Err(_)) | Err(_) => return Err(lost(ErrorClass::Unknown, "the connection broke before the answer")),
    };
    if (200..300).contains(&status) {
        return Ok(Answer { body, date });
    }
    let (code, words) = refusal(&body);
    let name = code.clone().unwrap_or_else(|| format!("HTTP {status}"));
    let words = words.unwrap_or_else(|| "the service gave no reason".to_owned());
    let class = classify(code.as_deref(), status);
    let mut failure = StepError::new(class, format!("could not {doing}: {} ({name})", words.trim_end_matches('.')));
    (failure.code, failure.request_id) = (code, request_id);
    Err(failure)
}

/// The IAM action that a caller lacks who was refused: AWS names it, mostly; else it is the one that was asked for.
pub fn lacking(error: &StepError) -> Option<String> {
    let named = |text: &str| {
        let (_, rest) = text.split_once("not authorized to perform: ")?;
        let action = rest.split(|c: char| c.is_whitespace() || c == ',').next()?;
        action.contains(':').then(|| action.to_owned())
    };
    let own = || {
        let (service, rest) = error.message.strip_prefix("could not ask ")?.split_once(" for ")?;
        let (action, _) = rest.split_once(':')?;
        Some(format!("{service}:{action}"))
    };
    [&error.message].into_iter().chain(&error.causes).find_map(|text| named(text)).or_else(own)
}

async fn signed(clients: &Clients, message: &Message<'_>, doing: &str) -> Result<Request<SdkBody>, StepError> {
    let cannot = |why: &dyn std::fmt::Display| StepError::invalid(format!("could not {doing}: {why}"));
    let login = |why: &dyn std::fmt::Display| {
        StepError::new(ErrorClass::Login, format!("could not {doing}: no usable AWS credentials"))
            .because(why.to_string())
    };
    let region = clients.region().ok_or_else(|| cannot(&"no region is set"))?;
    let (own, region) = message.service.endpoint(region);
    let url = format!("{}/", clients.endpoint_url().unwrap_or(&own).trim_end_matches('/'));
    let provider = clients.credentials().ok_or_else(|| login(&"none are configured"))?;
    let identity = provider.provide_credentials().await.map_err(|e| login(&e))?.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&region)
        .name(message.service.name())
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| cannot(&e))?
        .into();
    let headers = message.headers.iter().map(|(name, value)| (*name, value.as_str()));
    let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(message.body.as_bytes()))
        .map_err(|e| cannot(&e))?;
    let (signature, _) = sign(signable, &params).map_err(|e| cannot(&e))?.into_parts();
    let mut request = Request::new(SdkBody::from(message.body.as_str()));
    request.set_method("POST").map_err(|e| cannot(&e))?;
    request.set_uri(url).map_err(|e| cannot(&e))?;
    for (name, value) in &message.headers {
        request.headers_mut().insert(*name, value.clone());
    }
    for (name, value) in signature.headers() {
        request.headers_mut().insert(name.to_owned(), value.to_owned());
    }
    Ok(request)
}

/// Code and words of an error, in whichever of the three forms it comes.
fn refusal(body: &str) -> (Option<String>, Option<String>) {
    if let Ok(json) = serde_json::from_str::<Json>(body) {
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let code = text("__type").map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
        return (code, text("message").or_else(|| text("Message")));
    }
    let Ok(answer) = Xml::read(body) else { return (None, None) };
    // Query: ErrorResponse/Error; EC2: Response/Errors/Error.
    let error = answer.get("Error").or_else(|| answer.get("Errors").and_then(|all| all.get("Error")));
    let text = |name: &str| error.and_then(|error| error.text_at(name)).map(str::to_owned);
    (text("Code"), text("Message"))
}

fn unreadable(action: &str, why: &str) -> StepError {
    StepError::new(ErrorClass::Unknown, format!("the answer to {action} cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_in_every_form() {
        let table = [
            (r#"{"__type":"com.amazonaws#AccessDeniedException","Message":"no"}"#, "AccessDeniedException", "no"),
            (
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no &amp; no</Message></Error></ErrorResponse>",
                "AccessDenied",
                "no & no",
            ),
            (
                "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>",
                "UnauthorizedOperation",
                "no",
            ),
        ];
        for (body, code, words) in table {
            assert_eq!(refusal(body), (Some(code.to_owned()), Some(words.to_owned())), "{body}");
        }
        assert_eq!(refusal("<html>"), (None, None));
    }

    #[test]
    fn a_refusal_names_the_action_that_is_lacking() {
        let table = [
            (
                "could not x: User: arn:aws:iam::1:user/me is not authorized to perform: eks:DescribeCluster on resource: y (A)",
                Some("eks:DescribeCluster"),
            ),
            (
                "could not ask ec2 for DescribeVpcs: You are not authorized to perform this operation (B)",
                Some("ec2:DescribeVpcs"),
            ),
            ("could not describe the stack s: no (AccessDenied)", None),
        ];
        for (message, action) in table {
            assert_eq!(lacking(&StepError::failed(message)).as_deref(), action, "{message}");
        }
    }

    #[test]
    fn iam_is_one_for_a_partition() {
        let table = [
            (Service::Iam, "eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (Service::Iam, "us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (Service::Iam, "cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Service::Ec2, "eu-west-1", "https://ec2.eu-west-1.amazonaws.com", "eu-west-1"),
        ];
        for (service, region, url, signed_for) in table {
            assert_eq!(service.endpoint(region), (url.to_owned(), signed_for.to_owned()));
        }
    }
}
