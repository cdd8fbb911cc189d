//! The Kubernetes API of the sandbox's EKS clusters: a store of objects, the controllers that matter to helm and kubectl, TLS.
//! Must not know HyperPod; nodes come and go by plain calls.

mod access;
mod api;
mod apply;
mod auth;
mod certificate;
mod collect;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod lists;
mod neighbours;
mod nodes;
mod openapi;
mod patch;
mod pods;
mod protobuf;
mod record;
mod request;
mod resource;
mod rules;
mod scale;
mod seed;
mod selector;
mod server;
mod status;
mod store;
mod table;
mod unknown;
mod watch;
mod workloads;
mod write;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use certificate::{certificate_authority, server_config};
pub use nodes::{NodeSpec, Taint, add_node, ready_nodes, remove_node, set_node_labels};
pub use server::serve;

use crate::world::Moment;
use store::Cluster;

/// What the Kubernetes API holds: a cluster for every EKS cluster of the region, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    clusters: BTreeMap<String, Cluster>,
}

impl State {
    /// Whether a cluster of this name is served.
    pub fn has_cluster(&self, name: &str) -> bool {
        self.clusters.contains_key(name)
    }
}

/// Kubernetes version of clusters whose maker names none.
const VERSION: &str = "1.33";

/// Makes the API of a new EKS cluster: its namespaces, its own service and the add-ons' workloads. One that exists stays as it is.
pub fn create_cluster(state: &mut crate::world::State, cx: &Moment<'_>, name: &str) {
    if state.kubernetes.has_cluster(name) {
        return;
    }
    let mut cluster = Cluster::new(name, VERSION);
    seed::seed(&mut cluster, cx.now);
    state.kubernetes.clusters.insert(name.to_owned(), cluster);
}

/// Sets the Kubernetes version (`1.33`) that a cluster reports. Nothing happens if there is no such cluster.
pub fn set_version(state: &mut crate::world::State, name: &str, version: &str) {
    if let Some(cluster) = state.kubernetes.clusters.get_mut(name) {
        version.clone_into(&mut cluster.version);
    }
}

/// Takes a cluster's API away with all that it holds.
pub fn delete_cluster(state: &mut crate::world::State, _cx: &Moment<'_>, name: &str) {
    state.kubernetes.clusters.remove(name);
}

/// Where a cluster's API answers.
pub fn endpoint(cx: &Moment<'_>, name: &str) -> String {
    format!("{}/clusters/{name}", cx.kubernetes_endpoint)
}

/// The earliest instant after `after` at which something here changes by itself.
pub fn next_due(state: &crate::world::State, after: Timestamp) -> Option<Timestamp> {
    let due = state.kubernetes.clusters.values().flat_map(|cluster| cluster.due.values());
    due.copied().filter(|at| *at > after).min()
}

/// Moves what is due on to `cx.now`; says whether anything changed.
pub fn advance(state: &mut crate::world::State, cx: &Moment<'_>) -> bool {
    let mut moved = false;
    for cluster in state.kubernetes.clusters.values_mut() {
        let due = cluster.due.values().any(|at| *at <= cx.now);
        if cluster.settled == cluster.revision && !due {
            continue;
        }
        let before = cluster.revision;
        collect::reconcile(cluster, cx.now);
        workloads::reconcile(cluster, cx.now);
        pods::reconcile(cluster, cx.now);
        if cluster.revision == before {
            cluster.settled = before;
        } else {
            moved = true;
        }
    }
    moved
}
