//! the Kubernetes API in the sandbox.
//! Not part of it yet.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::world::{Moment, World};

/// What the Kubernetes API holds.
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

/// Answers on the TLS port until the sandbox stops.
pub async fn serve(world: Arc<World>, listener: TcpListener) {
    let _listener = listener;
    world.stopping().cancelled().await;
}
