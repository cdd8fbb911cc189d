//! Authored to [`Pipeline`]: everything that can be known before a run, found in one pass.
//! Knows nothing of runs; reads no file: the loader is handed in.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use hprun_steps::StepType;
use hprun_steps::fact::Fact;
use hprun_steps::files::{FileInput, Files};
use hprun_steps::partial::{Partial, ValueType, nearest};
use hprun_steps::step::DeclaredOutputs;
use hprun_steps::value::Value;
use indexmap::IndexMap;

use super::across::{self, Across};
use super::authored::{Authored, AuthoredStep};
use super::graph::{self, Graph};
use super::inputs::InputChecker;
use super::references::{self, Names};
use super::shelf::Shelf;
use super::stacks::{Empty, Stacks};
use super::written::Written;
use super::{Pipeline, StepId, StepSpec};
use crate::codes::{expressions, pipeline};
use crate::diagnostic::Diagnostic;
use crate::document::fields::list;
use crate::expr::{Condition, Foreseen, KnownScope, Target};
use crate::params::ParamSpec;

/// Inputs that decide which outputs a step declares: they must be known before the run.
const DECIDES_OUTPUTS: [&str; 2] = ["template", "map"];

/// The params whose values are known when the pipeline is checked; of the others only the type is.
#[derive(Clone, Debug, Default)]
pub struct KnownParams {
    /// The values.
    pub values: IndexMap<String, Value>,
}

/// What is known of a step's outputs before the run.
#[derive(Default)]
pub(super) struct Outputs {
    pub(super) declared: DeclaredOutputs,
    /// Outputs that other inputs would give, each with the reason why these do not.
    pub(super) absent: IndexMap<String, String>,
    /// Whether there may be more than those: what decides them is not known yet.
    pub(super) open: bool,
}

/// What comes of a check: the pipeline with its warnings, or all that is wrong.
type Checked = Result<(Pipeline, Vec<Diagnostic>), Vec<Diagnostic>>;

/// The pipeline that `authored` is, with warnings; or all that is wrong with it, in the order of the file (the
/// problems of [`super::read`] among them). `files` reads what a step's inputs name, relative to the pipeline file.
pub fn check(
    authored: Authored,
    types: &'static [StepType],
    files: &dyn Fn(&[FileInput]) -> Files,
    params: &KnownParams,
) -> Result<(Pipeline, Vec<Diagnostic>), Vec<Diagnostic>> {
    examine(authored, types, files, params, None)
}

/// The same, and what is known of the steps, whatever is wrong.
pub fn check_and_outline(
    authored: Authored,
    types: &'static [StepType],
    files: &dyn Fn(&[FileInput]) -> Files,
    params: &KnownParams,
) -> (Checked, Outline) {
    let mut outline = None;
    let checked = examine(authored, types, files, params, Some(&mut outline));
    (checked, outline.expect("an outline that is asked for is made"))
}

fn examine(
    authored: Authored,
    types: &'static [StepType],
    files: &dyn Fn(&[FileInput]) -> Files,
    params: &KnownParams,
    outline: Option<&mut Option<Outline>>,
) -> Checked {
    let mut problems = authored.problems.clone();
    let index = index_of(&authored.steps, &mut problems);
    let step_types = step_types(&authored.steps, types, &mut problems);
    let graph = graph::build(&authored.steps, &index, &mut problems);
    let checker = Checker { authored: &authored, step_types: &step_types, index: &index, params };
    let looked = checker.look(&graph, files, &mut problems);
    let names = Names {
        steps: &authored.steps,
        index: &index,
        params: &authored.params,
        outputs: &looked.outputs,
        graph: &graph,
    };
    references::check(&names, &authored.aws, &mut problems);
    checker.expressions(&looked.foreseen, &mut problems);
    checker.inputs(&looked, &mut problems);
    checker.explain_empty(&looked.empty, &mut problems);
    checker.across(&looked, &graph, &mut problems);

    problems.sort_by_key(|problem| (problem.place.start, problem.place.end));
    // A file that cannot be read is found by whoever wants to read it: said once.
    let mut said = HashSet::new();
    problems.retain(|problem| {
        let (path, place) = (problem.file.path().map(str::to_owned), problem.place);
        said.insert((path, place.start, place.end, problem.message.clone()))
    });
    let steps = outline.is_some().then(|| outlined(&authored.steps, &step_types, &looked));
    let checked = match problems.iter().any(Diagnostic::is_error) {
        true => Err(problems),
        false => {
            let Looked { outputs, foreseen, .. } = looked;
            Ok((assemble(authored, &graph, &step_types, outputs.into_iter().zip(foreseen)), problems))
        }
    };
    if let (Some(outline), Some(steps)) = (outline, steps) {
        let index = steps.iter().enumerate().rev().map(|(at, step)| (step.id.clone(), at)).collect();
        *outline = Some(Outline { steps, index, graph });
    }
    checked
}

