//! Parts of a job in a few words each.

use std::time::Duration;

use arrow_schema::Schema;
use wasmill_flow::column_type;

use crate::graph::{
    Aggregate, ColumnarIn, ColumnarOut, Compression, CsvIn, CsvOut, EventTime, Existing, FieldRule, FormatIn, FormatOut,
    Generator, JsonIn, JsonOut, NexmarkKind, ParquetCompression, Results, SinkConnector, SourceConnector, TableSink, TableWrite,
    TimestampUnit, Verb, WatermarkRule, Window, WindowShape, Workload,
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
        SourceConnector::File { written, format, compression, parallel_files, follow, .. } => {
            let parallel = if *parallel_files { ", shared out to tasks" } else { "" };
            let follow = if *follow { ", followed" } else { "" };
            format!("file {written}{parallel}{follow}, {}{}", compressed(*compression), format_in(format))
        }
        SourceConnector::Stdio { format } => format!("standard input, {}", format_in(format)),
        SourceConnector::Generator(generator) => generated(generator),
    }
}

/// What a source says of the time of its rows.
pub fn event_time(time: &EventTime, schema: &Schema) -> String {
    let column = schema.field(time.column).name();
    let order = match &time.watermarks {
        WatermarkRule::Behind(Duration::ZERO) => "ascending".to_owned(),
        WatermarkRule::Behind(bound) => format!("at most {} out of order", show_duration(*bound)),
        WatermarkRule::Expression(text) => format!("watermark {text}"),
    };
    let limit = |name: &str, limit: Option<Duration>| {
        limit.map_or_else(String::new, |limit| format!(", {name} {}", show_duration(limit)))
    };
    let (idle, jump) = (limit("idle after", time.idle_after), limit("jumps of at most", time.max_jump));
    let drift = limit("ahead of others by at most", time.max_drift);
    format!("event time: {column}, {order}{idle}{jump}{drift}")
}

fn format_in(format: &FormatIn) -> String {
    match format {
        FormatIn::Json(JsonIn { timestamps, reject_unknown_fields, max_row_bytes }) => {
            format!("json ({})", strictness(*timestamps, *reject_unknown_fields, *max_row_bytes))
        }
        FormatIn::Csv(CsvIn { header, delimiter, timestamps, reject_unknown_fields, max_row_bytes }) => {
            let strictness = strictness(*timestamps, *reject_unknown_fields, *max_row_bytes);
            format!("csv ({}, {strictness})", csv(*header, *delimiter))
        }
        FormatIn::Columnar(ColumnarIn::Parquet) => "parquet".to_owned(),
        FormatIn::Columnar(ColumnarIn::Arrow) => "arrow".to_owned(),
    }
}

fn strictness(timestamps: TimestampUnit, reject_unknown_fields: bool, max_row_bytes: usize) -> String {
    let unit = match timestamps {
        TimestampUnit::Seconds => "s",
        TimestampUnit::Milliseconds => "ms",
        TimestampUnit::Microseconds => "us",
        TimestampUnit::Nanoseconds => "ns",
    };
    let unknown = if reject_unknown_fields { "rejected" } else { "ignored" };
    let longest = show_size(max_row_bytes as u64);
    format!("integer timestamps in {unit}, unknown fields {unknown}, rows of at most {longest}")
}

fn csv(header: bool, delimiter: u8) -> String {
    let header = if header { "with a header" } else { "without a header" };
    format!("{header}, delimiter {:?}", char::from(delimiter))
}

fn compressed(compression: Option<Compression>) -> &'static str {
    match compression {
        None => "",
        Some(Compression::None) => "not compressed, ",
        Some(Compression::Gzip) => "gzip, ",
        Some(Compression::Zstd) => "zstd, ",
    }
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
        SinkConnector::File { written, existing, format, compression, .. } => {
            let existing = match existing {
                Existing::Replace => "replacing one that is there",
                Existing::Append => "appending to one that is there",
                Existing::Refuse => "refusing to start if it is there",
            };
            format!("file {written}, {existing}, {}{}", compressed(*compression), format_out(*format))
        }
        SinkConnector::Bucket { url, existing, format, compression } => {
            let existing = match existing {
                Existing::Replace => "replacing parts that are there",
                Existing::Append => "beside parts that are there",
                Existing::Refuse => "refusing to start if parts are there",
            };
            format!("bucket {url}, {existing}, {}{}", compressed(*compression), format_out(*format))
        }
        SinkConnector::Stdio { format } => format!("standard output, {}", format_out(*format)),
        SinkConnector::Table(TableSink { database, table, create, write }) => {
            let create = if *create { ", made where it isn't there" } else { "" };
            let write = match write {
                TableWrite::Insert => "rows are added".to_owned(),
                TableWrite::Upsert { key, changes } => {
                    let by = changes.as_ref().map_or_else(String::new, |column| format!(", written or deleted as {column} says"));
                    format!("rows take the place of those with the same {}{by}", key.join(", "))
                }
            };
            format!("{database}, table {table}{create}, {write}")
        }
        SinkConnector::Blackhole => "nowhere, counted".to_owned(),
    }
}

