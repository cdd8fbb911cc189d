//! STS in the sandbox.
//! Not part of it yet.

use crate::wire::{Call, Reply, ServiceError};
use crate::world::World;

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(_world: &World, call: &Call) -> Result<Reply, ServiceError> {
    Err(call.not_part())
}
