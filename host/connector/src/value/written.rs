//! Writes the values of columns, in a format's notation.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, DecimalType, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType, UInt64Type,
};
use arrow_array::{Array, BinaryViewArray, BooleanArray, PrimitiveArray, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_flow::dead_letter::RAW_JSON;

use super::time;
use crate::json::leads;

/// What differs between formats. Numbers and booleans are the same in all.
pub(crate) trait Notation {
    /// Nothing; a float that isn't finite too.
    fn null(&self, out: &mut Vec<u8>);

    /// Any text.
    fn text(&self, text: &str, out: &mut Vec<u8>);

    /// ASCII text without quotes, delimiters and line ends: a timestamp, a date, a decimal, base64.
    fn plain(&self, text: &[u8], out: &mut Vec<u8>);

    /// Text that is JSON already.
    fn json(&self, text: &str, out: &mut Vec<u8>);
}

/// A column's values by what is written for them.
pub(crate) enum Values<'a> {
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
    List(Box<Lists<'a>>),
    Struct(Box<Structs<'a>>),
}

/// Those of a column of lists, which only JSON has.
pub(crate) struct Lists<'a> {
    offsets: &'a [i32],
    nulls: Option<&'a NullBuffer>,
    items: Values<'a>,
}

/// Those of a column of structs, which only JSON has.
pub(crate) struct Structs<'a> {
    nulls: Option<&'a NullBuffer>,
    /// What stands before each field's value: `{"id":`, `,"mag":`.
    leads: Vec<Vec<u8>>,
    fields: Vec<Values<'a>>,
}

impl<'a> Values<'a> {
    /// Those of a column, whose type must be one that rows can have.
    pub(crate) fn of(field: &Field, column: &'a dyn Array, timestamps_as_millis: bool) -> Self {
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
            other if *other == TIMESTAMP && timestamps_as_millis => {
                Self::Int64(column.as_primitive::<TimestampMillisecondType>().values(), column.nulls())
            }
            other if *other == TIMESTAMP => Self::Timestamp(column.as_primitive()),
            DataType::List(item) => {
                let lists = column.as_list::<i32>();
                let items = Self::of(item, lists.values().as_ref(), timestamps_as_millis);
                Self::List(Box::new(Lists { offsets: lists.value_offsets(), nulls: lists.nulls(), items }))
            }
            DataType::Struct(fields) => {
                let structs = column.as_struct();
                let values = fields.iter().zip(structs.columns());
                let fields_of = values.map(|(field, column)| Self::of(field, column.as_ref(), timestamps_as_millis));
                Self::Struct(Box::new(Structs { nulls: structs.nulls(), leads: leads(fields), fields: fields_of.collect() }))
            }
            other => panic!("a column of type {other}, which encoders refuse"),
        }
    }

    /// Writes the value of a row. Always inlined: lists and structs call it too, and rows without them must not pay for that.
    #[inline(always)]
    pub(crate) fn put<N: Notation>(&self, row: usize, notation: &N, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(column) if column.is_valid(row) => {
                out.extend_from_slice(if column.value(row) { b"true" } else { b"false" })
            }
            Self::Int32(column) if column.is_valid(row) => put_number(&column.value(row), out),
            Self::Int64(values, nulls) if nulls.is_none_or(|nulls| nulls.is_valid(row)) => put_number(&values[row], out),
            Self::UInt64(column) if column.is_valid(row) => put_number(&column.value(row), out),
            Self::Float32(column) if column.is_valid(row) && column.value(row).is_finite() => put_number(&column.value(row), out),
            Self::Float64(column) if column.is_valid(row) && column.value(row).is_finite() => put_number(&column.value(row), out),
            Self::Decimal(column, precision, scale) if column.is_valid(row) => {
                notation.plain(Decimal128Type::format_decimal(column.value(row), *precision, *scale).as_bytes(), out);
            }
            Self::Date(column) if column.is_valid(row) => match time::date(column.value(row)) {
                Some(date) => notation.plain(&date, out),
                None => put_number(&column.value(row), out),
            },
            Self::Timestamp(column) if column.is_valid(row) => match time::timestamp(column.value(row)) {
                Some(time) => notation.plain(&time, out),
                None => put_number(&column.value(row), out),
            },
            Self::Text(column) if column.is_valid(row) => notation.text(column.value(row), out),
            Self::Json(column) if column.is_valid(row) => notation.json(column.value(row), out),
            Self::Binary(column) if column.is_valid(row) => notation.plain(STANDARD.encode(column.value(row)).as_bytes(), out),
            Self::List(lists) => lists.put(row, notation, out),
            Self::Struct(structs) => structs.put(row, notation, out),
            _ => notation.null(out),
        }
    }
}

impl Lists<'_> {
    #[inline(never)]
    fn put<N: Notation>(&self, row: usize, notation: &N, out: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return notation.null(out);
        }
        #[expect(clippy::cast_sign_loss, reason = "offsets of lists are never negative")]
        let items = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        out.push(b'[');
        for item in items.clone() {
            out.extend((item > items.start).then_some(b','));
            self.items.put(item, notation, out);
        }
        out.push(b']');
    }
}

impl Structs<'_> {
    #[inline(never)]
    fn put<N: Notation>(&self, row: usize, notation: &N, out: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return notation.null(out);
        }
        for (lead, values) in self.leads.iter().zip(&self.fields) {
            out.extend_from_slice(lead);
            values.put(row, notation, out);
        }
        out.push(b'}');
    }
}

/// Writes a number as `serde_json` does: integers plainly, floats shortest.
#[inline]
pub(crate) fn put_number(value: &impl Serialize, out: &mut Vec<u8>) {
    #[expect(clippy::expect_used, reason = "writing a number or a text to memory can't fail")]
    serde_json::to_writer(out, value).expect("memory takes every number and text");
}
