//! A store that is not as it should be: clear words with what to do, and nothing lost.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;

use rusqlite::{Connection, ffi};

use super::disk::Fault;
use super::trial::{Trial, access, laid_out};
use super::{Bench, at, begun, started, succeeded};
use crate::store::connect::{Access, PATIENCE};
use crate::store::error::explain;
use crate::store::{Log, StateFolder, Store, StoreError};

#[test]
fn a_newer_format_is_refused_by_number_and_left_alone() {
    let bench = Bench::new();
    bench.record("r1", vec![started(), begun("a")]);
    bench.sql("UPDATE event SET body = replace(body, '\"format\":1', '\"format\":7') WHERE seq = 1");
    let events = bench.complaint("r1");
    bench.sql("PRAGMA user_version = 99");
    insta::assert_snapshot!(format!("{events}\n{}", bench.complaint("r1")), @"
    the store [folder]/state/hprun.db has format 7, and this hprun knows 1 at most: use the newer hprun that wrote it
    the store [folder]/state/hprun.db has format 99, and this hprun knows 1 at most: use the newer hprun that wrote it
    ");
}

#[test]
fn damage_is_told_with_its_place() {
    let bench = Bench::new();
    bench.record("r1", vec![started(), begun("a"), succeeded("a")]);
    bench.sql("UPDATE event SET body = '{\"event\":\"dance\"}' WHERE seq = 3");
    let strange = bench.complaint("r1");
    bench.sql("DELETE FROM event WHERE seq = 2");
    let gap = bench.complaint("r1");
    for suffix in ["-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", bench.folder().database().display())));
    }
    std::fs::write(bench.folder().database(), "no database ".repeat(100)).expect("writable");
    let garbage = bench.complaint("r1");
    insta::assert_snapshot!(format!("{strange}\n{gap}\n{garbage}"), @"
    the store [folder]/state/hprun.db is damaged: event 3 of run r1 cannot be read: unknown variant `dance`, expected one of `run-started`, `inherited`, `pass-started`, `attempt-started`, `recorded`, `step-succeeded`, `attempt-failed`, `attempt-interrupted`, `step-skipped`, `step-reused`, `step-trusted`, `pass-ended`, `handed-over`, `exported`, `imported`, `copied` at line 1 column 16; put a copy of the state folder back
    the store [folder]/state/hprun.db is damaged: event 2 of run r1 is missing; put a copy of the state folder back
    the store [folder]/state/hprun.db is damaged: file is not a database; put a copy of the state folder back, or move the folder away to begin anew (what its runs have made is then no longer known)
    ");
}

