//! The resource types of the sandbox as CloudFormation describes them: properties, attributes, what a change means, how long it takes.
//! It must not know how a resource is made: `resources` connects each type to its service.

use serde_json::{Map, Value};

/// One resource type. The facts are those of AWS's resource type reference; the durations are typical ones, in seconds of sandbox time.
#[derive(Debug)]
pub struct ResourceType {
    /// e.g. `AWS::EC2::VPC`
    pub name: &'static str,
    /// Properties that must be there.
    pub required: &'static [&'static str],
    /// Properties whose change is made in place.
    pub mutable: &'static [&'static str],
    /// Properties whose change makes the resource anew.
    pub replaces: &'static [&'static str],
    /// What `Fn::GetAtt` can name.
    pub attributes: &'static [&'static str],
    /// The property that holds the resource's name, which CloudFormation makes up if the template gives none.
    pub name_property: Option<&'static str>,
    /// How long making, changing and deleting one takes until CloudFormation first looks whether it is done.
    pub seconds: Seconds,
}

/// Durations of one type, in seconds of sandbox time.
#[derive(Clone, Copy, Debug)]
pub struct Seconds {
    /// From "Resource creation Initiated" to the first look.
    pub create: i64,
    /// The same for a change in place.
    pub update: i64,
    /// From DELETE_IN_PROGRESS to the first look.
    pub delete: i64,
}

/// What a change of properties means for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Changed in place.
    False,
    /// Made anew.
    True,
    /// It depends on values that are not known yet.
    Conditional,
}

/// The type of that name.
pub fn find(name: &str) -> Option<&'static ResourceType> {
    TYPES.iter().find(|it| it.name == name)
}

impl ResourceType {
    /// Checks property names, then required ones; the reason is AWS's text for a resource that fails.
    pub fn check(&self, properties: &Map<String, Value>) -> Result<(), String> {
        if let Some(unknown) = properties.keys().find(|name| !self.has(name)) {
            return Err(format!("Encountered unsupported property {unknown}"));
        }
        match self.required.iter().find(|name| !properties.contains_key(**name)) {
            Some(missing) => Err(format!("Property {missing} cannot be empty.")),
            None => Ok(()),
        }
    }

    /// Whether the type has this property.
    pub fn has(&self, property: &str) -> bool {
        self.mutable.contains(&property) || self.replaces.contains(&property)
    }

    /// Whether `Fn::GetAtt` may name this attribute.
    pub fn gives(&self, attribute: &str) -> bool {
        self.attributes.contains(&attribute) || (self.name == STACK && attribute.starts_with("Outputs."))
    }

    /// Whether a change of this property makes the resource anew.
    pub fn replaces(&self, property: &str) -> bool {
        self.replaces.contains(&property)
    }
}

/// The type of nested stacks.
pub const STACK: &str = "AWS::CloudFormation::Stack";

const fn seconds(create: i64, update: i64, delete: i64) -> Seconds {
    Seconds { create, update, delete }
}

