//! What the API server fills into a new or changed object: the defaults that clients rely on.
//! Must not know the store, but for one thing: a Service's address is drawn from its name.

use serde_json::{Value, json};

use sha2::{Digest, Sha256};

use super::resource::Resource;

use super::store::{items, name, namespace, stamp, text};

/// Fills in what the server would.
pub fn fill(resource: &Resource, object: &mut Value, now: jiff::Timestamp) {
    match resource.qualified().as_str() {
        "namespaces" => {
            let own = json!(name(object));
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = own;
            default(object, "/spec", "finalizers", json!(["kubernetes"]));
            default(object, "/status", "phase", json!("Active"));
        }
        "secrets" => secret(object),
        "pods" => {
            if let Some(spec) = object.get_mut("spec") {
                pod(spec);
            }
        }
        "services" => service(object),
        "persistentvolumeclaims" => {
            default(object, "/spec", "volumeMode", json!("Filesystem"));
            default(object, "/status", "phase", json!("Pending"));
        }
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" | "daemonsets.apps" | "jobs.batch" => {
            workload(resource, object)
        }
        "cronjobs.batch" => {
            default(object, "/spec", "concurrencyPolicy", json!("Allow"));
            default(object, "/spec", "suspend", json!(false));
            default(object, "/spec", "successfulJobsHistoryLimit", json!(3));
            default(object, "/spec", "failedJobsHistoryLimit", json!(1));
            template(object.pointer_mut("/spec/jobTemplate/spec/template"));
        }
        "rolebindings.rbac.authorization.k8s.io" | "clusterrolebindings.rbac.authorization.k8s.io" => bindings(object),
        "customresourcedefinitions.apiextensions.k8s.io" => definition(object, now),
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => {
            webhooks(object);
        }
        "priorityclasses.scheduling.k8s.io" => default(object, "", "preemptionPolicy", json!("PreemptLowerPriority")),
        _ => {}
    }
}

/// Sets a field where it is missing; the object on the way to it is made.
fn default(object: &mut Value, pointer: &str, key: &str, value: Value) {
    let mut at = object;
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    if at.is_null() {
        *at = json!({});
    }
    if let Some(fields) = at.as_object_mut().filter(|fields| fields.get(key).is_none_or(Value::is_null)) {
        fields.insert(key.to_owned(), value);
    }
}

fn secret(object: &mut Value) {
    use base64::Engine as _;
    default(object, "", "type", json!("Opaque"));
    let Some(Value::Object(plain)) = object.as_object_mut().and_then(|fields| fields.shift_remove("stringData")) else {
        return;
    };
    for (key, value) in plain {
        let bytes = value.as_str().unwrap_or_default().as_bytes();
        default(object, "", "data", json!({}));
        object["data"][key] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    }
}

fn service(object: &mut Value) {
    let digest = Sha256::digest(format!("{}/{}", namespace(object), name(object)));
    default(object, "/spec", "type", json!("ClusterIP"));
    default(object, "/spec", "sessionAffinity", json!("None"));
    if text(object, "/spec/type") != "ExternalName" {
        default(object, "/spec", "clusterIP", json!(format!("172.20.{}.{}", digest[0], digest[1].max(10))));
        let address = object["spec"]["clusterIP"].clone();
        default(object, "/spec", "clusterIPs", json!([address]));
        default(object, "/spec", "ipFamilies", json!(["IPv4"]));
        default(object, "/spec", "ipFamilyPolicy", json!("SingleStack"));
        default(object, "/spec", "internalTrafficPolicy", json!("Cluster"));
    }
    for port in each(object, "/spec/ports") {
        let target = port["port"].clone();
        default(port, "", "protocol", json!("TCP"));
        default(port, "", "targetPort", target);
    }
    default(object, "/status", "loadBalancer", json!({}));
}

