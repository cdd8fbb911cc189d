//! Add-ons of a cluster, with the times they take.
//! Knows nothing of the wire or of CloudFormation.

use jiff::{SignedDuration, Timestamp};

use super::model::{Addon, AddonStatus, Cluster, Tags, Update};
use super::{cluster, fault, neighbours};
use crate::wire::ServiceError;
use crate::world::{Moment, State};

/// How long an add-on takes to come, to change and to go.
const COMES: SignedDuration = SignedDuration::from_secs(75);
const GOES: SignedDuration = SignedDuration::from_secs(30);

/// An add-on that the sandbox knows, with a version for each Kubernetes version from 1.31 on.
pub(super) struct Known {
    /// Such as `coredns`.
    pub name: &'static str,
    /// What EKS calls its type.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: &'static str,
    /// Versions for Kubernetes 1.31, 1.32, 1.33, 1.34.
    pub versions: [&'static str; 4],
}

/// The add-ons that the sandbox knows.
pub(super) const KNOWN: &[Known] = &[
    Known { name: "vpc-cni", kind: "networking", namespace: "kube-system", versions: ["v1.20.4-eksbuild.1"; 4] },
    Known {
        name: "kube-proxy",
        kind: "networking",
        namespace: "kube-system",
        versions: ["v1.31.10-eksbuild.6", "v1.32.6-eksbuild.12", "v1.33.3-eksbuild.10", "v1.34.0-eksbuild.4"],
    },
    Known {
        name: "coredns",
        kind: "networking",
        namespace: "kube-system",
        versions: ["v1.11.4-eksbuild.24", "v1.11.4-eksbuild.24", "v1.12.4-eksbuild.1", "v1.12.4-eksbuild.1"],
    },
    Known {
        name: "eks-pod-identity-agent",
        kind: "security",
        namespace: "kube-system",
        versions: ["v1.3.9-eksbuild.3"; 4],
    },
    Known {
        name: "aws-ebs-csi-driver",
        kind: "storage",
        namespace: "kube-system",
        versions: ["v1.50.1-eksbuild.1"; 4],
    },
    Known { name: "aws-fsx-csi-driver", kind: "storage", namespace: "kube-system", versions: ["v1.6.0-eksbuild.1"; 4] },
    Known {
        name: "metrics-server",
        kind: "observability",
        namespace: "kube-system",
        versions: ["v0.8.0-eksbuild.2"; 4],
    },
    Known { name: "cert-manager", kind: "networking", namespace: "cert-manager", versions: ["v1.18.2-eksbuild.2"; 4] },
    Known {
        name: "amazon-cloudwatch-observability",
        kind: "observability",
        namespace: "amazon-cloudwatch",
        versions: ["v4.5.0-eksbuild.1"; 4],
    },
    Known {
        name: "amazon-sagemaker-hyperpod-taskgovernance",
        kind: "scheduling",
        namespace: "kueue-system",
        versions: ["v1.3.0-eksbuild.1"; 4],
    },
    Known {
        name: "amazon-sagemaker-hyperpod-observability",
        kind: "observability",
        namespace: "hyperpod-observability",
        versions: ["v1.0.4-eksbuild.1"; 4],
    },
];

impl Known {
    /// The add-on's version for a Kubernetes version.
    pub fn version(&self, kubernetes: &str) -> &'static str {
        let minor: usize = kubernetes.trim_start_matches("1.").parse().unwrap_or(31);
        self.versions[minor.saturating_sub(31).min(3)]
    }
}

/// What a new add-on is to be.
#[derive(Debug, Default)]
pub(super) struct NewAddon {
    pub name: String,
    pub version: Option<String>,
    pub role_arn: Option<String>,
    pub configuration: Option<String>,
    pub tags: Tags,
}

/// The add-on of this name, or EKS's error.
pub(super) fn find<'a>(cluster: &'a Cluster, name: &str) -> Result<&'a Addon, ServiceError> {
    cluster.addons.get(name).ok_or_else(|| missing(&cluster.name, name))
}

fn missing(cluster: &str, name: &str) -> ServiceError {
    let text = format!("No addon: {name} found in cluster: {cluster}");
    fault("ResourceNotFoundException", text).with_member("clusterName", cluster).with_member("addonName", name)
}

/// The version to use, which must fit the cluster's Kubernetes version.
fn check_version(name: &str, version: Option<&str>, kubernetes: &str) -> Result<String, ServiceError> {
    let known = KNOWN.iter().find(|known| known.name == name).ok_or_else(|| {
        fault(
            "InvalidParameterException",
            format!("Addon {name} specified is not supported in {kubernetes} kubernetes version"),
        )
    })?;
    let wanted = known.version(kubernetes);
    match version {
        None => Ok(wanted.to_owned()),
        Some(version) if version == wanted => Ok(wanted.to_owned()),
        Some(_) => Err(fault("InvalidParameterException", "Addon version specified is not supported")),
    }
}

