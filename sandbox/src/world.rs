//! The world: the state of every service, moved on in time and written to disk before anyone sees an answer.
//! Must not know protocols: services read and change the state through plain functions.

mod claim;
mod disk;
mod ids;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use claim::Claim;
pub use claim::{OpenError, kept_speed};
pub(crate) use disk::replace;
pub use ids::Ids;

use crate::Options;
use crate::access::Access;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::{cloudformation, ec2, eks, iam, kubernetes, logs, s3, sagemaker, ssm};

/// The account that every world is.
pub const ACCOUNT: &str = "111122223333";
/// The access key that a world accepts.
pub const ACCESS_KEY: &str = "AKIAHPRUNSANDBOX0000";
/// The secret to `ACCESS_KEY`: fixed and fake.
pub const SECRET_KEY: &str = "hprun-sandbox-secret";
/// Who the caller is.
pub const CALLER_ARN: &str = "arn:aws:sts::111122223333:assumed-role/HprunSandbox/hprun";
/// The role behind `CALLER_ARN`, as IAM and EKS access entries name it.
pub const CALLER_ROLE_ARN: &str = "arn:aws:iam::111122223333:role/HprunSandbox";

/// What one region sees: its own services, and the account's global ones (`iam`, `s3`, `ids`), the same in every region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Roles and policies; global.
    pub iam: iam::State,
    /// Buckets and objects; global.
    pub s3: s3::State,
    /// The source of ids; global.
    pub ids: Ids,
    /// Networks of this region.
    pub ec2: ec2::State,
    /// EKS clusters of this region.
    pub eks: eks::State,
    /// Parameters of this region.
    pub ssm: ssm::State,
    /// Log groups of this region.
    pub logs: logs::State,
    /// HyperPod clusters of this region.
    pub sagemaker: sagemaker::State,
    /// Stacks of this region.
    pub cloudformation: cloudformation::State,
    /// What the Kubernetes API of this region's clusters holds.
    pub kubernetes: kubernetes::State,
    /// Up to when this region has been moved on, in microseconds since the epoch; kept in `clock.json`.
    #[serde(skip)]
    pub(crate) advanced: i64,
}

/// The instant at which, and the place in which, a closure looks at the state.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Sandbox time. While a service is being moved on, the instant at which something falls due.
    pub now: Timestamp,
    /// The account id.
    pub account: &'a str,
    /// The region of the call, or of the state that is being moved on.
    pub region: &'a str,
    /// `http://127.0.0.1:PORT` of the AWS services.
    pub endpoint: &'a str,
    /// `https://127.0.0.1:PORT` of Kubernetes; a cluster is at `/clusters/NAME` below it.
    pub kubernetes_endpoint: &'a str,
    /// The world folder.
    pub dir: &'a Path,
    /// The fault script: ask `faults.resource_failure(…)` and `faults.capacity(…)` when something is to be made.
    pub faults: &'a Faults,
    /// The caller's policy.
    pub access: &'a Access,
}

impl<'a> Moment<'a> {
    /// The same place at another instant.
    pub fn at(&self, now: Timestamp) -> Moment<'a> {
        Moment { now, ..*self }
    }
}

/// An open world. Everything that happens in it goes through `with` or `read`.
#[derive(Debug)]
pub struct World {
    dir: PathBuf,
    clock: Clock,
    faults: Faults,
    access: Access,
    journal: Journal,
    endpoint: String,
    kubernetes_endpoint: String,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    shut: watch::Sender<i64>,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    /// `iam`, `s3` and `ids` of these are empty between calls: they live in `global` and are lent to the region at work.
    regions: BTreeMap<String, State>,
    global: State,
    disk: disk::Disk,
    claim: Option<Claim>,
}

impl World {
    pub(crate) fn open(claim: Claim, options: Options, (aws, kubernetes): (u16, u16)) -> Result<World, OpenError> {
        let dir = claim.dir().to_path_buf();
        let (mut disk, loaded) = disk::Disk::open(&dir)?;
        let clock = Clock::start(options.clock, loaded.clock);
        let faults = Faults::open(options.faults, loaded.faults);
        let access = Access::open(&dir, options.policy)?;
        disk.keep_faults(&faults)?;
        let endpoint = format!("http://127.0.0.1:{aws}");
        let kubernetes_endpoint = format!("https://127.0.0.1:{kubernetes}");
        claim.announce(&endpoint, &kubernetes_endpoint, clock.speed())?;
        let journal = Journal::open(&dir.join("journal.ndjson"))?;
        let inner = Inner { regions: loaded.regions, global: loaded.global, disk, claim: Some(claim) };
        Ok(World {
            dir,
            clock,
            faults,
            access,
            journal,
            endpoint,
            kubernetes_endpoint,
            inner: Mutex::new(inner),
            changed: watch::Sender::new(0),
            shut: watch::Sender::new(0),
            stopping: CancellationToken::new(),
        })
    }

