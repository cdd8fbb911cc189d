//! One resource's next step: begin, call its service, look whether it is done; with the event that tells each.
//! It must not know phases: `engine` decides what comes after.

use jiff::SignedDuration;
use serde_json::{Map, Value};

use super::engine::Turn;
use super::stack::{End, Event, Making, Resource, Stage, Status, Task, Verb};
use super::template::Policy;
use super::types::{self, ResourceType};
use super::{deletion, outputs, resources};
use crate::access::Change;
use crate::cfn_resource::Readiness;

/// From the event that begins a resource to the call of its service.
pub(super) const CALL_AFTER: i64 = 1;
/// From one look at a resource that is busy to the next.
pub(super) const LOOK_AGAIN: i64 = 5;

/// Does the next step of the item at this index.
pub(super) fn step(turn: &mut Turn<'_, '_>, index: usize) {
    let item = turn.operation().items[index].clone();
    turn.operation().items[index].due = None;
    match (item.stage, &item.task) {
        (Stage::Waiting, Task::Make(_)) => begin_making(turn, index, &item.logical),
        (Stage::Waiting, Task::Restore) => begin_restoring(turn, index, &item.logical),
        (Stage::Waiting, Task::Delete(victim)) => deletion::begin_deleting(turn, index, &item.logical, victim),
        (Stage::Begun, Task::Make(making)) => call_making(turn, index, &item.logical, *making),
        (Stage::Begun, Task::Restore) => call_restoring(turn, index, &item.logical),
        (Stage::Begun, Task::Delete(victim)) => deletion::call_deleting(turn, index, &item.logical, victim),
        (Stage::Settling, Task::Make(making)) => look_at_made(turn, index, &item.logical, *making),
        (Stage::Settling, Task::Restore) => look_at_made(turn, index, &item.logical, Making::Update),
        (Stage::Settling, Task::Delete(victim)) => deletion::look_at_deleted(turn, index, &item.logical, victim),
        (Stage::Done | Stage::Failed | Stage::Cancelled, _) => {}
    }
}

/// Whether a resource stays when its stack goes.
pub(super) fn kept(resource: &Resource, failed_creation: bool) -> bool {
    match resource.deletion {
        Policy::Delete => false,
        Policy::Retain => resource.physical.is_some(),
        Policy::RetainExceptOnCreate => resource.physical.is_some() && !failed_creation,
    }
}

/// Gives up what is under way, if anything is, because the stack is to be deleted.
pub(super) fn cancel_running(turn: &mut Turn<'_, '_>) {
    if turn.stack.operation.is_some() {
        cancel_rest(turn);
    }
}

/// Gives up everything that is not over, each with its event.
pub(super) fn cancel_rest(turn: &mut Turn<'_, '_>) {
    for index in 0..turn.operation().items.len() {
        let item = &mut turn.operation().items[index];
        if item.stage.over() {
            continue;
        }
        let begun = item.begun.is_some();
        (item.stage, item.due) = (Stage::Cancelled, None);
        let (logical, task) = (item.logical.clone(), item.task.clone());
        if begun {
            let (verb, word) = if matches!(task, Task::Make(Making::Create)) {
                (Verb::Create, "creation")
            } else {
                (Verb::Update, "update")
            };
            record(turn, &logical, Status::new(verb, End::Failed), Some(format!("Resource {word} cancelled")));
        }
    }
}

