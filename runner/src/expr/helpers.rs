//! The helpers that expressions may call, over our own values.
//! Knows nothing of names or of where arguments come from; none lets a secret become text that can be seen.

use hprun_steps::partial::{Place, ValueType, nearest};
use hprun_steps::value::{Secret, Value};

use super::ExprError;
use crate::codes::expressions;
use crate::document::a;

/// A function of expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// `eq a b`
    Eq,
    /// `ne a b`
    Ne,
    /// `gt a b`
    Gt,
    /// `gte a b`
    Gte,
    /// `lt a b`
    Lt,
    /// `lte a b`
    Lte,
    /// `and a b …`
    And,
    /// `or a b …`
    Or,
    /// `not a`
    Not,
    /// `len a`
    Len,
    /// `number a`
    Number,
    /// `lookup a key`
    Lookup,
    /// `json a`
    Json,
    /// `join list separator`
    Join,
    /// `default a b …`: the first that has a value
    Default,
}

const HELPERS: [(&str, Helper, std::ops::RangeInclusive<usize>); 15] = [
    ("eq", Helper::Eq, 2..=2),
    ("ne", Helper::Ne, 2..=2),
    ("gt", Helper::Gt, 2..=2),
    ("gte", Helper::Gte, 2..=2),
    ("lt", Helper::Lt, 2..=2),
    ("lte", Helper::Lte, 2..=2),
    ("and", Helper::And, 2..=32),
    ("or", Helper::Or, 2..=32),
    ("not", Helper::Not, 1..=1),
    ("len", Helper::Len, 1..=1),
    ("number", Helper::Number, 1..=1),
    ("lookup", Helper::Lookup, 2..=2),
    ("json", Helper::Json, 1..=1),
    ("join", Helper::Join, 2..=2),
    ("default", Helper::Default, 2..=8),
];

/// The names of all helpers.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    HELPERS.iter().map(|(name, ..)| *name)
}

impl Helper {
    /// The helper of this name.
    pub(super) fn named(name: &str, place: Place) -> Result<Self, ExprError> {
        HELPERS.iter().find(|(known, ..)| *known == name).map(|(_, helper, _)| *helper).ok_or_else(|| {
            let help = match nearest(name, HELPERS.iter().map(|(known, ..)| *known)) {
                Some(right) => format!("did you mean `{right}`?"),
                None => format!("there are {}", HELPERS.map(|(known, ..)| known).join(", ")),
            };
            ExprError::new(&expressions::UNKNOWN_HELPER, place, format!("there is no helper `{name}`")).help(help)
        })
    }

