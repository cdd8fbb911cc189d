//! What CloudFormation remembers: stacks, their resources and events, the operation under way. Data only.
//! It must not know how an operation goes on: that is `engine`.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::template::{Policy, Template};

/// One stack, also after its deletion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stack {
    /// The ARN.
    pub id: String,
    /// The name; another stack may have it once this one is deleted.
    pub name: String,
    /// The region it is in.
    pub region: String,
    /// Where it stands.
    pub status: Status,
    /// `StackStatusReason`
    pub reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Option<Timestamp>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// What it is, or, while an operation is under way, what it is to become.
    pub definition: Definition,
    /// `DisableRollback`
    pub disable_rollback: bool,
    /// `TimeoutInMinutes` of its creation.
    pub timeout_minutes: Option<i64>,
    /// `EnableTerminationProtection`
    pub protected: bool,
    /// The stack that it is nested in.
    pub parent: Option<String>,
    /// Resources by logical id.
    pub resources: IndexMap<String, Resource>,
    /// Outputs, resolved when the last operation ended well.
    pub outputs: Vec<Output>,
    /// Oldest first.
    pub events: Vec<Event>,
    /// What is being done with it.
    pub operation: Option<Operation>,
    /// An update whose rollback failed, for `ContinueUpdateRollback`.
    pub stuck: Option<Operation>,
    /// Change sets by name.
    pub change_sets: IndexMap<String, super::changeset::ChangeSet>,
}

/// What a stack is made from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Definition {
    /// The template as it was given.
    pub body: String,
    /// The same, parsed.
    pub template: Template,
    /// Values of all parameters.
    pub parameters: BTreeMap<String, String>,
    /// Which conditions hold.
    pub conditions: BTreeMap<String, bool>,
    /// The included resources with what each needs.
    pub needs: IndexMap<String, Vec<String>>,
    /// Tags of the stack, which its resources get too.
    pub tags: Vec<(String, String)>,
    /// Capabilities that the caller acknowledged.
    pub capabilities: Vec<String>,
    /// `NotificationARNs`
    pub notification_arns: Vec<String>,
    /// `RoleARN`
    pub role_arn: Option<String>,
}

/// One resource of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The resource type.
    pub kind: String,
    /// The physical id, once something was made.
    pub physical: Option<String>,
    /// What `Fn::GetAtt` gives.
    pub attributes: Map<String, Value>,
    /// The resolved properties it was last made or changed with.
    pub properties: Map<String, Value>,
    /// The name that CloudFormation made up.
    pub generated: Option<String>,
    /// Stack tags it was last made or changed with.
    pub tags: Vec<(String, String)>,
    /// Where it stands.
    pub status: Status,
    /// `ResourceStatusReason`
    pub reason: Option<String>,
    /// When the status changed.
    pub updated: Timestamp,
    /// `DeletionPolicy`
    pub deletion: Policy,
    /// `UpdateReplacePolicy`
    pub replace: Policy,
    /// Resources it was made after, and that are deleted after it.
    pub needs: Vec<String>,
}

/// One resolved output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// `Description`
    pub description: Option<String>,
    /// The name it is exported under.
    pub export: Option<String>,
}

/// One event of a stack or of a resource in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `EventId`
    pub id: String,
    /// When it happened.
    pub at: Timestamp,
    /// The stack's name, for events of the stack itself.
    pub logical: String,
    /// The physical id; the stack's ARN for events of the stack itself.
    pub physical: Option<String>,
    /// The resource type.
    pub kind: String,
    /// What it came to.
    pub status: Status,
    /// Why.
    pub reason: Option<String>,
    /// The resolved properties.
    pub properties: Option<Map<String, Value>>,
    /// `ClientRequestToken` of the operation.
    pub token: Option<String>,
    /// `OperationId`
    pub operation: String,
}

