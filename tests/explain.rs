//! What a person sees who resumes after an edit: what would be reused, what would run again and why, what cannot be done.
//! Must know nothing of hprun's insides.

use serde_json::{Value, json};

use crate::support::{Desk, End, finish, start, succeed, text, wire};

/// A full deployment without Helm, killed while it waits for the nodes.
fn killed_in_the_cluster_wait() -> Desk {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("nodes are counted", |e| text(&e["progress"]).contains("Creating, nodes"));
    running.kill();
    desk
}

/// `resume --explain` for a person.
fn explained(desk: &Desk, more: &[&str]) -> End {
    let mut command = desk.command(&["resume", "--explain"]);
    command.args(more);
    finish(command)
}

/// The same for a program: verdicts by step.
fn verdicts(desk: &Desk, more: &[&str]) -> Value {
    let mut command = desk.resume(&["--explain"]);
    command.args(more);
    let told: Value = serde_json::from_str(&finish(command).stdout).unwrap();
    let steps = told["steps"].as_array().unwrap().iter();
    steps.map(|step| (text(&step["step"]).to_owned(), step["verdict"].clone())).collect()
}

fn events(desk: &Desk) -> usize {
    desk.events().len()
}

#[test]
fn an_edit_is_explained_before_it_is_done_and_done_as_explained() {
    let desk = killed_in_the_cluster_wait();
    desk.edit("without-helm.yaml", "env: [ACCEL_COUNT, ACCEL_INSTANCE_COUNT]", "env: [ACCEL_COUNT]");
    desk.edit("without-helm.yaml", "default: 1, minimum: 0, env: [ACCEL_COUNT]", "default: 2, minimum: 0");
    let (effects, recorded) = (desk.effects(), events(&desk));
    let end = explained(&desk, &[]);
    let note = "the default of accel_count is now `2`, the run keeps `1`; to change it: --param accel_count=2";
    assert!(end.code == Some(0) && end.stdout.starts_with(note), "{end:?}");
    let end = explained(&desk, &["-p", "accel_count=2"]);
    let path = end.stdout.split("because file ").nth(1).unwrap().split(" changed").next().unwrap();
    insta::assert_snapshot!(end.stdout.replace(path, "[config]"), @r"
    = stack    reused: same inputs, same files, still there
    = infra    reused: same inputs, same files, still there
    = scripts  reused: same inputs, same files, still there
    ~ config   runs again
               because values.accel_count: 1 → 2
    ~ cluster  runs again
               because file [config] changed
               then worker-group-1.InstanceCount: 1 → 2
    + nodes    runs: it was under way when the process ended
    ");
    assert!(end.stderr.contains("nothing was done; to do it: hprun resume "), "{}", end.stderr);
    assert!(end.stderr.trim_end().ends_with("-p accel_count=2"), "{}", end.stderr);
    let told = json!({"stack": "reused", "infra": "reused", "scripts": "reused", "config": "again", "cluster": "again", "nodes": "runs"});
    assert_eq!(verdicts(&desk, &["-p", "accel_count=2"]), told);
    assert_eq!((desk.effects(), events(&desk)), (effects, recorded), "to ask changes nothing and records nothing");

    succeed(desk.resume(&["-p", "accel_count=2"]));
    let nodes = wire::sagemaker(desk.endpoint(), "ListClusterNodes", &json!({"ClusterName": "ml-cluster"}));
    assert_eq!(nodes["ClusterNodeSummaries"].as_array().unwrap().len(), 3);
    let effects = desk.effects();
    assert_eq!(effects["CreateCluster ml-cluster"], 1, "{effects:#?}");
    assert_eq!(effects.iter().filter(|(call, _)| call.starts_with("UpdateCluster ")).map(|(_, n)| n).sum::<usize>(), 1);
}

#[test]
fn a_change_that_aws_cannot_make_is_told_before_anything_is_done() {
    let desk = killed_in_the_cluster_wait();
    let from = "subnet_ids: \"{{ steps.infra.outputs.private_subnet_ids }}\"";
    desk.edit("without-helm.yaml", from, "subnet_ids: [subnet-0123456789abcdef0]");
    let recorded = events(&desk);
    let end = explained(&desk, &[]);
    assert_eq!(end.code, Some(3), "{end:?}");
    for said in
        ["! cluster  refused: the cluster ml-cluster cannot be changed", "VpcConfig: ", "delete the cluster and resume"]
    {
        assert!(end.stdout.contains(said), "{said} is not said:\n{}", end.stdout);
    }
    assert!(end.stderr.contains("the step cluster would be refused; nothing was done"), "{}", end.stderr);
    assert_eq!(events(&desk), recorded);
}

#[test]
fn a_step_that_is_gone_is_named_and_a_mended_script_is_followed_to_the_cluster() {
    let desk = killed_in_the_cluster_wait();
    let file = desk.path("pipelines/without-helm.yaml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let (head, _) = whole.split_once("  - id: nodes").unwrap();
    std::fs::write(&file, head).unwrap();
    desk.edit("lifecycle/base-config/on_create.sh", "set -euo pipefail", "set -euo pipefail # mended");
    let end = explained(&desk, &[]);
    let (told, _) = end.stdout.split_once("~ cluster").unwrap();
    assert!(told.contains("because file lifecycle/base-config/on_create.sh changed"), "{told}");
    assert!(told.contains("/LifecycleScripts/base-config/on_create.sh is uploaded"), "{told}");
    assert!(end.stdout.contains("because lifecycle-digest: "), "{}", end.stdout);
    assert!(end.stdout.contains("? nodes    orphaned: no longer in the pipeline"), "{}", end.stdout);
}

#[test]
fn a_choice_that_cannot_be_is_refused_with_the_right_name() {
    let desk = killed_in_the_cluster_wait();
    let recorded = events(&desk);
    for (more, code, said) in [
        (&["--from", "scrips"][..], 2, "did you mean `scripts`?"),
        (&["--only", "nodes", "--trust", "cluster"], 0, ""),
        (&["--trust", "nodes"], 0, ""),
        (&["--only", "nodes", "--trust", "nodes"], 2, "cannot be taken as done and run again at once"),
        (&["--only", "nodes", "--from", "config"], 2, "cannot be used with"),
    ] {
        let end = explained(&desk, more);
        assert!(end.code == Some(code) && end.stderr.contains(said), "{more:?}: {end:?}");
    }
    assert_eq!(events(&desk), recorded);
}

#[test]
fn one_step_alone_is_run_and_the_run_goes_on_after_it() {
    let desk = killed_in_the_cluster_wait();
    let end = succeed(desk.resume(&["--only", "config"]));
    let begun: Vec<&str> = end.stdout.lines().filter(|line| line.contains("\"attempt-started\"")).collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
    assert!(begun[0].contains("asked for by --only config"), "{begun:?}");
    assert!(end.stdout.contains(r#""outcome":"partial""#), "{}", end.stdout);
    succeed(desk.resume(&[]));
    assert_eq!(desk.outputs()["nodes"]["status"], "InService");
    assert_eq!(desk.effects()["CreateCluster ml-cluster"], 1);
}
