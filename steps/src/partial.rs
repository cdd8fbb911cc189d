//! Inputs as far as they are known before the run: a tree with places, for the checks that need no world.
//! Knows nothing of YAML or of expressions: places are handed in, and the runner turns them into lines.

use std::ops::Range;

use indexmap::IndexMap;

use crate::value::Value;

/// Where something stands in the pipeline file: a byte range that only the runner can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Place {
    /// Of these bytes; what lies behind 4 GB is taken for the end.
    pub fn of(bytes: &Range<usize>) -> Self {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: small(bytes.start), end: small(bytes.end) }
    }
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
    Unknown(Hole, Place),
    /// A sequence.
    List(Vec<Partial>, Place),
    /// A mapping; each key has its own place.
    Map(IndexMap<String, (Place, Partial)>, Place),
}

/// What is known of a value that is not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Hole {
    /// Its type, as far as it is known.
    pub of: ValueType,
    /// Its text, piece by piece: two holes of the same pieces will have the same text.
    pub text: Text,
}

impl Hole {
    /// A value of this type of which nothing else is known.
    pub fn of(of: ValueType) -> Self {
        Self { of, text: Text::default() }
    }

    /// The text that comes from `source`, such as `steps.infra.outputs.s3_bucket`.
    pub fn from(of: ValueType, source: impl Into<String>) -> Self {
        Self { of, text: Text(vec![Piece::From(source.into())]) }
    }
}

/// A text before the run: pieces that are known, and pieces that come from somewhere. Without pieces nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(pub Vec<Piece>);

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// These characters.
    Known(String),
    /// What this will give, such as `steps.infra.outputs.s3_bucket`: the same each time it is named in a run.
    From(String),
}

impl Text {
    /// A text that is known.
    pub fn known(text: impl Into<String>) -> Self {
        Self(vec![Piece::Known(text.into())])
    }

    /// Whether nothing is known of it.
    pub fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, if all of it is known.
    pub fn as_known(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Known(text)] => Some(text),
            _ => None,
        }
    }

    /// The known characters that it begins with.
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Known(text)) => text,
            Some(Piece::From(_)) | None => "",
        }
    }

    /// This text with another behind it; unknown if either is.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        if self.is_unknown() || other.is_unknown() {
            return Self::default();
        }
        for piece in other.0 {
            match (self.0.last_mut(), piece) {
                (Some(Piece::Known(end)), Piece::Known(more)) => end.push_str(&more),
                (_, piece) => self.0.push(piece),
            }
        }
        self
    }

    /// This text without these known characters at its beginning.
    pub fn without_beginning(&self, beginning: &str) -> Option<Self> {
        let rest = self.beginning().strip_prefix(beginning)?;
        let known = (!rest.is_empty()).then(|| Piece::Known(rest.to_owned()));
        Some(Self(known.into_iter().chain(self.0.iter().skip(1).cloned()).collect()))
    }

    /// The text before the first `mark` among its known characters, and what follows the mark.
    pub fn split_once(&self, mark: char) -> Option<(Self, Self)> {
        let at = self.0.iter().position(|piece| matches!(piece, Piece::Known(text) if text.contains(mark)))?;
        let Piece::Known(text) = &self.0[at] else { return None };
        let (before, after) = text.split_once(mark)?;
        let known = |text: &str| (!text.is_empty()).then(|| Piece::Known(text.to_owned()));
        let before = self.0[..at].iter().cloned().chain(known(before)).collect();
        let after = known(after).into_iter().chain(self.0[at + 1..].iter().cloned()).collect();
        Some((Self(before), Self(after)))
    }
}

