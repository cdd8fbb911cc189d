//! Any crash resumes to the same end: hprun is killed with SIGKILL at chosen moments and resumed.
//! The moments are seen in the sandbox's journal or in the record, never guessed by time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Desk, Running, SPEED, finish, is_event, start, succeed, text, wire};

/// When hprun is killed.
enum Moment {
    /// As soon as the journal shows this call, which fails as the fault says until the kill.
    Call { operation: &'static str, fault: &'static str },
    /// As soon as this event is on stdout.
    Event { what: &'static str, fits: fn(&Value) -> bool },
}

/// What a finished run leaves behind, by names only: ids differ from world to world.
#[derive(Debug, PartialEq)]
struct EndState {
    effects: BTreeMap<String, usize>,
    resources: BTreeSet<String>,
    stack: BTreeSet<String>,
    cluster: Vec<String>,
}

fn end_state(desk: &Desk) -> EndState {
    let records = desk.events().into_iter().filter(|e| e["record"]["record"] == "resource-recorded");
    let resources = records.map(|e| format!("{} {}", text(&e["record"]["kind"]), text(&e["record"]["name"]))).collect();
    let form = "Action=ListStackResources&Version=2010-05-15&StackName=hyperpod-eks-full-stack";
    let (status, xml) = wire::query(desk.endpoint(), "cloudformation", form);
    assert_eq!(status, 200, "{xml}");
    let kinds = wire::tags(&xml, "ResourceStatus");
    let stack = wire::tags(&xml, "LogicalResourceId")
        .into_iter()
        .zip(kinds)
        .map(|(id, status)| format!("{id} {status}"))
        .collect();
    let cluster = wire::sagemaker(desk.endpoint(), "DescribeCluster", &json!({"ClusterName": "ml-cluster"}));
    let nodes = wire::sagemaker(desk.endpoint(), "ListClusterNodes", &json!({"ClusterName": "ml-cluster"}));
    let nodes = nodes["ClusterNodeSummaries"].as_array().unwrap().iter();
    let mut seen: Vec<String> =
        nodes.map(|n| format!("{} {}", text(&n["InstanceGroupName"]), text(&n["InstanceStatus"]["Status"]))).collect();
    seen.push(text(&cluster["ClusterStatus"]).to_owned());
    seen.sort();
    let (looks, effects): (BTreeMap<_, _>, BTreeMap<_, _>) =
        desk.effects().into_iter().partition(|(call, _)| call.contains("ChangeSet "));
    // A resume asks CloudFormation by a change set whether the stack is as the file says, and removes it again.
    let count = |op: &str| looks.iter().filter(|(call, _)| call.starts_with(op)).map(|(_, times)| times).sum::<usize>();
    assert_eq!(count("CreateChangeSet"), count("DeleteChangeSet"), "a change set was left behind: {looks:#?}");
    assert_eq!(count("ExecuteChangeSet"), 0, "nothing changed, so nothing is executed");
    EndState { effects, resources, stack, cluster: seen }
}

/// The same pipeline without any crash.
fn unbroken() -> &'static EndState {
    static STATE: OnceLock<EndState> = OnceLock::new();
    STATE.get_or_init(|| {
        let desk = Desk::with_sandbox();
        succeed(desk.sandboxed(&desk.without_helm(), &[]));
        let state = end_state(&desk);
        assert!(state.effects.values().all(|&times| times == 1), "{:#?}", state.effects);
        assert!(state.stack.len() > 30 && state.stack.iter().all(|s| s.ends_with("CREATE_COMPLETE")), "{state:#?}");
        assert_eq!(state.cluster, ["InService", "worker-group-1 Running", "worker-group-2 Running"]);
        state
    })
}

fn await_moment(desk: &Desk, running: &mut Running, moment: &Moment) {
    match moment {
        Moment::Call { operation, .. } => running.until(operation, || {
            desk.journal()
                .into_iter()
                .find(|entry| entry["operation"] == *operation && !entry["fault"].is_null())
                .map(|_| ())
        }),
        Moment::Event { what, fits } => {
            running.until_event(what, fits);
        }
    }
}

fn check(moment: &Moment) {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    if let Moment::Call { operation, fault } = moment {
        desk.faults(&json!({"calls": [{"operation": operation, "fault": fault}]}));
    }
    let mut running = start(desk.sandboxed(&file, &[]));
    await_moment(&desk, &mut running, moment);
    running.kill();
    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_eq!(&end_state(&desk), unbroken());
}

fn is_record(event: &Value, kind: &str, op: &str) -> bool {
    event["record"]["record"] == kind && (op.is_empty() || event["record"]["op"] == op)
}

#[test]
fn before_create_stack_is_sent() {
    check(&Moment::Event {
        what: "the intent of CreateStack",
        fits: |e| is_record(e, "call-intended", "create-stack"),
    });
}

#[test]
fn create_stack_was_sent_and_had_no_effect() {
    check(&Moment::Call { operation: "CreateStack", fault: "reset" });
}

#[test]
fn create_stack_had_its_effect_and_its_answer_is_lost() {
    check(&Moment::Call { operation: "CreateStack", fault: "hold-answer" });
}

#[test]
fn create_stack_is_answered_and_not_yet_waited_for() {
    check(&Moment::Event {
        what: "CreateStack is settled",
        fits: |e| is_event(e, "recorded", "stack") && is_record(e, "call-settled", ""),
    });
}

#[test]
fn in_the_stack_wait() {
    check(&Moment::Event {
        what: "resources are counted",
        fits: |e| text(&e["progress"]).contains(" resources, now "),
    });
}

