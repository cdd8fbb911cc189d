//! The offline check of templates beside the sandbox's own evaluator, which was written apart from it: what one refuses, the
//! other must refuse. Must know nothing of how either goes about it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use hprun_sandbox::cloudformation::graph;
use hprun_sandbox::cloudformation::intrinsics::{Pseudo, Scope};
use hprun_sandbox::cloudformation::parameters::{Given, resolve};
use hprun_sandbox::cloudformation::template::Template;
use hprun_steps::files::{FileInput, Files};
use hprun_steps::finding::Severity;
use hprun_steps::partial::Partial;
use hprun_steps::value::Value;
use serde_json::{Map, Value as Json, json};

use crate::support::repository;

/// Mistakes that the sandbox meets otherwise or later: in requests, in EC2, when a resource is made; or not at all.
const NOT_OF_THE_EVALUATOR: [u16; 14] = [502, 503, 510, 512, 514, 526, 530, 531, 532, 533, 534, 535, 543, 544];

/// What the sandbox says when a stack is to be made; none if it makes it.
fn sandbox(text: &str, parameters: &Map<String, Json>) -> Result<(), String> {
    let template = Template::parse(text).map_err(|e| e.to_string())?;
    let given: Vec<(String, Given)> =
        parameters.iter().map(|(name, value)| (name.clone(), Given::Value(spelled(value)))).collect();
    let values = resolve(&template.parameters, &given, None).map_err(|e| e.to_string())?;
    let pseudo = Pseudo { account: "111122223333".into(), region: "us-west-2".into(), ..Pseudo::default() };
    let mut scope = Scope {
        template: &template,
        parameters: &values,
        pseudo: &pseudo,
        conditions: BTreeMap::new(),
        resources: BTreeMap::new(),
        zones: vec![],
        exports: BTreeMap::new(),
    };
    scope.check_rules().map_err(|e| e.to_string())?;
    scope.evaluate_conditions().map_err(|e| e.to_string())?;
    graph::needs(&template, &scope.conditions).map(drop).map_err(|e| e.to_string())
}

/// The errors that the check finds, by number and words.
fn check(folder: &Path, file: &str, parameters: &Map<String, Json>) -> Vec<(u16, String)> {
    let inputs = json!({
        "name": "trial",
        "template": file,
        "template-bucket": "templates",
        "parameters": parameters,
        "capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    });
    let inputs = Partial::from_value(&Value::from_json(&inputs));
    let step_type = hprun_steps::find("deploy-stack").unwrap();
    let files: Vec<FileInput> = (step_type.files)(&inputs);
    let found = (step_type.check)(&inputs, &Files::load(folder, &files));
    let errors = found.into_iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| (finding.code.number, finding.message)).collect()
}

/// What they say differently of this template with these parameters, if anything.
fn difference(folder: &Path, file: &str, parameters: &Map<String, Json>) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let (found, sandbox) = (check(folder, file, parameters), sandbox(&text, parameters));
    let evaluated = found.iter().any(|(number, _)| !NOT_OF_THE_EVALUATOR.contains(number));
    match sandbox {
        // What the sandbox does not have says nothing of the template.
        Err(said) if said.contains("hprun sandbox") || said.contains("unsupported function: Fn::") => None,
        Err(said) => found.is_empty().then(|| format!("the check misses: {said}")),
        Ok(()) => evaluated.then(|| format!("the sandbox makes the stack, but the check says {found:?}")),
    }
}

