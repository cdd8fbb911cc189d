//! What may follow what: every status of a step against every event, and what a new pass keeps.

use hprun_steps::ErrorClass;
use hprun_steps::context::Record;
use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::{RunState, Status};
use crate::event::{Entry, Event, Failure, Outcome, PassStarted, RunStarted, Target, testing};

fn run_started() -> Event {
    let target = Target::Sandbox { world: "/w".to_owned() };
    Event::RunStarted(Box::new(RunStarted { target, ..testing::run_started() }))
}

fn pass_started() -> Event {
    let steps = [("a".to_owned(), "use-thing".to_owned())].into_iter().collect();
    Event::PassStarted(Box::new(PassStarted { steps, ..testing::pass_started() }))
}

fn begun(attempt: u32) -> Event {
    Event::AttemptStarted { step: "a".to_owned(), attempt, inputs: json!({}), files: Vec::new(), because: Vec::new() }
}

fn recorded() -> Event {
    Event::Recorded { step: "a".to_owned(), record: Record::ChildEnded { pid: 7 } }
}

fn succeeded(attempt: u32) -> Event {
    Event::StepSucceeded { step: "a".to_owned(), attempt, outputs: json!({"id": "x"}), files: Vec::new() }
}

fn failed(attempt: u32, class: ErrorClass, retry: bool) -> Event {
    let failure =
        Failure { message: "no".to_owned(), causes: Vec::new(), help: None, class, code: None, request_id: None };
    Event::AttemptFailed { step: "a".to_owned(), attempt, failure, retry_at: retry.then(|| at(1000)) }
}

fn interrupted(attempt: u32) -> Event {
    Event::AttemptInterrupted { step: "a".to_owned(), attempt }
}

fn skipped() -> Event {
    Event::StepSkipped { step: "a".to_owned(), reason: String::new() }
}

fn reused() -> Event {
    Event::StepReused { step: "a".to_owned(), reason: String::new() }
}

fn trusted() -> Event {
    Event::StepTrusted { step: "a".to_owned(), inputs: json!({}), files: Vec::new(), outputs: json!({"id": "x"}) }
}

fn inherited() -> Event {
    let outputs = Some(json!({"id": "x"}));
    Event::Inherited { step: "a".to_owned(), records: vec![Record::ChildEnded { pid: 7 }], outputs }
}

fn handed_over() -> Event {
    Event::HandedOver { to: "r2".to_owned() }
}

fn exported() -> Event {
    Event::Exported { host: "here".to_owned() }
}

fn imported() -> Event {
    Event::Imported { host: "there".to_owned(), path: "/there.yaml".to_owned() }
}

fn copied() -> Event {
    Event::Copied { host: "here".to_owned() }
}

fn ended(outcome: Outcome) -> Event {
    Event::PassEnded { outcome }
}

fn at(seq: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + i64::try_from(seq).expect("small").seconds()
}

/// The state that these events lead to, numbered and dated by their place.
fn replay(events: Vec<Event>) -> Result<RunState, String> {
    let entries = (1..).zip(events).map(|(seq, event)| Entry { seq, at: at(seq), event });
    RunState::replay(&entries.collect::<Vec<_>>()).map_err(|e| e.to_string())
}

fn after(events: Vec<Event>) -> Vec<Event> {
    [run_started(), pass_started()].into_iter().chain(events).collect()
}

/// Events that lead to each status, and the number of the step's newest try there.
fn ways() -> Vec<(&'static str, u32, Vec<Event>)> {
    let held = || vec![begun(1), succeeded(1), pass_started()];
    vec![
        ("waiting", 0, after(vec![])),
        ("held", 1, after(held())),
        ("running", 1, after(vec![begun(1)])),
        ("retrying", 1, after(vec![begun(1), failed(1, ErrorClass::Failed, true)])),
        ("succeeded", 1, after(vec![begun(1), succeeded(1)])),
        ("reused", 1, after([held(), vec![reused()]].concat())),
        ("skipped", 0, after(vec![skipped()])),
        ("failed", 1, after(vec![begun(1), failed(1, ErrorClass::Failed, false)])),
        ("interrupted", 1, after(vec![begun(1), interrupted(1)])),
    ]
}

