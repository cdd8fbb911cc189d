//! What the listing operations share, and ListClusters and ListClusterNodes themselves.
//! Must not change anything.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Cluster, Node};
use super::{request, views};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// ListClusters.
pub(super) fn clusters(state: &State, cx: &Moment<'_>, body: &Value) -> Result<Value, ServiceError> {
    let name = body.get("NameContains").and_then(Value::as_str);
    let plan = body.get("TrainingPlanArn").and_then(Value::as_str);
    let fits = |cluster: &&Cluster| {
        views::visible(cluster, cx)
            && name.is_none_or(|it| cluster.name.contains(it))
            && plan
                .is_none_or(|it| cluster.groups.iter().any(|group| group.spec.training_plan_arn.as_deref() == Some(it)))
            && within(cluster.created, body, "CreationTimeAfter", "CreationTimeBefore")
    };
    let mut found: Vec<&Cluster> = state.sagemaker.clusters.values().filter(fits).collect();
    order(&mut found, body, |cluster| (cluster.created, cluster.name.as_str()));
    let (page, next) = page(found, body, 10)?;
    let summaries: Vec<Value> = page.into_iter().map(views::cluster_summary).collect();
    Ok(with_next(json!({ "ClusterSummaries": summaries }), next))
}

/// ListClusterNodes.
pub(super) fn nodes(state: &State, body: &Value) -> Result<Value, ServiceError> {
    let cluster = request::cluster(state, body)?;
    let group = body.get("InstanceGroupNameContains").and_then(Value::as_str);
    let fits = |node: &&Node| {
        group.is_none_or(|it| node.group.contains(it))
            && within(node.launched, body, "CreationTimeAfter", "CreationTimeBefore")
    };
    let mut found: Vec<&Node> = cluster.nodes.iter().filter(fits).collect();
    order(&mut found, body, |node| (node.launched, node.group.as_str()));
    let logical = body.get("IncludeNodeLogicalIds").and_then(Value::as_bool).unwrap_or(false);
    let (page, next) = page(found, body, 10)?;
    let summaries: Vec<Value> = page.into_iter().map(|node| views::node_summary(cluster, node, logical)).collect();
    Ok(with_next(json!({ "ClusterNodeSummaries": summaries }), next))
}

/// By creation time unless by name, ascending unless descending (AWS API reference).
fn order<T>(items: &mut [&T], body: &Value, key: impl Fn(&T) -> (Timestamp, &str)) {
    let by_name = body.get("SortBy").and_then(Value::as_str) == Some("NAME");
    items.sort_by(|a, b| {
        let ((a_time, a_name), (b_time, b_name)) = (key(a), key(b));
        if by_name { (a_name, a_time).cmp(&(b_name, b_time)) } else { (a_time, a_name).cmp(&(b_time, b_name)) }
    });
    if body.get("SortOrder").and_then(Value::as_str) == Some("Descending") {
        items.reverse();
    }
}

/// Whether an instant is between the bounds of a request.
pub(super) fn within(at: Timestamp, body: &Value, after: &str, before: &str) -> bool {
    let seconds = at.as_millisecond() as f64 / 1000.0;
    let bound = |name: &str| body.get(name).and_then(Value::as_f64);
    bound(after).is_none_or(|it| seconds > it) && bound(before).is_none_or(|it| seconds < it)
}

/// One page: `MaxResults` items from where `NextToken` says, and the token of the next.
pub(super) fn page<T>(items: Vec<T>, body: &Value, usual: usize) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let start = match body.get("NextToken").and_then(Value::as_str) {
        None => 0,
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|number| number.parse::<usize>().ok())
            .ok_or_else(|| super::invalid(format!("Invalid NextToken: {token}")))?,
    };
    let size =
        body.get("MaxResults").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok()).unwrap_or(usual);
    let next = (start + size < items.len()).then(|| format!("from-{}", start + size));
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

/// The answer with its token, if there is another page.
pub(super) fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["NextToken"] = json!(next);
    }
    answer
}
