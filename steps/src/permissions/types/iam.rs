//! The resource types of IAM.
//! A role or policy without a name of its own gets one that begins with the stack's.

use super::TypeNeeds;

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
        acts: &["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
        acts_with: &[
            ("Users", &["iam:PutUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy"]),
            ("Groups", &["iam:PutGroupPolicy", "iam:GetGroupPolicy", "iam:DeleteGroupPolicy"]),
        ],
        on: &["role:Roles", "iam:user/{Users}", "iam:group/{Groups}"],
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
        acts_with: &[("Roles", &["iam:AttachRolePolicy", "iam:DetachRolePolicy"])],
        on: &["iam:policy{path:Path}{name:ManagedPolicyName}", "role:Roles"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::IAM::InstanceProfile",
        acts: &[
            "iam:CreateInstanceProfile",
            "iam:GetInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
        ],
        on: &["iam:instance-profile{path:Path}{name:InstanceProfileName}"],
        passes: &[("Roles", "ec2.amazonaws.com")],
        ..TypeNeeds::NOTHING
    },
];
