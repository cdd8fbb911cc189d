//! The resource types of EC2.
//! Ids are made up by EC2, so what a stack makes can only be narrowed to its kind; what is given is narrowed to its id.

use super::{Elsewhere, TypeNeeds};

/// What makes, changes and deletes rules, of either direction.
const INGRESS: &[&str] = &[
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
];
const EGRESS: &[&str] = &[
    "ec2:AuthorizeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupEgress",
    "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
];
/// A group, and its rules.
const RULES: &[&str] = &["ec2:security-group/*", "ec2:security-group-rule/*"];
/// What joins an endpoint to a part of the network.
const ENDPOINT: &[&str] = &["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"];

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::EC2::VPC",
        acts: &["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateTags", "ec2:DeleteTags"],
        acts_with: &[
            ("EnableDnsSupport", &["ec2:ModifyVpcAttribute"]),
            ("EnableDnsHostnames", &["ec2:ModifyVpcAttribute"]),
            ("InstanceTenancy", &["ec2:ModifyVpcTenancy"]),
        ],
        on: &["ec2:vpc/*"],
        looks: &[
            "ec2:DescribeVpcs",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeNetworkAcls",
        ],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::VPCCidrBlock",
        acts: &["ec2:AssociateVpcCidrBlock", "ec2:DisassociateVpcCidrBlock"],
        on: &["ec2:vpc/{VpcId}"],
        looks: &["ec2:DescribeVpcs"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::Subnet",
        acts: &["ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:CreateTags", "ec2:DeleteTags"],
        acts_with: &[
            ("MapPublicIpOnLaunch", &["ec2:ModifySubnetAttribute"]),
            ("AssignIpv6AddressOnCreation", &["ec2:ModifySubnetAttribute"]),
            ("EnableDns64", &["ec2:ModifySubnetAttribute"]),
            ("Ipv6CidrBlock", &["ec2:AssociateSubnetCidrBlock", "ec2:DisassociateSubnetCidrBlock"]),
        ],
        on: &["ec2:subnet/*"],
        elsewhere: &[Elsewhere { with: "VpcId", acts: &["ec2:CreateSubnet"], on: &["ec2:vpc/{VpcId}"] }],
        looks: &["ec2:DescribeSubnets", "ec2:DescribeNetworkAcls"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::SubnetCidrBlock",
        acts: &["ec2:AssociateSubnetCidrBlock", "ec2:DisassociateSubnetCidrBlock"],
        on: &["ec2:subnet/{SubnetId}"],
        looks: &["ec2:DescribeSubnets"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::InternetGateway",
        acts: &["ec2:CreateInternetGateway", "ec2:DeleteInternetGateway", "ec2:CreateTags", "ec2:DeleteTags"],
        on: &["ec2:internet-gateway/*"],
        looks: &["ec2:DescribeInternetGateways"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::EgressOnlyInternetGateway",
        acts: &[
            "ec2:CreateEgressOnlyInternetGateway",
            "ec2:DeleteEgressOnlyInternetGateway",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        on: &["ec2:egress-only-internet-gateway/*"],
        elsewhere: &[Elsewhere {
            with: "VpcId",
            acts: &["ec2:CreateEgressOnlyInternetGateway"],
            on: &["ec2:vpc/{VpcId}"],
        }],
        looks: &["ec2:DescribeEgressOnlyInternetGateways", "ec2:DescribeVpcs"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::VPCGatewayAttachment",
        acts_with: &[
            ("InternetGatewayId", &["ec2:AttachInternetGateway", "ec2:DetachInternetGateway"]),
            ("VpnGatewayId", &["ec2:AttachVpnGateway", "ec2:DetachVpnGateway"]),
        ],
        on: &["ec2:internet-gateway/{InternetGatewayId}", "ec2:vpn-gateway/{VpnGatewayId}", "ec2:vpc/{VpcId}"],
        looks: &["ec2:DescribeInternetGateways", "ec2:DescribeVpnGateways"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::EIP",
        acts: &["ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:CreateTags", "ec2:DeleteTags"],
        on: &["ec2:elastic-ip/*"],
        elsewhere: &[Elsewhere {
            with: "InstanceId",
            acts: &["ec2:AssociateAddress", "ec2:DisassociateAddress"],
            on: &["ec2:elastic-ip/*", "ec2:instance/{InstanceId}"],
        }],
        looks: &["ec2:DescribeAddresses"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::NatGateway",
        acts: &["ec2:CreateNatGateway", "ec2:DeleteNatGateway", "ec2:CreateTags", "ec2:DeleteTags"],
        on: &["ec2:natgateway/*"],
        elsewhere: &[
            Elsewhere { with: "SubnetId", acts: &["ec2:CreateNatGateway"], on: &["ec2:subnet/{SubnetId}"] },
            Elsewhere { with: "AllocationId", acts: &["ec2:CreateNatGateway"], on: &["ec2:elastic-ip/{AllocationId}"] },
        ],
        looks: &["ec2:DescribeNatGateways"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::RouteTable",
        acts: &["ec2:CreateRouteTable", "ec2:DeleteRouteTable", "ec2:CreateTags", "ec2:DeleteTags"],
        on: &["ec2:route-table/*"],
        elsewhere: &[Elsewhere { with: "VpcId", acts: &["ec2:CreateRouteTable"], on: &["ec2:vpc/{VpcId}"] }],
        looks: &["ec2:DescribeRouteTables"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::Route",
        acts: &["ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"],
        on: &["ec2:route-table/{RouteTableId}"],
        looks: &["ec2:DescribeRouteTables", "ec2:DescribeNetworkInterfaces"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::SubnetRouteTableAssociation",
        acts: &["ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation"],
        on: &["ec2:route-table/{RouteTableId}", "ec2:subnet/{SubnetId}"],
        looks: &["ec2:DescribeRouteTables", "ec2:DescribeSubnets"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::SecurityGroup",
        acts: &["ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "ec2:CreateTags", "ec2:DeleteTags"],
        acts_with: &[("SecurityGroupIngress", INGRESS), ("SecurityGroupEgress", EGRESS)],
        on: RULES,
        elsewhere: &[Elsewhere { with: "VpcId", acts: &["ec2:CreateSecurityGroup"], on: &["ec2:vpc/{VpcId}"] }],
        looks: &["ec2:DescribeSecurityGroups", "ec2:DescribeInstances"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::SecurityGroupIngress",
        acts: INGRESS,
        on: &["ec2:security-group/{GroupId}", "ec2:security-group-rule/*"],
        looks: &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::SecurityGroupEgress",
        acts: EGRESS,
        on: &["ec2:security-group/{GroupId}", "ec2:security-group-rule/*"],
        looks: &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::EC2::VPCEndpoint",
        acts: &[
            "ec2:CreateVpcEndpoint",
            "ec2:ModifyVpcEndpoint",
            "ec2:DeleteVpcEndpoints",
            "ec2:CreateTags",
            "ec2:DeleteTags",
        ],
        on: &["ec2:vpc-endpoint/*"],
        elsewhere: &[
            Elsewhere { with: "VpcId", acts: &["ec2:CreateVpcEndpoint"], on: &["ec2:vpc/{VpcId}"] },
            Elsewhere { with: "RouteTableIds", acts: ENDPOINT, on: &["ec2:route-table/{RouteTableIds}"] },
            Elsewhere { with: "SubnetIds", acts: ENDPOINT, on: &["ec2:subnet/{SubnetIds}"] },
            Elsewhere { with: "SecurityGroupIds", acts: ENDPOINT, on: &["ec2:security-group/{SecurityGroupIds}"] },
        ],
        looks: &["ec2:DescribeVpcEndpoints", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcs"],
        ..TypeNeeds::NOTHING
    },
];
