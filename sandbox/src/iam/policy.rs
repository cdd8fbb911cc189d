//! Policy documents: read, checked, evaluated.
//! Knows no roles: whoever asks brings the documents.

use serde_json::{Map, Value};

use super::Verdict;
use super::condition::{Condition, ContextKey, Effect, Findings};
use crate::ec2::matches;
use crate::wire::ServiceError;

/// Checks a policy document as IAM does at writing; `trust` says that it is a role's trust policy.
pub(super) fn check(document: &str, trust: bool) -> Result<(), ServiceError> {
    let malformed = |text: &str| ServiceError::new(400, "MalformedPolicyDocument", text);
    let value: Value = serde_json::from_str(document).map_err(|_| malformed("This policy contains invalid Json"))?;
    let object = value.as_object().ok_or_else(|| malformed("Syntax errors in policy."))?;
    if let Some(unknown) = object.keys().find(|key| !["Version", "Id", "Statement"].contains(&key.as_str())) {
        return Err(malformed(&format!("Syntax error in policy: unknown element {unknown}")));
    }
    let statements = statements(&value);
    if statements.is_empty() {
        return Err(malformed("Syntax errors in policy."));
    }
    for statement in statements {
        if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(malformed("Syntax errors in policy. Effect must be Allow or Deny."));
        }
        if !statement.contains_key("Action") && !statement.contains_key("NotAction") {
            return Err(malformed("Policy statement must contain actions."));
        }
        let resource = statement.contains_key("Resource") || statement.contains_key("NotResource");
        match (trust, resource, statement.contains_key("Principal")) {
            (true, true, _) => return Err(malformed("Has prohibited field Resource")),
            (true, false, false) => {
                return Err(malformed("Policy document should specify a principal."));
            }
            (false, false, _) => return Err(malformed("Policy statement must contain resources.")),
            (false, _, true) => {
                return Err(malformed("Policy document should not specify a principal."));
            }
            (true, false, true) | (false, true, false) => {}
        }
    }
    Ok(())
}

/// Whether a trust policy lets a service assume the role.
pub(super) fn trusts(document: &str, service: &str) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(document) else {
        return false;
    };
    let named = |statement: &Map<String, Value>| {
        let principal = statement.get("Principal");
        let services = principal.and_then(|p| p.get("Service")).map(texts).unwrap_or_default();
        let assumes = statement.get("Action").map(texts).unwrap_or_default();
        (services.iter().any(|s| s == service) || principal.and_then(Value::as_str) == Some("*"))
            && assumes.iter().any(|action| matches(&action.to_lowercase(), "sts:assumerole"))
    };
    let effect =
        |statement: &&Map<String, Value>, effect: &str| statement.get("Effect").and_then(Value::as_str) == Some(effect);
    let all = statements(&value);
    let denied = all.iter().any(|s| effect(s, "Deny") && named(s) && !s.contains_key("Condition"));
    !denied && all.iter().any(|s| effect(s, "Allow") && named(s))
}

/// What documents say of an action on a resource. Conditions of allowing statements count as met, of denying ones as not met.
pub(super) fn decide<'a>(documents: impl Iterator<Item = &'a Value>, action: &str, resource: &str) -> Verdict {
    let mut verdict = Verdict::NotAllowed;
    for statement in documents.flat_map(statements).filter(|it| is_about(it, action, resource)) {
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") if !statement.contains_key("Condition") => return Verdict::Denied,
            Some("Allow") => verdict = Verdict::Allowed,
            _ => {}
        }
    }
    verdict
}

/// What documents say of an action on a resource when these context keys are given and no others.
///
/// # Errors
/// A condition that the sandbox cannot judge.
pub(super) fn findings<'a>(
    documents: impl Iterator<Item = &'a Value>,
    (action, resource): (&str, &str),
    given: &[ContextKey],
) -> Result<Findings, String> {
    let mut findings = Findings::default();
    for statement in documents.flat_map(statements).filter(|it| is_about(it, action, resource)) {
        let mut conditions = Condition::read(statement)?;
        conditions.iter_mut().for_each(|condition| condition.fill_in(given));
        let denies = statement.get("Effect").and_then(Value::as_str) == Some("Deny");
        findings.add(if denies { Effect::Deny } else { Effect::Allow }, &conditions, given);
    }
    Ok(findings)
}

/// Whether a statement is about an action and a resource, whatever its conditions.
fn is_about(statement: &Map<String, Value>, action: &str, resource: &str) -> bool {
    covers(statement, "Action", "NotAction", &action.to_lowercase(), true)
        && covers(statement, "Resource", "NotResource", resource, false)
}

fn covers(statement: &Map<String, Value>, name: &str, not_name: &str, wanted: &str, lower: bool) -> bool {
    let any = |value: &Value| {
        texts(value)
            .iter()
            .any(|pattern| matches(&if lower { pattern.to_lowercase() } else { pattern.clone() }, wanted))
    };
    match (statement.get(name), statement.get(not_name)) {
        (Some(value), _) => any(value),
        (None, Some(value)) => !any(value),
        (None, None) => false,
    }
}

