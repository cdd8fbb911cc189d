//! Making, changing and deleting clusters, with the times EKS takes.
//! Knows nothing of the wire or of CloudFormation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::model::{AuthenticationMode, Cluster, Status, Tags, Update};
use super::{access, fault, neighbours};
use crate::ec2::{self, NewInterface};
use crate::iam;
use crate::wire::ServiceError;
use crate::world::{CALLER_ROLE_ARN, Moment, State};

/// How long a cluster takes to come, to change and to go.
const COMES: SignedDuration = SignedDuration::from_mins(9);
const CHANGES: SignedDuration = SignedDuration::from_mins(2);
const GOES: SignedDuration = SignedDuration::from_mins(3);
/// The Kubernetes versions that the sandbox makes clusters of; the first is the default.
pub(super) const VERSIONS: &[&str] = &["1.34", "1.33", "1.32", "1.31"];
/// Clusters a region (the default quota).
const QUOTA: usize = 100;

/// What a new cluster is to be.
#[derive(Debug, Default)]
pub(super) struct NewCluster {
    pub name: String,
    pub version: Option<String>,
    pub role_arn: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub public_access: Option<bool>,
    pub private_access: Option<bool>,
    pub public_cidrs: Vec<String>,
    pub service_cidr: Option<String>,
    pub mode: Option<String>,
    pub creator_is_admin: Option<bool>,
    pub log_types: Vec<String>,
    pub support: Option<String>,
    pub deletion_protection: bool,
    pub token: Option<String>,
    pub tags: Tags,
}

/// The cluster of this name, or EKS's error.
pub(super) fn find<'a>(state: &'a State, name: &str) -> Result<&'a Cluster, ServiceError> {
    state.eks.clusters.get(name).ok_or_else(|| missing(name))
}

/// The cluster of this name, to change.
pub(super) fn find_mut<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Cluster, ServiceError> {
    state.eks.clusters.get_mut(name).ok_or_else(|| missing(name))
}

/// The cluster of this name, if it is neither being made nor being deleted.
pub(super) fn usable<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Cluster, ServiceError> {
    let cluster = find_mut(state, name)?;
    match cluster.status {
        Status::Active | Status::Updating => Ok(cluster),
        Status::Creating | Status::Deleting => {
            let text =
                format!("Cluster {name} is not in ACTIVE status; current status: {}", status_text(cluster.status));
            Err(fault("ResourceInUseException", text).with_member("clusterName", name))
        }
    }
}

fn missing(name: &str) -> ServiceError {
    fault("ResourceNotFoundException", format!("No cluster found for name: {name}.")).with_member("clusterName", name)
}

/// A status as EKS writes it.
pub(super) fn status_text(status: Status) -> &'static str {
    match status {
        Status::Creating => "CREATING",
        Status::Active => "ACTIVE",
        Status::Updating => "UPDATING",
        Status::Deleting => "DELETING",
    }
}

/// An authentication mode as EKS writes it.
pub(super) fn mode_text(mode: AuthenticationMode) -> &'static str {
    match mode {
        AuthenticationMode::ConfigMap => "CONFIG_MAP",
        AuthenticationMode::ApiAndConfigMap => "API_AND_CONFIG_MAP",
        AuthenticationMode::Api => "API",
    }
}

pub(super) fn mode_of(text: &str) -> Result<AuthenticationMode, ServiceError> {
    [AuthenticationMode::ConfigMap, AuthenticationMode::ApiAndConfigMap, AuthenticationMode::Api]
        .into_iter()
        .find(|mode| mode_text(*mode) == text)
        .ok_or_else(|| invalid(format!("Unsupported authentication mode: {text}")))
}

fn invalid(message: impl Into<String>) -> ServiceError {
    fault("InvalidParameterException", message)
}

