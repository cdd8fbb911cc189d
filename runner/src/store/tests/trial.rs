//! A store on a disk of the test's own, with all that was sent to it and all that was acknowledged.
//! Knows nothing of what the disk does to it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::disk::Disk;
use super::{Bench, at, begun, ended, started, succeeded};
use crate::event::{Entry, Event, Outcome};
use crate::store::connect::Access;
use crate::store::error::explain;
use crate::store::{Log, StateFolder, Store, StoreError};

/// The way to a store over a disk of the test's. Where none was put under the folder, nothing is recorded or synced.
pub fn access() -> Access {
    Access { patience: Duration::from_millis(50), file_system: Some(Disk::file_system()) }
}

/// What one append is about.
type Append = Vec<(Timestamp, Event)>;

/// A bench with a disk under it.
pub struct Trial {
    pub bench: Bench,
    pub disk: Arc<Disk>,
    sent: RefCell<Vec<Append>>,
    acknowledged: RefCell<Vec<Vec<Entry>>>,
}

impl Trial {
    pub fn new() -> Self {
        let bench = with_folder();
        let disk = Disk::under(bench.folder().path());
        Self { bench, disk, sent: RefCell::default(), acknowledged: RefCell::default() }
    }

    pub fn store(&self) -> Result<Store, StoreError> {
        Store::open_through(access(), self.bench.folder())
    }

    /// The log of the only run, after what it holds.
    pub fn log(&self) -> Result<Log, StoreError> {
        let seq = self.store()?.events("r1")?.len();
        log(&self.bench.folder(), seq)
    }

    /// Appends, and notes on the disk when this is acknowledged.
    pub fn append(&self, log: &Log, append: Append) -> Result<(), StoreError> {
        self.sent.borrow_mut().push(append.clone());
        let entries = log.handle().append(append)?;
        self.acknowledged.borrow_mut().push(entries);
        self.disk.tell(self.acknowledged.borrow().len());
        Ok(())
    }

    /// How many appends were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.borrow().len()
    }

    /// Everything that happens to a store: appends alone and in batches, small and over
    /// many pages; the log taken into the file and begun anew; closed and opened again.
    pub fn live(&self) -> Result<(), StoreError> {
        let log = self.log()?;
        let store = self.store()?;
        let checkpoint = |how: &str| {
            let taken = store.connection.pragma(None, "wal_checkpoint", how, |_| Ok(()));
            taken.map_err(|e| explain(&self.bench.folder().database(), &e))
        };
        self.append(&log, vec![(at(0), started()), (at(0), begun("a"))])?;
        self.append(&log, vec![(at(1), large("a", 200))])?;
        self.append(&log, (0..20).map(|n| (at(n), succeeded(&format!("s{n}")))).collect())?;
        checkpoint("PASSIVE")?;
        self.append(&log, vec![(at(2), large("b", 20_000))])?;
        let pair = |n: usize| vec![(at(3), begun(&format!("p{n}"))), (at(4), large(&format!("p{n}"), n * 700))];
        (0..4).try_for_each(|n| self.append(&log, pair(n)))?;
        checkpoint("RESTART")?;
        self.append(&log, vec![(at(5), ended(Outcome::Failed))])?;
        drop((log, store));
        let log = self.log()?;
        self.append(&log, vec![(at(6), begun("c")), (at(7), large("c", 5_000))])
    }

    /// Reads the store in `folder`: all of the first `acknowledged` appends must be in it, nothing that was not sent, and no
    /// part of an append. Then goes on with it.
    pub fn check(&self, folder: &StateFolder, acknowledged: usize) {
        let events = Store::open_through(access(), folder.clone()).and_then(|store| store.events("r1"));
        let events = events.unwrap_or_else(|e| panic!("{e}"));
        for entry in self.acknowledged.borrow()[..acknowledged].iter().flatten() {
            assert_eq!(events.get(place(entry)), Some(entry), "an acknowledged event is not there");
        }
        let mut sent = self.sent.borrow().clone();
        let mut rest: Append = events.iter().map(|entry| (entry.at, entry.event.clone())).collect();
        while !rest.is_empty() {
            let whole = sent.iter().position(|append| rest.starts_with(append));
            let append = sent.swap_remove(whole.unwrap_or_else(|| panic!("this is no append that was sent: {rest:?}")));
            rest.drain(..append.len());
        }
        goes_on(folder, events);
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        Disk::remove(self.bench.folder().path());
    }
}

fn goes_on(folder: &StateFolder, mut events: Vec<Entry>) {
    let next = if events.is_empty() { started() } else { begun("next") };
    let log = log(folder, events.len()).unwrap_or_else(|e| panic!("{e}"));
    events.extend(log.handle().append(vec![(at(9), next)]).expect("it goes on"));
    let store = Store::open_through(access(), folder.clone()).expect("a sound store");
    assert_eq!(store.events("r1").expect("a sound store"), events);
    let sound: String = store.connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).expect("read");
    assert_eq!(sound, "ok");
}

fn log(folder: &StateFolder, seq: usize) -> Result<Log, StoreError> {
    std::fs::create_dir_all(folder.run("r1")).expect("writable");
    let lock = folder.lock("r1").expect("nobody holds it");
    Log::open_through(access(), folder, "r1", lock, seq as u64)
}

/// Where an entry stands in its run.
fn place(entry: &Entry) -> usize {
    usize::try_from(entry.seq - 1).expect("a few")
}

fn large(step: &str, size: usize) -> Event {
    let outputs = json!({"text": "o".repeat(size)});
    Event::StepSucceeded { step: step.to_owned(), attempt: 1, outputs, files: Vec::new() }
}

/// A bench whose folder is there, with an empty file for the store. Like the run's folder they are made here, because
/// hprun would wait until a real disk has them.
fn with_folder() -> Bench {
    let bench = Bench::new();
    std::fs::create_dir(bench.0.path().join("state")).expect("writable");
    std::fs::write(bench.folder().database(), "").expect("writable");
    bench
}

/// The store that these files are.
pub fn laid_out(files: impl IntoIterator<Item = (impl AsRef<Path>, impl AsRef<[u8]>)>) -> Bench {
    let bench = with_folder();
    for (name, bytes) in files {
        std::fs::write(bench.folder().path().join(name), bytes).expect("writable");
    }
    bench
}
