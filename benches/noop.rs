//! What the benches run: a step type that does nothing, pipelines of it, and a run of them on a store on the real disk.
//! Measures nothing itself but what a run says of itself: the time and the commits that it took.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hprun::engine::{Engine, Setup, World};
use hprun::event::{Entry, Event, FORMAT, Outcome, PassStarted, RunStarted, Selection, Target};
use hprun::params::Params;
use hprun::pipeline::{KnownParams, Pipeline, check, read};
use hprun::plan::Plan;
use hprun::report::Reporter;
use hprun::state::RunState;
use hprun::store::{Log, StateFolder, Store};
use hprun_steps::clients::{ClientOptions, Clients, SandboxEndpoint};
use hprun_steps::clock::Clock;
use hprun_steps::context::{RunInfo, StepContext};
use hprun_steps::files::Files;
use hprun_steps::{Step, StepError, StepType};
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The run of every bench; each has a folder of its own.
pub const RUN: &str = "run000000001";

/// The step types of the benches.
pub static TYPES: &[StepType] = &[StepType::of::<Noop>()];

/// Does nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Noop {}

#[derive(Serialize, JsonSchema)]
struct Nothing {}

impl Step for Noop {
    const TYPE: &'static str = "noop";
    const SUMMARY: &'static str = "do nothing";
    const EXAMPLE: &'static str = "";
    type Outputs = Nothing;

    async fn run(self, _: &mut StepContext<'_>) -> Result<Nothing, StepError> {
        Ok(Nothing {})
    }
}

/// How the steps of a pipeline hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each needs the one above.
    Chain,
    /// None needs another.
    Independent,
}

/// The text of a pipeline of `steps` steps.
pub fn text(shape: Shape, steps: usize) -> String {
    let needs = match shape {
        Shape::Chain => "",
        Shape::Independent => ", needs: []",
    };
    let steps: String = (1..=steps).map(|n| format!("  - {{ id: s{n:05}, type: noop{needs} }}\n")).collect();
    format!("apiVersion: hprun/v1\nname: bench\nsteps:\n{steps}")
}

/// The pipeline of this text, read and checked.
pub fn pipeline(text: &str) -> Pipeline {
    let authored = read(text).unwrap_or_else(|found| panic!("{found:?}"));
    let (pipeline, _) = check(authored, TYPES, &|_| Files::default(), &KnownParams::default())
        .unwrap_or_else(|found| panic!("{found:?}"));
    pipeline
}

/// The plan of this pipeline.
pub fn plan(pipeline: Pipeline) -> Plan {
    Plan::new(pipeline, Params { values: IndexMap::new(), sources: IndexMap::new() })
}

/// A folder on the real disk, for one run.
pub struct Bench {
    folder: tempfile::TempDir,
}

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// From the first decision to the end of the pass on disk.
    pub time: Duration,
    /// Commits in that time.
    pub commits: u32,
    /// The median time from one commit to the next: what a neighbour on the disk disturbs least.
    pub step: Duration,
}

impl Taken {
    /// What was taken since `began`; `commits` came at these instants.
    pub fn since(began: Instant, commits: u32, instants: &[Instant]) -> Self {
        let time = began.elapsed();
        let mut between: Vec<Duration> = instants.windows(2).map(|two| two[1] - two[0]).collect();
        between.sort();
        Self { time, commits, step: between.get(between.len() / 2).copied().unwrap_or_default() }
    }
}

/// Shows nothing, but notes when a step began: then its commit has just come.
struct Stopwatch(Arc<Mutex<Vec<Instant>>>);

impl Reporter for Stopwatch {
    fn event(&mut self, entry: &Entry, _: &RunState) {
        if let Event::AttemptStarted { .. } = entry.event {
            self.0.lock().expect("nobody panics here").push(Instant::now());
        }
    }
    fn progress(&mut self, _: &str, _: &str) {}
    fn stopping(&mut self) {}
    fn close(&mut self, _: &RunState) {}
}

