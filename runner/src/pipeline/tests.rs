//! What a person is told about a pipeline file, whole.

use super::testing::{TYPES, findings, load, load_in, with_head};
use super::{KnownParams, OnFailure, check, read, schema};

#[test]
fn a_sound_pipeline_is_accepted_with_types_needs_and_durations() {
    let text = "apiVersion: hprun/v1\nname: demo\nversion: 1.0.0\nparams:\n  n: { type: integer, default: 2 }\naws: { account: '012345678901' }\nsteps:\n  - id: a\n    type: make-thing\n    with: { name: thing, count: \"{{ params.n }}\" }\n    timeout: 1h30m\n    retry: { max-attempts: 3, delay: 30s, backoff: 2 }\n  - id: b\n    type: use-thing\n    on-failure: continue\n    with:\n      text: \"{{ steps.a.outputs.id }} in {{ run.region }}\"\n      to: \"{{ steps.a.outputs.parts }}\"\n  - { id: c, type: use-thing, needs: [] }\nfinally:\n  - id: z\n    type: use-thing\n    with: { text: \"{{ steps.a.status }} {{ default steps.a.outputs.id 'none' }}\" }\n";
    let (pipeline, warnings) = load(text).expect("it is sound");
    assert_eq!(warnings, []);
    let told: Vec<_> = pipeline
        .steps
        .iter()
        .map(|s| {
            format!(
                "{} {:?} {:?} {} {:?}",
                s.id,
                s.needs.iter().map(super::StepId::as_str).collect::<Vec<_>>(),
                s.timeout,
                s.finally,
                s.on_failure
            )
        })
        .collect();
    insta::assert_debug_snapshot!(told);
    assert_eq!(pipeline.step("b").map(|s| s.on_failure), Some(OnFailure::Continue));
}

#[test]
fn all_findings_come_in_one_pass_with_place_and_advice() {
    let text = with_head(
        r#"  - id: a
    type: make-thng
  - id: b
    type: make-thing
    wth: { x: 1 }
    with: { nam: x, count: many, speed: fsat, parameters: { x: [1] } }
    timeout: 45
  - id: b
    type: use-thing
    needs: [a, zz]
    with:
      text: "{{ steps.later.outputs.id }}{{ parms.x }}{{ run.acount }}"
      times: "{{ eq 1 2 }}"
      to: 12
  - id: later
    type: make-thing
    with: { name: 12 }
  - id: end
    type: use-thing
    on-failure: contnue
    with: { text: "{{ steps.later.outputs.idd }} {{ steps.later.status }} {{ lenn 1 }}" }
"#,
    );
    insta::assert_snapshot!(findings(&text));
}

#[test]
fn references_must_lead_to_what_surely_ran() {
    let text = with_head(
        r#"  - { id: a, type: make-thing, when: false, with: { name: a } }
  - { id: b, type: make-thing, needs: [], on-failure: continue, with: { name: b } }
  - { id: c, type: make-thing, needs: [], with: { name: c } }
  - id: d
    type: use-thing
    needs: [a, b]
    with:
      to:
        - "{{ steps.a.outputs.id }}"
        - "{{ steps.b.outputs.id }}"
        - "{{ steps.c.outputs.id }}"
        - "{{ steps.d.outputs.id }}"
        - "{{ default steps.a.outputs.id 'fine' }}"
        - "{{ default steps.b.outputs.id.x 'no parts' }}"
finally:
  - { id: f, type: use-thing, needs: [c], with: { text: "{{ steps.c.outputs.id }}" } }
"#,
    );
    insta::assert_snapshot!(findings(&text));
}

#[test]
fn types_that_are_known_are_checked_in_texts_and_conditions() {
    let text = with_head(
        r#"  - { id: a, type: make-thing, with: { name: a } }
  - id: b
    type: use-thing
    when: "{{ steps.a.outputs.id }}"
    with: { text: "in {{ steps.a.outputs.parts }}", times: "{{ len steps.a.outputs.parts }}" }
  - { id: c, type: use-thing, when: params.x }
"#,
    );
    insta::assert_snapshot!(findings(&text));
    assert!(
        findings(
            "apiVersion: hprun/v1\nname: p\nparams: { x: { type: string } }\nsteps: [{ id: a, type: use-thing }]\n"
        )
        .starts_with("warning[HP0207]: the param `x` is never used")
    );
}

#[test]
fn a_cycle_is_told_as_a_walk() {
    let step = |id: &str, needs: &str| format!("  - {{ id: {id}, type: use-thing, needs: [{needs}] }}\n");
    let text = with_head(&[step("a", "c"), step("b", "a"), step("c", "b"), step("d", "d"), step("e", "")].concat());
    insta::assert_snapshot!(findings(&text));
}

#[test]
fn mistakes_of_yaml_are_explained() {
    let cases = [
        with_head("  - id: a\n    type: use-thing\n    with: { text: {{ params.x }} }\n"),
        with_head("  - id: a\n    type: use-thing\n    with:\n      text: {{ params.x }}-b\n"),
        with_head("  - id: a\n\ttype: use-thing\n"),
        with_head("  - id: a\n    type: use-thing\n    id: b\n"),
        with_head("  - id: a\n    type: use-thing\n    with: { text: \"{{ params.x }\" }\n"),
        with_head("  - id: a\n    type: use-thing\n    with: { text: !Sub x }\n"),
        "apiVersion: hprun/v2\nwhat: ever\n".to_owned(),
        "- a\n".to_owned(),
        String::new(),
        "apiVersion: hprun/v1\nname: p\nversion: 1.10\nsteps: []\n".to_owned(),
        "\u{feff}apiVersion: hprun/v1\nname: p\n---\nname: q\n".to_owned(),
    ];
    let told: Vec<String> = cases.iter().map(|text| findings(text)).collect();
    insta::assert_snapshot!(told.join("\n\n=====\n\n"));
}

