//! The corpus of `hprun check`: broken files with what is said of each, and sound ones of which nothing is said.
//! Must know nothing of hprun's insides.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// What the schema of no step type asks for yet; tests of the runner show them with step types of their own.
const IN_NO_STEP_TYPE_YET: [&str; 4] = ["HP0405", "HP0406", "HP0407", "HP0408"];

/// What another program finds: shown in `templates.rs`.
const OF_CFN_LINT: &str = "HP0541";

/// What writes the expected findings anew.
const RENEW: &str = "HPRUN_BLESS=1 cargo test --workspace --locked --test hprun-tests check::";

fn corpus(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/check").join(kind)
}

/// The cases: `NAME.yaml`, or `NAME/pipeline.yaml` where there is more than one file.
fn cases(kind: &str) -> Vec<(String, PathBuf)> {
    let mut cases: Vec<_> = std::fs::read_dir(corpus(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            match path.is_dir() {
                true => Some((name, path.join("pipeline.yaml"))),
                false if path.extension()? == "yaml" => Some((name, path)),
                false => None,
            }
        })
        .collect();
    cases.sort();
    cases
}

/// What `hprun check` says of a file, with its exit code. A first line `# hprun: …` holds more arguments.
fn checked(file: &Path) -> (i32, String) {
    let first = std::fs::read(file).unwrap();
    let first = String::from_utf8_lossy(&first).lines().next().unwrap_or_default().to_owned();
    let more = first.strip_prefix("# hprun: ").unwrap_or_default().split_whitespace();
    let mut hprun = Command::new(env!("CARGO_BIN_EXE_hprun"));
    hprun.arg("check").arg(file.file_name().unwrap()).args(more).env_clear().current_dir(file.parent().unwrap());
    let output = hprun.output().unwrap();
    assert!(output.stdout.is_empty(), "{}: findings are for stderr", file.display());
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Where the findings of a case are written down.
fn expected(file: &Path) -> PathBuf {
    if file.ends_with("pipeline.yaml") { file.with_file_name("expected.txt") } else { file.with_extension("txt") }
}

#[test]
fn of_each_broken_file_is_said_what_is_expected() {
    let bless = std::env::var_os("HPRUN_BLESS").is_some();
    let mut wrong = Vec::new();
    let cases = cases("broken");
    assert!(cases.len() >= 120 || bless, "the corpus has {} broken files", cases.len());
    for (name, file) in cases {
        let (code, said) = checked(&file);
        if bless {
            std::fs::write(expected(&file), &said).unwrap();
        }
        let written = std::fs::read_to_string(expected(&file)).unwrap_or_default();
        // A case of warnings alone is no error.
        let fits = said == written && (code == 2 || (code == 0 && said.contains("warning[HP")));
        if !fits {
            wrong.push(format!("{name} (exit code {code}):\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n\nrenew with: {RENEW}", wrong.join("\n\n"));
}

#[test]
fn of_sound_files_nothing_is_said() {
    let cases = cases("valid");
    assert!(cases.len() >= 30 || std::env::var_os("HPRUN_BLESS").is_some(), "{} sound files", cases.len());
    let shipped = ["full-deployment.yaml", "integrative-deployment.yaml", "minimal-deployment.yaml"];
    let shipped = shipped.map(|name| (name.to_owned(), corpus("../../pipelines").join(name)));
    for (name, file) in cases.into_iter().chain(shipped) {
        let (code, said) = checked(&file);
        assert!(code == 0 && said.lines().count() == 1 && said.ends_with(", no errors\n"), "{name} ({code}):\n{said}");
    }
}

/// Each kind of mistake that can be found offline is shown by a case.
#[test]
fn every_code_has_a_case() {
    let all: String =
        cases("broken").iter().map(|(_, file)| std::fs::read_to_string(expected(file)).unwrap_or_default()).collect();
    let list = Command::new(env!("CARGO_BIN_EXE_hprun")).arg("explain").env_clear().output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let codes = list.lines().filter_map(|line| line.trim().split(' ').next()).filter(|word| word.starts_with("HP"));
    let offline = codes.filter(|code| !code.starts_with("HP10"));
    let shown =
        |code: &str| all.contains(&format!("[{code}]")) || IN_NO_STEP_TYPE_YET.contains(&code) || code == OF_CFN_LINT;
    let without: Vec<&str> = offline.filter(|code| !shown(code)).collect();
    assert!(without.is_empty(), "no case shows {without:?}");
}

/// A folder with `p/full.yaml`, whose two steps use templates with the same mistake at the same place, and a link to it.
fn two_templates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir_all(folder.path().join("p/templates")).unwrap();
    let template = "Resources:\n  A: { Type: AWS::S3::Bucket, Properties: { BucketName: !Ref Nowhere } }\n";
    write("p/templates/one.yaml", template);
    write("p/templates/two & #2.yaml", template);
    let step = |id: &str, file: &str| {
        format!("  - {{ id: {id}, type: deploy-stack, with: {{ name: {id}, template: \"./templates/{file}\" }} }}\n")
    };
    let steps = step("a", "one.yaml") + &step("b", "two & #2.yaml");
    write("p/full.yaml", &format!("apiVersion: hprun/v1\nname: trial\nsteps:\n{steps}"));
    std::os::unix::fs::symlink("p/full.yaml", folder.path().join("link.yaml")).unwrap();
    folder
}

fn check_in(folder: &Path, args: &[&str]) -> Output {
    let mut hprun = Command::new(env!("CARGO_BIN_EXE_hprun"));
    hprun.arg("check").args(args).env_clear().current_dir(folder).output().unwrap()
}

/// The files of all findings, as `--output json` and `--sarif` name them.
fn files_of(folder: &Path, pipeline: &str) -> (Vec<Value>, Vec<Value>) {
    let listed: Value =
        serde_json::from_slice(&check_in(folder, &[pipeline, "--output", "json"]).stdout).expect("a JSON list");
    check_in(folder, &[pipeline, "--sarif", "log.json"]);
    let log: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("log.json")).unwrap()).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let uris = results.iter().map(|it| it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone());
    (listed.as_array().unwrap().iter().map(|it| it["file"].clone()).collect(), uris.collect())
}

#[test]
fn files_are_named_as_they_can_be_opened_from_where_one_is() {
    let folder = two_templates();
    let said = String::from_utf8(check_in(folder.path(), &["p/full.yaml"]).stderr).unwrap();
    assert!(
        said.contains("--> p/templates/one.yaml:2:") && said.contains("--> p/templates/two & #2.yaml:2:"),
        "{said}"
    );
    let (files, uris) = files_of(folder.path(), "p/full.yaml");
    assert_eq!(files, [json!("p/templates/one.yaml"), json!("p/templates/two & #2.yaml")]);
    assert_eq!(uris, [json!("p/templates/one.yaml"), json!("p/templates/two%20%26%20%232.yaml")]);
    // Beside the pipeline they are what the pipeline says.
    let (files, _) = files_of(&folder.path().join("p"), "full.yaml");
    assert_eq!(files, [json!("./templates/one.yaml"), json!("./templates/two & #2.yaml")]);
    // Behind a link the pipeline's folder is not the link's.
    let real = folder.path().canonicalize().unwrap();
    let (files, uris) = files_of(folder.path(), "link.yaml");
    assert_eq!(files[0], json!(real.join("p/templates/one.yaml")));
    assert_eq!(uris[0], json!(format!("file://{}/p/templates/one.yaml", real.display())));
}

#[test]
fn stdout_holds_one_document() {
    let folder = two_templates();
    let output = check_in(folder.path(), &["p/full.yaml", "--output", "json", "--sarif", "-"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty() && said.contains("both as JSON and as SARIF"), "{said}");
}

#[test]
fn what_was_found_is_shown_although_aws_cannot_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let step = "{ id: a, type: fetch-outputs, when: \"{{ eq 1 1 }}\", with: { stack: s, map: { a: A } } }";
    let text = format!("apiVersion: hprun/v1\nname: trial\naws: {{ region: us-west-2 }}\nsteps:\n  - {step}\n");
    std::fs::write(folder.path().join("p.yaml"), text).unwrap();
    let mut hprun = Command::new(env!("CARGO_BIN_EXE_hprun"));
    hprun.args(["check", "p.yaml", "--live"]).env_clear().env("HOME", folder.path());
    let output = hprun.env("AWS_EC2_METADATA_DISABLED", "true").current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("warning[HP") && said.contains("\nerror: "), "{said}");
}

#[test]
fn a_report_is_not_written_over_a_pipeline() {
    let folder = two_templates();
    let file = folder.path().join("p/full.yaml");
    let before = std::fs::read(&file).unwrap();
    let refused = check_in(folder.path(), &["p/full.yaml", "--sarif", "p/full.yaml"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not written over"), "{refused:?}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let piped = check_in(folder.path(), &["p/full.yaml", "--sarif", "/dev/stdout"]);
    assert!(serde_json::from_slice::<Value>(&piped.stdout).is_ok(), "{piped:?}");
    for _ in 0..2 {
        let written = check_in(folder.path(), &["p/full.yaml", "--sarif", "log.sarif"]);
        assert_eq!(written.status.code(), piped.status.code(), "{written:?}");
        assert_eq!(std::fs::read(folder.path().join("log.sarif")).unwrap(), piped.stdout);
    }
}
