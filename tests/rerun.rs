//! A rerun runs every step again and makes nothing twice: what the old run made is the new one's, by the record alone.
//! Must know nothing of hprun's insides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::endings::{ALL_WELL, another_account, assert_says, cluster, little, unfinished};
use crate::killed::kill_with_helm_pending_install;
use crate::support::{Desk, Running, finish, is_event, start, succeed, text};

/// What had an effect since `before`, but for the change sets that only ask CloudFormation whether anything differs.
pub fn new_effects(desk: &Desk, before: &BTreeMap<String, usize>) -> Vec<String> {
    let new = |(call, times): (String, usize)| {
        let more = times - before.get(&call).unwrap_or(&0);
        (more > 0 && !call.contains("eateChangeSet") && !call.contains("leteChangeSet"))
            .then(|| format!("{more} {call}"))
    };
    desk.effects().into_iter().filter_map(new).collect()
}

/// The steps of the newest run with a try in it.
fn tried(desk: &Desk) -> BTreeSet<String> {
    let begun = desk.events().into_iter().filter(|event| event["event"] == "attempt-started");
    begun.map(|event| text(&event["step"]).to_owned()).collect()
}

pub fn state_of(desk: &Desk, run: &str) -> String {
    let rows = succeed(desk.command(&["runs", "--output", "json"])).stdout;
    let mut rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    text(&rows.find(|row| row["run"] == run).unwrap()["state"]).to_owned()
}

#[test]
fn a_rerun_of_an_unchanged_pipeline_runs_every_step_and_makes_nothing() {
    let desk = Desk::with_sandbox();
    succeed(desk.sandboxed(&desk.without_helm(), &[]));
    let (first, before, steps) = (desk.newest(), desk.effects(), tried(&desk));
    for _ in 0..2 {
        succeed(desk.rerun(&[]));
        assert_eq!(tried(&desk), steps, "every step runs again");
    }
    assert_eq!(new_effects(&desk, &before), [""; 0]);
    assert_eq!(cluster(&desk), ALL_WELL);
    let newest = desk.newest();
    let lineage = desk.events()[0]["lineage"].clone();
    assert_eq!((lineage[0].as_str(), lineage.as_array().map(Vec::len)), (Some(&*first), Some(2)));
    assert_eq!(state_of(&desk, &first), "handed over");
    let second = text(&lineage[1]);
    for command in ["resume", "rerun"] {
        let end = finish(desk.command(&[command, &first]));
        assert_says(&end, 3, &[&format!("what the run {first} made is the run {second}'s now")]);
        assert_says(&end, 3, &[&format!("hprun {command} {newest}")]);
    }
    // What the steps recorded is known to the rerun as its own, so a step can be asked for again.
    succeed(desk.resume(&[&newest, "--from", "scripts"]));
    assert_eq!(new_effects(&desk, &before), [""; 0]);
    let shown = succeed(desk.command(&["show", &newest])).stdout;
    assert!(shown.contains(&format!("a rerun of {second}: what that run made is this run's now")), "{shown}");
}

#[test]
fn a_rerun_with_one_node_more_updates_the_cluster_once() {
    let desk = Desk::with_sandbox();
    succeed(desk.sandboxed(&desk.without_helm(), &[]));
    let before = desk.effects();
    succeed(desk.rerun(&["-p", "gen_count=2"]));
    assert_eq!(new_effects(&desk, &before), ["1 UpdateCluster ml-cluster"]);
    assert_eq!(cluster(&desk).len(), ALL_WELL.len() + 1);
    // The param is the rerun's from now on.
    succeed(desk.rerun(&[]));
    assert_eq!(new_effects(&desk, &before), ["1 UpdateCluster ml-cluster"]);
}

#[test]
fn a_rerun_writes_over_the_scripts_that_the_old_run_uploaded() {
    let desk = Desk::with_sandbox();
    succeed(desk.sandboxed(&desk.without_helm(), &[]));
    let before = desk.effects();
    desk.edit("lifecycle/base-config/on_create.sh", "set -euo pipefail", "set -eu -o pipefail");
    succeed(desk.rerun(&[]));
    let new = new_effects(&desk, &before);
    assert!(matches!(&new[..], [one] if one.starts_with("1 PutObject ") && one.contains("on_create.sh")), "{new:#?}");
}

