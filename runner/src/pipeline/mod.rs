//! The pipeline file: read ([`authored`]), then checked ([`mod@check`]); a [`Pipeline`] exists only if it is sound.
//! Knows nothing of runs, of the record or of the world; other files are handed in.

pub mod authored;
pub mod check;
pub mod schema;

mod across;
mod aws;
mod graph;
mod inputs;
mod references;
mod shelf;
mod stacks;
mod written;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use hprun_steps::StepType;
use hprun_steps::partial::Place;
use hprun_steps::step::DeclaredOutputs;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::expr::{Condition, Foreseen, Tree};
use crate::params::ParamSpec;

pub use authored::{Authored, read};
pub use aws::known_region;
pub use check::{KnownParams, Outline, OutlinedStep, check, check_and_outline, known_inputs};
pub(crate) use written::Written;

/// The only `apiVersion` there is.
pub const API_VERSION: &str = "hprun/v1";

/// A pipeline in which all that can be known before a run is sound: ids are unique, needs exist and have no cycle,
/// every reference names what will be there. Only [`check()`] makes one.
#[derive(Clone, Debug)]
#[expect(clippy::manual_non_exhaustive, reason = "nor may other modules of this crate make one")]
pub struct Pipeline {
    /// The word after `name:`.
    pub name: String,
    /// The pipeline's own version.
    pub version: Option<String>,
    /// One line for people.
    pub description: Option<String>,
    /// The params that it takes, in the order of the file.
    pub params: IndexMap<String, ParamSpec>,
    /// Where it runs, as templates over params.
    pub aws: AwsSpec,
    /// The steps in the order of the file, those of `finally:` last.
    pub steps: Vec<StepSpec>,
    #[expect(dead_code, reason = "only `check` can fill it in, so only `check` makes a pipeline")]
    checked: (),
}

/// `aws:`: each is an expression over params, or absent.
#[derive(Clone, Debug, Default)]
pub struct AwsSpec {
    /// The region of every call.
    pub region: Option<Tree>,
    /// The profile of the shared AWS files.
    pub profile: Option<Tree>,
    /// A role to assume.
    pub role: Option<Tree>,
    /// The account that it must be; any other is refused.
    pub account: Option<Tree>,
}

/// One step, checked.
#[derive(Clone, Debug)]
pub struct StepSpec {
    /// Its id, unique in the pipeline.
    pub id: StepId,
    /// What it does.
    pub step_type: &'static StepType,
    /// The steps whose needs must be met before it; where the file has no `needs`, the step above.
    pub needs: Vec<StepId>,
    /// Its inputs, with expressions.
    pub with: Tree,
    /// False skips it.
    pub when: Option<Condition>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// When to try again.
    pub retry: Retry,
    /// What its failure means for the run.
    pub on_failure: OnFailure,
    /// Whether it stands under `finally:`.
    pub finally: bool,
    /// Where it stands in the file: its `id`.
    pub place: Place,
    /// What it will hand on.
    pub outputs: DeclaredOutputs,
    /// What is known of that already.
    pub foreseen: Foreseen,
}

/// The id of a step: a lower-case letter, then lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct StepId(String);

/// Not an id of a step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id: a lower-case letter, then lower-case letters, digits and hyphens (63 at most)")]
pub struct NotAnId(String);

/// When a failed attempt is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// Known failures until the step has failed; at least 1.
    pub max_attempts: u32,
    /// Time before the second attempt.
    pub delay: Duration,
    /// By what each further delay grows; at least 1.
    pub backoff: f64,
}

/// What the failure of a step means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Nothing new is started.
    #[default]
    Stop,
    /// What needs it goes on.
    Continue,
}

impl StepSpec {
    /// Whether what comes after it can count on it: it is not skipped, and its failure ends the run.
    pub fn is_sure(&self) -> bool {
        self.when.is_none() && self.on_failure == OnFailure::Stop
    }
}

impl Pipeline {
    /// The step of this id.
    pub fn step(&self, id: &str) -> Option<&StepSpec> {
        self.steps.iter().find(|step| step.id.as_str() == id)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { max_attempts: 1, delay: Duration::from_secs(10), backoff: 2.0 }
    }
}

impl StepId {
    /// Longest id: it must fit into tags and names made of it.
    pub const LONGEST: usize = 63;

    /// The id that `text` spells.
    pub fn new(text: impl Into<String>) -> Result<Self, NotAnId> {
        let text = text.into();
        let mut bytes = text.bytes();
        let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let goes_on_well = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if starts_well && goes_on_well && text.len() <= Self::LONGEST { Ok(Self(text)) } else { Err(NotAnId(text)) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StepId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<Self, NotAnId> {
        Self::new(text)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for StepId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
