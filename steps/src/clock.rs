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

    /// The time, to show and to record.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { .. } => Timestamp::now(),
            Kind::Scaled { base, started, speed } => {
                base.checked_add(signed(started.elapsed().mul_f64(*speed))).unwrap_or(Timestamp::MAX)
            }
            Kind::Manual { now, .. } => {
                Timestamp::from_microsecond(now.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// Time since this clock was made, which never goes back: for timeouts and durations.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Kind::System { started } => started.elapsed(),
            Kind::Scaled { started, speed, .. } => started.elapsed().mul_f64(*speed),
            Kind::Manual { now, base } => {
                Duration::from_micros(u64::try_from(now.load(Ordering::SeqCst) - base).unwrap_or(0))
            }
        }
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Kind::System { .. } => tokio::time::sleep(duration).await,
            Kind::Scaled { speed, .. } => tokio::time::sleep(duration.div_f64(*speed)).await,
            Kind::Manual { now, .. } => {
                let deadline = now.load(Ordering::SeqCst) + i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
                tokio::task::yield_now().await;
                now.fetch_max(deadline, Ordering::SeqCst);
            }
        }
    }

    /// How long `duration` of this clock takes on the wall, for what only the wall can time (a child process).
    pub fn on_the_wall(&self, duration: Duration) -> Duration {
        match &self.0 {
            Kind::System { .. } | Kind::Manual { .. } => duration,
            Kind::Scaled { speed, .. } => duration.div_f64(*speed),
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
