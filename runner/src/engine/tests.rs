//! The engine on a real store in a folder of its own, with one step type that does what a test asks of it.
//! Nothing waits by the wall: pauses and timeouts run on a fast clock, the rest on what the steps themselves say.

mod bench;
mod choice;
mod edits;

use std::time::Duration;

use crate::store::Store;
use bench::{Bench, SECRET};

/// A step with these inputs; `more` stands beside `with:`.
fn step(id: &str, more: &str, with: &str) -> String {
    format!("  - {{ id: {id}, type: play{more}, with: {{ {with} }} }}\n")
}

fn check_time(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    // Only so that a hang is a failure with a name.
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("the engine hangs") };
    runtime.expect("a runtime").block_on(limited);
}

#[test]
fn outputs_go_from_step_to_step_and_independent_steps_run_side_by_side() {
    check_time(async {
        let bench = Bench::new();
        let steps = [
            step("a", ", needs: []", "meet: 2, say: x"),
            step("b", ", needs: []", "meet: 2"),
            step("c", ", needs: [a, b]", "say: '{{ steps.a.outputs.said }}y', record: 3"),
        ];
        let told = bench.pass(&steps.concat()).await;
        let tail = "c begins 1\nc records\nc records\nc records\nc succeeds: \"xy\"\npass ends: Succeeded\nSucceeded";
        assert!(told.ends_with(tail), "{told}");
        assert_eq!(bench.shown().last().map(String::as_str), Some("closed"));
    });
}

#[test]
fn steps_that_work_on_files_work_side_by_side_and_leave_the_engine_free() {
    check_time(async {
        let bench = Bench::new();
        bench.write("f", "text");
        let steps = [step("a", ", needs: []", "file: f, hold: 2"), step("b", ", needs: []", "file: f, hold: 2")];
        assert!(bench.pass(&steps.concat()).await.ends_with("pass ends: Succeeded\nSucceeded"));
    });
}

#[test]
fn one_at_a_time_means_one_at_a_time() {
    check_time(async {
        let bench = Bench { max_parallel: 1, ..Bench::new() };
        let told = bench.pass(&[step("a", "", ""), step("b", ", needs: []", "")].concat()).await;
        let expected = "a begins 1\na succeeds: \"\"\nb begins 1\nb succeeds: \"\"\npass ends: Succeeded\nSucceeded";
        assert_eq!(told, expected);
    });
}

