//! Inputs as far as they are known before the run: a tree with places, for the checks that need no world.
//! Knows nothing of YAML or of expressions: places are handed in, and the runner turns them into lines.

use indexmap::IndexMap;

use crate::value::Value;

/// Where something stands in the pipeline file: a byte range that only the runner can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The type of a value, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Nothing is known
    Any,
    /// `true` or `false`
    Boolean,
    /// A whole number
    Integer,
    /// A number
    Number,
    /// Text
    String,
    /// A sequence
    List,
    /// A mapping
    Map,
    /// Text that must not be shown
    Secret,
}

impl ValueType {
    /// The word that pipeline files and messages have for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Any => "value",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::List => "list",
            Self::Map => "map",
            Self::Secret => "secret",
        }
    }
}

/// Inputs before the run: every leaf is known, or known to be of a type.
#[derive(Clone, Debug, PartialEq)]
pub enum Partial {
    /// A scalar (or an empty place) whose value is known.
    Known(Value, Place),
    /// An expression whose value is only known when the step starts.
    Unknown(ValueType, Place),
    /// A sequence.
    List(Vec<Partial>, Place),
    /// A mapping; each key has its own place.
    Map(IndexMap<String, (Place, Partial)>, Place),
}

impl Partial {
    /// Where it stands.
    pub fn place(&self) -> Place {
        match self {
            Self::Known(_, place) | Self::Unknown(_, place) | Self::List(_, place) | Self::Map(_, place) => *place,
        }
    }

    /// The entry `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&Partial> {
        match self {
            Self::Map(entries, _) => entries.get(key).map(|(_, value)| value),
            Self::Known(..) | Self::Unknown(..) | Self::List(..) => None,
        }
    }

    /// The text, where it is known.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Known(Value::String(text), _) => Some(text),
            Self::Known(..) | Self::Unknown(..) | Self::List(..) | Self::Map(..) => None,
        }
    }

    /// The text of the entry `key`, where both are known.
    pub fn str_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_str)
    }

    /// The whole value, where every leaf of it is known.
    pub fn known(&self) -> Option<Value> {
        match self {
            Self::Known(value, _) => Some(value.clone()),
            Self::Unknown(..) => None,
            Self::List(items, _) => items.iter().map(Self::known).collect::<Option<Vec<_>>>().map(Value::List),
            Self::Map(entries, _) => entries
                .iter()
                .map(|(key, (_, value))| Some((key.clone(), value.known()?)))
                .collect::<Option<IndexMap<_, _>>>()
                .map(Value::Map),
        }
    }

    /// The type, as far as it is known.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Unknown(of, _) => *of,
            Self::List(..) => ValueType::List,
            Self::Map(..) => ValueType::Map,
            Self::Known(value, _) => match value {
                Value::Null => ValueType::Any,
                Value::Bool(_) => ValueType::Boolean,
                Value::Integer(_) => ValueType::Integer,
                Value::Float(_) => ValueType::Number,
                Value::String(_) => ValueType::String,
                Value::List(_) => ValueType::List,
                Value::Map(_) => ValueType::Map,
                Value::Secret(_) => ValueType::Secret,
            },
        }
    }

    /// All values as known, with no places: for tests and for inputs resolved at run time.
    pub fn from_value(value: &Value) -> Self {
        let nowhere = Place::default();
        match value {
            Value::List(items) => Self::List(items.iter().map(Self::from_value).collect(), nowhere),
            Value::Map(entries) => Self::Map(
                entries.iter().map(|(key, value)| (key.clone(), (nowhere, Self::from_value(value)))).collect(),
                nowhere,
            ),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Secret(_) => Self::Known(value.clone(), nowhere),
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run goes on; a person should know.
    Warning,
    /// Nothing is run.
    Error,
}

/// Where a finding points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A place in the pipeline file.
    Pipeline(Place),
    /// A place in a file that the step reads: the path as the step spelled it, and a byte range in it.
    File {
        /// As spelled in the inputs.
        path: String,
        /// Byte range in that file.
        place: Place,
    },
}

/// Something wrong that is known before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub at: At,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Finding {
    /// An error at a place of the pipeline file.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, at: At::Pipeline(place), message: message.into(), help: None }
    }

    /// A warning at a place of the pipeline file.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// An error in a file that a step reads.
    pub fn in_file(path: impl Into<String>, place: Place, message: impl Into<String>) -> Self {
        let at = At::File { path: path.into(), place };
        Self { severity: Severity::Error, at, message: message.into(), help: None }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Of `names`, the one a person most likely meant by `wrong`; none when all are far off.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = wrong.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().min(wrong.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
