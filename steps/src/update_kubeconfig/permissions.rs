//! What update-kubeconfig needs of IAM. The Kubernetes API itself asks no IAM policy: it lets in whom an access entry names.
//! A token is made of GetCallerIdentity, which everyone may call.

use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings, input};

/// The cluster, its access entries, and the role that tokens are made with.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let name = input(inputs, "cluster").unwrap_or_else(|| "*".to_owned());
    let resources =
        [around.arn("eks", &format!("cluster/{name}")), around.arn("eks", &format!("access-entry/{name}/*"))];
    let mut permissions = vec![Permission::new("Eks", ["eks:DescribeCluster", "eks:DescribeAccessEntry"], resources)];
    let role = input(inputs, "role-arn");
    permissions.extend(role.map(|role| Permission::new("TokenRole", ["sts:AssumeRole"], [role])));
    Needs { permissions, ..Needs::default() }
}
