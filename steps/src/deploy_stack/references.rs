//! The dynamic references of a template (`{{resolve:ssm:/a/b}}`), which CloudFormation looks up with the rights of the
//! caller. Knows nothing of permissions, and what it cannot tell of a name is `*`.

use crate::partial::Place;
use crate::template::node::{Node, Shape};

/// `{{resolve:SERVICE:NAME…}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// As in `secretsmanager`.
    pub service: String,
    /// What is looked up, as a pattern, without the version.
    pub name: String,
    /// Where the text stands that has it.
    pub place: Place,
}

/// Every reference that stands somewhere in this.
pub(super) fn references(node: &Node) -> Vec<Reference> {
    match &node.shape {
        Shape::Null => Vec::new(),
        Shape::Scalar(text) => in_text(text, node.place),
        Shape::List(items) => items.iter().flat_map(references).collect(),
        Shape::Map(entries) => entries.iter().flat_map(|(_, _, item)| references(item)).collect(),
    }
}

/// Every reference of one text. One that does not end in it goes on in another piece of a `Fn::Join`.
pub(super) fn in_text(text: &str, place: Place) -> Vec<Reference> {
    let found = text.split("{{resolve:").skip(1).map(|rest| {
        let rest = without_names(rest);
        let (inner, is_whole) = rest.split_once("}}").map_or((rest.as_str(), false), |(inner, _)| (inner, true));
        let (service, named) = inner.split_once(':').unwrap_or((inner, ""));
        let mut name = match service {
            "secretsmanager" => secret(named),
            "ssm" | "ssm-secure" => parameter(named),
            _ => named,
        }
        .to_owned();
        if !is_whole && !name.ends_with('*') {
            name.push('*');
        }
        Reference { service: service.to_owned(), name, place }
    });
    found.collect()
}

/// With `*` for each `${Name}` of a `Fn::Sub`.
fn without_names(text: &str) -> String {
    let mut known = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        known.push_str(before);
        known.push('*');
        rest = after.split_once('}').map_or("", |(_, behind)| behind);
    }
    known + rest
}

/// Of `ID:SecretString:key:stage:version`, where the id may be an ARN.
fn secret(named: &str) -> &str {
    let colons = if named.starts_with("arn:") { 6 } else { 0 };
    named.match_indices(':').nth(colons).map_or(named, |(at, _)| &named[..at])
}

/// Of `NAME:VERSION`, where the name may be an ARN.
fn parameter(named: &str) -> &str {
    let is_version = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
    named.rsplit_once(':').filter(|(_, version)| is_version(version)).map_or(named, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_with_their_names_and_without_their_versions() {
        let secret = "arn:aws:secretsmanager:us-west-2:111122223333:secret:a-AbCdEf";
        for (text, expected) in [
            ("plain", ""),
            ("{{resolve:ssm:/a/b:3}}", "ssm /a/b"),
            ("{{resolve:ssm-secure:pw}}", "ssm-secure pw"),
            ("{{resolve:secretsmanager:foo}}", "secretsmanager foo"),
            ("x{{resolve:secretsmanager:foo:SecretString:key}}y{{resolve:ssm:b}}", "secretsmanager foo, ssm b"),
            ("{{resolve:secretsmanager:${Name}/db:SecretString:k}}", "secretsmanager */db"),
            ("{{resolve:ssm:/a/${Name}:1}}", "ssm /a/*"),
            ("{{resolve:ssm:/a/", "ssm /a/*"),
            ("{{resolve:vault:x:y}}", "vault x:y"),
            (&format!("{{{{resolve:secretsmanager:{secret}:SecretString:k}}}}"), &format!("secretsmanager {secret}")),
        ] {
            let told: Vec<String> =
                in_text(text, Place::default()).iter().map(|it| format!("{} {}", it.service, it.name)).collect();
            assert_eq!(told.join(", "), expected, "{text}");
        }
    }
}