/// Every resource type that the sandbox knows.
pub const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::EC2::VPC",
        required: &[],
        mutable: &["EnableDnsHostnames", "EnableDnsSupport", "Tags"],
        replaces: &["CidrBlock", "InstanceTenancy"],
        attributes: &["VpcId", "CidrBlock", "CidrBlockAssociations", "DefaultSecurityGroup"],
        name_property: None,
        seconds: seconds(12, 5, 2),
    },
    ResourceType {
        name: "AWS::EC2::VPCCidrBlock",
        required: &["VpcId"],
        mutable: &[],
        replaces: &["VpcId", "CidrBlock"],
        attributes: &["Id"],
        name_property: None,
        seconds: seconds(12, 5, 12),
    },
    ResourceType {
        name: "AWS::EC2::Subnet",
        required: &["VpcId"],
        mutable: &["MapPublicIpOnLaunch", "Tags"],
        replaces: &["VpcId", "CidrBlock", "AvailabilityZone", "AvailabilityZoneId"],
        attributes: &["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "SubnetId", "VpcId"],
        name_property: None,
        seconds: seconds(5, 4, 2),
    },
    ResourceType {
        name: "AWS::EC2::InternetGateway",
        required: &[],
        mutable: &["Tags"],
        replaces: &[],
        attributes: &["InternetGatewayId"],
        name_property: None,
        seconds: seconds(16, 3, 2),
    },
    ResourceType {
        name: "AWS::EC2::VPCGatewayAttachment",
        required: &["VpcId"],
        mutable: &["InternetGatewayId"],
        replaces: &["VpcId"],
        attributes: &["AttachmentType"],
        name_property: None,
        seconds: seconds(8, 5, 12),
    },
    ResourceType {
        name: "AWS::EC2::EIP",
        required: &[],
        mutable: &["Tags"],
        replaces: &["Domain"],
        attributes: &["AllocationId", "PublicIp"],
        name_property: None,
        seconds: seconds(16, 4, 3),
    },
    ResourceType {
        name: "AWS::EC2::NatGateway",
        required: &["SubnetId"],
        mutable: &["Tags"],
        replaces: &["AllocationId", "ConnectivityType", "SubnetId"],
        attributes: &["NatGatewayId", "EniId"],
        name_property: None,
        seconds: seconds(95, 4, 40),
    },
    ResourceType {
        name: "AWS::EC2::RouteTable",
        required: &["VpcId"],
        mutable: &["Tags"],
        replaces: &["VpcId"],
        attributes: &["RouteTableId"],
        name_property: None,
        seconds: seconds(12, 3, 2),
    },
    ResourceType {
        name: "AWS::EC2::Route",
        required: &["RouteTableId"],
        mutable: &["GatewayId", "NatGatewayId"],
        replaces: &["RouteTableId", "DestinationCidrBlock"],
        attributes: &["CidrBlock"],
        name_property: None,
        seconds: seconds(3, 3, 2),
    },
    ResourceType {
        name: "AWS::EC2::SubnetRouteTableAssociation",
        required: &["RouteTableId", "SubnetId"],
        mutable: &["RouteTableId"],
        replaces: &["SubnetId"],
        attributes: &["Id"],
        name_property: None,
        seconds: seconds(4, 3, 2),
    },
    ResourceType {
        name: "AWS::EC2::SecurityGroup",
        required: &["GroupDescription"],
        mutable: &["SecurityGroupIngress", "SecurityGroupEgress", "Tags"],
        replaces: &["GroupDescription", "GroupName", "VpcId"],
        attributes: &["GroupId", "Id", "VpcId"],
        name_property: Some("GroupName"),
        seconds: seconds(6, 3, 3),
    },
    ResourceType {
        name: "AWS::EC2::SecurityGroupIngress",
        required: &["IpProtocol"],
        mutable: &["Description"],
        replaces: &[
            "CidrIp",
            "CidrIpv6",
            "FromPort",
            "GroupId",
            "GroupName",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupName",
            "SourceSecurityGroupOwnerId",
            "ToPort",
        ],
        attributes: &["Id"],
        name_property: None,
        seconds: seconds(2, 2, 2),
    },
    ResourceType {
        name: "AWS::EC2::SecurityGroupEgress",
        required: &["GroupId", "IpProtocol"],
        mutable: &["Description"],
        replaces: &[
            "CidrIp",
            "CidrIpv6",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        ],
        attributes: &["Id"],
        name_property: None,
        seconds: seconds(2, 2, 2),
    },
    ResourceType {
        name: "AWS::EC2::VPCEndpoint",
        required: &["ServiceName", "VpcId"],
        mutable: &["PolicyDocument", "PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "SubnetIds", "Tags"],
        replaces: &["ServiceName", "VpcEndpointType", "VpcId"],
        attributes: &["Id", "CreationTimestamp", "DnsEntries", "NetworkInterfaceIds"],
        name_property: None,
        seconds: seconds(12, 5, 5),
    },
    ResourceType {
        name: "AWS::IAM::Role",
        required: &["AssumeRolePolicyDocument"],
        mutable: &[
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "PermissionsBoundary",
            "Policies",
            "Tags",
        ],
        replaces: &["Path", "RoleName"],
        attributes: &["Arn", "RoleId"],
        name_property: Some("RoleName"),
        seconds: seconds(18, 12, 2),
    },
    ResourceType {
        name: "AWS::IAM::ManagedPolicy",
        required: &["PolicyDocument"],
        mutable: &["PolicyDocument", "Roles"],
        replaces: &["Description", "ManagedPolicyName", "Path"],
        attributes: &["PolicyArn", "PolicyId", "DefaultVersionId", "IsAttachable"],
        name_property: Some("ManagedPolicyName"),
        seconds: seconds(16, 10, 2),
    },
    ResourceType {
        name: "AWS::IAM::Policy",
        required: &["PolicyDocument", "PolicyName"],
        mutable: &["PolicyDocument", "Roles"],
        replaces: &["PolicyName"],
        attributes: &[],
        name_property: Some("PolicyName"),
        seconds: seconds(16, 10, 2),
    },
    ResourceType {
        name: "AWS::EKS::Cluster",
        required: &["ResourcesVpcConfig", "RoleArn"],
        mutable: &[
            "Logging",
            "ResourcesVpcConfig",
            "Tags",
            "UpgradePolicy",
            "Version",
            "ZonalShiftConfig",
            "DeletionProtection",
            "AccessConfig",
        ],
        replaces: &["BootstrapSelfManagedAddons", "EncryptionConfig", "KubernetesNetworkConfig", "Name", "RoleArn"],
        attributes: &[
            "Arn",
            "CertificateAuthorityData",
            "ClusterSecurityGroupId",
            "EncryptionConfigKeyArn",
            "Endpoint",
            "Id",
            "OpenIdConnectIssuerUrl",
        ],
        name_property: Some("Name"),
        seconds: seconds(545, 120, 120),
    },
    ResourceType {
        name: "AWS::EKS::Addon",
        required: &["AddonName", "ClusterName"],
        mutable: &[
            "AddonVersion",
            "ConfigurationValues",
            "PodIdentityAssociations",
            "PreserveOnDelete",
            "ResolveConflicts",
            "ServiceAccountRoleArn",
            "Tags",
        ],
        replaces: &["AddonName", "ClusterName"],
        attributes: &["Arn"],
        name_property: None,
        seconds: seconds(35, 35, 15),
    },
    ResourceType {
        name: "AWS::EKS::AccessEntry",
        required: &["ClusterName", "PrincipalArn"],
        mutable: &["AccessPolicies", "KubernetesGroups", "Tags", "Username"],
        replaces: &["ClusterName", "PrincipalArn", "Type"],
        attributes: &["AccessEntryArn"],
        name_property: None,
        seconds: seconds(4, 4, 2),
    },
    ResourceType {
        name: "AWS::EKS::PodIdentityAssociation",
        required: &["ClusterName", "Namespace", "RoleArn", "ServiceAccount"],
        mutable: &["RoleArn", "Tags"],
        replaces: &["ClusterName", "Namespace", "ServiceAccount"],
        attributes: &["AssociationArn", "AssociationId"],
        name_property: None,
        seconds: seconds(4, 4, 2),
    },
    ResourceType {
        name: "AWS::S3::Bucket",
        required: &[],
        mutable: &[
            "BucketEncryption",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        ],
        replaces: &["BucketName"],
        attributes: &["Arn", "DomainName", "DualStackDomainName", "RegionalDomainName", "WebsiteURL"],
        name_property: Some("BucketName"),
        seconds: seconds(22, 15, 2),
    },
    ResourceType {
        name: "AWS::S3::BucketPolicy",
        required: &["Bucket", "PolicyDocument"],
        mutable: &["PolicyDocument"],
        replaces: &["Bucket"],
        attributes: &[],
        name_property: None,
        seconds: seconds(2, 2, 1),
    },
    ResourceType {
        name: "AWS::Logs::LogGroup",
        required: &[],
        mutable: &["RetentionInDays", "Tags"],
        replaces: &["LogGroupName"],
        attributes: &["Arn"],
        name_property: Some("LogGroupName"),
        seconds: seconds(4, 3, 1),
    },
    ResourceType {
        name: STACK,
        required: &["TemplateURL"],
        mutable: &["NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"],
        replaces: &[],
        attributes: &[],
        name_property: None,
        seconds: seconds(1, 1, 1),
    },
    ResourceType {
        name: "AWS::CloudFormation::WaitConditionHandle",
        required: &[],
        mutable: &[],
        replaces: &[],
        attributes: &["Id"],
        name_property: None,
        seconds: seconds(1, 1, 1),
    },
];
