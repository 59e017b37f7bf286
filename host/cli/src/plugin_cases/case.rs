//! A case as its folder has it, checked.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMillisecondType;
use arrow_schema::{Field, Schema, SchemaRef};
use serde_json::value::RawValue;
use wasmill_connector::json::{JsonIn, RowDecoder, row_object};
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_flow::{column_type, key};
use wasmill_job::catalog::PluginProblem;
use wasmill_operator::Port;
use wasmill_plugin::InputShape;

use super::written::{InOrder, Types, Written};

/// The file of what is rejected.
pub const DEAD: &str = "dead.jsonl";
const INPUT: &str = "input.jsonl";
/// What the input is called where there is only one.
const ONLY_INPUT: &str = "input";
const ABOUT: &str = "case.json";

/// A case.
#[derive(Debug)]
pub struct Case {
    /// Its folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Settings, as JSON.
    pub settings: String,
    /// The inputs.
    pub inputs: Vec<InputShape>,
    /// What goes into each, input by input.
    pub steps: Vec<Vec<Step>>,
}

/// What goes into an input at once.
#[derive(Debug)]
pub enum Step {
    /// Rows.
    Rows(RecordBatch),
    /// Event time moves on: `{"@watermark": "2018-02-07T18:00:00Z"}` among the rows.
    Watermark(i64),
    /// The clock moves on: `{"@clock": "2018-02-07T18:00:00Z"}`.
    Clock(i64),
}

/// For each file of what comes out, in the order of the outputs, its lines.
pub type Outcome = Vec<(String, Vec<String>)>;

/// The cases of a plugin's directory whose names have `filter` in them, by name.
///
/// # Errors
/// Where there are none, or one can't be read: what is wrong with the first such.
pub fn all(plugin: &Path, filter: Option<&str>) -> Result<Vec<Case>, PluginProblem> {
    let folder = plugin.join("cases");
    let hint = "a case is a folder cases/NAME with input.jsonl, and a case.json with its `schema`".to_owned();
    let none = |what: String| PluginProblem { hint: Some(hint.clone()), ..invalid(&folder, what) };
    let entries = fs::read_dir(&folder).map_err(|error| none(format!("can't be read: {error}")))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| none(format!("can't be read: {error}")))?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err(none("has no folder with a case".to_owned()));
    }
    let of_all = Written::read(&folder.join(ABOUT))?;
    let chosen: Vec<_> = names.iter().filter(|name| filter.is_none_or(|filter| name.contains(filter))).collect();
    if chosen.is_empty() {
        let message = format!("{}: no case has `{}` in its name", folder.display(), filter.unwrap_or_default());
        return Err(PluginProblem { code: "invalid-case", message, hint: Some(format!("there are {}", names.join(", "))) });
    }
    chosen.into_iter().map(|name| Case::read(&folder.join(name), name, &of_all)).collect()
}

impl Case {
    fn read(folder: &Path, name: &str, of_all: &Written) -> Result<Self, PluginProblem> {
        let about = folder.join(ABOUT);
        let written = Written::read(&about)?.or(of_all);
        let (inputs, settings) = asked(written, folder)?;
        let steps = inputs.iter().map(|input| steps(folder, &about, input)).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), folder: folder.to_owned(), settings, inputs, steps })
    }

    /// What should come out, as it would: as it was written where it can't. A missing file of the main output is `None`; another one
    /// that is missing has no rows.
    ///
    /// # Errors
    /// Where a file can't be read or isn't JSON, or belongs to no output.
    pub fn expected(&self, ports: &[Port]) -> Result<Option<Outcome>, PluginProblem> {
        self.check_files(ports)?;
        let mut outcome = Outcome::new();
        for (number, port) in ports.iter().enumerate() {
            let file = file_of(number, &port.name);
            let path = self.folder.join(&file);
            let Some(lines) = lines(&path)? else {
                if number == 0 {
                    return Ok(None);
                }
                outcome.push((file, Vec::new()));
                continue;
            };
            let mut decoder = decoder(&port.schema, true).map_err(|what| invalid(&path, what))?;
            let rows = lines.iter().enumerate().map(|(at, line)| {
                object(line).map_err(|error| invalid_line(&path, at, error))?;
                Ok(canonical(&mut decoder, line).unwrap_or_else(|| line.clone()))
            });
            outcome.push((file, rows.collect::<Result<_, PluginProblem>>()?));
        }
        outcome.push((DEAD.to_owned(), self.expected_dead()?));
        Ok(Some(outcome))
    }

    fn expected_dead(&self) -> Result<Vec<String>, PluginProblem> {
        let path = self.folder.join(DEAD);
        let decoders = self.inputs.iter().map(|input| decoder(&input.schema, true).map_err(|what| invalid(&path, what)));
        let mut decoders = decoders.collect::<Result<Vec<_>, _>>()?;
        let lines = lines(&path)?.unwrap_or_default();
        let rows = lines.iter().enumerate().map(|(at, line)| {
            let fields = object(line).map_err(|error| invalid_line(&path, at, error))?;
            let text = |name: &str| fields.get(name).map_or("null", |json| json.get());
            let row = decoders.iter_mut().find_map(|decoder| canonical(decoder, text("row")));
            let row = row.unwrap_or_else(|| text("row").to_owned());
            if fields.len() == 3 && ["row", "kind", "reason"].iter().all(|name| fields.contains_key(*name)) {
                return Ok(dead_line(&row, text("kind"), text("reason")));
            }
            Err(invalid_line(&path, at, "expected an object with `row`, `kind` and `reason`"))
        });
        rows.collect()
    }

    /// Files that no one would look at are a mistake.
    fn check_files(&self, ports: &[Port]) -> Result<(), PluginProblem> {
        let mut known: Vec<String> = self.inputs.iter().map(|input| file_of_input(&input.name)).collect();
        known.extend([ABOUT.to_owned(), DEAD.to_owned()]);
        known.extend(ports.iter().enumerate().map(|(number, port)| file_of(number, &port.name)));
        let unreadable = |error: io::Error| invalid(&self.folder, format!("can't be read: {error}"));
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
            if !known.contains(&name) && (name.ends_with(".jsonl") || name.ends_with(".json")) {
                let problem = invalid(&self.folder.join(name), "is no file of a case of this plugin");
                return Err(PluginProblem { hint: Some(format!("its files are {}", known.join(", "))), ..problem });
            }
        }
        Ok(())
    }
}

