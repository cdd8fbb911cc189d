//! Secrets are never written: not to the state, the log, the report or the terminal; only into a file or a request whose input is
//! marked for one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Desk, finish};

const FROM_ENVIRONMENT: &str = "pa55-from-the-environment";
const FROM_FILE: &str = "t0ken \"from\" a 'file'";

const TEMPLATE: &str = "AWSTemplateFormatVersion: \"2010-09-09\"
Parameters:
  Password: { Type: String, NoEcho: true }
Resources:
  Network:
    Type: AWS::EC2::VPC
    Properties: { CidrBlock: 10.0.0.0/16 }
Outputs:
  VPC: { Value: !Ref Network }
";

const PIPELINE: &str = r#"apiVersion: hprun/v1
name: with-secrets
params:
  password: { type: string, secret: true, env: DATABASE_PASSWORD }
  token:    { type: string, secret: true }
aws: { region: us-west-2 }
steps:
  - id: stack
    type: deploy-stack
    with: { name: secretive, template: secret.cfn.yaml, parameters: { Password: "{{ params.password }}" } }
  - id: config
    type: render-config
    with:
      template: secret.json.hbs
      format: json
      values: { password: "{{ params.password }}", token: "{{ params.token }}" }
  - id: late
    type: fetch-outputs
    with: { stack: not-there, map: { a: A } }
"#;

/// Every file below the folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    // Also as JSON and YAML would write it.
    let escaped = secret.replace('"', "\\\"");
    let parts = [secret, &*escaped];
    parts.iter().any(|part| bytes.windows(part.len()).any(|window| window == part.as_bytes()))
}

fn assert_clean(place: &str, bytes: &[u8]) {
    for secret in [FROM_ENVIRONMENT, FROM_FILE, "t0ken", "r0tated"] {
        assert!(!holds(bytes, secret), "{place} shows a secret:\n{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_secret_is_nowhere_but_where_it_was_asked_for() {
    let desk = Desk::with_sandbox();
    desk.write("secret.cfn.yaml", TEMPLATE);
    desk.write("secret.json.hbs", "{\"password\": {{json password}}, \"token\": {{json token}}}\n");
    let file = desk.write("secret.yaml", PIPELINE);
    let given = desk.write("secret-params.yaml", &format!("token: {}\n", serde_json::to_string(FROM_FILE).unwrap()));
    let log = desk.path("log.json").display().to_string();
    let more = ["--params-file", &given, "-vv", "--log-file", &log];
    let mut run = desk.sandboxed(&file, &more);
    run.env("DATABASE_PASSWORD", FROM_ENVIRONMENT);
    let run = finish(run);
    let mut resume = desk.resume(&more);
    resume.env("DATABASE_PASSWORD", FROM_ENVIRONMENT);
    let resume = finish(resume);
    let mut explain = desk.command(&["resume", "--explain", "--from", "stack", "--params-file", &given]);
    explain.env("DATABASE_PASSWORD", "r0tated-since");
    let explain = finish(explain);
    assert!(explain.stdout.contains("because asked for by --from stack"), "{explain:?}");
    let mut plan = desk.command(&["plan", &file, "--params-file", &given]);
    plan.env("DATABASE_PASSWORD", FROM_ENVIRONMENT);
    let plan = finish(plan);
    assert_eq!((run.code, resume.code, plan.code), (Some(1), Some(1), Some(0)), "{run:?}\n{resume:?}\n{plan:?}");
    let others =
        [&["show"][..], &["show", "--output", "json"], &["outputs"], &["outputs", "--format", "env"], &["runs"]];
    let others = others.map(|arguments| finish(desk.command(arguments)));
    for end in [&run, &resume, &explain, &plan].into_iter().chain(&others) {
        assert_clean("stdout", end.stdout.as_bytes());
        assert_clean("stderr", end.stderr.as_bytes());
    }
    assert!(run.stdout.contains("secret(password)"), "its place in the inputs is shown: {}", run.stdout);
    let logged = std::fs::read(&log).unwrap();
    assert!(holds(&logged, "CloudFormation CreateStack: 200, request id "), "{}", String::from_utf8_lossy(&logged));
    assert_clean("the log file", &logged);

    let rendered = PathBuf::from(desk.outputs()["config"]["path"].as_str().unwrap());
    let bytes = std::fs::read(&rendered).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(config, serde_json::json!({"password": FROM_ENVIRONMENT, "token": FROM_FILE}));
    assert_eq!(std::fs::metadata(&rendered).unwrap().permissions().mode() & 0o777, 0o600);
    let state = files(&desk.path("state"));
    assert!(state.iter().any(|path| path.ends_with("hprun.db")), "{state:?}");
    // Nor is the digest of what holds it: that of a short secret could be guessed back.
    let digest = hprun_steps::files::sha256(&bytes);
    for path in state.iter().filter(|path| **path != rendered) {
        let bytes = std::fs::read(path).unwrap();
        assert_clean(&path.display().to_string(), &bytes);
        assert!(!holds(&bytes, &digest), "{} has the digest of a file that holds a secret", path.display());
    }
    let sent = desk
        .journal()
        .iter()
        .any(|entry| entry["operation"] == "CreateStack" && entry["body"].to_string().contains(FROM_ENVIRONMENT));
    assert!(sent, "CloudFormation was given the secret");
}

#[test]
fn a_secret_in_a_failure_is_taken_out() {
    let desk = Desk::with_sandbox();
    desk.write("secret.cfn.yaml", &TEMPLATE.replace("CidrBlock: 10.0.0.0/16", "CidrBlock: !Ref Password"));
    let text =
        PIPELINE.split("  - id: config").next().unwrap().replace("  token:    { type: string, secret: true }\n", "");
    let file = desk.write("secret.yaml", &text);
    let mut run = desk.sandboxed(&file, &[]);
    run.env("DATABASE_PASSWORD", FROM_ENVIRONMENT);
    let end = finish(run);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert_clean("stdout", end.stdout.as_bytes());
    assert_clean("stderr", end.stderr.as_bytes());
    for path in files(&desk.path("state")) {
        assert_clean(&path.display().to_string(), &std::fs::read(path).unwrap());
    }
}

#[test]
fn a_secret_is_not_taken_from_the_command_line() {
    let desk = Desk::new();
    desk.write("secret.cfn.yaml", TEMPLATE);
    desk.write("secret.json.hbs", "{}");
    let file = desk.write("secret.yaml", PIPELINE);
    let end = finish(desk.command(&["check", &file, "-p", &format!("password={FROM_ENVIRONMENT}")]));
    assert_eq!(end.code, Some(2), "{end:?}");
    assert_clean("stderr", end.stderr.as_bytes());
}
