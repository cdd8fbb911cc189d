//! What wait-status needs of IAM: only to look. The Kubernetes API asks no IAM policy.

use crate::hyperpod::permissions::{calls, logs};
use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings, input};

/// Whatever of the subjects is given.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let mut permissions = Vec::new();
    if let Some(cluster) = input(inputs, "cluster") {
        let looks = ["sagemaker:DescribeCluster", "sagemaker:ListClusterNodes", "sagemaker:ListClusterEvents"];
        permissions.extend([calls(around, looks), logs(around, [cluster.as_str()])]);
    }
    if let Some(stack) = input(inputs, "stack") {
        let arn = around.arn("cloudformation", &format!("stack/{stack}/*"));
        permissions.push(Permission::new("Stack", ["cloudformation:DescribeStacks"], [arn]));
    }
    if let Some(cluster) = input(inputs, "eks-cluster") {
        let arn = around.arn("eks", &format!("cluster/{cluster}"));
        permissions.push(Permission::new("Eks", ["eks:DescribeCluster"], [arn]));
    }
    Needs { permissions, ..Needs::default() }
}
