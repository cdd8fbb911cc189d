//! Change sets: what an update would do to each resource, worked out before it is done.
//! It must not know the wire protocol; carrying one out is `operations`' business.

use super::compare::{changes, same_outputs};
use super::define::Source;
use super::operations::{self, invalid};
use super::outputs;
use super::stack::{Definition, End, OnFailure, Status, Verb};
use super::types;
use crate::wire::ServiceError;
use crate::world::{Moment, State};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long working one out takes, in sandbox time.
const TAKES: SignedDuration = SignedDuration::from_secs(4);
/// The reason of a change set without changes.
const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

/// One change set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The ARN.
    pub id: String,
    /// The name.
    pub name: String,
    /// `Description`
    pub description: Option<String>,
    /// `ClientToken`
    pub token: Option<String>,
    /// Whether executing it makes the stack.
    pub creates: bool,
    /// When it was asked for.
    pub created: Timestamp,
    /// What the stack is to become.
    pub definition: Definition,
    /// What that means.
    pub changes: Vec<Change>,
    /// Why it failed: it has no changes.
    pub failed: Option<String>,
    /// What happens if carrying it out fails.
    pub on_failure: OnFailure,
    /// Whether it was carried out.
    pub executed: bool,
    /// `IncludeNestedStacks`
    pub nested: bool,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The logical id.
    pub logical: String,
    /// The physical id, if it exists.
    pub physical: Option<String>,
    /// The resource type.
    pub kind: String,
    /// Add, Modify or Remove.
    pub action: Action,
    /// Of a Modify: `True`, `False` or `Conditional`.
    pub replacement: Option<String>,
    /// Why.
    pub details: Vec<Detail>,
}

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Makes a resource.
    Add,
    /// Changes one.
    Modify,
    /// Deletes one.
    Remove,
}

/// One property that makes a resource change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// `Properties` or `Tags`
    pub attribute: String,
    /// The property.
    pub name: Option<String>,
    /// `Never`, `Conditionally` or `Always`
    pub recreation: String,
    /// Whether the new value is known already.
    pub is_static: bool,
    /// `DirectModification`, `ParameterReference`, `ResourceReference` or `ResourceAttribute`
    pub source: String,
    /// What it refers to.
    pub cause: Option<String>,
}

/// A change set to make.
#[derive(Clone, Debug)]
pub struct NewChangeSet {
    /// Its name.
    pub name: String,
    /// The stack's name or id.
    pub stack: String,
    /// `ChangeSetType` CREATE
    pub creates: bool,
    /// What the stack is to become.
    pub source: Source,
    /// `Description`
    pub description: Option<String>,
    /// `ClientToken`
    pub token: Option<String>,
    /// What happens if carrying it out fails.
    pub on_failure: OnFailure,
    /// `IncludeNestedStacks`
    pub nested: bool,
}

impl ChangeSet {
    /// Whether it has been worked out.
    pub fn worked_out(&self, now: Timestamp) -> bool {
        now >= self.created + TAKES
    }

    /// `Status`
    pub fn status(&self, now: Timestamp) -> &'static str {
        match (self.worked_out(now), &self.failed) {
            (false, _) => "CREATE_IN_PROGRESS",
            (true, Some(_)) => "FAILED",
            (true, None) => "CREATE_COMPLETE",
        }
    }

    /// `ExecutionStatus`
    pub fn execution(&self, now: Timestamp) -> &'static str {
        match (self.worked_out(now), &self.failed, self.executed) {
            (false, _, _) | (_, Some(_), _) => "UNAVAILABLE",
            (_, _, true) => "EXECUTE_COMPLETE",
            (_, _, false) => "AVAILABLE",
        }
    }
}

