//! One process a run: the others are told who has it, and a process that is gone is no obstacle.

use std::fs::{self, File};
use std::process::Command;
use std::sync::Barrier;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, at, started};
use crate::store::lock::PATIENCE;
use crate::store::{Log, StartKey, StateFolder, StoreError, host_name};

const KEY: StartKey<'_> = StartKey { pipeline: "p", target: "aws", account: "111122223333", region: "us-west-2" };

#[test]
fn one_process_a_run_and_the_other_is_told_who_has_it() {
    let bench = Bench::new();
    let (folder, other) = (bench.folder(), bench.folder());
    let lock = folder.lock("r1").expect("nobody holds it");
    assert!(other.is_held("r1") && !other.is_held("r2"));
    match other.lock("r1").expect_err("it is held") {
        StoreError::Held { run, pid, .. } => assert_eq!((run.as_str(), pid), ("r1", std::process::id())),
        error => panic!("{error}"),
    }
    drop(other.lock("r2").expect("another run is free"));
    drop(lock);
    assert!(!other.is_held("r1"));
    drop(other.lock("r1").expect("it was let go"));
}

#[test]
fn the_lock_outlives_the_last_commit() {
    let bench = Bench::new();
    let log = bench.log("r1", 0);
    assert!(bench.folder().is_held("r1"));
    drop(log);
    assert!(!bench.folder().is_held("r1"));
}

/// The pid of a process that has ended.
fn dead() -> u32 {
    let mut child = Command::new("true").spawn().expect("there is a shell's `true`");
    child.wait().expect("it ends");
    child.id()
}

fn holder(pid: u32, host: &str) -> Value {
    json!({"pid": pid, "host": host, "since": "2026-01-01 10:00:00", "began": 1})
}

/// Holds the run by the system's lock alone, as a process does that has not said yet who it is.
fn held_silently(folder: &StateFolder, run: &str, holder: Option<&Value>) -> File {
    fs::create_dir_all(folder.run(run)).expect("writable");
    if let Some(holder) = holder {
        fs::write(folder.run(run).join("holder.json"), holder.to_string()).expect("writable");
    }
    let file = File::create(folder.run(run).join("lock")).expect("writable");
    file.try_lock().expect("nobody holds it");
    file
}

fn pid_told(error: &StoreError) -> u32 {
    match error {
        StoreError::Held { pid, .. } | StoreError::Beginning { pid, .. } => *pid,
        error => panic!("{error}"),
    }
}

#[test]
fn of_many_at_once_one_gets_the_run_and_the_others_are_told_its_process() {
    let bench = Bench::new();
    let folder = bench.folder();
    for round in 0..50 {
        if round % 2 == 1 {
            // As a killed process leaves it.
            fs::write(folder.run("r1").join("holder.json"), holder(dead(), &host_name()).to_string())
                .expect("writable");
        }
        let (together, done) = (Barrier::new(8), Barrier::new(8));
        let attempt = || {
            together.wait();
            let taken = folder.lock("r1");
            done.wait();
            taken.map(drop).map_err(|e| pid_told(&e))
        };
        let ends: Vec<Result<(), u32>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
            threads.into_iter().map(|thread| thread.join().expect("nobody panics")).collect()
        });
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1, "round {round}: {ends:?}");
        assert_eq!(ends.iter().filter(|end| **end == Err(std::process::id())).count(), 7, "round {round}: {ends:?}");
    }
}

#[test]
fn a_holder_is_given_time_to_say_who_it_is() {
    for left_behind in [None, Some(holder(dead(), &host_name())), Some(holder(std::process::id(), &host_name()))] {
        let bench = Bench::new();
        let folder = bench.folder();
        let silent = held_silently(&folder, "r1", left_behind.as_ref());
        let refused = std::thread::scope(|scope| {
            let late = scope.spawn(|| folder.lock_within("r1", PATIENCE * 30));
            // The loser reads nothing, or what a dead process (or an earlier one of the same pid) has left, until:
            let mut other = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("there is `cat`");
            let told = json!({"pid": other.id(), "host": "elsewhere", "since": "2026-01-01 10:00:00"});
            fs::write(folder.run("r1").join("told.json"), told.to_string()).expect("writable");
            fs::rename(folder.run("r1").join("told.json"), folder.run("r1").join("holder.json")).expect("writable");
            let refused = late.join().expect("nobody panics").expect_err("it is held");
            assert_eq!(pid_told(&refused), other.id(), "{left_behind:?}");
            drop(other.stdin.take());
            other.wait().expect("it ends with its input");
            refused
        });
        assert!(refused.to_string().ends_with("on elsewhere since 2026-01-01 10:00:00"), "{refused}");
        drop(silent);
    }
}

