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
            // 1.30 would come back as 1.3, and `null` as nothing.
            [Node { value: NodeValue::Scalar(read), .. }] => {
                let back = read.to_record().to_string();
                !is_text && *read != Value::Null && back == value
            }
            _ => false,
        },
        (Some(_) | None, _) => false,
    };
    if is_itself { value.to_owned() } else { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::sketch::Role;

    #[test]
    fn what_yaml_would_read_as_something_else_gets_quotes() {
        let role = Role::Value;
        let spot = Spot { entries: Vec::new(), way: Vec::new(), role, typed: 0..0, is_flow: false, needs_space: false };
        for (value, is_text, written) in [
            ("audit", true, "audit"),
            ("true", true, "\"true\""),
            ("true", false, "true"),
            ("30", false, "30"),
            ("1.30", false, "\"1.30\""),
            ("1e3", false, "\"1e3\""),
            ("0x10", false, "\"0x10\""),
            ("null", false, "\"null\""),
            ("a: b", false, "\"a: b\""),
        ] {
            assert_eq!(spelled("", &spot, value, is_text), written, "{value}");
        }
    }
}
