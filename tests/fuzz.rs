//! Damaged texts of every kind that `check` reads: each ends in findings, never in a panic, a hang or all of the memory.
//! A text that is answered as none before stays among those that are damaged further. `scripts/fuzz` goes on for longer.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hprun::expr::{Foreseen, KnownScope, Tree};
use hprun::pipeline::{self, KnownParams};
use hprun_steps::files::{FileInput, Files};
use hprun_steps::finding::Finding;
use hprun_steps::partial::{Partial, Place, ValueType};
use hprun_steps::value::Value;
use hprun_steps::{STEP_TYPES, StepType};
use indexmap::IndexMap;
use serde_json::json;

use crate::support::repository;

/// Rounds of a target in the test suite, where nobody asks for a time.
const ROUNDS: u64 = 400;
/// Texts that are kept to be damaged further.
const MOST_TEXTS: usize = 5_000;
/// No text is damaged into a longer one, in bytes.
const LONGEST: usize = 256 * 1024;
/// Nothing that is read takes so long unless it never ends.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// Most memory that the whole test program may have used, in kB.
const MOST_MEMORY: u64 = 4 * 1024 * 1024;

/// What texts are damaged with: the words that matter to each of the languages.
const PIECES: [&str; 40] = [
    "{{",
    "}}",
    "{{#if ",
    "{{/if}}",
    "{{json ",
    "params.",
    "steps.",
    ".outputs.",
    "eq ",
    "(",
    ")",
    "\"",
    "'",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "!Ref ",
    "!If [",
    "Fn::Sub",
    "${",
    "null",
    "1e999",
    "-1",
    "99999999999999999999",
    "\u{0}",
    "\u{feff}",
    "\u{e4}\u{1f600}",
    "\u{f0002}1\u{f0003}",
    "needs: [a]",
    "when: ",
    "with: ",
];

fn seconds() -> u64 {
    std::env::var("HPRUN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Damages `texts` and gives each to `look`, which says in a few words how it was answered.
fn fuzz(name: &str, texts: Vec<Vec<u8>>, look: impl Fn(&[u8]) -> String) {
    let seed = std::env::var("HPRUN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("{name}: HPRUN_SEED={seed}");
    assert!(!texts.is_empty());
    let (mut rng, mut texts, mut answers) = (Rng::with_seed(seed), texts, HashSet::new());
    let (begun, limit, begun_with) = (Instant::now(), Duration::from_secs(seconds()), texts.len());
    let (mut rounds, mut longest) = (0_u64, Duration::ZERO);
    while rounds < ROUNDS || begun.elapsed() < limit {
        rounds += 1;
        let mut text = texts[rng.usize(..texts.len())].clone();
        for _ in 0..rng.usize(1..10) {
            damage(&mut rng, &mut text, &texts);
        }
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| look(&text))).unwrap_or_else(|_| {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
            std::fs::write(&kept, &text).unwrap();
            panic!("{name}, seed {seed}, round {rounds}: a panic; the text is in {}", kept.display());
        });
        longest = longest.max(began.elapsed());
        assert!(began.elapsed() < HANGS_AFTER, "{name}, seed {seed}, round {rounds}: {} bytes hang", text.len());
        if answers.insert(answer) && texts.len() < MOST_TEXTS {
            texts.push(text);
        }
    }
    let (memory, kept) = (most_memory(), texts.len());
    println!(
        "{name}: {rounds} rounds, {begun_with} texts to begin with, {kept} at the end, {} answers, longest {longest:?}, most memory {memory} kB",
        answers.len()
    );
    assert!(memory < MOST_MEMORY, "{name}, seed {seed}: {memory} kB");
}

fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

fn damage(rng: &mut Rng, text: &mut Vec<u8>, others: &[Vec<u8>]) {
    let at = rng.usize(..=text.len());
    let end = (at + rng.usize(..40)).min(text.len());
    let insert = |text: &mut Vec<u8>, at: usize, piece: &[u8]| drop(text.splice(at..at, piece.iter().copied()));
    match rng.u8(..8) {
        0 => drop(text.drain(at..end)),
        1 => {
            let piece = text[at..end].to_vec();
            let to = rng.usize(..=text.len());
            insert(text, to, &piece);
        }
        2 => insert(text, at, PIECES[rng.usize(..PIECES.len())].as_bytes()),
        3 => text[at..end].iter_mut().for_each(|byte| *byte = rng.u8(..)),
        4 => {
            let other = &others[rng.usize(..others.len())];
            let from = rng.usize(..=other.len());
            let piece = &other[from..(from + rng.usize(..200)).min(other.len())];
            insert(text, at, piece);
        }
        5 => text.truncate(at.max(1)),
        6 => {
            let piece = PIECES[rng.usize(..PIECES.len())].repeat(rng.usize(1..300));
            insert(text, at, piece.as_bytes());
        }
        _ => {
            if let Some(byte) = text.get_mut(at) {
                *byte ^= 1 << rng.u8(..8);
            }
        }
    }
    text.truncate(LONGEST);
}

/// All files of the corpus and the shipped pipelines whose names end so.
fn texts(ends: &[&str]) -> Vec<Vec<u8>> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![repository().join("tests/check"), repository().join("pipelines")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().map(|path| std::fs::read(path).unwrap()).filter(|text| text.len() < LONGEST).collect()
}

/// How findings were, without their places.
fn told(codes: impl Iterator<Item = u16>) -> String {
    let mut codes: Vec<u16> = codes.collect();
    codes.sort_unstable();
    codes.dedup();
    format!("{codes:?}")
}

fn find(name: &str) -> &'static StepType {
    hprun_steps::find(name).unwrap()
}

