//! HyperPod in the sandbox, over HTTP with raw JSON and a stepped clock.

mod sagemaker_support;

use hprun_sandbox::world::State;
use sagemaker_support::{BUCKET, Bench, bench, closed_bench, group, text, with};
use serde_json::{Value, json};

const SCRIPTS_FAILED: &str = "failed to provision with the following error: \"Lifecycle scripts did not run successfully. Ensure the scripts exist in provided S3 path, are accessible, and run without errors. Please see CloudWatch logs for lifecycle script execution details.\" Note that multiple instances may be impacted.";

/// Creates a cluster and looks at it after each of these seconds.
async fn watch(bench: &Bench, looks: &[(i64, &str)]) {
    let mut at = 0;
    for (second, expected) in looks {
        bench.pass(second - at);
        at = *second;
        assert_eq!(bench.look().await, *expected, "after {second} s");
    }
}

fn from(prefix: &str) -> Value {
    json!({ "LifeCycleConfig": { "SourceS3Uri": format!("s3://{BUCKET}/{prefix}"), "OnCreate": "on_create.sh" } })
}

#[tokio::test]
async fn a_classic_cluster_is_in_service_after_its_nodes() {
    let bench = bench("").await;
    let arn = text(&bench.ok("CreateCluster", bench.request(json!({}))).await["ClusterArn"]);
    assert!(arn.starts_with("arn:aws:sagemaker:us-west-2:111122223333:cluster/"), "{arn}");
    let unseen = bench.refused("DescribeCluster", json!({ "ClusterName": "train" })).await;
    assert_eq!(unseen, "ResourceNotFound: Cluster with name train was not found.");
    let looks = [
        (2, "Creating: accel Creating 0/2, general Creating 0/1"),
        (10 * 60, "Creating: accel Creating 0/2, general Creating 0/1"),
        (11 * 60, "Creating: accel InService 2/2, general InService 1/1"),
        (12 * 60, "InService: accel InService 2/2, general InService 1/1"),
    ];
    watch(&bench, &looks).await;
    assert_eq!(bench.nodes().await, ["Running"; 3]);
    let cluster = bench.describe().await;
    assert_eq!(cluster["ClusterArn"], arn.as_str());
    assert_eq!((&cluster["NodeRecovery"], &cluster["VpcConfig"]), (&json!("Automatic"), &bench.vpc));
    assert_eq!(cluster["InstanceGroups"][0]["ThreadsPerCore"], 1);
    let in_use = bench.refused("CreateCluster", bench.request(json!({}))).await;
    assert_eq!(in_use, "ResourceInUse: Cluster with name train already exists. Choose a different name.");
}

#[tokio::test]
async fn nodes_go_through_the_states_of_aws() {
    let bench = bench("").await;
    let checked = with(group("accel", "ml.g5.12xlarge", 1), json!({ "OnStartDeepHealthChecks": ["InstanceStress"] }));
    bench.ok("CreateCluster", bench.request(json!({ "InstanceGroups": [checked] }))).await;
    let mut at = 0;
    for (minute, expected) in [
        (1, ""),
        (2, "Pending"),
        (10, "Pending"),
        (11, "DeepHealthCheckInProgress"),
        (70, "DeepHealthCheckInProgress"),
        (71, "Running"),
    ] {
        bench.pass((minute - at) * 60);
        at = minute;
        assert_eq!(bench.nodes().await.join(" "), expected, "after {minute} min");
    }
}

