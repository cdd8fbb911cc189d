//! The controllers of Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs: what they make and what they report.
//! Must not know nodes' room or pods' lives; `pods` decides where a pod runs and when.

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pods;
use super::store::{Cluster, items, name, namespace, stamp, text};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "controller-revision-hash";

/// Brings what the workloads own to what they ask for.
pub fn reconcile(cluster: &mut Cluster, now: Timestamp) {
    for deployment in all(cluster, "deployments.apps") {
        reconcile_deployment(cluster, &deployment, now);
    }
    for set in all(cluster, "replicasets.apps") {
        reconcile_replicas(cluster, &set, now);
    }
    for set in all(cluster, "statefulsets.apps") {
        reconcile_stateful(cluster, &set, now);
    }
    for set in all(cluster, "daemonsets.apps") {
        reconcile_daemons(cluster, &set, now);
    }
    for job in all(cluster, "jobs.batch") {
        reconcile_job(cluster, &job, now);
    }
}

/// Every object of a shelf that is not on its way out.
fn all(cluster: &Cluster, shelf: &str) -> Vec<Value> {
    cluster.list(shelf, None).filter(|object| object["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
}

fn reconcile_deployment(cluster: &mut Cluster, deployment: &Value, now: Timestamp) {
    let hash = template_hash(deployment);
    let wanted = deployment["spec"]["replicas"].clone();
    let mut sets = owned(cluster, "replicasets.apps", deployment);
    sets.sort_by_key(revision_of);
    let current = format!("{}-{hash}", name(deployment));
    let last = sets.last().map_or(0, revision_of);
    match sets.iter().find(|set| name(set) == current) {
        None => {
            let set = replica_set(cluster, deployment, &hash, last + 1, now);
            cluster.put("replicasets.apps", set);
        }
        Some(set) => {
            let revision = if revision_of(set) == last { last } else { last + 1 };
            cluster.change("replicasets.apps", namespace(deployment), &current, |set| {
                set["spec"]["replicas"] = wanted.clone();
                set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision.to_string());
            });
        }
    }
    let ready = |set: &Value| set["status"]["readyReplicas"].as_u64().unwrap_or(0);
    let sets = owned(cluster, "replicasets.apps", deployment);
    let new_is_ready = sets.iter().any(|set| name(set) == current && Some(ready(set)) == wanted.as_u64());
    for old in sets.iter().filter(|set| name(set) != current && set["spec"]["replicas"] != 0) {
        let may_go = new_is_ready || ready(old) == 0 || text(deployment, "/spec/strategy/type") == "Recreate";
        if may_go {
            cluster.change("replicasets.apps", namespace(old), name(old), |set| set["spec"]["replicas"] = json!(0));
        }
    }
    deployment_status(cluster, deployment, &current, now);
}

fn replica_set(cluster: &Cluster, deployment: &Value, hash: &str, revision: u64, now: Timestamp) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = json!(hash);
    let full = format!("{}-{hash}", name(deployment));
    let labels = template["metadata"]["labels"].clone();
    let mut set = owned_object(cluster, "apps/v1", "ReplicaSet", deployment, &full, labels, now);
    set["metadata"]["annotations"] = json!({ "deployment.kubernetes.io/revision": revision.to_string() });
    set["metadata"]["generation"] = json!(1);
    set["spec"] = json!({ "replicas": deployment["spec"]["replicas"], "selector": selector, "template": template });
    set["status"] = json!({ "replicas": 0 });
    set
}

fn revision_of(set: &Value) -> u64 {
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn deployment_status(cluster: &mut Cluster, deployment: &Value, current: &str, now: Timestamp) {
    let sets = owned(cluster, "replicasets.apps", deployment);
    let sum = |field: &str| sets.iter().map(|set| set["status"][field].as_u64().unwrap_or(0)).sum::<u64>();
    let newest = sets.iter().find(|set| name(set) == current);
    let updated = newest.map_or(0, |set| set["status"]["replicas"].as_u64().unwrap_or(0));
    let revision = newest.map_or(1, revision_of);
    let wanted = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let (total, ready) = (sum("replicas"), sum("readyReplicas"));
    let mut status = json!({ "observedGeneration": deployment["metadata"]["generation"] });
    for (field, count) in [
        ("replicas", total),
        ("updatedReplicas", updated),
        ("readyReplicas", ready),
        ("availableReplicas", ready),
        ("unavailableReplicas", wanted.saturating_sub(ready)),
    ] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    let available = ready >= wanted;
    let done = available && updated == wanted && total == wanted;
    let (availability, word) = if available {
        ("MinimumReplicasAvailable", "has minimum availability")
    } else {
        ("MinimumReplicasUnavailable", "does not have minimum availability")
    };
    let (progress, how) = if done {
        ("NewReplicaSetAvailable", "has successfully progressed")
    } else {
        ("ReplicaSetUpdated", "is progressing")
    };
    status["conditions"] = json!([
        condition(deployment, "Available", available, availability, &format!("Deployment {word}."), now),
        condition(deployment, "Progressing", true, progress, &format!("ReplicaSet \"{current}\" {how}."), now),
    ]);
    cluster.change("deployments.apps", namespace(deployment), name(deployment), |deployment| {
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision.to_string());
        deployment["status"] = status;
    });
}

