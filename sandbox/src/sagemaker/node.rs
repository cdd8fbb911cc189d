//! The life of one node: launched, booted, its lifecycle script run, checked, joined to Kubernetes, sent away.
//! Must not know when a cluster is whole; that is `life`.

use std::collections::BTreeMap;

use super::life::{BOOT, DEEP_CHECK, RETRY, SCRIPT, SHUT_DOWN};
use super::model::{Cluster, Level, Node, Phase, Work};
use super::neighbours::{self, KubernetesNode, Script};
use super::types::{self, Accelerator, InstanceType};
use super::{events, life, script};
use crate::world::{Moment, State};

const SCRIPTS_FAILED: &str = "Lifecycle scripts did not run successfully. Ensure the scripts exist in provided S3 path, are accessible, and run without errors. Please see CloudWatch logs for lifecycle script execution details.";
const EFA_FAILED: &str = "EFA health checks did not run successfully. Ensure that your VPC and security groups are properly configured before attempting to create a new cluster.";

/// Launches what a group lacks. A classic cluster rolls back when it cannot; otherwise it is tried again later.
pub(super) fn launch(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let group = &cluster.groups[at];
    let name = group.name().to_owned();
    let alive = cluster.nodes_of(&name).filter(|node| node.alive()).count();
    let missing = (group.target as usize).saturating_sub(alive);
    if missing == 0 {
        return;
    }
    let launched =
        pick_type(cluster, at, cx).and_then(|it| (0..missing).try_for_each(|_| launch_one(cluster, at, it, state, cx)));
    let Err(reason) = launched else { return };
    let flexible = cluster.continuous || cluster.groups[at].spec.min_instance_count.is_some();
    if flexible || cluster.work != Work::Scaling {
        cluster.groups[at].launch_at = Some(cx.now + RETRY);
        events::launch_failed(cluster, at, &reason, cx);
    } else {
        life::roll_back(cluster, reason, state, cx);
    }
}

