//! The AWS clients that steps share, built once a run with our timeouts; and who is calling.
//! Knows nothing of any step. No other file builds a client or reads AWS configuration.

use std::sync::OnceLock;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};

use crate::aws_error::explain;
use crate::error::{ErrorClass, StepError};
use crate::login;
use crate::request_log::RequestLog;

/// How to reach AWS.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// Region; without one, what the environment and the profile say.
    pub region: Option<String>,
    /// Profile of the shared configuration.
    pub profile: Option<String>,
    /// Role to assume with the profile's credentials.
    pub role: Option<String>,
    /// Set for the sandbox only: where it listens, and its fixed fake credentials, so that nothing of the user's is used.
    pub sandbox: Option<SandboxEndpoint>,
    /// How much faster than the wall time runs there: the SDK's pauses between two tries are so much shorter.
    pub speed: Option<f64>,
}

/// Where a sandbox listens, and the credentials it knows.
#[derive(Clone, Debug)]
pub struct SandboxEndpoint {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key: fake, and known to all.
    pub secret_key: String,
}

/// Who is calling, as GetCallerIdentity says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Account id of 12 digits.
    pub account: String,
    /// ARN of the user or assumed role.
    pub arn: String,
    /// Partition, from the ARN.
    pub partition: String,
}

/// The clients. Each is made when it is first asked for: to make one costs some milliseconds.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
    profile: Option<String>,
    cloudformation: OnceLock<aws_sdk_cloudformation::Client>,
    cloudwatchlogs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    eks: OnceLock<aws_sdk_eks::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sagemaker: OnceLock<aws_sdk_sagemaker::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    plain: OnceLock<SharedHttpConnector>,
}

impl Clients {
    /// Reads the AWS configuration (no request is sent yet, except what a role or SSO profile needs).
    pub async fn new(options: ClientOptions) -> Self {
        // The defaults have no read or operation timeout: a dropped connection would hang a run for ever.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(60))
            .operation_attempt_timeout(Duration::from_secs(75))
            .operation_timeout(Duration::from_secs(240))
            .build();
        if let Some(sandbox) = &options.sandbox {
            let retries = quick_retries(options.speed.unwrap_or(1.0));
            return Self::from_config(sandbox_config(sandbox, options.region.as_deref(), timeouts, retries), None);
        }
        let mut loader = aws_config::defaults(behavior_version()).timeout_config(timeouts);
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(client) = client_with_extra_roots() {
            loader = loader.http_client(client);
        }
        let mut config = loader.load().await;
        // An empty AWS_ENDPOINT_URL means none; the SDK would panic.
        if config.endpoint_url() == Some("") {
            let mut builder = config.into_builder();
            builder.set_endpoint_url(None);
            config = builder.build();
        }
        if let Some(role) = &options.role {
            config = assume(config, role).await;
        }
        Self::from_config(config, options.profile)
    }

    fn from_config(config: SdkConfig, profile: Option<String>) -> Self {
        Self {
            config,
            profile,
            cloudformation: OnceLock::new(),
            cloudwatchlogs: OnceLock::new(),
            eks: OnceLock::new(),
            s3: OnceLock::new(),
            sagemaker: OnceLock::new(),
            ssm: OnceLock::new(),
            sts: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// Connections for requests that no SDK signs ([`crate::signed`]), to where the clients' own go.
    pub fn connections(&self) -> &SharedHttpConnector {
        self.plain.get_or_init(|| {
            let builder = aws_smithy_http_client::Connector::builder();
            if self.endpoint_url().is_some_and(|url| url.starts_with("http://")) {
                return SharedHttpConnector::new(builder.build_http());
            }
            let context = context_with_extra_roots().unwrap_or_default();
            let builder =
                builder.proxy_config(ProxyConfig::from_env()).tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            SharedHttpConnector::new(builder.tls_context(context).build())
        })
    }

    /// CloudFormation.
    pub fn cloudformation(&self) -> &aws_sdk_cloudformation::Client {
        self.cloudformation.get_or_init(|| {
            let config = aws_sdk_cloudformation::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_cloudformation::Client::from_conf(config.build())
        })
    }

    /// CloudWatch Logs.
    pub fn cloudwatchlogs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        self.cloudwatchlogs.get_or_init(|| {
            let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
        })
    }

    /// EKS.
    pub fn eks(&self) -> &aws_sdk_eks::Client {
        self.eks.get_or_init(|| {
            let config = aws_sdk_eks::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_eks::Client::from_conf(config.build())
        })
    }

    /// S3.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// SageMaker.
    pub fn sagemaker(&self) -> &aws_sdk_sagemaker::Client {
        self.sagemaker.get_or_init(|| {
            let config = aws_sdk_sagemaker::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_sagemaker::Client::from_conf(config.build())
        })
    }

    /// Systems Manager.
    pub fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.ssm.get_or_init(|| {
            let config = aws_sdk_ssm::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_ssm::Client::from_conf(config.build())
        })
    }

