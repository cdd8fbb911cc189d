//! Where pods run and when: they wait until a node has room and is allowed, start, run, and end when their work is bounded.
//! Must not know workloads. A pod never fails here: what its containers would do is not simulated.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::selector::Selector;
use super::store::{Cluster, items, name, namespace, stamp, text};

/// From being placed on a node to running and ready: the image is pulled and the containers start.
const START: SignedDuration = SignedDuration::from_secs(5);
/// How long a pod that does not restart works.
const WORK: SignedDuration = SignedDuration::from_secs(10);

/// Places what waits, starts what is due, ends what is done.
pub fn reconcile(cluster: &mut Cluster, now: Timestamp) {
    let nodes: Vec<String> = cluster.list("nodes", None).map(|node| name(node).to_owned()).collect();
    let pods: Vec<Value> = cluster.list("pods", None).cloned().collect();
    for pod in &pods {
        let node = text(pod, "/spec/nodeName");
        if !node.is_empty() && !nodes.iter().any(|one| one == node) {
            remove(cluster, namespace(pod), name(pod));
        }
    }
    for pod in pods.iter().filter(|pod| text(pod, "/spec/nodeName").is_empty()) {
        schedule(cluster, pod, now);
    }
    let due: Vec<(String, Timestamp)> =
        cluster.due.iter().filter(|(_, at)| **at <= now).map(|(pod, at)| (pod.clone(), *at)).collect();
    for (place, at) in due {
        cluster.due.remove(&place);
        let (namespace, pod) = place.split_once('/').expect("pods have a namespace");
        step(cluster, namespace, pod, at);
    }
}

/// Takes a pod away.
pub fn remove(cluster: &mut Cluster, namespace: &str, name: &str) {
    cluster.due.remove(&format!("{namespace}/{name}"));
    cluster.remove("pods", namespace, name);
}

/// Whether the pod runs and is ready.
pub fn is_ready(pod: &Value) -> bool {
    items(pod, "/status/conditions").iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Whether a DaemonSet's pod of this template belongs on a node.
pub fn takes_daemon(node: &Value, template: &Value) -> bool {
    allowed(node, &template["spec"], true)
}

/// Puts a pod on a node; it starts from there.
pub fn place_on(cluster: &mut Cluster, pod: &mut Value, node: &str, now: Timestamp) {
    pod["spec"]["nodeName"] = json!(node);
    pod["status"]["phase"] = json!("Pending");
    pod["status"]["startTime"] = stamp(now);
    pod["status"]["conditions"] = json!([condition("PodScheduled", now)]);
    let waiting = |container: &Value| {
        json!({ "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "restartCount": 0, "started": false,
            "state": { "waiting": { "reason": "ContainerCreating" } } })
    };
    let containers: Vec<Value> = items(pod, "/spec/containers").iter().map(waiting).collect();
    pod["status"]["containerStatuses"] = json!(containers);
    cluster.due.insert(format!("{}/{}", namespace(pod), name(pod)), now + START);
}

fn schedule(cluster: &mut Cluster, pod: &Value, now: Timestamp) {
    let nodes: Vec<&Value> = cluster.list("nodes", None).collect();
    let total = nodes.len();
    let found = nodes
        .iter()
        .find(|node| allowed(node, &pod["spec"], false) && has_room(cluster, node, pod))
        .map(|node| name(node).to_owned());
    let mut pod = pod.clone();
    match found {
        Some(node) => place_on(cluster, &mut pod, &node, now),
        None => {
            let why = match total {
                0 => "no nodes available to schedule pods".to_owned(),
                total => format!(
                    "0/{total} nodes are available: none fits the pod's node selector, affinity, tolerations and requests."
                ),
            };
            let since = items(&pod, "/status/conditions")
                .first()
                .map_or_else(|| stamp(now), |one| one["lastTransitionTime"].clone());
            pod["status"]["conditions"] = json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why, "lastTransitionTime": since }]);
            pod["status"]["phase"] = json!("Pending");
        }
    }
    cluster.put("pods", pod);
}

