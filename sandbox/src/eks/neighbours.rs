//! What EKS asks of Kubernetes: to make and delete a cluster's API server, where it is, and how many nodes it has.
//! The only place in EKS that knows the Kubernetes module.

use crate::kubernetes;
use crate::world::{Moment, State};

/// Lets a cluster's API server answer.
pub(super) fn create_cluster(state: &mut State, cx: &Moment<'_>, name: &str) {
    kubernetes::create_cluster(state, cx, name);
    if let Some(version) = state.eks.clusters.get(name).map(|cluster| cluster.version.clone()) {
        kubernetes::set_version(state, name, &version);
    }
}

/// Ends a cluster's API server with all that it holds.
pub(super) fn delete_cluster(state: &mut State, cx: &Moment<'_>, name: &str) {
    kubernetes::delete_cluster(state, cx, name);
}

/// The URL of a cluster's API server.
pub(super) fn endpoint(cx: &Moment<'_>, name: &str) -> String {
    kubernetes::endpoint(cx, name)
}

/// The certificate of the authority that signs the API server's certificate: PEM in base64.
pub(super) fn certificate_authority(cx: &Moment<'_>) -> String {
    kubernetes::certificate_authority(cx)
}

/// How many of a cluster's nodes are ready.
pub(super) fn ready_nodes(state: &State, name: &str) -> usize {
    kubernetes::ready_nodes(state, name)
}
