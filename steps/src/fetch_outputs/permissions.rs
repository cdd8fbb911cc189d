//! What fetch-outputs needs of IAM, and which resources its outputs name.
//! Knows no other step: the stack's outputs are looked up by the stack's name among those that were told.

use indexmap::IndexMap;

use super::Logical;
use crate::partial::{Partial, Text};
use crate::permissions::{Needs, Permission, Surroundings, glob, input, text};

/// DescribeStacks, and nothing else.
pub fn needs(inputs: &Partial, around: &Surroundings<'_>) -> Needs {
    let stack = input(inputs, "stack").unwrap_or_else(|| "*".to_owned());
    let arn = match stack.strip_prefix("arn:") {
        Some(_) => stack.clone(),
        None => around.arn("cloudformation", &format!("stack/{stack}/*")),
    };
    let permission = Permission::new("Stack", ["cloudformation:DescribeStacks"], [arn.clone()]);
    let name = |known: &Text| around.arn("cloudformation", &format!("stack/{}/*", glob(known)));
    let told = around.stacks.iter().find(|(known, _)| name(known) == arn).map(|(_, outputs)| outputs);
    let outputs = outputs(inputs, told, around);
    Needs { permissions: vec![permission], outputs, ..Needs::default() }
}

/// The user's values first, then what the stack will give.
fn outputs(
    inputs: &Partial,
    stack: Option<&IndexMap<String, Text>>,
    around: &Surroundings<'_>,
) -> IndexMap<String, Text> {
    let given = |logical: Logical| {
        let value = inputs.get("values").and_then(|values| input(values, logical.name()));
        value.filter(|value| !value.is_empty())
    };
    let from_stack = |logical: Logical| {
        let mapped = inputs.get("map").and_then(|map| map.str_at(logical.name()));
        let keys = mapped.map_or_else(|| logical.spellings().1.to_vec(), |key| vec![key]);
        keys.into_iter().find_map(|key| stack?.get(key)).map(glob)
    };
    let home = around.arn("eks", "cluster/");
    let mut all = IndexMap::new();
    for logical in Logical::ALL {
        // The EKS cluster may be given by its name or by its ARN; each tells the other.
        let value = match logical {
            Logical::PrivateSubnetIds => None,
            Logical::EksClusterName => given(logical)
                .or_else(|| given(Logical::EksClusterArn).and_then(|arn| name_in(&arn)))
                .or_else(|| from_stack(logical)),
            Logical::EksClusterArn => given(logical)
                .or_else(|| given(Logical::EksClusterName).map(|name| format!("{home}{name}")))
                .or_else(|| from_stack(logical)),
            Logical::VpcId | Logical::SecurityGroupId | Logical::ExecutionRoleArn | Logical::S3Bucket => {
                given(logical).or_else(|| from_stack(logical))
            }
        };
        all.extend(value.map(|value| (logical.name().to_owned(), text(&value))));
    }
    let Some(Partial::Map(map, _)) = inputs.get("map") else { return all };
    for (name, (_, key)) in map.iter().filter(|(name, _)| Logical::find(name).is_none()) {
        let value = key.as_str().and_then(|key| stack?.get(key));
        all.extend(value.map(|value| (name.clone(), value.clone())));
    }
    all
}

fn name_in(arn: &str) -> Option<String> {
    Some(arn.split_once(":cluster/")?.1.to_owned())
}
