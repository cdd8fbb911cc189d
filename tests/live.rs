//! `hprun check --live` as a process: a fresh world, one with things in the way, and callers who may ask nothing.
//! Must know nothing of hprun's insides.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Desk, End, finish, start, succeed, text, wire};

const FULL: &str = "full-deployment.yaml";
const STACK: &str = "hyperpod-eks-full-stack";

/// A check of a pipeline in the desk's world; findings as JSON on stdout.
fn live(desk: &Desk, file: &str, more: &[&str]) -> Command {
    let world = desk.path("world").display().to_string();
    let mut arguments = vec!["check", "--live", "--sandbox", "--sandbox-world", &world, "--output", "json", file];
    arguments.extend(more);
    desk.command(&arguments)
}

/// Code and severity of each finding.
fn found(end: &End) -> Vec<(String, String)> {
    let list: Value = serde_json::from_str(&end.stdout).unwrap_or_else(|e| panic!("{e}: {end:?}"));
    let findings = list.as_array().unwrap_or_else(|| list["findings"].as_array().unwrap());
    findings.iter().map(|f| (text(&f["code"]).to_owned(), text(&f["severity"]).to_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(code, severity)| ((*code).to_owned(), (*severity).to_owned())).collect()
}

#[test]
fn nothing_stands_in_the_way_in_a_fresh_world_and_nothing_is_changed() {
    let desk = Desk::new();
    let started = Instant::now();
    let end = succeed(desk.command(&["check", "--live", "--sandbox", &desk.shipped(FULL)]));
    assert!(started.elapsed() < Duration::from_secs(5), "all questions together took {:?}", started.elapsed());
    assert!(end.stderr.contains("9 steps, no errors\n"), "{}", end.stderr);
    assert!(end.stderr.contains(": asked 1") && end.stderr.contains("wait for the run"), "{}", end.stderr);
    assert!(!desk.path("state").exists(), "nothing is recorded");
    let desk = Desk::with_sandbox();
    succeed(live(&desk, &desk.shipped(FULL), &[]));
    let journal = desk.journal();
    assert!(journal.len() > 10 && journal.iter().all(|entry| entry["effect"] == false), "{journal:#?}");
}

#[test]
fn what_is_taken_and_what_no_quota_allows_is_told_at_once() {
    let desk = Desk::with_sandbox();
    let template = "%7B%22Resources%22%3A%7B%22A%22%3A%7B%22Type%22%3A%22AWS%3A%3ALogs%3A%3ALogGroup%22%7D%7D%7D";
    let form = format!("Action=CreateStack&Version=2010-05-15&StackName={STACK}&TemplateBody={template}");
    assert_eq!(wire::query(desk.endpoint(), "cloudformation", &form).0, 200);
    desk.faults(&json!({ "quotas": { "ml.g5.12xlarge for cluster usage": 0 } }));
    let params = ["-p", "accel_volume_size=2000", "-p", "availability_zone_id=usw2-az9"];
    let end = finish(live(&desk, &desk.shipped(FULL), &params));
    assert_eq!(end.code, Some(2), "{end:?}");
    let expected = [("HP1033", "error"), ("HP1003", "error"), ("HP1005", "error"), ("HP1007", "error")];
    assert_eq!(found(&end), pairs(&expected));
    assert!(end.stdout.contains("found now; in the run it would fail after about 25 minutes"), "{}", end.stdout);
    // Each points at what a person wrote: the stack's name in the pipeline, the type in the template of the config.
    assert!(
        end.stdout.contains("full-deployment.yaml") && end.stdout.contains("cluster-config.json.hbs"),
        "{}",
        end.stdout
    );
}

#[test]
fn what_a_run_of_hprun_made_is_told_from_what_somebody_else_did() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    succeed(desk.sandboxed(&file, &[]));
    let warned = finish(live(&desk, &file, &[]));
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert_eq!(found(&warned), pairs(&[("HP1033", "warning"), ("HP1032", "warning")]));
    assert!(warned.stdout.contains("hprun resume"), "{}", warned.stdout);
    // Whoever has no record of that run cannot go on with it: a run of theirs would be refused.
    let elsewhere = desk.path("another-state").display().to_string();
    let foreign = finish(live(&desk, &file, &["--state", &elsewhere]));
    assert_eq!(foreign.code, Some(2), "{foreign:?}");
    assert_eq!(found(&foreign), pairs(&[("HP1033", "error"), ("HP1032", "error")]));
    assert!(foreign.stdout.contains("hprun import"), "{}", foreign.stdout);
    // Nor can a run of another pipeline be gone on with for this one.
    let text = std::fs::read_to_string(&file).unwrap();
    let other = desk.write("other.yaml", &text.replacen("\nname: ", "\nname: other-", 1));
    let other = finish(live(&desk, &other, &[]));
    assert_eq!(other.code, Some(2), "{other:?}");
    assert_eq!(found(&other), pairs(&[("HP1033", "error"), ("HP1032", "error")]));
    assert!(!other.stdout.contains("hprun resume"), "{}", other.stdout);
    let cluster = wire::sagemaker(desk.endpoint(), "DescribeCluster", &json!({ "ClusterName": "ml-cluster" }));
    let untag = json!({ "ResourceArn": cluster["ClusterArn"], "TagKeys": ["hprun:run-id", "hprun:step"] });
    wire::sagemaker(desk.endpoint(), "DeleteTags", &untag);
    let taken = finish(live(&desk, &file, &[]));
    assert_eq!(taken.code, Some(2), "{taken:?}");
    assert_eq!(found(&taken), pairs(&[("HP1033", "warning"), ("HP1032", "error")]));
}

