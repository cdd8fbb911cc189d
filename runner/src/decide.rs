//! What to do next in a run: one exhaustive, pure function of the plan, the state and the time.
//! Pure: knows no clock, file, environment or network; the engine does what is said here and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use hprun_steps::ErrorClass;
use jiff::Timestamp;

use crate::event::Outcome;
use crate::pipeline::{OnFailure, Retry};
use crate::plan::Plan;
use crate::state::{Inputs, RunState, Status, StepState};

/// Failures that a person cannot prevent (throttling, no connection) get this many tries beyond `max-attempts`.
pub const SETBACKS_ALLOWED: u32 = 5;

/// One thing for the engine to do. Steps are named by their index in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Decide its `when`, resolve its inputs and start a try.
    Begin(usize),
    /// See whether its earlier result can be reused; if not, start a try.
    Verify(usize),
    /// Nothing can be done before this time, unless a running try ends.
    WaitUntil(Timestamp),
    /// Nothing is left to do.
    Finish(Outcome),
}

/// What the engine is told from outside.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most steps that may be under way at once.
    pub max_parallel: usize,
    /// Whether a person asked to stop: nothing new is begun.
    pub stopping: bool,
}

/// What to do now. `verifying` are the steps whose earlier result is being looked at. An empty answer means: wait for
/// what is under way.
pub fn next(plan: &Plan, state: &RunState, verifying: &BTreeSet<usize>, limits: Limits, now: Timestamp) -> Vec<Move> {
    let view = View { plan, state, verifying };
    let busy = view.all().filter(|&i| view.is_busy(i)).count();
    if limits.stopping {
        return if busy == 0 { vec![Move::Finish(Outcome::Interrupted)] } else { Vec::new() };
    }
    let main_blocked = view.main().any(|i| view.is_fatal(i));
    let mut moves = Vec::new();
    if !main_blocked {
        view.startable(view.main(), now, &mut moves);
    }
    if moves.is_empty() && view.main().all(|i| !view.is_busy(i)) {
        view.startable(view.finally(), now, &mut moves);
    }
    if moves.is_empty() && busy == 0 {
        return vec![Move::Finish(view.outcome())];
    }
    let (waits, mut starts): (Vec<Move>, Vec<Move>) = moves.into_iter().partition(|m| matches!(m, Move::WaitUntil(_)));
    starts.truncate(limits.max_parallel.saturating_sub(busy));
    let soonest = waits.into_iter().filter_map(|m| if let Move::WaitUntil(at) = m { Some(at) } else { None }).min();
    starts.extend(soonest.map(Move::WaitUntil));
    starts
}

/// How long to wait before the next try, before jitter; none when there is none. `step` already counts this failure.
pub fn retry_delay(retry: &Retry, step: &StepState, class: ErrorClass) -> Option<Duration> {
    let (tries, allowed) = match class {
        ErrorClass::Transient => (step.setbacks, step.setbacks <= SETBACKS_ALLOWED),
        ErrorClass::Failed | ErrorClass::Unknown => (step.failures, step.failures < retry.max_attempts),
        ErrorClass::Invalid | ErrorClass::Refused | ErrorClass::Login | ErrorClass::Interrupted => (0, false),
    };
    let exponent = i32::try_from(tries.saturating_sub(1).min(16)).unwrap_or(16);
    let seconds = (retry.delay.as_secs_f64() * retry.backoff.powi(exponent)).min(LONGEST_DELAY.as_secs_f64());
    allowed.then(|| Duration::from_secs_f64(seconds.max(0.0)))
}

