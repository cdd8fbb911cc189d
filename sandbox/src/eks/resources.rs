//! EKS's resources for CloudFormation: clusters, add-ons, access entries, pod identity associations.
//! Knows nothing of stacks.

use serde_json::{Map, Value, json};

use super::access::{self, NewEntry, NewPodIdentity};
use super::access_requests::AccessScope;
use super::addons::{self, NewAddon};
use super::cluster::{self, NewCluster};
use super::model::{AddonStatus, Status};
use super::neighbours;
use crate::cfn_resource::properties::Properties;
use crate::cfn_resource::{Created, Given, Made, Readiness, Tags};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

fn gone_is_fine(result: Result<(), ServiceError>) -> Result<(), ServiceError> {
    match result {
        Err(error) if error.status == 404 => Ok(()),
        other => other,
    }
}

const CLUSTER: &[&str] = &[
    "Name",
    "Version",
    "RoleArn",
    "ResourcesVpcConfig",
    "AccessConfig",
    "BootstrapSelfManagedAddons",
    "KubernetesNetworkConfig",
    "Logging",
    "UpgradePolicy",
    "DeletionProtection",
    "Tags",
];

/// Makes `AWS::EKS::Cluster`; its id is its name.
pub fn create_cluster(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, CLUSTER)?;
    let empty = Map::new();
    let network = Properties::of(
        given.object("ResourcesVpcConfig")?.unwrap_or(&empty),
        &["SubnetIds", "SecurityGroupIds", "EndpointPublicAccess", "EndpointPrivateAccess", "PublicAccessCidrs"],
    )?;
    let access = Properties::of(
        given.object("AccessConfig")?.unwrap_or(&empty),
        &["AuthenticationMode", "BootstrapClusterCreatorAdminPermissions"],
    )?;
    let service =
        Properties::of(given.object("KubernetesNetworkConfig")?.unwrap_or(&empty), &["ServiceIpv4Cidr", "IpFamily"])?;
    let upgrade = Properties::of(given.object("UpgradePolicy")?.unwrap_or(&empty), &["SupportType"])?;
    let name = given.need("Name")?;
    let new = NewCluster {
        name: name.clone(),
        version: given.text("Version"),
        role_arn: given.need("RoleArn")?,
        subnets: network.texts("SubnetIds")?,
        security_groups: network.texts("SecurityGroupIds")?,
        public_access: Some(network.flag("EndpointPublicAccess", true)?),
        private_access: Some(network.flag("EndpointPrivateAccess", false)?),
        public_cidrs: network.texts("PublicAccessCidrs")?,
        service_cidr: service.text("ServiceIpv4Cidr"),
        mode: access.text("AuthenticationMode"),
        creator_is_admin: Some(access.flag("BootstrapClusterCreatorAdminPermissions", true)?),
        log_types: log_types(given)?,
        support: upgrade.text("SupportType"),
        deletion_protection: given.flag("DeletionProtection", false)?,
        token: None,
        tags: given.tags(tags)?.into_iter().collect(),
    };
    cluster::create(state, cx, new)?;
    Ok(Made { id: name.clone(), attributes: cluster_attributes(state, cx, &name) })
}

/// `Logging.ClusterLogging.EnabledTypes[].Type`.
fn log_types(given: Properties<'_>) -> Result<Vec<String>, ServiceError> {
    let empty = Map::new();
    let logging = Properties::of(given.object("Logging")?.unwrap_or(&empty), &["ClusterLogging"])?;
    let cluster = Properties::of(logging.object("ClusterLogging")?.unwrap_or(&empty), &["EnabledTypes"])?;
    cluster.objects("EnabledTypes")?.into_iter().map(|kind| Properties::of(kind, &["Type"])?.need("Type")).collect()
}

fn cluster_attributes(state: &State, cx: &Moment<'_>, name: &str) -> Map<String, Value> {
    let Some(cluster) = state.eks.clusters.get(name) else {
        return Map::new();
    };
    let attributes = json!({
        "Arn": cluster.arn,
        "Id": name,
        "ClusterSecurityGroupId": cluster.cluster_security_group,
        "Endpoint": neighbours::endpoint(cx, name),
        "CertificateAuthorityData": neighbours::certificate_authority(cx),
        "OpenIdConnectIssuerUrl": cluster.issuer,
        "EncryptionConfigKeyArn": "",
    });
    attributes.as_object().cloned().unwrap_or_default()
}

