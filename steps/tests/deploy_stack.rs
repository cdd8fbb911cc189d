//! deploy-stack against the sandbox's CloudFormation over HTTP: made, changed, found again, failed, refused.

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use hprun_steps::context::{Origin, Record};
use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::error::ErrorClass;
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use serde_json::{Value as Json, json};
use support::{Bench, Try, example};

const TEMPLATE: &str = r"
Parameters:
  CreateEKSCluster: { Type: String, Default: 'true', AllowedValues: ['true', 'false'] }
  AvailabilityZoneId: { Type: String, Default: usw2-az2 }
  Cidr: { Type: String, Default: 10.1.0.0/16 }
  Password: { Type: String, NoEcho: true, Default: unset }
Conditions:
  Full: !Equals [!Ref CreateEKSCluster, 'true']
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: { CidrBlock: !Ref Cidr }
  Gateway:
    Type: AWS::EC2::InternetGateway
    Condition: Full
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: hyperpod-test, RetentionInDays: 7 }
Outputs:
  VPC: { Value: !Ref Vpc, Description: the network }
  Gateway: { Value: !Ref Gateway, Condition: Full }
";

async fn bench_with(faults: Json, template: &str) -> Bench {
    let faults = serde_json::from_value(faults).expect("a fault script");
    let bench = Bench::with_faults(faults).await;
    bench.file("templates/hyperpod-eks.yaml", template);
    bench
}

async fn bench() -> Bench {
    bench_with(Json::Null, TEMPLATE).await
}

fn inputs() -> Json {
    example::<DeployStack>(json!({}))
}

fn count(bench: &Bench, operation: &str) -> usize {
    bench.effects(operation).len()
}

#[tokio::test]
async fn the_example_makes_a_stack_and_gives_its_outputs() {
    let bench = bench().await;
    let tried = bench.run::<DeployStack>(inputs()).await;
    let outputs = tried.result.expect("it succeeds");
    assert_eq!(outputs["name"], "hyperpod-eks-full-stack");
    assert!(outputs["VPC"].as_str().is_some_and(|id| id.starts_with("vpc-")), "{outputs}");
    assert!(outputs["Gateway"].as_str().is_some_and(|id| id.starts_with("igw-")), "{outputs}");
    let made = |r: &Record| matches!(r, Record::ResourceRecorded { origin: Origin::Made, .. });
    assert!(tried.records.iter().any(made));
    assert!(tried.progress.iter().any(|line| line.contains("/3 resources, now ")), "{:?}", tried.progress);
    assert_eq!(bench.probe::<DeployStack>(inputs(), &outputs, &tried.records).await, Ok(Health::Good));
}

#[tokio::test]
async fn only_the_outputs_of_this_mode_are_given() {
    let bench = bench().await;
    let outputs = bench
        .run::<DeployStack>(example::<DeployStack>(json!({ "parameters": { "CreateEKSCluster": false } })))
        .await
        .result
        .expect("it succeeds");
    assert!(outputs.get("VPC").is_some() && outputs.get("Gateway").is_none(), "{outputs}");
}

#[tokio::test]
async fn a_second_time_changes_nothing_and_leaves_no_change_set() {
    let bench = bench().await;
    let first = bench.run::<DeployStack>(inputs()).await;
    let again = bench.run_with_history::<DeployStack>(inputs(), &first.records).await;
    assert_eq!(again.result.expect("it succeeds"), first.result.expect("it succeeds"));
    assert_eq!((count(&bench, "CreateStack"), count(&bench, "ExecuteChangeSet")), (1, 0));
    assert_eq!(count(&bench, "DeleteChangeSet"), 1, "the empty change set is removed");
}

#[tokio::test]
async fn a_change_goes_through_a_change_set_and_keeps_the_tags() {
    let bench = bench().await;
    let first = bench.run::<DeployStack>(inputs()).await;
    bench.file("templates/hyperpod-eks.yaml", TEMPLATE.replace("RetentionInDays: 7", "RetentionInDays: 30"));
    let changed = bench.run_with_history::<DeployStack>(inputs(), &first.records).await;
    changed.result.expect("it succeeds");
    assert_eq!(count(&bench, "ExecuteChangeSet"), 1);
    let call = bench.clients.cloudformation().describe_stacks().stack_name("hyperpod-eks-full-stack");
    let stack = call.send().await.expect("it is there").stacks.and_then(|s| s.into_iter().next()).expect("one");
    let tags: Vec<_> = stack.tags().iter().filter_map(|t| Some((t.key()?, t.value()?))).collect();
    assert_eq!(tags, [("hprun:run-id", support::RUN), ("hprun:step", support::STEP)]);
    assert_eq!(stack.stack_status().map(|s| s.as_str()), Some("UPDATE_COMPLETE"));
}