#[tokio::test]
async fn a_script_that_fails_or_is_missing_fails_the_cluster_and_says_so_in_the_log() {
    let cases = [
        ("bad", vec!["on_create.sh: exited with status 7", "Lifecycle script on_create.sh failed with exit code 7"]),
        (
            "nowhere",
            vec![
                "Lifecycle script on_create.sh not found in s3://sagemaker-scripts/nowhere: no object s3://sagemaker-scripts/nowhere/on_create.sh",
            ],
        ),
    ];
    for (prefix, last) in cases {
        let bench = bench("").await;
        let failing = with(group("accel", "ml.g5.12xlarge", 1), from(prefix));
        let arn =
            text(&bench.ok("CreateCluster", bench.request(json!({ "InstanceGroups": [failing] }))).await["ClusterArn"]);
        watch(
            &bench,
            &[
                (10 * 60, "Creating: accel Creating 0/1"),
                (11 * 60, "RollingBack: accel Creating 0/1"),
                (14 * 60, "Failed: accel Failed 0/1"),
            ],
        )
        .await;
        let cluster = bench.describe().await;
        assert!(text(&cluster["FailureMessage"]).ends_with(SCRIPTS_FAILED), "{cluster}");
        let id = arn.rsplit('/').next().expect("an ARN has an end");
        let log = bench.log(&format!("/aws/sagemaker/Clusters/train/{id}")).await;
        assert!(log.ends_with(&last.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()), "{log:?}");
        let refused = bench.refused("UpdateCluster", json!({ "ClusterName": "train", "NodeRecovery": "None" })).await;
        assert!(refused.starts_with("ConflictException: "), "{refused}");
    }
}

#[tokio::test]
async fn a_continuous_cluster_is_in_service_before_any_node_and_tells_what_happens() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({ "NodeProvisioningMode": "Continuous" }))).await;
    let looks = [
        (60, "Creating: accel Creating 0/2, general Creating 0/1"),
        (2 * 60, "InService: accel Creating 0/2, general Creating 0/1"),
        (11 * 60, "InService: accel InService 2/2, general InService 1/1"),
    ];
    watch(&bench, &looks).await;
    let ask = json!({ "ClusterName": "train", "SortOrder": "Ascending", "MaxResults": 100 });
    let events = bench.ok("ListClusterEvents", ask).await["Events"].clone();
    let events = events.as_array().expect("a list");
    assert_eq!(events[0]["Description"], "Cluster train creation started successfully");
    assert_eq!(
        events.last().expect("many")["Description"],
        "Instance Group general scaling in Cluster train completed successfully"
    );
    let id = &events[events.len() - 1]["EventId"];
    let detail = bench.ok("DescribeClusterEvent", json!({ "ClusterName": "train", "EventId": id })).await;
    let metadata = &detail["EventDetails"]["EventDetails"]["EventMetadata"];
    assert_eq!(metadata, &json!({ "InstanceGroupScaling": { "InstanceCount": 1, "TargetCount": 1 } }));
}

#[tokio::test]
async fn no_capacity_fails_a_classic_cluster_and_is_waited_for_in_continuous_mode() {
    let faults = "capacity: [{ instance-type: ml.g5.12xlarge, times: 1 }]";
    let classic = bench(faults).await;
    classic.ok("CreateCluster", classic.request(json!({}))).await;
    watch(
        &classic,
        &[
            (2 * 60, "RollingBack: accel Creating 0/2, general Creating 0/1"),
            (5 * 60, "Failed: accel Failed 0/2, general Failed 0/1"),
        ],
    )
    .await;
    let expected =
        "We currently do not have sufficient capacity to launch new ml.g5.12xlarge instances. Please try again.";
    assert_eq!(classic.describe().await["FailureMessage"], expected);

    let continuous = bench(faults).await;
    continuous.ok("CreateCluster", continuous.request(json!({ "NodeProvisioningMode": "Continuous" }))).await;
    let looks = [
        (11 * 60, "InService: accel Creating 0/2, general InService 1/1"),
        (16 * 60, "InService: accel InService 2/2, general InService 1/1"),
    ];
    watch(&continuous, &looks).await;
}

