//! The record as a program's user meets it: one process a run, one start a pipeline, and clear words for a store in trouble.
//! Must know nothing of hprun's insides but that the record is an SQLite file in the state folder.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::{Desk, End, Running, finish, is_event, start, succeed, until};

/// A pipeline that is done at once.
fn quick(desk: &Desk) -> String {
    desk.write("hello.txt.hbs", "hello\n");
    desk.write(
        "quick.yaml",
        "apiVersion: hprun/v1\nname: quick\naws: { region: us-west-2 }\nsteps:\n\
         \x20 - { id: hello, type: render-config, with: { template: hello.txt.hbs, format: text, values: {} } }\n",
    )
}

/// A pipeline that waits for an answer as long as the sandbox holds it back, and then fails.
fn waiting(desk: &Desk) -> String {
    desk.faults(&json!({"calls": [{"operation": "DescribeStacks", "fault": "delay", "delay": "90h"}]}));
    desk.write(
        "waiting.yaml",
        "apiVersion: hprun/v1\nname: waiting\naws: { region: us-west-2 }\nsteps:\n\
         \x20 - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } }, timeout: 90h }\n",
    )
}

fn begun(running: &mut Running) {
    running.until_event("the step is begun", |event| is_event(event, "attempt-started", "infra"));
}

/// Waits until all but one have ended: the one that goes on, and how the others ended.
fn one_goes_on(mut all: Vec<Running>) -> (Running, Vec<End>) {
    let left = until("all but one are refused", || {
        let on: Vec<usize> = (0..all.len()).filter(|at| !all[*at].has_ended()).collect();
        (on.len() < 2).then_some(on)
    });
    let winner = all.swap_remove(*left.first().expect("one goes on"));
    (winner, all.into_iter().map(Running::finish).collect())
}

fn assert_refused(end: &End, words: &str) {
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains(words), "{words:?} is not said: {}", end.stderr);
}

#[test]
fn of_resumes_at_once_one_goes_on_and_a_killed_process_is_no_obstacle() {
    let desk = Desk::with_sandbox();
    let file = waiting(&desk);
    let mut first = start(desk.sandboxed(&file, &[]));
    begun(&mut first);
    first.kill();
    for _ in 0..3 {
        let (mut winner, losers) = one_goes_on((0..4).map(|_| start(desk.resume(&[]))).collect());
        begun(&mut winner);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        for end in &losers {
            assert_refused(end, &format!("is held by process {} on {host} since 20", winner.pid()));
            assert_refused(end, &format!("kill -INT {}", winner.pid()));
        }
        winner.kill();
    }
    desk.faults(&json!({}));
    let end = finish(desk.resume(&[]));
    assert!(end.code == Some(1) && end.stdout.contains("not-there"), "{end:?}");
}

#[test]
fn of_starts_at_once_one_goes_on_and_the_others_have_done_nothing() {
    let desk = Desk::with_sandbox();
    let file = waiting(&desk);
    let (mut winner, losers) = one_goes_on((0..4).map(|_| start(desk.sandboxed(&file, &[]))).collect());
    begun(&mut winner);
    for end in losers {
        assert_eq!((end.code, end.stdout.as_str()), (Some(3), ""), "{end:?}");
        let by = format!("a run of waiting is being begun here by process {} on ", winner.pid());
        assert!(end.stderr.contains(&by) || end.stderr.contains("of waiting is not finished here"), "{end:?}");
    }
    let runs = succeed(desk.command(&["runs", "--output", "json"])).stdout;
    assert_eq!(runs.lines().count(), 1, "{runs}");
    winner.kill();
    assert_refused(&finish(desk.sandboxed(&file, &[])), "of waiting is not finished here");
    desk.faults(&json!({}));
    let end = finish(desk.sandboxed(&file, &["--new"]));
    assert!(end.code == Some(1) && end.stdout.contains("not-there"), "{end:?}");
}

#[test]
fn a_store_in_trouble_is_told_by_every_command_and_left_as_it_is() {
    let desk = Desk::with_sandbox();
    let file = quick(&desk);
    succeed(desk.sandboxed(&file, &[]));
    let path = desk.path("state/hprun.db");
    let sound = std::fs::read(&path).unwrap();
    let newer = || {
        let store = rusqlite::Connection::open(&path).unwrap();
        store.pragma_update(None, "user_version", 99).unwrap();
        store.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    };
    let troubles: [(&dyn Fn(), &str); 4] = [
        (&newer, "has format 99, and this hprun knows 1 at most: use the newer hprun that wrote it"),
        (&|| std::fs::write(&path, "no database ".repeat(1000)).unwrap(), "is damaged: file is not a database"),
        (&|| std::fs::write(&path, "").unwrap(), "it is empty, though the folder knows of 1 run"),
        (&|| std::fs::write(&path, &sound[..4096]).unwrap(), "put a copy of the state folder back"),
    ];
    for (trouble, words) in troubles {
        std::fs::write(&path, &sound).unwrap();
        trouble();
        let before = std::fs::read(&path).unwrap();
        for command in [&["runs"][..], &["show"], &["outputs"], &["resume"]] {
            assert_refused(&finish(desk.command(command)), words);
        }
        assert_refused(&finish(desk.sandboxed(&file, &[])), words);
        assert!(std::fs::read(&path).unwrap() == before, "the file was changed: {words}");
    }
    std::fs::write(&path, &sound).unwrap();
    assert!(succeed(desk.command(&["show"])).stdout.contains("hello"));
}

#[test]
fn a_folder_that_may_only_be_read_is_told() {
    let desk = Desk::with_sandbox();
    let file = quick(&desk);
    succeed(desk.sandboxed(&file, &[]));
    let path = desk.path("state/hprun.db");
    let before = std::fs::read(&path).unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(&desk.path(""), 0o755);
    mode(&path, 0o444);
    mode(&desk.path("state"), 0o555);
    let program = desk.path("hprun");
    let own = desk.command(&[]).get_program().to_owned();
    std::fs::hard_link(&own, &program).or_else(|_| std::fs::copy(&own, &program).map(drop)).unwrap();
    for arguments in [&["runs"][..], &["resume"], &["run", "--sandbox", &file]] {
        let as_typed = desk.command(arguments);
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(desk.path(""));
        command.env_clear().envs(as_typed.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if rustix::process::geteuid().is_root() {
            // Permissions do not bind root: it becomes nobody.
            command.uid(65534).gid(65534);
        }
        let output = match command.output() {
            Err(e) if rustix::process::geteuid().is_root() => {
                eprintln!("not tried: root cannot become another user here ({e})");
                break;
            }
            output => output.unwrap(),
        };
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {stderr}");
        assert!(stderr.contains("writable, or name another folder with --state"), "{arguments:?}: {stderr}");
    }
    mode(&desk.path("state"), 0o700);
    mode(&path, 0o600);
    assert!(std::fs::read(&path).unwrap() == before);
    assert!(succeed(desk.command(&["show"])).stdout.contains("hello"));
}
