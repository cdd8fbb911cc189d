//! Service Quotas: what the account may have, for the services of the sandbox that have limits.
//! Must not know how a limit is held; the services say what it is.

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::wire::{Call, Reply, ServiceError};
use crate::world::{Moment, World};
use crate::{ec2, sagemaker};

/// Names and codes of the network's quotas (AWS documentation), in the order of `ec2::QUOTAS`; the service that each is listed under.
const NETWORK: [(&str, &str, &str); 3] = [
    ("vpc", "VPCs per Region", "L-F678F1CE"),
    ("vpc", "Internet gateways per Region", "L-A4707A72"),
    ("ec2", "EC2-VPC Elastic IPs", "L-0263D0A3"),
];

/// Codes that AWS's documentation names (facts: Quotas); every other code here is made from the quota's name.
const CODES: [(&str, &str); 13] = [
    ("Maximum number instances allowed per SageMaker HyperPod cluster", "L-2CE978FC"),
    ("Total number of instances allowed across SageMaker HyperPod clusters", "L-3308CCC7"),
    ("Total number of Spot instances allowed across SageMaker HyperPod clusters", "L-97A2C724"),
    ("Maximum size of EBS volume in GB for a SageMaker HyperPod cluster instance", "L-E13DF72A"),
    ("ml.p5.48xlarge for cluster usage", "L-8762A75F"),
    ("ml.p4de.24xlarge for cluster usage", "L-BEF3120E"),
    ("ml.p5e.48xlarge for cluster usage", "L-FD431820"),
    ("ml.p5en.48xlarge for cluster usage", "L-6EF3AE05"),
    ("ml.p6-b200.48xlarge for cluster usage", "L-44097F05"),
    ("ml.p6-b300.48xlarge for cluster usage", "L-9883FE68"),
    ("ml.p6e-gb200.36xlarge for cluster usage", "L-5DB70460"),
    ("ml.g6e.12xlarge for cluster usage", "L-A15DF696"),
    ("ml.p5.48xlarge for cluster spot instance usage", "L-F742E2D7"),
];

/// Answers a call.
///
/// # Errors
/// AWS's own, and the sandbox's for what is not part of it.
pub fn handle(world: &World, call: &Call) -> Result<Reply, ServiceError> {
    let body = match call.operation.as_str() {
        "ListServiceQuotas" => {
            let input: List = call.json()?;
            world.read(&call.region, |_, cx| list(cx, &input))?
        }
        "GetServiceQuota" => {
            let input: Get = call.json()?;
            world.read(&call.region, |_, cx| get(cx, &input))?
        }
        _ => return Err(call.not_part()),
    };
    Ok(Reply::json11(&body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct List {
    service_code: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Get {
    service_code: String,
    quota_code: String,
}

fn list(cx: &Moment<'_>, input: &List) -> Result<Value, ServiceError> {
    let all = quotas(cx, &input.service_code)?;
    let most = input.max_results.unwrap_or(100);
    if !(1..=100).contains(&most) {
        return Err(invalid("IllegalArgumentException", "MaxResults must be from 1 to 100."));
    }
    let wrong = || invalid("InvalidPaginationTokenException", "The pagination token is invalid.");
    let start = input.next_token.as_ref().map_or(Ok(0), |token| token.parse::<usize>().map_err(|_| wrong()))?;
    let mut answer = json!({ "Quotas": all.iter().skip(start).take(most).collect::<Vec<_>>() });
    let end = start.saturating_add(most);
    if end < all.len() {
        answer["NextToken"] = end.to_string().into();
    }
    Ok(answer)
}

fn get(cx: &Moment<'_>, input: &Get) -> Result<Value, ServiceError> {
    let all = quotas(cx, &input.service_code)?;
    let found = all.into_iter().find(|quota| quota["QuotaCode"] == input.quota_code.as_str());
    let missing =
        || invalid("NoSuchResourceException", "The request failed because the specified quota does not exist.");
    found.map(|quota| json!({ "Quota": quota })).ok_or_else(missing)
}

/// The quotas of a service as they are shown.
fn quotas(cx: &Moment<'_>, service: &str) -> Result<Vec<Value>, ServiceError> {
    let title = match service {
        "sagemaker" => "Amazon SageMaker",
        "vpc" => "Amazon Virtual Private Cloud (Amazon VPC)",
        "ec2" => "Amazon Elastic Compute Cloud (Amazon EC2)",
        _ => {
            return Err(invalid(
                "NoSuchResourceException",
                "The request failed because the specified service does not exist.",
            ));
        }
    };
    let show = |name: &str, code: &str, value: f64| {
        json!({
            "ServiceCode": service,
            "ServiceName": title,
            "QuotaArn": format!("arn:aws:servicequotas:{}:{}:{service}/{code}", cx.region, cx.account),
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value,
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
        })
    };
    if service == "sagemaker" {
        return Ok(sagemaker::quotas(cx).iter().map(|(name, value)| show(name, &code(name), *value as f64)).collect());
    }
    let of_network = NETWORK.iter().zip(ec2::QUOTAS).filter(|((of, _, _), _)| *of == service);
    Ok(of_network.map(|((_, name, code), value)| show(name, code, value as f64)).collect())
}

/// The code of a quota by its name: `L-` and eight digits.
fn code(name: &str) -> String {
    let known = CODES.iter().find(|(of, _)| *of == name).map(|(_, code)| (*code).to_owned());
    known.unwrap_or_else(|| format!("L-{}", hex::encode_upper(&Sha256::digest(name)[..4])))
}

fn invalid(code: &str, message: &str) -> ServiceError {
    ServiceError::new(400, code, message)
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn a_code_is_the_documented_one_or_follows_from_the_name() {
        assert_eq!(code("ml.p5.48xlarge for cluster usage"), "L-8762A75F");
        assert_eq!(code("ml.m5.large for cluster usage"), code("ml.m5.large for cluster usage"));
        assert_ne!(code("ml.m5.large for cluster usage"), code("ml.m5.xlarge for cluster usage"));
    }
}
