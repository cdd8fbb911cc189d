//! What is recorded of a run: every event, in words that outlive the program.
//! Pure: knows no clock, file, environment or network; who stores or shows events is no concern of theirs.

#[cfg(test)]
pub mod testing;

use std::collections::BTreeMap;

use hprun_steps::ErrorClass;
use hprun_steps::StepError;
use hprun_steps::context::Record;
use hprun_steps::files::FileDigest;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the events' form. A reader refuses a newer one by name.
pub const FORMAT: u32 = 1;

/// An event with its place in the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// 1 for the first event of a run; no gaps.
    pub seq: u64,
    /// When it was recorded, by the run's clock.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// The run exists. Always the first event, and only once.
    RunStarted(Box<RunStarted>),
    /// What a step of an earlier run recorded is this run's now: right after the `RunStarted` of a rerun.
    Inherited {
        /// Id of the step, in both runs.
        step: String,
        /// All that it recorded there, oldest first.
        records: Vec<Record>,
        /// What it handed on there at last: what a person who trusts the step means.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<serde_json::Value>,
    },
    /// A process took the run up: the first does so right after `RunStarted`, each resume does again.
    PassStarted(Box<PassStarted>),
    /// A try of a step begins. Nothing of it has happened yet.
    AttemptStarted {
        /// Id of the step.
        step: String,
        /// 1 for the first try in this run.
        attempt: u32,
        /// The resolved inputs, with `secret(NAME)` in place of secrets.
        inputs: serde_json::Value,
        /// The files that the inputs name.
        files: Vec<FileDigest>,
        /// Why it runs, when an earlier result is not reused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        because: Vec<String>,
    },
    /// The running step recorded something.
    Recorded {
        /// Id of the step.
        step: String,
        /// What it recorded.
        record: Record,
    },
    /// A step did what it is for.
    StepSucceeded {
        /// Id of the step.
        step: String,
        /// The try that did it.
        attempt: u32,
        /// What it hands on.
        outputs: serde_json::Value,
        /// The files it wrote.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<FileDigest>,
    },
    /// A try failed.
    AttemptFailed {
        /// Id of the step.
        step: String,
        /// The try that failed; 0 when the step could not even be begun (an expression that has no value).
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When the next try may begin; none when there is none, and the step has failed.
        retry_at: Option<Timestamp>,
    },
    /// A try was told to stop and did.
    AttemptInterrupted {
        /// Id of the step.
        step: String,
        /// The try that stopped.
        attempt: u32,
    },
    /// A step does not run in this pass, because its `when` is false.
    StepSkipped {
        /// Id of the step.
        step: String,
        /// The condition, with the values it was decided by.
        reason: String,
    },
    /// The result of an earlier pass stands.
    StepReused {
        /// Id of the step.
        step: String,
        /// What was looked at.
        reason: String,
    },
    /// A person says that the step is done: nothing of it is looked at.
    StepTrusted {
        /// Id of the step.
        step: String,
        /// The resolved inputs, with `secret(NAME)` in place of secrets.
        inputs: serde_json::Value,
        /// The files that the inputs name.
        files: Vec<FileDigest>,
        /// What it hands on: the outputs of its newest success, or none.
        outputs: serde_json::Value,
    },
    /// The process is done with the run, for now or for good.
    PassEnded {
        /// How.
        outcome: Outcome,
    },
    /// What this run made is another run's now: nothing can follow.
    HandedOver {
        /// Id of that run.
        to: String,
    },
    /// The run was written into a file, to go on elsewhere.
    Exported {
        /// Name of the machine that it left.
        host: String,
    },
    /// The run came here in a file.
    Imported {
        /// Name of this machine.
        host: String,
        /// The pipeline file's full path here.
        path: String,
    },
    /// All before is a copy of a run that stays where it is: to look at, nothing can follow.
    Copied {
        /// Name of the machine that has the run.
        host: String,
    },
}

