//! The durable record: every run and every event, in one SQLite file.
//! Knows nothing of what events mean to people; it keeps them in order, whole, and on disk before it says so.

mod folder;
mod log;
mod migrations;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

pub use folder::{RunLock, StateFolder, host_name};
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
}

/// What can go wrong with the store. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be used.
    #[error("the state folder {} cannot be used: {why}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The file was written by a newer hprun.
    #[error("the store {} has format {found}, and this hprun knows {known} at most: use the newer hprun that wrote it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is damaged or is no store.
    #[error("the store {} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The disk is full, the file is read-only, or another process holds it for too long.
    #[error("the store {} cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// There is no run at all.
    #[error("there are no runs in this state folder yet")]
    NoRuns,
    /// There is nothing to resume; the newest run's id.
    #[error("every run is finished")]
    AllFinished(String),
    /// There is no such run.
    #[error("there is no run `{0}` in this state folder")]
    NoSuchRun(String),
    /// More than one run's id begins like this.
    #[error("`{0}` is the beginning of more than one run's id: {1}")]
    Ambiguous(String, String),
    /// Another process works on the run.
    #[error("run {run} is held by process {pid} on {host} since {since}")]
    Held {
        /// The run.
        run: String,
        /// The process.
        pid: u32,
        /// Its machine.
        host: String,
        /// When it took the run up.
        since: String,
    },
}

impl Store {
    /// Opens the store in `folder`, and makes it if there is none.
    pub fn open(folder: StateFolder) -> Result<Self, StoreError> {
        let path = folder.database();
        folder.make_database()?;
        let mut connection = Connection::open(&path).map_err(|e| explain(&path, &e))?;
        prepare(&connection).map_err(|e| explain(&path, &e))?;
        migrations::bring_up_to_date(&mut connection, &path)?;
        folder.keep_private()?;
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
        rows.retain(|row| row.ended.as_deref() != Some("succeeded"));
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
        let unfinished = |row: &RunRow| row.ended.as_deref() != Some("succeeded");
        if prefix.is_some() {
            return self.find(prefix);
        }
        let newest = self.find(None)?;
        self.runs()?.into_iter().find(unfinished).ok_or(StoreError::AllFinished(newest.id))
    }

    /// Every event of a run, in order.
    pub fn events(&self, run: &str) -> Result<Vec<Entry>, StoreError> {
        let path = self.folder.database();
        let read = || -> rusqlite::Result<Vec<(u64, String, String)>> {
            let mut statement =
                self.connection.prepare_cached("SELECT seq, at, body FROM event WHERE run = ?1 ORDER BY seq")?;
            let rows = statement
                .query_map([run], |row| Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?, row.get(2)?)))?;
            rows.collect()
        };
        let rows = read().map_err(|e| explain(&path, &e))?;
        let numbered = (1..).zip(rows);
        numbered
            .map(|(number, (seq, at, body))| {
                if seq != number {
                    let why = format!("event {number} of run {run} is missing");
                    return Err(StoreError::Damaged { path: path.clone(), why });
                }
                entry(&path, run, seq, &at, &body)
            })
            .collect()
    }

    /// How long each step of this pipeline took in other runs, in seconds: the median of its successes.
    pub fn usual_durations(&self, pipeline: &str, target: &str) -> Result<BTreeMap<String, f64>, StoreError> {
        let runs = self.query_runs("run.pipeline = ?1 AND (run.target = 'aws') = (?2 = 'aws')", [pipeline, target])?;
        let mut seen: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for run in runs.iter().take(20) {
            // For show only: a run that cannot be read must not stop another.
            collect_durations(&self.events(&run.id).unwrap_or_default(), &mut seen);
        }
        Ok(seen.into_iter().map(|(step, mut durations)| (step, median(&mut durations))).collect())
    }

    fn query_runs<const N: usize>(&self, condition: &str, values: [&str; N]) -> Result<Vec<RunRow>, StoreError> {
        let path = self.folder.database();
        let sql = format!(
            "SELECT run.id, run.pipeline, run.path, run.target, run.account, run.region, run.began,
                    (SELECT at FROM event WHERE event.run = run.id ORDER BY seq DESC LIMIT 1),
                    (SELECT CASE kind WHEN 'pass-ended' THEN body END FROM event
                      WHERE event.run = run.id ORDER BY seq DESC LIMIT 1)
               FROM run WHERE {condition} ORDER BY run.id DESC"
        );
        let read = || -> rusqlite::Result<Vec<RunRow>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
                let began: String = row.get(6)?;
                let last: Option<String> = row.get(7)?;
                let ended: Option<String> = row.get(8)?;
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
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| explain(&path, &e))
    }
}

fn outcome_in(body: &str) -> Option<String> {
    let event: serde_json::Value = serde_json::from_str(body).ok()?;
    event.get("outcome")?.as_str().map(str::to_owned)
}

fn entry(path: &Path, run: &str, seq: u64, at: &str, body: &str) -> Result<Entry, StoreError> {
    let damaged =
        |why: String| StoreError::Damaged { path: path.to_owned(), why: format!("event {seq} of run {run}: {why}") };
    if seq == 1 {
        // Looked at before the rest, which a newer format may have changed.
        let format = serde_json::from_str::<serde_json::Value>(body).ok().and_then(|body| body.get("format")?.as_i64());
        if let Some(found) = format.filter(|found| *found > i64::from(FORMAT)) {
            return Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT.into() });
        }
    }
    let at = at.parse().map_err(|e: jiff::Error| damaged(e.to_string()))?;
    let event: Event = serde_json::from_str(body).map_err(|e| damaged(e.to_string()))?;
    Ok(Entry { seq, at, event })
}

fn collect_durations(entries: &[Entry], seen: &mut BTreeMap<String, Vec<f64>>) {
    let mut begun: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for entry in entries {
        match &entry.event {
            Event::AttemptStarted { step, .. } => drop(begun.insert(step, entry.at)),
            Event::StepSucceeded { step, .. } => {
                if let Some(at) = begun.get(step.as_str()) {
                    seen.entry(step.clone()).or_default().push(entry.at.duration_since(*at).as_secs_f64());
                }
            }
            Event::RunStarted(_)
            | Event::PassStarted(_)
            | Event::Recorded { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptInterrupted { .. }
            | Event::StepSkipped { .. }
            | Event::StepReused { .. }
            | Event::StepTrusted { .. }
            | Event::PassEnded { .. }
            | Event::Inherited { .. }
            | Event::HandedOver { .. }
            | Event::Exported { .. }
            | Event::Imported { .. } => {}
        }
    }
}

fn median(durations: &mut [f64]) -> f64 {
    durations.sort_by(f64::total_cmp);
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

/// A commit is on disk when it returns: WAL with FULL syncs the log on every commit.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// SQLite's error in our words, with what to do.
fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => {
            StoreError::Unwritable { path, why: "the disk is full: free some space, then resume".to_owned() }
        }
        Some(Code::ReadOnly) => StoreError::Unwritable {
            path,
            why: "the file or its folder is read-only: make it writable, or name another folder with --state"
                .to_owned(),
        },
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            StoreError::Unwritable { path, why: "another process has held it for 10 seconds: try again".to_owned() }
        }
        Some(Code::CannotOpen) => StoreError::Unwritable {
            path,
            why: format!("it cannot be opened ({error}): check the folder's permissions"),
        },
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
            let why =
                format!("{error}; move the file away to begin anew (resources it names are then no longer known)");
            StoreError::Damaged { path, why }
        }
        _ => StoreError::Unwritable { path, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
