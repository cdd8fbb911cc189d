//! `hprun lsp` as an editor uses it: a process that is spoken to over its stdin and stdout.
//! The client here knows the protocol and nothing of hprun; a byte on stdout that is none of the protocol's fails it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Desk, finish};

/// Nothing that a test waits for takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(100);

/// An editor, as far as the protocol has it.
struct Editor {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Findings that came while an answer was waited for.
    told: VecDeque<Value>,
    last_id: i64,
}

impl Editor {
    fn start(desk: &Desk) -> Self {
        let mut command = desk.command(&["lsp"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, messages) = channel();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            while let Some(message) = read(&mut stdout) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, messages, told: VecDeque::new(), last_id: 0 }
    }

    /// Started and greeted, with these capabilities.
    fn greeted(desk: &Desk, capabilities: Value) -> (Self, Value) {
        let mut editor = Self::start(desk);
        let answer =
            editor.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": capabilities }));
        editor.tell("initialized", json!({}));
        (editor, answer["result"].clone())
    }

    fn write(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        stdin.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// Asks, and gives the whole answer.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        loop {
            let message = self.next();
            if message["id"] == id {
                return message;
            }
            self.told.push_back(message);
        }
    }

    fn next(&mut self) -> Value {
        let message = self.messages.recv_timeout(DEADLINE).expect("hprun lsp answers");
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    /// The next findings about this text, in this version.
    fn findings(&mut self, uri: &str, version: i64) -> Vec<Value> {
        loop {
            let message = self.told.pop_front().unwrap_or_else(|| self.next());
            let params = &message["params"];
            if message["method"] == "textDocument/publishDiagnostics" && params["uri"] == uri {
                assert!(params["version"].as_i64().unwrap() <= version, "{params}");
                if params["version"] == version {
                    return params["diagnostics"].as_array().unwrap().clone();
                }
            }
        }
    }

    /// Opens a text; what is found in it.
    fn open(&mut self, uri: &str, text: &str) {
        let opened = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": opened }));
    }

    fn change(&mut self, uri: &str, version: i64, change: Value) {
        let text = json!({ "uri": uri, "version": version });
        self.tell("textDocument/didChange", json!({ "textDocument": text, "contentChanges": [change] }));
    }

    fn ask_at(&mut self, what: &str, uri: &str, position: &Value) -> Value {
        let asked = json!({ "textDocument": { "uri": uri }, "position": position });
        let mut answer = self.ask(&format!("textDocument/{what}"), asked);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    /// Ends it as the protocol has it; the exit code.
    fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null)["result"], Value::Null);
        self.tell("exit", Value::Null);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The next message; none at the end of the stream.
fn read(stdout: &mut impl BufRead) -> Option<Value> {
    let (mut length, mut line) = (None, String::new());
    loop {
        line.clear();
        if stdout.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end_matches("\r\n") {
            "" => break,
            header => {
                let (name, value) = header.split_once(": ").unwrap_or_else(|| panic!("no header: {header:?}"));
                assert_eq!(name, "Content-Length", "{header:?}");
                length = value.parse().ok();
            }
        }
    }
    let mut body = vec![0; length.expect("a message says how long it is")];
    stdout.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

/// Where `part` of `text` begins, counted as the protocol does by default.
fn position(text: &str, part: &str) -> Value {
    let at = text.find(part).unwrap_or_else(|| panic!("there is no {part:?}"));
    let line = text[..at].matches('\n').count();
    let before = &text[text[..at].rfind('\n').map_or(0, |at| at + 1)..at];
    json!({ "line": line, "character": before.encode_utf16().count() })
}

fn behind(text: &str, part: &str) -> Value {
    let mut position = position(text, part);
    position["character"] = (position["character"].as_u64().unwrap() + part.encode_utf16().count() as u64).into();
    position
}

fn labels(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap()).collect()
}

fn full_deployment(desk: &Desk) -> (String, String) {
    let path = desk.shipped("full-deployment.yaml");
    (format!("file://{path}"), std::fs::read_to_string(&path).unwrap())
}

