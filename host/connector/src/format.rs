//! The formats of rows as bytes, and what a source and a sink need of one.

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};

use crate::ConnectorError;
use crate::json::{Fault, JsonIn, JsonOut, RowDecoder, RowEncoder};

/// The format that rows are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatIn {
    /// JSON, one object a line.
    Json(JsonIn),
}

/// The format that rows are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatOut {
    /// JSON, one object a line.
    Json(JsonOut),
}

impl From<JsonIn> for FormatIn {
    fn from(json: JsonIn) -> Self {
        Self::Json(json)
    }
}

impl From<JsonOut> for FormatOut {
    fn from(json: JsonOut) -> Self {
        Self::Json(json)
    }
}

impl FormatIn {
    /// A longer row is malformed.
    pub(crate) fn max_row_bytes(&self) -> usize {
        match self {
            Self::Json(json) => json.max_row_bytes,
        }
    }

    /// A decoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-json`.
    pub(crate) fn decoder(&self, schema: SchemaRef) -> Result<Box<dyn Decoder>, ConnectorError> {
        Ok(match self {
            Self::Json(json) => Box::new(RowDecoder::new(schema, *json)?),
        })
    }
}

impl FormatOut {
    /// What the name of a file of this format ends in, behind the point.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Json(_) => "ndjson",
        }
    }

    /// An encoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-json`.
    pub(crate) fn encoder(self, schema: &Schema) -> Result<Box<dyn Encoder>, ConnectorError> {
        Ok(match self {
            Self::Json(json) => Box::new(RowEncoder::new(schema, json)?),
        })
    }
}

/// Reads rows into columns, each from the bytes that it has in its file.
pub(crate) trait Decoder: Send + std::fmt::Debug {
    /// The rows' columns.
    fn schema(&self) -> &SchemaRef;

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
    /// Writes rows, each with its end, behind what is in `out`.
    fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>);
}
