//! Reads a tree of settings with serde, and tells exactly what is wrong and where it was written.

use std::collections::btree_map;
use std::fmt;

use serde::Deserializer;
use serde::de::value::{SeqDeserializer, StringDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::error::{SettingsError, plain};
use super::layers::{Content, Node, Origin};
use crate::nearest::nearest;

/// Something wrong in the tree. It learns its place on the way up.
#[derive(Debug)]
pub(super) struct Flaw {
    kind: FlawKind,
    origin: Option<Origin>,
    /// The keys that lead to it, the innermost first.
    keys: Vec<String>,
}

#[derive(Debug)]
enum FlawKind {
    UnknownKey { known: &'static [&'static str] },
    Value(String),
}

impl Flaw {
    fn value(message: String) -> Self {
        Self { kind: FlawKind::Value(message), origin: None, keys: Vec::new() }
    }

    fn from(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    fn within(mut self, key: &str) -> Self {
        self.keys.push(key.to_owned());
        self
    }

    fn key(&self) -> String {
        self.keys.iter().rev().map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FlawKind::UnknownKey { .. } => write!(f, "there is no setting '{}'", self.key()),
            FlawKind::Value(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Flaw {}

impl de::Error for Flaw {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::value(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Map => "a table".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Str(text) => format!("the text {text:?}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            // Debug, so that it is seen to be no whole number: 3.0.
            Unexpected::Float(number) => format!("the number {number:?}"),
            other => other.to_string(),
        };
        Self::value(format!("this should be {}, not {found}", in_words(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::value(format!("'{word}' is none of {}", known.join(", ")))
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self { kind: FlawKind::UnknownKey { known }, origin: None, keys: Vec::new() }
    }
}

/// What serde expects, as a person would say it.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a sequence" => "a list",
        "a map" => "a table",
        "a string" => "a text in quotes",
        "path string" => "a path in quotes",
        "a boolean" => "true or false",
        "u32" | "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        other => other,
    }
    .to_owned()
}

impl From<Flaw> for SettingsError {
    fn from(flaw: Flaw) -> Self {
        let key = flaw.key();
        let place = flaw.origin.as_ref().map_or_else(String::new, Origin::to_string);
        match flaw.kind {
            FlawKind::Value(message) => Self::Value { place, key: plain(&key), message: plain(&message) },
            FlawKind::UnknownKey { known } => {
                let (table, inner) =
                    key.rsplit_once('.').map_or(("", key.as_str()), |(table, inner)| (table, inner));
                let dot = if table.is_empty() { "" } else { "." };
                let nearest =
                    format!("{table}{dot}{}", nearest(inner, known.iter().copied()).unwrap_or_default());
                let nearest = flaw.origin.map_or(nearest.clone(), |origin| origin.spelling(&nearest));
                Self::UnknownKey { place, key: plain(&key), nearest: plain(&nearest) }
            }
        }
    }
}

/// The keys that a table read as `T` may have: serde names them when it meets one that it does not know.
pub(super) fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let unknown = Table::from_iter([(String::new(), Value::Boolean(true))]);
    match T::deserialize(Node::of_table(unknown, &Origin::Flags)) {
        Err(Flaw { kind: FlawKind::UnknownKey { known }, .. }) => known,
        Ok(_) | Err(Flaw { kind: FlawKind::Value(_), .. }) => &[],
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Flaw;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let origin = self.origin.clone();
        let value = match self.content {
            Content::Table(nodes) => visitor.visit_map(Entries { rest: nodes.into_iter(), value: None }),
            Content::Leaf(value) => visit_leaf(value, &origin, visitor),
        };
        value.map_err(|flaw| flaw.from(&origin))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        visitor.visit_some(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let truth = self.variable_text().and_then(|text| text.trim().parse::<bool>().ok());
        self.with_variable_as(truth.map(Value::Boolean)).deserialize_any(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let number = self.variable_text().and_then(|text| text.trim().parse::<i64>().ok());
        self.with_variable_as(number.map(Value::Integer)).deserialize_any(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let number = self.variable_text().and_then(|text| text.trim().parse::<f64>().ok());
        self.with_variable_as(number.map(Value::Float)).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Flaw> {
        let list = self.variable_text().map(|text| {
            toml_list(text).unwrap_or_else(|| {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Value::Array(words.map(Value::from).collect())
            })
        });
        self.with_variable_as(list).deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Flaw> {
        let origin = self.origin.clone();
        let value = if let Content::Leaf(Value::String(word)) = self.content {
            visitor.visit_enum(StringDeserializer::new(word))
        } else {
            Err(Flaw::value(format!("this should be one of {}, in quotes", variants.join(", "))))
        };
        value.map_err(|flaw| flaw.from(&origin))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char str string bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Flaw> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// A variable has no types of its own: its text is a number or a list where that is asked for.
impl Node {
    fn variable_text(&self) -> Option<&str> {
        match (&self.origin, &self.content) {
            (Origin::Variable(_), Content::Leaf(Value::String(text))) => Some(text),
            (Origin::Variable(_) | Origin::File(_) | Origin::Table { .. } | Origin::Flags, _) => None,
        }
    }

    fn with_variable_as(self, value: Option<Value>) -> Self {
        match value {
            Some(value) => Self { origin: self.origin, content: Content::Leaf(value) },
            None => self,
        }
    }
}

/// The list that a text spells in TOML, if it does.
fn toml_list(text: &str) -> Option<Value> {
    text.trim_start().starts_with('[').then(|| text.parse::<Value>().ok()).flatten().filter(Value::is_array)
}

fn visit_leaf<'de, V: Visitor<'de>>(value: Value, origin: &Origin, visitor: V) -> Result<V::Value, Flaw> {
    match value {
        Value::String(text) => visitor.visit_string(text),
        Value::Integer(number) => visitor.visit_i64(number),
        Value::Float(number) => visitor.visit_f64(number),
        Value::Boolean(truth) => visitor.visit_bool(truth),
        // No setting is a date; as a text it is refused with what would be right, or is a name that looks like one.
        Value::Datetime(date) => visitor.visit_string(date.to_string()),
        Value::Array(values) => {
            let nodes = values.into_iter().map(|value| Node::of_value(value, origin));
            visitor.visit_seq(SeqDeserializer::new(nodes))
        }
        Value::Table(table) => Node::of_table(table, origin).deserialize_any(visitor),
    }
}

/// The entries of a table; errors in one get its key.
struct Entries {
    rest: btree_map::IntoIter<String, Node>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Flaw;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Flaw> {
        let Some((key, node)) = self.rest.next() else { return Ok(None) };
        let known = seed
            .deserialize(StringDeserializer::new(key.clone()))
            .map_err(|flaw: Flaw| flaw.from(&node.origin).within(&key))?;
        self.value = Some((key, node));
        Ok(Some(known))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Flaw> {
        let (key, node) = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(node).map_err(|flaw| flaw.within(&key))
    }
}