#[test]
fn an_editor_is_told_what_is_wrong_while_a_pipeline_is_written() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let (mut editor, can) = Editor::greeted(&desk, json!({}));
    assert_eq!(can["capabilities"]["positionEncoding"], "utf-16");
    editor.open(&uri, &text);
    assert_eq!(editor.findings(&uri, 1), [json!(null); 0]);

    let wrong = text.replacen("type: fetch-outputs", "type: fetch-output", 1);
    let range = json!({ "start": position(&text, "fetch-outputs"), "end": behind(&text, "fetch-outputs") });
    editor.change(&uri, 2, json!({ "range": range, "text": "fetch-output" }));
    let findings = editor.findings(&uri, 2);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!(finding["message"], "there is no step type `fetch-output`\nhelp: did you mean `fetch-outputs`?");
    assert_eq!((&finding["severity"], &finding["source"]), (&json!(1), &json!("hprun")));
    let code = finding["code"].as_str().unwrap();
    assert!(code.starts_with("HP") && finding["data"]["explain"] == format!("hprun explain {code}"), "{finding}");
    assert_eq!(finding["range"]["start"], position(&wrong, "fetch-output\n"));
    assert_eq!(finding["range"]["end"], behind(&wrong, "type: fetch-output"));

    let asked = json!({ "textDocument": { "uri": uri }, "range": finding["range"], "context": { "diagnostics": [] } });
    let fixes = editor.ask("textDocument/codeAction", asked)["result"].clone();
    assert_eq!((&fixes[0]["title"], &fixes[0]["diagnostics"][0]), (&json!("Write `fetch-outputs`"), finding));
    let edit = &fixes[0]["edit"]["changes"][&uri][0];
    editor.change(&uri, 3, json!({ "range": edit["range"], "text": edit["newText"] }));
    assert_eq!(editor.findings(&uri, 3), [json!(null); 0]);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn an_editor_completes_explains_and_leads_to_definitions() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.open(&uri, &text);
    editor.findings(&uri, 1);

    let outputs = editor.ask_at("completion", &uri, &behind(&text, "{{ steps.infra.outputs."));
    assert!(labels(&outputs).contains(&"s3_bucket"), "{outputs}");
    let types = editor.ask_at("completion", &uri, &behind(&text, "type: wait-status"));
    assert!(labels(&types).contains(&"wait-status") && labels(&types).contains(&"deploy-stack"), "{types}");
    let paths = editor.ask_at("completion", &uri, &behind(&text, "template: templates/"));
    assert_eq!(labels(&paths), ["cluster-config.json.hbs", "hyperpod-eks.yaml"]);

    let hover = editor.ask_at("hover", &uri, &behind(&text, "{{ params.region"));
    let told = hover["contents"]["value"].as_str().unwrap();
    assert!(told.contains("Where to deploy") && told.contains("us-west-2"), "{told}");
    let hover = editor.ask_at("hover", &uri, &position(&text, "fetch-outputs"));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("Read a stack's outputs"), "{hover}");

    let parameter = editor.ask_at("hover", &uri, &behind(&text, "  CreateEKS"));
    assert!(parameter["contents"]["value"].as_str().unwrap().contains("templates/hyperpod-eks.yaml"), "{parameter}");
    let step = editor.ask_at("definition", &uri, &behind(&text, "{{ steps.infra"));
    assert_eq!((&step["uri"], &step["range"]["end"]), (&json!(uri), &behind(&text, "- id: infra")));
    let file = editor.ask_at("definition", &uri, &behind(&text, "template: templates/hyperpod"));
    assert_eq!(file["uri"], format!("file://{}", desk.shipped("templates/hyperpod-eks.yaml")));

    let symbols = editor.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } }));
    let names: Vec<&str> = symbols["result"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(names.starts_with(&["region"]) && names.ends_with(&["cluster", "nodes", "ready"]), "{names:?}");
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn the_findings_are_those_of_check() {
    let desk = Desk::new();
    let (_, text) = full_deployment(&desk);
    let wrong = text
        .replacen("type: fetch-outputs", "type: fetch-output", 1)
        .replacen("params.prefix", "params.prefx", 1)
        .replacen("timeout: 60m", "timeout: 60", 1)
        .replacen("id: scripts", "id: infra", 1)
        .replacen("namespace: kube-system", "namespce: kube-system", 1);
    let path = desk.write("wrong.yaml", &wrong);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    let uri = format!("file://{path}");
    editor.open(&uri, &wrong);
    let twice =
        editor.findings(&uri, 1).into_iter().find(|f| f["relatedInformation"].is_array()).expect("an id is taken");
    assert_eq!(twice["relatedInformation"][0]["location"]["uri"], uri, "{twice}");
    editor.change(&uri, 2, json!({ "text": wrong }));
    let line = |at: &Value, first: i64| at["line"].as_i64().unwrap() - first;
    let told: BTreeSet<(String, i64, String)> = editor
        .findings(&uri, 2)
        .iter()
        .map(|f| {
            (
                f["code"].to_string(),
                line(&f["range"]["start"], 0),
                f["message"].as_str().unwrap().split("\nhelp: ").next().unwrap().to_owned(),
            )
        })
        .collect();
    let checked = finish(desk.command(&["check", &path, "--output", "json"])).stdout;
    let checked: Value = serde_json::from_str(&checked).unwrap();
    let checked: BTreeSet<(String, i64, String)> = checked
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["code"].to_string(), line(&f["at"], 1), f["message"].as_str().unwrap().to_owned()))
        .collect();
    assert!(checked.len() >= 4, "{checked:?}");
    assert_eq!(told, checked);
}

