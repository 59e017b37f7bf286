//! A case as its folder has it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::Cell;
use super::time;
use crate::bindings::{DataType, DecimalType, Field, Input};
use crate::error::{Error, Result};
use crate::harness::ONLY_INPUT;

/// A case.
#[derive(Debug)]
pub(super) struct Case {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The inputs, in the order in which their rows are fed.
    pub inputs: Vec<Input>,
    /// Settings, as JSON.
    pub settings: String,
}

/// What `case.json` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    schema: Option<Types>,
    key_by: Option<Vec<String>>,
    inputs: Option<InOrder<WrittenInput>>,
    settings: Option<Box<RawValue>>,
}

/// One of several inputs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WrittenInput {
    schema: Types,
    #[serde(default)]
    key_by: Vec<String>,
    #[serde(default)]
    broadcast: bool,
}

/// Columns and their types, in order.
type Types = InOrder<String>;

/// A mapping of which the order means something.
#[derive(Debug)]
struct InOrder<T>(Vec<(String, T)>);

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
        let about_inputs = if own.schema.is_some() || own.inputs.is_some() { &own } else { of_all };
        let key = own.key_by.as_ref().or(of_all.key_by.as_ref());
        let inputs = match (&about_inputs.schema, &about_inputs.inputs) {
            (Some(schema), None) => input(ONLY_INPUT, schema, key.map_or(&[], Vec::as_slice), false).map(|input| vec![input]),
            (None, Some(InOrder(inputs))) => {
                inputs.iter().map(|(name, of)| input(name, &of.schema, &of.key_by, of.broadcast)).collect()
            }
            (None, None) => Err("no case.json has a `schema` that says which columns the rows in have".to_owned()),
            (Some(_), Some(_)) => Err("`inputs` has a `schema` for each input, and none stands beside it".to_owned()),
        };
        let inputs = inputs.map_err(|what| Error::fail(format!("case {name}: {what}")))?;
        let settings = own.settings.as_ref().or(of_all.settings.as_ref());
        Ok(Self { name, path, inputs, settings: settings.map_or("null", |settings| settings.get()).to_owned() })
    }

    /// What goes in, input by input.
    pub fn steps(&self) -> Result<Vec<Step>> {
        let mut all = Vec::new();
        for (number, input) in self.inputs.iter().enumerate() {
            let file = if input.name == ONLY_INPUT { "input.jsonl".to_owned() } else { format!("input.{}.jsonl", input.name) };
            let rows = match self.rows(&file)? {
                None if input.name == ONLY_INPUT => return Err(Error::fail(format!("has no {file}"))),
                rows => rows.unwrap_or_default(),
            };
            for (at, row) in rows.iter().enumerate() {
                let wrong = |what: &str| Error::fail(format!("{file} line {}: {what}", at + 1));
                if let Some(time) = Step::time(row).map_err(|what| wrong(&what))? {
                    all.push(time);
                    continue;
                }
                let cells = input.schema.iter().map(|field| Cell::parse(field, row.get(&field.name).map(|json| &**json)));
                let cells = cells.collect::<Result<Vec<_>>>();
                all.push(Step::Row(number, cells.map_err(|error| wrong(error.message()))?));
            }
        }
        Ok(all)
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

fn input(name: &str, InOrder(types): &Types, key: &[String], broadcast: bool) -> Result<Input, String> {
    let field = |(column, written): &(String, String)| {
        parse_field(column, written).ok_or_else(|| format!("{column}: unknown type `{written}`"))
    };
    let schema = types.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    match key.iter().find(|column| schema.iter().all(|field| field.name != **column)) {
        Some(column) => Err(format!("key-by: the schema has no column `{column}`")),
        None => Ok(Input { name: name.to_owned(), schema, key: key.to_vec(), broadcast }),
    }
}

/// A row: the JSON of each field.
pub(super) type Row = BTreeMap<String, Box<RawValue>>;

/// What goes in at once.
#[derive(Debug)]
pub(super) enum Step {
    /// A row of an input.
    Row(usize, Vec<Cell>),
    /// Event time moves on: `{"@watermark": "2018-02-07T18:00:00Z"}` among the rows.
    Watermark(i64),
    /// The clock moves on: `{"@clock": "2018-02-07T18:00:00Z"}`.
    Clock(i64),
}

impl Step {
    /// Time that moves on, if that is what the object says.
    fn time(row: &Row) -> Result<Option<Self>, String> {
        let Some(name) = row.keys().find(|name| name.starts_with('@')) else { return Ok(None) };
        let at = row[name].get();
        let Some(moment) = serde_json::from_str::<String>(at).ok().as_deref().and_then(time::parse_timestamp) else {
            return Err(format!("{name}: expected timestamp, found {at}"));
        };
        match name.as_str() {
            "@watermark" if row.len() == 1 => Ok(Some(Self::Watermark(moment))),
            "@clock" if row.len() == 1 => Ok(Some(Self::Clock(moment))),
            _ => Err(format!("expected a row, or only `@watermark` or `@clock` with a moment, found `{name}`")),
        }
    }
}

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
