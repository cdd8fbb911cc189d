//! Systems Manager (parameters) in the sandbox.
//! Not part of it yet.

use serde::{Deserialize, Serialize};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::World;

/// What Systems Manager (parameters) holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(_world: &World, call: &Call) -> Result<Reply, ServiceError> {
    Err(call.not_part())
}