/// A condition that keeps the time of its last change.
fn condition(object: &Value, kind: &str, holds: bool, reason: &str, message: &str, now: Timestamp) -> Value {
    let status = if holds { "True" } else { "False" };
    let old = items(object, "/status/conditions").iter().find(|old| old["type"] == kind);
    let kept = old.filter(|old| old["status"] == status).map(|old| old["lastTransitionTime"].clone());
    let updated =
        old.filter(|old| old["status"] == status && old["reason"] == reason).map(|old| old["lastUpdateTime"].clone());
    json!({ "type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": kept.unwrap_or_else(|| stamp(now)), "lastUpdateTime": updated.unwrap_or_else(|| stamp(now)) })
}

fn reconcile_replicas(cluster: &mut Cluster, set: &Value, now: Timestamp) {
    let wanted = count(&set["spec"]["replicas"]);
    let mut pods = living(owned(cluster, "pods", set));
    // The ones that run stay when some have to go.
    pods.sort_by_key(|pod| !pods::is_ready(pod));
    for pod in pods.iter().skip(wanted) {
        pods::remove(cluster, namespace(pod), name(pod));
    }
    for _ in pods.len()..wanted {
        let suffix = &hex::encode(Sha256::digest(format!("{}/{}", text(set, "/metadata/uid"), cluster.revision)))[..5];
        let pod = pod_of(cluster, set, &format!("{}-{suffix}", name(set)), now);
        cluster.put("pods", pod);
    }
    let pods = living(owned(cluster, "pods", set));
    let ready = pods.iter().filter(|pod| pods::is_ready(pod)).count();
    let mut status = json!({ "replicas": pods.len(), "fullyLabeledReplicas": pods.len(), "observedGeneration": set["metadata"]["generation"] });
    if ready > 0 {
        status["readyReplicas"] = json!(ready);
        status["availableReplicas"] = json!(ready);
    }
    cluster.change("replicasets.apps", namespace(set), name(set), |set| set["status"] = status);
}

