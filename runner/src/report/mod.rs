//! What a person or a program sees of a run. Reporters read events, live or replayed, and write; they decide nothing.
//! Knows nothing of the store or of steps' insides.

mod human;
mod json;
mod plain;
#[cfg(test)]
mod tests;
mod words;

pub use human::Human;
pub use json::Json;
pub use plain::Plain;
pub use words::duration;

use crate::event::Entry;
use crate::state::RunState;

/// Shows a run. Events must arrive, in order; progress may drop.
pub trait Reporter: Send {
    /// An event was recorded; `state` has it in already.
    fn event(&mut self, entry: &Entry, state: &RunState);

    /// A running step says what it is doing.
    fn progress(&mut self, step: &str, text: &str);

    /// A person asked to stop: running steps are being told.
    fn stopping(&mut self);

    /// The pass is over: leave the terminal as it was found.
    fn close(&mut self, state: &RunState);
}
