//! What a run has come to: the events folded into one picture.
//! Pure: the same events give the same state, on any machine, at any time; an event that cannot follow is an error.

use hprun_steps::context::Record;
use hprun_steps::files::FileDigest;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::event::{Entry, Event, Failure, Outcome, PassStarted, RunStarted};

/// A run as its events tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// What the run is about; none before its first event.
    pub started: Option<Box<RunStarted>>,
    /// The newest pass; none before its event.
    pub pass: Option<Box<PassStarted>>,
    /// How many processes have taken the run up.
    pub passes: u32,
    /// When the newest pass began.
    pub pass_began: Option<Timestamp>,
    /// How the newest pass ended; none while it goes on, or if it was killed.
    pub outcome: Option<Outcome>,
    /// The steps of the newest pass, in order of its plan; after them those of earlier passes only.
    pub steps: IndexMap<String, StepState>,
    /// Whether the run left this record, and how.
    pub left: Option<Left>,
    /// The pipeline file's path and text, where they are no longer those of `started`.
    pub moved: Moved,
    /// The number of the newest event.
    pub seq: u64,
    /// When the first event was recorded.
    pub began: Option<Timestamp>,
    /// When the newest event was recorded.
    pub last: Option<Timestamp>,
}

/// How a run left a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// What it made is this other run's.
    HandedOver(String),
    /// It was written into a file on this machine, to go on elsewhere.
    Exported(String),
    /// It never was here: this is a copy of what that machine has.
    Copied(String),
}

/// What is newer than the beginning of the run says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// The pipeline file's full path.
    pub path: Option<String>,
    /// Its text.
    pub text: Option<String>,
}

/// A step as its events tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepState {
    /// Where it stands in this pass.
    pub status: Status,
    /// Tries in this run, over all passes.
    pub attempts: u32,
    /// Failed tries in this pass that count against `max-attempts`.
    pub failures: u32,
    /// Failed tries in this pass that do not: throttled, no connection.
    pub setbacks: u32,
    /// What its tries recorded, in this run.
    pub records: Vec<Record>,
    /// The inputs and files of the newest try.
    pub latest: Option<Inputs>,
    /// The newest success, as long as no later try has begun.
    pub success: Option<Success>,
    /// The newest success before that: what a person who trusts the step means.
    pub former: Option<Success>,
    /// Why a person wants it to run again, until it is begun.
    pub again: Option<String>,
    /// Whether a person took it as done though it never ended well: that holds for one pass.
    pub unproven: bool,
    /// The newest failure in this pass.
    pub failure: Option<Failure>,
    /// When the newest try began.
    pub began: Option<Timestamp>,
    /// When the step came to rest in this pass.
    pub ended: Option<Timestamp>,
}

/// What a try was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// The step's type when it was tried.
    pub step_type: String,
    /// The resolved inputs, secrets by name.
    pub inputs: serde_json::Value,
    /// The files they name.
    pub files: Vec<FileDigest>,
}

/// What a successful try left.
#[derive(Clone, Debug, PartialEq)]
pub struct Success {
    /// What it was given.
    pub given: Inputs,
    /// What it hands on.
    pub outputs: serde_json::Value,
    /// The files it wrote.
    pub files: Vec<FileDigest>,
}

/// Where a step stands in the current pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Not begun in this pass, and no result to reuse.
    #[default]
    Waiting,
    /// Not begun in this pass; an earlier pass left a result that may be reused.
    Held,
    /// A try is under way (or was, when the process was killed).
    Running,
    /// A try failed; the next may begin at that time.
    Retrying(Timestamp),
    /// Done in this pass.
    Succeeded,
    /// Done in an earlier pass; that result stands.
    Reused,
    /// Not to be done in this pass.
    Skipped,
    /// Failed for this pass.
    Failed,
    /// Told to stop in this pass.
    Interrupted,
}

/// An event that cannot follow the ones before it: the record is damaged, or hprun has a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({kind}) cannot stand here: {why}")]
pub struct IllegalEvent {
    /// Number of the event.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// What is wrong.
    pub why: String,
}

