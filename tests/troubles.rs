//! The troubles of a real hour: no answer, throttling, no network, a clock that jumps, a closed laptop, old credentials.
//! Must know nothing of hprun's insides. Fault scripts are files beside this one, as a person would write them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Desk, End, Running, Signal, finish, is_event, repository, start, succeed, text, wire};

const STACK: &str = "hyperpod-eks-full-stack";

/// The full deployment without Helm, with timeouts that do not run out while a busy machine is slow: at the sandbox's
/// speed an hour is six seconds.
fn patient(desk: &Desk) -> String {
    let file = desk.without_helm();
    desk.edit("without-helm.yaml", "    timeout: ", "    timeout: 9");
    file
}

/// A run of it with one of the fault scripts of `tests/troubles`.
fn troubled(desk: &Desk, script: &str) -> Command {
    let script = repository().join("tests/troubles").join(script);
    desk.sandboxed(&patient(desk), &["--sandbox-faults", script.to_str().unwrap()])
}

/// The run went through in one pass and no attempt of it failed; what there is was made once.
fn assert_unharmed(desk: &Desk) {
    let events = desk.events();
    let failed: Vec<&Value> = events.iter().filter(|e| e["event"] == "attempt-failed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(events.last().unwrap()["outcome"], "succeeded");
    assert_made_once(desk);
}

fn assert_made_once(desk: &Desk) {
    let (_, stacks) = wire::query(desk.endpoint(), "cloudformation", "Action=ListStacks&Version=2010-05-15");
    assert_eq!(wire::tags(&stacks, "StackStatus"), ["CREATE_COMPLETE"], "{stacks}");
    let cluster = wire::sagemaker(desk.endpoint(), "DescribeCluster", &json!({"ClusterName": "ml-cluster"}));
    assert_eq!(text(&cluster["ClusterStatus"]), "InService");
    let effects = desk.effects();
    assert_eq!(effects["CreateCluster ml-cluster"], 1, "{effects:#?}");
    let is_deletion = |call: &&String| call.starts_with("Delete") && !call.starts_with("DeleteChangeSet ");
    assert_eq!(effects.keys().find(is_deletion), None, "{effects:#?}");
}

fn assert_ends_well(running: Running) {
    let end = running.finish();
    assert_eq!(end.code, Some(0), "{}\n{}", end.stdout, end.stderr);
}

/// How many calls of this operation (of any, for "") the fault struck.
fn struck(desk: &Desk, operation: &str, fault: &str) -> usize {
    let fits = |e: &&Value| e["fault"] == fault && (operation.is_empty() || e["operation"] == operation);
    desk.journal().iter().filter(fits).count()
}

/// What the run showed beside its steps.
fn shown(end: &End) -> Vec<String> {
    let lines = end.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line["progress"].as_str().map(str::to_owned)).collect()
}

fn assert_shows(end: &End, words: &str) {
    let shown = shown(end);
    assert!(shown.iter().any(|line| line.contains(words)), "{words:?} is not shown: {shown:#?}");
}

#[test]
fn every_creating_call_may_lose_its_answer() {
    let desk = Desk::with_sandbox();
    succeed(troubled(&desk, "answers-lost.yaml"));
    for (operation, times) in [("CreateStack", 3), ("PutObject", 8), ("CreateCluster", 3)] {
        assert!(struck(&desk, operation, "lose-answer") >= times, "more often than the SDK tries: {operation}");
    }
    assert_unharmed(&desk);
}

#[test]
fn throttled_for_two_minutes() {
    let desk = Desk::with_sandbox();
    let end = succeed(troubled(&desk, "throttled.yaml"));
    for operation in ["CreateStack", "PutObject", "CreateCluster"] {
        assert!(struck(&desk, operation, "throttle") > 3, "longer than the SDK tries: {operation}");
    }
    assert_shows(&end, "could not describe the stack");
    assert_shows(&end, "Rate exceeded");
    assert_unharmed(&desk);
}

