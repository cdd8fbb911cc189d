//! The pauses before the next tries: what ends one is the time that passes, not what the clock on the wall is set to.
//! Knows nothing of why there is a pause.

use std::collections::BTreeMap;
use std::time::Duration;

use hprun_steps::clock::Clock;
use jiff::{SignedDuration, Timestamp};

/// The pauses of steps, by their index in the plan.
#[derive(Debug, Default)]
pub(super) struct Pauses(BTreeMap<usize, Pause>);

#[derive(Debug)]
struct Pause {
    /// Its end as recorded and shown.
    until: Timestamp,
    /// Its end on the clock that never goes back.
    ends: Duration,
}

impl Pauses {
    /// Begins a pause; gives its end as it is recorded.
    pub fn begin(&mut self, step: usize, pause: Duration, clock: &Clock) -> Timestamp {
        let signed = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
        let until = clock.now().saturating_add(signed).unwrap_or(Timestamp::MAX);
        self.0.insert(step, Pause { until, ends: clock.elapsed() + pause });
        until
    }

    /// The step goes on.
    pub fn end(&mut self, step: usize) {
        self.0.remove(&step);
    }

    /// How long the shortest pause still takes.
    pub fn shortest(&self, clock: &Clock) -> Option<Duration> {
        self.0.values().map(|pause| pause.ends.saturating_sub(clock.elapsed())).min()
    }

    /// The time that decisions go by: a pause that has passed is over, also if the wall's clock was set back meanwhile.
    pub fn now(&self, clock: &Clock) -> Timestamp {
        let elapsed = clock.elapsed();
        let over = self.0.values().filter(|pause| pause.ends <= elapsed).map(|pause| pause.until);
        over.fold(clock.now(), Timestamp::max)
    }
}
