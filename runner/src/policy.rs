//! The IAM policy that a pipeline needs, made of what each step says of its calls: merged, narrowed, in a fixed order.
//! Knows no step type by name and asks nobody: files are handed in, and what is not known is `*`.

mod document;
mod explain;
mod merge;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hprun_steps::fact::Fact;
use hprun_steps::files::{FileInput, Files};
use hprun_steps::partial::{Hole, Partial, Text, ValueType};
use hprun_steps::permissions::{Condition, Permission, Surroundings, Unknown, WrittenFile, WrittenFiles};
use indexmap::IndexMap;

use crate::expr::{Foreseen, KnownScope};
use crate::params::{ParamSpec, ParamSpecs};
use crate::plan::Plan;

pub use document::LARGEST_MANAGED;
pub use explain::Row;

/// Where the pipeline runs; `*` for what is not known.
#[derive(Clone, Debug)]
pub struct Home {
    /// As in `aws`.
    pub partition: String,
    /// As in `us-west-2`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
}

/// The policy, and what it is made of.
#[derive(Debug)]
pub struct Policy {
    /// In the order of the steps that need them first.
    pub statements: Vec<Statement>,
    /// Which step needs what.
    pub uses: Vec<Use>,
    /// What a person has to add.
    pub gaps: Vec<Unknown>,
}

/// One statement that allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Names the steps and the purpose.
    pub sid: String,
    /// In order.
    pub actions: BTreeSet<String>,
    /// In order.
    pub resources: BTreeSet<String>,
    /// What must hold besides.
    pub conditions: Vec<Condition>,
}

/// A permission, with the step that needs it (`run` for what hprun does itself).
#[derive(Clone, Debug)]
pub struct Use {
    /// Id of the step.
    pub step: String,
    /// What it needs.
    pub permission: Permission,
}

impl Home {
    /// The place that `aws:` names.
    pub fn new(region: Option<&str>, account: Option<&str>) -> Self {
        let partition = region.map_or("aws", hprun_steps::region::partition_of);
        let or_any = |text: Option<&str>| text.unwrap_or("*").to_owned();
        Self { partition: partition.to_owned(), region: or_any(region), account: or_any(account) }
    }
}

/// The policy that `plan` needs there. `stored` are the SSM parameters that give params; `load` reads what a step's inputs
/// name, relative to the pipeline file.
pub fn policy(
    plan: &Plan,
    specs: &ParamSpecs,
    home: &Home,
    stored: &[String],
    load: &dyn Fn(&[FileInput]) -> Files,
) -> Policy {
    let mut looked = Looked { told: vec![None; plan.steps.len()], ..Looked::default() };
    looked.own(home, stored);
    for i in 0..plan.steps.len() {
        looked.step(plan, i, specs, home, load);
    }
    let Looked { mut uses, gaps, .. } = looked;
    let mut of_templates = merge::of_templates(&uses);
    let narrow = |of: &mut Use| merge::narrow(&mut of.permission, home);
    of_templates.iter_mut().for_each(narrow);
    uses.iter_mut().for_each(narrow);
    Policy { statements: merge::statements(&of_templates, &uses), uses, gaps }
}

/// What was told so far, step by step.
#[derive(Default)]
struct Looked {
    uses: Vec<Use>,
    gaps: Vec<Unknown>,
    told: Vec<Option<Foreseen>>,
    stacks: Vec<(Text, IndexMap<String, Text>)>,
    written: WrittenFiles,
}

impl Looked {
    /// What hprun does before the first step. GetCallerIdentity is allowed to everyone.
    fn own(&mut self, home: &Home, stored: &[String]) {
        if stored.is_empty() {
            return;
        }
        let Home { partition, region, account } = home;
        let arn = |path: &String| {
            format!("arn:{partition}:ssm:{region}:{account}:parameter/{}", path.trim_start_matches('/'))
        };
        let permission = Permission::new("Params", ["ssm:GetParameter"], stored.iter().map(arn));
        self.uses.push(Use { step: "run".to_owned(), permission });
    }

    fn step(&mut self, plan: &Plan, i: usize, specs: &ParamSpecs, home: &Home, load: &dyn Fn(&[FileInput]) -> Files) {
        let spec = &plan.steps[i].spec;
        let param_type = |name: &str| specs.get(name).map_or(ValueType::Any, ParamSpec::value_type);
        let outputs = |id: &str| self.told[plan.index(id)?].as_ref();
        let scope = KnownScope { params: &plan.params.values, param_type: &param_type, outputs: &outputs };
        let partial = spec.with.partial(&scope);
        let files = load(&(spec.step_type.files)(&partial));
        let around = Surroundings {
            files: &files,
            partition: &home.partition,
            region: &home.region,
            account: &home.account,
            stacks: &self.stacks,
            written: &self.written,
        };
        let needs = (spec.step_type.permissions)(&partial, &around);
        let mut foreseen = (spec.step_type.foreseen)(&partial, &files);
        // What is foreseen whole is surer than a name that is told for a policy; a hole says less.
        for (name, text) in needs.outputs {
            if foreseen.get(&name).is_none_or(|value| value.known().is_none()) {
                foreseen.insert(name, Partial::Unknown(Hole { of: ValueType::String, text }, spec.place));
            }
        }
        let told = Foreseen::new(spec.id.as_str(), &spec.outputs, foreseen);
        for fact in (spec.step_type.facts)(&partial, &files) {
            let Fact::Writes { path, output, .. } = fact else { continue };
            // It may be named by the output, or by the path that it is written to.
            let paths = told.get(output).and_then(Partial::text).into_iter().chain([path]);
            for path in paths.filter(|path| !path.is_unknown()) {
                self.written.note(&path, WrittenFile { text: needs.writes.clone(), surely: spec.is_sure() });
            }
        }
        self.stacks.extend(needs.stack);
        // Many steps may deploy one template: what is unknown of it is said once.
        for gap in needs.unknown {
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        }
        let step = spec.id.to_string();
        self.uses.extend(needs.permissions.into_iter().map(|permission| Use { step: step.clone(), permission }));
        self.told[i] = Some(told);
    }
}
