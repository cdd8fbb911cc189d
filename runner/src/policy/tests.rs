use std::collections::BTreeSet;
use std::path::Path;

use hprun_steps::files::Files;
use hprun_steps::permissions::UnknownKind;
use indexmap::IndexMap;

use super::{Home, LARGEST_MANAGED, Policy, Row, Statement, policy};
use crate::params::Params;
use crate::pipeline::{self, KnownParams};
use crate::plan::Plan;

/// The policy of a pipeline whose params have their defaults.
fn of(text: &str, base: &Path) -> Policy {
    let authored = pipeline::read(text).expect("it can be read");
    let defaults = authored.params.iter().filter_map(|(name, spec)| Some((name.clone(), spec.default.clone()?)));
    let values: IndexMap<_, _> = defaults.collect();
    let (specs, known) = (authored.params.clone(), KnownParams { values: values.clone() });
    let load = |inputs: &[_]| Files::load(base, inputs);
    let (pipeline, _) = pipeline::check(authored, hprun_steps::STEP_TYPES, &load, &known).expect("it is sound");
    let plan = Plan::new(pipeline, Params { values, ..Params::default() });
    policy(&plan, &specs, &Home::new(Some("us-west-2"), None), &["/a/secret".to_owned()], &load)
}

fn shipped(name: &str) -> Policy {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("pipelines");
    of(&std::fs::read_to_string(base.join(name)).expect("it is shipped"), &base)
}

#[test]
fn the_policies_of_the_shipped_pipelines_are_these() {
    for name in ["full-deployment", "integrative-deployment", "minimal-deployment"] {
        let policy = shipped(&format!("{name}.yaml"));
        assert!(policy.gaps.is_empty(), "{:?}", policy.gaps);
        insta::assert_snapshot!(name, format!("{:#}", policy.document()));
    }
}

#[test]
fn a_split_policy_holds_the_same_in_documents_that_are_short_enough() {
    let mut policy = shipped("full-deployment.yaml");
    let many = (0..400).map(|n| format!("ec2:DoSomethingOfItsOwn{n}"));
    policy.statements[1].actions.extend(many);
    let documents = policy.documents();
    assert!(documents.len() > 2 && policy.size() > LARGEST_MANAGED);
    let actions = |document: &serde_json::Value| -> usize {
        let statements = document["Statement"].as_array().expect("a list").iter();
        statements.map(|it| it["Action"].as_array().map_or(1, Vec::len)).sum()
    };
    assert!(documents.iter().all(|it| it.to_string().len() <= LARGEST_MANAGED));
    assert_eq!(documents.iter().map(actions).sum::<usize>(), actions(&policy.document()));
}

#[test]
fn a_stack_with_a_role_of_its_own_asks_only_to_hand_it_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("t.yaml"), "Resources:\n  Q: { Type: 'AWS::SQS::Queue' }\n").expect("written");
    let text = |role: &str| {
        format!(
            "apiVersion: hprun/v1\nname: x\nsteps:\n  - id: it\n    type: deploy-stack\n    with:\n      name: s\n      \
             template: t.yaml\n{role}"
        )
    };
    let own = of(&text("      role-arn: arn:aws:iam::111122223333:role/cfn\n"), folder.path());
    assert!(own.gaps.is_empty());
    let passing = own.statements.iter().find(|it| it.actions.contains("iam:PassRole")).expect("it is handed over");
    assert_eq!(passing.conditions[0].values, ["cloudformation.amazonaws.com"]);
    let callers = of(&text(""), folder.path());
    let queue = UnknownKind::Type { logical: "Q".to_owned(), kind: "AWS::SQS::Queue".to_owned() };
    assert_eq!(callers.gaps.iter().map(|gap| gap.what.clone()).collect::<Vec<_>>(), [queue]);
}

