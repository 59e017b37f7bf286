//! The formats of rows as bytes, and what a source and a sink need of one.

mod fault;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use crate::ConnectorError;
use crate::csv::{self, CsvIn, CsvOut};
use crate::json::{self, JsonIn, JsonOut};
use crate::rows::RowEnd;

pub use self::fault::Fault;
pub(crate) use self::fault::{not_utf8, shown};

/// The format that rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatIn {
    /// JSON, one object a line.
    Json(JsonIn),
    /// CSV, as RFC 4180 has it.
    Csv(CsvIn),
}

/// The format that rows are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatOut {
    /// JSON, one object a line.
    Json(JsonOut),
    /// CSV, as RFC 4180 has it.
    Csv(CsvOut),
}

impl From<JsonIn> for FormatIn {
    fn from(json: JsonIn) -> Self {
        Self::Json(json)
    }
}

impl From<CsvIn> for FormatIn {
    fn from(csv: CsvIn) -> Self {
        Self::Csv(csv)
    }
}

impl From<JsonOut> for FormatOut {
    fn from(json: JsonOut) -> Self {
        Self::Json(json)
    }
}

impl From<CsvOut> for FormatOut {
    fn from(csv: CsvOut) -> Self {
        Self::Csv(csv)
    }
}

impl FormatIn {
    /// A longer row is malformed.
    pub(crate) fn max_row_bytes(&self) -> usize {
        match self {
            Self::Json(json) => json.max_row_bytes,
            Self::Csv(csv) => csv.max_row_bytes,
        }
    }

    /// A decoder of rows with these columns.
    ///
    /// # Errors
    /// Codes `type-not-in-json`, `type-not-in-csv`.
    pub(crate) fn decoder(&self, schema: SchemaRef) -> Result<Box<dyn Decoder>, ConnectorError> {
        Ok(match self {
            Self::Json(json) => Box::new(json::RowDecoder::new(schema, *json)?),
            Self::Csv(csv) => Box::new(csv::RowDecoder::new(schema, *csv)?),
        })
    }
}

impl FormatOut {
    /// What the name of a file of this format ends in, behind the point.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json(_) => "ndjson",
            Self::Csv(_) => "csv",
        }
    }

    /// An encoder of rows with these columns.
    ///
    /// # Errors
    /// Codes `type-not-in-json`, `type-not-in-csv`.
    pub(crate) fn encoder(self, schema: &Schema) -> Result<Box<dyn Encoder>, ConnectorError> {
        Ok(match self {
            Self::Json(json) => Box::new(json::RowEncoder::new(schema, json)?),
            Self::Csv(csv) => Box::new(csv::RowEncoder::new(schema, csv)?),
        })
    }
}

/// Reads rows into columns, each from the bytes that it has in its file.
pub(crate) trait Decoder: Send + std::fmt::Debug {
    /// The rows' columns.
    fn schema(&self) -> &SchemaRef;

    /// Where a row ends.
    fn row_end(&self) -> RowEnd;

    /// What comes next is the start of a file.
    fn restart(&mut self);

    /// Whether a row that names the fields is to come before any other.
    fn wants_header(&self) -> bool;

    /// Reads that row.
    ///
    /// # Errors
    /// Why it doesn't fit the schema.
    fn header(&mut self, row: &[u8]) -> Result<(), Fault>;

    /// Whether these bytes between two row ends are no row at all, so that they are passed over.
    fn is_blank(&self, row: &[u8]) -> bool;

    /// Reads one row from its bytes, without its end.
    ///
    /// # Errors
    /// What is wrong with the row. Nothing of it is kept.
    fn decode(&mut self, row: &[u8]) -> Result<(), Fault>;

    /// How many rows there are to be taken.
    fn rows(&self) -> usize;

    /// The rows read since the last time; the decoder is empty then.
    fn take_rows(&mut self) -> RecordBatch;
}

/// Writes rows as the bytes that they have in a file.
pub(crate) trait Encoder: Send + Sync + std::fmt::Debug {
    /// What stands once, before the first row of a file: a header.
    fn preamble(&self) -> &[u8];

    /// Whether rows can follow in a file that has this first line, where there is a preamble.
    fn can_follow(&self, line: &[u8]) -> bool;

    /// Where a row ends.
    fn row_end(&self) -> RowEnd;

    /// Writes rows, each with its end, behind what is in `out`.
    fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>);
}