/// One operation on a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// What was asked for.
    pub kind: OperationKind,
    /// How far it has come.
    pub phase: Phase,
    /// A uuid, made up for each operation.
    pub id: String,
    /// `ClientRequestToken`
    pub token: Option<String>,
    /// What is to be done in this phase.
    pub items: Vec<Item>,
    /// The resources as they were before an update.
    pub before: IndexMap<String, Resource>,
    /// The definition before an update.
    pub previous: Option<Definition>,
    /// What is deleted when an update has ended.
    pub leftovers: Vec<(String, Resource)>,
    /// Logical ids that a deletion keeps.
    pub retain: Vec<String>,
    /// Logical ids that a continued rollback leaves as they are.
    pub skip: Vec<String>,
    /// What happens if it fails.
    pub on_failure: OnFailure,
    /// When its time is over.
    pub deadline: Option<Timestamp>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationKind {
    /// Make the stack.
    Create,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Resources are made and changed.
    Making,
    /// All resources are deleted: a deletion, or the rollback of a creation.
    Deleting,
    /// Changed resources get their former properties again.
    Restoring,
    /// What an update left over is deleted.
    Cleaning,
}

/// What happens when making a stack fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// What was made is deleted; the stack stays.
    #[default]
    Rollback,
    /// Everything stays as it is.
    DoNothing,
    /// The stack is deleted.
    Delete,
}

/// One resource's part in a phase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    /// The logical id.
    pub logical: String,
    /// What is to be done.
    pub task: Task,
    /// Items of the same phase that must be done before.
    pub needs: Vec<String>,
    /// How far it has come.
    pub stage: Stage,
    /// When it goes on; none while it waits for others or is finished.
    pub due: Option<Timestamp>,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// The reason with which the fault script lets it fail.
    pub fault: Option<String>,
}

/// What is to be done with one resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Task {
    /// Make it, or bring it to its new properties; which of these shows when it begins.
    Make(Making),
    /// Give it its former properties.
    Restore,
    /// Delete this (the stack may have another one of that logical id by now).
    Delete(Box<Resource>),
}

/// How a resource comes to its new properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Making {
    /// Not looked at yet.
    Undecided,
    /// It is new.
    Create,
    /// Changed in place.
    Update,
    /// Made anew beside the old one.
    Replace,
}

/// How far one item has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Waits for others, or for its turn.
    Waiting,
    /// IN_PROGRESS; the service is not called yet.
    Begun,
    /// The service was called.
    Settling,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Given up because another one failed.
    Cancelled,
}

impl Stage {
    /// Whether nothing more will happen.
    pub fn over(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Waiting | Self::Begun | Self::Settling => false,
        }
    }
}

/// A status of a stack or resource, e.g. `UPDATE_ROLLBACK_COMPLETE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its first part.
    pub verb: Verb,
    /// Its last part.
    pub end: End,
}

/// The first part of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// CREATE
    Create,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// ROLLBACK
    Rollback,
    /// UPDATE_ROLLBACK
    UpdateRollback,
    /// REVIEW
    Review,
}

/// The last part of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// IN_PROGRESS
    InProgress,
    /// COMPLETE
    Complete,
    /// FAILED
    Failed,
    /// SKIPPED, of a resource that is kept.
    Skipped,
    /// COMPLETE_CLEANUP_IN_PROGRESS
    Cleaning,
}

impl Status {
    /// A status of its two parts.
    pub const fn new(verb: Verb, end: End) -> Self {
        Self { verb, end }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Create => "CREATE",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
            Verb::Rollback => "ROLLBACK",
            Verb::UpdateRollback => "UPDATE_ROLLBACK",
            Verb::Review => "REVIEW",
        };
        let end = match self.end {
            End::InProgress => "IN_PROGRESS",
            End::Complete => "COMPLETE",
            End::Failed => "FAILED",
            End::Skipped => "SKIPPED",
            End::Cleaning => "COMPLETE_CLEANUP_IN_PROGRESS",
        };
        write!(out, "{verb}_{end}")
    }
}