#[test]
fn bursts_of_server_errors() {
    let desk = Desk::with_sandbox();
    let end = succeed(troubled(&desk, "server-errors.yaml"));
    for operation in ["CreateStack", "DescribeStackEvents", "PutObject", "CreateCluster", "ListClusterNodes"] {
        assert!(struck(&desk, operation, "server-error") > 3, "longer than the SDK tries: {operation}");
    }
    assert_shows(&end, "could not create the cluster ml-cluster: We encountered an internal error");
    assert_unharmed(&desk);
}

#[test]
fn connections_are_refused_for_a_minute() {
    let desk = Desk::with_sandbox();
    let end = succeed(troubled(&desk, "refused.yaml"));
    assert_eq!(struck(&desk, "", "refuse"), 4);
    assert_shows(&end, "no connection, because it is refused");
    assert_unharmed(&desk);
}

type Moment = fn(&Value) -> bool;

/// A moment in the middle of the stack wait, and one in the middle of the cluster wait.
const WAITS: [(&str, Moment); 2] = [
    ("the stack is being made", |e| text(&e["progress"]).contains(" resources, now ")),
    ("the nodes are being made", |e| text(&e["progress"]).contains("running, 2 pending")),
];

#[test]
fn nothing_listens_any_more_and_then_it_does_again() {
    let mut desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&patient(&desk), &[]));
    for (what, fits) in WAITS {
        running.until_event(what, fits);
        desk.stop_sandbox();
        running.until_event("what it waits for", |e| text(&e["progress"]).contains("no connection"));
        desk.start_sandbox();
    }
    assert_ends_well(running);
    assert_unharmed(&desk);
}

#[test]
fn the_services_clock_jumps_an_hour_ahead() {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&patient(&desk), &[]));
    for (what, fits) in WAITS {
        running.until_event(what, fits);
        desk.advance("1h");
    }
    assert_ends_well(running);
    assert_unharmed(&desk);
}

/// A closed laptop: hprun stands still, its connections are gone, and when it goes on, everything is further than its
/// timeout would have let it wait.
#[test]
fn asleep_for_a_night_in_the_middle_of_a_wait() {
    let mut desk = Desk::with_sandbox();
    let file = patient(&desk);
    desk.edit("without-helm.yaml", "timeout: 93h", "timeout: 6h");
    let mut running = start(desk.sandboxed(&file, &[]));
    let (what, fits) = WAITS[1];
    running.until_event(what, fits);
    running.signal(Signal::STOP);
    desk.stop_sandbox();
    desk.start_sandbox();
    desk.advance("9h");
    running.signal(Signal::CONT);
    assert_ends_well(running);
    assert_unharmed(&desk);
}

#[test]
fn credentials_that_expire_in_a_wait_stop_the_run_resumably() {
    let desk = Desk::with_sandbox();
    let end = finish(troubled(&desk, "credentials-expired.yaml"));
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_eq!(struck(&desk, "", "expired-credentials"), 1, "what a person has to do is not tried again");
    assert_needs_login(&desk, "ExpiredToken");
    assert!(end.stderr.contains("resume with: hprun resume"), "{end:?}");
    desk.faults(&json!({}));
    succeed(desk.resume(&[]));
    assert_made_once(&desk);
}

/// The newest failure is one of a login, says so, and says that nothing is lost.
fn assert_needs_login(desk: &Desk, words: &str) -> String {
    let events = desk.events();
    let failure = &events.iter().rev().find(|e| e["event"] == "attempt-failed").expect("an attempt failed")["failure"];
    assert_eq!(failure["class"], "login", "{failure:#}");
    assert!(failure.to_string().contains(words), "{failure:#}");
    let help = text(&failure["help"]).to_owned();
    assert!(help.contains("then resume: nothing is lost"), "{help}");
    help
}

/// A real account, as far as hprun can tell: it goes by AWS_ENDPOINT_URL, its own clock and a `credential_process`.
struct Account<'a> {
    desk: &'a Desk,
}

