//! What a power loss leaves of the files, worked out from what was asked of the disk.
//! Knows nothing of SQLite's formats: only which bytes were surely there, and which may be.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::disk::Op;

/// Disks write whole sectors; of what was not synced each may be there or not.
const SECTOR: usize = 512;

/// The files after some of the operations.
#[derive(Clone, Debug, Default)]
pub struct Files {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    /// As in the folder on disk: a folder is synced with the first sync of a log or journal made in it.
    names_on_disk: BTreeMap<String, usize>,
    /// Made, and not synced since.
    new: BTreeSet<usize>,
}

#[derive(Clone, Debug, Default)]
struct File {
    on_disk: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// A sync has failed since: no later one brings it to the disk.
    lost: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { size: usize },
}

/// Files by name.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What survives of what was not synced.
pub enum Survivors<'a> {
    /// Nothing.
    None,
    /// All of it: the process was killed, and the machine went on.
    All,
    /// By chance: any sectors of any writes.
    Some(&'a mut Rng),
}

impl Files {
    /// After one more operation.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Open { file, name, found } => {
                assert_eq!(*file, self.files.len());
                self.files.push(File { on_disk: found.clone().unwrap_or_default(), pending: Vec::new() });
                self.names.insert(name.clone(), *file);
                if found.is_some() {
                    self.names_on_disk.insert(name.clone(), *file);
                } else {
                    self.new.insert(*file);
                }
            }
            Op::Write { file, at, bytes } => self.files[*file].add(Change::Write { at: *at, bytes: bytes.clone() }),
            Op::Truncate { file, size } => self.files[*file].add(Change::Truncate { size: *size }),
            Op::Sync { file } => {
                self.files[*file].sync();
                if self.new.remove(file) {
                    self.names_on_disk = self.names.clone();
                }
            }
            Op::FailedSync { file } => self.files[*file].pending.iter_mut().for_each(|pending| pending.lost = true),
            Op::Delete { name } => {
                self.names.remove(name);
            }
            Op::Told(_) => {}
        }
    }

    /// What is found after the power is back.
    pub fn after_power_loss(&self, mut survivors: Survivors<'_>) -> Image {
        let mut image = Image::default();
        let names: BTreeSet<&String> = self.names.keys().chain(self.names_on_disk.keys()).collect();
        for name in names {
            let (now, before) = (self.names.get(name), self.names_on_disk.get(name));
            let file = match &mut survivors {
                Survivors::None => before,
                Survivors::All => now,
                Survivors::Some(rng) => {
                    if rng.bool() {
                        now
                    } else {
                        before
                    }
                }
            };
            if let Some(file) = file {
                image.insert(name.clone(), self.files[*file].after_power_loss(&mut survivors));
            }
        }
        if let Survivors::Some(rng) = survivors
            && rng.bool()
        {
            // What the processes share in memory is a file too, never synced: it must not be believed.
            image.insert("hprun.db-shm".to_owned(), (0..1 << 15).map(|_| rng.u8(..)).collect());
        }
        image
    }
}

impl File {
    fn add(&mut self, change: Change) {
        self.pending.push(Pending { change, lost: false });
    }

    fn sync(&mut self) {
        let (lost, synced): (Vec<Pending>, Vec<Pending>) = self.pending.drain(..).partition(|pending| pending.lost);
        for Pending { change, .. } in &synced {
            change.whole(&mut self.on_disk);
        }
        // What was lost may still come, but not over what is there now.
        let apart = |lost: &Pending| !synced.iter().any(|synced| synced.change.overlaps(&lost.change));
        self.pending = lost.into_iter().filter(apart).collect();
    }

    fn after_power_loss(&self, survivors: &mut Survivors<'_>) -> Vec<u8> {
        let mut bytes = self.on_disk.clone();
        for Pending { change, .. } in &self.pending {
            match survivors {
                Survivors::None => {}
                Survivors::All => change.whole(&mut bytes),
                Survivors::Some(rng) => change.partly(&mut bytes, rng),
            }
        }
        bytes
    }
}

impl Change {
    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Write { at, bytes }, Self::Write { at: from, bytes: others }) => {
                *at < from + others.len() && *from < at + bytes.len()
            }
            // The size of a file is one thing.
            (Self::Truncate { .. }, _) | (_, Self::Truncate { .. }) => true,
        }
    }

    fn whole(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => put(to, *at, bytes, |_| 0),
            Self::Truncate { size } => to.resize(*size, 0),
        }
    }

    fn partly(&self, to: &mut Vec<u8>, rng: &mut Rng) {
        match self {
            Self::Write { at, bytes } => {
                let likely = rng.f64();
                let mut from = 0;
                while from < bytes.len() {
                    let end = bytes.len().min(((at + from) / SECTOR + 1) * SECTOR - at);
                    if rng.f64() < likely {
                        put(to, at + from, &bytes[from..end], |_| rng.u8(..));
                    }
                    from = end;
                }
            }
            Self::Truncate { size } => {
                if rng.bool() {
                    to.resize(*size, 0);
                }
            }
        }
    }
}

/// Writes bytes at a place; `hole` gives what is found where nothing was written before it.
fn put(to: &mut Vec<u8>, at: usize, bytes: &[u8], hole: impl FnMut(usize) -> u8) {
    if to.len() < at {
        let holes = to.len()..at;
        to.extend(holes.map(hole));
    }
    let end = at + bytes.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[at..end].copy_from_slice(bytes);
}