#[tokio::test]
async fn an_update_replaces_groups_by_name_and_deletes_those_named() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    let busy = bench.refused("UpdateCluster", json!({ "ClusterName": "train", "NodeRecovery": "None" })).await;
    assert!(busy.starts_with("ConflictException: ") && busy.contains("Creating"), "{busy}");
    bench.pass(12 * 60);
    let mut grown = group("accel", "ml.g5.12xlarge", 3);
    grown.as_object_mut().expect("an object").remove("ThreadsPerCore");
    let update = json!({ "ClusterName": "train", "InstanceGroups": [grown, group("more", "ml.m5.large", 1)], "InstanceGroupsToDelete": ["general"] });
    bench.ok("UpdateCluster", update).await;
    let looks = [
        (60, "Updating: accel Updating 2/3, general Deleting 1/0, more Creating 0/1"),
        (4 * 60, "Updating: accel Updating 2/3, more Creating 0/1"),
        (12 * 60, "InService: accel InService 3/3, more InService 1/1"),
    ];
    watch(&bench, &looks).await;
    assert_eq!(bench.describe().await["InstanceGroups"][0].get("ThreadsPerCore"), None, "members left out are reset");
    bench
        .ok("UpdateCluster", json!({ "ClusterName": "train", "InstanceGroups": [group("accel", "ml.g5.12xlarge", 1)] }))
        .await;
    watch(&bench, &[(5 * 60, "InService: accel InService 1/1, more InService 1/1")]).await;
}

#[tokio::test]
async fn an_update_that_fails_rolls_back_to_what_was() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    bench.pass(12 * 60);
    let bad = with(group("accel", "ml.g5.12xlarge", 3), from("bad"));
    bench.ok("UpdateCluster", json!({ "ClusterName": "train", "InstanceGroups": [bad] })).await;
    let looks = [
        (11 * 60, "RollingBack: accel Updating 2/3, general InService 1/1"),
        (14 * 60, "InService: accel InService 2/2, general InService 1/1"),
    ];
    watch(&bench, &looks).await;
    let cluster = bench.describe().await;
    assert!(text(&cluster["FailureMessage"]).ends_with(SCRIPTS_FAILED), "{cluster}");
    assert_eq!(cluster["InstanceGroups"][0]["LifeCycleConfig"]["SourceS3Uri"], format!("s3://{BUCKET}/good"));
}

#[tokio::test]
async fn a_software_update_goes_batch_by_batch() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    bench.pass(12 * 60);
    let before = bench.describe().await["InstanceGroups"][0]["CurrentImageId"].clone();
    let config = json!({ "RollingUpdatePolicy": { "MaximumBatchSize": { "Type": "INSTANCE_COUNT", "Value": 2 } } });
    bench.ok("UpdateClusterSoftware", json!({ "ClusterName": "train", "DeploymentConfig": config })).await;
    for (seconds, expected) in [
        (60, "Running Running Running"),
        (60, "SystemUpdating SystemUpdating Running"),
        (8 * 60, "Running Running SystemUpdating"),
    ] {
        bench.pass(seconds);
        assert_eq!(bench.nodes().await.join(" "), expected);
    }
    assert!(bench.look().await.starts_with("SystemUpdating"));
    bench.pass(8 * 60);
    let cluster = bench.describe().await;
    let group = &cluster["InstanceGroups"][0];
    assert_eq!(
        (&cluster["ClusterStatus"], &group["SoftwareUpdateStatus"], &group["ImageVersionStatus"]),
        (&json!("InService"), &json!("Succeeded"), &json!("UpToDate"))
    );
    assert_ne!(group["CurrentImageId"], before);
}

#[tokio::test]
async fn a_deleted_cluster_is_gone_after_a_while() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    bench.pass(12 * 60);
    bench.ok("DeleteCluster", json!({ "ClusterName": "train" })).await;
    assert_eq!(bench.look().await, "Deleting: accel Deleting 0/2, general Deleting 0/1");
    bench.pass(3 * 60);
    let gone = bench.refused("DescribeCluster", json!({ "ClusterName": "train" })).await;
    assert_eq!(gone, "ResourceNotFound: Cluster with name train was not found.");
    assert_eq!(bench.ok("ListClusters", json!({})).await, json!({ "ClusterSummaries": [] }));
}

