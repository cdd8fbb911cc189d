//! What a person chooses for a resume, by ids of steps: held against the plan and the record.
//! Knows nothing of how it is done.

use super::CliError;
use super::args::ChoiceArgs;
use crate::event::Selection;
use crate::expr::Target;
use crate::pipeline::{OnFailure, StepSpec};
use crate::plan::Plan;
use crate::state::{RunState, Status};

/// The choice, if every step in it is there and can be done.
pub fn selection(args: &ChoiceArgs, plan: &Plan, state: &RunState) -> Result<Selection, CliError> {
    for (option, id) in named(args) {
        if plan.index(id).is_none() {
            let ids = plan.steps.iter().map(|step| step.spec.id.as_str());
            let meant = hprun_steps::partial::nearest(id, ids).map(|near| format!("did you mean `{near}`?"));
            let help = meant.or_else(|| Some("`hprun plan FILE` lists the steps".to_owned()));
            return Err(CliError::Usage { message: format!("{option} {id}: the pipeline has no such step"), help });
        }
    }
    if let Some((_, id)) = named(args).find(|(option, id)| *option != "--trust" && args.trust.iter().any(|t| t == id)) {
        return Err(CliError::usage(format!("the step {id} cannot be taken as done and run again at once")));
    }
    for trusted in &args.trust {
        refuse_without_outputs(trusted, plan, state)?;
    }
    if let Some(only) = &args.only {
        refuse_open_needs(only, &args.trust, plan, state)?;
    }
    Ok(Selection { from: args.from.clone(), only: args.only.clone(), trust: args.trust.clone() })
}

fn named(args: &ChoiceArgs) -> impl Iterator<Item = (&'static str, &str)> {
    let from = args.from.iter().map(|id| ("--from", id.as_str()));
    let only = args.only.iter().map(|id| ("--only", id.as_str()));
    from.chain(only).chain(args.trust.iter().map(|id| ("--trust", id.as_str())))
}

/// A step that never ended well has no outputs: it can be taken as done only where nobody uses them.
fn refuse_without_outputs(trusted: &str, plan: &Plan, state: &RunState) -> Result<(), CliError> {
    let step = state.step(trusted);
    if step.success.is_some() || step.former.is_some() {
        return Ok(());
    }
    let uses = |spec: &StepSpec| {
        let used = spec.with.references().into_iter().chain(spec.when.iter().flat_map(|when| when.references()));
        used.into_iter().any(|r| !r.defaulted && matches!(&r.target, Target::Output { step, .. } if step == trusted))
    };
    match plan.steps.iter().map(|step| &step.spec).find(|spec| uses(spec)) {
        None => Ok(()),
        Some(user) => Err(CliError::refused(
            format!("nothing was done: {trusted} never ended well, so it has no outputs, and {} uses them", user.id),
            format!("resume without --trust {trusted}: a step looks first at what is there already"),
        )),
    }
}

/// One step alone can only build on what is done.
fn refuse_open_needs(only: &str, trusted: &[String], plan: &Plan, state: &RunState) -> Result<(), CliError> {
    let step = plan.index(only).expect("it was found before");
    let open = plan.steps[step].needs.iter().map(|&need| &plan.steps[need].spec).find(|need| {
        let id = need.id.as_str();
        let step = state.step(id);
        let let_go = step.status == Status::Failed && need.on_failure == OnFailure::Continue;
        let done = step.success.is_some() || step.status == Status::Skipped || let_go;
        !done && !trusted.iter().any(|trusted| trusted == id)
    });
    match open {
        None => Ok(()),
        Some(need) => Err(CliError::refused(
            format!("nothing was done: the step {only} needs {}, which is not done", need.id),
            format!("resume without --only: hprun does {} first", need.id),
        )),
    }
}
