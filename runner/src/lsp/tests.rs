//! The answers to an editor, asked with a cursor `<|>` in the text, over two step types that do nothing.

mod open_texts;
mod written;

use std::fmt::Write as _;
use std::sync::Arc;

use hprun_steps::files::Files;
use insta::assert_snapshot;
use serde_json::Value as Json;

use super::analysis::{Analysis, Known, analyse};
use super::completion::complete;
use super::definition::define;
use super::hover::hover;
use super::page::{Beside, Listed, Page};
use super::sketch::Sketch;
use super::symbols::symbols;
use crate::params::{Given, ParamSpecs, resolve};
use crate::pipeline::schema::schema;
use crate::pipeline::testing::TYPES;

/// Files beside the pipeline that need no disk.
struct InMemory;

impl Beside for InMemory {
    fn list(&self, folder: &str) -> Vec<Listed> {
        let of = |name: &str, is_folder| Listed { name: name.to_owned(), is_folder };
        match folder {
            "" => vec![of("templates", true), of("words.txt", false), of(".hidden", false)],
            "templates/" => vec![of("stack.yaml", false)],
            _ => Vec::new(),
        }
    }

    fn text(&self, path: &str) -> Option<Arc<str>> {
        (path == "templates/stack.yaml").then(|| Arc::from(TEMPLATE))
    }

    fn is_file(&self, path: &str) -> bool {
        path == "templates/stack.yaml"
    }
}

const TEMPLATE: &str = "\
Resources: {}
Parameters:
  Zone: { Type: String, Description: Where to put it., AllowedValues: [a, b] }
  Size:
    Type: Number
    Default: 3
Outputs:
  one: { Value: 1 }
";

/// A pipeline whose steps hold all that the answers are about.
const GOOD: &str = "\
apiVersion: hprun/v1
name: p
params:
  region: { type: string, default: west, description: Where to deploy }
  count: { type: integer, env: COUNT }