#[test]
fn what_the_editor_has_open_counts_and_not_the_disk() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let template = desk.shipped("templates/cluster-config.json.hbs");
    let template_uri = format!("file://{template}");
    let on_disk = std::fs::read_to_string(&template).unwrap();
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.open(&uri, &text);
    assert_eq!(editor.findings(&uri, 1), [json!(null); 0]);
    // A name that the step has no value for: found in the template, which is only changed in the editor.
    editor.open(
        &template_uri,
        &on_disk.replacen("{{cluster_name}}", "{{cluster_nam}}", 1).replacen(
            "{{json cluster_name}}",
            "{{json cluster_nam}}",
            1,
        ),
    );
    let findings = editor.findings(&template_uri, 1);
    assert!(!findings.is_empty() && findings[0]["message"].as_str().unwrap().contains("cluster_nam"), "{findings:?}");
    // It is mended and explained there, too.
    let asked = json!({ "textDocument": { "uri": template_uri }, "range": findings[0]["range"], "context": { "diagnostics": [] } });
    let fixes = editor.ask("textDocument/codeAction", asked)["result"].clone();
    assert_eq!(fixes[0]["edit"]["changes"][&template_uri][0]["newText"], "cluster_name", "{fixes}");
    let hover = editor.ask_at("hover", &template_uri, &findings[0]["range"]["start"]);
    assert!(hover["contents"]["value"].as_str().unwrap().contains(findings[0]["code"].as_str().unwrap()), "{hover}");
    // Closed without saving, the file on the disk counts again.
    editor.tell("textDocument/didClose", json!({ "textDocument": { "uri": template_uri } }));
    loop {
        let message = editor.told.pop_front().unwrap_or_else(|| editor.next());
        if message["params"]["uri"] == template_uri && message["params"]["diagnostics"] == json!([]) {
            break;
        }
    }
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn a_file_is_the_same_by_whatever_way_it_was_opened() {
    let desk = Desk::new();
    let (_, text) = full_deployment(&desk);
    std::os::unix::fs::symlink(desk.path("pipelines"), desk.path("link")).unwrap();
    let uri = format!("file://{}", desk.path("link").join("full-deployment.yaml").display());
    let template = desk.shipped("templates/cluster-config.json.hbs");
    let on_disk = std::fs::read_to_string(&template).unwrap();
    let template = format!("file://{template}");
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.open(&template, &on_disk.replacen("cluster_name", "cluster_nam", 1));
    editor.open(&uri, &text);
    assert!(editor.findings(&template, 1)[0]["message"].as_str().unwrap().contains("cluster_nam"));
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn a_file_that_changes_on_the_disk_is_looked_at_again() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let watching = json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
    let (mut editor, _) = Editor::greeted(&desk, watching);
    let asked = editor.next();
    assert_eq!(asked["method"], "client/registerCapability", "{asked}");
    editor.write(&json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null }).to_string());
    editor.open(&uri, &text);
    assert_eq!(editor.findings(&uri, 1), [json!(null); 0]);
    desk.edit("templates/cluster-config.json.hbs", "cluster_name", "cluster_nam");
    let template = format!("file://{}", desk.shipped("templates/cluster-config.json.hbs"));
    editor.tell("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": template, "type": 2 }] }));
    let told = loop {
        let message = editor.told.pop_front().unwrap_or_else(|| editor.next());
        if message["params"]["uri"] == template {
            break message;
        }
    };
    assert!(told["params"]["diagnostics"][0]["message"].as_str().unwrap().contains("cluster_nam"), "{told}");
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn of_many_changes_the_newest_is_told() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.open(&uri, &text);
    for version in 2..60 {
        editor.change(
            &uri,
            version,
            json!({ "text": text.replacen("version: 1.0.0", &format!("vers: '{version}'"), 1) }),
        );
    }
    editor.change(&uri, 60, json!({ "text": text }));
    assert_eq!(editor.findings(&uri, 60), [json!(null); 0]);
}

