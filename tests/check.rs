//! The corpus: every folder of tests/check/broken with its findings in expected.txt, every folder of tests/check/valid with none.
//! Must know nothing of hprun's insides: it runs `hprun check pipeline.yaml` in each folder.
//!
//! `HPRUN_EXPECT=write` writes each expected.txt anew; read the difference before committing it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::repository;

fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = repository().join("tests/check").join(kind);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.join("pipeline.yaml").is_file());
    cases.sort();
    cases
}

/// What `hprun check` says in this folder, and whether it ended well.
fn told(case: &Path) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hprun"));
    command.args(["check", "pipeline.yaml"]).current_dir(case).env_clear().env("NO_COLOR", "1");
    let output = command.output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.success())
}

#[test]
fn every_broken_file_is_told_as_it_is_written_down() {
    let write = std::env::var_os("HPRUN_EXPECT").is_some();
    let mut wrong = String::new();
    for case in cases("broken") {
        let (told, _) = told(&case);
        let file = case.join("expected.txt");
        if write {
            std::fs::write(&file, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        let name = case.file_name().unwrap().display();
        if told != expected {
            wrong.push_str(&format!("== {name} expected:\n{expected}== but told:\n{told}\n"));
        }
        assert!(told.contains("error[HP") || told.contains("warning[HP"), "{name}: nothing is found:\n{told}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_sound_file_gives_a_false_alarm() {
    for case in cases("valid") {
        let (told, well) = told(&case);
        let name = case.file_name().unwrap().display();
        assert!(well && !told.contains("[HP"), "{name}:\n{told}");
    }
}