/// A template that makes a role, and the actions that its policy allows on other roles than that.
#[track_caller]
fn reaches_other_roles(resource: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let template = format!(
        "Resources:\n  Own: {{ Type: 'AWS::IAM::Role', Properties: {{ RoleName: own, Policies: [], AssumeRolePolicyDocument: \
         {{}} }} }}\n  Other: {resource}\n"
    );
    std::fs::write(folder.path().join("t.yaml"), template).expect("written");
    let steps = "apiVersion: hprun/v1\nname: x\nsteps:\n  - { id: it, type: deploy-stack, with: { name: s, template: t.yaml } }\n";
    let policy = of(steps, folder.path());
    let other = |of: &&Statement| of.resources.iter().any(|it| it.contains(":role/") && !it.ends_with(":role/own"));
    let linked = |action: &&str| *action == "iam:CreateServiceLinkedRole";
    let actions = policy.statements.iter().filter(other).flat_map(|of| of.actions.iter().map(String::as_str));
    let actions: BTreeSet<&str> = actions.filter(|action| !linked(action)).collect();
    assert_eq!(actions, BTreeSet::from_iter(expected.iter().copied()), "{resource}");
    let makes = policy.statements.iter().find(|of| of.actions.contains("iam:CreateRole")).expect("the role is made");
    assert_eq!(makes.resources.iter().collect::<Vec<_>>(), ["arn:aws:iam::*:role/own"]);
    assert!(makes.actions.contains("iam:DeleteRole") && makes.actions.contains("iam:UpdateAssumeRolePolicy"));
    // What is told of it says the same: each ARN with those that need it, and with no others.
    let rows = policy.rows();
    let of_own = |row: &&Row<'_>| row.needed_by.contains("Own") && row.action.starts_with("iam:");
    let of_own = rows.iter().filter(of_own).flat_map(|row| &row.resources);
    assert_eq!(BTreeSet::from_iter(of_own), BTreeSet::from([&"arn:aws:iam::*:role/own"]));
}

