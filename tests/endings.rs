//! How runs end that do not go well: each failure says what to do, and doing it ends well.
//! Must know nothing of hprun's insides.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{Desk, End, finish, is_event, start, succeed, text, wire};

/// The status of the HyperPod cluster `ml-cluster`, and of its nodes.
pub fn cluster(desk: &Desk) -> Vec<String> {
    let name = json!({"ClusterName": "ml-cluster"});
    let cluster = wire::sagemaker(desk.endpoint(), "DescribeCluster", &name);
    let nodes = wire::sagemaker(desk.endpoint(), "ListClusterNodes", &name);
    let nodes = nodes["ClusterNodeSummaries"].as_array().unwrap().iter();
    let nodes = nodes.map(|node| text(&node["InstanceStatus"]["Status"]).to_owned());
    [text(&cluster["ClusterStatus"]).to_owned()].into_iter().chain(nodes).collect()
}

/// How often calls of this beginning had their effect.
fn times(effects: &BTreeMap<String, usize>, call: &str) -> usize {
    effects.iter().filter(|(named, _)| named.starts_with(call)).map(|(_, times)| times).sum()
}

pub const ALL_WELL: [&str; 3] = ["InService", "Running", "Running"];

/// A pipeline that needs nothing but a template: quick, and without any effect on AWS.
pub fn little(desk: &Desk) -> String {
    desk.write("little.txt.hbs", "hello {{ name }}\n");
    desk.write(
        "little.yaml",
        "apiVersion: hprun/v1\nname: little\nparams:\n  region: { type: string, default: us-west-2 }\n  who: { type: string, default: you, env: WHO }\n\
         aws: { region: \"{{ params.region }}\" }\nsteps:\n  - id: hello\n    type: render-config\n    with: { template: little.txt.hbs, format: text, values: { name: \"{{ params.who }}\" } }\n",
    )
}

/// `little` with a step before it that no one can finish: a stack that is not there.
pub fn unfinished(desk: &Desk) -> String {
    let file = little(desk);
    let step = "steps:\n  - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } } }\n";
    desk.edit("little.yaml", "steps:\n", step);
    let end = finish(desk.sandboxed(&file, &[]));
    assert_eq!(end.code, Some(1), "{end:?}");
    file
}

pub fn assert_says(end: &End, code: i32, words: &[&str]) {
    assert_eq!(end.code, Some(code), "{}\n{}", end.stdout, end.stderr);
    let said = format!("{}{}", end.stdout, end.stderr);
    for word in words {
        assert!(said.contains(word), "{word:?} is not said:\n{said}");
    }
}

#[test]
fn a_lifecycle_script_that_fails_is_mended_and_the_run_resumed() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    desk.edit("lifecycle/base-config/on_create.sh", "set -euo pipefail", "exit 3");
    let end = finish(desk.sandboxed(&file, &[]));
    assert_says(&end, 1, &["on_create.sh: exited with status 3", "resume with: hprun resume"]);
    desk.edit("lifecycle/base-config/on_create.sh", "exit 3", "set -euo pipefail");
    succeed(desk.resume(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
    let effects = desk.effects();
    assert_eq!((effects["CreateCluster ml-cluster"], times(&effects, "DeleteCluster ")), (2, 1), "{effects:#?}");
    assert_eq!(effects["CreateStack hyperpod-eks-full-stack"], 1);
}

#[test]
fn a_template_that_cannot_be_made_is_mended_and_the_run_resumed() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    // What only EKS knows: no check before the run can tell it.
    desk.edit("templates/hyperpod-eks.yaml", "AddonName: kube-proxy", "AddonName: kube-proxies");
    let end = finish(desk.sandboxed(&file, &[]));
    assert_says(&end, 1, &["Addon kube-proxies specified is not supported", "resume with: hprun resume"]);
    desk.edit("templates/hyperpod-eks.yaml", "AddonName: kube-proxies", "AddonName: kube-proxy");
    succeed(desk.resume(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
    let effects = desk.effects();
    let stack = "hyperpod-eks-full-stack";
    assert_eq!(effects[&format!("CreateStack {stack}")], 2, "{effects:#?}");
    assert_eq!(times(&effects, "DeleteStack "), 1, "{effects:#?}");
}

#[test]
fn no_capacity_at_first_is_resumed_when_there_is_some() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    desk.faults(&json!({"capacity": [{"instance-type": "ml.g5.12xlarge"}]}));
    let end = finish(desk.sandboxed(&file, &[]));
    assert_says(&end, 1, &["ml.g5.12xlarge", "apacity", "resume with: hprun resume"]);
    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
}

#[test]
fn a_foreign_stack_and_a_foreign_cluster_are_refused_by_the_name_of_their_run() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    let first = succeed(desk.sandboxed(&file, &[]));
    let owner =
        text(&first.stdout.lines().find_map(|l| serde_json::from_str::<Value>(l).ok()).unwrap()["run"]).to_owned();
    let before = desk.effects();
    let other = desk.path("other-state");
    let stranger = |more: &[&str]| {
        let mut command = desk.sandboxed(&file, more);
        command.env("HPRUN_STATE", &other);
        finish(command)
    };
    assert_says(&stranger(&[]), 1, &["hyperpod-eks-full-stack", &owner]);
    assert_eq!(desk.effects(), before, "a refusal touches nothing");
    let end = stranger(&["--new", "-p", "stack_name=another", "-p", "prefix=another"]);
    assert_says(&end, 1, &["a cluster ml-cluster exists that this run did not make", &owner]);
    assert_eq!(desk.effects()["CreateCluster ml-cluster"], 1);
    assert_eq!(cluster(&desk), ALL_WELL);
}

