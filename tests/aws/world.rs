//! A world served by `hprun sandbox` as a process of its own, and programs that run beside it with its environment.
//! Must not look into the world but through its journal and its clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A served world; dropping it ends the process and removes all its files.
pub struct Served {
    child: Child,
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
    path: String,
}

impl Served {
    /// Starts `hprun sandbox` and waits until it serves. `tools` come first on the PATH of what is run.
    pub fn start(tools: &[PathBuf]) -> Served {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "state", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let printed = folder.path().join("environment");
        let mut child = Command::new(env!("CARGO_BIN_EXE_hprun"))
            .args(["sandbox", "--world"])
            .arg(folder.path().join("world"))
            .env("HPRUN_STATE", folder.path().join("state"))
            .env("AWS_REGION", "us-west-2")
            .stdout(std::fs::File::create(&printed).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let serves = lines.by_ref().find(|line| line.contains("serving the world"));
        assert!(serves.is_some(), "hprun sandbox ended before it served");
        std::thread::spawn(move || lines.for_each(|line| eprintln!("sandbox: {line}")));
        let text = std::fs::read_to_string(&printed).unwrap();
        let variable = |line: &str| {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        };
        let mut path: Vec<String> = tools.iter().map(|tool| tool.display().to_string()).collect();
        path.push("/usr/bin:/bin".to_owned());
        Served { child, folder, environment: text.lines().map(variable).collect(), path: path.join(":") }
    }

    /// The folder in which programs run.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The folder that keeps the world.
    pub fn world(&self) -> PathBuf {
        self.folder.path().join("world")
    }

    /// The file with every request and answer.
    pub fn journal_file(&self) -> PathBuf {
        self.world().join("journal.ndjson")
    }

    /// Every request and answer so far, oldest first.
    pub fn journal(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.journal_file()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A program with the sandbox's environment and none of the user's.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work())
            .env_clear()
            .envs(self.environment.iter().cloned())
            .env("HOME", self.folder.path().join("home"))
            .env("HPRUN_STATE", self.folder.path().join("state"))
            .env("PATH", &self.path);
        command
    }

    /// Lines of bash.
    pub fn shell(&self, script: &str) -> Done {
        let output = self.command("bash").args(["-c", script]).output().unwrap();
        Done { what: script.to_owned(), output }
    }

    /// Moves sandbox time on, such as `10m`.
    pub fn advance(&self, by: &str) {
        let host = self.environment.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1.clone();
        let host = host.strip_prefix("http://").unwrap();
        let body = format!("{{\"by\": \"{by}\"}}");
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!(
            "POST /_sandbox/clock/advance HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Moves time on until the script's output is `wanted`.
    pub fn advance_until(&self, by: &str, wanted: &str, script: &str) {
        let mut seen = Vec::new();
        for _ in 0..20 {
            let now = self.shell(script).good();
            if now.trim() == wanted {
                return;
            }
            seen.push(now.trim().to_owned());
            self.advance(by);
        }
        panic!("{script} never gave {wanted}, but {seen:?}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program gave.
pub struct Done {
    what: String,
    output: Output,
}

impl Done {
    /// Standard output of a program that must have ended well.
    pub fn good(self) -> String {
        let error = String::from_utf8_lossy(&self.output.stderr);
        let out = String::from_utf8_lossy(&self.output.stdout);
        assert!(self.output.status.success(), "{}\nended with {}\n{error}\n{out}", self.what, self.output.status);
        out.into_owned()
    }

    /// Standard error of a program that must have failed.
    pub fn bad(self) -> String {
        assert!(!self.output.status.success(), "{} should not succeed", self.what);
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The path of a real tool: from its variable, else from `tests/tools.py`, which fetches it once. `variable` is one that the tool gives.
pub fn tool(name: &str, variable: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let output = Command::new("python3").arg(root().join("tests/tools.py")).arg(name).output().unwrap();
    assert!(output.status.success(), "tests/tools.py {name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{variable}=")));
    line.unwrap_or_else(|| panic!("tests/tools.py {name} does not give {variable}")).into()
}

/// The folder of the AWS CLI's programs, `aws` and `python`.
pub fn awscli() -> PathBuf {
    tool("awscli", "HPRUN_AWS").parent().unwrap().to_owned()
}

/// Holds every answer in the journal against botocore's models; gives the numbers of operations and answers.
pub fn validated(world: &Served) -> (usize, usize) {
    let python = awscli().join("python");
    let output = world
        .command(python)
        .arg(root().join("tests/botocore/validate.py"))
        .arg(world.journal_file())
        .output()
        .unwrap();
    let text = Done { what: "validate.py".to_owned(), output }.good();
    let last = text.lines().last().unwrap();
    println!("{last}");
    let numbers: Vec<usize> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 3, "{last}");
    assert_eq!(numbers[2], 0, "{text}");
    (numbers[0], numbers[1])
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
