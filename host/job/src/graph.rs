//! The job, validated: what the rest of Wasmill works with. Nothing here can be wrong any more.

mod aggregate;
mod operator;
mod plugin;
mod sink;
mod store_place;
mod survival;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use arrow_schema::SchemaRef;
use wasmill_flow::KeyGroups;

pub use aggregate::{Aggregate, AggregatePlugin, LATE_PORT, Results, Window, WindowShape};
pub use operator::{Input, Operator};
pub use plugin::{OnPoison, Plugin};
pub use sink::{CsvOut, DeadLetters, Existing, FormatOut, JsonOut, Sink, SinkConnector};
pub use store_place::StorePlace;
pub use survival::{Checkpoint, Restart};
pub use table::{Database, TableSink, TableWrite};

/// A job without faults. Sources come first, then operators in topological order, then sinks.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name: with operators' names the identity of its state.
    pub name: String,
    /// Tasks of an operator that may be parallel.
    pub parallelism: u32,
    /// The fixed number of key groups.
    pub key_groups: KeyGroups,
    /// The most that travels together.
    pub batch: BatchLimits,
    /// Where rows come from.
    pub sources: Vec<Source>,
    /// What happens to them, in topological order.
    pub operators: Vec<Operator>,
    /// Where rows go.
    pub sinks: Vec<Sink>,
    /// Where rows go that can't be processed.
    pub dead_letters: Option<DeadLetters>,
    /// What happens after a fault that may pass.
    pub restart: Restart,
    /// Whether and where checkpoints are taken.
    pub checkpoint: Option<Checkpoint>,
}

/// The most that travels together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows; 1,024 unless the job says otherwise.
    pub max_rows: usize,
    /// Bytes; 1 MiB unless the job says otherwise.
    pub max_bytes: usize,
}

/// A source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// How it is read.
    pub connector: SourceConnector,
    /// The most rows that are read, where the job says so.
    pub limit: Option<u64>,
    /// Its rows' columns. Of a file of columns those that somebody reads.
    pub schema: SchemaRef,
    /// What it says of the time of its rows.
    pub event_time: Option<EventTime>,
    /// The columns that it would have besides those, and that nobody reads: they are not decoded, and so not checked.
    pub unread: Vec<String>,
    /// What the filter directly behind it says, where nobody else reads the source: rows for which this is false or null, and doesn't
    /// fail, may be left out. Only for files of columns, which know before rows are decoded, not with a `limit`, which counts
    /// rows, nor with event time, which rows raise.
    pub predicate: Option<String>,
}

/// What a source says of the time of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTime {
    /// The column that has it: a timestamp, never null.
    pub column: usize,
    /// What raises the watermark.
    pub watermarks: WatermarkRule,
    /// Without rows for so long it holds up nobody.
    pub idle_after: Option<Duration>,
    /// What is further ahead than this of all before it doesn't raise the watermark.
    pub max_jump: Option<Duration>,
    /// A reader doesn't get further than this ahead of the slowest reader of a source that says such a limit.
    pub max_drift: Option<Duration>,
}

/// What raises a source's watermark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatermarkRule {
    /// Each row: it is so far behind the latest, how far out of order rows are at most.
    Behind(Duration),
    /// Rows of which this expression isn't null: it is that timestamp.
    Expression(String),
}

impl Source {
    /// Whether it is known not to have an end; standard input may have one.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        let endless = matches!(&self.connector, SourceConnector::Generator(generator) if generator.rows.is_none());
        endless && self.limit.is_none()
    }
}

/// How a source is read.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceConnector {
    /// A file of rows, or the files of a folder or a pattern. One reader, or one in each task where they are read in parallel.
    File {
        /// Its path as the job has it, for messages.
        written: String,
        /// Its path, absolute or relative to the working directory.
        path: PathBuf,
        /// How rows are read.
        format: FormatIn,
        /// How the file is compressed; by its extension where the job doesn't say.
        compression: Option<Compression>,
        /// Whether files are shared out to tasks.
        parallel_files: bool,
        /// Whether what is appended, and files that are added, are read too, without an end.
        follow: bool,
    },
    /// Standard input. One reader.
    Stdio {
        /// How rows are read.
        format: FormatIn,
    },
    /// Rows that are made. One generator a task.
    Generator(Generator),
}

/// The format that rows are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatIn {
    /// JSON, one object a line.
    Json(JsonIn),
    /// CSV, as RFC 4180 has it.
    Csv(CsvIn),
    /// A file of columns, which brings its own.
    Columnar(ColumnarIn),
}

/// A format of columns that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnarIn {
    /// Parquet.
    Parquet,
    /// Arrow IPC, as a file or as a stream.
    Arrow,
}

/// A format of columns that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnarOut {
    /// Parquet.
    Parquet {
        /// How pages are compressed.
        compression: ParquetCompression,
        /// The most rows of a row group, where the job says so.
        row_group_rows: Option<usize>,
    },
    /// Arrow IPC, as a file.
    Arrow,
}

/// How the pages of Parquet are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParquetCompression {
    /// Zstandard.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4 without frames.
    Lz4,
    /// Gzip.
    Gzip,
    /// Not at all.
    None,
}