fn reconcile_stateful(cluster: &mut Cluster, set: &Value, now: Timestamp) {
    let wanted = count(&set["spec"]["replicas"]);
    let revision = format!("{}-{}", name(set), template_hash(set));
    let names: Vec<String> = (0..wanted).map(|index| format!("{}-{index}", name(set))).collect();
    for pod in owned(cluster, "pods", set) {
        if !names.iter().any(|wanted| wanted == name(&pod)) || pod["metadata"]["labels"][REVISION] != *revision {
            pods::remove(cluster, namespace(&pod), name(&pod));
        }
    }
    let ordered = text(set, "/spec/podManagementPolicy") == "OrderedReady";
    for (index, pod) in names.iter().enumerate() {
        if cluster.get("pods", namespace(set), pod).is_none() {
            let mut made = pod_of(cluster, set, pod, now);
            made["metadata"]["labels"][REVISION] = json!(revision);
            made["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(pod);
            made["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = json!(index.to_string());
            cluster.put("pods", made);
        }
        if ordered && !cluster.get("pods", namespace(set), pod).is_some_and(pods::is_ready) {
            break;
        }
    }
    let pods = owned(cluster, "pods", set);
    let ready = pods.iter().filter(|pod| pods::is_ready(pod)).count();
    let status = json!({ "observedGeneration": set["metadata"]["generation"], "replicas": pods.len(), "readyReplicas": ready,
        "availableReplicas": ready, "currentReplicas": pods.len(), "updatedReplicas": pods.len(),
        "currentRevision": revision, "updateRevision": revision, "collisionCount": 0 });
    cluster.change("statefulsets.apps", namespace(set), name(set), |set| set["status"] = status);
}

fn reconcile_daemons(cluster: &mut Cluster, set: &Value, now: Timestamp) {
    let hash = template_hash(set);
    let template = &set["spec"]["template"];
    let nodes: Vec<String> = cluster
        .list("nodes", None)
        .filter(|node| pods::takes_daemon(node, template))
        .map(|node| name(node).to_owned())
        .collect();
    for pod in owned(cluster, "pods", set) {
        let stays = nodes.iter().any(|node| node == text(&pod, "/spec/nodeName"))
            && pod["metadata"]["labels"][REVISION] == *hash;
        if !stays {
            pods::remove(cluster, namespace(&pod), name(&pod));
        }
    }
    let placed: Vec<String> =
        owned(cluster, "pods", set).iter().map(|pod| text(pod, "/spec/nodeName").to_owned()).collect();
    for node in nodes.iter().filter(|node| !placed.contains(node)) {
        let suffix =
            &hex::encode(Sha256::digest(format!("{}/{node}/{}", text(set, "/metadata/uid"), cluster.revision)))[..5];
        let mut pod = pod_of(cluster, set, &format!("{}-{suffix}", name(set)), now);
        pod["metadata"]["labels"][REVISION] = json!(hash);
        pods::place_on(cluster, &mut pod, node, now);
        cluster.put("pods", pod);
    }
    let ready = owned(cluster, "pods", set).iter().filter(|pod| pods::is_ready(pod)).count();
    let wanted = nodes.len();
    let mut status = json!({ "observedGeneration": set["metadata"]["generation"], "desiredNumberScheduled": wanted, "currentNumberScheduled": wanted,
        "updatedNumberScheduled": wanted, "numberReady": ready, "numberMisscheduled": 0 });
    if ready > 0 {
        status["numberAvailable"] = json!(ready);
    }
    if wanted > ready {
        status["numberUnavailable"] = json!(wanted - ready);
    }
    cluster.change("daemonsets.apps", namespace(set), name(set), |set| set["status"] = status);
}

fn reconcile_job(cluster: &mut Cluster, job: &Value, now: Timestamp) {
    if job["spec"]["suspend"] == true || items(job, "/status/conditions").iter().any(|one| one["type"] == "Complete") {
        return;
    }
    let wanted = count(&job["spec"]["completions"]);
    let phase = |pod: &Value| text(pod, "/status/phase").to_owned();
    let pods = owned(cluster, "pods", job);
    let succeeded = pods.iter().filter(|pod| phase(pod) == "Succeeded").count();
    let active = pods.len() - succeeded;
    let parallel = count(&job["spec"]["parallelism"]);
    for _ in active..parallel.min(wanted.saturating_sub(succeeded)) {
        let suffix = &hex::encode(Sha256::digest(format!("{}/{}", text(job, "/metadata/uid"), cluster.revision)))[..5];
        let pod = pod_of(cluster, job, &format!("{}-{suffix}", name(job)), now);
        cluster.put("pods", pod);
    }
    let active = owned(cluster, "pods", job).len() - succeeded;
    let mut status = json!({ "startTime": job["status"].get("startTime").cloned().unwrap_or_else(|| stamp(now)), "ready": 0, "terminating": 0, "uncountedTerminatedPods": {} });
    for (field, count) in [("active", active), ("succeeded", succeeded)] {
        if count > 0 {
            status[field] = json!(count);
        }
    }
    if succeeded >= wanted {
        let done = |kind: &str| json!({ "type": kind, "status": "True", "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods", "lastProbeTime": stamp(now), "lastTransitionTime": stamp(now) });
        status["completionTime"] = stamp(now);
        status["conditions"] = json!([done("SuccessCriteriaMet"), done("Complete")]);
    }
    cluster.change("jobs.batch", namespace(job), name(job), |job| job["status"] = status);
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}

fn living(pods: Vec<Value>) -> Vec<Value> {
    pods.into_iter().filter(|pod| !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")).collect()
}

/// What an object controls on a shelf.
fn owned(cluster: &Cluster, shelf: &str, owner: &Value) -> Vec<Value> {
    let uid = &owner["metadata"]["uid"];
    let is_owned = |object: &&Value| {
        items(object, "/metadata/ownerReferences")
            .iter()
            .any(|reference| reference["uid"] == *uid && reference["controller"] == true)
    };
    cluster.list(shelf, Some(namespace(owner))).filter(is_owned).cloned().collect()
}

fn template_hash(workload: &Value) -> String {
    let mut template = workload["spec"]["template"].clone();
    template.sort_all_objects();
    hex::encode(Sha256::digest(template.to_string()))[..10].to_owned()
}

fn pod_of(cluster: &Cluster, owner: &Value, name: &str, now: Timestamp) -> Value {
    let template = &owner["spec"]["template"];
    let labels = template["metadata"].get("labels").cloned().unwrap_or_else(|| json!({}));
    let mut pod = owned_object(cluster, "v1", "Pod", owner, name, labels, now);
    if let Some(annotations) = template["metadata"].get("annotations").filter(|annotations| annotations.is_object()) {
        pod["metadata"]["annotations"] = annotations.clone();
    }
    pod["spec"] = template["spec"].clone();
    pod["status"] = json!({ "phase": "Pending", "qosClass": "BestEffort" });
    pod
}

fn owned_object(
    cluster: &Cluster,
    api_version: &str,
    kind: &str,
    owner: &Value,
    name: &str,
    labels: Value,
    now: Timestamp,
) -> Value {
    let reference = json!({ "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true });
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "namespace": namespace(owner),
        "uid": cluster.new_uid(&format!("{kind}/{}/{name}", namespace(owner))), "creationTimestamp": stamp(now), "labels": labels,
        "ownerReferences": [reference] } })
}
