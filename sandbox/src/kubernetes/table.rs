//! Tables for people, as `kubectl get` asks for them.
//! Must not know the store.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::Resource;
use super::store::{items, name, text};

/// A column: its name, the lowest priority at which it is shown (1 is `-o wide`), and what stands in it.
type Column = (&'static str, u8, fn(&Value) -> String);

/// The table of some objects of one resource.
pub fn table(resource: &Resource, objects: &[Value], version: Value, include: &str, now: Timestamp) -> Value {
    let columns = columns(resource);
    let age_at = columns.iter().position(|column| column.1 > 0).unwrap_or(columns.len());
    let mut definitions: Vec<Value> = columns.iter().map(|(title, priority, _)| definition(title, *priority)).collect();
    definitions
        .insert(0, json!({ "name": "Name", "type": "string", "format": "name", "description": "", "priority": 0 }));
    definitions.insert(age_at + 1, definition("Age", 0));
    let row = |object: &Value| {
        let mut cells: Vec<String> = columns.iter().map(|(_, _, cell)| cell(object)).collect();
        cells.insert(0, name(object).to_owned());
        cells.insert(age_at + 1, age(object, now));
        let object = match include {
            "None" => Value::Null,
            "Object" => object.clone(),
            _ => super::api::metadata_only(object),
        };
        json!({ "cells": cells, "object": object })
    };
    let rows: Vec<Value> = objects.iter().map(row).collect();
    json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": version }, "columnDefinitions": definitions, "rows": rows })
}

fn definition(title: &str, priority: u8) -> Value {
    json!({ "name": title, "type": "string", "format": "", "description": "", "priority": priority })
}

fn columns(resource: &Resource) -> Vec<Column> {
    match resource.group.as_str() {
        "" => core_columns(&resource.plural),
        _ => group_columns(&resource.qualified()),
    }
    .to_vec()
}

fn core_columns(plural: &str) -> &'static [Column] {
    match plural {
        "pods" => &[
            ("Ready", 0, pod_ready),
            ("Status", 0, pod_status),
            ("Restarts", 0, |_| "0".to_owned()),
            ("IP", 1, |o| or_none(text(o, "/status/podIP"))),
            ("Node", 1, |o| or_none(text(o, "/spec/nodeName"))),
        ],
        "nodes" => &[
            ("Status", 0, node_status),
            ("Roles", 0, |_| "<none>".to_owned()),
            ("Version", 0, |o| text(o, "/status/nodeInfo/kubeletVersion").to_owned()),
            ("Internal-IP", 1, |o| text(o, "/status/addresses/0/address").to_owned()),
            ("OS-Image", 1, |o| text(o, "/status/nodeInfo/osImage").to_owned()),
            ("Container-Runtime", 1, |o| text(o, "/status/nodeInfo/containerRuntimeVersion").to_owned()),
        ],
        "namespaces" => &[("Status", 0, |o| text(o, "/status/phase").to_owned())],
        "services" => &[
            ("Type", 0, |o| text(o, "/spec/type").to_owned()),
            ("Cluster-IP", 0, |o| or_none(text(o, "/spec/clusterIP"))),
            ("External-IP", 0, external),
            ("Port(s)", 0, ports),
            ("Selector", 1, |o| labels(&o["spec"]["selector"])),
        ],
        "secrets" => &[("Type", 0, |o| text(o, "/type").to_owned()), ("Data", 0, |o| size(&o["data"]))],
        "configmaps" => &[("Data", 0, |o| size(&o["data"]))],
        "serviceaccounts" => &[("Secrets", 0, |o| items(o, "/secrets").len().to_string())],
        _ => &[],
    }
}

