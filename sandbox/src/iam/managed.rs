//! The AWS-managed policies and service-linked roles that the sandbox knows, with what they allow as far as it matters here.
//! Facts of the AWS managed policy reference, shortened; not the documents themselves.

use serde_json::{Value, json};

/// A managed policy: path and name (below `arn:aws:iam::aws:policy/`), and what it allows: actions and resources.
struct Managed {
    name: &'static str,
    allows: &'static [(&'static [&'static str], &'static [&'static str])],
}

/// A service's own role.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkedRole {
    /// The role's name.
    pub role: &'static str,
    /// Its managed policy.
    pub policy: &'static str,
}

const ALL: &[&str] = &["*"];

const POLICIES: &[Managed] = &[
    Managed { name: "AdministratorAccess", allows: &[(&["*"], ALL)] },
    Managed {
        name: "AmazonSageMakerClusterInstanceRolePolicy",
        allows: &[
            (
                &["logs:PutLogEvents", "logs:CreateLogStream", "logs:DescribeLogStreams"],
                &["arn:aws:logs:*:*:log-group:/aws/sagemaker/Clusters/*:log-stream:*"],
            ),
            (&["logs:CreateLogGroup"], &["arn:aws:logs:*:*:log-group:/aws/sagemaker/Clusters/*"]),
            (&["cloudwatch:PutMetricData"], ALL),
            (&["s3:ListBucket", "s3:GetObject"], &["arn:aws:s3:::sagemaker-*"]),
            (
                &[
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                ALL,
            ),
        ],
    },
    Managed {
        name: "AmazonEKS_CNI_Policy",
        allows: &[(
            &[
                "ec2:AssignPrivateIpAddresses",
                "ec2:AttachNetworkInterface",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeInstances",
                "ec2:DescribeTags",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeSubnets",
                "ec2:DetachNetworkInterface",
                "ec2:ModifyNetworkInterfaceAttribute",
                "ec2:UnassignPrivateIpAddresses",
                "ec2:CreateTags",
            ],
            ALL,
        )],
    },
    Managed {
        name: "AmazonEKSClusterPolicy",
        allows: &[(
            &[
                "autoscaling:*",
                "ec2:Describe*",
                "ec2:*Tags",
                "elasticloadbalancing:*",
                "kms:DescribeKey",
                "iam:CreateServiceLinkedRole",
            ],
            ALL,
        )],
    },
    Managed {
        name: "AmazonEKSServicePolicy",
        allows: &[(&["ec2:*NetworkInterface*", "ec2:Describe*", "eks:UpdateClusterVersion"], ALL)],
    },
    Managed {
        name: "AmazonEKSVPCResourceController",
        allows: &[(&["ec2:*NetworkInterface*", "ec2:*PrivateIpAddresses"], ALL)],
    },
    Managed {
        name: "AmazonEKSWorkerNodePolicy",
        allows: &[(&["ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"], ALL)],
    },
    Managed {
        name: "AmazonEC2ContainerRegistryReadOnly",
        allows: &[(&["ecr:Get*", "ecr:List*", "ecr:Describe*", "ecr:Batch*"], ALL)],
    },
    Managed {
        name: "AmazonEC2ContainerRegistryPullOnly",
        allows: &[(&["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], ALL)],
    },
    Managed { name: "AmazonSSMManagedInstanceCore", allows: &[(&["ssm:*", "ssmmessages:*", "ec2messages:*"], ALL)] },
    Managed { name: "AmazonS3ReadOnlyAccess", allows: &[(&["s3:Get*", "s3:List*", "s3:Describe*"], ALL)] },
    Managed { name: "AmazonS3FullAccess", allows: &[(&["s3:*", "s3-object-lambda:*"], ALL)] },
    Managed {
        name: "CloudWatchAgentServerPolicy",
        allows: &[(&["cloudwatch:PutMetricData", "logs:*", "ec2:Describe*"], ALL)],
    },
    Managed {
        name: "AmazonSageMakerFullAccess",
        allows: &[
            (&["sagemaker:*", "ecr:*", "logs:*", "cloudwatch:*", "ec2:Describe*"], ALL),
            (
                &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                &["arn:aws:s3:::*SageMaker*", "arn:aws:s3:::*Sagemaker*", "arn:aws:s3:::*sagemaker*"],
            ),
            (&["s3:ListBucket", "s3:GetBucketLocation", "s3:ListAllMyBuckets"], ALL),
        ],
    },
    Managed {
        name: "aws-service-role/AmazonSageMakerHyperPodServiceRolePolicy",
        allows: &[(&["eks:*", "cloudwatch:PutMetricData", "logs:*"], ALL)],
    },
    Managed {
        name: "aws-service-role/AmazonEKSServiceRolePolicy",
        allows: &[(&["ec2:*", "iam:ListAttachedRolePolicies", "eks:*"], ALL)],
    },
];

/// What must hold besides, in the policy of this name: by an action of the statement, the key and its value.
const CONDITIONS: [(&str, &str, &str, &str); 2] = [
    (
        "AmazonSageMakerClusterInstanceRolePolicy",
        "cloudwatch:PutMetricData",
        "cloudwatch:namespace",
        "/aws/sagemaker/Clusters",
    ),
    ("AmazonSageMakerClusterInstanceRolePolicy", "s3:GetObject", "aws:ResourceAccount", "${aws:PrincipalAccount}"),
];

const LINKED: &[(&str, LinkedRole)] = &[
    (
        "hyperpod.sagemaker.amazonaws.com",
        LinkedRole {
            role: "AWSServiceRoleForSageMakerHyperPod",
            policy: "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerHyperPodServiceRolePolicy",
        },
    ),
    (
        "eks.amazonaws.com",
        LinkedRole {
            role: "AWSServiceRoleForAmazonEKS",
            policy: "arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy",
        },
    ),
];

/// The service-linked role of a service.
pub(super) fn linked_role(service: &str) -> Option<LinkedRole> {
    LINKED.iter().find(|(name, _)| *name == service).map(|(_, role)| *role)
}

/// The policy document of an AWS-managed policy; None for one that the sandbox does not know.
pub(super) fn document(arn: &str) -> Option<Value> {
    let name = arn.strip_prefix("arn:aws:iam::aws:policy/")?;
    let managed = POLICIES.iter().find(|policy| policy.name == name)?;
    let statement = |(actions, resources): &(&[&str], &[&str])| {
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": expanded(resources) });
        for (_, _, key, value) in CONDITIONS.iter().filter(|(of, action, ..)| *of == name && actions.contains(action)) {
            statement["Condition"] = json!({ "StringEquals": { *key: value } });
        }
        statement
    };
    let statements: Vec<Value> = managed.allows.iter().map(statement).collect();
    Some(json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// A bucket pattern covers the bucket's objects too.
fn expanded(resources: &[&str]) -> Vec<String> {
    let bucket = |resource: &str| resource.starts_with("arn:aws:s3:::").then(|| format!("{resource}/*"));
    resources.iter().flat_map(|resource| std::iter::once((*resource).to_owned()).chain(bucket(resource))).collect()
}
