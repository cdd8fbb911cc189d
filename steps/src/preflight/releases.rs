//! The Kubernetes API: how a Helm release stands, and whose it is, by the labels of the secrets that helm keeps (P36).
//! Knows nothing of charts, and runs no helm.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;

use super::asker::{Asker, Whose};
use super::eks::Eks;
use super::verdict::Verdict;
use crate::eks_token;
use crate::error::StepError;

/// The label by which helm-install marks a release with the run that made it.
const RUN: &str = "hprun-run-id";

pub(super) async fn release(
    asker: &Asker<'_>,
    eks: &str,
    (namespace, name): (&str, &str),
    adopt: bool,
) -> Result<Verdict, StepError> {
    let found = super::eks::cluster(asker, eks).await?;
    // Without a cluster there is no release; what is wrong with the cluster is said where it is asked for.
    let Some(cluster) = found.filter(|cluster| cluster.status == "ACTIVE") else { return Ok(Verdict::Good) };
    let client = client(asker, eks, &cluster).await?;
    let ours = ListParams::default().labels(&format!("owner=helm,name={name}"));
    let secrets =
        Api::<Secret>::namespaced(client, namespace).list_metadata(&ours).await.map_err(|e| unasked(eks, &e))?;
    let labels: Vec<BTreeMap<String, String>> =
        secrets.items.into_iter().map(|secret| secret.metadata.labels.unwrap_or_default()).collect();
    let newest = labels.iter().max_by_key(|labels| labels.get("version").and_then(|v| v.parse::<u64>().ok()));
    let run = newest.and_then(|labels| labels.get(RUN)).map(String::as_str);
    let status = newest.and_then(|labels| labels.get("status")).map(String::as_str);
    Ok(release_verdict((namespace, name), status, run.map(|run| (run, (asker.whose)(run))), adopt))
}

/// Of a release of this name, if there is one: its status, and the run that made it.
fn release_verdict(
    (namespace, name): (&str, &str),
    status: Option<&str>,
    run: Option<(&str, Whose)>,
    adopt: bool,
) -> Verdict {
    let Some(status) = status else { return Verdict::Good };
    let id = format!("{namespace}/{name}");
    let moving = status.starts_with("pending-") || status.starts_with("uninstall");
    match run {
        Some((_, Whose::Own)) => Verdict::Good,
        Some(known @ (_, Whose::Known(_))) if !adopt => Verdict::taken(&format!("the release {id}"), known),
        Some(_) | None if moving => Verdict::bad(format!("the release {id} is {status}, and not of this run"))
            .help(format!("if nobody is at it: helm rollback or helm uninstall -n {namespace} {name}")),
        Some(_) | None if adopt => Verdict::Good,
        Some(run) => Verdict::taken(&format!("the release {id}"), run),
        None => Verdict::bad(format!("the release {id} is there already ({status}), and no run of hprun made it"))
            .help("choose another `release`, or say `adopt: true`"),
    }
}

/// A client with a token of the caller's, without a kubeconfig.
async fn client(asker: &Asker<'_>, name: &str, cluster: &Eks) -> Result<kube::Client, StepError> {
    let cannot = |e: &dyn std::fmt::Display| StepError::failed(format!("could not reach the API of {name}: {e}"));
    let token = eks_token::token(asker.clients, name).await?;
    let kubeconfig = json!({
        "clusters": [{ "name": "c", "cluster": {
            "server": cluster.endpoint, "certificate-authority-data": cluster.authority,
        } }],
        "users": [{ "name": "u", "user": { "token": token.token.reveal() } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        "current-context": "c",
    });
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|e| cannot(&e))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|e| cannot(&e))?;
    config.connect_timeout = Some(Duration::from_secs(3));
    config.read_timeout = Some(Duration::from_secs(8));
    kube::Client::try_from(config).map_err(|e| cannot(&e))
}

/// Why the API gave no answer. Its refusal is not IAM's: what it lacks is an access entry, which is asked about for itself.
fn unasked(name: &str, error: &kube::Error) -> StepError {
    match error {
        kube::Error::Api(status) if status.code == 401 || status.code == 403 => {
            StepError::failed(format!("could not ask the API of {name}: it does not let the caller in"))
        }
        _ => StepError::failed(format!("could not ask the API of {name}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_absent_ours_or_taken() {
        let check = |status, whose: Option<Whose>, adopt| {
            release_verdict(("kube-system", "r"), status, whose.map(|whose| ("r1", whose)), adopt)
        };
        assert_eq!(check(None, None, false), Verdict::Good);
        assert_eq!(check(Some("deployed"), Some(Whose::Own), false), Verdict::Good);
        assert_eq!(check(Some("deployed"), None, true), Verdict::Good);
        assert!(matches!(check(Some("deployed"), Some(Whose::Known("r1".to_owned())), false), Verdict::Doubt(..)));
        assert!(matches!(check(Some("deployed"), Some(Whose::Foreign), false), Verdict::Bad(..)));
        assert!(matches!(check(Some("deployed"), None, false), Verdict::Bad(..)));
        assert!(matches!(check(Some("pending-install"), None, true), Verdict::Bad(..)));
        assert_eq!(check(Some("deployed"), Some(Whose::Foreign), true), Verdict::Good);
        assert!(matches!(check(Some("pending-upgrade"), Some(Whose::Foreign), true), Verdict::Bad(..)));
    }
}