fn begin_making(turn: &mut Turn<'_, '_>, index: usize, logical: &str) {
    turn.operation().items[index].begun = Some(turn.cx.now);
    let spec = turn.stack.definition.template.resources[logical].clone();
    let resolved = outputs::scope(turn, |scope| scope.resolve_members(&spec.properties));
    let resolved = resolved.map_err(|error| error.to_string());
    let before = turn.stack.resources.get(logical).cloned();
    let kind = types::find(&spec.kind).expect("a parsed template has known resource types only");
    let properties = resolved.clone().unwrap_or_default();
    let making = match &before {
        Some(old) if old.physical.is_some() => match decide(turn, old, kind, &properties) {
            Some(making) if resolved.is_ok() => making,
            None if resolved.is_ok() => {
                take_policies(turn, logical);
                finish(turn, index, Stage::Done);
                return;
            }
            Some(_) | None => Making::Update,
        },
        Some(_) | None => Making::Create,
    };
    turn.operation().items[index].task = Task::Make(making);
    open(turn, logical, making, kind, before, properties.clone());
    let verdict = resolved
        .map(drop)
        .and_then(|()| kind.check(&properties))
        .and_then(|()| refuse_renaming(turn, kind, making, logical));
    match verdict {
        Ok(()) => next(turn, index, Stage::Begun, CALL_AFTER),
        Err(reason) => {
            untouched(turn, logical);
            fail(turn, index, logical, making, reason);
        }
    }
}

/// The service was not reached, or refused: the resource is as it was.
fn untouched(turn: &mut Turn<'_, '_>, logical: &str) {
    if let Some(old) = turn.operation().before.get(logical).cloned() {
        turn.stack.resources.insert(logical.to_owned(), old);
    }
}

/// What a resource needs to come to these properties; `None` if it has them.
fn decide(turn: &Turn<'_, '_>, old: &Resource, kind: &ResourceType, new: &Map<String, Value>) -> Option<Making> {
    let changed = outputs::changed_properties(&old.properties, new);
    if changed.iter().any(|name| kind.replaces(name)) {
        return Some(Making::Replace);
    }
    let retagged = kind.has("Tags") && old.tags != turn.stack.definition.tags;
    let nested = kind.name == types::STACK;
    (!changed.is_empty() || retagged || nested).then_some(Making::Update)
}

/// Records the resource as being made and tells it.
fn open(
    turn: &mut Turn<'_, '_>,
    logical: &str,
    making: Making,
    kind: &ResourceType,
    before: Option<Resource>,
    properties: Map<String, Value>,
) {
    let generated = match (making, &before) {
        (Making::Update, Some(old)) => old.generated.clone(),
        _ => resources::generated_name(turn, kind, logical, &properties),
    };
    let old = before.unwrap_or_else(|| blank(turn, kind.name));
    let spec = &turn.stack.definition.template.resources[logical];
    let (deletion, replace) = (spec.deletion, spec.replace);
    let needs = turn.stack.definition.needs.get(logical).cloned().unwrap_or_default();
    let tags = turn.stack.definition.tags.clone();
    turn.stack
        .resources
        .insert(logical.to_owned(), Resource { properties, generated, tags, deletion, replace, needs, ..old });
    let (verb, reason) = match making {
        Making::Undecided | Making::Create => (Verb::Create, None),
        Making::Update => (Verb::Update, None),
        Making::Replace => (
            Verb::Update,
            Some("Requested update requires the creation of a new physical resource; hence creating one.".to_owned()),
        ),
    };
    record(turn, logical, Status::new(verb, End::InProgress), reason);
}

fn blank(turn: &Turn<'_, '_>, kind: &str) -> Resource {
    Resource {
        kind: kind.to_owned(),
        physical: None,
        attributes: Map::new(),
        properties: Map::new(),
        generated: None,
        tags: Vec::new(),
        status: Status::new(Verb::Create, End::InProgress),
        reason: None,
        updated: turn.cx.now,
        deletion: Policy::Delete,
        replace: Policy::Delete,
        needs: Vec::new(),
    }
}

/// Policies and dependencies count as they stand in the newest template, also for a resource that does not change.
fn take_policies(turn: &mut Turn<'_, '_>, logical: &str) {
    let spec = &turn.stack.definition.template.resources[logical];
    let (deletion, replace) = (spec.deletion, spec.replace);
    let needs = turn.stack.definition.needs.get(logical).cloned().unwrap_or_default();
    if let Some(resource) = turn.stack.resources.get_mut(logical) {
        (resource.deletion, resource.replace, resource.needs) = (deletion, replace, needs);
    }
}

