use hprun_steps::value::Value;

use super::{Given, ParamSpecs, resolve, ssm_needed};
use crate::diagnostic::render;

const NOTHING: Given<'static> =
    Given { cli: &[], files: &[], recorded: &|_| None, environment: &|_| None, ssm: &|_| None, answers: &[] };

fn specs(params: &str) -> ParamSpecs {
    let text = format!("apiVersion: hprun/v1\nname: p\nparams:\n{params}steps: [{{ id: a, type: t }}]\n");
    let authored = crate::pipeline::read(&text).expect("it is a pipeline");
    assert_eq!(authored.problems, [], "{params}");
    authored.params
}

/// Everything that is told: values with sources, or what is missing and wrong.
fn check(specs: &ParamSpecs, given: &Given<'_>) -> String {
    match resolve(specs, given) {
        Ok(params) => params
            .values
            .iter()
            .map(|(name, value)| format!("{name} = {} from {}\n", value.to_record(), params.sources[name]))
            .collect(),
        Err(problems) => {
            let missing = problems.missing.iter().map(|m| format!("missing {}: {}\n", m.name, m.ways.join(", ")));
            missing.collect::<String>() + &render(&problems.wrong, ("p.yaml", ""), false, 120)
        }
    }
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn each_source_goes_over_those_below_it() {
    let specs = specs("  x: { type: string, default: d, env: [FIRST, SECOND], ssm: /x }\n");
    let file = own(&[("f.yaml", "x: f1"), ("g.json", "{\"x\": \"f2\"}")]);
    let (cli, answers) = (own(&[("x", "c")]), own(&[("x", "a")]));
    let environment = |name: &str| match name {
        "FIRST" => Some(String::new()),
        "SECOND" => Some("e2".to_owned()),
        _ => None,
    };
    let own_variable = |name: &str| (name == "HPRUN_PARAM_X").then(|| "own".to_owned());
    let ssm = |path: &str| (path == "/x").then(|| "s".to_owned());
    let recorded = |_: &str| Some(serde_json::json!("r"));
    let all =
        Given { cli: &cli, files: &file, recorded: &recorded, environment: &environment, ssm: &ssm, answers: &answers };
    assert_eq!(check(&specs, &all), "x = \"c\" from --param\n");
    assert_eq!(check(&specs, &Given { cli: &[], ..all }), "x = \"f2\" from g.json\n");
    assert_eq!(check(&specs, &Given { cli: &[], files: &[], ..all }), "x = \"r\" from record\n");
    let fresh = Given { cli: &[], files: &[], recorded: &|_| None, ..all };
    assert_eq!(check(&specs, &fresh), "x = \"e2\" from $SECOND\n");
    assert_eq!(check(&specs, &Given { environment: &own_variable, ..fresh }), "x = \"own\" from $HPRUN_PARAM_X\n");
    let no_environment = Given { environment: &|_| None, ..fresh };
    assert_eq!(check(&specs, &no_environment), "x = \"s\" from ssm:/x\n");
    assert_eq!(ssm_needed(&specs, &no_environment), ["/x"]);
    assert_eq!(ssm_needed(&specs, &fresh), Vec::<String>::new());
    assert_eq!(check(&specs, &NOTHING), "x = \"d\" from default\n");
}

#[test]
fn texts_become_typed_values() {
    let specs = specs(
        "  s: { type: string }\n  i: { type: integer }\n  n: { type: number }\n  b: { type: boolean }\n  l: { type: list }\n  m: { type: map }\n",
    );
    let cli = own(&[("s", "007"), ("i", "-3"), ("n", "1.5"), ("b", "true"), ("l", "a, b,"), ("m", "{ k: [1, x] }")]);
    insta::assert_snapshot!(check(&specs, &Given { cli: &cli, ..NOTHING }));
}

#[test]
fn all_problems_come_at_once_and_none_shows_a_secret() {
    let specs = specs(
        "  i: { type: integer, minimum: 1, maximum: 9 }\n  s: { type: string, pattern: '[a-z]+' }\n  e: { type: string, enum: [a, b] }\n  key: { type: string, secret: true, minimum: 20 }\n  gone: { type: string, env: GONE }\n  pass: { type: string, secret: true }\n",
    );
    let cli = own(&[("i", "12"), ("s", "A1"), ("e", "c"), ("pass", "hunter2"), ("gnoe", "x")]);
    let files = own(&[("f.yaml", "key: tops3cret\nwhat: 1\n")]);
    let told = check(&specs, &Given { cli: &cli, files: &files, ..NOTHING });
    assert!(!told.contains("hunter2") && !told.contains("tops3cret"), "{told}");
    insta::assert_snapshot!(told);
}

#[test]
fn a_secret_from_the_environment_stays_one() {
    let specs = specs("  key: { type: string, secret: true, env: KEY }\n");
    let environment = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    let params = resolve(&specs, &Given { environment: &environment, ..NOTHING }).expect("it is given");
    assert_eq!(params.values["key"].to_record(), serde_json::json!("secret(key)"));
    assert!(matches!(&params.values["key"], Value::Secret(secret) if secret.reveal() == "hunter2"));
    assert_eq!(params.secrets().len(), 1);
}

#[test]
fn what_a_problem_in_a_file_refers_to_is_shown_there() {
    let files = own(&[("f.yaml", "x: a\nx: b\n")]);
    let told = check(&specs("  x: { type: string }\n"), &Given { files: &files, ..NOTHING });
    assert!(told.contains("first here") && told.contains("--> f.yaml:2:1") && !told.contains("p.yaml:"), "{told}");
}
