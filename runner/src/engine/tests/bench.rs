//! What the tests of the engine run on: a step type that does what it is told, and a run in a folder of its own.
//! Checks nothing itself but that what is in memory is what is on disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;

use hprun_steps::clients::{ClientOptions, Clients, SandboxEndpoint};
use hprun_steps::clock::Clock;
use hprun_steps::context::{FileMode, Record, RunInfo, StepContext};
use hprun_steps::files::{FileInput, FileKind};
use hprun_steps::partial::Partial;
use hprun_steps::step::{Foresight, Health};
use hprun_steps::value::{Secret, Value};
use hprun_steps::{ErrorClass, Step, StepError, StepType};
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::super::{Engine, EngineError, Setup, World};
use crate::engine::explain::{Verdict, explain};
use crate::event::testing::{pass_over, run_started};
use crate::event::{Entry, Event, Outcome, PassStarted, Selection};
use crate::params::Params;
use crate::pipeline::testing::files_in;
use crate::pipeline::{KnownParams, check, read};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state::RunState;
use crate::store::{Log, StateFolder, Store};

const RUN: &str = "run000000001";
/// Only so that steps which wait for each other in vain are a failure with a name.
const HELD_FOR: Duration = Duration::from_secs(20);
pub const SECRET: &str = "correct-horse";

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
    /// Something that it takes and that changes nothing of what it hands on.
    #[expect(dead_code, reason = "only its record matters")]
    heed: Option<String>,
    /// What to hand on, and must not be recorded.
    token: Option<Secret>,
    /// Wait until so many steps are here.
    meet: Option<usize>,
    /// Hold the thread, without waiting, until so many steps do.
    hold: Option<usize>,
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

