//! The guide's sections 2.5 to 3.7 by hand: its commands as written, but for the endpoint (which the environment gives), the mended
//! cluster configuration and the fixture chart. Left out: `aws ssm start-session`, which needs a plugin and a node that runs.

use super::world::{Served, awscli, copy, root, tool, validated};

/// The configuration as the guide prints it.
const CONFIG: &str = include_str!("guide-config.txt");

/// The variables that the guide sets, letter by letter.
const VARIABLES: &str = "
export ACCEL_INSTANCE_TYPE=ml.g5.12xlarge #change this
export AWS_REGION=us-west-2 #change this
export ACCEL_COUNT=1 #change this
export ACCEL_VOLUME_SIZE=500
export GEN_INTANCE_TYPE= ml.m5.2xlarge
export GEN_COUNT=1
export GEN_VOLUME_SIZE=500
export NODE_RECOVEY=AUTOMATIC
";

/// What is wrong in it, and what it must be.
const MENDED: [(&str, &str); 4] = [
    ("\"OnStartDeepHealthCheck\"", "\"OnStartDeepHealthChecks\""),
    ("\"s3://${BUCKET_NAME}\"", "\"s3://${BUCKET_NAME}/LifecycleScripts/base-config\""),
    ("GEN_INTANCE_TYPE= ml", "GEN_INSTANCE_TYPE=ml"),
    ("NODE_RECOVEY=AUTOMATIC", "NODE_RECOVERY=Automatic"),
];

/// Sets what create_config.sh of the guide sets, from the stack's outputs.
const STACK_VARIABLES: &str = r#"
aws cloudformation describe-stacks --stack-name hyperpod-eks-full-stack --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' --output text |
while read -r key value; do
  case $key in
    ClusterArn) echo "export EKS_CLUSTER_ARN=$value" ;;
    ClusterName) echo "export EKS_CLUSTER_NAME=$value" ;;
    AmazonS3BucketName) echo "export BUCKET_NAME=$value" ;;
    AmazonSagemakerClusterExecutionRoleArn) echo "export EXECUTION_ROLE=$value" ;;
    NoIngressSecurityGroup) echo "export SECURITY_GROUP=$value" ;;
    PrivateSubnet1) echo "export SUBNET_ID=$value" ;;
  esac
done > env_vars
"#;

#[test]
fn every_command_of_the_guide_works_as_written() {
    let folder = |name: &str, variable: &str| {
        let binary = tool(name, variable);
        assert!(binary.is_file(), "{} is not there", binary.display());
        binary
    };
    let (helm3, helm4) = (folder("helm3", "HPRUN_HELM3"), folder("helm4", "HPRUN_HELM4"));
    let kubectl = folder("kubectl", "HPRUN_KUBECTL");
    let world = Served::start(&[awscli(), kubectl.parent().unwrap().to_owned()]);
    deploy_the_stack(&world);
    connect(&world);
    for helm in [helm3, helm4] {
        install_the_chart(&world, helm.to_str().unwrap());
    }
    upload_the_scripts(&world);
    refuse_the_guides_own_configuration(&world);
    launch(&world);
    look(&world);
    patch_and_delete(&world);
    let (operations, answers) = validated(&world);
    assert!(operations >= 12 && answers >= 25, "only {operations} operations and {answers} answers");
}

/// 2.4: the stack, from our template, in full mode.
fn deploy_the_stack(world: &Served) {
    std::fs::copy(root().join("pipelines/templates/hyperpod-eks.yaml"), world.work().join("hyperpod-eks.yaml"))
        .unwrap();
    world
        .shell(
            "aws cloudformation create-stack --stack-name hyperpod-eks-full-stack --template-body file://hyperpod-eks.yaml \
             --capabilities CAPABILITY_NAMED_IAM --parameters ParameterKey=CreateEKSCluster,ParameterValue=true",
        )
        .good();
    let status = "aws cloudformation describe-stacks --stack-name hyperpod-eks-full-stack --query 'Stacks[0].StackStatus' --output text";
    world.advance_until("20m", "CREATE_COMPLETE", status);
    let events =
        "aws cloudformation describe-stack-events --stack-name hyperpod-eks-full-stack --query 'length(StackEvents)'";
    assert!(world.shell(events).good().trim().parse::<usize>().unwrap() > 80);
    world.shell(STACK_VARIABLES).good();
}

/// 2.5.
fn connect(world: &Served) {
    let said = world.shell("source env_vars; aws eks update-kubeconfig --name $EKS_CLUSTER_NAME").good();
    assert!(
        said.starts_with("Added new context arn:aws:eks:us-west-2:111122223333:cluster/hyperpod-eks-cluster"),
        "{said}"
    );
    let context = world.shell("kubectl config current-context").good();
    assert_eq!(context.trim(), "arn:aws:eks:us-west-2:111122223333:cluster/hyperpod-eks-cluster");
    let services = world.shell("kubectl get svc").good();
    let columns: Vec<Vec<&str>> = services.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(columns[0], ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]);
    assert_eq!((columns[1][0], columns[1][1], columns[1][4]), ("kubernetes", "ClusterIP", "443/TCP"), "{services}");
}

