//! The engine on a real store in a folder of its own, with one step type that does what a test asks of it.
//! Nothing waits by the wall: pauses and timeouts run on a fast clock, the rest on what the steps themselves say.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use hprun_steps::clients::{ClientOptions, Clients, SandboxEndpoint};
use hprun_steps::clock::Clock;
use hprun_steps::context::{FileMode, Record, RunInfo, StepContext};
use hprun_steps::files::{FileInput, FileKind};
use hprun_steps::partial::Partial;
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use hprun_steps::{ErrorClass, Step, StepError, StepType};
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Engine, EngineError, Setup, World};
use crate::event::{Entry, Event, FORMAT, Outcome, PassStarted, RunStarted, Target};
use crate::params::Params;
use crate::pipeline::testing::files_in;
use crate::pipeline::{KnownParams, check, read};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state::RunState;
use crate::store::{Log, StateFolder, Store};

const RUN: &str = "run000000001";
const SECRET: &str = "correct-horse";

static TYPES: &[StepType] = &[StepType::of::<Play>()];

/// Does what its inputs say, in the order of the fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Play {
    /// A file to read.
    #[expect(dead_code, reason = "only its digest matters")]
    file: Option<String>,
    /// What to hand on.
    say: Option<String>,
    /// What to hand on, and must not be recorded.
    token: Option<Secret>,
    /// Wait until so many steps are here.
    meet: Option<usize>,
    /// Record so many things.
    record: Option<u32>,
    /// Show so many lines.
    chatter: Option<u32>,
    /// A file to write.
    write: Option<String>,
    /// Go on until told to stop.
    #[serde(default)]
    hang: bool,
    /// Panic, with the token.
    #[serde(default)]
    panic: bool,
    /// Fail the first so many tries, with the token in every text.
    fail: Option<u32>,
    /// How it fails.
    class: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Played {
    /// What was said.
    said: String,
}

impl Step for Play {
    const TYPE: &'static str = "play";
    const SUMMARY: &'static str = "do what a test asks";
    const EXAMPLE: &'static str = "";
    type Outputs = Played;

    fn files(inputs: &Partial) -> Vec<FileInput> {
        let file = inputs.get("file");
        assert_ne!(file.and_then(Partial::as_str), Some("panic"), "no such file can be named");
        let named = file.and_then(|f| Some((f.as_str()?.to_owned(), f.place())));
        named.into_iter().map(|(path, place)| FileInput { path, kind: FileKind::File, place }).collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Played, StepError> {
        let token = self.token.as_ref().map(|t| t.reveal().to_owned()).unwrap_or_default();
        if let Some(count) = self.meet {
            barrier(&cx.run.base, count).wait().await;
        }
        for pid in 0..self.record.unwrap_or(0) {
            cx.record(Record::ChildEnded { pid }).await?;
        }
        for n in 0..self.chatter.unwrap_or(0) {
            cx.progress(format!("line {n} {token}"));
            tokio::task::yield_now().await;
        }
        if let Some(path) = &self.write {
            cx.write_file(Path::new(path), b"written", FileMode::Private)?;
        }
        if self.hang {
            cx.progress("hanging");
            cx.cancelled.cancelled().await;
            return Err(StepError::interrupted());
        }
        assert!(!self.panic, "the step fell over {token}");
        if cx.attempt <= self.fail.unwrap_or(0) {
            let class = match self.class.as_deref() {
                Some("transient") => ErrorClass::Transient,
                Some("interrupted") => ErrorClass::Interrupted,
                Some(other) => panic!("no class {other}"),
                None => ErrorClass::Failed,
            };
            let text = |about: &str| format!("{about} {token}").trim().to_owned();
            return Err(StepError::new(class, text("no")).because(text("cause")).help(text("advice")));
        }
        let said = format!("{}{token}", self.say.unwrap_or_default());
        Ok(Played { said })
    }

    /// Lost when the pipeline's folder holds a file that says so.
    async fn probe(self, _: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let refused = cx.record(Record::ChildEnded { pid: 1 }).await;
        assert!(refused.is_err(), "a look records nothing");
        match std::fs::read_to_string(cx.run.base.join(format!("probe-{}", cx.step))).as_deref() {
            Ok("panic") => panic!("the look fell over"),
            Ok("fail") => Err(StepError::failed("cannot look")),
            Ok(found) => Ok(Health::Lost(found.to_owned())),
            Err(_) => Ok(Health::Good),
        }
    }
}

/// Where the steps of one test meet.
fn barrier(base: &Path, count: usize) -> Arc<tokio::sync::Barrier> {
    static MEETINGS: LazyLock<Mutex<HashMap<PathBuf, Arc<tokio::sync::Barrier>>>> = LazyLock::new(Mutex::default);
    let mut meetings = MEETINGS.lock().expect("nobody panics here");
    Arc::clone(meetings.entry(base.to_owned()).or_insert_with(|| Arc::new(tokio::sync::Barrier::new(count))))
}

/// Keeps what was shown, and stops the run when a step shows `stop_at`.
struct Tape {
    shown: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    stop_at: &'static str,
}

impl Reporter for Tape {
    fn event(&mut self, entry: &Entry, state: &RunState) {
        assert_eq!(entry.seq, state.seq, "a reporter sees the state with the event in it");
    }

