//! Every field of a CreateCluster request as data: names, types, limits (AWS API models, botocore 1.43.62, 2026-08).
//! Knows nothing of how a config is read or of the rules between fields: those are in `rules`.

use std::sync::LazyLock;

use regex::Regex;

/// The type and limits of a value.
pub enum Shape {
    /// Text of `min` to `max` characters that a pattern matches whole.
    Text {
        /// Fewest characters.
        min: usize,
        /// Most characters.
        max: usize,
        /// A pattern, and in words what it asks for.
        pattern: Option<(&'static LazyLock<Regex>, &'static str)>,
    },
    /// One of some words.
    Choice(&'static [&'static str]),
    /// The name of an instance type.
    InstanceType,
    /// A whole number.
    Whole {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// `true` or `false`.
    Flag,
    /// A point in time: RFC 3339 text, or seconds since 1970.
    Moment,
    /// A sequence of `min` to `max` values.
    List {
        /// Fewest items.
        min: usize,
        /// Most items.
        max: usize,
        /// Each of them.
        of: &'static Shape,
    },
    /// A mapping of free keys.
    Map {
        /// Most entries.
        max: usize,
        /// Each key.
        key: &'static Shape,
        /// Each value.
        value: &'static Shape,
    },
    /// A mapping of known fields.
    Record(&'static [Field]),
    /// A mapping in which exactly one of the fields stands.
    OneOf(&'static [Field]),
}

/// One field of a record.
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether the API refuses a request without it.
    pub required: bool,
    /// What it holds.
    pub shape: &'static Shape,
}

const fn must(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, required: true, shape }
}

const fn may(name: &'static str, shape: &'static Shape) -> Field {
    Field { name, required: false, shape }
}

const fn text(min: usize, max: usize) -> Shape {
    Shape::Text { min, max, pattern: None }
}

const fn like(min: usize, max: usize, pattern: &'static LazyLock<Regex>, words: &'static str) -> Shape {
    Shape::Text { min, max, pattern: Some((pattern, words)) }
}

macro_rules! patterns {
    ($($name:ident = $pattern:literal;)*) => {
        $(static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(concat!("^(?:", $pattern, ")$")).expect("the pattern is well formed"));)*
    };
}

patterns! {
    NAME_P = r"[a-zA-Z0-9](?:-*[a-zA-Z0-9])*";
    S3_P = r"(?s)(?:https|s3)://([^/]+)/?(.*)";
    ROLE_P = r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
    EKS_P = r"arn:aws[a-z\-]*:eks:[a-z0-9\-]*:[0-9]{12}:cluster/[0-9A-Za-z][A-Za-z0-9\-_]{0,99}";
    KMS_P = r"[a-zA-Z0-9:/_-]*";
    FSX_DNS_P = r"(?:fs|fc)i?-[0-9a-f]{8,}\..{4,253}";
    MOUNT_P = r"[A-Za-z0-9_-]{1,8}";
    MOUNT_PATH_P = r"/[a-zA-Z0-9._/-]+";
    PLAN_P = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*";
    ID_P = r"[-0-9a-zA-Z]+";
    NOT_BLANK_P = r"\s*\S.*";
    IMAGE_P = r"ami-[0-9a-fA-F]{8,17}|default";
    RELEASE_P = r"[0-9]+\.[0-9]+\.[0-9]+";
    LABEL_KEY_P = r"(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?";
    LABEL_VALUE_P = r"(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
    TAG_P = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";
}

static NAME: Shape = like(1, 63, &NAME_P, "letters, digits and inner hyphens");
static COUNT: Shape = Shape::Whole { min: 0, max: 6758 };
static ROLE: Shape = like(20, 2048, &ROLE_P, "the ARN of an IAM role, such as arn:aws:iam::111122223333:role/name");
static THREADS: Shape = Shape::Whole { min: 1, max: 2 };
static KMS: Shape = like(0, 2048, &KMS_P, "a KMS key id or ARN");
static FSX_DNS: Shape = like(16, 275, &FSX_DNS_P, "the DNS name of an FSx file system");
static MOUNT_PATH: Shape = like(1, 1024, &MOUNT_PATH_P, "an absolute path");
static MODE: Shape = Shape::Choice(&["Enable", "Disable"]);
static TYPE: Shape = Shape::InstanceType;
static FLAG: Shape = Shape::Flag;

static LIFE_CYCLE: Shape = Shape::Record(&[
    may("SourceS3Uri", &like_s3()),
    may("OnCreate", &text(1, 128)),
    may("OnInitComplete", &text(1, 128)),
]);

