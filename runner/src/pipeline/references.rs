//! Whether every name in an expression leads to something that will surely be there.
//! Knows nothing of values; the graph says who runs before whom.

use std::collections::{HashMap, HashSet};

use hprun_steps::codes::template;
use hprun_steps::partial::{ValueType, nearest};

use super::authored::AuthoredStep;
use super::check::Outputs;
use super::graph::{Graph, no_step};
use super::{AwsSpec, OnFailure};
use crate::codes::{expressions, params};
use crate::diagnostic::Diagnostic;
use crate::document::fields::list;
use crate::expr::{Reference, Target, Tree};
use crate::params::{ParamSpec, ParamSpecs};

/// What names can lead to.
pub struct Names<'a> {
    pub steps: &'a [AuthoredStep],
    pub index: &'a HashMap<&'a str, usize>,
    pub params: &'a ParamSpecs,
    pub outputs: &'a [Outputs],
    pub graph: &'a Graph,
}

/// Checks every reference of the pipeline; a param that none names is a warning.
pub fn check(names: &Names<'_>, aws: &AwsSpec, problems: &mut Vec<Diagnostic>) {
    let mut used: HashSet<String> = HashSet::new();
    let mut see = |reference: &Reference| {
        if let Target::Param { name, .. } = &reference.target {
            used.insert(name.clone());
        }
    };
    let in_aws = [&aws.region, &aws.profile, &aws.role, &aws.account].into_iter().flatten();
    for reference in in_aws.flat_map(Tree::references) {
        see(&reference);
        problems.extend(match &reference.target {
            Target::Param { name, rest } => names.param(name, rest, &reference),
            Target::Output { .. } | Target::Status { .. } | Target::Run(_) => Some(Diagnostic::error(
                &expressions::PARAMS_ONLY,
                reference.place,
                "`aws` may use params only: it is settled before anything runs",
            )),
        });
    }
    for (i, step) in names.steps.iter().enumerate() {
        let in_when = step.when.iter().flat_map(crate::expr::Condition::references);
        for reference in step.with.references().into_iter().chain(in_when) {
            see(&reference);
            problems.extend(names.check(i, &reference));
        }
    }
    if problems.iter().any(Diagnostic::is_error) {
        // An expression that could not be read may have used it.
        return;
    }
    for (name, spec) in names.params.iter().filter(|(name, _)| !used.contains(name.as_str())) {
        problems.push(Diagnostic::warning(
            &params::UNUSED_PARAM,
            spec.place,
            format!("the param `{name}` is never used"),
        ));
    }
}

