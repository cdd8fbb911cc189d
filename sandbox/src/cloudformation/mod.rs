//! CloudFormation in the sandbox: stacks made from templates, one resource after the other, over the Query protocol (2010-05-15).
//! Knows the services only through the functions that `resources` lists; it must not know hprun.

mod answers;
mod changeset;
mod compare;
mod conditions;
mod define;
mod deletion;
mod engine;
mod fetch;
pub mod graph;
pub mod intrinsics;
mod items;
mod nested;
mod operations;
mod outputs;
pub mod parameters;
mod requests;
mod resources;
mod rules;
mod stack;
mod substitute;
pub mod template;
mod templates;
pub mod text;
mod tokens;
pub mod types;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::World;

pub use engine::{advance, next_due};
use stack::{End, Stack, Status, Verb};

/// The XML name space of answers.
const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

/// What CloudFormation holds: the stacks of one region.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// By id; deleted ones stay.
    stacks: BTreeMap<String, Stack>,
    /// Client request tokens that were used.
    tokens: BTreeMap<String, tokens::Used>,
}

impl State {
    /// The stack of this name that is not deleted.
    fn live(&self, name: &str) -> Option<&Stack> {
        let gone = Status::new(Verb::Delete, End::Complete);
        self.stacks.values().find(|stack| stack.name == name && stack.status != gone)
    }

    /// The stack of this name, or of this id even if it is deleted.
    fn get(&self, name_or_id: &str) -> Option<&Stack> {
        self.stacks.get(name_or_id).or_else(|| self.live(name_or_id))
    }

    /// The same; the error is the one of operations that change a stack.
    fn find(&self, name_or_id: &str) -> Result<&Stack, ServiceError> {
        self.get(name_or_id).ok_or_else(|| operations::invalid(format!("Stack [{name_or_id}] does not exist")))
    }

    /// The same; the error is the one of operations that describe a stack.
    fn look_up(&self, name_or_id: &str) -> Result<&Stack, ServiceError> {
        self.get(name_or_id).ok_or_else(|| operations::invalid(format!("Stack with id {name_or_id} does not exist")))
    }
}

/// The ARN of the stack of this name, if there is one that is not deleted.
pub(crate) fn arn_of(state: &crate::world::State, name: &str) -> Option<String> {
    state.cloudformation.live(name).map(|stack| stack.id.clone())
}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    match call.operation.as_str() {
        "CreateStack" => requests::create_stack(world, call),
        "UpdateStack" => requests::update_stack(world, call),
        "DeleteStack" => requests::delete_stack(world, call),
        "CancelUpdateStack" => requests::cancel_update_stack(world, call),
        "ContinueUpdateRollback" => requests::continue_update_rollback(world, call),
        "UpdateTerminationProtection" => requests::update_termination_protection(world, call),
        "CreateChangeSet" => requests::create_change_set(world, call),
        "ExecuteChangeSet" => requests::execute_change_set(world, call),
        "DeleteChangeSet" => requests::delete_change_set(world, call),
        "DescribeChangeSet" => answers::describe_change_set(world, call),
        "ListChangeSets" => answers::list_change_sets(world, call),
        "DescribeStacks" => answers::describe_stacks(world, call),
        "ListStacks" => answers::list_stacks(world, call),
        "DescribeStackEvents" => answers::describe_stack_events(world, call),
        "DescribeStackResource" => answers::describe_stack_resource(world, call),
        "DescribeStackResources" => answers::describe_stack_resources(world, call),
        "ListStackResources" => answers::list_stack_resources(world, call),
        "GetTemplate" => templates::get_template(world, call),
        "GetTemplateSummary" => templates::get_template_summary(world, call),
        "ValidateTemplate" => templates::validate_template(world, call),
        _ => Err(call.not_part()),
    }
}
