//! The machines of a cluster.
//! Must not know who runs the machines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::store::{Cluster, stamp};

use crate::world::{Moment, State};

/// A machine that joins a cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSpec {
    /// Its Kubernetes name, e.g. `hyperpod-i-0123456789abcdef0`.
    pub name: String,
    /// Labels beside those that every node has.
    pub labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// What it has, as Kubernetes quantities: `cpu`, `memory`, `pods`, `nvidia.com/gpu` …; missing ones of the first three are filled in.
    pub capacity: BTreeMap<String, String>,
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value; may be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// A machine joins a cluster and is Ready. Nothing happens if the cluster is not there; a node of that name is replaced.
pub fn add_node(state: &mut State, cx: &Moment<'_>, cluster: &str, node: NodeSpec) {
    let Some(cluster) = state.kubernetes.clusters.get_mut(cluster) else {
        return;
    };
    let object = node_object(cluster, &node, cx);
    cluster.put("nodes", object);
}

/// A machine leaves its cluster; its pods go with it.
pub fn remove_node(state: &mut State, _cx: &Moment<'_>, cluster: &str, name: &str) {
    if let Some(cluster) = state.kubernetes.clusters.get_mut(cluster) {
        cluster.remove("nodes", "", name);
    }
}

/// Sets labels of a node; those not named stay.
pub fn set_node_labels(
    state: &mut State,
    _cx: &Moment<'_>,
    cluster: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
) {
    if let Some(cluster) = state.kubernetes.clusters.get_mut(cluster) {
        cluster.change("nodes", "", name, |node| {
            for (key, value) in labels {
                node["metadata"]["labels"][key] = json!(value);
            }
        });
    }
}

/// How many nodes of a cluster are Ready; 0 when there is no such cluster.
pub fn ready_nodes(state: &State, cluster: &str) -> usize {
    let ready = |node: &&Value| super::pods::is_ready(node);
    state.kubernetes.clusters.get(cluster).map_or(0, |cluster| cluster.list("nodes", None).filter(ready).count())
}

fn node_object(cluster: &Cluster, node: &NodeSpec, cx: &Moment<'_>) -> Value {
    let mut labels = BTreeMap::from([
        ("kubernetes.io/hostname".to_owned(), node.name.clone()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
        ("topology.kubernetes.io/region".to_owned(), cx.region.to_owned()),
    ]);
    labels.extend(node.labels.clone());
    let mut capacity = BTreeMap::from(
        [("cpu", "8"), ("memory", "32Gi"), ("pods", "58"), ("ephemeral-storage", "100Gi")]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    capacity.extend(node.capacity.clone());
    let taint = |taint: &Taint| {
        let mut object = json!({ "key": taint.key, "effect": taint.effect });
        if !taint.value.is_empty() {
            object["value"] = json!(taint.value);
        }
        object
    };
    let mut spec = json!({ "providerID": format!("aws:///{}/{}", cx.region, node.name) });
    if !node.taints.is_empty() {
        spec["taints"] = json!(node.taints.iter().map(taint).collect::<Vec<_>>());
    }
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": stamp(cx.now), "lastTransitionTime": stamp(cx.now) });
    let address = cluster.list("nodes", None).count() % 250 + 4;
    json!({ "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": node.name, "uid": cluster.new_uid(&format!("Node/{}", node.name)), "creationTimestamp": stamp(cx.now), "labels": labels },
        "spec": spec,
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "addresses": [{ "type": "InternalIP", "address": format!("10.1.0.{address}") }, { "type": "Hostname", "address": node.name }],
            "nodeInfo": { "architecture": "amd64", "operatingSystem": "linux", "osImage": "Amazon Linux 2023", "kernelVersion": "6.1.0",
                "containerRuntimeVersion": "containerd://1.7.27", "kubeletVersion": super::discovery::git_version(cluster), "kubeProxyVersion": "",
                "machineID": "", "systemUUID": "", "bootID": "" } } })
}
