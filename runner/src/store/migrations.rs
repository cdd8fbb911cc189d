//! The store's format and how an older one is brought up to date.
//! Knows nothing of what is in the tables.

use std::path::Path;

use hprun_steps::kill_point;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};

use super::{StoreError, explain};

/// Each step takes the format up by one; a step is never changed once it was released.
const STEPS: &[M<'static>] = &[M::up(
    "CREATE TABLE run (
       id       TEXT PRIMARY KEY,
       pipeline TEXT NOT NULL,
       path     TEXT NOT NULL,
       target   TEXT NOT NULL,
       account  TEXT NOT NULL,
       region   TEXT NOT NULL,
       began    TEXT NOT NULL
     ) STRICT;
     CREATE TABLE event (
       run  TEXT    NOT NULL REFERENCES run (id),
       seq  INTEGER NOT NULL,
       at   TEXT    NOT NULL,
       kind TEXT    NOT NULL,
       body TEXT    NOT NULL,
       PRIMARY KEY (run, seq)
     ) STRICT, WITHOUT ROWID;",
)];

/// Brings the tables to this program's format. A newer format is refused by number.
pub fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| explain(path, &e))?;
    let known = i64::try_from(STEPS.len()).expect("there are a handful of formats");
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    kill_point::reach(|| format!("before commit format {known}"));
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|e| match e {
        rusqlite_migration::Error::RusqliteError { err, .. } => explain(path, &err),
        other => StoreError::Damaged { path: path.to_owned(), why: other.to_string() },
    })?;
    kill_point::reach(|| format!("after commit format {known}"));
    Ok(())
}
