//! Mappings, lists and blocks of addresses in a template that are asked for something they do not have.
//! Knows nothing of what is done with what is found.

use super::Problem;
use super::conditions::Holds;
use super::evaluate::Resolved;
use super::network::Block;
use super::node::Node;
use super::walk::{Here, Walk};
use crate::codes::template as codes;
use crate::partial::Place;

impl<'a> Walk<'_, 'a> {
    /// A mapping that is not there, or has no such key.
    pub(super) fn mapped(&mut self, map: &'a Node, first: &'a Node, second: &'a Node, here: Here<'a>) {
        let stack = self.stack;
        if here.live != Holds::Yes || stack.template.open || !stack.template.transforms.is_empty() {
            return;
        }
        let Some(name) = stack.resolve(map).known() else { return };
        let Some(keys) = stack.template.mappings.get(&name) else {
            let problem = Problem::error(&codes::UNKNOWN_MAPPING, map.place, format!("there is no mapping `{name}`"));
            return self.problems.push(problem.nearest(&name, stack.template.mappings.keys().map(String::as_str)));
        };
        let Some(key) = stack.resolve(first).known() else { return };
        let Some(inner) = keys.get(&key) else {
            let message = format!("the mapping `{name}` has no key `{key}`");
            return self.problems.push(missing_key(first.place, message, &key, keys.keys()));
        };
        let Some(last) = stack.resolve(second).known() else { return };
        if !inner.contains_key(&last) {
            let message = format!("the mapping `{name}` has no key `{last}` under `{key}`");
            self.problems.push(missing_key(second.place, message, &last, inner.keys()));
        }
    }

    /// An item that a list does not have.
    pub(super) fn selected(&mut self, index: &'a Node, list: &'a Node, here: Here<'a>) {
        if here.live != Holds::Yes {
            return;
        }
        let Some(text) = self.stack.resolve(index).known() else { return };
        let Ok(number) = text.trim().parse::<usize>() else {
            let message = format!("`Fn::Select` takes a number from 0, not `{text}`");
            return self.problems.push(Problem::error(&codes::WRONG_SELECTION, index.place, message));
        };
        let Resolved::List(items) = self.stack.resolve(list) else { return };
        // An item that is not known may be several: a function can give a list within a list.
        if number >= items.len() && !items.contains(&Resolved::Unknown) {
            let message = format!("`Fn::Select` asks for item {number} of a list of {}", items.len());
            self.problems
                .push(Problem::error(&codes::WRONG_SELECTION, index.place, message).help("items are counted from 0"));
        }
    }

    /// More addresses than a block has.
    pub(super) fn divided(&mut self, block: &'a Node, count: &'a Node, bits: Option<&'a Node>, here: Here<'a>) {
        if here.live != Holds::Yes {
            return;
        }
        let number = |node: &Node| self.stack.resolve(node).known()?.trim().parse::<u32>().ok();
        let text = self.stack.resolve(block).known();
        let (Some(whole), Some(many)) = (text.as_deref().and_then(Block::read), number(count)) else { return };
        let Some(bits) = bits.map_or(Some(8), number) else { return };
        if whole.divide(many, bits).is_some() {
            return;
        }
        let message = match (many, bits) {
            (1..=256, 0..=32) => format!("{whole} does not hold {many} blocks of /{}", 32 - bits),
            (1..=256, _) => format!("`Fn::Cidr` takes 1 to 32 bits for hosts, not {bits}"),
            (_, _) => format!("`Fn::Cidr` makes 1 to 256 blocks, not {many}"),
        };
        let help = "the third argument is how many bits are for hosts: 8 makes blocks of /24";
        self.problems.push(Problem::error(&codes::WRONG_ARGUMENTS, block.place, message).help(help));
    }
}

fn missing_key<'k>(place: Place, message: String, wrong: &str, keys: impl Iterator<Item = &'k String>) -> Problem {
    let mut keys: Vec<&str> = keys.map(String::as_str).collect();
    keys.sort_unstable();
    let has = format!("it has {}", keys.join(", "));
    Problem::error(&codes::UNKNOWN_MAPPING, place, message).help(has).nearest(wrong, keys)
}