fn outlined(steps: &[AuthoredStep], types: &[Option<&'static StepType>], looked: &Looked) -> Vec<OutlinedStep> {
    let known = looked.partials.iter().zip(&looked.outputs).zip(types);
    let one =
        |(step, ((partial, outputs), of)): (&AuthoredStep, ((&Partial, &Outputs), &Option<&'static StepType>))| {
            OutlinedStep {
                id: step.id.0.clone(),
                outputs: outputs.declared.clone(),
                files: of.map(|of| (of.files)(partial)).unwrap_or_default(),
            }
        };
    steps.iter().zip(known).map(one).collect()
}

/// The inputs of every step of this type, as far as params alone tell them.
pub fn known_inputs(authored: &Authored, step_type: &str, params: &KnownParams) -> Vec<Partial> {
    let param_type = |name: &str| authored.params.get(name).map_or(ValueType::Any, ParamSpec::value_type);
    let scope = KnownScope { params: &params.values, param_type: &param_type, outputs: &|_| None };
    let of_type = |step: &&AuthoredStep| step.step_type.as_ref().is_some_and(|(name, _)| name == step_type);
    authored.steps.iter().filter(of_type).map(|step| step.with.partial(&scope)).collect()
}

/// What is known of the steps of a pipeline that may have mistakes: for editors, which help while they are made.
pub struct Outline {
    /// In the order of the file.
    pub steps: Vec<OutlinedStep>,
    index: HashMap<String, usize>,
    graph: Graph,
}

/// What is known of one step before the run.
pub struct OutlinedStep {
    /// Its id.
    pub id: String,
    /// What it will hand on.
    pub outputs: DeclaredOutputs,
    /// The files that its inputs name.
    pub files: Vec<FileInput>,
}

impl Outline {
    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&OutlinedStep> {
        self.index.get(id).map(|at| &self.steps[*at])
    }

    /// Whether `before` has surely ended when `step` starts; none if nobody can tell.
    pub fn runs_before(&self, before: &str, step: &str) -> Option<bool> {
        self.graph.runs_before(*self.index.get(before)?, *self.index.get(step)?)
    }
}

/// What holds for all steps while they are checked.
struct Checker<'a> {
    authored: &'a Authored,
    step_types: &'a [Option<&'static StepType>],
    index: &'a HashMap<&'a str, usize>,
    params: &'a KnownParams,
}

/// What is known of every step, in the order of the file.
struct Looked {
    partials: Vec<Partial>,
    files: Vec<Files>,
    outputs: Vec<Outputs>,
    foreseen: Vec<Foreseen>,
    facts: Vec<Vec<Fact>>,
    /// Outputs that are handed on empty.
    empty: Vec<Empty>,
}

