//! Writes rows as CSV: columns in order, quotes where they are needed.

use std::borrow::Cow;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::CsvOut;
use super::fields::CsvFields;
use crate::ConnectorError;
use crate::format::Encoder;
use crate::json::TimestampUnit;
use crate::rows::RowEnd;
use crate::value::written::{Notation, Values};

/// Writes rows as CSV (RFC 4180), each ending in `\n`: null as nothing, the empty text as `""`, quotes only where a text has a
/// delimiter, a quote or a line end. Values are as in JSON, without its quotes.
#[derive(Debug, Clone)]
pub struct RowEncoder {
    options: CsvOut,
    header: Vec<u8>,
}

impl RowEncoder {
    /// An encoder of rows with these columns.
    ///
    /// # Errors
    /// Code `type-not-in-csv` for a column whose type rows can't have.
    pub fn new(schema: &Schema, options: CsvOut) -> Result<Self, ConnectorError> {
        super::kinds(schema, TimestampUnit::Milliseconds)?;
        let mut header = Vec::new();
        if options.header {
            let notation = Csv { delimiter: options.delimiter };
            for (index, field) in schema.fields().iter().enumerate() {
                header.extend((index > 0).then_some(options.delimiter));
                notation.text(field.name(), &mut header);
            }
            header.push(b'\n');
        }
        Ok(Self { options, header })
    }

    /// The row with the names of the columns; nothing without a header.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Writes rows behind what is in `out`.
    ///
    /// # Panics
    /// Where the rows don't have the columns that the encoder was made for.
    pub fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) {
        let notation = Csv { delimiter: self.options.delimiter };
        let fields = rows.schema_ref().fields().iter();
        let values: Vec<_> = fields
            .zip(rows.columns())
            .map(|(field, column)| Values::of(field, column.as_ref(), self.options.timestamps_as_millis))
            .collect();
        for row in 0..rows.num_rows() {
            for (index, values) in values.iter().enumerate() {
                if index > 0 {
                    out.push(notation.delimiter);
                }
                values.put(row, &notation, out);
            }
            out.push(b'\n');
        }
    }
}

/// What the fields of a header say, where it is one.
fn names(row: &[u8], delimiter: u8) -> Option<Vec<Cow<'_, str>>> {
    let text = std::str::from_utf8(row).ok()?;
    let mut fields = CsvFields::new(row, delimiter);
    std::iter::from_fn(|| fields.next()).map(|field| Some(field.ok()?.text(text))).collect()
}

impl Encoder for RowEncoder {
    fn preamble(&self) -> &[u8] {
        self.header()
    }

    fn can_follow(&self, line: &[u8]) -> bool {
        let names = |row| names(row, self.options.delimiter);
        names(self.header.trim_ascii_end()).is_some_and(|own| names(line) == Some(own))
    }

    fn row_end(&self) -> RowEnd {
        RowEnd::OutsideQuotes(self.options.delimiter)
    }

    fn encode(&self, rows: &RecordBatch, out: &mut Vec<u8>) {
        self.encode(rows, out);
    }
}

struct Csv {
    delimiter: u8,
}

impl Notation for Csv {
    fn null(&self, _: &mut Vec<u8>) {}

    #[inline]
    fn text(&self, text: &str, out: &mut Vec<u8>) {
        let special = |byte| byte == self.delimiter || byte == b'"' || byte == b'\n' || byte == b'\r';
        if text.is_empty() || text.bytes().fold(false, |found, byte| found | special(byte)) {
            out.push(b'"');
            for part in text.split_inclusive('"') {
                out.extend_from_slice(part.as_bytes());
                out.extend(part.ends_with('"').then_some(b'"'));
            }
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// A delimiter may be a colon or another such character of a timestamp.
    #[inline]
    fn plain(&self, text: &[u8], out: &mut Vec<u8>) {
        let quoted = text.is_empty() || text.contains(&self.delimiter);
        out.extend(quoted.then_some(b'"'));
        out.extend_from_slice(text);
        out.extend(quoted.then_some(b'"'));
    }

    fn json(&self, text: &str, out: &mut Vec<u8>) {
        self.text(text, out);
    }
}

#[cfg(test)]
mod tests;
