//! One value of a row: from its text to what its column holds and back, or what is wrong with it.

pub(crate) mod columns;
mod decimal;
mod nested;
pub(crate) mod number;
pub(crate) mod time;
pub(crate) mod written;

use std::borrow::Cow;
use std::ops::Range;

use arrow_schema::{DataType, Field};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasmill_flow::column_type::{self, TIMESTAMP};

use crate::ConnectorError;
use crate::json::TimestampUnit;

/// What values without parts are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int32,
    Int64,
    UInt64,
    Float32,
    Float64,
    Decimal(u8, i8),
    Date,
    Timestamp(TimestampUnit),
    Utf8,
    Binary,
}

impl Kind {
    /// How a column of this type is read; `None` where it has parts, or rows can't have it.
    pub(crate) fn of(data_type: &DataType, timestamps: TimestampUnit) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt64 => Self::UInt64,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Decimal128(precision, scale) if column_type::is_supported(data_type) => Self::Decimal(*precision, *scale),
            DataType::Date32 => Self::Date,
            DataType::Utf8View => Self::Utf8,
            DataType::BinaryView => Self::Binary,
            other if *other == TIMESTAMP => Self::Timestamp(timestamps),
            _ => return None,
        })
    }
}

/// That a column has a type which its format doesn't have; `types` are those that it has.
#[cold]
pub(crate) fn unfit(field: &Field, code: &'static str, format: &str, types: &[&str]) -> ConnectorError {
    let found = column_type::describe(field);
    ConnectorError::new(code, format!("{}: type `{found}` can't be read from or written as {format}", field.name()))
        .with_hint(format!("the types are {}", types.join(", ")))
}

/// A value that was read. It isn't in its column before the whole row has been read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    /// Of `int32` and `date`.
    Int32(i32),
    /// Of `int64` and `timestamp`.
    Int64(i64),
    UInt64(u64),
    Float32(f32),
    Float64(f64),
    Decimal(i128),
    /// Text that stands in the row as it is, by its place in the value's text.
    Verbatim(Range<usize>),
    /// Text that had escapes.
    Text(String),
    Binary(Vec<u8>),
    /// A list or a struct, whose parts begin here among those of the row.
    Nested(usize),
    /// Of the parts: a list, followed by so many items.
    List(usize),
    /// Of the parts: a struct, followed by so many fields, each a [`Cell::Field`] and its value. Fields that aren't there are null.
    Struct(usize),
    /// Of the parts: the number of a struct's field.
    Field(usize),
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is of another type, or not written as its type is.
    Type,
    /// It is a number of the right sort, but too large or too small.
    Range,
    /// It is text that is not Unicode: half of a surrogate pair.
    Surrogate,
}

/// Reads a value from JSON text that is one value without space around it, and not `null`; `plain` where it is known to be a text
/// without escapes.
pub(crate) fn parse_json(kind: Kind, json: &str, plain: bool) -> Result<Cell, Wrong> {
    match kind {
        Kind::Utf8 if plain => Ok(Cell::Verbatim(1..json.len() - 1)),
        Kind::Boolean => match json {
            "true" => Ok(Cell::Boolean(true)),
            "false" => Ok(Cell::Boolean(false)),
            _ => Err(Wrong::Type),
        },
        Kind::Int32 => json.parse().map(Cell::Int32).map_err(|_| wrong_integer(json)),
        Kind::Int64 => json.parse().map(Cell::Int64).map_err(|_| wrong_integer(json)),
        Kind::UInt64 if json == "-0" => Ok(Cell::UInt64(0)),
        Kind::UInt64 => json.parse().map(Cell::UInt64).map_err(|_| wrong_integer(json)),
        Kind::Float32 if begins_a_number(json) => {
            json.parse().ok().filter(|v: &f32| v.is_finite()).map(Cell::Float32).ok_or(Wrong::Range)
        }
        Kind::Float64 if begins_a_number(json) => {
            json.parse().ok().filter(|v: &f64| v.is_finite()).map(Cell::Float64).ok_or(Wrong::Range)
        }
        Kind::Float32 | Kind::Float64 => Err(Wrong::Type),
        Kind::Decimal(precision, scale) => {
            let text = if begins_a_number(json) { Cow::Borrowed(json) } else { text(json)? };
            decimal::parse(&text, precision, scale).map(Cell::Decimal).ok_or(Wrong::Type)
        }
        Kind::Date => time::parse_date(&text(json)?).map(Cell::Int32).ok_or(Wrong::Type),
        Kind::Timestamp(unit) if begins_a_number(json) => {
            let number = json.parse().map_err(|_| wrong_integer(json))?;
            millis(number, unit).map(Cell::Int64).ok_or(Wrong::Range)
        }
        Kind::Timestamp(_) => time::parse_timestamp(&text(json)?).map(Cell::Int64).ok_or(Wrong::Type),
        Kind::Utf8 => match text(json)? {
            Cow::Borrowed(_) => Ok(Cell::Verbatim(1..json.len() - 1)),
            Cow::Owned(text) => Ok(Cell::Text(text)),
        },
        Kind::Binary => STANDARD.decode(text(json)?.as_bytes()).map(Cell::Binary).map_err(|_| Wrong::Type),
    }
}

/// Reads a value from text that is that value, as CSV has it: numbers as JSON writes them, everything else as JSON has it in quotes.
pub(crate) fn parse_text(kind: Kind, text: &str) -> Result<Cell, Wrong> {
    match kind {
        Kind::Utf8 => Ok(Cell::Verbatim(0..text.len())),
        Kind::Binary => STANDARD.decode(text).map(Cell::Binary).map_err(|_| Wrong::Type),
        Kind::Date => time::parse_date(text).map(Cell::Int32).ok_or(Wrong::Type),
        Kind::Timestamp(_) if !is_number(text) => time::parse_timestamp(text).map(Cell::Int64).ok_or(Wrong::Type),
        Kind::Boolean => parse_json(kind, text, false),
        _ if is_number(text) => parse_json(kind, text, false),
        _ => Err(Wrong::Type),
    }
}

/// Whether text is a number, as JSON writes it.
pub(crate) fn is_number(text: &str) -> bool {
    number::is_number(text)
}

/// Whether text is a timestamp in RFC 3339.
pub(crate) fn is_timestamp(text: &str) -> bool {
    time::parse_timestamp(text).is_some()
}

/// Whether text is a date.
pub(crate) fn is_date(text: &str) -> bool {
    time::parse_date(text).is_some()
}

fn begins_a_number(json: &str) -> bool {
    json.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn wrong_integer(json: &str) -> Wrong {
    let integer = json.strip_prefix('-').unwrap_or(json).bytes().all(|byte| byte.is_ascii_digit());
    if integer { Wrong::Range } else { Wrong::Type }
}

fn millis(number: i64, unit: TimestampUnit) -> Option<i64> {
    match unit {
        TimestampUnit::Seconds => number.checked_mul(1000),
        TimestampUnit::Milliseconds => Some(number),
        TimestampUnit::Microseconds => Some(number.div_euclid(1000)),
        TimestampUnit::Nanoseconds => Some(number.div_euclid(1_000_000)),
    }
}

/// What a JSON string says; borrowed where it has no escapes.
fn text(json: &str) -> Result<Cow<'_, str>, Wrong> {
    let inside = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).ok_or(Wrong::Type)?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inside));
    }
    serde_json::from_str(json).map(Cow::Owned).map_err(|_| Wrong::Surrogate)
}
