//! The resource types of IAM.
//! A role or policy without a name of its own gets one that begins with the stack's. A user's name does not tell the path.

use super::{Elsewhere, TypeNeeds};

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::IAM::Role",
        acts: &[
            "iam:CreateRole",
            "iam:GetRole",
            "iam:UpdateRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:DeleteRole",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
        ],
        acts_with: &[
            ("Policies", &["iam:PutRolePolicy", "iam:DeleteRolePolicy"]),
            ("ManagedPolicyArns", &["iam:AttachRolePolicy", "iam:DetachRolePolicy"]),
            ("Description", &["iam:UpdateRoleDescription"]),
            ("PermissionsBoundary", &["iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"]),
        ],
        on: &["iam:role{path:Path}{name:RoleName}"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::IAM::Policy",
        elsewhere: &[
            Elsewhere {
                with: "Roles",
                acts: &["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
                on: &["role:Roles"],
            },
            Elsewhere {
                with: "Users",
                acts: &["iam:PutUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy"],
                on: &["iam:user/{Users}", "iam:user/*/{Users}"],
            },
            Elsewhere {
                with: "Groups",
                acts: &["iam:PutGroupPolicy", "iam:GetGroupPolicy", "iam:DeleteGroupPolicy"],
                on: &["iam:group/{Groups}", "iam:group/*/{Groups}"],
            },
        ],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::IAM::RolePolicy",
        acts: &["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
        on: &["role:RoleName"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::IAM::ManagedPolicy",
        acts: &[
            "iam:CreatePolicy",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
            "iam:ListEntitiesForPolicy",
            "iam:CreatePolicyVersion",
            "iam:DeletePolicyVersion",
            "iam:DeletePolicy",
        ],
        on: &["iam:policy{path:Path}{name:ManagedPolicyName}"],
        elsewhere: &[
            Elsewhere { with: "Roles", acts: &["iam:AttachRolePolicy", "iam:DetachRolePolicy"], on: &["role:Roles"] },
            Elsewhere {
                with: "Users",
                acts: &["iam:AttachUserPolicy", "iam:DetachUserPolicy"],
                on: &["iam:user/{Users}", "iam:user/*/{Users}"],
            },
            Elsewhere {
                with: "Groups",
                acts: &["iam:AttachGroupPolicy", "iam:DetachGroupPolicy"],
                on: &["iam:group/{Groups}", "iam:group/*/{Groups}"],
            },
        ],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::IAM::InstanceProfile",
        acts: &["iam:CreateInstanceProfile", "iam:GetInstanceProfile", "iam:DeleteInstanceProfile"],
        acts_with: &[("Roles", &["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile"])],
        on: &["iam:instance-profile{path:Path}{name:InstanceProfileName}"],
        passes: &[("Roles", "ec2.amazonaws.com")],
        ..TypeNeeds::NOTHING
    },
];
