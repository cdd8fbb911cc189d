//! Addresses of things in S3: `s3://bucket/key`, and the two styles of `https://`.
//! Asks nobody: whether there is such a bucket is not known here.

/// Bucket and key (or prefix); none of an address that is not one of S3 (S3 user guide, "Virtual hosting of general purpose
/// buckets"). A `*` in it may stand for anything.
pub fn parts(address: &str) -> Option<(&str, &str)> {
    if let Some(path) = address.strip_prefix("s3://") {
        return Some(path.split_once('/').unwrap_or((path, "")));
    }
    let (host, path) = address.strip_prefix("https://")?.split_once('/')?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let is_s3 = |host: &str| host.starts_with("s3.") || host.starts_with("s3-");
    match host {
        _ if !host.contains(".amazonaws.com") => None,
        _ if is_s3(host) => Some(path.split_once('/').unwrap_or((path, ""))),
        _ => {
            let (at, _) = host.match_indices('.').find(|(at, _)| is_s3(&host[at + 1..]))?;
            Some((&host[..at], path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_key_are_told_in_every_style() {
        for (address, expected) in [
            ("s3://b/k/t.yaml", Some(("b", "k/t.yaml"))),
            ("s3://b", Some(("b", ""))),
            ("https://s3.amazonaws.com/b/k/t.yaml", Some(("b", "k/t.yaml"))),
            ("https://s3.us-west-2.amazonaws.com/b/t.yaml", Some(("b", "t.yaml"))),
            ("https://s3-us-west-2.amazonaws.com/b/t.yaml", Some(("b", "t.yaml"))),
            ("https://b.c.s3.us-west-2.amazonaws.com/k/t.yaml?versionId=1", Some(("b.c", "k/t.yaml"))),
            ("https://b-*.s3.*.amazonaws.com/*", Some(("b-*", "*"))),
            ("https://example.com/b/t.yaml", None),
            ("*", None),
        ] {
            assert_eq!(parts(address), expected, "{address}");
        }
    }
}