/// What goes into an input. Where inputs have names, one without a file has nothing.
fn steps(folder: &Path, about: &Path, input: &InputShape) -> Result<Vec<Step>, PluginProblem> {
    let file = file_of_input(&input.name);
    let path = folder.join(&file);
    let mut decoder = decoder(&input.schema, false).map_err(|what| invalid(about, what))?;
    let lines = match lines(&path)? {
        Some(lines) => lines,
        None if file == INPUT => {
            let known = "a case has its rows in there, a JSON object a line".to_owned();
            return Err(PluginProblem { hint: Some(known), ..invalid(folder, format!("has no {file}")) });
        }
        None => Vec::new(),
    };
    let mut steps = Vec::new();
    let mut waiting = 0;
    for (at, line) in lines.iter().enumerate() {
        if let Some(time) = time(line).map_err(|what| invalid_line(&path, at, what))? {
            if std::mem::take(&mut waiting) > 0 {
                steps.push(Step::Rows(decoder.take_rows()));
            }
            steps.push(time);
            continue;
        }
        decoder.decode(line.as_bytes()).map_err(|fault| {
            let column = fault.column.map_or_else(String::new, |column| format!(":{column}"));
            invalid(Path::new(&format!("{}:{}{column}", path.display(), at + 1)), fault.reason)
        })?;
        waiting += 1;
    }
    steps.push(Step::Rows(decoder.take_rows()));
    Ok(steps)
}

/// Time that moves on, if that is what a line says.
fn time(line: &str) -> Result<Option<Step>, String> {
    if !line.contains("\"@") {
        return Ok(None);
    }
    let fields = object(line)?;
    let Some(name) = fields.keys().find(|name| name.starts_with('@')) else { return Ok(None) };
    if fields.len() > 1 || !["@watermark", "@clock"].contains(&name.as_str()) {
        return Err(format!("expected a row, or only `@watermark` or `@clock` with a moment, found `{name}`"));
    }
    let schema = Arc::new(Schema::new(vec![Field::new(name, TIMESTAMP, false)]));
    let mut decoder = decoder(&schema, true)?;
    decoder.decode(line.as_bytes()).map_err(|fault| fault.reason)?;
    let moment = decoder.take_rows().column(0).as_primitive::<TimestampMillisecondType>().value(0);
    Ok(Some(if name == "@watermark" { Step::Watermark(moment) } else { Step::Clock(moment) }))
}