#[test]
fn pipelines() {
    // Only files that were put there are read: a damaged path may lead anywhere.
    let folder = tempfile::tempdir().unwrap();
    let there = [
        ("templates/hyperpod-eks.yaml", "pipelines/templates/hyperpod-eks.yaml"),
        ("templates/cluster-config.json.hbs", "pipelines/templates/cluster-config.json.hbs"),
        ("template.yaml", "tests/check/shared/stack.yaml"),
        ("cluster.json.hbs", "tests/check/shared/cluster.json.hbs"),
    ];
    std::fs::create_dir(folder.path().join("templates")).unwrap();
    for (to, from) in there {
        std::fs::copy(repository().join(from), folder.path().join(to)).unwrap();
    }
    let load = |inputs: &[FileInput]| {
        let known: Vec<FileInput> =
            inputs.iter().filter(|input| there.iter().any(|(path, _)| *path == input.path)).cloned().collect();
        Files::load(folder.path(), &known)
    };
    fuzz(
        "pipelines",
        texts(&["pipeline.yaml", "-deployment.yaml", "broken/timeout-too-short.yaml", "valid/least.yaml"]),
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let authored = match pipeline::read(&text) {
                Ok(authored) => authored,
                Err(problems) => return told(problems.iter().map(|problem| problem.code.number)),
            };
            let defaults =
                authored.params.iter().filter_map(|(name, spec)| Some((name.clone(), spec.default.clone()?)));
            let params = KnownParams { values: defaults.collect() };
            let found = pipeline::check(authored, STEP_TYPES, &load, &params);
            let problems = found.map_or_else(|problems| problems, |(_, warnings)| warnings);
            let shown = hprun::diagnostic::render(&problems, ("p.yaml", &*text), false, 100);
            let json = hprun::diagnostic::to_json(&problems, ("p.yaml", &*text));
            let sarif = hprun::diagnostic::to_sarif(&problems, ("p.yaml", &*text));
            assert!(problems.is_empty() == shown.is_empty() && json.is_array() && sarif.is_object());
            told(problems.iter().map(|problem| problem.code.number))
        },
    );
}

