//! Service Quotas, and what is used of them: instances, volumes, VPCs, gateways, addresses (P05 to P08).
//! Knows nothing of zones or capacity: a quota is a right, not a machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::asker::Asker;
use super::clusters::{self, Used};
use super::verdict::Verdict;
use crate::error::StepError;
use crate::question::{Instances, NetworkPart};
use crate::signed::{self, Service};

/// Quotas of a service by name: value and code.
pub(super) type Quotas = BTreeMap<String, (f64, String)>;

/// Names and codes of the quotas that are not of one instance type (AWS documentation, Service Quotas).
const PER_CLUSTER: (&str, &str) = ("Maximum number instances allowed per SageMaker HyperPod cluster", "L-2CE978FC");
const ALL_CLUSTERS: (&str, &str) =
    ("Total number of instances allowed across SageMaker HyperPod clusters", "L-3308CCC7");
const ALL_SPOT: (&str, &str) =
    ("Total number of Spot instances allowed across SageMaker HyperPod clusters", "L-97A2C724");
const VOLUME: (&str, &str) =
    ("Maximum size of EBS volume in GB for a SageMaker HyperPod cluster instance", "L-E13DF72A");
/// Codes of the quotas of a type, where they are known: for when the list does not have the name.
const TYPES: [(&str, &str); 9] = [
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
/// The quota of this name, and its code. A list of all names is asked for once; a code, where the list lacks the name.
async fn quota(asker: &Asker<'_>, name: &str, code: Option<&str>) -> Result<Option<(f64, String)>, StepError> {
    let all = asker.learnt.quotas.get("sagemaker", list(asker, "sagemaker")).await?;
    match (all.get(name), code) {
        (Some(found), _) => Ok(Some(found.clone())),
        (None, Some(code)) => Ok(by_code(asker, "sagemaker", code).await?.map(|value| (value, code.to_owned()))),
        (None, None) => Ok(None),
    }
}

async fn list(asker: &Asker<'_>, service: &str) -> Result<Arc<Quotas>, StepError> {
    let mut all = Quotas::new();
    let mut token = Json::Null;
    loop {
        let mut body = json!({ "ServiceCode": service, "MaxResults": 100 });
        if !token.is_null() {
            body["NextToken"] = token;
        }
        let page = signed::json(asker.clients, Service::ServiceQuotas, "ListServiceQuotas", &body).await?;
        for quota in page["Quotas"].as_array().into_iter().flatten() {
            if let (Some(name), Some(value)) = (quota["QuotaName"].as_str(), quota["Value"].as_f64()) {
                all.insert(name.to_owned(), (value, quota["QuotaCode"].as_str().unwrap_or_default().to_owned()));
            }
        }
        token = page["NextToken"].clone();
        if token.is_null() {
            return Ok(Arc::new(all));
        }
    }
}

/// The value of a quota; none where the account has none of that code.
async fn by_code(asker: &Asker<'_>, service: &str, code: &str) -> Result<Option<f64>, StepError> {
    let body = json!({ "ServiceCode": service, "QuotaCode": code });
    match signed::json(asker.clients, Service::ServiceQuotas, "GetServiceQuota", &body).await {
        Ok(answer) => Ok(answer["Quota"]["Value"].as_f64()),
        Err(e) if e.has_code("NoSuchResourceException") => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) async fn of_type(
    asker: &Asker<'_>,
    (instance_type, spot): (&str, bool),
    wanted: u64,
    cluster: &str,
) -> Result<Verdict, StepError> {
    let name = format!("{instance_type} for cluster {}usage", if spot { "spot instance " } else { "" });
    let code = TYPES.iter().find(|(of, _)| *of == name).map(|(_, code)| *code);
    let (quota, used) = futures::try_join!(quota(asker, &name, code), clusters::used(asker))?;
    let same = |group: &&Used| group.instance_type == instance_type && group.spot == spot;
    let (others, own) = others_and_own(used.iter().filter(same), cluster);
    Ok(room(&name, quota.as_ref(), others, own, wanted))
}

pub(super) async fn total(
    asker: &Asker<'_>,
    which: Instances,
    wanted: u64,
    cluster: &str,
) -> Result<Verdict, StepError> {
    let (name, code) = match which {
        Instances::InCluster => PER_CLUSTER,
        Instances::InAll => ALL_CLUSTERS,
        Instances::Spot => ALL_SPOT,
    };
    let (quota, used) = futures::try_join!(quota(asker, name, Some(code)), clusters::used(asker))?;
    let counts = |group: &&Used| group.spot || which != Instances::Spot;
    let (others, own) = others_and_own(used.iter().filter(counts), cluster);
    // What others have does not count in this cluster.
    let others = if which == Instances::InCluster { 0 } else { others };
    Ok(room(name, quota.as_ref(), others, own, wanted))
}

/// What other clusters use, and what this one has.
fn others_and_own<'a>(used: impl Iterator<Item = &'a Used>, cluster: &str) -> (u64, u64) {
    used.fold(
        (0, 0),
        |(others, own), group| {
            if group.cluster == cluster { (others, own + group.count) } else { (others + group.count, own) }
        },
    )
}

/// Whether a quota has room for what is wanted beside what others use. To want no more than there is needs no room.
fn room(name: &str, quota: Option<&(f64, String)>, others: u64, own: u64, wanted: u64) -> Verdict {
    let Some((limit, code)) = quota else {
        return Verdict::Unknown(format!("because the account has no quota `{name}`"));
    };
    let limit = whole(*limit);
    let desired = others.saturating_add(wanted);
    if wanted <= own || desired <= limit {
        return Verdict::Good;
    }
    let used = if others > 0 { format!(", of which {others} are used") } else { String::new() };
    Verdict::bad(format!("the quota `{name}` is {limit}{used}, and {wanted} are wanted")).help(format!(
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code {code} --desired-value {desired}"
    ))
}

fn whole(number: f64) -> u64 {
    // Quotas are whole, and far below what a float holds exactly.
    number.max(0.0) as u64
}

pub(super) async fn volume(asker: &Asker<'_>, gigabytes: u64) -> Result<Verdict, StepError> {
    let quota = quota(asker, VOLUME.0, Some(VOLUME.1)).await?;
    Ok(volume_verdict(quota.as_ref(), gigabytes))
}

/// Of the largest volume.
fn volume_verdict(quota: Option<&(f64, String)>, gigabytes: u64) -> Verdict {
    match quota {
        None => Verdict::Unknown(format!("because the account has no quota `{}`", VOLUME.0)),
        Some((limit, code)) if gigabytes > whole(*limit) => {
            Verdict::bad(format!("a volume of {gigabytes} GB is wanted, and the quota is {limit} GB")).help(format!(
                "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code {code} --desired-value {gigabytes}"
            ))
        }
        Some(_) => Verdict::Good,
    }
}

pub(super) async fn network(
    asker: &Asker<'_>,
    stack: &str,
    which: NetworkPart,
    wanted: u64,
) -> Result<Verdict, StepError> {
    if super::stacks::stack(asker, stack).await?.is_some() {
        return Ok(Verdict::Good);
    }
    let (service, code, action, set) = match which {
        NetworkPart::Vpcs => ("vpc", "L-F678F1CE", "DescribeVpcs", "vpcSet"),
        NetworkPart::Gateways => ("vpc", "L-A4707A72", "DescribeInternetGateways", "internetGatewaySet"),
        NetworkPart::Addresses => ("ec2", "L-0263D0A3", "DescribeAddresses", "addressesSet"),
    };
    let (limit, answer) =
        futures::try_join!(by_code(asker, service, code), signed::query(asker.clients, Service::Ec2, action, &[]))?;
    Ok(network_verdict((which.words(), service, code), limit, answer.list(set).len() as u64, wanted))
}

/// Of things of the network: how many there may be, are, and shall be.
fn network_verdict((what, service, code): (&str, &str, &str), limit: Option<f64>, used: u64, wanted: u64) -> Verdict {
    let Some(limit) = limit.map(whole) else {
        return Verdict::Unknown(format!("because the account has no quota of {what} ({code})"));
    };
    if used + wanted <= limit {
        return Verdict::Good;
    }
    let desired = used + wanted;
    Verdict::bad(format!("the region may have {limit} {what} and has {used}, and the stack makes {wanted}")).help(format!(
        "delete what is not used, or: aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} --desired-value {desired}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limit: f64) -> Option<(f64, String)> {
        Some((limit, "L-1".to_owned()))
    }

    #[test]
    fn others_use_of_a_quota_counts_and_own_instances_need_no_room() {
        let bad = |v: Verdict| matches!(v, Verdict::Bad(..));
        let check = |limit, others, own, wanted| room("q", quota(limit).as_ref(), others, own, wanted);
        assert_eq!(check(4.0, 2, 0, 2), Verdict::Good);
        assert_eq!(check(0.0, 0, 3, 3), Verdict::Good);
        assert!(bad(check(4.0, 3, 0, 2)) && bad(check(0.0, 0, 0, 1)));
        let Verdict::Bad(message, Some(help)) = check(4.0, 3, 0, 2) else { panic!("it is bad") };
        assert_eq!(message, "the quota `q` is 4, of which 3 are used, and 2 are wanted");
        assert!(help.ends_with("--quota-code L-1 --desired-value 5"), "{help}");
        assert!(matches!(room("q", None, 0, 0, 1), Verdict::Unknown(_)));
    }

    #[test]
    fn a_volume_may_be_as_large_as_its_quota() {
        assert_eq!(volume_verdict(quota(1024.0).as_ref(), 1024), Verdict::Good);
        assert!(matches!(volume_verdict(quota(1024.0).as_ref(), 2000), Verdict::Bad(..)));
        assert!(matches!(volume_verdict(None, 1), Verdict::Unknown(_)));
    }

    #[test]
    fn the_network_needs_room_for_all_that_the_stack_makes() {
        let check = |limit, used, wanted| network_verdict(("VPCs", "vpc", "L-1"), limit, used, wanted);
        assert_eq!(check(Some(5.0), 4, 1), Verdict::Good);
        assert!(matches!(check(Some(5.0), 5, 1), Verdict::Bad(..)));
        assert!(matches!(check(None, 0, 1), Verdict::Unknown(_)));
    }

    #[test]
    fn what_a_cluster_has_is_its_own() {
        let used = |cluster: &str, count| Used {
            cluster: cluster.to_owned(),
            instance_type: "ml.m5.large".to_owned(),
            spot: false,
            count,
        };
        assert_eq!(others_and_own([used("a", 2), used("b", 3), used("a", 1)].iter(), "a"), (3, 3));
    }
}
