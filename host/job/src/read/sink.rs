//! A sink, or the dead letters' sink: its connector and what goes with it.

use crate::graph::{Existing, FormatOut};
use crate::place::At;
use crate::problem::{Problems, code};
use crate::read::field::Field;
use crate::read::format;
use crate::read::mapping::Mapping;
use crate::read::source::LATER_CONNECTORS;
use crate::written::{DeadLetters, Sink, SinkConnector};

#[derive(Clone, Copy)]
enum Connector {
    File,
    Stdio,
    Blackhole,
}

const CONNECTORS: &[(&str, Connector)] =
    &[("file", Connector::File), ("stdio", Connector::Stdio), ("blackhole", Connector::Blackhole)];
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
    let field = keys.require("connector", "how it is written: file, stdio or blackhole", problems)?;
    Some(match field.word(CONNECTORS, LATER_CONNECTORS, problems)? {
        Connector::File => {
            keys.check_keys(&[own, "connector", "path", "existing", "format"], &[], problems);
            let path = keys.require("path", "the file", problems).and_then(|field| field.text("the path of a file", problems));
            let existing = keys.get("existing").and_then(|field| field.word(EXISTING, &[], problems)).unwrap_or_default();
            SinkConnector::File { path, existing, format: read_format(keys, problems) }
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
        Connector::Blackhole => {
            keys.check_keys(&[own, "connector"], &[], problems);
            SinkConnector::Blackhole
        }
    })
}

fn read_format(keys: &Mapping<'_>, problems: &mut Problems) -> Option<FormatOut> {
    let field = keys.require("format", "how rows are written: json, parquet or arrow", problems)?;
    format::read_out(&field, problems)
}
