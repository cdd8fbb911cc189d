//! Why a cluster failed, for a person: its message, its events, the end of the lifecycle log, and what to do.
//! Knows nothing of who asks; nothing here changes anything.

use aws_sdk_sagemaker::operation::describe_cluster::DescribeClusterOutput;
use aws_sdk_sagemaker::types::{ClusterEventLevel, ClusterNodeProvisioningMode};

use crate::aws_error::explain;
use crate::context::StepContext;
use crate::error::StepError;

/// Most lines of a lifecycle log that are shown.
const TAIL: i32 = 40;

/// What users meet, and what helps (facts: AWS docs and public issues): a text that the message holds, and advice.
const ADVICE: &[(&str, &str)] = &[
    (
        "EFA health checks did not run successfully",
        "let the security group allow all traffic to and from itself, outbound rules included, and keep each group in one Availability Zone; then resume",
    ),
    (
        "Lifecycle scripts did not run successfully",
        "see that SourceS3Uri plus `/` plus OnCreate is an object that the execution role may read, and that the script has unix line endings and ends with 0; mend it, then resume",
    ),
    (
        "Lifecycle scripts execution timed out",
        "see that the subnet has a route to what the scripts load (a NAT gateway or endpoints), then resume",
    ),
    (
        "sufficient capacity",
        "try another Availability Zone or instance type, a training plan, or `NodeProvisioningMode: Continuous`, which waits for capacity",
    ),
    ("Insufficient capacity", "try another Availability Zone or instance type, or a training plan"),
    ("No subnets in the capacity AZ", "give a subnet in the Availability Zone of the training plan"),
    (
        "account-level service limit",
        "ask for a higher quota of that name in Service Quotas (service Amazon SageMaker), then resume",
    ),
    (
        "CONFIG_MAP",
        "let EKS use access entries: aws eks update-cluster-config --name NAME --access-config authenticationMode=API_AND_CONFIG_MAP (this cannot be undone)",
    ),
    ("LifeCycleConfig is required", "give every instance group a LifeCycleConfig, also one of 0 instances"),
    ("assume role", "see that the role exists and trusts sagemaker.amazonaws.com, then resume"),
    ("CreateServiceLinkedRole", "have an administrator make the service-linked role of SageMaker HyperPod first"),
    (
        "bootstrap failed due to network misconfiguration",
        "see that the nodes reach the EKS API and ECR: NAT gateway or endpoints, and the security groups of both sides",
    ),
    (
        "Access Entr",
        "see that the caller may make EKS access entries and that the cluster's authentication mode allows them",
    ),
    ("security token included in the request is expired", "log in again, then resume: nothing is lost"),
];

/// The first advice whose symptom stands in one of the texts.
pub fn advice<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<&'static str> {
    texts.into_iter().find_map(|text| {
        let lower = text.to_lowercase();
        ADVICE.iter().find(|(symptom, _)| lower.contains(&symptom.to_lowercase())).map(|(_, advice)| *advice)
    })
}

/// The failure of a cluster, with all that can be found out about it.
pub async fn explain_cluster(cx: &StepContext<'_>, cluster: &DescribeClusterOutput) -> StepError {
    let name = cluster.cluster_name().unwrap_or("(unnamed)");
    let said = cluster.failure_message().unwrap_or_default().trim().trim_end_matches('.');
    let status = cluster.cluster_status().map_or("Failed", |s| s.as_str());
    let message = match said {
        "" => format!("the cluster {name} is {status}, and SageMaker gives no reason"),
        said => format!("the cluster {name} is {status}: {said}"),
    };
    let mut error = StepError::failed(message);
    let continuous = cluster.node_provisioning_mode() == Some(&ClusterNodeProvisioningMode::Continuous);
    if continuous {
        error.causes.extend(bad_events(cx, name).await);
    }
    let log = lifecycle_log(cx, cluster).await;
    error.causes.extend(log);
    let advice = advice(std::iter::once(error.message.as_str()).chain(error.causes.iter().map(String::as_str)));
    match advice {
        Some(advice) => error.help(advice),
        None => error,
    }
}

/// The last warnings and errors among the events, oldest first.
async fn bad_events(cx: &StepContext<'_>, name: &str) -> Vec<String> {
    let events = match super::events(cx, name).await {
        Ok(events) => events,
        Err(e) => return vec![e.message],
    };
    let bad = events.iter().filter(|e| e.event_level() != Some(&ClusterEventLevel::Info));
    let mut lines: Vec<String> = bad
        .take(10)
        .map(|event| {
            let at = event.event_time().map(ToString::to_string).unwrap_or_default();
            format!("{at} {}", event.description().unwrap_or_default())
        })
        .collect();
    lines.reverse();
    lines
}

/// The end of the newest lifecycle log of the cluster, under a line that names it.
async fn lifecycle_log(cx: &StepContext<'_>, cluster: &DescribeClusterOutput) -> Vec<String> {
    let (Some(name), Some(arn)) = (cluster.cluster_name(), cluster.cluster_arn()) else { return Vec::new() };
    let group = format!("/aws/sagemaker/Clusters/{name}/{}", super::id_of(arn));
    match tail(cx, &group).await {
        Ok(Some((stream, lines))) => std::iter::once(format!("the end of {group} {stream}:")).chain(lines).collect(),
        Ok(None) => Vec::new(),
        // The log is an extra: without the right to read it, the failure must still be told.
        Err(e) if e.has_code("ResourceNotFoundException") => Vec::new(),
        Err(e) => vec![e.message],
    }
}

async fn tail(cx: &StepContext<'_>, group: &str) -> Result<Option<(String, Vec<String>)>, StepError> {
    let doing = format!("read the log {group}");
    let logs = cx.clients.cloudwatchlogs();
    let request = logs.describe_log_streams().log_group_name(group).log_stream_name_prefix("LifecycleConfig/");
    let streams = request.limit(50).send().await.map_err(|e| explain(&doing, e))?;
    let newest = streams.log_streams().iter().max_by_key(|s| s.last_event_timestamp());
    let Some(stream) = newest.and_then(|s| s.log_stream_name()) else { return Ok(None) };
    let request = logs.get_log_events().log_group_name(group).log_stream_name(stream).limit(TAIL);
    let events = request.start_from_head(false).send().await.map_err(|e| explain(&doing, e))?;
    let lines = events.events().iter().map(|e| e.message().unwrap_or_default().trim_end().to_owned()).collect();
    Ok(Some((stream.to_owned(), lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symptom_has_its_advice() {
        let check = |text: &str| advice([text]).map(|a| a.split([' ', ',']).take(4).collect::<Vec<_>>().join(" "));
        let limit = "The account-level service limit 'ml.p5.48xlarge for cluster usage' is 0 Instances, with current utilization";
        assert_eq!(check(limit).as_deref(), Some("ask for a higher"));
        let capacity = "We currently do not have sufficient capacity to launch new ml.p5.48xlarge instances";
        assert_eq!(check(capacity).as_deref(), Some("try another Availability Zone"));
        let scripts = "failed: \"Lifecycle scripts did not run successfully. Ensure the scripts exist\"";
        assert_eq!(check(scripts).as_deref(), Some("see that SourceS3Uri plus"));
        assert_eq!(check("Could not assume role arn").as_deref(), Some("see that the role"));
        assert_eq!(check("something new"), None);
    }
}