#[tokio::test]
async fn what_aws_refuses_is_refused_with_its_words() {
    let bench = bench("quotas: { ml.g5.12xlarge: 1 }").await;
    let without = |name: &str| {
        let mut request = bench.request(json!({}));
        request.as_object_mut().expect("an object").remove(name);
        request
    };
    let limit = "ResourceLimitExceeded: The account-level service limit 'ml.g5.12xlarge for cluster usage' is 1 Instances, with current utilization of 0 Instances and a request delta of 2 Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.";
    let cases = [
        (bench.request(json!({})), limit),
        (without("VpcConfig"), "ValidationException: VpcConfig is required for clusters with EKS orchestrator."),
        (
            without("InstanceGroups"),
            "ValidationException: At least one of InstanceGroups or RestrictedInstanceGroups must be provided.",
        ),
        (
            without("Orchestrator"),
            "NotPartOfTheSandbox: hprun sandbox: a HyperPod cluster with the Slurm orchestrator (Orchestrator.Eks is not set) is not part of the sandbox",
        ),
        (
            bench.request(json!({ "AutoScaling": { "Mode": "Enable" } })),
            "ValidationException: AutoScaling requires NodeProvisioningMode to be Continuous.",
        ),
        (
            bench.request(json!({ "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "a", "Value": "2" }] })),
            "ValidationException: Tag keys must be unique. Duplicate key: a",
        ),
        (
            bench.request(json!({ "NodeRecovery": "AUTOMATIC" })),
            "ValidationException: 1 validation error detected: Value 'AUTOMATIC' at 'nodeRecovery' failed to satisfy constraint: Member must satisfy enum value set: [Automatic, None]",
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(bench.refused("CreateCluster", request).await, expected);
    }
    let unknown = bench.refused("CreateTrainingJob", json!({})).await;
    assert_eq!(
        unknown,
        "NotPartOfTheSandbox: hprun sandbox: operation CreateTrainingJob of service sagemaker is not part of the sandbox"
    );
}

#[tokio::test]
async fn spot_instances_of_all_types_have_a_quota_together() {
    let quota = "Total number of Spot instances allowed across SageMaker HyperPod clusters";
    let bench = bench(&format!("quotas: {{ {quota}: 2 }}")).await;
    let spot = |wanted: usize| {
        let mut request = bench.request(json!({}));
        for group in request["InstanceGroups"].as_array_mut().expect("a list").iter_mut().take(wanted) {
            group["CapacityRequirements"] = json!({ "Spot": {} });
        }
        request
    };
    let refused = bench.refused("CreateCluster", spot(2)).await;
    let expected = format!("ResourceLimitExceeded: The account-level service limit '{quota}' is 2 Instances, ");
    assert!(refused.starts_with(&expected) && refused.contains("a request delta of 3 Instances"), "{refused}");
    bench.ok("CreateCluster", spot(1)).await;
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({ "Tags": [{ "Key": "team", "Value": "a" }] }))).await;
    bench.pass(12 * 60);
    let first = bench.ok("ListClusterNodes", json!({ "ClusterName": "train", "MaxResults": 2 })).await;
    assert_eq!(first["ClusterNodeSummaries"].as_array().map(Vec::len), Some(2));
    let rest = bench
        .ok("ListClusterNodes", json!({ "ClusterName": "train", "MaxResults": 2, "NextToken": first["NextToken"] }))
        .await;
    assert_eq!((rest["ClusterNodeSummaries"].as_array().map(Vec::len), rest.get("NextToken")), (Some(1), None));
    let some = bench
        .ok(
            "ListClusterNodes",
            json!({ "ClusterName": "train", "InstanceGroupNameContains": "gen", "IncludeNodeLogicalIds": true }),
        )
        .await;
    let node = &some["ClusterNodeSummaries"][0];
    let by_logical = bench
        .ok("DescribeClusterNode", json!({ "ClusterName": "train", "NodeLogicalId": node["NodeLogicalId"] }))
        .await;
    assert_eq!(by_logical["NodeDetails"]["InstanceId"], node["InstanceId"]);
    let arn = bench.describe().await["ClusterArn"].clone();
    bench.ok("AddTags", json!({ "ResourceArn": arn, "Tags": [{ "Key": "cost", "Value": "b" }] })).await;
    bench.ok("DeleteTags", json!({ "ResourceArn": arn, "TagKeys": ["team"] })).await;
    assert_eq!(
        bench.ok("ListTags", json!({ "ResourceArn": arn })).await,
        json!({ "Tags": [{ "Key": "cost", "Value": "b" }] })
    );
}

/// A continuous cluster whose nodes are all in service.
async fn continuous() -> Bench {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({ "NodeProvisioningMode": "Continuous" }))).await;
    bench.pass(12 * 60);
    bench
}

