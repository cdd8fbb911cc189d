//! The errors of the Kubernetes API: `Status` objects with the real codes, reasons and messages.
//! Must not know requests; a caller says what was wrong with which object.

use serde_json::{Value, json};

/// Why a request was not carried out, as a Kubernetes API server says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The HTTP status code.
    pub code: u16,
    /// The machine-readable reason, e.g. `NotFound`.
    pub reason: &'static str,
    /// The text that kubectl shows.
    pub message: String,
    /// `details` of the Status; null for none.
    pub details: Value,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: String) -> Refusal {
        Refusal { code, reason, message, details: Value::Null }
    }

    /// No such object: `resource` with its group, as in `deployments.apps`.
    pub fn not_found(resource: &str, name: &str) -> Refusal {
        let message = format!("{resource} \"{name}\" not found");
        Refusal { details: details(resource, name), ..Refusal::new(404, "NotFound", message) }
    }

    /// No such path or kind.
    pub fn no_such_path() -> Refusal {
        let message = "the server could not find the requested resource".to_owned();
        Refusal { details: json!({}), ..Refusal::new(404, "NotFound", message) }
    }

    /// The name is taken.
    pub fn already_exists(resource: &str, name: &str) -> Refusal {
        let message = format!("{resource} \"{name}\" already exists");
        Refusal { details: details(resource, name), ..Refusal::new(409, "AlreadyExists", message) }
    }

    /// The object has another resourceVersion than the one sent.
    pub fn conflict(resource: &str, name: &str) -> Refusal {
        Refusal::cannot_fulfil(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// A precondition does not hold.
    pub fn cannot_fulfil(resource: &str, name: &str, why: &str) -> Refusal {
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        Refusal { details: details(resource, name), ..Refusal::new(409, "Conflict", message) }
    }

    /// Server-side apply met fields that others own; `conflicts` are (quoted manager, field path).
    pub fn apply_conflict(conflicts: &[(String, String)]) -> Refusal {
        let count = conflicts.len();
        let plural = if count == 1 { "conflict" } else { "conflicts" };
        let list: Vec<String> =
            conflicts.iter().map(|(manager, path)| format!("conflict with {manager}: {path}")).collect();
        let message = format!("Apply failed with {count} {plural}: {}", list.join("\n"));
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, path)| {
                json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path })
            })
            .collect();
        Refusal { details: json!({ "causes": causes }), ..Refusal::new(409, "Conflict", message) }
    }

    /// The object breaks a rule of its kind: `kind` with its group, as in `Deployment.apps`.
    pub fn invalid(kind: &str, name: &str, field: &str, what: &str) -> Refusal {
        let message = format!("{kind} \"{name}\" is invalid: {field}: {what}");
        let (short, group) = kind.split_once('.').unwrap_or((kind, ""));
        let causes = json!([{ "reason": "FieldValueInvalid", "message": what, "field": field }]);
        let details = json!({ "name": name, "group": group, "kind": short, "causes": causes });
        Refusal { details, ..Refusal::new(422, "Invalid", message) }
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "BadRequest", message.into())
    }

    /// No or no valid credentials.
    pub fn unauthorized() -> Refusal {
        Refusal::new(401, "Unauthorized", "Unauthorized".to_owned())
    }

    /// Known, but not allowed.
    pub fn forbidden(user: &str, verb: &str, resource: &str, group: &str, name: &str, namespace: &str) -> Refusal {
        let place = match namespace {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let target = match (group, name) {
            ("", "") => resource.to_owned(),
            ("", name) => format!("{resource} \"{name}\""),
            (group, "") => format!("{resource}.{group}"),
            (group, name) => format!("{resource}.{group} \"{name}\""),
        };
        let message = format!(
            "{target} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}"
        );
        Refusal {
            details: json!({ "name": name, "group": group, "kind": resource }),
            ..Refusal::new(403, "Forbidden", message)
        }
    }

    /// A thing that no one may do, in the words of the server.
    pub fn not_allowed(resource: &str, name: &str, why: &str) -> Refusal {
        let message = format!("{resource} \"{name}\" is forbidden: {why}");
        Refusal { details: details(resource, name), ..Refusal::new(403, "Forbidden", message) }
    }

    /// The resource exists, the verb does not.
    pub fn method_not_allowed() -> Refusal {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Refusal { details: json!({}), ..Refusal::new(405, "MethodNotAllowed", message) }
    }

    /// A body in a form that the server does not read.
    pub fn unsupported_media(what: &str) -> Refusal {
        let message = format!("the body of the request was in an unknown format: {what}");
        Refusal::new(415, "UnsupportedMediaType", message)
    }

    /// The resourceVersion is older than what the server remembers.
    pub fn expired(sent: u64, oldest: u64) -> Refusal {
        Refusal::new(410, "Expired", format!("too old resource version: {sent} ({oldest})"))
    }

    /// A failure that the fault script asks for.
    pub fn fault(code: u16, reason: &'static str, message: &str) -> Refusal {
        Refusal::new(code, reason, message.to_owned())
    }

    /// The `Status` object.
    pub fn to_json(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

fn details(resource: &str, name: &str) -> Value {
    let (kind, group) = resource.split_once('.').unwrap_or((resource, ""));
    let mut details = json!({ "name": name, "kind": kind });
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    details
}