/// What a run is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunStarted {
    /// [`FORMAT`] of the program that began the run.
    pub format: u32,
    /// Version of that program.
    pub version: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline file's full path.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Where the run happens.
    pub target: Target,
    /// AWS partition.
    pub partition: String,
    /// Account id.
    pub account: String,
    /// Region.
    pub region: String,
    /// Who ran it, as GetCallerIdentity says.
    pub caller: String,
    /// The params.
    pub params: IndexMap<String, RecordedParam>,
    /// The runs whose things passed to this one, oldest first: what their tags name is ours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<String>,
}

/// Where a run happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Target {
    /// A real account.
    Aws {
        /// The profile it was run with, if one was named.
        profile: Option<String>,
    },
    /// The sandbox.
    Sandbox {
        /// Full path of the world's folder.
        world: String,
    },
}

/// A param as recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RecordedParam {
    /// Its value; none for a secret.
    pub value: Option<serde_json::Value>,
    /// Where the value came from, to show.
    pub source: String,
}

/// A process took the run up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PassStarted {
    /// Process id.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// The params that this pass uses.
    pub params: IndexMap<String, RecordedParam>,
    /// The pipeline's text, where it is no longer the one recorded before.
    pub text: Option<String>,
    /// Steps of an earlier pass that are gone from the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphaned: Vec<String>,
    /// What else a person should know: a param's environment that differs from the recorded value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How long each step took before, in seconds, from other runs of this pipeline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub usual: BTreeMap<String, f64>,
    /// The steps of this pass, in order of the plan: id and type.
    pub steps: IndexMap<String, String>,
    /// Steps that run again whatever was done, and why: those of `--from` and `--only`, with all that need them. It holds
    /// until they are begun, in this pass or a later one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<String, String>,
    /// What a person chose for this pass.
    #[serde(default, skip_serializing_if = "Selection::is_empty")]
    pub selection: Selection,
}

/// What a person chooses when resuming, by ids of steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Selection {
    /// These and all that need them, directly or not, run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// This one runs, and no other is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// These are taken as done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<String>,
}

/// A step's error, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// One sentence.
    pub message: String,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What may be done next.
    pub class: ErrorClass,
    /// The service's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The service's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step is done: the run is finished.
    Succeeded,
    /// A step failed: the run can be resumed.
    Failed,
    /// It was told to stop: the run can be resumed.
    Interrupted,
    /// The one step that was chosen is done, others are not: the run can be resumed.
    Partial,
}

impl Entry {
    /// The event of `run` as one JSON object, for a program: what `show --output json` and an exported run have a line.
    pub fn to_line(&self, run: &str) -> serde_json::Value {
        let mut object = serde_json::to_value(self).expect("an event is plain data");
        object["run"] = run.into();
        object
    }
}

impl Selection {
    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Event {
    /// The step that the event is about, if it is about one.
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::RunStarted(_)
            | Self::PassStarted(_)
            | Self::PassEnded { .. }
            | Self::HandedOver { .. }
            | Self::Exported { .. }
            | Self::Imported { .. }
            | Self::Copied { .. } => None,
            Self::Inherited { step, .. }
            | Self::AttemptStarted { step, .. }
            | Self::Recorded { step, .. }
            | Self::StepSucceeded { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::AttemptInterrupted { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepReused { step, .. }
            | Self::StepTrusted { step, .. } => Some(step),
        }
    }

    /// The word that the store keeps beside the event, to find it by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run-started",
            Self::PassStarted(_) => "pass-started",
            Self::AttemptStarted { .. } => "attempt-started",
            Self::Recorded { .. } => "recorded",
            Self::StepSucceeded { .. } => "step-succeeded",
            Self::AttemptFailed { .. } => "attempt-failed",
            Self::AttemptInterrupted { .. } => "attempt-interrupted",
            Self::StepSkipped { .. } => "step-skipped",
            Self::StepReused { .. } => "step-reused",
            Self::PassEnded { .. } => "pass-ended",
            Self::Inherited { .. } => "inherited",
            Self::StepTrusted { .. } => "step-trusted",
            Self::HandedOver { .. } => "handed-over",
            Self::Exported { .. } => "exported",
            Self::Imported { .. } => "imported",
            Self::Copied { .. } => "copied",
        }
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        let StepError { message, causes, help, class, code, request_id } = error;
        Self { message, causes, help, class, code, request_id }
    }
}