/// Changes the authentication mode, deletion protection and tags of `AWS::EKS::Cluster`.
pub fn update_cluster(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, CLUSTER)?;
    let empty = Map::new();
    let access = Properties::of(
        given.object("AccessConfig")?.unwrap_or(&empty),
        &["AuthenticationMode", "BootstrapClusterCreatorAdminPermissions"],
    )?;
    let mode = access.text("AuthenticationMode").map(|mode| cluster::mode_of(&mode)).transpose()?;
    let found = cluster::usable(state, id)?;
    if let Some(version) = given.text("Version").filter(|version| *version != found.version) {
        return Err(ServiceError::not_part(format!("the update of EKS cluster {id} to Kubernetes {version}")));
    }
    found.tags = given.tags(tags)?.into_iter().collect();
    found.deletion_protection = given.flag("DeletionProtection", false)?;
    if let Some(mode) = mode.filter(|mode| *mode != found.mode) {
        if mode < found.mode {
            return Err(super::fault("InvalidParameterException", "Unsupported authentication mode update"));
        }
        found.mode = mode;
        let params = vec![("AuthenticationMode".to_owned(), cluster::mode_text(mode).to_owned())];
        cluster::start_update(state, cx, id, "AccessConfigUpdate", params)?;
        access::add_creator(state, cx, id);
    }
    Ok(Made { id: id.to_owned(), attributes: cluster_attributes(state, cx, id) })
}

/// How far `AWS::EKS::Cluster` is, while it is made and while it is deleted.
pub fn ready_cluster(state: &State, cx: &Moment<'_>, id: &str) -> Readiness {
    match state.eks.clusters.get(id).map(|cluster| cluster.status) {
        Some(Status::Creating | Status::Updating | Status::Deleting) => Readiness::Busy,
        Some(Status::Active) => Readiness::Ready(cluster_attributes(state, cx, id)),
        None => Readiness::Ready(Map::new()),
    }
}

/// Starts to delete `AWS::EKS::Cluster`.
pub fn delete_cluster(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    gone_is_fine(cluster::delete(state, cx, id))
}

const ADDON: &[&str] = &[
    "ClusterName",
    "AddonName",
    "AddonVersion",
    "ServiceAccountRoleArn",
    "ConfigurationValues",
    "ResolveConflicts",
    "PreserveOnDelete",
    "Tags",
];

fn addon_of(given: Properties<'_>, tags: Tags<'_>) -> Result<NewAddon, ServiceError> {
    Ok(NewAddon {
        name: given.need("AddonName")?,
        version: given.text("AddonVersion"),
        role_arn: given.text("ServiceAccountRoleArn"),
        configuration: given.text("ConfigurationValues"),
        tags: given.tags(tags)?.into_iter().collect(),
    })
}

/// Makes `AWS::EKS::Addon`; its id is `CLUSTER|ADDON`.
pub fn create_addon(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ADDON)?;
    let (cluster, new) = (given.need("ClusterName")?, addon_of(given, tags)?);
    let name = new.name.clone();
    addons::create(state, cx, &cluster, new)?;
    let arn = addons::find(cluster::find(state, &cluster)?, &name)?.arn.clone();
    Ok(Made::new(format!("{cluster}|{name}"), json!({ "Arn": arn })))
}

/// Changes the version, role and configuration of `AWS::EKS::Addon`.
pub fn update_addon(state: &mut State, cx: &Moment<'_>, id: &str, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ADDON)?;
    addons::update(state, cx, &given.need("ClusterName")?, addon_of(given, tags)?)?;
    Ok(Made::new(id, json!({})))
}

/// How far `AWS::EKS::Addon` is. A degraded one is ready, as at CloudFormation: CoreDNS has no nodes yet.
pub fn ready_addon(state: &State, _cx: &Moment<'_>, id: &str) -> Readiness {
    let (cluster, name) = id.split_once('|').unwrap_or((id, ""));
    match state.eks.clusters.get(cluster).and_then(|cluster| cluster.addons.get(name)).map(|addon| addon.status) {
        Some(AddonStatus::Creating | AddonStatus::Updating | AddonStatus::Deleting) => Readiness::Busy,
        Some(AddonStatus::Active) | None => Readiness::Ready(Map::new()),
    }
}

