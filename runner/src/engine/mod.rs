//! The only loop that acts: decide, record, do, report. Everything that happens in a run passes through here.
//! Knows nothing of the pipeline file, of any one step type, or of how events are shown.

mod attempt;
pub mod explain;
mod pause;
mod prepare;
mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hprun_steps::clients::Clients;
use hprun_steps::clock::Clock;
use hprun_steps::context::{RecordRequest, RunInfo};
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use hprun_steps::{ErrorClass, StepError};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::decide::{self, Limits, Move, Standing};
use crate::event::{Event, Failure, Outcome};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state::{IllegalEvent, RunState, Status};
use crate::store::{LogHandle, StoreError};
pub use attempt::is_in_step;
use attempt::{Attempt, AttemptEnd, bug, panicked};
use pause::Pauses;
use prepare::{Prepared, Readiness};
use record::Recorder;

/// Most messages that are dealt with before what they led to is put on disk: a flood of progress must not hold it up.
const MOST_AT_ONCE: usize = 256;

/// A run in the hands of this process.
pub struct Engine {
    world: Arc<World>,
    record: Recorder,
    /// Where the steps stand with everything noted.
    standing: Standing,
    max_parallel: usize,
    stop: CancellationToken,
    outbox: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    /// Steps that are being got ready: files read, an earlier result looked at.
    verifying: BTreeSet<usize>,
    /// Steps with a try under way, and what tells each to stop.
    running: BTreeMap<usize, CancellationToken>,
    /// The pauses before the next tries.
    pauses: Pauses,
    finishing: bool,
}

/// What every attempt shares.
pub struct World {
    /// What to do, with the params, secrets included.
    pub plan: Plan,
    /// The run's facts, for steps.
    pub run: RunInfo,
    /// AWS and Kubernetes.
    pub clients: Clients,
    /// The run's time.
    pub clock: Clock,
}

/// What an engine is made of.
pub struct Setup {
    /// What every attempt shares.
    pub world: World,
    /// The run so far: `RunStarted` and `PassStarted` are in it.
    pub state: RunState,
    /// Where events go.
    pub log: LogHandle,
    /// Who shows them.
    pub reporter: Box<dyn Reporter>,
    /// Most steps at once.
    pub max_parallel: usize,
    /// Fires when a person asks to stop.
    pub stop: CancellationToken,
}

/// Why an engine gave up: not a step's failure, which is an outcome.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The record could not be written; nothing was done after the last event that was.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event that cannot be: a bug.
    #[error(transparent)]
    Illegal(#[from] IllegalEvent),
}

/// What the loop does after it has decided.
enum Next {
    /// The pass is over.
    Ended(Outcome),
    /// Something was noted: decide again.
    Again,
    /// Nothing can be done unless something happens, or a pause ends, if there is one.
    Wait { is_pausing: bool },
}

/// What running attempts tell the engine.
enum Message {
    Record { step: usize, request: RecordRequest },
    Progress { step: usize, text: String },
    Prepared { step: usize, prepared: Box<Prepared> },
    Verified { step: usize, prepared: Box<Prepared>, health: Result<Health, StepError> },
    NotReady { step: usize, error: StepError },
    Ended { step: usize, end: AttemptEnd },
}

impl World {
    /// Every secret of the run.
    fn secrets(&self) -> Vec<&Secret> {
        self.plan.params.values.values().flat_map(Value::secrets).collect()
    }

    /// `text` without the texts of secrets.
    fn redact(&self, text: String) -> String {
        self.secrets().iter().fold(text, |text, secret| secret.redact(&text))
    }
}

impl Engine {
    /// An engine at rest.
    pub fn new(setup: Setup) -> Self {
        let Setup { world, state, log, reporter, max_parallel, stop } = setup;
        let (outbox, inbox) = mpsc::channel(64);
        Self {
            standing: Standing::new(&world.plan, &state),
            world: Arc::new(world),
            record: Recorder::new(state, log, reporter),
            max_parallel: max_parallel.max(1),
            stop,
            outbox,
            inbox,
            verifying: BTreeSet::new(),
            running: BTreeMap::new(),
            pauses: Pauses::default(),
            finishing: false,
        }
    }