impl Checker<'_> {
    fn param_type(&self, name: &str) -> ValueType {
        self.authored.params.get(name).map_or(ValueType::Any, ParamSpec::value_type)
    }

    /// What is known of every step: each is looked at after those that it needs, whose outputs it may use.
    fn look(&self, graph: &Graph, files: &dyn Fn(&[FileInput]) -> Files, problems: &mut Vec<Diagnostic>) -> Looked {
        let count = self.authored.steps.len();
        let mut partials: Vec<Option<Partial>> = vec![None; count];
        let mut loaded: Vec<Files> = vec![Files::default(); count];
        let mut outputs: Vec<Outputs> = (0..count).map(|_| Outputs::default()).collect();
        let mut foreseen: Vec<Foreseen> = vec![Foreseen::default(); count];
        let mut facts: Vec<Vec<Fact>> = vec![Vec::new(); count];
        let param_type = |name: &str| self.param_type(name);
        let (mut shelf, mut written, mut stacks) = (Shelf::new(files), Written::default(), Stacks::default());
        let mut empty = Vec::new();
        for &i in &graph.order {
            let step = &self.authored.steps[i];
            let outputs_of = |id: &str| self.index.get(id).map(|at| &foreseen[*at]);
            let scope = KnownScope { params: &self.params.values, param_type: &param_type, outputs: &outputs_of };
            let partial = step.with.partial(&scope);
            loaded[i] = shelf.load(&partial, self.step_types[i], problems);
            if let Some(step_type) = self.step_types[i] {
                facts[i] = (step_type.facts)(&partial, &loaded[i]);
                if written.leave_out(&facts[i], &mut loaded[i]) {
                    facts[i] = (step_type.facts)(&partial, &loaded[i]);
                }
                // One that may be skipped, or fail and be passed over, may leave the file as it is.
                if step.is_sure() {
                    written.note(&facts[i]);
                }
            }
            outputs[i] = self.outputs(i, &partial, &loaded[i]);
            // Nor does it hand on anything that is sure.
            let mut values = match (step.is_sure(), self.step_types[i]) {
                (true, Some(step_type)) => (step_type.foreseen)(&partial, &loaded[i]),
                (_, _) => IndexMap::new(),
            };
            stacks.note(&facts[i], step.is_sure());
            for (output, value) in stacks.empty(&step.id.0, &facts[i]) {
                values.insert(output.output.clone(), Partial::from_value(&value));
                empty.push(output);
            }
            foreseen[i] = Foreseen::new(&step.id.0, &outputs[i].declared, values);
            partials[i] = Some(partial);
        }
        let partials = partials.into_iter().map(|partial| partial.expect("the order holds every step")).collect();
        Looked { partials, files: loaded, outputs, foreseen, facts, empty }
    }

    fn outputs(&self, i: usize, partial: &Partial, files: &Files) -> Outputs {
        let Some(step_type) = self.step_types[i] else {
            return Outputs { open: true, ..Outputs::default() };
        };
        let undecided = DECIDES_OUTPUTS.iter().filter_map(|key| partial.get(key)).any(|input| input.known().is_none());
        let open = undecided || files.errors().next().is_some() || (step_type.may_hand_on_more)(partial, files);
        let absent = (step_type.absent_outputs)(partial, files);
        Outputs { declared: (step_type.outputs)(partial, files), absent, open }
    }

    /// What surely goes wrong in expressions over known params, and inputs that must not wait for a step.
    fn expressions(&self, foreseen: &[Foreseen], problems: &mut Vec<Diagnostic>) {
        let param_type = |name: &str| self.param_type(name);
        let outputs = |id: &str| self.index.get(id).map(|at| &foreseen[*at]);
        let scope = KnownScope { params: &self.params.values, param_type: &param_type, outputs: &outputs };
        let aws = &self.authored.aws;
        for tree in [&aws.region, &aws.profile, &aws.role, &aws.account].into_iter().flatten() {
            problems.extend(tree.problems(&scope).into_iter().map(Diagnostic::from));
        }
        let choices = |name: &str| self.authored.params.get(name).map_or(&[][..], |spec| &spec.choices);
        for step in &self.authored.steps {
            let trees = std::iter::once(&step.with).chain(step.when.as_ref().map(Condition::tree));
            let never = trees.flat_map(|tree| tree.never_equal(&scope, &choices));
            problems.extend(never.map(|never| Diagnostic::from(never).as_warning()));
            problems.extend(step.with.problems(&scope).into_iter().map(Diagnostic::from));
            if let Some(when) = &step.when {
                problems.extend(when.problems(&scope).into_iter().map(Diagnostic::from));
                if when.references().is_empty() {
                    let message = format!("the condition of `{}` is always the same", step.id.0);
                    problems.push(
                        Diagnostic::warning(&crate::codes::pipeline::CONSTANT_WHEN, when.place(), message)
                            .help("compare it with a param, or remove `when:` (or the step)"),
                    );
                }
            }
            for key in DECIDES_OUTPUTS {
                let references = step.with.get(key).map(crate::expr::Tree::references).unwrap_or_default();
                problems.extend(references.iter().filter(|r| !matches!(r.target, Target::Param { .. })).map(
                    |reference| {
                        let message = format!("`{key}` may use params only: it decides which outputs the step has");
                        Diagnostic::error(&expressions::PARAMS_ONLY, reference.place, message)
                    },
                ));
            }
        }
    }

    /// Says of what is wrong with an empty value where it comes from.
    fn explain_empty(&self, empty: &[Empty], problems: &mut [Diagnostic]) {
        if empty.is_empty() {
            return;
        }
        for step in &self.authored.steps {
            for reference in step.with.references() {
                let Target::Output { step: from, name, .. } = &reference.target else { continue };
                let Some(Empty { reason, .. }) = empty.iter().find(|it| it.step == *from && it.output == *name) else {
                    continue;
                };
                let holds = |problem: &&mut Diagnostic| {
                    let (of, place) = (problem.place, reference.place);
                    problem.file.path().is_none() && of.start <= place.start && place.end <= of.end
                };
                for problem in problems.iter_mut().filter(holds) {
                    problem.help = Some(reason.clone());
                }
            }
        }
    }

    /// What steps bring against what others look for.
    fn across(&self, looked: &Looked, graph: &Graph, problems: &mut Vec<Diagnostic>) {
        let place = super::aws::check(self.authored, self.params, problems);
        let (steps, files) = (&self.authored.steps[..], &looked.files[..]);
        let (region, account) = (place.region.as_deref(), place.account.as_deref());
        across::check(&Across { steps, graph, facts: &looked.facts, files, region, account }, problems);
        let better = |told: &Diagnostic, all: &[Diagnostic]| {
            SAID_BETTER.iter().any(|(one, other)| {
                told.code.number == *one && all.iter().any(|p| p.code.number == *other && p.is_at_the_place_of(told))
            })
        };
        let all = problems.clone();
        problems.retain(|told| !better(told, &all));
    }

    /// Inputs against the schema of the step type, then against what the step type itself checks.
    fn inputs(&self, looked: &Looked, problems: &mut Vec<Diagnostic>) {
        let mut checker = InputChecker::default();
        let looked = self.authored.steps.iter().zip(&looked.partials).zip(&looked.files);
        for (step_type, ((step, partial), files)) in self.step_types.iter().zip(looked) {
            let Some(step_type) = step_type else { continue };
            problems.extend(too_short(step, (step_type.least)(partial, files)));
            let wrong = checker.check(step_type, partial);
            let fits = wrong.is_empty();
            problems.extend(wrong);
            let findings = (step_type.check)(partial, files).into_iter();
            let findings = findings.map(|finding| Diagnostic::from_finding(finding, files));
            // What the schema said of a place, the step type need not say again.
            let is_new = |finding: &Diagnostic| fits || !problems.iter().any(|p| p.is_at_the_place_of(finding));
            let findings: Vec<_> = findings.filter(is_new).collect();
            problems.extend(findings);
        }
    }
}

