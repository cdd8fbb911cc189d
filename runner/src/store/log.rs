//! The log of one run: events go in, and are on disk when the answer comes.
//! Knows nothing of what events mean. One thread owns the connection; what arrives while it commits shares the next commit.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hprun_steps::kill_point;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::connect::{Access, connect};
use super::error::explain;
use super::folder::{RunLock, StartLock};
use super::{StateFolder, StoreError};
use crate::event::{Entry, Event, RunStarted, Target};

/// A run that this process holds, with the thread that writes its events.
#[derive(Debug)]
pub struct Log {
    handle: LogHandle,
    writer: Option<JoinHandle<()>>,
    _lock: RunLock,
}

/// Where events of a run are appended.
#[derive(Clone, Debug)]
pub struct LogHandle {
    requests: Sender<Append>,
    path: PathBuf,
}

struct Append {
    events: Vec<(Timestamp, Event)>,
    answer: oneshot::Sender<Result<Vec<Entry>, StoreError>>,
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
        let path = folder.database();
        let connection = connect(folder, access)?;
        let (requests, inbox) = channel();
        let handle = LogHandle { requests, path: path.clone() };
        let writer = Writer { connection, path, run: run.to_owned(), seq, start: lock.take_start() };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.serve(&inbox))
            .map_err(|e| StoreError::Folder { folder: folder.path().to_owned(), why: e.to_string() })?;
        Ok(Self { handle, writer: Some(thread), _lock: lock })
    }

    /// Where to append.
    pub fn handle(&self) -> LogHandle {
        self.handle.clone()
    }
}

impl Drop for Log {
    /// Waits for the writer, so that the lock outlives the last commit.
    fn drop(&mut self) {
        let (closed, _) = channel();
        self.handle.requests = closed;
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

impl LogHandle {
    /// Appends events, in order, in one commit. They are on disk when this returns. After an error all of them are there
    /// or none: the disk may have failed after it had taken them. The next pass sees which.
    pub async fn append(&self, events: Vec<(Timestamp, Event)>) -> Result<Vec<Entry>, StoreError> {
        let gone = || StoreError::Unwritable {
            path: self.path.clone(),
            why: "its writer stopped after an earlier failure".to_owned(),
        };
        let (answer, durable) = oneshot::channel();
        self.requests.send(Append { events, answer }).map_err(|_| gone())?;
        durable.await.map_err(|_| gone())?
    }
}

struct Writer {
    connection: Connection,
    path: PathBuf,
    run: String,
    seq: u64,
    start: Option<StartLock>,
}

impl Writer {
    fn serve(mut self, inbox: &Receiver<Append>) {
        while let Ok(first) = inbox.recv() {
            let batch: Vec<Append> = std::iter::once(first).chain(inbox.try_iter()).collect();
            match self.commit(&batch) {
                Ok(entries) => {
                    // The run is recorded: whoever begins another now sees it.
                    self.start = None;
                    let mut entries = entries.into_iter();
                    for append in batch {
                        let own = entries.by_ref().take(append.events.len()).collect();
                        drop(append.answer.send(Ok(own)));
                    }
                }
                Err(e) => {
                    for append in batch {
                        drop(append.answer.send(Err(explain(&self.path, &e))));
                    }
                    // What is in memory is now ahead of the record: nothing more may be written by this process.
                    return;
                }
            }
        }
    }

    fn commit(&mut self, batch: &[Append]) -> rusqlite::Result<Vec<Entry>> {
        let mut seq = self.seq;
        let mut entries = Vec::new();
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        for (at, event) in batch.iter().flat_map(|append| &append.events) {
            seq += 1;
            insert(&transaction, &self.run, seq, *at, event)?;
            entries.push(Entry { seq, at: *at, event: event.clone() });
        }
        kill_point::reach_all(|| labels("before commit", &entries));
        transaction.commit()?;
        kill_point::reach_all(|| labels("after commit", &entries));
        self.seq = seq;
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
