//! EKS in the sandbox: clusters, add-ons, access entries and pod identity associations, with the times they take.
//! Node groups, Fargate and capabilities are not part of it: HyperPod brings the nodes.

mod access;
mod access_requests;
mod addon_requests;
mod addons;
mod cluster;
mod cluster_requests;
mod model;
mod neighbours;
mod requests;
mod resources;
mod routes;
mod views;

use jiff::Timestamp;

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{self, Moment, World};

pub use access::{Access, authenticate};
pub use model::{AuthenticationMode, Cluster, State, Status};
pub use resources::*;

/// The earliest instant after `after` at which something here changes by itself.
pub fn next_due(state: &world::State, after: Timestamp) -> Option<Timestamp> {
    let clusters = state.eks.clusters.values();
    clusters.flat_map(|cluster| cluster::due(cluster).chain(addons::due(cluster))).filter(|due| *due > after).min()
}

/// Moves what is due on to `cx.now`; says whether anything changed.
pub fn advance(state: &mut world::State, cx: &Moment<'_>) -> bool {
    let clusters = cluster::advance(state, cx);
    let addons = addons::advance(state, cx);
    clusters || addons
}

/// Answers a call.
///
/// # Errors
/// EKS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    world.with(&call.region, |state, cx| requests::answer(state, cx, call))
}

/// The operation that a method and path name, as AWS spells it; the front door, faults and journal go by it.
pub fn operation(method: &http::Method, path: &str) -> Option<&'static str> {
    routes::find(method, path).map(|(operation, _)| operation)
}

/// The cluster of this name or ARN.
pub fn find<'a>(state: &'a world::State, name_or_arn: &str) -> Option<&'a Cluster> {
    match name_or_arn.starts_with("arn:") {
        true => state.eks.clusters.values().find(|cluster| cluster.arn == name_or_arn),
        false => state.eks.clusters.get(name_or_arn),
    }
}

impl Cluster {
    /// Who decides about access, as EKS writes it: `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`.
    pub fn authentication_mode(&self) -> &'static str {
        cluster::mode_text(self.mode)
    }

    /// Whether the cluster can be used (also while it is updated).
    pub fn is_active(&self) -> bool {
        matches!(self.status, Status::Active | Status::Updating)
    }
}

/// Makes the access entry of machines that HyperPod puts into a cluster (type `HYPERPOD_LINUX`), if there is none.
///
/// # Errors
/// The cluster's authentication mode knows no access entries, or the role does not exist.
pub fn ensure_hyperpod_entry(
    state: &mut world::State,
    cx: &Moment<'_>,
    cluster: &str,
    role_arn: &str,
) -> Result<(), ServiceError> {
    if state.eks.clusters.get(cluster).is_some_and(|found| found.access.contains_key(role_arn)) {
        return Ok(());
    }
    let new =
        access::NewEntry { principal: role_arn.to_owned(), kind: Some("HYPERPOD_LINUX".into()), ..Default::default() };
    access::create(state, cx, cluster, new)
}

/// An error as EKS gives it, with the status that belongs to its code.
fn fault(code: &str, message: impl Into<String>) -> ServiceError {
    let status = match code {
        "ResourceNotFoundException" => 404,
        "ResourceInUseException" => 409,
        "AccessDeniedException" => 403,
        _ => 400,
    };
    ServiceError::new(status, code, message)
}