#[test]
fn in_the_upload() {
    check(&Moment::Call { operation: "PutObject", fault: "hold-answer" });
}

#[test]
fn between_two_uploads() {
    check(&Moment::Event { what: "one of two files", fits: |e| text(&e["progress"]).starts_with("1/2 files") });
}

#[test]
fn create_cluster_was_sent_and_had_no_effect() {
    check(&Moment::Call { operation: "CreateCluster", fault: "reset" });
}

#[test]
fn create_cluster_had_its_effect_and_its_answer_is_lost() {
    check(&Moment::Call { operation: "CreateCluster", fault: "hold-answer" });
}

#[test]
fn create_cluster_is_done_and_the_step_is_not() {
    check(&Moment::Event {
        what: "the cluster is recorded",
        fits: |e| is_event(e, "recorded", "cluster") && is_record(e, "resource-recorded", ""),
    });
}

#[test]
fn in_the_cluster_wait() {
    check(&Moment::Event { what: "nodes are counted", fits: |e| text(&e["progress"]).contains("Creating, nodes") });
}

#[test]
fn between_two_steps() {
    check(&Moment::Event { what: "the stack step is done", fits: |e| is_event(e, "step-succeeded", "stack") });
}

/// helm is killed with hprun (nothing of a machine that loses its power goes on), after it has begun the release.
#[test]
fn with_helm_pending_install() {
    let desk = Desk::with_sandbox();
    kill_with_helm_pending_install(&desk);
    succeed(desk.resume(&[]));
    let charts = &desk.outputs()["charts"];
    assert_eq!(
        (text(&charts["status"]), text(&charts["release"])),
        ("deployed", "hyperpod-dependencies"),
        "{charts:#}"
    );
    assert_eq!(desk.effects()["CreateStack hyperpod-eks-full-stack"], 1);
}

/// Runs to where helm has begun the release, and kills both.
pub fn kill_with_helm_pending_install(desk: &Desk) {
    let file = up_to_helm(desk);
    let mut running = start(desk.sandboxed(&file, &[]));
    let pending = |entry: &Value| {
        text(&entry["request"]).starts_with("POST")
            && text(&entry["request"]).contains("/namespaces/kube-system/secrets")
    };
    running
        .until("the release is recorded as pending", || desk.journal().iter().find(|entry| pending(entry)).map(|_| ()));
    running.kill();
    let mut children = desk.events().into_iter().filter(|e| e["record"]["record"] == "child-started");
    let last = children.next_back().unwrap()["record"]["pid"].as_i64().unwrap();
    kill_child(last);
}

/// The same, but helm outlives hprun: resume ends or awaits it first.
#[test]
fn with_helm_left_running() {
    let desk = Desk::with_sandbox();
    let file = up_to_helm(&desk);
    let mut running = start(desk.sandboxed(&file, &[]));
    running.until_event("helm installs", |e| text(&e["progress"]).starts_with("installing "));
    running.kill();
    succeed(desk.resume(&[]));
    assert_eq!(text(&desk.outputs()["charts"]["status"]), "deployed");
    let left: Vec<Value> = desk.events().into_iter().filter(|e| e["event"] == "attempt-failed").collect();
    assert_eq!(left, [Value::Null; 0], "nothing failed on the way");
}

/// Only so much of the full deployment as Helm needs.
pub fn up_to_helm(desk: &Desk) -> String {
    let shipped = std::fs::read_to_string(desk.shipped("full-deployment.yaml")).unwrap();
    desk.write("helm.yaml", shipped.split("\n  - id: scripts").next().unwrap())
}

pub fn kill_child(pid: i64) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended by itself meanwhile.
    let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// As a person does it: the sandbox is in the process that is killed, and plain `hprun resume` opens its world again.
#[test]
fn with_the_sandbox_in_the_same_process() {
    let desk = Desk::new();
    let file = desk.without_helm();
    let mut running = start(desk.sandboxed(&file, &["--sandbox-speed", &SPEED.to_string()]));
    running.until_event("resources are counted", |e| text(&e["progress"]).contains(" resources, now "));
    running.kill();
    succeed(desk.resume(&[]));
    assert_eq!(desk.outputs()["nodes"]["status"], "InService");
    let effects = desk.effects();
    assert_eq!(
        (effects["CreateStack hyperpod-eks-full-stack"], effects["CreateCluster ml-cluster"]),
        (1, 1),
        "{effects:#?}"
    );
}

#[test]
fn killed_again_and_again() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    let moments: [fn(&Value) -> bool; 4] = [
        |e| text(&e["progress"]).contains(" resources, now "),
        |e| is_event(e, "attempt-started", "scripts"),
        |e| is_event(e, "attempt-started", "cluster"),
        |e| text(&e["progress"]).contains("Creating, nodes"),
    ];
    for (pass, fits) in moments.into_iter().enumerate() {
        let command = if pass == 0 { desk.sandboxed(&file, &[]) } else { desk.resume(&[]) };
        let mut running = start(command);
        running.until_event("the next moment", fits);
        running.kill();
    }
    succeed(desk.resume(&[]));
    assert_eq!(&end_state(&desk), unbroken());
    assert_eq!(finish(desk.resume(&[])).code, Some(2), "a bare resume takes no finished run");
    let run = text(&desk.events()[0]["run"]).to_owned();
    assert_eq!(finish(desk.resume(&[&run])).code, Some(0), "a finished run that is named has nothing left to do");
    assert_eq!(&end_state(&desk), unbroken());
}
