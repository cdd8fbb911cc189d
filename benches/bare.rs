//! The limit: the commits that a chain of steps needs, in a bare loop of SQLite, with the same durability and the same rows.
//! Knows nothing of the engine; it copies what an engine left.

use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior, params};

use super::noop::{Bench, RUN, Taken};

/// One row of the table of events.
pub struct Row {
    seq: i64,
    at: String,
    kind: String,
    body: String,
}

/// The events of a chain's run, each group to be committed at once: the end of a step with the begin of the next.
pub fn groups(chain: &Bench) -> Vec<Vec<Row>> {
    let connection = open(chain);
    let sql = "SELECT seq, at, kind, body FROM event WHERE run = ?1 AND seq > 2 ORDER BY seq";
    let mut statement = connection.prepare(sql).expect("a sound store");
    let rows = statement
        .query_map([RUN], |row| Ok(Row { seq: row.get(0)?, at: row.get(1)?, kind: row.get(2)?, body: row.get(3)? }))
        .expect("a sound store");
    let mut groups = vec![Vec::new()];
    for row in rows {
        let row = row.expect("a sound store");
        let is_last = row.kind == "attempt-started";
        groups.last_mut().expect("there is a first").push(row);
        if is_last {
            groups.push(Vec::new());
        }
    }
    groups
}

/// Writes them, a commit a group.
pub fn run(groups: &[Vec<Row>]) -> Taken {
    let bench = Bench::new();
    let _store = bench.store();
    let mut connection = open(&bench);
    let run =
        "INSERT INTO run (id, pipeline, path, target, account, region, began) VALUES (?1, '', '', '', '', '', '')";
    connection.execute(run, [RUN]).expect("a fresh store");
    let mut instants = Vec::with_capacity(groups.len());
    let (commits, began) = (bench.commits(), Instant::now());
    for group in groups {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).expect("nobody else writes");
        for Row { seq, at, kind, body } in group {
            let sql = "INSERT INTO event (run, seq, at, kind, body) VALUES (?1, ?2, ?3, ?4, ?5)";
            let mut statement = transaction.prepare_cached(sql).expect("it is SQL");
            statement.execute(params![RUN, seq, at, kind, body]).expect("the disk has room");
        }
        transaction.commit().expect("the disk has room");
        instants.push(Instant::now());
    }
    Taken::since(began, bench.commits() - commits, &instants)
}

/// As the store opens its file.
fn open(bench: &Bench) -> Connection {
    let connection = Connection::open(bench.state_folder().database()).expect("the store is there");
    connection.busy_timeout(Duration::from_secs(10)).expect("a sound store");
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("a sound store");
    connection.pragma_update(None, "synchronous", "FULL").expect("a sound store");
    connection.pragma_update(None, "fullfsync", true).expect("a sound store");
    connection.pragma_update(None, "foreign_keys", true).expect("a sound store");
    connection
}
