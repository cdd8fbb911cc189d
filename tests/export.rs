//! A run leaves one machine as a file and goes on on another: nothing is made twice, and it has one owner at any time.
//! Must know nothing of hprun's insides. Two state folders stand for two machines.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use crate::endings::{ALL_WELL, assert_says, cluster, little, unfinished};
use crate::killed::{kill_child, up_to_helm};
use crate::rerun::new_effects;
use crate::support::{Desk, End, finish, is_event, start, succeed, text, tool, until};

/// A command on the machine whose record is in this folder of the desk.
fn on(desk: &Desk, machine: &str, arguments: &[&str]) -> Command {
    let mut command = desk.command(arguments);
    command.env("HPRUN_STATE", desk.path(machine));
    command
}

/// What `hprun runs` of that machine says of its newest run.
fn state_on(desk: &Desk, machine: &str) -> String {
    let rows = succeed(on(desk, machine, &["runs", "--output", "json"])).stdout;
    let row: Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    text(&row["state"]).to_owned()
}

/// An unfinished run on the desk's own machine, exported to `run.file`; its id.
fn exported(desk: &Desk) -> String {
    unfinished(desk);
    let run = desk.newest();
    succeed(desk.command(&["export", &run, "-o", "run.file"]));
    run
}

/// Changes the exported file as someone may who keeps its digest right.
fn forge(desk: &Desk, name: &str, change: impl Fn(&str) -> String) {
    let whole = std::fs::read_to_string(desk.path("run.file")).unwrap();
    let (above, _) = whole.trim_end().rsplit_once('\n').unwrap();
    let above = change(&format!("{above}\n"));
    let closing = json!({"events": above.lines().count() - 1, "sha256": hprun_steps::files::sha256(above.as_bytes())});
    std::fs::write(desk.path(name), format!("{above}{closing}\n")).unwrap();
}

#[test]
fn a_run_that_was_killed_in_the_cluster_wait_goes_on_on_another_machine_and_comes_back() {
    let desk = Desk::with_sandbox();
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    let waiting = |event: &Value| text(&event["progress"]).contains("Creating, nodes");
    let run = text(&running.until_event("nodes are counted", waiting)["run"]).to_owned();
    running.kill();
    succeed(desk.command(&["export", &run]));
    let file = format!("{run}.hprun-run");
    assert_eq!(std::fs::metadata(desk.path(&file)).unwrap().permissions().mode() & 0o777, 0o600);
    // The files that the run wrote are not on the other machine.
    std::fs::rename(desk.path("state"), desk.path("a")).unwrap();
    assert_eq!(state_on(&desk, "a"), "exported");

    let end = succeed(on(&desk, "b", &["import", &file]));
    assert_eq!(end.stdout, format!("hprun resume {run}\n"));
    assert_eq!(state_on(&desk, "b"), "imported");
    let end = succeed(on(&desk, "b", &["resume", "--output", "json"]));
    let lost = |e: &Value| is_event(e, "attempt-started", "config") && e["because"].to_string().contains(" is gone");
    assert!(end.stdout.lines().any(|line| lost(&serde_json::from_str(line).unwrap())), "{}", end.stdout);
    assert_eq!(cluster(&desk), ALL_WELL);
    let made = new_effects(&desk, &BTreeMap::new());
    assert!(made.len() > 3 && made.iter().all(|call| call.starts_with("1 ")), "{made:#?}");

    let refused = finish(on(&desk, "a", &["resume", &run]));
    assert_says(&refused, 3, &[&format!("the run {run} was exported on "), "--take-back"]);
    assert_says(&finish(on(&desk, "a", &["rerun", &run])), 3, &["was exported on "]);
    let end = finish(on(&desk, "a", &["import", &file]));
    assert_says(&end, 0, &["is here, just as in", "--take-back"]);
    // Back again: what happened elsewhere is in the record here, and what is done is done.
    succeed(on(&desk, "b", &["export", &run, "-o", "back"]));
    succeed(on(&desk, "a", &["import", "back"]));
    assert_eq!((state_on(&desk, "a").as_str(), state_on(&desk, "b").as_str()), ("done", "exported"));
    let shown = succeed(on(&desk, "a", &["show", &run])).stdout;
    assert!(shown.contains("written into a file on ") && shown.contains("came to "), "{shown}");
    succeed(on(&desk, "a", &["resume", &run]));
    assert_eq!(new_effects(&desk, &BTreeMap::new()), made);
}

