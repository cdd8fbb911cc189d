//! fetch-outputs against the sandbox's CloudFormation over HTTP.

mod support;

use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::error::ErrorClass;
use hprun_steps::fetch_outputs::FetchOutputs;
use hprun_steps::step::Health;
use serde_json::{Value as Json, json};
use support::{Bench, example};

const TEMPLATE: &str = r"
Resources:
  Logs: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: hyperpod-test } }
Outputs:
  VPC: { Value: vpc-1 }
  PrivateSubnet1: { Value: 'subnet-1,subnet-2' }
  NoIngressSecurityGroup: { Value: sg-1 }
  ClusterArn: { Value: 'arn:aws:eks:us-west-2:111122223333:cluster/c' }
  ClusterName: { Value: c }
  AmazonSagemakerClusterExecutionRoleArn: { Value: 'arn:aws:iam::111122223333:role/r' }
  AmazonS3BucketName: { Value: None }
";

async fn bench() -> Bench {
    let bench = Bench::new().await;
    bench.file("t.yaml", TEMPLATE);
    let made = bench.run::<DeployStack>(json!({ "name": "hyperpod", "template": "t.yaml" })).await;
    made.result.expect("a stack is made");
    bench
}

fn inputs() -> Json {
    example::<FetchOutputs>(json!({ "stack": "hyperpod", "values": { "s3_bucket": "it's $mine" } }))
}

#[tokio::test]
async fn the_example_fetches_by_one_call_and_writes_what_bash_reads_back() {
    let bench = bench().await;
    let before = bench.journal().len();
    let tried = bench.run::<FetchOutputs>(inputs()).await;
    let outputs = tried.result.expect("it succeeds");
    let calls: Vec<String> = bench.journal()[before..].iter().map(|e| e.operation.clone()).collect();
    assert_eq!(calls, ["DescribeStacks"]);
    assert_eq!(outputs["private_subnet_ids"], json!(["subnet-1", "subnet-2"]));
    assert_eq!(outputs["s3_bucket"], "it's $mine");
    assert_eq!(outputs["stack_outputs"]["AmazonS3BucketName"], "None");
    let print = r#". "$1"; printf '%s|' "$AWS_REGION" "$STACK_ID" "$EKS_CLUSTER_NAME" "$EKS_CLUSTER_ARN" "$S3_BUCKET_NAME" \
        "$EXECUTION_ROLE" "$VPC_ID" "$PRIVATE_SUBNET_ID" "$SECURITY_GROUP_ID" "$ACCEL_INSTANCE_TYPE" "$ACCEL_INSTANCE_COUNT""#;
    let path = outputs["env_file"].as_str().expect("a file was written");
    let ran = std::process::Command::new("bash").args(["-euc", print, "bash", path]).output().expect("bash is there");
    assert_eq!(
        String::from_utf8_lossy(&ran.stdout),
        "us-west-2|hyperpod|c|arn:aws:eks:us-west-2:111122223333:cluster/c|it's $mine|arn:aws:iam::111122223333:role/r|\
         vpc-1|subnet-1,subnet-2|sg-1|ml.g5.12xlarge|1|"
    );
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(bench.probe::<FetchOutputs>(inputs(), &outputs, &[]).await, Ok(Health::Good));
}

#[tokio::test]
async fn what_the_stack_lacks_is_said() {
    let bench = bench().await;
    let error = bench.run::<FetchOutputs>(json!({ "stack": "hyperpod" })).await.result.expect_err("no bucket");
    assert_eq!(
        error.message,
        "the stack hyperpod has no value for s3_bucket (AmazonS3BucketName or OutputS3BucketName)"
    );
    let gone = bench.run::<FetchOutputs>(json!({ "stack": "nowhere" })).await.result.expect_err("no stack");
    assert_eq!(gone.class, ErrorClass::Failed);
    assert!(gone.message.contains("nowhere does not exist"), "{}", gone.message);
}
