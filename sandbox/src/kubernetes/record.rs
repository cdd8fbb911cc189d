//! What the journal holds of a request to the Kubernetes API.
//! Must never write secrets down, nor answers that may hold them.

use http::header;
use jiff::Timestamp;
use serde_json::Value;

use super::request::{Request, Target};
use super::status::Refusal;
use crate::faults::CallRule;
use crate::journal::{Entry, body_value};
use crate::world::World;

/// One request on its way through.
#[derive(Debug)]
pub struct Visit {
    /// The region of the cluster; empty when there is no such cluster.
    pub region: String,
    /// The cluster that the path names.
    pub cluster: String,
    /// The request itself.
    pub request: Request,
    /// What fault scripts and the journal call it.
    pub operation: String,
    /// When it came, in sandbox time.
    pub at: Timestamp,
    /// The fault that meets it.
    pub rule: Option<CallRule>,
}

/// `create secrets`, `watch pods`, `get /version`: what fault scripts and journals call a request.
pub fn operation(request: &Request) -> String {
    let parts: Vec<&str> = request.path.split('/').filter(|part| !part.is_empty()).collect();
    let rest = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] if !rest.is_empty() => rest,
        _ => return format!("get {}", request.path),
    };
    let rest = match rest {
        ["namespaces", _, below @ ..] if !below.is_empty() && !matches!(below[0], "status" | "finalize") => below,
        rest => rest,
    };
    let verb = Target::verb_of(request.method.as_str(), rest.len() == 1, request.flag("watch"));
    let subresource = rest.get(2).map(|part| format!("/{part}")).unwrap_or_default();
    format!("{verb} {}{subresource}", rest[0])
}

/// Adds the journal's entry; status 0 when no answer is given.
pub fn record(world: &World, visit: &Visit, status: u16, refusal: Option<&Refusal>) {
    let Visit { region, cluster, request, operation, at, rule } = visit;
    let query: Vec<String> = request.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let looks =
        matches!(operation.split(' ').next(), Some("get" | "list" | "watch")) || operation.contains("selfsubject");
    world.journal().record(&Entry {
        at: *at,
        service: "kubernetes".to_owned(),
        operation: operation.clone(),
        region: region.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        request: format!("{} /clusters/{cluster}{}{query}", request.method, request.path),
        body: body(request, operation),
        status,
        error: refusal.map(|refusal| refusal.reason.to_owned()),
        effect: !looks && (200..300).contains(&status) && !request.dry_run(),
        fault: rule.as_ref().map(|rule| rule.fault.name().to_owned()),
        answer_headers: Vec::new(),
        answer: refusal.map(|refusal| refusal.to_json().to_string()).unwrap_or_default(),
    });
}

fn body(request: &Request, operation: &str) -> Value {
    if operation.contains(" secrets") && !request.body.is_empty() {
        return Value::String(format!("object: {} bytes", request.body.len()));
    }
    if !request.body.is_empty()
        && let Ok(object) = request.object()
    {
        return object;
    }
    let mut headers = http::HeaderMap::new();
    if let Ok(content_type) = request.content_type.parse() {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    body_value(&headers, &request.body)
}
