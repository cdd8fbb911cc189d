//! The record as a program's user meets it: clear words for a store in trouble.
//! Must know nothing of hprun's insides but that the record is an SQLite file in the state folder.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Desk, End, finish, succeed};

/// A pipeline that is done at once.
fn quick(desk: &Desk) -> String {
    desk.write("hello.txt.hbs", "hello\n");
    desk.write(
        "quick.yaml",
        "apiVersion: hprun/v1\nname: quick\naws: { region: us-west-2 }\nsteps:\n\
         \x20 - { id: hello, type: render-config, with: { template: hello.txt.hbs, format: text, values: {} } }\n",
    )
}

fn assert_refused(end: &End, words: &str) {
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains(words), "{words:?} is not said: {}", end.stderr);
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