    /// Its name in the file.
    pub(super) fn name(self) -> &'static str {
        HELPERS.iter().find(|(_, helper, _)| *helper == self).map_or("", |(name, ..)| name)
    }

    pub(super) fn check_count(self, count: usize, place: Place) -> Result<(), ExprError> {
        let range = HELPERS.iter().find(|(_, helper, _)| *helper == self).map_or(0..=0, |(.., range)| range.clone());
        if range.contains(&count) {
            return Ok(());
        }
        let wanted = if range.start() == range.end() {
            format!("{}", range.start())
        } else {
            format!("{} to {}", range.start(), range.end())
        };
        let message = format!(
            "`{}` takes {wanted} argument{}, this has {count}",
            self.name(),
            if wanted == "1" { "" } else { "s" }
        );
        Err(ExprError::new(&expressions::WRONG_ARGUMENT, place, message))
    }

    /// The type of what it gives.
    pub(super) fn value_type(self) -> ValueType {
        match self {
            Self::Eq | Self::Ne | Self::Gt | Self::Gte | Self::Lt | Self::Lte | Self::And | Self::Or | Self::Not => {
                ValueType::Boolean
            }
            Self::Len => ValueType::Integer,
            Self::Number => ValueType::Number,
            Self::Json | Self::Join => ValueType::String,
            Self::Lookup | Self::Default => ValueType::Any,
        }
    }

    /// Whether it only writes its arguments down, so that what it gives of a secret is a secret.
    pub(super) fn makes_text(self) -> bool {
        matches!(self, Self::Json | Self::Join | Self::Default)
    }

    /// What is wrong with arguments of these types, whatever their values will be.
    pub(super) fn refuses(self, types: &[ValueType], place: Place) -> Option<ExprError> {
        use ValueType::{Any, Boolean, Integer, List, Map, Number, String};
        let message = match (self, types) {
            (Self::Len, [of @ (Boolean | Integer | Number)]) => not_counted(of.word()),
            (Self::Number, [of @ (Boolean | List | Map)]) => not_a_number(&a(of.word())),
            (Self::Join, [of, by]) if !matches!(of, List | Any) || !matches!(by, String | Any) => {
                not_joined(of.word(), by.word())
            }
            (Self::Gt | Self::Gte | Self::Lt | Self::Lte, [a, b]) => {
                let (numbers, texts) = ([Integer, Number, Any], [String, Any]);
                if [numbers.as_slice(), &texts].iter().any(|all| all.contains(a) && all.contains(b)) {
                    return None;
                }
                self.not_compared(a.word(), b.word())
            }
            (
                Self::Eq
                | Self::Ne
                | Self::Gt
                | Self::Gte
                | Self::Lt
                | Self::Lte
                | Self::And
                | Self::Or
                | Self::Not
                | Self::Len
                | Self::Number
                | Self::Lookup
                | Self::Json
                | Self::Join
                | Self::Default,
                _,
            ) => return None,
        };
        let compares = matches!(self, Self::Gt | Self::Gte | Self::Lt | Self::Lte);
        let mixed = types.contains(&String) && (types.contains(&Integer) || types.contains(&Number));
        let help = (compares && mixed).then(|| "make a number of the text: (number …)".to_owned());
        Some(ExprError::new(&expressions::WRONG_ARGUMENT, place, message).maybe_help(help))
    }

    fn not_compared(self, one: &str, other: &str) -> String {
        format!("`{}` compares two numbers or two texts, not {} and {}", self.name(), a(one), a(other))
    }

    /// Calls it. `default` is not called this way: it must not look at arguments that have no value.
    pub(super) fn call(self, args: &[Value], place: Place) -> Result<Value, ExprError> {
        if let (false, Some(secret)) = (self.makes_text(), args.iter().find_map(as_secret)) {
            return Err(secret_seen(self, Some(secret), place));
        }
        match (self, args) {
            (Self::Eq, [a, b]) => Ok(Value::Bool(equal(a, b))),
            (Self::Ne, [a, b]) => Ok(Value::Bool(!equal(a, b))),
            (Self::Gt, [a, b]) => self.compare(a, b, place).map(|o| Value::Bool(o.is_gt())),
            (Self::Gte, [a, b]) => self.compare(a, b, place).map(|o| Value::Bool(o.is_ge())),
            (Self::Lt, [a, b]) => self.compare(a, b, place).map(|o| Value::Bool(o.is_lt())),
            (Self::Lte, [a, b]) => self.compare(a, b, place).map(|o| Value::Bool(o.is_le())),
            (Self::And, _) => Ok(Value::Bool(args.iter().all(is_truthy))),
            (Self::Or, _) => Ok(Value::Bool(args.iter().any(is_truthy))),
            (Self::Not, [a]) => Ok(Value::Bool(!is_truthy(a))),
            (Self::Len, [a]) => len(a, place),
            (Self::Number, [a]) => number(a, place),
            (Self::Lookup, [of, key]) => lookup(of, key, place),
            (Self::Json, [a]) => json(a, place),
            (Self::Join, [items, separator]) => join(items, separator, place),
            (Self::Default, _) => Ok(args.iter().find(|a| **a != Value::Null).cloned().unwrap_or(Value::Null)),
            (_, _) => Err(ExprError::new(
                &expressions::WRONG_ARGUMENT,
                place,
                format!("`{}` has the wrong number of arguments", self.name()),
            )),
        }
    }

    fn compare(self, a: &Value, b: &Value, place: Place) -> Result<std::cmp::Ordering, ExprError> {
        let order = match (a, b) {
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
            (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
            _ => as_number(a).zip(as_number(b)).and_then(|(a, b)| a.partial_cmp(&b)),
        };
        order.ok_or_else(|| ExprError::new(&expressions::WRONG_ARGUMENT, place, self.not_compared(a.kind(), b.kind())))
    }
}

/// What counts as true in `if`, `and`, `or` and `not`: anything but false, null, zero and what is empty.
pub(super) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Integer(i) => *i != 0,
        Value::Float(f) => *f != 0.0,
        Value::String(s) => !s.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        Value::Secret(secret) => !secret.reveal().is_empty(),
    }
}

/// The error of a list or a map that stands inside a longer text.
pub(super) fn not_in_text(kind: &str, place: Place) -> ExprError {
    ExprError::new(&expressions::LIST_IN_TEXT, place, format!("a {kind} cannot stand inside a longer text"))
        .help("make it the whole value, or use `json` or `join`")
}

/// The names of all these secrets, each once.
pub(super) fn joined_names<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in secrets.into_iter().flat_map(|secret| secret.name().split('+')) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("+")
}

fn not_counted(what: &str) -> String {
    format!("`len` counts a text, a list or a map, not {}", a(what))
}

fn not_a_number(what: &str) -> String {
    format!("`number` takes a number, or a text that is one, not {what}")
}

fn not_joined(items: &str, separator: &str) -> String {
    format!("`join` takes a list and a text, not {} and {}", a(items), a(separator))
}

fn as_secret(value: &Value) -> Option<&Secret> {
    value.secrets().into_iter().next()
}

