//! What stands between a stack and a definition: the comparison behind change sets and "No updates are to be performed".
//! It must not know the wire protocol, and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::changeset::{Action, Change, Detail};
use super::graph;
use super::intrinsics::Scope;
use super::outputs;
use super::stack::{Definition, Resource, Stack};
use super::template::ResourceSpec;
use super::types::{self, Replacement, ResourceType};
use crate::world::{Moment, State};

/// Whether a definition would change nothing.
pub(super) fn same(state: &State, cx: &Moment<'_>, id: &str, definition: &Definition) -> bool {
    changes(state, cx, id, definition).is_empty()
        && same_outputs(&state.cloudformation.stacks[id].definition, definition)
}

/// Whether the outputs are declared alike and the same ones are included.
pub(super) fn same_outputs(old: &Definition, new: &Definition) -> bool {
    let included = |it: &Definition| -> Vec<String> {
        it.template
            .outputs
            .iter()
            .filter(|(_, spec)| graph::holds(&it.conditions, spec.condition.as_ref()))
            .map(|(key, _)| key.clone())
            .collect()
    };
    old.template.outputs == new.template.outputs && included(old) == included(new)
}

/// What bringing the stack to this definition would do to each resource.
pub(super) fn changes(state: &State, cx: &Moment<'_>, id: &str, definition: &Definition) -> Vec<Change> {
    let stack = &state.cloudformation.stacks[id];
    let mut changes: Vec<Change> = Vec::new();
    for name in in_order(definition) {
        let spec = &definition.template.resources[&name];
        match stack.resources.get(&name).filter(|it| it.physical.is_some()) {
            None => changes.push(Change {
                logical: name,
                physical: None,
                kind: spec.kind.clone(),
                action: Action::Add,
                replacement: None,
                details: Vec::new(),
            }),
            Some(old) => changes.extend(modification(state, cx, stack, definition, &changes, &name, spec, old)),
        }
    }
    for (name, old) in stack.resources.iter().filter(|(name, _)| !definition.needs.contains_key(*name)) {
        changes.push(Change {
            logical: name.clone(),
            physical: old.physical.clone(),
            kind: old.kind.clone(),
            action: Action::Remove,
            replacement: None,
            details: Vec::new(),
        });
    }
    changes
}

/// The resources, each after those it needs.
fn in_order(definition: &Definition) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    while order.len() < definition.needs.len() {
        let before = order.len();
        for (name, needs) in &definition.needs {
            if !order.contains(name) && needs.iter().all(|it| order.contains(it)) {
                order.push(name.clone());
            }
        }
        assert!(order.len() > before, "a definition's graph has no cycle");
    }
    order
}

#[expect(clippy::too_many_arguments, reason = "each is one of the two sides that are compared")]
fn modification(
    state: &State,
    cx: &Moment<'_>,
    stack: &Stack,
    definition: &Definition,
    before: &[Change],
    name: &str,
    spec: &ResourceSpec,
    old: &Resource,
) -> Option<Change> {
    let kind = types::find(&spec.kind)?;
    let pseudo = outputs::pseudo(stack, cx);
    let scope = Scope {
        template: &definition.template,
        parameters: &definition.parameters,
        pseudo: &pseudo,
        conditions: definition.conditions.clone(),
        resources: outputs::known(stack),
        zones: super::resources::zones(cx),
        exports: outputs::exports(state, Some(&stack.id)),
    };
    let mut details = Vec::new();
    let old_spec = stack.definition.template.resources.get(name);
    for (property, value) in &spec.properties {
        let moved = moved_mention(definition, before, value);
        let resolved = scope.resolve(value).ok().flatten();
        if moved.is_none() && resolved.as_ref() == old.properties.get(property) {
            continue;
        }
        let direct = old_spec.and_then(|it| it.properties.get(property)) != Some(value);
        details.push(detail(kind, property, moved, direct));
    }
    for gone in old.properties.keys().filter(|it| !spec.properties.contains_key(*it)) {
        details.push(detail(kind, gone, None, true));
    }
    if kind.has("Tags") && old.tags != definition.tags {
        details.push(Detail {
            attribute: "Tags".to_owned(),
            name: None,
            recreation: "Never".to_owned(),
            is_static: true,
            source: "DirectModification".to_owned(),
            cause: None,
        });
    }
    if details.is_empty() && kind.name != types::STACK {
        return None;
    }
    let replacement = replacement(&details);
    let word = match replacement {
        Replacement::True => "True",
        Replacement::False => "False",
        Replacement::Conditional => "Conditional",
    };
    Some(Change {
        logical: name.to_owned(),
        physical: old.physical.clone(),
        kind: spec.kind.clone(),
        action: Action::Modify,
        replacement: Some(word.to_owned()),
        details,
    })
}

fn detail(kind: &ResourceType, property: &str, moved: Option<(String, bool)>, direct: bool) -> Detail {
    let recreation = if kind.replaces(property) { "Always" } else { "Never" };
    let source = match &moved {
        Some((_, true)) => "ResourceAttribute",
        Some((_, false)) => "ResourceReference",
        None if direct => "DirectModification",
        None => "ParameterReference",
    };
    Detail {
        attribute: "Properties".to_owned(),
        name: Some(property.to_owned()),
        recreation: recreation.to_owned(),
        is_static: moved.is_none(),
        source: source.to_owned(),
        cause: moved.map(|(cause, _)| cause),
    }
}

/// A known new value that needs a new resource is True; one that depends on another resource's change is Conditional.
fn replacement(details: &[Detail]) -> Replacement {
    let always: Vec<&Detail> = details.iter().filter(|it| it.recreation == "Always").collect();
    if always.iter().any(|it| it.is_static) {
        Replacement::True
    } else if always.is_empty() {
        Replacement::False
    } else {
        Replacement::Conditional
    }
}

/// The first resource named by an expression whose change may change the value, and whether by an attribute.
fn moved_mention(definition: &Definition, before: &[Change], value: &Value) -> Option<(String, bool)> {
    let moved: BTreeMap<&str, &Change> = before.iter().map(|it| (it.logical.as_str(), it)).collect();
    graph::mentions(&definition.template, value, &definition.conditions).into_iter().find_map(|(name, attribute)| {
        let change = moved.get(name.as_str())?;
        let anew = change.action == Action::Add || change.replacement.as_deref().is_some_and(|it| it != "False");
        match (attribute.is_empty(), anew) {
            (true, true) => Some((name, false)),
            (true, false) => None,
            (false, _) => Some((format!("{name}.{attribute}"), true)),
        }
    })
}