    fn progress(&mut self, step: &str, text: &str) {
        self.shown.lock().expect("nobody panics here").push(format!("{step}: {text}"));
        if text == self.stop_at {
            self.stop.cancel();
        }
    }

    fn stopping(&mut self) {
        self.shown.lock().expect("nobody panics here").push("stopping".to_owned());
    }

    fn close(&mut self, _: &RunState) {
        self.shown.lock().expect("nobody panics here").push("closed".to_owned());
    }
}

/// A run's folder and what a test did to it.
struct Bench {
    folder: tempfile::TempDir,
    shown: Arc<Mutex<Vec<String>>>,
    max_parallel: usize,
    stop_at: &'static str,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, shown: Arc::default(), max_parallel: 4, stop_at: "" }
    }

    fn state_folder(&self) -> StateFolder {
        StateFolder::at(&self.folder.path().join("state")).expect("a fresh folder")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a fresh folder");
    }

    /// Runs one pass of these steps, first or resumed, and tells what it recorded.
    async fn pass(&self, steps: &str) -> String {
        match self.try_pass(steps).await {
            Ok(outcome) => format!("{}\n{outcome:?}", self.told()),
            Err(e) => panic!("{e}"),
        }
    }

    async fn try_pass(&self, steps: &str) -> Result<Outcome, EngineError> {
        let store = Store::open(self.state_folder()).expect("a sound store");
        let lock = store.folder().lock(RUN).expect("nobody else holds it");
        let mut state = RunState::replay(&store.events(RUN)?).expect("a legal log");
        let log = Log::open(store.folder(), RUN, lock, state.seq)?;
        let plan = self.plan(steps);
        let first = (state.seq == 0).then(run_started);
        let now = Timestamp::now();
        let events = first.into_iter().chain([pass_started(&plan)]).map(|event| (now, event)).collect();
        for entry in log.handle().append(events).await? {
            state.apply(&entry)?;
        }
        let stop = CancellationToken::new();
        let tape = Tape { shown: Arc::clone(&self.shown), stop: stop.clone(), stop_at: self.stop_at };
        let setup = Setup {
            world: self.world(plan).await,
            state,
            log: log.handle(),
            reporter: Box::new(tape),
            max_parallel: self.max_parallel,
            stop,
        };
        let (outcome, state) = Engine::new(setup).run().await?;
        let recorded = RunState::replay(&store.events(RUN)?).expect("a legal log");
        assert_eq!(recorded, state, "what is in memory is what is on disk");
        Ok(outcome)
    }

    fn plan(&self, steps: &str) -> Plan {
        let text = format!(
            "apiVersion: hprun/v1\nname: p\nparams:\n  token: {{ type: string, secret: true }}\nsteps:\n{steps}"
        );
        let authored = read(&text).unwrap_or_else(|found| panic!("{found:?}"));
        let known = KnownParams { values: Default::default() };
        let (pipeline, _) = check(authored, TYPES, &files_in(self.folder.path()), &known)
            .unwrap_or_else(|found| panic!("{found:?}"));
        let token = ("token".to_owned(), Value::Secret(Secret::new("token", SECRET)));
        Plan::new(pipeline, Params { values: IndexMap::from([token]), sources: IndexMap::new() })
    }

