//! What the steps ask of a HyperPod cluster: its description, its tags, its nodes, its events.
//! Knows nothing of what a step does with the answers.

pub mod failure;
pub mod permissions;

use aws_sdk_sagemaker::operation::describe_cluster::DescribeClusterOutput;
use aws_sdk_sagemaker::types::{ClusterEventSummary, ClusterNodeSummary};

use crate::aws_error::explain;
use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};

/// The kind under which clusters are recorded.
pub const KIND: &str = "AWS::SageMaker::Cluster";

/// The cluster of this name, or none (AWS API reference: `ResourceNotFound`).
pub async fn describe(cx: &StepContext<'_>, name: &str) -> Result<Option<DescribeClusterOutput>, StepError> {
    match cx.unless_stopped(cx.clients.sagemaker().describe_cluster().cluster_name(name).send()).await? {
        Ok(found) => Ok(Some(found)),
        Err(e) => match explain(&format!("describe the cluster {name}"), e) {
            missing if is_missing(&missing) => Ok(None),
            other => Err(other),
        },
    }
}

/// Whether an error says that there is no such cluster.
pub fn is_missing(error: &StepError) -> bool {
    error.has_code("ResourceNotFound") || error.has_code("ResourceNotFoundException")
}

/// Whether an error of a call that only asks means nothing but "ask again": it never ends a wait.
pub fn is_passing(error: &StepError) -> bool {
    matches!(error.class, ErrorClass::Transient | ErrorClass::Unknown)
}

/// The tags of a resource, by its ARN.
pub async fn tags(cx: &StepContext<'_>, arn: &str) -> Result<Vec<(String, String)>, StepError> {
    let mut pages = cx.clients.sagemaker().list_tags().resource_arn(arn).into_paginator().items().send();
    let mut tags = Vec::new();
    while let Some(tag) = pages.next().await {
        let tag = tag.map_err(|e| explain(&format!("list the tags of {arn}"), e))?;
        tags.push((tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()));
    }
    Ok(tags)
}

/// Every node of a cluster.
pub async fn nodes(cx: &StepContext<'_>, name: &str) -> Result<Vec<ClusterNodeSummary>, StepError> {
    let request = cx.clients.sagemaker().list_cluster_nodes().cluster_name(name).max_results(100);
    let mut pages = request.into_paginator().items().send();
    let mut nodes = Vec::new();
    while let Some(node) = pages.next().await {
        nodes.push(node.map_err(|e| explain(&format!("list the nodes of the cluster {name}"), e))?);
    }
    Ok(nodes)
}

/// The newest events of a cluster in continuous mode, newest first, a hundred at most.
pub async fn events(cx: &StepContext<'_>, name: &str) -> Result<Vec<ClusterEventSummary>, StepError> {
    use aws_sdk_sagemaker::types::{EventSortBy, SortOrder};
    let request = cx.clients.sagemaker().list_cluster_events().cluster_name(name).max_results(100);
    let request = request.sort_by(EventSortBy::EventTime).sort_order(SortOrder::Descending);
    let answer = request.send().await.map_err(|e| explain(&format!("list the events of the cluster {name}"), e))?;
    Ok(answer.events.unwrap_or_default())
}

/// The id of a cluster: the last part of its ARN.
pub fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
