use hprun_steps::partial::Place;
use hprun_steps::value::{Secret, Value};
use indexmap::IndexMap;
use serde_json::json;

use super::{Condition, RunFacts, Scope, StepView, Tree};

/// Resolves `text` over a fixed scope; errors as `! message | help`.
fn check(text: &str) -> String {
    with_scope(|scope| match tree(text).and_then(|tree| tree.resolve(scope)) {
        Ok(Value::Secret(secret)) => format!("secret({}) {}", secret.name(), secret.reveal()),
        Ok(value) => format!("{} {}", value.kind(), value.to_record()),
        Err(e) => format!("! {} | {}", e.message, e.help.unwrap_or_default()),
    })
}

fn tree(text: &str) -> Result<Tree, super::ExprError> {
    Tree::text(text, text, Place { start: 0, end: u32::try_from(text.len()).expect("short") })
}

fn with_scope<T>(f: impl FnOnce(&Scope<'_>) -> T) -> T {
    let secret = |name: &str| Value::Secret(Secret::new(name, format!("<{name}&>")));
    let params: IndexMap<String, Value> = [
        ("n", Value::Integer(3)),
        ("s", Value::from("a<b>&\"c\"")),
        ("flag", Value::Bool(true)),
        ("empty", Value::from("")),
        ("list", ["x", "y"].into_iter().map(Value::from).collect()),
        ("map", Value::from_json(&json!({ "k": { "deep": 1.5 } }))),
        ("none", Value::Null),
        ("key", secret("key")),
        ("pin", secret("pin")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let outputs = json!({ "id": "i-1", "ids": ["p", "q"], "zero": 0 });
    let steps = |id: &str| match id {
        "my-stack" => Some(StepView { outputs: Some(&outputs), status: "succeeded" }),
        "skipped" => Some(StepView { outputs: None, status: "skipped" }),
        _ => None,
    };
    let run = RunFacts { id: "r1".to_owned(), region: "us-west-2".to_owned(), sandbox: true, ..RunFacts::default() };
    f(&Scope { params: &params, steps: &steps, run: &run })
}

#[test]
fn a_whole_expression_keeps_its_type_and_text_is_never_escaped() {
    for (text, expected) in [
        ("plain", "string \"plain\""),
        ("{{ params.n }}", "integer 3"),
        ("{{params.list}}", "list [\"x\",\"y\"]"),
        ("{{ params.map.k }}", "map {\"deep\":1.5}"),
        ("{{ params.list.1 }}", "string \"y\""),
        ("{{ params.list.[0] }}", "string \"x\""),
        ("{{{ params.n }}}", "integer 3"),
        ("{{ steps.my-stack.outputs.ids }}", "list [\"p\",\"q\"]"),
        ("{{ run.sandbox }}", "boolean true"),
        ("{{ params.s }}!", "string \"a<b>&\\\"c\\\"!\""),
        ("n={{ params.n }} {{ run.region }}", "string \"n=3 us-west-2\""),
        ("\\{{ params.n }}", "string \"{{ params.n }}\""),
        ("{{#if params.flag}}yes{{else}}no{{/if}}", "string \"yes\""),
        ("{{#unless params.empty}}empty{{/unless}}", "string \"empty\""),
        ("{{#if params.empty}}a{{else if (eq params.n 3)}}b{{else}}c{{/if}}", "string \"b\""),
        ("a{{! a comment }}b", "string \"ab\""),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
}

#[test]
fn helpers_work_over_types() {
    for (text, expected) in [
        ("{{ eq params.n 3 }}", "boolean true"),
        ("{{ eq params.n 3.0 }}", "boolean true"),
        ("{{ ne params.s 'x' }}", "boolean true"),
        ("{{ gt params.n 2.5 }}", "boolean true"),
        ("{{ lte 'a' 'b' }}", "boolean true"),
        ("{{ and params.flag (not params.empty) }}", "boolean true"),
        ("{{ or params.empty false }}", "boolean false"),
        ("{{ len params.list }}", "integer 2"),
        ("{{ number '4' }}", "integer 4"),
        ("{{ number '-0.5' }}", "number -0.5"),
        ("{{ number params.n }}", "integer 3"),
        ("{{ lookup params.map 'k' }}", "map {\"deep\":1.5}"),
        ("{{ lookup params.list 1 }}", "string \"y\""),
        ("{{ json params.map }}", "string \"{\\\"k\\\":{\\\"deep\\\":1.5}}\""),
        ("{{ join params.list ',' }}", "string \"x,y\""),
        ("{{ default steps.skipped.outputs.id 'other' }}", "string \"other\""),
        ("{{ default params.none steps.my-stack.outputs.zero }}", "integer 0"),
        ("{{ default steps.skipped.outputs.id steps.gone.outputs.x params.n }}", "integer 3"),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
}

#[test]
fn what_has_no_value_is_an_error_in_helpers_too() {
    let texts = [
        "{{ params.nothing }}",
        "{{ eq params.nothing 1 }}",
        "{{#if params.nothing}}a{{/if}}",
        "{{ steps.my-stack.outputs.idd }}",
        "{{ steps.skipped.outputs.id }}",
        "{{ params.map.x }}",
        "{{ params.n.x }}",
        "a {{ params.map }}",
        "a {{ params.none }}",
        "{{ gt params.s 1 }}",
        "{{ number params.s }}",
        "{{ number '4 ' }}",
        "{{ number params.list }}",
        "{{ lookup params.list 7 }}",
        "{{ param.n }}",
        "{{ n }}",
        "{{ steps.a.id }}",
        "{{ run.regoin }}",
        "{{ equals 1 2 }}",
        "{{ eq 1 }}",
        "{{ eq 1 b=2 }}",
        "{{#each params.list}}x{{/each}}",
        "{{> partial }}",
        "{{ ../x }}",
        "{{ @index }}",
        "{{ params.n ",
        "{{#if params.n}}",
    ];
    let told: Vec<_> = texts.iter().map(|text| format!("{text}\n    {}", check(text))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn text_that_a_secret_enters_is_secret_and_no_helper_tells_it() {
    for (text, expected) in [
        ("{{ params.key }}", "secret(key) <key&>"),
        ("x{{ params.key }}-{{ params.pin }}-{{ params.key }}", "secret(key+pin) x<key&>-<pin&>-<key&>"),
        ("{{ json params.key }}", "secret(key) \"<key&>\""),
        ("{{ default params.none params.pin }}", "secret(pin) <pin&>"),
        ("{{#if params.flag}}{{ params.key }}{{/if}}", "secret(key) <key&>"),
    ] {
        assert_eq!(check(text), expected, "{text}");
    }
    for text in
        ["{{ eq params.key 'x' }}", "{{ len params.key }}", "{{#if params.key}}a{{/if}}", "{{ not params.key }}"]
    {
        let told = check(text);
        assert!(told.starts_with("! ") && told.contains("secret `key`") && !told.contains('<'), "{text}: {told}");
    }
}

#[test]
fn a_condition_is_true_or_false_and_says_why() {
    let check = |text: &str| {
        let condition = tree(text).and_then(Condition::new);
        with_scope(|scope| match condition.and_then(|c| c.evaluate(scope)) {
            Ok((holds, reason)) => format!("{holds}: {reason}"),
            Err(e) => format!("! {}", e.message),
        })
    };
    assert_eq!(check("{{ gt params.n 2 }}"), "true: gt params.n 2 (params.n = 3)");
    assert_eq!(check("{{ params.flag }}"), "true: params.flag (params.flag = true)");
    assert_eq!(check("{{ params.n }}"), "! `when` must be true or false, this is an integer");
    assert_eq!(check("params.flag"), "! `when` must be one single expression, or true or false");
}

#[test]
fn every_name_is_listed_where_it_stands_through_quotes_and_blocks() {
    let value =
        "params.n {{ params.n }} {{#if (eq params.s 'params.n')}}{{ default steps.a.outputs.x params.n }}{{/if}}";
    for (file, quoted) in [(format!("k: \"{value}\"\n"), true), (format!("k: |\n  {value}\n"), false)] {
        let start = if quoted { 3 } else { file.find('|').expect("it is there") };
        let place = Place {
            start: u32::try_from(start).expect("short"),
            end: u32::try_from(file.trim_end().len()).expect("short"),
        };
        let tree = Tree::text(value, &file, place).expect("it parses");
        let told: Vec<String> = tree
            .references()
            .iter()
            .map(|r| {
                let seen = &file[r.place.start as usize..r.place.end as usize];
                assert_eq!(seen, r.target.to_string());
                format!("{seen} at {} {}", r.place.start as usize - file.find(value).expect("verbatim"), r.defaulted)
            })
            .collect();
        assert_eq!(
            told,
            ["params.n at 12 false", "params.s at 34 false", "steps.a.outputs.x at 67 true", "params.n at 85 false"]
        );
    }
}

#[test]
fn deep_nesting_is_refused_before_the_grammar_sees_it() {
    let deep = |open: &str, close: &str| format!("{{{{ not {}params.n{} }}}}", open.repeat(5_000), close.repeat(5_000));
    assert!(check(&deep("(not ", ")")).starts_with("! expressions may be nested"));
    assert!(check(&format!("{}x", "{{#if params.n}}".repeat(1_000))).starts_with("! expressions may be nested"));
    assert!(check(&format!("{{{{ not {}{} }}}}", "[".repeat(10_000), "]".repeat(10_000))).starts_with("! "));
    assert!(check(&format!("{{{{ not {} }}}}", "{\"a\":".repeat(5_000))).starts_with("! "));
}