#[test]
fn a_failure_is_tried_again_as_retry_says_and_then_fails_the_run() {
    check_time(async {
        let retry = ", retry: { max-attempts: 2, delay: 30s }";
        let told = Bench::new().pass(&step("a", retry, "fail: 1")).await;
        insta::assert_snapshot!(told, @r#"
        a begins 1
        a is tried again: Failed: no [cause] advice
        a begins 2
        a succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
        let told = Bench::new().pass(&[step("a", retry, "fail: 2"), step("b", "", "")].concat()).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a is tried again: Failed: no [cause] advice
        a begins 2
        a has failed: Failed: no [cause] advice
        pass ends: Failed
        Failed
        ");
        let throttled = Bench::new().pass(&step("a", "", "fail: 1, class: transient")).await;
        assert!(throttled.contains("a is tried again: Transient"), "{throttled}");
    });
}

#[test]
fn a_timeout_tells_the_step_to_stop_and_leaves_the_outcome_unknown() {
    check_time(async {
        let told = Bench::new().pass(&step("a", ", timeout: 60s", "hang: true")).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a has failed: Unknown: it did not end within its timeout of 1m [] what it began goes on without hprun: resume to look again, or give it a longer `timeout:`
        pass ends: Failed
        Failed
        ");
    });
}

#[test]
fn an_interruption_stops_what_runs_begins_nothing_and_is_resumed() {
    check_time(async {
        let bench = Bench { stop_at: "hanging", ..Bench::new() };
        let steps = |hang: bool| {
            let finally = format!("finally:\n{}", step("f", "", ""));
            [step("a", "", &format!("hang: {hang}")), step("b", "", ""), finally].concat()
        };
        let told = bench.pass(&steps(true)).await;
        assert_eq!(told, "a begins 1\na is interrupted\npass ends: Interrupted\nInterrupted");
        assert_eq!(bench.shown(), ["a: hanging", "stopping", "closed"]);
        insta::assert_snapshot!(bench.pass(&steps(false)).await, @r#"
        a begins 2
        a succeeds: ""
        b begins 1
        b succeeds: ""
        f begins 1
        f succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
    });
}

#[test]
fn what_is_found_lost_after_the_stop_is_made_again_on_resume_only() {
    check_time(async {
        let bench = Bench { stop_at: "hanging", ..Bench::new() };
        let a = step("a", ", needs: []", "");
        bench.pass(&a).await;
        bench.write("probe-a", "wait");
        let told = bench.pass(&[a.clone(), step("b", ", needs: []", "hang: true")].concat()).await;
        assert_eq!(told, "b begins 1\nb is interrupted\npass ends: Interrupted\nInterrupted");
        bench.write("probe-a", "it is gone");
        assert!(bench.pass(&a).await.starts_with("a begins 2: it is gone\n"));
    });
}

#[test]
fn what_the_stop_cut_off_is_interrupted_and_what_is_known_to_have_failed_has_failed() {
    check_time(async {
        for (class, told) in [
            ("transient", "a is interrupted"),
            ("unknown", "a is interrupted"),
            ("login", "a is interrupted"),
            ("failed", "a has failed: Failed: cut off []"),
        ] {
            let bench = Bench { stop_at: "hanging", ..Bench::new() };
            let ended = bench.pass(&step("a", "", &format!("hang: true, class: {class}"))).await;
            assert_eq!(ended, format!("a begins 1\n{told}\npass ends: Interrupted\nInterrupted"), "{class}");
        }
    });
}

#[test]
fn a_step_that_says_interrupted_when_nobody_asked_has_failed() {
    check_time(async {
        let told = Bench::new().pass(&step("a", "", "fail: 9, class: interrupted")).await;
        assert_eq!(told, "a begins 1\na has failed: Interrupted: no [cause] advice\npass ends: Failed\nFailed");
    });
}

#[test]
fn a_panic_is_a_failure_that_says_bug() {
    check_time(async {
        let told = Bench::new().pass(&step("a", ", retry: { max-attempts: 3 }", "panic: true")).await;
        insta::assert_snapshot!(told, @r"
        a begins 1
        a has failed: Invalid: the step stopped by a bug in hprun [the step fell over ]
        pass ends: Failed
        Failed
        ");
    });
}

#[test]
fn a_panic_before_a_try_or_in_a_look_at_an_earlier_result_ends_the_step_too() {
    check_time(async {
        let bench = Bench::new();
        let steps = [step("a", "", "say: panic"), step("b", "", "file: '{{ steps.a.outputs.said }}'")].concat();
        let told = bench.pass(&steps).await;
        assert!(told.contains("b has failed: Invalid: the step stopped by a bug in hprun"), "{told}");
        bench.write("probe-a", "panic");
        let told = bench.pass(&steps).await;
        assert!(
            told.contains("a has failed: Invalid: the step stopped by a bug in hprun [the look fell over]"),
            "{told}"
        );
        bench.write("probe-a", "fail");
        let told = bench.pass(&steps).await;
        assert!(told.contains("a has failed: Failed: cannot look [while looking at"), "{told}");
    });
}

#[test]
fn a_look_at_an_earlier_result_goes_on_through_what_passes_by_itself() {
    check_time(async {
        let bench = Bench::new();
        let a = step("a", "", "");
        bench.pass(&a).await;
        bench.write("probe-a", "throttle once");
        assert!(bench.pass(&a).await.starts_with("a is reused"));
        assert!(bench.shown().contains(&"a: trying again: no answer".to_owned()), "{:?}", bench.shown());
        bench.write("probe-a", "throttle");
        let told = bench.pass(&a).await;
        assert!(told.contains("a has failed: Transient: not now [while looking at"), "after an hour: {told}");
    });
}

#[test]
fn a_store_that_cannot_be_written_stops_the_run_where_it_stands() {
    check_time(async {
        let records_first = "record: 1, write: out";
        for (kind, last, does) in [
            ("step-succeeded", "a records", records_first),
            ("recorded", "a begins 1", records_first),
            ("attempt-started", "", records_first),
            ("attempt-started", "", "write: out"),
        ] {
            let bench = Bench::new();
            drop(Store::open(bench.state_folder()).expect("a fresh store"));
            let full = format!(
                "CREATE TRIGGER full BEFORE INSERT ON event WHEN NEW.kind = '{kind}'
                 BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            );
            let other = rusqlite::Connection::open(bench.state_folder().database()).expect("the store is there");
            other.execute_batch(&full).expect("a trigger");
            let steps = [step("a", "", does), step("b", "", "")].concat();
            let error = bench.try_pass(&steps).await.expect_err("the store is full").to_string();
            // A step that was told too much would go on now.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert!(error.ends_with("cannot be written: disk is full"), "{error}");
            assert_eq!(bench.told().lines().last().unwrap_or_default(), last);
            let done = bench.folder.path().join("out").exists();
            assert_eq!(
                done,
                kind == "step-succeeded",
                "{kind}: nothing is done that an event allows before it is on disk"
            );
            other.execute_batch("DROP TRIGGER full").expect("the trigger is there");
            assert!(bench.pass(&steps).await.ends_with("Succeeded"), "resumed with room on the disk");
        }
    });
}

#[test]
fn a_resume_reuses_what_stands_and_says_why_it_runs_the_rest_again() {
    check_time(async {
        let bench = Bench::new();
        bench.write("in", "1");
        let steps = |said: &str| {
            [
                step("a", "", &format!("say: {said}")),
                step("b", "", "file: in"),
                step("c", "", "write: out"),
                step("d", "", "say: '{{ steps.a.outputs.said }}'"),
                step("e", ", when: '{{ eq steps.d.outputs.said \"new\" }}'", ""),
            ]
            .concat()
        };
        bench.pass(&steps("old")).await;
        insta::assert_snapshot!(bench.pass(&steps("old")).await, @r#"
        a is reused
        b is reused
        c is reused
        d is reused
        e is skipped: eq steps.d.outputs.said "new" (steps.d.outputs.said = "old")
        pass ends: Succeeded
        Succeeded
        "#);
        bench.write("in", "2");
        std::fs::remove_file(bench.folder.path().join("out")).expect("c wrote it");
        let told = bench.pass(&steps("new")).await.replace(&bench.folder.path().display().to_string(), "[folder]");
        insta::assert_snapshot!(told, @r#"
        a begins 2: say: "old" → "new"
        a succeeds: "new"
        b begins 2: file in changed
        b succeeds: ""
        c begins 2: the file [folder]/out that it wrote is gone
        c succeeds: ""
        d begins 2: say: "old" → "new"
        d succeeds: "new"
        e begins 1
        e succeeds: ""
        pass ends: Succeeded
        Succeeded
        "#);
        bench.write("probe-b", "it was deleted");
        let told = bench.pass(&steps("new")).await;
        assert!(told.contains("b begins 3: it was deleted\n") && told.contains("c is reused"), "{told}");
    });
}

#[test]
fn secrets_reach_the_step_and_nothing_that_is_written_or_shown() {
    check_time(async {
        let token = "token: '{{ params.token }}'";
        let bench = Bench::new();
        let steps = [
            step("a", ", needs: []", &format!("{token}, chatter: 5")),
            step("b", ", needs: [], on-failure: continue", &format!("{token}, fail: 1")),
            step("c", ", needs: [], on-failure: continue", &format!("{token}, panic: true")),
        ];
        bench.pass(&steps.concat()).await;
        let mut told: Vec<String> = bench.told().lines().map(str::to_owned).collect();
        told.sort();
        insta::assert_snapshot!(told.join("\n"), @r#"
        a begins 1
        a succeeds: "secret(token)"
        b begins 1
        b has failed: Failed: no secret(token) [cause secret(token)] advice secret(token)
        c begins 1
        c has failed: Invalid: the step stopped by a bug in hprun [the step fell over secret(token)]
        pass ends: Succeeded
        "#);
        let written = bench.all_that_was_written();
        assert!(written.contains("secret(token)") && !written.contains(SECRET));
        let shown = bench.shown().join("\n");
        assert!(!shown.contains(SECRET), "{shown}");
    });
}

#[test]
fn progress_may_drop_but_a_flood_of_it_holds_nothing_up() {
    check_time(async {
        let bench = Bench::new();
        let told = bench.pass(&step("a", "", "chatter: 20000, record: 2, say: done")).await;
        assert!(told.ends_with("a succeeds: \"done\"\npass ends: Succeeded\nSucceeded"), "{told}");
    });
}
