//! A run as one file, to go on elsewhere: a head, every event a line, and a closing line that tells a cut file.
//! Knows no disk and no store; what is in a file is believed only as far as it was checked here.

use hprun_steps::files::sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{self, Entry};
use crate::state::{Left, RunState};

/// Version of the file's form. A reader refuses a newer one by name.
pub const FORMAT: u32 = 1;

/// A run that was exported.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFile {
    /// What the file says of itself.
    pub head: Head,
    /// Every event of the run.
    pub entries: Vec<Entry>,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Version of that program.
    pub hprun: String,
    /// The run's id.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Digest of the pipeline's text, as last recorded.
    pub pipeline_sha256: String,
    /// Name of the machine that it comes from.
    pub host: String,
    /// When it was written.
    pub exported_at: Timestamp,
    /// Whether the run stays where it is, and this is only to look at.
    #[serde(default)]
    pub copy: bool,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closing {
    /// How many events stand above.
    events: usize,
    /// Digest of all lines above.
    sha256: String,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunFileError {
    /// It is something else.
    #[error("it is no exported run")]
    Foreign,
    /// A newer hprun wrote it.
    #[error(
        "it has format {found}, written by hprun {by}, and this hprun knows {FORMAT} at most: use that hprun or a newer one"
    )]
    Newer {
        /// Its format.
        found: u64,
        /// The version that wrote it.
        by: String,
    },
    /// Its end is missing.
    #[error("it is not whole: its closing line is missing")]
    Cut,
    /// It is not what was written, or what was written cannot be.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// A run in a file beside the same run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// They are the same.
    Same,
    /// All that is in the file is here, and more.
    Behind,
    /// All that is here is in the file, and more.
    Ahead,
    /// They went different ways after this event.
    Parted(u64),
}

impl RunFile {
    /// The file's text.
    pub fn to_text(&self) -> String {
        let head = serde_json::to_string(&self.head).expect("a head is plain data");
        let lines = self.entries.iter().map(|entry| entry.to_line(&self.head.run).to_string());
        let text: String = [head].into_iter().chain(lines).map(|line| line + "\n").collect();
        let closing = Closing { events: self.entries.len(), sha256: sha256(text.as_bytes()) };
        text + &serde_json::to_string(&closing).expect("a closing line is plain data") + "\n"
    }

    /// The file that `text` spells, and the state that its events lead to: whole, unchanged, and a run that can be.
    pub fn read(text: &str) -> Result<(Self, RunState), RunFileError> {
        let head = head(text.lines().next().unwrap_or_default())?;
        let body = whole(text)?;
        let entries = entries(body, &head.run)?;
        let state = RunState::replay(&entries).map_err(|e| RunFileError::Damaged(e.to_string()))?;
        let file = Self { head, entries };
        file.refuse_contradiction(&state)?;
        Ok((file, state))
    }

    /// The head and the events must tell the same.
    fn refuse_contradiction(&self, state: &RunState) -> Result<(), RunFileError> {
        let Head { pipeline_sha256, copy, .. } = &self.head;
        let damaged = |why: &str| Err(RunFileError::Damaged(why.to_owned()));
        let Some(started) = &state.started else { return damaged("it holds no event") };
        if started.format > event::FORMAT {
            return Err(RunFileError::Newer { found: started.format.into(), by: started.version.clone() });
        }
        match &state.left {
            Some(Left::Exported(_)) => {}
            Some(Left::HandedOver(_)) | None if *copy => {}
            Some(Left::HandedOver(_)) | None => return damaged("its newest event does not say that it was exported"),
            Some(Left::Copied(_)) => return damaged("it is a copy of a copy"),
        }
        if state.text().map(|text| sha256(text.as_bytes())).as_ref() != Some(pipeline_sha256) {
            return damaged("its head names another pipeline than its events");
        }
        Ok(())
    }
}

/// The events of a run here beside those of the same run in a file.
pub fn meet(here: &[Entry], file: &[Entry]) -> Meeting {
    let same = here.iter().zip(file).take_while(|(a, b)| alike(&a.to_line(""), &b.to_line(""))).count();
    match (same == here.len(), same == file.len()) {
        (true, true) => Meeting::Same,
        (false, true) => Meeting::Behind,
        (true, false) => Meeting::Ahead,
        (false, false) => Meeting::Parted(here.get(same).map_or(0, |entry| entry.seq - 1)),
    }
}

