//! What the step types say that their AWS calls need. That it is enough is held by every other test of this folder: the bench
//! gives a step no more rights than it says.

mod support;

use hprun_steps::STEP_TYPES;
use hprun_steps::create_cluster::CreateCluster;
use hprun_steps::deploy_stack::DeployStack;
use hprun_steps::files::Files;
use hprun_steps::partial::Partial;
use hprun_steps::permissions::{Needs, UnknownKind};
use hprun_steps::preflight::Preflight;
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

#[test]
fn preflight_may_look_only_at_the_buckets_that_it_is_given() {
    let none = Files::default();
    let group = |uri: &str| json!({ "InstanceGroups": [{ "LifeCycleConfig": { "SourceS3Uri": uri } }] });
    for (inputs, buckets) in [
        (json!({ "stack": "s" }), None),
        (json!({ "cluster": { "InstanceGroups": [{ "InstanceCount": 1 }] } }), None),
        (json!({ "bucket": "b" }), Some("arn:aws:s3:::b")),
        (json!({ "bucket": "b", "cluster": group("s3://c/scripts") }), Some("arn:aws:s3:::b arn:aws:s3:::c")),
        (json!({ "cluster": group("https://c.s3.us-west-2.amazonaws.com/x") }), Some("arn:aws:s3:::c")),
        (json!({ "cluster": group("s3://c-*/x") }), Some("arn:aws:s3:::c-*")),
        (json!({ "cluster": group("*") }), Some("arn:aws:s3:::*")),
        (json!({ "cluster": { "InstanceGroups": "*" } }), Some("arn:aws:s3:::*")),
        (json!({ "config": "not-there-yet.json" }), Some("arn:aws:s3:::*")),
    ] {
        let needs = needs::<Preflight>(inputs.clone(), &none);
        let of_s3: Vec<&hprun_steps::permissions::Permission> =
            needs.permissions.iter().filter(|of| of.actions.iter().any(|action| action.starts_with("s3:"))).collect();
        let said = of_s3.iter().map(|of| Vec::from_iter(of.resources.iter().cloned()).join(" "));
        assert_eq!(said.collect::<Vec<_>>(), Vec::from_iter(buckets), "{inputs}");
        assert!(of_s3.iter().all(|of| of.actions.iter().eq(["s3:ListBucket"])), "{inputs}");
    }
}

#[tokio::test]
async fn a_resource_type_that_is_not_known_is_named_with_its_place_and_nothing_is_guessed() {
    let bench = Bench::new().await;
    bench.file("t.yaml", "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n  Logs: { Type: AWS::Logs::LogGroup }\n");
    let inputs = Value::from_json(&json!({ "name": "s", "template": "t.yaml" }));
    let files = bench.files::<DeployStack>(&inputs);
    let needs = DeployStack::permissions(&Partial::from_value(&inputs), &surroundings(&files));
    let [unknown] = needs.unknown.as_slice() else { panic!("{:?}", needs.unknown) };
    let (logical, kind) = ("Queue".to_owned(), "AWS::SQS::Queue".to_owned());
    assert_eq!(unknown.what, UnknownKind::Type { logical, kind });
    assert_eq!((unknown.path.as_str(), unknown.place.start), ("t.yaml", 30));
    let services: Vec<&str> = needs.permissions.iter().map(|of| of.purpose.as_str()).collect();
    assert_eq!(services, ["Stack", "Logs", "Look"]);
}

const NAMES: &str = r#"
Parameters:
  Prefix: { Type: String, Default: p }
  Looked: { Type: String, Default: "{{resolve:ssm:/looked:1}}" }
  Public: { Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ami/x }
  Own: { Type: "AWS::SSM::Parameter::Value<String>", Default: "/team/ami:3" }
  Either: { Type: "AWS::SSM::Parameter::Value<String>" }