impl Bench {
    /// An empty folder where `HPRUN_BENCH_FOLDER` says, or beside what cargo builds: not in memory, as `/tmp` may be.
    pub fn new() -> Self {
        let named = std::env::var_os("HPRUN_BENCH_FOLDER");
        let place = named.map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
        Self { folder: tempfile::tempdir_in(place).expect("the folder is there") }
    }

    /// The folder of the store.
    pub fn state_folder(&self) -> StateFolder {
        StateFolder::at(&self.folder.path().join("state")).expect("a fresh folder")
    }

    /// The store.
    pub fn store(&self) -> Store {
        Store::open(self.state_folder()).expect("a sound store")
    }

    /// Runs all of `plan` in one pass.
    pub async fn run(&self, plan: Plan, max_parallel: usize) -> Taken {
        let store = self.store();
        let (log, state) = self.begin(&store, &plan).await;
        let world = self.world(plan).await;
        let instants = Arc::new(Mutex::new(Vec::with_capacity(world.plan.steps.len())));
        let (reporter, stop) = (Box::new(Stopwatch(Arc::clone(&instants))), CancellationToken::new());
        let setup = Setup { world, state, log: log.handle(), reporter, max_parallel, stop };
        let (commits, began) = (self.commits(), Instant::now());
        let (outcome, _) = Engine::new(setup).run().await.expect("a sound store");
        assert_eq!(outcome, Outcome::Succeeded);
        let instants = instants.lock().expect("nobody panics here");
        Taken::since(began, self.commits() - commits, &instants)
    }

    /// Records that a pass over `plan` begins.
    pub async fn begin(&self, store: &Store, plan: &Plan) -> (Log, RunState) {
        let lock = store.folder().lock(RUN).expect("nobody else holds it");
        let mut state = RunState::replay(&store.events(RUN).expect("a sound store")).expect("a legal log");
        let log = Log::open(store.folder(), RUN, lock, state.seq).expect("a sound store");
        let first = (state.seq == 0).then(|| Event::RunStarted(Box::new(run_started())));
        let pass = Event::PassStarted(Box::new(pass_over(plan)));
        let events = first.into_iter().chain([pass]).map(|event| (Timestamp::now(), event)).collect();
        for entry in log.handle().append(events).expect("a sound store") {
            state.apply(&entry).expect("a legal log");
        }
        (log, state)
    }

    /// How many commits the store has seen since it was opened: SQLite counts them in the file that its connections
    /// share (`iChange` of the WAL index).
    pub fn commits(&self) -> u32 {
        let path = PathBuf::from(format!("{}-shm", self.state_folder().database().display()));
        let index = std::fs::read(path).expect("the store is open");
        u32::from_ne_bytes(index[8..12].try_into().expect("four bytes"))
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
            pipeline: "bench".to_owned(),
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
        World { plan, run, clients, clock: Clock::system() }
    }
}

fn run_started() -> RunStarted {
    RunStarted {
        format: FORMAT,
        version: "0.0.0".to_owned(),
        pipeline: "bench".to_owned(),
        path: "/bench.yaml".to_owned(),
        text: String::new(),
        target: Target::Aws { profile: None },
        partition: "aws".to_owned(),
        account: "111122223333".to_owned(),
        region: "us-west-2".to_owned(),
        caller: "arn".to_owned(),
        params: IndexMap::new(),
        lineage: Vec::new(),
    }
}

/// The beginning of a pass over this plan.
pub fn pass_over(plan: &Plan) -> PassStarted {
    PassStarted {
        pid: std::process::id(),
        host: "h".to_owned(),
        params: IndexMap::new(),
        text: None,
        orphaned: Vec::new(),
        notes: Vec::new(),
        usual: Default::default(),
        steps: plan.steps.iter().map(|s| (s.spec.id.to_string(), s.spec.step_type.name.to_owned())).collect(),
        again: Default::default(),
        selection: Selection::default(),
    }
}

/// The runtime that hprun has.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
