//! Events of more than one run, or of one that no engine works on, in one commit: all of them are on disk, or none.
//! Knows nothing of what events mean, but that a copy makes way for what comes after it.

use hprun_steps::kill_point;
use jiff::Timestamp;
use rusqlite::{Transaction, TransactionBehavior, params};

use super::folder::RunLock;
use super::{Store, StoreError, explain, log};
use crate::event::{Entry, Event};

/// Events to append to one run, which this process holds.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The run.
    pub run: &'a str,
    /// Keeps other processes from it.
    pub lock: &'a RunLock,
    /// The number of the newest event that stays: 0 for a new run, and to replace a copy.
    pub seq: u64,
    /// What to append.
    pub events: Vec<(Timestamp, Event)>,
}

impl Store {
    /// Appends all of these, each run's events in order, in one commit. They are on disk when this returns.
    pub fn commit(&self, batches: Vec<Batch<'_>>) -> Result<Vec<Vec<Entry>>, StoreError> {
        self.try_commit(batches).map_err(|e| explain(&self.folder.database(), &e))
    }

    fn try_commit(&self, batches: Vec<Batch<'_>>) -> rusqlite::Result<Vec<Vec<Entry>>> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut committed: Vec<Vec<Entry>> = Vec::new();
        for Batch { run, lock: _held, seq, events } in batches {
            remove_copy(&transaction, run)?;
            let mut entries = Vec::new();
            for (number, (at, event)) in (seq + 1..).zip(events) {
                log::insert(&transaction, run, number, at, &event)?;
                entries.push(Entry { seq: number, at, event });
            }
            committed.push(entries);
        }
        kill_point::reach_all(|| log::labels("before commit", &committed.concat()));
        transaction.commit()?;
        kill_point::reach_all(|| log::labels("after commit", &committed.concat()));
        Ok(committed)
    }
}

/// A copy of a run is nobody's record: it makes way for the run itself, or for a newer copy.
fn remove_copy(transaction: &Transaction<'_>, run: &str) -> rusqlite::Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM event WHERE run = ?1 AND kind = 'copied')";
    if transaction.query_row(sql, params![run], |row| row.get(0))? {
        transaction.execute("DELETE FROM event WHERE run = ?1", params![run])?;
        transaction.execute("DELETE FROM run WHERE id = ?1", params![run])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::testing;
    use crate::store::{Moved, RunRow, StateFolder};

    /// A store in a folder of its own.
    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(StateFolder::at(folder.path()).expect("a local folder")).expect("a sound store")
    }

    /// Appends these to each run after its event `seq`, in one commit.
    fn append(store: &Store, runs: Vec<(&str, u64, Vec<Event>)>) -> Result<Vec<Vec<Entry>>, StoreError> {
        let locks: Vec<RunLock> =
            runs.iter().map(|(run, ..)| store.folder().lock(run).expect("nobody holds it")).collect();
        let batch = |((run, seq, events), lock)| {
            let dated = |event| (Timestamp::UNIX_EPOCH, event);
            Batch { run, lock, seq, events: Vec::into_iter(events).map(dated).collect() }
        };
        store.commit(runs.into_iter().zip(&locks).map(batch).collect())
    }

    fn started() -> Event {
        Event::RunStarted(Box::new(testing::run_started()))
    }

    fn passed() -> Event {
        Event::PassStarted(Box::new(testing::pass_started()))
    }

    fn handed_over(to: &str) -> Event {
        Event::HandedOver { to: to.to_owned() }
    }

    fn rows(store: &Store) -> Vec<(String, Option<Moved>)> {
        store.runs().expect("a sound store").into_iter().map(|RunRow { id, moved, .. }| (id, moved)).collect()
    }

    #[test]
    fn two_runs_share_a_commit_and_a_failure_leaves_neither() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(&folder);
        append(&store, vec![("a", 0, vec![started(), passed()])]).expect("a sound store");
        let both = || vec![("b", 0, vec![started(), passed()]), ("a", 2, vec![handed_over("b")])];
        let trigger = "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.kind = 'handed-over' BEGIN SELECT RAISE(ABORT, 'disk is full'); END";
        store.connection.execute_batch(trigger).expect(trigger);
        append(&store, both()).expect_err("the last event cannot be written");
        assert_eq!(rows(&store), [("a".to_owned(), None)]);
        assert_eq!(store.events("a").expect("a sound store").len(), 2);
        store.connection.execute_batch("DROP TRIGGER full").expect("it is there");
        let entries = append(&store, both()).expect("a sound store");
        assert_eq!(entries.iter().map(|of| of.last().map(|e| e.seq)).collect::<Vec<_>>(), [Some(2), Some(3)]);
        assert_eq!(rows(&store), [("b".to_owned(), None), ("a".to_owned(), Some(Moved::HandedOver))]);
        append(&store, vec![("a", 2, vec![passed()])]).expect_err("event 3 is there");
    }

    #[test]
    fn a_copy_makes_way_and_a_run_does_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(&folder);
        let host = || "laptop".to_owned();
        let copy = || vec![started(), passed(), Event::Copied { host: host() }];
        append(&store, vec![("a", 0, copy())]).expect("a sound store");
        assert_eq!(rows(&store), [("a".to_owned(), Some(Moved::Copied))]);
        append(&store, vec![("a", 0, copy())]).expect("a copy makes way for a newer one");
        let imported = Event::Imported { host: host(), path: "/here.yaml".to_owned() };
        let run = vec![started(), passed(), Event::Exported { host: host() }, imported];
        append(&store, vec![("a", 0, run)]).expect("and for the run itself");
        assert_eq!(rows(&store), [("a".to_owned(), Some(Moved::Imported))]);
        assert_eq!(store.find(None).expect("it is there").path, "/here.yaml", "the file's path here");
        append(&store, vec![("a", 0, copy())]).expect_err("the run is here");
    }

    #[test]
    fn a_bare_resume_takes_no_run_that_went_away_while_there_is_another() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store(&folder);
        let host = || "laptop".to_owned();
        let resumed = |store: &Store| store.find_to_resume(None).map(|row| row.id).map_err(|error| error.to_string());
        append(&store, vec![("a", 0, vec![started(), passed(), handed_over("x")])]).expect("a sound store");
        append(&store, vec![("b", 0, vec![started(), passed(), Event::Copied { host: host() }])])
            .expect("a sound store");
        assert_eq!(resumed(&store), Err("every run is finished".to_owned()));
        append(&store, vec![("d", 0, vec![started(), passed(), Event::Exported { host: host() }])]).expect("sound");
        assert_eq!(resumed(&store), Ok("d".to_owned()), "which is refused, and says where it went");
        append(&store, vec![("c", 0, vec![started(), passed()])]).expect("a sound store");
        assert_eq!(resumed(&store), Ok("c".to_owned()));
        let unfinished = store.unfinished("p", "aws", "111122223333", "us-west-2").expect("a sound store");
        assert_eq!(unfinished.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["d", "c"]);
    }
}
