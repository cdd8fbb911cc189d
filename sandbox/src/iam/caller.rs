//! The policy that the caller of a world has: read strictly, then asked what it says of one action on one resource.
//! Knows no service and no request; what it cannot evaluate as IAM does is refused when it is read, never passed over.

use serde_json::{Map, Value};

use super::condition::{Condition, ContextKey, Effect, Findings};
use crate::ec2::matches;

/// The condition keys that a request in the sandbox has, where they apply to it.
const KEYS: [&str; 3] = ["iam:PassedToService", "iam:AWSServiceName", "aws:RequestedRegion"];

/// A policy, or several that hold together.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerPolicy {
    source: Value,
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// What is asked: may the caller do this to that, under these circumstances?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// As in `s3:GetObject`.
    pub action: String,
    /// An ARN, or `*` for an action that has no resource.
    pub resource: String,
    /// Condition keys with their values.
    pub keys: Vec<ContextKey>,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}

impl CallerPolicy {
    /// The policy that `text` (JSON or YAML) spells: a policy document, or a list of them.
    ///
    /// # Errors
    /// What is wrong with it, or is not part of the sandbox.
    pub fn parse(text: &str) -> Result<CallerPolicy, String> {
        CallerPolicy::new(serde_yaml::from_str(text).map_err(|error| error.to_string())?)
    }

    /// The same from JSON that was parsed already.
    ///
    /// # Errors
    /// What is wrong with it, or is not part of the sandbox.
    pub fn new(source: Value) -> Result<CallerPolicy, String> {
        let documents = match &source {
            Value::Array(documents) => documents.iter().collect(),
            one => vec![one],
        };
        let mut statements = Vec::new();
        for document in documents {
            let document = document.as_object().ok_or("a policy is an object with `Version` and `Statement`")?;
            only(document, &["Version", "Id", "Statement"])?;
            if document.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
                return Err("`Version` must be 2012-10-17".to_owned());
            }
            let all = match document.get("Statement") {
                Some(Value::Array(all)) => all.iter().collect(),
                Some(one @ Value::Object(_)) => vec![one],
                Some(_) | None => return Err("`Statement` must be a list of statements".to_owned()),
            };
            for statement in all {
                statements.push(Statement::read(statement)?);
            }
        }
        Ok(CallerPolicy { source, statements })
    }

    /// The policy as it was given.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// What the policy says of a question: a denial wins over everything.
    pub fn verdict(&self, question: &Question) -> Verdict {
        self.findings(question).verdict()
    }

    /// The same, with the context keys that it would have to know besides.
    pub(crate) fn findings(&self, question: &Question) -> Findings {
        let mut findings = Findings::default();
        for statement in self.statements.iter().filter(|it| it.covers(question)) {
            findings.add(statement.effect, &statement.conditions, &question.keys);
        }
        findings
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Statement, String> {
        let object = value.as_object().ok_or("a statement is an object")?;
        for key in ["NotAction", "NotResource", "Principal", "NotPrincipal"] {
            if object.contains_key(key) {
                return Err(format!("`{key}` is not part of the sandbox"));
            }
        }
        only(object, &["Sid", "Effect", "Action", "Resource", "Condition"])?;
        if let Some(sid) = object.get("Sid").and_then(Value::as_str)
            && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(format!("the Sid `{sid}` may hold letters and digits only"));
        }
        let effect = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err("`Effect` must be Allow or Deny".to_owned()),
        };
        let actions = texts(object.get("Action"), "Action")?;
        if let Some(wrong) = actions.iter().find(|action| *action != "*" && !action.contains(':')) {
            return Err(format!("`{wrong}` is no action such as s3:GetObject"));
        }
        let resources = texts(object.get("Resource"), "Resource")?;
        if let Some(wrong) = resources.iter().find(|it| *it != "*" && it.splitn(6, ':').count() < 6) {
            return Err(format!("`{wrong}` is no ARN"));
        }
        if let Some(variable) = resources.iter().find(|resource| resource.contains("${")) {
            return Err(format!("the policy variable in `{variable}` is not part of the sandbox"));
        }
        let actions = actions.iter().map(|action| action.to_lowercase()).collect();
        let conditions = Condition::read(object)?;
        for condition in &conditions {
            let key = &condition.key;
            if !KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                return Err(format!("the condition key `{key}` is not part of the sandbox"));
            }
            if let Some(variable) = condition.values.iter().find(|value| value.contains("${")) {
                return Err(format!("the policy variable in `{variable}` is not part of the sandbox"));
            }
        }
        Ok(Statement { effect, actions, resources, conditions })
    }

    /// Whether it is about the action and the resource, whatever its conditions.
    fn covers(&self, question: &Question) -> bool {
        let action = question.action.to_lowercase();
        self.actions.iter().any(|pattern| matches(pattern, &action))
            && self.resources.iter().any(|pattern| arn_matches(pattern, &question.resource))
    }
}

/// Wildcards stay within their part of an ARN, but for the last part, which holds colons of its own.
pub(super) fn arn_matches(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (pattern, arn): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern.len() == arn.len() && pattern.iter().zip(&arn).all(|(pattern, part)| matches(pattern, part))
}

fn only(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(format!("`{unknown}` is not part of a policy")),
        None => Ok(()),
    }
}