#[test]
fn a_role_from_elsewhere_is_only_read_and_passed_though_the_template_makes_another() {
    let reads = ["iam:GetRole", "iam:ListAttachedRolePolicies", "iam:PassRole"];
    for role in [
        "!ImportValue rolearn",
        "'arn:aws:iam::111122223333:role/admin'",
        "!Sub 'arn:aws:iam::${AWS::AccountId}:role/x'",
    ] {
        reaches_other_roles(
            &format!("{{ Type: 'AWS::EKS::Cluster', Properties: {{ Name: c, RoleArn: {role} }} }}"),
            &reads,
        );
    }
    reaches_other_roles(
        "{ Type: 'AWS::IAM::RolePolicy', Properties: { PolicyName: p, RoleName: another, PolicyDocument: {} } }",
        &["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
    );
}

/// Where the policy of a stack with this resource allows the action, without what all ARNs there begin with.
#[track_caller]
fn allows(resource: &str, action: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let conditions = "Conditions: { Never: !Equals [a, b] }\n";
    let template = format!("{conditions}Resources:\n  It: {resource}\n");
    std::fs::write(folder.path().join("t.yaml"), template).expect("written");
    let steps = "apiVersion: hprun/v1\nname: x\nsteps:\n  - { id: it, type: deploy-stack, with: { name: s, template: t.yaml } }\n";
    let policy = of(steps, folder.path());
    assert!(policy.statements.iter().all(|of| !of.resources.is_empty()), "{resource}");
    let there = policy.statements.iter().filter(|of| of.actions.contains(action));
    let there: Vec<&str> = there.flat_map(|of| of.resources.iter().map(String::as_str)).collect();
    let there: Vec<&str> = there.iter().map(|arn| arn.strip_prefix("arn:aws:").unwrap_or(arn)).collect();
    assert_eq!(there, expected, "{action} of {resource}");
}

#[test]
fn a_function_asks_for_its_package_layers_and_network_only_if_it_has_them() {
    let of = |more: &str| format!("{{ Type: 'AWS::Lambda::Function', Properties: {{ FunctionName: f{more} }} }}");
    let package = of(", Code: { S3Bucket: b, S3Key: a/f.zip }");
    allows(&package, "s3:GetObject", &["s3:::b/a/f.zip"]);
    allows(&package, "s3:GetObjectVersion", &[]);
    let versioned = of(", Code: { S3Bucket: b, S3Key: /f.zip, S3ObjectVersion: '1' }");
    allows(&versioned, "s3:GetObjectVersion", &["s3:::b//f.zip"]);
    allows(&of(", Code: { S3Bucket: !ImportValue b, S3Key: f.zip }"), "s3:GetObject", &["s3:::*/f.zip"]);
    allows(&of(", Code: { S3Bucket: !Sub 'a-${AWS::Region}', S3Key: k }"), "s3:GetObject", &["s3:::a-us-west-2/k"]);
    let inline =
        of(", Code: { ZipFile: 'x', S3Bucket: !If [Never, b, !Ref 'AWS::NoValue'] }, Layers: !Ref 'AWS::NoValue'");
    for action in ["s3:GetObject", "lambda:GetLayerVersion", "ec2:DescribeVpcs", "iam:PassRole"] {
        allows(&inline, action, &[]);
    }
    allows(&inline, "lambda:CreateFunction", &["lambda:us-west-2:*:function:f"]);
    let layer = "arn:aws:lambda:us-west-2:111122223333:layer:l:3";
    let layered = of(&format!(", Layers: ['{layer}']"));
    allows(&layered, "lambda:GetLayerVersion", &["lambda:us-west-2:111122223333:layer:l:3"]);
    allows(&of(", Layers: [!ImportValue l]"), "lambda:GetLayerVersion", &["lambda:us-west-2:*:layer:*"]);
    allows(&of(", VpcConfig: { SubnetIds: [subnet-1] }"), "ec2:DescribeVpcs", &["*"]);
}

#[test]
fn rights_hang_on_the_property_that_asks_for_them() {
    let of = |kind: &str, more: &str| format!("{{ Type: 'AWS::{kind}', Properties: {{ {more} }} }}");
    let eks = |more: &str| of("EKS::Cluster", &format!("Name: c{more}"));
    let sealed =
        |key: &str| eks(&format!(", EncryptionConfig: [{{ Resources: [secrets], Provider: {{ KeyArn: {key} }} }}]"));
    allows(&eks(""), "kms:CreateGrant", &[]);
    let key = "arn:aws:kms:us-west-2:111122223333:key/k";
    allows(&sealed(key), "kms:CreateGrant", &["kms:us-west-2:111122223333:key/k"]);
    for unsure in ["'arn:aws:kms:us-west-2:111122223333:alias/a'", "alias/a", "!ImportValue k"] {
        allows(&sealed(unsure), "kms:CreateGrant", &["kms:us-west-2:*:key/*"]);
    }
    allows(&eks(""), "eks:UpdateClusterVersion", &[]);
    allows(&eks(""), "iam:PassRole", &[]);
    allows(&eks(", Version: '1.33'"), "eks:UpdateClusterVersion", &["eks:us-west-2:*:cluster/c"]);
    let addon = "ClusterName: c, AddonName: a";
    allows(&of("EKS::Addon", addon), "eks:CreatePodIdentityAssociation", &[]);
    let identities = format!("{addon}, PodIdentityAssociations: [{{ RoleArn: 'arn:aws:iam::111122223333:role/r' }}]");
    allows(&of("EKS::Addon", &identities), "iam:PassRole", &["iam::111122223333:role/r"]);
    // What it is made in is not tagged.
    allows(&of("EKS::Addon", addon), "eks:TagResource", &["eks:us-west-2:*:addon/c/a/*"]);
    allows(&of("EC2::Subnet", "VpcId: vpc-1"), "ec2:DeleteTags", &["ec2:us-west-2:*:subnet/*"]);
    allows(&of("EC2::VPCGatewayAttachment", "VpcId: v, VpnGatewayId: g"), "ec2:AttachInternetGateway", &[]);
    let policy = |more: &str| of("IAM::Policy", &format!("PolicyName: p, {more}"));
    allows(&policy("Users: [u]"), "iam:PutRolePolicy", &[]);
    allows(&policy("Users: [u]"), "iam:PutUserPolicy", &["iam::*:user/*/u", "iam::*:user/u"]);
    allows(
        &of("IAM::ManagedPolicy", "Groups: [g]"),
        "iam:AttachGroupPolicy",
        &["iam::*:group/*/g", "iam::*:group/g", "iam::*:policy/s*"],
    );
    allows(&of("KMS::Key", "KeyPolicy: {}"), "kms:DisableKey", &[]);
    let function = "FunctionName: 'arn:aws:lambda:us-west-2:111122223333:function:f', Action: a, Principal: p";
    allows(&of("Lambda::Permission", function), "lambda:AddPermission", &["lambda:us-west-2:111122223333:function:f"]);
    let none = "!If [Never, x, !Ref 'AWS::NoValue']";
    allows(&of("Lambda::Function", &format!("FunctionName: f, Role: {none}")), "iam:PassRole", &[]);
}

#[test]
fn what_is_told_of_a_template_names_for_each_action_what_it_touches_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let template = "Resources:
  A: { Type: 'AWS::EC2::Subnet', Properties: { VpcId: vpc-1 } }
  B: { Type: 'AWS::EC2::RouteTable', Properties: { VpcId: vpc-1 } }
  C: { Type: 'AWS::EKS::Addon', Properties: { ClusterName: c, AddonName: a } }
";
    std::fs::write(folder.path().join("t.yaml"), template).expect("written");
    let steps = "apiVersion: hprun/v1\nname: x\nsteps:\n  - { id: it, type: deploy-stack, with: { name: s, template: t.yaml } }\n";
    let policy = of(steps, folder.path());
    let told = |action: &str| -> Vec<String> {
        let rows = policy.rows().into_iter().filter(|row| row.action == action);
        let line = |row: Row<'_>| {
            let (by, on) = (Vec::from_iter(row.needed_by).join(","), Vec::from_iter(row.resources).join(","));
            format!("{by} {}", on.replace("arn:aws:", "").replace("us-west-2:*:", ""))
        };
        rows.map(line).collect()
    };
    for (action, expected) in [
        ("ec2:CreateSubnet", &["A ec2:subnet/*,ec2:vpc/vpc-1"][..]),
        ("ec2:DeleteSubnet", &["A ec2:subnet/*"]),
        ("ec2:CreateTags", &["B ec2:route-table/*", "A ec2:subnet/*"]),
        ("ec2:DescribeSubnets", &["A *"]),
        ("eks:CreateAddon", &["C eks:addon/c/a/*,eks:cluster/c"]),
        ("eks:DeleteAddon", &["C eks:addon/c/a/*"]),
    ] {
        assert_eq!(told(action), expected, "{action}");
    }
}

