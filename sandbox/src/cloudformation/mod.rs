//! CloudFormation in the sandbox.
//! Not part of it yet.

use serde::{Deserialize, Serialize};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{Moment, World};

/// What CloudFormation holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {}

/// The earliest instant after `after` at which something here changes by itself.
pub fn next_due(_state: &crate::world::State, _after: jiff::Timestamp) -> Option<jiff::Timestamp> {
    None
}

/// Moves what is due on to `cx.now`; says whether anything changed.
pub fn advance(_state: &mut crate::world::State, _cx: &Moment<'_>) -> bool {
    false
}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(_world: &World, call: &Call) -> Result<Reply, ServiceError> {
    Err(call.not_part())
}
