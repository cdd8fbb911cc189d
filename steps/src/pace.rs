//! Growing pauses with jitter, between two looks at the same thing and after errors that pass by themselves.
//! Knows nothing of what is looked at.

use std::time::Duration;

use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};

/// A pause that grows by half each time.
#[derive(Clone, Debug)]
pub struct Pace {
    next: Duration,
    most: Duration,
}

impl Pace {
    /// Starts at `first` and grows up to `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// Waits for the next pause, give or take a fifth. Ends early, with an error, when the run is told to stop.
    pub async fn pause(&mut self, cx: &StepContext<'_>) -> Result<(), StepError> {
        let pause = self.next.mul_f64(0.8 + 0.4 * fastrand::f64());
        self.next = self.next.mul_f64(1.5).min(self.most);
        cx.sleep(pause).await
    }

    /// Shows an error that passes by itself (throttling, a 5xx, a lost connection) and waits; gives back any other.
    pub async fn after(&mut self, cx: &StepContext<'_>, error: StepError) -> Result<(), StepError> {
        match error.class {
            ErrorClass::Transient | ErrorClass::Unknown => {
                cx.progress(format!("trying again: {}", error.message));
                self.pause(cx).await
            }
            ErrorClass::Invalid
            | ErrorClass::Refused
            | ErrorClass::Failed
            | ErrorClass::Login
            | ErrorClass::Interrupted => Err(error),
        }
    }
}

impl Default for Pace {
    /// From 4 s to 30 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(4), Duration::from_secs(30))
    }
}
