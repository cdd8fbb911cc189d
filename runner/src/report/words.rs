//! Every event in words, once for all reporters.
//! Knows nothing of terminals, widths or colours: a line has a mark, and each reporter draws marks its own way.

use std::time::Duration;

use hprun_steps::context::{Origin, Record};
use jiff::{SignedDuration, Timestamp};

use crate::event::{Entry, Event, Failure, Outcome, PassStarted, RunStarted, Target};
use crate::state::{RunState, Status};

/// One line to show, with details that belong below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What kind of line it is.
    pub mark: Mark,
    /// The step it is about, if it is about one.
    pub step: Option<String>,
    /// The text, without the step.
    pub text: String,
    /// Lines below it.
    pub details: Vec<String>,
}

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Something begins.
    Begun,
    /// Something is done.
    Done,
    /// Something needs no doing.
    Kept,
    /// Something went wrong and will be tried again.
    Retry,
    /// Something failed.
    Failed,
    /// Something was told to stop.
    Stopped,
    /// For information.
    Note,
}

/// What the event says to a person. `state` has it in already. Records of single calls say nothing.
pub fn lines(entry: &Entry, state: &RunState) -> Vec<Line> {
    match &entry.event {
        Event::RunStarted(started) => run_lines(started),
        Event::PassStarted(pass) => pass_lines(pass, state),
        Event::AttemptStarted { step, attempt, because, .. } => {
            let type_name = type_of(state, step);
            let text = match attempt {
                1 => format!("started ({type_name})"),
                n => format!("started ({type_name}, try {n})"),
            };
            vec![line(Mark::Begun, step, text).with(because.iter().map(|why| format!("because {why}")))]
        }
        Event::Recorded { .. } => Vec::new(),
        Event::StepSucceeded { step, outputs, .. } => {
            let text = format!("done in {}", took(state, step, entry.at));
            vec![line(Mark::Done, step, text).with(headline(outputs)).with(left_behind(state, step))]
        }
        Event::AttemptFailed { step, attempt, failure, retry_at: None } => {
            let (message, took) = (&failure.message, took(state, step, entry.at));
            let text = match attempt {
                0 => format!("failed before it began: {message}"),
                _ => format!("failed after {took}: {message}"),
            };
            vec![line(Mark::Failed, step, text).with(reasons(failure)).with(advice(failure))]
        }
        Event::AttemptFailed { step, attempt, failure, retry_at: Some(at) } => {
            let pause = duration(between(entry.at, *at));
            let text = format!("try {attempt} failed: {}; the next is in {pause}", failure.message);
            vec![line(Mark::Retry, step, text).with(reasons(failure))]
        }
        Event::AttemptInterrupted { step, .. } => {
            vec![line(Mark::Stopped, step, format!("interrupted after {}", took(state, step, entry.at)))]
        }
        Event::StepSkipped { step, reason } => vec![line(Mark::Kept, step, format!("skipped: {reason}"))],
        Event::StepReused { step, reason } => vec![line(Mark::Kept, step, format!("reused: {reason}"))],
        Event::StepTrusted { step, .. } => vec![line(Mark::Kept, step, "taken as done, without looking (--trust)")],
        Event::PassEnded { outcome } => vec![ended(*outcome, entry, state)],
        // Said once for all steps, where the run starts.
        Event::Inherited { .. } => Vec::new(),
        Event::HandedOver { to } => vec![note(format!("what it made is the run {to}'s now"))],
        Event::Exported { host } => vec![note(format!("written into a file on {host}, to go on elsewhere"))],
        Event::Imported { host, path } => vec![note(format!("came to {host} in a file; its pipeline is {path}"))],
        Event::Copied { host } => vec![note(format!("this is a copy, to look at: the run itself is on {host}"))],
    }
}

/// A duration as people say it: `0.4s`, `42s`, `18m 03s`, `2h 05m`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// The time from one to the other; nothing when clocks went back.
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from).max(SignedDuration::ZERO)).unwrap_or_default()
}

impl Line {
    fn with(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details.into_iter().flat_map(|text| text.lines().map(one_line).collect::<Vec<_>>()));
        self
    }
}

