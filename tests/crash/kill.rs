//! One pass of hprun, killed at a boundary or run to its end.
//! Must not know why there, nor what follows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::enumerate::Boundary;
use crate::support::Desk;

/// No pass takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);
const SIGKILL: i32 = 9;

/// How a pass ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed at the boundary.
    Killed,
    /// It never came to the boundary and ended well.
    Whole,
    /// It ended otherwise: what it said.
    Wrong(String),
}

impl Ended {
    pub fn told(&self) -> &str {
        match self {
            Self::Killed => "killed",
            Self::Whole => "it ended well",
            Self::Wrong(said) => said,
        }
    }
}

/// A pass that is to be killed at `boundary`, if there is one. Appends what it came by to the file `trace` of the desk.
pub fn pass(desk: &Desk, mut command: Command, boundary: Option<&Boundary>, trace: &str) -> Ended {
    command.env("HPRUN_KILL_TRACE", desk.path(trace));
    let (out, err) = (desk.path("pass.out"), desk.path("pass.err"));
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let held = match boundary {
        Some(Boundary::Point { turn, label }) => {
            command.env("HPRUN_KILL_POINT", format!("{turn}:{label}"));
            false
        }
        Some(Boundary::Held { turn, service, operation }) => {
            let call = json!({
                "service": service, "operation": operation, "after": turn - 1, "times": 1, "fault": "hold-answer",
            });
            desk.faults(&json!({ "calls": [call] }));
            true
        }
        None => false,
    };
    let mut journal = Journal::from_here(desk);
    let mut child = command.spawn().unwrap();
    let status = await_end(&mut child, || held && journal.shows_held());
    if held {
        desk.faults(&json!({}));
    }
    match status {
        Some(status) if status.signal() == Some(SIGKILL) => Ended::Killed,
        Some(status) if status.success() => Ended::Whole,
        status => {
            let said = |path| std::fs::read_to_string(path).unwrap_or_default();
            let status = status.map_or_else(|| format!("not within {DEADLINE:?}"), |status| status.to_string());
            Ended::Wrong(format!("{status}\n{}\n{}", last_lines(&said(out)), said(err)))
        }
    }
}

/// Waits for the end; ends it, with all its programs, as soon as `now` says so (as a machine that loses its power does).
fn await_end(child: &mut Child, mut now: impl FnMut() -> bool) -> Option<ExitStatus> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if now() {
            end_all(child.id());
        }
        if Instant::now() > deadline {
            end_all(child.id());
            drop(child.wait());
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(3));
    }
}

/// What the sandbox writes down from now on.
struct Journal {
    file: File,
    rest: String,
}

impl Journal {
    fn from_here(desk: &Desk) -> Self {
        let mut file = File::open(desk.path("world/journal.ndjson")).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self { file, rest: String::new() }
    }

    fn shows_held(&mut self) -> bool {
        let mut new = Vec::new();
        self.file.read_to_end(&mut new).unwrap();
        self.rest.push_str(&String::from_utf8_lossy(&new));
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let shows = self.rest[..whole].contains(r#""fault":"hold-answer""#);
        self.rest.drain(..whole);
        shows
    }
}

/// Ends a process and its descendants: parents first, so that none can tell of its child's end.
fn end_all(pid: u32) {
    let mut family = vec![pid];
    let mut at = 0;
    while at < family.len() {
        family.extend(children(family[at]));
        at += 1;
    }
    for pid in family {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        // One of them may have ended by itself meanwhile.
        let _gone = kill_process(pid, Signal::KILL);
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let listed = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    listed.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
