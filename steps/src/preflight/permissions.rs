//! What the questions need of IAM: they only read. One that may not be asked stays unknown, so a person may leave any of these out.
//! Knows no policy, and not how a question is answered.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::cluster_config::with_patterns;
use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings, input};
use crate::s3_address;

/// What is asked of roles, and of a caller who is a user: IAM knows no regions, and these can be narrowed to both.
const OF_PRINCIPALS: [&str; 2] = ["iam:GetRole", "iam:SimulatePrincipalPolicy"];
/// Everything else that any question asks.
const ASKED: [&str; 22] = [
    "cloudformation:DescribeStacks",
    "ec2:DescribeAddresses",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeRegions",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "eks:DescribeAccessEntry",
    "eks:DescribeAddon",
    "eks:DescribeCluster",
    "eks:ListAssociatedAccessPolicies",
    "sagemaker:DescribeCluster",
    "sagemaker:DescribeTrainingPlan",
    "sagemaker:ListClusters",
    "sagemaker:ListTags",
    "servicequotas:GetServiceQuota",
    "servicequotas:ListServiceQuotas",
];

/// What the step may ask. It does not look for scripts, and of S3 it asks only about the buckets that it is given.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let principals = [around.iam("role/*"), around.iam("user/*")];
    let mut permissions =
        vec![Permission::unnarrowed("Questions", ASKED), Permission::new("Principals", OF_PRINCIPALS, principals)];
    let buckets = buckets(inputs, around);
    if !buckets.is_empty() {
        permissions.push(Permission::new("Buckets", ["s3:ListBucket"], buckets.iter().map(|name| around.s3(name))));
    }
    Needs { permissions, ..Needs::default() }
}

/// The buckets that the inputs name, as patterns: their own, and those of the scripts of each group.
fn buckets(inputs: &Partial, around: &Surroundings<'_>) -> BTreeSet<String> {
    let mut buckets: BTreeSet<String> = input(inputs, "bucket").into_iter().collect();
    for request in with_patterns(inputs, around) {
        let groups = ["InstanceGroups", "RestrictedInstanceGroups"].iter().filter_map(|name| request.get(name));
        buckets.extend(groups.flat_map(each).filter_map(bucket_of));
        buckets.extend(request.is_string().then(|| "*".to_owned()));
    }
    buckets
}

/// The items of a list; of one that is not known, what stands for it.
fn each(list: &Json) -> &[Json] {
    list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice)
}

/// The bucket of a group's scripts, where it has some.
fn bucket_of(group: &Json) -> Option<String> {
    let scripts = if group.is_string() { group } else { group.get("LifeCycleConfig")? };
    let address = if scripts.is_string() { scripts } else { scripts.get("SourceS3Uri")? };
    Some(s3_address::parts(address.as_str()?).map_or("*", |(bucket, _)| bucket).to_owned())
}
