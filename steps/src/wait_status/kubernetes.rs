//! Looks at a Kubernetes workload or at the nodes of the cluster, through a kubeconfig.
//! Knows nothing of AWS; nothing here changes anything.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::rule::Look;
use super::{Workload, WorkloadKind};
use crate::error::{ErrorClass, StepError};
use crate::kill_point;
use crate::kube_auth::no_token;

/// The label of nodes that HyperPod made (AWS docs).
const HYPERPOD_NODES: &str = "sagemaker.amazonaws.com/compute-type=hyperpod";

/// A client for the current context of this kubeconfig; its exec entry is run when a token is needed.
pub async fn connect(text: &str) -> Result<Client, StepError> {
    let unusable = |e: &dyn std::fmt::Display| StepError::invalid(format!("the kubeconfig cannot be used: {e}"));
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|e| unusable(&e))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    match Client::try_from(config.map_err(|e| unusable(&e))?) {
        Ok(client) => Ok(client),
        Err(e @ kube::Error::Auth(_)) => Err(explain("use the kubeconfig", &e)),
        Err(e) => Err(unusable(&e)),
    }
}

/// Whether `wanted` nodes of HyperPod are Ready.
pub async fn nodes(client: &Client, wanted: i64) -> Result<Look, StepError> {
    let (api, hyperpod) = (Api::<Node>::all(client.clone()), ListParams::default().labels(HYPERPOD_NODES));
    let listed = kill_point::around("request Kubernetes list nodes", api.list(&hyperpod)).await;
    let nodes = listed.map_err(|e| explain("list the Kubernetes nodes", &e))?.items;
    let is_ready = |node: &&Node| {
        let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
        conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True")
    };
    let ready = count(nodes.iter().filter(is_ready).count());
    Ok(reached(ready, wanted, "nodes", "Ready"))
}

/// Whether a workload has all the pods it wants.
pub async fn workload(client: &Client, workload: &Workload) -> Result<Look, StepError> {
    let (name, namespace) = (workload.name.as_str(), workload.namespace.as_str());
    let doing = format!("read the {} {namespace}/{name}", workload.kind.word());
    let failed = |e: kube::Error| explain(&doing, &e);
    match workload.kind {
        WorkloadKind::Deployment => {
            let found = Api::<Deployment>::namespaced(client.clone(), namespace).get_opt(name).await.map_err(failed)?;
            let seen =
                found.as_ref().map(|d| (d.metadata.generation, d.status.as_ref().and_then(|s| s.observed_generation)));
            let counts = found.map(|d| {
                let wanted = d.spec.replicas.unwrap_or(1);
                (d.status.and_then(|s| s.available_replicas).unwrap_or(0), wanted)
            });
            Ok(pods(counts, seen))
        }
        WorkloadKind::StatefulSet => {
            let found =
                Api::<StatefulSet>::namespaced(client.clone(), namespace).get_opt(name).await.map_err(failed)?;
            let seen =
                found.as_ref().map(|d| (d.metadata.generation, d.status.as_ref().and_then(|s| s.observed_generation)));
            let counts = found.map(|d| {
                let wanted = d.spec.replicas.unwrap_or(1);
                (d.status.and_then(|s| s.ready_replicas).unwrap_or(0), wanted)
            });
            Ok(pods(counts, seen))
        }
        WorkloadKind::DaemonSet => {
            let found = Api::<DaemonSet>::namespaced(client.clone(), namespace).get_opt(name).await.map_err(failed)?;
            let seen =
                found.as_ref().map(|d| (d.metadata.generation, d.status.as_ref().and_then(|s| s.observed_generation)));
            Ok(pods(found.and_then(|d| d.status).map(|s| (s.number_ready, s.desired_number_scheduled)), seen))
        }
        WorkloadKind::Job => {
            let found = Api::<Job>::namespaced(client.clone(), namespace).get_opt(name).await.map_err(failed)?;
            Ok(job(found))
        }
    }
}

fn job(found: Option<Job>) -> Look {
    let Some(job) = found else { return Look::Busy("not there yet".to_owned()) };
    let wanted = job.spec.and_then(|s| s.completions).unwrap_or(1);
    let status = job.status.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    if let Some(failed) = conditions.iter().find(|c| c.type_ == "Failed" && c.status == "True") {
        return Look::Failed(format!("it failed: {}", failed.message.as_deref().unwrap_or("no reason given")));
    }
    reached(i64::from(status.succeeded.unwrap_or(0)), i64::from(wanted), "pods", "done")
}

/// `seen` is the generation that is wanted and the one that the counts are about: a workload that was changed a moment
/// ago still shows the pods of before.
fn pods(counts: Option<(i32, i32)>, seen: Option<(Option<i64>, Option<i64>)>) -> Look {
    if let Some((Some(wanted), observed)) = seen
        && observed.unwrap_or(0) < wanted
    {
        return Look::Busy("its newest change is not yet seen".to_owned());
    }
    match counts {
        Some((ready, wanted)) => reached(i64::from(ready), i64::from(wanted), "pods", "ready"),
        None => Look::Busy("not there yet".to_owned()),
    }
}

fn reached(ready: i64, wanted: i64, what: &str, word: &str) -> Look {
    if ready >= wanted {
        Look::Ready { status: "Ready".to_owned(), nodes: ready }
    } else {
        Look::Busy(format!("{what} {ready}/{wanted} {word}"))
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// An access entry takes a while to be known everywhere, so a refusal is no end either.
fn explain(doing: &str, error: &kube::Error) -> StepError {
    let could_not = format!("could not {doing}");
    match error {
        kube::Error::Api(status) if status.code == 401 || status.code == 403 => {
            StepError::new(ErrorClass::Login, format!("{could_not}: {}", status.message))
                .help("the caller needs an EKS access entry with a policy that may read this")
        }
        kube::Error::Api(status) if status.code == 429 || status.code >= 500 => {
            StepError::new(ErrorClass::Transient, format!("{could_not}: {}", status.message))
        }
        kube::Error::Api(status) => StepError::failed(format!("{could_not}: {}", status.message)),
        kube::Error::Auth(e) => no_token(doing, e),
        other => StepError::new(ErrorClass::Transient, format!("{could_not}: no answer")).because(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_before_a_change_are_not_believed() {
        let check = |counts, seen| match pods(counts, seen) {
            Look::Ready { nodes, .. } => format!("ready with {nodes}"),
            Look::Busy(what) | Look::Failed(what) => what,
        };
        assert_eq!(check(Some((2, 2)), Some((Some(1), Some(1)))), "ready with 2");
        assert_eq!(check(Some((2, 2)), Some((Some(2), Some(1)))), "its newest change is not yet seen");
        assert_eq!(check(Some((2, 2)), Some((Some(1), None))), "its newest change is not yet seen");
        assert_eq!(check(Some((1, 2)), Some((None, None))), "pods 1/2 ready");
        assert_eq!(check(None, None), "not there yet");
    }
}
