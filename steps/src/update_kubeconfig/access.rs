//! Whether the cluster's API lets the caller in, and if not, what to type.
//! Knows nothing of how the kubeconfig is written; it only uses it.

use std::path::Path;
use std::time::Duration;

use aws_sdk_eks::types::{AuthenticationMode, Cluster};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::aws_error::explain;
pub use crate::clients::principal;
use crate::context::StepContext;
use crate::error::{ErrorClass, StepError};
use crate::kill_point;
use crate::kube_auth::no_token;
use crate::pace::Pace;

/// A new access entry, or a new cluster's address, needs some time to be known everywhere.
const PATIENCE: Duration = Duration::from_secs(120);
const ADMIN_POLICY: &str = "cluster-access-policy/AmazonEKSClusterAdminPolicy";

/// What the API said.
#[derive(Debug)]
pub struct Answer {
    /// Version of the API server, such as `v1.33.1`.
    pub version: String,
    /// Whether the caller may do everything.
    pub admin: bool,
}

/// Asks the API through the kubeconfig, until it answers or two minutes are over.
pub async fn check(
    cx: &StepContext<'_>,
    kubeconfig: &Path,
    cluster: &Cluster,
    principal: &str,
) -> Result<Answer, StepError> {
    let name = cluster.name().unwrap_or_default();
    let client = client(kubeconfig, name).await?;
    let (started, mut pace) = (cx.clock.elapsed(), Pace::new(Duration::from_secs(2), Duration::from_secs(10)));
    loop {
        cx.progress(format!("asking the API of {name}"));
        let error = match kill_point::around("request Kubernetes access review", ask(&client)).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let late = cx.clock.elapsed().saturating_sub(started) > PATIENCE;
        if is_unauthorized(&error) {
            if let Some(known) = why_not(cx, cluster, principal).await? {
                return Err(known);
            }
            if late {
                return Err(no_entry(cx, name, principal, "its access entry is not taken after two minutes"));
            }
            cx.progress(format!("the API of {name} does not know {principal} yet"));
        } else if late || !passes(&error) {
            return Err(unreachable(cluster, &error));
        } else {
            cx.progress(format!("the API of {name} does not answer yet"));
        }
        pace.pause(cx).await?;
    }
}

async fn client(kubeconfig: &Path, name: &str) -> Result<kube::Client, StepError> {
    let cannot = |why: String| StepError::failed(format!("the kubeconfig of {name} cannot be used: {why}"));
    let read = Kubeconfig::read_from(kubeconfig).map_err(|e| cannot(e.to_string()))?;
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .map_err(|e| cannot(e.to_string()))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.read_timeout = Some(Duration::from_secs(30));
    // To make a client runs the token program and waits for it.
    let made = tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await;
    made.map_err(|e| cannot(e.to_string()))?.map_err(|e| match e {
        kube::Error::Auth(why) => no_token(&format!("ask the API of {name}"), &why),
        other => cannot(other.to_string()),
    })
}

async fn ask(client: &kube::Client) -> Result<Answer, kube::Error> {
    let version = client.apiserver_version().await?.git_version;
    let everything = || Some("*".to_owned());
    let attributes =
        ResourceAttributes { verb: everything(), group: everything(), resource: everything(), ..Default::default() };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(Answer { version, admin: answer.status.is_some_and(|status| status.allowed) })
}

fn is_unauthorized(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 401)
}

