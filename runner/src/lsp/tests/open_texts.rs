//! What is told of texts that change while they are checked.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::lsp::desk::{Desk, ToCheck};

const STACK: &str = "Resources:\n  A: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref Nowhere } }\n";

fn open(desk: &mut Desk, uri: &str, text: &str) {
    let opened = json!({ "uri": uri, "version": 1, "text": text });
    desk.take("textDocument/didOpen", json!({ "textDocument": opened })).expect("it is well-formed");
}

fn change(desk: &mut Desk, uri: &str, version: i64, text: &str) {
    let changed = json!({ "uri": uri, "version": version });
    let params = json!({ "textDocument": changed, "contentChanges": [{ "text": text }] });
    desk.take("textDocument/didChange", params).expect("it is well-formed");
}

fn close(desk: &mut Desk, uri: &str) {
    desk.take("textDocument/didClose", json!({ "textDocument": { "uri": uri } })).expect("it is well-formed");
}

/// The check of a text, as it is on another thread.
fn checked(text: &ToCheck) -> Analysis {
    let give = |specs: &ParamSpecs| {
        let nothing = |_: &str| None;
        let given =
            Given { cli: &[], files: &[], recorded: &|_| None, environment: &nothing, ssm: &nothing, answers: &[] };
        resolve(specs, &given)
    };
    analyse(&text.text, hprun_steps::STEP_TYPES, &|inputs| text.disk.load(inputs), &give)
}

/// A pipeline with a template beside it, in a folder: their addresses.
fn stack_in(folder: &Path) -> (String, String) {
    std::fs::write(folder.join("t.yaml"), STACK).expect("it can be written");
    let folder = folder.canonicalize().expect("it is there");
    (format!("file://{}/p.yaml", folder.display()), format!("file://{}/t.yaml", folder.display()))
}

const STEPS: &str =
    "apiVersion: hprun/v1\nname: p\nsteps:\n  - { id: a, type: deploy-stack, with: { name: s, template: t.yaml } }\n";

#[test]
fn what_was_found_in_a_text_that_was_closed_is_not_told_of_the_one_that_was_opened_again() {
    let mut desk = Desk::new(hprun_steps::STEP_TYPES);
    let uri = "untitled:p";
    open(&mut desk, uri, "apiVersion: hprun/v1\nname: p\nsteps: []\n");
    let old = desk.next_stale().expect("it is to be checked");
    close(&mut desk, uri);
    open(&mut desk, uri, "apiVersion: hprun/v1\nname: q\nsteps: []\n");
    assert_eq!(desk.take_analysis(&old, checked(&old)), [json!(null); 0]);
    let new = desk.next_stale().expect("it is to be checked");
    assert_eq!(desk.take_analysis(&new, checked(&new)).len(), 1);
}

#[test]
fn what_was_found_in_a_file_that_changed_meanwhile_is_not_told_of_its_new_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (pipeline, template) = stack_in(folder.path());
    let mut desk = Desk::new(hprun_steps::STEP_TYPES);
    open(&mut desk, &template, STACK);
    open(&mut desk, &pipeline, STEPS);
    let first = desk.next_stale().expect("it is to be checked");
    let of_template = |told: &[Json]| told.iter().find(|told| told["uri"] == template).cloned();
    let told = desk.take_analysis(&first, checked(&first));
    assert_eq!(of_template(&told).expect("the template has a mistake")["version"], 1);
    // It is checked again, and while that goes on the template gets one more line.
    change(&mut desk, &pipeline, 2, &format!("{STEPS}\n"));
    let late = desk.next_stale().expect("the pipeline has changed");
    change(&mut desk, &template, 2, &format!("Description: one more line\n{STACK}"));
    let told = desk.take_analysis(&late, checked(&late));
    assert_eq!(of_template(&told), None, "neither taken away nor told at old places");
    let second = desk.next_stale().expect("the change is on its way");
    let told = desk.take_analysis(&second, checked(&second));
    let told = of_template(&told).expect("the template has a mistake");
    assert_eq!((&told["version"], &told["diagnostics"][0]["range"]["start"]["line"]), (&json!(2), &json!(2)));
}
