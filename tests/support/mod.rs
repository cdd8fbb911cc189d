//! A desk to try hprun at: a folder with its own home, state, world and copy of the shipped pipelines, and hprun as a process.
//! Must know nothing of hprun's insides: it types commands, reads what is printed, and looks into the world from outside.

pub mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use serde_json::Value;

/// Nothing that a test waits for takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(100);

/// The sandbox's clock in these tests: a full deployment, an hour and more, takes seconds.
pub const SPEED: u32 = 600;

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Everything a test needs, in one temporary folder.
pub struct Desk {
    folder: tempfile::TempDir,
    server: Option<Server>,
}

/// `hprun sandbox` as a process of its own. Ended by its id when dropped.
struct Server {
    child: Child,
    environment: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct End {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command under way.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: PathBuf,
}

impl Desk {
    /// A desk without a sandbox of its own.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hprun-e2e-").tempdir().unwrap();
        copy_folder(&repository().join("pipelines"), &folder.path().join("pipelines"));
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder, server: None }
    }

    /// A desk with a sandbox in its own process, which outlives every hprun that the test kills.
    pub fn with_sandbox() -> Self {
        let mut desk = Self::new();
        desk.start_sandbox();
        desk
    }

    /// Starts the desk's sandbox, in the world that an earlier one left, if there was one.
    pub fn start_sandbox(&mut self) {
        self.serve(SPEED);
    }

    /// Serves the desk's world in a process of its own.
    pub fn serve(&mut self, speed: u32) {
        let (out, err) = (self.path("sandbox.out"), self.path("sandbox.err"));
        let mut command = self.command(&["sandbox", "--speed", &speed.to_string(), "--world"]);
        command.arg("world").stdin(Stdio::null());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        until("the sandbox serves", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the sandbox ended with {status}: {}", std::fs::read_to_string(&err).unwrap());
            }
            std::fs::read_to_string(&err).unwrap().contains("serving the world").then_some(())
        });
        let environment = std::fs::read_to_string(&out).unwrap().lines().filter_map(exported).collect();
        self.server = Some(Server { child, environment });
    }

    /// Ends the sandbox; its world stays as it is.
    pub fn close(&mut self) {
        self.server = None;
    }

    /// Ends the desk's sandbox as a person does: nothing listens at its address any more.
    pub fn stop_sandbox(&mut self) {
        let mut server = self.server.take().expect("the desk has a sandbox");
        signal(server.child.id(), Signal::INT);
        until("the sandbox has ended", || server.child.try_wait().unwrap());
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of a copied file of the shipped pipelines.
    pub fn shipped(&self, name: &str) -> String {
        self.path("pipelines").join(name).display().to_string()
    }

    /// Writes a file of the desk (in the folder of the pipelines) and gives its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path("pipelines").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Changes a file by replacing a text that must be in it.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path("pipelines").join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{name} holds no {from:?}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// The full deployment without Helm and what needs Kubernetes: quick, and all of AWS.
    pub fn without_helm(&self) -> String {
        self.without_helm_of("full-deployment.yaml")
    }

    /// A shipped pipeline without Helm and what needs Kubernetes.
    pub fn without_helm_of(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.shipped(name)).unwrap();
        let (head, steps) = text.split_once("steps:\n").unwrap();
        let blocks = steps.split("\n  - id: ").map(|block| block.trim_start_matches("  - id: "));
        let left_out = ["kubeconfig\n", "charts\n", "ready\n"];
        let kept = blocks.filter(|block| !left_out.iter().any(|id| block.starts_with(id)));
        let steps: String = kept.map(|block| format!("  - id: {}\n", block.trim_end())).collect();
        let text = format!("{head}steps:\n{steps}").replace("needs: [charts, config]", "needs: [config]");
        self.write("without-helm.yaml", &text)
    }

    /// hprun with nothing of the caller's AWS, Kubernetes or hprun in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hprun"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let own = |name: &str| {
            ["AWS_", "HPRUN_", "HELM_", "XDG_", "KUBE"].iter().any(|prefix| name.starts_with(prefix))
                || repository_params().contains(name)
        };
        for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
            command.env_remove(name);
        }
        command.env("HOME", self.path("home")).env("HPRUN_STATE", self.path("state")).env("TZ", "UTC");
        command.env("NO_COLOR", "1").env("COLUMNS", "100");
        command
    }

    /// `hprun run --sandbox` in the desk's world, beside the desk's sandbox. Events on stdout.
    pub fn sandboxed(&self, file: &str, more: &[&str]) -> Command {
        let world = self.path("world").display().to_string();
        let mut arguments = vec!["run", "--sandbox", "--sandbox-world", &world, "--output", "json", file];
        arguments.extend(more);
        let mut command = self.command(&arguments);
        command.env("HPRUN_HELM", helm());
        command
    }

    /// `hprun resume`, events on stdout.
    pub fn resume(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["resume", "--output", "json"]);
        command.args(more).env("HPRUN_HELM", helm());
        command
    }

    /// `hprun rerun`, events on stdout.
    pub fn rerun(&self, more: &[&str]) -> Command {
        let mut command = self.command(&["rerun", "--output", "json"]);
        command.args(more).env("HPRUN_HELM", helm());
        command
    }

    /// Variables that point an AWS client at the sandbox, as its process printed them.
    pub fn environment(&self) -> &[(String, String)] {
        &self.server.as_ref().expect("the desk has a sandbox").environment
    }

    pub fn endpoint(&self) -> &str {
        let found = self.environment().iter().find(|(name, _)| name == "AWS_ENDPOINT_URL");
        &found.expect("the sandbox prints its endpoint").1
    }

    /// From now on the sandbox fails as this script says.
    pub fn faults(&self, script: &Value) {
        let (status, body) = wire::post(self.endpoint(), "/_sandbox/faults", &[], &script.to_string());
        assert_eq!(status, 200, "{body}");
    }

    /// Moves the sandbox's clock on at once.
    pub fn advance(&self, by: &str) {
        let (status, body) =
            wire::post(self.endpoint(), "/_sandbox/clock/advance", &[], &format!("{{\"by\":\"{by}\"}}"));
        assert_eq!(status, 200, "{body}");
    }

    /// Every request and answer so far. A line that is being written is left out.
    pub fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("world/journal.ndjson")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How often each making or changing call had its effect, by operation and the name of what it is about.
    pub fn effects(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.journal().iter().filter(|entry| entry["effect"] == true) {
            *counts.entry(format!("{} {}", text(&entry["operation"]), subject(entry))).or_default() += 1;
        }
        counts
    }

    /// The events of the newest run, as `hprun show` gives them.
    pub fn events(&self) -> Vec<Value> {
        let end = finish(self.command(&["show", "--output", "json"]));
        assert_eq!(end.code, Some(0), "{end:?}");
        end.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The id of the newest run.
    pub fn newest(&self) -> String {
        text(&self.events()[0]["run"]).to_owned()
    }

    /// The outputs of the newest run.
    pub fn outputs(&self) -> Value {
        let end = finish(self.command(&["outputs"]));
        assert_eq!(end.code, Some(0), "{end:?}");
        serde_json::from_str(&end.stdout).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Begins a command; its lines of stdout can be waited for.
pub fn start(mut command: Command) -> Running {
    let folder = command.get_current_dir().unwrap().to_owned();
    let stderr =
        tempfile::Builder::new().prefix("stderr-").tempfile_in(folder).unwrap().into_temp_path().keep().unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(File::create(&stderr).unwrap()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Running { child, lines, stdout: String::new(), stderr }
}

/// Runs a command to its end.
pub fn finish(command: Command) -> End {
    start(command).finish()
}

/// Runs a command that must end well.
pub fn succeed(command: Command) -> End {
    let end = finish(command);
    assert_eq!(end.code, Some(0), "stdout:\n{}\nstderr:\n{}", end.stdout, end.stderr);
    end
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an event (or a progress line) that fits.
    pub fn until_event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.stdout.push_str(&line);
                    self.stdout.push('\n');
                    if let Some(event) = serde_json::from_str(&line).ok().filter(&fits) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("{what}: not within {DEADLINE:?}:\n{}", self.said()),
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: it ended before:\n{}", self.said()),
            }
        }
    }

    /// Waits for something outside of the command, which must not end before.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: it ended before:\n{}", self.said());
            assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}:\n{}", self.said());
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL: no chance to say or write anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, which: Signal) {
        signal(self.pid(), which);
    }

    pub fn finish(mut self) -> End {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.stdout.push_str(&line);
                    self.stdout.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    drop(self.child.kill());
                    panic!("it did not end within {DEADLINE:?}:\n{}", self.said());
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        let stderr = std::fs::read_to_string(&self.stderr).unwrap();
        End { code, stdout: std::mem::take(&mut self.stdout), stderr }
    }

    fn said(&self) -> String {
        format!("{}\n{}", self.stdout, std::fs::read_to_string(&self.stderr).unwrap_or_default())
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Looks again and again until there is something, or the deadline passes.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether a line of stdout is the event `kind` of `step`.
pub fn is_event(event: &Value, kind: &str, step: &str) -> bool {
    event["event"] == kind && event["step"] == step
}

/// A real tool: what its variable names (scripts/test sets HPRUN_HELM4 and HPRUN_KUBECTL), else what tests/tools.py fetches.
pub fn tool(name: &str) -> String {
    static LOCK: Mutex<()> = Mutex::new(());
    if let Ok(path) = std::env::var(format!("HPRUN_{}", name.to_uppercase())) {
        return path;
    }
    let _one_at_a_time = LOCK.lock();
    let tools = repository().join("tests/tools.py");
    let output = Command::new("python3").arg(tools).arg(name).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "tests/tools.py fetches no {name}");
    let line = String::from_utf8(output.stdout).unwrap();
    line.trim().split_once('=').expect("tools.py prints NAME=PATH").1.to_owned()
}