#[test]
fn the_partition_is_that_of_the_region_as_everywhere_else() {
    for (region, partition) in [
        (None, "aws"),
        (Some("us-west-2"), "aws"),
        (Some("cn-north-1"), "aws-cn"),
        (Some("us-gov-west-1"), "aws-us-gov"),
        (Some("us-isob-east-1"), "aws-iso-b"),
        (Some("eusc-de-east-1"), "aws-eusc"),
    ] {
        assert_eq!(Home::new(region, None).partition, partition, "{region:?}");
    }
}

#[test]
fn a_request_that_is_named_by_its_path_is_known_as_well_as_by_the_output() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join("pipelines");
    let text = std::fs::read_to_string(base.join("full-deployment.yaml")).expect("it is shipped");
    let output = "config: \"{{ steps.config.outputs.path }}\"";
    assert!(text.contains(output));
    let by_path = text.replace(output, "config: out/cluster.json").replace(
        "      format: json\n      schema: create-cluster\n",
        "      to: out/cluster.json\n      format: json\n      schema: create-cluster\n",
    );
    assert_eq!(of(&by_path, &base).statements, of(&text, &base).statements);
}

/// Steps that write the request of a cluster, each with `more` and for a role of its own, and those that read it: the roles
/// that the policy allows to pass, and the buckets that it allows to look into.
#[track_caller]
fn passes(writers: &[(&str, &str)], there: Option<&str>, expected: &[&str]) {
    let request = |name: &str| {
        format!(
            "{{ \"ClusterName\": \"{name}\", \"Orchestrator\": {{ \"Eks\": {{ \"ClusterArn\": \
             \"arn:aws:eks:us-west-2:111122223333:cluster/{name}\" }} }}, \"InstanceGroups\": [{{ \"InstanceGroupName\": \"g\", \
             \"InstanceType\": \"ml.m5.xlarge\", \"InstanceCount\": 1, \"ExecutionRole\": \
             \"arn:aws:iam::111122223333:role/{name}\", \"LifeCycleConfig\": {{ \"SourceS3Uri\": \
             \"s3://sagemaker-{name}/a\", \"OnCreate\": \"on_create.sh\" }} }}], \"VpcConfig\": {{ \"SecurityGroupIds\": \
             [\"sg-0123456789abcdef0\"], \"Subnets\": [\"subnet-0123456789abcdef0\"] }} }}"
        )
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    put("t.hbs", &request("{{role}}"));
    there.iter().for_each(|role| put("c.json", &request(role)));
    let writer = |(role, more): &(&str, &str)| {
        format!(
            "  - {{ id: {role}, type: render-config, {more}, schema: create-cluster, format: json, template: t.hbs, values: {{ \
             role: {role} }} }} }}\n"
        )
    };
    let text = format!(
        "apiVersion: hprun/v1\nname: x\nparams: {{ big: {{ type: boolean, default: false }} }}\nsteps:\n{}  \
         - {{ id: look, type: preflight, with: {{ config: c.json }} }}\n  \
         - {{ id: make, type: create-cluster, with: {{ config: ./c.json }} }}\n",
        writers.iter().map(writer).collect::<String>()
    );
    let policy = of(&text, folder.path());
    let on = |action: &str, beginning: &str| -> BTreeSet<String> {
        let of = policy.statements.iter().filter(|of| of.actions.contains(action));
        of.flat_map(|of| &of.resources).filter_map(|arn| arn.strip_prefix(beginning)).map(str::to_owned).collect()
    };
    let expected: BTreeSet<String> = expected.iter().map(|role| (*role).to_owned()).collect();
    assert_eq!(on("iam:PassRole", "arn:aws:iam::111122223333:role/"), expected, "{text}");
    assert_eq!(on("s3:ListBucket", "arn:aws:s3:::sagemaker-"), expected, "{text}");
    assert_eq!(on("eks:CreateAccessEntry", "arn:aws:eks:us-west-2:111122223333:cluster/"), expected, "{text}");
    let anything = |arn: &String| arn == "arn:aws:iam::*:role/*" || arn == "arn:aws:s3:::*";
    assert!(
        !policy.statements.iter().any(|of| of.actions.contains("iam:PassRole") && of.resources.iter().any(anything))
    );
}

#[test]
fn a_request_that_any_of_several_steps_may_write_needs_what_each_of_them_would() {
    let small = ("small", r#"when: "{{ not params.big }}", with: { to: c.json"#);
    let big = ("big", r#"when: "{{ params.big }}", with: { to: ./c.json"#);
    passes(&[small, big], None, &["small", "big"]);
    // A file of before is read if neither writes, but not after a step that surely does.
    passes(&[small, big], Some("old"), &["small", "big", "old"]);
    passes(&[big], Some("old"), &["big", "old"]);
    passes(&[("sure", "with: { to: ./x/../c.json")], Some("old"), &["sure"]);
    passes(&[("tried", "on-failure: continue, with: { to: c.json")], Some("old"), &["tried", "old"]);
    passes(&[], Some("old"), &["old"]);
}
