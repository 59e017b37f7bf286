//! A job file as a tree that remembers where everything was written. JSON is YAML, so it is read by the same parser.

mod advice;
mod overrides;
mod parse;
mod plain;
mod variables;

use crate::place::Place;

pub use overrides::apply_overrides;
pub use parse::parse;
pub use plain::Plain;
pub use variables::substitute;

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub place: Place,
    /// The value.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, a number, `true`, nothing …
    Scalar(Scalar),
    /// Items in order.
    List(Vec<Node>),
    /// Entries in the order in which they were written; no key comes twice.
    Mapping(Vec<Entry>),
    /// A value that couldn't be had. Why has been said; whoever reads it need not complain again.
    Unknown,
}

/// A key, its value, and where the key was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub key_place: Place,
    /// Its value.
    pub value: Node,
}

/// A value without parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Its text, without quotes.
    pub text: String,
    /// Whether it was written without quotes, so that it may be a number, `true` or nothing.
    pub plain: bool,
    /// Whether some of it came from a variable.
    pub substituted: bool,
}

impl Node {
    /// The value of a key; `None` where there is no such key, or this is no mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// What this is, in words, for messages: `a list`, `the number 3`, `nothing`.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Scalar(scalar) => scalar.describe(),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
            Value::Unknown => "a value that couldn't be had".to_owned(),
        }
    }
}

impl Scalar {
    /// What the scalar means, by YAML's core schema.
    #[must_use]
    pub fn resolve(&self) -> Plain<'_> {
        if self.plain { Plain::resolve(&self.text) } else { Plain::Text(&self.text) }
    }

    fn describe(&self) -> String {
        match self.resolve() {
            Plain::Nothing => "nothing".to_owned(),
            Plain::Boolean(value) => value.to_string(),
            Plain::Integer(_) | Plain::Float(_) => format!("the number {}", self.text),
            Plain::Text(text) => format!("the text `{text}`"),
        }
    }
}