#[test]
fn templates() {
    let folder = tempfile::tempdir().unwrap();
    let step_type = find("deploy-stack");
    let inputs = json!({ "name": "trial", "template": "t.yaml", "parameters": { "Full": true, "CreateSubnet": "x" } });
    let inputs = Partial::from_value(&Value::from_json(&inputs));
    fuzz("templates", texts(&["template.yaml", "template.json", "stack.yaml", "hyperpod-eks.yaml"]), |bytes| {
        std::fs::write(folder.path().join("t.yaml"), bytes).unwrap();
        let files = Files::load(folder.path(), &(step_type.files)(&inputs));
        let outputs = (step_type.outputs)(&inputs, &files).len();
        let foreseen = (step_type.foreseen)(&inputs, &files).len();
        let facts = (step_type.facts)(&inputs, &files).len();
        format!("{} {outputs} {foreseen} {facts}", codes((step_type.check)(&inputs, &files)))
    });
}

fn codes(findings: Vec<Finding>) -> String {
    told(findings.iter().map(|finding| finding.code.number))
}

#[test]
fn expressions() {
    let begin = [
        "{{ params.region }}",
        "{{ steps.a.outputs.b }}-x",
        "{{#if (eq params.mode 'full')}}a{{else}}b{{/if}}",
        "{{ default steps.a.outputs.b 'c' }}",
        "{{ join params.list ',' }}",
        "{{ json params.map }}",
        "{{ lookup params.list 0 }}",
        "{{ and (not params.flag) (gt params.count 3) }}",
        "{{ run.region }}{{ steps.a.status }}",
        "{{ params.secret }}",
    ];
    let values = json!({
        "region": "us-west-2", "mode": "full", "list": ["a", "b"], "map": { "k": { "l": [1] } }, "flag": true, "count": 4,
    });
    let Value::Map(values) = Value::from_json(&values) else { unreachable!("it is a map") };
    let foreseen = Foreseen::default();
    let param_type = |name: &str| if name == "secret" { ValueType::Secret } else { ValueType::Any };
    let outputs = |id: &str| (id == "a").then_some(&foreseen);
    let scope = KnownScope { params: &values, param_type: &param_type, outputs: &outputs };
    fuzz("expressions", begin.map(|text| text.as_bytes().to_vec()).to_vec(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let place = Place { start: 0, end: u32::try_from(text.len()).unwrap() };
        let tree = match Tree::text(&text, &text, place) {
            Ok(tree) => tree,
            Err(e) => return e.message.chars().take(24).collect(),
        };
        let problems: Vec<u16> = tree.problems(&scope).iter().map(|problem| problem.code.number).collect();
        let partial = tree.partial(&scope);
        format!("{} {:?} {}", told(problems.into_iter()), partial.value_type(), tree.references().len())
    });
}

#[test]
fn configurations() {
    let folder = tempfile::tempdir().unwrap();
    let (render, create) = (find("render-config"), find("create-cluster"));
    let values = json!({
        "cluster_name": "ml", "eks_cluster_arn": "arn:aws:eks:us-west-2:111122223333:cluster/ml", "count": 2, "subnets": ["subnet-01234567"],
        "role": "arn:aws:iam::111122223333:role/n", "scripts": "s3://b/p", "security_group": "sg-01234567", "checks": true,
    });
    let inputs = json!({ "template": "t.hbs", "format": "json", "schema": "create-cluster", "values": values });
    let inputs = Partial::from_value(&Value::from_json(&inputs));
    let file: IndexMap<String, Value> = IndexMap::from([("config".to_owned(), Value::from("t.hbs"))]);
    let file = Partial::from_value(&Value::Map(file));
    fuzz("configurations", texts(&[".json.hbs"]), |bytes| {
        std::fs::write(folder.path().join("t.hbs"), bytes).unwrap();
        let files = Files::load(folder.path(), &(render.files)(&inputs));
        let (rendered, facts) = ((render.check)(&inputs, &files), (render.facts)(&inputs, &files).len());
        let plain = (create.check)(&file, &files);
        let (asked, questions) = ((create.facts)(&file, &files).len(), (render.questions)(&inputs, &files).len());
        format!("{} {facts} {} {asked} {questions}", codes(rendered), codes(plain))
    });
}
