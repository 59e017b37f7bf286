//! Writes rows as JSON objects: columns in order, nulls written, nothing between the tokens.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMillisecondType, UInt64Type,
};
use arrow_array::{Array, BinaryViewArray, BooleanArray, PrimitiveArray, RecordBatch, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use wasmill_flow::column_type::{self, TIMESTAMP};
use wasmill_flow::dead_letter::RAW_JSON;

use super::{JsonOut, time};
use crate::ConnectorError;
use crate::format::Encoder;

/// Writes rows as lines of JSON: columns in order; timestamps as RFC 3339 with milliseconds and `Z`, or as integers; dates as
/// `YYYY-MM-DD`; binary as base64; decimals as strings; floats as the shortest text that reads back the same, NaN and infinities as
/// null. A time or date outside the years 0 to 9999 is written as the integer that its column holds. Text of columns marked with
/// [`RAW_JSON`] is written as it is.
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
    /// Code `type-not-in-json` for a column whose type rows can't have ([`column_type`]).
    pub fn new(schema: &Schema, options: JsonOut) -> Result<Self, ConnectorError> {
        if let Some(field) = schema.fields().iter().find(|field| !column_type::is_supported(field.data_type())) {
            let found = column_type::describe(field);
            return Err(ConnectorError::new(
                "type-not-in-json",
                format!("{}: type `{found}` can't be written as JSON", field.name()),
            )
            .with_hint(format!("the types are {}", column_type::NAMES.join(", "))));
        }
        let lead = |(index, field): (usize, &std::sync::Arc<Field>)| {
            let mut lead = vec![if index == 0 { b'{' } else { b',' }];
            put_text(field.name(), &mut lead);
            lead.push(b':');
            lead
        };
        Ok(Self { options, leads: schema.fields().iter().enumerate().map(lead).collect() })
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
        fields.zip(rows.columns()).map(|(field, column)| Values::of(field, column.as_ref(), self.options)).collect()
    }

    #[inline]
    fn put_row(&self, values: &[Values<'_>], row: usize, out: &mut Vec<u8>) {
        if values.is_empty() {
            out.push(b'{');
        }
        for (lead, values) in self.leads.iter().zip(values) {
            out.extend_from_slice(lead);
            values.put(row, out);
        }
        out.push(b'}');
    }
}

impl Encoder for RowEncoder {
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

/// A column's values by what is written for them.
enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a [i64], Option<&'a NullBuffer>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Float32(&'a PrimitiveArray<Float32Type>),
    Float64(&'a PrimitiveArray<Float64Type>),
    Decimal(&'a PrimitiveArray<Decimal128Type>, u8, i8),
    Date(&'a PrimitiveArray<Date32Type>),
    Timestamp(&'a PrimitiveArray<TimestampMillisecondType>),
    Text(&'a StringViewArray),
    Json(&'a StringViewArray),
    Binary(&'a BinaryViewArray),
}

impl<'a> Values<'a> {
    fn of(field: &Field, column: &'a dyn Array, options: JsonOut) -> Self {
        match column.data_type() {
            DataType::Boolean => Self::Boolean(column.as_boolean()),
            DataType::Int32 => Self::Int32(column.as_primitive()),
            DataType::Int64 => Self::Int64(column.as_primitive::<Int64Type>().values(), column.nulls()),
            DataType::UInt64 => Self::UInt64(column.as_primitive()),
            DataType::Float32 => Self::Float32(column.as_primitive()),
            DataType::Float64 => Self::Float64(column.as_primitive()),
            DataType::Decimal128(precision, scale) => Self::Decimal(column.as_primitive(), *precision, *scale),
            DataType::Date32 => Self::Date(column.as_primitive()),
            DataType::Utf8View if field.metadata().contains_key(RAW_JSON) => Self::Json(column.as_string_view()),
            DataType::Utf8View => Self::Text(column.as_string_view()),
            DataType::BinaryView => Self::Binary(column.as_binary_view()),
            other if *other == TIMESTAMP && options.timestamps_as_millis => {
                Self::Int64(column.as_primitive::<TimestampMillisecondType>().values(), column.nulls())
            }
            other if *other == TIMESTAMP => Self::Timestamp(column.as_primitive()),
            other => panic!("a column of type {other}, which the encoder's constructor refuses"),
        }
    }

    #[inline]
    fn put(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(column) if column.is_valid(row) => {
                out.extend_from_slice(if column.value(row) { b"true" } else { b"false" })
            }
            Self::Int32(column) => put_number(column, row, out),
            Self::Int64(values, nulls) if nulls.is_none_or(|nulls| nulls.is_valid(row)) => put_json(&values[row], out),
            Self::UInt64(column) => put_number(column, row, out),
            Self::Float32(column) => put_number(column, row, out),
            Self::Float64(column) => put_number(column, row, out),
            Self::Decimal(column, precision, scale) if column.is_valid(row) => {
                out.push(b'"');
                out.extend_from_slice(Decimal128Type::format_decimal(column.value(row), *precision, *scale).as_bytes());
                out.push(b'"');
            }
            Self::Date(column) if column.is_valid(row) => time::write_date(column.value(row), out),
            Self::Timestamp(column) if column.is_valid(row) => time::write_timestamp(column.value(row), out),
            Self::Text(column) if column.is_valid(row) => put_text(column.value(row), out),
            Self::Json(column) if column.is_valid(row) => out.extend_from_slice(column.value(row).as_bytes()),
            Self::Binary(column) if column.is_valid(row) => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(column.value(row)).as_bytes());
                out.push(b'"');
            }
            _ => out.extend_from_slice(b"null"),
        }
    }
}

#[inline]
fn put_number<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize, out: &mut Vec<u8>)
where
    T::Native: Serialize,
{
    if column.is_valid(row) { put_json(&column.value(row), out) } else { out.extend_from_slice(b"null") }
}

/// Writes a number as `serde_json` does: integers plainly, floats shortest, those that aren't finite as null.
#[inline]
fn put_json(value: &impl Serialize, out: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "writing a number or a text to memory can't fail")]
    serde_json::to_writer(out, value).expect("memory takes every number and text");
}

/// Writes a text with its quotes. Most have nothing to escape, which is found out without a branch a byte.
#[inline]
fn put_text(text: &str, out: &mut Vec<u8>) {
    let escaped = text.bytes().fold(false, |escaped, byte| escaped | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if escaped {
        put_json(&text, out);
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests;
