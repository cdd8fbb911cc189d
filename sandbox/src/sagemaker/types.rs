//! The instance types of HyperPod: a table (`instance_types.txt`, which says what of it is sure), and the account's limits on them.
//! Must not know clusters.

use std::sync::OnceLock;

use crate::faults::Faults;

/// What an instance of a type brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InstanceType {
    pub name: &'static str,
    pub vcpus: u32,
    pub memory_gib: u32,
    pub accelerator: Accelerator,
    pub devices: u32,
    pub efa: u32,
    /// Addresses that a node takes from its subnet.
    pub addresses: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accelerator {
    Gpu,
    Neuron,
    None,
}

/// Instances in one cluster (quota L-2CE978FC).
pub(super) const PER_CLUSTER: &str = "Maximum number instances allowed per SageMaker HyperPod cluster";
/// Instances in all clusters (quota L-3308CCC7).
pub(super) const TOTAL: &str = "Total number of instances allowed across SageMaker HyperPod clusters";
pub(super) const SPOT_TOTAL: &str = "Total number of Spot instances allowed across SageMaker HyperPod clusters";
/// The largest EBS volume in GB (quota L-E13DF72A).
pub(super) const EBS_SIZE: &str = "Maximum size of EBS volume in GB for a SageMaker HyperPod cluster instance";

/// Account limits by the beginning of a quota's name; the first that fits counts. A fault script's `quotas` go before them.
/// The first three are AWS's defaults. AWS gives a new account 0 of most types; here the newest ones stand for that, and
/// the others suffice for a cluster of the size that `PER_CLUSTER` allows.
const LIMITS: &[(&str, u64)] = &[(PER_CLUSTER, 20), (TOTAL, 30), (EBS_SIZE, 1024), ("ml.p6", 0), ("", 20)];

/// How the quotas for instances of a type end.
const USAGE: &str = " for cluster usage";
const SPOT_USAGE: &str = " for cluster spot instance usage";

/// All types in the order of the API.
pub(super) fn all() -> impl Iterator<Item = &'static InstanceType> {
    static TABLE: OnceLock<Vec<InstanceType>> = OnceLock::new();
    TABLE
        .get_or_init(|| {
            let lines = include_str!("instance_types.txt").lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| parse(line).unwrap_or_else(|| panic!("instance_types.txt: `{line}`"))).collect()
        })
        .iter()
}

/// The type of this name.
pub(super) fn find(name: &str) -> Option<&'static InstanceType> {
    all().find(|it| it.name == name)
}

/// The quota name for instances of a type.
pub(super) fn usage_quota(instance_type: &str, spot: bool) -> String {
    format!("{instance_type}{}", if spot { SPOT_USAGE } else { USAGE })
}

/// Whether that is a quota for spot instances of a type.
pub(super) fn is_of_spot(quota: &str) -> bool {
    quota.ends_with(SPOT_USAGE)
}

/// The account's limit of that name.
pub(super) fn limit(faults: &Faults, quota: &str) -> u64 {
    let default = || LIMITS.iter().find(|(name, _)| quota.starts_with(name)).map_or(0, |(_, limit)| *limit);
    let of_type = || quota.strip_suffix(USAGE).and_then(|instance_type| faults.quota(instance_type));
    faults.quota(quota).or_else(of_type).unwrap_or_else(default)
}

/// Whether a fault script may set a quota of this name: one of [`quotas`], or a type for instances of it.
pub(super) fn has_quota(name: &str) -> bool {
    let instance_type = [SPOT_USAGE, USAGE].iter().find_map(|usage| name.strip_suffix(usage)).unwrap_or(name);
    [PER_CLUSTER, TOTAL, SPOT_TOTAL, EBS_SIZE].contains(&name) || find(instance_type).is_some()
}

/// Every quota on HyperPod by name, with its value.
pub(super) fn quotas(faults: &Faults) -> Vec<(String, u64)> {
    let of_types = all().flat_map(|it| [usage_quota(it.name, false), usage_quota(it.name, true)]);
    let names = [PER_CLUSTER, TOTAL, SPOT_TOTAL, EBS_SIZE].into_iter().map(str::to_owned).chain(of_types);
    names.map(|name| (limit(faults, &name), name)).map(|(value, name)| (name, value)).collect()
}

fn parse(line: &'static str) -> Option<InstanceType> {
    let mut words = line.split(' ');
    let name = words.next()?;
    let vcpus = words.next()?.parse().ok()?;
    let memory_gib = words.next()?.parse().ok()?;
    let accelerator = match words.next()? {
        "gpu" => Accelerator::Gpu,
        "neuron" => Accelerator::Neuron,
        "none" => Accelerator::None,
        _ => return None,
    };
    let mut number = || words.next()?.parse().ok();
    Some(InstanceType {
        name,
        vcpus,
        memory_gib,
        accelerator,
        devices: number()?,
        efa: number()?,
        addresses: number()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Accelerator, all, find};

    #[test]
    fn the_table_holds_every_type_once() {
        let names: std::collections::BTreeSet<&str> = all().map(|it| it.name).collect();
        assert_eq!((names.len(), all().count()), (201, 201));
        let p5 = find("ml.p5.48xlarge").expect("p5 is a HyperPod type");
        assert_eq!((p5.accelerator, p5.devices, p5.efa, p5.addresses), (Accelerator::Gpu, 8, 32, 81));
        assert_eq!(find("ml.m5.2xlarge").map(|it| (it.vcpus, it.memory_gib)), Some((8, 32)));
    }
}
