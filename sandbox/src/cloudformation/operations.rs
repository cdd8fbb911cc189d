//! What can be asked of a stack: make it, change it, delete it, cancel, continue a rollback. Checked here, carried out by `engine`.
//! It must not know the wire protocol.

use indexmap::IndexMap;
use jiff::SignedDuration;

use super::define::{self, Source};
use super::engine::{Turn, makings, with_stack};
use super::intrinsics::Pseudo;
use super::outputs;
use super::stack::{Definition, End, OnFailure, Operation, OperationKind, Phase, Stack, Status, Verb};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// The message of an update that changes nothing.
pub const NO_UPDATES: &str = "No updates are to be performed.";

/// A stack to make.
#[derive(Clone, Debug)]
pub struct NewStack {
    /// Its name.
    pub name: String,
    /// What it is made from.
    pub source: Source,
    /// `ClientRequestToken`
    pub token: Option<String>,
    /// What happens if it fails.
    pub on_failure: OnFailure,
    /// `TimeoutInMinutes`
    pub timeout_minutes: Option<i64>,
    /// `EnableTerminationProtection`
    pub protected: bool,
    /// The stack it is nested in.
    pub parent: Option<String>,
}

/// A change of a stack.
#[derive(Clone, Debug)]
pub struct StackChange {
    /// What it is to become.
    pub source: Source,
    /// `ClientRequestToken`
    pub token: Option<String>,
    /// What happens if it fails.
    pub on_failure: OnFailure,
}

/// How to delete a stack.
#[derive(Clone, Debug, Default)]
pub struct DeleteStack {
    /// `ClientRequestToken`
    pub token: Option<String>,
    /// `RetainResources`
    pub retain: Vec<String>,
    /// `DeletionMode` `FORCE_DELETE_STACK`
    pub force: bool,
}

/// The error that CloudFormation gives for nearly everything.
pub fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ValidationError", message)
}

/// Checks a name for a new stack.
pub fn check_name(name: &str) -> Result<(), ServiceError> {
    let regular = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !regular {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if name.len() > 128 {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must have length less than or equal to 128"
        )));
    }
    Ok(())
}

/// A stack without resources: what a change set of type CREATE makes, and what making a stack starts from.
pub(super) fn shell(state: &mut State, cx: &Moment<'_>, name: &str) -> Stack {
    let id = format!("arn:aws:cloudformation:{}:{}:stack/{name}/{}", cx.region, cx.account, state.ids.uuid());
    Stack {
        id,
        name: name.to_owned(),
        region: cx.region.to_owned(),
        status: Status::new(Verb::Review, End::InProgress),
        reason: None,
        created: cx.now,
        updated: None,
        deleted: None,
        definition: Definition::default(),
        disable_rollback: false,
        timeout_minutes: None,
        protected: false,
        parent: None,
        resources: IndexMap::new(),
        outputs: Vec::new(),
        events: Vec::new(),
        operation: None,
        stuck: None,
        change_sets: IndexMap::new(),
    }
}

/// Makes a stack; gives its id.
pub fn create(state: &mut State, cx: &Moment<'_>, new: NewStack) -> Result<String, ServiceError> {
    check_name(&new.name)?;
    if state.cloudformation.live(&new.name).is_some() {
        return Err(ServiceError::new(400, "AlreadyExistsException", format!("Stack [{}] already exists", new.name)));
    }
    let mut stack = shell(state, cx, &new.name);
    stack.definition.notification_arns.clone_from(&new.source.notification_arns);
    let pseudo = outputs::pseudo(&stack, cx);
    stack.definition = define::define(state, cx, &pseudo, new.source, None)?;
    (stack.parent, stack.protected) = (new.parent, new.protected);
    let id = stack.id.clone();
    state.cloudformation.stacks.insert(id.clone(), stack);
    start_creation(state, cx, &id, new.token, new.on_failure, new.timeout_minutes);
    Ok(id)
}

