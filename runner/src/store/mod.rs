//! The durable record: every run and every event, in one SQLite file.
//! Knows nothing of what events mean to people; it keeps them in order, whole, and on disk before it says so.

mod batch;
mod connect;
mod durations;
mod error;
mod folder;
mod lock;
mod log;
mod migrations;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

pub use batch::Batch;
use connect::{Access, connect};
pub use error::StoreError;
use error::explain;
pub use folder::{RunLock, StartKey, StartLock, StateFolder};
pub use lock::host_name;
pub use log::{Log, LogHandle};

use crate::event::{Entry, Event, FORMAT};

/// A new run's id: 12 characters that sort by time (9 of milliseconds, 3 drawn by chance), easy to read and to type.
pub fn new_run_id() -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let millis = Timestamp::now().as_millisecond().cast_unsigned();
    let bits = (millis << 15) | u64::from(fastrand::u16(..) >> 1);
    (0..12).rev().map(|i| char::from(DIGITS[usize::try_from(bits >> (5 * i) & 31).expect("five bits")])).collect()
}

/// The store in a state folder.
#[derive(Debug)]
pub struct Store {
    folder: StateFolder,
    connection: Connection,
}

/// A run as `runs` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline file's full path.
    pub path: String,
    /// `aws` or the sandbox world's folder.
    pub target: String,
    /// Account id.
    pub account: String,
    /// Region.
    pub region: String,
    /// When it began.
    pub began: Timestamp,
    /// When its newest event was recorded.
    pub last: Timestamp,
    /// How its newest pass ended, if it did: the event's text.
    pub ended: Option<String>,
    /// Whether it left this store, or came into it, after that.
    pub moved: Option<Moved>,
}

/// What else became of a run, if that is the newest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// What it made is another run's.
    HandedOver,
    /// It was exported.
    Exported,
    /// It was imported.
    Imported,
    /// It is a copy, to look at.
    Copied,
}

impl RunRow {
    /// Whether there is something left to do of it: a run whose things are another's, or a copy, has nothing.
    pub fn is_unfinished(&self) -> bool {
        match self.moved {
            Some(Moved::HandedOver | Moved::Copied) => false,
            Some(Moved::Exported | Moved::Imported) | None => self.ended.as_deref() != Some("succeeded"),
        }
    }
}

impl Moved {
    fn by(newest: &str) -> Option<Self> {
        match newest {
            "handed-over" => Some(Self::HandedOver),
            "exported" => Some(Self::Exported),
            "imported" => Some(Self::Imported),
            "copied" => Some(Self::Copied),
            _ => None,
        }
    }
}

impl Store {
    /// Opens the store in `folder`, and makes it if there is none.
    pub fn open(folder: StateFolder) -> Result<Self, StoreError> {
        Self::open_through(Access::default(), folder)
    }

    /// [`Self::open`], by another way to the file.
    fn open_through(access: Access, folder: StateFolder) -> Result<Self, StoreError> {
        let connection = connect(&folder, access)?;
        Ok(Self { folder, connection })
    }

    /// Opens the store for reading; none if there is no store yet.
    pub fn open_existing(folder: StateFolder) -> Result<Option<Self>, StoreError> {
        if !folder.database().exists() {
            return Ok(None);
        }
        Self::open(folder).map(Some)
    }