/// What is no longer worth saying where a finding across steps says it better: the code of the one, then of the other.
const SAID_BETTER: [(u16, u16); 1] =
    [(hprun_steps::codes::cluster::WHOLE_BUCKET.number, crate::codes::across::SCRIPT_NOT_UPLOADED.number)];

/// The timeout of a step that takes longer than that.
fn too_short(step: &AuthoredStep, least: Option<(Duration, &'static str)>) -> Option<Diagnostic> {
    let (timeout, (least, what)) = (step.timeout?, least?);
    (timeout < least).then(|| {
        let timeout = humantime::format_duration(timeout);
        let least = humantime::format_duration(least);
        let message = format!("the timeout of `{}` is {timeout}, but {what} takes {least} at least", step.id.0);
        Diagnostic::warning(&crate::codes::pipeline::TIMEOUT_TOO_SHORT, step.id.1, message)
            .help("allow more: when the time is out, the work goes on in AWS, and nobody waits for it")
    })
}

fn index_of<'a>(steps: &'a [AuthoredStep], problems: &mut Vec<Diagnostic>) -> HashMap<&'a str, usize> {
    let mut index: HashMap<&str, usize> = HashMap::with_capacity(steps.len());
    for (i, step) in steps.iter().enumerate() {
        let (id, place) = &step.id;
        if let Err(e) = StepId::new(id.as_str()) {
            problems.push(Diagnostic::error(&pipeline::WRONG_ID, *place, e.to_string()));
        }
        if let Some(&first) = index.get(id.as_str()) {
            problems.push(
                Diagnostic::error(&pipeline::ID_TAKEN, *place, format!("the id `{id}` is taken"))
                    .related(steps[first].id.1, "by this step")
                    .help("give one of them another id"),
            );
        } else {
            index.insert(id, i);
        }
    }
    index
}

