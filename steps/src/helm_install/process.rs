//! Running a program (helm, git): its outputs apart, its whole group ended when the run stops, its life recorded.
//! Knows nothing of what the program does.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessGroup};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::context::{Record, StepContext};
use crate::error::{ErrorClass, StepError};
use crate::kill_point;

/// How long a program may take to end after SIGTERM. helm needs some seconds to mark its release failed.
const GRACE: Duration = Duration::from_secs(30);
const SIGTERM: i32 = 15;
/// How long a program of an earlier attempt may go on before it gets SIGTERM: what it is about may be nearly done.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a program that is not our child.
const LOOK: Duration = Duration::from_millis(100);
/// Waits for a line before it becomes the program: so the program's id is recorded before it does anything, and when
/// hprun dies before that, the program never starts.
const GATE: &str = r#"read -r go && exec "$0" "$@""#;

/// A program to run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Name on PATH, or path.
    pub program: PathBuf,
    /// Its arguments; never a secret.
    pub args: Vec<String>,
    /// Variables to set, or (without a value) to take away.
    pub environment: Vec<(String, Option<String>)>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Whether it changes the world: then its life is recorded.
    pub recorded: bool,
}

/// What a program left.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Whether it ended well.
    pub success: bool,
    /// Whether a signal ended it.
    pub killed: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Invocation {
    /// What the crash test calls it: `helm upgrade`, `helm upgrade --dry-run`.
    fn told(&self) -> String {
        let tried = self.args.iter().filter(|arg| arg.starts_with("--dry-run"));
        let words = self.args.first().into_iter().chain(tried).map(String::as_str);
        [name(&self.program).as_str()].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// Runs a program to its end. When the run is told to stop it gets SIGTERM and 30 seconds; if it ends well all the same,
/// what it was to do is done, and counts.
pub async fn run(cx: &mut StepContext<'_>, invocation: &Invocation) -> Result<Ran, StepError> {
    cx.stop_here()?;
    let name = name(&invocation.program);
    let mut child = Group(spawn(invocation).map_err(|e| cannot_start(&name, &e))?);
    let (stdout, stderr) = (child.0.stdout().take(), child.0.stderr().take());
    let stdout = tokio::spawn(read(stdout));
    let stderr = tokio::spawn(read(stderr));
    let pid = child.0.id().unwrap_or_default();
    if invocation.recorded {
        let started = start_time(pid).unwrap_or_default();
        cx.record(Record::ChildStarted { pid, started, program: name.clone() }).await?;
        if let Some(mut gate) = child.0.stdin().take() {
            gate.write_all(b"go\n").await.map_err(|e| cannot_start(&name, &e))?;
        }
    }
    kill_point::reach(|| format!("begun {}", invocation.told()));
    let ended = tokio::select! {
        status = child.0.wait() => Some(status),
        () = cx.cancelled.cancelled() => None,
    };
    let ended = match ended {
        Some(status) => Some(status),
        None => {
            cx.progress(format!("waiting for {name} to stop"));
            child.stop().await.filter(|status| status.as_ref().is_ok_and(ExitStatus::success))
        }
    };
    kill_point::reach(|| format!("ended {}", invocation.told()));
    if invocation.recorded {
        cx.record(Record::ChildEnded { pid }).await?;
    }
    let Some(status) = ended else { return Err(StepError::interrupted()) };
    let status = status.map_err(|e| StepError::failed(format!("lost sight of {name}")).because(e.to_string()))?;
    Ok(Ran {
        success: status.success(),
        killed: status.code().is_none(),
        stdout: stdout.await.unwrap_or_default(),
        stderr: stderr.await.unwrap_or_default(),
    })
}

/// Awaits or ends, first of all, what an earlier attempt of this step started and did not see end.
pub async fn end_leftovers(cx: &mut StepContext<'_>) -> Result<(), StepError> {
    for (pid, started, program) in leftovers(cx.history()) {
        cx.progress(format!("waiting for {program} (process {pid}) of an earlier attempt"));
        if cx.unless_stopped(tokio::time::timeout(PATIENCE, gone(pid, started))).await?.is_err() {
            cx.progress(format!("ending {program} (process {pid}) of an earlier attempt"));
            end(pid, started).await.map_err(|why| {
                StepError::failed(format!("{program} (process {pid}) of an earlier attempt does not end")).because(why)
            })?;
        }
        cx.record(Record::ChildEnded { pid }).await?;
    }
    Ok(())
}

/// Programs that were started on this machine, by these records, and run still: process and name.
pub fn still_running(history: &[Record]) -> Vec<(u32, String)> {
    let running = leftovers(history).into_iter().filter(|(pid, started, _)| is_running(*pid, *started));
    running.map(|(pid, _, program)| (pid, program)).collect()
}

/// Programs that were started and are not known to have ended.
fn leftovers(history: &[Record]) -> Vec<(u32, u64, String)> {
    let mut open: Vec<(u32, u64, String)> = Vec::new();
    for record in history {
        match record {
            Record::ChildStarted { pid, started, program } => open.push((*pid, *started, program.clone())),
            Record::ChildEnded { pid } => open.retain(|(of, ..)| of != pid),
            Record::CallIntended(_)
            | Record::CallSettled { .. }
            | Record::ResourceRecorded { .. }
            | Record::ResourceRemoved { .. } => {}
        }
    }
    open
}

async fn end(pid: u32, started: u64) -> Result<(), String> {
    for signal in ["TERM", "KILL"] {
        // The shell's own `kill`: the process is not our child, and signals need unsafe code or one more crate.
        let script = format!("kill -s {signal} -- -{pid} 2>/dev/null || kill -s {signal} {pid}");
        Command::new("sh").args(["-c", &script]).status().await.map_err(|e| e.to_string())?;
        if tokio::time::timeout(GRACE, gone(pid, started)).await.is_ok() {
            return Ok(());
        }
    }
    Err("neither SIGTERM nor SIGKILL ended it".to_owned())
}

async fn gone(pid: u32, started: u64) {
    while is_running(pid, started) {
        tokio::time::sleep(LOOK).await;
    }
}

fn is_running(pid: u32, started: u64) -> bool {
    start_time(pid) == Some(started)
}

/// When a running process started, in clock ticks since boot; none for one that ended (field 22 of proc(5) stat).
#[cfg(target_os = "linux")]
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the second field may hold anything, also blanks and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ended = matches!(*fields.first()?, "Z" | "X");
    if ended { None } else { fields.get(19)?.parse().ok() }
}

/// A number that stands for when a running process started; none for one that ended.
#[cfg(not(target_os = "linux"))]
pub fn start_time(pid: u32) -> Option<u64> {
    let asked = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let digest = crate::files::sha256(&asked.stdout);
    asked.status.success().then(|| u64::from_str_radix(&digest[..15], 16).ok()).flatten()
}

fn spawn(invocation: &Invocation) -> std::io::Result<Box<dyn ChildWrapper>> {
    let mut command = if invocation.recorded {
        let mut gate = Command::new("sh");
        gate.args(["-c", GATE]).arg(&invocation.program).stdin(Stdio::piped());
        gate
    } else {
        let mut command = Command::new(&invocation.program);
        command.stdin(Stdio::null());
        command
    };
    command.args(&invocation.args).current_dir(&invocation.folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in &invocation.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    CommandWrap::from(command).wrap(ProcessGroup::leader()).wrap(KillOnDrop).spawn()
}

/// A program and all that it started; killed when nobody waits for it any more.
struct Group(Box<dyn ChildWrapper>);

impl Group {
    /// How it ended after SIGTERM; nothing when it had to be killed.
    async fn stop(&mut self) -> Option<std::io::Result<ExitStatus>> {
        // An error here means that it has ended by itself.
        let _ended = self.0.signal(SIGTERM);
        if let Ok(status) = tokio::time::timeout(GRACE, self.0.wait()).await {
            return Some(status);
        }
        let _ended = self.0.start_kill();
        let _status = self.0.wait().await;
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ended = self.0.start_kill();
        }
    }
}

async fn read<R: AsyncRead + Unpin>(pipe: Option<R>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is still worth showing.
        let _read = pipe.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn name(program: &Path) -> String {
    program.file_name().map_or_else(|| program.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn cannot_start(name: &str, error: &std::io::Error) -> StepError {
    StepError::new(ErrorClass::Invalid, format!("cannot start {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_without_an_end_is_left_over() {
        let started = |pid| Record::ChildStarted { pid, started: 7, program: "helm".to_owned() };
        let history = [started(1), Record::ChildEnded { pid: 1 }, started(2), started(1)];
        let open: Vec<u32> = leftovers(&history).iter().map(|(pid, ..)| *pid).collect();
        assert_eq!(open, [2, 1]);
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = start_time(std::process::id()).expect("this process runs");
        assert!(is_running(std::process::id(), own));
        assert!(!is_running(std::process::id(), own + 1));
        assert_eq!(start_time(u32::MAX), None);
    }
}
