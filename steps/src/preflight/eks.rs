//! EKS: whether the cluster is one that HyperPod can use and that lets the caller in (P15 to P21).
//! Knows nothing of the Kubernetes API: only what EKS says is looked at.

use aws_sdk_eks::types::{AccessEntry, Cluster};

use super::asker::Asker;
use super::verdict::Verdict;
use crate::aws_error::explain;
use crate::clients;
use crate::error::StepError;

/// Versions that the documentation of HyperPod names.
const VERSIONS: (u32, u32) = (28, 34);
/// The oldest network plugin that HyperPod works with.
const OLDEST_CNI: (u32, u32, u32) = (1, 18, 3);

/// A cluster, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Eks {
    pub status: String,
    pub mode: String,
    pub version: String,
    pub vpc: String,
    /// The security group of the control plane.
    pub group: String,
    /// Where its Kubernetes API is, and the certificate of its authority (PEM in base64).
    pub endpoint: String,
    pub authority: String,
}

impl Eks {
    fn of(cluster: &Cluster) -> Self {
        let network = cluster.resources_vpc_config();
        let mode = cluster.access_config().and_then(|access| access.authentication_mode());
        Self {
            status: cluster.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
            mode: mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
            version: cluster.version().unwrap_or_default().to_owned(),
            vpc: network.and_then(|network| network.vpc_id()).unwrap_or_default().to_owned(),
            group: network.and_then(|network| network.cluster_security_group_id()).unwrap_or_default().to_owned(),
            endpoint: cluster.endpoint().unwrap_or_default().to_owned(),
            authority: cluster.certificate_authority().and_then(|of| of.data()).unwrap_or_default().to_owned(),
        }
    }
}

/// The cluster of this name.
pub(super) async fn cluster(asker: &Asker<'_>, name: &str) -> Result<Option<Eks>, StepError> {
    let ask = async {
        match asker.clients.eks().describe_cluster().name(name).send().await {
            Ok(answer) => Ok(answer.cluster().map(Eks::of)),
            Err(e) => {
                let error = explain(&format!("describe the EKS cluster {name}"), e);
                if error.has_code("ResourceNotFoundException") { Ok(None) } else { Err(error) }
            }
        }
    };
    asker.learnt.eks.get(name, ask).await
}

/// What is made of the cluster of this name; that there is none is said where it is asked whether it is active.
async fn of(asker: &Asker<'_>, name: &str, verdict: impl FnOnce(&Eks) -> Verdict) -> Result<Verdict, StepError> {
    Ok(cluster(asker, name).await?.map_or(Verdict::Good, |eks| verdict(&eks)))
}

pub(super) async fn is_active(asker: &Asker<'_>, name: &str) -> Result<Verdict, StepError> {
    Ok(match cluster(asker, name).await? {
        Some(eks) => active(name, &eks.status),
        None => Verdict::bad(format!("there is no EKS cluster {name} in {}", asker.region())),
    })
}

pub(super) async fn takes_entries(asker: &Asker<'_>, name: &str) -> Result<Verdict, StepError> {
    of(asker, name, |eks| access_mode(name, &eks.mode)).await
}

pub(super) async fn has_version(asker: &Asker<'_>, name: &str) -> Result<Verdict, StepError> {
    of(asker, name, |eks| version(name, &eks.version)).await
}

pub(super) async fn is_in_vpc(asker: &Asker<'_>, name: &str, subnets: &[String]) -> Result<Verdict, StepError> {
    let Some(eks) = cluster(asker, name).await? else { return Ok(Verdict::Good) };
    let subnets = super::network::subnets(asker, subnets).await?;
    Ok(vpc(name, &eks.vpc, subnets.iter().map(|subnet| (subnet.id.as_str(), subnet.vpc.as_str()))))
}

pub(super) async fn has_cni(asker: &Asker<'_>, name: &str) -> Result<Verdict, StepError> {
    if cluster(asker, name).await?.is_none() {
        return Ok(Verdict::Good);
    }
    Ok(cni(name, addon(asker, name, "vpc-cni").await?.as_deref()))
}

pub(super) async fn has_pod_identity(asker: &Asker<'_>, name: &str) -> Result<Verdict, StepError> {
    if cluster(asker, name).await?.is_none() {
        return Ok(Verdict::Good);
    }
    Ok(pod_identity(name, addon(asker, name, "eks-pod-identity-agent").await?.as_deref()))
}

pub(super) async fn lets_in(asker: &Asker<'_>, name: &str, role: Option<&str>) -> Result<Verdict, StepError> {
    let Some(eks) = cluster(asker, name).await? else { return Ok(Verdict::Good) };
    entry(asker, name, &eks.mode, role).await
}

