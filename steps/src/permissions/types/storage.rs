//! The resource types of S3, FSx and KMS, and parameters of Systems Manager.
//! Settings of a bucket need their action only where the template has them.

use super::{Elsewhere, TypeNeeds};

pub(super) const TYPES: &[TypeNeeds] = &[
    TypeNeeds {
        name: "AWS::S3::Bucket",
        acts: &[
            "s3:CreateBucket",
            "s3:DeleteBucket",
            "s3:ListBucket",
            "s3:PutBucketTagging",
            "s3:GetBucketTagging",
            "s3:TagResource",
            "s3:UntagResource",
            "s3:ListTagsForResource",
        ],
        acts_with: &[
            ("BucketEncryption", &["s3:PutEncryptionConfiguration", "s3:GetEncryptionConfiguration"]),
            ("OwnershipControls", &["s3:PutBucketOwnershipControls", "s3:GetBucketOwnershipControls"]),
            ("PublicAccessBlockConfiguration", &["s3:PutBucketPublicAccessBlock", "s3:GetBucketPublicAccessBlock"]),
            ("VersioningConfiguration", &["s3:PutBucketVersioning", "s3:GetBucketVersioning"]),
            ("LifecycleConfiguration", &["s3:PutLifecycleConfiguration", "s3:GetLifecycleConfiguration"]),
            ("LoggingConfiguration", &["s3:PutBucketLogging", "s3:GetBucketLogging"]),
            ("CorsConfiguration", &["s3:PutBucketCORS", "s3:GetBucketCORS"]),
            ("NotificationConfiguration", &["s3:PutBucketNotification", "s3:GetBucketNotification"]),
            ("AccelerateConfiguration", &["s3:PutAccelerateConfiguration", "s3:GetAccelerateConfiguration"]),
            ("WebsiteConfiguration", &["s3:PutBucketWebsite", "s3:GetBucketWebsite", "s3:DeleteBucketWebsite"]),
            ("ReplicationConfiguration", &["s3:PutReplicationConfiguration", "s3:GetReplicationConfiguration"]),
            ("InventoryConfigurations", &["s3:PutInventoryConfiguration", "s3:GetInventoryConfiguration"]),
            ("MetricsConfigurations", &["s3:PutMetricsConfiguration", "s3:GetMetricsConfiguration"]),
            ("AnalyticsConfigurations", &["s3:PutAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"]),
            (
                "IntelligentTieringConfigurations",
                &["s3:PutIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration"],
            ),
            ("ObjectLockEnabled", &["s3:PutBucketObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"]),
            ("AccessControl", &["s3:PutBucketAcl", "s3:GetBucketAcl"]),
        ],
        on: &["s3:{name:BucketName}"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::S3::BucketPolicy",
        acts: &["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
        on: &["s3:{Bucket}"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::FSx::FileSystem",
        acts: &[
            "fsx:CreateFileSystem",
            "fsx:UpdateFileSystem",
            "fsx:DeleteFileSystem",
            "fsx:TagResource",
            "fsx:UntagResource",
            "fsx:ListTagsForResource",
        ],
        on: &["fsx:file-system/*"],
        looks: &[
            "fsx:DescribeFileSystems",
            "ec2:DescribeSubnets",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeVpcs",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
        ],
        linked: &[("fsx.amazonaws.com", "AWSServiceRoleForAmazonFSx")],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::FSx::DataRepositoryAssociation",
        acts: &[
            "fsx:CreateDataRepositoryAssociation",
            "fsx:UpdateDataRepositoryAssociation",
            "fsx:DeleteDataRepositoryAssociation",
            "fsx:TagResource",
            "fsx:UntagResource",
        ],
        on: &["fsx:association/*"],
        elsewhere: &[Elsewhere {
            with: "FileSystemId",
            acts: &["fsx:CreateDataRepositoryAssociation"],
            on: &["fsx:file-system/{FileSystemId}"],
        }],
        looks: &["fsx:DescribeDataRepositoryAssociations"],
        linked: &[("s3.data-source.lustre.fsx.amazonaws.com", "AWSServiceRoleForFSxS3Access*")],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::KMS::Key",
        acts: &[
            "kms:DescribeKey",
            "kms:GetKeyPolicy",
            "kms:PutKeyPolicy",
            "kms:GetKeyRotationStatus",
            "kms:ListResourceTags",
            "kms:TagResource",
            "kms:UntagResource",
            "kms:ScheduleKeyDeletion",
        ],
        acts_with: &[
            ("EnableKeyRotation", &["kms:EnableKeyRotation", "kms:DisableKeyRotation"]),
            ("Enabled", &["kms:EnableKey", "kms:DisableKey"]),
            ("Description", &["kms:UpdateKeyDescription"]),
        ],
        on: &["kms:key/*"],
        looks: &["kms:CreateKey"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::KMS::Alias",
        acts: &["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"],
        on: &["kms:{AliasName}", "kms:{key:TargetKeyId}"],
        looks: &["kms:ListAliases"],
        ..TypeNeeds::NOTHING
    },
    TypeNeeds {
        name: "AWS::SSM::Parameter",
        acts: &[
            "ssm:PutParameter",
            "ssm:GetParameters",
            "ssm:DeleteParameter",
            "ssm:AddTagsToResource",
            "ssm:RemoveTagsFromResource",
            "ssm:ListTagsForResource",
        ],
        on: &["ssm:parameter/{name:Name}"],
        ..TypeNeeds::NOTHING
    },
];