#[test]
fn a_run_that_goes_on_is_not_exported_but_for_a_look() {
    let desk = Desk::with_sandbox();
    // An answer that does not come: it goes on for as long as the test needs.
    desk.faults(&json!({"calls": [{"operation": "CreateStack", "fault": "delay", "delay": "20h"}]}));
    let mut running = start(desk.sandboxed(&desk.without_helm(), &[]));
    let intended = running.until_event("CreateStack is sent", |e| e["record"]["op"] == "create-stack");
    let run = text(&intended["run"]);
    let end = finish(desk.command(&["export", run]));
    assert_says(&end, 3, &[&format!("is held by process {}", running.pid())]);
    succeed(desk.command(&["export", run, "--copy", "-o", "copy"]));
    succeed(on(&desk, "b", &["import", "copy"]));
    let shown = succeed(on(&desk, "b", &["show", run])).stdout;
    assert!(shown.contains("stack: started (deploy-stack)"), "{shown}");
    running.kill();
}

/// First the record, then the file: at no moment could both machines go on, and at none is the run lost.
#[test]
fn a_crash_while_a_run_leaves_or_arrives_leaves_it_in_one_place() {
    let desk = Desk::with_sandbox();
    unfinished(&desk);
    let run = desk.newest();
    let killed_at = |point: &str, machine: &str, arguments: &[&str]| {
        let mut command = on(&desk, machine, arguments);
        command.env("HPRUN_KILL_POINT", point);
        assert_eq!(finish(command).code, None, "it is killed there: {point}");
    };
    let export = ["export", &run, "-o", "run.file"];
    killed_at("1:before commit exported", "state", &export);
    assert_eq!((state_on(&desk, "state").as_str(), desk.path("run.file").exists()), ("failed", false));
    killed_at("1:after commit exported", "state", &export);
    assert_eq!((state_on(&desk, "state").as_str(), desk.path("run.file").exists()), ("exported", false));
    succeed(desk.command(&export));
    killed_at("1:before commit imported", "b", &["import", "run.file"]);
    assert_eq!(finish(on(&desk, "b", &["show"])).code, Some(2), "nothing arrived");
    killed_at("1:after commit imported", "b", &["import", "run.file"]);
    assert_eq!(state_on(&desk, "b"), "imported");
}

/// On another machine nobody could end it, and here it would go on changing things.
#[test]
fn a_run_that_left_helm_at_work_is_not_exported_before_its_end() {
    let desk = Desk::with_sandbox();
    // A helm that never ends what it changes.
    let helm = desk.write(
        "helm-that-hangs",
        &format!(
            "#!/bin/sh\ncase \"$*\" in *--dry-run*) ;; upgrade*) touch {}; exec sleep 1000;; esac\nexec {} \"$@\"\n",
            desk.path("hangs").display(),
            tool("helm4")
        ),
    );
    std::fs::set_permissions(&helm, PermissionsExt::from_mode(0o755)).unwrap();
    let mut run = desk.sandboxed(&up_to_helm(&desk), &[]);
    run.env("HPRUN_HELM", &helm);
    let mut running = start(run);
    running.until_event("helm installs", |e| text(&e["progress"]).starts_with("installing "));
    let started = running.until_event("its start is recorded", |e| e["record"]["record"] == "child-started");
    running.until("helm is at work", || desk.path("hangs").exists().then_some(()));
    running.kill();
    let (run, pid) = (text(&started["run"]), started["record"]["pid"].as_i64().unwrap());
    let end = finish(desk.command(&["export", run]));
    kill_child(pid);
    assert_says(&end, 3, &[&format!("(process {pid}) of the run {run} is still at work"), "then export"]);
    until("it ends", || (finish(desk.command(&["export", run])).code == Some(0)).then_some(()));
}

