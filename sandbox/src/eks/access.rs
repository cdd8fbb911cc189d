//! Who may do what in a cluster: access entries, access policies, pod identity associations.
//! Knows nothing of the wire; Kubernetes asks `authenticate`.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::model::{AccessEntry, AuthenticationMode, Cluster, PodIdentity, PolicyAssociation, Tags};
use super::{cluster, fault};
use crate::iam;
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// How long a new access entry or policy stays unknown to the cluster's API server: it answers 401 so long.
const SPREAD: SignedDuration = SignedDuration::from_secs(8);
const POLICY_PREFIX: &str = "arn:aws:eks::aws:cluster-access-policy/";
/// The policy that lets everything be done.
pub(super) const ADMIN_POLICY: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
/// Access policies that users can associate, by name, and whether they let things be changed.
pub(super) const POLICIES: &[(&str, bool)] = &[
    ("AmazonEKSClusterAdminPolicy", true),
    ("AmazonEKSAdminPolicy", true),
    ("AmazonEKSEditPolicy", true),
    ("AmazonEKSViewPolicy", false),
    ("AmazonEKSAdminViewPolicy", false),
];
const KINDS: &[&str] =
    &["STANDARD", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];

/// What a caller may do in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything (also given for the edit policy: the sandbox does not tell them apart).
    Admin,
    /// Reading.
    View,
    /// Its access entry is too new: the API server answers 401.
    NotYet,
    /// Nothing: the API server answers 401.
    None,
}

/// What a caller, named by its STS or IAM ARN, may do in a cluster now.
pub fn authenticate(state: &State, cx: &Moment<'_>, cluster: &str, caller_arn: &str) -> Access {
    let Some(cluster) = state.eks.clusters.get(cluster) else {
        return Access::None;
    };
    let is_caller = |principal: &str| same_principal(principal, caller_arn);
    if cluster.mode == AuthenticationMode::ConfigMap && cluster.creator_is_admin && is_caller(&cluster.creator) {
        return Access::Admin;
    }
    let Some(entry) = cluster.access.values().find(|entry| is_caller(&entry.principal)) else {
        return Access::None;
    };
    let known = |association: &PolicyAssociation| cx.now >= entry.created.max(association.associated) + SPREAD;
    let mut access = Access::None;
    for (arn, association) in &entry.policies {
        let changes = POLICIES.iter().any(|(name, changes)| arn.ends_with(&format!("/{name}")) && *changes);
        access = match (access, known(association), changes) {
            (Access::Admin, _, _) | (_, true, true) => Access::Admin,
            (_, true, false) => Access::View,
            (Access::View, false, _) => Access::View,
            (Access::None | Access::NotYet, false, _) => Access::NotYet,
        };
    }
    access
}

/// Whether an IAM ARN names the caller: a role's sessions (`…:assumed-role/NAME/SESSION`) are the role, whatever its path.
fn same_principal(principal: &str, caller: &str) -> bool {
    if principal == caller {
        return true;
    }
    let session = caller.strip_prefix("arn:aws:sts::").and_then(|rest| rest.split_once(":assumed-role/"));
    let role = principal.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    match (session, role) {
        (Some((account, session)), Some((role_account, role))) => {
            account == role_account && session.split('/').next() == role.rsplit('/').next()
        }
        _ => false,
    }
}

/// What a new access entry is to be.
#[derive(Debug, Default)]
pub(super) struct NewEntry {
    pub principal: String,
    pub kind: Option<String>,
    pub username: Option<String>,
    pub groups: Vec<String>,
    pub tags: Tags,
}

/// The access entry of the cluster's creator, made with the cluster or when its authentication mode first knows access entries.
pub(super) fn add_creator(state: &mut State, cx: &Moment<'_>, name: &str) {
    let id = state.ids.uuid();
    let Ok(cluster) = cluster::find_mut(state, name) else {
        return;
    };
    let there = cluster.access.contains_key(&cluster.creator);
    if cluster.mode == AuthenticationMode::ConfigMap || !cluster.creator_is_admin || there {
        return;
    }
    let new = NewEntry { principal: cluster.creator.clone(), ..NewEntry::default() };
    let mut entry = entry(cx, name, &id, new);
    let association = PolicyAssociation { namespaces: vec![], associated: cx.now, modified: cx.now };
    entry.policies.insert(ADMIN_POLICY.into(), association);
    cluster.access.insert(entry.principal.clone(), entry);
}

fn entry(cx: &Moment<'_>, cluster: &str, id: &str, new: NewEntry) -> AccessEntry {
    let name = new.principal.rsplit('/').next().unwrap_or_default();
    let session = format!("arn:aws:sts::{}:assumed-role/{name}/{{{{SessionName}}}}", cx.account);
    let kind = new.kind.unwrap_or_else(|| "STANDARD".into());
    let is_role = new.principal.contains(":role/");
    let by_default = match kind.as_str() {
        "STANDARD" if is_role => session,
        "STANDARD" => new.principal.clone(),
        _ => "system:node:{{EC2PrivateDNSName}}".into(),
    };
    AccessEntry {
        arn: format!("arn:aws:eks:{}:{}:access-entry/{cluster}/role/{}/{name}/{id}", cx.region, cx.account, cx.account),
        username: new.username.unwrap_or(by_default),
        groups: if kind == "STANDARD" { new.groups } else { vec!["system:nodes".into()] },
        principal: new.principal,
        kind,
        created: cx.now,
        modified: cx.now,
        tags: new.tags,
        policies: BTreeMap::new(),
    }
}

