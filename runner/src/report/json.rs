//! One JSON object a line: every event as it is recorded, for programs.
//! Knows nothing of words for people.

use std::io::Write;

use super::Reporter;
use crate::event::Entry;
use crate::state::RunState;

/// Writes NDJSON.
pub struct Json<W: Write + Send> {
    out: W,
    run: String,
}

impl<W: Write + Send> Json<W> {
    /// Events of `run` for `out`.
    pub fn new(out: W, run: impl Into<String>) -> Self {
        Self { out, run: run.into() }
    }

    fn write(&mut self, object: serde_json::Value) {
        // A closed pipe must not stop a run: what counts is in the record.
        drop(writeln!(self.out, "{object}").and_then(|()| self.out.flush()));
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, entry: &Entry, _: &RunState) {
        self.write(entry.to_line(&self.run));
    }

    fn progress(&mut self, step: &str, text: &str) {
        self.write(serde_json::json!({ "progress": text, "step": step, "run": self.run }));
    }

    fn stopping(&mut self) {
        self.write(serde_json::json!({ "stopping": true, "run": self.run }));
    }

    fn close(&mut self, _: &RunState) {}
}
