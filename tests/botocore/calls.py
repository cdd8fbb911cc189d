"""Calls every operation of the sandbox at least once, and holds that there are no others.

    AWS_ENDPOINT_URL=… python tests/botocore/calls.py

prints `N operations called, M others refused by name`, and what is wrong; exits 1 if anything is.
"""

import json
import sys

from caller import Caller, advance, probe

REGION = "us-west-2"
ACCOUNT = "111122223333"
CLUSTERS = "AmazonEKSClusterPolicy"
INSTANCES = "AmazonSageMakerClusterInstanceRolePolicy"


def trust(service, *more):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", *more]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def roles(call):
    """IAM and STS. Gives the ARNs of an EKS and a HyperPod role."""
    arns = []
    for name, service, policy in [("eks", "eks.amazonaws.com", CLUSTERS), ("hp-execution", "sagemaker.amazonaws.com", INSTANCES)]:
        role = call("iam", "CreateRole", RoleName=name, AssumeRolePolicyDocument=trust(service), Tags=[{"Key": "a", "Value": "b"}])
        call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        arns.append(role["Role"]["Arn"])
    call("iam", "CreateRole", RoleName="other", AssumeRolePolicyDocument=trust("pods.eks.amazonaws.com", "sts:TagSession"))
    call("iam", "UpdateAssumeRolePolicy", RoleName="other", PolicyDocument=trust("pods.eks.amazonaws.com", "sts:TagSession"))
    call("iam", "GetRole", RoleName="other")
    call("iam", "ListRoles", MaxItems=2)
    call("iam", "TagRole", RoleName="other", Tags=[{"Key": "team", "Value": "ml"}])
    call("iam", "ListRoleTags", RoleName="other")
    call("iam", "UntagRole", RoleName="other", TagKeys=["team"])
    reads = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    call("iam", "PutRolePolicy", RoleName="other", PolicyName="reads", PolicyDocument=json.dumps(reads))
    call("iam", "GetRolePolicy", RoleName="other", PolicyName="reads")
    call("iam", "ListRolePolicies", RoleName="other")
    call("iam", "SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/other", ActionNames=["s3:GetObject", "s3:PutObject"])
    call("iam", "DeleteRolePolicy", RoleName="other", PolicyName="reads")
    policy = call("iam", "CreatePolicy", PolicyName="mine", PolicyDocument=json.dumps(reads))["Policy"]["Arn"]
    call("iam", "GetPolicy", PolicyArn=policy)
    call("iam", "GetPolicyVersion", PolicyArn=policy, VersionId="v1")
    call("iam", "AttachRolePolicy", RoleName="other", PolicyArn=policy)
    call("iam", "ListAttachedRolePolicies", RoleName="other")
    call("iam", "DetachRolePolicy", RoleName="other", PolicyArn=policy)
    call("iam", "DeletePolicy", PolicyArn=policy)
    call("iam", "CreateServiceLinkedRole", AWSServiceName="hyperpod.sagemaker.amazonaws.com")
    call("sts", "GetCallerIdentity")
    call("sts", "AssumeRole", RoleArn=arns[1], RoleSessionName="me")
    return arns