#[test]
fn every_trouble_with_the_file_says_what_to_do() {
    let told = |code: i32| {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        explain(Path::new("/s/hprun.db"), &error).to_string()
    };
    let codes = [ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_BUSY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_IOERR];
    insta::assert_snapshot!(codes.map(told).join("\n"), @"
    the store /s/hprun.db cannot be written: the disk is full: free some space, then try again
    the store /s/hprun.db cannot be written: the file or its folder is read-only: make it writable, or name another folder with --state
    the store /s/hprun.db cannot be written: another process keeps it locked: try again when that one has ended
    the store /s/hprun.db cannot be written: it cannot be opened (Error code 14: unable to open database file): make it and its folder readable and writable, or name another folder with --state
    the store /s/hprun.db cannot be written: Error code 10: disk I/O error: see whether the disk is full or failing, then try again
    ");
}

#[test]
fn a_place_that_is_no_folder_and_a_store_that_is_no_file_are_refused() {
    let bench = Bench::new();
    let file = bench.0.path().canonicalize().expect("it is there").join("file");
    std::fs::write(&file, "").expect("writable");
    let no_folder = bench.without_paths(&StateFolder::at(&file).expect_err("a file"));
    std::fs::create_dir(bench.folder().database()).expect("writable");
    insta::assert_snapshot!(format!("{no_folder}\n{}", bench.complaint("r1")), @"
    the state folder [folder]/file cannot be used: File exists (os error 17); name another one with --state or HPRUN_STATE
    the store [folder]/state/hprun.db cannot be written: it cannot be opened (unable to open database file: [folder]/state/hprun.db): make it and its folder readable and writable, or name another folder with --state
    ");
}

/// A store with this many events of a size.
fn filled(events: usize) -> Bench {
    let bench = Bench::new();
    let many = (1..events).map(|n| begun(&format!("a-step-with-a-rather-long-name-{n}")));
    bench.record("r1", std::iter::once(started()).chain(many).collect());
    bench
}

/// What opening a store by the trial's way and appending to it says.
fn complaint_of_append(bench: &Bench) -> String {
    let folder = bench.folder();
    let append = || -> Result<(), StoreError> {
        let store = Store::open_through(access(), folder.clone())?;
        let seq = store.events("r1")?.len() as u64;
        let log = Log::open_through(access(), &folder, "r1", folder.lock("r1")?, seq)?;
        log.handle().append(vec![(at(1), begun("b"))]).map(drop)
    };
    bench.without_paths(&append().expect_err("something is wrong"))
}

#[test]
fn a_newer_store_is_not_changed_by_looking_at_it() {
    let bench = filled(3);
    bench.sql("PRAGMA user_version = 99; PRAGMA journal_mode = DELETE");
    let before = fs::read(bench.folder().database()).expect("it is there");
    assert!(bench.complaint("r1").contains("use the newer hprun that wrote it"));
    assert!(fs::read(bench.folder().database()).expect("it is there") == before);
}

#[test]
fn a_first_event_in_a_form_of_a_newer_version_is_told_by_its_number() {
    let bench = filled(2);
    bench.sql("UPDATE event SET body = '{\"event\":\"run-begun\",\"format\":2}' WHERE seq = 1");
    assert!(bench.complaint("r1").contains("has format 2, and this hprun knows 1 at most"));
}

#[test]
fn a_damaged_page_is_told_or_is_none_of_the_run() {
    let bench = filled(200);
    let whole = bench.store().events("r1").expect("a sound store");
    let file = fs::read(bench.folder().database()).expect("it is there");
    let (mut told, size) = (0, 4096);
    for filler in [0x00, 0xFF, b'x'] {
        for page in 0..file.len() / size {
            let mut damaged = file.clone();
            damaged[page * size..(page + 1) * size].fill(filler);
            let damaged = laid_out([("hprun.db", damaged)]);
            match Store::open_through(access(), damaged.folder()).and_then(|store| store.events("r1")) {
                Ok(events) => assert!(events == whole, "page {page}: other events than were recorded"),
                Err(StoreError::Damaged { why, .. }) => {
                    told += 1;
                    assert!(why.contains("put a copy of the state folder back"), "{why}");
                }
                Err(error) => panic!("page {page}: {error}"),
            }
        }
    }
    assert!(told > 25, "only {told} pages hold the run");
}

#[test]
fn a_log_that_is_cut_off_or_damaged_is_read_up_to_there_and_gone_on_with() {
    let trial = Trial::new();
    let log = trial.log().expect("nothing is wrong");
    trial.append(&log, vec![(at(0), started())]).expect("nothing is wrong");
    for n in 1..8 {
        let both = vec![(at(n), begun(&format!("s{n}"))), (at(n), succeeded(&format!("s{n}")))];
        trial.append(&log, both).expect("nothing is wrong");
    }
    let folder = trial.bench.folder();
    let (file, wal) =
        (fs::read(folder.database()).expect("it is there"), fs::read(folder.write_ahead_log()).expect("it is there"));
    let check = |wal: &[u8]| trial.check(&laid_out([("hprun.db", &file[..]), ("hprun.db-wal", wal)]).folder(), 0);
    for length in (0..wal.len()).step_by(1031) {
        check(&wal[..length]);
        let mut damaged = wal.clone();
        damaged[length] ^= 1;
        check(&damaged);
    }
    trial.check(&laid_out([("hprun.db", file.clone()), ("hprun.db-wal", wal.clone())]).folder(), trial.acknowledged());
}

#[test]
fn an_empty_file_is_a_new_store_only_where_none_was() {
    let (runs, log, gone, new) = (filled(2), Bench::new(), Bench::new(), Bench::new());
    fs::write(runs.folder().database(), "").expect("writable");
    fs::write(log.folder().database(), "").expect("writable");
    for bench in [&log, &gone] {
        fs::write(bench.folder().write_ahead_log(), "the newest events").expect("writable");
    }
    let told = [&runs, &log, &gone].map(|bench| bench.complaint("r1"));
    for bench in [&log, &gone] {
        assert_eq!(fs::read(bench.folder().write_ahead_log()).expect("left alone"), b"the newest events");
    }
    insta::assert_snapshot!(told.join("\n"), @"
    the store [folder]/state/hprun.db is damaged: it is empty, though the folder knows of 1 run: put a copy of it back, or move the folder away to begin anew (what its runs have made is then no longer known)
    the store [folder]/state/hprun.db is damaged: it is empty, and its newest events are in [folder]/state/hprun.db-wal beside it: put a copy of both back, or move the folder away to begin anew (what its runs have made is then no longer known)
    the store [folder]/state/hprun.db is damaged: it is gone, and its newest events are in [folder]/state/hprun.db-wal beside it: put a copy of both back, or move the folder away to begin anew (what its runs have made is then no longer known)
    ");
    fs::write(new.folder().database(), "").expect("writable");
    assert_eq!(new.store().runs().expect("a new store"), []);
}

#[test]
fn the_file_of_another_program_is_left_alone() {
    let bench = Bench::new();
    bench.sql("CREATE TABLE run (id)");
    insta::assert_snapshot!(bench.complaint("r1"), @"the store [folder]/state/hprun.db is damaged: it holds tables of another program: name another folder with --state");
    bench.sql("INSERT INTO run VALUES (1)");
}

#[test]
fn a_store_that_another_process_keeps_locked_is_waited_for_and_told() {
    let (bench, new) = (filled(3), Bench::new());
    let lock = |bench: &Bench| {
        let other = Connection::open(bench.folder().database()).expect("the store is there");
        other.execute_batch("BEGIN EXCLUSIVE").expect("nobody else has it");
        other
    };
    let others = [lock(&bench), lock(&new)];
    let told = [complaint_of_append(&bench), complaint_of_append(&new)];
    insta::assert_snapshot!(told.join("\n"), @"
    the store [folder]/state/hprun.db cannot be written: another process keeps it locked: try again when that one has ended
    the store [folder]/state/hprun.db cannot be written: another process keeps it locked: try again when that one has ended
    ");
    drop(others);
    assert_eq!(bench.store().events("r1").expect("a sound store").len(), 3);
    assert_eq!(new.store().runs().expect("a new store"), []);
}

#[test]
fn a_read_only_store_and_a_disk_that_cannot_keep_it_are_told() {
    let told = [Fault::ReadOnly, Fault::NoSharedMemory].map(|fault| {
        let trial = Trial::new();
        trial.live().expect("nothing is wrong");
        trial.disk.set(Some(fault));
        let told = complaint_of_append(&trial.bench);
        trial.disk.set(None);
        trial.check(&trial.bench.folder(), trial.acknowledged());
        let new = Trial::new();
        new.disk.set(Some(fault));
        format!("{fault:?}:\n{told}\n{}", complaint_of_append(&new.bench))
    });
    insta::assert_snapshot!(told.join("\n"), @"
    ReadOnly:
    the store [folder]/state/hprun.db cannot be written: it cannot be opened (unable to open database file): make it and its folder readable and writable, or name another folder with --state
    the store [folder]/state/hprun.db cannot be written: the file or its folder is read-only: make it writable, or name another folder with --state
    NoSharedMemory:
    the store [folder]/state/hprun.db cannot be written: it cannot be opened (unable to open database file): make it and its folder readable and writable, or name another folder with --state
    the store [folder]/state/hprun.db cannot be written: its file system keeps no write-ahead log (SQLite's mode is delete): name a folder on a local disk with --state
    ");
}

#[test]
fn a_folder_below_a_file_is_refused() {
    let bench = Bench::new();
    let file = bench.0.path().canonicalize().expect("it is there").join("file");
    fs::write(&file, "").expect("writable");
    let told = StateFolder::at(&file.join("below")).expect_err("a file is no folder");
    insta::assert_snapshot!(bench.without_paths(&told), @"the state folder [folder]/file/below cannot be used: Not a directory (os error 20); name another one with --state or HPRUN_STATE");
}

#[test]
fn a_new_store_is_opened_by_many_at_once() {
    for _ in 0..20 {
        let bench = Bench::new();
        let (folder, together) = (bench.folder(), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    let store = Store::open(folder.clone()).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(store.runs().expect("a sound store"), []);
                });
            }
        });
    }
}

#[test]
fn a_new_store_that_another_process_is_just_making_is_waited_for() {
    let trial = Trial::new();
    let other = Connection::open(trial.bench.folder().database()).expect("nobody has it");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody has it");
    let access = Access { patience: PATIENCE * 6, ..access() };
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Store::open_through(access, trial.bench.folder()).map(drop));
        while trial.disk.refused_locks() < 3 && !opening.is_finished() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        other.execute_batch("COMMIT").expect("it is held");
        opening.join().expect("nobody panics").unwrap_or_else(|e| panic!("{e}"));
    });
}