/// A resource that is made anew beside the old one cannot have the old one's name.
fn refuse_renaming(turn: &mut Turn<'_, '_>, kind: &ResourceType, making: Making, logical: &str) -> Result<(), String> {
    let Some(name) = kind.name_property.filter(|_| making == Making::Replace) else {
        return Ok(());
    };
    let old = turn.operation().before.get(logical).and_then(|it| it.properties.get(name)).cloned();
    match turn.stack.resources[logical].properties.get(name) {
        Some(given) if old.as_ref() == Some(given) => {
            let text = given.as_str().unwrap_or_default();
            Err(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {text} and update the stack again."
            ))
        }
        Some(_) | None => Ok(()),
    }
}

fn call_making(turn: &mut Turn<'_, '_>, index: usize, logical: &str, making: Making) {
    let resource = turn.stack.resources[logical].clone();
    let kind = types::find(&resource.kind).expect("a stored resource has a known type");
    if let Some(fault) = turn.cx.faults.resource_failure(&resource.kind, logical) {
        turn.operation().items[index].fault = Some(fault.reason);
        let after = fault.after.map_or(kind.seconds.create, |it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX / 4));
        next(turn, index, Stage::Settling, after);
        return;
    }
    let change = if making == Making::Update { Change::Update } else { Change::Create };
    let allowed = resources::allowed(turn, logical, &resource, change);
    let result = allowed.and_then(|()| match (making, &resource.physical) {
        (Making::Update, Some(id)) => {
            resources::update(turn, logical, &resource, id).map(|made| (made, kind.seconds.update))
        }
        _ => resources::create(turn, logical, &resource).map(|made| (made, kind.seconds.create)),
    });
    match result {
        Ok((made, seconds)) => {
            if making == Making::Replace && resource.physical.is_some() {
                let old = turn.operation().before[logical].clone();
                if old.replace == Policy::Delete {
                    turn.operation().leftovers.push((logical.to_owned(), old));
                }
            }
            let slot = turn.stack.resources.get_mut(logical).expect("the resource was recorded when it began");
            slot.physical = Some(made.id);
            if making == Making::Update {
                slot.attributes.extend(made.attributes);
            } else {
                slot.attributes = made.attributes;
            }
            match making {
                Making::Undecided | Making::Create => record(
                    turn,
                    logical,
                    Status::new(Verb::Create, End::InProgress),
                    Some("Resource creation Initiated".to_owned()),
                ),
                Making::Replace => record(
                    turn,
                    logical,
                    Status::new(Verb::Update, End::InProgress),
                    Some("Resource creation Initiated".to_owned()),
                ),
                Making::Update => {}
            }
            next(turn, index, Stage::Settling, seconds);
        }
        Err(error) => {
            untouched(turn, logical);
            fail(turn, index, logical, making, resources::reason(&resource.kind, &error, "CREATE"));
        }
    }
}

fn look_at_made(turn: &mut Turn<'_, '_>, index: usize, logical: &str, making: Making) {
    if let Some(reason) = turn.operation().items[index].fault.clone() {
        untouched(turn, logical);
        fail(turn, index, logical, making, reason);
        return;
    }
    let resource = &turn.stack.resources[logical];
    let (kind, id) = (resource.kind.clone(), resource.physical.clone().unwrap_or_default());
    match resources::ready(turn.state, turn.cx, &kind, &id) {
        Readiness::Busy => next(turn, index, Stage::Settling, LOOK_AGAIN),
        Readiness::Ready(attributes) => {
            let slot = turn.stack.resources.get_mut(logical).expect("the resource was recorded when it began");
            slot.attributes.extend(attributes);
            let verb = if matches!(making, Making::Create | Making::Undecided) { Verb::Create } else { Verb::Update };
            record(turn, logical, Status::new(verb, End::Complete), None);
            finish(turn, index, Stage::Done);
        }
        Readiness::Failed(reason) => fail(turn, index, logical, making, reason),
    }
}

