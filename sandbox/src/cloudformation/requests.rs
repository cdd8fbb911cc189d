//! Calls that change something: the form decoded, the operation asked for, the short answer.
//! It must not know how an operation goes on.

use super::NAMESPACE;
use super::changeset::{self, NewChangeSet};
use super::define::Source;
use super::operations::{self, DeleteStack, NewStack, StackChange, invalid};
use super::parameters::Given;
use super::stack::{End, OnFailure, Stack, Status, Verb};
use super::template::BODY_LIMIT;
use super::tokens::Token;
use crate::wire::{Call, Form, Reply, ServiceError};
use crate::world::{Moment, State, World};

/// `CreateStack`
pub(super) fn create_stack(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("ClientRequestToken");
    let on_failure = on_failure(&mut form, "OnFailure")?;
    let timeout_minutes = form.number("TimeoutInMinutes")?;
    let protected = form.flag("EnableTerminationProtection")?.unwrap_or(false);
    world.with(&call.region, |state, cx| {
        let source = source(&mut form, state, cx, None)?;
        form.finish()?;
        let seal = Token::new(call, &name, token.as_deref())?;
        if let Some(id) = seal.seen(&state.cloudformation)? {
            return Ok(stack_id_reply(call, &state.cloudformation.stacks[&id]));
        }
        let id = operations::create(
            state,
            cx,
            NewStack { name, source, token, on_failure, timeout_minutes, protected, parent: None },
        )?;
        seal.spend(&mut state.cloudformation, &id);
        Ok(stack_id_reply(call, &state.cloudformation.stacks[&id]))
    })
}

/// `UpdateStack`
pub(super) fn update_stack(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("ClientRequestToken");
    let on_failure =
        if form.flag("DisableRollback")?.unwrap_or(false) { OnFailure::DoNothing } else { OnFailure::Rollback };
    world.with(&call.region, |state, cx| {
        let stack = state.cloudformation.find(&name)?.clone();
        let source = source(&mut form, state, cx, Some(&stack))?;
        form.finish()?;
        let seal = Token::new(call, &stack.name, token.as_deref())?;
        if seal.seen(&state.cloudformation)?.is_none() {
            operations::update(state, cx, &stack.id, StackChange { source, token, on_failure })?;
            seal.spend(&mut state.cloudformation, &stack.id);
        }
        Ok(stack_id_reply(call, &state.cloudformation.stacks[&stack.id]))
    })
}

/// `DeleteStack`: no error for a stack that is not there.
pub(super) fn delete_stack(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("ClientRequestToken");
    let force = match form.take("DeletionMode").as_deref() {
        None | Some("STANDARD") => false,
        Some("FORCE_DELETE_STACK") => true,
        Some(other) => {
            return Err(enum_error(other, "deletionMode", "STANDARD, FORCE_DELETE_STACK"));
        }
    };
    let how = DeleteStack { token: token.clone(), retain: form.texts("RetainResources"), force };
    form.take("RoleARN");
    form.finish()?;
    world.with(&call.region, |state, cx| {
        let Some(stack) = state.cloudformation.get(&name).cloned() else {
            return Ok(empty_reply(call));
        };
        let seal = Token::new(call, &stack.name, token.as_deref())?;
        if stack.deleted.is_some() || seal.seen(&state.cloudformation)?.is_some() {
            return Ok(empty_reply(call));
        }
        if stack.status == Status::new(Verb::Review, End::InProgress) {
            return Ok(drop_shell(state, cx, call, &stack.id));
        }
        operations::delete(state, cx, &stack.id, how)?;
        seal.spend(&mut state.cloudformation, &stack.id);
        Ok(empty_reply(call))
    })
}

/// A stack without resources goes at once.
fn drop_shell(state: &mut State, cx: &Moment<'_>, call: &Call, id: &str) -> Reply {
    if let Some(stack) = state.cloudformation.stacks.get_mut(id) {
        stack.status = Status::new(Verb::Delete, End::Complete);
        stack.deleted = Some(cx.now);
        stack.change_sets.clear();
    }
    empty_reply(call)
}

/// `CancelUpdateStack`
pub(super) fn cancel_update_stack(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("ClientRequestToken");
    form.finish()?;
    world.with(&call.region, |state, cx| {
        let stack = state.cloudformation.find(&name)?.clone();
        let seal = Token::new(call, &stack.name, token.as_deref())?;
        if seal.seen(&state.cloudformation)?.is_none() {
            operations::cancel_update(state, cx, &stack.id)?;
            seal.spend(&mut state.cloudformation, &stack.id);
        }
        Ok(empty_reply(call))
    })
}