#[tokio::test]
async fn an_update_that_would_lose_something_is_refused_unless_allowed() {
    let bench = bench().await;
    let first = bench.run::<DeployStack>(inputs()).await;
    let mut other = inputs();
    other["parameters"]["Cidr"] = json!("10.9.0.0/16");
    let refused = bench.run_with_history::<DeployStack>(other.clone(), &first.records).await;
    let error = refused.result.expect_err("it is refused");
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(error.message.contains("Vpc (AWS::EC2::VPC) would be replaced"), "{}", error.message);
    assert_eq!((count(&bench, "ExecuteChangeSet"), count(&bench, "DeleteChangeSet")), (0, 1));
    other["allow-replacement"] = json!(true);
    let allowed = bench.run_with_history::<DeployStack>(other, &refused.records).await;
    let (before, after) = (first.result.expect("made"), allowed.result.expect("it is allowed"));
    assert_ne!(before["VPC"], after["VPC"]);
}

#[tokio::test]
async fn a_run_that_dies_after_any_record_makes_the_stack_once() {
    for records in 0..3 {
        let bench = bench().await;
        let how = Try { records_until_death: Some(records), ..Try::default() };
        let died = bench.attempt::<DeployStack>(inputs(), how).await;
        assert_eq!(died.result.expect_err("it died").message, "the run died here");
        let resumed = bench.run_with_history::<DeployStack>(inputs(), &died.records).await;
        resumed.result.unwrap_or_else(|e| panic!("dying after {records} records: {e:?}"));
        assert_eq!(count(&bench, "CreateStack"), 1, "dying after {records} records");
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_out_within_the_attempt() {
    let rule = json!({ "service": "cloudformation", "operation": "CreateStack", "times": 1, "fault": "lose-answer" });
    let bench = bench_with(json!({ "calls": [rule] }), TEMPLATE).await;
    bench.run::<DeployStack>(inputs()).await.result.expect("it succeeds");
    let stacks = bench.clients.cloudformation().describe_stacks().send().await.expect("it answers");
    assert_eq!(stacks.stacks().len(), 1);
}

#[tokio::test]
async fn a_failed_stack_says_its_first_cause_and_is_made_again_when_resumed() {
    let fault = json!({ "kind": "AWS::EC2::InternetGateway", "reason": "The maximum number of internet gateways has been reached.", "times": 1 });
    let bench = bench_with(json!({ "resources": [fault] }), TEMPLATE).await;
    let failed = bench.run::<DeployStack>(inputs()).await;
    let error = failed.result.expect_err("it fails");
    assert_eq!(
        error.message,
        "the stack hyperpod-eks-full-stack failed at Gateway (AWS::EC2::InternetGateway): The maximum number of internet \
         gateways has been reached"
    );
    assert_eq!(error.causes, ["the stack is in ROLLBACK_COMPLETE"]);
    let resumed = bench.run_with_history::<DeployStack>(inputs(), &failed.records).await;
    resumed.result.expect("it is made again");
    let announced = "the stack of this run is in ROLLBACK_COMPLETE: deleting it, to make it again";
    assert!(resumed.progress.iter().any(|line| line == announced), "{:?}", resumed.progress);
    assert_eq!((count(&bench, "CreateStack"), count(&bench, "DeleteStack")), (2, 1));
}

#[tokio::test]
async fn somebody_elses_stack_is_refused_unless_adopted() {
    let mut bench = bench().await;
    let theirs = bench.run::<DeployStack>(inputs()).await.result.expect("it is made");
    bench.run.id = "02other".to_owned();
    let refused = bench.run::<DeployStack>(inputs()).await;
    let error = refused.result.expect_err("it is refused");
    assert_eq!(error.class, ErrorClass::Refused);
    assert_eq!(error.message, "there is a stack hyperpod-eks-full-stack already, and this run did not make it");
    assert!(error.causes[0].contains("hprun:run-id=01test"), "{:?}", error.causes);
    let adopted = bench.run::<DeployStack>(example::<DeployStack>(json!({ "adopt": true }))).await;
    assert_eq!(adopted.result.expect("it is adopted")["id"], theirs["id"]);
    let origin = |r: &Record| matches!(r, Record::ResourceRecorded { origin: Origin::Adopted, .. });
    assert!(adopted.records.iter().any(origin));
}

#[tokio::test]
async fn a_secret_goes_into_a_hidden_parameter_and_nowhere_else() {
    let bench = bench().await;
    let secret = || Value::Secret(Secret::new("db", "hunter2-hunter2"));
    let with = |parameter: &str| {
        let Value::Map(mut all) = Value::from_json(&inputs()) else { panic!("inputs are a map") };
        all.insert("parameters".to_owned(), Value::Map([(parameter.to_owned(), secret())].into_iter().collect()));
        Value::Map(all)
    };
    let tried = bench.attempt_value::<DeployStack>(with("Password"), Try::default()).await;
    tried.result.expect("it succeeds");
    assert!(!format!("{:?}{:?}", tried.records, tried.progress).contains("hunter2"));
    let shown = bench.attempt_value::<DeployStack>(with("Cidr"), Try::default()).await;
    assert_eq!(shown.result.expect_err("it is refused").class, ErrorClass::Invalid);
}

#[tokio::test]
async fn what_is_wrong_is_found_before_the_run() {
    let bench = bench().await;
    let with = json!({ "name": "1st", "template": "templates/hyperpod-eks.yaml", "parameters": {
        "CreateEksCluster": true, "CreateEKSCluster": "yes", "AvailabilityZoneId": { "a": 1 } } });
    let found = bench.check::<DeployStack>(with);
    assert_eq!(
        support::messages(&found),
        [
            "`1st` is no name for a stack: letters, digits and hyphens, at most 128, beginning with a letter",
            "templates/hyperpod-eks.yaml has no parameter `CreateEksCluster`",
            "the parameter `CreateEKSCluster` takes true, false, not `yes`",
            "the parameter `AvailabilityZoneId` is a map; CloudFormation takes text, numbers, booleans and lists",
        ]
    );
    assert_eq!(found[1].help.as_deref(), Some("did you mean `CreateEKSCluster`?"));
    bench.file("large.yaml", format!("{TEMPLATE}\n# {}", "x".repeat(52_000)));
    let large = bench.check::<DeployStack>(json!({ "name": "a", "template": "large.yaml" }));
    assert!(large[0].message.contains("a request takes 51200"), "{large:?}");
}

#[tokio::test]
async fn a_run_that_is_stopped_while_it_waits_finds_its_own_operation_again() {
    let bench = bench().await;
    let how = Try::default();
    let cancelled = how.cancelled.clone();
    let stop = async {
        while count(&bench, "CreateStack") == 0 {
            tokio::task::yield_now().await;
        }
        cancelled.cancel();
    };
    let (stopped, ()) = tokio::join!(bench.attempt::<DeployStack>(inputs(), how), stop);
    assert_eq!(stopped.result.expect_err("it was stopped").class, ErrorClass::Interrupted);
    let resumed = bench.run_with_history::<DeployStack>(inputs(), &stopped.records).await;
    resumed.result.expect("it goes on");
    assert!(resumed.progress.iter().any(|line| line.contains("/3 resources")), "it attaches: {:?}", resumed.progress);
    assert_eq!((count(&bench, "CreateStack"), count(&bench, "ExecuteChangeSet")), (1, 0));
}

#[tokio::test]
async fn a_template_that_is_too_large_for_a_request_goes_through_the_bucket() {
    let large = format!("{TEMPLATE}\n# {}\n", "x".repeat(52_000));
    let bench = bench_with(Json::Null, &large).await;
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(support::REGION.into());
    let call = bench.clients.s3().create_bucket().bucket("templates-x").create_bucket_configuration(place.build());
    call.send().await.expect("a bucket can be made");
    let with = example::<DeployStack>(json!({ "template-bucket": "templates-x" }));
    bench.run::<DeployStack>(with).await.result.expect("it succeeds");
}

#[tokio::test]
async fn a_creation_that_failed_while_nobody_looked_is_made_again() {
    let fault = json!({ "kind": "AWS::EC2::InternetGateway", "reason": "no more", "times": 1 });
    let bench = bench_with(json!({ "resources": [fault] }), TEMPLATE).await;
    let how = Try { records_until_death: Some(1), ..Try::default() };
    let died = bench.attempt::<DeployStack>(inputs(), how).await;
    assert_eq!((died.records.len(), count(&bench, "CreateStack")), (1, 1), "sent, and its answer never recorded");
    bench.advance(std::time::Duration::from_secs(3600));
    let resumed = bench.run_with_history::<DeployStack>(inputs(), &died.records).await;
    resumed.result.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((count(&bench, "CreateStack"), count(&bench, "DeleteStack")), (2, 1));
}

fn with_retention(days: u32) -> String {
    TEMPLATE.replace("RetentionInDays: 7", &format!("RetentionInDays: {days}"))
}

async fn change_sets(bench: &Bench) -> usize {
    let call = bench.clients.cloudformation().list_change_sets().stack_name("hyperpod-eks-full-stack");
    let answer = call.send().await.expect("it answers");
    let open = |s: &&aws_sdk_cloudformation::types::ChangeSetSummary| {
        s.execution_status().is_some_and(|e| e.as_str() == "AVAILABLE")
    };
    answer.summaries().iter().filter(open).count()
}

#[tokio::test]
async fn an_update_that_dies_after_any_record_is_made_once_and_leaves_no_change_set() {
    for records in 0..5 {
        let bench = bench().await;
        let first = bench.run::<DeployStack>(inputs()).await;
        bench.file("templates/hyperpod-eks.yaml", with_retention(30));
        let how = Try { history: first.records.clone(), records_until_death: Some(records), ..Try::default() };
        let died = bench.attempt::<DeployStack>(inputs(), how).await;
        // Mended once more before it goes on: what the crash left behind is of no use any more.
        let executed = count(&bench, "ExecuteChangeSet");
        bench.file("templates/hyperpod-eks.yaml", with_retention(90));
        let resumed = bench.run_with_history::<DeployStack>(inputs(), &died.records).await;
        resumed.result.unwrap_or_else(|e| panic!("dying after {records} records: {e:?}"));
        assert_eq!(count(&bench, "ExecuteChangeSet"), executed + 1, "dying after {records} records");
        assert_eq!(change_sets(&bench).await, 0, "dying after {records} records");
    }
}

#[tokio::test]
async fn an_update_whose_answers_are_lost_is_made_once() {
    for operation in ["CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet"] {
        let rule = json!({ "service": "cloudformation", "operation": operation, "times": 1, "fault": "lose-answer" });
        let bench = bench_with(json!({ "calls": [rule] }), TEMPLATE).await;
        let first = bench.run::<DeployStack>(inputs()).await;
        bench.file("templates/hyperpod-eks.yaml", with_retention(30));
        let changed = bench.run_with_history::<DeployStack>(inputs(), &first.records).await;
        changed.result.unwrap_or_else(|e| panic!("{operation}: {e:?}"));
        let done = |e: &&hprun_sandbox::Entry| e.status == 200;
        let sent = bench.effects("ExecuteChangeSet");
        assert!(sent.iter().filter(done).count() <= 1, "{operation}: {sent:?}");
        assert_eq!(change_sets(&bench).await, 0, "{operation}");
    }
}

#[tokio::test]
async fn a_secret_that_changes_after_a_crash_is_the_one_that_is_used() {
    let bench = bench().await;
    let with = |secret: &str| {
        let mut inputs = Value::from_json(&inputs());
        if let Value::Map(map) = &mut inputs {
            let parameters = [("Password".to_owned(), Value::Secret(Secret::new("password", secret)))];
            map.insert("parameters".to_owned(), Value::Map(parameters.into_iter().collect()));
        }
        inputs
    };
    let first = bench.attempt_value::<DeployStack>(with("old-secret-1"), Try::default()).await;
    bench.file("templates/hyperpod-eks.yaml", with_retention(30));
    let how = Try { history: first.records.clone(), records_until_death: Some(1), ..Try::default() };
    let died = bench.attempt_value::<DeployStack>(with("old-secret-1"), how).await;
    assert_eq!((count(&bench, "CreateChangeSet"), count(&bench, "ExecuteChangeSet")), (1, 0), "{:?}", died.result);
    let how = Try { history: died.records, ..Try::default() };
    bench.attempt_value::<DeployStack>(with("new-secret-2"), how).await.result.expect("it goes on");
    assert_eq!((count(&bench, "CreateChangeSet"), count(&bench, "ExecuteChangeSet")), (2, 1), "with the new secret");
}

#[tokio::test]
async fn a_deletion_that_gets_stuck_says_what_holds_it_and_goes_on_when_that_is_gone() {
    let template = TEMPLATE.replace(
        "  Gateway:\n    Type: AWS::EC2::InternetGateway\n",
        "  Bucket:\n    Type: AWS::S3::Bucket\n    Properties: { BucketName: held-by-an-object }\n  Gateway:\n    Type: AWS::EC2::InternetGateway\n    DependsOn: Bucket\n",
    );
    let fault = json!({ "kind": "AWS::EC2::InternetGateway", "reason": "no more", "times": 1, "after": "10m" });
    let bench = bench_with(json!({ "resources": [fault] }), &template).await;
    let how = Try { records_until_death: Some(1), ..Try::default() };
    let died = bench.attempt::<DeployStack>(inputs(), how).await;
    bench.advance(std::time::Duration::from_secs(300));
    let s3 = bench.clients.s3();
    let put = s3.put_object().bucket("held-by-an-object").key("kept").body(b"x".to_vec().into());
    put.send().await.expect("the bucket is made before the gateway");
    bench.advance(std::time::Duration::from_secs(3600));
    let stuck = bench.run_with_history::<DeployStack>(inputs(), &died.records).await;
    let error = stuck.result.expect_err("the bucket is not empty");
    assert!(error.message.contains("Bucket (AWS::S3::Bucket)"), "{error:?}");
    assert_eq!(error.causes, ["the stack is in DELETE_FAILED"]);
    let still = bench.run_with_history::<DeployStack>(inputs(), &stuck.records).await;
    assert!(still.result.is_err(), "nothing was mended");
    s3.delete_object().bucket("held-by-an-object").key("kept").send().await.expect("it can be deleted");
    let resumed = bench.run_with_history::<DeployStack>(inputs(), &still.records).await;
    resumed.result.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(bench.clients.cloudformation().describe_stacks().send().await.expect("it answers").stacks().len(), 1);
}

#[tokio::test]
async fn a_wall_clock_that_is_set_again_and_again_changes_nothing_of_a_wait() {
    let mut bench = bench().await;
    let wall = bench.set_wall();
    let sets = async {
        for hours in [1, -1, 24, 0].into_iter().cycle() {
            wall.store(hours * 3_600_000_000, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    };
    let tried = tokio::select! {
        tried = bench.run::<DeployStack>(inputs()) => tried,
        () = sets => unreachable!("it is set for ever"),
    };
    tried.result.expect("it succeeds");
    assert!(bench.passed() < Duration::from_secs(600), "{:?}", bench.passed());
    assert_eq!(count(&bench, "CreateStack"), 1);
}

#[tokio::test]
async fn a_call_that_hangs_does_not_hold_up_a_stop() {
    let rule = json!({ "service": "cloudformation", "operation": "DescribeStacks", "fault": "delay", "delay": "1h" });
    let bench = bench_with(json!({ "calls": [rule] }), TEMPLATE).await;
    let how = Try::default();
    let cancelled = how.cancelled.clone();
    let began = std::time::Instant::now();
    let stop = async {
        while bench.journal().is_empty() && began.elapsed().as_millis() < 500 {
            tokio::task::yield_now().await;
        }
        cancelled.cancel();
    };
    let (stopped, ()) = tokio::join!(bench.attempt::<DeployStack>(inputs(), how), stop);
    assert_eq!(stopped.result.expect_err("it was stopped").class, ErrorClass::Interrupted);
    assert!(began.elapsed().as_secs() < 20, "it did not wait for the call's own time limit");
}

#[tokio::test]
async fn expired_credentials_end_the_attempt_with_the_command_to_log_in_and_nothing_is_lost() {
    let rule = json!({ "service": "cloudformation", "after": 6, "times": 3, "fault": "expired-credentials" });
    let bench = bench_with(json!({ "calls": [rule] }), TEMPLATE).await;
    let ended = bench.run::<DeployStack>(inputs()).await;
    let error = ended.result.expect_err("nobody is logged in");
    assert_eq!(error.class, ErrorClass::Login);
    assert!(error.help.as_deref().is_some_and(|help| help.contains("aws sso login")), "{error:?}");
    for _ in 0..3 {
        drop(bench.clients.cloudformation().describe_stacks().send().await);
    }
    let resumed = bench.run_with_history::<DeployStack>(inputs(), &ended.records).await;
    resumed.result.expect("it goes on");
    assert_eq!(count(&bench, "CreateStack"), 1);
}