fn check_configuration(configuration: Option<&str>) -> Result<(), ServiceError> {
    let Some(text) = configuration else {
        return Ok(());
    };
    match serde_yaml::from_str::<serde_yaml::Value>(text) {
        Ok(value) if value.is_mapping() => Ok(()),
        _ => Err(fault("InvalidParameterException", "ConfigurationValue is not in valid JSON or YAML format")),
    }
}

/// Starts to install an add-on.
pub(super) fn create(state: &mut State, cx: &Moment<'_>, cluster: &str, new: NewAddon) -> Result<(), ServiceError> {
    let id = state.ids.uuid();
    let found = cluster::usable(state, cluster)?;
    if found.addons.contains_key(&new.name) {
        let error = fault("ResourceInUseException", "Addon already exists.");
        return Err(error.with_member("clusterName", cluster).with_member("addonName", new.name));
    }
    let version = check_version(&new.name, new.version.as_deref(), &found.version)?;
    check_configuration(new.configuration.as_deref())?;
    let addon = Addon {
        arn: format!("arn:aws:eks:{}:{}:addon/{cluster}/{}/{id}", cx.region, cx.account, new.name),
        name: new.name.clone(),
        version,
        status: AddonStatus::Creating,
        due: Some(cx.now + COMES),
        role_arn: new.role_arn,
        configuration: new.configuration,
        created: cx.now,
        modified: cx.now,
        tags: new.tags,
    };
    found.addons.insert(new.name, addon);
    Ok(())
}

/// Starts to change an add-on; gives the update's id.
pub(super) fn update(state: &mut State, cx: &Moment<'_>, cluster: &str, new: NewAddon) -> Result<String, ServiceError> {
    let id = state.ids.uuid();
    let found = cluster::usable(state, cluster)?;
    let kubernetes = found.version.clone();
    let addon = found.addons.get_mut(&new.name).ok_or_else(|| missing(cluster, &new.name))?;
    let version =
        new.version.as_deref().map(|version| check_version(&new.name, Some(version), &kubernetes)).transpose()?;
    check_configuration(new.configuration.as_deref())?;
    addon.version = version.unwrap_or_else(|| addon.version.clone());
    addon.role_arn = new.role_arn.or(addon.role_arn.take());
    addon.configuration = new.configuration.or(addon.configuration.take());
    addon.status = AddonStatus::Updating;
    addon.modified = cx.now;
    addon.due = Some(cx.now + COMES);
    let update = Update {
        id: id.clone(),
        kind: "AddonUpdate".into(),
        params: vec![("AddonVersion".into(), addon.version.clone())],
        created: cx.now,
        done: false,
        due: cx.now + COMES,
        addon: Some(new.name),
    };
    found.updates.insert(id.clone(), update);
    Ok(id)
}

/// Starts to take an add-on away.
pub(super) fn delete(state: &mut State, cx: &Moment<'_>, cluster: &str, name: &str) -> Result<(), ServiceError> {
    let found = cluster::find_mut(state, cluster)?;
    let addon = found.addons.get_mut(name).ok_or_else(|| missing(cluster, name))?;
    if addon.status != AddonStatus::Deleting {
        addon.status = AddonStatus::Deleting;
        addon.due = Some(cx.now + GOES);
    }
    Ok(())
}

/// The add-on's status as EKS writes it. What runs as a Deployment is degraded while the cluster has no node.
pub(super) fn status_text(state: &State, cluster: &Cluster, addon: &Addon) -> &'static str {
    match addon.status {
        AddonStatus::Creating => "CREATING",
        AddonStatus::Updating => "UPDATING",
        AddonStatus::Deleting => "DELETING",
        AddonStatus::Active if needs_nodes(&addon.name) && neighbours::ready_nodes(state, &cluster.name) == 0 => {
            "DEGRADED"
        }
        AddonStatus::Active => "ACTIVE",
    }
}

/// Whether an add-on runs as a Deployment; the others are DaemonSets, which are complete without nodes.
fn needs_nodes(name: &str) -> bool {
    !matches!(name, "vpc-cni" | "kube-proxy" | "eks-pod-identity-agent")
}

/// Moves the add-ons on to `cx.now`; says whether anything changed.
pub(super) fn advance(state: &mut State, cx: &Moment<'_>) -> bool {
    let mut moved = false;
    for cluster in state.eks.clusters.values_mut() {
        cluster.addons.retain(|_, addon| {
            if addon.due.is_none_or(|due| due > cx.now) {
                return true;
            }
            moved = true;
            addon.due = None;
            let stays = addon.status != AddonStatus::Deleting;
            addon.status = AddonStatus::Active;
            stays
        });
    }
    moved
}

/// The instants at which add-ons change by themselves.
pub(super) fn due(cluster: &Cluster) -> impl Iterator<Item = Timestamp> {
    cluster.addons.values().filter_map(|addon| addon.due)
}
