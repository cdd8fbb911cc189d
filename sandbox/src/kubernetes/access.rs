//! Who may do what: the caller as EKS knows it, the check before every request, and the reviews that ask about it.
//! Must not know tokens; `auth` finds out who calls.

use serde_json::{Value, json};

use super::request::Target;
use super::resource::Resource;
use super::status::Refusal;
use super::store::{Cluster, text};

/// A caller who was let in.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// The name that messages use: the ARN.
    pub user: String,
    /// Whether everything is allowed; else only looking, and not at secrets.
    pub admin: bool,
}

/// Whether this may be done.
///
/// # Errors
/// 403 in the server's words.
pub fn check(caller: &Caller, target: &Target, verb: &str) -> Result<(), Refusal> {
    let resource = &target.resource;
    if !resource.stored || allows(caller, verb, &resource.plural, &target.subresource) {
        return Ok(());
    }
    Err(Refusal::forbidden(&caller.user, verb, &resource.plural, &resource.group, &target.name, &target.namespace))
}

fn allows(caller: &Caller, verb: &str, resource: &str, subresource: &str) -> bool {
    let looks = matches!(verb, "get" | "list" | "watch")
        && resource != "secrets"
        && !matches!(subresource, "exec" | "attach" | "portforward");
    caller.admin || looks
}

/// Answers a review about the caller's own access or name.
pub fn review(cluster: &Cluster, caller: &Caller, resource: &Resource, mut body: Value) -> Value {
    body["apiVersion"] = json!(resource.api_version());
    body["kind"] = json!(resource.kind);
    body["status"] = match resource.plural.as_str() {
        "selfsubjectaccessreviews" => {
            let attributes = &body["spec"]["resourceAttributes"];
            let allowed = if attributes.is_object() {
                allows(
                    caller,
                    text(attributes, "/verb"),
                    text(attributes, "/resource"),
                    text(attributes, "/subresource"),
                )
            } else {
                caller.admin || text(&body, "/spec/nonResourceAttributes/verb") == "get"
            };
            let reason = if allowed {
                format!("EKS access entry of {} on cluster {}", caller.user, cluster.name)
            } else {
                String::new()
            };
            json!({ "allowed": allowed, "reason": reason })
        }
        "selfsubjectrulesreviews" => {
            let verbs = if caller.admin { json!(["*"]) } else { json!(["get", "list", "watch"]) };
            json!({ "incomplete": false, "nonResourceRules": [{ "verbs": verbs, "nonResourceURLs": ["*"] }],
                "resourceRules": [{ "verbs": verbs, "apiGroups": ["*"], "resources": ["*"] }] })
        }
        _ => json!({ "userInfo": { "username": caller.user, "groups": ["system:authenticated"] } }),
    };
    body
}
