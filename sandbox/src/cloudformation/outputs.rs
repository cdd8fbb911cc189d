//! What the expressions of a stack resolve to while an operation goes on: its scope, its outputs, the changes of properties.
//! It must not know protocols or services.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::engine::Turn;
use super::graph;
use super::intrinsics::{Known, Pseudo, Scope};
use super::stack::{End, Output, Stack, Verb};
use crate::world::{Moment, State};

/// Evaluates something in the scope of the stack as it stands.
pub(super) fn scope<T>(turn: &Turn<'_, '_>, act: impl FnOnce(&Scope<'_>) -> T) -> T {
    let pseudo = pseudo(turn.stack, turn.cx);
    let definition = &turn.stack.definition;
    act(&Scope {
        template: &definition.template,
        parameters: &definition.parameters,
        pseudo: &pseudo,
        conditions: definition.conditions.clone(),
        resources: known(turn.stack),
        zones: super::resources::zones(turn.cx),
        exports: exports(turn.state, Some(&turn.stack.id)),
    })
}

/// The pseudo parameters of a stack.
pub(super) fn pseudo(stack: &Stack, cx: &Moment<'_>) -> Pseudo {
    Pseudo {
        account: cx.account.to_owned(),
        region: cx.region.to_owned(),
        stack_name: stack.name.clone(),
        stack_id: stack.id.clone(),
        notification_arns: stack.definition.notification_arns.clone(),
    }
}

/// The resources of a stack that exist.
pub(super) fn known(stack: &Stack) -> BTreeMap<String, Known> {
    let there = stack.resources.iter().filter(|(_, it)| it.status.verb != Verb::Delete || it.status.end == End::Failed);
    there
        .filter_map(|(name, it)| {
            let reference = it.physical.clone()?;
            Some((name.clone(), Known { reference, attributes: it.attributes.clone() }))
        })
        .collect()
}

/// The exports of the region's stacks, without those of one stack.
pub(super) fn exports(state: &State, without: Option<&str>) -> BTreeMap<String, String> {
    let others = state
        .cloudformation
        .stacks
        .values()
        .filter(|stack| stack.deleted.is_none() && without != Some(stack.id.as_str()));
    others
        .flat_map(|stack| &stack.outputs)
        .filter_map(|output| Some((output.export.clone()?, output.value.clone())))
        .collect()
}

/// The outputs of a stack whose resources are all there; the error is the reason for the stack to fail.
pub(super) fn resolve(turn: &Turn<'_, '_>) -> Result<Vec<Output>, String> {
    let taken = exports(turn.state, Some(&turn.stack.id));
    let definition = &turn.stack.definition;
    let specs = definition
        .template
        .outputs
        .iter()
        .filter(|(_, spec)| graph::holds(&definition.conditions, spec.condition.as_ref()));
    scope(turn, |scope| {
        let mut outputs = Vec::new();
        for (key, spec) in specs {
            let value = scope
                .text(&spec.value, &format!("the Value field of output {key}"))
                .map_err(|error| error.to_string())?;
            let export = match &spec.export {
                None => None,
                Some(name) => Some(
                    scope.text(name, &format!("the export name of output {key}")).map_err(|error| error.to_string())?,
                ),
            };
            if let Some(name) = export.as_ref().filter(|name| taken.contains_key(*name)) {
                return Err(format!("Export with name {name} is already exported by another stack. "));
            }
            outputs.push(Output { key: key.clone(), value, description: spec.description.clone(), export });
        }
        Ok(outputs)
    })
}

/// Names of the properties that differ.
pub(super) fn changed_properties(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<String> {
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    names.filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}