/// `hprun check --cfn-lint` with this script in the place of cfn-lint.
fn with_cfn_lint(script: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("t.yaml", "Resources:\n  A: { Type: AWS::S3::Bucket, Properties: { BucketNam: x } }\n");
    let step = "{ id: stack, type: deploy-stack, with: { name: trial, template: t.yaml } }";
    write(
        "pipeline.yaml",
        &format!("apiVersion: hprun/v1\nname: trial\naws: {{ region: eu-west-1 }}\nsteps:\n  - {step}\n"),
    );
    write("cfn-lint", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(folder.path().join("cfn-lint"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hprun"));
    command.args(["check", "--cfn-lint", "pipeline.yaml"]).current_dir(folder.path()).env_clear();
    let output = command.env("PATH", format!("{}:/bin:/usr/bin", folder.path().display())).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn cfn_lint_is_run_on_the_templates_and_its_trouble_is_told() {
    let found = r#"test "$*" = "--regions eu-west-1 --format json -- t.yaml" || { echo "not $*" >&2; exit 1; }
        echo '[{"Filename": "t.yaml", "Level": "Error", "Message": "Additional properties are not allowed",
        "Location": {"Start": {"LineNumber": 2, "ColumnNumber": 45}, "End": {"LineNumber": 2, "ColumnNumber": 54}},
        "Rule": {"Id": "E3002", "Source": "https://example.com/rule"}}]'; exit 2"#;
    let elsewhere =
        r#"test "$1" = --regions && { echo "Regions ['eu-west-1'] are unsupported." >&2; exit 32; }; echo '[]'"#;
    let said: Vec<String> = [found, "echo '[]'", elsewhere, "echo Traceback >&2; exit 1"]
        .into_iter()
        .map(with_cfn_lint)
        .map(|(code, said)| format!("{said}[exit {code}]"))
        .collect();
    insta::assert_snapshot!(said.join("\n\n"), @r"
    error[HP0541]: cfn-lint E3002: Additional properties are not allowed
     --> t.yaml:2:45
      |
    2 |   A: { Type: AWS::S3::Bucket, Properties: { BucketNam: x } }
      |                                             ^^^^^^^^^
      |
    help: see https://example.com/rule

    pipeline.yaml: 1 error
    [exit 2]

    pipeline.yaml: 1 step, no errors
    [exit 0]

    cfn-lint does not know eu-west-1: it goes by us-east-1
    pipeline.yaml: 1 step, no errors
    [exit 0]

    error: what cfn-lint says cannot be read: EOF while parsing a value at line 1 column 0; it said: Traceback
    help: see whether `cfn-lint --regions eu-west-1 --format json t.yaml` works by itself
    [exit 2]
    ");
}

fn spelled(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(spelled).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[test]
fn the_shipped_template_stands_alike_in_all_modes() {
    let folder = repository().join("pipelines/templates");
    let own = json!({
        "VpcId": "vpc-0123456789abcdef0", "NatGatewayId": "nat-0123456789abcdef0",
        "SecurityGroupId": "sg-0123456789abcdef0",
    });
    let with = |base: &Json, more: Json| {
        let mut all = base.as_object().unwrap().clone();
        all.extend(more.as_object().unwrap().clone());
        all
    };
    let none = json!({});
    let table = [
        (with(&none, json!({})), true),
        (with(&own, json!({"CreateEKSCluster": false, "CreateSubnet": true})), true),
        (with(&none, json!({"CreateEKSCluster": "false"})), true),
        // Rules, patterns, values and names that it refuses.
        (with(&none, json!({"CreateEKSCluster": false, "CreateSubnet": true})), false),
        (with(&none, json!({"ResourceNamePrefix": "Upper"})), false),
        (with(&none, json!({"KubernetesVersion": "1.20"})), false),
        (with(&none, json!({"Prefix": "x"})), false),
        (with(&own, json!({"VpcId": "subnet-0123456789abcdef0"})), false),
    ];
    for (parameters, sound) in table {
        let found = check(&folder, "hyperpod-eks.yaml", &parameters);
        assert_eq!(found.is_empty(), sound, "{parameters:?}: {found:?}");
        assert_eq!(difference(&folder, "hyperpod-eks.yaml", &parameters), None, "{parameters:?}");
    }
}

#[test]
fn every_template_of_the_corpus_stands_alike() {
    let (mut compared, mut wrong) = (0, String::new());
    for kind in ["broken", "valid"] {
        for entry in std::fs::read_dir(repository().join("tests/check").join(kind)).unwrap() {
            let folder = entry.unwrap().path();
            // To the sandbox `yes` is a text, to CloudFormation (YAML 1.1) it is true; and it has no custom resources,
            // no hooks, no macros in an entry, and takes lists as outputs and exports of one name; what Fn::Cidr cannot give is
            // met when the subnet is made.
            let apart = [
                "template-plain-words",
                "template-default-of-two-spellings",
                "template-written-in-by-cloudformation",
                "template-hooks",
                "template-macro-in-an-entry",
                "template-lists-as-outputs",
                "template-exports-of-one-name",
                "template-zones-and-blocks",
            ];
            if apart.iter().any(|name| folder.ends_with(name)) {
                continue;
            }
            let Ok(pipeline) = std::fs::read_to_string(folder.join("pipeline.yaml")) else { continue };
            let Ok(pipeline) = serde_yaml::from_str::<Json>(&pipeline) else { continue };
            let with = &pipeline["steps"][0]["with"];
            let Some(file) = with["template"].as_str().filter(|file| folder.join(file).is_file()) else { continue };
            let parameters = with["parameters"].as_object().cloned().unwrap_or_default();
            // Expressions and maps have no text to send.
            if parameters.values().any(|value| value.is_object() || spelled(value).contains("{{")) {
                continue;
            }
            compared += 1;
            if let Some(difference) = difference(&folder, file, &parameters) {
                wrong.push_str(&format!("{}: {difference}\n", folder.display()));
            }
        }
    }
    assert!(compared > 60, "only {compared} were compared");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Small templates of conditions and references, some of them wrong.
#[test]
fn five_hundred_random_templates_stand_alike() {
    let seed = std::env::var("HPRUN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("HPRUN_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let (mut refused, mut made) = (0, 0);
    for round in 0..500 {
        let text = random_template(&mut rng);
        // Of three values two leave the default or say it again.
        let values = [None, Some("a"), Some("b")];
        let parameter = |i: usize| Some((format!("P{i}"), Json::from(values[rng.usize(..3)]?)));
        let parameters: Map<String, Json> = (0..3).filter_map(parameter).collect();
        std::fs::write(folder.path().join("t.yaml"), &text).unwrap();
        let difference = difference(folder.path(), "t.yaml", &parameters);
        assert_eq!(difference, None, "seed {seed}, round {round}, with {parameters:?}:\n{text}");
        *if sandbox(&text, &parameters).is_ok() { &mut made } else { &mut refused } += 1;
    }
    assert!(refused > 50 && made > 50, "{refused} refused, {made} made: the templates prove little");
}

fn random_template(rng: &mut Rng) -> String {
    let mut text = "Parameters:\n".to_owned();
    (0..3).for_each(|i| text += &format!("  P{i}: {{ Type: String, Default: a }}\n"));
    text += "Conditions:\n";
    for i in 0..5 {
        let condition = random_condition(rng, i, 2);
        text += &format!("  C{i}: {condition}\n");
    }
    text += "Resources:\n";
    for i in 0..6 {
        text += &format!("  R{i}:\n    Type: AWS::EC2::EIP\n");
        if rng.u8(..3) == 0 {
            text += &format!("    Condition: C{}\n", some(rng, 5));
        }
        if rng.u8(..4) == 0 {
            text += &format!("    DependsOn: R{}\n", earlier(rng, i));
        }
        if rng.u8(..3) > 0 {
            text += &format!("    Properties: {{ Domain: {} }}\n", random_value(rng, i, 2));
        }
    }
    text += "Outputs:\n";
    for i in 0..2 {
        text += &format!("  O{i}:\n    Value: {}\n", random_value(rng, 6, 2));
        if rng.bool() {
            text += &format!("    Condition: C{}\n", some(rng, 5));
        }
    }
    text
}

/// A number below `count`; rarely one that is too large.
fn some(rng: &mut Rng, count: usize) -> usize {
    if rng.u8(..60) == 0 { count + 3 } else { rng.usize(..count) }
}

/// The number of an earlier resource; rarely any.
fn earlier(rng: &mut Rng, i: usize) -> usize {
    if i == 0 || rng.u8(..40) == 0 { some(rng, 6) } else { rng.usize(..i) }
}

fn random_condition(rng: &mut Rng, i: usize, depth: usize) -> String {
    let inner = |rng: &mut Rng| random_condition(rng, i, depth - 1);
    match rng.u8(..if depth == 0 { 2 } else { 5 }) {
        0 => format!("!Equals [!Ref P{}, {}]", some(rng, 3), ["a", "b"][rng.usize(..2)]),
        1 if i > 0 || rng.u8(..30) == 0 => {
            let name = if i == 0 || rng.u8(..40) == 0 { some(rng, 5) } else { rng.usize(..i) };
            format!("!Condition C{name}")
        }
        2 => format!("!Not [{}]", inner(rng)),
        3 => format!("!And [{}, {}]", inner(rng), inner(rng)),
        4 => format!("!Or [{}, {}]", inner(rng), inner(rng)),
        _ => "!Equals [!Sub '${P0}-x', a-x]".to_owned(),
    }
}

fn random_value(rng: &mut Rng, i: usize, depth: usize) -> String {
    match rng.u8(..if depth == 0 { 5 } else { 8 }) {
        0 if i > 0 => format!("!Ref R{}", earlier(rng, i)),
        1 if i > 0 => format!("!GetAtt R{}.AllocationId", earlier(rng, i)),
        2 => format!("!Ref P{}", some(rng, 3)),
        3 if i > 0 => format!("!Sub 'x-${{R{}.AllocationId}}-${{P0}}'", earlier(rng, i)),
        5 | 6 => {
            let (yes, no) = (random_value(rng, i, depth - 1), random_value(rng, i, depth - 1));
            format!("!If [C{}, {yes}, {no}]", some(rng, 5))
        }
        7 => format!("!Join ['-', [{}, vpc]]", random_value(rng, i, depth - 1)),
        _ => "vpc".to_owned(),
    }
}
