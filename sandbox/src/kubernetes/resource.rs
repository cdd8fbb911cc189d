//! Which kinds of objects the API has: the built-in ones as a table, the custom ones from the CRDs in the store.
//! Must not know what the controllers make of an object.

use serde_json::Value;

use super::store::Cluster;

/// One resource of one group and version.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version in the group.
    pub version: String,
    /// As in the path, e.g. `deployments`.
    pub plural: String,
    /// E.g. `deployment`.
    pub singular: String,
    /// E.g. `Deployment`.
    pub kind: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Short names that kubectl takes.
    pub short: Vec<String>,
    /// Groups of resources that kubectl takes, e.g. `all`.
    pub categories: Vec<String>,
    /// Whether `/status` exists.
    pub status: bool,
    /// Whether objects are kept (a review is answered and forgotten).
    pub stored: bool,
    /// Whether a CRD defines it.
    pub custom: bool,
}

impl Resource {
    /// `deployments.apps`; `pods` in the core group. Names the shelf in the store and the resource in messages.
    pub fn qualified(&self) -> String {
        qualify(&self.plural, &self.group)
    }

    /// `Deployment.apps`; `Pod` in the core group.
    pub fn qualified_kind(&self) -> String {
        qualify(&self.kind, &self.group)
    }

    /// `apps/v1`; `v1` in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The verbs in the order of a real server's discovery.
    pub fn verbs(&self) -> &'static [&'static str] {
        if self.stored {
            &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
        } else {
            &["create"]
        }
    }

    /// Whether `/scale` exists.
    pub fn scalable(&self) -> bool {
        self.group == "apps" && matches!(self.plural.as_str(), "deployments" | "replicasets" | "statefulsets")
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// Group, version, plural, kind, namespaced, short names, categories, has a status subresource.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    &'static [&'static str],
    &'static [&'static str],
    bool,
);

const ALL: &[&str] = &["all"];
const EXTENSIONS: &[&str] = &["api-extensions"];

#[rustfmt::skip]
const BUILT_IN: &[Row] = &[
    ("", "v1", "configmaps", "ConfigMap", true, &["cm"], &[], false),
    ("", "v1", "endpoints", "Endpoints", true, &["ep"], &[], false),
    ("", "v1", "events", "Event", true, &["ev"], &[], false),
    ("", "v1", "limitranges", "LimitRange", true, &["limits"], &[], false),
    ("", "v1", "namespaces", "Namespace", false, &["ns"], &[], true),
    ("", "v1", "nodes", "Node", false, &["no"], &[], true),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", true, &["pvc"], &[], true),
    ("", "v1", "persistentvolumes", "PersistentVolume", false, &["pv"], &[], true),
    ("", "v1", "pods", "Pod", true, &["po"], ALL, true),
    ("", "v1", "podtemplates", "PodTemplate", true, &[], &[], false),
    ("", "v1", "resourcequotas", "ResourceQuota", true, &["quota"], &[], true),
    ("", "v1", "secrets", "Secret", true, &[], &[], false),
    ("", "v1", "serviceaccounts", "ServiceAccount", true, &["sa"], &[], false),
    ("", "v1", "services", "Service", true, &["svc"], ALL, true),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", true, &[], &[], false),
    ("apps", "v1", "daemonsets", "DaemonSet", true, &["ds"], ALL, true),
    ("apps", "v1", "deployments", "Deployment", true, &["deploy"], ALL, true),
    ("apps", "v1", "replicasets", "ReplicaSet", true, &["rs"], ALL, true),
    ("apps", "v1", "statefulsets", "StatefulSet", true, &["sts"], ALL, true),
    ("batch", "v1", "cronjobs", "CronJob", true, &["cj"], ALL, true),
    ("batch", "v1", "jobs", "Job", true, &[], ALL, true),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true, &["hpa"], ALL, true),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", false, &[], &[], false),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", false, &[], &[], false),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", true, &[], &[], false),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, &[], &[], false),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false, &["crd", "crds"], EXTENSIONS, true),
    ("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", false, &[], EXTENSIONS, false),
    ("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false, &[], EXTENSIONS, false),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", false, &["pc"], &[], false),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true, &["pdb"], &[], true),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false, &[], &[], false),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", true, &["ing"], &[], true),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", true, &["netpol"], &[], false),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, &[], &[], false),
    ("storage.k8s.io", "v1", "csidrivers", "CSIDriver", false, &[], &[], false),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", false, &["sc"], &[], false),
    ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", false, &[], &[], false),
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, &[], &[], false),
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, &[], &[], false),
    ("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false, &[], &[], false),
];

/// Every resource of this cluster, the built-in ones first.
pub fn all(cluster: &Cluster) -> Vec<Resource> {
    let mut all: Vec<Resource> = BUILT_IN.iter().map(built_in).collect();
    for crd in cluster.list("customresourcedefinitions.apiextensions.k8s.io", None) {
        all.extend(custom(crd));
    }
    all
}

/// The resource behind a path.
pub fn find(cluster: &Cluster, group: &str, version: &str, plural: &str) -> Option<Resource> {
    match BUILT_IN.iter().find(|row| row.0 == group && row.1 == version && row.2 == plural) {
        Some(row) => Some(built_in(row)),
        None => cluster
            .get("customresourcedefinitions.apiextensions.k8s.io", "", &qualify(plural, group))
            .and_then(|crd| custom(crd).into_iter().find(|resource| resource.version == version)),
    }
}

fn built_in(row: &Row) -> Resource {
    let (group, version, plural, kind, namespaced, short, categories, status) = *row;
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        kind: kind.to_owned(),
        namespaced,
        short: short.iter().map(|name| (*name).to_owned()).collect(),
        categories: categories.iter().map(|name| (*name).to_owned()).collect(),
        status,
        stored: !plural.starts_with("selfsubject"),
        custom: false,
    }
}

fn custom(crd: &Value) -> Vec<Resource> {
    let spec = &crd["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().map(|all| all.iter().map(text).collect()).unwrap_or_default();
    let kind = text(&spec["names"]["kind"]);
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    versions
        .iter()
        .filter(|version| version["served"] == true)
        .map(|version| Resource {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            plural: text(&spec["names"]["plural"]),
            singular: spec["names"]["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
            kind: kind.clone(),
            namespaced: spec["scope"] == "Namespaced",
            short: texts(&spec["names"]["shortNames"]),
            categories: texts(&spec["names"]["categories"]),
            status: version["subresources"]["status"].is_object(),
            stored: true,
            custom: true,
        })
        .collect()
}
