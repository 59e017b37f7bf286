//! A source: its connector and what goes with it.

use crate::graph::FormatIn;
use crate::place::At;
use crate::problem::Problems;
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
                let known = ["connector", "path", "format", "compression", "parallel-files", "follow", "schema", "limit"];
                keys.check_keys(&known, LATER, problems);
                let path = keys.require("path", "the file, its folder with a / at the end, or a pattern", problems);
                SourceConnector::File {
                    path: path.and_then(|field| field.text("the path of a file", problems)),
                    format: read_format(&keys, problems),
                    compression: format::read_compression(&keys, problems),
                    parallel_files: read_flag(&keys, "parallel-files", problems),
                    follow: read_flag(&keys, "follow", problems),
                    schema: read_schema(&keys, problems),
                }
            }
            Connector::Stdio => {
                keys.check_keys(&["connector", "format", "schema", "limit"], LATER, problems);
                SourceConnector::Stdio {
                    spot: field.spot.clone(),
                    format: read_format(&keys, problems),
                    schema: read_schema(&keys, problems),
                }
            }
            Connector::Generator => SourceConnector::Generator(generator::read(&keys, LATER, problems)),
        })
    });
    source
}

fn read_format(keys: &Mapping<'_>, problems: &mut Problems) -> Option<FormatIn> {
    let field = keys.require("format", "how rows are read: json or csv", problems)?;
    format::read_in(&field, problems)
}

fn read_flag(keys: &Mapping<'_>, key: &str, problems: &mut Problems) -> Option<At<bool>> {
    let field = keys.get(key)?;
    field.flag(problems).map(|flag| field.at(flag))
}

fn read_schema(keys: &Mapping<'_>, problems: &mut Problems) -> Option<arrow_schema::SchemaRef> {
    let field = keys.require("schema", "its columns: a mapping from name to type", problems)?;
    schema::read(&field, problems)
}
