//! The live view: one line a running step, finished steps settled above, a line of the whole run below.
//! Knows nothing of events' words; it only decides what stays and what moves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hprun_steps::clock::Clock;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;

use super::Reporter;
use super::plain::style;
use super::words::{Line, Mark, between, duration, lines, one_line};
use crate::event::{Entry, Event};
use crate::state::RunState;

/// How often a moving line is drawn anew.
const TICK: Duration = Duration::from_millis(125);

/// The live view of a run on a terminal.
pub struct Human {
    screen: MultiProgress,
    clock: Clock,
    colour: bool,
    width: usize,
    running: BTreeMap<String, ProgressBar>,
    whole: Option<ProgressBar>,
    /// How often a moving line is drawn anew; a test does it by hand.
    tick: Option<Duration>,
}

impl Human {
    /// A view on stderr. `clock` is the run's: elapsed times are in its time.
    pub fn new(clock: Clock, colour: bool) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(12), clock, colour, Some(TICK))
    }

    pub(super) fn on(target: ProgressDrawTarget, clock: Clock, colour: bool, tick: Option<Duration>) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        Self { screen, clock, colour, width: 12, running: BTreeMap::new(), whole: None, tick }
    }

    /// Puts a line above the moving ones, for good.
    fn settle(&self, line: &Line) {
        let style = if self.colour { style(line.mark) } else { anstyle::Style::new() };
        let sign = match line.mark {
            Mark::Begun | Mark::Note => ' ',
            Mark::Done => '✓',
            Mark::Kept => '·',
            Mark::Retry => '↻',
            Mark::Failed => '✗',
            Mark::Stopped => '■',
        };
        let (head, left) = match &line.step {
            Some(step) => (format!("{sign} {step:<width$}  ", width = self.width), self.width + 4),
            None => (format!("{sign} "), 2),
        };
        let columns = console::Term::stderr().size_checked().map_or(usize::MAX, |(_, columns)| usize::from(columns));
        let fold =
            |text: &str, left: usize| folded(text, columns.saturating_sub(left)).join(&format!("\n{:left$}", ""));
        let mut text = format!("{style}{head}{}{style:#}", fold(&line.text, left));
        for detail in line.details.iter().flat_map(|detail| detail.lines()) {
            let left = self.width + 4;
            write!(text, "\n{:left$}{}", "", fold(detail, left)).expect("writing to a string");
        }
        drop(self.screen.println(text));
    }

    fn begin(&mut self, step: &str, at: Timestamp, usual: Option<f64>) {
        let bar = match &self.whole {
            Some(whole) => self.screen.insert_before(whole, ProgressBar::new_spinner()),
            None => self.screen.add(ProgressBar::new_spinner()),
        };
        bar.set_style(self.moving_style(at, usual, "{spinner} {prefix}  {time}  {wide_msg}"));
        bar.set_prefix(format!("{step:<width$}", width = self.width));
        if let Some(tick) = self.tick {
            bar.enable_steady_tick(tick);
        }
        if let Some(old) = self.running.insert(step.to_owned(), bar) {
            old.finish_and_clear();
        }
    }

    fn begin_whole(&mut self, state: &RunState) {
        let Some(pass) = &state.pass else { return };
        self.width = pass.steps.keys().map(|id| id.chars().count()).max().unwrap_or(12).min(32);
        let usual = if pass.steps.keys().all(|id| pass.usual.contains_key(id)) {
            Some(pass.usual.values().sum())
        } else {
            None
        };
        let bar = self.screen.add(ProgressBar::new(pass.steps.len() as u64));
        let at = state.last.unwrap_or_else(|| self.clock.now());
        bar.set_style(self.moving_style(at, usual, "  {pos}/{len} steps  {time}"));
        if let Some(tick) = self.tick {
            bar.enable_steady_tick(tick);
        }
        self.whole = Some(bar);
    }

    fn moving_style(&self, since: Timestamp, usual: Option<f64>, template: &str) -> ProgressStyle {
        let clock = self.clock.clone();
        let time = move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            let mut text = duration(between(since, clock.now()));
            if let Some(usual) = usual {
                write!(text, ", usually {}", duration(Duration::try_from_secs_f64(usual).unwrap_or_default()))
                    .expect("writing to a string");
            }
            // Nothing can be done about a line that cannot be drawn.
            let _drawn = out.write_str(&text);
        };
        ProgressStyle::with_template(template)
            .expect("the template is a literal and tested")
            .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
            .with_key("time", time)
    }

    /// Draws every moving line as it is now.
    #[cfg(test)]
    pub(super) fn redraw(&self) {
        self.running.values().chain(&self.whole).for_each(ProgressBar::tick);
    }

    fn end(&mut self, step: &str) {
        if let Some(bar) = self.running.remove(step) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }
}

/// `text` in lines of at most `width` characters, broken at spaces. A word that is longer than a line (an ARN) is left to
/// the terminal, so that it can be copied whole.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for (i, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        let line = lines.last_mut().expect("there is a first line");
        if i == 0 {
            line.push_str(word);
            used = length;
        } else if used + 1 + length > width && length <= width {
            lines.push(word.to_owned());
            used = length;
        } else {
            line.push(' ');
            line.push_str(word);
            used += 1 + length;
        }
    }
    lines
}

impl Reporter for Human {
    fn event(&mut self, entry: &Entry, state: &RunState) {
        if let Event::AttemptStarted { step, because, .. } = &entry.event {
            let usual = state.pass.as_ref().and_then(|pass| pass.usual.get(step)).copied();
            if !because.is_empty() {
                let again = Line {
                    mark: Mark::Note,
                    step: Some(step.clone()),
                    text: format!("runs again: {}", because.join("; ")),
                    details: Vec::new(),
                };
                self.settle(&again);
            }
            self.begin(step, entry.at, usual);
            return;
        }
        if let Some(step) = entry.event.step()
            && state.step(step).status.word() != "running"
        {
            self.end(step);
        }
        if let Event::AttemptFailed { step, retry_at: Some(at), .. } = &entry.event
            && let Some(bar) = self.running.get(step)
        {
            bar.set_message(format!("waits {} before the next try", duration(between(entry.at, *at))));
        }
        if let Event::PassEnded { .. } = &entry.event
            && let Some(whole) = self.whole.take()
        {
            whole.finish_and_clear();
        }
        for line in lines(entry, state) {
            self.settle(&line);
        }
        if let Event::PassStarted(_) = &entry.event {
            self.begin_whole(state);
        }
        if let Some(whole) = &self.whole {
            whole.set_position(state.steps.values().filter(|step| step.status.is_settled()).count() as u64);
        }
    }

    fn progress(&mut self, step: &str, text: &str) {
        // A look at an earlier result is no try, and has a line only if it takes its time.
        if !self.running.contains_key(step) {
            self.begin(step, self.clock.now(), None);
        }
        if let Some(bar) = self.running.get(step) {
            bar.set_message(one_line(text));
        }
    }

    fn stopping(&mut self) {
        let text = "stopping at the next safe point; Ctrl-C once more to leave at once".to_owned();
        self.settle(&Line { mark: Mark::Stopped, step: None, text, details: Vec::new() });
    }

    fn close(&mut self, _: &RunState) {
        for (_, bar) in std::mem::take(&mut self.running) {
            bar.finish_and_clear();
        }
        if let Some(whole) = self.whole.take() {
            whole.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn long_lines_are_broken_at_spaces_and_long_words_stay_whole() {
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(folded("id arn:aws:eks:1 x", 8), ["id arn:aws:eks:1", "x"]);
        assert_eq!(folded("  short", usize::MAX), ["  short"]);
    }
}
