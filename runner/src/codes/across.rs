//! Mistakes between steps: what one brings and another looks for.
//! Knows nothing of how a step does its work.

use hprun_steps::finding::Code;

/// A lifecycle script is looked for where no step puts it.
pub static SCRIPT_NOT_UPLOADED: Code = Code {
    number: 901,
    title: "a lifecycle script is looked for where no step puts it",
    cause: r#"`SourceS3Uri` and `OnCreate` together name one object. The nodes look for it there when they start, after the cluster has been made for minutes; without it the cluster fails: "Lifecycle scripts did not run successfully"."#,
    example: r#""LifeCycleConfig": { "SourceS3Uri": "s3://my-bucket", "OnCreate": "on_create.sh" }

- id: scripts
  type: upload-lifecycle
  with: { bucket: my-bucket, prefix: LifecycleScripts/base-config, from: lifecycle }"#,
    cure: "Let `SourceS3Uri` be the output `s3_uri` of the upload step.",
};

/// The scripts lie in another bucket than the one that is looked in.
pub static OTHER_BUCKET: Code = Code {
    number: 902,
    title: "the scripts lie in another bucket than the one that is looked in",
    cause: "The upload step writes to one bucket, the configuration names another that no step of this pipeline writes to.",
    example: r#""SourceS3Uri": "s3://other-bucket/scripts""#,
    cure: "Use the output `s3_uri` of the upload step, or make sure that the other bucket holds the scripts.",
};

/// A stack does not have an output that a step looks for.
pub static OUTPUT_NOT_IN_STACK: Code = Code {
    number: 903,
    title: "a stack does not have an output that a step looks for",
    cause: "The stack is made by a step of this pipeline, and its template (with these parameters) has no such output: fetch-outputs would fail after the stack was made.",
    example: r#"- id: infra
  type: fetch-outputs
  with: { stack: "{{ steps.stack.outputs.name }}" }    # a template with other output keys"#,
    cure: "Name the keys under `map:`, give the values under `values:`, or list under `require:` what is needed.",
};

/// An ARN or zone is of another region.
pub static OTHER_REGION: Code = Code {
    number: 904,
    title: "an ARN or zone is of another region",
    cause: "Nodes, subnets, EKS cluster and bucket of one cluster are in one region: the one of `aws:`.",
    example: r"aws: { region: us-east-1 }
…
AvailabilityZoneId: usw2-az2",
    cure: "Take both from the same region.",
};

/// An ARN is of another account.
pub static OTHER_ACCOUNT: Code = Code {
    number: 905,
    title: "an ARN is of another account",
    cause: "The pipeline says which account it is for, or two ARNs disagree. SageMaker takes roles and EKS clusters of its own account only.",
    example: r#"aws: { account: "111122223333" }
…
ClusterArn: arn:aws:eks:us-west-2:444455556666:cluster/ml"#,
    cure: "Use a resource of the account.",
};

/// An ARN is of another partition.
pub static OTHER_PARTITION: Code = Code {
    number: 906,
    title: "an ARN is of another partition",
    cause: "China and GovCloud have partitions of their own (aws-cn, aws-us-gov): nothing of one works in another.",
    example: "arn:aws:iam::111122223333:role/x     # in cn-north-1",
    cure: "Write the partition of the region.",
};

/// A step uses another kubeconfig than the one that was written.
pub static OTHER_KUBECONFIG: Code = Code {
    number: 907,
    title: "a step uses another kubeconfig than the one that was written",
    cause: "A step writes a kubeconfig for the cluster of this run; another step reads one that no step writes: helm would install into whatever cluster that file names.",
    example: r"- id: kubeconfig
  type: update-kubeconfig
- id: charts
  type: helm-install
  with: { kubeconfig: ~/.kube/config }",
    cure: "Use the output `path` of the step that writes it.",
};

/// A file is read that a later step writes.
pub static FILE_NOT_YET_WRITTEN: Code = Code {
    number: 908,
    title: "a file is read that a later step writes",
    cause: "The step that writes the file does not surely run before the one that reads it.",
    example: r"- id: cluster
  needs: []
  with: { config: rendered/cluster.json }",
    cure: "Add the step that writes it to `needs`, or use its output `path`.",
};

/// Two steps write the same file.
pub static WRITTEN_TWICE: Code = Code {
    number: 909,
    title: "two steps write the same file",
    cause: "The later one takes the place of the earlier; which is later is not settled.",
    example: r"- id: a
  with: { to: out.json }
- id: b
  with: { to: out.json }",
    cure: "Give one of them another path.",
};

