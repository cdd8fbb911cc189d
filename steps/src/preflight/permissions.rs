//! What the questions need of IAM: they only read. One that may not be asked stays unknown, so a person may leave any of these out.

use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings};

/// What is asked of roles, and of a caller who is a user: IAM knows no regions, and these can be narrowed to both.
const OF_PRINCIPALS: [&str; 2] = ["iam:GetRole", "iam:SimulatePrincipalPolicy"];
/// Everything else that any question asks.
const ASKED: [&str; 24] = [
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
    "eks:ListClusters",
    "s3:GetObject",
    "s3:ListBucket",
    "sagemaker:DescribeCluster",
    "sagemaker:DescribeTrainingPlan",
    "sagemaker:ListClusters",
    "sagemaker:ListTags",
    "servicequotas:GetServiceQuota",
    "servicequotas:ListServiceQuotas",
];

/// What the step may ask.
pub fn needs(_inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let principals = [around.iam("role/*"), around.iam("user/*")];
    let permissions =
        vec![Permission::unnarrowed("Questions", ASKED), Permission::new("Principals", OF_PRINCIPALS, principals)];
    Needs { permissions, ..Needs::default() }
}
