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

    /// How long the shortest pause still takes, of those that are not over.
    pub fn shortest(&self, clock: &Clock) -> Option<Duration> {
        let elapsed = clock.elapsed();
        self.0.values().filter(|pause| pause.ends > elapsed).map(|pause| pause.ends - elapsed).min()
    }

    /// The time that decisions go by: what has passed ends a pause, not what the wall's clock was set to meanwhile.
    pub fn now(&self, clock: &Clock) -> Timestamp {
        let elapsed = clock.elapsed();
        let over = self.0.values().filter(|pause| pause.ends <= elapsed).map(|pause| pause.until).max();
        let open = self.0.values().filter(|pause| pause.ends > elapsed).map(|pause| pause.until).min();
        let now = over.map_or(clock.now(), |over| clock.now().max(over));
        match open {
            Some(open) if open <= now && over < Some(open) => open - SignedDuration::from_nanos(1),
            Some(_) | None => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn a_clock_that_is_set_neither_shortens_nor_lengthens_a_pause() {
        for set_to in [-60 * MINUTE, 0, 60 * MINUTE] {
            let (passed, wall) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
            let clock = Clock::jumping(Arc::clone(&passed), Arc::clone(&wall));
            let mut pauses = Pauses::default();
            let until = pauses.begin(0, Duration::from_secs(30), &clock);
            wall.fetch_add(set_to, Ordering::SeqCst);
            passed.fetch_add(29_000_000, Ordering::SeqCst);
            assert!(pauses.now(&clock) < until, "set to {set_to}: not yet");
            assert_eq!(pauses.shortest(&clock), Some(Duration::from_secs(1)));
            passed.fetch_add(1_000_000, Ordering::SeqCst);
            assert!(pauses.now(&clock) >= until, "set to {set_to}: now");
            assert_eq!(pauses.shortest(&clock), None, "nothing is waited for that is over");
            pauses.end(0);
            assert_eq!((pauses.shortest(&clock), pauses.now(&clock)), (None, clock.now()));
        }
    }
}
