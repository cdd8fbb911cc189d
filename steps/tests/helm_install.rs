//! helm-install with real helm 3 and helm 4 against the sandbox's Kubernetes.

mod cluster;
mod support;

use std::time::{Duration, Instant};

use cluster::{connected, root, tool};
use hprun_steps::context::{Origin, Record};
use hprun_steps::error::ErrorClass;
use hprun_steps::helm_install::{HelmInstall, process};
use hprun_steps::step::Health;
use hprun_steps::value::{Secret, Value};
use serde_json::{Value as Json, json};
use support::{Bench, Tried, Try, example};
use tokio_util::sync::CancellationToken;

const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {size: '{{ .Values.size | default 1 }}'}\n";
/// A Job that never ends, because no node is there: helm waits for it.
const HOOK: &str = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: slow\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n\
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'x:1'}]}}}\n";

/// A cluster, one helm, and a small chart.
struct Trial {
    bench: Bench,
    kubeconfig: String,
    helm: String,
}

impl Trial {
    async fn start(helm: &str) -> Self {
        let (bench, kubeconfig) = connected().await;
        bench.file("small/Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.2.3\nappVersion: '7.0'\n");
        bench.file("small/values.yaml", "size: 1\n");
        bench.file("small/templates/it.yaml", CONFIG_MAP);
        Self { bench, kubeconfig, helm: tool(helm) }
    }

    fn inputs(&self, more: Json) -> Json {
        let mut inputs = json!({ "chart": { "path": "small" }, "release": "it", "namespace": "kube-system",
            "kubeconfig": self.kubeconfig, "helm": self.helm });
        for (key, value) in more.as_object().expect("a map") {
            inputs[key] = value.clone();
        }
        inputs
    }

    async fn run(&self, more: Json, history: &[Record]) -> Tried {
        self.bench.run_with_history::<HelmInstall>(self.inputs(more), history).await
    }

    /// Runs helm beside the step.
    async fn helm(&self, words: &[&str]) -> String {
        let mut command = tokio::process::Command::new(&self.helm);
        command.args(words).args(["-n", "kube-system", "--kubeconfig", &self.kubeconfig]);
        command.env("HELM_CACHE_HOME", self.bench.base.join("cache"));
        let ran = command.output().await.expect("helm starts");
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    }

    async fn status(&self) -> String {
        let shown: Json = serde_json::from_str(&self.helm(&["status", "it", "-o", "json"]).await).unwrap_or_default();
        shown["info"]["status"].as_str().unwrap_or("none").to_owned()
    }

    /// Starts the step and, when the release has this status, does `then` to the helm that runs.
    async fn at(&self, status: &str, cancelled: CancellationToken, history: &[Record], then: impl Fn(u32)) -> Tried {
        let how = Try { history: history.to_vec(), cancelled, ..Try::default() };
        let step = self.bench.attempt::<HelmInstall>(self.inputs(json!({ "dry-run": false })), how);
        let watch = async {
            let deadline = Instant::now() + Duration::from_secs(60);
            while self.status().await != status {
                assert!(Instant::now() < deadline, "the release never was {status}");
            }
            then(self.running());
        };
        tokio::join!(step, watch).0
    }

    /// The process of the helm that the step runs: the one with our kubeconfig that upgrades.
    fn running(&self) -> u32 {
        let pids =
            std::fs::read_dir("/proc").expect("Linux").filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok());
        let mut ours = pids.filter(|pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            line.starts_with(&self.helm) && line.contains("upgrade") && line.contains(&self.kubeconfig)
        });
        ours.next().expect("helm runs")
    }
}

fn kill(signal: &str, pid: u32) {
    let ran = std::process::Command::new("sh").args(["-c", &format!("kill -s {signal} {pid}")]).status();
    assert!(ran.expect("sh is there").success(), "helm was still there to be killed");
}

