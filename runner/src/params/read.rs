//! `params:` of the pipeline file to [`ParamSpec`]s.
//! Knows nothing of values given at run time.

use hprun_steps::partial::{Place, nearest};
use hprun_steps::value::{Secret, Value};
use indexmap::IndexMap;
use regex::Regex;

use super::{ParamSpec, ParamType, TYPES};
use crate::codes::params;
use crate::diagnostic::Diagnostic;
use crate::document::fields::{Fields, list};
use crate::document::yaml::{Key, Node, NodeValue};

/// The params that `node` declares. Those that are wrong are reported and, where there is a type, kept.
pub(crate) fn read_specs(node: Node, diagnostics: &mut Vec<Diagnostic>) -> IndexMap<String, ParamSpec> {
    let place = node.place;
    match node.value {
        NodeValue::Map(entries) => entries
            .into_iter()
            .filter_map(|(key, node)| read_spec(&key, node, diagnostics).map(|spec| (key.text, spec)))
            .collect(),
        NodeValue::Scalar(Value::Null) => IndexMap::new(),
        NodeValue::Scalar(_) | NodeValue::List(_) => {
            diagnostics.push(
                Diagnostic::error(&params::WRONG_DECLARATION, place, "`params` must be a map of names")
                    .help("write `NAME: { type: string, description: … }`"),
            );
            IndexMap::new()
        }
    }
}

fn read_spec(key: &Key, node: Node, diagnostics: &mut Vec<Diagnostic>) -> Option<ParamSpec> {
    if !is_name(&key.text) {
        let message = format!("`{}` is not a name for a param", key.text);
        let help = "a lower-case letter, then lower-case letters, digits, `_` and `-`";
        diagnostics.push(Diagnostic::error(&params::WRONG_PARAM_NAME, key.place, message).help(help));
    }
    let mut fields = Fields::of(node, format!("the param `{}`", key.text), diagnostics)?;
    let param_type = fields.need_text("type").and_then(|(text, place)| read_type(&text, place, fields.diagnostics()));
    let description = fields.text("description").map(|(text, _)| text);
    let default = fields.take("default");
    let env = fields.take("env").map(|(_, node)| read_names(node, fields.diagnostics())).unwrap_or_default();
    let ssm = fields.text("ssm").map(|(text, _)| text);
    let secret = fields.boolean("secret").unwrap_or(false);
    let choices = fields.take("enum").map(|(_, node)| read_choices(node, fields.diagnostics())).unwrap_or_default();
    let pattern = fields.text("pattern").and_then(|(text, place)| read_pattern(&text, place, fields.diagnostics()));
    let minimum = fields.number("minimum").map(|(n, _)| n);
    let maximum = fields.number("maximum").map(|(n, _)| n);
    fields.finish();

    let place = key.place;
    let param_type = param_type?;
    let mut spec = ParamSpec {
        param_type,
        description,
        default: None,
        env,
        ssm,
        secret,
        choices,
        pattern,
        minimum,
        maximum,
        place,
    };
    if secret && param_type != ParamType::String {
        diagnostics.push(Diagnostic::error(
            &params::WRONG_SECRET,
            place,
            format!("the secret param `{}` must be of type string", key.text),
        ));
    }
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        let message = format!("the param `{}` can have no value: its minimum is above its maximum", key.text);
        diagnostics.push(Diagnostic::error(&params::EMPTY_RANGE, place, message));
    }
    spec.default = default.and_then(|(_, node)| read_default(&key.text, &spec, &node, diagnostics));
    Some(spec)
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn read_type(text: &str, place: Place, diagnostics: &mut Vec<Diagnostic>) -> Option<ParamType> {
    let named = |text: &str| TYPES.iter().find(|(name, _)| *name == text).map(|(_, of)| *of);
    if let Some(of) = named(text) {
        return Some(of);
    }
    let names = TYPES.map(|(name, _)| name);
    let begins = || names.into_iter().find(|name| text.len() > 1 && name.starts_with(text));
    let meant = nearest(text, names).or_else(begins);
    let help = match meant {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("there are {}", list(&names)),
    };
    let message = format!("there is no param type `{text}`");
    diagnostics.push(Diagnostic::error(&params::UNKNOWN_PARAM_TYPE, place, message).help(help));
    // Taken as what is meant, so that those who use the param are not told that there is none.
    named(meant?)
}

