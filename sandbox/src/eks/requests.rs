//! The calls of EKS: REST paths and JSON bodies.
//! Reads requests and chooses; the rules are in the modules beside it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{self, NewEntry, NewPodIdentity};
use super::addons::{self, KNOWN, NewAddon};
use super::cluster::{self, NewCluster, VERSIONS, mode_of, mode_text};
use super::model::{Status, Tags};
use super::{fault, routes, views};
use crate::wire::{Call, Reply, ServiceError};
use crate::world::{Moment, State};

type Answer = Result<Value, ServiceError>;

/// Answers a call.
pub(super) fn answer(state: &mut State, cx: &Moment<'_>, call: &Call) -> Result<Reply, ServiceError> {
    let (operation, values) = routes::find(&call.method, &call.path).ok_or_else(|| call.not_part())?;
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let body = match (operation, values.as_slice()) {
        (_, []) => without_name(state, cx, call, operation),
        ("ListTagsForResource" | "TagResource" | "UntagResource", [arn]) => tags(state, call, operation, arn),
        (_, [name]) if operation.ends_with("Cluster") || operation == "UpdateClusterConfig" => one_cluster(state, cx, call, operation, name),
        (_, [name, rest @ ..]) if operation.contains("Addon") => addon(state, cx, call, operation, name, rest.first().copied()),
        (_, [name, rest @ ..]) if operation.contains("Access") => access(state, cx, call, operation, name, rest),
        (_, [name, rest @ ..]) if operation.contains("PodIdentity") => {
            pod_identity(state, cx, call, operation, name, rest.first().copied())
        }
        (_, [name, rest @ ..]) => other_lists(state, call, operation, name, rest.first().copied()),
    };
    body.map(|body| Reply::rest_json(&body))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateCluster {
    name: String,
    version: Option<String>,
    role_arn: String,
    resources_vpc_config: VpcConfig,
    kubernetes_network_config: Option<NetworkConfig>,
    logging: Option<Logging>,
    client_request_token: Option<String>,
    #[serde(default)]
    tags: Tags,
    access_config: Option<AccessConfig>,
    #[serde(rename = "bootstrapSelfManagedAddons")]
    _bootstrap_self_managed_addons: Option<bool>,
    upgrade_policy: Option<UpgradePolicy>,
    deletion_protection: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct VpcConfig {
    subnet_ids: Vec<String>,
    security_group_ids: Vec<String>,
    endpoint_public_access: Option<bool>,
    endpoint_private_access: Option<bool>,
    public_access_cidrs: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NetworkConfig {
    service_ipv4_cidr: Option<String>,
    ip_family: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Logging {
    #[serde(default)]
    cluster_logging: Vec<LogSetup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LogSetup {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccessConfig {
    bootstrap_cluster_creator_admin_permissions: Option<bool>,
    authentication_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpgradePolicy {
    support_type: Option<String>,
}

impl CreateCluster {
    fn into_new(self) -> Result<NewCluster, ServiceError> {
        if let Some(family) = self.kubernetes_network_config.as_ref().and_then(|c| c.ip_family.as_ref()).filter(|f| *f != "ipv4") {
            return Err(ServiceError::not_part(format!("an EKS cluster of IP family {family}")));
        }
        let logging = self.logging.map(|logging| logging.cluster_logging).unwrap_or_default();
        let access = self.access_config;
        Ok(NewCluster {
            name: self.name,
            version: self.version,
            role_arn: self.role_arn,
            subnets: self.resources_vpc_config.subnet_ids,
            security_groups: self.resources_vpc_config.security_group_ids,
            public_access: self.resources_vpc_config.endpoint_public_access,
            private_access: self.resources_vpc_config.endpoint_private_access,
            public_cidrs: self.resources_vpc_config.public_access_cidrs,
            service_cidr: self.kubernetes_network_config.and_then(|config| config.service_ipv4_cidr),
            mode: access.as_ref().and_then(|access| access.authentication_mode.clone()),
            creator_is_admin: access.and_then(|access| access.bootstrap_cluster_creator_admin_permissions),
            log_types: logging.into_iter().filter(|setup| setup.enabled).flat_map(|setup| setup.types).collect(),
            support: self.upgrade_policy.and_then(|policy| policy.support_type),
            deletion_protection: self.deletion_protection.unwrap_or(false),
            token: self.client_request_token,
            tags: self.tags,
        })
    }
}

fn without_name(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str) -> Answer {
    match operation {
        "CreateCluster" => {
            let new = call.json::<CreateCluster>()?.into_new()?;
            let name = new.name.clone();
            cluster::create(state, cx, new)?;
            Ok(json!({ "cluster": views::cluster(cx, cluster::find(state, &name)?) }))
        }
        "ListClusters" => list(call, "clusters", state.eks.clusters.keys().map(|name| json!(name)).collect(), &["include"]),
        "DescribeAddonVersions" => addon_versions(call),
        _ => {
            let policies = access::POLICIES.iter().map(|(name, _)| {
                json!({ "name": name, "arn": format!("arn:aws:eks::aws:cluster-access-policy/{name}") })
            });
            list(call, "accessPolicies", policies.collect(), &[])
        }
    }
}

/// One page of a listing. `filters` are the query parameters that the caller has used already.
fn list(call: &Call, member: &str, items: Vec<Value>, filters: &[&str]) -> Answer {
    let known = |key: &str| ["maxResults", "nextToken"].contains(&key) || filters.contains(&key);
    if let Some((unknown, _)) = call.query.iter().find(|(key, _)| !known(key)) {
        return Err(ServiceError::not_part(format!("parameter {unknown} of operation {} of service eks", call.operation)));
    }
    let wrong = |name: &str| fault("InvalidParameterException", format!("Invalid value for {name}"));
    let size: usize = call.query("maxResults").map_or(Ok(100), |text| text.parse().map_err(|_| wrong("maxResults")))?;
    let start: usize = call.query("nextToken").map_or(Ok(0), |text| text.parse().map_err(|_| wrong("nextToken")))?;
    let end = start.saturating_add(size.max(1));
    let next = (end < items.len()).then(|| end.to_string());
    let page: Vec<Value> = items.into_iter().skip(start).take(size.max(1)).collect();
    let mut body = json!({ member: page });
    if let Some(next) = next {
        body["nextToken"] = json!(next);
    }
    Ok(body)
}

fn addon_versions(call: &Call) -> Answer {
    let wanted = |name: &str| call.query("addonName").is_none_or(|wanted| wanted == name);
    let versions: Vec<&str> = match call.query("kubernetesVersion") {
        Some(version) => VERSIONS.iter().copied().filter(|known| *known == version).collect(),
        None => VERSIONS.to_vec(),
    };
    let mut addons = Vec::new();
    for known in KNOWN.iter().filter(|known| wanted(known.name)) {
        let mut by_version: indexmap::IndexMap<&str, Vec<Value>> = indexmap::IndexMap::new();
        for kubernetes in &versions {
            let fits = json!({ "clusterVersion": kubernetes, "platformVersions": ["*"], "defaultVersion": true });
            by_version.entry(known.version(kubernetes)).or_default().push(fits);
        }
        let listed = by_version.into_iter().map(|(version, compatibilities)| {
            json!({
                "addonVersion": version,
                "architecture": ["amd64", "arm64"],
                "compatibilities": compatibilities,
                "requiresConfiguration": false,
                "requiresIamPermissions": false,
            })
        });
        addons.push(json!({
            "addonName": known.name,
            "type": known.kind,
            "addonVersions": listed.collect::<Vec<_>>(),
            "publisher": "eks",
            "owner": "aws",
            "defaultNamespace": known.namespace,
        }));
    }
    list(call, "addons", addons, &["addonName", "kubernetesVersion"])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateClusterConfig {
    access_config: Option<AccessConfig>,
    deletion_protection: Option<bool>,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
}

fn one_cluster(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str, name: &str) -> Answer {
    match operation {
        "DescribeCluster" => {}
        "DeleteCluster" => cluster::delete(state, cx, name)?,
        _ => return update_cluster(state, cx, call, name),
    }
    Ok(json!({ "cluster": views::cluster(cx, cluster::find(state, name)?) }))
}

fn update_cluster(state: &mut State, cx: &Moment<'_>, call: &Call, name: &str) -> Answer {
    let change: UpdateClusterConfig = call.json()?;
    let found = cluster::usable(state, name)?;
    if found.status == Status::Updating {
        let text = format!("Cannot update cluster {name} because an update is in progress");
        return Err(fault("ResourceInUseException", text).with_member("clusterName", name));
    }
    let mode = change.access_config.and_then(|access| access.authentication_mode);
    let (kind, params) = match (mode, change.deletion_protection) {
        (Some(mode), None) => {
            let mode = mode_of(&mode)?;
            if mode <= found.mode {
                let text = format!("Unsupported authentication mode update from {} to {}", mode_text(found.mode), mode_text(mode));
                return Err(fault("InvalidParameterException", text));
            }
            found.mode = mode;
            ("AccessConfigUpdate", vec![("AuthenticationMode".to_owned(), mode_text(mode).to_owned())])
        }
        (None, Some(protection)) => {
            found.deletion_protection = protection;
            ("DeletionProtectionUpdate", vec![("DeletionProtection".to_owned(), protection.to_string())])
        }
        _ => return Err(fault("InvalidParameterException", "Exactly one kind of update must be specified in the request")),
    };
    let id = cluster::start_update(state, cx, name, kind, params)?;
    Ok(json!({ "update": views::update(&cluster::find(state, name)?.updates[&id]) }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AddonRequest {
    addon_name: Option<String>,
    addon_version: Option<String>,
    service_account_role_arn: Option<String>,
    configuration_values: Option<String>,
    #[serde(rename = "resolveConflicts")]
    _resolve_conflicts: Option<String>,
    #[serde(rename = "clientRequestToken")]
    _client_request_token: Option<String>,
    #[serde(default)]
    tags: Tags,
}

impl AddonRequest {
    fn into_new(self, name: Option<&str>) -> Result<NewAddon, ServiceError> {
        let missing = || fault("InvalidParameterException", "addonName must not be null");
        Ok(NewAddon {
            name: name.map(str::to_owned).or(self.addon_name).ok_or_else(missing)?,
            version: self.addon_version,
            role_arn: self.service_account_role_arn,
            configuration: self.configuration_values,
            tags: self.tags,
        })
    }
}

fn addon(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str, name: &str, addon: Option<&str>) -> Answer {
    let view = |state: &State, addon: &str| -> Answer {
        let cluster = cluster::find(state, name)?;
        Ok(json!({ "addon": views::addon(state, cluster, addons::find(cluster, addon)?) }))
    };
    match (operation, addon) {
        ("CreateAddon", _) => {
            let new = call.json::<AddonRequest>()?.into_new(None)?;
            let addon = new.name.clone();
            addons::create(state, cx, name, new)?;
            view(state, &addon)
        }
        ("UpdateAddon", Some(addon)) => {
            let new = call.json::<AddonRequest>()?.into_new(Some(addon))?;
            let id = addons::update(state, cx, name, new)?;
            Ok(json!({ "update": views::update(&cluster::find(state, name)?.updates[&id]) }))
        }
        ("DeleteAddon", Some(addon)) => {
            addons::delete(state, cx, name, addon)?;
            view(state, addon)
        }
        (_, Some(addon)) => view(state, addon),
        (_, None) => list(call, "addons", cluster::find(state, name)?.addons.keys().map(|name| json!(name)).collect(), &[]),
    }
}

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
            _ => Err(fault("InvalidParameterException", "The accessScope must be of type cluster without namespaces, or of type namespace with them")),
        }
    }
}

fn access(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str, name: &str, rest: &[&str]) -> Answer {
    match (operation, rest) {
        ("CreateAccessEntry", _) => {
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
            Ok(json!({ "clusterName": name, "principalArn": principal, "associatedAccessPolicy": views::association(&policy, association) }))
        }
        ("DisassociateAccessPolicy", [principal, policy]) => access::disassociate(state, name, principal, policy).map(|()| json!({})),
        ("ListAssociatedAccessPolicies", [principal]) => {
            let entry = access::find_mut(state, name, principal)?;
            let policies = entry.policies.iter().map(|(policy, association)| views::association(policy, association)).collect();
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

fn pod_identity(state: &mut State, cx: &Moment<'_>, call: &Call, operation: &str, name: &str, id: Option<&str>) -> Answer {
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

fn other_lists(state: &State, call: &Call, operation: &str, name: &str, id: Option<&str>) -> Answer {
    let cluster = cluster::find(state, name)?;
    match (operation, id) {
        ("DescribeUpdate", Some(id)) => {
            let missing = || fault("ResourceNotFoundException", format!("No update found for ID: {id}"));
            Ok(json!({ "update": views::update(cluster.updates.get(id).ok_or_else(missing)?) }))
        }
        ("ListUpdates", _) => {
            let addon = call.query("addonName");
            let listed = cluster.updates.values().filter(|update| update.addon.as_deref() == addon);
            list(call, "updateIds", listed.map(|update| json!(update.id)).collect(), &["addonName"])
        }
        ("ListNodegroups", _) => list(call, "nodegroups", vec![], &[]),
        ("ListFargateProfiles", _) => list(call, "fargateProfileNames", vec![], &[]),
        _ => Err(call.not_part()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagRequest {
    tags: Tags,
}

fn tags(state: &mut State, call: &Call, operation: &str, arn: &str) -> Answer {
    let found = tags_of(state, arn).ok_or_else(|| fault("NotFoundException", format!("No resource found for arn: {arn}")))?;
    match operation {
        "TagResource" => found.extend(call.json::<TagRequest>()?.tags),
        "UntagResource" => {
            let keys = call.query.iter().filter(|(key, _)| key == "tagKeys").map(|(_, value)| value);
            for key in keys {
                found.remove(key);
            }
        }
        _ => return Ok(json!({ "tags": found })),
    }
    Ok(json!({}))
}

fn tags_of<'a>(state: &'a mut State, arn: &str) -> Option<&'a mut Tags> {
    for cluster in state.eks.clusters.values_mut() {
        if cluster.arn == arn {
            return Some(&mut cluster.tags);
        }
        if let Some(addon) = cluster.addons.values_mut().find(|addon| addon.arn == arn) {
            return Some(&mut addon.tags);
        }
        if let Some(entry) = cluster.access.values_mut().find(|entry| entry.arn == arn) {
            return Some(&mut entry.tags);
        }
        if let Some(association) = cluster.pod_identities.values_mut().find(|association| association.arn == arn) {
            return Some(&mut association.tags);
        }
    }
    None
}