/// Whether two values are the same, but for the last digit of a fraction: it does not survive being written and read.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let close = |(a, b): (f64, f64)| (a - b).abs() <= 1e-12 * a.abs().max(b.abs());
            a == b || (a.is_f64() && b.is_f64() && a.as_f64().zip(b.as_f64()).is_some_and(close))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

fn head(line: &str) -> Result<Head, RunFileError> {
    let value: Value = serde_json::from_str(line).map_err(|_| RunFileError::Foreign)?;
    let (Some(found), Some(by)) = (value["format"].as_u64(), value["hprun"].as_str()) else {
        return Err(RunFileError::Foreign);
    };
    if found > FORMAT.into() {
        return Err(RunFileError::Newer { found, by: by.to_owned() });
    }
    let head: Head = serde_json::from_value(value).map_err(|e| RunFileError::Damaged(format!("line 1: {e}")))?;
    // The id becomes the name of a folder.
    let is_id = !head.run.is_empty() && head.run.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if is_id { Ok(head) } else { Err(RunFileError::Damaged(format!("`{}` is not the id of a run", head.run))) }
}

/// What stands between the head and the closing line, if that says that all of it is there.
fn whole(text: &str) -> Result<&str, RunFileError> {
    let (above, closing) = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n')).ok_or(RunFileError::Cut)?;
    let closing: Closing = serde_json::from_str(closing).map_err(|_| RunFileError::Cut)?;
    let covered = &text[..=above.len()];
    if sha256(covered.as_bytes()) != closing.sha256 {
        return Err(RunFileError::Damaged("it is not what was written: its digest is another".to_owned()));
    }
    let body = covered.split_once('\n').map_or("", |(_, body)| body);
    let found = body.lines().count();
    if found != closing.events {
        return Err(RunFileError::Damaged(format!("it has {found} events of {}", closing.events)));
    }
    Ok(body)
}