#[expect(clippy::cast_precision_loss, reason = "only used where one side is a float anyway")]
fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => None,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(_), Value::Float(_)) | (Value::Float(_), Value::Integer(_)) => as_number(a) == as_number(b),
        _ => a == b,
    }
}

fn len(value: &Value, place: Place) -> Result<Value, ExprError> {
    let count = match value {
        Value::String(text) => text.chars().count(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Secret(_) => {
            return Err(ExprError::new(&expressions::WRONG_ARGUMENT, place, not_counted(value.kind())));
        }
    };
    Ok(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// The number that a text spells, as JSON spells numbers; a number stays what it is.
fn number(value: &Value, place: Place) -> Result<Value, ExprError> {
    let wrong = |what: &str| ExprError::new(&expressions::WRONG_ARGUMENT, place, not_a_number(what));
    match value {
        Value::Integer(_) | Value::Float(_) => Ok(value.clone()),
        Value::String(text) => {
            let number: serde_json::Number = text.parse().map_err(|_| wrong(&format!("`{text}`")))?;
            number
                .as_i64()
                .map(Value::Integer)
                .or_else(|| number.as_f64().map(Value::Float))
                .ok_or_else(|| wrong(&format!("`{text}`")))
        }
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => {
            Err(wrong(&a(value.kind())))
        }
    }
}

fn lookup(of: &Value, key: &Value, place: Place) -> Result<Value, ExprError> {
    let key = match key {
        Value::String(key) => key.clone(),
        Value::Integer(index) => index.to_string(),
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Map(_) | Value::Secret(_) => {
            return Err(ExprError::new(
                &expressions::WRONG_ARGUMENT,
                place,
                format!("`lookup` takes a key or an index, not {}", a(key.kind())),
            ));
        }
    };
    descend(of, &key)
        .cloned()
        .ok_or_else(|| ExprError::missing(place, format!("there is no `{key}` in this {}", of.kind())))
}

/// Why a helper may not see a secret, which is named where it is known which it is.
pub(super) fn secret_seen(helper: Helper, secret: Option<&Secret>, place: Place) -> ExprError {
    let which = secret.map_or_else(|| "a secret".to_owned(), |secret| format!("the secret `{}`", secret.name()));
    let message = format!("`{}` cannot look at {which}", helper.name());
    ExprError::new(&expressions::SECRET_COMPARED, place, message)
        .help("what it gives would be recorded and could tell the secret")
}

/// The entry of a map or of a list.
pub(super) fn descend<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Map(entries) => entries.get(key),
        Value::List(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) | Value::Secret(_) => {
            None
        }
    }
}

/// The value as JSON text; a secret if one is inside.
fn json(value: &Value, place: Place) -> Result<Value, ExprError> {
    let secrets = value.secrets();
    let text = serde_json::to_string(&value.reveal())
        .map_err(|e| ExprError::new(&expressions::WRONG_ARGUMENT, place, format!("this has no JSON form: {e}")))?;
    Ok(if secrets.is_empty() { Value::String(text) } else { Value::Secret(Secret::new(joined_names(secrets), text)) })
}

fn join(items: &Value, separator: &Value, place: Place) -> Result<Value, ExprError> {
    let (Value::List(items), Value::String(separator)) = (items, separator) else {
        let message = not_joined(items.kind(), separator.kind());
        return Err(ExprError::new(&expressions::WRONG_ARGUMENT, place, message));
    };
    let mut text = Text::default();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push(&Value::String(separator.clone()), place)?;
        }
        text.push(item, place)?;
    }
    Ok(text.finish())
}

/// Text being put together; once a secret has entered it, all of it is secret.
#[derive(Default)]
pub(super) struct Text {
    text: String,
    secrets: Vec<Secret>,
}

impl Text {
    pub(super) fn push(&mut self, value: &Value, place: Place) -> Result<(), ExprError> {
        match value {
            Value::String(text) => self.text.push_str(text),
            Value::Integer(i) => self.text.push_str(&i.to_string()),
            Value::Float(f) => self.text.push_str(&f.to_string()),
            Value::Bool(b) => self.text.push_str(&b.to_string()),
            Value::Secret(secret) => {
                self.text.push_str(secret.reveal());
                self.secrets.push(secret.clone());
            }
            Value::Null => {
                return Err(ExprError::missing(place, "this is null, which has no text").help("use `default`"));
            }
            Value::List(_) | Value::Map(_) => {
                return Err(not_in_text(value.kind(), place));
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Value {
        if self.secrets.is_empty() {
            Value::String(self.text)
        } else {
            Value::Secret(Secret::new(joined_names(&self.secrets), self.text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_files_have_the_same_helpers() {
        let own: Vec<_> = HELPERS.iter().map(|(name, _, takes)| (*name, takes.clone())).collect();
        assert_eq!(own, hprun_steps::render_config::HELPERS);
    }
}