impl Play {
    fn class(&self, usual: ErrorClass) -> ErrorClass {
        match self.class.as_deref() {
            Some("transient") => ErrorClass::Transient,
            Some("interrupted") => ErrorClass::Interrupted,
            Some("login") => ErrorClass::Login,
            Some("unknown") => ErrorClass::Unknown,
            Some("failed") => ErrorClass::Failed,
            Some(other) => panic!("no class {other}"),
            None => usual,
        }
    }
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
        assert_ne!(inputs.str_at("file"), Some("panic"), "no such file can be named");
        FileInput::named(inputs, "file", FileKind::File).into_iter().collect()
    }

    async fn run(self, cx: &mut StepContext<'_>) -> Result<Played, StepError> {
        let token = self.token.as_ref().map(|t| t.reveal().to_owned()).unwrap_or_default();
        if let Some(count) = self.meet {
            barrier(&cx.run.base, count).wait().await;
        }
        if let Some(count) = self.hold {
            hold(&cx.run.base, count);
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
            return Err(StepError::new(self.class(ErrorClass::Interrupted), "cut off"));
        }
        assert!(crate::engine::is_in_step(), "so that its panic is not printed");
        assert!(!self.panic, "the step fell over {token}");
        if cx.attempt <= self.fail.unwrap_or(0) {
            let class = self.class(ErrorClass::Failed);
            let text = |about: &str| format!("{about} {token}").trim().to_owned();
            return Err(StepError::new(class, text("no")).because(text("cause")).help(text("advice")));
        }
        let said = format!("{}{token}", self.say.unwrap_or_default());
        Ok(Played { said })
    }

    /// What it would say; a text with `?` in it cannot be told before, one with `!` would be refused.
    async fn foresee(self, cx: &mut StepContext<'_>) -> Result<Foresight, StepError> {
        assert!(crate::engine::is_in_step() && cx.record(Record::ChildEnded { pid: 1 }).await.is_err());
        let said = self.say.unwrap_or_default();
        let refusal = said.contains('!').then(|| StepError::refused("it will not be said"));
        let outputs = (!said.contains('?')).then(|| serde_json::json!({ "said": said }));
        let files = self.write.iter().map(|path| (cx.run.base.join(path).display().to_string(), b"foreseen".to_vec()));
        Ok(Foresight { outputs, files: files.collect(), changes: vec![format!("{} speaks", cx.step)], refusal })
    }

    /// Lost when the pipeline's folder holds a file that says so.
    async fn probe(self, _: &serde_json::Value, cx: &mut StepContext<'_>) -> Result<Health, StepError> {
        let refused = cx.record(Record::ChildEnded { pid: 1 }).await;
        assert!(refused.is_err() && crate::engine::is_in_step(), "a look records nothing");
        match std::fs::read_to_string(cx.run.base.join(format!("probe-{}", cx.step))).as_deref() {
            Ok("panic") => panic!("the look fell over"),
            Ok("fail") => Err(StepError::failed("cannot look")),
            Ok("throttle") => Err(StepError::new(ErrorClass::Transient, "not now")),
            Ok("throttle once") => {
                std::fs::remove_file(cx.run.base.join(format!("probe-{}", cx.step))).expect("it was read");
                Err(StepError::new(ErrorClass::Unknown, "no answer"))
            }
            Ok("wait") => {
                cx.cancelled.cancelled().await;
                Ok(Health::Lost("found after the stop".to_owned()))
            }
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

/// Keeps the thread until `count` steps of one test are here.
fn hold(base: &Path, count: usize) {
    static HELD: LazyLock<Mutex<HashMap<PathBuf, usize>>> = LazyLock::new(Mutex::default);
    static ONE_MORE: Condvar = Condvar::new();
    let mut held = HELD.lock().expect("nobody panics here");
    *held.entry(base.to_owned()).or_default() += 1;
    ONE_MORE.notify_all();
    let lacks = |held: &mut HashMap<PathBuf, usize>| held[base] < count;
    let (held, waited) = ONE_MORE.wait_timeout_while(held, HELD_FOR, lacks).expect("nobody panics here");
    drop(held);
    assert!(!waited.timed_out(), "the steps do not work side by side");
}

/// Keeps what was shown, and stops the run when a step shows `stop_at`.
struct Tape {
    shown: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    stop_at: &'static str,
}

impl Reporter for Tape {
    fn event(&mut self, entry: &Entry, state: &RunState) {
        assert!(entry.seq <= state.seq, "a reporter sees the state with the event in it");
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
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub shown: Arc<Mutex<Vec<String>>>,
    pub max_parallel: usize,
    pub stop_at: &'static str,
    pub selection: Selection,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, shown: Arc::default(), max_parallel: 4, stop_at: "", selection: Selection::default() }
    }

    pub fn state_folder(&self) -> StateFolder {
        StateFolder::at(&self.folder.path().join("state")).expect("a fresh folder")
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a fresh folder");
    }

    /// Runs one pass of these steps, first or resumed, and tells what it recorded.
    pub async fn pass(&self, steps: &str) -> String {
        match self.try_pass(steps).await {
            Ok(outcome) => format!("{}\n{outcome:?}", self.told()),
            Err(e) => panic!("{e}"),
        }
    }

    pub async fn try_pass(&self, steps: &str) -> Result<Outcome, EngineError> {
        let store = Store::open(self.state_folder()).expect("a sound store");
        let lock = store.folder().lock(RUN).expect("nobody else holds it");
        let mut state = RunState::replay(&store.events(RUN)?).expect("a legal log");
        let log = Log::open(store.folder(), RUN, lock, state.seq)?;
        let plan = self.plan(steps);
        let first = (state.seq == 0).then(|| Event::RunStarted(Box::new(run_started())));
        let now = Timestamp::now();
        let events = first.into_iter().chain([self.pass_started(&plan)]).map(|event| (now, event)).collect();
        for entry in log.handle().append(events)? {
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

    fn pass_started(&self, plan: &Plan) -> Event {
        match pass_over(plan) {
            Event::PassStarted(pass) => {
                let again = crate::decide::again(plan, &self.selection);
                Event::PassStarted(Box::new(PassStarted { again, selection: self.selection.clone(), ..*pass }))
            }
            other => panic!("no pass begins with {other:?}"),
        }
    }

    /// What a resume with these steps would do, one line a step.
    pub async fn explained(&self, steps: &str) -> String {
        let before = self.events();
        let before_pass = self.state();
        let mut state = before_pass.clone();
        let plan = self.plan(steps);
        let entry = Entry { seq: state.seq + 1, at: Timestamp::now(), event: self.pass_started(&plan) };
        state.apply(&entry).expect("a pass can begin");
        let verdicts = explain(self.world(plan).await, &before_pass, state, CancellationToken::new()).await;
        assert_eq!(self.events(), before, "to ask records nothing");
        verdicts.iter().map(|Verdict { step, fate }| format!("{step}: {fate:?}")).collect::<Vec<_>>().join("\n")
    }

    /// The run as its record tells it.
    pub fn state(&self) -> RunState {
        RunState::replay(&self.events()).expect("a legal log")
    }

    /// A bench whose run has come as far as these events tell.
    pub async fn after(entries: &[Entry]) -> Self {
        let bench = Self::new();
        let store = Store::open(bench.state_folder()).expect("a fresh store");
        let lock = store.folder().lock(RUN).expect("nobody else holds it");
        let log = Log::open(store.folder(), RUN, lock, 0).expect("a fresh store");
        let events = entries.iter().map(|entry| (entry.at, entry.event.clone())).collect();
        log.handle().append(events).expect("a fresh store");
        bench
    }

    fn plan(&self, steps: &str) -> Plan {
        let text = format!(
            "apiVersion: hprun/v1\nname: p\nparams:\n  token: {{ type: string, secret: true }}\nsteps:\n{steps}"
        );
        let authored = read(&text).unwrap_or_else(|found| panic!("{found:?}"));
        let known = KnownParams { values: Default::default() };
        let (pipeline, _) =
            check(authored, TYPES, &files_in(self.folder.path()), &known).unwrap_or_else(|found| panic!("{found:?}"));
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
            lineage: Vec::new(),
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

    pub fn events(&self) -> Vec<Entry> {
        let store = Store::open(self.state_folder()).expect("a sound store");
        store.events(RUN).expect("a sound store")
    }

    /// The newest pass, one line an event.
    pub fn told(&self) -> String {
        let events = self.events();
        let newest = events.rsplit(|entry| matches!(entry.event, Event::PassStarted(_))).next().unwrap_or_default();
        newest.iter().map(|entry| line(&entry.event)).collect::<Vec<_>>().join("\n")
    }

    /// Every byte that was written to the state folder, as text.
    pub fn all_that_was_written(&self) -> String {
        let folder = self.state_folder();
        let names = std::fs::read_dir(folder.path()).expect("the folder is there").flatten();
        let files = names.filter(|entry| entry.path().is_file());
        files.map(|f| String::from_utf8_lossy(&std::fs::read(f.path()).expect("readable")).into_owned()).collect()
    }

    pub fn shown(&self) -> Vec<String> {
        self.shown.lock().expect("nobody panics here").clone()
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::RunStarted(_)
        | Event::PassStarted(_)
        | Event::Inherited { .. }
        | Event::HandedOver { .. }
        | Event::Exported { .. }
        | Event::Imported { .. }
        | Event::Copied { .. } => event.kind().to_owned(),
        Event::StepTrusted { step, outputs, .. } => format!("{step} is trusted: {}", outputs["said"]),
        Event::AttemptStarted { step, attempt, because, .. } if because.is_empty() => {
            format!("{step} begins {attempt}")
        }
        Event::AttemptStarted { step, attempt, because, .. } => {
            format!("{step} begins {attempt}: {}", because.join("; "))
        }
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
