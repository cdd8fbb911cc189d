//! Real helm 3, helm 4 and kubectl against the sandbox, with the fixture chart: install, look, wait, upgrade, roll back, remove.
//! The binaries come from `tests/tools.py`, or from HPRUN_HELM3, HPRUN_HELM4 and HPRUN_KUBECTL; without them this fails.

mod kubernetes_support;

use std::path::{Path, PathBuf};
use std::process::Output;

use hprun_sandbox::{ClockKind, Sandbox};
use kubernetes_support::{CLUSTER, add_node, address, open, token};
use serde_json::Value;

/// A minute a second, so that real waits are short.
const SPEED: ClockKind = ClockKind::Scaled { speed: 60.0 };

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_takes_the_fixture_chart_through_its_whole_life() {
    let helm = tool("helm3");
    whole_life(&helm).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_takes_the_fixture_chart_through_its_whole_life() {
    let helm = tool("helm4");
    whole_life(&helm).await;
}

async fn whole_life(helm: &Path) {
    let trial = Trial::start().await;
    let chart = trial.chart();
    let chart = chart.to_str().expect("a path in UTF-8");
    let at = ["-n", "kube-system"];
    let run = async |words: &[&str]| trial.run(helm, words).await;
    run(&["dependency", "build", chart]).await.good();
    run(&["lint", chart]).await.good();
    run(&["template", "dep", chart]).await.good();
    run(&[&["upgrade", "--install", "dep", chart, "--dry-run=server"], &at[..]].concat()).await.good();
    assert_eq!(run(&["list", "-A", "-o", "json"]).await.json(), Value::Array(Vec::new()), "a dry run leaves nothing");
    // No node yet: the chart goes in, its pods wait.
    let made = run(&[&["upgrade", "--install", "dep", chart, "-o", "json"], &at[..]].concat()).await.json();
    assert_eq!((&made["version"], &made["info"]["status"]), (&1.into(), &"deployed".into()));
    let waits =
        ["upgrade", "--install", "dep", chart, "--wait", "--timeout", "3s", "--set", "jobController.replicas=2"];
    let refused = run(&[&waits[..], &at[..]].concat()).await.bad();
    assert!(refused.contains("context deadline exceeded"), "{refused}");
    add_node(&trial.sandbox, "hyperpod-i-1");
    let waits =
        ["upgrade", "--install", "dep", chart, "--wait", "--timeout", "60s", "--set", "jobController.replicas=2"];
    run(&[&waits[..], &at[..]].concat()).await.good();
    let status = run(&[&["status", "dep", "-o", "json"], &at[..]].concat()).await.json();
    assert_eq!((&status["version"], &status["info"]["status"]), (&3.into(), &"deployed".into()));
    run(&[&["rollback", "dep", "1", "--wait", "--timeout", "60s"], &at[..]].concat()).await.good();
    let history = run(&[&["history", "dep", "-o", "json"], &at[..]].concat()).await.json();
    let states: Vec<&str> =
        history.as_array().expect("a list").iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(states.last(), Some(&"deployed"), "{states:?}");
    assert_eq!((states.len(), states[1]), (4, "failed"));
    run(&[&["uninstall", "dep", "--wait", "--timeout", "60s"], &at[..]].concat()).await.good();
    let gone = run(&[&["status", "dep"], &at[..]].concat()).await.bad();
    assert!(gone.contains("release: not found"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_does_what_the_guide_and_an_operator_do() {
    let kubectl = tool("kubectl");
    let trial = Trial::start().await;
    add_node(&trial.sandbox, "hyperpod-i-1");
    let file = trial.dir.path().join("web.yaml");
    let file = file.to_str().expect("a path in UTF-8");
    let web = |image: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: demo}}\nspec:\n  replicas: 2\n  selector: {{matchLabels: {{app: web}}}}\n  \
             template:\n    metadata: {{labels: {{app: web}}}}\n    spec: {{containers: [{{name: web, image: '{image}'}}]}}\n"
        )
    };
    std::fs::write(file, web("web:1")).expect("written");
    let run = |words: &'static str| {
        let words: Vec<String> = words.split(' ').map(|word| word.replace("FILE", file)).collect();
        let (trial, kubectl) = (&trial, &kubectl);
        async move { trial.run(kubectl, &words.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    for (words, shows) in [
        ("version", "Server Version: v1.33"),
        ("get svc", "kubernetes   ClusterIP"),
        ("get nodes -o wide", "hyperpod-i-1   Ready"),
        ("create ns demo", "namespace/demo created"),
        ("auth can-i create pods", "yes"),
        ("apply -f FILE", "deployment.apps/web created"),
        ("apply -f FILE", "deployment.apps/web unchanged"),
        ("wait --for=condition=Available deploy/web -n demo --timeout=30s", "condition met"),
        ("rollout status deploy/web -n demo --timeout=30s", "successfully rolled out"),
        ("apply --server-side --force-conflicts -f FILE", "serverside-applied"),
        ("label deploy web -n demo x=y", "labeled"),
        ("get deploy -n demo -l x=y -o json", "\"x\": \"y\""),
        ("get pods -n demo -o yaml", "phase: Running"),
        ("logs deploy/web -n demo", "runs no program"),
        ("create secret generic s -n demo --from-literal=a=b", "secret/s created"),
        ("scale deploy web -n demo --replicas=0", "scaled"),
        ("delete deploy web -n demo", "deleted"),
    ] {
        let shown = run(words).await.good();
        assert!(shown.contains(shows), "kubectl {words}: {shown}");
    }
    std::fs::write(file, web("web:1").replace("replicas:", "replica:")).expect("written");
    for words in ["create -f FILE --validate=warn -n demo", "apply --server-side -f FILE -n demo"] {
        let refused = run(words).await.bad();
        assert!(refused.contains("unknown field \"spec.replica\""), "{refused}");
    }
    assert!(run("delete ns demo").await.good().contains("deleted"));
    let refused = run("get widgets").await.bad();
    assert!(refused.contains("the server doesn't have a resource type \"widgets\""), "{refused}");
}

/// A served world, and a kubeconfig for it.
struct Trial {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Trial {
    async fn start() -> Trial {
        let dir = tempfile::tempdir().expect("a folder");
        let sandbox = open(&dir.path().join("world"), SPEED).await;
        let (authority, server) = address(&sandbox);
        let token = token(CLUSTER);
        let config = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{server}', certificate-authority-data: {authority}}}}}]\n\
             users: [{{name: u, user: {{token: '{token}'}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        );
        std::fs::write(dir.path().join("kubeconfig"), config).expect("written");
        Trial { dir, sandbox }
    }

    /// A copy of the fixture chart, because `dependency build` writes into it.
    fn chart(&self) -> PathBuf {
        let from = root().join("pipelines/charts/hyperpod-fixture");
        let to = self.dir.path().join("chart");
        copy(&from, &to);
        to
    }

    async fn run(&self, program: &Path, words: &[&str]) -> Done {
        let home = self.dir.path();
        let mut command = tokio::process::Command::new(program);
        command
            .args(words)
            .env_clear()
            .env("HOME", home)
            .env("KUBECONFIG", home.join("kubeconfig"))
            .env("NO_PROXY", "127.0.0.1");
        let output = command.kill_on_drop(true).output().await.expect("the program starts");
        Done { words: words.join(" "), output }
    }
}

struct Done {
    words: String,
    output: Output,
}

impl Done {
    fn good(self) -> String {
        let error = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{}: {error}", self.words);
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn bad(self) -> String {
        assert!(!self.output.status.success(), "{} should not succeed", self.words);
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.good()).expect("stdout is JSON")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_path_buf()
}

/// The path of a real tool; fetched if need be.
fn tool(name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(format!("HPRUN_{}", name.to_uppercase())) {
        return path.into();
    }
    let output = std::process::Command::new("python3")
        .arg(root().join("tests/tools.py"))
        .arg(name)
        .output()
        .expect("python3 is needed to fetch tools");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/tools.py {name}: {error}");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    line.trim().split_once('=').expect("NAME=PATH").1.into()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