fn with_api<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Cluster, ServiceError> {
    let cluster = cluster::find_mut(state, name)?;
    if cluster.mode == AuthenticationMode::ConfigMap {
        let text = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.";
        return Err(fault("InvalidRequestException", text));
    }
    Ok(cluster)
}

/// Makes an access entry.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, name: &str, new: NewEntry) -> Result<(), ServiceError> {
    let id = state.ids.uuid();
    let known = iam::role(state, &new.principal).is_some();
    let cluster = with_api(state, name)?;
    let invalid = |text: String| fault("InvalidParameterException", text);
    if new.principal.starts_with("arn:aws:sts:")
        || !(new.principal.contains(":role/") || new.principal.contains(":user/"))
    {
        return Err(invalid(format!("The principalArn parameter format is not valid: {}", new.principal)));
    }
    if new.principal.contains(":role/") && !known {
        return Err(invalid(format!("The specified principalArn is invalid: invalid principal. {}", new.principal)));
    }
    if let Some(kind) = new.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        return Err(invalid(format!("The type {kind} is not a valid access entry type")));
    }
    if let Some(group) = new.groups.iter().find(|group| group.starts_with("system:")) {
        return Err(invalid(format!("The kubernetes group name {group} is invalid, it cannot start with system:")));
    }
    if cluster.access.contains_key(&new.principal) {
        let text = "The specified access entry resource is already in use on this cluster.";
        return Err(fault("ResourceInUseException", text).with_member("clusterName", name));
    }
    let entry = entry(cx, name, &id, new);
    cluster.access.insert(entry.principal.clone(), entry);
    Ok(())
}

/// The access entry of a principal, or EKS's error.
pub(super) fn find<'a>(cluster: &'a Cluster, principal: &str) -> Result<&'a AccessEntry, ServiceError> {
    cluster.access.get(principal).ok_or_else(|| missing(principal))
}

fn missing(principal: &str) -> ServiceError {
    let text = format!(
        "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'. ({principal})"
    );
    fault("ResourceNotFoundException", text)
}

/// The access entry of a principal, to change.
pub(super) fn find_mut<'a>(
    state: &'a mut State,
    name: &str,
    principal: &str,
) -> Result<&'a mut AccessEntry, ServiceError> {
    with_api(state, name)?.access.get_mut(principal).ok_or_else(|| missing(principal))
}

/// Deletes an access entry.
pub(super) fn delete(state: &mut State, name: &str, principal: &str) -> Result<(), ServiceError> {
    with_api(state, name)?.access.remove(principal).map(drop).ok_or_else(|| missing(principal))
}

/// Gives an access entry a policy, for the whole cluster or some namespaces.
pub(super) fn associate(
    state: &mut State,
    cx: &Moment<'_>,
    name: &str,
    principal: &str,
    policy: &str,
    namespaces: Vec<String>,
) -> Result<(), ServiceError> {
    let known = policy.strip_prefix(POLICY_PREFIX).is_some_and(|name| POLICIES.iter().any(|(known, _)| *known == name));
    if !known {
        let text = format!("The policyArn parameter format is not valid: {policy}");
        return Err(fault("InvalidParameterException", text));
    }
    let entry = find_mut(state, name, principal)?;
    if entry.kind != "STANDARD" {
        let text = format!("Access policies cannot be associated with an access entry of type {}", entry.kind);
        return Err(fault("InvalidRequestException", text));
    }
    let associated = entry.policies.get(policy).map_or(cx.now, |association| association.associated);
    entry.policies.insert(policy.to_owned(), PolicyAssociation { namespaces, associated, modified: cx.now });
    Ok(())
}

/// Takes a policy from an access entry.
pub(super) fn disassociate(state: &mut State, name: &str, principal: &str, policy: &str) -> Result<(), ServiceError> {
    let entry = find_mut(state, name, principal)?;
    entry.policies.remove(policy).map(drop).ok_or_else(|| {
        fault("ResourceNotFoundException", format!("The policyArn {policy} is not associated with {principal}"))
    })
}

/// What a new pod identity association is to be.
#[derive(Debug)]
pub(super) struct NewPodIdentity {
    pub namespace: String,
    pub service_account: String,
    pub role_arn: String,
    pub tags: Tags,
}

/// Makes a pod identity association; gives its id.
pub(super) fn create_pod_identity(
    state: &mut State,
    cx: &Moment<'_>,
    name: &str,
    new: NewPodIdentity,
) -> Result<String, ServiceError> {
    let id = format!("a-{}", state.ids.hex(17));
    if iam::role(state, &new.role_arn).is_none() {
        return Err(fault(
            "InvalidParameterException",
            format!("Role provided in the request does not exist: {}", new.role_arn),
        ));
    }
    let cluster = cluster::usable(state, name)?;
    let same = |p: &PodIdentity| p.namespace == new.namespace && p.service_account == new.service_account;
    if cluster.pod_identities.values().any(same) {
        return Err(fault("ResourceInUseException", "Association already exists").with_member("clusterName", name));
    }
    let association = PodIdentity {
        id: id.clone(),
        arn: format!("arn:aws:eks:{}:{}:podidentityassociation/{name}/{id}", cx.region, cx.account),
        namespace: new.namespace,
        service_account: new.service_account,
        role_arn: new.role_arn,
        created: cx.now,
        modified: cx.now,
        tags: new.tags,
    };
    cluster.pod_identities.insert(id.clone(), association);
    Ok(id)
}

/// The pod identity association of this id, or EKS's error.
pub(super) fn find_pod_identity<'a>(cluster: &'a Cluster, id: &str) -> Result<&'a PodIdentity, ServiceError> {
    let missing = || fault("ResourceNotFoundException", format!("The specified association was not found: {id}"));
    cluster.pod_identities.get(id).ok_or_else(missing)
}
