//! A sink: where its rows go, in what format.

use std::path::PathBuf;

use arrow_schema::SchemaRef;

use super::{ColumnarOut, Compression, TableSink, Upstream};

/// A sink.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub input: Upstream,
    /// How it is written.
    pub connector: SinkConnector,
    /// Its rows' columns.
    pub schema: SchemaRef,
}

/// How a sink is written: by one writer, but for a folder, a bucket and a blackhole, which have one in each task of their
/// input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkConnector {
    /// A file of rows.
    File {
        /// Its path as the job has it, for messages.
        written: String,
        /// Its path.
        path: PathBuf,
        /// Whether the path ends in `/`: a folder, which gets a file from each task, and with checkpoints one with each.
        is_folder: bool,
        /// What becomes of a file that is there already.
        existing: Existing,
        /// How rows are written.
        format: FormatOut,
        /// How the file is compressed; by its extension where the job doesn't say.
        compression: Option<Compression>,
    },
    /// Objects of rows in a bucket: one of each task, or with checkpoints one with each.
    Bucket {
        /// Its URL with what objects' names begin with, as `s3://bucket/prefix/`.
        url: String,
        /// What becomes of parts that are there already.
        existing: Existing,
        /// How rows are written.
        format: FormatOut,
        /// How objects of rows are compressed; by the URL's extension where the job doesn't say.
        compression: Option<Compression>,
    },
    /// Standard output.
    Stdio {
        /// How rows are written.
        format: FormatOut,
    },
    /// A table of a database.
    Table(TableSink),
    /// Nowhere; counted.
    Blackhole,
}

/// The format that rows are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatOut {
    /// JSON, one object a line.
    Json(JsonOut),
    /// CSV, as RFC 4180 has it.
    Csv(CsvOut),
    /// A file of columns, which is whole at its end only.
    Columnar(ColumnarOut),
}

/// How rows are written as JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JsonOut {
    /// Timestamps as integers, in milliseconds; otherwise as RFC 3339 text.
    pub timestamps_as_millis: bool,
}

/// How rows are written as CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOut {
    /// A file starts with the names of the columns.
    pub header: bool,
    /// What stands between two fields: an ASCII character.
    pub delimiter: u8,
    /// Timestamps as integers, in milliseconds; otherwise as RFC 3339 text.
    pub timestamps_as_millis: bool,
}

/// What becomes of an output file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is written anew.
    #[default]
    Replace,
    /// Rows are added to it.
    Append,
    /// The job doesn't start.
    Refuse,
}

/// Where rows go that can't be processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetters {
    /// How they are written.
    pub connector: SinkConnector,
    /// More than so many fail the job.
    pub limit: Option<u64>,
}
