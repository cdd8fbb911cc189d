//! What fetch-outputs needs from the step that makes its stack, and which ids it is given.
//! Knows nothing of templates.

use indexmap::IndexMap;

use super::{Logical, every_logical};
use crate::fact::{Fact, FileUse, Tie};
use crate::finding::At;
use crate::partial::Partial;
use crate::value::Value;

/// The outputs that the stack must have, the file that is written, and the ARNs that the user gives.
pub fn facts(inputs: &Partial) -> Vec<Fact> {
    needed(inputs).into_iter().chain(written(inputs)).chain(named(inputs)).collect()
}

/// The file for a shell.
fn written(inputs: &Partial) -> Option<Fact> {
    let file = inputs.get("env-file")?;
    let kind = if inputs.get("env").is_some_and(Partial::has_secret) { FileUse::Secret } else { FileUse::Plain };
    Some(Fact::Writes { path: file.text()?, output: "env_file", kind, place: file.place() })
}

/// Whether a value is given: an empty one counts as not given.
pub fn is_given(value: &Partial) -> bool {
    match value {
        Partial::Known(Value::Null, _) => false,
        Partial::Known(Value::String(text), _) => !text.is_empty(),
        Partial::List(items, _) => !items.is_empty(),
        Partial::Known(..) | Partial::Unknown(..) | Partial::Map(..) => true,
    }
}

/// The outputs that the stack must have.
fn needed(inputs: &Partial) -> Option<Fact> {
    let stack = inputs.get("stack")?;
    let required: Vec<Logical> = match inputs.get("require").map(Partial::known) {
        None => every_logical(),
        Some(known) => known?.parse().ok()?,
    };
    let given = |name: &str| inputs.get("values").and_then(|values| values.get(name)).is_some_and(is_given);
    let map = match inputs.get("map") {
        Some(Partial::Map(map, _)) => map.clone(),
        Some(_) | None => IndexMap::new(),
    };
    // Name and ARN of the EKS cluster are made of each other.
    let of_cluster = |logical: Logical| matches!(logical, Logical::EksClusterName | Logical::EksClusterArn);
    let cluster_given = given("eks_cluster_name") || given("eks_cluster_arn");
    let is_open = |logical: &Logical| !given(logical.name()) && (!cluster_given || !of_cluster(*logical));
    let keys_of = |logical: Logical| {
        let partner = of_cluster(logical).then_some([Logical::EksClusterName, Logical::EksClusterArn]);
        let logicals = partner.map_or_else(|| vec![logical], Vec::from);
        let keys = logicals.into_iter().map(|logical| match map.get(logical.name()) {
            Some((_, key)) => Some(vec![key.as_str()?.to_owned()]),
            None => Some(logical.spellings().1.map(str::to_owned).to_vec()),
        });
        Some((logical.name().to_owned(), keys.collect::<Option<Vec<_>>>()?.concat()))
    };
    let (needed, free): (Vec<_>, Vec<_>) =
        Logical::ALL.into_iter().filter(is_open).partition(|logical| required.contains(logical));
    let mut keys: Vec<(String, Vec<String>)> = needed.into_iter().filter_map(keys_of).collect();
    let otherwise = free.into_iter().filter_map(|logical| {
        let (name, keys) = keys_of(logical)?;
        let nothing = if logical == Logical::PrivateSubnetIds { Value::List(Vec::new()) } else { Value::Null };
        Some((name, keys, nothing))
    });
    let otherwise = otherwise.collect();
    let own = map.iter().filter(|(name, _)| Logical::find(name).is_none());
    keys.extend(own.filter_map(|(name, (_, key))| Some((name.clone(), vec![key.as_str()?.to_owned()]))));
    Some(Fact::NeedsOutputs { stack: stack.text()?, keys, otherwise, place: stack.place() })
}

/// The ARNs that the user gives.
fn named(inputs: &Partial) -> Vec<Fact> {
    let Some(values) = inputs.get("values") else { return Vec::new() };
    let arns = [Logical::EksClusterArn, Logical::ExecutionRoleArn];
    let value = |logical: Logical| values.get(logical.name()).filter(|value| is_given(value));
    arns.into_iter()
        .filter_map(value)
        .filter_map(|value| Some(Fact::Names { id: value.text()?, at: At::Pipeline(value.place()), tie: Tie::Firm }))
        .collect()
}