/// `text` on one line and without control characters: what a service or a log says must not move the cursor.
pub fn one_line(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn line(mark: Mark, step: &str, text: impl Into<String>) -> Line {
    Line { mark, step: Some(step.to_owned()), text: one_line(&text.into()), details: Vec::new() }
}

fn note(text: impl Into<String>) -> Line {
    Line { mark: Mark::Note, step: None, text: text.into(), details: Vec::new() }
}

fn run_lines(started: &RunStarted) -> Vec<Line> {
    let RunStarted { pipeline, account, region, caller, target, lineage, .. } = started;
    let place = match target {
        Target::Aws { .. } => format!("{pipeline} in account {account}, {region}, as {caller}"),
        Target::Sandbox { .. } => format!("{pipeline} in the sandbox, {region}: nothing here is real, nothing costs"),
    };
    let before = lineage.last().map(|run| note(format!("a rerun of {run}: what that run made is this run's now")));
    [note(place)].into_iter().chain(before).collect()
}

fn pass_lines(pass: &PassStarted, state: &RunState) -> Vec<Line> {
    let mut lines = Vec::new();
    if state.passes > 1 {
        lines.push(note(format!("resumed (pass {})", state.passes)));
    }
    lines.extend(
        pass.orphaned
            .iter()
            .map(|step| line(Mark::Note, step, "is no longer in the pipeline: what it made is left as it is")),
    );
    lines.extend(pass.notes.iter().map(note));
    lines
}

/// What earlier tries of the step made under another name and nobody removed: it stays, and may cost money.
fn left_behind(state: &RunState, step: &str) -> Vec<String> {
    // Of these a step has one; of others (objects in a bucket) it has many.
    const SINGLE: [&str; 3] = ["AWS::CloudFormation::Stack", "AWS::SageMaker::Cluster", "Helm::Release"];
    let mut there: Vec<(&str, &str, &str)> = Vec::new();
    for record in &state.step(step).records {
        match record {
            Record::ResourceRecorded { kind, id, name, origin: Origin::Made } if SINGLE.contains(&kind.as_str()) => {
                there.retain(|(_, other, _)| other != id);
                there.push((kind, id, name));
            }
            Record::ResourceRemoved { id, .. } => there.retain(|(_, other, _)| other != id),
            Record::ResourceRecorded { .. }
            | Record::CallIntended(_)
            | Record::CallSettled { .. }
            | Record::ChildStarted { .. }
            | Record::ChildEnded { .. } => {}
        }
    }
    let Some((_, _, current)) = there.pop() else { return Vec::new() };
    let others = there.into_iter().filter(|(_, _, name)| *name != current);
    others.map(|(kind, _, name)| format!("{name} ({kind}), made by this run before, is left as it is")).collect()
}

/// What led to a failure, and the service's code and request id, which its support asks for.
fn reasons(failure: &Failure) -> impl Iterator<Item = String> {
    let named = [("code", &failure.code), ("request id", &failure.request_id)];
    let named: Vec<String> = named.iter().filter_map(|(name, id)| Some(format!("{name} {}", id.as_ref()?))).collect();
    failure.causes.iter().cloned().chain((!named.is_empty()).then(|| named.join(", ")))
}

fn advice(failure: &Failure) -> Option<String> {
    failure.help.as_ref().map(|help| format!("help: {help}"))
}

fn ended(outcome: Outcome, entry: &Entry, state: &RunState) -> Line {
    let count = |is: fn(Status) -> bool| state.steps.values().filter(|step| is(step.status)).count();
    let done = count(|s| matches!(s, Status::Succeeded));
    let reused = count(|s| matches!(s, Status::Reused));
    let skipped = count(|s| matches!(s, Status::Skipped));
    let failed = count(|s| matches!(s, Status::Failed));
    let planned = state.pass.as_ref().map_or(0, |pass| pass.steps.len());
    let mut parts = vec![format!("{done} done")];
    let mut push = |n: usize, word: &str| {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    };
    push(reused, "reused");
    push(skipped, "skipped");
    push(failed, "failed");
    push(planned.saturating_sub(done + reused + skipped + failed), "not done");
    let time = duration(between(state.pass_began.unwrap_or(entry.at), entry.at));
    let (mark, word) = match outcome {
        Outcome::Succeeded => (Mark::Done, "finished"),
        Outcome::Failed => (Mark::Failed, "failed"),
        Outcome::Interrupted => (Mark::Stopped, "interrupted"),
        Outcome::Partial => (Mark::Done, "the chosen step is done"),
    };
    Line { mark, step: None, text: format!("{word} after {time}: {}", parts.join(", ")), details: Vec::new() }
}

fn type_of<'a>(state: &'a RunState, step: &str) -> &'a str {
    state.pass.as_ref().and_then(|pass| pass.steps.get(step)).map_or("", String::as_str)
}

fn took(state: &RunState, step: &str, now: Timestamp) -> String {
    state.step(step).began.map_or_else(|| "0s".to_owned(), |began| duration(between(began, now)))
}

/// The few outputs worth a line: the ones with a name that a person would look for.
fn headline(outputs: &serde_json::Value) -> Option<String> {
    const NAMES: [&str; 7] = ["cluster_arn", "id", "s3_uri", "path", "chart", "release", "status"];
    let outputs = outputs.as_object()?;
    NAMES.iter().find_map(|name| Some(format!("{name} {}", outputs.get(*name)?.as_str()?)))
}
