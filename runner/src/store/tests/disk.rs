//! A disk to try the store on: SQLite's own file system, with a record of every write and sync, and faults on demand.
//! Knows nothing of what is stored. Nothing is really synced: what a power loss leaves is worked out from the record.

mod functions;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use rusqlite::ffi;

/// What SQLite asked of the disk, in order. Files are numbered: a name may go from one to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A file was opened for the first time; what was in it, none if it was made.
    Open {
        file: usize,
        name: String,
        found: Option<Vec<u8>>,
    },
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: usize,
        size: usize,
    },
    Sync {
        file: usize,
    },
    /// What was not on disk by then may never get there, whatever later syncs say.
    FailedSync {
        file: usize,
    },
    Delete {
        name: String,
    },
    /// Something that the test knows at this moment.
    Told(usize),
}

/// What goes wrong. Writes, truncations, syncs, removals and growing the shared memory are counted together, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full from the n-th on; the first write that fails is written by half.
    FullFrom(usize),
    /// The n-th fails, and the disk works again.
    Broken(usize),
    /// The n-th fails, and every one after it.
    BrokenFrom(usize),
    /// Files can be opened for reading only.
    ReadOnly,
    /// There is no memory to share, so no write-ahead log.
    NoSharedMemory,
}

/// The disk under one folder.
#[derive(Debug, Default)]
pub struct Disk {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ops: Vec<Op>,
    names: BTreeMap<String, usize>,
    files: usize,
    fault: Option<Fault>,
    counted: usize,
    holding_syncs: bool,
    held_syncs: usize,
    refused_locks: usize,
}

/// Syncs that wait.
pub struct HeldSyncs<'a>(&'a Disk);

impl HeldSyncs<'_> {
    /// Returns when one waits.
    pub fn until_one_waits(&self) {
        let state = self.0.state();
        let waited = self.0.moved.wait_timeout_while(state, DEADLINE, |state| state.held_syncs == 0);
        let (state, timeout) = waited.expect("nobody panics here");
        drop(state);
        assert!(!timeout.timed_out(), "nothing is synced");
    }
}

impl Drop for HeldSyncs<'_> {
    fn drop(&mut self) {
        self.0.state().holding_syncs = false;
        self.0.moved.notify_all();
    }
}

const NAME: &CStr = c"hprun-test-disk";

/// Nothing that a test waits for takes longer.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a write, truncation, sync or removal comes to.
enum Fate {
    Done,
    /// The code, and whether the first half is written.
    Failed(c_int, bool),
}

