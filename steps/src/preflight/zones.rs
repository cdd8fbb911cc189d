//! EC2's zones, and which instance types they offer (P03, P04).
//! Knows nothing of quotas.

use super::asker::Asker;
use super::verdict::Verdict;
use crate::error::StepError;
use crate::signed::xml::Xml;
use crate::signed::{self, Service};

/// The zones of the region: ids and states.
async fn zones(asker: &Asker<'_>) -> Result<Vec<(String, String)>, StepError> {
    let ask = async {
        let answer = signed::query(asker.clients, Service::Ec2, "DescribeAvailabilityZones", &[]).await?;
        let zone = |item: &Xml| Some((item.text_at("zoneId")?.to_owned(), item.text_at("zoneState")?.to_owned()));
        Ok(answer.list("availabilityZoneInfo").iter().filter_map(zone).collect())
    };
    asker.learnt.zones.get("", ask).await
}

pub(super) async fn zone(asker: &Asker<'_>, zone: &str) -> Result<Verdict, StepError> {
    Ok(zone_verdict(asker.region(), zone, &zones(asker).await?))
}

/// Of a zone id, among those of the region with their states.
fn zone_verdict(region: &str, zone: &str, all: &[(String, String)]) -> Verdict {
    match all.iter().find(|(id, _)| id == zone) {
        Some((_, state)) if state == "available" => Verdict::Good,
        Some((_, state)) => Verdict::doubt(format!("the zone {zone} is {state}")),
        None => {
            let ids: Vec<&str> = all.iter().map(|(id, _)| id.as_str()).collect();
            let message = if zone.starts_with(region) {
                format!("{zone} is the name of a zone, and its id is wanted: names differ from account to account")
            } else {
                format!("the zone {zone} is not in {region}")
            };
            match ids.as_slice() {
                // Where there is no such region, that is told.
                [] => Verdict::bad(message),
                ids => Verdict::bad(message).help(format!("there are {}", ids.join(", "))),
            }
        }
    }
}

pub(super) async fn offered(
    asker: &Asker<'_>,
    types: &[String],
    zone: Option<&str>,
    subnets: &[String],
) -> Result<Verdict, StepError> {
    let there: Vec<String> = if !subnets.is_empty() {
        super::network::subnets(asker, subnets).await?.into_iter().map(|subnet| subnet.zone).collect()
    } else if let Some(zone) = zone {
        if !zones(asker).await?.iter().any(|(id, _)| id == zone) {
            // That there is no such zone is said where the zone is asked for.
            return Ok(Verdict::Good);
        }
        vec![zone.to_owned()]
    } else {
        Vec::new()
    };
    let mut fields = vec![
        ("LocationType".to_owned(), "availability-zone-id".to_owned()),
        ("Filter.1.Name".to_owned(), "instance-type".to_owned()),
    ];
    fields.extend(types.iter().enumerate().map(|(i, of)| (format!("Filter.1.Value.{}", i + 1), plain(of).to_owned())));
    let answer = signed::query(asker.clients, Service::Ec2, "DescribeInstanceTypeOfferings", &fields).await?;
    let offers: Vec<(&str, &str)> = answer
        .list("instanceTypeOfferingSet")
        .iter()
        .filter_map(|item| Some((item.text_at("instanceType")?, item.text_at("location")?)))
        .collect();
    Ok(offers_verdict(types, &there, &offers))
}

/// The type as EC2 knows it.
fn plain(instance_type: &str) -> &str {
    instance_type.strip_prefix("ml.").unwrap_or(instance_type)
}

/// Of types in zones (any zone of the region, if none is named), by which zone offers which.
fn offers_verdict(types: &[String], zones: &[String], offers: &[(&str, &str)]) -> Verdict {
    for instance_type in types {
        let mut there: Vec<&str> =
            offers.iter().filter(|(of, _)| *of == plain(instance_type)).map(|(_, zone)| *zone).collect();
        there.sort_unstable();
        if there.is_empty() {
            return Verdict::bad(format!("{instance_type} is not offered in this region"));
        }
        if !zones.is_empty() && !zones.iter().any(|zone| there.contains(&zone.as_str())) {
            return Verdict::bad(format!("{instance_type} is not offered in {}", zones.join(", ")))
                .help(format!("it is in {}", there.join(", ")));
        }
    }
    Verdict::Good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_zone_is_in_its_region_only() {
        let all: Vec<(String, String)> = [("usw2-az1", "available"), ("usw2-az2", "impaired")]
            .map(|(id, state)| (id.to_owned(), state.to_owned()))
            .to_vec();
        assert_eq!(zone_verdict("us-west-2", "usw2-az1", &all), Verdict::Good);
        assert_eq!(zone_verdict("us-west-2", "usw2-az2", &all), Verdict::doubt("the zone usw2-az2 is impaired"));
        let bad = Verdict::bad("the zone use1-az1 is not in us-west-2").help("there are usw2-az1, usw2-az2");
        assert_eq!(zone_verdict("us-west-2", "use1-az1", &all), bad);
        let named = zone_verdict("us-west-2", "us-west-2b", &all);
        assert!(matches!(named, Verdict::Bad(message, _) if message.contains("its id is wanted")));
        let nowhere = zone_verdict("mars-1", "mars1-az1", &[]);
        assert_eq!(nowhere, Verdict::bad("the zone mars1-az1 is not in mars-1"), "there are none to list");
    }

    #[test]
    fn a_type_must_be_offered_where_the_nodes_will_be() {
        let offers = [("p5.48xlarge", "usw2-az2"), ("p5.48xlarge", "usw2-az1"), ("m5.large", "usw2-az4")];
        let check = |of: &str, zones: &[&str]| offers_verdict(&owned(&[of]), &owned(zones), &offers);
        assert_eq!(check("ml.p5.48xlarge", &[]), Verdict::Good);
        assert_eq!(check("ml.p5.48xlarge", &["usw2-az4", "usw2-az1"]), Verdict::Good);
        let bad = Verdict::bad("ml.p5.48xlarge is not offered in usw2-az4").help("it is in usw2-az1, usw2-az2");
        assert_eq!(check("ml.p5.48xlarge", &["usw2-az4"]), bad);
        assert_eq!(check("ml.g5.xlarge", &[]), Verdict::bad("ml.g5.xlarge is not offered in this region"));
    }
}