/// Kills a run at the moment that `wait` waits for, reruns it, and looks that the whole was made once.
fn rerun_after_a_kill(faults: &Value, wait: impl FnOnce(&Desk, &mut Running)) {
    let desk = Desk::with_sandbox();
    desk.faults(faults);
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    wait(&desk, &mut running);
    running.kill();
    desk.faults(&json!({}));
    succeed(desk.rerun(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
    let made = new_effects(&desk, &BTreeMap::new());
    let twice: Vec<&String> = made.iter().filter(|call| !call.starts_with("1 ")).collect();
    assert_eq!(twice, [""; 0], "{made:#?}");
}

#[test]
fn a_rerun_finds_the_stack_that_a_killed_run_was_making() {
    rerun_after_a_kill(&json!({}), |_, running| {
        running.until_event("resources are counted", |e| text(&e["progress"]).contains(" resources, now "));
    });
}

#[test]
fn a_rerun_knows_the_call_whose_answer_a_killed_run_never_got() {
    for operation in ["CreateStack", "CreateCluster", "PutObject"] {
        let held = json!({"calls": [{"operation": operation, "fault": "hold-answer"}]});
        let was_sent = |entry: &Value| entry["operation"] == operation && !entry["fault"].is_null();
        rerun_after_a_kill(&held, |desk, running| {
            running.until(operation, || desk.journal().iter().any(was_sent).then_some(()));
        });
    }
}

#[test]
fn a_rerun_takes_over_the_cluster_that_a_killed_run_waited_for() {
    rerun_after_a_kill(&json!({}), |_, running| {
        running.until_event("nodes are counted", |e| text(&e["progress"]).contains("Creating, nodes"));
    });
}

#[test]
fn a_run_that_was_handed_over_is_not_in_the_way_of_another() {
    let desk = Desk::with_sandbox();
    let file = unfinished(&desk);
    let first = desk.newest();
    assert_eq!(finish(desk.rerun(&[])).code, Some(1), "it fails as the first did");
    let second = desk.newest();
    assert_ne!(first, second);
    let end = finish(desk.sandboxed(&file, &[]));
    assert_says(&end, 3, &[&format!("run {second} of little is not finished here")]);
    let step = "  - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } } }\n";
    desk.edit("little.yaml", step, "");
    succeed(desk.resume(&[]));
    assert_eq!(desk.newest(), second, "the bare resume takes the one that is left");
    assert_eq!(finish(desk.resume(&[])).code, Some(2), "nothing is left to resume");
    succeed(desk.sandboxed(&file, &[]));
}

#[test]
fn a_step_of_a_rerun_that_is_trusted_hands_on_what_it_did_in_the_old_run() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    let reader = "  - { id: reader, type: render-config, with: { template: r.txt.hbs, format: text, values: { p: \"{{ steps.hello.outputs.path }}\" } } }\n";
    let with_reader = std::fs::read_to_string(&file).unwrap() + reader;
    let file = desk.write("little.yaml", &with_reader);
    desk.write("r.txt.hbs", "{{ p }}\n");
    succeed(desk.sandboxed(&file, &[]));
    let path = desk.outputs()["hello"]["path"].clone();
    desk.write("little.txt.hbs", "{{ nobody }}\n");
    assert_eq!(finish(desk.rerun(&[])).code, Some(2), "the check finds it before anything is begun");
    assert_eq!(desk.outputs()["hello"]["path"], path, "so no run was begun");
    desk.write("little.txt.hbs", "hello {{ name }}\n");
    desk.edit("little.yaml", "format: text, values: { name", "format: text, to: /dev/null/no, values: { name");
    assert_eq!(finish(desk.rerun(&[])).code, Some(1));
    succeed(desk.resume(&["--trust", "hello"]));
    let rendered = desk.outputs()["reader"]["path"].clone();
    assert_eq!(std::fs::read_to_string(text(&rendered)).unwrap().trim(), text(&path));
}

#[test]
fn a_rerun_on_an_account_asks_as_run_does_and_stays_in_it() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    let as_real = |arguments: &[&str], endpoint: &str| {
        let mut command = desk.command(arguments);
        command.envs(desk.environment().iter().cloned()).env("AWS_ENDPOINT_URL", endpoint);
        finish(command)
    };
    assert_eq!(as_real(&["run", "--yes", &file], desk.endpoint()).code, Some(0));
    let first = desk.newest();
    let end = as_real(&["rerun"], desk.endpoint());
    assert_says(&end, 3, &["nothing was done: this would change account 111122223333", "--yes"]);
    let end = as_real(&["rerun", "--yes"], &another_account());
    assert_says(&end, 3, &["the run began in account 111122223333, and these credentials lead to 999988887777"]);
    let end = as_real(&["rerun", "--yes", "-p", "region=eu-west-1"], desk.endpoint());
    assert_says(&end, 3, &["the run began in region us-west-2"]);
    assert_eq!((desk.newest(), state_of(&desk, &first).as_str()), (first.clone(), "done"), "nothing was begun");
    assert_eq!(as_real(&["rerun", "--yes"], desk.endpoint()).code, Some(0));
    assert_eq!(state_of(&desk, &first), "handed over");
}

