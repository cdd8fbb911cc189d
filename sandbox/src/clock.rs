//! Sandbox time: a clock that runs faster than the wall's, or one that a test steps.
//! Must not know what happens at an instant; it only tells the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How a world's time passes.
#[derive(Debug, Clone)]
pub enum ClockKind {
    /// Runs `speed` times as fast as the wall clock; 60 makes a minute a second.
    Scaled {
        /// Sandbox seconds in one wall second.
        speed: f64,
    },
    /// Stands still until the owner of the number moves it: microseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

/// Sandbox time, shared by everything in a world.
#[derive(Debug)]
pub struct Clock {
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Scaled { speed: f64, base: Mutex<Base> },
    Manual(Arc<AtomicI64>),
}

#[derive(Debug)]
struct Base {
    micros: i64,
    started: Instant,
}

impl Clock {
    /// A clock that goes on from `stored` (microseconds since the epoch); a new world starts at the wall's time. A manual clock
    /// goes by its number, which is moved up to `stored` if it is behind, because time never goes back.
    pub(crate) fn start(kind: ClockKind, stored: Option<i64>) -> Clock {
        let inner = match kind {
            ClockKind::Scaled { speed } => {
                let micros = stored.unwrap_or_else(|| Timestamp::now().as_microsecond());
                Inner::Scaled { speed, base: Mutex::new(Base { micros, started: Instant::now() }) }
            }
            ClockKind::Manual(now) => {
                now.fetch_max(stored.unwrap_or(0), Ordering::SeqCst);
                Inner::Manual(now)
            }
        };
        Clock { inner }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros())
            .expect("sandbox time stays within the years that a timestamp can hold")
    }

    /// The present instant in microseconds since the epoch.
    pub fn micros(&self) -> i64 {
        match &self.inner {
            Inner::Scaled { speed, base } => {
                let base = base.lock().expect("nothing panics while it holds the clock");
                let passed = base.started.elapsed().as_secs_f64() * speed * 1e6;
                base.micros + passed as i64
            }
            Inner::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves sandbox time on by this much at once.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a step of sandbox time fits into 64 bits");
        match &self.inner {
            Inner::Scaled { base, .. } => {
                base.lock().expect("nothing panics while it holds the clock").micros += micros
            }
            Inner::Manual(now) => {
                now.fetch_add(micros, Ordering::SeqCst);
            }
        }
    }

    /// Sandbox seconds in one wall second; 0 for a clock that a test steps.
    pub fn speed(&self) -> f64 {
        match &self.inner {
            Inner::Scaled { speed, .. } => *speed,
            Inner::Manual(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_goes_by_its_number_and_never_back() {
        let number = Arc::new(AtomicI64::new(5));
        let clock = Clock::start(ClockKind::Manual(Arc::clone(&number)), Some(1_000_000));
        assert_eq!(clock.micros(), 1_000_000);
        clock.advance(Duration::from_secs(1));
        number.fetch_add(7, Ordering::SeqCst);
        assert_eq!(clock.micros(), 2_000_007);
    }

    #[test]
    fn a_scaled_clock_goes_on_from_where_the_world_was_left() {
        let clock = Clock::start(ClockKind::Scaled { speed: 60.0 }, Some(42));
        clock.advance(Duration::from_secs(3600));
        let micros = clock.micros();
        assert!((3_600_000_042..3_600_000_042 + 600_000_000).contains(&micros), "{micros}");
    }
}