    /// The folder it is in.
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Every run, newest first.
    pub fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        self.query_runs("1 = 1", [])
    }

    /// Runs of `pipeline` in this account and region (and target) whose newest pass did not end in success, newest first.
    pub fn unfinished(
        &self,
        pipeline: &str,
        target: &str,
        account: &str,
        region: &str,
    ) -> Result<Vec<RunRow>, StoreError> {
        let mut rows = self.query_runs(
            "run.pipeline = ?1 AND run.target = ?2 AND run.account = ?3 AND run.region = ?4",
            [pipeline, target, account, region],
        )?;
        rows.retain(RunRow::is_unfinished);
        Ok(rows)
    }

    /// The run whose id begins with `prefix`, or the newest one without a prefix.
    pub fn find(&self, prefix: Option<&str>) -> Result<RunRow, StoreError> {
        let runs = self.runs()?;
        let Some(prefix) = prefix else {
            return runs.into_iter().next().ok_or(StoreError::NoRuns);
        };
        let mut matching: Vec<RunRow> = runs.into_iter().filter(|row| row.id.starts_with(prefix)).collect();
        match matching.len() {
            0 => Err(StoreError::NoSuchRun(prefix.to_owned())),
            1 => Ok(matching.remove(0)),
            _ => {
                let ids: Vec<String> = matching.into_iter().map(|row| row.id).collect();
                Err(StoreError::Ambiguous(prefix.to_owned(), ids.join(", ")))
            }
        }
    }

    /// The run that a person means by a bare `resume`: the newest that is not finished.
    pub fn find_to_resume(&self, prefix: Option<&str>) -> Result<RunRow, StoreError> {
        if prefix.is_some() {
            return self.find(prefix);
        }
        let runs = self.runs()?;
        let newest = runs.first().ok_or(StoreError::NoRuns)?.id.clone();
        let (away, here): (Vec<RunRow>, Vec<RunRow>) =
            runs.into_iter().filter(RunRow::is_unfinished).partition(|row| row.moved == Some(Moved::Exported));
        here.into_iter().chain(away).next().ok_or(StoreError::AllFinished(newest))
    }

    /// Every event of a run, in order.
    pub fn events(&self, run: &str) -> Result<Vec<Entry>, StoreError> {
        let path = self.folder.database();
        let in_words = |e: rusqlite::Error| explain(&path, &e);
        let sql = "SELECT seq, at, body FROM event WHERE run = ?1 ORDER BY seq";
        let mut statement = self.connection.prepare_cached(sql).map_err(in_words)?;
        let mut rows = statement.query([run]).map_err(in_words)?;
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(row) = rows.next().map_err(in_words)? {
            let number = entries.last().map_or(1, |entry| entry.seq + 1);
            entries.push(self.entry(run, number, row)?);
        }
        Ok(entries)
    }

    /// The row as event `number` of the run.
    fn entry(&self, run: &str, number: u64, row: &Row<'_>) -> Result<Entry, StoreError> {
        let damaged = |why: String| StoreError::Damaged {
            path: self.folder.database(),
            why: format!("event {number} of run {run} {why}; put a copy of the state folder back"),
        };
        let text = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok());
        let seq = row.get::<_, i64>(0).map_err(|e| explain(&self.folder.database(), &e))?;
        if seq.cast_unsigned() != number {
            return Err(damaged("is missing".to_owned()));
        }
        let (Some(at), Some(body)) = (text(1), text(2)) else { return Err(damaged("is no text".to_owned())) };
        let event = serde_json::from_str(body).map_err(|e| format!("cannot be read: {e}"));
        let format = match &event {
            Ok(Event::RunStarted(started)) => Some(i64::from(started.format)),
            // What a newer hprun wrote in another form says its format all the same.
            Err(_) if number == 1 => format_in(body),
            Ok(_) | Err(_) => None,
        };
        if let Some(found) = format.filter(|found| *found > i64::from(FORMAT)) {
            return Err(StoreError::Newer { path: self.folder.database(), found, known: FORMAT.into() });
        }
        let at = at.parse().map_err(|e: jiff::Error| damaged(format!("has no time: {e}")))?;
        Ok(Entry { seq: number, at, event: event.map_err(damaged)? })
    }

    fn query_runs<const N: usize>(&self, condition: &str, values: [&str; N]) -> Result<Vec<RunRow>, StoreError> {
        let path = self.folder.database();
        let sql = format!(
            "SELECT run.id, run.pipeline, run.path, run.target, run.account, run.region, run.began, newest.at,
                    (SELECT CASE kind WHEN 'pass-ended' THEN body END FROM event
                      WHERE event.run = run.id AND kind NOT IN ('handed-over', 'exported', 'imported', 'copied')
                      ORDER BY seq DESC LIMIT 1),
                    newest.kind
               FROM run LEFT JOIN event AS newest ON newest.run = run.id
                    AND newest.seq = (SELECT max(seq) FROM event WHERE event.run = run.id)
              WHERE {condition} ORDER BY run.id DESC"
        );
        let read = || -> rusqlite::Result<Vec<RunRow>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), run_row)?;
            rows.collect()
        };
        read().map_err(|e| explain(&path, &e))
    }
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let began: String = row.get(6)?;
    let last: Option<String> = row.get(7)?;
    let ended: Option<String> = row.get(8)?;
    let newest: Option<String> = row.get(9)?;
    let began = began.parse().unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(RunRow {
        id: row.get(0)?,
        pipeline: row.get(1)?,
        path: row.get(2)?,
        target: row.get(3)?,
        account: row.get(4)?,
        region: row.get(5)?,
        began,
        last: last.and_then(|text| text.parse().ok()).unwrap_or(began),
        ended: ended.as_deref().and_then(outcome_in),
        moved: newest.as_deref().and_then(Moved::by),
    })
}

fn outcome_in(body: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(body).ok()?;
    event.get("outcome")?.as_str().map(str::to_owned)
}

fn format_in(body: &str) -> Option<i64> {
    serde_json::from_str::<serde_json::Value>(body).ok()?.get("format")?.as_i64()
}

#[cfg(test)]
mod tests;
