//! What can go wrong with the store, in words that say what to do.
//! Knows nothing of what the store is used for.

use std::path::{Path, PathBuf};

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
    #[error("run {run} is held by {}", who(*pid, host, since))]
    Held {
        /// The run.
        run: String,
        /// The process; 0 if it has not said who it is.
        pid: u32,
        /// Its machine.
        host: String,
        /// When it took the run up.
        since: String,
    },
    /// Another process is about to begin a run of this pipeline in the same place.
    #[error("a run of {pipeline} is being begun here by {}", who(*pid, host, since))]
    Beginning {
        /// The pipeline.
        pipeline: String,
        /// The process; 0 if it has not said who it is.
        pid: u32,
        /// Its machine.
        host: String,
        /// Since when.
        since: String,
    },
}

fn who(pid: u32, host: &str, since: &str) -> String {
    if pid == 0 { "another process".to_owned() } else { format!("process {pid} on {host} since {since}") }
}

/// SQLite's error in our words, with what to do.
pub fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    let unwritable = |why: String| StoreError::Unwritable { path: path.to_owned(), why };
    match error.sqlite_error_code() {
        Some(Code::DiskFull) => unwritable("the disk is full: free some space, then try again".to_owned()),
        Some(Code::SystemIoFailure) => {
            unwritable(format!("{error}: see whether the disk is full or failing, then try again"))
        }
        Some(Code::ReadOnly) => unwritable(
            "the file or its folder is read-only: make it writable, or name another folder with --state".to_owned(),
        ),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            unwritable("another process keeps it locked: try again when that one has ended".to_owned())
        }
        Some(Code::CannotOpen) => unwritable(format!(
            "it cannot be opened ({error}): make it and its folder readable and writable, or name another folder with --state"
        )),
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
            let why = format!("{error}; put a copy of the state folder back, or {BEGIN_ANEW}");
            StoreError::Damaged { path: path.to_owned(), why }
        }
        _ => unwritable(error.to_string()),
    }
}

/// The way out when there is no copy.
pub const BEGIN_ANEW: &str = "move the folder away to begin anew (what its runs have made is then no longer known)";
