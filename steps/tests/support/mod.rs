//! The bench on which step types are tried: a sandbox of its own, clients for it, a stepped clock, a temporary folder.
//! Knows nothing of any one step type. Nothing is waited for: to sleep is to move the shared clock on.
#![expect(dead_code, reason = "each test binary uses its own part of the bench")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hprun_sandbox::{CallerPolicy, ClockKind, Entry, FaultScript, Options, Sandbox};
use hprun_steps::clients::{ClientOptions, Clients, SandboxEndpoint};
use hprun_steps::clock::Clock;
use hprun_steps::context::{Parts, Record, RecordRequest, RunInfo, StepContext};
use hprun_steps::files::{FileDigest, Files};
use hprun_steps::finding::Finding;
use hprun_steps::partial::Partial;
use hprun_steps::permissions::{Needs, Permission, Surroundings, WrittenFiles};
use hprun_steps::step::{Foresight, Health, StepType};
use hprun_steps::value::Value;
use hprun_steps::{Step, StepError};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The account of every sandbox.
pub const ACCOUNT: &str = "111122223333";
/// The region of the bench.
pub const REGION: &str = "us-west-2";
/// The run that steps on the bench belong to, unless a test says otherwise.
pub const RUN: &str = "01test";
/// The id of the step on the bench, unless a test says otherwise.
pub const STEP: &str = "it";
/// 2026-09-01T00:00:00Z in microseconds: tests start at a fixed time, so that snapshots are stable.
const START: i64 = 1_788_220_800_000_000;

/// A sandbox and all that a step needs. Dropping it ends the sandbox and removes the folder.
pub struct Bench {
    pub sandbox: Sandbox,
    pub clients: Clients,
    pub clock: Clock,
    /// Relative paths in inputs start here.
    pub base: PathBuf,
    pub run: RunInfo,
    pub step: String,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// What one try of a step gave.
#[derive(Debug)]
pub struct Tried {
    pub result: Result<serde_json::Value, StepError>,
    /// What this try and the tries before it recorded, oldest first.
    pub records: Vec<Record>,
    /// Every line that was shown, in order. (Lines that follow each other without a pause may be missing.)
    pub progress: Vec<String>,
}

/// How a try differs from the usual.
#[derive(Default)]
pub struct Try {
    /// What earlier attempts recorded.
    pub history: Vec<Record>,
    /// The record closes after this many new records: the step sees a run that died there. What it records is kept
    /// up to that point.
    pub records_until_death: Option<usize>,
    /// Fires when the run is told to stop.
    pub cancelled: CancellationToken,
}

impl Bench {
    /// A fresh sandbox without faults.
    pub async fn new() -> Self {
        Self::with_faults(None).await
    }

    /// A fresh sandbox in which calls and resources fail as the script says.
    pub async fn with_faults(faults: Option<FaultScript>) -> Self {
        Self::with(faults, REGION).await
    }

    /// A fresh sandbox whose clients are of this region.
    pub async fn in_region(region: &str) -> Self {
        Self::with(None, region).await
    }

    async fn with(faults: Option<FaultScript>, region: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let base = folder.path().join("pipeline");
        let run_folder = folder.path().join("run");
        for made in [&base, &run_folder] {
            std::fs::create_dir(made).expect("a folder in a fresh folder can be made");
        }
        let now = Arc::new(AtomicI64::new(START));
        let world = folder.path().join("world");
        let options = Options { world, clock: ClockKind::Manual(Arc::clone(&now)), faults, policy: None };
        let sandbox = Sandbox::open(options).await.expect("a sandbox opens in a fresh folder");
        let clients = Clients::new(ClientOptions {
            region: Some(region.to_owned()),
            sandbox: Some(SandboxEndpoint {
                url: sandbox.endpoint().to_owned(),
                access_key: "AKIAHPRUNSANDBOX0000".to_owned(),
                secret_key: "hprun-sandbox-secret".to_owned(),
            }),
            speed: Some(200.0),
            ..ClientOptions::default()
        })
        .await;
        let run = RunInfo {
            id: RUN.to_owned(),
            lineage: Vec::new(),
            pipeline: "test".to_owned(),
            partition: "aws".to_owned(),
            account: ACCOUNT.to_owned(),
            region: region.to_owned(),
            caller_arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/HprunSandbox/hprun"),
            sandbox: true,
            folder: run_folder,
            base: base.clone(),
            program: PathBuf::from("/usr/bin/hprun"),
            environment: sandbox.environment(),
        };
        let clock = Clock::manual(Arc::clone(&now));
        Self { sandbox, clients, clock, base, run, step: STEP.to_owned(), now, _folder: folder }
    }

