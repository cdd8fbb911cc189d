//! The values that flow through a pipeline: what params hold, what expressions give, what a step receives.
//! Knows nothing of YAML, of expressions or of any step.

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use zeroize::Zeroizing;

/// A resolved value. Unlike `serde_json::Value` it can hold a secret, and it does not serialize: [`Value::to_record`]
/// is the only way out, and it names secrets instead of showing them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number
    Integer(i64),
    /// Any other number
    Float(f64),
    /// Text
    String(String),
    /// A sequence
    List(Vec<Value>),
    /// A mapping, in the order of the file
    Map(IndexMap<String, Value>),
    /// Text that is never written anywhere but into an input that is marked for a secret
    Secret(Secret),
}

/// Text that must not be shown. It has no `Serialize`, and its `Debug` names the param it came from, never the text.
#[derive(Clone)]
pub struct Secret {
    name: String,
    text: Zeroizing<String>,
}

/// A value does not have the shape that an input asks for. `path` leads to it from the step's `with:`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) })]
pub struct ValueError {
    /// Keys and indices from the root to the value.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
}

impl Value {
    /// What may be recorded, shown and compared: the value as JSON, with `secret(NAME)` in place of each secret.
    pub fn to_record(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Integer(i) => (*i).into(),
            Self::Float(f) => serde_json::Number::from_f64(*f).map_or(serde_json::Value::Null, Into::into),
            Self::String(s) => s.clone().into(),
            Self::List(items) => items.iter().map(Self::to_record).collect(),
            Self::Map(entries) => {
                serde_json::Value::Object(entries.iter().map(|(k, v)| (k.clone(), v.to_record())).collect())
            }
            Self::Secret(secret) => format!("secret({})", secret.name).into(),
        }
    }

    /// The value as JSON with its secrets in clear: only for a file or a request whose input is marked for secrets, and for
    /// the inside of another secret.
    pub fn reveal(&self) -> serde_json::Value {
        match self {
            Self::Secret(secret) => secret.reveal().into(),
            Self::List(items) => items.iter().map(Self::reveal).collect(),
            Self::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), value.reveal())).collect(),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::String(_) => self.to_record(),
        }
    }

    /// A value from JSON that holds no secret, such as the recorded outputs of a step.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Self::Float(n.as_f64().unwrap_or(f64::NAN)), Self::Integer)
            }
            serde_json::Value::String(s) => Self::String(s.clone()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.iter().map(|(k, v)| (k.clone(), Self::from_json(v))).collect())
            }
        }
    }

    /// The typed inputs that this value spells, or the first place where it does not.
    pub fn parse<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// Every secret inside, so that error texts can be redacted.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Secret(secret) => vec![secret],
            Self::List(items) => items.iter().flat_map(Self::secrets).collect(),
            Self::Map(entries) => entries.values().flat_map(Self::secrets).collect(),
            Self::Null | Self::Bool(_) | Self::Integer(_) | Self::Float(_) | Self::String(_) => Vec::new(),
        }
    }

    /// The word for this kind of value, as the pipeline file's `type:` has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Float(_) => "number",
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Secret(_) => "secret",
        }
    }
}

impl Secret {
    /// Text to keep from sight; `name` is the param that holds it and may be shown.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: Zeroizing::new(text.into()) }
    }

    /// The param (or params, joined with `+`) that the text comes from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text itself, for a request or a file of mode 0600 and nothing else.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// `text` with every occurrence of this secret replaced by its name. Texts of fewer than four characters are
    /// left alone: replacing them would make the rest unreadable and tell the secret by the gaps.
    pub fn redact(&self, text: &str) -> String {
        if self.text.len() < 4 {
            text.to_owned()
        } else {
            text.replace(self.text.as_str(), &format!("secret({})", self.name))
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret({})", self.name)
    }
}

impl PartialEq for Secret {
    /// Compares names only: the text takes no part in anything that could be observed.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

// ---- reading a `Value` as typed inputs ----------------------------------------------------------------------------

const SECRET: &str = "$hprun::Secret";
const VALUE: &str = "$hprun::Value";

impl de::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { path: Vec::new(), message: message.to_string() }
    }
}

