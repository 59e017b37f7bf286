//! A sink, or the dead letters' sink: its connector and what goes with it.

use crate::graph::{Existing, FormatOut};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::format;
use crate::read::mapping::Mapping;
use crate::read::source::LATER_CONNECTORS;
use crate::written::{Database, DeadLetters, Sink, SinkConnector, TableSink, TableWrite};

#[derive(Clone, Copy)]
enum Connector {
    File,
    Stdio,
    Postgres,
    Sqlite,
    Blackhole,
}

const CONNECTORS: &[(&str, Connector)] = &[
    ("file", Connector::File),
    ("stdio", Connector::Stdio),
    ("postgres", Connector::Postgres),
    ("sqlite", Connector::Sqlite),
    ("blackhole", Connector::Blackhole),
];
const EXISTING: &[(&str, Existing)] =
    &[("replace", Existing::Replace), ("append", Existing::Append), ("refuse", Existing::Refuse)];

/// Reads a sink.
pub fn read(name: At<String>, field: &Field<'_>, problems: &mut Problems) -> Sink {
    let Some(keys) = Mapping::open(field, "a sink: a mapping with input and connector", problems) else {
        return Sink { name, input: None, connector: None };
    };
    let input = keys.require("input", "the source or operator whose rows it takes", problems);
    let input = input.and_then(|field| field.text("the name of a source or operator", problems));
    Sink { name, input, connector: read_connector(&keys, "input", problems) }
}

/// Reads the dead letters' sink.
pub fn read_dead_letters(field: &Field<'_>, problems: &mut Problems) -> DeadLetters {
    let Some(keys) = Mapping::open(field, "a sink: a mapping with connector", problems) else {
        return DeadLetters { connector: None, limit: None };
    };
    let limit = keys.get("limit").and_then(|field| field.integer(0..=i128::from(u64::MAX), problems));
    DeadLetters { connector: read_connector(&keys, "limit", problems), limit }
}

/// Reads the connector and checks all keys; `own` is the one that isn't the connector's.
fn read_connector(keys: &Mapping<'_>, own: &str, problems: &mut Problems) -> Option<SinkConnector> {
    let field = keys.require("connector", "how it is written: file, stdio, postgres, sqlite or blackhole", problems)?;
    Some(match field.word(CONNECTORS, LATER_CONNECTORS, problems)? {
        Connector::File => {
            keys.check_keys(&[own, "connector", "path", "existing", "format", "compression"], &[], problems);
            let path = keys.require("path", "the file", problems).and_then(|field| field.text("the path of a file", problems));
            let existing = keys.get("existing").and_then(|field| field.word(EXISTING, &[], problems)).unwrap_or_default();
            let (format, compression) = (read_format(keys, problems), format::read_compression(keys, problems));
            if matches!(format, Some(FormatOut::Columnar(_))) {
                format::compressed_inside(keys, problems);
            }
            SinkConnector::File { path, existing, format, compression }
        }
        Connector::Stdio => {
            keys.check_keys(&[own, "connector", "format"], &[], problems);
            let format = read_format(keys, problems);
            if let (Some(FormatOut::Columnar(_)), Some(format)) = (&format, keys.get("format")) {
                let problem = problems.error(code::NOT_IN_THIS_VERSION, &format.spot).found_to_be("columns to standard output");
                problem.expected("`connector: file`, or rows as json");
            }
            SinkConnector::Stdio { spot: field.spot.clone(), format }
        }
        Connector::Postgres => {
            check_table_keys(keys, own, "url", problems);
            let url = keys.require("url", "the database, as postgres://USER:PASSWORD@HOST/DATABASE", problems);
            let url = url.and_then(|field| read_url(&field, problems));
            SinkConnector::Table(Box::new(read_table(keys, Database::Postgres { url }, problems)))
        }
        Connector::Sqlite => {
            check_table_keys(keys, own, "path", problems);
            let path = keys.require("path", "the database's file", problems);
            let path = path.and_then(|field| field.text("the path of a file", problems));
            SinkConnector::Table(Box::new(read_table(keys, Database::Sqlite { path }, problems)))
        }
        Connector::Blackhole => {
            keys.check_keys(&[own, "connector"], &[], problems);
            SinkConnector::Blackhole
        }
    })
}

fn check_table_keys(keys: &Mapping<'_>, own: &str, place: &str, problems: &mut Problems) {
    if own == "limit" {
        keys.check_keys(&[own, "connector", place, "table", "create"], &[], problems);
    } else {
        keys.check_keys(&[own, "connector", place, "table", "create", "mode", "key", "changes"], &["on-refused"], problems);
    }
}

/// An address, which is never shown: it may hold a password.
fn read_url(field: &Field<'_>, problems: &mut Problems) -> Option<At<String>> {
    let url = field.text("the address of a database", problems)?;
    let is_one = ["postgres://", "postgresql://"].iter().any(|scheme| url.value.starts_with(scheme));
    if !is_one {
        let problem = problems.error(code::INVALID_VALUE, &field.spot).found_to_be("an address of another kind");
        problem.expected("postgres://USER:PASSWORD@HOST:PORT/DATABASE");
        return None;
    }
    Some(url)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Insert,
    Upsert,
}

fn read_table(keys: &Mapping<'_>, database: Database, problems: &mut Problems) -> TableSink {
    let table =
        keys.require("table", "the name of the table", problems).and_then(|field| field.text("the name of a table", problems));
    let create = keys.get("create").and_then(|field| field.flag(problems)).unwrap_or(false);
    let modes = &[("insert", Mode::Insert), ("upsert", Mode::Upsert)];
    let mode = keys.get("mode").map_or(Some(Mode::Insert), |field| field.word(modes, &[], problems));
    let write = match mode {
        Some(Mode::Upsert) => {
            let key = keys.require("key", "the columns that tell rows apart", problems);
            let key = key.and_then(|field| field.texts("a list of columns", "the name of a column", problems));
            let changes = keys.get("changes").and_then(|field| field.text("the name of a column", problems));
            key.map(|key| TableWrite::Upsert { key, changes })
        }
        Some(Mode::Insert) => {
            for name in ["key", "changes"] {
                if let Some(field) = keys.get(name) {
                    let problem =
                        problems.error(code::INVALID_VALUE, &field.spot).found_to_be(format!("`{name}` without `mode: upsert`"));
                    problem.expected("`mode: upsert`: rows that are inserted have no key, and take nothing back");
                }
            }
            Some(TableWrite::Insert)
        }
        None => None,
    };
    TableSink { database, table, create, write }
}

fn read_format(keys: &Mapping<'_>, problems: &mut Problems) -> Option<FormatOut> {
    let field = keys.require("format", "how rows are written: json, csv, parquet or arrow", problems)?;
    format::read_out(&field, problems)
}
