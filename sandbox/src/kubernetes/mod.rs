//! the Kubernetes API in the sandbox.
//! Not part of it yet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::world::{Moment, World};

/// What the Kubernetes API holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {}

/// The earliest instant after `after` at which something here changes by itself.
pub fn next_due(_state: &crate::world::State, _after: jiff::Timestamp) -> Option<jiff::Timestamp> {
    None
}

/// Moves what is due on to `cx.now`; says whether anything changed.
pub fn advance(_state: &mut crate::world::State, _cx: &Moment<'_>) -> bool {
    false
}

/// Makes the API of a new EKS cluster.
pub fn create_cluster(_state: &mut crate::world::State, _cx: &Moment<'_>, _name: &str) {}

/// Sets the Kubernetes version that a cluster reports.
pub fn set_version(_state: &mut crate::world::State, _name: &str, _version: &str) {}

/// Takes a cluster's API away.
pub fn delete_cluster(_state: &mut crate::world::State, _cx: &Moment<'_>, _name: &str) {}

/// Where a cluster's API answers.
pub fn endpoint(cx: &Moment<'_>, name: &str) -> String {
    format!("{}/clusters/{name}", cx.kubernetes_endpoint)
}

/// The authority's certificate.
pub fn certificate_authority(_cx: &Moment<'_>) -> String {
    String::new()
}

/// How many nodes of a cluster are ready.
pub fn ready_nodes(_state: &crate::world::State, _cluster: &str) -> usize {
    0
}

/// Answers on the TLS port until the sandbox stops.
pub async fn serve(world: Arc<World>, listener: TcpListener) {
    let _listener = listener;
    world.stopping().cancelled().await;
}