impl Names<'_> {
    fn check(&self, user: usize, reference: &Reference) -> Option<Diagnostic> {
        match &reference.target {
            Target::Param { name, rest } => self.param(name, rest, reference),
            Target::Output { step, name, rest } => self.output(user, step, name, rest, reference),
            Target::Status { step } => self.status(user, step, reference),
            Target::Run(_) => None,
        }
    }

    fn param(&self, name: &str, rest: &[String], reference: &Reference) -> Option<Diagnostic> {
        let Some(spec) = self.params.get(name) else {
            let names: Vec<&str> = self.params.keys().map(String::as_str).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(right) => format!("did you mean `params.{right}`?"),
                None if names.is_empty() => format!("declare it: `params: {{ {name}: {{ type: string }} }}`"),
                None => format!("there are {}", list(&names)),
            };
            return Some(
                Diagnostic::error(&expressions::UNKNOWN_PARAM, reference.place, format!("there is no param `{name}`"))
                    .help(help),
            );
        };
        lacks_parts(ParamSpec::value_type(spec), rest).then(|| {
            let message = format!("the param `{name}` is a {}: it has no `{}`", spec.param_type.name(), rest[0]);
            Diagnostic::error(&expressions::NO_PARTS, reference.place, message)
        })
    }

    fn output(
        &self,
        user: usize,
        step: &str,
        name: &str,
        rest: &[String],
        reference: &Reference,
    ) -> Option<Diagnostic> {
        let place = reference.place;
        let Some(&before) = self.index.get(step) else {
            return Some(no_step(&expressions::UNKNOWN_STEP, step, place, self.steps));
        };
        if before == user {
            return Some(Diagnostic::error(&expressions::OWN_OUTPUT, place, "a step cannot use its own outputs"));
        }
        let (here, there) = (&self.steps[user], &self.steps[before]);
        if there.finally && !here.finally {
            return Some(Diagnostic::error(
                &expressions::MAY_NOT_HAVE_RUN,
                place,
                format!("`{step}` stands under `finally` and runs after this step"),
            ));
        }
        let apart = here.finally && !there.finally;
        if !apart && self.graph.runs_before(before, user) == Some(false) {
            let message = format!("`{step}` has not surely run when this step starts");
            return Some(
                Diagnostic::error(&expressions::MAY_NOT_HAVE_RUN, place, message)
                    .help(format!("add `{step}` to the `needs` of `{}`", here.id.0))
                    .related(there.id.1, "this step"),
            );
        }
        if let Some(problem) = self.declared(before, step, name, rest, reference) {
            return Some(problem);
        }
        let why = if apart {
            "may not have run when `finally` starts"
        } else if there.when.is_some() {
            "may be skipped (it has `when`)"
        } else if there.on_failure == OnFailure::Continue {
            "may fail and let the run go on (`on-failure: continue`)"
        } else {
            return None;
        };
        (!reference.defaulted).then(|| {
            Diagnostic::error(&expressions::NEEDS_DEFAULT, place, format!("`{step}` {why}: its outputs need a default"))
                .help(format!("write {{{{ default {} 'VALUE' }}}}", reference.target))
        })
    }

    fn declared(
        &self,
        before: usize,
        step: &str,
        name: &str,
        rest: &[String],
        reference: &Reference,
    ) -> Option<Diagnostic> {
        let outputs = &self.outputs[before];
        let Some(output) = outputs.declared.get(name) else {
            if let Some(why) = outputs.absent.get(name) {
                let message = format!("the step `{step}` does not have the output `{name}` with these inputs: {why}");
                return (!reference.defaulted).then(|| {
                    Diagnostic::error(&template::ABSENT_OUTPUT, reference.place, message).help(format!(
                        "write {{{{ default {} 'VALUE' }}}}, or give the value otherwise",
                        reference.target
                    ))
                });
            }
            let names: Vec<&str> = outputs.declared.keys().map(String::as_str).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("it has {}", list(&names)),
            };
            let message = format!("the step `{step}` has no output `{name}`");
            return (!outputs.open)
                .then(|| Diagnostic::error(&expressions::UNKNOWN_OUTPUT, reference.place, message).help(help));
        };
        lacks_parts(output.value_type, rest).then(|| {
            let message = format!("the output `{name}` of `{step}` has no parts: there is no `{}` in it", rest[0]);
            Diagnostic::error(&expressions::NO_PARTS, reference.place, message)
        })
    }

    fn status(&self, user: usize, step: &str, reference: &Reference) -> Option<Diagnostic> {
        if !self.index.contains_key(step) {
            return Some(no_step(&expressions::UNKNOWN_STEP, step, reference.place, self.steps));
        }
        (!self.steps[user].finally).then(|| {
            Diagnostic::error(
                &expressions::STATUS_OUTSIDE_FINALLY,
                reference.place,
                "`status` is for steps under `finally`",
            )
            .help("a step starts only when what it needs went well; there is no other status to see")
        })
    }
}

/// Whether `rest` asks for a part of something that has none.
fn lacks_parts(of: ValueType, rest: &[String]) -> bool {
    !rest.is_empty() && !matches!(of, ValueType::Any | ValueType::List | ValueType::Map)
}
