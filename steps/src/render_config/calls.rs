//! Which helpers and blocks a template may call, and with how many arguments.
//! Knows nothing of values, or of what the helpers do.

use std::ops::RangeInclusive;

use crate::partial::nearest;

/// The helpers of expressions, and how many arguments each takes: those of the pipeline file, and of template files.
pub const HELPERS: [(&str, RangeInclusive<usize>); 15] = [
    ("eq", 2..=2),
    ("ne", 2..=2),
    ("gt", 2..=2),
    ("gte", 2..=2),
    ("lt", 2..=2),
    ("lte", 2..=2),
    ("and", 2..=32),
    ("or", 2..=32),
    ("not", 1..=1),
    ("len", 1..=1),
    ("number", 1..=1),
    ("lookup", 2..=2),
    ("json", 1..=1),
    ("join", 2..=2),
    ("default", 2..=8),
];
/// Of these, the ones that are true or false, which may open a block.
const CONDITIONS: usize = 9;
/// The blocks of template files.
const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];
/// What the parser knows beyond that: text that is not looked at, and a line for the log of a program that has one.
const SILENT: [&str; 2] = ["raw", "log"];

/// What is wrong with the call of a helper, whatever its arguments are: a message and advice.
pub(super) fn misuse(name: &str, count: usize, block: bool) -> Option<(String, Option<String>)> {
    if SILENT.contains(&name) {
        return None;
    }
    let known = HELPERS.iter().position(|(known, _)| *known == name);
    let takes = match (known, block) {
        (Some(at), false) => HELPERS[at].1.clone(),
        (Some(at), true) if at < CONDITIONS => HELPERS[at].1.clone(),
        (Some(_) | None, true) if BLOCKS.contains(&name) => 1..=1,
        (None, false) if BLOCKS.contains(&name) => {
            return Some((format!("`{name}` is a block"), Some(format!("write {{{{#{name} …}}}} … {{{{/{name}}}}}"))));
        }
        (Some(_) | None, true) => return Some((format!("there is no block `{name}`"), Some(near_block(name, count)))),
        (None, false) => {
            let names = || HELPERS.iter().map(|(name, _)| *name);
            let help = nearest(name, names()).map_or_else(
                || format!("there are {}", names().collect::<Vec<_>>().join(", ")),
                |right| format!("did you mean `{right}`?"),
            );
            return Some((format!("there is no helper `{name}`"), Some(help)));
        }
    };
    if takes.contains(&count) {
        return None;
    }
    let (from, to) = (takes.start(), takes.end());
    let wanted = if from == to { from.to_string() } else { format!("{from} to {to}") };
    let plural = if wanted == "1" { "" } else { "s" };
    let sign = if block { "#" } else { "" };
    Some((format!("`{sign}{name}` takes {wanted} argument{plural}, this has {count}"), None))
}

fn near_block(name: &str, count: usize) -> String {
    match nearest(name, BLOCKS) {
        Some(right) => format!("did you mean `{right}`?"),
        None if count == 0 => format!("write {{{{#each {name}}}}}, {{{{#with {name}}}}} or {{{{#if {name}}}}}"),
        None => format!("there are {}", BLOCKS.join(", ")),
    }
}