fn workload(resource: &Resource, object: &mut Value) {
    let quarter = json!({ "maxSurge": "25%", "maxUnavailable": "25%" });
    match resource.plural.as_str() {
        "deployments" => {
            default(object, "/spec", "replicas", json!(1));
            default(object, "/spec", "revisionHistoryLimit", json!(10));
            default(object, "/spec", "progressDeadlineSeconds", json!(600));
            default(object, "/spec/strategy", "type", json!("RollingUpdate"));
            if text(object, "/spec/strategy/type") == "RollingUpdate" {
                default(object, "/spec/strategy", "rollingUpdate", quarter);
            }
        }
        "replicasets" => default(object, "/spec", "replicas", json!(1)),
        "statefulsets" => {
            default(object, "/spec", "replicas", json!(1));
            default(object, "/spec", "podManagementPolicy", json!("OrderedReady"));
            default(object, "/spec", "revisionHistoryLimit", json!(10));
            default(object, "/spec/updateStrategy", "type", json!("RollingUpdate"));
            if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
                default(object, "/spec/updateStrategy", "rollingUpdate", json!({ "partition": 0 }));
            }
        }
        "daemonsets" => {
            default(object, "/spec", "revisionHistoryLimit", json!(10));
            default(object, "/spec/updateStrategy", "type", json!("RollingUpdate"));
            if text(object, "/spec/updateStrategy/type") == "RollingUpdate" {
                default(object, "/spec/updateStrategy", "rollingUpdate", json!({ "maxSurge": 0, "maxUnavailable": 1 }));
            }
        }
        _ => job(object),
    }
    template(object.pointer_mut("/spec/template"));
}

fn job(object: &mut Value) {
    for (key, value) in [
        ("parallelism", json!(1)),
        ("completions", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        default(object, "/spec", key, value);
    }
    let uid = object["metadata"]["uid"].clone();
    if object["spec"]["selector"].is_null() && uid.is_string() {
        let job = json!(name(object));
        object["spec"]["selector"] = json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } });
        let labels = &mut object["spec"]["template"]["metadata"]["labels"];
        labels["batch.kubernetes.io/controller-uid"] = uid.clone();
        labels["controller-uid"] = uid;
        labels["batch.kubernetes.io/job-name"] = job.clone();
        labels["job-name"] = job;
    }
}

fn template(template: Option<&mut Value>) {
    if let Some(spec) = template.and_then(|template| template.get_mut("spec")) {
        pod(spec);
    }
}

/// The elements of a list, to be changed; none when there is no list.
fn each<'a>(object: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    object.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

fn pod(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    for (key, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
    ] {
        default(spec, "", key, value);
    }
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "", "serviceAccount", account);
    }
    for list in ["containers", "initContainers"] {
        for container in each(spec, &format!("/{list}")) {
            let image = text(container, "/image");
            let pull =
                if image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']) {
                    "Always"
                } else {
                    "IfNotPresent"
                };
            default(container, "", "imagePullPolicy", json!(pull));
            default(container, "", "resources", json!({}));
            default(container, "", "terminationMessagePath", json!("/dev/termination-log"));
            default(container, "", "terminationMessagePolicy", json!("File"));
            for port in each(container, "/ports") {
                default(port, "", "protocol", json!("TCP"));
            }
        }
    }
}

fn bindings(object: &mut Value) {
    default(object, "/roleRef", "apiGroup", json!("rbac.authorization.k8s.io"));
    for subject in each(object, "/subjects") {
        if text(subject, "/kind") != "ServiceAccount" {
            default(subject, "", "apiGroup", json!("rbac.authorization.k8s.io"));
        }
    }
}

fn definition(object: &mut Value, now: jiff::Timestamp) {
    let kind = text(object, "/spec/names/kind").to_owned();
    default(object, "/spec/names", "singular", json!(kind.to_lowercase()));
    default(object, "/spec/names", "listKind", json!(format!("{kind}List")));
    default(object, "/spec", "conversion", json!({ "strategy": "None" }));
    let condition = |kind: &str, reason: &str, message: &str| json!({ "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": stamp(now) });
    let storage = items(object, "/spec/versions")
        .iter()
        .find(|version| version["storage"] == true)
        .map(|version| version["name"].clone());
    let names = object["spec"]["names"].clone();
    default(
        object,
        "/status",
        "conditions",
        json!([
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]),
    );
    object["status"]["acceptedNames"] = names;
    object["status"]["storedVersions"] = json!(storage.into_iter().collect::<Vec<_>>());
}

fn webhooks(object: &mut Value) {
    for webhook in each(object, "/webhooks") {
        for (key, value) in [
            ("failurePolicy", json!("Fail")),
            ("matchPolicy", json!("Equivalent")),
            ("timeoutSeconds", json!(10)),
            ("namespaceSelector", json!({})),
            ("objectSelector", json!({})),
        ] {
            default(webhook, "", key, value);
        }
    }
}
