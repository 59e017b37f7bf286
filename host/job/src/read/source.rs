//! A source: its connector and what goes with it.

use crate::graph::FormatIn;
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::mapping::Mapping;
use crate::read::{format, generator, schema};
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
const LATER: &[&str] = &["event-time"];

/// Reads a source.
pub fn read(name: At<String>, field: &Field<'_>, problems: &mut Problems) -> Source {
    let mut source = Source { name, connector: None, limit: None };
    let Some(keys) = Mapping::open(field, "a source: a mapping with connector", problems) else { return source };
    source.limit = keys.get("limit").and_then(|field| field.integer(0..=i128::from(u64::MAX), problems));
    let connector = keys.require("connector", "how it is read: file, stdio or generator", problems);
    source.connector = connector.and_then(|field| {
        Some(match field.word(CONNECTORS, LATER_CONNECTORS, problems)? {
            Connector::File => {
                keys.check_keys(&["connector", "path", "format", "schema", "limit"], &["event-time", "parallel-files"], problems);
                let path =
                    keys.require("path", "the file", problems).and_then(|field| field.text("the path of a file", problems));
                let format = read_format(&keys, problems);
                let schema = match format {
                    // The file brings its own.
                    Some(FormatIn::Columnar(_)) => keys.get("schema").and_then(|field| schema::read(&field, problems)),
                    _ => read_schema(&keys, problems),
                };
                SourceConnector::File { path, format, schema }
            }
            Connector::Stdio => {
                keys.check_keys(&["connector", "format", "schema", "limit"], LATER, problems);
                SourceConnector::Stdio {
                    spot: field.spot.clone(),
                    format: by_rows(&keys, read_format(&keys, problems), problems),
                    schema: read_schema(&keys, problems),
                }
            }
            Connector::Generator => SourceConnector::Generator(generator::read(&keys, LATER, problems)),
        })
    });
    source
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
    let field = keys.require("format", "how rows are read: json, parquet or arrow", problems)?;
    format::read_in(&field, problems)
}

fn read_schema(keys: &Mapping<'_>, problems: &mut Problems) -> Option<arrow_schema::SchemaRef> {
    let field = keys.require("schema", "its columns: a mapping from name to type", problems)?;
    schema::read(&field, problems)
}