fn statements(document: &Value) -> Vec<&Map<String, Value>> {
    match document.get("Statement") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_object).collect(),
        Some(Value::Object(one)) => vec![one],
        _ => vec![],
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => vec![],
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Verdict, check, decide, findings, trusts};
    use crate::iam::managed::document;
    use serde_json::json;

    #[test]
    fn the_instance_role_policy_reads_sagemaker_buckets_only() {
        let managed = document("arn:aws:iam::aws:policy/AmazonSageMakerClusterInstanceRolePolicy").unwrap();
        let own =
            json!({ "Statement": { "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::my-bucket/*" } });
        let deny = json!({ "Statement": [{ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }] });
        let mine = "arn:aws:s3:::my-bucket/on_create.sh";
        for (documents, action, resource, decision) in [
            (vec![&managed], "s3:GetObject", "arn:aws:s3:::sagemaker-x/on_create.sh", Verdict::Allowed),
            (vec![&managed], "s3:GetObject", mine, Verdict::NotAllowed),
            (vec![&managed, &own], "s3:GetObject", mine, Verdict::Allowed),
            (vec![&managed, &own], "s3:PutObject", mine, Verdict::NotAllowed),
            (vec![&own, &deny], "S3:getobject", mine, Verdict::Denied),
        ] {
            assert_eq!(decide(documents.into_iter(), action, resource), decision, "{action} {resource}");
        }
    }

    #[test]
    fn a_condition_whose_key_is_not_given_is_not_met_and_is_named() {
        let pass = json!({ "Statement": [
            { "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
              "Condition": { "StringEquals": { "iam:PassedToService": "sagemaker.amazonaws.com" } } },
            { "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
              "Condition": { "StringEquals": { "aws:ResourceAccount": "${aws:PrincipalAccount}" } } },
            { "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": { "Bool": { "aws:SecureTransport": "false" } } },
        ] });
        let given = |keys: &[(&str, &str)]| -> Vec<(String, String)> {
            keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let (to, own) = ("iam:PassedToService", "aws:ResourceAccount");
        let mine = ("aws:PrincipalAccount", "1");
        for (action, keys, verdict, missing) in [
            ("iam:PassRole", &[][..], Verdict::NotAllowed, &[to][..]),
            ("iam:PassRole", &[("IAM:passedtoservice", "sagemaker.amazonaws.com")], Verdict::Allowed, &[]),
            ("iam:PassRole", &[(to, "eks.amazonaws.com")], Verdict::NotAllowed, &[]),
            ("s3:GetObject", &[(own, "1"), mine, ("aws:SecureTransport", "true")], Verdict::Allowed, &[]),
            ("s3:GetObject", &[(own, "2"), mine], Verdict::NotAllowed, &["aws:SecureTransport"]),
            ("s3:GetObject", &[(own, "1"), mine, ("aws:SecureTransport", "false")], Verdict::Denied, &[]),
        ] {
            let found = findings([&pass].into_iter(), (action, "arn:aws:s3:::b/k"), &given(keys)).unwrap();
            assert_eq!(found.verdict(), verdict, "{action} {keys:?}");
            assert_eq!(found.missing, missing, "{action} {keys:?}");
        }
        let odd = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": { "DateLessThan": {} } } });
        assert!(findings([&odd].into_iter(), ("a:b", "*"), &[]).unwrap_err().contains("`DateLessThan`"));
    }

    #[test]
    fn the_instance_role_policy_holds_under_its_conditions_only() {
        let managed = document("arn:aws:iam::aws:policy/AmazonSageMakerClusterInstanceRolePolicy").unwrap();
        let (group, bucket) =
            ("arn:aws:logs:us-west-2:1:log-group:/aws/sagemaker/Clusters/c/i", "arn:aws:s3:::sagemaker-x");
        let stream = format!("{group}:log-stream:s");
        let (namespace, account) = ("cloudwatch:namespace", "aws:ResourceAccount");
        for (action, resource, key, verdict) in [
            ("logs:CreateLogStream", stream.as_str(), None, Verdict::Allowed),
            ("logs:CreateLogStream", group, None, Verdict::NotAllowed),
            ("logs:CreateLogGroup", group, None, Verdict::Allowed),
            ("cloudwatch:PutMetricData", "*", None, Verdict::NotAllowed),
            ("cloudwatch:PutMetricData", "*", Some((namespace, "/aws/sagemaker/Clusters")), Verdict::Allowed),
            ("s3:ListBucket", bucket, Some((account, "1")), Verdict::Allowed),
            ("s3:ListBucket", bucket, Some((account, "2")), Verdict::NotAllowed),
        ] {
            let mut given = vec![("aws:PrincipalAccount".to_owned(), "1".to_owned())];
            given.extend(key.map(|(key, value)| (key.to_owned(), value.to_owned())));
            let found = findings([&managed].into_iter(), (action, resource), &given).unwrap();
            assert_eq!(found.verdict(), verdict, "{action} {resource} {key:?}");
        }
    }

    #[test]
    fn a_trust_policy_names_the_service() {
        let trust = |effect: &str, service: serde_json::Value| {
            json!({ "Statement": [{ "Effect": effect, "Principal": { "Service": service }, "Action": "sts:AssumeRole" }] }).to_string()
        };
        let sagemaker = "sagemaker.amazonaws.com";
        assert!(trusts(&trust("Allow", json!([sagemaker, "ec2.amazonaws.com"])), sagemaker));
        assert!(!trusts(&trust("Allow", json!("eks.amazonaws.com")), sagemaker));
        assert!(!trusts(&trust("Deny", json!(sagemaker)), sagemaker));
    }

    #[test]
    fn a_malformed_document_is_refused() {
        for (document, trust) in [
            ("{", false),
            (r#"{"Statement":[]}"#, false),
            (r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#, false),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#, false),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*"}]}"#, true),
            (r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}],"Versoin":"x"}"#, false),
        ] {
            assert_eq!(check(document, trust).unwrap_err().code, "MalformedPolicyDocument", "{document}");
        }
        check(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#, false).unwrap();
    }
}