const fn like_s3() -> Shape {
    like(0, 1024, &S3_P, "an address such as s3://bucket/prefix")
}

static EBS: Shape = Shape::Record(&[
    may("VolumeSizeInGB", &Shape::Whole { min: 1, max: 16384 }),
    may("VolumeKmsKeyId", &KMS),
    may("RootVolume", &FLAG),
]);

static STORAGE: Shape = Shape::List {
    min: 0,
    max: 4,
    of: &Shape::OneOf(&[
        may("EbsVolumeConfig", &EBS),
        may(
            "FsxLustreConfig",
            &Shape::Record(&[
                must("DnsName", &FSX_DNS),
                must("MountName", &like(1, 8, &MOUNT_P, "letters, digits, `_` and `-`")),
                may("MountPath", &MOUNT_PATH),
            ]),
        ),
        may("FsxOpenZfsConfig", &Shape::Record(&[must("DnsName", &FSX_DNS), may("MountPath", &MOUNT_PATH)])),
    ]),
};

static HEALTH_CHECKS: Shape =
    Shape::List { min: 1, max: 2, of: &Shape::Choice(&["InstanceStress", "InstanceConnectivity"]) };
static PLAN: Shape = like(50, 2048, &PLAN_P, "the ARN of a training plan");

static VPC: Shape = Shape::Record(&[
    must("SecurityGroupIds", &Shape::List { min: 1, max: 5, of: &like(1, 32, &ID_P, "an id such as sg-0123abcd") }),
    must("Subnets", &Shape::List { min: 1, max: 16, of: &like(1, 32, &ID_P, "an id such as subnet-0123abcd") }),
]);

static BATCH: Shape = Shape::Record(&[
    must("Type", &Shape::Choice(&["INSTANCE_COUNT", "CAPACITY_PERCENTAGE"])),
    must("Value", &Shape::Whole { min: 1, max: i32::MAX as i64 }),
]);

static DEPLOYMENT: Shape = Shape::Record(&[
    may(
        "RollingUpdatePolicy",
        &Shape::Record(&[must("MaximumBatchSize", &BATCH), may("RollbackMaximumBatchSize", &BATCH)]),
    ),
    may("WaitIntervalInSeconds", &Shape::Whole { min: 0, max: 3600 }),
    may(
        "AutoRollbackConfiguration",
        &Shape::List {
            min: 1,
            max: 10,
            of: &Shape::Record(&[must("AlarmName", &like(1, 255, &NOT_BLANK_P, "the name of an alarm"))]),
        },
    ),
]);

static SCHEDULED_UPDATE: Shape =
    Shape::Record(&[must("ScheduleExpression", &text(1, 256)), may("DeploymentConfig", &DEPLOYMENT)]);

static AUTO_PATCH: Shape = Shape::Record(&[
    must("PatchingStrategy", &Shape::Choice(&["WhenIdle", "WhenAllIdle"])),
    may("PatchSchedule", &Shape::Record(&[may("NextPatchDate", &Shape::Moment)])),
    may("DeploymentConfig", &DEPLOYMENT),
]);

static LABEL_KEY: Shape = like(1, 317, &LABEL_KEY_P, "a Kubernetes label key");
static LABEL_VALUE: Shape = like(1, 63, &LABEL_VALUE_P, "a Kubernetes label value");

static KUBERNETES: Shape = Shape::Record(&[
    may("Labels", &Shape::Map { max: 50, key: &LABEL_KEY, value: &LABEL_VALUE }),
    may(
        "Taints",
        &Shape::List {
            min: 0,
            max: 50,
            of: &Shape::Record(&[
                must("Key", &LABEL_KEY),
                may("Value", &LABEL_VALUE),
                must("Effect", &Shape::Choice(&["NoSchedule", "PreferNoSchedule", "NoExecute"])),
            ]),
        },
    ),
]);

static SLURM: Shape = Shape::Record(&[
    must("NodeType", &Shape::Choice(&["Controller", "Login", "Compute"])),
    may(
        "PartitionNames",
        &Shape::List { min: 0, max: 1, of: &like(0, 1024, &NAME_P, "letters, digits and inner hyphens") },
    ),
]);

static EMPTY: Shape = Shape::Record(&[]);

