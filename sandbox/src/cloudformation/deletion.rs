//! One resource's next step on its way out: begin, call its service, look whether it is gone.
//! It must not know phases beyond whether an update is cleaning up.

use jiff::SignedDuration;

use super::engine::Turn;
use super::items::{CALL_AFTER, LOOK_AGAIN, finish, kept, next, push_event, record};
use super::resources;
use super::stack::{End, Phase, Resource, Stage, Status, Verb};
use super::types;
use crate::access::Change;
use crate::cfn_resource::Readiness;
use crate::wire::ServiceError;

/// How long a deletion that a dependent thing hinders is tried again, and how often.
const HINDERED_FOR: SignedDuration = SignedDuration::from_mins(10);
const HINDERED_AGAIN: i64 = 20;

pub(super) fn begin_deleting(turn: &mut Turn<'_, '_>, index: usize, logical: &str, victim: &Resource) {
    turn.operation().items[index].begun = Some(turn.cx.now);
    if victim.physical.is_none() {
        tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::Complete), None);
        forget(turn, logical, victim);
        finish(turn, index, Stage::Done);
        return;
    }
    // What an update left over is kept if its policy says so; a deletion of the stack has sorted that out before.
    if turn.operation().phase == Phase::Cleaning
        && kept(victim, false)
        && turn.operation().before.get(logical) == Some(victim)
    {
        tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::Skipped), None);
        forget(turn, logical, victim);
        finish(turn, index, Stage::Done);
        return;
    }
    tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::InProgress), None);
    next(turn, index, Stage::Begun, CALL_AFTER);
}

pub(super) fn call_deleting(turn: &mut Turn<'_, '_>, index: usize, logical: &str, victim: &Resource) {
    let id = victim.physical.clone().unwrap_or_default();
    let kind = types::find(&victim.kind).expect("a stored resource has a known type");
    if let Some(fault) = turn.cx.faults.resource_failure(&format!("{}/delete", victim.kind), logical) {
        tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::Failed), Some(fault.reason));
        finish(turn, index, Stage::Failed);
        return;
    }
    let allowed = resources::allowed(turn, logical, victim, Change::Delete);
    match allowed.and_then(|()| resources::delete(turn.state, turn.cx, &victim.kind, &id)) {
        Ok(()) => next(turn, index, Stage::Settling, kind.seconds.delete),
        Err(error) => {
            let begun = turn.operation().items[index].begun.unwrap_or(turn.cx.now);
            if hindered(&error) && turn.cx.now.duration_since(begun) < HINDERED_FOR {
                next(turn, index, Stage::Begun, HINDERED_AGAIN);
            } else {
                tell_victim(
                    turn,
                    logical,
                    victim,
                    Status::new(Verb::Delete, End::Failed),
                    Some(resources::reason(&victim.kind, &error, "DELETE")),
                );
                finish(turn, index, Stage::Failed);
            }
        }
    }
}

/// AWS's handlers wait a while for network interfaces and the like to go away.
fn hindered(error: &ServiceError) -> bool {
    error.code == "DependencyViolation" || error.code == "ResourceInUseException"
}

pub(super) fn look_at_deleted(turn: &mut Turn<'_, '_>, index: usize, logical: &str, victim: &Resource) {
    let id = victim.physical.clone().unwrap_or_default();
    match resources::gone(turn.state, turn.cx, &victim.kind, &id) {
        Readiness::Busy => next(turn, index, Stage::Settling, LOOK_AGAIN),
        Readiness::Ready(_) => {
            tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::Complete), None);
            forget(turn, logical, victim);
            finish(turn, index, Stage::Done);
        }
        Readiness::Failed(reason) => {
            tell_victim(turn, logical, victim, Status::new(Verb::Delete, End::Failed), Some(reason));
            finish(turn, index, Stage::Failed);
        }
    }
}

/// A stack that goes away keeps its deleted resources to show; one that stays does not.
fn forget(turn: &mut Turn<'_, '_>, logical: &str, victim: &Resource) {
    let current = turn.stack.resources.get(logical).is_some_and(|it| it.physical == victim.physical);
    if turn.operation().phase == Phase::Cleaning && current {
        turn.stack.resources.shift_remove(logical);
    }
}

/// The same for a deletion, whose object may have a successor under its logical id.
fn tell_victim(turn: &mut Turn<'_, '_>, logical: &str, victim: &Resource, status: Status, reason: Option<String>) {
    let current = turn.stack.resources.get(logical).is_some_and(|it| it.physical == victim.physical);
    if current { record(turn, logical, status, reason) } else { push_event(turn, logical, victim, status, reason) }
}
