//! What to do next in a run: one exhaustive, pure function of the plan, the state and the time.
//! Pure: knows no clock, file, environment or network; the engine does what is said here and nothing else.

mod standing;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hprun_steps::ErrorClass;
use jiff::Timestamp;

use crate::event::{Outcome, Selection};
use crate::pipeline::Retry;
use crate::plan::Plan;
use crate::state::{Inputs, RunState, StepState};
pub use standing::Standing;

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

/// What to do now, told from the state alone. Who decides again and again keeps a [`Standing`], which says the same.
pub fn next(plan: &Plan, state: &RunState, verifying: &BTreeSet<usize>, limits: Limits, now: Timestamp) -> Vec<Move> {
    Standing::new(plan, state).next(plan, verifying, limits, now)
}

/// The steps that a person asked to run again, with the reason to record: those of `--from` with all that need them,
/// directly or not, and the one of `--only`.
pub fn again(plan: &Plan, selection: &Selection) -> BTreeMap<String, String> {
    let id = |step: usize| plan.steps[step].spec.id.to_string();
    let mut found = BTreeMap::new();
    if let Some(only) = &selection.only {
        found.insert(only.clone(), format!("asked for by --only {only}"));
    }
    for from in &selection.from {
        let mut open: Vec<usize> = plan.index(from).into_iter().collect();
        while let Some(step) = open.pop() {
            if let Entry::Vacant(place) = found.entry(id(step)) {
                place.insert(format!("asked for by --from {from}"));
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

#[cfg(test)]
mod tests;
