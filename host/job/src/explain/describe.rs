//! Parts of a job in a few words each.

use std::time::Duration;

use arrow_schema::Schema;
use wasmill_flow::column_type;

use crate::graph::{
    ColumnarIn, ColumnarOut, Compression, Existing, FieldRule, FormatIn, FormatOut, Generator, JsonIn, JsonOut, NexmarkKind,
    SinkConnector, SourceConnector, TimestampUnit, Verb, Workload,
};
use crate::measure::{show_duration, show_size};

/// Columns with their types.
pub fn columns(schema: &Schema) -> String {
    let columns = schema.fields().iter().map(|field| format!("{} {}", field.name(), column_type::describe(field)));
    columns.collect::<Vec<_>>().join(", ")
}

/// How a source is read.
pub fn source(connector: &SourceConnector) -> String {
    match connector {
        SourceConnector::File { written, format, .. } => format!("file {written}, {}", format_in(format)),
        SourceConnector::Stdio { format } => format!("standard input, {}", format_in(format)),
        SourceConnector::Generator(generator) => generated(generator),
    }
}

fn format_in(format: &FormatIn) -> String {
    match format {
        FormatIn::Json(json) => json_in(json),
        FormatIn::Columnar(ColumnarIn::Parquet) => "parquet".to_owned(),
        FormatIn::Columnar(ColumnarIn::Arrow) => "arrow".to_owned(),
    }
}

fn json_in(json: &JsonIn) -> String {
    let unit = match json.timestamps {
        TimestampUnit::Seconds => "s",
        TimestampUnit::Milliseconds => "ms",
        TimestampUnit::Microseconds => "us",
        TimestampUnit::Nanoseconds => "ns",
    };
    let unknown = if json.reject_unknown_fields { "rejected" } else { "ignored" };
    let longest = show_size(json.max_row_bytes as u64);
    format!("json (integer timestamps in {unit}, unknown fields {unknown}, rows of at most {longest})")
}

fn generated(generator: &Generator) -> String {
    let what = match &generator.workload {
        Workload::Micro => "workload micro".to_owned(),
        Workload::Nexmark { kind, event_rate } => {
            let kind = match kind {
                None => "all kinds",
                Some(NexmarkKind::Person) => "person",
                Some(NexmarkKind::Auction) => "auction",
                Some(NexmarkKind::Bid) => "bid",
            };
            format!("workload nexmark, {kind}, {event_rate} events a second of event time")
        }
        Workload::Fields(fields) => {
            fields.iter().map(|(name, rule)| format!("{name} {}", field_rule(rule))).collect::<Vec<_>>().join(", ")
        }
    };
    let rows = generator.rows.map_or_else(|| "without end".to_owned(), |rows| format!("{rows} rows"));
    let rate = generator.rate.map_or_else(|| "as fast as it goes".to_owned(), |rate| format!("{rate} a second"));
    format!("generator ({what}), {rows}, {rate}, seed {}", generator.seed)
}

fn field_rule(rule: &FieldRule) -> String {
    match rule {
        FieldRule::Sequence => "in sequence".to_owned(),
        FieldRule::Uniform(low, high) => format!("uniform from {low} to {high}"),
        FieldRule::OneOf(texts) => format!("one of {} texts", texts.len()),
        FieldRule::At { every_nanos, disorder, .. } => {
            let every = show_duration(Duration::from_nanos(*every_nanos));
            format!("every {every}, up to {} late", show_duration(*disorder))
        }
    }
}

/// How a sink is written.
pub fn sink(connector: &SinkConnector) -> String {
    match connector {
        SinkConnector::File { written, existing, format, .. } => {
            let existing = match existing {
                Existing::Replace => "replacing one that is there",
                Existing::Append => "appending to one that is there",
                Existing::Refuse => "refusing to start if it is there",
            };
            format!("file {written}, {existing}, {}", format_out(*format))
        }
        SinkConnector::Stdio { format } => format!("standard output, {}", format_out(*format)),
        SinkConnector::Blackhole => "nowhere, counted".to_owned(),
    }
}

fn format_out(format: FormatOut) -> &'static str {
    match format {
        FormatOut::Json(JsonOut { timestamps_as_millis: true }) => "json (timestamps in ms)",
        FormatOut::Json(JsonOut { timestamps_as_millis: false }) => "json",
        FormatOut::Columnar(ColumnarOut::Parquet { compression, .. }) => match compression {
            Compression::Zstd => "parquet (zstd)",
            Compression::Snappy => "parquet (snappy)",
            Compression::Lz4 => "parquet (lz4)",
            Compression::Gzip => "parquet (gzip)",
            Compression::None => "parquet (not compressed)",
        },
        FormatOut::Columnar(ColumnarOut::Arrow) => "arrow",
    }
}

/// What an operator does.
pub fn verb(verb: &Verb) -> String {
    match verb {
        Verb::Union => "union".to_owned(),
        Verb::Filter(condition) => format!("filter {condition}"),
        Verb::Select(columns) => format!("select {}", assigned(columns)),
        Verb::With { columns, drop } => {
            let with = (!columns.is_empty()).then(|| format!("with {}", assigned(columns)));
            let drop = (!drop.is_empty()).then(|| format!("drop {}", drop.join(", ")));
            with.into_iter().chain(drop).collect::<Vec<_>>().join("; ")
        }
        Verb::Unnest { column, name } if column == name => format!("unnest {column}"),
        Verb::Unnest { column, name } => format!("unnest {column} as {name}"),
        Verb::Split(conditions) => {
            format!("split {}", conditions.iter().map(|(name, text)| format!("{name}: {text}")).collect::<Vec<_>>().join(", "))
        }
        Verb::Aggregate { columns, at_end: false } => format!("running aggregate {}", assigned(columns)),
        Verb::Aggregate { columns, at_end: true } => {
            format!("aggregate {}; a row per key at the end of input, in the order of keys within a task", assigned(columns))
        }
        Verb::Plugin(plugin) => format!("plugin {}", plugin.path.display()),
    }
}

fn assigned(columns: &[(String, String)]) -> String {
    let columns = columns.iter().map(|(name, text)| if name == text { name.clone() } else { format!("{name} = {text}") });
    columns.collect::<Vec<_>>().join(", ")
}