fn entries(body: &str, run: &str) -> Result<Vec<Entry>, RunFileError> {
    let entry = |(number, line): (usize, &str)| {
        let damaged = |why: String| RunFileError::Damaged(format!("line {number}: {why}"));
        let value: Value = serde_json::from_str(line).map_err(|e| damaged(e.to_string()))?;
        if value["run"] != run {
            return Err(damaged("it is of another run".to_owned()));
        }
        // Looked at before the rest, which a newer format may have changed.
        if let Some(found) = value["format"].as_u64().filter(|found| *found > event::FORMAT.into()) {
            let by = value["version"].as_str().unwrap_or("of another version").to_owned();
            return Err(RunFileError::Newer { found, by });
        }
        serde_json::from_value(value).map_err(|e| damaged(e.to_string()))
    };
    (2..).zip(body.lines()).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, PassStarted, testing};

    fn run(more: Vec<Event>) -> Vec<Entry> {
        let usual = [("a".to_owned(), 0.1 + 0.2)].into_iter().collect();
        let pass = PassStarted { usual, ..testing::pass_started() };
        let begin = [Event::RunStarted(Box::new(testing::run_started())), Event::PassStarted(Box::new(pass))];
        let events = begin.into_iter().chain(more);
        (1..).zip(events).map(|(seq, event)| Entry { seq, at: Timestamp::UNIX_EPOCH, event }).collect()
    }

    fn file(more: Vec<Event>) -> RunFile {
        let head = Head {
            format: FORMAT,
            hprun: "0.1.0".to_owned(),
            run: "1m8a7f3xqfgq".to_owned(),
            pipeline: "p".to_owned(),
            pipeline_sha256: sha256(b""),
            host: "laptop".to_owned(),
            exported_at: Timestamp::UNIX_EPOCH,
            copy: false,
        };
        RunFile { head, entries: run(more) }
    }

    fn exported(host: &str) -> Event {
        Event::Exported { host: host.to_owned() }
    }

    fn left() -> RunFile {
        file(vec![exported("laptop")])
    }

    /// What is said of a text, or that nothing is wrong.
    fn told(text: &str) -> String {
        RunFile::read(text).map_or_else(|e| e.to_string(), |_| "sound".to_owned())
    }

    /// The text with other lines and the digest that belongs to them.
    fn forged(change: impl Fn(&mut RunFile)) -> String {
        let mut file = left();
        change(&mut file);
        file.to_text()
    }

    /// The same with the digest that belongs to it.
    fn signed(text: &str) -> String {
        let (above, _) = text.trim_end().rsplit_once('\n').expect("a head and a closing line");
        let above = format!("{above}\n");
        let closing = Closing { events: above.lines().count() - 1, sha256: sha256(above.as_bytes()) };
        above + &serde_json::to_string(&closing).expect("plain data") + "\n"
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (read, state) = RunFile::read(&left().to_text()).expect("sound");
        assert_eq!(meet(&read.entries, &left().entries), Meeting::Same);
        assert_eq!((read.head, state.seq), (left().head, 3));
    }

    #[test]
    fn a_file_that_was_cut_or_changed_anywhere_is_refused() {
        let text = left().to_text();
        for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
            assert_ne!(told(&text[..end]), "sound", "cut to {end} bytes");
        }
        for line in 0..text.lines().count() {
            let without: String =
                text.lines().enumerate().filter(|(n, _)| *n != line).map(|(_, l)| format!("{l}\n")).collect();
            assert_ne!(told(&without), "sound", "without line {}", line + 1);
        }
        let changed = text.replacen("us-west-2", "us-east-1", 1);
        assert_eq!(told(&changed), "it is damaged: it is not what was written: its digest is another");
    }

    #[test]
    fn every_reason_to_refuse_is_told() {
        let told = [
            told(""),
            told("apiVersion: hprun/v1\nname: p\n"),
            told(&forged(|file| file.head.format = 7)),
            told(&forged(|file| match &mut file.entries[0].event {
                Event::RunStarted(started) => started.format = 9,
                other => unreachable!("{other:?}"),
            })),
            told(&forged(|file| file.head.run = "../../etc".to_owned())),
            told(&forged(|file| file.head.pipeline_sha256 = sha256(b"other"))),
            told(&forged(|file| file.entries.truncate(2))),
            told(&forged(|file| file.entries.clear())),
            told(&forged(|file| drop(file.entries.remove(1)))),
            told(&signed(&left().to_text().replacen("\"run\":\"1m8a7f3xqfgq\"}", "\"run\":\"another\"}", 1))),
            told(&signed(&left().to_text().replacen("\"event\":\"exported\"", "\"event\":\"dance\"", 1))),
            told(&forged(|file| file.entries[2].event = Event::Copied { host: "h".to_owned() })),
        ];
        // Which events there are is no concern of this list.
        let told = told.map(|why| why.split(", expected one of").next().unwrap_or_default().to_owned());
        insta::assert_snapshot!(told.join("\n"), @r"
        it is no exported run
        it is no exported run
        it has format 7, written by hprun 0.1.0, and this hprun knows 1 at most: use that hprun or a newer one
        it has format 9, written by hprun 0.0.0, and this hprun knows 1 at most: use that hprun or a newer one
        it is damaged: `../../etc` is not the id of a run
        it is damaged: its head names another pipeline than its events
        it is damaged: its newest event does not say that it was exported
        it is damaged: it holds no event
        it is damaged: event 3 (exported) cannot stand here: event 2 was expected
        it is damaged: line 2: it is of another run
        it is damaged: line 4: unknown variant `dance`
        it is damaged: it is a copy of a copy
        ");
    }

    #[test]
    fn a_copy_may_be_of_a_run_that_goes_on() {
        let mut copy = file(vec![]);
        assert_ne!(told(&copy.to_text()), "sound");
        copy.head.copy = true;
        assert_eq!(told(&copy.to_text()), "sound");
    }

    #[test]
    fn two_that_are_the_same_run_meet_in_one_of_four_ways() {
        let other = || run(vec![Event::HandedOver { to: "x".to_owned() }]);
        let (short, long) = (run(vec![]), run(vec![exported("laptop")]));
        assert_eq!(meet(&short, &short), Meeting::Same);
        assert_eq!(meet(&short, &long), Meeting::Ahead);
        assert_eq!(meet(&long, &short), Meeting::Behind);
        assert_eq!(meet(&long, &other()), Meeting::Parted(2));
        assert_eq!(meet(&[], &long), Meeting::Ahead);
    }
}