fn format_out(format: FormatOut) -> String {
    let millis = |millis| if millis { "timestamps in ms" } else { "timestamps as text" };
    match format {
        FormatOut::Json(JsonOut { timestamps_as_millis: true }) => "json (timestamps in ms)".to_owned(),
        FormatOut::Json(JsonOut { timestamps_as_millis: false }) => "json".to_owned(),
        FormatOut::Csv(CsvOut { header, delimiter, timestamps_as_millis }) => {
            format!("csv ({}, {})", csv(header, delimiter), millis(timestamps_as_millis))
        }
        FormatOut::Columnar(ColumnarOut::Parquet { compression, .. }) => {
            let compression = match compression {
                ParquetCompression::Zstd => "zstd",
                ParquetCompression::Snappy => "snappy",
                ParquetCompression::Lz4 => "lz4",
                ParquetCompression::Gzip => "gzip",
                ParquetCompression::None => "not compressed",
            };
            format!("parquet ({compression})")
        }
        FormatOut::Columnar(ColumnarOut::Arrow) => "arrow".to_owned(),
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
        Verb::Aggregate { columns, window: Some(window), .. } => {
            format!("aggregate {} in {}", aggregated(columns), windows(window))
        }
        Verb::Aggregate { columns, at_end, retract_where, window: None } => {
            let back = retract_where.as_ref().map_or_else(String::new, |text| format!(", taking rows back where {text}"));
            let aggregated = aggregated(columns);
            match at_end {
                false => format!("running aggregate {aggregated}{back}"),
                true => {
                    format!("aggregate {aggregated}{back}; a row per key at the end of input, in the order of keys within a task")
                }
            }
        }
        Verb::Plugin(plugin) => format!("plugin {}", plugin.path.display()),
        Verb::Window { plugin, window } => format!("plugin {} over all rows of {}", plugin.path.display(), windows(window)),
    }
}

fn aggregated(columns: &[(String, Aggregate)]) -> String {
    assigned(&columns.iter().map(|(name, by)| (name.clone(), by.text())).collect::<Vec<_>>())
}

fn windows(window: &Window) -> String {
    let mut text = match &window.shape {
        WindowShape::Rows { rows, ends: true } => format!("windows of {rows} rows"),
        WindowShape::Rows { rows, ends: false } => format!("a window without end, results every {rows} rows"),
        WindowShape::Session(gap) => format!("sessions that end with a pause of {}", show_duration(*gap)),
        WindowShape::Even { size, slide, offset, zone } => {
            let mut text = format!("windows of {}", show_duration(*size));
            if slide != size {
                text += &format!(" every {}", show_duration(*slide));
            }
            if !offset.is_zero() {
                text += &format!(", beginning at {}", show_duration(*offset));
            }
            if let Some(zone) = zone {
                text += &format!(", by the clocks of {zone}");
            }
            text
        }
    };
    if window.by_clock {
        text += ", by the host's clock";
    }
    if let Some(early) = window.early {
        text += &format!(", results early every {}", show_duration(early));
    }
    if let Some(rows) = window.every_rows {
        text += &format!(", results every {rows} rows");
    }
    match window.results {
        Results::Accumulating => {}
        Results::Discarding => text += ", results of the rows since the last",
        Results::Retracting => text += ", results as changes",
    }
    if !window.allowed_lateness.is_zero() {
        text += &format!(", {} late rows taken", show_duration(window.allowed_lateness));
    }
    text
}

fn assigned(columns: &[(String, String)]) -> String {
    let columns = columns.iter().map(|(name, text)| if name == text { name.clone() } else { format!("{name} = {text}") });
    columns.collect::<Vec<_>>().join(", ")
}