#[test]
fn who_may_ask_nothing_gets_warnings_and_who_is_nobody_is_refused() {
    let desk = Desk::with_sandbox();
    let denied = |service: &str| json!({ "service": service, "fault": "access-denied" });
    let services = ["ec2", "iam", "servicequotas", "cloudformation", "sagemaker", "eks", "s3"];
    desk.faults(&json!({ "calls": services.map(denied) }));
    let end = finish(live(&desk, &desk.shipped(FULL), &[]));
    assert_eq!(end.code, Some(0), "{end:?}");
    let all = found(&end);
    assert_eq!(all, pairs(&[("HP1045", "warning")]), "one cause, one finding");
    assert!(end.stdout.contains("questions have no answer, because the caller may not"), "{}", end.stdout);
    assert!(end.stdout.contains("ec2:DescribeRegions"), "{}", end.stdout);
    assert!(end.stderr.contains("without an answer"), "{}", end.stderr);
    desk.faults(&json!({ "calls": [{ "fault": "expired-credentials" }] }));
    let end = finish(live(&desk, &desk.shipped(FULL), &[]));
    assert_eq!(end.code, Some(3), "{end:?}");
}

#[test]
fn a_check_that_is_interrupted_or_refused_says_so_and_leaves_nothing() {
    let desk = Desk::with_sandbox();
    let temporary = desk.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let left = || std::fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let check = |script: &Value| {
        let faults = desk.write("faults.json", &script.to_string());
        let file = desk.shipped(FULL);
        let mut command = desk.command(&["check", "--live", "--sandbox", "--sandbox-faults", &faults, &file]);
        command.env("TMPDIR", &temporary);
        command
    };
    let mut held = start(check(&json!({ "calls": [{ "fault": "hold-answer" }] })));
    let world = held.until("a world", || left().pop().filter(|world| world.join("journal.ndjson").exists()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&world).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700, "what a world holds is its user's own");
    held.interrupt();
    let end = held.finish();
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(end.stderr.contains("interrupted") && end.stderr.contains("nothing was changed"), "{}", end.stderr);
    assert_eq!(left(), [] as [std::path::PathBuf; 0]);
    for _ in 0..5 {
        let mut command = check(&json!({ "calls": [{ "service": "sts", "fault": "expired-credentials" }] }));
        command.args(["--output", "json", "-p", "accel_instance_type=ml.p5.48xlarge"]);
        let end = finish(command);
        assert_eq!(end.code, Some(3), "{end:?}");
        assert!(found(&end).iter().any(|(code, _)| code == "HP0714"), "what is known offline is told: {end:?}");
        assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
    }
    assert_eq!(left(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn a_file_with_errors_is_not_asked_about_and_the_sandbox_is_for_live_questions_only() {
    let desk = Desk::with_sandbox();
    desk.edit(FULL, "type: deploy-stack", "type: deploy-stak");
    let end = finish(live(&desk, &desk.shipped(FULL), &[]));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("AWS was not asked"), "{}", end.stderr);
    assert!(desk.journal().is_empty(), "nothing was asked of AWS");
    desk.edit(FULL, "type: deploy-stak", "type: deploy-stack");
    let file = desk.shipped(FULL);
    let over = finish(desk.command(&["check", "--live", "--sandbox", &file, "--sarif", &file]));
    assert_eq!(over.code, Some(2), "{over:?}");
    let is_told_first = over.stderr.contains("is not written over") && !over.stderr.contains("asked");
    assert!(is_told_first, "where a report has no room nobody waits for answers: {}", over.stderr);
    let nowhere = ["check", "--live", "--sandbox", "--sandbox-world", "nowhere", &desk.shipped(FULL)];
    let end = finish(desk.command(&nowhere));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("there is no world in nowhere") && !desk.path("nowhere").exists(), "{}", end.stderr);
    let end = finish(desk.command(&["check", "--sandbox", &desk.shipped(FULL)]));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(end.stderr.contains("--live"), "{}", end.stderr);
}

/// The params that the other two shipped pipelines must be given.
#[test]
fn the_other_shipped_pipelines_ask_about_the_network_that_they_are_given() {
    let desk = Desk::with_sandbox();
    let given = [
        "-p",
        "eks_cluster_name=none",
        "-p",
        "vpc_id=vpc-0123456789abcdef0",
        "-p",
        "nat_gateway_id=nat-0123456789abcdef0",
    ];
    let given = [&given[..], &["-p", "security_group_id=sg-0123456789abcdef0"]].concat();
    let end = finish(live(&desk, &desk.shipped("integrative-deployment.yaml"), &given));
    assert_eq!(end.code, Some(2), "{end:?}");
    let missing = found(&end).into_iter().filter(|(code, _)| code == "HP1010").count();
    assert_eq!(missing, 3, "VPC, NAT gateway and security group, each once: {}", end.stdout);
    assert!(!found(&end).iter().any(|(code, _)| code == "HP1009"), "{}", end.stdout);
}

#[test]
fn what_a_stack_of_the_run_makes_is_not_asked_about_whether_its_name_is_known_or_not() {
    let desk = Desk::with_sandbox();
    let bucket = "  Bucket: { Type: AWS::S3::Bucket, Properties: { BucketName: team-scripts } }";
    desk.write("stack.yaml", &format!("Resources:\n{bucket}\nOutputs:\n  B: {{ Value: !Ref Bucket }}\n"));
    desk.write("scripts/on_create.sh", "#!/bin/sh\n");
    for bucket in ["\"{{ steps.stack.outputs.B }}\"", "team-scripts"] {
        let upload = format!("{{ from: scripts, bucket: {bucket}, prefix: x }}");
        let eks = "{ cluster: \"{{ steps.stack.outputs.B }}-eks\" }";
        let file = desk.write(
            "p.yaml",
            &format!(
                "apiVersion: hprun/v1\nname: p\naws: {{ region: us-west-2 }}\nsteps:\n  - {{ id: stack, type: deploy-stack, with: {{ name: s, template: stack.yaml }} }}\n  - {{ id: up, type: upload-lifecycle, with: {upload} }}\n  - {{ id: kubeconfig, type: update-kubeconfig, with: {eks} }}\n"
            ),
        );
        let end = succeed(live(&desk, &file, &[]));
        assert_eq!(found(&end), pairs(&[]), "{bucket}");
        assert!(end.stderr.contains("wait for the run"), "{}", end.stderr);
    }
}

#[test]
fn what_an_earlier_run_left_is_asked_about_where_the_step_that_writes_it_may_not() {
    let desk = Desk::with_sandbox();
    let group = "\"InstanceGroupName\": \"g\", \"InstanceType\": \"ml.m5.xlarge\", \"InstanceCount\": 1";
    let role = "\"ExecutionRole\": \"arn:aws:iam::111122223333:role/nodes\"";
    let scripts = "\"LifeCycleConfig\": { \"SourceS3Uri\": \"s3://sagemaker-b/a\", \"OnCreate\": \"a.sh\" }";
    let eks = "{ \"Eks\": { \"ClusterArn\": \"arn:aws:eks:us-west-2:111122223333:cluster/none\" } }";
    let network = "{ \"SecurityGroupIds\": [\"sg-0123456789abcdef0\"], \"Subnets\": [\"subnet-0123456789abcdef0\"] }";
    let groups = format!("[{{ {group}, {role}, {scripts} }}]");
    let request = format!(
        "{{ \"ClusterName\": \"ml\", \"Orchestrator\": {eks}, \"InstanceGroups\": {groups}, \"VpcConfig\": {network} }}"
    );
    desk.write("c.json", &request);
    desk.write("c.json.hbs", &request);
    for (how, expected) in
        [("on-failure: stop", false), ("on-failure: continue", true), ("when: \"{{ params.x }}\"", true)]
    {
        let file = desk.write(
            "p.yaml",
            &format!(
                "apiVersion: hprun/v1\nname: p\naws: {{ region: us-west-2 }}\nparams: {{ x: {{ type: boolean, default: true }} }}\nsteps:\n  - {{ id: render, type: render-config, {how}, with: {{ template: c.json.hbs, format: json, to: ./c.json, values: {{ x: \"{{{{ params.x }}}}\" }} }} }}\n  - {{ id: make, type: create-cluster, with: {{ config: c.json }} }}\n"
            ),
        );
        let end = finish(live(&desk, &file, &[]));
        assert_eq!(end.stdout.contains("no EKS cluster none"), expected, "{how}: {end:?}");
    }
}