    /// Writes a file below the pipeline's folder; missing folders are made.
    pub fn file(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let full = self.base.join(path);
        std::fs::create_dir_all(full.parent().expect("a file stands in a folder")).expect("a folder can be made");
        std::fs::write(&full, bytes).expect("a file can be written");
        full
    }

    /// From now on the time on the wall is so far ahead of what has passed as the number says (microseconds).
    pub fn set_wall(&mut self) -> Arc<AtomicI64> {
        let ahead = Arc::new(AtomicI64::new(0));
        self.clock = Clock::jumping(Arc::clone(&self.now), Arc::clone(&ahead));
        ahead
    }

    /// Moves sandbox time on.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(i64::try_from(by.as_micros()).expect("a test's pause is short"), Ordering::SeqCst);
    }

    /// Sandbox time that has passed since the bench was made.
    pub fn passed(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.now.load(Ordering::SeqCst) - START).expect("time goes forward"))
    }

    /// One try of a step of type `T` with these inputs and no history.
    pub async fn run<T: Step>(&self, inputs: serde_json::Value) -> Tried {
        self.attempt::<T>(inputs, Try::default()).await
    }

    /// One try after others that left `history`.
    pub async fn run_with_history<T: Step>(&self, inputs: serde_json::Value, history: &[Record]) -> Tried {
        self.attempt::<T>(inputs, Try { history: history.to_vec(), ..Try::default() }).await
    }

    /// One try, with all that can differ.
    pub async fn attempt<T: Step>(&self, inputs: serde_json::Value, how: Try) -> Tried {
        self.attempt_value::<T>(Value::from_json(&inputs), how).await
    }

    /// One try with inputs that JSON cannot spell (secrets).
    pub async fn attempt_value<T: Step>(&self, inputs: Value, how: Try) -> Tried {
        let files = self.files::<T>(&inputs);
        let (store, sender) = Store::start(&how);
        let (progress, shown) = watch::channel(String::new());
        let lines = tokio::spawn(collect_lines(shown));
        let mut cx = self.context(&files, sender, progress, how);
        self.may_only(&T::permissions(&Partial::from_value(&inputs), &surroundings(&files)));
        let result = (StepType::of::<T>().run)(inputs, &mut cx).await;
        drop(cx);
        self.may_all();
        Tried { result, records: store.records(), progress: lines.await.expect("lines are only collected") }
    }

    /// Asks a step of type `T` whether what it made is still there.
    pub async fn probe<T: Step>(
        &self,
        inputs: serde_json::Value,
        outputs: &serde_json::Value,
        history: &[Record],
    ) -> Result<Health, StepError> {
        let inputs = Value::from_json(&inputs);
        let files = self.files::<T>(&inputs);
        let how = Try { history: history.to_vec(), ..Try::default() };
        let (_store, sender) = Store::start(&how);
        let mut cx = self.context(&files, sender, watch::channel(String::new()).0, how);
        self.may_only(&T::permissions(&Partial::from_value(&inputs), &surroundings(&files)));
        let health = (StepType::of::<T>().probe)(inputs, outputs, &mut cx).await;
        self.may_all();
        health
    }

    /// Asks a step of type `T` what it would do now.
    pub async fn foresee<T: Step>(&self, inputs: serde_json::Value) -> Result<Foresight, StepError> {
        let inputs = Value::from_json(&inputs);
        let files = self.files::<T>(&inputs);
        let (_store, sender) = Store::start(&Try::default());
        let mut cx = self.context(&files, sender, watch::channel(String::new()).0, Try::default());
        (StepType::of::<T>().foresee)(inputs, &mut cx).await
    }

    /// What `T` says about these inputs before the run.
    pub fn check<T: Step>(&self, inputs: serde_json::Value) -> Vec<Finding> {
        let inputs = Value::from_json(&inputs);
        T::check(&Partial::from_value(&inputs), &self.files::<T>(&inputs))
    }

    /// The files that these inputs name, read.
    pub fn files<T: Step>(&self, inputs: &Value) -> Files {
        Files::load(&self.base, &T::files(&Partial::from_value(inputs)))
    }

    /// Every request to the sandbox so far, oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        self.sandbox.journal().entries().expect("the journal of an open sandbox can be read")
    }

    /// The calls of `operation` that changed the world.
    pub fn effects(&self, operation: &str) -> Vec<Entry> {
        self.journal().into_iter().filter(|e| e.operation == operation && e.effect).collect()
    }

    /// What a step says that it needs is all that it may do: the sandbox denies the rest. A step that says nothing is not held
    /// to it here; `permissions.rs` names those.
    fn may_only(&self, needs: &Needs) {
        let statement = |of: &Permission| {
            let keys = of.conditions.iter().map(|it| (it.key.to_owned(), json!(it.values)));
            let condition = json!({ "StringEquals": keys.collect::<serde_json::Map<_, _>>() });
            json!({ "Effect": "Allow", "Action": of.actions, "Resource": of.resources, "Condition": condition })
        };
        if !needs.permissions.is_empty() {
            self.set_policy(&needs.permissions.iter().map(statement).collect());
        }
    }

    /// What a test does itself may be anything.
    fn may_all(&self) {
        self.set_policy(&json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }));
    }

    fn set_policy(&self, statements: &serde_json::Value) {
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        let policy = CallerPolicy::new(policy).expect("what steps declare makes a policy");
        self.sandbox.world().access().set(policy).expect("a policy can be kept in a fresh folder");
    }

    fn context<'a>(
        &'a self,
        files: &'a Files,
        records: mpsc::Sender<RecordRequest>,
        progress: watch::Sender<String>,
        how: Try,
    ) -> StepContext<'a> {
        StepContext::new(Parts {
            attempt: 1,
            step: &self.step,
            run: &self.run,
            clients: &self.clients,
            files,
            clock: &self.clock,
            cancelled: how.cancelled,
            records,
            progress,
            history: how.history,
        })
    }
}

