//! How long a refusal may only mean that something made a moment ago is not seen everywhere yet.
//! Knows nothing of what is then done.

use std::time::Duration;

use super::SETTLES_WITHIN;
use crate::context::StepContext;
use crate::error::StepError;

/// What is still unsure about a creation, and since when.
#[derive(Default)]
pub(super) struct Doubt {
    pub(super) made: Option<Duration>,
    pub(super) since: Option<Duration>,
    pub(super) updates: u32,
}

impl Doubt {
    /// The service said that the cluster is there, and may take a while to show it.
    pub(super) fn is_made_and_unseen(&self, cx: &StepContext<'_>) -> bool {
        self.made.is_some_and(|at| cx.clock.elapsed().saturating_sub(at) < SETTLES_WITHIN)
    }

    /// Whether the time in which things settle is not yet over.
    pub(super) fn may_go_on(&mut self, cx: &StepContext<'_>) -> bool {
        let now = cx.clock.elapsed();
        now.saturating_sub(*self.since.get_or_insert(now)) < SETTLES_WITHIN
    }
}

/// Whether a refusal may only mean that something made a moment ago is not seen everywhere yet.
pub(super) fn is_not_there_yet(error: &StepError) -> bool {
    let text = error.message.to_lowercase();
    error.has_code("ValidationException")
        && ["could not assume", "unable to assume", "cannot assume", "cannot be assumed", "does not exist", "not found"]
            .iter()
            .any(|words| text.contains(words))
}
