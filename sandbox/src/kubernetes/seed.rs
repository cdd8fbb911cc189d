//! What a new EKS cluster has before anyone asks for anything.
//! Must not know nodes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::store::{Cluster, stamp, text};

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
        service("kube-system", "kube-dns", "172.20.0.10", &dns, label.clone(), label.clone()),
    );
    for (class, value) in [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)] {
        seeded(
            cluster,
            now,
            "priorityclasses.scheduling.k8s.io",
            json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": value, "preemptionPolicy": "PreemptLowerPriority" }),
        );
    }
    add_ons(cluster, now);
}

/// The workloads of the add-ons that every EKS cluster has.
fn add_ons(cluster: &mut Cluster, now: Timestamp) {
    let label = json!({ "k8s-app": "kube-dns" });
    for (kind, shelf, workload, image, labels) in [
        ("Deployment", "deployments.apps", "coredns", "eks/coredns", label),
        ("DaemonSet", "daemonsets.apps", "aws-node", "amazon-k8s-cni", json!({ "k8s-app": "aws-node" })),
        ("DaemonSet", "daemonsets.apps", "kube-proxy", "eks/kube-proxy", json!({ "k8s-app": "kube-proxy" })),
    ] {
        let mut object = json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": { "name": workload, "namespace": "kube-system", "generation": 1, "labels": labels },
            "spec": { "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels }, "spec": {
                "containers": [{ "name": workload, "image": image }], "restartPolicy": "Always", "tolerations": [{ "operator": "Exists" }] } } } });
        if kind == "Deployment" {
            object["spec"]["replicas"] = json!(2);
        }
        let resource = super::resource::find(cluster, "apps", "v1", shelf.trim_end_matches(".apps"))
            .expect("workloads are built in");
        super::defaults::fill(&resource, &mut object, now);
        seeded(cluster, now, shelf, object);
    }
}

fn service(space: &str, name: &str, address: &str, ports: &Value, labels: Value, selector: Value) -> Value {
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
