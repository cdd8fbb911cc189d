//! The calls of EKS about access entries and pod identity associations: JSON bodies.
//! Reads requests only; the rules are in `access`.

use serde::Deserialize;
use serde_json::json;

use super::access::{self, NewEntry, NewPodIdentity};
use super::cluster;
use super::model::Tags;
use super::requests::{Answer, list};
use super::{fault, views};
use crate::wire::{Call, ServiceError};
use crate::world::{Moment, State};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateAccessEntry {
    principal_arn: String,
    #[serde(default)]
    kubernetes_groups: Vec<String>,
    #[serde(default)]
    tags: Tags,
    username: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AssociateAccessPolicy {
    policy_arn: String,
    access_scope: AccessScope,
}

/// What part of a cluster an access policy covers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AccessScope {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub namespaces: Vec<String>,
}

impl AccessScope {
    /// The namespaces; none for the whole cluster.
    pub fn checked(self) -> Result<Vec<String>, ServiceError> {
        match (self.kind.as_str(), self.namespaces.is_empty()) {
            ("cluster", true) | ("namespace", false) => Ok(self.namespaces),
            _ => Err(fault(
                "InvalidParameterException",
                "The accessScope must be of type cluster without namespaces, or of type namespace with them",
            )),
        }
    }
}

/// The calls about access entries of one cluster.
pub(super) fn answer(
    state: &mut State,
    cx: &Moment<'_>,
    call: &Call,
    operation: &str,
    name: &str,
    rest: &[&str],
) -> Answer {
    match (operation, rest) {
        ("CreateAccessEntry", _) => create(state, cx, call, name),
        ("DescribeAccessEntry", [principal]) => {
            let entry = access::find_mut(state, name, principal)?;
            Ok(json!({ "accessEntry": views::access_entry(name, entry) }))
        }
        ("DeleteAccessEntry", [principal]) => access::delete(state, name, principal).map(|()| json!({})),
        ("AssociateAccessPolicy", [principal]) => {
            let request: AssociateAccessPolicy = call.json()?;
            let policy = request.policy_arn;
            access::associate(state, cx, name, principal, &policy, request.access_scope.checked()?)?;
            let association = &access::find_mut(state, name, principal)?.policies[&policy];
            Ok(
                json!({ "clusterName": name, "principalArn": principal, "associatedAccessPolicy": views::association(&policy, association) }),
            )
        }
        ("DisassociateAccessPolicy", [principal, policy]) => {
            access::disassociate(state, name, principal, policy).map(|()| json!({}))
        }
        ("ListAssociatedAccessPolicies", [principal]) => {
            let entry = access::find_mut(state, name, principal)?;
            let policies =
                entry.policies.iter().map(|(policy, association)| views::association(policy, association)).collect();
            let mut body = list(call, "associatedAccessPolicies", policies, &[])?;
            body["clusterName"] = json!(name);
            body["principalArn"] = json!(principal);
            Ok(body)
        }
        _ => {
            let with = |policies: &dyn Fn(&str) -> bool| call.query("associatedPolicyArn").is_none_or(policies);
            let entries = &cluster::find(state, name)?.access;
            let listed = entries.values().filter(|entry| with(&|policy| entry.policies.contains_key(policy)));
            list(call, "accessEntries", listed.map(|entry| json!(entry.principal)).collect(), &["associatedPolicyArn"])
        }
    }
}

fn create(state: &mut State, cx: &Moment<'_>, call: &Call, name: &str) -> Answer {
    let request: CreateAccessEntry = call.json()?;
    let principal = request.principal_arn.clone();
    let new = NewEntry {
        principal: request.principal_arn,
        kind: request.kind,
        username: request.username,
        groups: request.kubernetes_groups,
        tags: request.tags,
    };
    access::create(state, cx, name, new)?;
    Ok(json!({ "accessEntry": views::access_entry(name, access::find(cluster::find(state, name)?, &principal)?) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatePodIdentityAssociation {
    namespace: String,
    service_account: String,
    role_arn: String,
    #[serde(default)]
    tags: Tags,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
}

/// The calls about pod identity associations of one cluster.
pub(super) fn pod_identity(
    state: &mut State,
    cx: &Moment<'_>,
    call: &Call,
    operation: &str,
    name: &str,
    id: Option<&str>,
) -> Answer {
    let view = |state: &State, id: &str| -> Answer {
        let association = access::find_pod_identity(cluster::find(state, name)?, id)?;
        Ok(json!({ "association": views::pod_identity(name, association) }))
    };
    match (operation, id) {
        ("CreatePodIdentityAssociation", _) => {
            let request: CreatePodIdentityAssociation = call.json()?;
            let new = NewPodIdentity {
                namespace: request.namespace,
                service_account: request.service_account,
                role_arn: request.role_arn,
                tags: request.tags,
            };
            let id = access::create_pod_identity(state, cx, name, new)?;
            view(state, &id)
        }
        ("DeletePodIdentityAssociation", Some(id)) => {
            let gone = view(state, id)?;
            cluster::find_mut(state, name)?.pod_identities.remove(id);
            Ok(gone)
        }
        (_, Some(id)) => view(state, id),
        (_, None) => {
            let all = cluster::find(state, name)?.pod_identities.values();
            let asked = all.filter(|a| {
                call.query("namespace").is_none_or(|n| n == a.namespace)
                    && call.query("serviceAccount").is_none_or(|s| s == a.service_account)
            });
            let summaries = asked.map(|a| {
                json!({
                    "clusterName": name,
                    "namespace": a.namespace,
                    "serviceAccount": a.service_account,
                    "associationArn": a.arn,
                    "associationId": a.id,
                })
            });
            list(call, "associations", summaries.collect(), &["namespace", "serviceAccount"])
        }
    }
}