#[test]
fn files_that_are_no_pipelines_are_left_alone() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    let other = format!("file://{}", desk.shipped("pod.yaml"));
    editor.open(&other, "apiVersion: v1\nkind: Pod\nsteps: [\n");
    editor.open(&uri, &text);
    loop {
        let message = editor.next();
        assert!(message["params"]["uri"] != other, "{message}");
        if message["params"]["uri"] == uri {
            break;
        }
    }
    let nothing = editor.ask_at("completion", &other, &json!({ "line": 1, "character": 0 }));
    assert_eq!(labels(&nothing), [""; 0]);
    assert!(editor.told.iter().all(|message| message["params"]["uri"] != other), "{:?}", editor.told);
}

#[test]
fn columns_are_bytes_where_the_editor_offers_it() {
    let desk = Desk::new();
    let text = "apiVersion: hprun/v1\nname: p\nsteps:\n  - { id: a, description: 'ä😀', type: wait-statu, with: { stack: s } }\n";
    let column = |capabilities: Value| {
        let (mut editor, can) = Editor::greeted(&desk, capabilities);
        let uri = format!("file://{}", desk.shipped("p.yaml"));
        editor.open(&uri, text);
        let found = editor.findings(&uri, 1);
        (can["capabilities"]["positionEncoding"].clone(), found[0]["range"]["start"]["character"].as_u64().unwrap())
    };
    let at = text.lines().nth(3).unwrap().find("wait-statu").unwrap() as u64;
    assert_eq!(column(json!({})), (json!("utf-16"), at - 3));
    assert_eq!(column(json!({ "general": { "positionEncodings": ["utf-16", "utf-8"] } })), (json!("utf-8"), at));
}

#[test]
fn what_breaks_the_protocol_breaks_nothing_else() {
    let desk = Desk::new();
    let mut editor = Editor::start(&desk);
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32002);
    editor.ask("initialize", json!({ "capabilities": {} }));
    editor.write("{ this is no JSON");
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.write("\"nor a message\"");
    assert_eq!(editor.next()["error"]["code"], -32600);
    write!(editor.stdin.as_mut().unwrap(), "Content-Length: many\n\n").unwrap();
    assert_eq!(editor.next()["error"]["code"], -32700);
    editor.tell("textDocument/didChange", json!({ "textDocument": 1 }));
    editor.tell("$/setTrace", json!({ "value": "off" }));
    assert_eq!(editor.ask("textDocument/rename", json!({}))["error"]["code"], -32601);
    assert_eq!(editor.ask("textDocument/hover", json!({ "x": 1 }))["error"]["code"], -32602);
    assert_eq!(editor.ask_at("hover", "file:///nowhere.yaml", &json!({ "line": 0, "character": 0 })), Value::Null);
    assert_eq!(editor.ask("shutdown", Value::Null)["result"], Value::Null);
    assert_eq!(editor.ask("textDocument/hover", json!({}))["error"]["code"], -32600);
    editor.tell("exit", Value::Null);
    assert_eq!(editor.child.wait().unwrap().code(), Some(0));

    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.tell("exit", Value::Null);
    assert_eq!(editor.child.wait().unwrap().code(), Some(1), "`exit` without `shutdown`");
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    drop(editor.stdin.take());
    assert_eq!(editor.child.wait().unwrap().code(), Some(1), "the editor is gone");
}

#[test]
fn of_files_beside_a_text_that_is_no_file_nothing_is_said() {
    let desk = Desk::new();
    let (_, text) = full_deployment(&desk);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    for uri in ["untitled:Untitled-1", "git:/full-deployment.yaml?ref", "file://elsewhere/full-deployment.yaml"] {
        editor.open(uri, &text);
        assert_eq!(editor.findings(uri, 1), [json!(null); 0], "{uri}");
        editor.change(uri, 2, json!({ "text": text.replacen("timeout: 60m", "timeout: 60", 1) }));
        assert_eq!(editor.findings(uri, 2).len(), 1, "what is in the text itself is told: {uri}");
    }
}

#[test]
fn a_byte_order_mark_hides_nothing() {
    let desk = Desk::new();
    let (uri, text) = full_deployment(&desk);
    let (mut editor, _) = Editor::greeted(&desk, json!({}));
    editor.open(&uri, &format!("\u{feff}{}", text.replacen("timeout: 60m", "timeout: 60", 1)));
    assert_eq!(editor.findings(&uri, 1).len(), 1);
}