/// Starts to delete `AWS::EKS::Addon`.
pub fn delete_addon(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let (cluster, name) = id.split_once('|').unwrap_or((id, ""));
    gone_is_fine(addons::delete(state, cx, cluster, name))
}

const ENTRY: &[&str] =
    &["ClusterName", "PrincipalArn", "AccessPolicies", "KubernetesGroups", "Type", "Username", "Tags"];

/// Makes `AWS::EKS::AccessEntry` with its policies; its id is `PRINCIPAL|CLUSTER`.
pub fn create_access_entry(state: &mut State, cx: &Moment<'_>, properties: Given<'_>, tags: Tags<'_>) -> Created {
    let given = Properties::of(properties, ENTRY)?;
    let (cluster, principal) = (given.need("ClusterName")?, given.need("PrincipalArn")?);
    let new = NewEntry {
        principal: principal.clone(),
        kind: given.text("Type"),
        username: given.text("Username"),
        groups: given.texts("KubernetesGroups")?,
        tags: given.tags(tags)?.into_iter().collect(),
    };
    access::create(state, cx, &cluster, new)?;
    let policies = put_policies(state, cx, &cluster, &principal, given);
    if let Err(error) = policies {
        access::delete(state, &cluster, &principal)?;
        return Err(error);
    }
    let arn = access::find(cluster::find(state, &cluster)?, &principal)?.arn.clone();
    Ok(Made::new(format!("{principal}|{cluster}"), json!({ "AccessEntryArn": arn })))
}

/// Changes the policies and groups of `AWS::EKS::AccessEntry`.
pub fn update_access_entry(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    properties: Given<'_>,
    tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, ENTRY)?;
    let (cluster, principal) = (given.need("ClusterName")?, given.need("PrincipalArn")?);
    let entry = access::find_mut(state, &cluster, &principal)?;
    entry.groups = given.texts("KubernetesGroups")?;
    entry.tags = given.tags(tags)?.into_iter().collect();
    put_policies(state, cx, &cluster, &principal, given)?;
    Ok(Made::new(id, json!({})))
}

fn put_policies(
    state: &mut State,
    cx: &Moment<'_>,
    cluster: &str,
    principal: &str,
    given: Properties<'_>,
) -> Result<(), ServiceError> {
    let mut named = Vec::new();
    for policy in given.objects("AccessPolicies")? {
        let policy = Properties::of(policy, &["PolicyArn", "AccessScope"])?;
        let empty = Map::new();
        let scope = Properties::of(policy.object("AccessScope")?.unwrap_or(&empty), &["Type", "Namespaces"])?;
        let scope = AccessScope { kind: scope.need("Type")?, namespaces: scope.texts("Namespaces")? };
        let arn = policy.need("PolicyArn")?;
        access::associate(state, cx, cluster, principal, &arn, scope.checked()?)?;
        named.push(arn);
    }
    access::find_mut(state, cluster, principal)?.policies.retain(|arn, _| named.contains(arn));
    Ok(())
}

/// Deletes `AWS::EKS::AccessEntry`.
pub fn delete_access_entry(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let (principal, cluster) = id.split_once('|').unwrap_or((id, ""));
    gone_is_fine(access::delete(state, cluster, principal))
}

/// Makes `AWS::EKS::PodIdentityAssociation`; its id is its ARN.
pub fn create_pod_identity_association(
    state: &mut State,
    cx: &Moment<'_>,
    properties: Given<'_>,
    tags: Tags<'_>,
) -> Created {
    let given = Properties::of(properties, &["ClusterName", "Namespace", "ServiceAccount", "RoleArn", "Tags"])?;
    let cluster = given.need("ClusterName")?;
    let new = NewPodIdentity {
        namespace: given.need("Namespace")?,
        service_account: given.need("ServiceAccount")?,
        role_arn: given.need("RoleArn")?,
        tags: given.tags(tags)?.into_iter().collect(),
    };
    let id = access::create_pod_identity(state, cx, &cluster, new)?;
    let arn = access::find_pod_identity(cluster::find(state, &cluster)?, &id)?.arn.clone();
    Ok(Made::new(&arn, json!({ "AssociationArn": arn, "AssociationId": id })))
}

/// Deletes `AWS::EKS::PodIdentityAssociation`.
pub fn delete_pod_identity_association(state: &mut State, _cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    for cluster in state.eks.clusters.values_mut() {
        cluster.pod_identities.retain(|_, association| association.arn != id);
    }
    Ok(())
}
