//! The store on real files: what is promised of them, and what is said when they are not as they should be.

mod damage;
mod disk;
mod faults;
mod image;
mod locks;
mod power;
mod trial;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde_json::json;

use super::{Log, StateFolder, Store, StoreError, new_run_id};
use crate::event::{Entry, Event, Outcome, RunStarted, Target, testing};

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn folder(&self) -> StateFolder {
        StateFolder::at(&self.0.path().join("state")).expect("a local folder")
    }

    fn store(&self) -> Store {
        Store::open(self.folder()).expect("a sound store")
    }

    fn log(&self, run: &str, seq: u64) -> Log {
        let folder = self.folder();
        let lock = folder.lock(run).expect("nobody holds it");
        Log::open(&folder, run, lock, seq).expect("a sound store")
    }

    /// A run of these events; the first is its start.
    fn record(&self, run: &str, events: Vec<Event>) -> Vec<Entry> {
        let dated = (0..).zip(events).map(|(n, event)| (at(n), event)).collect();
        self.log(run, 0).handle().append(dated).expect("a sound store")
    }

    fn sql(&self, text: &str) {
        let connection = Connection::open(self.folder().database()).expect("the store is there");
        connection.execute_batch(text).expect(text);
    }

    /// What opening the store or reading this run says.
    fn complaint(&self, run: &str) -> String {
        let found = Store::open(self.folder()).and_then(|store| store.events(run));
        self.without_paths(&found.expect_err("something is wrong"))
    }

    fn without_paths(&self, error: &StoreError) -> String {
        let folder = self.0.path().canonicalize().expect("it is there");
        error.to_string().replace(&folder.display().to_string(), "[folder]")
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("in range") + SignedDuration::from_secs(seconds)
}

fn started_in(pipeline: &str, target: Target, region: &str) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        pipeline: pipeline.to_owned(),
        text: "text".to_owned(),
        target,
        region: region.to_owned(),
        ..testing::run_started()
    }))
}

fn started() -> Event {
    started_in("p", Target::Aws { profile: None }, "us-west-2")
}

fn begun(step: &str) -> Event {
    Event::AttemptStarted {
        step: step.to_owned(),
        attempt: 1,
        inputs: json!({"n": 1}),
        files: Vec::new(),
        because: Vec::new(),
    }
}

fn succeeded(step: &str) -> Event {
    Event::StepSucceeded { step: step.to_owned(), attempt: 1, outputs: json!({}), files: Vec::new() }
}