fn begin_restoring(turn: &mut Turn<'_, '_>, index: usize, logical: &str) {
    turn.operation().items[index].begun = Some(turn.cx.now);
    let old = turn.operation().before[logical].clone();
    let now = turn.stack.resources[logical].clone();
    record(turn, logical, Status::new(Verb::Update, End::InProgress), None);
    let same = old.properties == now.properties && old.tags == now.tags && old.kind != types::STACK;
    if old.physical != now.physical || same {
        // The old one is still there as it was: a replacement, or a change that never reached its service.
        turn.stack.resources.insert(logical.to_owned(), old);
        record(turn, logical, Status::new(Verb::Update, End::Complete), None);
        finish(turn, index, Stage::Done);
    } else {
        next(turn, index, Stage::Begun, CALL_AFTER);
    }
}

fn call_restoring(turn: &mut Turn<'_, '_>, index: usize, logical: &str) {
    let old = turn.operation().before[logical].clone();
    let id = old.physical.clone().unwrap_or_default();
    let kind = types::find(&old.kind).expect("a stored resource has a known type");
    if let Some(fault) = turn.cx.faults.resource_failure(&format!("{}/rollback", old.kind), logical) {
        fail(turn, index, logical, Making::Update, fault.reason);
        return;
    }
    let allowed = resources::allowed(turn, logical, &old, Change::Update);
    match allowed.and_then(|()| resources::update(turn, logical, &old, &id)) {
        Ok(_) => {
            let now = &turn.stack.resources[logical];
            let restored = Resource { status: now.status, reason: now.reason.clone(), updated: now.updated, ..old };
            turn.stack.resources.insert(logical.to_owned(), restored);
            next(turn, index, Stage::Settling, kind.seconds.update);
        }
        Err(error) => {
            fail(turn, index, logical, Making::Update, resources::reason(&old.kind, &error, "UPDATE"));
        }
    }
}

fn fail(turn: &mut Turn<'_, '_>, index: usize, logical: &str, making: Making, reason: String) {
    let verb = if matches!(making, Making::Create | Making::Undecided) { Verb::Create } else { Verb::Update };
    record(turn, logical, Status::new(verb, End::Failed), Some(reason));
    finish(turn, index, Stage::Failed);
}

pub(super) fn finish(turn: &mut Turn<'_, '_>, index: usize, stage: Stage) {
    let item = &mut turn.operation().items[index];
    (item.stage, item.due) = (stage, None);
}

pub(super) fn next(turn: &mut Turn<'_, '_>, index: usize, stage: Stage, seconds: i64) {
    let due = turn.cx.now + SignedDuration::from_secs(seconds);
    let item = &mut turn.operation().items[index];
    (item.stage, item.due) = (stage, Some(due));
}

/// Sets the status of a resource of the stack and tells it as an event.
pub(super) fn record(turn: &mut Turn<'_, '_>, logical: &str, status: Status, reason: Option<String>) {
    let Some(resource) = turn.stack.resources.get_mut(logical) else {
        return;
    };
    resource.status = status;
    resource.reason.clone_from(&reason);
    resource.updated = turn.cx.now;
    let resource = resource.clone();
    push_event(turn, logical, &resource, status, reason);
}

pub(super) fn push_event(
    turn: &mut Turn<'_, '_>,
    logical: &str,
    resource: &Resource,
    status: Status,
    reason: Option<String>,
) {
    let now = turn.cx.now;
    let (token, operation) = {
        let operation = turn.operation();
        (operation.token.clone(), operation.id.clone())
    };
    let id = format!("{logical}-{status}-{}", crate::wire::iso8601(now));
    turn.stack.events.push(Event {
        id,
        at: now,
        logical: logical.to_owned(),
        physical: resource.physical.clone(),
        kind: resource.kind.clone(),
        status,
        reason,
        properties: Some(resource.properties.clone()),
        token,
        operation,
    });
}
