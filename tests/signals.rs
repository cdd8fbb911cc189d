//! Ctrl-C, SIGTERM and SIGHUP at every kind of moment: the run stops at a safe point, with 130, and resume goes on.
//! Must know nothing of hprun's insides.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Desk, Running, Signal, finish, is_event, start, succeed, text};

/// Told to stop: it does so at a safe point and says how to go on.
fn assert_stops(desk: &Desk, running: Running, signal: Signal) {
    running.signal(signal);
    let end = running.finish();
    assert_eq!(end.code, Some(130), "{signal:?}: {end:?}");
    assert!(end.stderr.contains("resume with: hprun resume "), "{end:?}");
    assert_interrupted(desk);
}

fn assert_interrupted(desk: &Desk) {
    let events = desk.events();
    let last = events.last().unwrap();
    assert_eq!((text(&last["event"]), text(&last["outcome"])), ("pass-ended", "interrupted"), "{last:#}");
}

fn attempts_failed(desk: &Desk) -> usize {
    desk.events().iter().filter(|e| e["event"] == "attempt-failed").count()
}

/// One run, stopped again and again: in the stack wait, at an upload, in a pause between two tries, in the cluster wait,
/// in a `finally` step.
#[test]
fn a_run_is_stopped_at_every_kind_of_moment_and_goes_on() {
    let desk = Desk::with_sandbox();
    let file = desk.without_helm();
    desk.edit("without-helm.yaml", "    timeout: 30m\n", "    retry: { max-attempts: 2, delay: 10m }\n");
    let last = "finally:\n  - { id: last, type: wait-status, with: { eks-cluster: hyperpod-eks-cluster } }\n";
    let whole = format!("{}{last}", std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, whole).unwrap();
    let late = |operation: &str| json!({"calls": [{"operation": operation, "fault": "delay", "delay": "20h"}]});

    let mut running = start(desk.sandboxed(&file, &[]));
    running.until_event("the stack wait", |e| text(&e["progress"]).contains(" resources, now "));
    assert_stops(&desk, running, Signal::TERM);

    desk.faults(&late("PutObject"));
    let mut running = start(desk.resume(&[]));
    running.until_event("the upload", |e| text(&e["progress"]) == "0/2 files");
    assert_stops(&desk, running, Signal::HUP);

    desk.faults(&json!({"calls": [{"operation": "CreateCluster", "fault": "access-denied"}]}));
    let mut running = start(desk.resume(&[]));
    running.until_event("the pause", |e| is_event(e, "attempt-failed", "cluster"));
    assert_stops(&desk, running, Signal::INT);

    desk.faults(&json!({}));
    let mut running = start(desk.resume(&[]));
    running.until_event("the cluster wait", |e| text(&e["progress"]).contains("running, 2 pending"));
    assert_stops(&desk, running, Signal::TERM);

    desk.faults(&json!({"calls": [{"service": "eks", "fault": "delay", "delay": "20h"}]}));
    let mut running = start(desk.resume(&[]));
    running.until_event("the last step", |e| is_event(e, "attempt-started", "last"));
    assert_stops(&desk, running, Signal::HUP);

    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_eq!(attempts_failed(&desk), 1, "what was stopped has not failed");
    let effects = desk.effects();
    assert_eq!((effects["CreateStack hyperpod-eks-full-stack"], effects["CreateCluster ml-cluster"]), (1, 1));
}

/// helm is in the middle of its work, and gets SIGTERM and its time.
#[test]
fn helm_is_told_to_stop_and_the_release_is_deployed_on_resume() {
    let desk = Desk::with_sandbox();
    let shipped = std::fs::read_to_string(desk.shipped("full-deployment.yaml")).unwrap();
    let file = desk.write("helm.yaml", shipped.split("\n  - id: scripts").next().unwrap());
    // The release is recorded as pending, and what it is to make is being made.
    let held = json!({"service": "kubernetes", "operation": "patch namespaces", "fault": "delay", "delay": "20h"});
    desk.faults(&json!({ "calls": [held] }));
    let mut running = start(desk.sandboxed(&file, &[]));
    running.until("helm is at it", || desk.journal().into_iter().find(|entry| entry["operation"] == "create secrets"));
    assert_stops(&desk, running, Signal::TERM);
    let ended = desk.events().into_iter().filter(|e| e["record"]["record"] == "child-ended").count();
    assert_eq!(ended, 1, "helm has ended, and that is recorded");
    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_eq!(text(&desk.outputs()["charts"]["status"]), "deployed");
    assert_eq!(attempts_failed(&desk), 0);
}

