//! The only loop that acts: decide, do, record, report. Everything that happens in a run passes through here.
//! Knows nothing of the pipeline file, of any one step type, or of how events are shown.

mod attempt;
mod prepare;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hprun_steps::clients::Clients;
use hprun_steps::clock::Clock;
use hprun_steps::context::{RecordRequest, RunInfo};
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use hprun_steps::{ErrorClass, StepError};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::decide::{self, Limits, Move};
use crate::event::{Event, Failure, Outcome};
use crate::plan::Plan;
use crate::report::Reporter;
use crate::state::{IllegalEvent, RunState, Status};
use crate::store::{LogHandle, StoreError};
pub use attempt::is_in_step;
use attempt::{Attempt, AttemptEnd, bug};
use prepare::{Prepared, Readiness};

/// A run in the hands of this process.
pub struct Engine {
    world: Arc<World>,
    state: RunState,
    log: LogHandle,
    reporter: Box<dyn Reporter>,
    max_parallel: usize,
    stop: CancellationToken,
    outbox: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    /// Steps that are being got ready: files read, an earlier result looked at.
    verifying: BTreeSet<usize>,
    /// Steps with a try under way, and what tells each to stop.
    running: BTreeMap<usize, CancellationToken>,
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
            world: Arc::new(world),
            state,
            log,
            reporter,
            max_parallel: max_parallel.max(1),
            stop,
            outbox,
            inbox,
            verifying: BTreeSet::new(),
            running: BTreeMap::new(),
            finishing: false,
        }
    }

    /// Runs to the end of this pass.
    pub async fn run(mut self) -> Result<(Outcome, RunState), EngineError> {
        let result = self.pass().await;
        for cancel in self.running.values() {
            cancel.cancel();
        }
        self.reporter.close(&self.state);
        result.map(|outcome| (outcome, self.state))
    }

    async fn pass(&mut self) -> Result<Outcome, EngineError> {
        loop {
            let limits = Limits { max_parallel: self.max_parallel, stopping: self.stop.is_cancelled() };
            let now = self.world.clock.now();
            let moves = decide::next(&self.world.plan, &self.state, &self.verifying, limits, now);
            let (mut wake, before) = (None, self.state.seq);
            for next in moves {
                match next {
                    Move::Begin(step) | Move::Verify(step) => self.prepare(step).await?,
                    Move::WaitUntil(at) => wake = Some(at),
                    Move::Finish(outcome) => {
                        self.emit(Event::PassEnded { outcome }).await?;
                        return Ok(outcome);
                    }
                }
            }
            // A step that was skipped or could not be begun sends no message: what follows is decided at once.
            if self.state.seq == before {
                self.listen(wake).await?;
            }
        }
    }

    /// Waits for the next thing to happen and deals with it.
    async fn listen(&mut self, wake: Option<Timestamp>) -> Result<(), EngineError> {
        let clock = self.world.clock.clone();
        let timer = async {
            match wake {
                Some(at) => clock.sleep(until(at, clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A person who asks to stop is answered first.
            biased;
            () = self.stop.cancelled(), if !self.finishing => {
                self.finishing = true;
                self.reporter.stopping();
                for cancel in self.running.values() {
                    cancel.cancel();
                }
                Ok(())
            }
            message = self.inbox.recv() => {
                let message = message.expect("the engine itself holds a sender");
                self.handle(message).await
            }
            () = timer => Ok(()),
        }
    }

    async fn handle(&mut self, message: Message) -> Result<(), EngineError> {
        match message {
            Message::Progress { step, text } => {
                // The last words of a try may come after its end.
                if self.running.contains_key(&step) {
                    let id = self.world.plan.steps[step].spec.id.as_str();
                    self.reporter.progress(id, &self.world.redact(text));
                }
                Ok(())
            }
            Message::Record { step, request: (record, answer) } => {
                if !self.running.contains_key(&step) {
                    drop(answer.send(Err("no try of the step is under way".to_owned())));
                    return Ok(());
                }
                let written = self.emit(Event::Recorded { step: self.id(step).to_owned(), record }).await;
                // The step may be gone by now; what it recorded stands all the same.
                drop(answer.send(written.as_ref().map(|_| ()).map_err(ToString::to_string)));
                written
            }
            Message::Prepared { step, prepared } => self.prepared(step, prepared).await,
            Message::Verified { step, prepared, health } => self.verified(step, *prepared, health).await,
            Message::NotReady { step, error } => self.not_begun(step, error).await,
            Message::Ended { step, end } => self.ended(step, end).await,
        }
    }

    /// Gets a step ready: its `when`, its inputs, its files. Nothing of it has begun yet.
    async fn prepare(&mut self, step: usize) -> Result<(), EngineError> {
        match prepare::evaluate(&self.world, &self.state, step) {
            Ok(Readiness::Skip(reason)) => {
                let step = self.id(step).to_owned();
                self.emit(Event::StepSkipped { step, reason }).await
            }
            Ok(Readiness::Resolved(inputs)) => {
                self.verifying.insert(step);
                let (world, outbox) = (Arc::clone(&self.world), self.outbox.clone());
                let loading = tokio::task::spawn_blocking(move || {
                    let prepared = Box::new(prepare::load(&world, step, inputs));
                    drop(outbox.blocking_send(Message::Prepared { step, prepared }));
                });
                self.watch(step, loading);
                Ok(())
            }
            Err(error) => self.not_begun(step, error).await,
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
    async fn prepared(&mut self, step: usize, prepared: Box<Prepared>) -> Result<(), EngineError> {
        if self.stop.is_cancelled() {
            self.verifying.remove(&step);
            return Ok(());
        }
        let state = self.state.step(self.id(step));
        let finally = self.world.plan.steps[step].spec.finally;
        if state.status != Status::Held || finally {
            return self.begin(step, *prepared, Vec::new()).await;
        }
        let because = prepare::reasons_to_run(state, &prepared);
        if !because.is_empty() {
            return self.begin(step, *prepared, because).await;
        }
        let outputs = state.success.as_ref().map(|s| s.outputs.clone()).unwrap_or_default();
        let probe = Attempt::new(self, step, self.stop.child_token());
        self.watch(step, tokio::spawn(async move { probe.verify(prepared, outputs).await }));
        Ok(())
    }

    async fn verified(
        &mut self,
        step: usize,
        prepared: Prepared,
        health: Result<Health, StepError>,
    ) -> Result<(), EngineError> {
        match health {
            Ok(Health::Good) => {
                self.verifying.remove(&step);
                let reason = "same inputs, same files, still there".to_owned();
                self.emit(Event::StepReused { step: self.id(step).to_owned(), reason }).await
            }
            // Nothing new is begun, and the earlier result is looked at again on resume.
            Ok(Health::Lost(_)) | Err(_) if self.stop.is_cancelled() => {
                self.verifying.remove(&step);
                Ok(())
            }
            Ok(Health::Lost(found)) => {
                let found = self.world.redact(found);
                self.begin(step, prepared, vec![found]).await
            }
            Err(error) => {
                self.not_begun(step, error.because("while looking at what the step made in an earlier pass")).await
            }
        }
    }

    /// Records that a try begins, then begins it.
    async fn begin(&mut self, step: usize, prepared: Prepared, because: Vec<String>) -> Result<(), EngineError> {
        self.verifying.remove(&step);
        let id = self.id(step).to_owned();
        let attempt = self.state.step(&id).attempts + 1;
        let event = Event::AttemptStarted {
            step: id,
            attempt,
            inputs: prepared.given.inputs.clone(),
            files: prepared.given.files.clone(),
            because,
        };
        self.emit(event).await?;
        let cancel = self.stop.child_token();
        let attempt = Attempt::new(self, step, cancel.clone());
        self.running.insert(step, cancel);
        tokio::spawn(async move { attempt.run(prepared).await });
        Ok(())
    }

    async fn ended(&mut self, step: usize, end: AttemptEnd) -> Result<(), EngineError> {
        self.running.remove(&step);
        let id = self.id(step).to_owned();
        let attempt = self.state.step(&id).attempts;
        let event = match end.result {
            Ok(outputs) => Event::StepSucceeded { step: id, attempt, outputs, files: end.written },
            Err(error) if error.class == ErrorClass::Interrupted && self.stop.is_cancelled() => {
                Event::AttemptInterrupted { step: id, attempt }
            }
            Err(error) => {
                let retry_at = self.retry_at(step, error.class);
                Event::AttemptFailed { step: id, attempt, failure: Failure::from(error), retry_at }
            }
        };
        self.emit(event).await
    }

    /// When the next try may begin: the pause that `retry` asks for, up to half of it taken off by chance, so that
    /// those who were throttled together do not come back together.
    fn retry_at(&self, step: usize, class: ErrorClass) -> Option<Timestamp> {
        let mut counted = self.state.step(self.id(step)).clone();
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
        let signed = SignedDuration::try_from(jittered).unwrap_or(SignedDuration::MAX);
        Some(self.world.clock.now().saturating_add(signed).unwrap_or(Timestamp::MAX))
    }

    /// A step that cannot even be begun has failed.
    async fn not_begun(&mut self, step: usize, error: StepError) -> Result<(), EngineError> {
        self.verifying.remove(&step);
        let failure = Failure::from(error.redacted(&self.world.secrets()));
        let step = self.id(step).to_owned();
        self.emit(Event::AttemptFailed { step, attempt: 0, failure, retry_at: None }).await
    }

    /// Record, apply, report: in this order, for every event.
    async fn emit(&mut self, event: Event) -> Result<(), EngineError> {
        let entries = self.log.append(vec![(self.world.clock.now(), event)]).await?;
        for entry in &entries {
            self.state.apply(entry)?;
            self.reporter.event(entry, &self.state);
        }
        Ok(())
    }

    fn id(&self, step: usize) -> &str {
        self.world.plan.steps[step].spec.id.as_str()
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}