/// No pause between two tries is longer.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// Why an earlier result cannot be reused: the type, and every input and file that changed, old → new. Empty when
/// nothing did.
pub fn changes(step: &StepState, now: &Inputs) -> Vec<String> {
    let Some(success) = &step.success else { return Vec::new() };
    let (before, mut found) = (&success.given, Vec::new());
    if before.step_type != now.step_type {
        // The inputs of two types cannot be compared.
        return vec![format!("type: {} → {}", before.step_type, now.step_type)];
    }
    differences("", &before.inputs, &now.inputs, &mut found);
    for new in &now.files {
        match before.files.iter().find(|old| old.path == new.path) {
            None => found.push(format!("file {} is new", new.path)),
            Some(old) if old.sha256 != new.sha256 => found.push(format!("file {} changed", new.path)),
            Some(old) if old.mode != new.mode => {
                found.push(format!("file {} changed its mode: {:o} → {:o}", new.path, old.mode, new.mode));
            }
            Some(_) => {}
        }
    }
    for old in before.files.iter().filter(|old| !now.files.iter().any(|new| new.path == old.path)) {
        found.push(format!("file {} is gone", old.path));
    }
    found
}

fn differences(path: &str, old: &serde_json::Value, new: &serde_json::Value, found: &mut Vec<String>) {
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (old, new) {
        (serde_json::Value::Object(a), serde_json::Value::Object(b)) => {
            for (key, value) in a {
                differences(&under(key), value, b.get(key).unwrap_or(&serde_json::Value::Null), found);
            }
            for (key, value) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
                differences(&under(key), &serde_json::Value::Null, value, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: {} → {}", brief(a), brief(b))),
    }
}

fn brief(value: &serde_json::Value) -> String {
    let text = if value.is_null() { "(none)".to_owned() } else { value.to_string() };
    if text.chars().count() <= 60 { text } else { format!("{}…", text.chars().take(59).collect::<String>()) }
}

/// The plan and the state side by side.
struct View<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    verifying: &'a BTreeSet<usize>,
}

impl View<'_> {
    fn all(&self) -> impl Iterator<Item = usize> {
        0..self.plan.steps.len()
    }

    fn main(&self) -> impl Iterator<Item = usize> {
        self.all().filter(|&i| !self.plan.steps[i].spec.finally)
    }

    fn finally(&self) -> impl Iterator<Item = usize> {
        self.all().filter(|&i| self.plan.steps[i].spec.finally)
    }

    fn status(&self, i: usize) -> Status {
        self.state.step(self.plan.steps[i].spec.id.as_str()).status
    }

    fn is_busy(&self, i: usize) -> bool {
        self.verifying.contains(&i) || self.status(i) == Status::Running
    }

    /// Whether its failure ends the run.
    fn is_fatal(&self, i: usize) -> bool {
        self.status(i) == Status::Failed && self.plan.steps[i].spec.on_failure == OnFailure::Stop
    }

    /// Whether what it is needed for may go on.
    fn is_met(&self, i: usize) -> bool {
        match self.status(i) {
            Status::Succeeded | Status::Reused | Status::Skipped => true,
            Status::Failed => self.plan.steps[i].spec.on_failure == OnFailure::Continue,
            Status::Waiting | Status::Held | Status::Running | Status::Retrying(_) | Status::Interrupted => false,
        }
    }

    fn startable(&self, steps: impl Iterator<Item = usize>, now: Timestamp, moves: &mut Vec<Move>) {
        for i in steps.filter(|i| !self.verifying.contains(i)) {
            let is_met = || self.plan.steps[i].needs.iter().all(|&need| self.is_met(need));
            match self.status(i) {
                Status::Waiting if is_met() => moves.push(Move::Begin(i)),
                // What stands in `finally:` runs in every pass, whatever an earlier one made of it.
                Status::Held if self.plan.steps[i].spec.finally && is_met() => moves.push(Move::Begin(i)),
                Status::Held if is_met() => moves.push(Move::Verify(i)),
                Status::Retrying(at) if at <= now => moves.push(Move::Begin(i)),
                Status::Retrying(at) => moves.push(Move::WaitUntil(at)),
                Status::Waiting
                | Status::Held
                | Status::Running
                | Status::Succeeded
                | Status::Reused
                | Status::Skipped
                | Status::Failed
                | Status::Interrupted => {}
            }
        }
    }

    fn outcome(&self) -> Outcome {
        if self.all().all(|i| self.is_met(i)) { Outcome::Succeeded } else { Outcome::Failed }
    }
}

#[cfg(test)]
mod tests;
