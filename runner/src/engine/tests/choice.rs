//! What a person who resumes can ask and choose: `--explain`, `--from`, `--only`, `--trust`.

use super::bench::Bench;
use super::{check_time, step};
use crate::event::Selection;

fn from(id: &str) -> Selection {
    Selection { from: vec![id.to_owned()], ..Selection::default() }
}

fn only(id: &str) -> Selection {
    Selection { only: Some(id.to_owned()), ..Selection::default() }
}

fn trust(id: &str) -> Selection {
    Selection { trust: vec![id.to_owned()], ..Selection::default() }
}

/// a, then b that takes what a says, then d that takes what b says; c beside them.
fn steps(said: &str) -> String {
    [
        step("a", ", needs: []", &format!("say: '{said}'")),
        step("b", ", needs: [a]", "say: same, heed: '{{ steps.a.outputs.said }}'"),
        step("c", ", needs: []", "say: c"),
        step("d", ", needs: [b]", "say: '{{ steps.b.outputs.said }}'"),
    ]
    .concat()
}

#[test]
fn from_runs_a_step_and_all_that_need_it_again_and_no_other() {
    check_time(async {
        let bench = Bench { max_parallel: 1, ..Bench::new() };
        bench.pass(&steps("x")).await;
        let bench = Bench { selection: from("b"), ..bench };
        insta::assert_snapshot!(bench.pass(&steps("x")).await, @r#"
        a is reused
        b begins 2: asked for by --from b
        b succeeds: "same"
        c is reused
        d begins 2: asked for by --from b
        d succeeds: "same"
        pass ends: Succeeded
        Succeeded
        "#);
    });
}

#[test]
fn what_was_asked_for_is_done_by_a_later_pass_if_this_one_does_not_come_to_it() {
    check_time(async {
        let bench = Bench { max_parallel: 1, ..Bench::new() };
        bench.pass(&steps("x")).await;
        let failing = steps("x").replace("say: same, heed", "say: same, fail: 9, heed");
        let bench = Bench { selection: from("b"), ..bench };
        assert!(bench.pass(&failing).await.contains("b has failed"));
        let bench = Bench { selection: Selection::default(), ..bench };
        let told = bench.pass(&steps("x")).await;
        assert!(told.contains("d begins 2: asked for by --from b"), "{told}");
        assert!(!bench.pass(&steps("x")).await.contains("begins"), "it is done once");
    });
}

#[test]
fn only_runs_one_step_on_what_the_others_did_and_the_run_goes_on_later() {
    check_time(async {
        let bench = Bench { max_parallel: 1, ..Bench::new() };
        bench.pass(&steps("x")).await;
        bench.write("probe-a", "nobody looks at it");
        let bench = Bench { selection: only("b"), ..bench };
        insta::assert_snapshot!(bench.pass(&steps("x")).await, @r#"
        b begins 2: asked for by --only b
        b succeeds: "same"
        pass ends: Partial
        Partial
        "#);
        let bench = Bench { selection: Selection::default(), ..bench };
        let told = bench.pass(&steps("x")).await;
        assert!(told.starts_with("a begins 2: nobody looks at it\n") && told.ends_with("Succeeded"), "{told}");
    });
}

#[test]
fn a_step_that_is_trusted_is_not_looked_at_even_if_it_failed() {
    check_time(async {
        let bench = Bench::new();
        let failing = [step("a", "", "fail: 9"), step("b", "", "say: b")].concat();
        bench.pass(&failing).await;
        let bench = Bench { selection: trust("a"), ..bench };
        insta::assert_snapshot!(bench.pass(&failing).await, @r#"
        a is trusted: null
        b begins 1
        b succeeds: "b"
        pass ends: Succeeded
        Succeeded
        "#);
        let bench = Bench { selection: Selection::default(), ..bench };
        let told = bench.pass(&failing).await;
        assert!(told.starts_with("a begins 2\n"), "what never ended well is not taken as done for ever: {told}");
    });
}

#[test]
fn a_trusted_step_hands_on_what_its_newest_success_did() {
    check_time(async {
        let bench = Bench::new();
        bench.pass(&steps("x")).await;
        let lost = steps("x").replacen("say: 'x'", "say: 'x', fail: 9", 1);
        assert!(bench.pass(&lost).await.contains("a has failed"));
        let bench = Bench { selection: trust("a"), ..bench };
        let told = bench.pass(&lost).await;
        assert!(told.contains("a is trusted: \"x\"") && told.contains("b is reused"), "{told}");
        assert_eq!(bench.state().step("d").success.as_ref().expect("it is done").outputs["said"], "same");
    });
}

#[test]
fn what_would_happen_is_told_step_by_step_and_nothing_is_done() {
    check_time(async {
        let bench = Bench::new();
        bench.pass(&steps("x")).await;
        bench.write("probe-c", "it was deleted");
        let edited = [steps("y"), step("e", ", when: '{{ eq steps.b.outputs.said \"other\" }}'", "say: e")].concat();
        insta::assert_snapshot!(bench.explained(&edited).await, @r#"
        a: Again { because: ["say: \"x\" → \"y\""], changes: ["a speaks"] }
        b: Again { because: ["heed: \"x\" → \"y\""], changes: ["b speaks"] }
        c: Again { because: ["it was deleted"], changes: ["c speaks"] }
        d: Reused
        e: Skipped("eq steps.b.outputs.said \"other\" (steps.b.outputs.said = \"same\")")
        "#);
    });
}

#[test]
fn what_cannot_be_told_before_and_what_would_be_refused_is_said_so() {
    check_time(async {
        let bench = Bench::new();
        bench.pass(&steps("x")).await;
        let told = bench.explained(&steps("what?")).await;
        insta::assert_snapshot!(told, @r#"
        a: Again { because: ["say: \"x\" → \"what?\""], changes: ["a speaks"] }
        b: Depends(["a"])
        c: Reused
        d: Depends(["b"])
        "#);
        let told = bench.explained(&steps("what?").replace("say: same", "say: else")).await;
        assert!(
            told.contains("b: Again { because: [\"say: \\\"same\\\" → \\\"else\\\"\"]"),
            "known edits are told: {told}"
        );
        let told = bench.explained(&steps("no!")).await;
        assert!(told.starts_with("a: Refused { because: [\"say: \\\"x\\\" → \\\"no!\\\"\"]"), "{told}");
        bench.write("probe-c", "fail");
        let told = bench.explained(&steps("x")).await;
        assert!(told.contains("c: Unclear(Failure { message: \"cannot look\""), "{told}");
    });
}

#[test]
fn a_file_that_would_be_written_is_looked_at_as_it_would_be() {
    check_time(async {
        let bench = Bench::new();
        bench.write("out", "from before");
        let folder = bench.folder.path().display().to_string();
        let full = |said: &str| {
            let readers = [step("b", "", &format!("file: {folder}/out")), step("c", "", "file: out")].concat();
            [step("a", "", &format!("say: {said}, write: ./out")), readers].concat()
        };
        bench.pass(&full("x")).await;
        let told = bench.explained(&full("y")).await.replace(&folder, "[folder]");
        for because in
            ["b: Again { because: [\"file [folder]/out changed\"]", "c: Again { because: [\"file out changed\"]"]
        {
            assert!(told.contains(because), "{told}");
        }
    });
}

#[test]
fn what_was_chosen_is_told_before_it_is_done() {
    check_time(async {
        let bench = Bench::new();
        bench.pass(&steps("x")).await;
        let bench = Bench { selection: Selection { trust: vec!["c".to_owned()], ..from("b") }, ..bench };
        insta::assert_snapshot!(bench.explained(&steps("x")).await, @r#"
        a: Reused
        b: Again { because: ["asked for by --from b"], changes: ["b speaks"] }
        c: Trusted
        d: Again { because: ["asked for by --from b"], changes: ["d speaks"] }
        "#);
        let bench = Bench { selection: only("d"), ..bench };
        insta::assert_snapshot!(bench.explained(&steps("x")).await, @r#"
        a: NotChosen
        b: NotChosen
        c: NotChosen
        d: Again { because: ["asked for by --only d"], changes: ["d speaks"] }
        "#);
    });
}