#[test]
fn a_holder_that_says_nothing_is_another_process() {
    let bench = Bench::new();
    let folder = bench.folder();
    let reused = holder(std::process::id(), &host_name());
    for (run, left_behind) in [("r1", None), ("r2", Some(holder(dead(), &host_name()))), ("r3", Some(reused))] {
        let _silent = held_silently(&folder, run, left_behind.as_ref());
        let refused = folder.lock_within(run, Duration::ZERO).expect_err("it is held");
        assert_eq!(refused.to_string(), format!("run {run} is held by another process"));
        assert_eq!(pid_told(&refused), 0);
    }
}

#[test]
fn who_has_let_go_is_not_named_for_who_has_it_now() {
    let bench = Bench::new();
    let folder = bench.folder();
    drop(folder.lock("r1").expect("nobody holds it"));
    let _silent = held_silently(&folder, "r1", None);
    assert_eq!(pid_told(&folder.lock_within("r1", Duration::ZERO).expect_err("it is held")), 0);
}

#[test]
fn what_a_dead_process_left_is_no_obstacle() {
    let bench = Bench::new();
    let folder = bench.folder();
    drop(held_silently(&folder, "r1", Some(&holder(dead(), &host_name()))));
    assert!(!folder.is_held("r1"));
    drop(folder.lock("r1").expect("it is dead"));
    fs::write(folder.run("r1").join("holder.json"), "{\"pid\": 1").expect("writable");
    drop(folder.lock("r1").expect("half a file is nobody"));
}

#[test]
fn looking_whether_a_run_is_held_keeps_nobody_from_it() {
    let bench = Bench::new();
    let folder = bench.folder();
    let looking = held_silently(&folder, "r1", None);
    looking.unlock().expect("it is held");
    looking.lock_shared().expect("nobody holds it");
    std::thread::scope(|scope| {
        let taken = scope.spawn(|| folder.lock_within("r1", PATIENCE * 30));
        looking.unlock().expect("it is held");
        drop(taken.join().expect("nobody panics").expect("a look is short"));
    });
}

#[test]
fn one_run_of_a_pipeline_is_begun_at_a_time_in_one_place() {
    let bench = Bench::new();
    let folder = bench.folder();
    let first = folder.lock_start(&KEY).expect("nobody else begins one");
    let refused = folder.lock_start(&KEY).expect_err("one is being begun");
    assert!(refused.to_string().starts_with("a run of p is being begun here by process "), "{refused}");
    assert_eq!(pid_told(&refused), std::process::id());
    let others = [
        StartKey { pipeline: "q", ..KEY },
        StartKey { target: "/worlds/1", ..KEY },
        StartKey { account: "999999999999", ..KEY },
        StartKey { region: "eu-west-1", ..KEY },
        StartKey { pipeline: "p\",\"aws", target: "", ..KEY },
    ];
    for other in others {
        drop(folder.lock_start(&other).expect("another place or pipeline"));
    }
    drop(first);
    drop(folder.lock_start(&KEY).expect("it was let go"));
}

#[test]
fn the_right_to_begin_ends_when_the_beginning_is_recorded() {
    let bench = Bench::new();
    let folder = bench.folder();
    let start = folder.lock_start(&KEY).expect("nobody else begins one");
    let lock = folder.lock("r1").expect("nobody holds it").with_start(Some(start));
    let log = Log::open(&folder, "r1", lock, 0).expect("a sound store");
    assert!(folder.lock_start(&KEY).is_err(), "nothing is recorded yet");
    log.handle().append(vec![(at(0), started())]).expect("a sound store");
    drop(folder.lock_start(&KEY).expect("it is recorded"));
    assert!(folder.is_held("r1"));
}
