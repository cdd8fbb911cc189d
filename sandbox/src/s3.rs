//! S3 in the sandbox.
//! Not part of it yet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::wire::{Call, Reply};
use crate::world::World;

/// What S3 holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {}

/// Answers a call.
pub async fn handle(_world: &Arc<World>, call: &Call) -> Reply {
    call.not_part().reply(call)
}

/// The operation that a request means, as AWS spells it.
pub fn operation(_call: &Call) -> Option<&'static str> {
    None
}
