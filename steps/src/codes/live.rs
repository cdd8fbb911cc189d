//! What the live questions find: HP1001 is P01 of the preflight list, HP1044 is P44; what is answered elsewhere has no code here.
//! Knows nothing of how they are asked.

use crate::finding::Code;

/// P02: the region is not switched on, or has no HyperPod.
pub static REGION: Code = Code {
    number: 1002,
    title: "the region is not switched on, or has no HyperPod",
    cause: "Every call goes to that region. An account switches newer regions on itself, and HyperPod is not in all of them.",
    example: "aws: { region: ap-southeast-5 }",
    cure: "Switch the region on (Account, AWS Regions), or deploy to another.",
};

/// P03: the zone is not in the region.
pub static ZONE: Code = Code {
    number: 1003,
    title: "the zone is not in the region",
    cause: "Zones are named by id here, such as usw2-az2, because names such as us-west-2b differ from account to account. The template's default belongs to us-west-2.",
    example: "AvailabilityZoneId: usw2-az2      (in eu-west-1)",
    cure: "Give an id of the region; the finding lists them.",
};

/// P04: an instance type is not offered in the zone.
pub static TYPES_OFFERED: Code = Code {
    number: 1004,
    title: "an instance type is not offered in the zone",
    cause: "No instance of that type can be had there, whatever the quota. The run would wait for nodes that never come.",
    example: "ml.p5.48xlarge in a zone without it",
    cure: "Use a zone that offers it, or another type; the finding lists the zones.",
};

/// P05: the quota of an instance type leaves no room.
pub static TYPE_QUOTA: Code = Code {
    number: 1005,
    title: "the quota of an instance type leaves no room",
    cause: "CreateCluster refuses with ResourceLimitExceeded. For most types the quota of a new account is 0.",
    example: "ml.p5.48xlarge for cluster usage: 0",
    cure: "Ask for an increase in Service Quotas (Amazon SageMaker), or want fewer.",
};

/// P06: the quota of all instances leaves no room.
pub static TOTAL_QUOTA: Code = Code {
    number: 1006,
    title: "the quota of all instances leaves no room",
    cause: "There is a quota of instances in one cluster (20 by default), in all clusters (30 by default), and of spot instances in all clusters (0 by default).",
    example: "24 nodes in one cluster",
    cure: "Ask for an increase in Service Quotas, or want fewer.",
};

/// P07: a volume is larger than the quota.
pub static VOLUME_QUOTA: Code = Code {
    number: 1007,
    title: "a volume is larger than the quota",
    cause: "There is a quota of the size of a node's EBS volume, 1,024 GB by default.",
    example: "VolumeSizeInGB: 2000",
    cure: "Ask for an increase in Service Quotas, or take a smaller volume.",
};

/// P08: the quotas of the network leave no room.
pub static NETWORK_QUOTAS: Code = Code {
    number: 1008,
    title: "the quotas of the network leave no room",
    cause: "A region has 5 VPCs, 5 internet gateways and 5 elastic addresses by default. The stack would fail and be rolled back.",
    example: "five VPCs, and a template that makes one",
    cure: "Delete what is not used, or ask for an increase in Service Quotas.",
};

/// P09: the VPC cannot take on the block of addresses.
pub static BLOCK_FREE: Code = Code {
    number: 1009,
    title: "the VPC cannot take on the block of addresses",
    cause: "Blocks of a VPC must not overlap, and a VPC has five at most by default.",
    example: "PrivateSubnet1CIDR: 10.1.0.0/16 in a VPC that has 10.1.0.0/20",
    cure: "Choose a block that the VPC does not have.",
};

/// P10: subnets and security groups are missing, or in several VPCs.
pub static ONE_VPC: Code = Code {
    number: 1010,
    title: "part of the network is missing, or in several VPCs",
    cause: "CreateCluster takes subnets and security groups of one VPC, and a stack fails where the VPC, subnet, security group or NAT gateway that it is given is not there.",
    example: "subnet-… in one VPC, sg-… in another",
    cure: "Name those of the EKS cluster's VPC.",
};