fn ended(outcome: Outcome) -> Event {
    Event::PassEnded { outcome }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn what_was_appended_is_read_back_after_reopening_and_goes_on_with_the_next_number() {
    let bench = Bench::new();
    let first = bench.record("r1", vec![started(), begun("a")]);
    let log = bench.log("r1", 2);
    let second = log.handle().append(vec![(at(5), ended(Outcome::Failed))]).expect("a sound store");
    drop(log);
    let all = bench.store().events("r1").expect("a sound store");
    assert_eq!(all, [first, second].concat());
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(bench.store().events("none").expect("a sound store"), []);
}

#[test]
fn appends_from_many_places_are_each_whole_and_leave_no_gap() {
    let bench = Bench::new();
    let log = bench.log("r1", 0);
    log.handle().append(vec![(at(0), started())]).expect("a sound store");
    let append =
        &|n: usize| log.handle().append(vec![(at(1), begun(&format!("s{n}"))), (at(2), succeeded(&format!("s{n}")))]);
    std::thread::scope(|threads| {
        let places: Vec<_> = (0..50).map(|n| threads.spawn(move || append(n))).collect();
        for place in places {
            let written = place.join().expect("no panic").expect("a sound store");
            assert_eq!(written[1].seq, written[0].seq + 1);
            assert_eq!(written[1].event.step(), written[0].event.step());
        }
    });
    assert_eq!(bench.store().events("r1").expect("no gap").len(), 101);
}

#[test]
fn a_commit_is_on_disk_when_it_returns() {
    let bench = Bench::new();
    let store = bench.store();
    let pragma = |connection: &Connection, name: &str| -> String {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .expect(name)
    };
    let again = bench.store();
    for connection in [&store.connection, &again.connection] {
        assert_eq!(pragma(connection, "journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma(connection, "synchronous"), "Integer(2)", "FULL");
        assert_eq!(pragma(connection, "fullfsync"), "Integer(1)");
        assert_eq!(pragma(connection, "foreign_keys"), "Integer(1)");
    }
}

#[test]
fn nobody_else_may_read_what_is_recorded() {
    let bench = Bench::new();
    let log = bench.log("r1", 0);
    log.handle().append(vec![(at(0), started())]).expect("a sound store");
    let folder = bench.folder();
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&folder.run("r1")), 0o700);
    for file in ["hprun.db", "hprun.db-wal", "hprun.db-shm", "runs/r1/lock", "runs/r1/holder.json"] {
        assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
    }
}

#[test]
fn after_a_failed_write_nothing_more_is_written() {
    let bench = Bench::new();
    drop(bench.store());
    bench.sql(
        "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.seq = 3 BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
    );
    let log = bench.log("r1", 0);
    let handle = log.handle();
    handle.append(vec![(at(0), started())]).expect("event 1");
    let both = vec![(at(1), begun("a")), (at(2), succeeded("a"))];
    let first = handle.append(both).expect_err("event 3");
    let second = handle.append(vec![(at(3), begun("b"))]).expect_err("the writer has stopped");
    let told = [first, second].map(|error| bench.without_paths(&error)).join("\n");
    insta::assert_snapshot!(told, @r"
    the store [folder]/state/hprun.db cannot be written: disk is full
    the store [folder]/state/hprun.db cannot be written: nothing is written after an earlier failure
    ");
    assert_eq!(bench.store().events("r1").expect("a sound store").len(), 1, "all of an append or nothing");
}

#[test]
fn a_run_is_unfinished_until_its_newest_pass_succeeded() {
    let bench = Bench::new();
    let sandbox = || Target::Sandbox { world: "/w".to_owned() };
    bench.record("done", vec![started(), ended(Outcome::Succeeded)]);
    bench.record("failed", vec![started(), ended(Outcome::Failed)]);
    bench.record("killed", vec![started(), begun("a")]);
    bench.record("resumed", vec![started(), ended(Outcome::Succeeded), begun("a")]);
    bench.record("elsewhere", vec![started_in("p", Target::Aws { profile: None }, "eu-west-1")]);
    bench.record("other", vec![started_in("q", Target::Aws { profile: None }, "us-west-2")]);
    bench.record("sandbox", vec![started_in("p", sandbox(), "us-west-2")]);
    let store = bench.store();
    let ids = |target: &str| -> Vec<String> {
        let rows = store.unfinished("p", target, "111122223333", "us-west-2").expect("a sound store");
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(ids("aws"), ["resumed", "killed", "failed"]);
    assert_eq!(ids("/w"), ["sandbox"]);
    let ended: BTreeMap<String, Option<String>> =
        store.runs().expect("a sound store").into_iter().map(|row| (row.id, row.ended)).collect();
    assert_eq!(ended["failed"].as_deref(), Some("failed"));
    assert_eq!(ended["resumed"], None);
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id() {
    let bench = Bench::new();
    assert!(Store::open_existing(bench.folder()).expect("nothing wrong").is_none(), "looking makes no store");
    let told = |prefix: Option<&str>| match bench.store().find(prefix) {
        Ok(row) => row.id,
        Err(error) => error.to_string(),
    };
    assert_eq!(told(None), "there are no runs in this state folder yet");
    bench.record("ab1", vec![started()]);
    bench.record("ab2", vec![started()]);
    bench.record("c", vec![started()]);
    assert_eq!(told(Some("ab1")), "ab1");
    assert_eq!(told(Some("c")), "c");
    assert_eq!(told(None), "c", "the newest");
    assert_eq!(told(Some("x")), "there is no run `x` in this state folder");
    assert_eq!(told(Some("ab")), "`ab` is the beginning of more than one run's id: ab2, ab1");
}

#[test]
fn usual_durations_are_medians_of_runs_that_can_be_read() {
    let bench = Bench::new();
    for (run, seconds) in [("r1", 10), ("r2", 30), ("r3", 20)] {
        let log = bench.log(run, 0);
        let events = vec![(at(0), started()), (at(1), begun("a")), (at(1 + seconds), succeeded("a"))];
        log.handle().append(events).expect("a sound store");
    }
    bench.record("r4", vec![started(), begun("a"), succeeded("a")]);
    bench.sql("UPDATE event SET body = 'x' WHERE run = 'r4' AND seq = 3");
    let usual = bench.store().usual_durations("p", "aws").expect("a sound store");
    assert_eq!(usual, BTreeMap::from([("a".to_owned(), 20.0)]));
    assert_eq!(bench.store().usual_durations("p", "/w").expect("a sound store"), BTreeMap::new(), "the sandbox's own");
    let newest = |events| bench.store().usual_among(events, "p", "aws").expect("a sound store");
    assert_eq!(newest(6), BTreeMap::from([("a".to_owned(), 20.0)]), "r4, which cannot be read, and r3");
    assert_eq!(newest(3 + 2), BTreeMap::new(), "of r3 all but its success");
}

#[test]
fn ids_of_runs_are_short_and_sort_by_time() {
    let ids: Vec<String> = (0..200).map(|_| new_run_id()).collect();
    assert!(ids.iter().all(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())));
    // The last three characters are drawn by chance.
    assert!(ids.windows(2).all(|pair| pair[0][..9] <= pair[1][..9]));
}