    /// STS.
    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.config).interceptor(RequestLog);
            aws_sdk_sts::Client::from_conf(config.build())
        })
    }

    /// The region that all clients use, if any is configured.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    /// Where all services are, when that is one fixed address (the sandbox, or AWS_ENDPOINT_URL).
    pub fn endpoint_url(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// The credentials, for what the SDK cannot sign: an EKS token.
    pub fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.config.credentials_provider()
    }

    /// Who is calling. The first request of every run.
    pub async fn caller(&self) -> Result<Caller, StepError> {
        let answer = match self.sts().get_caller_identity().send().await {
            Ok(answer) => answer,
            Err(e) => return Err(self.with_advice(explain("ask AWS who is calling", e), "try again").await),
        };
        let arn = answer.arn().unwrap_or_default().to_owned();
        let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
        Ok(Caller { account: answer.account().unwrap_or_default().to_owned(), partition, arn })
    }

    /// The text of an SSM parameter; a SecureString is decrypted only when `secure` says that a secret is wanted.
    pub async fn parameter(&self, path: &str, secure: bool) -> Result<String, StepError> {
        let doing = format!("read the SSM parameter {path}");
        let answer = match self.ssm().get_parameter().name(path).with_decryption(secure).send().await {
            Ok(answer) => answer,
            Err(e) => return Err(self.with_advice(explain(&doing, e), "try again").await),
        };
        let parameter = answer.parameter();
        if !secure && parameter.and_then(|p| p.r#type()) == Some(&aws_sdk_ssm::types::ParameterType::SecureString) {
            let help = "mark the param with `secret: true`";
            return Err(StepError::invalid(format!("the SSM parameter {path} is a SecureString")).help(help));
        }
        parameter
            .and_then(|p| p.value())
            .map(str::to_owned)
            .ok_or_else(|| StepError::invalid(format!("the SSM parameter {path} has no value")))
    }

    /// The error; where a person has to log in, with what to type for credentials of this kind, and `then`.
    pub async fn with_advice(&self, error: StepError, then: &str) -> StepError {
        if error.class != ErrorClass::Login || error.help.is_some() {
            return error;
        }
        error.help(format!("{}, then {then}", login::advice(self.profile.as_deref()).await))
    }
}

/// The IAM principal that access entries name: the role of an assumed-role session, or the user itself.
pub fn principal(caller_arn: &str) -> String {
    let parts: Vec<&str> = caller_arn.splitn(6, ':').collect();
    let [arn, partition, "sts", _, account, session] = parts.as_slice() else { return caller_arn.to_owned() };
    match session.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, _] => format!("{arn}:{partition}:iam::{account}:role/{role}"),
        _ => caller_arn.to_owned(),
    }
}

async fn assume(config: SdkConfig, role: &str) -> SdkConfig {
    let provider =
        aws_config::sts::AssumeRoleProvider::builder(role).configure(&config).session_name("hprun").build().await;
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

/// Pinned, so that an update of the SDK does not change how hprun retries.
fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Built by hand, without the loader: no profile, no environment, no proxy of the user's can leak in.
fn sandbox_config(
    sandbox: &SandboxEndpoint,
    region: Option<&str>,
    timeouts: TimeoutConfig,
    retries: RetryConfig,
) -> SdkConfig {
    let credentials = Credentials::new(&sandbox.access_key, &sandbox.secret_key, None, None, "hprun-sandbox");
    SdkConfig::builder()
        .behavior_version(behavior_version())
        .region(Region::new(region.unwrap_or("us-west-2").to_owned()))
        .endpoint_url(&sandbox.url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .timeout_config(timeouts)
        .retry_config(retries)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// The SDK's own retries, with pauses that pass as fast as the sandbox's time does.
fn quick_retries(speed: f64) -> RetryConfig {
    let (first, most) = (Duration::from_secs(1), Duration::from_secs(20));
    RetryConfig::standard().with_initial_backoff(first.div_f64(speed)).with_max_backoff(most.div_f64(speed))
}

/// The SDK does not read AWS_CA_BUNDLE, which the AWS CLI does and companies with an inspecting proxy rely on.
fn context_with_extra_roots() -> Option<TlsContext> {
    let bundle = std::fs::read(std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty())?).ok()?;
    let roots = TrustStore::default().with_pem_certificate(bundle);
    TlsContext::builder().with_trust_store(roots).build().ok()
}

fn client_with_extra_roots() -> Option<SharedHttpClient> {
    let context = context_with_extra_roots()?;
    let provider = Provider::Rustls(CryptoMode::AwsLc);
    Some(aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, _| {
        let mut connector = aws_smithy_http_client::Connector::builder()
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(provider.clone())
            .tls_context(context.clone());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.build()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_network_while_a_role_is_renewed_is_no_missing_login() {
        let (access_key, secret_key) = ("none".to_owned(), "none".to_owned());
        let nowhere = SandboxEndpoint { url: "http://sts.us-west-2.invalid".to_owned(), access_key, secret_key };
        let config = sandbox_config(&nowhere, None, TimeoutConfig::disabled(), quick_retries(1000.0));
        let time = aws_smithy_async::time::SystemTimeSource::new();
        let config = config.into_builder().time_source(time).build();
        let config = assume(config, "arn:aws:iam::111122223333:role/ops").await;
        let error = Clients::from_config(config, None).caller().await.expect_err("nobody is there");
        assert_eq!((error.class, error.help.as_deref()), (ErrorClass::Transient, None), "{error:?}");
        assert_eq!(error.message, "could not ask AWS who is calling: no connection to what gives the credentials");
    }
}