/// `ContinueUpdateRollback`
pub(super) fn continue_update_rollback(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let token = form.take("ClientRequestToken");
    let skip = form.texts("ResourcesToSkip");
    form.take("RoleARN");
    form.finish()?;
    world.with(&call.region, |state, cx| {
        let stack = state.cloudformation.find(&name)?.clone();
        if stack.parent.is_some() {
            return Err(invalid(format!("RollbackUpdatedStack cannot be invoked on child stacks: {}", stack.id)));
        }
        let seal = Token::new(call, &stack.name, token.as_deref())?;
        if seal.seen(&state.cloudformation)?.is_none() {
            operations::continue_rollback(state, cx, &stack.id, token, skip)?;
            seal.spend(&mut state.cloudformation, &stack.id);
        }
        Ok(empty_reply(call))
    })
}

/// `UpdateTerminationProtection`
pub(super) fn update_termination_protection(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let name = form.need("StackName")?;
    let wanted = form.flag("EnableTerminationProtection")?;
    form.finish()?;
    let protected = wanted.ok_or_else(|| {
        invalid("1 validation error detected: Value null at 'enableTerminationProtection' failed to satisfy constraint: Member must not be null")
    })?;
    world.with(&call.region, |state, _| {
        let id = state.cloudformation.find(&name)?.id.clone();
        let stack = state.cloudformation.stacks.get_mut(&id).expect("the stack was found just now");
        stack.protected = protected;
        Ok(Reply::query(call, NAMESPACE, |xml| xml.text("StackId", &id)))
    })
}

/// `CreateChangeSet`
pub(super) fn create_change_set(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let stack_name = form.need("StackName")?;
    let name = form.need("ChangeSetName")?;
    operations::check_name(&name).map_err(|error| invalid(error.message.replace("stackName", "changeSetName")))?;
    let token = form.take("ClientToken");
    let description = form.take("Description");
    let creates = match form.take("ChangeSetType").as_deref() {
        Some("CREATE") => true,
        None | Some("UPDATE") => false,
        Some("IMPORT") => return Err(ServiceError::not_part("ChangeSetType IMPORT")),
        Some(other) => return Err(enum_error(other, "changeSetType", "UPDATE, CREATE, IMPORT")),
    };
    let nested = form.flag("IncludeNestedStacks")?.unwrap_or(false);
    let on_failure = on_failure(&mut form, "OnStackFailure")?;
    world.with(&call.region, |state, cx| {
        let stack = state.cloudformation.get(&stack_name).cloned();
        let source = source(&mut form, state, cx, stack.as_ref().filter(|it| it.status.verb != Verb::Review))?;
        form.finish()?;
        let new = NewChangeSet { name, stack: stack_name, creates, source, description, token, on_failure, nested };
        let (id, stack_id) = changeset::create(state, cx, new)?;
        Ok(Reply::query(call, NAMESPACE, |xml| {
            xml.text("Id", &id);
            xml.text("StackId", &stack_id);
        }))
    })
}

/// `ExecuteChangeSet`
pub(super) fn execute_change_set(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let named = form.need("ChangeSetName")?;
    let stack_name = form.take("StackName");
    let token = form.take("ClientRequestToken");
    let disable_rollback = form.flag("DisableRollback")?.unwrap_or(false);
    form.finish()?;
    world.with(&call.region, |state, cx| {
        let (stack_id, set) = find_change_set(&state.cloudformation, &named, stack_name.as_deref())?;
        let stack = state.cloudformation.stacks[&stack_id].name.clone();
        let seal = Token::new(call, &stack, token.as_deref())?;
        if seal.seen(&state.cloudformation)?.is_none() {
            changeset::execute(state, cx, &stack_id, &set, token, disable_rollback)?;
            seal.spend(&mut state.cloudformation, &stack_id);
        }
        Ok(empty_reply(call))
    })
}

/// `DeleteChangeSet`
pub(super) fn delete_change_set(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    let named = form.need("ChangeSetName")?;
    let stack_name = form.take("StackName");
    form.finish()?;
    world.with(&call.region, |state, _| {
        let found = find_change_set(&state.cloudformation, &named, stack_name.as_deref());
        if let Ok((stack_id, set)) = found
            && let Some(stack) = state.cloudformation.stacks.get_mut(&stack_id)
        {
            stack.change_sets.shift_remove(&set);
        }
        Ok(empty_reply(call))
    })
}

/// The stack's id and the name of a change set given by its ARN, or by its name and the stack's.
pub(super) fn find_change_set(
    state: &super::State,
    named: &str,
    stack: Option<&str>,
) -> Result<(String, String), ServiceError> {
    let missing = || ServiceError::new(404, "ChangeSetNotFound", format!("ChangeSet [{named}] does not exist"));
    if named.starts_with("arn:") {
        let found = state.stacks.values().find_map(|stack| {
            stack.change_sets.values().find(|set| set.id == named).map(|set| (stack.id.clone(), set.name.clone()))
        });
        return found.ok_or_else(missing);
    }
    let stack =
        stack.ok_or_else(|| invalid("StackName must be specified if ChangeSetName is not specified as an ARN."))?;
    let stack = state.find(stack)?;
    stack.change_sets.get(named).map(|set| (stack.id.clone(), set.name.clone())).ok_or_else(missing)
}

