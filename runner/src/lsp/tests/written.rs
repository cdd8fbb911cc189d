//! What fixes and completed values write: a text after which nothing more is wrong.

use super::*;
use crate::lsp::completion::{Item, Kind};
use crate::lsp::fixes::{Fix, fixes};

/// The marked text after each fix.
fn mended(text: &str) -> Vec<(String, String)> {
    let (plain, at, known) = marked(text);
    let found = analysis(&plain).found;
    let page = Page::new(&plain, &known, TYPES, &InMemory);
    let mend = |fix: Fix| {
        let mut text = plain.clone();
        text.replace_range(fix.replace, &fix.insert);
        (fix.title, text)
    };
    fixes(&page, &found, &(at..at)).into_iter().map(mend).collect()
}

#[test]
fn advice_becomes_a_fix_after_which_nothing_is_wrong() {
    let cases = [
        ("type: use-thing", "type: use-thin<|>", "Write `use-thing`"),
        ("    needs:", "    ne<|>eds_:", "Write `needs`"),
        ("needs: [first]", "needs: [frist<|>]", "Write `first`"),
        ("params.count }}", "params.cuont<|> }}", "Write `params.count`"),
        ("{{ params.count }}", "{{ count<|> }}", "Write `params.count`"),
        ("outputs.id }}", "outputs.ids<|> }}", "Write `id`"),
        ("steps.first.outputs", "steps.fist<|>.outputs", "Write `first`"),
        (
            "text: \"{{ steps.first.outputs.id }}\"",
            "text: <|>{{ steps.first.outputs.id }}",
            "Put the expression in quotes",
        ),
        ("      text: \"{{ steps.first.outputs.id }}\"", "      text: <|>12", "Put it in quotes"),
        (
            "text: \"{{ steps.first.outputs.id }}\"",
            "text: {{ steps.first.outputs.id }}-x<|>",
            "Put the expression in quotes",
        ),
        ("name: p\n", "name: p\nversion: 1.1<|>0\n", "Put it in quotes"),
        (
            "needs: [first]",
            "needs: []\n    when: \"{{ eq steps.first.outputs.id<|> 'a' }}\"",
            "Add `first` to the needs of this step",
        ),
    ];
    for (from, to, title) in cases {
        let fixes = mended(&good_with(from, to));
        let [(told, text)] = fixes.as_slice() else { panic!("{to}: {fixes:?}") };
        assert_eq!(told, title);
        let wrong: Vec<String> =
            analysis(text).found.into_iter().filter(|found| found.is_error()).map(|found| found.message).collect();
        assert_eq!(wrong, [""; 0], "{text}");
    }
}

#[test]
fn where_a_value_ends_is_not_guessed() {
    let text = "apiVersion: hprun/v1\nname: p\nsteps:\n  - id: a\n    type: use-thing\n    with:\n      list: [{{ params.x }}-a<|>, b]\n";
    assert_eq!(mended(text), []);
}

#[test]
fn needs_grow_where_they_stand() {
    let steps = |needs: &str| {
        let use_it = "    with: { text: \"{{ steps.b.outputs.id<|> }}\" }\n";
        format!(
            "apiVersion: hprun/v1\nname: p\nsteps:\n  - id: a\n    type: make-thing\n    with: {{ name: a }}\n  - id: b\n    type: make-thing\n    needs: []\n    with: {{ name: b }}\n  - id: c\n    type: use-thing\n{needs}{use_it}"
        )
    };
    for (needs, grown) in [
        ("    needs: [a]\n", "    needs: [a, b]\n"),
        ("    needs: []\n", "    needs: [b]\n"),
        ("    needs: a\n", "    needs: [a, b]\n"),
        ("    needs:\n      - a\n", "    needs:\n      - a\n      - b\n"),
    ] {
        let fixes = mended(&steps(needs));
        let [(_, text)] = fixes.as_slice() else { panic!("{needs}: {fixes:?}") };
        assert!(text.contains(grown), "{text}");
        assert_eq!(analysis(text).found, [], "{text}");
    }
}

#[test]
fn needs_are_begun_in_the_form_of_the_step() {
    for (before, after) in [
        ("  - type: use-thing\n    id: c\n    with: {WITH}\n", "  - type: use-thing\n    needs: [b, a]\n    id: c\n"),
        ("  - id: c\n    type: use-thing # x\n    with: {WITH}\n", "type: use-thing # x\n    needs: [b, a]\n"),
        ("  - { id: c, type: use-thing, with: {WITH} }\n", "type: use-thing, needs: [b, a], with"),
        ("  - {\n      id: c,\n      type: use-thing,\n      with: {WITH} }\n", "type: use-thing, needs: [b, a],\n"),
    ] {
        let made = |id: &str| format!("  - {{ id: {id}, type: make-thing, needs: [], with: {{ name: {id} }} }}\n");
        let with = before.replace("{WITH}", "{ text: \"{{ steps.a.outputs.id<|> }}\" }");
        let text = format!("apiVersion: hprun/v1\nname: p\nsteps:\n{}{}{with}", made("a"), made("b"));
        let fixes = mended(&text);
        let [(_, text)] = fixes.as_slice() else { panic!("{before}: {fixes:?}") };
        assert!(text.contains(after), "{text}");
        assert_eq!(analysis(text).found, [], "{text}");
    }
}

/// Each value that is offered at the mark, with the text that has it.
fn filled(text: &str, types: &'static [hprun_steps::StepType]) -> Vec<(String, String)> {
    let (plain, at, _) = marked(text);
    let known = Known::default();
    let items = complete(&Page::new(&plain, &known, types, &InMemory), &schema(types), at).into_iter();
    let choices = items.filter(|item| item.kind == Kind::Choice);
    let fill = |item: Item| {
        let mut text = plain.clone();
        text.replace_range(item.replace, &item.insert);
        (item.label, text)
    };
    choices.map(fill).collect()
}

#[test]
fn a_value_that_is_completed_is_yaml_wherever_it_is_offered() {
    let step = |of: &str| format!("steps:\n  - id: a\n    type: {of}\n    ");
    let frames: Vec<String> = ["", "aws:\n  ", "params:\n  x:\n    ", &step("wait-status")].map(str::to_owned).into();
    let types = hprun_steps::STEP_TYPES.iter().map(|of| step(of.name) + "with:\n      ");
    let mut seen = Vec::new();
    for frame in frames.into_iter().chain(types) {
        let frame = format!("apiVersion: hprun/v1\n{frame}");
        let (plain, at, known) = marked(&format!("{frame}<|>"));
        let page = Page::new(&plain, &known, hprun_steps::STEP_TYPES, &InMemory);
        for key in complete(&page, &schema(hprun_steps::STEP_TYPES), at) {
            for quote in ["", "\"", "'"] {
                let text = format!("{frame}{}: {quote}<|>{quote}\n", key.label);
                for (label, text) in filled(&text, hprun_steps::STEP_TYPES) {
                    let (node, problems) = crate::document::yaml::parse(&text);
                    assert!(node.is_some() && problems.is_empty(), "{label}: {text}\n{problems:?}");
                    seen.push(text.lines().last().unwrap_or_default().trim().to_owned());
                }
            }
        }
    }
    assert!(seen.len() > 100, "{seen:?}");
    for written in ["account: \"111122223333\"", "when: \"{{ params.enabled }}\"", "pattern: '[a-z]{2}-[a-z]+-[0-9]'"] {
        assert!(seen.iter().any(|line| line == written), "{written}: {seen:?}");
    }
}