/// P11: nodes in the subnet have no way out, or the subnet is public.
pub static WAY_OUT: Code = Code {
    number: 1011,
    title: "nodes in the subnet have no way out, or the subnet is public",
    cause: "Nodes fetch images and scripts, and speak to AWS. A public subnet gives them no address, so its internet gateway is of no use to them. The lifecycle script would time out.",
    example: "a subnet whose route to 0.0.0.0/0 leads to an internet gateway",
    cure: "Route 0.0.0.0/0 to a NAT gateway, or make the endpoints that the finding lists.",
};

/// P12: the subnet has too few free addresses.
pub static FREE_ADDRESSES: Code = Code {
    number: 1012,
    title: "the subnet has too few free addresses",
    cause: "A node on EKS takes many: 81 for a p5, 51 for a p4d, 57 for a trn1.",
    example: "10 ml.p5.48xlarge in a /24",
    cure: "Use a larger subnet.",
};

/// P13: the security group does not let its members speak with each other.
pub static SELF_REFERENCE: Code = Code {
    number: 1013,
    title: "the security group does not let its members speak with each other",
    cause: "Nodes with EFA need all traffic in from, and out to, their own group; 0.0.0.0/0 alone does not do. The EFA health check fails before any script runs, so no log says why.",
    example: "a group with only an egress rule to 0.0.0.0/0",
    cure: "Add two rules for all traffic: in from the group itself, out to the group itself.",
};

/// P14: nodes and the EKS cluster may not speak with each other.
pub static GROUPS_MEET: Code = Code {
    number: 1014,
    title: "nodes and the EKS cluster may not speak with each other",
    cause: "The control plane and the nodes are in different security groups, and neither names the other.",
    example: "a group without a rule for the cluster's group",
    cure: "Add rules for all traffic in both directions, or add the cluster's security group to the nodes'.",
};

/// P15: the EKS cluster is not there, or not active.
pub static EKS_ACTIVE: Code = Code {
    number: 1015,
    title: "the EKS cluster is not there, or not active",
    cause: "HyperPod joins nodes to an EKS cluster that is ACTIVE.",
    example: "cluster: my-eks      (DELETING)",
    cure: "Wait for it, or name another.",
};

/// P16: the EKS cluster takes no access entries.
pub static EKS_ACCESS_MODE: Code = Code {
    number: 1016,
    title: "the EKS cluster takes no access entries",
    cause: "HyperPod lets its nodes in by access entries; a cluster in the mode CONFIG_MAP has none.",
    example: "authenticationMode: CONFIG_MAP",
    cure: "Change it to API_AND_CONFIG_MAP: aws eks update-cluster-config (there is no way back).",
};

/// P17: HyperPod may not work with the version of the EKS cluster.
pub static EKS_VERSION: Code = Code {
    number: 1017,
    title: "HyperPod may not work with the version of the EKS cluster",
    cause: "The documentation names the versions 1.28 to 1.34.",
    example: "version 1.27",
    cure: "Update the cluster.",
};

/// P18: the EKS cluster is in another VPC than the nodes.
pub static EKS_VPC: Code = Code {
    number: 1018,
    title: "the EKS cluster is in another VPC than the nodes",
    cause: "CreateCluster refuses it.",
    example: "a subnet of another VPC",
    cure: "Name subnets of the EKS cluster's VPC.",
};

/// P19: the network plugin of the EKS cluster is too old, or another one.
pub static CNI: Code = Code {
    number: 1019,
    title: "the network plugin of the EKS cluster is too old, or another one",
    cause: "HyperPod works with the Amazon VPC CNI from 1.18.3 on.",
    example: "vpc-cni v1.16.0",
    cure: "Update the add-on vpc-cni.",
};

/// P20: the EKS cluster has no pod identity agent.
pub static POD_IDENTITY: Code = Code {
    number: 1020,
    title: "the EKS cluster has no pod identity agent",
    cause: "HyperPod's task governance and observability use it; a cluster without works, these do not.",
    example: "no add-on eks-pod-identity-agent",
    cure: "Add it: aws eks create-addon --addon-name eks-pod-identity-agent.",
};

