//! The table of resource types holds: each type can be made and deleted, and gives every attribute that it promises.

use std::collections::BTreeSet;

use hprun_sandbox::cloudformation::types::{STACK, TYPES};

use crate::aws::{Aws, all, first};

/// Every type but nested stacks, which have tests of their own.
const EVERYTHING: &str = "
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Cidr: {Type: AWS::EC2::VPCCidrBlock, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.1.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/20, AvailabilityZone: us-west-2a}}
  Other: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.16.0/20, AvailabilityZoneId: usw2-az2}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Ip: {Type: AWS::EC2::EIP, DependsOn: Attachment, Properties: {Domain: vpc}}
  Nat: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref Subnet, AllocationId: !GetAtt Ip.AllocationId}}
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Route: {Type: AWS::EC2::Route, DependsOn: Attachment, Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}}
  Association: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {RouteTableId: !Ref Table, SubnetId: !Ref Subnet}}
  Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: nodes, VpcId: !Ref Vpc}}
  In: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Group, IpProtocol: '-1', SourceSecurityGroupId: !Ref Group}}
  Out: {Type: AWS::EC2::SecurityGroupEgress, Properties: {GroupId: !Ref Group, IpProtocol: '-1', DestinationSecurityGroupId: !Ref Group}}
  Endpoint:
    Type: AWS::EC2::VPCEndpoint
    Properties: {VpcId: !Ref Vpc, ServiceName: !Sub 'com.amazonaws.${AWS::Region}.s3', RouteTableIds: [!Ref Table]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: [eks.amazonaws.com, pods.eks.amazonaws.com]}, Action: ['sts:AssumeRole', 'sts:TagSession']}]}
      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AmazonEKSClusterPolicy']
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {Roles: [!Ref Role], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}
  Policy:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: p, Roles: [!Ref Role], PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}}
  Cluster:
    Type: AWS::EKS::Cluster
    Properties:
      Name: demo
      RoleArn: !GetAtt Role.Arn
      AccessConfig: {AuthenticationMode: API_AND_CONFIG_MAP}
      ResourcesVpcConfig: {SubnetIds: [!Ref Subnet, !Ref Other]}
  Addon: {Type: AWS::EKS::Addon, Properties: {ClusterName: !Ref Cluster, AddonName: vpc-cni}}
  Entry: {Type: AWS::EKS::AccessEntry, Properties: {ClusterName: !Ref Cluster, PrincipalArn: !GetAtt Role.Arn}}
  Identity:
    Type: AWS::EKS::PodIdentityAssociation
    Properties: {ClusterName: !Ref Cluster, Namespace: default, ServiceAccount: sa, RoleArn: !GetAtt Role.Arn}
  Bucket: {Type: AWS::S3::Bucket}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties: {Bucket: !Ref Bucket, PolicyDocument: {Version: 2012-10-17, Statement: []}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 30}}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
Outputs:
";

/// Attributes whose value is a list.
const LISTS: [&str; 4] = ["CidrBlockAssociations", "Ipv6CidrBlocks", "DnsEntries", "NetworkInterfaceIds"];

#[tokio::test]
async fn every_type_can_be_made_and_deleted_and_gives_its_attributes() {
    let aws = Aws::new().await;
    let mut template = EVERYTHING.to_owned();
    let mut kinds = BTreeSet::new();
    let (mut name, mut expected) = (String::new(), 0);
    for line in EVERYTHING.lines() {
        if line.starts_with("  ") && !line.starts_with("   ") {
            name = line.trim().split(':').next().unwrap().to_owned();
        }
        let Some((_, kind)) = line.split_once("Type: AWS::") else { continue };
        let kind = format!("AWS::{}", kind.split([',', '}']).next().unwrap());
        let kind = TYPES.iter().find(|it| it.name == kind).unwrap();
        if kinds.insert(kind.name) {
            for attribute in kind.attributes {
                let key: String = format!("{name}x{attribute}").chars().filter(char::is_ascii_alphanumeric).collect();
                let value = format!("!GetAtt {name}.{attribute}");
                let value = if LISTS.contains(attribute) { format!("!Join [',', {value}]") } else { value };
                template.push_str(&format!("  {key}: {{Value: {value}}}\n"));
                expected += 1;
            }
        }
    }
    let missing: Vec<&str> = TYPES.iter().map(|it| it.name).filter(|it| !kinds.contains(it) && *it != STACK).collect();
    assert!(missing.is_empty(), "types without a test: {missing:?}");
    let parameters =
        [("StackName", "all"), ("TemplateBody", template.as_str()), ("Capabilities.member.1", "CAPABILITY_NAMED_IAM")];
    aws.ok("CreateStack", &parameters).await;
    aws.pass(3600);
    let status = aws.status("all").await;
    assert_eq!(status, "CREATE_COMPLETE", "{}", aws.events("all").await);
    let body = aws.ok("DescribeStacks", &[("StackName", "all")]).await;
    assert_eq!(all(&body, "OutputKey").len(), expected);
    aws.ok("DeleteStack", &[("StackName", "all")]).await;
    aws.pass(3600);
    let id = first(&body, "StackId");
    assert_eq!(aws.status(&id).await, "DELETE_COMPLETE", "{}", aws.events(&id).await);
}

