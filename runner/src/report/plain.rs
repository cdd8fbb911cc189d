//! Plain lines with time stamps: for a pipe, a CI log, and for `hprun show`.
//! Knows nothing of cursors; colours are styles that the writer strips where they cannot be shown.

use std::collections::BTreeMap;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use jiff::{Timestamp, tz::TimeZone};

use super::Reporter;
use super::words::{Line, Mark, lines, one_line};
use crate::event::Entry;
use crate::state::RunState;

/// Writes plain lines.
pub struct Plain<W: Write + Send> {
    out: W,
    zone: TimeZone,
    now: Box<dyn Fn() -> Timestamp + Send>,
    shown: BTreeMap<String, String>,
}

impl<W: Write + Send> Plain<W> {
    /// Lines for `out`, with times of `zone`; `now` dates what is no event.
    pub fn new(out: W, zone: TimeZone, now: impl Fn() -> Timestamp + Send + 'static) -> Self {
        Self { out, zone, now: Box::new(now), shown: BTreeMap::new() }
    }

    fn write(&mut self, at: Timestamp, line: &Line) {
        let time = at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let style = style(line.mark);
        let step = line.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
        let mut text = format!("{time}  {style}{step}{}{style:#}\n", line.text);
        for detail in line.details.iter().flat_map(|detail| detail.lines()) {
            text.push_str(&format!("{:10}  {detail}\n", ""));
        }
        // A closed pipe must not stop a run: what counts is in the record.
        drop(self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()));
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn event(&mut self, entry: &Entry, state: &RunState) {
        for line in lines(entry, state) {
            self.write(entry.at, &line);
        }
    }

    fn progress(&mut self, step: &str, text: &str) {
        let text = one_line(text);
        if self.shown.insert(step.to_owned(), text.clone()).is_some_and(|shown| shown == text) {
            return;
        }
        let line = Line { mark: Mark::Note, step: Some(step.to_owned()), text, details: Vec::new() };
        self.write((self.now)(), &line);
    }

    fn stopping(&mut self) {
        let text = "stopping at the next safe point; once more to leave at once".to_owned();
        self.write((self.now)(), &Line { mark: Mark::Stopped, step: None, text, details: Vec::new() });
    }

    fn close(&mut self, _: &RunState) {}
}

/// How a mark is coloured.
pub fn style(mark: Mark) -> Style {
    let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
    match mark {
        Mark::Begun | Mark::Note => Style::new(),
        Mark::Done => colour(AnsiColor::Green),
        Mark::Kept => Style::new().dimmed(),
        Mark::Retry | Mark::Stopped => colour(AnsiColor::Yellow),
        Mark::Failed => colour(AnsiColor::Red).bold(),
    }
}
