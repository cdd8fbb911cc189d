//! What has to change on a cluster so that it is as a config wants it. Pure.
//! Knows nothing of how either was obtained: both are JSON with the API's field names.

use serde_json::{Map, Value as Json, json};

/// What a comparison of a cluster with a config says.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The cluster is as the config wants it.
    Unchanged,
    /// An UpdateCluster request that makes it so, with every group in full: what is left out would be reset.
    Update {
        /// What differs, one line each.
        reasons: Vec<String>,
        /// The request.
        request: Json,
    },
    /// Changes that AWS cannot make on a cluster that exists.
    Unsafe(Vec<String>),
}

/// Top-level fields that UpdateCluster takes and DescribeCluster gives back under the same name.
const TOP: [&str; 4] = ["NodeRecovery", "TieredStorageConfig", "NodeProvisioningMode", "ClusterRole"];

/// Fields of a group and where DescribeCluster gives them back.
const GROUP: [(&str, &[&str]); 16] = [
    ("InstanceCount", &["TargetCount"]),
    ("MinInstanceCount", &["MinCount"]),
    ("InstanceType", &["InstanceType"]),
    ("InstanceRequirements.InstanceTypes", &["InstanceRequirements", "DesiredInstanceTypes"]),
    ("LifeCycleConfig", &["LifeCycleConfig"]),
    ("ExecutionRole", &["ExecutionRole"]),
    ("ThreadsPerCore", &["ThreadsPerCore"]),
    ("InstanceStorageConfigs", &["InstanceStorageConfigs"]),
    ("OnStartDeepHealthChecks", &["OnStartDeepHealthChecks"]),
    ("TrainingPlanArn", &["TrainingPlanArn"]),
    ("ScheduledUpdateConfig", &["ScheduledUpdateConfig"]),
    ("KubernetesConfig.Labels", &["KubernetesConfig", "DesiredLabels"]),
    ("KubernetesConfig.Taints", &["KubernetesConfig", "DesiredTaints"]),
    ("SlurmConfig", &["SlurmConfig"]),
    ("CapacityRequirements", &["CapacityRequirements"]),
    ("NetworkInterface", &["NetworkInterface"]),
];

/// Fields of a group that were reset when a config no longer has them, and are not filled in by the service.
const RESETTABLE: [&str; 5] = [
    "InstanceStorageConfigs",
    "OnStartDeepHealthChecks",
    "TrainingPlanArn",
    "ScheduledUpdateConfig",
    "CapacityRequirements",
];

/// Compares the cluster that DescribeCluster shows with `wanted`, a CreateCluster request. `same_request` says that our
/// record has the very same request: then a field that the config lacks is no change, and what DescribeCluster does not
/// give back is taken as it was sent.
pub fn difference(current: &Json, wanted: &Json, same_request: bool) -> Difference {
    let fixed = fixed(current, wanted);
    if !fixed.is_empty() {
        return Difference::Unsafe(fixed);
    }
    let mut reasons = Vec::new();
    for field in TOP {
        compare(field, wanted.get(field), current.get(field), &mut reasons);
    }
    if let Some(scaling) = wanted.get("AutoScaling") {
        let shown = current.get("AutoScaling");
        compare("AutoScaling.Mode", scaling.get("Mode"), shown.and_then(|s| s.get("Mode")), &mut reasons);
    }
    compare_shared_environment(current, wanted, &mut reasons);
    let mut gone = Vec::new();
    for list in ["InstanceGroups", "RestrictedInstanceGroups"] {
        for group in items(wanted, list) {
            compare_group(list, group, items(current, list), same_request, &mut reasons);
        }
        for group in items(current, list) {
            let name = name_of(group);
            let leaving = group.get("Status").and_then(Json::as_str) == Some("Deleting");
            if !leaving && !items(wanted, list).iter().any(|g| name_of(g) == name) {
                reasons.push(format!("the group {name} is no longer in the config"));
                gone.push(name.to_owned());
            }
        }
    }
    if reasons.is_empty() {
        Difference::Unchanged
    } else {
        Difference::Update { reasons, request: request(wanted, &gone) }
    }
}

