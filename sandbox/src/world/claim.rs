//! Who holds a world folder: one process at a time, told by a file lock, with its addresses in `world.json`.
//! Must not know the state; it only takes and gives back the folder.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::replace;

/// Why a world cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another live process serves this world; attach to it.
    #[error("the sandbox world is held by process {pid}, which serves it at {endpoint}")]
    Held {
        /// Where it answers.
        endpoint: String,
        /// Who holds it.
        pid: u32,
    },
    /// The port that this world's clients know is in use by something else.
    #[error("port {port} of the sandbox world is in use by another program; end that program, or open another world")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// No port could be had.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port asked for; 0 is any.
        port: u16,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the world cannot be read or written.
    #[error("the files of the sandbox world cannot be used")]
    Io(#[from] std::io::Error),
    /// A file of the world is not what this version writes.
    #[error("{} of the sandbox world cannot be understood; it was written by another version: open a new world", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// `world.json`: where the world is served, for clients that were not told.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    endpoint: String,
    kubernetes_endpoint: String,
    /// Who serves it; nobody while it is closed.
    pid: Option<u32>,
    speed: f64,
}

/// The right to use a world folder, until it is released.
#[derive(Debug)]
pub(crate) struct Claim {
    dir: PathBuf,
    lock: File,
    before: Place,
}

impl Claim {
    pub(crate) fn take(dir: &Path) -> Result<Claim, OpenError> {
        make_private(dir)?;
        // Absolute, because the environment that names files in it is used by processes in other folders.
        let dir = dir.canonicalize()?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(&dir)),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let before = read_place(&dir)?.unwrap_or_default();
        let claim = Claim { dir, lock, before };
        claim.write(&Place { pid: None, ..claim.before.clone() })?;
        Ok(claim)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The port of the last opening; 0 in a new world.
    pub(crate) fn aws_port(&self) -> u16 {
        port_in(&self.before.endpoint)
    }

    /// The Kubernetes port of the last opening; 0 in a new world.
    pub(crate) fn kubernetes_port(&self) -> u16 {
        port_in(&self.before.kubernetes_endpoint)
    }

    pub(crate) fn announce(&self, endpoint: &str, kubernetes_endpoint: &str, speed: f64) -> Result<(), OpenError> {
        let place = Place {
            endpoint: endpoint.to_owned(),
            kubernetes_endpoint: kubernetes_endpoint.to_owned(),
            pid: Some(std::process::id()),
            speed,
        };
        Ok(self.write(&place)?)
    }

    pub(crate) fn release(self) {
        if let Ok(Some(place)) = read_place(&self.dir) {
            let _ = self.write(&Place { pid: None, ..place });
        }
        let _ = self.lock.unlock();
    }

    fn write(&self, place: &Place) -> std::io::Result<()> {
        replace(&self.dir.join("world.json"), &serde_json::to_vec_pretty(place).expect("a place is plain data"))
    }
}

/// How fast the clock of this world ran when it was last served, in sandbox seconds a wall second; `None` where it never was.
pub fn kept_speed(dir: &Path) -> Option<f64> {
    read_place(dir).ok().flatten().map(|place| place.speed).filter(|speed| *speed > 0.0)
}

/// The holder writes its address soon after it took the lock; wait for that a little.
fn held(dir: &Path) -> OpenError {
    for _ in 0..100 {
        match read_place(dir) {
            Ok(Some(Place { endpoint, pid: Some(pid), .. })) => return OpenError::Held { endpoint, pid },
            Ok(_) => std::thread::sleep(std::time::Duration::from_millis(50)),
            Err(error) => return error,
        }
    }
    OpenError::Io(std::io::Error::other(
        "another process holds the world's lock but does not serve it; end it and try again",
    ))
}

fn read_place(dir: &Path) -> Result<Option<Place>, OpenError> {
    let path = dir.join("world.json");
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| OpenError::Broken { path, source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn port_in(endpoint: &str) -> u16 {
    endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
}

/// Makes the folder for this user alone: a world holds all that was sent to it, secrets too. One that is there is left as it is.
fn make_private(dir: &Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir)?;
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}
