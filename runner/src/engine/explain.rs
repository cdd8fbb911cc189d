//! What a resume would do, step by step, and why: asked before anything is done.
//! Begins nothing, records nothing and changes nothing; what a step would write is held in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hprun_steps::StepError;
use hprun_steps::files::normalize;
use hprun_steps::step::{Foresight, Health};
use hprun_steps::value::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::World;
use super::attempt::{Attempt, Probing};
use super::prepare::{self, Prepared, Readiness};
use crate::event::Failure;
use crate::state::{RunState, Status, Success};

/// How long a look goes on through what passes by itself: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What would become of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Id of the step.
    pub step: String,
    /// What would become of it.
    pub fate: Fate,
}

/// What would become of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Its earlier result stands.
    Reused,
    /// It is taken as done, because a person says so.
    Trusted,
    /// It runs again.
    Again {
        /// Why.
        because: Vec<String>,
        /// What it would change on what is there.
        changes: Vec<String>,
    },
    /// It runs: it was not done yet.
    Runs {
        /// Why it is not done.
        why: &'static str,
        /// What it would change on what is there.
        changes: Vec<String>,
    },
    /// It runs again if what these steps hand on has changed when they are done.
    Depends(Vec<String>),
    /// Its condition is false.
    Skipped(String),
    /// It cannot be done: a change that AWS cannot make, or something of somebody else's.
    Refused {
        /// Why it would run.
        because: Vec<String>,
        /// Why it cannot.
        refusal: Failure,
    },
    /// It cannot be told, because looking failed.
    Unclear(Failure),
    /// A person chose others.
    NotChosen,
}

/// Asks what a pass would do with every step of the plan, in its order. `state` is the run with that pass begun,
/// `before` how it stood without.
pub async fn explain(world: World, before: &RunState, state: RunState, stop: CancellationToken) -> Vec<Verdict> {
    let selection = state.pass.as_ref().map(|pass| pass.selection.clone()).unwrap_or_default();
    let mut asker =
        Asker { world: Arc::new(world), before, state, open: BTreeSet::new(), written: BTreeMap::new(), stop };
    let mut verdicts = Vec::new();
    for step in 0..asker.world.plan.steps.len() {
        let id = asker.world.plan.steps[step].spec.id.to_string();
        let chosen = selection.only.as_ref().is_none_or(|only| *only == id) || selection.trust.contains(&id);
        let fate = if !chosen {
            Fate::NotChosen
        } else if selection.trust.contains(&id) {
            Fate::Trusted
        } else {
            asker.fate(step, &id).await
        };
        asker.take_in(&id, &fate);
        verdicts.push(Verdict { step: id, fate });
    }
    verdicts
}

struct Asker<'a> {
    world: Arc<World>,
    before: &'a RunState,
    /// The run as it would be after the steps that were asked about.
    state: RunState,
    /// Steps that would run, and whose outputs nobody can tell before.
    open: BTreeSet<String>,
    /// Files that steps would write, by full path.
    written: BTreeMap<PathBuf, Vec<u8>>,
    stop: CancellationToken,
}

