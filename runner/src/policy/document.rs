//! Policies as the JSON documents that IAM takes, and how long they may be.
//! Knows nothing of where the statements come from.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Policy, Statement};

/// Most characters of a managed policy, white space not counted (IAM and STS character quotas).
pub const LARGEST_MANAGED: usize = 6_144;

impl Policy {
    /// One document with all statements.
    pub fn document(&self) -> Value {
        document(&self.statements)
    }

    /// How many characters of it IAM counts.
    pub fn size(&self) -> usize {
        size(&self.statements)
    }

    /// Documents that are each short enough for a managed policy, in the order of the statements.
    pub fn documents(&self) -> Vec<Value> {
        let mut parts: Vec<Vec<Statement>> = vec![Vec::new()];
        let mut rest: Vec<Statement> = self.statements.iter().rev().cloned().collect();
        while let Some(statement) = rest.pop() {
            if size(std::slice::from_ref(&statement)) > LARGEST_MANAGED
                && let Some(halves) = halves(&statement)
            {
                rest.extend(halves);
                continue;
            }
            let part = parts.last_mut().expect("there is always a part");
            part.push(statement);
            if size(part) > LARGEST_MANAGED && part.len() > 1 {
                let last = part.pop().expect("it was pushed just now");
                parts.push(vec![last]);
            }
        }
        parts.iter().filter(|part| !part.is_empty()).map(|part| document(part)).collect()
    }
}

/// A statement that is too long by itself as two, the second first: the longer of its lists is cut.
fn halves(statement: &Statement) -> Option<[Statement; 2]> {
    let length = |all: &BTreeSet<String>| all.iter().map(String::len).sum::<usize>();
    let by_resources = length(&statement.resources) > length(&statement.actions);
    let list = if by_resources { &statement.resources } else { &statement.actions };
    let half = list.len() / 2;
    let part = |list: BTreeSet<String>, mark: &str| {
        let part = Statement { sid: format!("{}{mark}", statement.sid), ..statement.clone() };
        if by_resources { Statement { resources: list, ..part } } else { Statement { actions: list, ..part } }
    };
    let (first, second) = (list.iter().take(half), list.iter().skip(half));
    (half > 0).then(|| [part(second.cloned().collect(), "B"), part(first.cloned().collect(), "A")])
}

fn size(statements: &[Statement]) -> usize {
    document(statements).to_string().chars().filter(|c| !c.is_whitespace()).count()
}

fn document(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(statement).collect::<Vec<_>>() })
}

fn statement(of: &Statement) -> Value {
    let mut object = Map::from_iter([
        ("Sid".to_owned(), of.sid.as_str().into()),
        ("Effect".to_owned(), "Allow".into()),
        ("Action".to_owned(), one_or_all(of.actions.iter())),
        ("Resource".to_owned(), one_or_all(of.resources.iter())),
    ]);
    if !of.conditions.is_empty() {
        let keys = of.conditions.iter().map(|it| (it.key.to_owned(), one_or_all(it.values.iter())));
        object.insert("Condition".to_owned(), json!({ "StringEquals": keys.collect::<Map<_, _>>() }));
    }
    Value::Object(object)
}

fn one_or_all<'a>(texts: impl ExactSizeIterator<Item = &'a String>) -> Value {
    let all: Vec<Value> = texts.map(|text| text.as_str().into()).collect();
    match <[Value; 1]>::try_from(all) {
        Ok([one]) => one,
        Err(all) => Value::Array(all),
    }
}