/// Starts to make a stack that stands there with its definition and no resources.
pub(super) fn start_creation(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    token: Option<String>,
    on_failure: OnFailure,
    timeout_minutes: Option<i64>,
) {
    let operation_id = state.ids.uuid();
    with_stack(state, id, cx, |turn| {
        turn.stack.disable_rollback = on_failure == OnFailure::DoNothing;
        turn.stack.timeout_minutes = timeout_minutes;
        let mut operation = Operation::new(OperationKind::Create, operation_id, token, on_failure);
        operation.deadline = timeout_minutes.map(|minutes| turn.cx.now + SignedDuration::from_mins(minutes));
        turn.stack.operation = Some(operation);
        turn.status(Status::new(Verb::Create, End::InProgress), Some("User Initiated".to_owned()));
        let items = makings(&turn.stack.definition);
        turn.begin(Phase::Making, items);
    });
}

/// What a stack would become; refused if it is in no state to be changed.
pub(super) fn target(state: &State, cx: &Moment<'_>, id: &str, source: Source) -> Result<Definition, ServiceError> {
    let stack = &state.cloudformation.stacks[id];
    let updatable = match stack.status.end {
        End::Complete => matches!(stack.status.verb, Verb::Create | Verb::Update | Verb::UpdateRollback),
        End::Failed => stack.status.verb == Verb::Update,
        End::InProgress | End::Cleaning | End::Skipped => false,
    };
    if !updatable {
        return Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)));
    }
    let pseudo = Pseudo { notification_arns: source.notification_arns.clone(), ..outputs::pseudo(stack, cx) };
    define::define(state, cx, &pseudo, source, Some(&stack.definition))
}

/// Starts to change a stack.
pub fn update(state: &mut State, cx: &Moment<'_>, id: &str, change: StackChange) -> Result<(), ServiceError> {
    let definition = target(state, cx, id, change.source)?;
    let stack = &state.cloudformation.stacks[id];
    refuse_retyping(stack, &definition)?;
    if super::compare::same(state, cx, id, &definition) {
        return Err(invalid(NO_UPDATES));
    }
    start_update(state, cx, id, definition, change.token, change.on_failure);
    Ok(())
}

/// A logical id keeps its resource type.
pub(super) fn refuse_retyping(stack: &Stack, definition: &Definition) -> Result<(), ServiceError> {
    let retyped = stack
        .resources
        .iter()
        .find(|(name, old)| definition.template.resources.get(*name).is_some_and(|new| new.kind != old.kind));
    match retyped {
        None => Ok(()),
        Some((name, _)) => Err(invalid(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{name}]"
        ))),
    }
}

/// Starts to bring a stack to a definition.
pub(super) fn start_update(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    definition: Definition,
    token: Option<String>,
    on_failure: OnFailure,
) {
    let operation_id = state.ids.uuid();
    with_stack(state, id, cx, |turn| {
        let mut operation = Operation::new(OperationKind::Update, operation_id, token, on_failure);
        operation.before = turn.stack.resources.clone();
        operation.previous = Some(std::mem::replace(&mut turn.stack.definition, definition));
        turn.stack.operation = Some(operation);
        turn.stack.disable_rollback = on_failure == OnFailure::DoNothing;
        turn.status(Status::new(Verb::Update, End::InProgress), Some("User Initiated".to_owned()));
        let items = makings(&turn.stack.definition);
        turn.begin(Phase::Making, items);
    });
}

/// Starts to delete a stack.
pub fn delete(state: &mut State, cx: &Moment<'_>, id: &str, how: DeleteStack) -> Result<(), ServiceError> {
    let stack = &state.cloudformation.stacks[id];
    if stack.protected {
        return Err(invalid(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if stack.status.verb == Verb::Delete && stack.operation.is_some() {
        return Ok(());
    }
    if stack.operation.is_some() && stack.status != Status::new(Verb::Create, End::InProgress) {
        return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.name, stack.status)));
    }
    if (!how.retain.is_empty() || how.force) && stack.status != Status::new(Verb::Delete, End::Failed) {
        let what = if how.force {
            "Invalid operation on stack. The FORCE_DELETE_STACK deletion mode can only be used on stacks in the DELETE_FAILED state"
        } else {
            "Invalid operation on stack. RetainResources parameter can only be specified for stacks in the DELETE_FAILED state"
        };
        return Err(invalid(format!("{what}: {}", stack.id)));
    }
    if let Some(unknown) = how.retain.iter().find(|name| !stack.resources.contains_key(*name)) {
        return Err(invalid(format!("Resource [{unknown}] does not exist in stack {}", stack.name)));
    }
    refuse_imported(state, id)?;
    let operation_id = state.ids.uuid();
    with_stack(state, id, cx, |turn| {
        super::items::cancel_running(turn);
        let mut operation = Operation::new(OperationKind::Delete, operation_id, how.token, OnFailure::DoNothing);
        operation.retain = if how.force { failed_resources(turn) } else { how.retain };
        turn.stack.operation = Some(operation);
        turn.status(Status::new(Verb::Delete, End::InProgress), Some("User Initiated".to_owned()));
        turn.delete_all(false);
    });
    Ok(())
}

