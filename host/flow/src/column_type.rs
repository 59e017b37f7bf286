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
//! | `list<T>` | `List` of a field `item` |
//! | `struct<a: T, b: T>` | `Struct` of the fields `a` and `b` |
//!
//! Items of lists and fields of structs may always be null, and have no metadata. Lists and structs are nested at most [`DEEPEST`] deep.
//! A field's name with a space or one of `:,<>()"` in it stands in double quotes, a double quote in it twice.

mod parse;

use std::borrow::Cow;
use std::collections::HashSet;

use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};

/// The Arrow type of `timestamp`.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// So many lists and structs may be within each other: a list of lists of numbers is 2 deep.
pub const DEEPEST: usize = 16;

/// The names of the types that have no parts, for error messages.
pub const SCALARS: &[&str] =
    &["boolean", "int32", "int64", "uint64", "float32", "float64", "decimal(p,s)", "date", "timestamp", "utf8", "binary"];

/// The names that can be written, for error messages.
pub const NAMES: &[&str] = &[
    "boolean",
    "int32",
    "int64",
    "uint64",
    "float32",
    "float64",
    "decimal(p,s)",
    "date",
    "timestamp",
    "utf8",
    "binary",
    "list<T>",
    "struct<a: T, b: T>",
];

/// Why a type that was written is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// There is no type of that name.
    #[error("unknown type `{found}`")]
    Unknown {
        /// What was written.
        found: String,
        /// Where it stands in the text, in bytes.
        at: usize,
    },
    /// A decimal without the two numbers, or with numbers out of range.
    #[error("`{found}`: a decimal is written decimal(p,s) with p from 1 to 38 and s from 0 to p")]
    Decimal {
        /// What was written.
        found: String,
        /// Where it stands in the text, in bytes.
        at: usize,
    },
    /// A list or a struct that isn't written as one.
    #[error("`{written}`: expected {expected}, found {found}")]
    Parts {
        /// The whole text.
        written: String,
        /// What was found, in words.
        found: String,
        /// What was expected there, in words.
        expected: String,
        /// Where it stands in the text, in bytes.
        at: usize,
    },
}

impl TypeError {
    /// Where in the text the fault is, in bytes.
    #[must_use]
    pub fn at(&self) -> usize {
        match self {
            Self::Unknown { at, .. } | Self::Decimal { at, .. } | Self::Parts { at, .. } => *at,
        }
    }
}

/// Reads a column's type as a job file has it: `float64`, `utf8 not null`, `decimal(10,2)`, `list<struct<a: int64>>`.
///
/// # Errors
/// [`TypeError`] for what is no type.
pub fn parse_field(name: &str, written: &str) -> Result<Field, TypeError> {
    let (kind, nullable) = match written.trim_end().strip_suffix("not null") {
        Some(kind) => (kind, false),
        None => (written, true),
    };
    Ok(Field::new(name, parse::parse(kind)?, nullable))
}

/// The type of lists of such items.
#[must_use]
pub fn list_of(item: DataType) -> DataType {
    DataType::new_list(item, true)
}

/// The type of structs with these fields.
#[must_use]
pub fn struct_of<'a>(fields: impl IntoIterator<Item = (&'a str, DataType)>) -> DataType {
    DataType::Struct(fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect())
}

/// Whether values of this type have parts: lists and structs.
#[must_use]
pub fn is_nested(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::Struct(_))
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
        DataType::List(item) => format!("list<{}>", name(item.data_type())),
        DataType::Struct(fields) => {
            let field = |field: &FieldRef| format!("{}: {}", field_name(field.name()), name(field.data_type()));
            format!("struct<{}>", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other if *other == TIMESTAMP => "timestamp".to_owned(),
        other => other.to_string(),
    }
}

/// The name of a struct's field as a type has it: in double quotes where it has to be.
#[must_use]
pub fn field_name(name: &str) -> Cow<'_, str> {
    if !name.is_empty() && !name.contains(parse::ends_a_name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
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
    is_supported_at(data_type, 0)
}

/// Whether a type may stand within so many lists and structs.
fn is_supported_at(data_type: &DataType, depth: usize) -> bool {
    let is_part =
        |field: &Field| field.is_nullable() && field.metadata().is_empty() && is_supported_at(field.data_type(), depth + 1);
    match data_type {
        DataType::List(item) => depth < DEEPEST && item.name() == Field::LIST_FIELD_DEFAULT_NAME && is_part(item),
        DataType::Struct(fields) => {
            depth < DEEPEST && !fields.is_empty() && are_different(fields) && fields.iter().all(|field| is_part(field))
        }
        scalar => parse::parse(&name(scalar)).is_ok_and(|parsed| parsed == *scalar),
    }
}

fn are_different(fields: &Fields) -> bool {
    let names: HashSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    names.len() == fields.len()
}

#[cfg(test)]
mod tests;
