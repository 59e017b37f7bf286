//! Rows as CSV (RFC 4180): read strictly ([`RowDecoder`]), written plainly ([`RowEncoder`]).

mod decode;
mod encode;
pub(crate) mod fields;

pub use decode::RowDecoder;
pub use encode::RowEncoder;

use arrow_schema::{FieldRef, Schema};
use wasmill_flow::column_type;

use crate::ConnectorError;
use crate::json::TimestampUnit;
use crate::rows::MAX_ROW_BYTES;
use crate::value::{Kind, unfit};

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvIn {
    /// The first row names the fields; otherwise they are the schema's columns, in order.
    pub header: bool,
    /// What stands between two fields: an ASCII character that doesn't stand in a number, but for a quote and line ends.
    pub delimiter: u8,
    /// The unit of a timestamp that is an integer.
    pub timestamps: TimestampUnit,
    /// A field of the header that the schema doesn't name is an error; otherwise it is passed over.
    pub reject_unknown_fields: bool,
    /// A longer row, its line end not counted, is malformed. At most [`MOST_ROW_BYTES`](crate::rows::MOST_ROW_BYTES).
    pub max_row_bytes: usize,
}

impl Default for CsvIn {
    fn default() -> Self {
        Self {
            header: true,
            delimiter: b',',
            timestamps: TimestampUnit::Milliseconds,
            reject_unknown_fields: false,
            max_row_bytes: MAX_ROW_BYTES,
        }
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOut {
    /// A file starts with the names of the columns.
    pub header: bool,
    /// What stands between two fields.
    pub delimiter: u8,
    /// Timestamps as integers, in milliseconds; otherwise as RFC 3339 text.
    pub timestamps_as_millis: bool,
}

impl Default for CsvOut {
    fn default() -> Self {
        Self { header: true, delimiter: b',', timestamps_as_millis: false }
    }
}

/// How the columns of a schema are read; one of lists or structs, which CSV can't say, is refused.
fn kinds(schema: &Schema, timestamps: TimestampUnit) -> Result<Vec<Kind>, ConnectorError> {
    let kind = |field: &FieldRef| {
        Kind::of(field.data_type(), timestamps).ok_or_else(|| unfit(field, "type-not-in-csv", "CSV", column_type::SCALARS))
    };
    schema.fields().iter().map(kind).collect()
}
