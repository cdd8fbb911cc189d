//! How the store's file is opened: made if it is not there, durable from the first commit, in this program's format.
//! Knows nothing of what is in the tables.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{BEGIN_ANEW, explain};
use super::{StateFolder, StoreError, migrations};

/// How long another process may keep the file locked; a commit takes milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often a lock is looked at that SQLite does not wait for by itself.
const LOOK: Duration = Duration::from_millis(5);

/// How the file is reached. Tests put a disk of their own under it, and have less patience.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// How long to wait for another process.
    pub patience: Duration,
    /// SQLite's name of the file system to use, if not the usual one.
    pub file_system: Option<&'static str>,
}

impl Default for Access {
    fn default() -> Self {
        Self { patience: PATIENCE, file_system: None }
    }
}

/// Opens the store's file in `folder`, and makes it if there is none.
pub fn connect(folder: &StateFolder, access: Access) -> Result<Connection, StoreError> {
    let path = folder.database();
    refuse_remains(folder)?;
    folder.make_database()?;
    let in_words = |e: rusqlite::Error| explain(&path, &e);
    let mut connection = match access.file_system {
        None => Connection::open(&path),
        Some(name) => Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), name),
    }
    .map_err(in_words)?;
    connection.busy_timeout(access.patience).map_err(in_words)?;
    // Before anything is changed: a newer store is left as it is.
    migrations::refuse_newer(&connection, &path)?;
    make_durable(&connection, &path, access.patience)?;
    migrations::bring_up_to_date(&mut connection, &path)?;
    folder.keep_private()?;
    Ok(connection)
}

/// An empty file where there was a store is not a new store: to begin anew in it would hide that runs were lost, and
/// SQLite would drop the log beside it.
fn refuse_remains(folder: &StateFolder) -> Result<(), StoreError> {
    let path = folder.database();
    let damaged = |why: String| Err(StoreError::Damaged { path: path.clone(), why });
    // In this order: whoever makes a store fills the file before there is a log or a run.
    let log = length(&folder.write_ahead_log()).is_some_and(|length| length > 0);
    let runs = folder.runs_seen();
    match length(&path) {
        Some(0) | None if log => damaged(format!(
            "it is {}, and its newest events are in {} beside it: put a copy of both back, or {BEGIN_ANEW}",
            if path.exists() { "empty" } else { "gone" },
            folder.write_ahead_log().display(),
        )),
        Some(0) if runs > 0 => damaged(format!(
            "it is empty, though the folder knows of {runs} run{}: put a copy of it back, or {BEGIN_ANEW}",
            if runs == 1 { "" } else { "s" },
        )),
        Some(_) | None => Ok(()),
    }
}

fn length(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|found| found.len())
}

/// A commit is on disk when it returns: WAL with FULL syncs the log on every commit.
fn make_durable(connection: &Connection, path: &Path, patience: Duration) -> Result<(), StoreError> {
    let in_words = |e: rusqlite::Error| explain(path, &e);
    let mode = write_ahead(connection, patience).map_err(in_words)?;
    if mode != "wal" {
        let why = format!(
            "its file system keeps no write-ahead log (SQLite's mode is {mode}): name a folder on a local disk with --state"
        );
        return Err(StoreError::Unwritable { path: path.to_owned(), why });
    }
    connection.pragma_update(None, "synchronous", "FULL").map_err(in_words)?;
    connection.pragma_update(None, "fullfsync", true).map_err(in_words)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(in_words)
}

/// Takes the file to WAL, where it is not yet, and says which mode it is in now.
fn write_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<String> {
    let deadline = Instant::now() + patience;
    loop {
        // Two that change the mode at once would wait for each other, so SQLite refuses one at once.
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                std::thread::sleep(LOOK);
            }
            other => return other,
        }
    }
}
