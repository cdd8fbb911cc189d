//! Zones in the properties of resources: their ids and their names are not the same, and each property takes one of the two.
//! Knows nothing of which zones an account has.

use super::Problem;
use super::conditions::Holds;
use super::evaluate::Stack;
use crate::codes::template as codes;
use crate::region;

/// Zones that are given by their name where their id is wanted, and the other way round.
pub(super) fn check(stack: &Stack<'_>) -> Vec<Problem> {
    let made = stack.template.resources.values().filter(|it| stack.has(it.condition.as_ref()) == Holds::Yes);
    let of = |properties: &super::node::Node| {
        let told = [ID, NAME].into_iter().filter_map(|property| {
            let node = properties.get(property)?;
            let text = stack.resolve(node).known()?;
            let is_id = region::is_zone_id(&text);
            let wrong = match property {
                ID => region::is_zone_name(&text),
                _ => is_id,
            };
            let (wants, other) = if property == ID { ("id", NAME) } else { ("name", ID) };
            let has = if is_id { "id" } else { "name" };
            wrong.then(|| {
                let message = format!("`{property}` takes the {wants} of a zone, and `{text}` is the {has} of one");
                Problem::error(&codes::WRONG_ZONE, node.place, message).help(format!("give it to `{other}` instead"))
            })
        });
        told.collect::<Vec<_>>()
    };
    made.filter_map(|resource| resource.properties.as_ref()).flat_map(of).collect()
}

/// Takes an id, such as `usw2-az2`.
const ID: &str = "AvailabilityZoneId";
/// Takes a name, such as `us-west-2b`.
const NAME: &str = "AvailabilityZone";
