//! Power loss: whatever was acknowledged is there, whole, after it; and the store goes on.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;

use super::disk::Op;
use super::image::{Files, Survivors};
use super::trial::{Trial, laid_out};
use super::{at, begun, started};

/// For each moment: what was surely there, what a kill leaves, and this many of what chance leaves.
const BY_CHANCE: usize = 4;

/// What chance goes by. It is told when the test fails, and can be given as HPRUN_TEST_SEED.
struct Seed(u64);

impl Seed {
    fn drawn() -> Self {
        let given = std::env::var("HPRUN_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(given.unwrap_or_else(|| fastrand::u64(..)))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(writeln!(std::io::stderr(), "HPRUN_TEST_SEED={}", self.0));
        }
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_loss_at_any_moment() {
    let seed = Seed::drawn();
    let mut rng = Rng::with_seed(seed.0);
    let trial = Trial::new();
    trial.live().expect("nothing is wrong");
    let (mut files, mut acknowledged, mut seen) = (Files::default(), 0, BTreeSet::new());
    for op in trial.disk.ops() {
        files.apply(&op);
        if let Op::Told(appends) = op {
            acknowledged = appends;
        }
        let mut images = vec![files.after_power_loss(Survivors::None), files.after_power_loss(Survivors::All)];
        images.extend((0..BY_CHANCE).map(|_| files.after_power_loss(Survivors::Some(&mut rng))));
        for image in images {
            // The same bytes need no second look.
            if seen.insert((acknowledged, image.clone())) {
                trial.check(&laid_out(image).folder(), acknowledged);
            }
        }
    }
    assert!(acknowledged == trial.acknowledged() && seen.len() > 200, "{} images", seen.len());
}

#[test]
fn the_log_is_synced_between_the_last_write_of_an_append_and_its_acknowledgement() {
    let trial = Trial::new();
    let log = trial.log().expect("nothing is wrong");
    trial.append(&log, vec![(at(0), started())]).expect("nothing is wrong");
    for n in 0..10 {
        trial.append(&log, vec![(at(n), begun("a"))]).expect("nothing is wrong");
    }
    let (mut wal, mut writes, mut synced, mut told) = (None, 0, false, 0);
    for op in trial.disk.ops() {
        match op {
            Op::Open { file, name, .. } if name.ends_with("-wal") => wal = Some(file),
            Op::Write { file, .. } if wal == Some(file) => (writes, synced) = (writes + 1, false),
            Op::Sync { file } if wal == Some(file) => synced = true,
            Op::Told(number) => {
                assert!(writes > 0 && synced, "append {number}: {writes} writes, and they are not synced");
                (writes, told) = (0, number);
            }
            Op::Open { .. }
            | Op::Write { .. }
            | Op::Truncate { .. }
            | Op::Sync { .. }
            | Op::FailedSync { .. }
            | Op::Delete { .. } => {}
        }
    }
    assert_eq!(told, 11);
}

#[test]
fn nothing_is_acknowledged_while_the_disk_still_syncs() {
    let trial = Trial::new();
    let log = trial.log().expect("nothing is wrong");
    trial.append(&log, vec![(at(0), started())]).expect("nothing is wrong");
    let held = trial.disk.hold_syncs();
    let (handle, acknowledged) = (log.handle(), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            handle.append(vec![(at(1), begun("a"))]).expect("nothing is wrong");
            acknowledged.store(true, Ordering::SeqCst);
        });
        held.until_one_waits();
        assert!(!acknowledged.load(Ordering::SeqCst), "it was acknowledged before it was on disk");
        drop(held);
    });
    assert!(acknowledged.load(Ordering::SeqCst));
}
