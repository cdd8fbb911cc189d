//! The store's format and how an older one is brought up to date.
//! Knows nothing of what is in the tables.

use std::path::Path;

use hprun_steps::kill_point;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::StoreError;
use super::error::explain;

/// Each step takes the format up by one; a step is never changed once it was released.
const STEPS: &[&str] = &["CREATE TABLE run (
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
     ) STRICT, WITHOUT ROWID;"];

/// A newer format is refused by number.
pub fn refuse_newer(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = format(connection).map_err(|e| explain(path, &e))?;
    if found > known() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: known() });
    }
    Ok(())
}

/// Brings the tables to this program's format: all of the way, in one commit, or not at all.
pub fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if format(connection).map_err(|e| explain(path, &e))? != known()
        && !migrate(connection).map_err(|e| explain(path, &e))?
    {
        let why = "it holds tables of another program: name another folder with --state".to_owned();
        return Err(StoreError::Damaged { path: path.to_owned(), why });
    }
    refuse_newer(connection, path)
}

/// Whether the tables are ours now.
fn migrate(connection: &mut Connection) -> rusqlite::Result<bool> {
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    // Asked for again: another process may have migrated them before this one got the lock.
    let found = format(&transaction)?;
    if found == 0 && has_tables(&transaction)? {
        return Ok(false);
    }
    if found < known() {
        for step in STEPS.iter().skip(usize::try_from(found).unwrap_or_default()) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", known())?;
        kill_point::reach(|| format!("before commit format {}", known()));
        transaction.commit()?;
        kill_point::reach(|| format!("after commit format {}", known()));
    }
    Ok(true)
}

fn known() -> i64 {
    i64::try_from(STEPS.len()).expect("there are a handful of formats")
}

fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn has_tables(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))
}
