//! One attempt of one step, beside the engine: its context, its time limit, its panic. It talks to the engine by messages only.
//! Decides nothing: what an end means is the engine's.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use hprun_steps::clock::Clock;
use hprun_steps::context::{Parts, Record, RecordRequest, StepContext};
use hprun_steps::files::FileDigest;
use hprun_steps::pace::Pace;
use hprun_steps::step::{Foresight, Health};
use hprun_steps::value::Secret;
use hprun_steps::{ErrorClass, StepError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::prepare::Prepared;
use super::{Engine, Message, World};
use crate::state::RunState;

const BUG: &str = "the step stopped by a bug in hprun";

/// A step that is told to stop because its time ran out gets this long (by the wall) to reach a safe point. helm gets 30
/// seconds of it.
const GRACE: Duration = Duration::from_secs(45);

/// How long a look at an earlier result goes on through outages, where the step has no timeout: it must end at some time.
pub(super) const PATIENCE: Duration = Duration::from_secs(3600);

tokio::task_local! {
    /// Set while a step works.
    static IN_STEP: ();
}

/// Whether the caller is in the midst of a step's work: its panic will be told as the failure of the step.
pub fn is_in_step() -> bool {
    IN_STEP.try_with(|()| ()).is_ok()
}

/// Does something of a step's, so that its panic is told as the failure of the step.
pub(super) fn in_step<T>(act: impl FnOnce() -> T) -> T {
    IN_STEP.sync_scope((), act)
}

/// A try of a step, ready to go.
pub(super) struct Attempt {
    world: Arc<World>,
    outbox: mpsc::Sender<Message>,
    step: usize,
    attempt: u32,
    history: Vec<Record>,
    cancel: CancellationToken,
}

/// How a try ended.
pub(super) struct AttemptEnd {
    /// The outputs, or why there are none; secrets are redacted.
    pub result: Result<serde_json::Value, StepError>,
    /// The files it wrote.
    pub written: Vec<FileDigest>,
}

/// What a look at an earlier result is given.
#[derive(Clone, Copy)]
pub(super) struct Probing<'a> {
    /// The step, ready to begin.
    pub prepared: &'a Prepared,
    /// What it handed on.
    pub outputs: &'a serde_json::Value,
    /// How long to go on through what passes by itself.
    pub patience: Duration,
}

impl Attempt {
    pub fn new(engine: &Engine, step: usize, cancel: CancellationToken) -> Self {
        Self::of(&engine.world, engine.record.state(), step, (engine.outbox.clone(), cancel))
    }

    /// One that can only look: nobody takes what it would record.
    pub fn to_ask(world: &Arc<World>, state: &RunState, step: usize, cancel: CancellationToken) -> Self {
        let (outbox, _) = mpsc::channel(1);
        Self::of(world, state, step, (outbox, cancel))
    }

    fn of(
        world: &Arc<World>,
        state: &RunState,
        step: usize,
        (outbox, cancel): (mpsc::Sender<Message>, CancellationToken),
    ) -> Self {
        let done = state.step(world.plan.steps[step].spec.id.as_str());
        let (attempt, history) = (done.attempts, done.records.clone());
        Self { world: Arc::clone(world), outbox, step, attempt, history, cancel }
    }

    /// Begins. What needs no waiting is done here and now, by the engine's own thread: to wake another one would cost a
    /// step that does little more than all else. As soon as the step waits for something, it goes on beside the engine.
    /// A step that was given files may work on them for long before it first waits, and begins beside the engine.
    pub fn begin(self, prepared: Prepared) {
        let does_little = prepared.given.files.is_empty();
        let mut attempt = Box::pin(self.run(prepared));
        if !does_little || attempt.as_mut().now_or_never().is_none() {
            tokio::spawn(attempt);
        }
    }

    /// Runs the step, passes on what it records and shows, and tells the engine how it ended, even if it panics.
    async fn run(self, prepared: Prepared) {
        let (step, outbox, world) = (self.step, self.outbox.clone(), Arc::clone(&self.world));
        let (records, mut recorded) = mpsc::channel::<RecordRequest>(1);
        let (progress, mut shown) = watch::channel(String::new());
        let ended = {
            let work = IN_STEP.scope((), self.work(prepared, records, progress));
            let work = AssertUnwindSafe(work).catch_unwind();
            tokio::pin!(work);
            loop {
                tokio::select! {
                    biased;
                    Some(request) = recorded.recv() => drop(outbox.send(Message::Record { step, request }).await),
                    Ok(()) = shown.changed() => {
                        let text = shown.borrow_and_update().clone();
                        drop(outbox.send(Message::Progress { step, text }).await);
                    }
                    ended = &mut work => break ended,
                }
            }
        };
        let mut end = ended.unwrap_or_else(|p| AttemptEnd { result: Err(panicked(p)), written: Vec::new() });
        let secrets = world.secrets();
        end.result = match end.result {
            Ok(outputs) => Ok(redacted(outputs, &secrets)),
            Err(error) => Err(error.redacted(&secrets)),
        };
        drop(outbox.send(Message::Ended { step, end }).await);
    }

