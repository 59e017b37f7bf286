//! Values of the job file's types as an independent reader has them: by serde_json, chrono and base64, and nothing of Wasmill's.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType, UInt64Type,
};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

/// A value. Floats by their bits: -0 isn't 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Boolean(bool),
    Integer(i128),
    Float32(u32),
    Float64(u64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The value of a column in a row.
pub(crate) fn found(rows: &RecordBatch, column: usize, row: usize) -> Cell {
    let array = rows.column(column);
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Int32 => Cell::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row).into()),
        DataType::UInt64 => Cell::Integer(array.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Float32 => Cell::Float32(array.as_primitive::<Float32Type>().value(row).to_bits()),
        DataType::Float64 => Cell::Float64(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Decimal128(..) => Cell::Integer(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Date32 => Cell::Integer(array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(..) => Cell::Integer(array.as_primitive::<TimestampMillisecondType>().value(row).into()),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row).to_owned()),
        DataType::BinaryView => Cell::Bytes(array.as_binary_view().value(row).to_owned()),
        other => panic!("{other} is no type of a row"),
    }
}

/// The value that JSON text stands for in a column of this type; `None` where it stands for none. A number of a timestamp is in
/// milliseconds.
pub(crate) fn of_json(data_type: &DataType, json: &str) -> Option<Cell> {
    // Serde reads -0 as a float; as an integer it is 0.
    let integer = |json: &str| if json == "-0" { "0" } else { json }.to_owned();
    let text = || serde_json::from_str::<String>(json).ok();
    let is_number = json.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match data_type {
        DataType::Boolean => serde_json::from_str(json).ok().map(Cell::Boolean),
        DataType::Int32 => serde_json::from_str::<i32>(&integer(json)).ok().map(|value| Cell::Integer(value.into())),
        DataType::Int64 => serde_json::from_str::<i64>(&integer(json)).ok().map(|value| Cell::Integer(value.into())),
        DataType::UInt64 => serde_json::from_str::<u64>(&integer(json)).ok().map(|value| Cell::Integer(value.into())),
        DataType::Float32 if is_number => {
            serde_json::from_str(json).ok().filter(|value: &f32| value.is_finite()).map(|value| Cell::Float32(value.to_bits()))
        }
        DataType::Float64 if is_number => {
            serde_json::from_str(json).ok().filter(|value: &f64| value.is_finite()).map(|value| Cell::Float64(value.to_bits()))
        }
        DataType::Decimal128(precision, scale) => {
            let text = if is_number { json.to_owned() } else { text()? };
            decimal(&text, *precision, *scale).map(Cell::Integer)
        }
        DataType::Date32 => of_text(data_type, &text()?),
        DataType::Timestamp(..) if is_number => of_json(&DataType::Int64, json),
        DataType::Timestamp(..) => timestamp(&text()?).map(|value| Cell::Integer(value.into())),
        DataType::Utf8View => text().map(Cell::Text),
        DataType::BinaryView => STANDARD.decode(text()?).ok().map(Cell::Bytes),
        _ => None,
    }
}

/// The value that text without quotes stands for: numbers and truth as JSON has them, all else as JSON has it in quotes.
pub(crate) fn of_text(data_type: &DataType, text: &str) -> Option<Cell> {
    let is_number = serde_json::from_str::<serde_json::Number>(text).is_ok() && text.trim() == text || is_long_number(text);
    match data_type {
        DataType::Utf8View => Some(Cell::Text(text.to_owned())),
        DataType::BinaryView => STANDARD.decode(text).ok().map(Cell::Bytes),
        DataType::Date32 => date(text).map(|value| Cell::Integer(value.into())),
        DataType::Timestamp(..) if !is_number => timestamp(text).map(|value| Cell::Integer(value.into())),
        DataType::Boolean => (text.trim() == text).then(|| of_json(data_type, text)).flatten(),
        _ if is_number => of_json(data_type, text),
        _ => None,
    }
}

/// Whether text is a number that JSON can write and `f64` can't hold.
fn is_long_number(text: &str) -> bool {
    text.trim() == text
        && serde_json::from_str::<f64>(text).is_err_and(|error| error.to_string().starts_with("number out of range"))
}

/// `2018-01-31`, of the years 0 to 9999.
fn date(text: &str) -> Option<i32> {
    let written = text.len() == 10 && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| written && date.to_string() == text)?;
    i32::try_from(date.signed_duration_since(NaiveDate::from_ymd_opt(1970, 1, 1)?).num_days()).ok()
}

/// RFC 3339; no zone is UTC, and second 60 the first of the next minute.
fn timestamp(text: &str) -> Option<i64> {
    let (day, clock) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let zoned = clock.ends_with(['Z', 'z']) || clock.get(8..).is_some_and(|rest| rest.contains(['+', '-']));
    let clock = if zoned { clock.to_owned() } else { format!("{clock}Z") };
    let seconds = clock.get(6..8)?;
    // What leap seconds and their fractions are to chrono is not what they are here: they are counted by hand.
    let (leap, clock) = if seconds == "60" { (1000, format!("{}59{}", &clock[..6], &clock[8..])) } else { (0, clock) };
    let offset = clock.len() - if clock.ends_with(['Z', 'z']) { 1 } else { 6.min(clock.len()) };
    let (time, zone) = clock.split_at_checked(offset)?;
    let fraction_cut = match time.split_once('.') {
        Some((_, digits)) if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) => return None,
        Some((whole, digits)) => format!("{whole}.{digits:0<3.3}"),
        None => time.to_owned(),
    };
    if time.get(..8)?.bytes().any(|byte| byte != b':' && !byte.is_ascii_digit()) {
        return None;
    }
    let local = NaiveDateTime::new(
        NaiveDate::from_num_days_from_ce_opt(date(day)? + 719_163)?,
        NaiveTime::parse_from_str(&fraction_cut, "%H:%M:%S%.f").ok()?,
    );
    let utc = DateTime::parse_from_rfc3339(&format!("2000-01-01T00:00:00{zone}")).ok()?;
    Some(local.and_utc().timestamp_millis() - i64::from(utc.offset().local_minus_utc()) * 1000 + leap)
}

/// A decimal by the digits that its text has when it is written out in full.
fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    // JSON's grammar, whatever the size: behind `[` a number that is too large for serde's `f64` is passed over as well.
    serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&format!("[{text}]")).ok().filter(|one| one.len() == 1)?;
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if text.trim() != text || !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0').trim_start_matches('0');
    // Where the exponent has more digits than a number of 64 bits the text is refused, whatever it stands for.
    let exponent: i64 = exponent.parse().ok()?;
    if significant.is_empty() {
        return Some(0);
    }
    let zeros_at_end = digits.len() - digits.trim_end_matches('0').len();
    let power = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(i64::try_from(zeros_at_end).ok()?)?;
    let zeros = usize::try_from(power.checked_add(scale.into())?).ok()?;
    if significant.len().checked_add(zeros)? > precision.into() {
        return None;
    }
    let value: i128 = format!("{significant}{}", "0".repeat(zeros)).parse().ok()?;
    Some(if text.starts_with('-') { -value } else { value })
}
