//! SageMaker: whether the cluster's name is free or ours, and what other clusters use (P32, and the use in P05 and P06).
//! Knows nothing of quotas.

use std::sync::Arc;

use super::asker::{Asker, Whose};
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::context::TAG_RUN;
use crate::error::StepError;

/// Most clusters that are looked into: more than any account may have.
const MOST: usize = 100;

/// Instances of one group of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Used {
    pub cluster: String,
    pub instance_type: String,
    pub spot: bool,
    pub count: u64,
}

/// What the clusters of the region use; a failed one holds nothing.
pub(super) async fn used(asker: &Asker<'_>) -> Result<Arc<Vec<Used>>, StepError> {
    let ask = async {
        let mut pages = asker.clients.sagemaker().list_clusters().into_paginator().send();
        let mut names: Vec<String> = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| explain("list the HyperPod clusters", e))?;
            names.extend(page.cluster_summaries().iter().filter_map(|c| c.cluster_name()).map(str::to_owned));
        }
        let looks = names.iter().take(MOST).map(|name| look(asker, name));
        let found = futures::future::try_join_all(looks).await?;
        Ok(Arc::new(found.into_iter().flatten().collect()))
    };
    asker.learnt.used.get("", ask).await
}

async fn look(asker: &Asker<'_>, name: &str) -> Result<Vec<Used>, StepError> {
    let answer = asker.clients.sagemaker().describe_cluster().cluster_name(name).send().await;
    let cluster = match answer {
        Ok(cluster) => cluster,
        Err(e) => {
            let error = explain(&format!("describe the cluster {name}"), e);
            return if error.has_code("ResourceNotFound") { Ok(Vec::new()) } else { Err(error) };
        }
    };
    if cluster.cluster_status().is_some_and(|status| status.as_str() == "Failed") {
        return Ok(Vec::new());
    }
    let groups = cluster.instance_groups().iter().filter_map(|group| {
        let count = group.target_count().or(group.current_count())?;
        Some(Used {
            cluster: name.to_owned(),
            instance_type: group.instance_type()?.as_str().to_owned(),
            spot: group.capacity_requirements().is_some_and(|of| of.spot().is_some()),
            count: u64::try_from(count).unwrap_or(0),
        })
    });
    Ok(groups.collect())
}

pub(super) async fn name(asker: &Asker<'_>, name: &str, adopt: bool) -> Result<Verdict, StepError> {
    let sagemaker = asker.clients.sagemaker();
    let answer = match sagemaker.describe_cluster().cluster_name(name).send().await {
        Ok(answer) => answer,
        Err(e) => {
            let error = explain(&format!("describe the cluster {name}"), e);
            return if error.has_code("ResourceNotFound") { Ok(Verdict::Good) } else { Err(error) };
        }
    };
    let status = answer.cluster_status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    let arn = answer.cluster_arn().unwrap_or_default();
    let tags = sagemaker.list_tags().resource_arn(arn).send().await;
    let tags = tags.map_err(|e| explain(&format!("list the tags of the cluster {name}"), e))?;
    let run = tags.tags().iter().find(|tag| tag.key() == Some(TAG_RUN)).and_then(|tag| tag.value());
    Ok(name_verdict((name, &status), run.map(|run| (run, (asker.whose)(run))), adopt))
}

/// Of the cluster that has the name, and the run that made it.
fn name_verdict((name, status): (&str, &str), run: Option<(&str, Whose)>, adopt: bool) -> Verdict {
    match run {
        Some((_, Whose::Own)) => Verdict::Good,
        Some(_) | None if adopt && status == "Failed" => {
            Verdict::bad(format!("the cluster {name} has failed, and a failed cluster cannot be updated"))
                .help(format!("delete it: aws sagemaker delete-cluster --cluster-name {name}"))
        }
        Some(_) | None if adopt => Verdict::Good,
        Some(run) => Verdict::taken(&format!("the cluster {name}"), run),
        None => Verdict::bad(format!("a cluster {name} is there already ({status}), and no run of hprun made it"))
            .help("choose another name, or say `adopt: true`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_free_or_ours() {
        let bad = |v: Verdict| matches!(v, Verdict::Bad(..));
        let check =
            |status, whose: Option<Whose>, adopt| name_verdict(("c", status), whose.map(|whose| ("r1", whose)), adopt);
        assert!(bad(check("InService", None, false)));
        assert!(bad(check("Failed", None, true)));
        assert_eq!(check("InService", None, true), Verdict::Good);
        assert_eq!(check("Failed", Some(Whose::Own), false), Verdict::Good);
        assert!(matches!(check("InService", Some(Whose::Known("r1".to_owned())), false), Verdict::Doubt(..)));
        assert!(bad(check("InService", Some(Whose::Foreign), false)));
    }
}
