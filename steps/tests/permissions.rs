//! What the step types say that their AWS calls need. That it is enough is held by every other test of this folder: the bench
//! gives a step no more rights than it says.

mod support;

use hprun_steps::STEP_TYPES;
use hprun_steps::create_cluster::CreateCluster;
use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::files::Files;
use hprun_steps::partial::Partial;
use hprun_steps::permissions::Needs;
use hprun_steps::update_kubeconfig::UpdateKubeconfig;
use hprun_steps::upload_lifecycle::UploadLifecycle;
use hprun_steps::value::Value;
use hprun_steps::wait_status::WaitStatus;
use hprun_steps::{Step, StepType};
use serde_json::json;
use support::{Bench, example, surroundings};

/// The types that call nothing of AWS.
const NO_CALLS: [&str; 2] = ["helm-install", "render-config"];

/// Enough of a need to compare: what for, how many actions, on what.
fn lines(needs: &Needs) -> Vec<String> {
    let line = |of: &hprun_steps::permissions::Permission| {
        let resources: Vec<&str> = of.resources.iter().map(String::as_str).collect();
        format!("{} {} {}", of.purpose, of.actions.len(), resources.join(" "))
    };
    needs.permissions.iter().map(line).collect()
}

fn needs<T: Step>(inputs: serde_json::Value, files: &Files) -> Needs {
    T::permissions(&Partial::from_value(&Value::from_json(&inputs)), &surroundings(files))
}

#[test]
fn every_step_type_that_calls_aws_says_what_it_needs() {
    let silent = |of: &&StepType| {
        let list: serde_json::Value = serde_yaml::from_str(of.example).expect("the example is YAML");
        let inputs = Partial::from_value(&Value::from_json(&list[0]["with"]));
        let files = Files::default();
        (of.permissions)(&inputs, &surroundings(&files)).permissions.is_empty()
    };
    let silent: Vec<&str> = STEP_TYPES.iter().filter(silent).map(|of| of.name).collect();
    assert_eq!(silent, NO_CALLS, "write `permissions` for a type that calls AWS; name one that does not in NO_CALLS");
}

#[test]
fn what_the_inputs_name_narrows_the_resources() {
    let none = Files::default();
    assert_eq!(
        lines(&needs::<UpdateKubeconfig>(json!({ "cluster": "ml", "role-arn": "arn:aws:iam::1:role/x" }), &none)),
        [
            "Eks 2 arn:aws:eks:us-west-2:111122223333:access-entry/ml/* arn:aws:eks:us-west-2:111122223333:cluster/ml",
            "TokenRole 1 arn:aws:iam::1:role/x"
        ]
    );
    let upload = json!({ "from": "nowhere", "bucket": "b", "prefix": "/a/b/", "delete-extra": true });
    assert_eq!(
        lines(&needs::<UploadLifecycle>(upload, &none)),
        ["Bucket 2 arn:aws:s3:::b", "Objects 4 arn:aws:s3:::b/a/b/*"]
    );
    assert_eq!(
        lines(&needs::<WaitStatus>(json!({ "stack": "s" }), &none)),
        ["Stack 1 arn:aws:cloudformation:us-west-2:111122223333:stack/s/*"]
    );
    let cluster = needs::<CreateCluster>(example::<CreateCluster>(json!({})), &none);
    let passes = cluster.permissions.iter().find(|of| of.purpose == "PassRoleToSagemaker").expect("roles are passed");
    assert!(passes.resources.iter().eq(["arn:aws:iam::111122223333:role/hyperpod-execution"]), "{passes:?}");
}

#[tokio::test]
async fn a_resource_type_that_is_not_known_is_named_with_its_place_and_nothing_is_guessed() {
    let bench = Bench::new().await;
    bench.file("t.yaml", "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n  Logs: { Type: AWS::Logs::LogGroup }\n");
    let inputs = Value::from_json(&json!({ "name": "s", "template": "t.yaml" }));
    let files = bench.files::<DeployStack>(&inputs);
    let needs = DeployStack::permissions(&Partial::from_value(&inputs), &surroundings(&files));
    let [unknown] = needs.unknown.as_slice() else { panic!("{:?}", needs.unknown) };
    assert_eq!((unknown.logical.as_str(), unknown.kind.as_str()), ("Queue", "AWS::SQS::Queue"));
    assert_eq!((unknown.path.as_str(), unknown.place.start), ("t.yaml", 30));
    let services: Vec<&str> = needs.permissions.iter().map(|of| of.purpose.as_str()).collect();
    assert_eq!(services, ["Stack", "Logs", "Look"]);
}
