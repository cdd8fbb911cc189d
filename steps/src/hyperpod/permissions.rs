//! What the calls about a HyperPod cluster need of IAM. A cluster's ARN holds an id that SageMaker makes up, not its name:
//! nothing here can be narrowed to one cluster before it is there. Its log group holds the name.

use crate::permissions::{Permission, Surroundings};

/// These calls on the clusters of the account and region.
pub fn calls<'a>(around: &Surroundings<'_>, actions: impl IntoIterator<Item = &'a str>) -> Permission {
    Permission::new("HyperPod", actions, [around.arn("sagemaker", "cluster/*")])
}

/// To show why a cluster of one of these names failed: the end of its lifecycle log.
pub fn logs<'a>(around: &Surroundings<'_>, clusters: impl IntoIterator<Item = &'a str>) -> Permission {
    let group = |cluster| around.arn("logs", &format!("log-group:/aws/sagemaker/Clusters/{cluster}/*"));
    let groups = clusters.into_iter().map(group);
    Permission::new("Logs", ["logs:DescribeLogStreams", "logs:GetLogEvents"], groups)
}