impl Asker<'_> {
    async fn fate(&mut self, step: usize, id: &str) -> Fate {
        let spec = &self.world.plan.steps[step].spec;
        let references = spec.with.references().into_iter().chain(spec.when.iter().flat_map(|w| w.references()));
        let unknown: BTreeSet<String> = references
            .filter_map(|reference| reference.step().map(str::to_owned))
            .filter(|from| self.open.contains(from))
            .collect();
        if !unknown.is_empty() {
            self.open.insert(id.to_owned());
            return self.depends(step, id, unknown.into_iter().collect());
        }
        let inputs = match prepare::evaluate(&self.world, &self.state, step) {
            Ok(Readiness::Skip(reason)) => return Fate::Skipped(reason),
            Ok(Readiness::Resolved(inputs)) => inputs,
            Err(error) => return self.unclear(id, error),
        };
        let prepared = self.load(step, inputs);
        let because = match self.because(step, id, &prepared).await {
            Ok(None) => return Fate::Reused,
            Ok(Some(because)) => because,
            Err(error) => return self.unclear(id, error),
        };
        self.foresee(step, id, prepared, because).await
    }

    /// A step that takes something from steps of which nobody can tell before what they will hand on. What changed
    /// besides is told, as far as it shows with what they handed on the last time.
    fn depends(&self, step: usize, id: &str, on: Vec<String>) -> Fate {
        let state = self.state.step(id);
        if state.status != Status::Held {
            return Fate::Runs { why: self.not_done(id), changes: Vec::new() };
        }
        let because = match (&state.again, prepare::evaluate(&self.world, &self.state, step)) {
            (Some(asked), _) => vec![asked.clone()],
            (None, Ok(Readiness::Resolved(inputs))) => prepare::reasons_to_run(state, &self.load(step, inputs)),
            (None, Ok(Readiness::Skip(_)) | Err(_)) => Vec::new(),
        };
        if because.is_empty() { Fate::Depends(on) } else { Fate::Again { because, changes: Vec::new() } }
    }

    /// The files that the inputs name, as they would be by then.
    fn load(&self, step: usize, inputs: Value) -> Prepared {
        let named = prepare::files(&self.world, step, &inputs);
        let mut prepared = prepare::load(&self.world, step, inputs, &named);
        prepared.files.foresee(&|path| self.written.get(path).map(Vec::as_slice));
        prepared.given.files = prepared.files.digests();
        prepared
    }

    /// Makes the state what it would be after the step, for those that come after it.
    fn take_in(&mut self, id: &str, fate: &Fate) {
        let step = self.state.steps.entry(id.to_owned()).or_default();
        match fate {
            Fate::Reused => step.status = Status::Reused,
            Fate::Trusted => {
                step.success = step.success.take().or(step.former.take());
                step.status = Status::Reused;
            }
            Fate::Skipped(_) => {
                step.success = None;
                step.status = Status::Skipped;
            }
            Fate::Again { .. } | Fate::Runs { .. } | Fate::Depends(_) => step.status = Status::Succeeded,
            Fate::Refused { .. } | Fate::Unclear(_) => step.status = Status::Failed,
            Fate::NotChosen => {}
        }
    }

    /// Why the step would run; none if its result stands. Empty reasons: it was never done.
    async fn because(&self, step: usize, id: &str, prepared: &Prepared) -> Result<Option<Vec<String>>, StepError> {
        let state = self.state.step(id);
        if self.world.plan.steps[step].spec.finally {
            return Ok(Some(vec!["it stands under `finally`".to_owned()]));
        }
        let Some(success) = state.success.as_ref().filter(|_| state.status == Status::Held) else {
            return Ok(Some(Vec::new()));
        };
        if let Some(asked) = &state.again {
            return Ok(Some(vec![asked.clone()]));
        }
        let because = prepare::reasons_to_run(state, prepared);
        if !because.is_empty() {
            return Ok(Some(because));
        }
        let probing = Probing { prepared, outputs: &success.outputs, patience: PATIENCE };
        let health = self.attempt(step).probe(probing, watch::Sender::new(String::new())).await?;
        Ok(match health {
            Health::Good => None,
            Health::Lost(found) => Some(vec![self.world.redact(found)]),
        })
    }

    async fn foresee(&mut self, step: usize, id: &str, prepared: Prepared, because: Vec<String>) -> Fate {
        let foresight = match self.attempt(step).foresee(&prepared).await {
            Ok(foresight) => foresight,
            Err(error) => return self.unclear(id, error),
        };
        let Foresight { outputs, files, changes, refusal } = foresight;
        let changes: Vec<String> = changes.into_iter().map(|change| self.world.redact(change)).collect();
        let why = self.not_done(id);
        match &outputs {
            Some(outputs) => {
                let success = Success { given: prepared.given, outputs: outputs.clone(), files: Vec::new() };
                self.state.steps.entry(id.to_owned()).or_default().success = Some(success);
                self.written.extend(files.into_iter().map(|(path, bytes)| (normalize(Path::new(&path)), bytes)));
            }
            None => drop(self.open.insert(id.to_owned())),
        }
        match refusal {
            Some(error) => {
                let refusal = Failure::from(error.redacted(&self.world.secrets()));
                Fate::Refused { because, refusal }
            }
            None if because.is_empty() => Fate::Runs { why, changes },
            None => Fate::Again { because, changes },
        }
    }

    /// Why a step without a result has none.
    fn not_done(&self, id: &str) -> &'static str {
        let step = self.before.step(id);
        match step.status {
            Status::Failed => "it failed",
            Status::Interrupted => "it was interrupted",
            Status::Running => "it was under way when the process ended",
            Status::Retrying(_) => "it was to be tried again",
            Status::Skipped => "it was skipped before",
            Status::Waiting if step.attempts > 0 => "it did not end well before",
            Status::Waiting | Status::Held | Status::Succeeded | Status::Reused => "it was not begun",
        }
    }

    fn unclear(&mut self, id: &str, error: StepError) -> Fate {
        self.open.insert(id.to_owned());
        Fate::Unclear(Failure::from(error.redacted(&self.world.secrets())))
    }

    fn attempt(&self, step: usize) -> Attempt {
        Attempt::to_ask(&self.world, &self.state, step, self.stop.child_token())
    }
}
