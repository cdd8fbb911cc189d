//! A disk that is full or fails, at every write and every sync in turn: a clear error, and nothing lost.

use std::collections::BTreeSet;

use super::disk::Fault;
use super::image::{Files, Survivors};
use super::trial::{Trial, laid_out};

/// Meets this fault at every place in turn, and gives all that was said.
fn every_place(fault: impl Fn(usize) -> Fault) -> String {
    let mut told = BTreeSet::new();
    for number in 0.. {
        let trial = Trial::new();
        trial.disk.set(Some(fault(number)));
        if let Err(error) = trial.live() {
            told.insert(trial.bench.without_paths(&error));
        }
        if trial.disk.counted() <= number {
            assert!(number > 50, "only {number} places were met");
            break;
        }
        // A power loss on top of it: not even then is something lost.
        let mut files = Files::default();
        trial.disk.ops().iter().for_each(|op| files.apply(op));
        for survivors in [Survivors::None, Survivors::All] {
            trial.check(&laid_out(files.after_power_loss(survivors)).folder(), trial.acknowledged());
        }
        // Or the space is freed, and the run resumed.
        trial.disk.set(None);
        trial.check(&trial.bench.folder(), trial.acknowledged());
    }
    told.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
fn a_disk_that_is_full_at_any_write_loses_nothing_and_says_what_to_do() {
    insta::assert_snapshot!(every_place(Fault::FullFrom), @"
    the store [folder]/state/hprun.db cannot be written: disk I/O error: see whether the disk is full or failing, then try again
    the store [folder]/state/hprun.db cannot be written: the disk is full: free some space, then try again
    ");
}

#[test]
fn a_disk_that_fails_once_at_any_write_or_sync_loses_nothing_and_says_so() {
    insta::assert_snapshot!(every_place(Fault::Broken), @"the store [folder]/state/hprun.db cannot be written: disk I/O error: see whether the disk is full or failing, then try again");
}

#[test]
fn a_disk_that_fails_for_good_at_any_write_or_sync_loses_nothing_and_says_so() {
    insta::assert_snapshot!(every_place(Fault::BrokenFrom), @"the store [folder]/state/hprun.db cannot be written: disk I/O error: see whether the disk is full or failing, then try again");
}
