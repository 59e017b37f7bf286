//! The job as it was written: every value read and of the right kind, names and columns not looked up yet.
//!
//! Where a part is missing or of the wrong kind, that has been said already, and the part is `None`: what can be checked without it
//! still is.

use std::num::NonZero;
use std::time::Duration;

use arrow_schema::SchemaRef;
use serde_json::Value;

use crate::graph::{BatchLimits, Compression, Existing, FormatIn, FormatOut, Generator, Limits, OnPoison, Restart, Window};
use crate::place::{At, Spot};

/// A job file.
#[derive(Debug, Clone)]
pub struct Job {
    /// The job's name.
    pub name: Option<At<String>>,
    /// Tasks of an operator that may be parallel.
    pub parallelism: Option<At<u32>>,
    /// The number of key groups.
    pub max_parallelism: Option<At<u32>>,
    /// The most that travels together.
    pub batch: BatchLimits,
    /// Sources in order.
    pub sources: Vec<Source>,
    /// Operators in order.
    pub operators: Vec<Operator>,
    /// Sinks in order.
    pub sinks: Vec<Sink>,
    /// Where `sinks` stands; `None` where it is missing or no mapping, which has been said.
    pub sinks_spot: Option<Spot>,
    /// The dead letters' sink.
    pub dead_letters: Option<DeadLetters>,
    /// Checkpoints.
    pub checkpoint: Option<Checkpoint>,
    /// How often it is started again after a fault.
    pub restart: Option<At<Restart>>,
}

/// A source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: At<String>,
    /// How it is read.
    pub connector: Option<SourceConnector>,
    /// The most rows that are read.
    pub limit: Option<u64>,
    /// What it says of the time of its rows.
    pub event_time: Option<EventTime>,
}

/// What a source says of the time of its rows.
#[derive(Debug, Clone)]
pub struct EventTime {
    /// The column that has it.
    pub field: At<String>,
    /// What raises the watermark.
    pub rule: WatermarkRule,
    /// Without rows for so long it holds up nobody.
    pub idle_after: Option<Duration>,
    /// What is further ahead than this of all before it doesn't raise the watermark.
    pub max_jump: Option<Duration>,
    /// It doesn't get further than this ahead of the others that say so.
    pub max_drift: Option<Duration>,
}

/// What raises a source's watermark.
#[derive(Debug, Clone)]
pub enum WatermarkRule {
    /// Each row: it is so far behind the latest.
    Behind(Duration),
    /// Rows of which this isn't null: it is what they say.
    Expression(At<String>),
}

/// How a source is read.
#[derive(Debug, Clone)]
pub enum SourceConnector {
    /// Files.
    File {
        /// Their path.
        path: Option<At<String>>,
        /// How rows are read.
        format: Option<FormatIn>,
        /// How the files are compressed.
        compression: Option<Compression>,
        /// Whether files are shared out to tasks.
        parallel_files: Option<At<bool>>,
        /// Whether what is appended is read too.
        follow: Option<At<bool>>,
        /// Their columns.
        schema: Option<SchemaRef>,
    },
    /// Standard input.
    Stdio {
        /// Where `connector` stands.
        spot: Spot,
        /// How rows are read.
        format: Option<FormatIn>,
        /// Their columns.
        schema: Option<SchemaRef>,
    },
    /// Rows that are made; they follow from it.
    Generator(Option<Generator>),
}

/// An operator.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Its name.
    pub name: At<String>,
    /// Its inputs.
    pub inputs: Option<Vec<Input>>,
    /// What it does.
    pub verb: Option<Verb>,
}

/// An input of an operator.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its name, where it has one.
    pub name: Option<At<String>>,
    /// What it reads, by name: several streams are a union.
    pub from: Vec<At<String>>,
    /// The columns that it is keyed by; empty where it isn't keyed.
    pub key_by: Option<Vec<At<String>>>,
    /// Every task is handed all of its rows.
    pub broadcast: bool,
}