/// P21: the EKS cluster does not let the caller in.
pub static CALLER_ENTRY: Code = Code {
    number: 1021,
    title: "the EKS cluster does not let the caller in",
    cause: "helm and the waits speak to the Kubernetes API as the caller, who needs an access entry (or a line in aws-auth). An entry without an access policy and without a Kubernetes group gives no rights.",
    example: "the server has asked for the client to provide credentials",
    cure: "Make an access entry for the caller's role with AmazonEKSClusterAdminPolicy.",
};

/// P22: SageMaker may not assume the nodes' role.
pub static ROLE_TRUST: Code = Code {
    number: 1022,
    title: "SageMaker may not assume the nodes' role",
    cause: "The role is not there, or its trust policy does not name sagemaker.amazonaws.com.",
    example: "a role that trusts ec2.amazonaws.com",
    cure: "Add sagemaker.amazonaws.com to the trust policy.",
};

/// P23: the nodes' role may not do what nodes do.
pub static ROLE_POLICIES: Code = Code {
    number: 1023,
    title: "the nodes' role may not do what nodes do",
    cause: "Nodes write logs and metrics, open sessions, and manage network interfaces.",
    example: "a role without AmazonSageMakerClusterInstanceRolePolicy",
    cure: "Attach AmazonSageMakerClusterInstanceRolePolicy and AmazonEKS_CNI_Policy.",
};

/// P24: the bucket is not there, or in another region.
pub static BUCKET_REGION: Code = Code {
    number: 1024,
    title: "the bucket is not there, or in another region",
    cause: "Nodes read the scripts from a bucket of their own region.",
    example: "a bucket in us-east-1 for a cluster in us-west-2",
    cure: "Use a bucket of the region.",
};

/// P25: a lifecycle script is not in S3.
pub static SCRIPT_THERE: Code = Code {
    number: 1025,
    title: "a lifecycle script is not in S3",
    cause: "No step of the pipeline puts it there either. Each node would fail: lifecycle scripts did not run successfully.",
    example: "SourceS3Uri: s3://bucket      (and the script below LifecycleScripts/)",
    cure: "Mend SourceS3Uri or OnCreate, or upload it with upload-lifecycle.",
};

/// P27: the nodes' role may not read the scripts.
pub static ROLE_READS: Code = Code {
    number: 1027,
    title: "the nodes' role may not read the scripts",
    cause: "AmazonSageMakerClusterInstanceRolePolicy covers buckets whose name begins with sagemaker- only.",
    example: "a bucket hyperpod-scripts, and no policy for it",
    cure: "Give the role s3:GetObject and s3:ListBucket on the bucket, or use one called sagemaker-something.",
};

/// P28: the S3 endpoint of the VPC does not let the bucket through.
pub static ENDPOINT_POLICY: Code = Code {
    number: 1028,
    title: "the S3 endpoint of the VPC does not let the bucket through",
    cause: "The policy of a VPC endpoint holds for everybody behind it, whatever the role may do.",
    example: "an endpoint policy for another bucket",
    cure: "Add the bucket to the policy of the endpoint.",
};

/// P29: the caller may not pass the role to SageMaker.
pub static PASS_ROLE: Code = Code {
    number: 1029,
    title: "the caller may not pass the role to SageMaker",
    cause: "CreateCluster hands the role on, which needs iam:PassRole.",
    example: "AccessDenied: not authorized to perform iam:PassRole",
    cure: "Allow iam:PassRole on the role for sagemaker.amazonaws.com.",
};

/// P30: HyperPod's own role is missing and cannot be made.
pub static LINKED_ROLE: Code = Code {
    number: 1030,
    title: "HyperPod's own role is missing and cannot be made",
    cause: "The account's first HyperPod cluster makes AWSServiceRoleForSageMakerHyperPod, which needs iam:CreateServiceLinkedRole.",
    example: "an organisation that denies iam:CreateServiceLinkedRole",
    cure: "Let somebody make it: aws iam create-service-linked-role --aws-service-name hyperpod.sagemaker.amazonaws.com.",
};

