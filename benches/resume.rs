//! Taking up a run with a long record: everything `hprun resume` does before it reaches out, part by part.
//! Knows nothing of AWS: who asks there whether things are still healthy waits for AWS.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hprun::decide::{self, Limits};
use hprun::event::{Entry, Event};
use hprun::plan::Plan;
use hprun::state::RunState;
use hprun::store::{Log, Store};
use hprun_steps::context::{CallIntended, CallOutcome, Origin, Record};
use jiff::Timestamp;
use serde_json::json;

use super::noop::{Bench, RUN, Shape, pass_over, pipeline, plan, text};

/// What the record of a step holds between its begin and its end: this many calls, with what each made.
const CALLS: usize = 16;
/// Events of a step: its begin, three a call, its end.
pub const EVENTS_A_STEP: usize = 2 + 3 * CALLS;

/// A run of a pipeline, killed when its last step had done everything but say so.
pub struct Killed {
    bench: Bench,
    text: String,
}

/// The parts of taking a run up, in order, with what each took.
pub type Parts = Vec<(&'static str, Duration)>;

impl Killed {
    /// One with this many steps in its record.
    pub async fn new(steps: usize) -> Self {
        let (bench, text) = (Bench::new(), text(Shape::Chain, steps));
        let plan = plan(pipeline(&text));
        let store = bench.store();
        let (log, _) = bench.begin(&store, &plan).await;
        let mut events: Vec<Event> = plan.steps.iter().flat_map(|step| events(step.spec.id.as_str())).collect();
        events.pop();
        let events = events.into_iter().map(|event| (Timestamp::now(), event)).collect();
        log.handle().append(events).expect("the disk has room");
        Self { bench, text }
    }

    /// Takes it up in this process, to where the first step would be looked at.
    pub fn take_up(&self) -> (Parts, usize) {
        let (mut parts, mut last) = (Parts::new(), Instant::now());
        let mut part = |name| {
            parts.push((name, last.elapsed()));
            last = Instant::now();
        };
        let store = Store::open(self.bench.state_folder()).expect("a sound store");
        let row = store.find_to_resume(None).expect("there is one");
        let lock = store.folder().lock(&row.id).expect("nobody else holds it");
        part("open the store, find the run");
        let entries = store.events(&row.id).expect("a sound store");
        part("read its events");
        let count = entries.len();
        let mut state = RunState::of(entries).expect("a legal log");
        part("replay them");
        let pipeline = pipeline(&self.text);
        part("read and check the pipeline");
        let plan = plan(pipeline);
        part("plan");
        let mut pass = pass_over(&plan);
        pass.usual = store.usual_durations("bench", "aws").expect("a sound store");
        part("look how long steps usually take");
        let log = Log::open(store.folder(), RUN, lock, state.seq).expect("a sound store");
        let began = vec![(Timestamp::now(), Event::PassStarted(Box::new(pass)))];
        for entry in log.handle().append(began).expect("the disk has room") {
            state.apply(&entry).expect("a legal log");
        }
        part("record that a pass begins");
        assert_eq!(first_moves(&plan, &state), 1, "the first step is looked at first");
        part("decide");
        (parts, count)
    }

    /// How long `hprun outputs` takes, from its start to its end: it reads and replays the record as `resume` does.
    pub fn program(&self) -> Duration {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hprun"));
        command.args(["outputs", "--state"]).arg(self.bench.state_folder().path()).stdout(Stdio::null());
        let began = Instant::now();
        let status = command.status().expect("it was built");
        let took = began.elapsed();
        assert!(status.success());
        took
    }

    /// Every event of it.
    pub fn entries(&self) -> Vec<Entry> {
        self.bench.store().events(RUN).expect("a sound store")
    }
}

fn first_moves(plan: &Plan, state: &RunState) -> usize {
    let limits = Limits { max_parallel: 8, stopping: false };
    decide::next(plan, state, &Default::default(), limits, Timestamp::now()).len()
}

fn events(step: &str) -> Vec<Event> {
    let record = |record| Event::Recorded { step: step.to_owned(), record };
    let inputs = json!({ "name": "hyperpod", "region": "us-west-2", "instance-count": 4 });
    let mut events = vec![Event::AttemptStarted {
        step: step.to_owned(),
        attempt: 1,
        inputs,
        files: Vec::new(),
        because: Vec::new(),
    }];
    for call in 0..CALLS {
        let (kind, name) = ("AWS::S3::Object".to_owned(), format!("lifecycle/base-config/script-{call}.sh"));
        let digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef".to_owned();
        let token = format!("hprun-{RUN}-{step}-put-object-{call}-{}", &digest[..12]);
        let id = format!("arn:aws:s3:::bucket/{name}");
        let intended = CallIntended {
            op: "put-object".to_owned(),
            token: token.clone(),
            digest,
            kind: kind.clone(),
            name: name.clone(),
            existed: false,
        };
        events.push(record(Record::CallIntended(intended)));
        events.push(record(Record::CallSettled { token, outcome: CallOutcome::Done }));
        events.push(record(Record::ResourceRecorded { kind, id, name, origin: Origin::Made }));
    }
    let outputs = json!({ "bucket": "hyperpod-bucket", "prefix": "lifecycle/base-config" });
    events.push(Event::StepSucceeded { step: step.to_owned(), attempt: 1, outputs, files: Vec::new() });
    events
}
