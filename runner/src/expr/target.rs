//! What a path in an expression names: a param, an output or the status of a step, or a fact about the run.
//! Knows nothing of which params and steps there are.

use hprun_steps::partial::{Place, nearest};

use super::ExprError;
use crate::codes::expressions;

/// A name that an expression uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What it names.
    pub target: Target,
    /// Where it stands in the pipeline file.
    pub place: Place,
    /// Whether `default` stands by with another value.
    pub defaulted: bool,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `params.NAME`, and what lies inside it
    Param {
        /// The param.
        name: String,
        /// Keys and indices into its value.
        rest: Vec<String>,
    },
    /// `steps.ID.outputs.NAME`, and what lies inside it
    Output {
        /// The step.
        step: String,
        /// The output.
        name: String,
        /// Keys and indices into its value.
        rest: Vec<String>,
    },
    /// `steps.ID.status`
    Status {
        /// The step.
        step: String,
    },
    /// `run.FACT`
    Run(RunFact),
}

impl Reference {
    /// The step that it is about, if it is about one.
    pub fn step(&self) -> Option<&str> {
        match &self.target {
            Target::Output { step, .. } | Target::Status { step } => Some(step),
            Target::Param { .. } | Target::Run(_) => None,
        }
    }
}

/// A fact about the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunFact {
    /// `run.id`
    Id,
    /// `run.account`
    Account,
    /// `run.region`
    Region,
    /// `run.partition`
    Partition,
    /// `run.sandbox`
    Sandbox,
}

const FACTS: [(&str, RunFact); 5] = [
    ("id", RunFact::Id),
    ("account", RunFact::Account),
    ("region", RunFact::Region),
    ("partition", RunFact::Partition),
    ("sandbox", RunFact::Sandbox),
];

impl Target {
    /// What the path with these parts names.
    pub(crate) fn of(parts: &[String], place: Place) -> Result<Self, ExprError> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let own = |rest: &[&str]| rest.iter().map(|&part| part.to_owned()).collect();
        match parts.as_slice() {
            ["params", name, rest @ ..] => Ok(Self::Param { name: (*name).to_owned(), rest: own(rest) }),
            ["steps", step, "outputs", name, rest @ ..] => {
                Ok(Self::Output { step: (*step).to_owned(), name: (*name).to_owned(), rest: own(rest) })
            }
            ["steps", step, "status"] => Ok(Self::Status { step: (*step).to_owned() }),
            ["run", fact] => Self::fact(fact, place),
            ["params"] => Err(ExprError::new(&expressions::UNKNOWN_NAME, place, "say which param: `params.NAME`")),
            ["run", ..] => {
                Err(ExprError::new(&expressions::UNKNOWN_NAME, place, "say which fact about the run").help(facts()))
            }
            ["steps"] => Err(ExprError::new(
                &expressions::UNKNOWN_NAME,
                place,
                "say which output of which step: `steps.ID.outputs.NAME`",
            )),
            ["steps", step, "outputs"] | ["steps", step] => Err(ExprError::new(
                &expressions::UNKNOWN_NAME,
                place,
                format!("say which output: `steps.{step}.outputs.NAME`"),
            )),
            ["steps", step, wrong, ..] => {
                let message = format!("a step has `outputs` and `status`, not `{wrong}`");
                Err(ExprError::new(&expressions::UNKNOWN_NAME, place, message)
                    .help(format!("write `steps.{step}.outputs.{wrong}`")))
            }
            [first, ..] => Err(unknown_root(first, &parts, place)),
            [] => Err(ExprError::new(&expressions::UNKNOWN_NAME, place, "there is nothing called `this` here")),
        }
    }

    fn fact(name: &str, place: Place) -> Result<Self, ExprError> {
        FACTS.iter().find(|(known, _)| *known == name).map(|(_, fact)| Self::Run(*fact)).ok_or_else(|| {
            let near = nearest(name, FACTS.iter().map(|(known, _)| *known));
            ExprError::new(&expressions::UNKNOWN_NAME, place, format!("there is no `run.{name}`"))
                .help(near.map_or_else(facts, |right| format!("did you mean `run.{right}`?")))
        })
    }
}

/// The names of all facts about the run, without their `run.`.
pub(crate) fn fact_names() -> impl Iterator<Item = &'static str> {
    FACTS.iter().map(|(name, _)| *name)
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rest = match self {
            Self::Param { name, rest } => {
                write!(f, "params.{name}")?;
                rest
            }
            Self::Output { step, name, rest } => {
                write!(f, "steps.{step}.outputs.{name}")?;
                rest
            }
            Self::Status { step } => return write!(f, "steps.{step}.status"),
            Self::Run(fact) => {
                let name = FACTS.iter().find(|(_, known)| known == fact).map_or("", |(name, _)| *name);
                return write!(f, "run.{name}");
            }
        };
        rest.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

fn facts() -> String {
    format!("there are {}", FACTS.map(|(name, _)| format!("`run.{name}`")).join(", "))
}

fn unknown_root(first: &str, parts: &[&str], place: Place) -> ExprError {
    let help = match nearest(first, ["params", "steps", "run"]) {
        Some(right) if right != first => format!("did you mean `{right}`?"),
        _ if parts.len() == 1 => format!("did you mean `params.{first}`?"),
        _ => "names start with `params`, `steps` or `run`".to_owned(),
    };
    ExprError::new(&expressions::UNKNOWN_NAME, place, format!("there is nothing called `{}`", parts.join(".")))
        .help(help)
}
