//! EKS's things as JSON, as its answers show them.
//! Knows nothing of requests.

use serde_json::{Value, json};

use super::cluster::{mode_text, status_text};
use super::model::{AccessEntry, Addon, Cluster, PodIdentity, PolicyAssociation, Status, Update};
use super::{addons, neighbours};
use crate::wire::epoch;
use crate::world::{Moment, State};

/// The kinds of logs that a control plane writes.
pub(super) const LOG_TYPES: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// A cluster; what is there only once it is active is left out before.
pub(super) fn cluster(cx: &Moment<'_>, cluster: &Cluster) -> Value {
    let off: Vec<&str> = LOG_TYPES.into_iter().filter(|kind| !cluster.log_types.iter().any(|on| on == kind)).collect();
    let mut logging = Vec::new();
    for (types, enabled) in [(json!(cluster.log_types), true), (json!(off), false)] {
        if types.as_array().is_some_and(|types| !types.is_empty()) {
            logging.push(json!({ "types": types, "enabled": enabled }));
        }
    }
    let mut view = json!({
        "name": cluster.name,
        "arn": cluster.arn,
        "createdAt": epoch(cluster.created),
        "version": cluster.version,
        "roleArn": cluster.role_arn,
        "resourcesVpcConfig": {
            "subnetIds": cluster.subnets,
            "securityGroupIds": cluster.security_groups,
            "clusterSecurityGroupId": cluster.cluster_security_group,
            "vpcId": cluster.vpc,
            "endpointPublicAccess": cluster.public_access,
            "endpointPrivateAccess": cluster.private_access,
            "publicAccessCidrs": cluster.public_cidrs,
        },
        "kubernetesNetworkConfig": { "serviceIpv4Cidr": cluster.service_cidr, "ipFamily": "ipv4", "elasticLoadBalancing": { "enabled": false } },
        "logging": { "clusterLogging": logging },
        "status": status_text(cluster.status),
        "certificateAuthority": {},
        "platformVersion": "eks.9",
        "tags": cluster.tags,
        "health": { "issues": [] },
        "accessConfig": { "bootstrapClusterCreatorAdminPermissions": cluster.creator_is_admin, "authenticationMode": mode_text(cluster.mode) },
        "upgradePolicy": { "supportType": cluster.support },
        "deletionProtection": cluster.deletion_protection,
    });
    if cluster.status != Status::Creating {
        view["endpoint"] = json!(neighbours::endpoint(cx, &cluster.name));
        view["certificateAuthority"] = json!({ "data": neighbours::certificate_authority(cx) });
        view["identity"] = json!({ "oidc": { "issuer": cluster.issuer } });
    }
    if let Some(token) = &cluster.token {
        view["clientRequestToken"] = json!(token);
    }
    view
}

/// An add-on.
pub(super) fn addon(state: &State, cluster: &Cluster, addon: &Addon) -> Value {
    let status = addons::status_text(state, cluster, addon);
    let issues = match status {
        "DEGRADED" => json!([{
            "code": "InsufficientNumberOfReplicas",
            "message": "The add-on is unhealthy because it doesn't have the desired number of replicas.",
            "resourceIds": [],
        }]),
        _ => json!([]),
    };
    let mut view = json!({
        "addonName": addon.name,
        "clusterName": cluster.name,
        "status": status,
        "addonVersion": addon.version,
        "health": { "issues": issues },
        "addonArn": addon.arn,
        "createdAt": epoch(addon.created),
        "modifiedAt": epoch(addon.modified),
        "tags": addon.tags,
    });
    if let Some(role) = &addon.role_arn {
        view["serviceAccountRoleArn"] = json!(role);
    }
    if let Some(configuration) = &addon.configuration {
        view["configurationValues"] = json!(configuration);
    }
    view
}

/// An access entry.
pub(super) fn access_entry(cluster: &str, entry: &AccessEntry) -> Value {
    json!({
        "clusterName": cluster,
        "principalArn": entry.principal,
        "kubernetesGroups": entry.groups,
        "accessEntryArn": entry.arn,
        "createdAt": epoch(entry.created),
        "modifiedAt": epoch(entry.modified),
        "tags": entry.tags,
        "username": entry.username,
        "type": entry.kind,
    })
}

/// An access policy of an access entry.
pub(super) fn association(policy: &str, association: &PolicyAssociation) -> Value {
    let scope = if association.namespaces.is_empty() { "cluster" } else { "namespace" };
    json!({
        "policyArn": policy,
        "accessScope": { "type": scope, "namespaces": association.namespaces },
        "associatedAt": epoch(association.associated),
        "modifiedAt": epoch(association.modified),
    })
}

/// A pod identity association.
pub(super) fn pod_identity(cluster: &str, association: &PodIdentity) -> Value {
    json!({
        "clusterName": cluster,
        "namespace": association.namespace,
        "serviceAccount": association.service_account,
        "roleArn": association.role_arn,
        "associationArn": association.arn,
        "associationId": association.id,
        "tags": association.tags,
        "createdAt": epoch(association.created),
        "modifiedAt": epoch(association.modified),
        "disableSessionTags": false,
    })
}

/// A change of a cluster or add-on.
pub(super) fn update(update: &Update) -> Value {
    let params: Vec<Value> =
        update.params.iter().map(|(kind, value)| json!({ "type": kind, "value": value })).collect();
    json!({
        "id": update.id,
        "status": if update.done { "Successful" } else { "InProgress" },
        "type": update.kind,
        "params": params,
        "createdAt": epoch(update.created),
        "errors": [],
    })
}
