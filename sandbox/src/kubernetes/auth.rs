//! Who calls: the EKS bearer token, a presigned GetCallerIdentity URL, checked as STS would check it.
//! Must not know what the caller may do.

use std::collections::BTreeMap;

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use url::Url;

use crate::world::{ACCESS_KEY, CALLER_ARN, SECRET_KEY};

/// Tokens are good for this long from their date, on the wall clock.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// How far the client's clock may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A caller whose token is good.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The ARN that GetCallerIdentity would answer.
    pub arn: String,
    /// The region whose STS the token was made for.
    pub region: String,
}

/// Checks an `Authorization` header for a cluster at a wall time.
///
/// # Errors
/// Why the token is not good; the client is told only 401, this is for the log.
pub fn identify(header: &str, cluster: &str, now: Timestamp) -> Result<Identity, &'static str> {
    let token = header.strip_prefix("Bearer ").ok_or("no bearer token")?;
    let encoded = token.strip_prefix("k8s-aws-v1.").ok_or("not an EKS token")?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(encoded.trim_end_matches('='))
        .map_err(|_| "not base64url")?;
    let text = String::from_utf8(bytes).map_err(|_| "not a URL")?;
    let url = Url::parse(&text).map_err(|_| "not a URL")?;
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if get("Action") != "GetCallerIdentity" {
        return Err("not a GetCallerIdentity URL");
    }
    let scope: Vec<&str> = get("X-Amz-Credential").split('/').collect();
    let [key, date, region, "sts", "aws4_request"] = scope.as_slice() else {
        return Err("not signed for STS");
    };
    if *key != ACCESS_KEY {
        return Err("an unknown access key");
    }
    if !get("X-Amz-SignedHeaders").split(';').any(|header| header == "x-k8s-aws-id") {
        return Err("the cluster name is not signed");
    }
    let made = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", get("X-Amz-Date"))
        .ok()
        .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let age = now.duration_since(made.ok_or("no readable date")?.timestamp());
    if age > GOOD_FOR || age < -AHEAD {
        return Err("expired");
    }
    let scope = format!("{date}/{region}/sts/aws4_request");
    if signature(&url, cluster, get("X-Amz-SignedHeaders"), get("X-Amz-Date"), &scope) != get("X-Amz-Signature") {
        return Err("the signature does not fit; is the token for another cluster?");
    }
    Ok(Identity { arn: CALLER_ARN.to_owned(), region: (*region).to_owned() })
}

/// The SigV4 signature that this URL must have when the cluster's name is sent as `x-k8s-aws-id`.
fn signature(url: &Url, cluster: &str, signed_headers: &str, date: &str, scope: &str) -> String {
    let mut pairs: Vec<&str> =
        url.query().unwrap_or_default().split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let header = |name: &str| match name {
        "host" => format!("host:{host}\n"),
        "x-k8s-aws-id" => format!("x-k8s-aws-id:{cluster}\n"),
        other => format!("{other}:\n"),
    };
    let headers: String = signed_headers.split(';').map(header).collect();
    let request = format!(
        "GET\n{}\n{}\n{headers}\n{signed_headers}\n{}",
        url.path(),
        pairs.join("&"),
        hex::encode(Sha256::digest(b""))
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(request)));
    let start = format!("AWS4{SECRET_KEY}").into_bytes();
    let key = scope.split('/').fold(start, |key, part| hmac(&key, part.as_bytes()));
    hex::encode(hmac(&key, to_sign.as_bytes()))
}

/// HMAC-SHA256.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(cluster: &str, date: &str, change: impl Fn(String) -> String) -> String {
        let scope = format!("{}/us-west-2/sts/aws4_request", &date[..8]);
        let credential = format!("{ACCESS_KEY}/{scope}").replace('/', "%2F");
        let unsigned = format!(
            "https://sts.us-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential={credential}&X-Amz-Date={date}&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"
        );
        let url = Url::parse(&unsigned).expect("a URL");
        let signed = change(format!(
            "{unsigned}&X-Amz-Signature={}",
            signature(&url, cluster, "host;x-k8s-aws-id", date, &scope)
        ));
        format!("Bearer k8s-aws-v1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signed))
    }

    #[test]
    fn a_token_is_good_for_its_cluster_and_a_quarter_of_an_hour() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let same = |url: String| url;
        let good = token("ml", "20260101T120000Z", same);
        let identity = identify(&good, "ml", at("2026-01-01T12:14:00Z")).expect("good");
        assert_eq!(identity, Identity { arn: CALLER_ARN.to_owned(), region: "us-west-2".to_owned() });
        for (header, cluster, now) in [
            (good.clone(), "other", "2026-01-01T12:00:00Z"),
            (good.clone(), "ml", "2026-01-01T12:16:00Z"),
            (good, "ml", "2026-01-01T11:00:00Z"),
            (
                token("ml", "20260101T120000Z", |url| url.replace("Expires=60", "Expires=61")),
                "ml",
                "2026-01-01T12:00:00Z",
            ),
            (token("ml", "20260101T120000Z", |url| url.replace(ACCESS_KEY, "AKIAOTHER")), "ml", "2026-01-01T12:00:00Z"),
            ("Bearer k8s-aws-v1.AAAA".to_owned(), "ml", "2026-01-01T12:00:00Z"),
            (String::new(), "ml", "2026-01-01T12:00:00Z"),
        ] {
            assert!(identify(&header, cluster, at(now)).is_err(), "{header} {cluster} {now}");
        }
    }
}
