//! The types that a column can have, by the names that job files use.
//!
//! | name | Arrow type |
//! |---|---|
//! | `boolean` | `Boolean` |
//! | `int32`, `int64`, `uint64`, `float32`, `float64` | the same |
//! | `decimal(p,s)` | `Decimal128(p, s)`, `p` up to 38 |
//! | `date` | `Date32` |
//! | `timestamp` | `Timestamp(Millisecond, None)`, UTC |
//! | `utf8`, `binary` | `Utf8View`, `BinaryView` |
//!
//! Lists and structs are not in this version.

use arrow_schema::{DataType, Field, TimeUnit};

/// The Arrow type of `timestamp`.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// The names that can be written, for error messages.
pub const NAMES: &[&str] =
    &["boolean", "int32", "int64", "uint64", "float32", "float64", "decimal(p,s)", "date", "timestamp", "utf8", "binary"];

/// Why a type that was written is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// There is no type of that name.
    #[error("unknown type `{found}`")]
    Unknown {
        /// What was written.
        found: String,
    },
    /// A type that CONTRACT names and that this version can't do.
    #[error("type `{found}` is not in this version")]
    NotYet {
        /// What was written.
        found: String,
    },
    /// A decimal without the two numbers, or with numbers out of range.
    #[error("`{found}`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p")]
    Decimal {
        /// What was written.
        found: String,
    },
}

/// Reads a column's type as a job file has it: `float64`, `utf8 not null`, `decimal(10,2)`.
///
/// # Errors
/// [`TypeError`] for what is no type.
pub fn parse_field(name: &str, written: &str) -> Result<Field, TypeError> {
    let written = written.trim();
    let (kind, nullable) = match written.strip_suffix("not null") {
        Some(kind) => (kind.trim_end(), false),
        None => (written, true),
    };
    Ok(Field::new(name, parse_type(kind)?, nullable))
}

fn parse_type(written: &str) -> Result<DataType, TypeError> {
    Ok(match written {
        "boolean" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => TIMESTAMP,
        "utf8" => DataType::Utf8View,
        "binary" => DataType::BinaryView,
        other if other.starts_with("list<") || other.starts_with("struct<") => {
            return Err(TypeError::NotYet { found: other.to_owned() });
        }
        other => match other.strip_prefix("decimal") {
            Some(arguments) => parse_decimal(arguments).ok_or_else(|| TypeError::Decimal { found: other.to_owned() })?,
            None => return Err(TypeError::Unknown { found: other.to_owned() }),
        },
    })
}

fn parse_decimal(arguments: &str) -> Option<DataType> {
    let (precision, scale) = arguments.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?);
    let fits = (1..=38).contains(&precision) && scale <= precision;
    fits.then_some(DataType::Decimal128(precision, i8::try_from(scale).ok()?))
}

/// The name of a type, as a job file would have it; the type's Arrow name where a job file can't name it.
#[must_use]
pub fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::UInt64 => "uint64".to_owned(),
        DataType::Float32 => "float32".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8View => "utf8".to_owned(),
        DataType::BinaryView => "binary".to_owned(),
        other if *other == TIMESTAMP => "timestamp".to_owned(),
        other => other.to_string(),
    }
}

/// A field as a job file would have it: `float64`, `utf8 not null`.
#[must_use]
pub fn describe(field: &Field) -> String {
    let not_null = if field.is_nullable() { "" } else { " not null" };
    format!("{}{not_null}", name(field.data_type()))
}

/// Whether rows may have columns of this type.
#[must_use]
pub fn is_supported(data_type: &DataType) -> bool {
    parse_type(&name(data_type)).is_ok_and(|parsed| parsed == *data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_described() {
        for written in ["boolean", "int64 not null", "decimal(10,2)", "timestamp not null", "utf8", "binary", "date", "float32"] {
            assert_eq!(describe(&parse_field("c", written).expect("a type")), written);
        }
    }

    #[test]
    fn what_is_no_type_is_said_to_be_none() {
        let found = |written| parse_field("c", written).expect_err("no type").to_string();
        assert_eq!(found("text"), "unknown type `text`");
        assert_eq!(found("list<utf8>"), "type `list<utf8>` is not in this version");
        assert_eq!(
            found("decimal(39,2)"),
            "`decimal(39,2)`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p"
        );
        assert_eq!(found("decimal"), "`decimal`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p");
    }
}
