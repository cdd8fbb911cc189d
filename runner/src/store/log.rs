//! The log of one run: events go in, and are on disk when the call returns.
//! Knows nothing of what events mean. The caller's own thread commits: waking another one would cost as much as the sync.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hprun_steps::kill_point;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::connect::{Access, connect};
use super::error::explain;
use super::folder::{RunLock, StartLock};
use super::{StateFolder, StoreError};
use crate::event::{Entry, Event, RunStarted, Target};

/// A run that this process holds, with the connection that writes its events.
#[derive(Debug)]
pub struct Log {
    handle: LogHandle,
    _lock: RunLock,
}

/// Where events of a run are appended.
#[derive(Clone, Debug)]
pub struct LogHandle {
    /// None after a failure, and when the log is closed.
    writer: Arc<Mutex<Option<Writer>>>,
    path: PathBuf,
}

impl Log {
    /// Opens the log of `run`, which this process holds by `lock`, after event `seq` (the number of its newest event, 0
    /// for a new run).
    pub fn open(folder: &StateFolder, run: &str, lock: RunLock, seq: u64) -> Result<Self, StoreError> {
        Self::open_through(Access::default(), folder, run, lock, seq)
    }

    /// [`Self::open`], by another way to the file.
    pub(super) fn open_through(
        access: Access,
        folder: &StateFolder,
        run: &str,
        mut lock: RunLock,
        seq: u64,
    ) -> Result<Self, StoreError> {
        let connection = connect(folder, access)?;
        let writer = Writer { connection, run: run.to_owned(), seq, start: lock.take_start() };
        let handle = LogHandle { writer: Arc::new(Mutex::new(Some(writer))), path: folder.database() };
        Ok(Self { handle, _lock: lock })
    }

    /// Where to append.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl Drop for Log {
    /// Waits for a commit that is under way, so that the lock outlives it, and lets no other follow.
    fn drop(&mut self) {
        drop(self.handle.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl LogHandle {
    /// Appends events, in order, in one commit. They are on disk when this returns: it blocks for as long as the disk takes.
    /// After an error all of them are there or none: the disk may have failed after it had taken them. The next pass sees
    /// which.
    pub fn append(&self, events: Vec<(Timestamp, Event)>) -> Result<Vec<Entry>, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out, and put back after success: what is in memory after a failure is ahead of the record, so nothing
        // more may be written by this process.
        let mut own = writer.take().ok_or_else(|| StoreError::Unwritable {
            path: self.path.clone(),
            why: "nothing is written after an earlier failure".to_owned(),
        })?;
        let entries = own.commit(events).map_err(|e| explain(&self.path, &e))?;
        *writer = Some(own);
        Ok(entries)
    }
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    run: String,
    seq: u64,
    start: Option<StartLock>,
}

impl Writer {
    fn commit(&mut self, events: Vec<(Timestamp, Event)>) -> rusqlite::Result<Vec<Entry>> {
        let numbered = (self.seq + 1..).zip(events);
        let entries: Vec<Entry> = numbered.map(|(seq, (at, event))| Entry { seq, at, event }).collect();
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        for Entry { seq, at, event } in &entries {
            insert(&transaction, &self.run, *seq, *at, event)?;
        }
        kill_point::reach_all(|| labels("before commit", &entries));
        transaction.commit()?;
        kill_point::reach_all(|| labels("after commit", &entries));
        self.seq = entries.last().map_or(self.seq, |entry| entry.seq);
        // The run is recorded: whoever begins another now sees it.
        self.start = None;
        Ok(entries)
    }
}

/// What the crash test calls a commit: by each event in it, as `before commit call-intended create-stack stack`.
pub(super) fn labels(moment: &str, entries: &[Entry]) -> Vec<String> {
    let label = |Entry { event, .. }: &Entry| {
        let recorded = if let Event::Recorded { record, .. } = event { Some(record) } else { None };
        let record = serde_json::to_value(recorded).unwrap_or_default();
        let kind = record["record"].as_str().unwrap_or(event.kind());
        let words = [moment, kind, record["op"].as_str().unwrap_or_default(), event.step().unwrap_or_default()];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    entries.iter().map(label).collect()
}

/// Inserts an event of a run, and with its first one the run.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    run: &str,
    seq: u64,
    at: Timestamp,
    event: &Event,
) -> rusqlite::Result<()> {
    if let Event::RunStarted(started) = event {
        insert_run(transaction, run, at, started)?;
    }
    if let Event::Imported { path, .. } = event {
        transaction.execute("UPDATE run SET path = ?2 WHERE id = ?1", params![run, path])?;
    }
    let body = serde_json::to_string(event).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let sql = "INSERT INTO event (run, seq, at, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    transaction.prepare_cached(sql)?.execute(params![run, seq.cast_signed(), at.to_string(), event.kind(), body])?;
    Ok(())
}

fn insert_run(transaction: &Transaction<'_>, run: &str, at: Timestamp, started: &RunStarted) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO run (id, pipeline, path, target, account, region, began) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let RunStarted { pipeline, path, account, region, .. } = started;
    let values = params![run, pipeline, path, started.target.key(), account, region, at.to_string()];
    transaction.execute(sql, values)?;
    Ok(())
}

impl Target {
    /// The word that tells targets apart in the store: `aws`, or the sandbox world's folder.
    pub fn key(&self) -> &str {
        match self {
            Self::Aws { .. } => "aws",
            Self::Sandbox { world } => world,
        }
    }
}
