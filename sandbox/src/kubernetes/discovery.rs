//! What the API says about itself: version, groups and resources, in the legacy and in the aggregated form.
//! Must not know objects.

use serde_json::{Value, json};

use super::api::Answer;
use super::resource::{self, Resource};
use super::store::Cluster;

/// Answers a discovery path; `None` when it is none.
pub fn answer(cluster: &Cluster, path: &str, accept: &str) -> Option<Answer> {
    let aggregated = ["v2beta1", "v2"]
        .into_iter()
        .rfind(|version| accept.contains(&format!("g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let document = match (parts.as_slice(), aggregated) {
        (["api"], Some(version)) => return Some(aggregate(cluster, true, version)),
        (["apis"], Some(version)) => return Some(aggregate(cluster, false, version)),
        (["api"], None) => {
            json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
        }
        (["apis"], None) => {
            let groups: Vec<Value> = groups(cluster)
                .iter()
                .filter(|(group, _)| !group.is_empty())
                .map(|(group, versions)| api_group(group, versions, false))
                .collect();
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
        (["apis", group], _) => {
            let groups = groups(cluster);
            let (group, versions) = groups.iter().find(|(name, _)| name == group)?;
            api_group(group, versions, true)
        }
        (["api", version], _) => resource_list(cluster, "", version)?,
        (["apis", group, version], _) => resource_list(cluster, group, version)?,
        _ => return None,
    };
    Some(Answer::Json(200, document))
}

/// `/version`.
pub fn version(cluster: &Cluster) -> Value {
    let (major, minor) = cluster.version.split_once('.').unwrap_or(("1", "33"));
    json!({ "major": major, "minor": minor, "gitVersion": git_version(cluster), "gitCommit": "", "gitTreeState": "clean", "buildDate": "2025-01-01T00:00:00Z",
        "goVersion": "go1.24", "compiler": "gc", "platform": "linux/amd64" })
}

/// E.g. `v1.33.4-eks-sandbox`.
pub fn git_version(cluster: &Cluster) -> String {
    format!("v{}.4-eks-sandbox", cluster.version)
}

/// Groups with their versions, in the order of the table.
fn groups(cluster: &Cluster) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in resource::all(cluster) {
        match groups.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, versions)) if versions.contains(&resource.version) => {}
            Some((_, versions)) => versions.push(resource.version),
            None => groups.push((resource.group, vec![resource.version])),
        }
    }
    groups
}

fn api_group(group: &str, versions: &[String], alone: bool) -> Value {
    let version = |version: &String| json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    let mut object = json!({ "name": group, "versions": versions.iter().map(version).collect::<Vec<_>>(), "preferredVersion": version(&versions[0]) });
    if alone {
        object["kind"] = json!("APIGroup");
        object["apiVersion"] = json!("v1");
    }
    object
}

/// The parts of a resource and their kinds.
fn subresources(resource: &Resource) -> Vec<(&'static str, Value, &'static [&'static str])> {
    let own = json!({ "group": resource.group, "version": resource.version, "kind": resource.kind });
    let scale = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
    let mut parts: Vec<(&'static str, Value, &'static [&'static str])> = Vec::new();
    if resource.status {
        parts.push(("status", own.clone(), &["get", "patch", "update"]));
    }
    if resource.scalable() {
        parts.push(("scale", scale, &["get", "patch", "update"]));
    }
    if resource.group.is_empty() && resource.plural == "pods" {
        parts.push(("log", own, &["get"]));
        parts.push(("eviction", json!({ "group": "policy", "version": "v1", "kind": "Eviction" }), &["create"]));
    }
    parts
}

fn resource_list(cluster: &Cluster, group: &str, version: &str) -> Option<Value> {
    let mut list = Vec::new();
    for resource in resource::all(cluster).iter().filter(|one| one.group == group && one.version == version) {
        let mut entry = json!({ "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs() });
        if !resource.short.is_empty() {
            entry["shortNames"] = json!(resource.short);
        }
        if !resource.categories.is_empty() {
            entry["categories"] = json!(resource.categories);
        }
        list.push(entry);
        for (part, kind, verbs) in subresources(resource) {
            let mut entry = json!({ "name": format!("{}/{part}", resource.plural), "singularName": "", "namespaced": resource.namespaced, "kind": kind["kind"], "verbs": verbs });
            if kind["group"] != resource.group.as_str() {
                entry["group"] = kind["group"].clone();
                entry["version"] = kind["version"].clone();
            }
            list.push(entry);
        }
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!list.is_empty())
        .then(|| json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": list }))
}

fn aggregate(cluster: &Cluster, core: bool, version: &str) -> Answer {
    let all = resource::all(cluster);
    let entry = |resource: &Resource| {
        let parts: Vec<Value> = subresources(resource)
            .into_iter()
            .map(|(part, kind, verbs)| json!({ "subresource": part, "responseKind": kind, "verbs": verbs }))
            .collect();
        let mut entry = json!({ "resource": resource.plural, "singularResource": resource.singular, "scope": if resource.namespaced { "Namespaced" } else { "Cluster" }, "verbs": resource.verbs(),
            "responseKind": { "group": resource.group, "version": resource.version, "kind": resource.kind } });
        for (key, list) in [
            ("shortNames", json!(resource.short)),
            ("categories", json!(resource.categories)),
            ("subresources", json!(parts)),
        ] {
            if list.as_array().is_some_and(|list| !list.is_empty()) {
                entry[key] = list;
            }
        }
        entry
    };
    let group = |(group, versions): (String, Vec<String>)| {
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let resources: Vec<Value> =
                    all.iter().filter(|one| one.group == group && one.version == *version).map(entry).collect();
                json!({ "version": version, "resources": resources, "freshness": "Current" })
            })
            .collect();
        let meta = if group.is_empty() {
            json!({ "creationTimestamp": null })
        } else {
            json!({ "name": group, "creationTimestamp": null })
        };
        json!({ "metadata": meta, "versions": versions })
    };
    let items: Vec<Value> =
        groups(cluster).into_iter().filter(|(group, _)| group.is_empty() == core).map(group).collect();
    let document = json!({ "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items });
    let media = if version == "v2" {
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    } else {
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
    };
    Answer::Typed(media, document)
}
