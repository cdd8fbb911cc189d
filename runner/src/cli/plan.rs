//! `hprun plan FILE`: what a run would do, offline: order, inputs as far as they are known, and why each step would run.
//! Knows nothing of any step type.

use std::fmt::Write as _;

use hprun_steps::partial::{Partial, ValueType};

use super::args::{Global, Output, PlanArgs};
use super::failure::CliError;
use super::params::Givers;
use super::print;
use super::source::{Source, open_store};
use crate::expr::KnownScope;
use crate::params::{ParamSpec, ParamSpecs};
use crate::plan::Plan;
use crate::state::{RunState, Status};
use crate::store::StoreError;

/// Prints it.
pub fn run(global: &Global, args: &PlanArgs) -> Result<(), CliError> {
    let source = Source::read(&args.pipeline.file)?;
    let state = args.resume.as_deref().map(|run| state_of(global, run)).transpose()?;
    let recorded = state.as_ref().and_then(|state| state.pass.as_ref()).map(|pass| pass.params.clone());
    let givers = Givers::read(&args.pipeline.params)?.over(recorded.unwrap_or_default());
    let (known, wrong) = givers.known(&source);
    let plan = Plan::new(source.check(&known.values, wrong)?, known);
    if let Some(begun) = state.as_ref().and_then(|state| state.started.as_ref())
        && begun.pipeline != plan.name
    {
        return Err(CliError::usage(format!(
            "that run is one of {}, and {} is {}",
            begun.pipeline, source.shown, plan.name
        )));
    }
    let steps: Vec<Planned> =
        (0..plan.steps.len()).map(|i| Planned::of(&plan, i, &source.specs(), state.as_ref())).collect();
    if global.output == Output::Json {
        let steps: Vec<_> = steps.iter().map(Planned::to_json).collect();
        print::data(format!("{:#}", serde_json::json!({ "pipeline": plan.name, "steps": steps })))
    } else {
        print::data(steps.iter().map(Planned::text).collect::<String>())
    }
}

/// What the run with this id has come to.
fn state_of(global: &Global, run: &str) -> Result<RunState, CliError> {
    let store = open_store(global)?.ok_or_else(|| StoreError::NoSuchRun(run.to_owned()))?;
    let row = store.find(Some(run))?;
    super::recorded::replay(&store, &row.id)
}

/// One step of the plan, as it is shown.
struct Planned {
    id: String,
    kind: &'static str,
    needs: Vec<String>,
    finally: bool,
    when: bool,
    why: String,
    inputs: serde_json::Value,
}

impl Planned {
    fn of(plan: &Plan, i: usize, specs: &ParamSpecs, state: Option<&RunState>) -> Self {
        let step = &plan.steps[i];
        let outputs = |id: &str| plan.index(id).map(|i| &plan.steps[i].spec.foreseen);
        let param_type = |name: &str| specs.get(name).map_or(ValueType::Any, ParamSpec::value_type);
        let scope = KnownScope { params: &plan.params.values, param_type: &param_type, outputs: &outputs };
        let partial = step.spec.with.partial(&scope);
        let when = step.spec.when.is_some();
        let why = match state.map(|state| state.step(step.spec.id.as_str())) {
            None if when => "runs if its condition holds".to_owned(),
            None => "runs: nothing of it is recorded".to_owned(),
            Some(done) if done.success.is_some() => {
                "is looked at: reused if its inputs, files and result are unchanged".to_owned()
            }
            Some(begun) if begun.attempts > 0 => match begun.status {
                Status::Failed => "runs again: it failed".to_owned(),
                Status::Waiting
                | Status::Held
                | Status::Running
                | Status::Retrying(_)
                | Status::Succeeded
                | Status::Reused
                | Status::Skipped
                | Status::Interrupted => "runs again: it did not end".to_owned(),
            },
            Some(_) => "runs: it was not begun".to_owned(),
        };
        Self {
            id: step.spec.id.to_string(),
            kind: step.spec.step_type.name,
            needs: step.needs.iter().map(|&need| plan.steps[need].spec.id.to_string()).collect(),
            finally: step.spec.finally,
            when,
            why,
            inputs: shown(&partial),
        }
    }

    fn text(&self) -> String {
        let needs =
            if self.needs.is_empty() { "at once".to_owned() } else { format!("after {}", self.needs.join(", ")) };
        let at_last = if self.finally { " (at last, whatever happened)" } else { "" };
        let mut text = format!("{} ({}) {needs}{at_last}\n  {}\n", self.id, self.kind, self.why);
        for line in serde_yaml::to_string(&self.inputs).unwrap_or_default().lines() {
            writeln!(text, "    {line}").expect("writing to a string");
        }
        text
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id, "type": self.kind, "needs": self.needs, "finally": self.finally, "when": self.when,
            "why": self.why, "with": self.inputs,
        })
    }
}

/// Inputs with `(known when STEP is done)` in place of what is not known yet.
fn shown(partial: &Partial) -> serde_json::Value {
    match partial {
        Partial::Known(value, _) => value.to_record(),
        Partial::Unknown(hole, _) => format!("({} known at run time)", hole.of.word()).into(),
        Partial::List(items, _) => items.iter().map(shown).collect(),
        Partial::Map(entries, _) => {
            serde_json::Value::Object(entries.iter().map(|(key, (_, value))| (key.clone(), shown(value))).collect())
        }
    }
}