#[test]
fn a_resume_in_another_region_is_refused() {
    let desk = Desk::with_sandbox();
    unfinished(&desk);
    let end = finish(desk.resume(&["-p", "region=eu-west-1"]));
    assert_says(&end, 3, &["the run began in region us-west-2, and this would go on in eu-west-1"]);
}

#[test]
fn another_account_is_refused_at_resume_and_where_one_is_pinned() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    let pinned = std::fs::read_to_string(&file).unwrap().replace("aws: {", "aws: { account: \"999999999999\",");
    let pinned = desk.write("pinned.yaml", &pinned);
    assert_says(&finish(desk.sandboxed(&pinned, &[])), 3, &["999999999999", "111122223333"]);

    desk.edit("little.yaml", "template: little.txt.hbs", "template: gone.txt.hbs");
    desk.write("gone.txt.hbs", "{{ name }} {{ missing }}");
    let as_real = |arguments: &[&str], endpoint: &str| {
        let mut command = desk.command(arguments);
        command.envs(desk.environment().iter().cloned()).env("AWS_ENDPOINT_URL", endpoint);
        finish(command)
    };
    desk.edit(
        "little.yaml",
        "steps:\n",
        "steps:\n  - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } } }\n",
    );
    desk.edit("little.yaml", "template: gone.txt.hbs", "template: little.txt.hbs");
    let end = as_real(&["run", "--yes", &file], desk.endpoint());
    assert_says(&end, 1, &["not-there", "resume with"]);
    let stranger = another_account();
    let end = as_real(&["resume"], &stranger);
    assert_says(&end, 3, &["the run began in account 111122223333, and these credentials lead to 999988887777"]);
}

/// An endpoint that knows one thing: that the caller is of another account.
pub fn another_account() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16384];
            let _read = stream.read(&mut request).unwrap();
            let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                        <Arn>arn:aws:iam::999988887777:user/other</Arn><UserId>AIDAOTHER</UserId><Account>999988887777</Account>\
                        </GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>";
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).unwrap();
        }
    });
    endpoint
}

#[test]
fn a_changed_environment_of_a_param_is_noticed_and_not_followed() {
    let desk = Desk::with_sandbox();
    unfinished(&desk);
    let mut resume = desk.resume(&[]);
    resume.env("WHO", "someone else");
    let end = finish(resume);
    assert_says(
        &end,
        1,
        &["$WHO is now `someone else`, the run keeps who = `you`; to change it: --param who=someone else"],
    );
}

#[test]
fn an_unfinished_run_refuses_a_second_one_unless_it_is_asked_for() {
    let desk = Desk::with_sandbox();
    let file = unfinished(&desk);
    assert_says(&finish(desk.sandboxed(&file, &[])), 3, &["of little is not finished here", "hprun resume ", "--new"]);
    assert_says(&finish(desk.sandboxed(&file, &["--new"])), 1, &["not-there"]);
}

#[test]
fn a_run_that_goes_on_elsewhere_is_not_resumed_here() {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("the stack step", |e| is_event(e, "attempt-started", "stack"));
    let end = finish(desk.resume(&[]));
    assert_says(&end, 3, &[&format!("kill -INT {}", running.pid())]);
    let end = running.finish();
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn ctrl_c_stops_at_a_safe_point_and_resume_goes_on() {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("the stack is being made", |e| text(&e["progress"]).contains(" resources, now "));
    running.interrupt();
    let end = running.finish();
    assert_says(&end, 130, &["attempt-interrupted", "resume with: hprun resume "]);
    succeed(desk.resume(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
    let effects = desk.effects();
    assert_eq!((effects["CreateStack hyperpod-eks-full-stack"], effects["CreateCluster ml-cluster"]), (1, 1));
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_resume_goes_on() {
    let desk = Desk::with_sandbox();
    // An answer that does not come: the step cannot reach a safe point.
    desk.faults(&json!({"calls": [{"operation": "CreateStack", "fault": "delay", "delay": "20h"}]}));
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("CreateStack is about to be sent", |e| e["record"]["op"] == "create-stack");
    running.interrupt();
    running.until_event("it is stopping", |e| e["stopping"] == true);
    running.interrupt();
    let end = running.finish();
    assert_eq!(end.code, Some(130), "{end:?}");
    assert!(!end.stdout.contains("pass-ended"), "it left at once: {}", end.stdout);
    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_eq!(cluster(&desk), ALL_WELL);
    assert_eq!(desk.effects()["CreateStack hyperpod-eks-full-stack"], 1);
}

#[test]
fn a_real_account_is_left_alone_unless_someone_says_yes() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    let run = |more: &[&str]| {
        let mut command = desk.command(&["run", &file]);
        command.args(more).envs(desk.environment().iter().cloned());
        finish(command)
    };
    let end = run(&[]);
    assert_says(&end, 3, &["nothing was done: this would change", "111122223333", "--yes"]);
    let asked: Vec<String> = desk.journal().iter().map(|entry| text(&entry["operation"]).to_owned()).collect();
    assert_eq!(asked, ["GetCallerIdentity"]);
    assert_eq!(run(&["--yes"]).code, Some(0));
}

#[test]
fn a_program_that_is_missing_is_told_before_anything_is_done() {
    let desk = Desk::with_sandbox();
    let mut run = desk.sandboxed(&desk.shipped("full-deployment.yaml"), &[]);
    run.env("HPRUN_HELM", desk.path("no-helm"));
    assert_says(&finish(run), 3, &["nothing was done: the step charts needs the program", "no-helm", "install helm"]);
    assert!(desk.effects().is_empty(), "nothing was made");
}