/// Starts a pod, or ends one whose work is bounded.
fn step(cluster: &mut Cluster, namespace: &str, pod: &str, at: Timestamp) {
    let Some(mut object) = cluster.get("pods", namespace, pod).cloned() else {
        return;
    };
    let bounded = text(&object, "/spec/restartPolicy") != "Always";
    let running = text(&object, "/status/phase") == "Running";
    let digest = Sha256::digest(text(&object, "/metadata/uid"));
    let id = hex::encode(digest);
    let host = cluster
        .get("nodes", "", text(&object, "/spec/nodeName"))
        .and_then(|node| items(node, "/status/addresses").first().map(|one| one["address"].clone()));
    let status = |container: &Value| {
        let (state, ready) = if running {
            (json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": stamp(at) } }), false)
        } else {
            (json!({ "running": { "startedAt": stamp(at) } }), true)
        };
        json!({ "name": container["name"], "image": container["image"], "imageID": format!("{}@sha256:{id}", text(container, "/image")),
            "containerID": format!("containerd://{id}"), "ready": ready, "started": ready, "restartCount": 0, "state": state })
    };
    let statuses: Vec<Value> = items(&object, "/spec/containers").iter().map(status).collect();
    object["status"]["containerStatuses"] = json!(statuses);
    if running {
        object["status"]["phase"] = json!("Succeeded");
        let done = |kind: &str| json!({ "type": kind, "status": "False", "reason": "PodCompleted", "lastTransitionTime": stamp(at) });
        object["status"]["conditions"] = json!([
            condition("Initialized", at),
            done("Ready"),
            done("ContainersReady"),
            condition("PodScheduled", at)
        ]);
    } else {
        object["status"]["phase"] = json!("Running");
        object["status"]["podIP"] = json!(format!("10.1.{}.{}", digest[0], digest[1].max(4)));
        object["status"]["podIPs"] = json!([{ "ip": object["status"]["podIP"] }]);
        object["status"]["hostIP"] = host.unwrap_or(Value::Null);
        object["status"]["conditions"] =
            json!(["Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|kind| condition(kind, at)));
        if bounded {
            cluster.due.insert(format!("{namespace}/{pod}"), at + WORK);
        }
    }
    cluster.put("pods", object);
}

fn condition(kind: &str, at: Timestamp) -> Value {
    json!({ "type": kind, "status": "True", "lastTransitionTime": stamp(at) })
}

fn allowed(node: &Value, spec: &Value, daemon: bool) -> bool {
    if node["spec"]["unschedulable"] == true && !daemon {
        return false;
    }
    let labels = &node["metadata"]["labels"];
    let selected =
        spec["nodeSelector"].as_object().into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let terms = items(spec, "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms");
    let wanted = terms.is_empty() || terms.iter().any(|term| Selector::from_node_term(term).picks_labels(labels));
    selected && wanted && items(node, "/spec/taints").iter().all(|taint| tolerated(taint, spec, daemon))
}

fn tolerated(taint: &Value, spec: &Value, daemon: bool) -> bool {
    let key = text(taint, "/key");
    if text(taint, "/effect") == "PreferNoSchedule" || (daemon && key.starts_with("node.kubernetes.io/")) {
        return true;
    }
    items(spec, "/tolerations").iter().any(|toleration| {
        let key_fits = text(toleration, "/key") == key || text(toleration, "/key").is_empty();
        let value_fits =
            text(toleration, "/operator") == "Exists" || text(toleration, "/value") == text(taint, "/value");
        let effect = text(toleration, "/effect");
        key_fits && value_fits && (effect.is_empty() || effect == text(taint, "/effect"))
    })
}

fn has_room(cluster: &Cluster, node: &Value, pod: &Value) -> bool {
    let mut needed = requests(&pod["spec"]);
    for other in cluster.list("pods", None).filter(|other| text(other, "/spec/nodeName") == name(node)) {
        if !matches!(text(other, "/status/phase"), "Succeeded" | "Failed") {
            for (resource, amount) in requests(&other["spec"]) {
                *needed.entry(resource).or_default() += amount;
            }
        }
    }
    needed.iter().all(|(resource, amount)| quantity(&node["status"]["allocatable"][resource]) >= *amount)
}

/// What a pod asks for; each is one of the node's `pods`.
fn requests(spec: &Value) -> BTreeMap<String, f64> {
    let mut sum = BTreeMap::from([("pods".to_owned(), 1.0)]);
    for container in items(spec, "/containers") {
        let resources = &container["resources"];
        let limits = resources["limits"].as_object().into_iter().flatten();
        let requests = resources["requests"].as_object();
        let all = requests
            .into_iter()
            .flatten()
            .chain(limits.filter(|(key, _)| requests.is_none_or(|requests| !requests.contains_key(*key))));
        for (resource, amount) in all {
            *sum.entry(resource.clone()).or_default() += quantity(amount);
        }
    }
    sum.retain(|_, amount| *amount > 0.0);
    sum
}

/// A Kubernetes quantity as a number; 0 when it is missing or unreadable.
fn quantity(value: &Value) -> f64 {
    let text = match value {
        Value::Number(number) => return number.as_f64().unwrap_or(0.0),
        Value::String(text) => text.as_str(),
        _ => return 0.0,
    };
    let end = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..end].parse().unwrap_or(0.0);
    let factor = match &text[end..] {
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        _ => 1.0,
    };
    number * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_kubernetes_writes_them() {
        for (text, amount) in [("2", 2.0), ("250m", 0.25), ("1Gi", 1_073_741_824.0), ("1.5k", 1500.0), ("x", 0.0)] {
            assert!((quantity(&json!(text)) - amount).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn a_node_takes_what_it_may_take() {
        let node = json!({ "metadata": { "labels": { "type": "gpu" } }, "spec": { "taints": [{ "key": "gpu", "value": "yes", "effect": "NoSchedule" }] } });
        let toleration = json!([{ "key": "gpu", "operator": "Exists" }]);
        let affinity = |value: &str| {
            json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms":
            [{ "matchExpressions": [{ "key": "type", "operator": "In", "values": [value] }] }] } } })
        };
        for (spec, fits) in [
            (json!({}), false),
            (json!({ "tolerations": toleration }), true),
            (json!({ "tolerations": [{ "key": "gpu", "value": "no" }] }), false),
            (json!({ "tolerations": toleration, "nodeSelector": { "type": "cpu" } }), false),
            (json!({ "tolerations": toleration, "affinity": affinity("gpu") }), true),
            (json!({ "tolerations": toleration, "affinity": affinity("cpu") }), false),
        ] {
            assert_eq!(allowed(&node, &spec, false), fits, "{spec}");
        }
    }
}