/// The instance ids of the general nodes.
async fn general_nodes(bench: &Bench) -> Vec<Value> {
    let asked = json!({ "ClusterName": "train", "InstanceGroupNameContains": "general" });
    let nodes = bench.ok("ListClusterNodes", asked).await;
    nodes["ClusterNodeSummaries"].as_array().expect("a list").iter().map(|node| node["InstanceId"].clone()).collect()
}

#[tokio::test]
async fn nodes_are_added_once_for_a_token_and_unknown_groups_are_named() {
    let bench = continuous().await;
    let add = json!({ "ClusterName": "train", "ClientToken": "one", "NodesToAdd": [
        { "InstanceGroupName": "general", "IncrementTargetCountBy": 2 }, { "InstanceGroupName": "none", "IncrementTargetCountBy": 1 },
    ] });
    let added = bench.ok("BatchAddClusterNodes", add.clone()).await;
    assert_eq!(
        (added["Successful"].as_array().map(Vec::len), &added["Failed"][0]["ErrorCode"]),
        (Some(2), &json!("InstanceGroupNotFound"))
    );
    assert_eq!(bench.ok("BatchAddClusterNodes", add).await, added, "the same token gives the same answer");
    bench.pass(9 * 60);
    assert_eq!(bench.look().await, "InService: accel InService 2/2, general InService 3/3");
}

#[tokio::test]
async fn nodes_are_replaced_rebooted_and_deleted_and_unknown_ones_are_named() {
    let bench = continuous().await;
    let id = general_nodes(&bench).await.remove(0);
    let replaced =
        bench.ok("BatchReplaceClusterNodes", json!({ "ClusterName": "train", "NodeIds": [id, "i-00000000"] })).await;
    assert_eq!(
        (&replaced["Successful"], &replaced["Failed"][0]["ErrorCode"]),
        (&json!([id]), &json!("InstanceIdNotFound"))
    );
    bench.pass(9 * 60);
    assert_eq!(bench.look().await, "InService: accel InService 2/2, general InService 1/1");
    let ids = general_nodes(&bench).await;
    assert!(!ids.contains(&id), "{id} was replaced");
    bench.ok("BatchRebootClusterNodes", json!({ "ClusterName": "train", "NodeIds": [ids[0]] })).await;
    let pending = bench.nodes().await.into_iter().filter(|status| status == "Pending").count();
    assert_eq!(pending, 1);
    bench.pass(9 * 60);
    let deleted =
        bench.ok("BatchDeleteClusterNodes", json!({ "ClusterName": "train", "NodeIds": [ids[0], "i-00000000"] })).await;
    assert_eq!((&deleted["Successful"], &deleted["Failed"][0]["Code"]), (&json!(ids), &json!("NodeIdNotFound")));
    bench.pass(4 * 60);
    assert_eq!(bench.look().await, "InService: accel InService 2/2, general InService 0/0");
}

/// Runs an eventful hour: a continuous cluster without capacity at first, an update, a software update.
async fn eventful_hour(step: i64, reopening: bool) -> Value {
    let mut bench = bench("capacity: [{ instance-type: ml.g5.12xlarge, times: 2 }]").await;
    bench.ok("CreateCluster", bench.request(json!({ "NodeProvisioningMode": "Continuous" }))).await;
    for operation in ["", "UpdateCluster", "UpdateClusterSoftware"] {
        if operation == "UpdateCluster" {
            bench
                .ok(
                    operation,
                    json!({ "ClusterName": "train", "InstanceGroups": [group("general", "ml.m5.2xlarge", 4)] }),
                )
                .await;
        } else if !operation.is_empty() {
            bench.ok(operation, json!({ "ClusterName": "train" })).await;
        }
        for _ in 0..(1800 / step) {
            bench.pass(step);
            if reopening {
                bench.reopen().await;
            }
        }
    }
    bench
        .sandbox
        .world()
        .read("us-west-2", |state: &State, _| serde_json::to_value(&state.sagemaker).expect("the state is JSON"))
}