fn active(name: &str, status: &str) -> Verdict {
    match status {
        "ACTIVE" => Verdict::Good,
        "CREATING" | "UPDATING" | "PENDING" => Verdict::doubt(format!("the EKS cluster {name} is {status}")),
        other => Verdict::bad(format!("the EKS cluster {name} is {other}, and must be ACTIVE")),
    }
}

fn access_mode(name: &str, mode: &str) -> Verdict {
    if mode == "CONFIG_MAP" {
        return Verdict::bad(format!("the EKS cluster {name} takes no access entries: its mode is CONFIG_MAP")).help(format!(
            "aws eks update-cluster-config --name {name} --access-config authenticationMode=API_AND_CONFIG_MAP (there is no way back)"
        ));
    }
    Verdict::Good
}

fn version(name: &str, version: &str) -> Verdict {
    let minor = version.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(minor) if (VERSIONS.0..=VERSIONS.1).contains(&minor) => Verdict::Good,
        Some(_) | None => Verdict::doubt(format!(
            "the EKS cluster {name} has the version {version}, and the documentation of HyperPod names 1.{} to 1.{}",
            VERSIONS.0, VERSIONS.1
        )),
    }
}

fn vpc<'a>(name: &str, vpc: &str, subnets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Verdict {
    match subnets.into_iter().find(|(_, of)| *of != vpc) {
        Some((subnet, of)) => Verdict::bad(format!("{subnet} is in {of}, and the EKS cluster {name} is in {vpc}"))
            .help("name subnets of the EKS cluster's VPC"),
        None => Verdict::Good,
    }
}

/// The version of an add-on; none where the cluster does not have it.
async fn addon(asker: &Asker<'_>, cluster: &str, addon: &str) -> Result<Option<String>, StepError> {
    match asker.clients.eks().describe_addon().cluster_name(cluster).addon_name(addon).send().await {
        Ok(answer) => Ok(answer.addon().and_then(|addon| addon.addon_version()).map(str::to_owned)),
        Err(e) => {
            let error = explain(&format!("describe the add-on {addon} of {cluster}"), e);
            if error.has_code("ResourceNotFoundException") { Ok(None) } else { Err(error) }
        }
    }
}

fn cni(name: &str, addon: Option<&str>) -> Verdict {
    let Some(version) = addon else {
        return Verdict::Unknown(format!(
            "because {name} has no add-on vpc-cni: it may have one that is managed by hand"
        ));
    };
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    if (next(), next(), next()) >= OLDEST_CNI {
        return Verdict::Good;
    }
    Verdict::bad(format!("the add-on vpc-cni of {name} is {version}, and HyperPod needs v1.18.3 or newer"))
        .help(format!("aws eks update-addon --cluster-name {name} --addon-name vpc-cni --addon-version …"))
}

fn pod_identity(name: &str, addon: Option<&str>) -> Verdict {
    match addon {
        Some(_) => Verdict::Good,
        None => Verdict::doubt(format!("the EKS cluster {name} has no add-on eks-pod-identity-agent"))
            .help(format!("aws eks create-addon --cluster-name {name} --addon-name eks-pod-identity-agent")),
    }
}

/// What a principal's access entry comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// There is none.
    Missing,
    /// It has neither an access policy nor a Kubernetes group. Types other than STANDARD get their rights from EKS itself (EKS
    /// user guide, "Associate access policies with access entries").
    Empty,
    /// It gives some rights; which ones, only Kubernetes knows of groups.
    Given,
}

async fn entry(asker: &Asker<'_>, name: &str, mode: &str, role: Option<&str>) -> Result<Verdict, StepError> {
    let seen = role.map_or_else(|| clients::principal(&asker.caller.arn), str::to_owned);
    // A cluster in the mode CONFIG_MAP has no entries to ask for.
    if mode == "CONFIG_MAP" {
        return Ok(entry_verdict(name, mode, &seen, Entry::Missing));
    }
    let found = entry_of(asker, name, &seen).await?;
    if found != Entry::Missing {
        return Ok(entry_verdict(name, mode, &seen, found));
    }
    // An entry names the role with its path, which the session of a caller does not show.
    let full = if role.is_some() { seen.clone() } else { super::iam::principal(asker).await? };
    let found = if full == seen { Entry::Missing } else { entry_of(asker, name, &full).await? };
    Ok(entry_verdict(name, mode, &full, found))
}

