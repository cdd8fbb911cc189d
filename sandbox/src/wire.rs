//! What a service gets and gives: a call, a reply, an error, and the writers and readers of AWS's protocols.
//! Must not know any service's operations.

mod form;
mod xml;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use form::Form;
pub use xml::Xml;

/// One request, with its place in the world read from the signature.
#[derive(Debug, Clone)]
pub struct Call {
    /// The SigV4 service name, as in `cloudformation`.
    pub service: String,
    /// The operation as AWS names it; empty when the request names none.
    pub operation: String,
    /// The HTTP method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// The region of the signature.
    pub region: String,
    /// The access key of the signature.
    pub access_key: String,
    /// The id that the answer carries.
    pub request_id: String,
}

impl Call {
    /// The first query value of this name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The parameters of a Query call, without `Action` and `Version`.
    pub fn form(&self) -> Form {
        Form::parse(self)
    }

    /// The JSON body as `T`, which must deny unknown fields. An empty body is an empty object.
    ///
    /// # Errors
    /// `SerializationException` with serde's words.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ServiceError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body)
            .map_err(|error| ServiceError::new(400, "SerializationException", error.to_string()))
    }

    /// The answer for an operation that the sandbox does not have.
    pub fn not_part(&self) -> ServiceError {
        let operation =
            if self.operation.is_empty() { format!("{} {}", self.method, self.path) } else { self.operation.clone() };
        ServiceError::not_part(format!("operation {operation} of service {}", self.service))
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers; the front door adds the request id.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The error code, for the journal, when the answer is an error.
    pub error: Option<String>,
}

impl Reply {
    /// An answer of this content type.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Reply { status, headers, body: body.into(), error: None }
    }

    /// JSON 1.1 (SageMaker, SSM, Logs).
    pub fn json11(body: &Value) -> Reply {
        Reply::new(StatusCode::OK, "application/x-amz-json-1.1", body.to_string())
    }

    /// REST-JSON (EKS).
    pub fn rest_json(body: &Value) -> Reply {
        Reply::new(StatusCode::OK, "application/json", body.to_string())
    }

    /// Query XML (CloudFormation, IAM, STS): `write` writes the members of `<OperationResult>`.
    pub fn query(call: &Call, namespace: &str, write: impl FnOnce(&mut Xml)) -> Reply {
        let mut xml = Xml::document();
        let operation = &call.operation;
        xml.open_ns(&format!("{operation}Response"), namespace);
        xml.nest(&format!("{operation}Result"), write);
        xml.nest("ResponseMetadata", |xml| xml.text("RequestId", &call.request_id));
        xml.close(&format!("{operation}Response"));
        Reply::new(StatusCode::OK, "text/xml", xml.finish())
    }

    /// EC2 XML: `write` writes the members beside `<requestId>`.
    pub fn ec2(call: &Call, write: impl FnOnce(&mut Xml)) -> Reply {
        let mut xml = Xml::document();
        let tag = format!("{}Response", call.operation);
        xml.open_ns(&tag, "http://ec2.amazonaws.com/doc/2016-11-15/");
        xml.text("requestId", &call.request_id);
        write(&mut xml);
        xml.close(&tag);
        Reply::new(StatusCode::OK, "text/xml;charset=UTF-8", xml.finish())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Reply {
        let value = HeaderValue::from_str(value).expect("the sandbox's own header values are visible ASCII");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }
}

/// An error as AWS gives it; the front door writes it in the service's protocol.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The HTTP status.
    pub status: u16,
    /// AWS's code, as in `ValidationError`.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// Further members of a JSON error, as EKS's `clusterName`.
    pub members: Box<serde_json::Map<String, Value>>,
}

impl ServiceError {
    /// An error without further members.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> ServiceError {
        ServiceError { status, code: code.to_owned(), message: message.into(), members: Box::default() }
    }

    /// The sandbox does not have this: an operation, parameter, resource type or property, named.
    pub fn not_part(what: impl std::fmt::Display) -> ServiceError {
        ServiceError::new(400, "NotPartOfTheSandbox", format!("hprun sandbox: {what} is not part of the sandbox"))
    }

    /// The same with one more member in its JSON.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> ServiceError {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Written in the protocol of the call's service.
    pub fn reply(&self, call: &Call) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = match protocol_of(&call.service) {
            Protocol::Json11 => Reply::new(status, "application/x-amz-json-1.1", self.json().to_string()),
            Protocol::RestJson => Reply::new(status, "application/json", self.json().to_string())
                .with_header("x-amzn-errortype", &self.code),
            Protocol::Query => Reply::new(status, "text/xml", self.query_xml(call)),
            Protocol::Ec2 => Reply::new(status, "text/xml;charset=UTF-8", self.ec2_xml(call)),
            Protocol::RestXml => Reply::new(status, "application/xml", self.s3_xml(call)),
        };
        reply.error = Some(self.code.clone());
        reply
    }

    fn json(&self) -> Value {
        let mut body = json!({ "__type": self.code, "message": self.message });
        let object = body.as_object_mut().expect("just built as an object");
        object.extend((*self.members).clone());
        body
    }

    fn query_xml(&self, call: &Call) -> String {
        let mut xml = Xml::document();
        xml.open_ns("ErrorResponse", namespace_of(&call.service));
        xml.nest("Error", |xml| {
            xml.text("Type", if self.status < 500 { "Sender" } else { "Receiver" });
            xml.text("Code", &self.code);
            xml.text("Message", &self.message);
        });
        xml.text("RequestId", &call.request_id);
        xml.close("ErrorResponse");
        xml.finish()
    }

    fn ec2_xml(&self, call: &Call) -> String {
        let mut xml = Xml::document();
        xml.nest("Response", |xml| {
            xml.nest("Errors", |xml| {
                xml.nest("Error", |xml| {
                    xml.text("Code", &self.code);
                    xml.text("Message", &self.message);
                });
            });
            xml.text("RequestID", &call.request_id);
        });
        xml.finish()
    }

    fn s3_xml(&self, call: &Call) -> String {
        let mut xml = Xml::document();
        xml.nest("Error", |xml| {
            xml.text("Code", &self.code);
            xml.text("Message", &self.message);
            xml.text("RequestId", &call.request_id);
        });
        xml.finish()
    }
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Form in, XML out.
    Query,
    /// Form in, EC2's own XML out.
    Ec2,
    /// `X-Amz-Target` and JSON.
    Json11,
    /// Paths and JSON.
    RestJson,
    /// Paths and XML (S3).
    RestXml,
}

/// The protocol of a service by its SigV4 name.
pub fn protocol_of(service: &str) -> Protocol {
    match service {
        "cloudformation" | "iam" | "sts" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "eks" => Protocol::RestJson,
        "s3" => Protocol::RestXml,
        _ => Protocol::Json11,
    }
}

fn namespace_of(service: &str) -> &'static str {
    match service {
        "iam" => "https://iam.amazonaws.com/doc/2010-05-08/",
        "sts" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
    }
}

/// An instant in XML: `2026-08-01T12:00:00.123Z`.
pub fn iso8601(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// An instant in JSON: seconds since the epoch with milliseconds.
pub fn epoch(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1000.0)
}
