//! Files of columns, Parquet and Arrow: they bring their own columns, and are read by blocks and written as a whole.
//!
//! A column of a file is read as the type of rows that holds all its values: small integers are widened, texts and binary values of
//! every layout are one type, dictionaries are what they stand for. Timestamps become milliseconds UTC, and what is finer is cut off,
//! towards the past, as it is in JSON. Lists of every layout are one type too, structs have the fields that the file's have, and a map is
//! a list of structs of `key` and `value`. Columns of other types can't be read; a `schema` that doesn't name them leaves them out.
//!
//! A filter that stands directly behind a source lets it leave out rows that statistics of a Parquet file rule out (`pruning`).

mod claims;
mod decoding;
mod ipc;
mod parquet;
mod pruning;
mod source;
mod types;
mod writer;

#[cfg(test)]
pub(crate) use source::tests::lines_of;
pub use source::{ColumnarSource, columns, found};
pub(crate) use writer::{ColumnsOut, PartOut, PartWriter, columns_out};

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
    Parquet(ParquetOut),
    /// Arrow IPC, as a file, not compressed.
    Arrow,
}

/// How Parquet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParquetOut {
    /// How pages are compressed.
    pub compression: Compression,
    /// A row group has at most so many rows; fewer where they have 128 MiB. More than 0.
    pub row_group_rows: usize,
}

impl ParquetOut {
    /// The rows of a row group unless a job says otherwise.
    pub const ROW_GROUP_ROWS: usize = 1 << 20;
}

impl Default for ParquetOut {
    fn default() -> Self {
        Self { compression: Compression::default(), row_group_rows: Self::ROW_GROUP_ROWS }
    }
}

/// How the pages of Parquet are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Zstandard, level 1: about as fast as Snappy, and smaller.
    #[default]
    Zstd,
    /// Snappy.
    Snappy,
    /// LZ4, without frames (`LZ4_RAW`).
    Lz4,
    /// Gzip.
    Gzip,
    /// Not at all.
    None,
}
