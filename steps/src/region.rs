//! Regions of AWS, their partitions and their zones, by how they are spelled.
//! Knows nothing of steps, and not which of them an account may use.

/// The partition that a region is in (AWS: "AWS Regions and partitions").
pub fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// Whether a text is spelled as all regions are: where it is, a point of the compass, a number. One that came after this list does.
pub fn is_spelled_right(region: &str) -> bool {
    let mut parts = region.rsplit('-');
    let number = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let compass = parts.next().is_some_and(|part| COMPASS.contains(&part));
    let mut place = parts.peekable();
    let is_placed = place.peek().is_some()
        && place.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    number && compass && is_placed
}

/// The names of all regions that are known here.
pub fn names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|(name, _)| *name).chain(CLOSED)
}

/// The region of a zone, by its id (`usw2-az2`; of a local zone `usw2-lax1-az1`) or its name (`us-west-2b`, `us-west-2-lax-1a`);
/// none for one that is not known (EC2 user guide, "Regions and Zones").
pub fn of_zone(zone: &str) -> Option<&'static str> {
    let of = |(name, short): &&(&'static str, &'static str)| {
        let by_id = zone.strip_prefix(short).is_some_and(|rest| {
            rest.starts_with('-') && rest.rsplit_once("-az").is_some_and(|(_, number)| is_number(number))
        });
        by_id || zone.strip_prefix(name).is_some_and(ends_zone_name)
    };
    REGIONS.iter().find(of).map(|(name, _)| *name)
}

/// Whether a text is the name of a zone of a region that is known, such as `us-west-2b`.
pub fn is_zone_name(text: &str) -> bool {
    REGIONS.iter().any(|(name, _)| text.strip_prefix(name).is_some_and(ends_zone_name))
}

/// Whether a text is the id of a zone, such as `usw2-az2`, of a region that is known or not.
pub fn is_zone_id(text: &str) -> bool {
    let Some((short, zone)) = text.split_once("-az") else { return false };
    let letters = short.trim_end_matches(|c: char| c.is_ascii_digit());
    (3..=4).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
        && letters.len() < short.len()
        && is_number(zone)
}

/// Whether it is what a zone's name has after its region: `b`, or `-lax-1a`.
fn ends_zone_name(rest: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_lowercase();
    match rest.as_bytes() {
        [letter] => is_letter(letter),
        [b'-', city @ .., b'-', number, letter] => {
            city.len() == 3 && city.iter().all(is_letter) && number.is_ascii_digit() && is_letter(letter)
        }
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const COMPASS: [&str; 9] =
    ["central", "north", "northeast", "northwest", "east", "south", "southeast", "southwest", "west"];

/// The regions, and what the ids of their zones begin with (EC2 user guide, "Availability Zone IDs"; of China and GovCloud what
/// DescribeAvailabilityZones answers there).
const REGIONS: [(&str, &str); 38] = [
    ("us-east-1", "use1"),
    ("us-east-2", "use2"),
    ("us-west-1", "usw1"),
    ("us-west-2", "usw2"),
    ("af-south-1", "afs1"),
    ("ap-east-1", "ape1"),
    ("ap-east-2", "ape2"),
    ("ap-northeast-1", "apne1"),
    ("ap-northeast-2", "apne2"),
    ("ap-northeast-3", "apne3"),
    ("ap-south-1", "aps1"),
    ("ap-south-2", "aps2"),
    ("ap-southeast-1", "apse1"),
    ("ap-southeast-2", "apse2"),
    ("ap-southeast-3", "apse3"),
    ("ap-southeast-4", "apse4"),
    ("ap-southeast-5", "apse5"),
    ("ap-southeast-6", "apse6"),
    ("ap-southeast-7", "apse7"),
    ("ca-central-1", "cac1"),
    ("ca-west-1", "caw1"),
    ("cn-north-1", "cnn1"),
    ("cn-northwest-1", "cnnw1"),
    ("eu-central-1", "euc1"),
    ("eu-central-2", "euc2"),
    ("eu-north-1", "eun1"),
    ("eu-south-1", "eus1"),
    ("eu-south-2", "eus2"),
    ("eu-west-1", "euw1"),
    ("eu-west-2", "euw2"),
    ("eu-west-3", "euw3"),
    ("il-central-1", "ilc1"),
    ("me-central-1", "mec1"),
    ("me-south-1", "mes1"),
    ("mx-central-1", "mxc1"),
    ("sa-east-1", "sae1"),
    ("us-gov-east-1", "usge1"),
    ("us-gov-west-1", "usgw1"),
];

/// Regions whose zones are not published (botocore, partitions.json).
const CLOSED: [&str; 7] = [
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_told_from_other_texts() {
        for (text, is_id, region) in [
            ("usw2-az2", true, Some("us-west-2")),
            ("use1-az10", true, Some("us-east-1")),
            ("apse1-az3", true, Some("ap-southeast-1")),
            ("cnnw1-az1", true, Some("cn-northwest-1")),
            ("usgw1-az1", true, Some("us-gov-west-1")),
            ("xxw1-az1", true, None),
            ("usw2-lax1-az1", false, Some("us-west-2")),
            ("us-west-2b", false, Some("us-west-2")),
            ("us-west-2-lax-1a", false, Some("us-west-2")),
            ("us-east-1-wl1-bos-wlz-1", false, None),
            ("us-west-2", false, None),
            ("us-west-2-logs", false, None),
            ("us-east-1-llama-7b", false, None),
            ("us-west-2bucket", false, None),
            ("us-west-22", false, None),
            ("my-az1", false, None),
            ("use1-az", false, None),
            ("use1-az1b", false, None),
            ("use1", false, None),
            ("", false, None),
        ] {
            assert_eq!((is_zone_id(text), of_zone(text)), (is_id, region), "{text}");
        }
    }

    #[test]
    fn every_known_region_is_spelled_right_and_others_may_come() {
        assert!(names().all(is_spelled_right));
        assert!(["us-west-3", "nz-central-1", "eu-southwest-12"].into_iter().all(is_spelled_right));
        for wrong in
            ["us-wst-2", "us-west-2a", "us-west", "west-2", "us_west_2", "US-WEST-2", "usw2", "us-west-", "-west-1", ""]
        {
            assert!(!is_spelled_right(wrong), "{wrong}");
        }
    }
}