#[tokio::test]
async fn an_unknown_type_is_refused_and_an_unknown_property_fails_its_resource_by_name() {
    let aws = Aws::new().await;
    let template = "Resources: {It: {Type: 'AWS::EC2::Instance'}}";
    let body = aws.refused("CreateStack", &[("StackName", "t"), ("TemplateBody", template)]).await;
    assert!(body.contains("AWS::EC2::Instance"), "{body}");
    for (number, kind) in TYPES.iter().enumerate() {
        let name = format!("s{number}");
        let template = format!("Resources: {{It: {{Type: '{}', Properties: {{NoSuchThing: 1}}}}}}", kind.name);
        let parameters = [
            ("StackName", name.as_str()),
            ("TemplateBody", &template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        aws.ok("CreateStack", &parameters).await;
        aws.pass(600);
        let events = aws.events(&name).await;
        assert!(events.contains("NoSuchThing"), "{}: {events}", kind.name);
    }
}

/// Members inside properties, each unknown.
const INSIDE: [(&str, &str); 9] = [
    ("AWS::EC2::VPC", "CidrBlock: 10.0.0.0/16, Tags: [{Key: a, Value: b, NoSuchThing: 1}]"),
    (
        "AWS::EC2::SecurityGroup",
        "GroupDescription: d, VpcId: !Ref Vpc, SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 1, ToPort: 1, CidrIp: 10.0.0.0/8, NoSuchThing: 1}]",
    ),
    (
        "AWS::IAM::Role",
        "AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: eks.amazonaws.com}, Action: 'sts:AssumeRole'}]}, Policies: [{PolicyName: a, PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: '*'}]}, NoSuchThing: 1}]",
    ),
    (
        "AWS::EKS::Cluster",
        "RoleArn: 'arn:aws:iam::111122223333:role/r', ResourcesVpcConfig: {SubnetIds: [a, b], NoSuchThing: 1}",
    ),
    (
        "AWS::EKS::Cluster",
        "RoleArn: 'arn:aws:iam::111122223333:role/r', ResourcesVpcConfig: {SubnetIds: [a, b]}, AccessConfig: {NoSuchThing: 1}",
    ),
    ("AWS::S3::Bucket", "PublicAccessBlockConfiguration: {NoSuchThing: true}"),
    ("AWS::S3::Bucket", "VersioningConfiguration: {Status: Enabled, NoSuchThing: 1}"),
    (
        "AWS::S3::Bucket",
        "BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256, NoSuchThing: 1}}]}",
    ),
    ("AWS::S3::Bucket", "OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced, NoSuchThing: 1}]}"),
];

#[tokio::test]
async fn an_unknown_member_inside_a_property_fails_its_resource_by_name() {
    let aws = Aws::new().await;
    let mut missed = Vec::new();
    for (number, (kind, properties)) in INSIDE.iter().enumerate() {
        let name = format!("s{number}");
        let template = format!(
            "Resources: {{Vpc: {{Type: 'AWS::EC2::VPC', Properties: {{CidrBlock: 10.0.0.0/16}}}}, It: {{Type: '{kind}', Properties: {{{properties}}}}}}}"
        );
        let parameters = [
            ("StackName", name.as_str()),
            ("TemplateBody", &template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        aws.ok("CreateStack", &parameters).await;
        aws.pass(1200);
        let events = aws.events(&name).await;
        if !events.contains("NoSuchThing") {
            missed.push(format!("{kind} {properties}: {events}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
