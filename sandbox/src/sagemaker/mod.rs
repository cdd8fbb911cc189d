//! SageMaker HyperPod in the sandbox: clusters that are made, grow, fail, are patched and go away as AWS's do.
//! Must not know what the neighbours keep; all it asks of them is in `neighbours`.

mod batch;
mod create;
mod events;
mod images;
mod life;
mod list;
mod model;
mod neighbours;
mod node;
mod patch;
mod plans;
mod request;
mod rules;
mod script;
mod shapes;
mod tags;
mod types;
mod update;
mod views;

use jiff::Timestamp;
use serde_json::Value;

pub use model::State;

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{self, Moment, World};

/// The earliest instant after `after` at which something here changes by itself.
pub fn next_due(state: &world::State, after: Timestamp) -> Option<Timestamp> {
    let clusters = state.sagemaker.clusters.values();
    clusters.flat_map(|cluster| cluster.instants()).filter(|at| *at > after).min()
}

/// Moves what is due on to `cx.now`; says whether anything changed.
pub fn advance(state: &mut world::State, cx: &Moment<'_>) -> bool {
    life::advance(state, cx)
}

/// The ARN of the cluster of this name or ARN, if there is one.
pub(crate) fn arn_of(state: &world::State, name_or_arn: &str) -> Option<String> {
    let mut clusters = state.sagemaker.clusters.values();
    clusters.find(|cluster| cluster.name == name_or_arn || cluster.arn == name_or_arn).map(|it| it.arn.clone())
}

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let Some((_, shape, answer)) = OPERATIONS.iter().find(|(name, _, _)| *name == call.operation) else {
        return Err(call.not_part());
    };
    let body: Value = call.json()?;
    shapes::check(shape, &body)?;
    let body = without_nulls(body);
    let answered = world.with(&call.region, |state, cx| answer(state, cx, &body))?;
    Ok(Reply::json11(&answered))
}

type Answer = fn(&mut world::State, &Moment<'_>, &Value) -> Result<Value, ServiceError>;

/// Operation, shape of its request, what it does.
const OPERATIONS: &[(&str, &str, Answer)] = &[
    ("CreateCluster", "CreateClusterRequest", create::cluster),
    ("DescribeCluster", "DescribeClusterRequest", |state, cx, body| views::describe_cluster(state, cx, body)),
    ("ListClusters", "ListClustersRequest", |state, cx, body| list::clusters(state, cx, body)),
    ("ListClusterNodes", "ListClusterNodesRequest", |state, _, body| list::nodes(state, body)),
    ("DescribeClusterNode", "DescribeClusterNodeRequest", |state, _, body| views::describe_node(state, body)),
    ("UpdateCluster", "UpdateClusterRequest", update::cluster),
    ("UpdateClusterSoftware", "UpdateClusterSoftwareRequest", update::software),
    ("DeleteCluster", "DeleteClusterRequest", update::delete),
    ("BatchAddClusterNodes", "BatchAddClusterNodesRequest", batch::add),
    ("BatchDeleteClusterNodes", "BatchDeleteClusterNodesRequest", batch::delete),
    ("BatchRebootClusterNodes", "BatchRebootClusterNodesRequest", batch::reboot),
    ("BatchReplaceClusterNodes", "BatchReplaceClusterNodesRequest", batch::replace),
    ("ListClusterEvents", "ListClusterEventsRequest", |state, _, body| events::list(state, body)),
    ("DescribeClusterEvent", "DescribeClusterEventRequest", |state, _, body| events::describe(state, body)),
    ("SearchTrainingPlanOfferings", "SearchTrainingPlanOfferingsRequest", plans::search),
    ("CreateTrainingPlan", "CreateTrainingPlanRequest", plans::create),
    ("DescribeTrainingPlan", "DescribeTrainingPlanRequest", plans::describe),
    ("AddTags", "AddTagsInput", |state, _, body| tags::add(state, body)),
    ("ListTags", "ListTagsInput", |state, _, body| tags::list(state, body)),
    ("DeleteTags", "DeleteTagsInput", |state, _, body| tags::delete(state, body)),
];

/// Whether there is a quota of this name, or an instance type that stands for one.
pub(crate) fn has_quota(name: &str) -> bool {
    types::has_quota(name)
}

/// The account's quotas on HyperPod by name, with their values.
pub(crate) fn quotas(cx: &Moment<'_>) -> Vec<(String, u64)> {
    types::quotas(cx.faults)
}

/// A member that is null is a member that is not there.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let set = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn invalid(text: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ValidationException", text)
}

fn not_found(text: impl Into<String>) -> ServiceError {
    ServiceError::new(400, "ResourceNotFound", text)
}
