//! A value, between its JSON and its column.

use serde_json::value::RawValue;

use super::time;
use crate::bindings::{DataType, Field};
use crate::describe::type_name;
use crate::error::{Error, Result};

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Uint64(u64),
    Float32(f32),
    Float64(f64),
    /// Units of ten to the minus the scale, and that.
    Decimal(i128, i8),
    /// Days since the epoch.
    Date(i32),
    /// Milliseconds since the epoch.
    Timestamp(i64),
    Text(String),
    Binary(Vec<u8>),
}

impl Cell {
    /// A field's value by its JSON, or by its absence; strictly, as the host reads it.
    pub fn parse(field: &Field, json: Option<&RawValue>) -> Result<Self> {
        let json = json.map(RawValue::get);
        let read = match json {
            None | Some("null") if field.nullable => Some(Self::Null),
            None | Some("null") => None,
            Some(json) => Self::of(field.data_type, json),
        };
        read.ok_or_else(|| {
            let not_null = if field.nullable { "" } else { " not null" };
            let found = json.unwrap_or("nothing");
            Error::fail(format!("{}: expected {}{not_null}, found {found}", field.name, type_name(field.data_type)))
        })
    }

    fn of(data_type: DataType, json: &str) -> Option<Self> {
        let text = || serde_json::from_str::<String>(json).ok();
        Some(match data_type {
            DataType::Boolean => Self::Boolean(json.parse().ok()?),
            DataType::Int32 => Self::Int32(json.parse().ok()?),
            DataType::Int64 => Self::Int64(json.parse().ok()?),
            DataType::Uint64 => Self::Uint64(json.parse().ok()?),
            DataType::Float32 => Self::Float32(json.parse::<f32>().ok().filter(|value| value.is_finite())?),
            DataType::Float64 => Self::Float64(json.parse::<f64>().ok().filter(|value| value.is_finite())?),
            DataType::Decimal128(decimal) => {
                let units = if json.starts_with('"') { units(&text()?, decimal.scale) } else { units(json, decimal.scale) };
                Self::Decimal(units?, decimal.scale)
            }
            DataType::Date32 => Self::Date(time::parse_date(&text()?)?),
            DataType::Timestamp if json.starts_with('"') => Self::Timestamp(time::parse_timestamp(&text()?)?),
            DataType::Timestamp => Self::Timestamp(json.parse().ok()?),
            DataType::Utf8 => Self::Text(text()?),
            DataType::Binary => Self::Binary(from_base64(&text()?)?),
        })
    }

    /// The value's JSON, as the host writes it.
    pub fn to_json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Int32(value) => value.to_string(),
            Self::Int64(value) => value.to_string(),
            Self::Uint64(value) => value.to_string(),
            Self::Float32(value) => json(value),
            Self::Float64(value) => json(value),
            Self::Decimal(units, scale) => json(&decimal_text(*units, *scale)),
            Self::Date(days) => json(&time::date_text(*days)),
            Self::Timestamp(millis) => json(&time::timestamp_text(*millis)),
            Self::Text(text) => json(text),
            Self::Binary(bytes) => json(&to_base64(bytes)),
        }
    }
}

fn json(value: &(impl serde::Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| panic!("text and numbers are JSON: {error}"))
}

/// A decimal's units, where no digit is lost.
fn units(text: &str, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > scale || !only_digits(whole) || !only_digits(fraction) {
        return None;
    }
    let units: i128 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    Some(if negative { -units } else { units })
}

fn decimal_text(units: i128, scale: i8) -> String {
    let scale = usize::try_from(scale).unwrap_or(0);
    let sign = if units < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = BASE64[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::new();
    for (at, chunk) in text.as_bytes().chunks(4).enumerate() {
        let padding = chunk.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && (at + 1) * 4 != text.len()) {
            return None;
        }
        let mut bits = 0_u32;
        for byte in &chunk[..4 - padding] {
            bits = bits << 6 | BASE64.iter().position(|digit| digit == byte)? as u32;
        }
        bytes.extend(&(bits << (6 * padding)).to_be_bytes()[1..4 - padding]);
    }
    Some(bytes)
}