/// Whether waiting may help: no connection, or the server's own trouble.
fn passes(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code >= 500 || status.code == 429,
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

/// Why the caller is not let in, where EKS can tell.
async fn why_not(cx: &StepContext<'_>, cluster: &Cluster, principal: &str) -> Result<Option<StepError>, StepError> {
    let name = cluster.name().unwrap_or_default();
    let mode = cluster.access_config().and_then(|access| access.authentication_mode());
    if mode == Some(&AuthenticationMode::ConfigMap) {
        return Ok(Some(config_map(name, principal)));
    }
    let asked = cx.clients.eks().describe_access_entry().cluster_name(name).principal_arn(principal).send().await;
    let error = match asked {
        Ok(_) => return Ok(None),
        Err(e) => explain(&format!("look for the access entry of {principal}"), e),
    };
    if error.has_code("ResourceNotFoundException") {
        return Ok(Some(no_entry(cx, name, principal, "it has no access entry")));
    }
    match error.class {
        ErrorClass::Login | ErrorClass::Interrupted => Err(error),
        // Not allowed to ask, or not now: the API's own answer decides.
        ErrorClass::Invalid
        | ErrorClass::Refused
        | ErrorClass::Failed
        | ErrorClass::Transient
        | ErrorClass::Unknown => Ok(None),
    }
}

fn no_entry(cx: &StepContext<'_>, name: &str, principal: &str, why: &str) -> StepError {
    let region = &cx.run.region;
    let partition = &cx.run.partition;
    let arn = spelled(principal);
    StepError::new(ErrorClass::Refused, format!("the API of {name} does not let {principal} in: {why}")).help(format!(
        "someone who administers {name} has to type:\n  \
         aws eks create-access-entry --region {region} --cluster-name {name} --principal-arn {arn}\n  \
         aws eks associate-access-policy --region {region} --cluster-name {name} --principal-arn {arn} \
         --policy-arn arn:{partition}:eks::aws:{ADMIN_POLICY} --access-scope type=cluster"
    ))
}

fn config_map(name: &str, principal: &str) -> StepError {
    StepError::refused(format!(
        "the API of {name} does not let {principal} in, and its authentication mode CONFIG_MAP knows no access entries"
    ))
    .help(format!(
        "HyperPod needs access entries: `aws eks update-cluster-config --name {name} --access-config \
         authenticationMode=API_AND_CONFIG_MAP` (there is no way back), then create an access entry"
    ))
}

fn unreachable(cluster: &Cluster, error: &kube::Error) -> StepError {
    let name = cluster.name().unwrap_or_default();
    let class = if passes(error) { ErrorClass::Transient } else { ErrorClass::Failed };
    let failure = StepError::new(class, format!("the API of {name} does not answer: {error}"));
    let public = cluster.resources_vpc_config().is_none_or(|vpc| vpc.endpoint_public_access());
    if public {
        failure.help(format!("check that {} can be reached from here", cluster.endpoint().unwrap_or_default()))
    } else {
        failure.help("its endpoint is private: run hprun inside its VPC, or turn on public access")
    }
}

/// For a command line. A session's ARN leaves out the role's path, which roles of IAM Identity Center always have.
fn spelled(principal: &str) -> String {
    match principal.rsplit_once('/') {
        Some((_, role)) if role.starts_with("AWSReservedSSO_") => {
            format!("\"$(aws iam get-role --role-name {role} --query Role.Arn --output text)\"")
        }
        _ => principal.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_entries_name_the_role_not_its_session() {
        for (caller, expected) in [
            ("arn:aws:sts::111122223333:assumed-role/Admin/me@example.com", "arn:aws:iam::111122223333:role/Admin"),
            ("arn:aws-cn:sts::111122223333:assumed-role/Admin/me", "arn:aws-cn:iam::111122223333:role/Admin"),
            ("arn:aws:iam::111122223333:user/team/me", "arn:aws:iam::111122223333:user/team/me"),
            ("arn:aws:sts::111122223333:federated-user/me", "arn:aws:sts::111122223333:federated-user/me"),
        ] {
            assert_eq!(principal(caller), expected, "{caller}");
        }
    }

    #[test]
    fn the_path_of_an_identity_center_role_is_looked_up() {
        let role = principal("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123/me");
        assert!(spelled(&role).contains("get-role --role-name AWSReservedSSO_Admin_0123"), "{}", spelled(&role));
        assert_eq!(spelled("arn:aws:iam::1:role/Admin"), "arn:aws:iam::1:role/Admin");
    }
}
