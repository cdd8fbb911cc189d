//! The time that steps live by: waits, timeouts and back-off all go through here.
//! Knows nothing of what it is waited for. In the sandbox time runs faster; in a test it is stepped.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock. Cloning gives the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System { started: Instant },
    Scaled { base: Timestamp, started: Instant, speed: f64 },
    Manual { now: Arc<AtomicI64>, base: i64 },
    Jumping { passed: Arc<AtomicI64>, wall: Arc<AtomicI64>, base: Timestamp },
}

impl Clock {
    /// The clock on the wall.
    pub fn system() -> Self {
        Self(Kind::System { started: Instant::now() })
    }

    /// A clock that stands at `base` now and runs `speed` times as fast as the wall: the sandbox's.
    pub fn scaled(base: Timestamp, speed: f64) -> Self {
        Self(Kind::Scaled { base, started: Instant::now(), speed })
    }

    /// A clock of microseconds since the epoch that a test shares and steps. To sleep is to move it on, so that
    /// nothing is ever waited for.
    pub fn manual(now: Arc<AtomicI64>) -> Self {
        let base = now.load(Ordering::SeqCst);
        Self(Kind::Manual { now, base })
    }

    /// A clock like the system's in the hands of a test: `passed` is what has passed (microseconds, moved on by sleeping),
    /// `wall` how far somebody has set the time on the wall ahead (or, below zero, back).
    pub fn jumping(passed: Arc<AtomicI64>, wall: Arc<AtomicI64>) -> Self {
        Self(Kind::Jumping { passed, wall, base: Timestamp::UNIX_EPOCH })
    }

    /// The time, to show and to record. It jumps when somebody sets the system's clock: nothing may be waited for by it.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { .. } => Timestamp::now(),
            Kind::Scaled { base, started, speed } => {
                base.checked_add(signed(started.elapsed().mul_f64(*speed))).unwrap_or(Timestamp::MAX)
            }
            Kind::Manual { now, .. } => {
                Timestamp::from_microsecond(now.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
            }
            Kind::Jumping { passed, wall, base } => {
                let since = SignedDuration::from_micros(passed.load(Ordering::SeqCst) + wall.load(Ordering::SeqCst));
                base.checked_add(since).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Time since this clock was made, which never goes back and does not jump: for timeouts, pauses and durations. On
    /// Linux and macOS it stands still while the machine sleeps.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::Scaled { started, speed, .. } => started.elapsed().mul_f64(*speed),
            Kind::Manual { now, base } => {
                Duration::from_micros(u64::try_from(now.load(Ordering::SeqCst) - base).unwrap_or(0))
            }
            Kind::Jumping { passed, .. } => {
                Duration::from_micros(u64::try_from(passed.load(Ordering::SeqCst)).unwrap_or(0))
            }
        }
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Kind::System { .. } => tokio::time::sleep(duration).await,
            Kind::Scaled { speed, .. } => tokio::time::sleep(duration.div_f64(*speed)).await,
            Kind::Manual { now, .. } | Kind::Jumping { passed: now, .. } => {
                let deadline = now.load(Ordering::SeqCst) + i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
                tokio::task::yield_now().await;
                now.fetch_max(deadline, Ordering::SeqCst);
            }
        }
    }

    /// How long `duration` of this clock takes on the wall, for what only the wall can time (a child process).
    pub fn on_the_wall(&self, duration: Duration) -> Duration {
        match &self.0 {
            Kind::System { .. } | Kind::Manual { .. } | Kind::Jumping { .. } => duration,
            Kind::Scaled { speed, .. } => duration.div_f64(*speed),
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[tokio::test]
    async fn what_is_set_on_the_wall_neither_shortens_nor_lengthens_a_wait() {
        let (passed, wall) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let clock = Clock::jumping(passed, Arc::clone(&wall));
        for jump in [HOUR, -HOUR] {
            let (began, shown) = (clock.elapsed(), clock.now());
            wall.fetch_add(jump, Ordering::SeqCst);
            clock.sleep(Duration::from_secs(30)).await;
            assert_eq!(clock.elapsed() - began, Duration::from_secs(30));
            let apart = clock.now().duration_since(shown);
            assert_eq!(apart, SignedDuration::from_micros(jump) + SignedDuration::from_secs(30));
        }
    }
}