fn read_names(node: Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
    let place = node.place;
    match node.value {
        NodeValue::Scalar(Value::String(name)) => vec![name],
        NodeValue::List(items) => items.into_iter().flat_map(|item| read_names(item, diagnostics)).collect(),
        NodeValue::Scalar(_) | NodeValue::Map(_) => {
            diagnostics.push(Diagnostic::error(
                &params::WRONG_DECLARATION,
                place,
                "`env` must name an environment variable, or a list of them",
            ));
            Vec::new()
        }
    }
}

fn read_choices(node: Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<Value> {
    match node.value {
        NodeValue::List(items) if !items.is_empty() => items.iter().map(Node::to_value).collect(),
        NodeValue::List(_) | NodeValue::Scalar(_) | NodeValue::Map(_) => {
            diagnostics.push(Diagnostic::error(
                &params::WRONG_DECLARATION,
                node.place,
                "`enum` must list the values that are allowed",
            ));
            Vec::new()
        }
    }
}

fn read_pattern(text: &str, place: Place, diagnostics: &mut Vec<Diagnostic>) -> Option<Regex> {
    // A pattern describes the whole value, as a reader expects; `regex` alone would look for it anywhere inside.
    Regex::new(&format!("^(?:{text})$"))
        .map_err(|_| {
            diagnostics.push(Diagnostic::error(
                &params::WRONG_PATTERN,
                place,
                format!("`{text}` is no valid regular expression"),
            ))
        })
        .ok()
}

fn read_default(name: &str, spec: &ParamSpec, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    if spec.secret {
        diagnostics.push(
            Diagnostic::error(
                &params::WRONG_SECRET,
                node.place,
                format!("the secret param `{name}` cannot have a default"),
            )
            .help("a secret written into this file is none; give it by `env` or `ssm`"),
        );
        return None;
    }
    if matches!(&node.value, NodeValue::Scalar(Value::String(text)) if text.contains("{{")) {
        diagnostics.push(Diagnostic::error(
            &params::WRONG_DEFAULT,
            node.place,
            format!("the default of `{name}` cannot be an expression"),
        ));
        return None;
    }
    match spec.accept(node.to_value()) {
        Ok(value) => Some(value),
        Err(why) => {
            diagnostics.push(Diagnostic::error(
                &params::WRONG_DEFAULT,
                node.place,
                format!("the default of `{name}` {why}"),
            ));
            None
        }
    }
}

/// What `text` means as a value of this param: from the command line, the environment or a terminal.
pub(super) fn from_text(name: &str, spec: &ParamSpec, text: &str) -> Result<Value, String> {
    let wrong = |what: &str| {
        Err(format!("must be {what}{}", if spec.secret { String::new() } else { format!(", this is `{text}`") }))
    };
    let value = match spec.param_type {
        ParamType::String if spec.secret => Value::Secret(Secret::new(name, text)),
        ParamType::String => Value::from(text),
        ParamType::Integer => match text.trim().parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => return wrong("an integer"),
        },
        ParamType::Number => match (text.trim().parse::<i64>(), text.trim().parse::<f64>()) {
            (Ok(number), _) => Value::Integer(number),
            (_, Ok(number)) if number.is_finite() => Value::Float(number),
            (_, _) => return wrong("a number"),
        },
        ParamType::Boolean => match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return wrong("true or false"),
        },
        ParamType::List if !text.trim_start().starts_with('[') => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
        }
        ParamType::List | ParamType::Map => match crate::document::yaml::parse(text) {
            (Some(node), problems) if problems.is_empty() => node.to_value(),
            (_, _) => return wrong("YAML or JSON text"),
        },
    };
    spec.accept(value)
}

/// What the node of a params file means as a value of this param.
pub(super) fn from_node(name: &str, spec: &ParamSpec, node: &Node) -> Result<Value, String> {
    match node.to_value() {
        Value::String(text) if spec.secret => spec.accept(Value::Secret(Secret::new(name, text))),
        value => spec.accept(value),
    }
}