Resources:
  Group: { Type: "AWS::Logs::LogGroup", Properties: { LogGroupName: !Sub "/x/${Prefix}" } }
  Given: { Type: "AWS::SSM::Parameter", Properties: { Name: /a/b, Type: String, Value: v } }
  Made: { Type: "AWS::SSM::Parameter", Properties: { Type: String, Value: "{{resolve:secretsmanager:db:SecretString:k}}" } }
  Cluster: { Type: "AWS::EKS::Cluster", Properties: { RoleArn: !GetAtt Role.Arn, ResourcesVpcConfig: {} } }
  Role: { Type: "AWS::IAM::Role", Properties: { Path: /team/, RoleName: !Sub "${Prefix}-role", AssumeRolePolicyDocument: {} } }
  Profile: { Type: "AWS::IAM::InstanceProfile", Properties: { InstanceProfileName: i, Roles: [!Ref Role] } }
  Foreign: { Type: "AWS::IAM::InstanceProfile", Properties: { InstanceProfileName: f, Roles: [foreign] } }
  Inline: { Type: "AWS::IAM::Policy", Properties: { PolicyName: n, PolicyDocument: {}, Roles: [!Ref Role] } }
  Nest: { Type: "AWS::CloudFormation::Stack", Properties: { TemplateURL: "https://s3.amazonaws.com/b/n.yaml" } }
  Call: { Type: "Custom::Thing", Properties: { ServiceToken: arn:aws:lambda:us-west-2:111122223333:function:f } }
  Other: { Type: "Custom::Thing", Properties: { ServiceToken: !ImportValue token } }
  Odd: { Type: "AWS::Logs::LogGroup", Properties: { LogGroupName: g, KmsKeyId: "{{resolve:vault:x}}" } }
"#;

#[tokio::test]
async fn what_a_resource_needs_is_on_the_names_that_cloudformation_gives_it() {
    let bench = Bench::new().await;
    bench.file("t.yaml", NAMES);
    let inputs = Value::from_json(&json!({ "name": "st", "template": "t.yaml" }));
    let files = bench.files::<DeployStack>(&inputs);
    let needs = DeployStack::permissions(&Partial::from_value(&inputs), &surroundings(&files));
    let asked = |by: &str, action: &str| -> Vec<String> {
        let of =
            needs.permissions.iter().filter(|of| of.needed_by.as_deref() == Some(by) && of.actions.contains(action));
        let resources = of.flat_map(|of| &of.resources).map(|arn| arn.replace("us-west-2:111122223333:", ""));
        resources.map(|arn| arn.replace("arn:aws:", "").replace("111122223333:", "")).collect()
    };
    for (by, action, on) in [
        ("Group", "logs:CreateLogGroup", &["logs:log-group:/x/p", "logs:log-group:/x/p:*"][..]),
        ("Given", "ssm:PutParameter", &["ssm:parameter/a/b"]),
        ("Made", "ssm:PutParameter", &["ssm:parameter/CFN-Made*"]),
        ("Made", "secretsmanager:GetSecretValue", &["secretsmanager:secret:db-*"]),
        ("Looked", "ssm:GetParameters", &["ssm:parameter/looked"]),
        ("Public", "ssm:GetParameters", &["ssm:us-west-2::parameter/aws/service/ami/x"]),
        ("Own", "ssm:GetParameters", &["ssm:parameter/team/ami"]),
        ("Either", "ssm:GetParameters", &["ssm:parameter/*", "ssm:us-west-2::parameter/aws/service/*"]),
        ("Cluster", "eks:CreateCluster", &["eks:cluster/Cluster-*", "eks:cluster/st*"]),
        ("Profile", "iam:PassRole", &["iam::role/team/p-role"]),
        ("Foreign", "iam:PassRole", &["iam::role/*/foreign", "iam::role/foreign"]),
        ("Inline", "iam:PutRolePolicy", &["iam::role/team/p-role"]),
        ("Nest", "s3:GetObject", &["s3:::b/n.yaml"]),
        ("Call", "lambda:InvokeFunction", &["lambda:function:f"]),
    ] {
        assert_eq!(asked(by, action), on, "{by} {action}");
    }
    let unknown: Vec<&UnknownKind> = needs.unknown.iter().map(|of| &of.what).collect();
    let vault = UnknownKind::Reference { logical: "Odd".to_owned(), service: "vault".to_owned() };
    let (nest, other) = (UnknownKind::Inside("Nest".to_owned()), UnknownKind::Custom("Other".to_owned()));
    assert_eq!(unknown, [&nest, &other, &vault]);
}
