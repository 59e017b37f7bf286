//! Rows as JSON, one object a line: read strictly ([`RowDecoder`]), written plainly ([`RowEncoder`], [`row_object`]).

mod decode;
pub(crate) mod encode;
mod layout;
mod nested;
mod scan;

pub(crate) use encode::leads;

pub use decode::RowDecoder;
pub use encode::{RowEncoder, row_object};

use crate::rows::MAX_ROW_BYTES;

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonIn {
    /// The unit of a timestamp that is an integer.
    pub timestamps: TimestampUnit,
    /// A field that the schema doesn't name makes its row malformed; otherwise it is ignored.
    pub reject_unknown_fields: bool,
    /// A longer row, its line end not counted, is malformed. At most [`MOST_ROW_BYTES`](crate::rows::MOST_ROW_BYTES).
    pub max_row_bytes: usize,
}

impl Default for JsonIn {
    fn default() -> Self {
        Self { timestamps: TimestampUnit::Milliseconds, reject_unknown_fields: false, max_row_bytes: MAX_ROW_BYTES }
    }
}

/// The unit of integer timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds; what is finer than a millisecond is cut off, towards the past.
    Microseconds,
    /// Nanoseconds; the same.
    Nanoseconds,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JsonOut {
    /// Timestamps as integers, in milliseconds; otherwise as RFC 3339 text.
    pub timestamps_as_millis: bool,
}