impl Disk {
    /// SQLite's name for the file system that all disks share.
    pub fn file_system() -> &'static str {
        static ONCE: OnceLock<()> = OnceLock::new();
        ONCE.get_or_init(|| functions::register(NAME));
        NAME.to_str().expect("plain letters")
    }

    /// The disk under `folder`. Files elsewhere are not recorded, and not synced either.
    pub fn under(folder: &Path) -> Arc<Self> {
        let disk = Arc::new(Self::default());
        disks().insert(folder.to_owned(), Arc::clone(&disk));
        disk
    }

    /// Takes the disk away again; the folder's files stay.
    pub fn remove(folder: &Path) {
        disks().remove(folder);
    }

    /// What was asked so far.
    pub fn ops(&self) -> Vec<Op> {
        self.state().ops.clone()
    }

    /// Notes what the test knows now.
    pub fn tell(&self, number: usize) {
        self.state().ops.push(Op::Told(number));
    }

    /// From now on this goes wrong; what is counted begins anew.
    pub fn set(&self, fault: Option<Fault>) {
        let mut state = self.state();
        (state.fault, state.counted) = (fault, 0);
    }

    /// How much was counted.
    pub fn counted(&self) -> usize {
        self.state().counted
    }

    /// Syncs wait until what is given is dropped.
    pub fn hold_syncs(&self) -> HeldSyncs<'_> {
        self.state().holding_syncs = true;
        HeldSyncs(self)
    }

    /// How often a lock on a file was refused.
    pub fn refused_locks(&self) -> usize {
        self.state().refused_locks
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics here")
    }

    fn fault(&self) -> Option<Fault> {
        self.state().fault
    }

    fn knows(&self, name: &str) -> bool {
        self.state().names.contains_key(name)
    }

    /// The number of the file of this name.
    fn opened(&self, name: &str, found: Option<Vec<u8>>) -> usize {
        let mut state = self.state();
        if let Some(file) = state.names.get(name) {
            return *file;
        }
        let file = state.files;
        state.files += 1;
        state.names.insert(name.to_owned(), file);
        state.ops.push(Op::Open { file, name: name.to_owned(), found });
        file
    }

    /// Counts one, and says what becomes of it; `broken` is the code for a fault of the disk.
    fn fate(&self, broken: c_int) -> Fate {
        let mut state = self.state();
        let number = state.counted;
        state.counted += 1;
        match state.fault {
            Some(Fault::FullFrom(from)) if number >= from => Fate::Failed(ffi::SQLITE_FULL, number == from),
            Some(Fault::Broken(only)) if number == only => Fate::Failed(broken, false),
            Some(Fault::BrokenFrom(from)) if number >= from => Fate::Failed(broken, false),
            Some(
                Fault::FullFrom(_) | Fault::Broken(_) | Fault::BrokenFrom(_) | Fault::ReadOnly | Fault::NoSharedMemory,
            )
            | None => Fate::Done,
        }
    }

    /// Writes by `write`, which takes how many of the bytes.
    fn write(&self, file: usize, at: usize, bytes: &[u8], write: impl FnOnce(usize) -> c_int) -> c_int {
        let fate = self.fate(ffi::SQLITE_IOERR_WRITE);
        let (length, code) = match fate {
            Fate::Done => (bytes.len(), ffi::SQLITE_OK),
            Fate::Failed(code, true) => (bytes.len() / 2, code),
            Fate::Failed(code, false) => return code,
        };
        self.state().ops.push(Op::Write { file, at, bytes: bytes[..length].to_vec() });
        let written = write(length);
        if written == ffi::SQLITE_OK { code } else { written }
    }

    fn truncate(&self, file: usize, size: usize, truncate: impl FnOnce() -> c_int) -> c_int {
        if let Fate::Failed(code, _) = self.fate(ffi::SQLITE_IOERR_TRUNCATE) {
            return code;
        }
        self.state().ops.push(Op::Truncate { file, size });
        truncate()
    }

    fn sync(&self, file: usize) -> c_int {
        let mut state = self.state();
        state.held_syncs += 1;
        self.moved.notify_all();
        state = self.moved.wait_while(state, |state| state.holding_syncs).expect("nobody panics here");
        state.held_syncs -= 1;
        drop(state);
        let (op, code) = match self.fate(ffi::SQLITE_IOERR_FSYNC) {
            Fate::Done => (Op::Sync { file }, ffi::SQLITE_OK),
            Fate::Failed(code, _) => (Op::FailedSync { file }, code),
        };
        self.state().ops.push(op);
        code
    }

    fn delete(&self, name: &str, delete: impl FnOnce() -> c_int) -> c_int {
        if let Fate::Failed(code, _) = self.fate(ffi::SQLITE_IOERR_DELETE) {
            return code;
        }
        let code = delete();
        if code == ffi::SQLITE_OK {
            let mut state = self.state();
            state.names.remove(name);
            state.ops.push(Op::Delete { name: name.to_owned() });
        }
        code
    }

    /// SQLite's own file system says the same of a full disk and of a broken one here.
    fn grow_shared_memory(&self, grow: impl FnOnce() -> c_int) -> c_int {
        match self.fate(ffi::SQLITE_IOERR_SHMSIZE) {
            Fate::Done => grow(),
            Fate::Failed(..) => ffi::SQLITE_IOERR_SHMSIZE,
        }
    }

    fn lock(&self, lock: impl FnOnce() -> c_int) -> c_int {
        let code = lock();
        if code != ffi::SQLITE_OK {
            self.state().refused_locks += 1;
        }
        code
    }
}

fn disks() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Disk>>> {
    static DISKS: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());
    DISKS.lock().expect("nobody panics here")
}