#[tokio::test]
async fn the_end_is_the_same_however_often_the_world_is_looked_at_or_reopened() {
    let leap = eventful_hour(1800, false).await;
    assert_eq!(leap["clusters"]["train"]["status"], "InService");
    assert_eq!(eventful_hour(75, false).await, leap);
    assert_eq!(eventful_hour(225, true).await, leap);
}

fn ready_nodes(bench: &Bench) -> usize {
    let world = bench.sandbox.world();
    world.read("us-west-2", |state: &State, _| hprun_sandbox::kubernetes::ready_nodes(state, "train"))
}

#[tokio::test]
async fn nodes_join_kubernetes_and_leave_it_with_the_cluster() {
    let bench = bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    bench.pass(10 * 60);
    assert_eq!(ready_nodes(&bench), 0);
    bench.pass(2 * 60);
    assert_eq!(ready_nodes(&bench), 3);
    bench.ok("DeleteCluster", json!({ "ClusterName": "train" })).await;
    assert_eq!(ready_nodes(&bench), 0);
    bench.pass(3 * 60);
    let interfaces = bench.sandbox.world().read("us-west-2", |state: &State, _| {
        serde_json::to_value(&state.ec2).expect("the state is JSON")["interfaces"].to_string()
    });
    assert!(!interfaces.contains("HyperPod"), "addresses are free again: {interfaces}");
}

#[tokio::test]
async fn efa_needs_a_security_group_that_is_open_to_itself() {
    let bench = closed_bench("").await;
    bench.ok("CreateCluster", bench.request(json!({}))).await;
    bench.pass(15 * 60);
    let cluster = bench.describe().await;
    assert_eq!(cluster["ClusterStatus"], "Failed");
    let failure = text(&cluster["FailureMessage"]);
    assert!(failure.contains("EFA health checks did not run successfully."), "{failure}");
    let id = text(&cluster["ClusterArn"]).rsplit('/').next().unwrap_or_default().to_owned();
    let log = bench.log(&format!("/aws/sagemaker/Clusters/train/{id}")).await;
    assert!(!log.iter().any(|line| line.contains("failed")), "the check comes before the scripts: {log:?}");
}

#[tokio::test]
async fn a_role_must_be_assumable_and_must_read_the_scripts() {
    let bench = bench("").await;
    bench.role("poor", "sagemaker.amazonaws.com", "AmazonEKS_CNI_Policy").await;
    let poor =
        with(group("general", "ml.m5.2xlarge", 1), json!({ "ExecutionRole": "arn:aws:iam::111122223333:role/poor" }));
    let request = bench.request(json!({ "InstanceGroups": [poor] }));
    let early = bench.refused("CreateCluster", request.clone()).await;
    assert_eq!(
        early,
        "ValidationException: Could not assume role arn:aws:iam::111122223333:role/poor. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role."
    );
    bench.pass(15);
    bench.ok("CreateCluster", request).await;
    bench.pass(20 * 60);
    let failure = text(&bench.describe().await["FailureMessage"]);
    assert!(
        failure.contains(
            "Execution role provided does not have permissions to access the bucket s3://sagemaker-scripts/good."
        ),
        "{failure}"
    );
}

#[tokio::test]
async fn networks_and_eks_clusters_must_be_there() {
    let bench = bench("").await;
    let group = text(&bench.vpc["SecurityGroupIds"][0]);
    let cases = [
        (
            json!({ "VpcConfig": { "SecurityGroupIds": [group], "Subnets": ["subnet-0"] } }),
            "ValidationException: The subnet ID 'subnet-0' does not exist",
        ),
        (
            json!({ "Orchestrator": { "Eks": { "ClusterArn": "arn:aws:eks:us-west-2:111122223333:cluster/other" } } }),
            "ValidationException: EKS cluster arn:aws:eks:us-west-2:111122223333:cluster/other was not found.",
        ),
    ];
    for (changes, expected) in cases {
        assert_eq!(bench.refused("CreateCluster", bench.request(changes)).await, expected);
    }
}