impl Status {
    /// Whether the step is at rest for this pass.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Succeeded | Self::Reused | Self::Skipped | Self::Failed | Self::Interrupted => true,
            Self::Waiting | Self::Held | Self::Running | Self::Retrying(_) => false,
        }
    }

    /// The word that people and `steps.ID.status` see.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting | Self::Held => "waiting",
            Self::Running | Self::Retrying(_) => "running",
            Self::Succeeded => "succeeded",
            Self::Reused => "reused",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl RunState {
    /// The state that all of `entries` lead to.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Self, IllegalEvent> {
        let mut state = Self::default();
        for entry in entries {
            state.apply(entry)?;
        }
        Ok(state)
    }

    /// A step's state; that of a step which no event has named is the default one.
    pub fn step(&self, id: &str) -> &StepState {
        static UNTOUCHED: StepState = StepState::untouched();
        self.steps.get(id).unwrap_or(&UNTOUCHED)
    }

    /// The pipeline file's full path, as last recorded.
    pub fn path(&self) -> Option<&str> {
        self.moved.path.as_deref().or(self.started.as_ref().map(|started| started.path.as_str()))
    }

    /// The pipeline file's text, as last recorded.
    pub fn text(&self) -> Option<&str> {
        self.moved.text.as_deref().or(self.started.as_ref().map(|started| started.text.as_str()))
    }

    /// The state that all of `entries` lead to, which are used up: nothing of a long run is copied.
    pub fn of(entries: Vec<Entry>) -> Result<Self, IllegalEvent> {
        let mut state = Self::default();
        for entry in entries {
            state.take(entry)?;
        }
        Ok(state)
    }

    /// Takes in a copy of the next event.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), IllegalEvent> {
        self.take(entry.clone())
    }

    /// Takes in the next event.
    pub fn take(&mut self, entry: Entry) -> Result<(), IllegalEvent> {
        let Entry { seq, at, event } = entry;
        let kind = event.kind();
        let refuse = |why: String| IllegalEvent { seq, kind, why };
        if seq != self.seq + 1 {
            return Err(refuse(format!("event {} was expected", self.seq + 1)));
        }
        self.refusal(&event).map_or(Ok(()), |why| Err(refuse(why.to_owned())))?;
        match event {
            Event::RunStarted(started) => self.started = Some(started),
            Event::PassStarted(pass) => {
                self.begin_pass(pass);
                self.pass_began = Some(at);
            }
            Event::PassEnded { outcome } => self.outcome = Some(outcome),
            Event::HandedOver { to } => self.leave(Left::HandedOver(to)),
            Event::Exported { host } => self.leave(Left::Exported(host)),
            Event::Copied { host } => self.leave(Left::Copied(host)),
            Event::Imported { path, .. } => {
                self.left = None;
                self.moved.path = Some(path);
            }
            Event::Inherited { step, records, outputs } => {
                let inherited = self.steps.entry(step).or_default();
                inherited.records.extend(records);
                inherited.former = outputs.map(Success::elsewhere);
            }
            event @ (Event::AttemptStarted { .. }
            | Event::Recorded { .. }
            | Event::StepSucceeded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptInterrupted { .. }
            | Event::StepSkipped { .. }
            | Event::StepReused { .. }
            | Event::StepTrusted { .. }) => {
                let id = event.step().expect("these are about a step");
                let pass = self.pass.as_ref().expect("a step's event stands in a pass");
                let step_type = pass.steps.get(id).map_or("", String::as_str);
                if !self.steps.contains_key(id) {
                    self.steps.insert(id.to_owned(), StepState::default());
                }
                let step = self.steps.get_mut(id).expect("it is there now");
                step.take(event, at, step_type).map_err(refuse)?;
            }
        }
        self.seq = seq;
        self.began = self.began.or(Some(at));
        self.last = Some(at);
        Ok(())
    }

    /// Why the event cannot stand where the run is now, whatever its step says.
    fn refusal(&self, event: &Event) -> Option<&'static str> {
        let unless = |holds: bool, why| (!holds).then_some(why);
        if let Event::RunStarted(_) = event {
            return unless(self.started.is_none(), "the run has started already");
        }
        if self.started.is_none() {
            return Some("the run has not started");
        }
        match (event, &self.left) {
            (_, Some(Left::Copied(_))) => Some("it is a copy of a run that is elsewhere"),
            (Event::Copied { .. }, _) => None,
            (_, Some(Left::HandedOver(_))) => Some("what the run made was handed over"),
            (Event::Imported { .. }, Some(Left::Exported(_))) => None,
            (Event::Imported { .. }, None) => Some("the run was not exported"),
            // To go on in the place that a run was exported from is to take it back.
            (Event::PassStarted(_), Some(Left::Exported(_)) | None) => None,
            (_, Some(Left::Exported(_))) => Some("the run was exported"),
            (Event::HandedOver { .. } | Event::Exported { .. }, None) => None,
            (Event::Inherited { .. }, None) => unless(self.pass.is_none(), "a pass has started"),
            (_, None) if self.pass.is_none() => Some("no pass has started"),
            (_, None) => unless(self.outcome.is_none(), "the pass has ended"),
        }
    }

    /// A pass that was killed is over with it, too.
    fn leave(&mut self, left: Left) {
        self.left = Some(left);
        self.outcome = self.outcome.or(Some(Outcome::Interrupted));
    }

    /// A new process starts afresh, but for what was done and recorded.
    fn begin_pass(&mut self, pass: Box<PassStarted>) {
        self.passes += 1;
        self.outcome = None;
        self.left = None;
        if pass.text.is_some() {
            self.moved.text.clone_from(&pass.text);
        }
        let mut earlier = std::mem::take(&mut self.steps);
        for id in pass.steps.keys() {
            self.steps.insert(id.clone(), earlier.get_mut(id).map(std::mem::take).unwrap_or_default());
        }
        self.steps.extend(earlier.into_iter().filter(|(id, _)| !pass.steps.contains_key(id)));
        for (id, step) in &mut self.steps {
            if let Some(why) = pass.again.get(id) {
                step.again = Some(why.clone());
            }
            if std::mem::take(&mut step.unproven) {
                step.success = None;
            }
            step.status = if step.success.is_some() { Status::Held } else { Status::Waiting };
            step.failures = 0;
            step.setbacks = 0;
            step.failure = None;
            step.ended = None;
        }
        self.pass = Some(pass);
    }
}