/// What differs and cannot be changed (AWS docs: networks and the orchestrator are fixed at creation).
fn fixed(current: &Json, wanted: &Json) -> Vec<String> {
    let mut reasons = Vec::new();
    for field in ["VpcConfig", "Orchestrator"] {
        let (have, want) = (current.get(field), wanted.get(field));
        // A cluster without an answer for it was made without it.
        if have.is_some() || want.is_some() {
            compare_or_absent(field, want, have, &mut reasons);
        }
    }
    for list in ["InstanceGroups", "RestrictedInstanceGroups"] {
        for group in items(wanted, list) {
            let name = name_of(group);
            let Some(old) = items(current, list).iter().find(|g| name_of(g) == name) else { continue };
            let field = "OverrideVpcConfig";
            compare_or_absent(&format!("{field} of the group {name}"), group.get(field), old.get(field), &mut reasons);
        }
    }
    reasons
}

fn compare_or_absent(what: &str, wanted: Option<&Json>, current: Option<&Json>, reasons: &mut Vec<String>) {
    match (wanted, current) {
        (None, Some(old)) => reasons.push(format!("{what}: {} is no longer in the config", short(old))),
        (Some(_) | None, _) => compare(what, wanted, current, reasons),
    }
}

fn compare(what: &str, wanted: Option<&Json>, current: Option<&Json>, reasons: &mut Vec<String>) {
    let Some(new) = wanted else { return };
    match current {
        Some(old) if covers(old, new) => {}
        Some(old) => reasons.push(format!("{what}: {} → {}", short(old), short(new))),
        None => reasons.push(format!("{what}: not set → {}", short(new))),
    }
}

fn compare_group(list: &str, wanted: &Json, current: &[Json], same_request: bool, reasons: &mut Vec<String>) {
    let name = name_of(wanted);
    let Some(old) = current.iter().find(|g| name_of(g) == name) else {
        reasons.push(format!("the group {name} is new"));
        return;
    };
    for (field, shown_at) in GROUP {
        let new = field.split('.').try_fold(wanted, |json, key| json.get(key));
        let shown = shown_at.iter().try_fold(old, |json, key| json.get(key));
        // The restricted groups' description has no place for some fields; what was sent is then all there is to know.
        if shown.is_none() && (same_request || list == "RestrictedInstanceGroups" && !RESETTABLE.contains(&field)) {
            continue;
        }
        compare(&format!("{name}.{field}"), new, shown, reasons);
    }
    if !same_request {
        for field in RESETTABLE {
            let left_out = wanted.get(field).is_none() && old.get(field).is_some_and(|shown| !is_empty(shown));
            if left_out {
                reasons.push(format!("{name}.{field} is no longer in the config"));
            }
        }
    }
}

fn compare_shared_environment(current: &Json, wanted: &Json, reasons: &mut Vec<String>) {
    let path = "/RestrictedInstanceGroupsConfig/SharedEnvironmentConfig";
    let (Some(new), Some(old)) = (wanted.pointer(path), current.pointer(path)) else { return };
    for field in ["FSxLustreConfig", "FSxLustreDeletionPolicy"] {
        compare(field, new.get(field), old.get(format!("Desired{field}")), reasons);
    }
}

/// Whether everything that `wanted` sets is so in `current`; what it does not set may be anything.
fn covers(current: &Json, wanted: &Json) -> bool {
    match (current, wanted) {
        (Json::Object(have), Json::Object(want)) => {
            want.iter().all(|(key, value)| have.get(key).is_some_and(|h| covers(h, value)))
        }
        (Json::Array(have), Json::Array(want)) => {
            // Ids and names are sets to AWS: it may give them back in another order.
            let as_set = want.iter().chain(have).all(Json::is_string);
            have.len() == want.len()
                && if as_set {
                    want.iter().all(|w| have.contains(w))
                } else {
                    have.iter().zip(want).all(|(h, w)| covers(h, w))
                }
        }
        (Json::Number(have), Json::Number(want)) => have.as_f64() == want.as_f64(),
        (have, want) => have == want,
    }
}

fn is_empty(json: &Json) -> bool {
    json.as_array().is_some_and(Vec::is_empty) || json.as_object().is_some_and(Map::is_empty) || json.is_null()
}

/// Every field of the config that UpdateCluster takes; `OverrideVpcConfig` stays as it is in its group.
fn request(wanted: &Json, gone: &[String]) -> Json {
    let mut request = Map::new();
    let taken =
        ["ClusterName", "InstanceGroups", "RestrictedInstanceGroups", "RestrictedInstanceGroupsConfig", "AutoScaling"];
    for field in taken.into_iter().chain(TOP) {
        if let Some(value) = wanted.get(field) {
            request.insert(field.to_owned(), value.clone());
        }
    }
    if !gone.is_empty() {
        request.insert("InstanceGroupsToDelete".to_owned(), json!(gone));
    }
    Json::Object(request)
}

