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
    let config = cluster_config::with_patterns(inputs, around).unwrap_or(Json::Null);
    let text_at = |pointer: &str| config.pointer(pointer).and_then(Json::as_str).unwrap_or("*").to_owned();
    let name = text_at("/ClusterName");
    let mut permissions = vec![calls(around, CALLS), logs(around, &name)];
    let roles = roles(&config);
    let roles = if roles.is_empty() { BTreeSet::from([around.iam("role/*")]) } else { roles };
    permissions.push(Permission::pass_role(roles, &[SAGEMAKER]));
    if let Some(role) = config.get("ClusterRole").and_then(Json::as_str) {
        permissions.push(Permission::pass_role([role.to_owned()], &[SAGEMAKER, HYPERPOD]));
    }
    let eks = text_at("/Orchestrator/Eks/ClusterArn");
    let eks = if eks.starts_with("arn:") { eks } else { around.arn("eks", "cluster/*") };
    let entries = format!("{}/*", eks.replacen(":cluster/", ":access-entry/", 1));
    permissions.push(Permission::new("Eks", ENTRIES, [eks, entries]));
    permissions.push(Permission::linked_role(around, HYPERPOD, "AWSServiceRoleForSageMakerHyperPod"));
    let arn = text(&around.arn("sagemaker", "cluster/*"));
    let outputs = [("name".to_owned(), text(&name)), ("cluster_arn".to_owned(), arn)].into_iter().collect();
    Needs { permissions, outputs, ..Needs::default() }
}

fn roles(config: &Json) -> BTreeSet<String> {
    let groups = ["InstanceGroups", "RestrictedInstanceGroups"].iter().filter_map(|key| config.get(key));
    let groups = groups.filter_map(Json::as_array).flatten();
    groups.filter_map(|group| group.get("ExecutionRole")?.as_str()).map(str::to_owned).collect()
}
