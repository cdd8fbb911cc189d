//! The conditions of a policy's statement: read strictly, then held against the context of a request.
//! Knows no service: who asks brings the context keys, and a condition that cannot be judged as IAM does is refused.

use serde_json::{Map, Value};

use super::caller::{arn_matches, texts};
use crate::ec2::matches;

/// A condition key with one of its values; a key with several values stands several times.
pub type ContextKey = (String, String);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    operator: Operator,
    pub key: String,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equals,
    Like,
    Arn,
    Bool,
}

impl Condition {
    /// All conditions of a statement.
    pub fn read(statement: &Map<String, Value>) -> Result<Vec<Condition>, String> {
        let Some(value) = statement.get("Condition") else { return Ok(Vec::new()) };
        let mut conditions = Vec::new();
        for (name, keys) in value.as_object().ok_or("`Condition` must be an object")? {
            let operator = match name.as_str() {
                "StringEquals" => Operator::Equals,
                "StringLike" => Operator::Like,
                "ArnLike" | "ArnEquals" => Operator::Arn,
                "Bool" => Operator::Bool,
                other => return Err(format!("the condition operator `{other}` is not part of the sandbox")),
            };
            for (key, values) in keys.as_object().ok_or_else(|| format!("`{name}` must be an object"))? {
                conditions.push(Condition { operator, key: key.clone(), values: texts(Some(values), key)? });
            }
        }
        Ok(conditions)
    }

    /// Puts given keys in the place of policy variables such as `${aws:PrincipalAccount}`.
    pub fn fill_in(&mut self, given: &[ContextKey]) {
        for (key, value) in given {
            self.values.iter_mut().for_each(|text| *text = text.replace(&format!("${{{key}}}"), value));
        }
    }

    /// Whether the key is among those given.
    pub fn is_known(&self, given: &[ContextKey]) -> bool {
        given.iter().any(|(key, _)| key.eq_ignore_ascii_case(&self.key))
    }

    /// A key that is not given makes a condition false.
    pub fn holds(&self, given: &[ContextKey]) -> bool {
        let of_key = given.iter().filter(|(key, _)| key.eq_ignore_ascii_case(&self.key));
        of_key.map(|(_, value)| value).any(|value| self.values.iter().any(|wanted| self.meets(wanted, value)))
    }

    fn meets(&self, wanted: &str, value: &str) -> bool {
        match self.operator {
            Operator::Equals => wanted == value,
            Operator::Like => matches(wanted, value),
            Operator::Arn => arn_matches(wanted, value),
            Operator::Bool => wanted.eq_ignore_ascii_case(value),
        }
    }
}

/// What a statement does where it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// What a set of statements says of one question, gathered one by one: a denial wins, and what was missing is remembered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    allowed: bool,
    denied: bool,
    /// Context keys that a statement about the action and the resource asks for, and that were not given.
    pub missing: Vec<String>,
}

impl Findings {
    /// A statement that is about the action and the resource.
    pub(super) fn add(&mut self, effect: Effect, conditions: &[Condition], given: &[ContextKey]) {
        for condition in conditions.iter().filter(|condition| !condition.is_known(given)) {
            if !self.missing.contains(&condition.key) {
                self.missing.push(condition.key.clone());
            }
        }
        if conditions.iter().all(|condition| condition.holds(given)) {
            match effect {
                Effect::Allow => self.allowed = true,
                Effect::Deny => self.denied = true,
            }
        }
    }

    /// In sum.
    pub fn verdict(&self) -> super::Verdict {
        match (self.denied, self.allowed) {
            (true, _) => super::Verdict::Denied,
            (false, true) => super::Verdict::Allowed,
            (false, false) => super::Verdict::NotAllowed,
        }
    }
}
