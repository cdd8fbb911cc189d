//! The machines of a cluster, and what a new cluster has before anyone asks for anything.
//! Must not know who runs the machines.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{Cluster, stamp, text};
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
    state.kubernetes.clusters.get(cluster).map_or(0, |cluster| {
        cluster.list("nodes", None).filter(ready).count()
    })
}

fn node_object(cluster: &Cluster, node: &NodeSpec, cx: &Moment<'_>) -> Value {
    let mut labels = BTreeMap::from([
        ("kubernetes.io/hostname".to_owned(), node.name.clone()),
        ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
        ("kubernetes.io/os".to_owned(), "linux".to_owned()),
        (
            "topology.kubernetes.io/region".to_owned(),
            cx.region.to_owned(),
        ),
    ]);
    labels.extend(node.labels.clone());
    let mut capacity = BTreeMap::from(
        [
            ("cpu", "8"),
            ("memory", "32Gi"),
            ("pods", "58"),
            ("ephemeral-storage", "100Gi"),
        ]
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

/// What a new EKS cluster has: namespaces, the API's own service, the default priority classes, and the workloads of the add-ons.
pub fn seed(cluster: &mut Cluster, now: Timestamp) {
    for space in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let labels = json!({ "kubernetes.io/metadata.name": space });
        seeded(
            cluster,
            now,
            "namespaces",
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space, "labels": labels }, "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } }),
        );
    }
    let ports = json!([{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": 443 }]);
    seeded(
        cluster,
        now,
        "services",
        service(
            "default",
            "kubernetes",
            "172.20.0.1",
            &ports,
            json!({ "component": "apiserver", "provider": "kubernetes" }),
            Value::Null,
        ),
    );
    let dns = json!([{ "name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53 }, { "name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53 }]);
    let label = json!({ "k8s-app": "kube-dns" });
    seeded(
        cluster,
        now,
        "services",
        service(
            "kube-system",
            "kube-dns",
            "172.20.0.10",
            &dns,
            label.clone(),
            label.clone(),
        ),
    );
    for (class, value) in [
        ("system-node-critical", 2_000_001_000),
        ("system-cluster-critical", 2_000_000_000),
    ] {
        seeded(
            cluster,
            now,
            "priorityclasses.scheduling.k8s.io",
            json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": value, "preemptionPolicy": "PreemptLowerPriority" }),
        );
    }
    for (kind, shelf, workload, image, labels) in [
        (
            "Deployment",
            "deployments.apps",
            "coredns",
            "eks/coredns",
            label,
        ),
        (
            "DaemonSet",
            "daemonsets.apps",
            "aws-node",
            "amazon-k8s-cni",
            json!({ "k8s-app": "aws-node" }),
        ),
        (
            "DaemonSet",
            "daemonsets.apps",
            "kube-proxy",
            "eks/kube-proxy",
            json!({ "k8s-app": "kube-proxy" }),
        ),
    ] {
        let mut object = json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": workload, "namespace": "kube-system", "generation": 1, "labels": labels },
            "spec": { "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels }, "spec": {
                "containers": [{ "name": workload, "image": image }], "restartPolicy": "Always", "tolerations": [{ "operator": "Exists" }] } } } });
        if kind == "Deployment" {
            object["spec"]["replicas"] = json!(2);
        }
        let resource =
            super::resource::find(cluster, "apps", "v1", shelf.trim_end_matches(".apps"))
                .expect("workloads are built in");
        super::defaults::fill(&resource, &mut object, now);
        seeded(cluster, now, shelf, object);
    }
}

fn service(
    space: &str,
    name: &str,
    address: &str,
    ports: &Value,
    labels: Value,
    selector: Value,
) -> Value {
    let mut object = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": space, "labels": labels },
        "spec": { "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ports": ports, "sessionAffinity": "None",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster" },
        "status": { "loadBalancer": {} } });
    if selector.is_object() {
        object["spec"]["selector"] = selector;
    }
    object
}

fn seeded(cluster: &mut Cluster, now: Timestamp, shelf: &str, mut object: Value) {
    let seed = format!("{shelf}/{}", text(&object, "/metadata/name"));
    object["metadata"]["uid"] = json!(cluster.new_uid(&seed));
    object["metadata"]["creationTimestamp"] = stamp(now);
    cluster.put(shelf, object);
}