steps:
  - id: first
    type: make-thing
    with: { name: \"{{ params.region }}\", template: templates/stack.yaml }
  - id: second
    type: use-thing
    needs: [first]
    with:
      text: \"{{ steps.first.outputs.id }}\"
      times: \"{{ params.count }}\"
";

fn analysis(text: &str) -> Analysis {
    let load = |inputs: &[_]| {
        let mut files = Files::load(std::path::Path::new("/nonexistent"), inputs);
        files.overlay(&|path| path.ends_with("stack.yaml").then(|| Arc::from("one two")));
        files
    };
    let nothing = |_: &str| None;
    let give = |specs: &ParamSpecs| {
        let given = Given {
            cli: &[],
            files: &[],
            recorded: &|_| None,
            environment: &|name| (name == "COUNT").then(|| "3".to_owned()),
            ssm: &nothing,
            answers: &[],
        };
        resolve(specs, &given)
    };
    analyse(text, TYPES, &load, &give)
}

/// The text without its mark, where the mark stood, and what is known: of the text itself, or of [`GOOD`] where it cannot
/// be read at this moment.
fn marked(text: &str) -> (String, usize, Known) {
    let at = text.find("<|>").expect("the text has a mark");
    let text = text.replacen("<|>", "", 1);
    let known = analysis(&text).known.or_else(|| analysis(GOOD).known).expect("the good text can be read");
    (text, at, known)
}

fn asked<T>(text: &str, answer: impl FnOnce(&Page<'_>, &Json, usize) -> T) -> T {
    let (text, at, known) = marked(text);
    answer(&Page::new(&text, &known, TYPES, &InMemory), &schema(TYPES), at)
}

/// [`GOOD`] with `from` replaced.
fn good_with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good text holds no {from:?}");
    GOOD.replacen(from, to, 1)
}

/// All completions: label, kind, detail, and what is written for what.
fn completions(text: &str) -> String {
    let (plain, ..) = marked(text);
    let items = asked(text, complete);
    let line = |text: &mut String, item: super::completion::Item| {
        let replaced = &plain[item.replace.clone()];
        let detail = if item.detail.is_empty() { String::new() } else { format!(" ({})", item.detail) };
        writeln!(text, "{} [{:?}]{detail}: {replaced:?} -> {:?}", item.label, item.kind, item.insert).expect("text");
    };
    items.into_iter().fold(String::new(), |mut text, item| {
        line(&mut text, item);
        text
    })
}

fn labels(text: &str) -> Vec<String> {
    asked(text, complete).into_iter().map(|item| item.label).collect()
}

#[test]
fn keys_are_completed_at_each_level() {
    assert_snapshot!("keys_of_the_file", completions("apiVersion: hprun/v1\n<|>\n"));
    assert_snapshot!("keys_of_a_step", completions(&good_with("    needs: [first]\n", "    <|>\n")));
    assert_snapshot!("keys_of_with", completions(&good_with("      times: \"{{ params.count }}\"\n", "      <|>")));
    assert_snapshot!(
        "keys_in_braces",
        completions(&good_with("count: { type: integer, env", "count: { type: integer, d<|>, env"))
    );
    assert_eq!(labels("apiVersion: hprun/v1\naws:\n  r<|>\n"), ["account", "profile", "region", "role"]);
    assert_eq!(labels(&good_with("needs: [first]", "retry: { <|> }")), ["backoff", "delay", "max-attempts"]);
    assert_eq!(labels("apiVersion: hprun/v1\nsteps:\n  <|>\n"), ["- id"]);
    assert_eq!(labels("apiVersion: hprun/v1\nsteps:\n  - id: a\n  <|>\n"), ["- id"]);
    assert_eq!(labels("apiVersion: hprun/v1\nfinally:\n  - <|>\n")[..2], ["id", "type"]);
    // What stands in the mapping already is not offered, but for the key that is being written.
    assert_eq!(labels(&good_with("      times", "      ti<|>mes")), ["times", "to"]);
}

#[test]
fn values_come_from_the_schema() {
    assert_snapshot!("step_types", completions(&good_with("type: use-thing", "type: <|>")));
    assert_eq!(labels(&good_with("type: use-thing", "type: us<|>e-thing")), ["make-thing", "use-thing"]);
    assert_eq!(labels(&good_with("needs: [first]", "on-failure: <|>")), ["continue", "stop"]);
    assert_eq!(labels(&good_with("{ name: \"{{ params.region }}\",", "{ speed: <|>,")), ["fast", "slow"]);
    assert_eq!(labels("apiVersion: <|>\n"), ["hprun/v1"]);
    assert_eq!(labels(&good_with("{ type: integer,", "{ secret: <|>,")), ["false", "true"]);
    // Right behind the colon the space is written too.
    let item = asked(&good_with("type: use-thing", "type:<|>"), complete).remove(0);
    assert_eq!(item.insert, " make-thing");
}

#[test]
fn needs_are_completed_with_the_other_steps() {
    for needs in ["needs: [<|>]", "needs: <|>", "needs:\n      - <|>", "needs: [fi<|>]", "needs: [\"<|>\"]"] {
        assert_eq!(labels(&good_with("needs: [first]", needs))[..1], ["first"], "{needs}");
    }
    assert_snapshot!("needs", completions(&good_with("needs: [first]", "needs: [fi<|>rst]")));
}

#[test]
fn names_are_completed_in_expressions() {
    let with = |text: &str| good_with("{{ steps.first.outputs.id }}", text);
    assert_snapshot!("roots_and_helpers", completions(&with("{{ <|> }}")));
    assert_snapshot!("params", completions(&with("{{ params.<|> }}")));
    assert_snapshot!("steps", completions(&with("{{ steps.<|> }}")));
    assert_snapshot!("outputs", completions(&with("{{ steps.first.outputs.<|> }}")));
    assert_eq!(labels(&with("{{ steps.first.<|> }}")), ["outputs"]);
    assert_eq!(labels(&with("{{ run.<|>")), ["account", "id", "partition", "region", "sandbox"]);
    assert_eq!(labels(&with("{{ default params.<|> 'x' }}")), ["count", "region"]);
    assert_eq!(labels(&with("{{ default 'params.<|>' }}")), [""; 0], "a text in an expression is no name");
    assert_eq!(labels(&with("{{ params.x }} and <|>")), [""; 0]);
}

#[test]
fn paths_are_completed_where_the_step_type_reads_a_file() {
    let with = |text: &str| good_with("template: templates/stack.yaml", text);
    assert_snapshot!("paths", completions(&with("template: <|>")));
    assert_eq!(labels(&with("template: templates/<|>")), ["stack.yaml"]);
    assert_eq!(labels(&with("template: templates/st<|>ack.yaml")), ["stack.yaml"]);
    assert_eq!(labels(&with("template: \"<|>\"")), ["templates/", "words.txt"]);
    assert_eq!(labels(&with("parameters: { a: <|> }")), [""; 0]);
    // At the very end of a text too, what was typed is replaced and not written before.
    let at_the_end =
        "apiVersion: hprun/v1\nsteps:\n  - id: first\n    type: make-thing\n    with:\n      template: tem<|>";
    assert!(completions(at_the_end).contains("templates/ [Folder]: \"tem\" -> \"templates\"\n"));
}

#[test]
fn the_parameters_of_a_template_are_completed_explained_and_found() {
    let with = |text: &str| good_with("stack.yaml }", &format!("stack.yaml, parameters: {{ {text} }} }}"));
    assert_snapshot!("parameters", completions(&with("<|>")));
    assert_eq!(labels(&with("Zone: a, <|>")), ["Size"]);
    assert_eq!(labels(&with("Zone: <|>")), ["a", "b"]);
    assert_snapshot!("hover_parameter", told(&with("Zo<|>ne: a")));
    assert_eq!(leads_to(&with("Si<|>ze: 1")), "Size -> templates/stack.yaml: Size:", "the template says what it is");
    assert_eq!(leads_to(&with("Other<|>: 1")), "(nowhere)");
}

#[test]
fn a_text_that_is_no_yaml_at_the_moment_is_completed_too() {
    for broken in [
        "text: \"{{ steps.first.outputs.<|>\n      times: 1\n",
        "text: {{ steps.first.outputs.<|>\n      times: 1\n",
        "text: [\"{{ steps.first.outputs.<|> }}\"\n  bad: : :\n",
    ] {
        let text = good_with("text: \"{{ steps.first.outputs.id }}\"\n      times: \"{{ params.count }}\"\n", broken);
        assert!(analysis(&text.replace("<|>", "")).known.is_none(), "{broken}");
        assert_eq!(labels(&text), ["id", "one", "parts", "two"], "{broken}");
    }
    let text = good_with("    type: make-thing\n", "    type: \"ma<|>\n");
    assert_eq!(labels(&text), ["make-thing", "use-thing"]);
    // A step that was added since the text could last be read: what its type always has.
    let added = format!(
        "{GOOD}  - id: third\n    type: make-thing\n  - id: fourth\n    with: [\"{{{{ steps.third.outputs.<|>\n"
    );
    assert_eq!(labels(&added), ["id", "parts"]);
}

#[test]
fn what_is_no_pipeline_gets_no_answers() {
    assert_eq!(labels("kind: Deployment\n<|>\n"), [""; 0]);
    assert_eq!(labels("apiVersion: v1\nkind: Pod\nspec: { <|> }\n"), [""; 0]);
    assert_eq!(labels("<|>").first().map(String::as_str), Some("apiVersion"), "an empty file may become one");
    assert_eq!(labels("name: x\n# a comment<|>\n"), [""; 0]);
}

/// What is told of the marked place.
fn told(text: &str) -> String {
    let (plain, ..) = marked(text);
    let found = analysis(&plain).found;
    let told = asked(text, |page, schema, at| hover(page, schema, &found, at));
    told.map_or_else(|| "(nothing)".to_owned(), |told| format!("{}\n\n{}", &plain[told.place], told.text))
}

#[test]
fn hover_tells_what_stands_there() {
    assert_snapshot!("hover_step_type", told(&good_with("type: use-thing", "type: use<|>-thing")));
    assert_snapshot!("hover_input", told(&good_with("      text:", "      te<|>xt:")));
    assert_snapshot!("hover_choice_input", told(&good_with("{ name:", "{ sp<|>eed: fast, name:")));
    assert_snapshot!("hover_choice", told(&good_with("{ name:", "{ speed: fa<|>st, name:")));
    assert_snapshot!("hover_param", told(&good_with("{{ params.count", "{{ params.co<|>unt")));
    assert_snapshot!("hover_param_declared", told(&good_with("  region: {", "  reg<|>ion: {")));
    assert_snapshot!("hover_step", told(&good_with("needs: [first]", "needs: [fir<|>st]")));
    assert_snapshot!("hover_output", told(&good_with("outputs.id }}", "outputs.i<|>d }}")));
    assert_snapshot!("hover_finding", told(&good_with("needs: [first]", "needs: [firs<|>]")));
    assert_snapshot!("hover_helper", told(&good_with("{{ params.count }}", "{{ len<|> params.region }}")));
    let secret = good_with("{ type: integer, env: COUNT }", "{ type: string, secret: true, env: COUNT }");
    let secret = told(&secret.replacen("{{ params.count", "{{ params.co<|>unt", 1));
    assert!(secret.contains("Now: `(secret)`") && !secret.contains('3'), "{secret}");
    assert_eq!(told(&good_with("name: p\n", "name: p\n# com<|>ment\n")), "(nothing)");
    let example = told(&good_with("env: COUNT", "env: AWS_REG<|>ION"));
    assert!(!example.contains("An example"), "{example}");
}

/// Where the marked name leads: the file, and the line there.
fn leads_to(text: &str) -> String {
    let (plain, ..) = marked(text);
    let Some((name, target)) = asked(text, |page, _, at| define(page, at)) else { return "(nowhere)".to_owned() };
    let (file, text) = match target.file {
        None => ("p.yaml".to_owned(), plain.clone()),
        Some((file, text)) => (file, text.expect("it is text").to_string()),
    };
    let line = text[target.place.start..].lines().next().unwrap_or_default();
    format!("{} -> {file}: {line}", &plain[name])
}

#[test]
fn definitions_lead_to_what_a_name_stands_for() {
    let cases = [
        ("{{ params.count", "{{ params.co<|>unt", "count -> p.yaml: count: { type: integer, env: COUNT }"),
        ("{{ steps.first", "{{ steps.fi<|>rst", "first -> p.yaml: first"),
        ("outputs.id }}", "outputs.i<|>d }}", "id -> p.yaml: first"),
        ("outputs.id }}", "outputs.on<|>e }}", "one -> templates/stack.yaml: one: { Value: 1 }"),
        ("needs: [first]", "needs: [f<|>irst]", "first -> p.yaml: first"),
        ("stack.yaml }", "sta<|>ck.yaml }", "templates/stack.yaml -> templates/stack.yaml: Resources: {}"),
        (
            "stack.yaml }",
            "stack.yaml, parameters: { two: 1 } }\n    x: \"{{ steps.first.outputs.tw<|>o }}\"",
            "two -> p.yaml: two: 1 } }",
        ),
        ("name: p\n", "name: <|>p\n", "(nowhere)"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(leads_to(&good_with(from, to)), expected, "{to}");
    }
}

#[test]
fn the_time_for_a_long_line_grows_with_its_length_and_not_with_its_square() {
    let seconds = |items: usize| {
        let text = format!("apiVersion: hprun/v1\nx: [{}]", "{\"a\":\"b\",c: d e},".repeat(items));
        let took = |_| {
            let began = std::time::Instant::now();
            assert_eq!(Sketch::of(&text).entries.len(), 2 + 3 * items);
            began.elapsed().as_secs_f64()
        };
        (0..3).map(took).fold(f64::INFINITY, f64::min)
    };
    let (short, long) = (seconds(5_000), seconds(50_000));
    assert!(long < 35.0 * short, "ten times the line took {:.0} times as long", long / short);
}

#[test]
fn the_outline_lists_params_and_steps() {
    let symbols = asked(&format!("{GOOD}<|>"), |page, _, _| symbols(page));
    let line = |symbol: &super::symbols::Symbol| format!("{} {} {}", symbol.name, symbol.detail, symbol.is_step);
    assert_eq!(
        symbols.iter().map(line).collect::<Vec<_>>(),
        ["region string false", "count integer false", "first make-thing true", "second use-thing true"]
    );
    // An editor shows no outline at all where one name in it is empty.
    let unfinished = asked("apiVersion: hprun/v1\nparams: { \"\": {} }\nsteps:\n  - id: \"\"\n<|>", |page, _, _| {
        super::symbols::symbols(page)
    });
    assert_eq!(unfinished, []);
    assert!(
        symbols.iter().all(|symbol| symbol.whole.start <= symbol.place.start && symbol.place.end <= symbol.whole.end)
    );
}

#[test]
fn no_text_and_no_cursor_makes_an_answer_panic() {
    let broken = good_with("needs: [first]", "needs: [first\n  \"x: {{ y\n   - [ } : ' | >\n\t- ä: 日本 {");
    let schema = schema(TYPES);
    for text in [GOOD, broken.as_str()] {
        for (end, _) in text.char_indices() {
            let text = &text[..end];
            let known = Known::default();
            let page = Page::new(text, &known, TYPES, &InMemory);
            for at in [end, end / 2].into_iter().filter(|at| text.is_char_boundary(*at)) {
                complete(&page, &Json::Null, at);
                complete(&page, &schema, at);
                hover(&page, &Json::Null, &[], at);
                define(&page, at);
            }
            assert!(Sketch::of(text).entries.iter().all(|entry| entry.end <= text.len()), "{text}");
        }
    }
}
