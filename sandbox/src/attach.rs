//! Finding a world that another process serves: its doors, its environment and its time.
//! Must not open or change the world itself.

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;

use crate::environment;
use crate::faults::FaultScript;
use crate::iam::CallerPolicy;

/// A world served by another process, as a client sees it.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The URL that all AWS services answer on.
    pub endpoint: String,
    /// The variables that point an AWS client at it and at nothing else.
    pub environment: Vec<(String, String)>,
    /// Sandbox time now.
    pub now: Timestamp,
    /// Sandbox seconds in one wall second.
    pub speed: f64,
}

/// Asks the process that serves `world` for its time, after handing it `faults` and `policy` if there are any.
///
/// # Errors
/// When the world's file cannot be read, or its server does not answer.
pub async fn attach(
    world: &Path,
    endpoint: &str,
    faults: Option<&FaultScript>,
    policy: Option<&CallerPolicy>,
) -> std::io::Result<Attached> {
    if let Some(script) = faults {
        let body = serde_json::to_vec(script).map_err(std::io::Error::other)?;
        call(Method::POST, &format!("{endpoint}/_sandbox/faults"), body).await?;
    }
    if let Some(policy) = policy {
        let body = policy.source().to_string().into_bytes();
        call(Method::POST, &format!("{endpoint}/_sandbox/policy"), body).await?;
    }
    let clock = call(Method::GET, &format!("{endpoint}/_sandbox/clock"), Vec::new()).await?;
    let clock: serde_json::Value = serde_json::from_slice(&clock).map_err(std::io::Error::other)?;
    let micros = clock["micros"].as_i64().ok_or_else(|| std::io::Error::other("it gives no time"))?;
    Ok(Attached {
        endpoint: endpoint.to_owned(),
        environment: environment::variables_of(world, endpoint),
        now: Timestamp::from_microsecond(micros).map_err(std::io::Error::other)?,
        speed: clock["speed"].as_f64().unwrap_or(1.0),
    })
}

async fn call(method: Method, url: &str, body: Vec<u8>) -> std::io::Result<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request =
        Request::builder().method(method).uri(url).body(Full::new(Bytes::from(body))).map_err(std::io::Error::other)?;
    let answer = client.request(request).await.map_err(std::io::Error::other)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    if status.is_success() { Ok(body) } else { Err(std::io::Error::other(String::from_utf8_lossy(&body).into_owned())) }
}
