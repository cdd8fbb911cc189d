//! Getting a step ready: its condition, its inputs, its files, and whether an earlier result can stand.
//! Begins nothing and changes nothing.

use hprun_steps::StepError;
use hprun_steps::files::{FileDigest, FileInput, Files, sha256};
use hprun_steps::partial::Partial;
use hprun_steps::value::Value;

use super::World;
use crate::decide;
use crate::expr::{RunFacts, Scope, StepView};
use crate::state::{Inputs, RunState, Status, StepState};

/// What a step's `when` and expressions come to.
pub enum Readiness {
    /// Its condition is false; the text says why.
    Skip(String),
    /// Its inputs.
    Resolved(Value),
}

/// A step with all it needs to begin.
pub struct Prepared {
    /// The inputs, secrets included.
    pub inputs: Value,
    /// What is recorded of them and of the files they name.
    pub given: Inputs,
    /// The files they name.
    pub files: Files,
}

/// Decides the step's condition and resolves its inputs.
pub fn evaluate(world: &World, state: &RunState, step: usize) -> Result<Readiness, StepError> {
    let spec = &world.plan.steps[step].spec;
    let steps = |id: &str| {
        let step = state.step(id);
        Some(StepView { outputs: step.success.as_ref().map(|s| &s.outputs), status: step.status.word() })
    };
    let scope = Scope { params: &world.plan.params.values, steps: &steps, run: &facts(world) };
    let wrong = |e: crate::expr::ExprError| StepError::invalid(e.to_string());
    // Once tried, a step is not skipped any more.
    let is_retry = matches!(state.step(spec.id.as_str()).status, Status::Retrying(_));
    if let Some(when) = spec.when.as_ref().filter(|_| !is_retry) {
        let (holds, reason) = when.evaluate(&scope).map_err(wrong)?;
        if !holds {
            return Ok(Readiness::Skip(reason));
        }
    }
    spec.with.resolve(&scope).map(Readiness::Resolved).map_err(wrong)
}

/// The files that the inputs name.
pub fn files(world: &World, step: usize, inputs: &Value) -> Vec<FileInput> {
    (world.plan.steps[step].spec.step_type.files)(&Partial::from_value(inputs))
}

/// Reads the files that the inputs name. Blocks.
pub fn load(world: &World, step: usize, inputs: Value, named: &[FileInput]) -> Prepared {
    let files = Files::load(&world.run.base, named);
    let step_type = world.plan.steps[step].spec.step_type.name.to_owned();
    let given = Inputs { step_type, inputs: inputs.to_record(), files: files.digests() };
    Prepared { inputs, given, files }
}

/// Why an earlier success cannot stand: what changed in its inputs and files, and in the files it wrote.
pub fn reasons_to_run(step: &StepState, prepared: &Prepared) -> Vec<String> {
    let mut reasons = decide::changes(step, &prepared.given);
    let written = step.success.iter().flat_map(|success| &success.files);
    reasons.extend(written.filter_map(lost));
    reasons
}

/// What became of a file that the step wrote, if it is no longer the same.
fn lost(file: &FileDigest) -> Option<String> {
    match std::fs::read(&file.path) {
        // Of a file that holds a secret no digest is recorded: the step's own probe compares it.
        Ok(_) if file.sha256.is_empty() => None,
        Ok(bytes) if sha256(&bytes) == file.sha256 => None,
        Ok(_) => Some(format!("the file {} that it wrote was changed", file.path)),
        Err(_) => Some(format!("the file {} that it wrote is gone", file.path)),
    }
}

/// The facts of the run that expressions may name.
fn facts(world: &World) -> RunFacts {
    RunFacts {
        id: world.run.id.clone(),
        account: world.run.account.clone(),
        region: world.run.region.clone(),
        partition: world.run.partition.clone(),
        sandbox: world.run.sandbox,
    }
}