#[test]
fn before_anything_has_begun_a_signal_ends_it_with_the_same_code() {
    let desk = Desk::with_sandbox();
    desk.faults(&json!({"calls": [{"operation": "GetCallerIdentity", "fault": "delay", "delay": "20h"}]}));
    let file = desk.without_helm();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut running = start(desk.sandboxed(&file, &[]));
        let pid = running.pid();
        running.until("it listens for signals", || catches(pid, signal).then_some(()));
        running.signal(signal);
        let end = running.finish();
        assert_eq!((end.code, end.stdout.as_str()), (Some(130), ""), "{signal:?}: {end:?}");
    }
    let runs = finish(desk.command(&["runs"]));
    assert_eq!((runs.stdout.as_str(), runs.stderr.as_str()), ("", "no runs yet\n"));
}

/// Whether the process has a handler for this signal (proc(5) status).
fn catches(pid: u32, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (signal.as_raw() - 1)) != 0
}

/// The same command under another program.
fn under(wrapper: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    wrapped.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// Runs a program in a terminal of its own, closes that as soon as a text is seen, and prints how the program ended.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b""
while sys.argv[1].encode() not in seen:
    seen += os.read(terminal, 65536)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// `nohup`, a terminal that is closed, and readers that go away.
#[test]
fn the_terminal_goes_away() {
    let desk = Desk::with_sandbox();
    let ignoring = ["sh", "-c", r#"trap "" HUP; exec "$0" "$@""#];
    let mut running = start(under(&ignoring, &desk.sandboxed(&desk.without_helm(), &[])));
    running.until_event("the stack wait", |e| text(&e["progress"]).contains(" resources, now "));
    running.signal(Signal::HUP);
    running.until_event("it goes on", |e| is_event(e, "step-succeeded", "stack"));
    assert_stops(&desk, running, Signal::TERM);

    let script = desk.path("terminal.py");
    std::fs::write(&script, TERMINAL).unwrap();
    let end = finish(under(&["python3", script.to_str().unwrap(), "2 pending"], &desk.command(&["resume"])));
    assert_eq!(end.stdout.trim(), "130", "{end:?}");
    assert_interrupted(&desk);

    let mut resume = desk.resume(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(resume.stderr.take());
    BufReader::new(resume.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    assert_eq!(resume.wait().unwrap().code(), Some(0), "nobody reads, and it goes on all the same");
    assert_eq!(desk.events().last().unwrap()["outcome"], "succeeded");
    assert_eq!(attempts_failed(&desk), 0);
}

/// A check has recorded nothing, so there is nothing to resume; and the world that it made for itself goes with it.
#[test]
fn a_live_check_that_is_stopped_leaves_no_world() {
    let desk = Desk::new();
    let temporary = desk.path("temporary");
    let faults = desk.write("held.yaml", "calls: [{ operation: DescribeStacks, fault: hold-answer }]\n");
    for signal in [Signal::INT, Signal::TERM] {
        std::fs::create_dir_all(&temporary).unwrap();
        let file = desk.shipped("full-deployment.yaml");
        let mut command = desk.command(&["check", "--live", "--sandbox", "--sandbox-faults", &faults, &file]);
        command.env("TMPDIR", &temporary);
        let mut running = start(command);
        let world = running.until("the question", || {
            let world = std::fs::read_dir(&temporary).unwrap().next()?.unwrap().path();
            let journal = std::fs::read_to_string(world.join("journal.ndjson")).unwrap_or_default();
            journal.contains("DescribeStacks").then_some(world)
        });
        assert_eq!(mode_of(&world), 0o700, "what is sent to a world is in it in clear");
        running.signal(signal);
        let end = running.finish();
        assert_eq!((end.code, end.stderr.as_str()), (Some(130), "interrupted: nothing was changed\n"), "{end:?}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the world is gone");
    }
}

#[test]
fn a_served_world_that_is_not_kept_is_private_and_goes_with_its_server() {
    let desk = Desk::new();
    let temporary = desk.path("temporary");
    std::fs::create_dir_all(&temporary).unwrap();
    let mut command = desk.command(&["sandbox"]);
    command.env("TMPDIR", &temporary);
    let mut running = start(command);
    let world = running.until("the world", || {
        let world = std::fs::read_dir(&temporary).unwrap().next()?.unwrap().path();
        world.join("journal.ndjson").exists().then_some(world)
    });
    assert_eq!(mode_of(&world), 0o700);
    running.signal(Signal::TERM);
    running.finish();
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
}

fn mode_of(folder: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(folder).unwrap().permissions()) & 0o777
}
