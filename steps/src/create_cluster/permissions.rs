//! What create-cluster needs of IAM: its own calls, and what HyperPod does with the caller's rights: it takes the execution
//! roles, looks at the EKS cluster, makes access entries in it, and makes its own role with the account's first cluster.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::cluster_config;
use crate::hyperpod::permissions::{calls, logs};
use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings, text};

const CALLS: [&str; 8] = [
    "sagemaker:CreateCluster",
    "sagemaker:DescribeCluster",
    "sagemaker:UpdateCluster",
    "sagemaker:DeleteCluster",
    "sagemaker:AddTags",
    "sagemaker:ListTags",
    "sagemaker:ListClusterNodes",
    "sagemaker:ListClusterEvents",
];
const ENTRIES: [&str; 5] = [
    "eks:DescribeCluster",
    "eks:CreateAccessEntry",
    "eks:DescribeAccessEntry",
    "eks:DeleteAccessEntry",
    "eks:AssociateAccessPolicy",
];
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
const HYPERPOD: &str = "hyperpod.sagemaker.amazonaws.com";

/// All that a step with these inputs needs.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let mut requests = cluster_config::with_patterns(inputs, around);
    if requests.is_empty() {
        requests.push(Json::Null);
    }
    // Of several, such as one for each mode, the one that the run will read is not known: what any of them needs.
    let all = |of: &dyn Fn(&Json) -> Vec<String>| requests.iter().flat_map(of).collect::<BTreeSet<String>>();
    let names = all(&|request| vec![text_at(request, "/ClusterName").unwrap_or("*").to_owned()]);
    let mut permissions = vec![calls(around, CALLS), logs(around, names.iter().map(String::as_str))];
    permissions.push(Permission::pass_role(all(&|request| roles(request, around)), &[SAGEMAKER]));
    let own = all(&|request| text_at(request, "/ClusterRole").map(str::to_owned).into_iter().collect());
    if !own.is_empty() {
        permissions.push(Permission::pass_role(own, &[SAGEMAKER, HYPERPOD]));
    }
    permissions.push(Permission::new("Eks", ENTRIES, all(&|request| eks(request, around))));
    permissions.push(Permission::linked_role(around, HYPERPOD, "AWSServiceRoleForSageMakerHyperPod"));
    let arn = text(&around.arn("sagemaker", "cluster/*"));
    let name = text(names.first().filter(|_| names.len() == 1).map_or("*", String::as_str));
    let outputs = [("name".to_owned(), name), ("cluster_arn".to_owned(), arn)].into_iter().collect();
    Needs { permissions, outputs, ..Needs::default() }
}

fn text_at<'a>(request: &'a Json, pointer: &str) -> Option<&'a str> {
    request.pointer(pointer).and_then(Json::as_str)
}

/// The roles of the groups; any role, where none is known.
fn roles(request: &Json, around: &Surroundings<'_>) -> Vec<String> {
    let groups = ["InstanceGroups", "RestrictedInstanceGroups"].iter().filter_map(|key| request.get(key));
    let groups = groups.filter_map(Json::as_array).flatten();
    let roles: Vec<String> =
        groups.filter_map(|group| group.get("ExecutionRole")?.as_str()).map(str::to_owned).collect();
    if roles.is_empty() { vec![around.iam("role/*")] } else { roles }
}

/// The EKS cluster, and the access entries in it.
fn eks(request: &Json, around: &Surroundings<'_>) -> Vec<String> {
    let eks = text_at(request, "/Orchestrator/Eks/ClusterArn").filter(|arn| arn.starts_with("arn:"));
    let eks = eks.map_or_else(|| around.arn("eks", "cluster/*"), str::to_owned);
    let entries = format!("{}/*", eks.replacen(":cluster/", ":access-entry/", 1));
    vec![eks, entries]
}
