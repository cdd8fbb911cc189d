//! `AWS::CloudFormation::Stack`: a stack as a resource of another one.
//! It must not know events; the child stack is an ordinary stack with a parent.

use serde_json::{Map, Value};

use super::define::Source;
use super::engine::Turn;
use super::operations::{self, DeleteStack, NewStack, StackChange};
use super::parameters::{Given, scalar};
use super::stack::{End, OnFailure, Resource, Status, Verb};
use crate::cfn_resource::{Made, Readiness};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// Makes the child stack.
pub(super) fn create(turn: &mut Turn<'_, '_>, logical: &str, resource: &Resource) -> Result<Made, ServiceError> {
    let source = source(turn, resource)?;
    let suffix = turn.state.ids.suffix(12).to_uppercase();
    let room = 128 - suffix.len() - 2 - logical.len().min(60);
    let parent: String = turn.stack.name.chars().take(room).collect();
    let short: String = logical.chars().take(60).collect();
    let request = NewStack {
        name: format!("{parent}-{short}-{suffix}"),
        source,
        token: turn.operation().token.clone(),
        on_failure: if turn.operation().on_failure == OnFailure::DoNothing {
            OnFailure::DoNothing
        } else {
            OnFailure::Rollback
        },
        timeout_minutes: resource.properties.get("TimeoutInMinutes").and_then(scalar).and_then(|it| it.parse().ok()),
        protected: false,
        parent: Some(turn.stack.id.clone()),
    };
    let id = operations::create(turn.state, turn.cx, request)?;
    Ok(Made { id, attributes: Map::new() })
}

/// Brings it to the new template and parameters.
pub(super) fn update(turn: &mut Turn<'_, '_>, resource: &Resource, id: &str) -> Result<Made, ServiceError> {
    let source = source(turn, resource)?;
    let change = StackChange { source, token: turn.operation().token.clone(), on_failure: OnFailure::Rollback };
    match operations::update(turn.state, turn.cx, id, change) {
        Ok(()) => {}
        Err(error) if error.message == operations::NO_UPDATES => {}
        Err(error) => return Err(error),
    }
    Ok(Made { id: id.to_owned(), attributes: resource.attributes.clone() })
}

/// Starts to delete it.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, id: &str) -> Result<(), ServiceError> {
    operations::delete(state, cx, id, DeleteStack::default())
}

/// Ready when its operation ended well; the outputs are its attributes.
pub(super) fn ready(state: &State, id: &str) -> Readiness {
    let Some(stack) = state.cloudformation.stacks.get(id) else {
        return Readiness::Failed(format!("Embedded stack {id} does not exist"));
    };
    match (stack.status.verb, stack.status.end) {
        _ if stack.operation.is_some() => Readiness::Busy,
        (Verb::Create | Verb::Update, End::Complete) => Readiness::Ready(
            stack.outputs.iter().map(|it| (format!("Outputs.{}", it.key), Value::from(it.value.clone()))).collect(),
        ),
        (verb, _) => {
            let word = if matches!(verb, Verb::UpdateRollback | Verb::Update) { "updated" } else { "created" };
            let first = stack
                .events
                .iter()
                .rev()
                .filter_map(|event| event.reason.clone())
                .find(|reason| reason.starts_with("The following resource(s) failed"));
            Readiness::Failed(format!(
                "Embedded stack {id} was not successfully {word}: {}",
                first.or_else(|| stack.reason.clone()).unwrap_or_default().trim()
            ))
        }
    }
}

/// Ready when it is deleted.
pub(super) fn gone(state: &State, id: &str) -> Readiness {
    match state.cloudformation.stacks.get(id) {
        None => Readiness::Ready(Map::new()),
        Some(stack) if stack.status == Status::new(Verb::Delete, End::Complete) => Readiness::Ready(Map::new()),
        Some(stack) if stack.operation.is_some() => Readiness::Busy,
        Some(stack) => Readiness::Failed(format!(
            "Embedded stack {id} was not successfully deleted: {}",
            stack.reason.clone().unwrap_or_default().trim()
        )),
    }
}

fn source(turn: &Turn<'_, '_>, resource: &Resource) -> Result<Source, ServiceError> {
    let properties = &resource.properties;
    let url = properties.get("TemplateURL").and_then(Value::as_str).unwrap_or_default();
    let mut parameters = Vec::new();
    if let Some(given) = properties.get("Parameters") {
        let wrong = || {
            ServiceError::new(
                400,
                "ValidationError",
                "Value of property Parameters must be an object with String (or simple type) properties",
            )
        };
        for (name, value) in given.as_object().ok_or_else(wrong)? {
            parameters.push((name.clone(), Given::Value(scalar(value).ok_or_else(wrong)?)));
        }
    }
    let mut tags = resource.tags.clone();
    for tag in properties.get("Tags").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| tag.get(name).and_then(scalar).unwrap_or_default();
        tags.retain(|(key, _)| *key != part("Key"));
        tags.push((part("Key"), part("Value")));
    }
    Ok(Source {
        body: super::fetch::template(turn.state, turn.cx, url)?,
        parameters,
        tags: Some(tags),
        capabilities: turn.stack.definition.capabilities.clone(),
        notification_arns: turn.stack.definition.notification_arns.clone(),
        role_arn: turn.stack.definition.role_arn.clone(),
    })
}