/// How rows are read from JSON lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonIn {
    /// The unit of a timestamp that is an integer.
    pub timestamps: TimestampUnit,
    /// A field that the schema doesn't name makes its row malformed.
    pub reject_unknown_fields: bool,
    /// A longer row is malformed.
    pub max_row_bytes: usize,
}

/// How rows are read from CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvIn {
    /// The first row names the fields.
    pub header: bool,
    /// What stands between two fields: an ASCII character.
    pub delimiter: u8,
    /// The unit of a timestamp that is an integer.
    pub timestamps: TimestampUnit,
    /// A field of the header that the schema doesn't name is an error.
    pub reject_unknown_fields: bool,
    /// A longer row is malformed.
    pub max_row_bytes: usize,
}

/// How the bytes of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// They aren't.
    None,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// The unit of integer timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// Rows that are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Generator {
    /// What rows.
    pub workload: Workload,
    /// How many in all; without end where there is no number.
    pub rows: Option<u64>,
    /// How many a second in all, each due at its own moment; as fast as it goes where there is no number.
    pub rate: Option<f64>,
    /// What random numbers start from.
    pub seed: u64,
}

/// What rows a generator makes.
#[derive(Debug, Clone, PartialEq)]
pub enum Workload {
    /// The records of the micro-benchmarks: id, key, ts, value, payload.
    Micro,
    /// The events of Nexmark.
    Nexmark {
        /// The only kind there is, with columns of its own; all of them in one stream where there is none.
        kind: Option<NexmarkKind>,
        /// Events of all kinds a second of event time.
        event_rate: f64,
    },
    /// Fields by rule, in the order of columns.
    Fields(Vec<(String, FieldRule)>),
}

/// A kind of Nexmark's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NexmarkKind {
    /// Somebody new.
    Person,
    /// Something is put up.
    Auction,
    /// Somebody offers a price for it.
    Bid,
}

/// How a generated field gets its values.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldRule {
    /// 0, 1, 2 …: the row's number. `int64`.
    Sequence,
    /// Uniform integers, ends included. `int64`.
    Uniform(i64, i64),
    /// One of these, uniformly. `utf8`.
    OneOf(Vec<String>),
    /// Timestamps: `start + number * every - uniform(0..=disorder)`.
    At {
        /// Between two rows, in nanoseconds.
        every_nanos: u64,
        /// The most that a row is behind.
        disorder: Duration,
        /// The first, in milliseconds since the epoch.
        start_millis: i64,
    },
}

/// Where an operator's or a sink's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// The source or operator.
    pub node: NodeId,
    /// Index of its output; 0 is the main one, and the only one of a source.
    pub port: usize,
}

/// A source or an operator, by its place in [`Job::sources`] or [`Job::operators`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeId {
    /// Index of a source.
    Source(usize),
    /// Index of an operator.
    Operator(usize),
}

/// The name of a source's output, of an operator's first one, and of an input that the job gives no name.
pub const MAIN_PORT: &str = "main";

/// The name of the output of a `split` for the rows that no condition is true for.
pub const REST_PORT: &str = "rest";

/// An output of an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// `main`, or the name in `operator.NAME`.
    pub name: String,
    /// Its rows' columns.
    pub schema: SchemaRef,
}

/// What an operator does. Texts of expressions have been checked against the input's columns.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Nothing but bringing inputs together.
    Union,
    /// Rows for which this is true.
    Filter(String),
    /// These columns, by name and expression.
    Select(Vec<(String, String)>),
    /// All columns but those dropped, these added or replaced in their place.
    With {
        /// Name and expression.
        columns: Vec<(String, String)>,
        /// Names.
        drop: Vec<String>,
    },
    /// A row for each item of a column's lists.
    Unnest {
        /// The column.
        column: String,
        /// The name that it has then.
        name: String,
    },
    /// Rows to the output of the first condition that is true, by name and condition; the others to [`REST_PORT`].
    Split(Vec<(String, String)>),
    /// Running aggregates by key.
    Aggregate {
        /// By name.
        columns: Vec<(String, Aggregate)>,
        /// One row a key at the end of bounded input, not one for each row that comes in.
        at_end: bool,
        /// Rows for which this is true are taken back.
        retract_where: Option<String>,
        /// The windows of event time that rows are counted in, each by itself; its second output has those that came too late.
        window: Option<Window>,
    },
    /// A component.
    Plugin(Plugin),
    /// A component that makes rows of all rows of a window.
    Window {
        /// The component.
        plugin: Plugin,
        /// The windows; where they have bounds, the second output has the rows that came too late.
        window: Window,
    },
}

/// A plugin's limits; what isn't set has the plugin crate's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory of an instance, in bytes.
    pub memory: Option<u64>,
    /// CPU time of a call.
    pub cpu_per_call: Option<Duration>,
    /// CPU time of instantiating and opening.
    pub cpu_per_start: Option<Duration>,
    /// Rows out of a call.
    pub output_rows: Option<u64>,
    /// Bytes out of a call.
    pub output_bytes: Option<u64>,
    /// Bytes of log a second.
    pub log_rate: Option<u64>,
}