fn helm() -> &'static str {
    static HELM: OnceLock<String> = OnceLock::new();
    HELM.get_or_init(|| tool("helm4"))
}

/// The variables that the shipped pipelines read for their params: the caller's own must not decide a test.
fn repository_params() -> &'static std::collections::BTreeSet<String> {
    static NAMES: OnceLock<std::collections::BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let folder = std::fs::read_dir(repository().join("pipelines")).unwrap();
        let files =
            folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "yaml"));
        let texts: Vec<String> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let lists = texts.iter().flat_map(|text| text.split("env: ").skip(1));
        let lists = lists.map(|rest| {
            if rest.starts_with('[') { rest.split(']').next() } else { rest.split([',', ' ', '}', '\n']).next() }
        });
        let names = lists.flatten().flat_map(|list| list.trim_start_matches('[').split(','));
        names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    })
}

/// What a call is about: the first of the members that name things.
fn subject(entry: &Value) -> String {
    let body = &entry["body"];
    let named = ["ClusterName", "StackName", "name", "ChangeSetName"].iter().find_map(|key| body[key].as_str());
    named.map_or_else(|| text(&entry["request"]).split('?').next().unwrap_or_default().to_owned(), str::to_owned)
}

fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').replace(r"'\''", "'")))
}

pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