/// What an operator does.
#[derive(Debug, Clone)]
pub enum Verb {
    /// Nothing but bringing inputs together.
    Union,
    /// Rows for which this is true.
    Filter(At<String>),
    /// These columns.
    Select(Vec<Column>),
    /// All columns, with these, without those.
    With {
        /// Columns added or replaced.
        columns: Vec<Column>,
        /// Columns taken away.
        drop: Vec<At<String>>,
    },
    /// A row for each item of a column's lists.
    Unnest {
        /// The column.
        column: At<String>,
        /// The name that it has then; its own where there is none.
        name: Option<At<String>>,
    },
    /// Rows to the output of the first condition that is true.
    Split(Vec<Column>),
    /// Running aggregates.
    Aggregate {
        /// By name.
        columns: Vec<AggregateColumn>,
        /// Where it says that rows come out at the end of input only.
        at_end: Option<Spot>,
        /// The condition under which a row is taken back.
        retract_where: Option<At<String>>,
        /// The windows that rows are counted in, and where they stand.
        window: Option<At<Window>>,
    },
    /// A component.
    Plugin {
        /// Its file or directory.
        path: At<String>,
        /// The windows whose rows it is handed all together, and where they stand.
        window: Option<At<Window>>,
        /// Its settings.
        settings: Option<Value>,
        /// What becomes of rows that make it trap.
        on_poison: At<OnPoison>,
        /// Its limits: its own, and the job's where it has none.
        limits: Limits,
    },
}

/// A column by an expression.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: At<String>,
    /// What it is computed by.
    pub expression: Option<At<String>>,
}

/// A column of an aggregate.
#[derive(Debug, Clone)]
pub struct AggregateColumn {
    /// Its name.
    pub name: At<String>,
    /// What it is computed by.
    pub by: Option<Computation>,
}

/// What a column of an aggregate is computed by.
#[derive(Debug, Clone)]
pub enum Computation {
    /// An SQL aggregate.
    Sql(At<String>),
    /// A component.
    Plugin(AggregatePlugin),
}

/// A component as an aggregate.
#[derive(Debug, Clone)]
pub struct AggregatePlugin {
    /// Its file or directory.
    pub path: At<String>,
    /// The columns that it is over.
    pub of: Vec<At<String>>,
    /// Its settings.
    pub settings: Value,
    /// Its limits: its own, and the job's where it has none.
    pub limits: Limits,
}

/// A sink.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Its name.
    pub name: At<String>,
    /// What it takes, by name.
    pub input: Option<At<String>>,
    /// How it is written.
    pub connector: Option<SinkConnector>,
}

/// How a sink is written.
#[derive(Debug, Clone)]
pub enum SinkConnector {
    /// A file.
    File {
        /// Its path.
        path: Option<At<String>>,
        /// What becomes of a file that is there already.
        existing: Existing,
        /// How rows are written.
        format: Option<FormatOut>,
        /// How the file is compressed.
        compression: Option<Compression>,
    },
    /// Standard output.
    Stdio {
        /// Where `connector` stands.
        spot: Spot,
        /// How rows are written.
        format: Option<FormatOut>,
    },
    /// A table of a database.
    Table(Box<TableSink>),
    /// Nowhere.
    Blackhole,
}

/// A table that rows are written to.
#[derive(Debug, Clone)]
pub struct TableSink {
    /// The database.
    pub database: Database,
    /// The table's name.
    pub table: Option<At<String>>,
    /// Whether it is made where it isn't there.
    pub create: bool,
    /// What a row does to it.
    pub write: Option<TableWrite>,
}

/// A database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A server of PostgreSQL.
    Postgres {
        /// Its address.
        url: Option<At<String>>,
    },
    /// A file of SQLite.
    Sqlite {
        /// Its path.
        path: Option<At<String>>,
    },
}

/// What a row does to a table.
#[derive(Debug, Clone)]
pub enum TableWrite {
    /// It is added.
    Insert,
    /// It takes the place of the one with the same key.
    Upsert {
        /// The key's columns.
        key: Vec<At<String>>,
        /// The column that says whether a row is one to write or to delete.
        changes: Option<At<String>>,
    },
}

/// The dead letters' sink.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    /// How they are written.
    pub connector: Option<SinkConnector>,
    /// More than so many fail the job.
    pub limit: Option<u64>,
}

/// Checkpoints.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Time between two.
    pub every: Duration,
    /// A local directory.
    pub store: Option<At<String>>,
    /// How many are kept.
    pub retain: usize,
    /// Every how many of them state is written whole.
    pub base_every: NonZero<u32>,
    /// How long one may take.
    pub timeout: Duration,
    /// Time between two looks at whether the newest is intact.
    pub verify: Duration,
}