    async fn world(&self, plan: Plan) -> World {
        let sandbox = SandboxEndpoint {
            url: "http://127.0.0.1:1".to_owned(),
            access_key: "none".to_owned(),
            secret_key: "none".to_owned(),
        };
        let run = RunInfo {
            id: RUN.to_owned(),
            pipeline: "p".to_owned(),
            partition: "aws".to_owned(),
            account: "111122223333".to_owned(),
            region: "us-west-2".to_owned(),
            caller_arn: "arn".to_owned(),
            sandbox: true,
            folder: self.state_folder().run(RUN),
            base: self.folder.path().to_owned(),
            program: "hprun".into(),
            environment: Vec::new(),
        };
        let clients = Clients::new(ClientOptions { sandbox: Some(sandbox), ..ClientOptions::default() }).await;
        World { plan, run, clients, clock: Clock::scaled(Timestamp::now(), 10_000.0) }
    }

    fn events(&self) -> Vec<Entry> {
        let store = Store::open(self.state_folder()).expect("a sound store");
        store.events(RUN).expect("a sound store")
    }

    /// The newest pass, one line an event.
    fn told(&self) -> String {
        let events = self.events();
        let newest = events.rsplit(|entry| matches!(entry.event, Event::PassStarted(_))).next().unwrap_or_default();
        newest.iter().map(|entry| line(&entry.event)).collect::<Vec<_>>().join("\n")
    }

    /// Every byte that was written to the state folder, as text.
    fn all_that_was_written(&self) -> String {
        let folder = self.state_folder();
        let names = std::fs::read_dir(folder.path()).expect("the folder is there").flatten();
        let files = names.filter(|entry| entry.path().is_file());
        files.map(|f| String::from_utf8_lossy(&std::fs::read(f.path()).expect("readable")).into_owned()).collect()
    }

    fn shown(&self) -> Vec<String> {
        self.shown.lock().expect("nobody panics here").clone()
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::RunStarted(_) | Event::PassStarted(_) => event.kind().to_owned(),
        Event::AttemptStarted { step, attempt, because, .. } if because.is_empty() => format!("{step} begins {attempt}"),
        Event::AttemptStarted { step, attempt, because, .. } => format!("{step} begins {attempt}: {}", because.join("; ")),
        Event::Recorded { step, .. } => format!("{step} records"),
        Event::StepSucceeded { step, outputs, .. } => format!("{step} succeeds: {}", outputs["said"]),
        Event::AttemptFailed { step, failure, retry_at, .. } => {
            let then = if retry_at.is_some() { "is tried again" } else { "has failed" };
            let (message, causes) = (&failure.message, failure.causes.join(", "));
            let help = failure.help.as_deref().unwrap_or_default();
            format!("{step} {then}: {:?}: {message} [{causes}] {help}", failure.class).trim_end().to_owned()
        }
        Event::AttemptInterrupted { step, .. } => format!("{step} is interrupted"),
        Event::StepSkipped { step, reason } => format!("{step} is skipped: {reason}"),
        Event::StepReused { step, .. } => format!("{step} is reused"),
        Event::PassEnded { outcome } => format!("pass ends: {outcome:?}"),
    }
}

fn run_started() -> Event {
    Event::RunStarted(Box::new(RunStarted {
        format: FORMAT,
        version: "0.0.0".to_owned(),
        pipeline: "p".to_owned(),
        path: "/p.yaml".to_owned(),
        text: String::new(),
        target: Target::Aws { profile: None },
        partition: "aws".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-west-2".to_owned(),
        caller: "arn".to_owned(),
        params: IndexMap::new(),
    }))
}

fn pass_started(plan: &Plan) -> Event {
    Event::PassStarted(Box::new(PassStarted {
        pid: 1,
        host: "h".to_owned(),
        params: IndexMap::new(),
        text: None,
        orphaned: Vec::new(),
        notes: Vec::new(),
        usual: BTreeMap::new(),
        steps: plan.steps.iter().map(|s| (s.spec.id.to_string(), s.spec.step_type.name.to_owned())).collect(),
    }))
}

/// A step with these inputs; `more` stands beside `with:`.
fn step(id: &str, more: &str, with: &str) -> String {
    format!("  - {{ id: {id}, type: play{more}, with: {{ {with} }} }}\n")
}

fn check_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    // Only so that a hang is a failure with a name.
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("the engine hangs") };
    runtime.expect("a runtime").block_on(limited);
}