async fn whole_life(helm: &str) {
    let trial = Trial::start(helm).await;
    let first = trial.run(json!({ "values": { "size": 3 } }), &[]).await;
    let outputs = first.result.expect("installed");
    let facts = ["revision", "status", "app_version", "chart_version", "chart"].map(|key| outputs[key].clone());
    assert_eq!(json!(facts), json!([1, "deployed", "7.0", "1.2.3", "small"]));
    assert!(trial.helm(&["get", "manifest", "it"]).await.contains("size: '3'"));
    let made = Record::ResourceRecorded {
        kind: "Helm::Release".to_owned(),
        id: "kube-system/it".to_owned(),
        name: "it".to_owned(),
        origin: Origin::Made,
    };
    assert!(first.records.contains(&made), "{:?}", first.records);
    // Ours by its labels alone, and without values it has the chart's own, not the last ones.
    let second = trial.run(json!({}), &[]).await.result.expect("upgraded");
    assert_eq!(second["revision"], 2);
    assert!(trial.helm(&["get", "manifest", "it"]).await.contains("size: '1'"));
    assert!(!trial.bench.base.join("small/charts").exists(), "the user's chart folder is not written to");
    let left: Vec<_> = std::fs::read_dir(trial.bench.run.folder.join("helm/it")).expect("the work folder").collect();
    assert!(left.iter().all(|e| !e.as_ref().expect("an entry").file_name().to_string_lossy().contains("values-")));
    let probe = trial.bench.probe::<HelmInstall>(trial.inputs(json!({})), &second, &[]).await;
    assert_eq!(probe, Ok(Health::Good));
    assert!(matches!(
        trial.bench.probe::<HelmInstall>(trial.inputs(json!({})), &outputs, &[]).await,
        Ok(Health::Lost(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_3_installs_and_upgrades() {
    whole_life("helm3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_4_installs_and_upgrades() {
    whole_life("helm4").await;
}

/// kill -9 leaves the release pending; the next attempt clears that away, because it is ours, and ends well.
async fn killed(helm: &str) {
    let mut trial = Trial::start(helm).await;
    let hook = trial.bench.file("small/templates/hook.yaml", HOOK);
    let dead = trial.at("pending-install", CancellationToken::new(), &[], |pid| kill("KILL", pid)).await;
    assert_eq!(dead.result.expect_err("helm was killed").class, ErrorClass::Unknown);
    assert_eq!(trial.status().await, "pending-install");
    std::fs::remove_file(&hook).expect("mended");

    let own = std::mem::replace(&mut trial.bench.run.id, "01other".to_owned());
    let refused = trial.run(json!({ "adopt": true }), &[]).await.result.expect_err("it is another run's");
    assert_eq!(refused.class, ErrorClass::Refused);
    assert_eq!(refused.message, "someone else is changing the release kube-system/it");
    trial.bench.run.id = own;

    let resumed = trial.run(json!({}), &dead.records).await;
    assert!(resumed.progress.iter().any(|line| line.contains("half installed")), "{:?}", resumed.progress);
    assert_eq!(resumed.result.expect("installed")["revision"], 1);

    trial.bench.file("small/templates/hook.yaml", HOOK);
    let dead = trial.at("pending-upgrade", CancellationToken::new(), &resumed.records, |pid| kill("KILL", pid)).await;
    assert_eq!(dead.result.expect_err("helm was killed").class, ErrorClass::Unknown);
    std::fs::remove_file(&hook).expect("mended");
    let resumed = trial.run(json!({}), &dead.records).await;
    assert!(resumed.progress.iter().any(|line| line.contains("half upgraded")), "{:?}", resumed.progress);
    let outputs = resumed.result.expect("upgraded");
    assert_eq!((&outputs["status"], &outputs["revision"]), (&json!("deployed"), &json!(4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_a_killed_helm_3_left_pending_is_mended() {
    killed("helm3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_a_killed_helm_4_left_pending_is_mended() {
    killed("helm4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_lets_helm_end_well_and_a_resume_goes_on() {
    let trial = Trial::start("helm4").await;
    let hook = trial.bench.file("small/templates/hook.yaml", HOOK);
    let cancelled = CancellationToken::new();
    let stopped = trial.at("pending-install", cancelled.clone(), &[], |_| cancelled.cancel()).await;
    assert_eq!(stopped.result.expect_err("interrupted").class, ErrorClass::Interrupted);
    assert_eq!(trial.status().await, "failed", "helm itself said that it was stopped");
    assert!(matches!(stopped.records.last(), Some(Record::ChildEnded { .. })), "{:?}", stopped.records);
    std::fs::remove_file(&hook).expect("mended");
    let resumed = trial.run(json!({}), &stopped.records).await.result.expect("installed");
    assert_eq!(resumed["status"], "deployed");
}

/// A crash between the end of helm and the record of it must not upgrade the release to the same once more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_installed_and_not_recorded_is_taken_as_it_is() {
    let trial = Trial::start("helm4").await;
    let done = trial.run(json!({}), &[]).await.records;
    let at = |kind: fn(&Record) -> bool| done.iter().position(kind).expect("it is recorded");
    let ended = at(|record| matches!(record, Record::ChildEnded { .. }));
    let settled = at(|record| matches!(record, Record::CallSettled { .. }));
    for history in [&done[..=ended], &done[..=settled]] {
        let again = trial.run(json!({}), history).await;
        assert_eq!(again.records, done, "only what was missing is recorded");
        assert_eq!(again.result.expect("installed")["revision"], 1);
    }
    let changed = trial.run(json!({ "values": { "size": 2 } }), &done[..=settled]).await;
    assert_eq!(changed.result.expect("upgraded")["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_that_ends_well_after_it_was_told_to_stop_has_done_its_work() {
    let mut trial = Trial::start("helm4").await;
    let told = trial.bench.base.join("upgrade-begins");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' upgrade '*) trap told=1 TERM; : > {}\n\
         while [ -z \"$told\" ]; do sleep 0.05; done; trap - TERM;; esac\nexec {} \"$@\"\n",
        told.display(),
        trial.helm
    );
    let slow = trial.bench.file("slow-helm", script);
    std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("our own file");
    trial.helm = slow.display().to_string();
    let cancelled = CancellationToken::new();
    let how = Try { cancelled: cancelled.clone(), ..Try::default() };
    let step = trial.bench.attempt::<HelmInstall>(trial.inputs(json!({ "dry-run": false })), how);
    let stop = async {
        while !told.exists() {
            tokio::task::yield_now().await;
        }
        cancelled.cancel();
    };
    let tried = tokio::join!(step, stop).0;
    assert_eq!(tried.result.expect("it was deployed")["status"], "deployed");
    assert!(tried.records.iter().any(|r| matches!(r, Record::ChildEnded { .. })), "{:?}", tried.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_a_dead_attempt_is_ended_first() {
    let trial = Trial::start("helm4").await;
    let mut child = tokio::process::Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
    let pid = child.id().expect("it runs");
    let started = process::start_time(pid).expect("it runs");
    let history = [Record::ChildStarted { pid, started, program: "helm".to_owned() }];
    let tried = trial.run(json!({}), &history).await;
    assert!(child.wait().await.expect("it ended").code().is_none(), "a signal ended it");
    assert!(tried.records.contains(&Record::ChildEnded { pid }), "{:?}", tried.records);
    assert_eq!(tried.result.expect("installed")["revision"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_of_another_run_is_refused_unless_adopted() {
    let mut trial = Trial::start("helm3").await;
    trial.run(json!({}), &[]).await.result.expect("installed");
    trial.bench.run.id = "01other".to_owned();
    let refused = trial.run(json!({}), &[]).await.result.expect_err("not ours");
    assert_eq!(refused.class, ErrorClass::Refused);
    assert!(refused.causes[0].contains("by step it of the run 01test"), "{refused:?}");
    let adopted = trial.run(json!({ "adopt": true }), &[]).await;
    assert_eq!(adopted.result.expect("upgraded")["revision"], 2);
    let taken = |r: &Record| matches!(r, Record::ResourceRecorded { origin: Origin::Adopted, .. });
    assert!(adopted.records.iter().any(taken), "{:?}", adopted.records);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_installs_the_fixture_chart_in_place_of_one_from_the_internet() {
    let trial = Trial::start("helm4").await;
    for entry in walkdir::WalkDir::new(root().join("pipelines/charts/hyperpod-fixture")) {
        let entry = entry.expect("the fixture can be read");
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(root().join("pipelines")).expect("below it").to_owned();
            trial.bench.file(path.to_str().expect("UTF-8"), std::fs::read(entry.path()).expect("it can be read"));
        }
    }
    let inputs = example::<HelmInstall>(json!({ "kubeconfig": trial.kubeconfig, "helm": trial.helm,
        "chart": { "git": { "url": "https://example.invalid/x", "commit": "0".repeat(40), "path": "c" } },
        "sandbox-chart": "charts/hyperpod-fixture" }));
    let outputs = trial.bench.run::<HelmInstall>(inputs).await.result.expect("installed");
    assert_eq!(
        outputs["chart"],
        "charts/hyperpod-fixture (in the sandbox, for c of https://example.invalid/x at 000000000000)"
    );
    assert_eq!((&outputs["status"], &outputs["app_version"]), (&json!("deployed"), &json!("1.0.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_comes_from_exactly_one_commit_of_git() {
    let trial = Trial::start("helm4").await;
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"]);
        let ran = command.args(words).current_dir(&trial.bench.base).output().expect("git is there");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    };
    git(&["init", "-q", "."]);
    git(&["add", "small"]);
    git(&["commit", "-qm", "chart"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let url = format!("file://{}", trial.bench.base.display());
    let chart = |commit: &str| json!({ "chart": { "git": { "url": url, "commit": commit, "path": "small" } } });
    let outputs = trial.run(chart(&commit), &[]).await.result.expect("installed");
    assert_eq!(outputs["chart_version"], "1.2.3");
    let none = trial.run(chart(&"1".repeat(40)), &[]).await.result.expect_err("no such commit");
    assert!(none.message.starts_with(&format!("could not fetch {url} at 1111")), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_of_helm_are_explained() {
    for helm in ["helm3", "helm4"] {
        let trial = Trial::start(helm).await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let dead = std::fs::read_to_string(&trial.kubeconfig).expect("it is there");
        let (head, tail) = dead.split_once("server: ").expect("a server");
        let (_, tail) = tail.split_once('\n').expect("more lines");
        let dead = trial.bench.file("dead", format!("{head}server: https://127.0.0.1:{free}\n{tail}"));
        let gone = trial.run(json!({ "kubeconfig": dead }), &[]).await.result.expect_err("nothing listens");
        assert_eq!(gone.class, ErrorClass::Transient, "{gone:?}");
        assert!(gone.message.ends_with("the cluster's API cannot be reached"), "{gone:?}");

        trial.bench.file("small/templates/it.yaml", "kind: {{ .Values.a.b }}\n");
        for lint in [true, false] {
            let invalid = trial.run(json!({ "lint": lint }), &[]).await.result.expect_err("it cannot be rendered");
            assert_eq!(invalid.class, ErrorClass::Invalid, "{invalid:?}");
        }
        let missing = trial.run(json!({ "kubeconfig": "nowhere" }), &[]).await.result.expect_err("no such file");
        assert!(missing.message.starts_with("cannot read the kubeconfig"), "{missing:?}");
        let none = trial.run(json!({ "helm": "/nowhere/helm" }), &[]).await.result.expect_err("no helm");
        assert!(none.message.starts_with("helm is not there") && none.help.is_some(), "{none:?}");
        assert_eq!(trial.status().await, "none", "nothing was installed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_value_reaches_the_chart_and_nothing_else() {
    let trial = Trial::start("helm4").await;
    let secret = Value::Secret(Secret::new("token", "hunter2hunter2"));
    let Value::Map(mut inputs) = Value::from_json(&trial.inputs(json!({}))) else { panic!("inputs are a map") };
    inputs.insert("values".to_owned(), Value::Map([("size".to_owned(), secret)].into_iter().collect()));
    let tried = trial.bench.attempt_value::<HelmInstall>(Value::Map(inputs), Try::default()).await;
    let outputs = tried.result.expect("installed");
    assert!(trial.helm(&["get", "manifest", "it"]).await.contains("hunter2hunter2"));
    let kept = format!("{outputs} {:?} {:?}", tried.records, tried.progress);
    assert!(!kept.contains("hunter2"), "{kept}");
    for entry in
        walkdir::WalkDir::new(&trial.bench.run.folder).into_iter().flatten().filter(|e| e.file_type().is_file())
    {
        let bytes = std::fs::read(entry.path()).expect("it can be read");
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{}", entry.path().display());
    }
}
