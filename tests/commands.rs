//! The other commands and the exit codes, as a person or a script meets them.
//! Must know nothing of hprun's insides.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::support::{Desk, finish, start, succeed};

/// One command with its exit code and all it says, the desk's folder taken out.
fn shown(desk: &Desk, arguments: &[&str]) -> String {
    let end = finish(desk.command(arguments));
    let folder = desk.path("").display().to_string();
    let typed = arguments.join(" ");
    let said = format!("$ hprun {typed}\n{}{}[exit {}]\n\n", end.stdout, end.stderr, end.code.unwrap_or(-1));
    said.replace(&folder, "DESK/")
}

#[test]
fn what_cannot_be_run_says_so_with_its_exit_code() {
    let desk = Desk::new();
    desk.write("not-text.yaml", "");
    std::fs::write(desk.path("pipelines/not-text.yaml"), b"name: \xff\xfe").unwrap();
    desk.write(
        "typo.yaml",
        "apiVersion: hprun/v1\nname: typo\nsteps:\n  - id: a\n    type: deploy-stak\n    wiht: {}\n",
    );
    desk.write("empty.yaml", "");
    desk.write("faults.yaml", "calls:\n  - { fault: explode }\n");
    desk.write("good.yaml", GOOD);
    desk.write("hello.txt.hbs", "hello\n");
    desk.write("no-template.yaml", &GOOD.replace("hello.txt", "hollo.txt"));
    let commands: &[&[&str]] = &[
        &["run", "pipelines/not-there.yaml"],
        &["pipelines/not-there.yaml"],
        &["run", "pipelines"],
        &["check", "/dev/zero"],
        &["run", "pipelines/good.yaml", "--params-file", "/dev/zero"],
        &["check", "pipelines/not-text.yaml"],
        &["check", "pipelines/typo.yaml"],
        &["check", "pipelines/empty.yaml"],
        &["chekc", "pipelines/typo.yaml"],
        &["run", "--sandbox", "--sandbox-faults", "pipelines/faults.yaml", "pipelines/good.yaml"],
        &["run", "pipelines/good.yaml", "--param", "region"],
        &["run", "pipelines/good.yaml", "--param", "regin=x"],
        &["run", "pipelines/good.yaml", "--params-file", "none.yaml"],
        &["run", "--sandbox", "pipelines/minimal-deployment.yaml"],
        &["check", "pipelines/good.yaml"],
        &["check", "pipelines/no-template.yaml"],
        &["runs"],
        &["show"],
        &["show", "abc"],
        &["resume"],
        &["outputs"],
        &["steps", "deploy-stak"],
    ];
    let all: String = commands.iter().map(|arguments| shown(&desk, arguments)).collect();
    insta::assert_snapshot!(all);
}

const GOOD: &str = "apiVersion: hprun/v1
name: good
params:
  region: { type: string, default: us-west-2 }
aws: { region: \"{{ params.region }}\" }
steps:
  - id: hello
    type: render-config
    with: { template: hello.txt.hbs, format: text }
";

#[test]
fn a_state_folder_that_cannot_be_written_is_refused_before_anything_is_done() {
    let desk = Desk::with_sandbox();
    let (file, state) = (desk.write("good.yaml", GOOD), desk.path("read-only"));
    desk.write("hello.txt.hbs", "hello\n");
    // A file where the folder should be: refused to everyone, root included.
    std::fs::write(&state, "").unwrap();
    std::fs::set_permissions(&state, PermissionsExt::from_mode(0o400)).unwrap();
    let mut command = desk.sandboxed(&file, &[]);
    command.env("HPRUN_STATE", state.join("below"));
    let end = finish(command);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("read-only/below") && end.stderr.contains("HPRUN_STATE"), "{}", end.stderr);
    assert!(desk.journal().is_empty(), "nothing was asked of AWS");
}