    /// Looks whether what an earlier pass made is still there, and tells the engine.
    pub async fn verify(self, prepared: Box<Prepared>, outputs: serde_json::Value) {
        let (step, outbox) = (self.step, self.outbox.clone());
        let patience = self.world.plan.steps[step].spec.timeout.unwrap_or(PATIENCE);
        let (progress, mut shown) = watch::channel(String::new());
        let health = {
            let look = self.probe(Probing { prepared: &prepared, outputs: &outputs, patience }, progress);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    biased;
                    Ok(()) = shown.changed() => {
                        let text = shown.borrow_and_update().clone();
                        drop(outbox.send(Message::Progress { step, text }).await);
                    }
                    health = &mut look => break health,
                }
            }
        };
        drop(outbox.send(Message::Verified { step, prepared, health }).await);
    }

    /// Looks whether what an earlier pass made is still there.
    pub async fn probe(self, of: Probing<'_>, progress: watch::Sender<String>) -> Result<Health, StepError> {
        let (records, _) = mpsc::channel(1);
        let mut cx = self.context(of.prepared, records, progress);
        let probe = self.world.plan.steps[self.step].spec.step_type.probe;
        let (began, mut pace) = (cx.clock.elapsed(), Pace::default());
        loop {
            match IN_STEP.scope((), probe(of.prepared.inputs.clone(), of.outputs, &mut cx)).await {
                // Throttled, or a lost connection: that says nothing of what an earlier pass made.
                Err(error) if cx.clock.elapsed().saturating_sub(began) < of.patience => {
                    pace.after(&cx, error).await?;
                }
                health => return health,
            }
        }
    }

    /// Asks what a try would do.
    pub async fn foresee(self, prepared: &Prepared) -> Result<Foresight, StepError> {
        let (records, _) = mpsc::channel(1);
        let progress = watch::Sender::new(String::new());
        let mut cx = self.context(prepared, records, progress);
        let foresee = self.world.plan.steps[self.step].spec.step_type.foresee;
        IN_STEP.scope((), foresee(prepared.inputs.clone(), &mut cx)).await
    }

    async fn work(
        self,
        prepared: Prepared,
        records: mpsc::Sender<RecordRequest>,
        progress: watch::Sender<String>,
    ) -> AttemptEnd {
        let mut cx = self.context(&prepared, records, progress);
        let spec = &self.world.plan.steps[self.step].spec;
        let timer = self.timer();
        let result = {
            let mut running = (spec.step_type.run)(prepared.inputs.clone(), &mut cx);
            match spec.timeout {
                None => running.await,
                Some(timeout) => tokio::select! {
                    result = &mut running => result,
                    () = timer.sleep(timeout) => {
                        self.cancel.cancel();
                        let late = tokio::time::timeout(GRACE, running).await;
                        match late {
                            Ok(Err(error)) if error.class != ErrorClass::Interrupted => Err(error),
                            Ok(Ok(outputs)) => Ok(outputs),
                            Ok(Err(_)) | Err(_) => Err(timed_out(timeout)),
                        }
                    }
                },
            }
        };
        AttemptEnd { result, written: cx.written().to_vec() }
    }

    fn context<'a>(
        &'a self,
        prepared: &'a Prepared,
        records: mpsc::Sender<RecordRequest>,
        progress: watch::Sender<String>,
    ) -> StepContext<'a> {
        StepContext::new(Parts {
            attempt: self.attempt,
            step: self.world.plan.steps[self.step].spec.id.as_str(),
            run: &self.world.run,
            clients: &self.world.clients,
            files: &prepared.files,
            clock: &self.world.clock,
            cancelled: self.cancel.clone(),
            records,
            progress,
            history: self.history.clone(),
        })
    }

    /// The clock that the step's timeout runs by.
    fn timer(&self) -> Clock {
        let by_the_wall = self.world.plan.steps[self.step].spec.step_type.by_the_wall;
        if by_the_wall { Clock::system() } else { self.world.clock.clone() }
    }
}

fn timed_out(timeout: Duration) -> StepError {
    let time = humantime::format_duration(timeout);
    StepError::new(ErrorClass::Unknown, format!("it did not end within its timeout of {time}"))
        .help("what it began goes on without hprun: resume to look again, or give it a longer `timeout:`")
}

/// `outputs` without the texts of secrets: they are recorded.
fn redacted(outputs: serde_json::Value, secrets: &[&Secret]) -> serde_json::Value {
    use serde_json::Value as Json;
    match outputs {
        Json::String(text) => Json::String(secrets.iter().fold(text, |text, secret| secret.redact(&text))),
        Json::Array(items) => items.into_iter().map(|item| redacted(item, secrets)).collect(),
        Json::Object(entries) => entries.into_iter().map(|(key, value)| (key, redacted(value, secrets))).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => outputs,
    }
}

/// What to say of a panic.
pub(super) fn bug(error: tokio::task::JoinError) -> StepError {
    match error.try_into_panic() {
        Ok(panic) => panicked(panic),
        Err(e) => StepError::new(ErrorClass::Invalid, BUG).because(e.to_string()),
    }
}

/// What to say of a panic that was caught.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> StepError {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    StepError::new(ErrorClass::Invalid, BUG).because(text)
}
