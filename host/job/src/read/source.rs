//! A source: its connector and what goes with it.

use crate::graph::FormatIn;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::read::{event_time, format, generator, schema};
use crate::written::{Source, SourceConnector};

#[derive(Clone, Copy)]
enum Connector {
    File,
    Stdio,
    Generator,
}

const CONNECTORS: &[(&str, Connector)] =
    &[("file", Connector::File), ("stdio", Connector::Stdio), ("generator", Connector::Generator)];
/// Connectors that later versions bring.
pub const LATER_CONNECTORS: &[&str] = &["kafka", "http"];

/// Reads a source.
pub fn read(name: At<String>, field: &Field<'_>, problems: &mut Problems) -> Source {
    let mut source = Source { name, connector: None, limit: None, event_time: None };
    let Some(keys) = Mapping::open(field, "a source: a mapping with connector", problems) else { return source };
    source.limit = keys.get("limit").and_then(|field| field.integer(0..=i128::from(u64::MAX), problems));
    source.event_time = keys.get("event-time").and_then(|field| event_time::read(&field, problems));
    let connector = keys.require("connector", "how it is read: file, stdio or generator", problems);
    source.connector = connector.and_then(|field| {
        Some(match field.word(CONNECTORS, LATER_CONNECTORS, problems)? {
            Connector::File => {
                let known =
                    ["connector", "path", "format", "compression", "parallel-files", "follow", "schema", "limit", "event-time"];
                keys.check_keys(&known, &[], problems);
                let path = keys.require("path", "the file, its folder with a / at the end, or a pattern", problems);
                let path = path.and_then(|field| field.text("the path of a file", problems));
                let format = read_format(&keys, problems);
                let is_columnar = matches!(format, Some(FormatIn::Columnar(_)));
                if is_columnar {
                    one_whole_file(&keys, path.as_ref(), problems);
                }
                // A file of columns brings its own, and a format that can't be read may be one of columns.
                let may_bring_its_own = is_columnar || (format.is_none() && keys.get("format").is_some());
                let schema = if may_bring_its_own {
                    keys.get("schema").and_then(|field| schema::read(&field, problems))
                } else {
                    read_schema(&keys, format.as_ref(), problems)
                };
                SourceConnector::File {
                    path,
                    format,
                    compression: format::read_compression(&keys, problems),
                    parallel_files: read_flag(&keys, "parallel-files", problems),
                    follow: read_flag(&keys, "follow", problems),
                    schema,
                }
            }
            Connector::Stdio => {
                keys.check_keys(&["connector", "format", "schema", "limit", "event-time"], &[], problems);
                let format = by_rows(&keys, read_format(&keys, problems), problems);
                let schema = read_schema(&keys, format.as_ref(), problems);
                SourceConnector::Stdio { spot: field.spot.clone(), format, schema }
            }
            Connector::Generator => SourceConnector::Generator(generator::read(&keys, problems)),
        })
    });
    source
}

/// Complains about what a file of columns can't be: followed, compressed as a whole, one of several.
fn one_whole_file(keys: &Mapping<'_>, path: Option<&At<String>>, problems: &mut Problems) {
    format::compressed_inside(keys, problems);
    if let Some(field) = keys.get("follow") {
        let problem = problems.error(code::MISPLACED_KEY, &field.key_spot()).found("follow");
        problem.expected("`follow` with json or csv: a file of columns doesn't grow");
    }
    if let Some(path) = path.filter(|path| path.value.ends_with('/') || path.value.contains(['*', '?', '['])) {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &path.spot).found(path.value.clone());
        problem.expected("the path of one file of columns, not a folder or a pattern");
    }
}

/// Complains about a format of columns, which needs a file.
fn by_rows(keys: &Mapping<'_>, format: Option<FormatIn>, problems: &mut Problems) -> Option<FormatIn> {
    if let (Some(FormatIn::Columnar(_)), Some(field)) = (&format, keys.get("format")) {
        let problem = problems.error(code::NOT_IN_THIS_VERSION, &field.spot).found_to_be("columns from standard input");
        problem.expected("`connector: file`, or rows as json");
        return None;
    }
    format
}

fn read_format(keys: &Mapping<'_>, problems: &mut Problems) -> Option<FormatIn> {
    let field = keys.require("format", "how rows are read: json, csv, parquet or arrow", problems)?;
    format::read_in(&field, problems)
}

fn read_flag(keys: &Mapping<'_>, key: &str, problems: &mut Problems) -> Option<At<bool>> {
    let field = keys.get(key)?;
    field.flag(problems).map(|flag| field.at(flag))
}

fn read_schema(keys: &Mapping<'_>, format: Option<&FormatIn>, problems: &mut Problems) -> Option<arrow_schema::SchemaRef> {
    let field = keys.require("schema", "its columns: a mapping from name to type", problems)?;
    let columns = schema::read(&field, problems)?;
    if let Some(FormatIn::Csv(_)) = format {
        schema::refuse_nested(&field, &columns, problems);
    }
    Some(columns)
}
