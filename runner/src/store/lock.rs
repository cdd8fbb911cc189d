//! What one process holds at a time: a file with the system's lock on it, and beside it who holds it.
//! Knows nothing of what is held. The system's lock alone decides; what is written beside it is for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// How long to wait for a holder to say who it is. It does so right after it has taken the lock.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// How often is looked again meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// A lock held by this process. Dropping it lets go; so does the end of the process, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    holder: PathBuf,
}

/// Who holds a lock, as written beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process; 0 if it has not said who it is.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// When it took the lock.
    pub since: String,
    /// When the system says that it began (clock ticks since boot), so that a reused pid is told apart.
    #[serde(default)]
    pub began: Option<u64>,
}

/// Why a lock could not be taken.
#[derive(Debug)]
pub enum Refusal {
    /// Another process has it, or another part of this one.
    Held(Holder),
    /// The files cannot be used.
    Trouble(std::io::Error),
}

impl Lock {
    /// Takes the lock `file`. A refusal names the holder, who is written in the file `holder`: it is waited for a
    /// little, because the lock is taken before that is written.
    pub fn take(file: &Path, holder: &Path, patience: Duration) -> Result<Self, Refusal> {
        let file = private().create(true).truncate(false).open(file).map_err(Refusal::Trouble)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(Refusal::Trouble(e)),
            }
            if let Some(known) = Holder::read(holder).filter(Holder::is_running) {
                return Err(Refusal::Held(known));
            }
            if Instant::now() >= deadline {
                return Err(Refusal::Held(Holder::unknown()));
            }
            std::thread::sleep(LOOK);
        }
        let lock = Self { file, holder: holder.to_owned() };
        Holder::this_process().write(holder).map_err(Refusal::Trouble)?;
        Ok(lock)
    }

    /// Whether somebody holds the lock `file` now.
    pub fn is_held(file: &Path) -> bool {
        let Ok(file) = File::open(file) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for Lock {
    /// The holder's name goes first: while nobody's is there, the next holder cannot be taken for this one. The lock is
    /// let go by name, not by closing the file: a child that is just being started may have a copy of it.
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.holder));
        drop(self.file.unlock());
    }
}

impl Holder {
    fn this_process() -> Self {
        let pid = std::process::id();
        let since = jiff::Zoned::now().strftime("%F %T").to_string();
        Self { pid, host: host_name(), since, began: began(pid) }
    }

    fn unknown() -> Self {
        Self { pid: 0, host: "an unknown machine".to_owned(), since: "just now".to_owned(), began: None }
    }

    fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }

    /// Written beside its place, then renamed: whoever reads it reads all of it.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let beside = path.with_extension("new");
        let text = serde_json::to_string(self).expect("a holder is plain data");
        private().create(true).truncate(true).open(&beside)?.write_all(text.as_bytes())?;
        std::fs::rename(&beside, path)
    }

    /// Whether the process that wrote this is still there. Of another machine's (or container's) nothing can be seen
    /// from here: it is believed.
    fn is_running(&self) -> bool {
        self.host != host_name() || (is_running(self.pid) && self.began == began(self.pid))
    }
}

/// The name of this machine, to show.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Opens files for writing that are made with mode 0600.
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Another user's process cannot be signalled, but is there.
fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
}

/// When a process began; none for one that ended (field 22 of proc(5) stat).
#[cfg(target_os = "linux")]
fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the second field may hold anything, also blanks and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ended = matches!(*fields.first()?, "Z" | "X");
    if ended { None } else { fields.get(19)?.parse().ok() }
}

/// Elsewhere the system does not say it in a portable way.
#[cfg(not(target_os = "linux"))]
fn began(_: u32) -> Option<u64> {
    None
}