/// The inputs and the settings that `about`, a case or what a command was told, has the plugin asked about.
///
/// # Errors
/// Where there is no schema, or it can't be one, or has no such key.
pub fn asked(written: Written, about: &Path) -> Result<(Vec<InputShape>, String), PluginProblem> {
    let key_by = written.key_by.unwrap_or_default();
    let inputs = match (written.schema, written.inputs) {
        (Some(schema), None) => vec![shape(ONLY_INPUT, schema, &key_by, false, about)?],
        (None, Some(InOrder(inputs))) if key_by.is_empty() && !inputs.is_empty() => inputs
            .into_iter()
            .map(|(name, input)| shape(&name, input.schema, &input.key_by, input.broadcast, about))
            .collect::<Result<Vec<_>, _>>()?,
        (None, None) => {
            let hint = "write one: { \"schema\": { \"id\": \"utf8 not null\", \"mag\": \"float64\" }, \"key-by\": [\"id\"] }; \
                        cases/case.json is for all cases";
            let problem = invalid(about, "no case.json has a `schema` that says which columns the rows in have");
            return Err(PluginProblem { hint: Some(hint.to_owned()), ..problem });
        }
        (_, Some(_)) => {
            let hint =
                "{ \"inputs\": { \"orders\": { \"schema\": { \"id\": \"int64\" }, \"key-by\": [\"id\"] }, … } }".to_owned();
            let problem = invalid(about, "`inputs` has a `schema` and a `key-by` for each input, and neither stands beside it");
            return Err(PluginProblem { hint: Some(hint), ..problem });
        }
    };
    let types = |input: &InputShape| {
        let types = input.key.iter().map(|&column| column_type::name(input.schema.field(column).data_type()).to_string());
        types.collect::<Vec<_>>().join(", ")
    };
    let mut keyed = inputs.iter().filter(|input| !input.key.is_empty());
    if let Some(first) = keyed.next()
        && let Some(other) = keyed.find(|other| types(other) != types(first))
    {
        let (found, wanted) = (types(other), types(first));
        return Err(invalid(about, format!("the key of `{}` is {found}, that of `{}` {wanted}", other.name, first.name)));
    }
    Ok((inputs, written.settings.unwrap_or_default().to_string()))
}

fn shape(name: &str, schema: Types, key_by: &[String], broadcast: bool, about: &Path) -> Result<InputShape, PluginProblem> {
    let InOrder(types) = schema;
    let field = |(column, kind): &(String, String)| {
        let field = column_type::parse_field(column, kind).map_err(|error| {
            let hint = format!("the types are {}, and `not null` behind one", column_type::SCALARS.join(", "));
            PluginProblem { hint: Some(hint), ..invalid(about, format!("schema: {column}: {error}")) }
        })?;
        if column_type::is_nested(field.data_type()) {
            let problem = invalid(about, format!("schema: {column}: lists and structs in cases are not in this version"));
            return Err(PluginProblem { hint: Some("leave the column out: the plugin can't read it".to_owned()), ..problem });
        }
        Ok(field)
    };
    let schema: SchemaRef = Arc::new(Schema::new(types.iter().map(field).collect::<Result<Vec<_>, _>>()?));
    let place = |column: &String| {
        let place = schema.index_of(column).map_err(|_| {
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            invalid(about, format!("key-by: the schema has no column `{column}`; it has {}", names.join(", ")))
        })?;
        let data_type = schema.field(place).data_type();
        if key::is_supported(data_type) {
            return Ok(place);
        }
        Err(invalid(
            about,
            format!("key-by: column `{column}` is {}; a key has no lists and structs", column_type::name(data_type)),
        ))
    };
    let key = key_by.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    Ok(InputShape { name: name.to_owned(), schema, key, broadcast })
}

/// The file of an input's rows.
fn file_of_input(name: &str) -> String {
    if name == ONLY_INPUT { INPUT.to_owned() } else { format!("input.{name}.jsonl") }
}

/// The file of what comes out of an output.
#[must_use]
pub fn file_of(number: usize, port: &str) -> String {
    if number == 0 { "expected.jsonl".to_owned() } else { format!("expected.{port}.jsonl") }
}

/// A line of [`DEAD`], of JSON texts.
#[must_use]
pub fn dead_line(row: &str, kind: &str, reason: &str) -> String {
    format!(r#"{{"row":{row},"kind":{kind},"reason":{reason}}}"#)
}

/// What is wrong with a case's file or folder.
pub(super) fn invalid(path: &Path, what: impl Display) -> PluginProblem {
    PluginProblem { code: "invalid-case", message: format!("{}: {what}", path.display()), hint: None }
}

fn invalid_line(path: &Path, at: usize, what: impl Display) -> PluginProblem {
    invalid(Path::new(&format!("{}:{}", path.display(), at + 1)), what)
}

fn decoder(schema: &SchemaRef, reject_unknown_fields: bool) -> Result<RowDecoder, String> {
    let options = JsonIn { reject_unknown_fields, ..JsonIn::default() };
    RowDecoder::new(Arc::clone(schema), options).map_err(|error| error.to_string())
}

/// A row as it would be written, if it is one.
fn canonical(decoder: &mut RowDecoder, line: &str) -> Option<String> {
    decoder.decode(line.as_bytes()).ok()?;
    Some(row_object(&decoder.take_rows(), 0))
}

/// The fields of a JSON object.
fn object(line: &str) -> Result<BTreeMap<String, Box<RawValue>>, String> {
    serde_json::from_str(line).map_err(|error| {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        let column = if error.column() == 0 { String::new() } else { format!(" at column {}", error.column()) };
        format!("expected a JSON object: {what}{column}")
    })
}

/// A file's lines; nothing where there is no such file.
fn lines(path: &Path) -> Result<Option<Vec<String>>, PluginProblem> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.lines().map(str::to_owned).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(invalid(path, format!("can't be read: {error}"))),
    }
}
