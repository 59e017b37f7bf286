//! Writes rows as JSON objects: columns in order, nulls written, nothing between the tokens.

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Fields, Schema};
use wasmill_flow::column_type;

use super::JsonOut;
use crate::ConnectorError;
use crate::format::Encoder;
use crate::rows::RowEnd;
use crate::value::unfit;
use crate::value::written::{Notation, Values, put_number};

/// Writes rows as lines of JSON: columns in order; timestamps as RFC 3339 with milliseconds and `Z`, or as integers; dates as
/// `YYYY-MM-DD`; binary as base64; decimals as strings; floats as the shortest text that reads back the same, NaN and infinities as
/// null; lists as arrays, structs as objects of all their fields. A time or date outside the years 0 to 9999 is written as the integer that its column holds. Text of columns marked with
/// [`RAW_JSON`](wasmill_flow::dead_letter::RAW_JSON) is written as it is.
#[derive(Debug, Clone)]
pub struct RowEncoder {
    options: JsonOut,
    /// What stands before each column's value: `{"id":`, `,"mag":`.
    leads: Vec<Vec<u8>>,
}

impl RowEncoder {
    /// An encoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-json` for a column whose type rows can't have ([`column_type`](wasmill_flow::column_type)).
    pub fn new(schema: &Schema, options: JsonOut) -> Result<Self, ConnectorError> {
        if let Some(field) = schema.fields().iter().find(|field| !column_type::is_supported(field.data_type())) {
            return Err(unfit(field, "type-not-in-json", "JSON", column_type::NAMES));
        }
        Ok(Self { options, leads: leads(schema.fields()) })
    }

    /// Writes a line for each row, each ending in `\n`, behind what is in `out`.
    ///
    /// # Panics
    /// Where the rows don't have the columns that the encoder was made for.
    pub fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) {
        let values = self.values(rows);
        for row in 0..rows.num_rows() {
            self.put_row(&values, row, out);
            out.push(b'\n');
        }
    }

    fn values<'a>(&self, rows: &'a RecordBatch) -> Vec<Values<'a>> {
        assert_eq!(rows.num_columns(), self.leads.len(), "rows of another schema");
        let fields = rows.schema_ref().fields().iter();
        fields
            .zip(rows.columns())
            .map(|(field, column)| Values::of(field, column.as_ref(), self.options.timestamps_as_millis))
            .collect()
    }

    #[inline]
    fn put_row(&self, values: &[Values<'_>], row: usize, out: &mut Vec<u8>) {
        if values.is_empty() {
            out.push(b'{');
        }
        for (lead, values) in self.leads.iter().zip(values) {
            out.extend_from_slice(lead);
            values.put(row, &Json, out);
        }
        out.push(b'}');
    }
}

impl Encoder for RowEncoder {
    fn preamble(&self) -> &[u8] {
        b""
    }

    fn can_follow(&self, _: &[u8]) -> bool {
        true
    }

    fn row_end(&self) -> RowEnd {
        RowEnd::Line
    }

    fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) {
        self.encode(rows, out);
    }
}

/// One row as a JSON object, as [`RowEncoder`] writes it: for dead letters. Costs a few allocations a column.
///
/// # Panics
/// Where there is no such row, or a column has a type that rows can't have: plans are checked for that.
#[must_use]
pub fn row_object(batch: &RecordBatch, row: usize) -> String {
    #[expect(
        clippy::expect_used,
        reason = "plans have columns of supported types only; another is a bug that must not pass silently"
    )]
    let encoder = RowEncoder::new(batch.schema_ref(), JsonOut::default()).expect("columns of supported types");
    let mut out = Vec::new();
    encoder.put_row(&encoder.values(batch), row, &mut out);
    #[expect(clippy::expect_used, reason = "the encoder writes text, and text of columns, which is UTF-8")]
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// What stands before each value of an object with these fields.
pub(crate) fn leads(fields: &Fields) -> Vec<Vec<u8>> {
    let lead = |(index, field): (usize, &FieldRef)| {
        let mut lead = vec![if index == 0 { b'{' } else { b',' }];
        put_text(field.name(), &mut lead);
        lead.push(b':');
        lead
    };
    fields.iter().enumerate().map(lead).collect()
}

/// JSON: nulls by name, text in quotes.
pub(crate) struct Json;

impl Notation for Json {
    fn json(&self, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(text.as_bytes());
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }

    #[inline]
    fn text(&self, text: &str, out: &mut Vec<u8>) {
        put_text(text, out);
    }

    #[inline]
    fn plain(&self, text: &[u8], out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    }
}

/// Writes a text with its quotes. Most have nothing to escape, which is found out without a branch a byte.
#[inline]
fn put_text(text: &str, out: &mut Vec<u8>) {
    let escaped = text.bytes().fold(false, |escaped, byte| escaped | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if escaped {
        put_number(&text, out);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests;
