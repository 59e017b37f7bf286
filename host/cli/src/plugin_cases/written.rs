//! `case.json` as it is written.

use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::case::invalid;
use wasmill_job::catalog::PluginProblem;

/// What `case.json` may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Written {
    /// The columns of the only input, and their types.
    pub schema: Option<Types>,
    /// The columns that its rows are keyed by.
    pub key_by: Option<Vec<String>>,
    /// Several inputs, by name, in the order in which their rows are fed.
    pub inputs: Option<InOrder<WrittenInput>>,
    /// The plugin's settings.
    pub settings: Option<Value>,
}

/// One of several inputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WrittenInput {
    /// Columns and their types.
    pub schema: Types,
    /// The columns that rows are keyed by.
    #[serde(default)]
    pub key_by: Vec<String>,
    /// Every task is handed all of its rows.
    #[serde(default)]
    pub broadcast: bool,
}

/// Columns and their types as a job has them, in order.
pub type Types = InOrder<String>;

/// A mapping of which the order means something.
#[derive(Debug, Clone)]
pub struct InOrder<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = InOrder<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl Written {
    /// The file; nothing said where there is none.
    ///
    /// # Errors
    /// Where it can't be read, isn't JSON, or says what it can't.
    pub fn read(path: &Path) -> Result<Self, PluginProblem> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(invalid(path, format!("can't be read: {error}"))),
        };
        let written: Self = serde_json::from_str(&text).map_err(|error| {
            let hint = "it may have `schema`, `key-by` and `settings`, as an operator of a job has them, in JSON; for several inputs \
                        `inputs` with a `schema` and `key-by` for each name";
            PluginProblem { hint: Some(hint.to_owned()), ..invalid(path, error) }
        })?;
        Ok(written)
    }

    /// This, and what `other` says where this says nothing.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let has_schema = self.schema.is_some();
        Self {
            schema: self.schema.or_else(|| other.schema.clone().filter(|_| self.inputs.is_none())),
            key_by: self.key_by.or_else(|| other.key_by.clone().filter(|_| self.inputs.is_none())),
            inputs: self.inputs.or_else(|| other.inputs.clone().filter(|_| !has_schema)),
            settings: self.settings.or_else(|| other.settings.clone()),
        }
    }
}