def network(call):
    """EC2, but for what takes it all away again. Gives VPC, subnets and security group."""
    vpc = call("ec2", "CreateVpc", CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    call("ec2", "DescribeVpcs", Filters=[{"Name": "state", "Values": ["available"]}])
    call("ec2", "ModifyVpcAttribute", VpcId=vpc, EnableDnsHostnames={"Value": True})
    call("ec2", "DescribeVpcAttribute", VpcId=vpc, Attribute="enableDnsHostnames")
    block = call("ec2", "AssociateVpcCidrBlock", VpcId=vpc, CidrBlock="10.2.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    call("ec2", "DisassociateVpcCidrBlock", AssociationId=block)
    tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "private"}]}]
    subnets = []
    for zone, cidr in [("us-west-2a", "10.1.0.0/24"), ("us-west-2b", "10.1.1.0/24")]:
        made = call("ec2", "CreateSubnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone, TagSpecifications=tags)
        subnets.append(made["Subnet"]["SubnetId"])
    call("ec2", "ModifySubnetAttribute", SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    call("ec2", "DescribeSubnets", SubnetIds=subnets)
    group = call("ec2", "CreateSecurityGroup", GroupName="hp", Description="nodes", VpcId=vpc)["GroupId"]
    within = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
    call("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=within)
    call("ec2", "AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=within)
    web = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    call("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=web)
    call("ec2", "AuthorizeSecurityGroupEgress", GroupId=group, IpPermissions=web)
    call("ec2", "RevokeSecurityGroupIngress", GroupId=group, IpPermissions=web)
    call("ec2", "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=web)
    call("ec2", "DescribeSecurityGroups", GroupIds=[group])
    call("ec2", "DescribeSecurityGroupRules", Filters=[{"Name": "group-id", "Values": [group]}])
    call("ec2", "DescribeAvailabilityZones")
    call("ec2", "DescribeRegions")
    call("ec2", "DescribeInstanceTypeOfferings", LocationType="availability-zone-id")
    call("ec2", "CreateTags", Resources=[vpc], Tags=[{"Key": "team", "Value": "ml"}])
    call("ec2", "DescribeTags")
    call("ec2", "DeleteTags", Resources=[vpc], Tags=[{"Key": "team"}])
    return vpc, subnets, group


def gateways(call, vpc, subnet):
    """What connects a VPC, made and taken away."""
    gateway = call("ec2", "CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    call("ec2", "AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    call("ec2", "DescribeInternetGateways")
    table = call("ec2", "CreateRouteTable", VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = call("ec2", "AssociateRouteTable", RouteTableId=table, SubnetId=subnet)["AssociationId"]
    call("ec2", "CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = call("ec2", "AllocateAddress", Domain="vpc")["AllocationId"]
    call("ec2", "DescribeAddresses")
    nat = call("ec2", "CreateNatGateway", SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    advance("5m")
    call("ec2", "DescribeNatGateways")
    call("ec2", "DescribeNetworkInterfaces")
    call("ec2", "ReplaceRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    call("ec2", "DescribeRouteTables")
    made = call("ec2", "CreateVpcEndpoint", VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[table])
    call("ec2", "DescribeVpcEndpoints")
    call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[made["VpcEndpoint"]["VpcEndpointId"]])
    advance("10m")
    call("ec2", "DeleteRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    call("ec2", "DisassociateRouteTable", AssociationId=association)
    call("ec2", "DeleteRouteTable", RouteTableId=table)
    call("ec2", "DeleteNatGateway", NatGatewayId=nat)
    advance("10m")
    call("ec2", "ReleaseAddress", AllocationId=address)
    call("ec2", "DetachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
    call("ec2", "DeleteInternetGateway", InternetGatewayId=gateway)


def scripts(call):
    """S3: a bucket with lifecycle scripts, and another on which everything is tried."""
    here = {"LocationConstraint": REGION}
    call("s3", "CreateBucket", Bucket="sagemaker-scripts", CreateBucketConfiguration=here)
    call("s3", "PutObject", Bucket="sagemaker-scripts", Key="good/on_create.sh", Body=b"#!/bin/bash\nset -e\necho fine\n")
    name = {"Bucket": "everything"}
    call("s3", "CreateBucket", **name, CreateBucketConfiguration=here)
    call("s3", "ListBuckets")
    call("s3", "HeadBucket", **name)
    call("s3", "GetBucketLocation", **name)
    call("s3", "PutBucketVersioning", **name, VersioningConfiguration={"Status": "Enabled"})
    call("s3", "GetBucketVersioning", **name)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    call("s3", "PutBucketEncryption", **name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    call("s3", "GetBucketEncryption", **name)
    call("s3", "DeleteBucketEncryption", **name)
    blocks = {what: True for what in ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]}
    call("s3", "PutPublicAccessBlock", **name, PublicAccessBlockConfiguration=blocks)
    call("s3", "GetPublicAccessBlock", **name)
    call("s3", "DeletePublicAccessBlock", **name)
    secure = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::everything/*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    call("s3", "PutBucketPolicy", **name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [secure]}))
    call("s3", "GetBucketPolicy", **name)
    call("s3", "DeleteBucketPolicy", **name)
    call("s3", "PutBucketTagging", **name, Tagging={"TagSet": [{"Key": "team", "Value": "ml"}]})
    call("s3", "GetBucketTagging", **name)
    call("s3", "DeleteBucketTagging", **name)
    call("s3", "PutBucketOwnershipControls", **name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    call("s3", "GetBucketOwnershipControls", **name)
    call("s3", "DeleteBucketOwnershipControls", **name)
    objects(call, name)


def objects(call, name):
    call("s3", "PutObject", **name, Key="a/one", Body=b"one", ContentType="text/plain", Metadata={"team": "ml"}, ChecksumAlgorithm="SHA256")
    call("s3", "GetObject", **name, Key="a/one")["Body"].read()
    call("s3", "HeadObject", **name, Key="a/one", ChecksumMode="ENABLED")
    call("s3", "CopyObject", **name, Key="a/two", CopySource={"Bucket": "everything", "Key": "a/one"})
    call("s3", "ListObjects", **name, Delimiter="/")
    call("s3", "ListObjectsV2", **name, Prefix="a/", MaxKeys=1)
    call("s3", "ListObjectVersions", **name)
    upload = call("s3", "CreateMultipartUpload", **name, Key="big")["UploadId"]
    of = {**name, "Key": "big", "UploadId": upload}
    part = call("s3", "UploadPart", **of, PartNumber=1, Body=b"x" * 5_242_880)
    call("s3", "ListParts", **of)
    call("s3", "ListMultipartUploads", **name)
    call("s3", "CompleteMultipartUpload", **of, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    upload = call("s3", "CreateMultipartUpload", **name, Key="never")["UploadId"]
    call("s3", "AbortMultipartUpload", **name, Key="never", UploadId=upload)
    call("s3", "DeleteObject", **name, Key="a/one")
    versions = call("s3", "ListObjectVersions", **name)
    all_of_them = [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]
    gone = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in all_of_them]
    call("s3", "DeleteObjects", **name, Delete={"Objects": gone})
    call("s3", "DeleteBucket", **name)


def kubernetes(call, role, subnets):
    """EKS. Gives the cluster's ARN."""
    call("eks", "CreateCluster", name="train", roleArn=role, resourcesVpcConfig={"subnetIds": subnets}, accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"}, tags={"a": "b"})
    advance("20m")
    arn = call("eks", "DescribeCluster", name="train")["cluster"]["arn"]
    call("eks", "ListClusters")
    update = call("eks", "UpdateClusterConfig", name="train", accessConfig={"authenticationMode": "API"})
    advance("10m")
    call("eks", "ListUpdates", name="train")
    call("eks", "DescribeUpdate", name="train", updateId=update["update"]["id"])
    call("eks", "DescribeAddonVersions", addonName="metrics-server")
    addon = {"clusterName": "train", "addonName": "metrics-server"}
    call("eks", "CreateAddon", **addon)
    advance("5m")
    call("eks", "ListAddons", clusterName="train")
    call("eks", "DescribeAddon", **addon)
    call("eks", "UpdateAddon", **addon, configurationValues="{}")
    advance("5m")
    call("eks", "DeleteAddon", **addon)
    entry = {"clusterName": "train", "principalArn": f"arn:aws:iam::{ACCOUNT}:role/other"}
    call("eks", "CreateAccessEntry", **entry, kubernetesGroups=["readers"], tags={"a": "b"})
    call("eks", "ListAccessEntries", clusterName="train")
    call("eks", "DescribeAccessEntry", **entry)
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    call("eks", "AssociateAccessPolicy", **entry, policyArn=policy, accessScope={"type": "namespace", "namespaces": ["default"]})
    call("eks", "ListAssociatedAccessPolicies", **entry)
    call("eks", "ListAccessPolicies")
    call("eks", "DisassociateAccessPolicy", **entry, policyArn=policy)
    call("eks", "DeleteAccessEntry", **entry)
    pod = call("eks", "CreatePodIdentityAssociation", clusterName="train", namespace="default", serviceAccount="sa", roleArn=f"arn:aws:iam::{ACCOUNT}:role/other")
    one = {"clusterName": "train", "associationId": pod["association"]["associationId"]}
    call("eks", "ListPodIdentityAssociations", clusterName="train")
    call("eks", "DescribePodIdentityAssociation", **one)
    call("eks", "DeletePodIdentityAssociation", **one)
    call("eks", "ListNodegroups", clusterName="train")
    call("eks", "ListFargateProfiles", clusterName="train")
    call("eks", "TagResource", resourceArn=arn, tags={"team": "ml"})
    call("eks", "ListTagsForResource", resourceArn=arn)
    call("eks", "UntagResource", resourceArn=arn, tagKeys=["team"])
    return arn


def group(name, role, **more):
    script = {"SourceS3Uri": "s3://sagemaker-scripts/good", "OnCreate": "on_create.sh"}
    return {"InstanceGroupName": name, "InstanceCount": 2, "InstanceType": "ml.m5.2xlarge", "LifeCycleConfig": script, "ExecutionRole": role, "ThreadsPerCore": 1, **more}


def hyperpod(call, cluster, role, subnet, security):
    """SageMaker: a classic and a continuous cluster; CloudWatch's logs of their scripts."""
    vpc = {"SecurityGroupIds": [security], "Subnets": [subnet]}
    common = {"Orchestrator": {"Eks": {"ClusterArn": cluster}}, "VpcConfig": vpc}
    arn = call("sagemaker", "CreateCluster", ClusterName="classic", InstanceGroups=[group("a", role)], **common, Tags=[{"Key": "a", "Value": "b"}])["ClusterArn"]
    advance("1h")
    name = {"ClusterName": "classic"}
    described = call("sagemaker", "DescribeCluster", **name)
    assert described["ClusterStatus"] == "InService", described
    call("sagemaker", "ListClusters", SortBy="NAME", MaxResults=10)
    nodes = [node["InstanceId"] for node in call("sagemaker", "ListClusterNodes", **name)["ClusterNodeSummaries"]]
    call("sagemaker", "DescribeClusterNode", **name, NodeId=nodes[0])
    call("sagemaker", "AddTags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "ml"}])
    call("sagemaker", "ListTags", ResourceArn=arn)
    call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=["team"])
    call("sagemaker", "UpdateCluster", **name, InstanceGroups=[group("a", role, InstanceCount=3)])
    advance("2h")
    call("sagemaker", "UpdateClusterSoftware", **name)
    advance("4h")
    call("sagemaker", "BatchRebootClusterNodes", **name, NodeIds=nodes[:1])
    advance("1h")
    call("sagemaker", "BatchReplaceClusterNodes", **name, NodeIds=nodes[1:])
    advance("2h")
    call("sagemaker", "BatchDeleteClusterNodes", **name, NodeIds=nodes[:1])
    advance("1h")
    logs(call)
    continuous(call, common, role)
    call("sagemaker", "DeleteCluster", **name)


def plans(call, caller):
    """Training plans: offered, made, described."""
    wanted = {"InstanceType": "ml.p5.48xlarge", "InstanceCount": 4, "DurationHours": 48, "TargetResources": ["hyperpod-cluster"]}
    offers = call("sagemaker", "SearchTrainingPlanOfferings", **wanted)["TrainingPlanOfferings"]
    offer = offers[0]["TrainingPlanOfferingId"]
    call("sagemaker", "CreateTrainingPlan", TrainingPlanName="plan", TrainingPlanOfferingId=offer)
    plan = call("sagemaker", "DescribeTrainingPlan", TrainingPlanName="plan")
    assert (plan["Status"], plan["AvailableInstanceCount"]) == ("Active", 4), plan
    caller.fails("ResourceNotFound", "sagemaker", "DescribeTrainingPlan", TrainingPlanName="none")


def continuous(call, common, role):
    name = {"ClusterName": "continuous"}
    call("sagemaker", "CreateCluster", **name, InstanceGroups=[group("a", role)], NodeProvisioningMode="Continuous", ClusterRole=role, **common)
    advance("1h")
    call("sagemaker", "BatchAddClusterNodes", **name, NodesToAdd=[{"InstanceGroupName": "a", "IncrementTargetCountBy": 1}])
    advance("1h")
    events = call("sagemaker", "ListClusterEvents", **name, MaxResults=5)["Events"]
    call("sagemaker", "DescribeClusterEvent", **name, EventId=events[0]["EventId"])
    call("sagemaker", "DescribeCluster", **name)
    call("sagemaker", "ListClusterNodes", **name, IncludeNodeLogicalIds=True)
    call("sagemaker", "DeleteCluster", **name)
    advance("2h")


def logs(call):
    found = call("logs", "DescribeLogGroups", logGroupNamePrefix="/aws/sagemaker/Clusters/")["logGroups"]
    name = {"logGroupName": found[0]["logGroupName"]}
    streams = call("logs", "DescribeLogStreams", **name)["logStreams"]
    call("logs", "GetLogEvents", **name, logStreamName=streams[0]["logStreamName"], startFromHead=True)
    call("logs", "FilterLogEvents", **name, limit=10)


def parameters(call):
    call("ssm", "PutParameter", Name="/hp/one", Value="1", Type="String")
    call("ssm", "PutParameter", Name="/hp/two", Value="2", Type="SecureString")
    call("ssm", "GetParameter", Name="/hp/two", WithDecryption=True)
    call("ssm", "GetParameters", Names=["/hp/one", "/hp/none"])
    call("ssm", "GetParametersByPath", Path="/hp")
    call("ssm", "DeleteParameter", Name="/hp/one")


def quotas(call, caller):
    first = call("service-quotas", "ListServiceQuotas", ServiceCode="sagemaker", MaxResults=100)
    call("service-quotas", "ListServiceQuotas", ServiceCode="sagemaker", NextToken=first["NextToken"])
    call("service-quotas", "ListServiceQuotas", ServiceCode="ec2")
    quota = call("service-quotas", "GetServiceQuota", ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]
    assert quota["Value"] == 5 and quota["QuotaName"] == "VPCs per Region", quota
    caller.fails("NoSuchResourceException", "service-quotas", "GetServiceQuota", ServiceCode="vpc", QuotaCode="L-00000000")


TEMPLATE = {
    "Parameters": {"Name": {"Type": "String", "Default": "made-by-a-stack"}},
    "Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Name"}}},
        "Group": {"Type": "AWS::Logs::LogGroup"},
    },
    "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}, "Description": "the bucket"}},
}


def stacks(call, caller):
    name = {"StackName": "one"}
    template = json.dumps(TEMPLATE)
    call("cloudformation", "ValidateTemplate", TemplateBody=template)
    call("cloudformation", "GetTemplateSummary", TemplateBody=template)
    call("cloudformation", "CreateStack", **name, TemplateBody=template, ClientRequestToken="t1", Tags=[{"Key": "a", "Value": "b"}], EnableTerminationProtection=True)
    advance("10m")
    call("cloudformation", "UpdateTerminationProtection", **name, EnableTerminationProtection=False)
    call("cloudformation", "DescribeStacks", **name)
    call("cloudformation", "DescribeStacks")
    call("cloudformation", "ListStacks", StackStatusFilter=["CREATE_COMPLETE"])
    call("cloudformation", "DescribeStackEvents", **name)
    call("cloudformation", "DescribeStackResource", **name, LogicalResourceId="Bucket")
    call("cloudformation", "DescribeStackResources", **name)
    call("cloudformation", "ListStackResources", **name)
    call("cloudformation", "GetTemplate", **name)
    changed = json.loads(template)
    changed["Resources"]["Group"]["Properties"] = {"RetentionInDays": 7}
    changed = json.dumps(changed)
    call("cloudformation", "CreateChangeSet", **name, ChangeSetName="never", TemplateBody=changed)
    advance("5m")
    call("cloudformation", "ListChangeSets", **name)
    call("cloudformation", "DeleteChangeSet", **name, ChangeSetName="never")
    call("cloudformation", "CreateChangeSet", **name, ChangeSetName="now", TemplateBody=changed)
    advance("5m")
    call("cloudformation", "DescribeChangeSet", **name, ChangeSetName="now")
    call("cloudformation", "ExecuteChangeSet", **name, ChangeSetName="now")
    advance("10m")
    call("cloudformation", "UpdateStack", **name, TemplateBody=template)
    call("cloudformation", "CancelUpdateStack", **name)
    advance("20m")
    call("cloudformation", "DescribeStackEvents", **name)
    caller.fails("ValidationError", "cloudformation", "ContinueUpdateRollback", **name)
    call("cloudformation", "DeleteStack", **name)
    advance("10m")
    # A change set that makes its stack: the stack is in review, and shown as such.
    call("cloudformation", "CreateChangeSet", StackName="two", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template)
    advance("5m")
    call("cloudformation", "DescribeStackEvents", StackName="two")
    call("cloudformation", "DescribeStacks", StackName="two")


def take_away(call, caller, vpc, subnets, group):
    call("eks", "DeleteCluster", name="train")
    advance("1h")
    caller.fails("InvalidNetworkInterfaceID.NotFound", "ec2", "DeleteNetworkInterface", NetworkInterfaceId="eni-0123456789abcdef0")
    call("ec2", "DeleteSecurityGroup", GroupId=group)
    for subnet in subnets:
        call("ec2", "DeleteSubnet", SubnetId=subnet)
    call("ec2", "DeleteVpc", VpcId=vpc)
    call("iam", "DeleteRole", RoleName="other")


def main():
    caller = Caller()
    call = caller.call
    parameters(call)
    quotas(call, caller)
    plans(call, caller)
    eks_role, role = roles(call)
    vpc, subnets, group = network(call)
    gateways(call, vpc, subnets[0])
    scripts(call)
    cluster = kubernetes(call, eks_role, subnets)
    hyperpod(call, cluster, role, subnets[1], group)
    stacks(call, caller)
    take_away(call, caller, vpc, subnets, group)
    others = probe(caller)
    for problem in caller.problems:
        print(problem)
    print(f"{len(caller.called)} operations called, {others} others refused by name")
    return 1 if caller.problems else 0


if __name__ == "__main__":
    sys.exit(main())
