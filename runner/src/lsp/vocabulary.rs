//! What the words of the expression language mean, for hover and completion.
//! Knows nothing of where they stand.

/// What a helper does: how it is called, and in one line what it gives.
pub fn helper(name: &str) -> Option<(&'static str, &'static str)> {
    let (usage, about) = match name {
        "eq" => ("eq a b", "Whether both are equal."),
        "ne" => ("ne a b", "Whether they differ."),
        "gt" => ("gt a b", "Whether a is greater: of two numbers or two texts."),
        "gte" => ("gte a b", "Whether a is greater or equal."),
        "lt" => ("lt a b", "Whether a is less."),
        "lte" => ("lte a b", "Whether a is less or equal."),
        "and" => ("and a b …", "Whether all count as true."),
        "or" => ("or a b …", "Whether one counts as true."),
        "not" => ("not a", "Whether it does not count as true."),
        "len" => ("len a", "How many characters, items or entries it has."),
        "number" => ("number a", "The number that a text spells."),
        "lookup" => ("lookup a key", "The entry of a map, or the item of a list."),
        "json" => ("json a", "The value as JSON text."),
        "join" => ("join list separator", "The items of a list as one text."),
        "default" => ("default a b …", "The first that has a value."),
        _ => return None,
    };
    Some((usage, about))
}

/// What a fact about the run is.
pub fn fact(name: &str) -> Option<&'static str> {
    Some(match name {
        "id" => "The id of the run.",
        "account" => "The account that the run is in.",
        "region" => "The region that the run is in.",
        "partition" => "The partition that the run is in, such as `aws`.",
        "sandbox" => "Whether the run is in the sandbox.",
        _ => return None,
    })
}

/// What stands at the beginning of a name.
pub const ROOTS: [(&str, &str); 3] = [
    ("params", "The values given at run time: `params.NAME`."),
    ("steps", "What steps handed on: `steps.ID.outputs.NAME`."),
    ("run", "Facts about the run: `run.region`."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_helper_and_every_fact_is_described() {
        for name in crate::expr::helper_names() {
            let (usage, _) = helper(name).unwrap_or_else(|| panic!("`{name}` is not described"));
            assert!(usage.starts_with(name), "{usage}");
        }
        for name in crate::expr::fact_names() {
            assert!(fact(name).is_some(), "`run.{name}` is not described");
        }
    }
}
