//! What to do next in a run: one exhaustive, pure function of the plan, the state and the time.
//! Pure: knows no clock, file, environment or network; the engine does what is said here and nothing else.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hprun_steps::ErrorClass;
use jiff::Timestamp;

use crate::event::{Outcome, Selection};
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
    let view = View { plan, state, verifying, chosen: chosen(plan, state) };
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

/// The steps of a pass in which a person chose a single one: it, and those that are taken as done.
struct Chosen {
    only: usize,
    trusted: BTreeSet<usize>,
}

fn chosen(plan: &Plan, state: &RunState) -> Option<Chosen> {
    let selection = &state.pass.as_ref()?.selection;
    let only = plan.index(selection.only.as_deref()?)?;
    Some(Chosen { only, trusted: selection.trust.iter().filter_map(|id| plan.index(id)).collect() })
}

impl Chosen {
    fn has(&self, i: usize) -> bool {
        self.only == i || self.trusted.contains(&i)
    }
}

/// The steps that a person asked to run again in this pass, with the reason to record: those of `--from` with all that
/// need them, directly or not, and the one of `--only`.
pub fn forced(plan: &Plan, selection: &Selection) -> BTreeMap<usize, String> {
    let only = selection.only.iter().filter_map(|id| plan.index(id).map(|i| (i, format!("asked for by --only {id}"))));
    let mut found: BTreeMap<usize, String> = only.collect();
    for id in &selection.from {
        let mut open: Vec<usize> = plan.index(id).into_iter().collect();
        while let Some(step) = open.pop() {
            if let Entry::Vacant(place) = found.entry(step) {
                place.insert(format!("asked for by --from {id}"));
                open.extend(plan.dependents(step));
            }
        }
    }
    found
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
    /// The only steps that may be begun, if a person chose.
    chosen: Option<Chosen>,
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
        // The newest pass names the plan's steps in their order, and the state keeps that order.
        let (id, step) = self.state.steps.get_index(i).expect("the pass has every step of its plan");
        debug_assert_eq!(id, self.plan.steps[i].spec.id.as_str());
        step.status
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
            // With one step chosen, what the others did before is enough for it.
            Status::Held | Status::Waiting => self.chosen.as_ref().is_some_and(|chosen| !chosen.has(i)),
            Status::Running | Status::Retrying(_) | Status::Interrupted => false,
        }
    }

    fn startable(&self, steps: impl Iterator<Item = usize>, now: Timestamp, moves: &mut Vec<Move>) {
        let may_begin =
            |i: &usize| !self.verifying.contains(i) && self.chosen.as_ref().is_none_or(|chosen| chosen.has(*i));
        for i in steps.filter(may_begin) {
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
        match &self.chosen {
            Some(chosen) if self.is_met(chosen.only) => Outcome::Partial,
            Some(_) => Outcome::Failed,
            None if self.all().all(|i| self.is_met(i)) => Outcome::Succeeded,
            None => Outcome::Failed,
        }
    }
}

#[cfg(test)]
mod tests;