#[test]
fn a_rerun_of_a_run_that_goes_on_is_refused() {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("the stack step", |e| is_event(e, "attempt-started", "stack"));
    assert_says(&finish(desk.rerun(&[])), 3, &[&format!("is held by process {}", running.pid())]);
    running.kill();
}

#[test]
fn a_rerun_of_the_full_deployment_leaves_the_release_alone_until_its_values_change() {
    let desk = Desk::with_sandbox();
    succeed(desk.sandboxed(&desk.shipped("full-deployment.yaml"), &[]));
    let before = desk.effects();
    let revision = |desk: &Desk| {
        let charts = &desk.outputs()["charts"];
        assert_eq!((text(&charts["release"]), text(&charts["status"])), ("hyperpod-dependencies", "deployed"));
        charts["revision"].as_i64().unwrap()
    };
    for _ in 0..2 {
        succeed(desk.rerun(&[]));
        assert_eq!(new_effects(&desk, &before), [""; 0]);
        assert_eq!(revision(&desk), 1);
    }
    assert_eq!(cluster(&desk), ALL_WELL);
    desk.edit(
        "full-deployment.yaml",
        "release: hyperpod-dependencies",
        "release: hyperpod-dependencies\n      set: [a.b=c]",
    );
    succeed(desk.rerun(&[]));
    assert_eq!(revision(&desk), 2, "an upgrade of what the first of four runs made");
}

/// The new run and the end of the old one are one commit.
#[test]
fn a_crash_while_things_are_handed_over_leaves_both_runs_as_they_were_or_both_as_they_will_be() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    succeed(desk.sandboxed(&file, &[]));
    let first = desk.newest();
    let killed_at = |point: &str| {
        let mut command = desk.rerun(&[]);
        command.env("HPRUN_KILL_POINT", point);
        assert_eq!(finish(command).code, None, "it is killed there: {point}");
    };
    killed_at("1:before commit handed-over");
    assert_eq!((desk.newest(), state_of(&desk, &first).as_str()), (first.clone(), "done"));
    killed_at("1:after commit handed-over");
    let second = desk.newest();
    assert_eq!((state_of(&desk, &first).as_str(), state_of(&desk, &second).as_str()), ("handed over", "killed"));
    assert_ne!(first, second);
    succeed(desk.resume(&[]));
    assert_eq!(state_of(&desk, &second), "done");
}

/// Nothing of the release was recorded before the kill: only the labels that helm was given say whose it is.
#[test]
fn a_rerun_clears_away_what_helm_was_installing_for_a_killed_run() {
    let desk = Desk::with_sandbox();
    kill_with_helm_pending_install(&desk);
    succeed(desk.rerun(&[]));
    assert_eq!(text(&desk.outputs()["charts"]["status"]), "deployed");
    let left: Vec<Value> = desk.events().into_iter().filter(|e| e["event"] == "attempt-failed").collect();
    assert_eq!(left, [Value::Null; 0], "nothing failed on the way");
}