/// Starts to make a cluster.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, new: NewCluster) -> Result<(), ServiceError> {
    if let (Some(there), Some(token)) = (state.eks.clusters.get(&new.name), &new.token)
        && there.token.as_ref() == Some(token)
    {
        return Ok(());
    }
    let version = check(state, cx, &new)?;
    let vpc = check_network(state, &new)?;
    let mode = new.mode.as_deref().map_or(Ok(AuthenticationMode::ConfigMap), mode_of)?;
    iam::ensure_service_linked_role(state, cx, "eks.amazonaws.com");
    let (cluster_security_group, interfaces) = enter_network(state, cx, &new, &vpc)?;
    let issuer = format!("https://oidc.eks.{}.amazonaws.com/id/{}", cx.region, state.ids.hex(32).to_uppercase());
    let cluster = Cluster {
        arn: format!("arn:aws:eks:{}:{}:cluster/{}", cx.region, cx.account, new.name),
        name: new.name.clone(),
        version,
        role_arn: new.role_arn,
        status: Status::Creating,
        due: Some(cx.now + COMES),
        created: cx.now,
        subnets: new.subnets,
        security_groups: new.security_groups,
        cluster_security_group,
        vpc,
        public_access: new.public_access.unwrap_or(true),
        private_access: new.private_access.unwrap_or(false),
        public_cidrs: if new.public_cidrs.is_empty() { vec!["0.0.0.0/0".into()] } else { new.public_cidrs },
        service_cidr: new.service_cidr.unwrap_or_else(|| "10.100.0.0/16".into()),
        mode,
        creator_is_admin: new.creator_is_admin.unwrap_or(true),
        creator: CALLER_ROLE_ARN.into(),
        log_types: new.log_types,
        support: new.support.unwrap_or_else(|| "EXTENDED".into()),
        deletion_protection: new.deletion_protection,
        token: new.token,
        interfaces,
        issuer,
        tags: new.tags,
        addons: BTreeMap::new(),
        access: BTreeMap::new(),
        pod_identities: BTreeMap::new(),
        updates: BTreeMap::new(),
    };
    state.eks.clusters.insert(new.name.clone(), cluster);
    access::add_creator(state, cx, &new.name);
    Ok(())
}

/// Checks what can be checked without the network; gives the version.
fn check(state: &State, cx: &Moment<'_>, new: &NewCluster) -> Result<String, ServiceError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts = new.name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || new.name.len() > 100 || !new.name.chars().all(fine) {
        return Err(invalid(
            "The cluster name should be valid. It can contain only alphanumeric characters (case-sensitive), hyphens and underscores, must start with an alphanumeric character and can't be longer than 100 characters.",
        ));
    }
    if state.eks.clusters.contains_key(&new.name) {
        let text = format!("Cluster already exists with name: {}", new.name);
        return Err(fault("ResourceInUseException", text).with_member("clusterName", new.name.clone()));
    }
    if state.eks.clusters.len() >= QUOTA {
        return Err(fault("ResourceLimitExceededException", "Cluster limit exceeded for account."));
    }
    let version = new.version.clone().unwrap_or_else(|| VERSIONS[0].to_owned());
    if !VERSIONS.contains(&version.as_str()) {
        return Err(invalid("unsupported Kubernetes version"));
    }
    if let Err(why) = iam::can_assume(state, cx, &new.role_arn, "eks.amazonaws.com") {
        let text = format!(
            "Role with arn: {}, could not be assumed because it does not exist or the trusted entity is not correct ({why})",
            new.role_arn
        );
        return Err(invalid(text));
    }
    Ok(version)
}

/// Checks the subnets and groups; gives their VPC.
fn check_network(state: &State, new: &NewCluster) -> Result<String, ServiceError> {
    let mut zones = BTreeSet::new();
    let mut vpcs = BTreeSet::new();
    for id in &new.subnets {
        let missing = || invalid(format!("The subnet ID '{id}' does not exist"));
        let subnet = ec2::subnet(state, id).ok_or_else(missing)?;
        zones.insert(subnet.zone.clone());
        vpcs.insert(subnet.vpc.clone());
    }
    let (Some(vpc), true) = (vpcs.pop_first(), vpcs.is_empty()) else {
        return Err(invalid("Subnets provided belong to different VPCs, or no subnets are provided"));
    };
    if zones.len() < 2 {
        return Err(invalid("Subnets specified must be in at least two different AZs"));
    }
    for id in &new.security_groups {
        match ec2::vpc_of_group(state, id) {
            Some(of) if of == vpc => {}
            Some(_) => {
                return Err(invalid(format!(
                    "Security group(s) [{id}] are not in the same VPC as the subnets. Please specify a security group that is associated with the VPC: {vpc}."
                )));
            }
            None => return Err(invalid(format!("The security group '{id}' does not exist"))),
        }
    }
    Ok(vpc)
}

/// The cluster's own security group and its interfaces: both or none.
fn enter_network(
    state: &mut State,
    cx: &Moment<'_>,
    new: &NewCluster,
    vpc: &str,
) -> Result<(String, Vec<String>), ServiceError> {
    let group = make_security_group(state, cx, &new.name, vpc)?;
    match place_interfaces(state, cx, new, &group) {
        Ok(interfaces) => Ok((group, interfaces)),
        Err(error) => {
            ec2::delete_cluster_group(state, cx, &group);
            Err(error)
        }
    }
}