impl<'a> Account<'a> {
    /// Credentials that are good for so short a time that each call needs new ones, from a program that writes down that
    /// it was asked.
    fn new(desk: &'a Desk) -> Self {
        let program = desk.write(
            "give-credentials.py",
            r#"import datetime, json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "asked"), "a") as asked:
    asked.write("asked\n")
if os.path.exists(os.path.join(here, "logged-out")):
    sys.exit("the session is over, please log in")
end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
print(json.dumps({"Version": 1, "AccessKeyId": "AKIAHPRUNSANDBOX0000", "SecretAccessKey": "hprun-sandbox-secret",
                  "SessionToken": "token", "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}))
"#,
        );
        desk.write("aws-config", &format!("[default]\nregion = us-west-2\ncredential_process = python3 {program}\n"));
        Self { desk }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.desk.command(arguments);
        command.env("AWS_ENDPOINT_URL", self.desk.endpoint()).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_CONFIG_FILE", self.desk.path("pipelines/aws-config"));
        command.env("AWS_SHARED_CREDENTIALS_FILE", self.desk.path("pipelines/none"));
        command
    }

    fn times_asked(&self) -> usize {
        std::fs::read_to_string(self.desk.path("pipelines/asked")).unwrap_or_default().lines().count()
    }

    fn log_out(&self) {
        self.desk.write("logged-out", "");
    }

    fn log_in(&self) {
        std::fs::remove_file(self.desk.path("pipelines/logged-out")).unwrap();
    }
}

/// The first steps of the full deployment: the stack, its outputs, the scripts.
fn beginning(desk: &Desk) -> String {
    let whole = std::fs::read_to_string(patient(desk)).unwrap();
    desk.write("beginning.yaml", whole.split("\n  - id: config").next().unwrap())
}

#[test]
fn credentials_are_renewed_in_the_middle() {
    let desk = Desk::with_sandbox();
    let account = Account::new(&desk);
    let file = beginning(&desk);
    succeed(account.command(&["run", "--yes", "--output", "json", &file]));
    assert!(account.times_asked() > 5, "asked {} times", account.times_asked());
    let events = desk.events();
    assert!(events.iter().all(|e| e["event"] != "attempt-failed"), "{events:#?}");
}

#[test]
fn credentials_that_cannot_be_renewed_stop_the_run_resumably() {
    let desk = Desk::with_sandbox();
    let account = Account::new(&desk);
    let file = beginning(&desk);
    let mut running = start(account.command(&["run", "--yes", "--output", "json", &file]));
    running.until_event("the stack is being made", |e| is_event(e, "recorded", "stack"));
    account.log_out();
    let end = running.finish();
    assert_eq!(end.code, Some(1), "{end:?}");
    let help = assert_needs_login(&desk, "please log in");
    assert!(help.contains("run the `credential_process` of the profile default by hand"), "{help}");
    let end = finish(account.command(&["resume", "--output", "json"]));
    assert_eq!(end.code, Some(3), "nothing is done before somebody has logged in: {end:?}");
    assert!(end.stderr.contains("please log in") && end.stderr.contains("python3"), "{end:?}");
    account.log_in();
    succeed(account.command(&["resume", "--output", "json"]));
    assert_eq!(desk.effects()[&format!("CreateStack {STACK}")], 1);
}

/// As when the network changes under a run: one service's name is found no more.
#[test]
fn a_name_that_is_not_found_is_waited_for_and_said() {
    let desk = Desk::with_sandbox();
    let account = Account::new(&desk);
    let file = beginning(&desk);
    let mut command = account.command(&["run", "--yes", "--output", "json", &file]);
    command.env("AWS_ENDPOINT_URL_CLOUDFORMATION", "http://cloudformation.us-west-2.invalid");
    let mut running = start(command);
    running.until_event("the name is not found", |e| {
        text(&e["progress"]).contains("the name of the service is not found (DNS)")
    });
    running.interrupt();
    assert_eq!(running.finish().code, Some(130));
    succeed(account.command(&["resume", "--output", "json"]));
    assert_eq!(desk.effects()[&format!("CreateStack {STACK}")], 1);
}

/// Every fault script of this folder is one that the page about faults shows.
#[test]
fn every_fault_script_is_linked_from_the_page() {
    let page = std::fs::read_to_string(repository().join("docs/sandbox-faults.md")).unwrap();
    for entry in std::fs::read_dir(repository().join("tests/troubles")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let target = Path::new("../tests/troubles").join(&name);
        assert!(page.contains(&format!("]({})", target.display())), "docs/sandbox-faults.md does not link {name}");
    }
}
