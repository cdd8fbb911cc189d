//! What the questions need of IAM: they only read. One that may not be asked stays unknown, so a person may leave any of these out.

use crate::partial::Partial;
use crate::permissions::{Needs, Permission, Surroundings};

/// Everything that any question asks.
const ASKED: [&str; 26] = [
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
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
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
pub fn needs(_inputs: &Partial, _around: &Surroundings<'_>) -> Needs {
    Needs { permissions: vec![Permission::unnarrowed("Questions", ASKED)], ..Needs::default() }
}
