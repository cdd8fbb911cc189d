//! The state folder: where it is, who may read it, and the locks that keep one process to a run.
//! Knows nothing of SQLite or of events.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::StoreError;
use super::lock::{Lock, PATIENCE, Refusal, private};

/// A folder that holds the store and one folder a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

/// A run held by this process. Dropping it lets go; so does the end of the process, however it ends.
#[derive(Debug)]
pub struct RunLock {
    _lock: Lock,
    start: Option<StartLock>,
}

/// The right, held by this process, to begin a run of one pipeline in one place. Dropping it lets go.
#[derive(Debug)]
pub struct StartLock {
    _lock: Lock,
}

/// Of which only one run may be begun at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartKey<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// `aws` or the sandbox world's folder.
    pub target: &'a str,
    /// Account id.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
}

impl RunLock {
    /// Together with the right to begin the run, which is let go once its beginning is recorded.
    pub fn with_start(self, start: Option<StartLock>) -> Self {
        Self { start, ..self }
    }

    /// Takes that right out.
    pub(super) fn take_start(&mut self) -> Option<StartLock> {
        self.start.take()
    }
}

impl StateFolder {
    /// The folder at `path`, made with mode 0700 if it is not there. A network file system is refused: SQLite's
    /// locks and syncs cannot be trusted on one.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        let refuse = |why: String| StoreError::Folder { folder: path.to_owned(), why };
        make_private(path).map_err(|e| refuse(format!("{e}; name another one with --state or HPRUN_STATE")))?;
        let full = path.canonicalize().map_err(|e| refuse(e.to_string()))?;
        if let Some(kind) = network_file_system(&full) {
            return Err(refuse(format!(
                "it is on a network file system ({kind}), where a record cannot be made durable: name a local folder with --state or HPRUN_STATE"
            )));
        }
        Ok(Self(full))
    }

    /// The folder that hprun uses when none is named: `hprun` in the XDG state folder.
    pub fn default_path() -> Option<PathBuf> {
        use etcetera::BaseStrategy;
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.state_dir().unwrap_or_else(|| base.data_dir()).join("hprun"))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store's file.
    pub fn database(&self) -> PathBuf {
        self.0.join("hprun.db")
    }

    /// The folder of one run, for files that no input places elsewhere.
    pub fn run(&self, run: &str) -> PathBuf {
        self.0.join("runs").join(run)
    }

    /// The log that SQLite keeps beside the store's file while it is open.
    pub fn write_ahead_log(&self) -> PathBuf {
        self.0.join("hprun.db-wal")
    }

    /// How many runs have a folder here.
    pub fn runs_seen(&self) -> usize {
        std::fs::read_dir(self.0.join("runs")).map_or(0, Iterator::count)
    }

    /// Takes the run for this process. The error says who holds it.
    pub fn lock(&self, run: &str) -> Result<RunLock, StoreError> {
        self.lock_within(run, PATIENCE)
    }

    /// [`Self::lock`], with this much patience for a holder that does not say who it is.
    pub(super) fn lock_within(&self, run: &str, patience: Duration) -> Result<RunLock, StoreError> {
        let folder = self.run(run);
        make_private(&folder).map_err(|e| unusable(&folder, &e))?;
        match Lock::take(&folder.join("lock"), &folder.join("holder.json"), patience) {
            Ok(lock) => Ok(RunLock { _lock: lock, start: None }),
            Err(Refusal::Trouble(e)) => Err(unusable(&folder, &e)),
            Err(Refusal::Held(holder)) => {
                Err(StoreError::Held { run: run.to_owned(), pid: holder.pid, host: holder.host, since: holder.since })
            }
        }
    }

    /// Keeps other processes from beginning a run of this pipeline in this place, from the look at its unfinished runs
    /// until the new run is recorded. The error says who is at it.
    pub fn lock_start(&self, key: &StartKey<'_>) -> Result<StartLock, StoreError> {
        let folder = self.0.join("starts");
        make_private(&folder).map_err(|e| unusable(&folder, &e))?;
        let StartKey { pipeline, target, account, region } = key;
        // The names may hold anything; as a list in JSON they cannot run into each other.
        let text = serde_json::to_string(&[pipeline, target, account, region]).expect("a list of texts");
        let name = hex::encode(&Sha256::digest(text)[..16]);
        let (file, holder) = (folder.join(format!("{name}.lock")), folder.join(format!("{name}.json")));
        match Lock::take(&file, &holder, PATIENCE) {
            Ok(lock) => Ok(StartLock { _lock: lock }),
            Err(Refusal::Trouble(e)) => Err(unusable(&folder, &e)),
            Err(Refusal::Held(holder)) => Err(StoreError::Beginning {
                pipeline: (*pipeline).to_owned(),
                pid: holder.pid,
                host: holder.host,
                since: holder.since,
            }),
        }
    }

    /// Whether a process holds the run now.
    pub fn is_held(&self, run: &str) -> bool {
        Lock::is_held(&self.run(run).join("lock"))
    }

    /// Makes the store's file, if it is not there, so that nobody else can read it for a moment. SQLite gives the
    /// files beside it the same mode.
    pub fn make_database(&self) -> Result<(), StoreError> {
        let path = self.database();
        match private().create_new(true).open(&path) {
            Ok(_) => {
                sync_folder(&self.0);
                Ok(())
            }
            // What else is wrong with it SQLite says better.
            Err(_) if path.exists() => Ok(()),
            Err(e) => Err(unusable(&self.0, &e)),
        }
    }

    /// Makes the store's files readable for this user alone.
    pub fn keep_private(&self) -> Result<(), StoreError> {
        for suffix in ["", "-wal", "-shm"] {
            let path = PathBuf::from(format!("{}{suffix}", self.database().display()));
            restrict(&path, 0o600).map_err(|e| unusable(&self.0, &e))?;
        }
        Ok(())
    }
}

fn unusable(folder: &Path, error: &std::io::Error) -> StoreError {
    let why = match error.kind() {
        std::io::ErrorKind::StorageFull => format!("{error}: free some space, then try again"),
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            format!("{error}: make it writable, or name another one with --state or HPRUN_STATE")
        }
        _ => error.to_string(),
    };
    StoreError::Folder { folder: folder.to_owned(), why }
}

/// Makes a folder, with those above it, that is there after a power loss too.
fn make_private(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for made in missing {
        made.parent().map(sync_folder);
    }
    Ok(())
}

/// What a folder holds is on disk. Some file systems cannot do this for folders, and then need not: SQLite does not
/// insist either.
fn sync_folder(path: &Path) {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    drop(File::open(path).and_then(|folder| folder.sync_all()));
}

/// Changes a file's mode if it is another one: on a read-only file system that would fail for nothing.
fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o777 == mode => Ok(()),
        Ok(_) => std::fs::set_permissions(path, PermissionsExt::from_mode(mode)),
        // SQLite removes the files beside it when the last one closes them.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// The kind of network file system that `path` is on, by the magic numbers of statfs(2).
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> Option<&'static str> {
    const NETWORK: [(rustix::fs::FsWord, &str); 7] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFE53_4D42, "SMB2"),
        (0xFF53_4D42, "CIFS"),
        (0x0102_1997, "9P"),
        (0x0BD0_0BD0, "Lustre"),
        (0x5346_414F, "AFS"),
    ];
    let found = rustix::fs::statfs(path).ok()?.f_type;
    NETWORK.iter().find(|(magic, _)| *magic == found).map(|(_, name)| *name)
}

/// Elsewhere the kernel does not say it in a portable way.
#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}
