//! A case as its folder has it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::bindings::{DataType, DecimalType, Field};
use crate::error::{Error, Result};

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The columns of the rows in.
    pub schema: Vec<Field>,
    /// The columns that rows are keyed by.
    pub key: Vec<String>,
    /// Settings, as JSON.
    pub settings: String,
}

/// What `case.json` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    schema: Option<Types>,
    key_by: Option<Vec<String>>,
    settings: Option<Box<RawValue>>,
}

/// Columns and their types, in order.
#[derive(Debug)]
struct Types(Vec<(String, String)>);

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

impl Case {
    /// The cases of a folder whose names have `filter` in them, in the order of their names.
    pub fn all(folder: &Path, filter: Option<&str>) -> Result<Vec<Self>> {
        let unreadable = |error: io::Error| Error::fail(format!("{}: can't be read: {error}", folder.display()));
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        if names.is_empty() {
            return Err(Error::fail(format!("{}: has no folder with a case", folder.display())));
        }
        let of_all = Written::read(&folder.join("case.json"))?;
        let names = names.into_iter().filter(|name| filter.is_none_or(|filter| name.contains(filter)));
        names.map(|name| Self::read(folder, name, &of_all)).collect()
    }

    fn read(folder: &Path, name: String, of_all: &Written) -> Result<Self> {
        let path = folder.join(&name);
        let own = Written::read(&path.join("case.json"))?;
        let Some(Types(types)) = own.schema.as_ref().or(of_all.schema.as_ref()) else {
            return Err(Error::fail(format!(
                "case {name}: no case.json has a `schema` that says which columns the rows in have"
            )));
        };
        let schema = types.iter().map(|(column, written)| {
            parse_field(column, written).ok_or_else(|| Error::fail(format!("case {name}: {column}: unknown type `{written}`")))
        });
        let schema = schema.collect::<Result<_>>()?;
        let key = own.key_by.or_else(|| of_all.key_by.clone()).unwrap_or_default();
        let settings = own.settings.as_ref().or(of_all.settings.as_ref());
        Ok(Self { name, path, schema, key, settings: settings.map_or("null", |settings| settings.get()).to_owned() })
    }

    /// The rows of a file of the case, each as its fields' JSON; nothing where there is no such file.
    pub fn rows(&self, file: &str) -> Result<Option<Vec<Row>>> {
        let Some(text) = text(&self.path.join(file))? else { return Ok(None) };
        let rows = text.lines().enumerate().map(|(at, line)| {
            serde_json::from_str(line)
                .map_err(|error| Error::fail(format!("{file} line {}: isn't a JSON object: {error}", at + 1)))
        });
        rows.collect::<Result<_>>().map(Some)
    }
}

/// A row: the JSON of each field.
pub(super) type Row = BTreeMap<String, Box<RawValue>>;

impl Written {
    fn read(path: &Path) -> Result<Self> {
        let Some(text) = text(path)? else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|error| Error::fail(format!("{}: {error}", path.display())))
    }
}

/// A file's text; nothing where there is no such file.
fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::fail(format!("{}: can't be read: {error}", path.display()))),
    }
}

/// A column as a job writes its type: `float64`, `utf8 not null`, `decimal(10,2)`.
fn parse_field(name: &str, written: &str) -> Option<Field> {
    let written = written.trim();
    let (kind, nullable) = match written.strip_suffix("not null") {
        Some(kind) => (kind.trim_end(), false),
        None => (written, true),
    };
    let data_type = match kind {
        "boolean" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint64" => DataType::Uint64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp,
        "utf8" => DataType::Utf8,
        "binary" => DataType::Binary,
        decimal => {
            let arguments = decimal.strip_prefix("decimal")?.trim().strip_prefix('(')?.strip_suffix(')')?;
            let (precision, scale) = arguments.split_once(',')?;
            let decimal = DecimalType { precision: precision.trim().parse().ok()?, scale: scale.trim().parse().ok()? };
            DataType::Decimal128(decimal)
        }
    };
    Some(Field { name: name.to_owned(), data_type, nullable })
}