#[test]
fn outputs_are_read_back_by_a_shell() {
    let desk = Desk::with_sandbox();
    let value = "it's \"$HOME\" `date`\nsecond line \\";
    desk.write("odd name's.txt.hbs", "{{ value }}");
    let to = desk.path("out $HOME 'x'.txt").display().to_string();
    let step = format!(
        "steps:\n  - id: odd-file\n    type: render-config\n    with: {{ template: \"odd name's.txt.hbs\", format: text, to: {}, values: {{ value: {} }} }}\n",
        Value::from(to.clone()),
        Value::from(value),
    );
    let text = GOOD.split("steps:").next().unwrap();
    let file = desk.write("odd.yaml", &format!("{text}{step}"));
    succeed(desk.sandboxed(&file, &[]));
    let variables = succeed(desk.command(&["outputs", "--format", "env"])).stdout;
    let script = format!("{variables}\nprintf %s \"$ODD_FILE_PATH\"");
    let output = Command::new("bash").args(["-eu", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), to, "{variables}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), value);
    assert_eq!(desk.outputs()["odd-file"]["path"], to);
}

#[test]
fn runs_are_listed_with_what_became_of_them() {
    let desk = Desk::with_sandbox();
    let good = desk.write("good.yaml", GOOD);
    desk.write("hello.txt.hbs", "hello\n");
    succeed(desk.sandboxed(&good, &[]));
    let bad = desk.write(
        "bad.yaml",
        &GOOD
            .replace("name: good", "name: bad")
            .replace("render-config\n", "fetch-outputs\n")
            .replace("{ template: hello.txt.hbs, format: text }", "{ stack: not-there, map: { a: A } }"),
    );
    assert_eq!(finish(desk.sandboxed(&bad, &[])).code, Some(1));
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    running.until_event("a pass", |event| event["event"] == "attempt-started");
    let states = || {
        let listed = succeed(desk.command(&["runs", "--output", "json"])).stdout;
        let rows = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| format!("{} {}", row["pipeline"].as_str().unwrap(), row["state"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(states(), ["full-deployment running", "bad failed", "good done"]);
    running.kill();
    assert_eq!(states(), ["full-deployment killed", "bad failed", "good done"]);
    let table = succeed(desk.command(&["runs"])).stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
}

#[test]
fn the_sandbox_tells_other_programs_how_to_reach_it() {
    let desk = Desk::with_sandbox();
    let value =
        |name: &str| desk.environment().iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap();
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        let path = value(name);
        assert!(path.starts_with('/') && std::fs::read_to_string(&path).unwrap().is_empty(), "{name}={path}");
    }
    assert!(value("AWS_ENDPOINT_URL").starts_with("http://127.0.0.1:"));
}

#[test]
fn every_shell_gets_completions_and_every_step_type_a_page() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeed(desk.command(&["completions", shell])).stdout;
        assert!(script.contains("sandbox-world"), "{shell}: {script}");
    }
    let script = succeed(desk.command(&["completions", "bash"])).stdout;
    assert!(Command::new("bash").args(["-n", "-c", &script]).status().unwrap().success());
    let listed = succeed(desk.command(&["steps"])).stdout;
    let types: Vec<&str> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(types.len(), 9, "{listed}");
    let json: Value = serde_json::from_str(&succeed(desk.command(&["steps", "--output", "json"])).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().iter().map(|of| of["type"].as_str().unwrap()).collect::<Vec<_>>(), types);
    for name in types {
        let page = succeed(desk.command(&["steps", name])).stdout;
        assert!(page.contains(name) && page.contains(&format!("type: {name}")), "{page}");
        let json = succeed(desk.command(&["steps", name, "--output", "json"])).stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert!(json["inputs"]["properties"].is_object() && json["outputs"]["properties"].is_object(), "{json:#}");
    }
}

#[test]
fn a_pipeline_is_drawn() {
    let desk = Desk::new();
    let file = desk.shipped("full-deployment.yaml");
    let mermaid = succeed(desk.command(&["graph", &file])).stdout;
    assert!(mermaid.starts_with("flowchart TD\n") && mermaid.contains("  charts --> cluster\n"), "{mermaid}");
    let dot = succeed(desk.command(&["graph", "--format", "dot", &file])).stdout;
    assert!(dot.starts_with("digraph ") && dot.contains("\"charts\" -> \"cluster\";"), "{dot}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let desk = Desk::new();
    let hprun = desk.command(&[]).get_program().to_string_lossy().into_owned();
    let script = format!("set -o pipefail; '{hprun}' schema | head -1; '{hprun}' steps --markdown | head -1");
    let end = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
}