fn make_security_group(state: &mut State, cx: &Moment<'_>, cluster: &str, vpc: &str) -> Result<String, ServiceError> {
    let name = format!("eks-cluster-sg-{cluster}-{}", state.ids.hex(8));
    ec2::make_cluster_group(state, cx, vpc, &name, cluster)
}

/// One interface in each of the first two zones' subnets (EKS makes two to four).
fn place_interfaces(
    state: &mut State,
    cx: &Moment<'_>,
    new: &NewCluster,
    group: &str,
) -> Result<Vec<String>, ServiceError> {
    let mut zones = BTreeSet::new();
    let mut interfaces = Vec::new();
    for id in &new.subnets {
        let zone = ec2::subnet(state, id).map(|subnet| subnet.zone.clone()).unwrap_or_default();
        if zones.len() >= 2 || !zones.insert(zone) {
            continue;
        }
        let made = ec2::attach_eni(
            state,
            cx,
            NewInterface {
                subnet: id.clone(),
                groups: std::iter::once(group.to_owned()).chain(new.security_groups.iter().cloned()).collect(),
                description: format!("Amazon EKS {}", new.name),
                requester: "amazon-eks".into(),
                addresses: 1,
                ..NewInterface::default()
            },
        );
        match made {
            Ok(interface) => interfaces.push(interface),
            Err(error) => {
                for interface in interfaces {
                    ec2::detach_eni(state, cx, &interface);
                }
                return Err(fault("InvalidRequestException", error.message));
            }
        }
    }
    Ok(interfaces)
}

/// Starts a change that takes a while; gives its id.
pub(super) fn start_update(
    state: &mut State,
    cx: &Moment<'_>,
    name: &str,
    kind: &str,
    params: Vec<(String, String)>,
) -> Result<String, ServiceError> {
    let id = state.ids.uuid();
    let cluster = find_mut(state, name)?;
    cluster.status = Status::Updating;
    cluster.due = Some(cx.now + CHANGES);
    let update = Update {
        id: id.clone(),
        kind: kind.to_owned(),
        params,
        created: cx.now,
        done: false,
        due: cx.now + CHANGES,
        addon: None,
    };
    cluster.updates.insert(id.clone(), update);
    Ok(id)
}

/// Starts to delete a cluster.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, name: &str) -> Result<(), ServiceError> {
    let cluster = find_mut(state, name)?;
    if cluster.status == Status::Creating {
        let text = format!("Cluster {name} cannot be deleted while cluster status is CREATING");
        return Err(fault("ResourceInUseException", text).with_member("clusterName", name));
    }
    if cluster.deletion_protection {
        let text = format!("Cannot delete cluster {name} because deletion protection is enabled");
        return Err(fault("InvalidRequestException", text).with_member("clusterName", name));
    }
    if cluster.status != Status::Deleting {
        cluster.status = Status::Deleting;
        cluster.due = Some(cx.now + GOES);
        neighbours::delete_cluster(state, cx, name);
    }
    Ok(())
}

/// Moves the clusters on to `cx.now`; says whether anything changed.
pub(super) fn advance(state: &mut State, cx: &Moment<'_>) -> bool {
    let is_due = |cluster: &&Cluster| cluster.due.is_some_and(|due| due <= cx.now);
    let due: Vec<String> = state.eks.clusters.values().filter(is_due).map(|cluster| cluster.name.clone()).collect();
    let moved = !due.is_empty();
    for name in due {
        let Some(cluster) = state.eks.clusters.get_mut(&name) else {
            continue;
        };
        cluster.due = None;
        match cluster.status {
            Status::Creating => {
                cluster.status = Status::Active;
                neighbours::create_cluster(state, cx, &name);
            }
            Status::Updating => cluster.status = Status::Active,
            Status::Deleting => remove(state, cx, &name),
            Status::Active => {}
        }
    }
    let mut finished = false;
    for update in state.eks.clusters.values_mut().flat_map(|cluster| cluster.updates.values_mut()) {
        if !update.done && update.due <= cx.now {
            update.done = true;
            finished = true;
        }
    }
    moved || finished
}

fn remove(state: &mut State, cx: &Moment<'_>, name: &str) {
    let Some(cluster) = state.eks.clusters.remove(name) else {
        return;
    };
    for interface in &cluster.interfaces {
        ec2::detach_eni(state, cx, interface);
    }
    ec2::delete_cluster_group(state, cx, &cluster.cluster_security_group);
}

/// The instants at which clusters and updates change by themselves.
pub(super) fn due(cluster: &Cluster) -> impl Iterator<Item = Timestamp> {
    let updates = cluster.updates.values().filter(|update| !update.done).map(|update| update.due);
    cluster.due.into_iter().chain(updates)
}