/// The role may not be able to read the bucket.
pub static ROLE_AND_BUCKET: Code = Code {
    number: 910,
    title: "the role may not be able to read the bucket",
    cause: "AWS's managed policy for nodes (AmazonSageMakerClusterInstanceRolePolicy) covers only buckets whose names begin with `sagemaker-`. Another bucket needs a permission of its own in the role.",
    example: "bucket: my-scripts",
    cure: "Name the bucket `sagemaker-…`, or see to it that the role may read it.",
};

/// Subnets and security groups come from different networks.
pub static MIXED_MODES: Code = Code {
    number: 911,
    title: "subnets and security groups come from different networks",
    cause: "A security group belongs to one VPC; nodes in a subnet of another cannot use it. Nothing is said of steps that are given outputs of one another or of a third, as a stack of security groups is given the VPC.",
    example: r#"security_group_ids: ["{{ steps.a.outputs.security_group_id }}"]
subnet_ids: "{{ steps.b.outputs.private_subnet_ids }}""#,
    cure: "Take both from the same step.",
};

/// A lifecycle script may be uploaded after the cluster that needs it.
pub static SCRIPT_NOT_YET_UPLOADED: Code = Code {
    number: 912,
    title: "a lifecycle script may be uploaded after the cluster that needs it",
    cause: "The upload step puts the script where the configuration looks for it, but the step that makes the cluster does not wait for the upload: the two run beside each other, or the other way round. A node that starts and finds no script fails, and the cluster with it.",
    example: r#"- id: cluster
  type: create-cluster
  needs: [infra]    # and `scripts`, which uploads on_create.sh"#,
    cure: "Add the upload step to the `needs` of the step that makes the cluster, or let `SourceS3Uri` be its output `s3_uri`.",
};

/// A file with a secret is uploaded.
pub static SECRET_PUBLISHED: Code = Code {
    number: 913,
    title: "a file with a secret is uploaded",
    cause: "A step writes a secret into the folder that another uploads: whoever may read the bucket could read it, and the digest of the file would be recorded.",
    example: r#"- { id: env, type: render-config, with: { template: env.hbs, values: { token: "{{ params.token }}" }, to: lifecycle/env } }
- { id: scripts, type: upload-lifecycle, with: { from: lifecycle, bucket: sagemaker-scripts } }"#,
    cure: "Write the file elsewhere, and let the node read the secret from Secrets Manager or the Parameter Store with its own role.",
};

/// Two steps make things of one name.
pub static CREATED_TWICE: Code = Code {
    number: 914,
    title: "two steps make things of one name",
    cause: "A stack or a cluster belongs to the step that made it: the second step finds one that it did not make, and refuses it.",
    example: r#"- { id: net, type: deploy-stack, with: { name: ml, template: net.yaml } }
- { id: eks, type: deploy-stack, with: { name: ml, template: eks.yaml } }"#,
    cure: "Give each a name of its own. If the second is to update what the first made, write `adopt: true` there.",
};

/// A request is not checked before the run.
pub static UNCHECKED_REQUEST: Code = Code {
    number: 915,
    title: "a request is not checked before the run",
    cause: "A rendered file becomes a CreateCluster request, and the step that renders it does not say so: fields, types and limits would be looked at when everything else is made.",
    example: r#"- { id: config, type: render-config, with: { template: cluster.json.hbs } }
- { id: cluster, type: create-cluster, with: { config: "{{ steps.config.outputs.path }}" } }"#,
    cure: "Write `schema: create-cluster` in the step that renders it.",
};

/// All of them, in order of number.
pub static ALL: &[&Code] = &[
    &SCRIPT_NOT_UPLOADED,
    &OTHER_BUCKET,
    &OUTPUT_NOT_IN_STACK,
    &OTHER_REGION,
    &OTHER_ACCOUNT,
    &OTHER_PARTITION,
    &OTHER_KUBECONFIG,
    &FILE_NOT_YET_WRITTEN,
    &WRITTEN_TWICE,
    &ROLE_AND_BUCKET,
    &MIXED_MODES,
    &SCRIPT_NOT_YET_UPLOADED,
    &SECRET_PUBLISHED,
    &CREATED_TWICE,
    &UNCHECKED_REQUEST,
];
