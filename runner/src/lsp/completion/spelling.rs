//! A value as YAML has it at a cursor.
//! Knows nothing of where values come from.

use hprun_steps::value::Value;

use crate::document::yaml::{self, Node, NodeValue};
use crate::lsp::sketch::Spot;

/// The value as YAML: in quotes, where it would be something else without them.
pub fn spelled(page: &str, spot: &Spot, value: &str, is_text: bool) -> String {
    match page[..spot.typed.start].chars().next_back() {
        Some('"') => return value.replace('\\', "\\\\").replace('"', "\\\""),
        Some('\'') => return value.replace('\'', "''"),
        Some(_) | None => {}
    }
    let is_itself = match yaml::parse(&format!("[{value}]")) {
        (Some(Node { value: NodeValue::List(items), .. }), problems) if problems.is_empty() => match items.as_slice() {
            [Node { value: NodeValue::Scalar(Value::String(read)), .. }] => read == value,
            [Node { value: NodeValue::Scalar(_), .. }] => !is_text,
            _ => false,
        },
        (Some(_) | None, _) => false,
    };
    if is_itself { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}