#[test]
fn outputs_go_from_step_to_step_and_independent_steps_run_side_by_side() {
    check_time(async {
        let bench = Bench::new();
        let steps = [
            step("a", ", needs: []", "meet: 2, say: x"),
            step("b", ", needs: []", "meet: 2"),
            step("c", ", needs: [a, b]", "say: '{{ steps.a.outputs.said }}y', record: 3"),
        ];
        let told = bench.pass(&steps.concat()).await;
        let tail = "c begins 1\nc records\nc records\nc records\nc succeeds: \"xy\"\npass ends: Succeeded\nSucceeded";
        assert!(told.ends_with(tail), "{told}");
        assert_eq!(bench.shown().last().map(String::as_str), Some("closed"));
    });
}

#[test]
fn one_at_a_time_means_one_at_a_time() {
    check_time(async {
        let bench = Bench { max_parallel: 1, ..Bench::new() };
        let told = bench.pass(&[step("a", "", ""), step("b", ", needs: []", "")].concat()).await;
        let expected = "a begins 1\na succeeds: \"\"\nb begins 1\nb succeeds: \"\"\npass ends: Succeeded\nSucceeded";
        assert_eq!(told, expected);
    });
}

#[test]
fn a_failure_is_tried_again_as_retry_says_and_then_fails_the_run() {
    check_time(async {
        let retry = ", retry: { max-attempts: 2, delay: 30s }";
        let told = Bench::new().pass(&step("a", retry, "fail: 1")).await;
        insta::assert_snapshot!(told, @r#"
        a begins 1
        a is tried again: Failed: no [cause] advice
        a begins 2
        a succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
        let told = Bench::new().pass(&[step("a", retry, "fail: 2"), step("b", "", "")].concat()).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a is tried again: Failed: no [cause] advice
        a begins 2
        a has failed: Failed: no [cause] advice
        pass ends: Failed
        Failed
        ");
        let throttled = Bench::new().pass(&step("a", "", "fail: 1, class: transient")).await;
        assert!(throttled.contains("a is tried again: Transient"), "{throttled}");
    });
}

#[test]
fn a_timeout_tells_the_step_to_stop_and_leaves_the_outcome_unknown() {
    check_time(async {
        let told = Bench::new().pass(&step("a", ", timeout: 60s", "hang: true")).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a has failed: Unknown: it did not end within its timeout of 1m [] what it began goes on without hprun: resume to look again, or give it a longer `timeout:`
        pass ends: Failed
        Failed
        ");
    });
}

#[test]
fn an_interruption_stops_what_runs_begins_nothing_and_is_resumed() {
    check_time(async {
        let bench = Bench { stop_at: "hanging", ..Bench::new() };
        let steps = |hang: bool| {
            let finally = format!("finally:\n{}", step("f", "", ""));
            [step("a", "", &format!("hang: {hang}")), step("b", "", ""), finally].concat()
        };
        let told = bench.pass(&steps(true)).await;
        assert_eq!(told, "a begins 1\na is interrupted\npass ends: Interrupted\nInterrupted");
        assert_eq!(bench.shown(), ["a: hanging", "stopping", "closed"]);
        insta::assert_snapshot!(bench.pass(&steps(false)).await, @r#"
        a begins 2
        a succeeds: ""
        b begins 1
        b succeeds: ""
        f begins 1
        f succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
    });
}

#[test]
fn a_step_that_says_interrupted_when_nobody_asked_has_failed() {
    check_time(async {
        let told = Bench::new().pass(&step("a", "", "fail: 9, class: interrupted")).await;
        assert_eq!(told, "a begins 1\na has failed: Interrupted: no [cause] advice\npass ends: Failed\nFailed");
    });
}

#[test]
fn a_panic_is_a_failure_that_says_bug() {
    check_time(async {
        let told = Bench::new().pass(&step("a", ", retry: { max-attempts: 3 }", "panic: true")).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a has failed: Invalid: the step stopped by a bug in hprun [the step fell over ]
        pass ends: Failed
        Failed
        ");
    });
}

#[test]
fn a_panic_before_a_try_or_in_a_look_at_an_earlier_result_ends_the_step_too() {
    check_time(async {
        let bench = Bench::new();
        let steps = [step("a", "", "say: panic"), step("b", "", "file: '{{ steps.a.outputs.said }}'")].concat();
        let told = bench.pass(&steps).await;
        assert!(told.contains("b has failed: Invalid: the step stopped by a bug in hprun"), "{told}");
        bench.write("probe-a", "panic");
        let told = bench.pass(&steps).await;
        assert!(told.contains("a has failed: Invalid: the step stopped by a bug in hprun [the look fell over]"), "{told}");
        bench.write("probe-a", "fail");
        let told = bench.pass(&steps).await;
        assert!(told.contains("a has failed: Failed: cannot look [while looking at"), "{told}");
    });
}

#[test]
fn a_store_that_cannot_be_written_stops_the_run_where_it_stands() {
    check_time(async {
        for (kind, last) in [("step-succeeded", "a records"), ("recorded", "a begins 1"), ("attempt-started", "")] {
            let bench = Bench::new();
            drop(Store::open(bench.state_folder()).expect("a fresh store"));
            let full = format!(
                "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.kind = '{kind}'
                 BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            );
            let other = rusqlite::Connection::open(bench.state_folder().database()).expect("the store is there");
            other.execute_batch(&full).expect("a trigger");
            let steps = [step("a", "", "record: 1"), step("b", "", "")].concat();
            let error = bench.try_pass(&steps).await.expect_err("the store is full").to_string();
            assert!(error.ends_with("cannot be written: disk is full"), "{error}");
            assert_eq!(bench.told().lines().last().unwrap_or_default(), last);
            other.execute_batch("DROP TRIGGER full").expect("the trigger is there");
            assert!(bench.pass(&steps).await.ends_with("Succeeded"), "resumed with room on the disk");
        }
    });
}

#[test]
fn a_resume_reuses_what_stands_and_says_why_it_runs_the_rest_again() {
    check_time(async {
        let bench = Bench::new();
        bench.write("in", "1");
        let steps = |said: &str| {
            [
                step("a", "", &format!("say: {said}")),
                step("b", "", "file: in"),
                step("c", "", "write: out"),
                step("d", "", "say: '{{ steps.a.outputs.said }}'"),
                step("e", ", when: '{{ eq steps.d.outputs.said \"new\" }}'", ""),
            ]
            .concat()
        };
        bench.pass(&steps("old")).await;
        insta::assert_snapshot!(bench.pass(&steps("old")).await, @r#"
        a is reused
        b is reused
        c is reused
        d is reused
        e is skipped: eq steps.d.outputs.said "new" (steps.d.outputs.said = "old")
        pass ends: Succeeded
        Succeeded
        "#);
        bench.write("in", "2");
        std::fs::remove_file(bench.folder.path().join("out")).expect("c wrote it");
        let told = bench.pass(&steps("new")).await.replace(&bench.folder.path().display().to_string(), "[folder]");
        insta::assert_snapshot!(told, @r#"
        a begins 2: say: "old" → "new"
        a succeeds: "new"
        b begins 2: file in changed
        b succeeds: ""
        c begins 2: the file [folder]/out that it wrote is gone
        c succeeds: ""
        d begins 2: say: "old" → "new"
        d succeeds: "new"
        e begins 1
        e succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
        bench.write("probe-b", "it was deleted");
        let told = bench.pass(&steps("new")).await;
        assert!(told.contains("b begins 3: it was deleted\n") && told.contains("c is reused"), "{told}");
    });
}

#[test]
fn secrets_reach_the_step_and_nothing_that_is_written_or_shown() {
    check_time(async {
        let token = "token: '{{ params.token }}'";
        let bench = Bench::new();
        let steps = [
            step("a", ", needs: []", &format!("{token}, chatter: 5")),
            step("b", ", needs: [], on-failure: continue", &format!("{token}, fail: 1")),
            step("c", ", needs: [], on-failure: continue", &format!("{token}, panic: true")),
        ];
        bench.pass(&steps.concat()).await;
        let mut told: Vec<String> = bench.told().lines().map(str::to_owned).collect();
        told.sort();
        insta::assert_snapshot!(told.join("\n"), @r#"
        a begins 1
        a succeeds: "secret(token)"
        b begins 1
        b has failed: Failed: no secret(token) [cause secret(token)] advice secret(token)
        c begins 1
        c has failed: Invalid: the step stopped by a bug in hprun [the step fell over secret(token)]
        pass ends: Succeeded
        "#);
        let written = bench.all_that_was_written();
        assert!(written.contains("secret(token)") && !written.contains(SECRET));
        let shown = bench.shown().join("\n");
        assert!(!shown.contains(SECRET), "{shown}");
    });
}

#[test]
fn progress_may_drop_but_a_flood_of_it_holds_nothing_up() {
    check_time(async {
        let bench = Bench::new();
        let told = bench.pass(&step("a", "", "chatter: 20000, record: 2, say: done")).await;
        assert!(told.ends_with("a succeeds: \"done\"\npass ends: Succeeded\nSucceeded"), "{told}");
    });
}
