//! Which operation a method and path name.
//! Knows no operation's meaning.

use http::Method;
use percent_encoding::percent_decode_str;

const ROUTES: &[(&str, &str, &str)] = &[
    ("CreateCluster", "POST", "/clusters"),
    ("ListClusters", "GET", "/clusters"),
    ("DescribeCluster", "GET", "/clusters/*"),
    ("DeleteCluster", "DELETE", "/clusters/*"),
    ("UpdateClusterConfig", "POST", "/clusters/*/update-config"),
    ("ListUpdates", "GET", "/clusters/*/updates"),
    ("DescribeUpdate", "GET", "/clusters/*/updates/*"),
    ("CreateAddon", "POST", "/clusters/*/addons"),
    ("ListAddons", "GET", "/clusters/*/addons"),
    ("DescribeAddon", "GET", "/clusters/*/addons/*"),
    ("DeleteAddon", "DELETE", "/clusters/*/addons/*"),
    ("UpdateAddon", "POST", "/clusters/*/addons/*/update"),
    ("DescribeAddonVersions", "GET", "/addons/supported-versions"),
    ("CreateAccessEntry", "POST", "/clusters/*/access-entries"),
    ("ListAccessEntries", "GET", "/clusters/*/access-entries"),
    ("DescribeAccessEntry", "GET", "/clusters/*/access-entries/*"),
    ("DeleteAccessEntry", "DELETE", "/clusters/*/access-entries/*"),
    ("AssociateAccessPolicy", "POST", "/clusters/*/access-entries/*/access-policies"),
    ("ListAssociatedAccessPolicies", "GET", "/clusters/*/access-entries/*/access-policies"),
    ("DisassociateAccessPolicy", "DELETE", "/clusters/*/access-entries/*/access-policies/*"),
    ("ListAccessPolicies", "GET", "/access-policies"),
    ("CreatePodIdentityAssociation", "POST", "/clusters/*/pod-identity-associations"),
    ("ListPodIdentityAssociations", "GET", "/clusters/*/pod-identity-associations"),
    ("DescribePodIdentityAssociation", "GET", "/clusters/*/pod-identity-associations/*"),
    ("DeletePodIdentityAssociation", "DELETE", "/clusters/*/pod-identity-associations/*"),
    ("ListNodegroups", "GET", "/clusters/*/node-groups"),
    ("ListFargateProfiles", "GET", "/clusters/*/fargate-profiles"),
    ("ListTagsForResource", "GET", "/tags/*"),
    ("TagResource", "POST", "/tags/*"),
    ("UntagResource", "DELETE", "/tags/*"),
];

/// The operation, and the decoded values that stand for `*`.
pub(super) fn find(method: &Method, path: &str) -> Option<(&'static str, Vec<String>)> {
    let given: Vec<&str> = path.split('/').skip(1).collect();
    ROUTES.iter().filter(|(_, wanted, _)| method.as_str() == *wanted).find_map(|(operation, _, pattern)| {
        let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
        let same = |(p, g): (&&str, &&str)| (*p == "*" && !g.is_empty()) || p == g;
        if pattern.len() != given.len() || !pattern.iter().zip(&given).all(same) {
            return None;
        }
        let values = pattern.iter().zip(&given).filter(|(p, _)| **p == "*");
        Some((*operation, values.map(|(_, g)| percent_decode_str(g).decode_utf8_lossy().into_owned()).collect()))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::find;
    use http::Method;

    #[test]
    fn paths_name_operations_and_arns_stay_whole() {
        let entry = "/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fa%2Fb/access-policies";
        let (operation, values) = find(&Method::POST, entry).unwrap();
        assert_eq!(operation, "AssociateAccessPolicy");
        assert_eq!(values, ["c", "arn:aws:iam::111122223333:role/a/b"]);
        for (method, path) in [(Method::PUT, "/clusters"), (Method::GET, "/clusters/"), (Method::GET, "/nowhere")] {
            assert_eq!(find(&method, path), None, "{path}");
        }
    }
}