impl Success {
    /// What is known here of a success in another run: what it handed on.
    fn elsewhere(outputs: serde_json::Value) -> Self {
        let given = Inputs { step_type: String::new(), inputs: serde_json::Value::Null, files: Vec::new() };
        Self { given, outputs, files: Vec::new() }
    }
}

impl StepState {
    const fn untouched() -> Self {
        Self {
            status: Status::Waiting,
            attempts: 0,
            failures: 0,
            setbacks: 0,
            records: Vec::new(),
            latest: None,
            success: None,
            former: None,
            again: None,
            unproven: false,
            failure: None,
            began: None,
            ended: None,
        }
    }

    fn take(&mut self, event: Event, at: Timestamp, step_type: &str) -> Result<(), String> {
        match (event, self.status) {
            (
                Event::AttemptStarted { attempt, inputs, files, .. },
                Status::Waiting | Status::Held | Status::Retrying(_),
            ) if attempt == self.attempts + 1 => {
                self.attempts = attempt;
                self.status = Status::Running;
                self.began = Some(at);
                self.again = None;
                // From here on the old result says nothing of the world any more.
                self.former = self.success.take().or(self.former.take());
                self.latest = Some(Inputs { step_type: step_type.to_owned(), inputs, files });
            }
            (Event::Recorded { record, .. }, Status::Running) => self.records.push(record),
            (Event::StepSucceeded { attempt, outputs, files, .. }, Status::Running) if attempt == self.attempts => {
                let given = self.latest.clone().ok_or("no try has begun")?;
                self.success = Some(Success { given, outputs, files });
                self.settle(Status::Succeeded, at);
            }
            (Event::AttemptFailed { attempt, failure, retry_at, .. }, Status::Running) if attempt == self.attempts => {
                self.fail(failure, retry_at, at);
            }
            (
                Event::AttemptFailed { attempt: 0, failure, retry_at: None, .. },
                Status::Waiting | Status::Held | Status::Retrying(_),
            ) => self.fail(failure, None, at),
            (Event::AttemptInterrupted { attempt, .. }, Status::Running) if attempt == self.attempts => {
                self.settle(Status::Interrupted, at);
            }
            (Event::StepSkipped { .. }, Status::Waiting | Status::Held) => {
                self.former = self.success.take().or(self.former.take());
                self.settle(Status::Skipped, at);
            }
            (Event::StepReused { .. }, Status::Held) => self.settle(Status::Reused, at),
            (Event::StepTrusted { inputs, files, outputs, .. }, Status::Waiting | Status::Held) => {
                let given = Inputs { step_type: step_type.to_owned(), inputs, files };
                self.again = None;
                self.unproven = self.success.is_none() && self.former.is_none();
                self.success = Some(Success { given, outputs, files: Vec::new() });
                self.settle(Status::Reused, at);
            }
            (_, status) => return Err(format!("the step is {} after {} tries", status.word(), self.attempts)),
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure, retry_at: Option<Timestamp>, now: Timestamp) {
        if failure.class == hprun_steps::ErrorClass::Transient {
            self.setbacks += 1;
        } else {
            self.failures += 1;
        }
        self.failure = Some(failure);
        match retry_at {
            Some(at) => self.status = Status::Retrying(at),
            None => self.settle(Status::Failed, now),
        }
    }

    fn settle(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.ended = Some(now);
    }
}

#[cfg(test)]
mod tests;