    /// Runs to the end of this pass.
    pub async fn run(mut self) -> Result<(Outcome, RunState), EngineError> {
        let result = self.pass().await;
        for cancel in self.running.values() {
            cancel.cancel();
        }
        let state = self.record.close();
        result.map(|outcome| (outcome, state))
    }

    async fn pass(&mut self) -> Result<Outcome, EngineError> {
        let mut heard = 0;
        loop {
            let is_pausing = match self.decide()? {
                Next::Ended(outcome) => return Ok(outcome),
                Next::Again => continue,
                Next::Wait { is_pausing } => is_pausing,
            };
            // What has been said meanwhile may lead to more that can share the commit.
            if heard < MOST_AT_ONCE
                && !self.stop.is_cancelled()
                && let Ok(message) = self.inbox.try_recv()
            {
                heard += 1;
                self.handle(message)?;
                continue;
            }
            heard = 0;
            self.record.commit()?;
            self.listen(is_pausing).await?;
        }
    }

    /// Does what follows from the state.
    fn decide(&mut self) -> Result<Next, EngineError> {
        let limits = Limits { max_parallel: self.max_parallel, stopping: self.stop.is_cancelled() };
        let now = self.pauses.now(&self.world.clock);
        let moves = self.standing.next(&self.world.plan, &self.verifying, limits, now);
        let (mut is_pausing, before) = (false, self.record.state().seq);
        for next in moves {
            match next {
                Move::Begin(step) | Move::Verify(step) => self.prepare(step)?,
                Move::WaitUntil(_) => is_pausing = true,
                Move::Finish(outcome) => {
                    self.note(Event::PassEnded { outcome })?;
                    self.record.commit()?;
                    return Ok(Next::Ended(outcome));
                }
            }
        }
        // A step that was skipped, or begun or failed at once, sends no message: what follows is decided at once.
        Ok(if self.record.state().seq == before { Next::Wait { is_pausing } } else { Next::Again })
    }

