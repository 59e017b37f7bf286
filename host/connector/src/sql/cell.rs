//! A value of a column as a database takes it.

use std::borrow::Cow;

use arrow_array::Array;
use arrow_array::types::{Decimal128Type, DecimalType};

use crate::json::encode::Json;
use crate::value::time;
use crate::value::written::Values;

/// A value of a row.
#[derive(Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Float32(f32),
    Float64(f64),
    /// Text, and what has text as its form: decimals, dates, times, JSON of lists and structs.
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

impl<'a> Cell<'a> {
    pub(super) fn of(values: &Values<'a>, row: usize) -> Self {
        match values {
            Values::Boolean(column) if column.is_valid(row) => Self::Boolean(column.value(row)),
            Values::Int32(column) if column.is_valid(row) => Self::Integer(column.value(row).into()),
            Values::Int64(values, nulls) if nulls.is_none_or(|nulls| nulls.is_valid(row)) => Self::Integer(values[row]),
            Values::UInt64(column) if column.is_valid(row) => Self::Unsigned(column.value(row)),
            Values::Float32(column) if column.is_valid(row) => Self::Float32(column.value(row)),
            Values::Float64(column) if column.is_valid(row) => Self::Float64(column.value(row)),
            Values::Decimal(column, precision, scale) if column.is_valid(row) => {
                Self::Text(Decimal128Type::format_decimal(column.value(row), *precision, *scale).into())
            }
            Values::Date(column) if column.is_valid(row) => ascii(time::date(column.value(row)), column.value(row).into()),
            Values::Timestamp(column) if column.is_valid(row) => ascii(time::timestamp(column.value(row)), column.value(row)),
            Values::Text(column) | Values::Json(column) if column.is_valid(row) => Self::Text(column.value(row).into()),
            Values::Binary(column) if column.is_valid(row) => Self::Bytes(column.value(row)),
            Values::List(_) | Values::Struct(_) => {
                let mut json = Vec::new();
                values.put(row, &Json, &mut json);
                if json == b"null" { Self::Null } else { Self::Text(String::from_utf8_lossy(&json).into_owned().into()) }
            }
            _ => Self::Null,
        }
    }

    /// Appends the value as `COPY`'s text format has it.
    pub(super) fn put_copied(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"\\N"),
            Self::Boolean(value) => out.push(if *value { b't' } else { b'f' }),
            Self::Integer(value) => put(out, value),
            Self::Unsigned(value) => put(out, value),
            // Rust's shortest text reads back the same; NaN and infinities it writes as PostgreSQL reads them.
            Self::Float32(value) => put(out, value),
            Self::Float64(value) => put(out, value),
            Self::Text(text) => put_escaped(text.as_bytes(), out),
            Self::Bytes(bytes) => {
                out.extend_from_slice(b"\\\\x");
                bytes.iter().for_each(|byte| out.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]));
            }
        }
    }
}

/// The text of a date or a time; outside the years that have one the number, which the database refuses or keeps.
fn ascii<'a, const N: usize>(text: Option<[u8; N]>, number: i64) -> Cell<'a> {
    Cell::Text(text.map_or_else(|| number.to_string(), |text| String::from_utf8_lossy(&text).into_owned()).into())
}

#[expect(clippy::expect_used, reason = "memory takes every number")]
fn put(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    use std::io::Write as _;
    write!(out, "{value}").expect("memory takes every number");
}

fn put_escaped(text: &[u8], out: &mut Vec<u8>) {
    if !text.iter().any(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
        return out.extend_from_slice(text);
    }
    for byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(*other),
        }
    }
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::Cell;

    fn copied(cell: &Cell<'_>) -> String {
        let mut out = Vec::new();
        cell.put_copied(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn values_are_copied_so_that_nothing_in_them_ends_a_row_or_a_column() {
        assert_eq!(copied(&Cell::Text("a\tb\nc\\N\r".into())), "a\\tb\\nc\\\\N\\r");
        assert_eq!(copied(&Cell::Text("\\N".into())), "\\\\N", "a text that reads as null is a text");
        assert_eq!(copied(&Cell::Null), "\\N");
        assert_eq!(copied(&Cell::Bytes(&[0, 0xab, 0xff])), "\\\\x00abff");
        assert_eq!(copied(&Cell::Float64(f64::NAN)), "NaN");
        assert_eq!(copied(&Cell::Float64(f64::NEG_INFINITY)), "-inf", "which PostgreSQL reads as -Infinity");
        assert_eq!(copied(&Cell::Float32(0.1)), "0.1");
        assert_eq!(copied(&Cell::Unsigned(u64::MAX)), "18446744073709551615");
    }
}