/// Where steps on the bench run. No other step has told anything.
pub fn surroundings(files: &Files) -> Surroundings<'_> {
    let (partition, region, account) = ("aws", REGION, ACCOUNT);
    static NONE: WrittenFiles = WrittenFiles::new();
    Surroundings { files, partition, region, account, stacks: &[], written: &NONE }
}

/// The `with:` of a type's example, with `entries` in place of its own (for what an expression gives).
pub fn example<T: Step>(entries: serde_json::Value) -> serde_json::Value {
    let list: serde_json::Value = serde_yaml::from_str(T::EXAMPLE).expect("the example is YAML");
    let step = list.get(0).expect("the example is a list item");
    assert_eq!(step["type"], T::TYPE, "the example is of its own type");
    assert!(step["id"].is_string(), "the example has an id");
    let mut with = step["with"].clone();
    for (key, value) in entries.as_object().expect("entries are a map") {
        with[key] = value.clone();
    }
    with
}

/// Short text of findings, one a line, for comparing.
pub fn messages(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| f.message.clone()).collect()
}

/// A file's record, for comparing.
pub fn digest(path: &Path, bytes: &[u8], mode: u32) -> FileDigest {
    FileDigest { path: path.display().to_string(), sha256: hprun_steps::files::sha256(bytes), mode }
}

async fn collect_lines(mut shown: watch::Receiver<String>) -> Vec<String> {
    let mut lines = Vec::new();
    while shown.changed().await.is_ok() {
        lines.push(shown.borrow_and_update().clone());
    }
    lines
}

/// The record of a run, kept in memory.
struct Store {
    records: Arc<Mutex<Vec<Record>>>,
}

impl Store {
    fn start(how: &Try) -> (Self, mpsc::Sender<RecordRequest>) {
        let records = Arc::new(Mutex::new(how.history.clone()));
        let (sender, mut receiver) = mpsc::channel::<RecordRequest>(1);
        let kept = Arc::clone(&records);
        let most = how.records_until_death.map(|n| n + how.history.len());
        tokio::spawn(async move {
            while let Some((record, answer)) = receiver.recv().await {
                let full = {
                    let mut kept = kept.lock().expect("nothing panics while it holds the records");
                    let full = most.is_some_and(|most| kept.len() >= most);
                    if !full {
                        kept.push(record);
                    }
                    full
                };
                let outcome = if full { Err("the run died here".to_owned()) } else { Ok(()) };
                drop(answer.send(outcome));
            }
        });
        (Self { records }, sender)
    }

    fn records(self) -> Vec<Record> {
        self.records.lock().expect("nothing panics while it holds the records").clone()
    }
}