/// The fields of one of the `InstanceGroups`.
pub static GROUP: Shape = Shape::Record(&[
    must("InstanceGroupName", &NAME),
    must("InstanceCount", &COUNT),
    may("MinInstanceCount", &COUNT),
    may("InstanceType", &TYPE),
    may("InstanceRequirements", &Shape::Record(&[must("InstanceTypes", &Shape::List { min: 1, max: 20, of: &TYPE })])),
    may("LifeCycleConfig", &LIFE_CYCLE),
    must("ExecutionRole", &ROLE),
    may("ThreadsPerCore", &THREADS),
    may("InstanceStorageConfigs", &STORAGE),
    may("OnStartDeepHealthChecks", &HEALTH_CHECKS),
    may("TrainingPlanArn", &PLAN),
    may("OverrideVpcConfig", &VPC),
    may("ScheduledUpdateConfig", &SCHEDULED_UPDATE),
    may("ImageId", &like(7, 21, &IMAGE_P, "`default` or an id such as ami-0123abcd")),
    may("AutoPatchConfig", &AUTO_PATCH),
    may("ImageReleaseVersion", &like(0, 64, &RELEASE_P, "a version such as 1.2.3")),
    may("KubernetesConfig", &KUBERNETES),
    may("SlurmConfig", &SLURM),
    may("CapacityRequirements", &Shape::OneOf(&[may("Spot", &EMPTY), may("OnDemand", &EMPTY)])),
    may("NetworkInterface", &Shape::Record(&[may("InterfaceType", &Shape::Choice(&["efa", "efa-only"]))])),
]);

static LUSTRE: Shape = Shape::Record(&[
    must("SizeInGiB", &Shape::Whole { min: 1200, max: 100_800 }),
    must("PerUnitStorageThroughput", &Shape::Whole { min: 125, max: 1000 }),
]);

static RESTRICTED_GROUP: Shape = Shape::Record(&[
    must("InstanceGroupName", &NAME),
    must("InstanceCount", &COUNT),
    must("InstanceType", &TYPE),
    must("ExecutionRole", &ROLE),
    may("ThreadsPerCore", &THREADS),
    may("InstanceStorageConfigs", &STORAGE),
    may("OnStartDeepHealthChecks", &HEALTH_CHECKS),
    may("TrainingPlanArn", &PLAN),
    may("OverrideVpcConfig", &VPC),
    may("ScheduledUpdateConfig", &SCHEDULED_UPDATE),
    may("EnvironmentConfig", &Shape::Record(&[may("FSxLustreConfig", &LUSTRE)])),
]);

/// A CreateCluster request.
pub static CLUSTER: Shape = Shape::Record(&[
    must("ClusterName", &NAME),
    may("InstanceGroups", &Shape::List { min: 1, max: 100, of: &GROUP }),
    may("RestrictedInstanceGroups", &Shape::List { min: 1, max: 100, of: &RESTRICTED_GROUP }),
    may(
        "RestrictedInstanceGroupsConfig",
        &Shape::Record(&[must(
            "SharedEnvironmentConfig",
            &Shape::Record(&[
                must("FSxLustreDeletionPolicy", &Shape::Choice(&["DeleteIfNotUsed", "Keep"])),
                must("FSxLustreConfig", &LUSTRE),
            ]),
        )]),
    ),
    may("VpcConfig", &VPC),
    may(
        "Tags",
        &Shape::List {
            min: 0,
            max: 50,
            of: &Shape::Record(&[
                must("Key", &like(1, 128, &TAG_P, "letters, digits, spaces and _.:/=+-@")),
                must("Value", &like(0, 256, &TAG_P, "letters, digits, spaces and _.:/=+-@")),
            ]),
        },
    ),
    may(
        "Orchestrator",
        &Shape::OneOf(&[
            may("Eks", &Shape::Record(&[must("ClusterArn", &like(20, 2048, &EKS_P, "the ARN of an EKS cluster"))])),
            may(
                "Slurm",
                &Shape::Record(&[may("SlurmConfigStrategy", &Shape::Choice(&["Overwrite", "Managed", "Merge"]))]),
            ),
        ]),
    ),
    may("NodeRecovery", &Shape::Choice(&["Automatic", "None"])),
    may(
        "TieredStorageConfig",
        &Shape::Record(&[
            must("Mode", &MODE),
            may("InstanceMemoryAllocationPercentage", &Shape::Whole { min: 0, max: 100 }),
        ]),
    ),
    may("NodeProvisioningMode", &Shape::Choice(&["Continuous"])),
    may("ClusterRole", &ROLE),
    may("AutoScaling", &Shape::Record(&[must("Mode", &MODE), may("AutoScalerType", &Shape::Choice(&["Karpenter"]))])),
]);

/// The names of all instance types that HyperPod knows.
pub static INSTANCE_TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    include_str!("instance-types.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});