/// What the stack is to be made from; `previous` is the stack that changes.
fn source(form: &mut Form, state: &State, cx: &Moment<'_>, previous: Option<&Stack>) -> Result<Source, ServiceError> {
    let reuse = form.flag("UsePreviousTemplate")?.unwrap_or(false);
    let body = body(form, state, cx)?;
    let body = match (body, reuse, previous) {
        (Some(_), true, _) => {
            return Err(invalid("You cannot specify both usePreviousTemplate and Template Body/Template URL."));
        }
        (Some(body), false, _) => body,
        (None, true, Some(stack)) => stack.definition.body.clone(),
        (None, _, _) => {
            return Err(invalid("Either Template URL or Template Body must be specified."));
        }
    };
    let mut parameters = Vec::new();
    for mut item in form.list("Parameters") {
        let name = item.need("ParameterKey")?;
        let reuse = item.flag("UsePreviousValue")?.unwrap_or(false);
        let value = item.take("ParameterValue");
        item.finish()?;
        parameters.push((name.clone(), match (value, reuse) {
            (Some(_), true) => return Err(invalid(format!("Invalid input for parameter key {name}. Cannot specify usePreviousValue as true and non empty value for a parameter"))),
            (None, true) => Given::Previous,
            (value, false) => Given::Value(value.unwrap_or_default()),
        }));
    }
    let mut tags: Vec<(String, String)> = Vec::new();
    for mut item in form.list("Tags") {
        let (key, value) = (item.need("Key")?, item.need("Value")?);
        item.finish()?;
        if key.starts_with("aws:") {
            return Err(invalid("aws: prefixed tag key names are not allowed for external use."));
        }
        if tags.iter().any(|(other, _)| *other == key) {
            return Err(invalid(format!("Duplicate tag key {key}")));
        }
        tags.push((key, value));
    }
    Ok(Source {
        body,
        parameters,
        tags: (!tags.is_empty()).then_some(tags),
        capabilities: form.texts("Capabilities"),
        notification_arns: form.texts("NotificationARNs"),
        role_arn: form.take("RoleARN"),
    })
}

/// The template's text from `TemplateBody` or `TemplateURL`.
pub(super) fn body(form: &mut Form, state: &State, cx: &Moment<'_>) -> Result<Option<String>, ServiceError> {
    match (form.take("TemplateBody"), form.take("TemplateURL")) {
        (Some(_), Some(_)) => Err(invalid("Specify exactly one of 'TemplateBody', 'TemplateUrl'")),
        (Some(body), None) if body.is_empty() => Err(invalid(
            "1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length greater than or equal to 1",
        )),
        (Some(body), None) if body.len() > BODY_LIMIT => Err(invalid(format!(
            "1 validation error detected: Value '{body}' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {BODY_LIMIT}"
        ))),
        (Some(body), None) => Ok(Some(body)),
        (None, Some(url)) => super::fetch::template(state, cx, &url).map(Some),
        (None, None) => Ok(None),
    }
}

fn on_failure(form: &mut Form, name: &str) -> Result<OnFailure, ServiceError> {
    let disable = if name == "OnFailure" { form.flag("DisableRollback")? } else { None };
    match (form.take(name).as_deref(), disable) {
        (Some(_), Some(_)) => Err(invalid("Either DisableRollback or OnFailure can be specified, not both.")),
        (None, Some(true)) | (Some("DO_NOTHING"), None) => Ok(OnFailure::DoNothing),
        (None, Some(false) | None) | (Some("ROLLBACK"), None) => Ok(OnFailure::Rollback),
        (Some("DELETE"), None) => Ok(OnFailure::Delete),
        (Some(other), None) => Err(enum_error(
            other,
            if name == "OnFailure" { "onFailure" } else { "onStackFailure" },
            "ROLLBACK, DELETE, DO_NOTHING",
        )),
    }
}

fn enum_error(value: &str, member: &str, known: &str) -> ServiceError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{known}]"
    ))
}

fn stack_id_reply(call: &Call, stack: &Stack) -> Reply {
    Reply::query(call, NAMESPACE, |xml| {
        xml.text("StackId", &stack.id);
        xml.maybe("OperationId", stack.operation.as_ref().map(|it| &it.id));
    })
}

fn empty_reply(call: &Call) -> Reply {
    Reply::query(call, NAMESPACE, |_| {})
}