#[test]
fn an_import_is_refused_with_what_to_do() {
    let desk = Desk::with_sandbox();
    let run = exported(&desk);
    let whole = std::fs::read_to_string(desk.path("run.file")).unwrap();
    std::fs::write(desk.path("cut"), whole.rsplit_once("{\"events\"").unwrap().0).unwrap();
    std::fs::write(desk.path("changed"), whole.replacen("us-west-2", "us-east-1", 1)).unwrap();
    std::fs::write(desk.path("binary"), b"\xff\xfe\0").unwrap();
    forge(&desk, "newer", |text| text.replacen("\"format\":1,\"hprun\":\"", "\"format\":2,\"hprun\":\"9.", 1));
    forge(&desk, "elsewhere", |text| text.replace(&desk.path("world").display().to_string(), "/not/there"));
    let refused = |arguments: &[&str], words: &[&str]| {
        assert_says(&finish(on(&desk, "b", &[&["import"], arguments].concat())), 3, words);
    };
    refused(&["cut"], &["nothing was imported from cut: it is not whole: its closing line is missing"]);
    refused(&["changed"], &["nothing was imported from changed: it is damaged: it is not what was written"]);
    refused(&["binary"], &["binary: it is no exported run"]);
    refused(&["newer"], &["it has format 2, written by hprun 9.0.1.0, and this hprun knows 1 at most"]);
    refused(&["elsewhere"], &["the sandbox world /not/there, which is not here"]);
    refused(&["run.file", "--pipeline", &desk.shipped("minimal-deployment.yaml")], &["is the pipeline minimal"]);
    std::fs::rename(desk.path("pipelines"), desk.path("moved")).unwrap();
    refused(&["run.file"], &["little.yaml is not on this machine", "--pipeline PATH"]);
    assert_eq!(finish(on(&desk, "b", &["show"])).code, Some(2), "nothing was recorded");

    // The file is at another place here, and no longer the same.
    let moved = desk.path("moved/little.yaml");
    let step = "  - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } } }\n";
    let mended = std::fs::read_to_string(&moved).unwrap().replace(step, "");
    std::fs::write(&moved, mended).unwrap();
    let end = succeed(on(&desk, "b", &["import", "run.file", "--pipeline", "moved/little.yaml"]));
    assert_says(&end, 0, &["is not as the run had it", &format!("hprun resume {run} --explain")]);
    let end = succeed(on(&desk, "b", &["import", "run.file"]));
    assert_says(&end, 0, &["is here already, with all that is in run.file and more", "hprun resume"]);
    succeed(on(&desk, "b", &["resume"]));
    assert_eq!(state_on(&desk, "b"), "done");
}

#[test]
fn a_run_that_is_taken_back_goes_its_own_way() {
    let desk = Desk::with_sandbox();
    let run = exported(&desk);
    succeed(desk.command(&["export", &run, "-o", "again"]));
    let events = |name: &str| -> Vec<String> {
        let text = std::fs::read_to_string(desk.path(name)).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    };
    let without_closing = |lines: Vec<String>| lines[..lines.len() - 1].to_vec();
    assert_eq!(without_closing(events("again")), without_closing(events("run.file")), "the same once more");
    let end = finish(desk.sandboxed(&desk.path("pipelines/little.yaml").display().to_string(), &[]));
    assert_says(&end, 3, &["was exported, and may not be finished elsewhere", "--take-back", "--new"]);
    succeed(on(&desk, "b", &["import", "run.file"]));
    // A person errs: both go on.
    assert_eq!(finish(desk.resume(&[&run, "--take-back"])).code, Some(1), "it fails as before");
    assert_eq!(finish(on(&desk, "b", &["resume"])).code, Some(1));
    succeed(on(&desk, "b", &["export", &run, "-o", "from-b"]));
    let end = finish(desk.command(&["import", "from-b"]));
    assert_says(&end, 3, &["went different ways after event", &format!("hprun show {run}")]);
}

#[test]
fn a_record_that_was_put_back_from_a_backup_takes_in_nothing_newer() {
    let desk = Desk::with_sandbox();
    unfinished(&desk);
    let run = desk.newest();
    let copied = Command::new("cp").arg("-a").args([desk.path("state"), desk.path("backup")]).status().unwrap();
    assert!(copied.success());
    succeed(desk.command(&["export", &run, "-o", "run.file"]));
    let end = finish(on(&desk, "backup", &["import", "run.file"]));
    assert_says(&end, 3, &["is here too, and this record does not say that it left"]);
}