#[test]
fn every_status_takes_exactly_the_events_that_can_follow_it() {
    let mut table = String::new();
    for (name, tries, way) in ways() {
        let events = [
            ("begin", begun(tries + 1)),
            ("begin same", begun(tries)),
            ("record", recorded()),
            ("succeed", succeeded(tries)),
            ("succeed other", succeeded(tries + 1)),
            ("fail", failed(tries, ErrorClass::Failed, false)),
            ("fail, retry", failed(tries, ErrorClass::Failed, true)),
            ("not begun", failed(0, ErrorClass::Invalid, false)),
            ("interrupt", interrupted(tries)),
            ("skip", skipped()),
            ("reuse", reused()),
            ("trust", trusted()),
        ];
        let before = replay(way.clone()).expect("the way is legal").step("a").status;
        assert!(format!("{before:?}").to_lowercase().starts_with(name), "{name} is {before:?}");
        for (event_name, event) in events {
            if let Ok(state) = replay([way.clone(), vec![event]].concat()) {
                table.push_str(&format!("{name} + {event_name} = {:?}\n", state.step("a").status));
            }
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_run_begins_once_and_nothing_happens_outside_of_a_pass() {
    let refused = |events: Vec<Event>| replay(events).expect_err("cannot follow");
    let done = || ended(Outcome::Succeeded);
    insta::assert_snapshot!([
        refused(vec![pass_started()]),
        refused(vec![run_started(), run_started()]),
        refused(vec![run_started(), begun(1)]),
        refused(vec![run_started(), done()]),
        refused(after(vec![done(), begun(1)])),
        refused(after(vec![done(), done()])),
    ]
    .join("\n"), @r"
    event 1 (pass-started) cannot stand here: the run has not started
    event 2 (run-started) cannot stand here: the run has started already
    event 2 (attempt-started) cannot stand here: no pass has started
    event 2 (pass-ended) cannot stand here: no pass has started
    event 4 (attempt-started) cannot stand here: the pass has ended
    event 4 (pass-ended) cannot stand here: the pass has ended
    ");
    let entries = [Entry { seq: 2, at: at(2), event: run_started() }];
    let gap = RunState::replay(&entries).expect_err("event 1 is missing");
    assert_eq!(gap.to_string(), "event 2 (run-started) cannot stand here: event 1 was expected");
}

#[test]
fn a_new_pass_keeps_what_was_done_and_recorded_and_counts_failures_anew() {
    let once_failed = vec![begun(1), recorded(), failed(1, ErrorClass::Failed, true), begun(2)];
    let state = replay(after([once_failed.clone(), vec![pass_started()]].concat())).expect("legal");
    let step = state.step("a");
    assert_eq!((step.status, step.attempts, step.failures, step.records.len()), (Status::Waiting, 2, 0, 1));
    assert_eq!((state.passes, state.outcome), (2, None));

    let state = replay(after([once_failed, vec![succeeded(2), ended(Outcome::Failed), pass_started()]].concat()));
    let state = state.expect("legal");
    let step = state.step("a");
    assert_eq!((step.status, step.attempts, step.failure.clone()), (Status::Held, 2, None));
    assert_eq!(step.success.as_ref().map(|s| s.given.step_type.as_str()), Some("use-thing"));
}

#[test]
fn an_earlier_result_is_gone_once_the_step_is_tried_or_skipped_again() {
    for again in [begun(2), skipped()] {
        let events = after(vec![begun(1), succeeded(1), pass_started(), again, pass_started()]);
        let state = replay(events).expect("legal");
        assert_eq!((state.step("a").status, &state.step("a").success), (Status::Waiting, &None));
    }
}

#[test]
fn setbacks_and_failures_are_counted_apart() {
    let classes = [
        (ErrorClass::Transient, (0, 1)),
        (ErrorClass::Unknown, (1, 0)),
        (ErrorClass::Failed, (1, 0)),
        (ErrorClass::Refused, (1, 0)),
    ];
    for (class, counted) in classes {
        let state = replay(after(vec![begun(1), failed(1, class, true)])).expect("legal");
        assert_eq!((state.step("a").failures, state.step("a").setbacks), counted, "{class:?}");
    }
}

/// A run may leave after anything; what may follow then is told by what it left for.
#[test]
fn a_run_that_left_takes_only_what_brings_it_back() {
    let leaves = [("handed over", handed_over()), ("exported", exported()), ("copied", copied())];
    let follows = [
        ("begin", begun(1)),
        ("pass", pass_started()),
        ("end", ended(Outcome::Failed)),
        ("hand over", handed_over()),
        ("export", exported()),
        ("import", imported()),
        ("copy", copied()),
    ];
    let mut table = String::new();
    for (left, leave) in leaves {
        for way in [vec![], vec![begun(1)], vec![begun(1), succeeded(1), ended(Outcome::Succeeded)]] {
            replay(after([way, vec![leave.clone()]].concat())).expect(left);
        }
        let can = follows.iter().filter(|(_, event)| replay(after(vec![leave.clone(), event.clone()])).is_ok());
        let can: Vec<&str> = can.map(|(name, _)| *name).collect();
        table.push_str(&format!("{left}: {}\n", can.join(", ")));
    }
    insta::assert_snapshot!(table, @r"
    handed over: copy
    exported: pass, import, copy
    copied:
    ");
}

#[test]
fn every_event_survives_being_written_and_read() {
    let mut events: Vec<Event> = ways().into_iter().flat_map(|(_, _, way)| way).collect();
    events.extend([recorded(), skipped(), ended(Outcome::Interrupted), inherited()]);
    events.extend([trusted(), exported(), imported(), handed_over(), copied()]);
    for (seq, event) in (1..).zip(events) {
        let entry = Entry { seq, at: at(seq), event };
        let text = serde_json::to_string(&entry).expect("plain data");
        assert_eq!(serde_json::from_str::<Entry>(&text).expect(&text), entry);
        assert!(text.contains(&format!("\"event\":\"{}\"", entry.event.kind())), "{text}");
    }
}

#[test]
fn what_passes_to_a_run_is_its_own_before_its_first_pass_and_never_after() {
    let state = replay(vec![run_started(), inherited(), pass_started()]).expect("a rerun");
    assert_eq!(state.step("a").records.len(), 1);
    assert_eq!((state.step("a").status, &state.step("a").success), (Status::Waiting, &None), "nothing of it is reused");
    let former = state.step("a").former.as_ref().map(|former| former.outputs.clone());
    assert_eq!(former, Some(json!({"id": "x"})), "what a person means who trusts the step");
    insta::assert_snapshot!(replay(after(vec![inherited()])).expect_err("too late"), @"event 3 (inherited) cannot stand here: a pass has started");
}

#[test]
fn a_run_that_left_goes_on_in_one_place_only() {
    let refused = |more: Vec<Event>| replay(after(more)).expect_err("cannot follow");
    insta::assert_snapshot!([
        refused(vec![handed_over(), pass_started()]),
        refused(vec![handed_over(), exported()]),
        refused(vec![exported(), begun(1)]),
        refused(vec![imported()]),
        refused(vec![exported(), imported(), begun(1)]),
    ].join("\n"), @"
    event 4 (pass-started) cannot stand here: what the run made was handed over
    event 4 (exported) cannot stand here: what the run made was handed over
    event 4 (attempt-started) cannot stand here: the run was exported
    event 3 (imported) cannot stand here: the run was not exported
    event 5 (attempt-started) cannot stand here: the pass has ended
    ");
    let back = replay(after(vec![begun(1), exported(), pass_started()])).expect("taken back");
    assert_eq!((back.left.clone(), back.path()), (None, Some("/p.yaml")));
    let there = replay(after(vec![begun(1), exported(), imported(), pass_started(), begun(2)])).expect("imported");
    assert_eq!((there.left.clone(), there.path()), (None, Some("/there.yaml")));
}

#[test]
fn steps_stand_in_the_order_of_the_newest_plan_and_those_that_are_gone_after_them() {
    let pass = |ids: &[&str]| {
        let steps = ids.iter().map(|id| ((*id).to_owned(), "use-thing".to_owned())).collect();
        Event::PassStarted(Box::new(PassStarted { steps, ..testing::pass_started() }))
    };
    let state = replay(vec![run_started(), pass(&["b", "a", "x"]), begun(1), pass(&["a", "c", "b"])]).expect("legal");
    assert_eq!(state.steps.keys().collect::<Vec<_>>(), ["a", "c", "b", "x"]);
    assert_eq!(state.step("a").attempts, 1);
}

#[test]
fn the_newest_text_of_the_pipeline_is_kept() {
    let edited = |text: &str| {
        Event::PassStarted(Box::new(PassStarted { text: Some(text.to_owned()), ..testing::pass_started() }))
    };
    let text = |events: Vec<Event>| replay(events).expect("legal").text().map(str::to_owned);
    assert_eq!(text(vec![run_started(), pass_started()]), Some(String::new()));
    assert_eq!(text(vec![run_started(), edited("one"), edited("two"), pass_started()]), Some("two".to_owned()));
}