pub(super) fn texts(value: Option<&Value>, what: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{what}` must be a text or a list of texts");
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let texts: Option<Vec<String>> = match value.ok_or_else(wrong)? {
        Value::Array(list) => list.iter().map(one).collect(),
        other => one(other).map(|text| vec![text]),
    };
    texts.filter(|texts| !texts.is_empty()).ok_or_else(wrong)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::{CallerPolicy, Question, Verdict};

    fn policy(statements: Value) -> Result<CallerPolicy, String> {
        CallerPolicy::new(json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    fn ask(policy: &CallerPolicy, action: &str, resource: &str, service: Option<&str>) -> Verdict {
        let keys = service.map(|service| ("iam:PassedToService".to_owned(), service.to_owned())).into_iter().collect();
        policy.verdict(&Question { action: action.to_owned(), resource: resource.to_owned(), keys })
    }

    #[test]
    fn what_is_not_allowed_is_not_and_a_denial_wins() {
        let policy = policy(json!([
            { "Sid": "A", "Effect": "Allow", "Action": ["s3:Get*", "ec2:DescribeVpcs"], "Resource": "*" },
            { "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::secret/*" },
        ]))
        .unwrap();
        for (action, resource, verdict) in [
            ("s3:GetObject", "arn:aws:s3:::open/key", Verdict::Allowed),
            ("S3:getobject", "arn:aws:s3:::open/key", Verdict::Allowed),
            ("s3:PutObject", "arn:aws:s3:::open/key", Verdict::NotAllowed),
            ("s3:GetObject", "arn:aws:s3:::secret/key", Verdict::Denied),
            ("ec2:DescribeVpcs", "*", Verdict::Allowed),
        ] {
            assert_eq!(ask(&policy, action, resource, None), verdict, "{action} {resource}");
        }
    }

    #[test]
    fn a_wildcard_stays_in_its_part_of_an_arn_and_a_narrowed_statement_covers_no_action_without_resource() {
        let policy = policy(json!({
            "Effect": "Allow", "Action": "ec2:*",
            "Resource": ["arn:aws:ec2:us-west-2:*:vpc/*", "arn:aws:logs:*:1:log-group:/aws/x:*"],
        }))
        .unwrap();
        for (resource, verdict) in [
            ("arn:aws:ec2:us-west-2:1:vpc/vpc-1", Verdict::Allowed),
            ("arn:aws:ec2:us-west-2:1:vpc/*", Verdict::Allowed),
            ("arn:aws:ec2:us-east-1:1:vpc/vpc-1", Verdict::NotAllowed),
            ("arn:aws:ec2:us-west-2:1:subnet/subnet-1", Verdict::NotAllowed),
            ("arn:aws:logs:us-east-1:1:log-group:/aws/x:log-stream:a:b", Verdict::Allowed),
            ("*", Verdict::NotAllowed),
        ] {
            assert_eq!(ask(&policy, "ec2:DoIt", resource, None), verdict, "{resource}");
        }
    }

    #[test]
    fn a_condition_needs_its_key_and_one_of_its_values() {
        let role = "arn:aws:iam::1:role/exec";
        let policy = policy(json!([{
            "Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
            "Condition": { "StringEquals": { "iam:PassedToService": ["sagemaker.amazonaws.com", "x"] } },
        }]))
        .unwrap();
        assert_eq!(ask(&policy, "iam:PassRole", role, Some("sagemaker.amazonaws.com")), Verdict::Allowed);
        assert_eq!(ask(&policy, "iam:PassRole", role, Some("eks.amazonaws.com")), Verdict::NotAllowed);
        assert_eq!(ask(&policy, "iam:PassRole", role, None), Verdict::NotAllowed);
    }

    #[test]
    fn what_the_sandbox_cannot_evaluate_is_refused() {
        for (statement, why) in [
            (json!({ "Effect": "Allow", "NotAction": "s3:*", "Resource": "*" }), "`NotAction` is not part"),
            (json!({ "Effect": "Allow", "Action": "s3:*", "NotResource": "*" }), "`NotResource` is not part"),
            (json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "bucket" }), "`bucket` is no ARN"),
            (json!({ "Effect": "Allow", "Action": "GetObject", "Resource": "*" }), "`GetObject` is no action"),
            (json!({ "Effect": "allow", "Action": "s3:*", "Resource": "*" }), "`Effect` must be"),
            (json!({ "Effect": "Allow", "Action": [], "Resource": "*" }), "`Action` must be"),
            (json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::${aws:username}" }), "variable"),
            (
                json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": { "IpAddress": {} } }),
                "operator `IpAddress`",
            ),
            (
                json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": { "Bool": { "aws:SecureTransport": false } } }),
                "the condition key `aws:SecureTransport`",
            ),
            (
                json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": { "StringEquals": { "aws:RequestedRegion": "${x}" } } }),
                "the policy variable in `${x}`",
            ),
            (json!({ "Sid": "a-b", "Effect": "Allow", "Action": "a:b", "Resource": "*" }), "the Sid `a-b`"),
        ] {
            let refused = policy(json!([statement])).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        assert!(CallerPolicy::parse("[]\n").is_ok() && CallerPolicy::parse("Statement: []").is_err());
    }
}
