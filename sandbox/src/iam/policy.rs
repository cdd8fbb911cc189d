//! Policy documents: read, checked, evaluated.
//! Knows no roles: whoever asks brings the documents.

use serde_json::{Map, Value};

use crate::ec2::matches;
use crate::wire::ServiceError;

/// What a set of policies says of one action on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Allowed, and not denied.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

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
pub(super) fn decide<'a>(documents: impl Iterator<Item = &'a Value>, action: &str, resource: &str) -> Decision {
    let mut decision = Decision::NotAllowed;
    for document in documents {
        for statement in statements(document) {
            if !covers(statement, "Action", "NotAction", &action.to_lowercase(), true)
                || !covers(statement, "Resource", "NotResource", resource, false)
            {
                continue;
            }
            match statement.get("Effect").and_then(Value::as_str) {
                Some("Deny") if !statement.contains_key("Condition") => return Decision::Denied,
                Some("Allow") => decision = Decision::Allowed,
                _ => {}
            }
        }
    }
    decision
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
    use super::{Decision, check, decide, trusts};
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
            (vec![&managed], "s3:GetObject", "arn:aws:s3:::sagemaker-x/on_create.sh", Decision::Allowed),
            (vec![&managed], "s3:GetObject", mine, Decision::NotAllowed),
            (vec![&managed, &own], "s3:GetObject", mine, Decision::Allowed),
            (vec![&managed, &own], "s3:PutObject", mine, Decision::NotAllowed),
            (vec![&own, &deny], "S3:getobject", mine, Decision::Denied),
        ] {
            assert_eq!(decide(documents.into_iter(), action, resource), decision, "{action} {resource}");
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