    /// Waits for the next thing to happen and deals with it.
    async fn listen(&mut self, is_pausing: bool) -> Result<(), EngineError> {
        let clock = self.world.clock.clone();
        // A pause that has just ended is no longer open: then there is something to decide.
        let shortest = self.pauses.shortest(&clock).unwrap_or_default();
        let timer = async {
            if is_pausing {
                clock.sleep(shortest).await;
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            // A person who asks to stop is answered first.
            biased;
            () = self.stop.cancelled(), if !self.finishing => {
                self.finishing = true;
                self.record.stopping();
                for cancel in self.running.values() {
                    cancel.cancel();
                }
                Ok(())
            }
            message = self.inbox.recv() => {
                let message = message.expect("the engine itself holds a sender");
                self.handle(message)
            }
            () = timer => Ok(()),
        }
    }

    fn handle(&mut self, message: Message) -> Result<(), EngineError> {
        match message {
            Message::Progress { step, text } => {
                // The last words of a try may come after its end.
                if self.running.contains_key(&step) || self.verifying.contains(&step) {
                    let id = self.world.plan.steps[step].spec.id.as_str();
                    self.record.progress(id, &self.world.redact(text));
                }
                Ok(())
            }
            Message::Record { step, request: (record, answer) } => {
                if !self.running.contains_key(&step) {
                    drop(answer.send(Err("no try of the step is under way".to_owned())));
                    return Ok(());
                }
                self.note(Event::Recorded { step: self.id(step).to_owned(), record })?;
                self.record.when_durable(move |written| drop(answer.send(written)));
                Ok(())
            }
            Message::Prepared { step, prepared } => self.prepared(step, prepared),
            Message::Verified { step, prepared, health } => self.verified(step, *prepared, health),
            Message::NotReady { step, error } => self.not_begun(step, error),
            Message::Ended { step, end } => self.ended(step, end),
        }
    }

    /// Gets a step ready: its `when`, its inputs, its files. Nothing of it has begun yet.
    fn prepare(&mut self, step: usize) -> Result<(), EngineError> {
        self.pauses.end(step);
        let readiness = prepare::evaluate(&self.world, self.record.state(), step);
        let inputs = match readiness {
            Ok(Readiness::Skip(reason)) => {
                let step = self.id(step).to_owned();
                return self.note(Event::StepSkipped { step, reason });
            }
            Ok(Readiness::Resolved(inputs)) => inputs,
            Err(error) => return self.not_begun(step, error),
        };
        self.verifying.insert(step);
        let named = std::panic::catch_unwind(AssertUnwindSafe(|| {
            attempt::in_step(|| prepare::files(&self.world, step, &inputs))
        }));
        match named {
            Err(panic) => self.not_begun(step, panicked(panic)),
            // Without files there is nothing to wait for: a chain of such steps needs one commit a step.
            Ok(named) if named.is_empty() => {
                let prepared = Box::new(prepare::load(&self.world, step, inputs, &named));
                self.prepared(step, prepared)
            }
            Ok(named) => {
                let (world, outbox) = (Arc::clone(&self.world), self.outbox.clone());
                let loading = tokio::task::spawn_blocking(move || {
                    let prepared = Box::new(prepare::load(&world, step, inputs, &named));
                    drop(outbox.blocking_send(Message::Prepared { step, prepared }));
                });
                self.watch(step, loading);
                Ok(())
            }
        }
    }

    /// Sees to it that the engine hears of `work` on a step even if it panics.
    fn watch(&self, step: usize, work: JoinHandle<()>) {
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            if let Err(e) = work.await {
                drop(outbox.send(Message::NotReady { step, error: bug(e) }).await);
            }
        });
    }

    /// A step is ready: reuse its earlier result, or begin.
    fn prepared(&mut self, step: usize, prepared: Box<Prepared>) -> Result<(), EngineError> {
        if self.stop.is_cancelled() {
            self.verifying.remove(&step);
            return Ok(());
        }
        if self.is_trusted(step) {
            return self.trusted(step, *prepared);
        }
        let state = self.record.state().step(self.id(step));
        let finally = self.world.plan.steps[step].spec.finally;
        if state.status != Status::Held || finally {
            return self.begin(step, *prepared, Vec::new());
        }
        let because = match &state.again {
            Some(asked) => vec![asked.clone()],
            None => prepare::reasons_to_run(state, &prepared),
        };
        if !because.is_empty() {
            return self.begin(step, *prepared, because);
        }
        let outputs = state.success.as_ref().map(|s| s.outputs.clone()).unwrap_or_default();
        let probe = Attempt::new(self, step, self.stop.child_token());
        self.watch(step, tokio::spawn(async move { probe.verify(prepared, outputs).await }));
        Ok(())
    }

    /// Whether a person takes the step as done, and it has not been settled in this pass.
    fn is_trusted(&self, step: usize) -> bool {
        let state = self.record.state();
        let id = self.id(step);
        state.pass.as_ref().is_some_and(|pass| pass.selection.trust.iter().any(|trusted| trusted == id))
            && matches!(state.step(id).status, Status::Waiting | Status::Held)
    }

    /// Takes a step as done, with the outputs of its newest success.
    fn trusted(&mut self, step: usize, prepared: Prepared) -> Result<(), EngineError> {
        self.verifying.remove(&step);
        let id = self.id(step).to_owned();
        let done = self.record.state().step(&id);
        let done = done.success.as_ref().or(done.former.as_ref());
        let outputs = done.map_or_else(|| serde_json::json!({}), |success| success.outputs.clone());
        let Prepared { given, .. } = prepared;
        self.note(Event::StepTrusted { step: id, inputs: given.inputs, files: given.files, outputs })
    }

    fn verified(
        &mut self,
        step: usize,
        prepared: Prepared,
        health: Result<Health, StepError>,
    ) -> Result<(), EngineError> {
        match health {
            Ok(Health::Good) => {
                self.verifying.remove(&step);
                let reason = "same inputs, same files, still there".to_owned();
                self.note(Event::StepReused { step: self.id(step).to_owned(), reason })
            }
            // Nothing new is begun, and the earlier result is looked at again on resume.
            Ok(Health::Lost(_)) | Err(_) if self.stop.is_cancelled() => {
                self.verifying.remove(&step);
                Ok(())
            }
            Ok(Health::Lost(found)) => {
                let found = self.world.redact(found);
                self.begin(step, prepared, vec![found])
            }
            Err(error) => self.not_begun(step, error.because("while looking at what the step made in an earlier pass")),
        }
    }

    /// Records that a try begins, then begins it.
    fn begin(&mut self, step: usize, prepared: Prepared, because: Vec<String>) -> Result<(), EngineError> {
        self.verifying.remove(&step);
        let id = self.id(step).to_owned();
        let attempt = self.record.state().step(&id).attempts + 1;
        let event = Event::AttemptStarted {
            step: id,
            attempt,
            inputs: prepared.given.inputs.clone(),
            files: prepared.given.files.clone(),
            because,
        };
        self.note(event)?;
        let cancel = self.stop.child_token();
        let attempt = Attempt::new(self, step, cancel.clone());
        self.running.insert(step, cancel);
        self.record.when_durable(move |written| {
            if written.is_ok() {
                attempt.begin(prepared);
            }
        });
        Ok(())
    }

    fn ended(&mut self, step: usize, end: AttemptEnd) -> Result<(), EngineError> {
        self.running.remove(&step);
        let id = self.id(step).to_owned();
        let attempt = self.record.state().step(&id).attempts;
        let event = match end.result {
            Ok(outputs) => Event::StepSucceeded { step: id, attempt, outputs, files: end.written },
            // What is not known to have failed was cut off by the stop: Ctrl-C on a terminal also ends what a step has
            // started there, such as the program that gives a token.
            Err(error) if !error.class.is_known() && self.stop.is_cancelled() => {
                Event::AttemptInterrupted { step: id, attempt }
            }
            Err(error) => {
                let retry_at = self.retry_at(step, error.class);
                Event::AttemptFailed { step: id, attempt, failure: Failure::from(error), retry_at }
            }
        };
        self.note(event)
    }

    /// When the next try may begin: the pause that `retry` asks for, up to half of it taken off by chance, so that
    /// those who were throttled together do not come back together.
    fn retry_at(&mut self, step: usize, class: ErrorClass) -> Option<Timestamp> {
        let mut counted = self.record.state().step(self.id(step)).clone();
        match class {
            ErrorClass::Transient => counted.setbacks += 1,
            ErrorClass::Invalid
            | ErrorClass::Refused
            | ErrorClass::Failed
            | ErrorClass::Unknown
            | ErrorClass::Login
            | ErrorClass::Interrupted => counted.failures += 1,
        }
        let delay = decide::retry_delay(&self.world.plan.steps[step].spec.retry, &counted, class)?;
        let jittered = delay.mul_f64(0.5 + fastrand::f64() / 2.0);
        Some(self.pauses.begin(step, jittered, &self.world.clock))
    }

    /// A step that cannot even be begun has failed.
    fn not_begun(&mut self, step: usize, error: StepError) -> Result<(), EngineError> {
        self.verifying.remove(&step);
        let failure = Failure::from(error.redacted(&self.world.secrets()));
        let step = self.id(step).to_owned();
        self.note(Event::AttemptFailed { step, attempt: 0, failure, retry_at: None })
    }

    /// Notes an event: it is on disk, and reported, with the next commit, and nothing that it allows is done before.
    fn note(&mut self, event: Event) -> Result<(), EngineError> {
        let step = event.step().and_then(|id| self.world.plan.index(id));
        self.record.note(self.world.clock.now(), event)?;
        if let Some(step) = step {
            self.standing.update(&self.world.plan, self.record.state(), step);
        }
        Ok(())
    }

    fn id(&self, step: usize) -> &str {
        self.world.plan.steps[step].spec.id.as_str()
    }
}