fn failed_resources(turn: &Turn<'_, '_>) -> Vec<String> {
    let failed = Status::new(Verb::Delete, End::Failed);
    turn.stack.resources.iter().filter(|(_, it)| it.status == failed).map(|(name, _)| name.clone()).collect()
}

fn refuse_imported(state: &State, id: &str) -> Result<(), ServiceError> {
    for output in &state.cloudformation.stacks[id].outputs {
        let Some(name) = &output.export else { continue };
        let quoted = format!("\"Fn::ImportValue\":\"{name}\"");
        let user = state.cloudformation.stacks.values().find(|other| {
            other.deleted.is_none()
                && other.id != id
                && serde_json::to_string(&other.definition.template).is_ok_and(|text| text.contains(&quoted))
        });
        if let Some(user) = user {
            return Err(invalid(format!("Export {name} cannot be deleted as it is in use by {}", user.name)));
        }
    }
    Ok(())
}

/// Ends an update that is under way and rolls it back.
pub fn cancel_update(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    let stack = &state.cloudformation.stacks[id];
    if stack.status != Status::new(Verb::Update, End::InProgress) {
        return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
    }
    with_stack(state, id, cx, |turn| {
        turn.operation().on_failure = OnFailure::Rollback;
        turn.give_up("User Initiated");
    });
    Ok(())
}

/// Goes on with a rollback that failed.
pub fn continue_rollback(
    state: &mut State,
    cx: &Moment<'_>,
    id: &str,
    token: Option<String>,
    skip: Vec<String>,
) -> Result<(), ServiceError> {
    let stack = &state.cloudformation.stacks[id];
    let Some(stuck) = stack.stuck.clone().filter(|_| stack.status == Status::new(Verb::UpdateRollback, End::Failed))
    else {
        return Err(invalid(format!("Stack:{} is in {} state and can not continue rollback.", stack.id, stack.status)));
    };
    let failed = stuck
        .items
        .iter()
        .filter(|item| item.stage == super::stack::Stage::Failed)
        .map(|item| item.logical.as_str())
        .collect::<Vec<_>>();
    if let Some(wrong) = skip.iter().find(|name| !failed.contains(&name.as_str())) {
        return Err(invalid(format!(
            "Resources to skip [{wrong}] must be in UPDATE_FAILED state because of a rollback that failed"
        )));
    }
    let operation_id = state.ids.uuid();
    with_stack(state, id, cx, |turn| {
        turn.stack.stuck = None;
        let leftovers = stuck.leftovers.clone();
        turn.stack.operation =
            Some(Operation { id: operation_id, token, skip, items: Vec::new(), leftovers, previous: None, ..stuck });
        turn.status(Status::new(Verb::UpdateRollback, End::InProgress), Some("User Initiated".to_owned()));
        turn.restore();
    });
    Ok(())
}

impl Operation {
    /// One that has not begun.
    pub(super) fn new(kind: OperationKind, id: String, token: Option<String>, on_failure: OnFailure) -> Self {
        Self {
            kind,
            phase: Phase::Making,
            id,
            token,
            items: Vec::new(),
            before: IndexMap::new(),
            previous: None,
            leftovers: Vec::new(),
            retain: Vec::new(),
            skip: Vec::new(),
            on_failure,
            deadline: None,
        }
    }
}