    /// Moves the world on to now, then lets `act` read and change the region's state. What it changed is on disk when this returns.
    ///
    /// # Panics
    /// When the world folder cannot be written: an effect that is not durable must never be answered.
    pub fn with<T>(&self, region: &str, act: impl FnOnce(&mut State, &Moment<'_>) -> T) -> T {
        let mut inner = self.inner.lock().expect("no service panics while it holds the state");
        self.enter(&mut inner, region, act)
    }

    /// Like `with`, for a closure that changes nothing.
    pub fn read<T>(&self, region: &str, look: impl FnOnce(&State, &Moment<'_>) -> T) -> T {
        self.with(region, |state, cx| look(state, cx))
    }

    /// The region whose state (without the global services) satisfies `is_it`: where is this EKS cluster?
    pub fn find_region(&self, is_it: impl Fn(&State) -> bool) -> Option<String> {
        let inner = self.inner.lock().expect("no service panics while it holds the state");
        inner.regions.iter().find(|(_, state)| is_it(state)).map(|(region, _)| region.clone())
    }

    fn enter<T>(&self, inner: &mut Inner, region: &str, act: impl FnOnce(&mut State, &Moment<'_>) -> T) -> T {
        let now = self.clock.now();
        let mut state = inner.regions.remove(region).unwrap_or_default();
        lend(&mut inner.global, &mut state);
        let cx = self.moment(region, now);
        advance(&mut state, &cx);
        let result = act(&mut state, &cx);
        advance(&mut state, &cx);
        lend(&mut inner.global, &mut state);
        inner.regions.insert(region.to_owned(), state);
        let Inner { regions, global, disk, claim, .. } = inner;
        // The folder may be another process's by now, or gone: what comes late is neither kept nor answered.
        if claim.is_none() {
            return result;
        }
        let wrote = disk
            .write(region, regions, global, &self.faults, self.clock.micros())
            .unwrap_or_else(|error| panic!("the world folder {} cannot be written: {error}", self.dir.display()));
        if wrote {
            self.changed.send_modify(|count| *count += 1);
        }
        result
    }

    fn moment<'a>(&'a self, region: &'a str, now: Timestamp) -> Moment<'a> {
        Moment {
            now,
            account: ACCOUNT,
            region,
            endpoint: &self.endpoint,
            kubernetes_endpoint: &self.kubernetes_endpoint,
            dir: &self.dir,
            faults: &self.faults,
            access: &self.access,
        }
    }

    /// Moves every known region on to now, so that watchers see what has fallen due.
    pub fn tick(&self) {
        let regions: Vec<String> = {
            let inner = self.inner.lock().expect("no service panics while it holds the state");
            inner.regions.keys().cloned().collect()
        };
        for region in regions {
            self.with(&region, |_, _| ());
        }
    }

    /// The world folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Sandbox time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    /// The fault script and its counters.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
    /// The caller's policy.
    pub fn access(&self) -> &Access {
        &self.access
    }
    /// Every request and answer.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
    /// `http://127.0.0.1:PORT` of the AWS services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
    /// `https://127.0.0.1:PORT` of Kubernetes.
    pub fn kubernetes_endpoint(&self) -> &str {
        &self.kubernetes_endpoint
    }
    /// Counts up whenever the state has changed: what a Kubernetes watch waits for.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
    /// Until when (in microseconds since the epoch) nobody listens for the AWS services, each time that begins.
    pub(crate) fn shut(&self) -> &watch::Sender<i64> {
        &self.shut
    }
    /// Cancelled when the sandbox stops: long answers end then.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Stores the time and gives the folder back. Further calls are not expected.
    pub(crate) fn close(&self) {
        let Ok(mut inner) = self.inner.lock() else {
            return;
        };
        if let Some(claim) = inner.claim.take() {
            let Inner { regions, disk, .. } = &mut *inner;
            let _ = disk.write_clock(regions, self.clock.micros());
            claim.release();
        }
    }

    /// Whether the folder was given back: nothing that happens now is kept.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.lock().is_ok_and(|inner| inner.claim.is_none())
    }

    fn store_time(&self) {
        if let Ok(mut inner) = self.inner.lock()
            && inner.claim.is_some()
        {
            let Inner { regions, disk, .. } = &mut *inner;
            let _ = disk.write_clock(regions, self.clock.micros());
        }
    }
}

/// Stores the time once a second and moves the world on, until the sandbox stops: a killed process loses at most a second.
pub(crate) async fn keep_time(world: Arc<World>) {
    let mut second = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            () = world.stopping.cancelled() => return,
            _ = second.tick() => {
                world.tick();
                world.store_time();
            }
        }
    }
}

fn lend(global: &mut State, state: &mut State) {
    std::mem::swap(&mut global.iam, &mut state.iam);
    std::mem::swap(&mut global.s3, &mut state.s3);
    std::mem::swap(&mut global.ids, &mut state.ids);
}

/// Moves a region on to `cx.now`, from one due instant to the next, so that each service acts at the instant at which a thing
/// falls due and sees what the others were at that instant, however long nobody looked.
pub fn advance(state: &mut State, cx: &Moment<'_>) {
    let now = cx.now.as_microsecond();
    if state.advanced == 0 {
        state.advanced = now;
    }
    while let Some(due) = next_due(state).filter(|due| *due <= cx.now) {
        settle(state, &cx.at(due));
        state.advanced = state.advanced.max(due.as_microsecond());
    }
    settle(state, cx);
    state.advanced = state.advanced.max(now);
}

/// The earliest instant after those already passed at which a service has something to do.
fn next_due(state: &State) -> Option<Timestamp> {
    let after =
        Timestamp::from_microsecond(state.advanced).expect("the instants of a world are within a timestamp's years");
    [
        ec2::next_due(state, after),
        iam::next_due(state, after),
        eks::next_due(state, after),
        kubernetes::next_due(state, after),
        sagemaker::next_due(state, after),
        cloudformation::next_due(state, after),
    ]
    .into_iter()
    .flatten()
    .filter(|due| *due > after)
    .min()
}

/// Calls the services in turn until none has anything more to do at this instant.
fn settle(state: &mut State, cx: &Moment<'_>) {
    for _ in 0..10_000 {
        let moved = [
            ec2::advance(state, cx),
            iam::advance(state, cx),
            eks::advance(state, cx),
            sagemaker::advance(state, cx),
            kubernetes::advance(state, cx),
            cloudformation::advance(state, cx),
        ];
        if !moved.contains(&true) {
            return;
        }
    }
    panic!("the services of the world never come to rest at {}", cx.now);
}