fn items<'a>(json: &'a Json, list: &str) -> &'a [Json] {
    json.get(list).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn name_of(group: &Json) -> &str {
    group.get("InstanceGroupName").and_then(Json::as_str).unwrap_or_default()
}

fn short(json: &Json) -> String {
    let text = json.to_string();
    if text.chars().count() > 120 { text.chars().take(119).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Json {
        json!({
            "ClusterName": "ml", "VpcConfig": { "Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"] },
            "Orchestrator": { "Eks": { "ClusterArn": "arn" } }, "NodeRecovery": "Automatic",
            "InstanceGroups": [{ "InstanceGroupName": "a", "InstanceCount": 2, "InstanceType": "ml.m5.large" }],
        })
    }

    fn current() -> Json {
        json!({
            "ClusterName": "ml", "ClusterStatus": "InService", "NodeRecovery": "Automatic",
            "VpcConfig": { "Subnets": ["subnet-2", "subnet-1"], "SecurityGroupIds": ["sg-1"] },
            "Orchestrator": { "Eks": { "ClusterArn": "arn" } },
            "InstanceGroups": [{
                "InstanceGroupName": "a", "TargetCount": 2, "CurrentCount": 1, "InstanceType": "ml.m5.large", "ThreadsPerCore": 1,
            }],
        })
    }

    /// What is said when `path` of the config (and `shown` of the cluster) is set so.
    fn check(path: &str, key: &str, value: Json) -> String {
        let mut config = wanted();
        config.pointer_mut(path).expect("the path is there")[key] = value;
        say(&difference(&current(), &config, false))
    }

    fn say(difference: &Difference) -> String {
        match difference {
            Difference::Unchanged => "unchanged".to_owned(),
            Difference::Update { reasons, .. } => format!("update: {}", reasons.join("; ")),
            Difference::Unsafe(reasons) => format!("unsafe: {}", reasons.join("; ")),
        }
    }

    #[test]
    fn each_change_is_told_apart() {
        let group = "/InstanceGroups/0";
        assert_eq!(check("", "NodeRecovery", json!("Automatic")), "unchanged");
        assert_eq!(check("", "NodeRecovery", json!("None")), "update: NodeRecovery: \"Automatic\" → \"None\"");
        assert_eq!(check(group, "InstanceCount", json!(3)), "update: a.InstanceCount: 2 → 3");
        assert_eq!(check(group, "ThreadsPerCore", json!(2)), "update: a.ThreadsPerCore: 1 → 2");
        assert_eq!(
            check(group, "KubernetesConfig", json!({ "Labels": { "k": "v" } })),
            "update: a.KubernetesConfig.Labels: not set → {\"k\":\"v\"}"
        );
        assert_eq!(
            check(group, "InstanceGroupName", json!("b")),
            "update: the group b is new; the group a is no longer in the config"
        );
        assert_eq!(check("/VpcConfig", "SecurityGroupIds", json!(["sg-2"])).split(':').next(), Some("unsafe"));
        assert_eq!(
            check(group, "OverrideVpcConfig", json!({ "Subnets": ["subnet-9"] })),
            "unsafe: OverrideVpcConfig of the group a: not set → {\"Subnets\":[\"subnet-9\"]}"
        );
    }

    #[test]
    fn an_update_names_every_group_in_full_and_deletes_what_is_gone() {
        let mut config = wanted();
        config["InstanceGroups"][0]["InstanceGroupName"] = json!("b");
        let Difference::Update { request, .. } = difference(&current(), &config, false) else { panic!("an update") };
        let expected = json!({
            "ClusterName": "ml", "InstanceGroups": config["InstanceGroups"], "NodeRecovery": "Automatic",
            "InstanceGroupsToDelete": ["a"],
        });
        assert_eq!(request, expected);
    }

    #[test]
    fn what_the_record_says_was_sent_is_not_sent_again() {
        let mut config = wanted();
        config["InstanceGroups"][0]["KubernetesConfig"] = json!({ "Labels": { "k": "v" } });
        assert_eq!(say(&difference(&current(), &config, true)), "unchanged");
    }
}