/// Makes a change set; gives its id and the stack's.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, new: NewChangeSet) -> Result<(String, String), ServiceError> {
    let stack_id =
        if new.creates { shell_for(state, cx, &new)? } else { state.cloudformation.find(&new.stack)?.id.clone() };
    if let Some(old) = state.cloudformation.stacks[&stack_id].change_sets.get(&new.name) {
        if new.token.is_some() && old.token == new.token {
            return Ok((old.id.clone(), stack_id));
        }
        return Err(ServiceError::new(400, "AlreadyExistsException", format!("ChangeSet {} already exists", new.name)));
    }
    let review = state.cloudformation.stacks[&stack_id].status == Status::new(Verb::Review, End::InProgress);
    if review && !new.creates {
        return Err(invalid(format!("Stack:{stack_id} is in REVIEW_IN_PROGRESS state and can not be updated.")));
    }
    let definition = match review {
        true => {
            let pseudo = outputs::pseudo(&state.cloudformation.stacks[&stack_id], cx);
            super::define::define(state, cx, &pseudo, new.source, None)
        }
        false => operations::target(state, cx, &stack_id, new.source),
    };
    let definition = match definition {
        Ok(definition) => definition,
        Err(error) => {
            drop_fresh_shell(state, &stack_id, review);
            return Err(error);
        }
    };
    operations::refuse_retyping(&state.cloudformation.stacks[&stack_id], &definition)?;
    let changes = changes(state, cx, &stack_id, &definition);
    let failed = (!review
        && changes.is_empty()
        && same_outputs(&state.cloudformation.stacks[&stack_id].definition, &definition))
    .then(|| NO_CHANGES.to_owned());
    let id = format!("arn:aws:cloudformation:{}:{}:changeSet/{}/{}", cx.region, cx.account, new.name, state.ids.uuid());
    let set = ChangeSet {
        id: id.clone(),
        name: new.name.clone(),
        description: new.description,
        token: new.token,
        creates: new.creates,
        created: cx.now,
        definition,
        changes,
        failed,
        on_failure: new.on_failure,
        executed: false,
        nested: new.nested,
    };
    let stack = state.cloudformation.stacks.get_mut(&stack_id).expect("the stack was found or made above");
    stack.change_sets.insert(new.name, set);
    Ok((id, stack_id))
}

/// The stack without resources that a change set of type CREATE stands for.
fn shell_for(state: &mut State, cx: &Moment<'_>, new: &NewChangeSet) -> Result<String, ServiceError> {
    if let Some(stack) = state.cloudformation.live(&new.stack) {
        if stack.status == Status::new(Verb::Review, End::InProgress) {
            return Ok(stack.id.clone());
        }
        return Err(invalid(format!(
            "Stack [{}] already exists and cannot be created again with the changeSet [{}].",
            stack.name, new.name
        )));
    }
    operations::check_name(&new.stack)?;
    let mut stack = operations::shell(state, cx, &new.stack);
    stack.reason = Some("User Initiated".to_owned());
    let event = super::stack::Event {
        id: state.ids.uuid(),
        at: cx.now,
        logical: stack.name.clone(),
        physical: Some(stack.id.clone()),
        kind: types::STACK.to_owned(),
        status: stack.status,
        reason: Some("User Initiated".to_owned()),
        properties: None,
        token: None,
        operation: state.ids.uuid(),
    };
    stack.events.push(event);
    let id = stack.id.clone();
    state.cloudformation.stacks.insert(id.clone(), stack);
    Ok(id)
}

/// A change set that is refused leaves no stack behind that was made for it alone.
fn drop_fresh_shell(state: &mut State, id: &str, review: bool) {
    if review && state.cloudformation.stacks[id].change_sets.is_empty() {
        state.cloudformation.stacks.remove(id);
    }
}

/// Carries a change set out.
pub(super) fn execute(
    state: &mut State,
    cx: &Moment<'_>,
    stack_id: &str,
    name: &str,
    token: Option<String>,
    disable_rollback: bool,
) -> Result<(), ServiceError> {
    let stack = state.cloudformation.stacks.get_mut(stack_id).expect("the caller found the stack");
    let set = stack.change_sets.get_mut(name).expect("the caller found the change set");
    if set.execution(cx.now) != "AVAILABLE" {
        return Err(ServiceError::new(
            400,
            "InvalidChangeSetStatus",
            format!("ChangeSet [{}] cannot be executed in its current status of [{}]", set.id, set.status(cx.now)),
        ));
    }
    let creates = stack.status == Status::new(Verb::Review, End::InProgress);
    if !creates && stack.operation.is_some() {
        return Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)));
    }
    let definition = set.definition.clone();
    let on_failure = if disable_rollback { OnFailure::DoNothing } else { set.on_failure };
    // AWS deletes the other change sets of the stack; they no longer fit.
    stack.change_sets.retain(|other, _| other == name);
    if let Some(set) = stack.change_sets.get_mut(name) {
        set.executed = true;
    }
    if creates {
        stack.definition = definition;
        operations::start_creation(state, cx, stack_id, token, on_failure, None);
    } else {
        operations::start_update(state, cx, stack_id, definition, token, on_failure);
    }
    Ok(())
}
