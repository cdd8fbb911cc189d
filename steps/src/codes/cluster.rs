//! Mistakes in a CreateCluster request.
//! Knows nothing of where the request stands.

use crate::finding::Code;

/// CreateCluster has no such field.
pub static UNKNOWN_FIELD: Code = Code {
    number: 701,
    title: "CreateCluster has no such field",
    cause: "SageMaker refuses a request with a field that it does not know.",
    example: r#""OnStartDeepHealthCheck": ["InstanceStress"]"#,
    cure: "Write the field that the message suggests.",
};

/// A field of CreateCluster is missing.
pub static MISSING_FIELD: Code = Code {
    number: 702,
    title: "a field of CreateCluster is missing",
    cause: "The API, or a cluster on EKS, needs it.",
    example: r#"{ "InstanceGroupName": "workers", "InstanceType": "ml.m5.2xlarge" }"#,
    cure: "Add it.",
};

/// A field is of the wrong kind.
pub static WRONG_KIND: Code = Code {
    number: 703,
    title: "a field is of the wrong kind",
    cause: "The API takes another kind of value.",
    example: r#""InstanceCount": "2""#,
    cure: "Write the kind that the message names.",
};

/// A field has none of its values.
pub static WRONG_CHOICE: Code = Code {
    number: 704,
    title: "a field has none of its values",
    cause: "The API takes only certain words, and upper and lower case matter.",
    example: r#""NodeRecovery": "AUTOMATIC""#,
    cure: "Write one that the message names.",
};

/// There is no such instance type for HyperPod.
pub static UNKNOWN_INSTANCE_TYPE: Code = Code {
    number: 705,
    title: "there is no such instance type for HyperPod",
    cause: "CreateCluster takes the types of a list, each beginning with `ml.`.",
    example: r#""InstanceType": "ml.g5.12xlage""#,
    cure: "Write the type that the message suggests.",
};

/// A number or a length is out of range.
pub static OUT_OF_RANGE: Code = Code {
    number: 706,
    title: "a number or a length is out of range",
    cause: "The API has limits for it.",
    example: r#""VolumeSizeInGB": 20000"#,
    cure: "Write a value within the limits.",
};

/// A text has the wrong form.
pub static WRONG_FORM: Code = Code {
    number: 707,
    title: "a text has the wrong form",
    cause: "The API wants an ARN, an id, a name or an address of a certain form.",
    example: r#""ExecutionRole": "my-role""#,
    cure: "Write it in the form that the message names.",
};

/// Fields that exclude each other are both given.
pub static EXCLUSIVE: Code = Code {
    number: 708,
    title: "fields that exclude each other are both given",
    cause: "Exactly one of them is allowed.",
    example: r#""OnCreate": "a.sh", "OnInitComplete": "b.sh""#,
    cure: "Keep one.",
};

/// A name, a tag or a check is given twice.
pub static GIVEN_TWICE: Code = Code {
    number: 709,
    title: "a name, a tag or a check is given twice",
    cause: "Names of groups and keys of tags are unique.",
    example: r#"two groups named "workers""#,
    cure: "Rename one of them.",
};

/// A field is not for a cluster on EKS.
pub static NOT_ON_EKS: Code = Code {
    number: 710,
    title: "a field is not for a cluster on EKS",
    cause: "It belongs to clusters with Slurm.",
    example: r#""SlurmConfig": { "NodeType": "Compute" }"#,
    cure: "Leave it out.",
};

/// A field needs another beside it.
pub static NEEDS_ANOTHER: Code = Code {
    number: 711,
    title: "a field needs another beside it",
    cause: "The service refuses the one without the other.",
    example: r#""AutoScaling": { "Mode": "Enable" }      (without ClusterRole)"#,
    cure: "Add the field that the message names.",
};

/// A tag is reserved.
pub static RESERVED_TAG: Code = Code {
    number: 712,
    title: "a tag is reserved",
    cause: "Tags that begin with `aws:` are AWS's, those with `hprun:` hprun's.",
    example: r#"{ "Key": "aws:owner", "Value": "me" }"#,
    cure: "Use another key.",
};

/// Deep health checks are asked for on a type that has no accelerator.
pub static DEEP_CHECKS_ON_CPU: Code = Code {
    number: 713,
    title: "deep health checks are asked for on a type that has no accelerator",
    cause: "They test accelerators and the network between them; SageMaker refuses them for other types.",
    example: r#""InstanceType": "ml.m5.2xlarge", "OnStartDeepHealthChecks": ["InstanceStress"]"#,
    cure: "Leave the field out for this group.",
};

/// The node will show half of its vCPUs.
pub static ONE_THREAD: Code = Code {
    number: 714,
    title: "the node will show half of its vCPUs",
    cause: "With `ThreadsPerCore` 1, or without the field, Kubernetes sees one thread a core: a p5.48xlarge has 96 vCPUs instead of 192.",
    example: r#""InstanceType": "ml.p5.48xlarge"      (no ThreadsPerCore)"#,
    cure: "Set it to 2, unless that is meant.",
};

/// The scripts are looked for at the root of a bucket.
pub static WHOLE_BUCKET: Code = Code {
    number: 715,
    title: "the scripts are looked for at the root of a bucket",
    cause: "`SourceS3Uri` names a bucket and no prefix, and `OnCreate` is looked for right in it. Scripts nearly always lie under a prefix.",
    example: r#""SourceS3Uri": "s3://my-scripts""#,
    cure: "Name the prefix too: the output `s3_uri` of upload-lifecycle is bucket and prefix.",
};

/// Counts do not go together.
pub static COUNTS: Code = Code {
    number: 716,
    title: "counts do not go together",
    cause: "`MinInstanceCount` is at most `InstanceCount`.",
    example: r#""InstanceCount": 2, "MinInstanceCount": 4"#,
    cure: "Lower the one or raise the other.",
};

/// The cluster has no orchestrator.
pub static NO_ORCHESTRATOR: Code = Code {
    number: 717,
    title: "the cluster has no orchestrator",
    cause: "Without the field SageMaker makes a cluster with Slurm.",
    example: r#"(no "Orchestrator")"#,
    cure: r#"Write { "Eks": { "ClusterArn": … } }."#,
};

/// A volume is described wrongly.
pub static VOLUME: Code = Code {
    number: 718,
    title: "a volume is described wrongly",
    cause: "A root volume takes a key and no size; any other takes a size.",
    example: r#"{ "EbsVolumeConfig": { "RootVolume": true, "VolumeSizeInGB": 500 } }"#,
    cure: "Give what the message names.",
};

/// The step has no request, or two.
pub static NEITHER_CONFIG_NOR_CLUSTER: Code = Code {
    number: 719,
    title: "the step has no request, or two",
    cause: "`config` names a file with the request, `cluster` holds it: exactly one of them. The step `preflight` needs neither, but takes no two.",
    example: r"type: create-cluster
with: {}",
    cure: "Give one of the two.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &UNKNOWN_FIELD,
    &MISSING_FIELD,
    &WRONG_KIND,
    &WRONG_CHOICE,
    &UNKNOWN_INSTANCE_TYPE,
    &OUT_OF_RANGE,
    &WRONG_FORM,
    &EXCLUSIVE,
    &GIVEN_TWICE,
    &NOT_ON_EKS,
    &NEEDS_ANOTHER,
    &RESERVED_TAG,
    &DEEP_CHECKS_ON_CPU,
    &ONE_THREAD,
    &WHOLE_BUCKET,
    &COUNTS,
    &NO_ORCHESTRATOR,
    &VOLUME,
    &NEITHER_CONFIG_NOR_CLUSTER,
];