#[test]
fn a_copy_is_only_to_look_at() {
    let desk = Desk::with_sandbox();
    unfinished(&desk);
    let run = desk.newest();
    let copy = succeed(desk.command(&["export", &run, "--copy", "-o", "-"])).stdout;
    std::fs::write(desk.path("copy"), &copy).unwrap();
    assert_eq!(state_on(&desk, "state"), "failed", "it stays as it was");
    let end = succeed(on(&desk, "b", &["import", "copy"]));
    assert_eq!(end.stdout, format!("hprun show {run}\n"));
    assert_eq!(state_on(&desk, "b"), "copy");
    let shown = succeed(on(&desk, "b", &["show", &run])).stdout;
    assert!(shown.contains("this is a copy, to look at: the run itself is on "), "{shown}");
    for command in ["resume", "rerun", "export"] {
        assert_says(&finish(on(&desk, "b", &[command, &run])), 3, &["this is a copy of the run"]);
    }
    assert_eq!(finish(on(&desk, "b", &["resume", &run, "--take-back"])).code, Some(3));
    assert_says(&finish(desk.command(&["import", "copy"])), 3, &["itself is here, and the file is a copy"]);
    // The run itself, or a newer copy, takes the place of a copy; and an imported run can be rerun.
    succeed(on(&desk, "b", &["import", "copy"]));
    succeed(desk.command(&["export", &run, "-o", "run.file"]));
    succeed(on(&desk, "b", &["import", "run.file"]));
    assert_eq!(state_on(&desk, "b"), "imported");
    let step = "  - { id: infra, type: fetch-outputs, with: { stack: not-there, map: { a: A } } }\n";
    desk.edit("little.yaml", step, "");
    succeed(on(&desk, "b", &["rerun"]));
    assert_eq!(state_on(&desk, "b"), "done");
    assert_says(&finish(on(&desk, "b", &["export", &run])), 3, &["'s now", "hprun export "]);
    succeed(on(&desk, "b", &["export", &run, "--copy", "-o", "old"]));
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_run_where_it_is() {
    let desk = Desk::with_sandbox();
    let file = little(&desk);
    succeed(desk.sandboxed(&file, &[]));
    let run = desk.newest();
    let refused = |to: &str| -> End { finish(desk.command(&["export", &run, "-o", to])) };
    assert_says(&refused("not-there/run.file"), 2, &["not-there"]);
    assert_says(&refused("pipelines"), 2, &["pipelines is a folder: name a file"]);
    assert_eq!(state_on(&desk, "state"), "done");
}

const EVERYWHERE: &str = r#"apiVersion: hprun/v1
name: secrets-everywhere
params:
  password: { type: string, secret: true, env: DATABASE_PASSWORD }
aws: { region: us-west-2 }
steps:
  - id: stack
    type: deploy-stack
    with: { name: secretive, template: secret.cfn.yaml, parameters: { Password: "{{ params.password }}" } }
    on-failure: continue
  - id: config
    type: render-config
    with: { template: s.json.hbs, format: json, values: { p: "{{ params.password }}", deep: { er: ["x {{ params.password }} y"] } } }
  - id: charts
    type: helm-install
    with:
      chart: { path: charts/hyperpod-fixture }
      release: r
      namespace: n
      kubeconfig: not-there
      values: { a: { b: "{{ params.password }}" } }
    on-failure: continue
  - id: late
    type: fetch-outputs
    with: { stack: not-there, map: { a: A } }
"#;

#[test]
fn no_secret_is_in_an_exported_run() {
    const SECRET: &str = "pa55-that-nobody-exports";
    let desk = Desk::with_sandbox();
    // The failure of the stack quotes the secret.
    desk.write(
        "secret.cfn.yaml",
        "AWSTemplateFormatVersion: \"2010-09-09\"\nParameters:\n  Password: { Type: String, NoEcho: true }\nResources:\n  Network:\n    Type: AWS::EC2::VPC\n    Properties: { CidrBlock: !Ref Password }\n",
    );
    desk.write("s.json.hbs", "{\"p\": {{json p}}, \"d\": {{json deep}}}\n");
    let file = desk.write("everywhere.yaml", EVERYWHERE);
    let with_secret = |mut command: Command| {
        command.env("DATABASE_PASSWORD", SECRET);
        finish(command)
    };
    let end = with_secret(desk.sandboxed(&file, &[]));
    assert_eq!(end.code, Some(1), "{}\n{}", end.stdout, end.stderr);
    assert_eq!(with_secret(desk.rerun(&[])).code, Some(1), "what a rerun inherits is exported, too");
    let run = desk.newest();
    let copy = succeed(desk.command(&["export", &run, "--copy", "-o", "-"])).stdout;
    succeed(desk.command(&["export", &run, "-o", "run.file"]));
    let exported = std::fs::read_to_string(desk.path("run.file")).unwrap();
    for (place, text) in [("the copy", &copy), ("the file", &exported)] {
        assert!(!text.contains(SECRET), "{place} holds a secret:\n{text}");
        assert!(text.contains("secret(password)"), "its places are in it");
        for (step, event) in [("stack", "attempt-failed"), ("config", "step-succeeded"), ("charts", "attempt-failed")] {
            let is = |line: &str| is_event(&serde_json::from_str(line).unwrap(), event, step);
            assert!(text.lines().any(is), "{step}: no {event} in {place}:\n{text}");
        }
    }
    // Elsewhere it has to be given again.
    succeed(on(&desk, "b", &["import", "run.file"]));
    assert_says(&finish(on(&desk, "b", &["resume", "--no-input"])), 2, &["password", "DATABASE_PASSWORD"]);
}