/// P31: the training plan does not have what the group needs.
pub static TRAINING_PLAN: Code = Code {
    number: 1031,
    title: "the training plan does not have what the group needs",
    cause: "A plan reserves instances of one type in one zone for a span of time, for certain uses. Nodes come only out of a plan that is active, in a subnet of its zone.",
    example: "a plan in usw2-az1 for a subnet in usw2-az2",
    cure: "Name a plan with that type, enough free instances and hyperpod-cluster among its uses, and a subnet in its zone.",
};

/// P32: the name of the cluster is taken.
pub static CLUSTER_NAME: Code = Code {
    number: 1032,
    title: "the name of the cluster is taken",
    cause: "hprun takes over no cluster that the run did not make, unless the step says so.",
    example: "a cluster ml-cluster of somebody else's",
    cure: "Choose another name, resume the run that made it, or say `adopt: true`.",
};

/// P33: the name of the stack is taken, or the stack cannot be worked with.
pub static STACK_NAME: Code = Code {
    number: 1033,
    title: "the name of the stack is taken, or the stack cannot be worked with",
    cause: "hprun takes over no stack that the run did not make, unless the step says so; and one in ROLLBACK_COMPLETE can only be deleted.",
    example: "a stack of somebody else's",
    cure: "Choose another name, resume the run that made it, or say `adopt: true`.",
};

/// P36: the name of the release is taken, or the release is in the middle of a change.
pub static RELEASE: Code = Code {
    number: 1036,
    title: "the name of the release is taken, or the release is in the middle of a change",
    cause: "hprun takes over no release that the run did not make, unless the step says so; and helm changes none that is pending.",
    example: "a release hyperpod-dependencies of somebody else's",
    cure: "Choose another name, resume the run that made it, or say `adopt: true`.",
};

/// P41: a group's nodes with EFA are in several zones.
pub static ONE_ZONE: Code = Code {
    number: 1041,
    title: "a group's nodes with EFA are in several zones",
    cause: "EFA works within one zone.",
    example: "two subnets in two zones for ml.p5.48xlarge",
    cure: "Name subnets of one zone.",
};

/// P42: this machine's clock is wrong.
pub static CLOCK: Code = Code {
    number: 1042,
    title: "this machine's clock is wrong",
    cause: "AWS refuses requests that are signed more than five minutes off.",
    example: "a clock ten minutes late",
    cure: "Set the clock.",
};

/// P43: the credentials end before the run does.
pub static CREDENTIALS_LAST: Code = Code {
    number: 1043,
    title: "the credentials end before the run does",
    cause: "A full deployment takes more than an hour. The run stops at a safe point then, and resume goes on after a new login.",
    example: "a session of one hour",
    cure: "Log in again just before the run, or use credentials that renew themselves.",
};

/// Questions that nobody answers, for one cause.
pub static UNANSWERED: Code = Code {
    number: 1045,
    title: "questions have no answer",
    cause: "The caller may not ask, or a service does not answer. Nothing is known to be wrong, and nothing to be right: the run may still fail for what could not be asked.",
    example: "a caller without ec2:DescribeSubnets",
    cure: "Allow the actions that the finding names (docs/preflight.md has all), or ask again later.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &REGION,
    &ZONE,
    &TYPES_OFFERED,
    &TYPE_QUOTA,
    &TOTAL_QUOTA,
    &VOLUME_QUOTA,
    &NETWORK_QUOTAS,
    &BLOCK_FREE,
    &ONE_VPC,
    &WAY_OUT,
    &FREE_ADDRESSES,
    &SELF_REFERENCE,
    &GROUPS_MEET,
    &EKS_ACTIVE,
    &EKS_ACCESS_MODE,
    &EKS_VERSION,
    &EKS_VPC,
    &CNI,
    &POD_IDENTITY,
    &CALLER_ENTRY,
    &ROLE_TRUST,
    &ROLE_POLICIES,
    &BUCKET_REGION,
    &SCRIPT_THERE,
    &ROLE_READS,
    &ENDPOINT_POLICY,
    &PASS_ROLE,
    &LINKED_ROLE,
    &TRAINING_PLAN,
    &CLUSTER_NAME,
    &STACK_NAME,
    &RELEASE,
    &ONE_ZONE,
    &CLOCK,
    &CREDENTIALS_LAST,
    &UNANSWERED,
];
