//! Which instance types a region's zones offer.
//! Rules of thumb, not AWS's stock list: ordinary types are everywhere, large accelerated ones in two zones of a region.

use super::listing::{Filter, Page, dry_run, keep};
use super::model::{State, Tags};
use super::{fault, zones};
use crate::wire::{Call, Reply, ServiceError};

const FAMILIES: &[(&str, &[&str])] = &[
    ("t3", &["medium", "large", "xlarge", "2xlarge"]),
    ("m5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge"]),
    ("c5", &["large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "12xlarge", "18xlarge", "24xlarge"]),
    ("c5n", &["large", "2xlarge", "4xlarge", "9xlarge", "18xlarge"]),
    ("r6i", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge", "24xlarge", "32xlarge"]),
    ("m7i", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"]),
    ("g5", &["xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"]),
    ("g6", &["xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"]),
    ("g6e", &["xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "48xlarge"]),
    ("p4d", &["24xlarge"]),
    ("p4de", &["24xlarge"]),
    ("p5", &["4xlarge", "48xlarge"]),
    ("p5e", &["48xlarge"]),
    ("p5en", &["48xlarge"]),
    ("p6-b200", &["48xlarge"]),
    ("trn1", &["32xlarge"]),
    ("trn1n", &["32xlarge"]),
    ("trn2", &["48xlarge"]),
];

/// The zones of a region (by id) that offer an instance type, without `ml.`; empty when none does.
pub(crate) fn zones_with(region: &str, instance_type: &str) -> Vec<zones::Zone> {
    let Some((family, size)) = instance_type.split_once('.') else {
        return vec![];
    };
    if !FAMILIES.iter().any(|(name, sizes)| *name == family && sizes.contains(&size)) {
        return vec![];
    }
    let scarce = family.starts_with('p') || family.starts_with("trn");
    zones::zones(region).into_iter().take(if scarce { 2 } else { usize::MAX }).collect()
}

/// DescribeInstanceTypeOfferings.
pub(super) fn answer(net: &State, call: &Call) -> Result<Reply, ServiceError> {
    let mut form = call.form();
    dry_run(&mut form)?;
    let location = form.take("LocationType").unwrap_or_else(|| "region".into());
    let filters = Filter::take(&mut form)?;
    let page = Page::take(&mut form)?;
    form.finish()?;
    let mut found = Vec::new();
    for instance_type in
        FAMILIES.iter().flat_map(|(family, sizes)| sizes.iter().map(move |size| format!("{family}.{size}")))
    {
        let offered = zones_with(&net.region, &instance_type);
        let places: Vec<String> = match location.as_str() {
            "region" => offered.first().map(|_| net.region.clone()).into_iter().collect(),
            "availability-zone" => offered.into_iter().map(|zone| zone.name).collect(),
            "availability-zone-id" => offered.into_iter().map(|zone| zone.id).collect(),
            other => {
                return Err(fault("InvalidParameterValue", format!("Invalid value '{other}' for LocationType.")));
            }
        };
        for place in places {
            let look = |name: &str| match name {
                "instance-type" => Some(vec![instance_type.clone()]),
                "location" => Some(vec![place.clone()]),
                _ => None,
            };
            if keep(&filters, &Tags::new(), look)? {
                found.push((instance_type.clone(), place));
            }
        }
    }
    let (found, next) = page.cut(found);
    Ok(Reply::ec2(call, |xml| {
        xml.list("instanceTypeOfferingSet", "item", found, |xml, (instance_type, place)| {
            xml.text("instanceType", instance_type);
            xml.text("locationType", &location);
            xml.text("location", place);
        });
        xml.maybe("nextToken", next);
    }))
}

#[cfg(test)]
mod tests {
    use super::zones_with;

    #[test]
    fn ordinary_types_are_everywhere_and_large_ones_are_not() {
        assert_eq!(zones_with("us-west-2", "m5.2xlarge").len(), 4);
        assert_eq!(zones_with("us-west-2", "p5.48xlarge").len(), 2);
        assert!(zones_with("us-west-2", "p5.1xlarge").is_empty());
        assert!(zones_with("xx-nowhere-1", "m5.2xlarge").is_empty());
    }
}
