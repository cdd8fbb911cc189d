//! The resource types of EKS.
//! What is made in a cluster is made on the cluster; its own ARN holds the cluster's name.

use super::TypeNeeds;

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::EKS::Cluster",
        acts: &[
            "eks:CreateCluster",
            "eks:DescribeCluster",
            "eks:UpdateClusterConfig",
            "eks:UpdateClusterVersion",
            "eks:DescribeUpdate",
            "eks:DeleteCluster",
            "eks:TagResource",
            "eks:UntagResource",
            // The first access entry is that of who makes the cluster.
            "eks:CreateAccessEntry",
        ],
        acts_with: &[("EncryptionConfig", &["kms:DescribeKey", "kms:CreateGrant"])],
        on: &["eks:cluster/{name:Name}"],
        looks: &["ec2:DescribeSubnets", "ec2:DescribeVpcs"],
        passes: &[("RoleArn", "eks.amazonaws.com")],
        role_looks: &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        linked: &[("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS")],
    },
    TypeNeeds {
        name: "AWS::EKS::Addon",
        acts: &[
            "eks:CreateAddon",
            "eks:DescribeAddon",
            "eks:UpdateAddon",
            "eks:DescribeUpdate",
            "eks:DeleteAddon",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        acts_with: &[(
            "PodIdentityAssociations",
            &[
                "eks:CreatePodIdentityAssociation",
                "eks:UpdatePodIdentityAssociation",
                "eks:DeletePodIdentityAssociation",
            ],
        )],
        on: &["eks:cluster/{ClusterName}", "eks:addon/{ClusterName}/{AddonName}/*"],
        passes: &[("ServiceAccountRoleArn", "eks.amazonaws.com")],
        role_looks: &["iam:GetRole"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EKS::AccessEntry",
        acts: &[
            "eks:CreateAccessEntry",
            "eks:DescribeAccessEntry",
            "eks:UpdateAccessEntry",
            "eks:DeleteAccessEntry",
            "eks:ListAssociatedAccessPolicies",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        acts_with: &[("AccessPolicies", &["eks:AssociateAccessPolicy", "eks:DisassociateAccessPolicy"])],
        on: &["eks:cluster/{ClusterName}", "eks:access-entry/{ClusterName}/*"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EKS::PodIdentityAssociation",
        acts: &[
            "eks:CreatePodIdentityAssociation",
            "eks:DescribePodIdentityAssociation",
            "eks:UpdatePodIdentityAssociation",
            "eks:DeletePodIdentityAssociation",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        on: &["eks:cluster/{ClusterName}", "eks:podidentityassociation/{ClusterName}/*"],
        passes: &[("RoleArn", "pods.eks.amazonaws.com")],
        role_looks: &["iam:GetRole"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EKS::Nodegroup",
        acts: &[
            "eks:CreateNodegroup",
            "eks:DescribeNodegroup",
            "eks:UpdateNodegroupConfig",
            "eks:UpdateNodegroupVersion",
            "eks:DescribeUpdate",
            "eks:ListUpdates",
            "eks:DeleteNodegroup",
            "eks:TagResource",
            "eks:UntagResource",
        ],
        on: &["eks:cluster/{ClusterName}", "eks:nodegroup/{ClusterName}/*"],
        looks: &[
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeKeyPairs",
            "ec2:DescribeRouteTables",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeLaunchTemplateVersions",
        ],
        passes: &[("NodeRole", "eks.amazonaws.com")],
        role_looks: &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        linked: &[("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup")],
        ..TypeNeeds::NOTHING
    },
];
