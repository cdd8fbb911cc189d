//! What the Kubernetes API asks of other services of the sandbox.
//! Must not know how they answer.

use crate::eks::{self, Access};
use crate::world::{Moment, State};

/// Whether EKS lets this caller into a cluster: `Some(true)` to do everything, `Some(false)` to look, `None` not (yet).
pub fn is_admin(state: &State, cx: &Moment<'_>, cluster: &str, caller_arn: &str) -> Option<bool> {
    if !state.eks.clusters.contains_key(cluster) {
        // Only a Rust caller of `create_cluster` can make a cluster that EKS does not know; no one else can be meant to use it.
        return Some(true);
    }
    match eks::authenticate(state, cx, cluster, caller_arn) {
        Access::Admin => Some(true),
        Access::View => Some(false),
        Access::NotYet | Access::None => None,
    }
}