impl ValueError {
    fn under(mut self, key: impl Into<String>) -> Self {
        self.path.insert(0, key.into());
        self
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for Value {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Value {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(b) => visitor.visit_bool(b),
            Self::Integer(i) => visitor.visit_i64(i),
            Self::Float(f) => visitor.visit_f64(f),
            Self::String(s) => visitor.visit_string(s),
            Self::List(items) => visitor.visit_seq(Items { items: items.into_iter(), at: 0 }),
            Self::Map(entries) => visitor.visit_map(Entries { entries: entries.into_iter(), next: None }),
            Self::Secret(s) => Err(de::Error::custom(format!(
                "the secret `{}` cannot be used here: this input is not marked for a secret",
                s.name
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match (self, name) {
            (Self::Secret(s), SECRET | VALUE) => visitor
                .visit_map(MapDeserializer::new([(SECRET, s.name.clone()), ("text", s.text.to_string())].into_iter())),
            (other, SECRET | VALUE) => other.deserialize_any(visitor),
            (other, _) => visitor.visit_newtype_struct(other),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Self::String(s) => s.into_deserializer().deserialize_enum(name, variants, visitor),
            Self::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Entries {
                    entries: entries.into_iter(),
                    next: None,
                }))
            }
            other => Err(de::Error::custom(format!("expected one of {}, found {}", variants.join(", "), other.kind()))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items {
    items: std::vec::IntoIter<Value>,
    at: usize,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = ValueError;
    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ValueError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let at = self.at;
        self.at += 1;
        seed.deserialize(item).map(Some).map_err(|e| e.under(at.to_string()))
    }
}

struct Entries {
    entries: indexmap::map::IntoIter<String, Value>,
    next: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = ValueError;
    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ValueError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.next = Some((key.clone(), value));
        seed.deserialize(key.clone().into_deserializer()).map(Some).map_err(|e: ValueError| e.under(key))
    }
    fn next_value_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ValueError> {
        let (key, value) = self.next.take().expect("serde asks for a value only after its key");
        seed.deserialize(value).map_err(|e| e.under(key))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(VALUE, AnyValue)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_newtype_struct(SECRET, AnyValue)? {
            Value::Secret(secret) => Ok(secret),
            Value::String(text) => Ok(Self::new("literal", text)),
            other => Err(de::Error::custom(format!("expected a string, found {}", other.kind()))),
        }
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Integer(v))
    }
    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Value, E> {
        i64::try_from(v).map(Value::Integer).map_err(|_| E::custom(format!("the number {v} is too large")))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Float(v))
    }
    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }
    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Value>()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = IndexMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == SECRET {
                let name: String = map.next_value()?;
                let text = map.next_entry::<String, String>()?.map(|(_, text)| text).unwrap_or_default();
                return Ok(Value::Secret(Secret::new(name, text)));
            }
            entries.insert(key, map.next_value::<Value>()?);
        }
        Ok(Value::Map(entries))
    }
}

impl JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-secret": true })
    }
}

/// The schema of a [`Value`] that may hold no secret, however deep: it goes where everybody can read it.
pub fn without_secrets(_: &mut SchemaGenerator) -> Schema {
    json_schema!({})
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-secret": true })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Inputs {
        name: String,
        count: Option<u32>,
        token: Option<Secret>,
        #[serde(default)]
        parameters: BTreeMap<String, Value>,
    }

    fn check(entries: &[(&str, Value)]) -> String {
        let value = Value::Map(entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
        match value.parse::<Inputs>() {
            Ok(inputs) => format!("{inputs:?}"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn a_secret_only_enters_an_input_marked_for_one() {
        let secret = || Value::Secret(Secret::new("token", "hunter2hunter2"));
        assert_eq!(
            check(&[("name", secret())]),
            "`name`: the secret `token` cannot be used here: this input is not marked for a secret"
        );
        assert_eq!(
            check(&[("name", "a".into()), ("token", secret())]),
            "Inputs { name: \"a\", count: None, token: Some(secret(token)), parameters: {} }"
        );
        let nested = Value::Map([("Password".to_owned(), secret())].into_iter().collect());
        assert_eq!(
            check(&[("name", "a".into()), ("parameters", nested)]),
            "Inputs { name: \"a\", count: None, token: None, parameters: {\"Password\": Secret(secret(token))} }"
        );
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        assert_eq!(
            check(&[("name", "a".into()), ("count", "x".into())]),
            "`count`: invalid type: string \"x\", expected u32"
        );
        let record = Value::Secret(Secret::new("token", "hunter2hunter2")).to_record();
        assert_eq!(record, serde_json::json!("secret(token)"));
    }
}