fn group_columns(resource: &str) -> &'static [Column] {
    match resource {
        "deployments.apps" => &[
            ("Ready", 0, |o| ratio(&o["status"]["readyReplicas"], &o["spec"]["replicas"])),
            ("Up-to-date", 0, |o| count(&o["status"]["updatedReplicas"])),
            ("Available", 0, |o| count(&o["status"]["availableReplicas"])),
            ("Containers", 1, containers),
            ("Images", 1, images),
            ("Selector", 1, |o| labels(&o["spec"]["selector"]["matchLabels"])),
        ],
        "replicasets.apps" => &[
            ("Desired", 0, |o| count(&o["spec"]["replicas"])),
            ("Current", 0, |o| count(&o["status"]["replicas"])),
            ("Ready", 0, |o| count(&o["status"]["readyReplicas"])),
        ],
        "statefulsets.apps" => &[
            ("Ready", 0, |o| ratio(&o["status"]["readyReplicas"], &o["spec"]["replicas"])),
            ("Containers", 1, containers),
            ("Images", 1, images),
        ],
        "daemonsets.apps" => &[
            ("Desired", 0, |o| count(&o["status"]["desiredNumberScheduled"])),
            ("Current", 0, |o| count(&o["status"]["currentNumberScheduled"])),
            ("Ready", 0, |o| count(&o["status"]["numberReady"])),
            ("Up-to-date", 0, |o| count(&o["status"]["updatedNumberScheduled"])),
            ("Available", 0, |o| count(&o["status"]["numberAvailable"])),
            ("Node Selector", 0, |o| labels(&o["spec"]["template"]["spec"]["nodeSelector"])),
            ("Containers", 1, containers),
            ("Images", 1, images),
        ],
        "jobs.batch" => &[
            ("Status", 0, |o| {
                if text(o, "/status/completionTime").is_empty() { "Running" } else { "Complete" }.to_owned()
            }),
            ("Completions", 0, |o| ratio(&o["status"]["succeeded"], &o["spec"]["completions"])),
        ],
        "customresourcedefinitions.apiextensions.k8s.io" => {
            &[("Created At", 0, |o| text(o, "/metadata/creationTimestamp").to_owned())]
        }
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => {
            &[("Role", 0, |o| format!("{}/{}", text(o, "/roleRef/kind"), text(o, "/roleRef/name")))]
        }
        "priorityclasses.scheduling.k8s.io" => &[("Value", 0, |o| count(&o["value"]))],
        _ => &[],
    }
}

/// An age as kubectl writes it.
fn age(object: &Value, now: Timestamp) -> String {
    let Ok(made) = text(object, "/metadata/creationTimestamp").parse::<Timestamp>() else {
        return "<unknown>".to_owned();
    };
    let seconds = now.duration_since(made).as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (0, 0, 0..=1) => format!("{seconds}s"),
        (0, 0, 2..=9) if seconds % 60 > 0 => format!("{minutes}m{}s", seconds % 60),
        (0, 0..=2, _) => format!("{minutes}m"),
        (0, 3..=7, _) if minutes % 60 > 0 => format!("{hours}h{}m", minutes % 60),
        (0..=1, _, _) => format!("{hours}h"),
        (2..=7, _, _) if hours % 24 > 0 => format!("{days}d{}h", hours % 24),
        _ => format!("{days}d"),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text.to_owned() }
}

fn count(value: &Value) -> String {
    value.as_u64().unwrap_or(0).to_string()
}

fn ratio(part: &Value, whole: &Value) -> String {
    format!("{}/{}", count(part), count(whole))
}

fn size(map: &Value) -> String {
    map.as_object().map_or(0, serde_json::Map::len).to_string()
}

fn labels(map: &Value) -> String {
    let pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

fn containers(object: &Value) -> String {
    items(object, "/spec/template/spec/containers").iter().map(name_of).collect::<Vec<_>>().join(",")
}

fn name_of(container: &Value) -> &str {
    text(container, "/name")
}

fn images(object: &Value) -> String {
    items(object, "/spec/template/spec/containers")
        .iter()
        .map(|container| text(container, "/image"))
        .collect::<Vec<_>>()
        .join(",")
}

fn pod_ready(pod: &Value) -> String {
    let statuses = items(pod, "/status/containerStatuses");
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    format!("{ready}/{}", items(pod, "/spec/containers").len())
}

fn pod_status(pod: &Value) -> String {
    match (text(pod, "/status/phase"), text(pod, "/spec/nodeName")) {
        ("Pending", node) if !node.is_empty() => "ContainerCreating".to_owned(),
        ("Succeeded", _) => "Completed".to_owned(),
        (phase, _) => phase.to_owned(),
    }
}

fn node_status(node: &Value) -> String {
    let ready = if super::pods::is_ready(node) { "Ready" } else { "NotReady" };
    if node["spec"]["unschedulable"] == true { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn external(service: &Value) -> String {
    match text(service, "/spec/type") {
        "LoadBalancer" => "<pending>".to_owned(),
        "ExternalName" => text(service, "/spec/externalName").to_owned(),
        _ => "<none>".to_owned(),
    }
}

fn ports(service: &Value) -> String {
    let port = |port: &Value| format!("{}/{}", port["port"], text(port, "/protocol"));
    or_none(&items(service, "/spec/ports").iter().map(port).collect::<Vec<_>>().join(","))
}