/// The first of the group's types of which there are instances to be had.
fn pick_type(cluster: &Cluster, at: usize, cx: &Moment<'_>) -> Result<&'static InstanceType, String> {
    let mut lacking = String::new();
    for name in cluster.groups[at].spec.types() {
        match cx.faults.capacity(name, cx.now) {
            None => {
                return Ok(types::find(name).expect("the request was checked against the model"));
            }
            Some(none) => {
                let usual = || {
                    format!(
                        "We currently do not have sufficient capacity to launch new {name} instances. Please try again."
                    )
                };
                lacking = none.reason.unwrap_or_else(usual);
            }
        }
    }
    Err(lacking)
}

fn launch_one(
    cluster: &mut Cluster,
    at: usize,
    it: &InstanceType,
    state: &mut State,
    cx: &Moment<'_>,
) -> Result<(), String> {
    let group = &cluster.groups[at];
    let vpc = cluster.vpc_of(group);
    let id = state.ids.aws("i-");
    let eni = neighbours::attach(state, cx, &vpc, it.addresses, &id).map_err(|error| error.message)?;
    let node = Node {
        logical_id: format!("hp-{}", state.ids.hex(16)),
        id,
        group: group.name().to_owned(),
        instance_type: it.name.to_owned(),
        launched: cx.now,
        patched: None,
        phase: Phase::Provisioning,
        due: Some(cx.now + BOOT),
        eni: eni.id,
        address: eni.address,
        zone: eni.zone,
        zone_id: eni.zone_id,
        security_groups: vpc.security_group_ids,
        image: group.image.clone(),
        spot: group.spec.spot(),
    };
    events::instance(
        cluster,
        &node,
        Level::Info,
        &format!("EC2 Instance {} launched in Cluster {} and IG {}", node.id, cluster.name, node.group),
        None,
        cx,
    );
    cluster.nodes.push(node);
    Ok(())
}

/// Does what is due for the node at this place.
pub(super) fn step(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    cluster.nodes[at].due = None;
    match cluster.nodes[at].phase.clone() {
        Phase::Provisioning => booted(cluster, at, state, cx),
        Phase::Script { failure: Some(message) } => failed(cluster, at, message, state, cx),
        Phase::Script { failure: None } => script_done(cluster, at, state, cx),
        Phase::DeepHealthCheck | Phase::Rebooting => become_running(cluster, at, state, cx),
        Phase::Patching => patched(cluster, at, state, cx),
        Phase::Failure { .. } => shut_down(&mut cluster.nodes[at], &cluster.eks_name, state, cx),
        Phase::ShuttingDown => gone(cluster, at, state, cx),
        Phase::Running | Phase::PatchPending => {}
    }
}

/// The EFA check comes before any script, so a node that fails it leaves no lifecycle log (facts: F1).
fn booted(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let node = &cluster.nodes[at];
    let it = types::find(&node.instance_type).expect("a node's type was checked");
    if it.efa > 0 && !neighbours::self_referencing(state, &node.security_groups) {
        return failed(cluster, at, EFA_FAILED.to_owned(), state, cx);
    }
    let failure = run_script(cluster, at, state, cx);
    let node = &mut cluster.nodes[at];
    node.phase = Phase::Script { failure };
    node.due = Some(cx.now + SCRIPT);
}

/// Reads the script from S3 and judges it, with what it says in the log; the words of its failure, if it fails.
fn run_script(cluster: &Cluster, at: usize, state: &mut State, cx: &Moment<'_>) -> Option<String> {
    let node = &cluster.nodes[at];
    let group = cluster.groups.iter().find(|group| group.name() == node.group)?;
    // Restricted instance groups run no script.
    let config = group.spec.life_cycle_config.as_ref()?;
    let uri = config.source_s3_uri.as_deref()?;
    let name = config.on_create.as_deref().or(config.on_init_complete.as_deref())?;
    let log = format!("/aws/sagemaker/Clusters/{}/{}", cluster.name, cluster.id());
    let stream = format!("LifecycleConfig/{}/{}", node.group, node.id);
    let say = |state: &mut State, line: String| neighbours::log(state, cx, &log, &stream, &line);
    say(state, format!("Downloading lifecycle scripts from {uri}"));
    let (bucket, key) = location(uri, name);
    match neighbours::script(state, cx, &group.spec.execution_role, &bucket, &key) {
        Script::Denied => {
            say(
                state,
                format!(
                    "fatal error: An error occurred (AccessDenied) when calling the ListObjectsV2 operation: Access Denied (bucket {bucket})"
                ),
            );
            Some(format!(
                "Execution role provided does not have permissions to access the bucket {uri}. Please ensure that the role has minimum permissions to read the bucket (s3:ListBucket, s3:GetObject)."
            ))
        }
        Script::Missing => {
            say(state, format!("Lifecycle script {name} not found in {uri}: no object s3://{bucket}/{key}"));
            Some(SCRIPTS_FAILED.to_owned())
        }
        Script::Found(text) => {
            say(state, format!("Running lifecycle script {name}"));
            match script::failure(name, &text) {
                None => {
                    say(state, format!("Lifecycle script {name} finished with exit code 0"));
                    None
                }
                Some((status, words)) => {
                    say(state, words);
                    say(state, format!("Lifecycle script {name} failed with exit code {status}"));
                    Some(SCRIPTS_FAILED.to_owned())
                }
            }
        }
    }
}

/// Bucket and key of a script: what SourceS3Uri names, a slash, the file.
fn location(uri: &str, name: &str) -> (String, String) {
    let path = uri.split_once("://").map_or(uri, |(_, path)| path);
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let prefix = prefix.trim_end_matches('/');
    let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    (bucket.to_owned(), key)
}

fn script_done(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let node = cluster.nodes[at].clone();
    let text = format!("Instance lifecycle script execution for EC2 Instance {} has Succeeded", node.id);
    events::instance(cluster, &node, Level::Info, &text, Some("Succeeded"), cx);
    let checks = cluster
        .groups
        .iter()
        .any(|group| group.name() == node.group && group.spec.on_start_deep_health_checks.is_some());
    if checks {
        cluster.nodes[at].phase = Phase::DeepHealthCheck;
        cluster.nodes[at].due = Some(cx.now + DEEP_CHECK);
        join(cluster, at, state, cx);
    } else {
        become_running(cluster, at, state, cx);
    }
}

fn become_running(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    cluster.nodes[at].phase = Phase::Running;
    join(cluster, at, state, cx);
}

/// A classic cluster rolls back over this (in `life`); continuous mode sends the node away and tries another.
fn failed(cluster: &mut Cluster, at: usize, message: String, state: &mut State, cx: &Moment<'_>) {
    let script = message == SCRIPTS_FAILED;
    let node = &mut cluster.nodes[at];
    node.phase = Phase::Failure { message: message.clone() };
    let node = node.clone();
    neighbours::leave(state, cx, &cluster.eks_name, &node.kubernetes_name());
    if cluster.continuous {
        cluster.nodes[at].due = Some(cx.now + SHUT_DOWN);
        let text = if script {
            let log = format!("/aws/sagemaker/Clusters/{}/{}", cluster.name, cluster.id());
            format!(
                "Instance lifecycle script execution for EC2 Instance {} has Failed. To view lifecycle script logs, visit log group {log}",
                node.id
            )
        } else {
            format!("Instance creation in Cluster {} and InstanceGroup {} failed: {message}", cluster.name, node.group)
        };
        events::instance(cluster, &node, Level::Error, &text, script.then_some("Failed"), cx);
        if let Some(group) = cluster.groups.iter_mut().find(|group| group.spec.instance_group_name == node.group) {
            group.launch_at = Some(cx.now + RETRY);
        }
    }
}

fn patched(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    if let Some(message) = run_script(cluster, at, state, cx) {
        cluster.nodes[at].phase = Phase::Failure { message };
        return;
    }
    let desired = cluster
        .groups
        .iter()
        .find(|group| group.name() == cluster.nodes[at].group)
        .and_then(|group| group.desired.clone());
    let node = &mut cluster.nodes[at];
    node.image = desired.unwrap_or_else(|| node.image.clone());
    node.patched = Some(cx.now);
    become_running(cluster, at, state, cx);
}

/// Begins to send a node away.
pub(super) fn shut_down(node: &mut Node, eks_name: &str, state: &mut State, cx: &Moment<'_>) {
    if node.phase != Phase::ShuttingDown {
        node.phase = Phase::ShuttingDown;
        node.due = Some(cx.now + SHUT_DOWN);
        neighbours::leave(state, cx, eks_name, &node.kubernetes_name());
    }
}

fn gone(cluster: &mut Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let node = cluster.nodes.remove(at);
    neighbours::detach(state, cx, &node.eni);
}

/// Makes or renews the Kubernetes node.
pub(super) fn join(cluster: &Cluster, at: usize, state: &mut State, cx: &Moment<'_>) {
    let node = &cluster.nodes[at];
    let Some(group) = cluster.groups.iter().find(|group| group.name() == node.group) else {
        return;
    };
    let it = types::find(&node.instance_type).expect("a node's type was checked");
    let checking = node.phase == Phase::DeepHealthCheck;
    let config = group.spec.kubernetes_config.clone().unwrap_or_default();
    let mut labels = config.labels.clone().unwrap_or_default();
    let health = if checking { "Unschedulable" } else { "Schedulable" };
    let fixed = [
        ("sagemaker.amazonaws.com/node-health-status", health),
        ("sagemaker.amazonaws.com/cluster-name", &cluster.name),
        ("sagemaker.amazonaws.com/compute-type", "hyperpod"),
        ("sagemaker.amazonaws.com/instance-group-name", &node.group),
        ("node.kubernetes.io/instance-type", &node.instance_type),
        ("topology.kubernetes.io/zone", &node.zone),
        ("topology.kubernetes.io/region", cx.region),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture(it.name)),
    ];
    labels.extend(fixed.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels.insert("kubernetes.io/hostname".into(), node.kubernetes_name());
    if group.spec.on_start_deep_health_checks.is_some() {
        let result = if checking { "InProgress" } else { "Passed" };
        labels.insert("sagemaker.amazonaws.com/deep-health-check-status".into(), result.into());
    }
    let capacity = capacity(it, group.spec.threads_per_core);
    let name = node.kubernetes_name();
    neighbours::join(state, cx, &cluster.eks_name, KubernetesNode { name, labels, config, capacity });
}

/// Graviton families end their generation with a `g`.
fn architecture(name: &str) -> &'static str {
    let family = name.split('.').nth(1).unwrap_or_default();
    let graviton = ["c", "m", "r"].iter().any(|class| family.starts_with(class)) && family.ends_with('g');
    if graviton || family.contains("gb200") { "arm64" } else { "amd64" }
}