fn step_types(
    steps: &[AuthoredStep],
    types: &'static [StepType],
    problems: &mut Vec<Diagnostic>,
) -> Vec<Option<&'static StepType>> {
    let by_name: HashMap<&str, &'static StepType> = types.iter().map(|of| (of.name, of)).collect();
    let mut find = |step: &AuthoredStep| {
        let (name, place) = step.step_type.as_ref()?;
        let found = by_name.get(name.as_str()).copied();
        if found.is_none() {
            let help = match nearest(name, types.iter().map(|of| of.name)) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("there are {}", list(&types.iter().map(|of| of.name).collect::<Vec<_>>())),
            };
            problems.push(
                Diagnostic::error(&pipeline::UNKNOWN_TYPE, *place, format!("there is no step type `{name}`"))
                    .help(help),
            );
        }
        found
    };
    steps.iter().map(&mut find).collect()
}

fn assemble(
    authored: Authored,
    graph: &Graph,
    step_types: &[Option<&'static StepType>],
    outputs: impl Iterator<Item = (Outputs, Foreseen)>,
) -> Pipeline {
    let id = |text: &str| StepId::new(text).expect("ids that are none were reported");
    let ids: Vec<StepId> = authored.steps.iter().map(|step| id(&step.id.0)).collect();
    let steps = authored.steps.into_iter().zip(outputs).enumerate().map(|(i, (step, (outputs, foreseen)))| StepSpec {
        id: ids[i].clone(),
        step_type: step_types[i].expect("unknown step types were reported"),
        needs: graph.needs[i].iter().map(|need| ids[*need].clone()).collect(),
        with: step.with,
        when: step.when,
        timeout: step.timeout,
        retry: step.retry,
        on_failure: step.on_failure,
        finally: step.finally,
        place: step.id.1,
        outputs: outputs.declared,
        foreseen,
    });
    let steps = steps.collect();
    let (name, version, description) = (authored.name, authored.version, authored.description);
    Pipeline { name, version, description, params: authored.params, aws: authored.aws, steps, checked: () }
}