async fn entry_of(asker: &Asker<'_>, name: &str, principal: &str) -> Result<Entry, StepError> {
    let eks = asker.clients.eks();
    let answer = match eks.describe_access_entry().cluster_name(name).principal_arn(principal).send().await {
        Ok(answer) => answer,
        Err(e) => {
            let error = explain(&format!("describe the access entry of {principal} in {name}"), e);
            return if error.has_code("ResourceNotFoundException") { Ok(Entry::Missing) } else { Err(error) };
        }
    };
    let is_plain = |entry: &AccessEntry| entry.kubernetes_groups().is_empty() && entry.r#type() == Some("STANDARD");
    if !answer.access_entry().is_some_and(is_plain) {
        return Ok(Entry::Given);
    }
    let policies = eks.list_associated_access_policies().cluster_name(name).principal_arn(principal).send().await;
    let policies = policies.map_err(|e| explain(&format!("list the access policies of {principal} in {name}"), e))?;
    let none = policies.associated_access_policies().is_empty() && policies.next_token().is_none();
    Ok(if none { Entry::Empty } else { Entry::Given })
}

fn entry_verdict(name: &str, mode: &str, principal: &str, entry: Entry) -> Verdict {
    let associate = format!(
        "aws eks associate-access-policy --cluster-name {name} --principal-arn {principal} --access-scope type=cluster \
         --policy-arn arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    );
    let make =
        format!("aws eks create-access-entry --cluster-name {name} --principal-arn {principal}, then {associate}");
    let message = format!("the EKS cluster {name} has no access entry for {principal}");
    match (entry, mode) {
        (Entry::Given, _) => Verdict::Good,
        (Entry::Empty, _) => Verdict::doubt(format!(
            "the access entry of {principal} in the EKS cluster {name} gives no rights: it has no access policy and no \
             Kubernetes group"
        ))
        .help(associate),
        (Entry::Missing, "API") => Verdict::bad(message).help(make),
        // The ConfigMap aws-auth, which only Kubernetes shows, may let the caller in.
        (Entry::Missing, _) => Verdict::doubt(format!("{message}; its ConfigMap aws-auth may have one")).help(make),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_active_takes_entries_and_is_new_enough() {
        let doubt = |v: Verdict| matches!(v, Verdict::Doubt(..));
        let bad = |v: Verdict| matches!(v, Verdict::Bad(..));
        assert_eq!(active("c", "ACTIVE"), Verdict::Good);
        assert!(doubt(active("c", "UPDATING")) && bad(active("c", "FAILED")) && bad(active("c", "DELETING")));
        assert_eq!((access_mode("c", "API"), access_mode("c", "API_AND_CONFIG_MAP")), (Verdict::Good, Verdict::Good));
        assert!(bad(access_mode("c", "CONFIG_MAP")));
        assert_eq!((version("c", "1.28"), version("c", "1.34")), (Verdict::Good, Verdict::Good));
        assert!(doubt(version("c", "1.27")) && doubt(version("c", "1.35")) && doubt(version("c", "")));
    }

    #[test]
    fn nodes_are_in_the_vpc_of_the_cluster() {
        assert_eq!(vpc("c", "vpc-1", [("subnet-1", "vpc-1")]), Verdict::Good);
        assert!(matches!(vpc("c", "vpc-1", [("subnet-1", "vpc-1"), ("subnet-2", "vpc-2")]), Verdict::Bad(..)));
    }

    #[test]
    fn add_ons_are_there_and_new_enough() {
        for (version, good) in [
            ("v1.18.3-eksbuild.1", true),
            ("v1.20.0-eksbuild.1", true),
            ("v1.18.2-eksbuild.9", false),
            ("v1.9.9", false),
        ] {
            assert_eq!(cni("c", Some(version)) == Verdict::Good, good, "{version}");
        }
        assert!(matches!(cni("c", None), Verdict::Unknown(_)));
        assert_eq!(pod_identity("c", Some("v1")), Verdict::Good);
        assert!(matches!(pod_identity("c", None), Verdict::Doubt(..)));
    }

    #[test]
    fn the_caller_has_an_entry_that_gives_rights() {
        let check = |mode, entry| entry_verdict("c", mode, "arn:aws:iam::1:role/me", entry);
        assert_eq!(check("API", Entry::Given), Verdict::Good);
        assert!(matches!(check("API", Entry::Missing), Verdict::Bad(..)));
        assert!(matches!(check("API_AND_CONFIG_MAP", Entry::Missing), Verdict::Doubt(..)));
        for mode in ["API", "API_AND_CONFIG_MAP"] {
            let Verdict::Doubt(_, Some(help)) = check(mode, Entry::Empty) else { panic!("it is a doubt") };
            assert!(help.starts_with("aws eks associate-access-policy --cluster-name c "), "{help}");
        }
    }
}
