//! Regions and their availability zones: names and the ids behind them.
//! A table of facts (AWS docs, "AZ IDs"). In a real account the mapping of names to ids is drawn per account; here it is the plain one.

/// One availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Such as `us-west-2a`.
    pub name: String,
    /// Such as `usw2-az1`.
    pub id: String,
}

/// Region, the prefix of its zone ids, its zones as letter and number.
const REGIONS: &[(&str, &str, &str)] = &[
    ("us-east-1", "use1", "a1 b2 c4 d6 e3 f5"),
    ("us-east-2", "use2", "a1 b2 c3"),
    ("us-west-1", "usw1", "a1 c3"),
    ("us-west-2", "usw2", "a1 b2 c3 d4"),
    ("ca-central-1", "cac1", "a1 b2 d4"),
    ("sa-east-1", "sae1", "a1 b2 c3"),
    ("eu-central-1", "euc1", "a2 b3 c1"),
    ("eu-west-1", "euw1", "a1 b2 c3"),
    ("eu-west-2", "euw2", "a2 b3 c1"),
    ("eu-west-3", "euw3", "a1 b2 c3"),
    ("eu-north-1", "eun1", "a1 b2 c3"),
    ("eu-south-2", "eus2", "a1 b2 c3"),
    ("ap-south-1", "aps1", "a1 b3 c2"),
    ("ap-southeast-1", "apse1", "a1 b2 c3"),
    ("ap-southeast-2", "apse2", "a1 b3 c2"),
    ("ap-southeast-3", "apse3", "a1 b2 c3"),
    ("ap-southeast-4", "apse4", "a1 b2 c3"),
    ("ap-northeast-1", "apne1", "a4 c1 d2"),
    ("ap-northeast-2", "apne2", "a1 b2 c3 d4"),
];

/// The regions that the sandbox knows.
pub fn regions() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(region, _, _)| *region)
}

/// The zones of a region, by name; empty for a region that the sandbox does not know.
pub fn zones(region: &str) -> Vec<Zone> {
    let Some((region, prefix, zones)) = REGIONS.iter().find(|(name, _, _)| *name == region) else {
        return Vec::new();
    };
    let zone = |pair: &str| {
        let (letter, number) = pair.split_at(1);
        Zone { name: format!("{region}{letter}"), id: format!("{prefix}-az{number}") }
    };
    zones.split(' ').map(zone).collect()
}

/// The zone of this name or id in a region.
pub fn find(region: &str, name_or_id: &str) -> Option<Zone> {
    zones(region).into_iter().find(|zone| zone.name == name_or_id || zone.id == name_or_id)
}

#[cfg(test)]
mod tests {
    use super::{find, regions, zones};
    use std::collections::BTreeSet;

    #[test]
    fn every_region_has_zones_with_ids_of_their_own() {
        for region in regions() {
            let all = zones(region);
            assert!(all.len() >= 2, "{region}");
            assert_eq!(all.iter().map(|z| &z.id).collect::<BTreeSet<_>>().len(), all.len(), "{region}");
        }
    }

    #[test]
    fn a_zone_is_found_in_its_region_only() {
        assert_eq!(find("us-west-2", "usw2-az2").map(|z| z.name), Some("us-west-2b".into()));
        assert_eq!(find("eu-west-1", "usw2-az2"), None);
        assert!(zones("xx-nowhere-1").is_empty());
    }
}
