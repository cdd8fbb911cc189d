//! What HyperPod asks of the other services, in one place: S3, IAM, EC2, EKS, CloudWatch Logs, Kubernetes.
//! Must not know how a cluster lives; it only translates between what HyperPod needs and what the neighbours offer.

use super::model::{KubernetesConfig, VpcConfig};
use crate::wire::ServiceError;
use crate::world::{Moment, State};
use crate::{ec2, eks, iam, kubernetes, logs, s3};

/// A lifecycle script as its node would find it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// The execution role may not read the bucket.
    Denied,
    /// There is no such object.
    Missing,
    /// Its text.
    Found(String),
}

/// A network interface in the user's subnet.
#[derive(Debug)]
pub(super) struct Interface {
    pub id: String,
    pub address: String,
    pub zone: String,
    pub zone_id: String,
}

/// A node as Kubernetes is to see it.
#[derive(Debug)]
pub(super) struct KubernetesNode {
    pub name: String,
    pub labels: std::collections::BTreeMap<String, String>,
    pub config: KubernetesConfig,
    pub capacity: std::collections::BTreeMap<String, String>,
}

/// Why HyperPod cannot take on this role now, in IAM's words; `None` when it can.
pub(super) fn role_problem(state: &State, cx: &Moment<'_>, role: &str) -> Option<String> {
    iam::can_assume(state, cx, role, "sagemaker.amazonaws.com").err()
}

/// An EKS cluster, as far as HyperPod looks at it.
pub(super) struct Eks {
    pub name: String,
    pub active: bool,
    pub authentication_mode: String,
    pub vpc: String,
}

/// The EKS cluster of this name or ARN; `None` when there is none.
pub(super) fn eks(state: &State, name_or_arn: &str) -> Option<Eks> {
    let cluster = eks::find(state, name_or_arn)?;
    Some(Eks {
        name: cluster.name.clone(),
        active: cluster.is_active(),
        authentication_mode: cluster.authentication_mode().to_owned(),
        vpc: cluster.vpc.clone(),
    })
}

/// HyperPod's access entry of type HYPERPOD_LINUX for an execution role.
pub(super) fn make_access_entry(state: &mut State, cx: &Moment<'_>, eks: &str, role: &str) -> Result<(), ServiceError> {
    eks::ensure_hyperpod_entry(state, cx, eks, role)
}

/// Whether the subnets and security groups of a request are there, and in the VPC of the EKS cluster.
pub(super) fn check_network(state: &State, vpc: &VpcConfig, eks_vpc: &str) -> Result<(), String> {
    for id in &vpc.subnets {
        let subnet = ec2::subnet(state, id).ok_or_else(|| format!("The subnet ID '{id}' does not exist"))?;
        if subnet.vpc != eks_vpc {
            return Err(format!("Subnet {id} is in VPC {}, but the EKS cluster is in VPC {eks_vpc}.", subnet.vpc));
        }
    }
    for id in &vpc.security_group_ids {
        let found = ec2::vpc_of_group(state, id).ok_or_else(|| format!("The security group '{id}' does not exist"))?;
        if found != eks_vpc {
            return Err(format!("Security group {id} is in VPC {found}, but the EKS cluster is in VPC {eks_vpc}."));
        }
    }
    Ok(())
}

/// Whether one of these groups lets all traffic in from itself and out to itself, as EFA needs it.
pub(super) fn self_referencing(state: &State, groups: &[String]) -> bool {
    groups.iter().any(|group| {
        let open = ec2::self_reference(state, group);
        open.ingress && open.egress
    })
}

/// A node's interface in the subnet that has most room.
pub(super) fn attach(
    state: &mut State,
    cx: &Moment<'_>,
    vpc: &VpcConfig,
    addresses: u32,
    instance: &str,
) -> Result<Interface, ServiceError> {
    let room = |id: &&String| ec2::free_addresses(state, id);
    // The first of those with the same room, so that one subnet is filled after the other in a way that can be told before.
    let subnet = vpc.subnets.iter().rev().max_by_key(room).cloned().unwrap_or_default();
    let found = ec2::subnet(state, &subnet);
    let (zone, zone_id) = found.map(|it| (it.zone.clone(), it.zone_id.clone())).unwrap_or_default();
    let new = ec2::NewInterface {
        subnet,
        groups: vpc.security_group_ids.clone(),
        description: format!("SageMaker HyperPod {instance}"),
        requester: "sagemaker.amazonaws.com".to_owned(),
        instance: Some(instance.to_owned()),
        addresses,
        ..ec2::NewInterface::default()
    };
    let id = ec2::attach_eni(state, cx, new)?;
    let address = state.ec2.interfaces.get(&id).and_then(|it| it.addresses.first()).cloned().unwrap_or_default();
    Ok(Interface { id, address, zone, zone_id })
}

/// Gives an interface back.
pub(super) fn detach(state: &mut State, cx: &Moment<'_>, interface: &str) {
    ec2::detach_eni(state, cx, interface);
}

/// The lifecycle script at this place, read with the execution role.
pub(super) fn script(state: &State, cx: &Moment<'_>, role: &str, bucket: &str, key: &str) -> Script {
    if !can_read(state, role, bucket, key) {
        return Script::Denied;
    }
    match s3::body_of(&state.s3, cx.dir, bucket, key) {
        Some(body) => Script::Found(String::from_utf8_lossy(&body).into_owned()),
        None => Script::Missing,
    }
}

fn can_read(state: &State, role: &str, bucket: &str, key: &str) -> bool {
    iam::allows(state, role, "s3:ListBucket", &format!("arn:aws:s3:::{bucket}"))
        && iam::allows(state, role, "s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"))
}

/// A line of CloudWatch Logs, at `cx.now`.
pub(super) fn log(state: &mut State, cx: &Moment<'_>, group: &str, stream: &str, line: &str) {
    logs::append(state, group, stream, cx.now, line);
}

/// Adds the node to the cluster's Kubernetes, or renews it there.
pub(super) fn join(state: &mut State, cx: &Moment<'_>, eks: &str, node: KubernetesNode) {
    let taints = node.config.taints.unwrap_or_default().into_iter();
    let taints = taints
        .map(|it| kubernetes::Taint { key: it.key, value: it.value.unwrap_or_default(), effect: it.effect })
        .collect();
    let spec = kubernetes::NodeSpec { name: node.name, labels: node.labels, taints, capacity: node.capacity };
    kubernetes::add_node(state, cx, eks, spec);
}

/// Takes the node out of the cluster's Kubernetes, if it is there.
pub(super) fn leave(state: &mut State, cx: &Moment<'_>, eks: &str, name: &str) {
    kubernetes::remove_node(state, cx, eks, name);
}

/// HyperPod's own role, made with the account's first cluster.
pub(super) fn make_service_linked_role(state: &mut State, cx: &Moment<'_>) {
    iam::ensure_service_linked_role(state, cx, "hyperpod.sagemaker.amazonaws.com");
}