fn capacity(it: &InstanceType, threads_per_core: Option<u32>) -> BTreeMap<String, String> {
    // Accelerated types have two threads a core, and HyperPod turns one off unless it is asked for both (facts: part A).
    let halved = it.accelerator != Accelerator::None && threads_per_core != Some(2) && it.vcpus > 1;
    let vcpus = if halved { it.vcpus / 2 } else { it.vcpus };
    let mut capacity = BTreeMap::from([
        ("cpu".to_owned(), vcpus.to_string()),
        ("memory".to_owned(), format!("{}Gi", it.memory_gib)),
        ("pods".to_owned(), if it.vcpus <= 4 { "14" } else { "110" }.to_owned()),
    ]);
    let devices = match it.accelerator {
        Accelerator::Gpu => Some("nvidia.com/gpu"),
        Accelerator::Neuron => Some("aws.amazon.com/neurondevice"),
        Accelerator::None => None,
    };
    capacity.extend(devices.map(|name| (name.to_owned(), it.devices.to_string())));
    if it.efa > 0 {
        capacity.insert("vpc.amazonaws.com/efa".to_owned(), it.efa.to_string());
    }
    capacity
}

#[cfg(test)]
mod tests {
    use super::location;

    #[test]
    fn the_script_is_looked_up_below_its_prefix() {
        let cases = [
            ("s3://b", "b", "on_create.sh"),
            ("s3://b/", "b", "on_create.sh"),
            ("s3://b/a/b", "b", "a/b/on_create.sh"),
            ("s3://b/a/b/", "b", "a/b/on_create.sh"),
        ];
        for (uri, bucket, key) in cases {
            assert_eq!(location(uri, "on_create.sh"), (bucket.to_owned(), key.to_owned()));
        }
    }
}