#[test]
fn outputs_that_a_file_decides_are_known_and_unreadable_files_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("words"), "vpc bucket").expect("it can be written");
    let steps = |template: &str, output: &str| {
        with_head(&format!(
            "  - {{ id: a, type: make-thing, with: {{ name: a, template: \"{template}\" }} }}\n  - {{ id: b, type: use-thing, with: {{ text: \"{{{{ steps.a.outputs.{output} }}}}\" }} }}\n"
        ))
    };
    let messages = |text: &str| match load_in(text, folder.path()) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            problems.into_iter().map(|p| format!("{} | {}", p.message, p.help.unwrap_or_default())).collect()
        }
    };
    assert_eq!(messages(&steps("words", "bucket")), Vec::<String>::new());
    assert_eq!(messages(&steps("words", "buckte")), ["the step `a` has no output `buckte` | did you mean `bucket`?"]);
    assert_eq!(messages(&steps("wrods", "bucket")), ["cannot read wrods: it does not exist | did you mean `words`?"]);
    let forbidden = messages(&steps("{{ run.id }}", "bucket"));
    assert_eq!(forbidden, ["`template` may use params only: it decides which outputs the step has | "]);
}

#[test]
fn a_secret_enters_only_an_input_marked_for_one() {
    let text = "apiVersion: hprun/v1\nname: p\nparams:\n  key: { type: string, secret: true }\n  bad: { type: string, secret: true, default: x }\nsteps:\n  - id: a\n    type: make-thing\n    with: { name: \"x-{{ params.key }}\", token: \"{{ params.key }}\", parameters: { any: \"{{ json params.key }}\" } }\n  - { id: b, type: use-thing, with: { to: [\"{{ params.key }}\"] } }\n";
    insta::assert_snapshot!(findings(text));
}

#[test]
fn what_a_step_type_finds_is_shown_at_its_place() {
    let text = with_head("  - { id: a, type: make-thing, with: { name: forbidden } }\n");
    insta::assert_snapshot!(findings(&text));
}

#[test]
fn steps_that_name_the_same_file_share_one_reading_of_it() {
    let read_by = std::cell::Cell::new(0);
    let loader = |inputs: &[_]| {
        read_by.set(read_by.get() + 1);
        hprun_steps::files::Files::load(std::path::Path::new("/nonexistent"), inputs)
    };
    let step = |id: &str, file: &str| {
        format!("  - {{ id: {id}, type: make-thing, with: {{ name: {id}, template: {file} }} }}\n")
    };
    let text = with_head(&(step("a", "one") + &step("b", "two") + &step("c", "one")));
    let authored = read(&text).expect("it can be read");
    let found = check(authored, TYPES, &loader, &KnownParams::default()).expect_err("no file is there");
    assert_eq!((read_by.get(), found.len()), (2, 3), "each step is told of its file");
}

#[test]
fn findings_have_a_json_form() {
    let text = with_head("  - { id: a, type: use-thing, with: { txt: x } }\n");
    let problems = load(&text).expect_err("there is a mistake");
    insta::assert_json_snapshot!(crate::diagnostic::to_json(&problems, ("p.yaml", &*text)));
}

#[test]
fn the_schema_knows_every_step_type_and_allows_expressions() {
    insta::assert_json_snapshot!(schema::schema(TYPES)["properties"]["steps"]["items"]["allOf"]);
}

#[test]
fn long_pipelines_are_read_checked_and_planned_without_quadratic_work() {
    let measure = |count: usize| {
        let mut text = with_head("  - { id: s0, type: make-thing, with: { name: x } }\n");
        for i in 1..count {
            text.push_str(&format!(
                "  - id: s{i}\n    type: make-thing\n    with: {{ name: x, count: 1, parameters: {{ a: \"{{{{ steps.s{}.outputs.id }}}}\" }} }}\n",
                i - 1
            ));
        }
        let started = std::time::Instant::now();
        let (pipeline, _) = load(&text).expect("it is sound");
        let plan = crate::plan::Plan::new(pipeline, crate::params::Params::default());
        assert_eq!(plan.steps.len(), count);
        started.elapsed()
    };
    let (small, large) = (measure(500), measure(5_000));
    // Ten times the steps: quadratic work would take a hundred times as long.
    assert!(large < small * 40, "500 steps took {small:?}, 5,000 took {large:?}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        let _ = findings(&text);
    }

    #[test]
    fn no_bytes_in_a_step_make_it_panic(text in "[-{}()\\[\\]#/\"' :a-z.|>&*!\n\t]{0,60}", more in "\\PC{0,20}") {
        let _ = findings(&with_head(&format!("  - id: a\n    type: use-thing\n    with: {{ text: \"{{{{{text}}}}}\" }}\n    {more}{text}")));
    }
}
