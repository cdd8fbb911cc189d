//! The resource types of EKS.
//! What is made in a cluster is made on the cluster; its own ARN holds the cluster's name.

use super::{Elsewhere, TypeNeeds};

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::EKS::Cluster",
        acts: &[
            "eks:CreateCluster",
            "eks:DescribeCluster",
            "eks:UpdateClusterConfig",
            "eks:DescribeUpdate",
            "eks:DeleteCluster",
            "eks:TagResource",
            "eks:UntagResource",
            // The first access entry is that of who makes the cluster.
            "eks:CreateAccessEntry",
        ],
        acts_with: &[("Version", &["eks:UpdateClusterVersion"])],
        on: &["eks:cluster/{name:Name}"],
        elsewhere: &[Elsewhere {
            with: "EncryptionConfig",
            acts: &["kms:DescribeKey", "kms:CreateGrant"],
            on: &["kms:{key:EncryptionConfig.Provider.KeyArn}"],
        }],
        looks: &["ec2:DescribeSubnets", "ec2:DescribeVpcs"],
        passes: &[("RoleArn", "eks.amazonaws.com")],
        role_looks: &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        linked: &[("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS")],
        ..TypeNeeds::NOTHING
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
        on: &["eks:addon/{ClusterName}/{AddonName}/*"],
        elsewhere: &[
            Elsewhere {
                with: "ClusterName",
                acts: &["eks:CreateAddon", "eks:DescribeUpdate"],
                on: &["eks:cluster/{ClusterName}"],
            },
            Elsewhere {
                with: "PodIdentityAssociations",
                acts: &[
                    "eks:CreatePodIdentityAssociation",
                    "eks:UpdatePodIdentityAssociation",
                    "eks:DeletePodIdentityAssociation",
                ],
                on: &["eks:podidentityassociation/{ClusterName}/*"],
            },
            Elsewhere {
                with: "PodIdentityAssociations",
                acts: &["eks:CreatePodIdentityAssociation"],
                on: &["eks:cluster/{ClusterName}"],
            },
        ],
        passes: &[
            ("ServiceAccountRoleArn", "eks.amazonaws.com"),
            ("PodIdentityAssociations.RoleArn", "pods.eks.amazonaws.com"),
        ],
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
        on: &["eks:access-entry/{ClusterName}/*"],
        elsewhere: &[Elsewhere {
            with: "ClusterName",
            acts: &["eks:CreateAccessEntry"],
            on: &["eks:cluster/{ClusterName}"],
        }],
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
        on: &["eks:podidentityassociation/{ClusterName}/*"],
        elsewhere: &[Elsewhere {
            with: "ClusterName",
            acts: &["eks:CreatePodIdentityAssociation"],
            on: &["eks:cluster/{ClusterName}"],
        }],
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
        on: &["eks:nodegroup/{ClusterName}/*"],
        elsewhere: &[Elsewhere {
            with: "ClusterName",
            acts: &["eks:CreateNodegroup", "eks:DescribeUpdate", "eks:ListUpdates"],
            on: &["eks:cluster/{ClusterName}"],
        }],
        looks: &["ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups", "ec2:DescribeRouteTables"],
        looks_with: &[
            ("RemoteAccess", &["ec2:DescribeKeyPairs"]),
            ("LaunchTemplate", &["ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"]),
        ],
        passes: &[("NodeRole", "eks.amazonaws.com")],
        role_looks: &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        linked: &[("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup")],
        ..TypeNeeds::NOTHING
    },
];