/// 2.6, with the fixture under the name of the real chart.
fn install_the_chart(world: &Served, helm: &str) {
    let chart = world.work().join("HyperPodHelmChart");
    if chart.exists() {
        std::fs::remove_dir_all(&chart).unwrap();
    }
    copy(&root().join("pipelines/charts/hyperpod-fixture"), &chart);
    let run = |words: &str| world.shell(&format!("{helm} {words}")).good();
    assert!(run("lint HyperPodHelmChart").contains("1 chart(s) linted, 0 chart(s) failed"));
    assert!(run("dependencies update HyperPodHelmChart").contains("Saving 1 charts"));
    let dry = run("install dependencies HyperPodHelmChart --dry-run");
    assert!(dry.contains("kind: DaemonSet") && dry.contains("STATUS: pending-install"), "{dry}");
    assert_eq!(run("list --all-namespaces --short"), "", "a dry run leaves nothing");
    let made = run("install dependencies HyperPodHelmChart --namespace kube-system");
    assert!(made.contains("NAMESPACE: kube-system") && made.contains("STATUS: deployed"), "{made}");
    let agents = world.shell("kubectl get daemonsets -n aws-hyperpod -o name").good();
    assert_eq!(agents.trim(), "daemonset.apps/health-monitoring-agent");
    // Not in the guide: room for the other helm.
    run("uninstall dependencies --namespace kube-system --wait");
}

/// 3.1.
fn upload_the_scripts(world: &Served) {
    copy(&root().join("pipelines/lifecycle/base-config"), &world.work().join("LifecycleScripts/base-config"));
    world
        .shell("source env_vars\naws s3 cp --recursive LifecycleScripts/base-config s3://${BUCKET_NAME}/LifecycleScripts/base-config")
        .good();
    let listed = world.shell("source env_vars; aws s3 ls s3://${BUCKET_NAME}/LifecycleScripts/base-config/").good();
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["on_create.sh", "on_create_main.sh"]);
}

const CREATE: &str =
    "aws sagemaker create-cluster \\\n    --cli-input-json file://cluster-config.json \\\n    --region $AWS_REGION\n";

/// 3.2 and 3.3 as printed: the CLI itself finds the misspelt member, before anything is sent.
fn refuse_the_guides_own_configuration(world: &Served) {
    let error = world.shell(&format!("source env_vars\n{VARIABLES}\n{CONFIG}\n{CREATE}")).bad();
    let found = "Unknown parameter in InstanceGroups[0]: \"OnStartDeepHealthCheck\", must be one of:";
    assert!(error.contains(found), "{error}");
    assert!(
        !world.journal().iter().any(|entry| entry["operation"] == "CreateCluster" && entry["service"] == "sagemaker")
    );
}

/// 3.2 and 3.3, mended.
fn launch(world: &Served) {
    let mut script = format!("source env_vars\n{VARIABLES}\n{CONFIG}\n{CREATE}");
    for (wrong, right) in MENDED {
        assert!(script.contains(wrong), "the guide's text has no {wrong}");
        script = script.replace(wrong, right);
    }
    let made = world.shell(&script).good();
    assert!(made.contains("\"ClusterArn\": \"arn:aws:sagemaker:us-west-2:111122223333:cluster/"), "{made}");
    let list =
        "export AWS_REGION=us-west-2\naws sagemaker list-clusters \\\n --output table \\\n --region $AWS_REGION\n";
    let table = world.shell(list).good();
    for shown in ["ListClusters", "ClusterSummaries", "CreationTime", "ml-cluster", "Creating"] {
        assert!(table.contains(shown), "{table}");
    }
    // The reason in place of the status, should it fail.
    let status = "aws sagemaker describe-cluster --cluster-name ml-cluster --region us-west-2 --query 'not_null(FailureMessage, ClusterStatus)' --output text";
    world.advance_until("30m", "InService", status);
}

/// 3.4, without the session.
fn look(world: &Served) {
    let cluster = world.shell("aws sagemaker describe-cluster --cluster-name ml-cluster --region us-west-2").good();
    let cluster: serde_json::Value = serde_json::from_str(&cluster).unwrap();
    assert_eq!(cluster["ClusterName"], "ml-cluster");
    assert_eq!(cluster["InstanceGroups"].as_array().unwrap().len(), 2);
    let nodes = "aws sagemaker list-cluster-nodes --cluster-name ml-cluster --region us-west-2";
    world.advance_until(
        "30m",
        "Running\tRunning",
        &format!("{nodes} --query 'ClusterNodeSummaries[].InstanceStatus.Status' --output text"),
    );
    let nodes: serde_json::Value = serde_json::from_str(&world.shell(nodes).good()).unwrap();
    let first = &nodes["ClusterNodeSummaries"][0];
    assert!(first["InstanceId"].as_str().unwrap().starts_with("i-"), "{first}");
    let ready = "kubectl get nodes --no-headers | awk '{print $2}' | sort | uniq -c | tr -s ' '";
    world.advance_until("5m", "2 Ready", ready);
}

/// 3.6 and 3.7.
fn patch_and_delete(world: &Served) {
    world.shell("aws sagemaker update-cluster-software --cluster-name ml-cluster --region us-west-2").good();
    let status = "aws sagemaker describe-cluster --cluster-name ml-cluster --region us-west-2 --query ClusterStatus --output text";
    assert_eq!(world.shell(status).good().trim(), "SystemUpdating");
    world.advance_until("30m", "InService", status);
    world.shell("aws sagemaker delete-cluster --cluster-name ml-cluster --region us-west-2").good();
    world.advance_until(
        "30m",
        "0",
        "aws sagemaker list-clusters --region us-west-2 --query 'length(ClusterSummaries)'",
    );
    let error = world.shell(status).bad();
    assert!(error.contains("ResourceNotFound"), "{error}");
}
