//! Params: the values that a pipeline takes at run time, where each comes from and what it may be.
//! Knows nothing of steps; reads no file and no environment: the caller hands both in.

mod read;
mod resolve;

use hprun_steps::partial::{Place, ValueType};
use hprun_steps::value::Value;
use indexmap::IndexMap;
use regex::Regex;
use serde::{Deserialize, Serialize};

pub(crate) use read::read_specs;
pub use resolve::{Given, Missing, ParamProblems, Params, resolve, ssm_needed};

/// One param as the pipeline file declares it.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// Its type.
    pub param_type: ParamType,
    /// One line for people.
    pub description: Option<String>,
    /// The value where nothing else gives one.
    pub default: Option<Value>,
    /// Environment variables that give it, the first that is set; `HPRUN_PARAM_<NAME>` stands behind them.
    pub env: Vec<String>,
    /// Path of an SSM parameter that gives it.
    pub ssm: Option<String>,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// The values that it may have; empty if any.
    pub choices: Vec<Value>,
    /// What its text must match.
    pub pattern: Option<Regex>,
    /// Smallest number, or fewest items, or shortest text.
    pub minimum: Option<f64>,
    /// Largest number, or most items, or longest text.
    pub maximum: Option<f64>,
    /// Where its name stands in the file.
    pub place: Place,
}

/// The type of a param.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// Text
    String,
    /// A whole number
    Integer,
    /// A number
    Number,
    /// `true` or `false`
    Boolean,
    /// A sequence
    List,
    /// A mapping
    Map,
}

/// Where the value of a param came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `--param`
    CommandLine,
    /// `--params-file`: the path
    File(String),
    /// An environment variable: its name
    Environment(String),
    /// An SSM parameter: its path
    Ssm(String),
    /// The pipeline file's `default`
    Default,
    /// A person at the terminal
    Answer,
    /// The record of the run that is resumed
    Recorded,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CommandLine => f.write_str("--param"),
            Self::File(path) => f.write_str(path),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Ssm(path) => write!(f, "ssm:{path}"),
            Self::Default => f.write_str("default"),
            Self::Answer => f.write_str("answer"),
            Self::Recorded => f.write_str("record"),
        }
    }
}

const TYPES: [(&str, ParamType); 6] = [
    ("string", ParamType::String),
    ("integer", ParamType::Integer),
    ("number", ParamType::Number),
    ("boolean", ParamType::Boolean),
    ("list", ParamType::List),
    ("map", ParamType::Map),
];

impl ParamType {
    /// The word in the pipeline file's `type:`.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(_, of)| *of == self).map_or("", |(name, _)| *name)
    }
}

impl ParamSpec {
    /// The type that expressions over it have.
    pub fn value_type(&self) -> ValueType {
        match self.param_type {
            _ if self.secret => ValueType::Secret,
            ParamType::String => ValueType::String,
            ParamType::Integer => ValueType::Integer,
            ParamType::Number => ValueType::Number,
            ParamType::Boolean => ValueType::Boolean,
            ParamType::List => ValueType::List,
            ParamType::Map => ValueType::Map,
        }
    }

    /// The environment variables that give the param `name`, in order.
    pub fn variables(&self, name: &str) -> Vec<String> {
        let own = format!("HPRUN_PARAM_{}", name.to_uppercase().replace('-', "_"));
        self.env.iter().cloned().chain(std::iter::once(own)).collect()
    }

    /// Whether `value` may be the param's; the text says why not, and never holds the value of a secret.
    pub fn accept(&self, value: Value) -> Result<Value, String> {
        let fits = match (self.param_type, &value) {
            (ParamType::String, Value::String(_) | Value::Secret(_))
            | (ParamType::Integer | ParamType::Number, Value::Integer(_))
            | (ParamType::Number, Value::Float(_))
            | (ParamType::Boolean, Value::Bool(_))
            | (ParamType::List, Value::List(_))
            | (ParamType::Map, Value::Map(_)) => true,
            (_, _) => false,
        };
        if !fits {
            let quote = if self.param_type == ParamType::String { ": put it in quotes" } else { "" };
            let kind = crate::document::a(value.kind());
            return Err(format!("must be {}, this is {kind}{quote}", crate::document::a(self.param_type.name())));
        }
        if !self.choices.is_empty() && !self.choices.contains(&value) {
            let choices: Vec<_> = self.choices.iter().map(|v| plain(&v.to_record())).collect();
            return Err(format!("must be one of {}{}", choices.join(", "), self.but(&value)));
        }
        if let (Some(pattern), Some(text)) = (&self.pattern, text_of(&value))
            && !pattern.is_match(text)
        {
            let pattern = pattern.as_str().trim_start_matches("^(?:").trim_end_matches(")$");
            return Err(format!("must match {pattern}{}", self.but(&value)));
        }
        self.check_size(&value)?;
        Ok(value)
    }

    fn check_size(&self, value: &Value) -> Result<(), String> {
        let (size, unit) = size_of(value);
        let too = |limit: f64, word: &str| Err(format!("must be {word} {limit}{unit}{}", self.but(value)));
        match (self.minimum, self.maximum) {
            (Some(minimum), _) if size < minimum => too(minimum, "at least"),
            (_, Some(maximum)) if size > maximum => too(maximum, "at most"),
            (_, _) => Ok(()),
        }
    }

    fn but(&self, value: &Value) -> String {
        if self.secret { String::new() } else { format!(", this is {}", plain(&value.to_record())) }
    }
}

/// What `minimum` and `maximum` speak of, and its unit.
#[expect(clippy::cast_precision_loss, reason = "limits are small numbers")]
fn size_of(value: &Value) -> (f64, &'static str) {
    match value {
        Value::Integer(i) => (*i as f64, ""),
        Value::Float(f) => (*f, ""),
        Value::String(text) => (text.chars().count() as f64, " characters long"),
        Value::Secret(secret) => (secret.reveal().chars().count() as f64, " characters long"),
        Value::List(items) => (items.len() as f64, " items long"),
        Value::Map(entries) => (entries.len() as f64, " entries long"),
        Value::Null | Value::Bool(_) => (0.0, ""),
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Secret(secret) => Some(secret.reveal()),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => None,
    }
}

fn plain(json: &serde_json::Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// Params by name, in the order of the file.
pub type ParamSpecs = IndexMap<String, ParamSpec>;

#[cfg(test)]
mod tests;
