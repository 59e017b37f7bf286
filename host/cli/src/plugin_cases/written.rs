//! `case.json` as it is written.

use std::fmt;
use std::fs;
use std::io;
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
    /// Columns and their types.
    pub schema: Option<Types>,
    /// The columns that rows are keyed by.
    pub key_by: Option<Vec<String>>,
    /// The plugin's settings.
    pub settings: Option<Value>,
    /// Not in this version.
    #[serde(default)]
    pub inputs: Option<Value>,
    /// Not in this version.
    #[serde(default)]
    pub timers: Option<Value>,
}

/// Columns and their types as a job has them, in order.
#[derive(Debug, Clone)]
pub struct Types(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Types {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Types;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from columns to types")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Types, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Types(columns))
            }
        }
        deserializer.deserialize_map(InOrder)
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
            let hint = "it may have `schema`, `key-by` and `settings`, as an operator of a job has them, in JSON".to_owned();
            PluginProblem { hint: Some(hint), ..invalid(path, error) }
        })?;
        for (key, what) in [("inputs", &written.inputs), ("timers", &written.timers)] {
            if what.is_some() {
                let message = format!("{}: `{key}` is not in this version", path.display());
                return Err(PluginProblem { code: "not-in-this-version", message, hint: None });
            }
        }
        Ok(written)
    }

    /// This, and what `other` says where this says nothing.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            schema: self.schema.or_else(|| other.schema.clone()),
            key_by: self.key_by.or_else(|| other.key_by.clone()),
            settings: self.settings.or_else(|| other.settings.clone()),
            ..self
        }
    }
}
