//! The actions of EKS requests, and the ARNs of what a cluster holds.
//! Must not look at what hprun declares.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{arn, linked_role, pass_role, question};
use crate::iam::Question;
use crate::wire::Call;
use crate::world::{Moment, State};

/// What is asked for this call.
pub(super) fn questions(state: &State, cx: &Moment<'_>, call: &Call, body: &Value) -> Vec<Question> {
    let part = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = call.path.split('/').skip(1).map(part).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let own = |resource: String| question(format!("eks:{}", call.operation), resource);
    let role = |key: &str, service: &str| body.get(key).and_then(Value::as_str).map(|role| pass_role(role, service));
    match parts.as_slice() {
        ["clusters"] if call.operation == "CreateCluster" => {
            let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
            let mut asked = vec![own(cluster(cx, name))];
            asked.extend(role("roleArn", "eks.amazonaws.com"));
            asked.extend(linked_role(state, cx, "eks.amazonaws.com"));
            asked
        }
        ["clusters", name, "addons", addon, ..] => vec![own(self::addon(cx, name, addon))],
        ["clusters", name, "access-entries", principal, ..] => vec![own(entry(cx, name, principal))],
        ["clusters", name, "pod-identity-associations", id, ..] => vec![own(identity(cx, name, id))],
        ["clusters", name, "pod-identity-associations"] if call.operation == "CreatePodIdentityAssociation" => {
            let mut asked = vec![own(cluster(cx, name))];
            asked.extend(role("roleArn", "pods.eks.amazonaws.com"));
            asked
        }
        ["clusters", name, ..] => vec![own(cluster(cx, name))],
        ["tags", resource] => vec![own((*resource).to_owned())],
        _ => vec![own("*".to_owned())],
    }
}

/// A cluster.
pub(super) fn cluster(cx: &Moment<'_>, name: &str) -> String {
    arn(cx, "eks", &format!("cluster/{name}"))
}

/// An add-on; what its ARN ends with is made up by EKS.
pub(super) fn addon(cx: &Moment<'_>, cluster: &str, name: &str) -> String {
    arn(cx, "eks", &format!("addon/{cluster}/{name}/*"))
}

/// The access entry of a principal.
pub(super) fn entry(cx: &Moment<'_>, cluster: &str, principal: &str) -> String {
    let mut parts = principal.splitn(6, ':').skip(4);
    let (account, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (kind, name) = name.split_once('/').unwrap_or(("role", name));
    let name = name.rsplit('/').next().unwrap_or_default();
    arn(cx, "eks", &format!("access-entry/{cluster}/{kind}/{account}/{name}/*"))
}

/// A pod identity association.
pub(super) fn identity(cx: &Moment<'_>, cluster: &str, id: &str) -> String {
    arn(cx, "eks", &format!("podidentityassociation/{cluster}/{id}"))
}
