//! What the engine notes until it is on disk: events that share a commit, and what waits for that.
//! Knows nothing of why an event happens.

use jiff::Timestamp;

use super::EngineError;
use crate::event::{Entry, Event};
use crate::report::Reporter;
use crate::state::RunState;
use crate::store::LogHandle;

/// Something to do once what was noted is on disk; it is told if the store failed.
type Waiting = Box<dyn FnOnce(Result<(), String>) + Send>;

/// The run's state, its log and its reporter, kept in step.
pub(super) struct Recorder {
    /// With everything noted, also what is not on disk yet: decisions are made on it, nothing is done on it.
    state: RunState,
    log: LogHandle,
    reporter: Box<dyn Reporter>,
    noted: Vec<Entry>,
    waiting: Vec<Waiting>,
}

impl Recorder {
    pub fn new(state: RunState, log: LogHandle, reporter: Box<dyn Reporter>) -> Self {
        Self { state, log, reporter, noted: Vec::new(), waiting: Vec::new() }
    }

    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Takes an event into the state; it goes to disk with the next commit.
    pub fn note(&mut self, at: Timestamp, event: Event) -> Result<(), EngineError> {
        // A reporter must see each step as it was with the event, so no two events of a step share a commit.
        if event.step().is_some_and(|step| self.noted.iter().any(|noted| noted.event.step() == Some(step))) {
            self.commit()?;
        }
        let entry = Entry { seq: self.state.seq + 1, at, event };
        self.state.apply(&entry)?;
        self.noted.push(entry);
        Ok(())
    }

    /// Has this done when all that was noted so far is on disk.
    pub fn when_durable(&mut self, act: impl FnOnce(Result<(), String>) + Send + 'static) {
        self.waiting.push(Box::new(act));
    }

    /// Puts what was noted on disk, then reports it, then does what waited for it.
    pub fn commit(&mut self) -> Result<(), EngineError> {
        if self.noted.is_empty() && self.waiting.is_empty() {
            return Ok(());
        }
        let noted = std::mem::take(&mut self.noted);
        let written = match noted.is_empty() {
            true => Ok(Vec::new()),
            false => self.log.append(noted.into_iter().map(|entry| (entry.at, entry.event)).collect()),
        };
        if let Ok(entries) = &written {
            for entry in entries {
                self.reporter.event(entry, &self.state);
            }
        }
        for act in self.waiting.drain(..) {
            act(written.as_ref().map(|_| ()).map_err(ToString::to_string));
        }
        Ok(written.map(drop)?)
    }

    pub fn progress(&mut self, step: &str, text: &str) {
        self.reporter.progress(step, text);
    }

    pub fn stopping(&mut self) {
        self.reporter.stopping();
    }

    /// Leaves the terminal as it was found; gives the state.
    pub fn close(mut self) -> RunState {
        self.reporter.close(&self.state);
        self.state
    }
}
