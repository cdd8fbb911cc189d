//! The resource types of Lambda, CloudWatch Logs and CloudFormation itself.
//! A nested stack is a stack of this caller too: what its own template needs is not looked into.

use super::{Elsewhere, TypeNeeds};

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::Lambda::Function",
        acts: &[
            "lambda:CreateFunction",
            "lambda:GetFunction",
            "lambda:UpdateFunctionConfiguration",
            "lambda:UpdateFunctionCode",
            "lambda:DeleteFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetRuntimeManagementConfig",
            "lambda:ListTags",
            "lambda:TagResource",
            "lambda:UntagResource",
        ],
        acts_with: &[
            ("ReservedConcurrentExecutions", &["lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency"]),
            ("RuntimeManagementConfig", &["lambda:PutRuntimeManagementConfig"]),
            ("RecursiveLoop", &["lambda:PutFunctionRecursionConfig"]),
        ],
        on: &["lambda:function:{name:FunctionName}"],
        elsewhere: &[
            // The deployment package and the layers are read with the caller's rights (Lambda developer guide, "Resources and
            // conditions for Lambda actions" and "Granting users access to a Lambda layer").
            Elsewhere { with: "Code.S3Bucket", acts: &["s3:GetObject"], on: &["s3:{Code.S3Bucket}/{Code.S3Key}"] },
            Elsewhere {
                with: "Code.S3ObjectVersion",
                acts: &["s3:GetObjectVersion"],
                on: &["s3:{Code.S3Bucket}/{Code.S3Key}"],
            },
            Elsewhere { with: "Layers", acts: &["lambda:GetLayerVersion"], on: &["lambda:layer:{Layers}"] },
        ],
        // "User permissions" of the guide's page on functions in a VPC.
        looks_with: &[(
            "VpcConfig",
            &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs", "ec2:DescribeNetworkInterfaces"],
        )],
        passes: &[("Role", "lambda.amazonaws.com")],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::Lambda::Permission",
        acts: &["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
        on: &["lambda:function:{FunctionName}"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::Logs::LogGroup",
        acts: &[
            "logs:CreateLogGroup",
            "logs:DeleteLogGroup",
            "logs:TagResource",
            "logs:UntagResource",
            "logs:ListTagsForResource",
            "logs:GetDataProtectionPolicy",
            "logs:DescribeIndexPolicies",
        ],
        acts_with: &[
            ("RetentionInDays", &["logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy"]),
            ("KmsKeyId", &["logs:AssociateKmsKey", "logs:DisassociateKmsKey"]),
            ("DataProtectionPolicy", &["logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy"]),
        ],
        on: &["logs:log-group:{name:LogGroupName}", "logs:log-group:{name:LogGroupName}:*"],
        looks: &["logs:DescribeLogGroups", "logs:DescribeResourcePolicies"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::CloudFormation::Stack",
        acts: &[
            "cloudformation:CreateStack",
            "cloudformation:UpdateStack",
            "cloudformation:DeleteStack",
            "cloudformation:DescribeStacks",
            "cloudformation:DescribeStackEvents",
            "cloudformation:GetTemplate",
            "cloudformation:TagResource",
            "cloudformation:UntagResource",
        ],
        on: &["cloudformation:stack/{stack}-*/*"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds { name: "AWS::CloudFormation::WaitConditionHandle", ..TypeNeeds::NOTHING },
    TypeNeeds { name: "AWS::CloudFormation::WaitCondition", ..TypeNeeds::NOTHING },
];
