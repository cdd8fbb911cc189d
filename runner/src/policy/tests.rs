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
