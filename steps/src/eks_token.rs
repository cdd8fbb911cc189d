//! Tokens for an EKS cluster's API: a presigned call of STS, in the form that `aws eks get-token` gives.
//! Knows nothing of kubeconfigs or of who uses the token. Nothing is sent: a token is made on this machine.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::clients::Clients;
use crate::error::{ErrorClass, StepError};
use crate::value::Secret;

/// The header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";
const PREFIX: &str = "k8s-aws-v1.";
/// For how long STS takes the presigned call, as the AWS CLI sets it.
const URL_LIFE: Duration = Duration::from_secs(60);
/// EKS takes a token for 15 minutes; a minute less, so that it is renewed in time (facts: AWS CLI).
const TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(14);

/// A bearer token for one cluster.
#[derive(Clone, Debug)]
pub struct EksToken {
    /// The token.
    pub token: Secret,
    /// When to ask for a new one.
    pub expires: Timestamp,
}

/// A token for the cluster of this name, signed with the clients' credentials in their region, at wall time.
///
/// # Errors
/// No region, or no usable credentials.
pub async fn token(clients: &Clients, cluster: &str) -> Result<EksToken, StepError> {
    let now = SystemTime::now();
    let region = clients.region().ok_or_else(|| {
        StepError::invalid(format!("cannot make a token for the cluster {cluster}: no region is set"))
            .help("set AWS_REGION or give --region")
    })?;
    let endpoint = match clients.endpoint_url() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", sts_host(region)),
    };
    let url = presign(clients, cluster, region, &endpoint, now).await?;
    let token = Secret::new("eks-token", format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url)));
    let signed = Timestamp::try_from(now).map_err(|e| StepError::failed(format!("the clock is wrong: {e}")))?;
    let expires = signed.checked_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX);
    Ok(EksToken { token, expires })
}

/// What kubectl, helm and the kube crate read from the program that a kubeconfig's `exec` names.
pub fn exec_credential(token: &EksToken) -> serde_json::Value {
    serde_json::json!({
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "spec": {},
        "status": {
            "expirationTimestamp": token.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "token": token.token.reveal(),
        },
    })
}

/// The regional STS endpoint (AWS General Reference).
fn sts_host(region: &str) -> String {
    let domain = match region {
        r if r.starts_with("cn-") => "amazonaws.com.cn",
        r if r.starts_with("us-iso-") => "c2s.ic.gov",
        r if r.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ => "amazonaws.com",
    };
    format!("sts.{region}.{domain}")
}

async fn presign(
    clients: &Clients,
    cluster: &str,
    region: &str,
    endpoint: &str,
    now: SystemTime,
) -> Result<String, StepError> {
    let cannot = |why: String| StepError::failed(format!("cannot sign a token for the cluster {cluster}")).because(why);
    let login = |why: String| {
        StepError::new(ErrorClass::Login, format!("cannot sign a token for the cluster {cluster}: no credentials"))
            .because(why)
            .help("log in (for example `aws sso login`), then try again")
    };
    let provider = clients.credentials().ok_or_else(|| login("none are configured".to_owned()))?;
    let identity = provider.provide_credentials().await.map_err(|e| login(e.to_string()))?.into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(URL_LIFE);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|e| cannot(e.to_string()))?
        .into();
    let url = format!("{endpoint}/?Action=GetCallerIdentity&Version=2011-06-15");
    let headers = [(CLUSTER_HEADER, cluster)].into_iter();
    let request =
        SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b"")).map_err(|e| cannot(e.to_string()))?;
    let (signature, _) = sign(request, &params).map_err(|e| cannot(e.to_string()))?.into_parts();
    let mut signed = url::Url::parse(&url).map_err(|e| cannot(e.to_string()))?;
    let (_, pairs) = signature.into_parts();
    signed.query_pairs_mut().extend_pairs(pairs.iter().map(|(name, value)| (*name, value.as_ref())));
    Ok(signed.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{ClientOptions, SandboxEndpoint};

    #[tokio::test]
    async fn a_token_is_a_presigned_call_bound_to_its_cluster() {
        let sandbox = SandboxEndpoint {
            url: "http://127.0.0.1:9".to_owned(),
            access_key: "AKIAEXAMPLE".to_owned(),
            secret_key: "example".to_owned(),
        };
        let options =
            ClientOptions { region: Some("eu-west-1".to_owned()), sandbox: Some(sandbox), ..Default::default() };
        let made = token(&Clients::new(options).await, "ml").await.expect("a token");
        let encoded = made.token.reveal().strip_prefix(PREFIX).expect("the prefix").to_owned();
        assert!(!encoded.contains(['=', '+', '/']), "base64url without padding: {encoded}");
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).expect("base64url")).expect("text");
        let url = url::Url::parse(&url).expect("a URL");
        let query: std::collections::BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!(
            (query["X-Amz-Expires"].as_str(), query["X-Amz-SignedHeaders"].as_str()),
            ("60", "host;x-k8s-aws-id")
        );
        assert!(query["X-Amz-Credential"].ends_with("/eu-west-1/sts/aws4_request"), "{query:?}");
        let credential = exec_credential(&made);
        assert_eq!(credential["status"]["token"], made.token.reveal());
        let expires: Timestamp =
            credential["status"]["expirationTimestamp"].as_str().expect("text").parse().expect("a time");
        let left = expires.duration_since(Timestamp::now());
        assert!(left > SignedDuration::from_mins(13) && left <= SignedDuration::from_mins(14), "{left}");
        assert!(!format!("{made:?}").contains(made.token.reveal()), "a token is not shown");
    }

    #[test]
    fn the_endpoint_is_the_regions_own() {
        assert_eq!(sts_host("us-west-2"), "sts.us-west-2.amazonaws.com");
        assert_eq!(sts_host("cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
    }
}