impl std::fmt::Display for Text {
    /// What is not known stands as `{{ … }}`, as its author wrote it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Known(text) => f.write_str(text),
            Piece::From(source) => write!(f, "{{{{ {source} }}}}"),
        })
    }
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

    /// Its text, as far as it is known; none for what is no text.
    pub fn text(&self) -> Option<Text> {
        match self {
            Self::Known(Value::String(text), _) => Some(Text::known(text.clone())),
            Self::Unknown(hole, _) if matches!(hole.of, ValueType::String | ValueType::Any) => Some(hole.text.clone()),
            Self::Known(..) | Self::Unknown(..) | Self::List(..) | Self::Map(..) => None,
        }
    }

    /// The same value as if all of it stood at `place`.
    #[must_use]
    pub fn at(&self, place: Place) -> Self {
        match self {
            Self::Known(value, _) => Self::Known(value.clone(), place),
            Self::Unknown(hole, _) => Self::Unknown(hole.clone(), place),
            Self::List(items, _) => Self::List(items.iter().map(|item| item.at(place)).collect(), place),
            Self::Map(entries, _) => Self::Map(
                entries.iter().map(|(key, (_, value))| (key.clone(), (place, value.at(place)))).collect(),
                place,
            ),
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
            Self::Unknown(hole, _) => hole.of,
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

    /// Whether a secret stands in it, or may.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Unknown(hole, _) => hole.of == ValueType::Secret,
            Self::Known(value, _) => !value.secrets().is_empty(),
            Self::List(items, _) => items.iter().any(Self::has_secret),
            Self::Map(entries, _) => entries.values().any(|(_, value)| value.has_secret()),
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

/// Longer names, in bytes, have no nearest.
const LONGEST_NAME: usize = 255;

/// Of `names`, the one a person most likely meant by `wrong`; none when all are far off.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The comparison takes time and memory by the product of the lengths, and nobody means a name that long.
    if wrong.len() > LONGEST_NAME {
        return None;
    }
    let lower = wrong.to_lowercase();
    let letters = Letters::of(&lower);
    let mut best: Option<(usize, &str)> = None;
    for name in names.into_iter().filter(|name| name.len().abs_diff(wrong.len()) <= 1 + wrong.len() / 4) {
        let near = 1 + name.len().min(wrong.len()) / 4;
        let most = match best {
            Some((0, _)) => break,
            // Only one that is nearer still.
            Some((distance, _)) => near.min(distance - 1),
            None => near,
        };
        if letters.may_be_within(most, name) {
            let distance = strsim::damerau_levenshtein(&lower, &name.to_lowercase());
            best = if distance <= most { Some((distance, name)) } else { best };
        }
    }
    best.map(|(_, name)| name)
}

/// How often each letter stands in a text; two letters in one bucket only make texts look nearer than they are.
struct Letters {
    counts: [u16; 128],
    all: usize,
}

impl Letters {
    fn of(lower: &str) -> Self {
        let mut letters = Self { counts: [0; 128], all: 0 };
        for letter in lower.chars() {
            letters.counts[letter as usize % 128] += 1;
            letters.all += 1;
        }
        letters
    }

    /// False where the letters alone, in any order, tell that a name is farther off: the comparison is slow, and thousands
    /// of mistakes may be held against thousands of names.
    fn may_be_within(&self, most: usize, name: &str) -> bool {
        let mut counts = self.counts;
        let (mut all, mut common) = (0, 0);
        for letter in name.chars().flat_map(char::to_lowercase) {
            let left = &mut counts[letter as usize % 128];
            common += usize::from(*left > 0);
            *left = left.saturating_sub(1);
            all += 1;
        }
        self.all.max(all) - common <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_nearest_is_found_as_if_all_were_compared() {
        let plain = |wrong: &str, names: &[String]| {
            let distance = |name: &&String| strsim::damerau_levenshtein(&wrong.to_lowercase(), &name.to_lowercase());
            let fits = |name: &&String| {
                let shorter = name.len().min(wrong.len());
                name.len().abs_diff(wrong.len()) <= 1 + wrong.len() / 4 && distance(name) <= 1 + shorter / 4
            };
            names.iter().filter(fits).min_by_key(distance).cloned()
        };
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut name = || {
                let length = random.usize(1..9);
                (0..length)
                    .map(|_| *random.choice(&['a', 'b', 'A', 'B', '-', '1', 'é', 'É', 'İ']).unwrap_or(&'a'))
                    .collect::<String>()
            };
            let (wrong, names) = (name(), [name(), name(), name(), name(), name()]);
            let found = nearest(&wrong, names.iter().map(String::as_str));
            assert_eq!(found, plain(&wrong, &names).as_deref(), "{wrong} {names:?}");
        }
    }

    #[test]
    fn names_of_any_length_are_compared_in_little_memory() {
        let (long, longer) = ("a".repeat(40_000_000), "b".repeat(40_000_000));
        assert_eq!(nearest(&long, [longer.as_str(), "a"]), None);
        assert_eq!(nearest("naem", [longer.as_str(), "name"]), Some("name"));
    }
}
