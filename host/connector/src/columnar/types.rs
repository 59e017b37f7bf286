//! From the types that files have to those that rows have.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType};
use arrow_array::{Array, ArrayRef, ListArray, StructArray, TimestampMillisecondArray};
use arrow_cast::display::FormatOptions;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use wasmill_flow::column_type::{self, DEEPEST, TIMESTAMP, list_of, struct_of};

use crate::ConnectorError;

/// The type that a column of this type has as a column of rows; `None` where rows can't have it.
pub(super) fn row_type(found: &DataType) -> Option<DataType> {
    let row_type = row_type_of(found, 0)?;
    column_type::is_supported(&row_type).then_some(row_type)
}

/// The same within so many lists and structs.
fn row_type_of(found: &DataType, depth: usize) -> Option<DataType> {
    if depth > DEEPEST {
        return None;
    }
    Some(match found {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Timestamp(..) => TIMESTAMP,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Dictionary(_, values) => return row_type_of(values, depth + 1),
        DataType::RunEndEncoded(_, values) => return row_type_of(values.data_type(), depth + 1),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            list_of(row_type_of(item.data_type(), depth + 1)?)
        }
        DataType::FixedSizeList(item, _) | DataType::Map(item, _) => list_of(row_type_of(item.data_type(), depth + 1)?),
        DataType::Struct(fields) => {
            let types = fields.iter().map(|field| row_type_of(field.data_type(), depth + 1)).collect::<Option<Vec<_>>>()?;
            struct_of(fields.iter().map(|field| field.name().as_str()).zip(types))
        }
        other => other.clone(),
    })
}

/// The columns of rows that a file with these columns has. `declared` names those that are read, in its order, with their types;
/// without it all are read.
///
/// # Errors
/// What doesn't fit, as `column `x`: …`: a type that rows can't have, a column that isn't there or comes twice, a type that the file's
/// values don't fit.
pub(super) fn rows_of(found: &Schema, declared: Option<&Schema>) -> Result<SchemaRef, TypeFault> {
    let names = found.fields().iter().map(|field| field.name().as_str());
    let of_file = |name: &str| {
        let mut fields = found.fields().iter().filter(|field| field.name() == name);
        let field = fields
            .next()
            .ok_or_else(|| TypeFault::Missing { column: name.to_owned(), there: names.clone().collect::<Vec<_>>().join(", ") })?;
        if fields.next().is_some() {
            return Err(TypeFault::Twice { column: name.to_owned() });
        }
        let as_rows = row_type(field.data_type())
            .ok_or_else(|| TypeFault::NotOfRows { column: name.to_owned(), found: field.data_type().to_string() })?;
        Ok(Field::new(name, as_rows, field.is_nullable()))
    };
    let Some(declared) = declared else {
        return Ok(Arc::new(Schema::new(names.clone().map(of_file).collect::<Result<Vec<_>, _>>()?)));
    };
    for field in declared.fields() {
        let there = of_file(field.name())?;
        if !holds(field.data_type(), there.data_type()) {
            return Err(TypeFault::Another {
                column: field.name().clone(),
                expected: column_type::name(field.data_type()),
                found: column_type::name(there.data_type()),
            });
        }
    }
    Ok(Arc::new(declared.clone()))
}

/// Whether a column declared as `declared` holds every value of `found`. A struct may be declared with some of its fields, in any order.
fn holds(declared: &DataType, found: &DataType) -> bool {
    use DataType::{Float32, Float64, Int32, Int64, List, Struct};
    match (found, declared) {
        (List(found), List(declared)) => holds(declared.data_type(), found.data_type()),
        (Struct(found), Struct(declared)) => declared
            .iter()
            .all(|declared| found.find(declared.name()).is_some_and(|(_, found)| holds(declared.data_type(), found.data_type()))),
        (found, declared) => declared == found || matches!((found, declared), (Int32, Int64 | Float64) | (Float32, Float64)),
    }
}

/// Why a file's columns can't be read as they are asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum TypeFault {
    #[error("there is no column `{column}`; there are {there}")]
    Missing { column: String, there: String },
    #[error("column `{column}` is there twice")]
    Twice { column: String },
    #[error("column `{column}` has type {found}, which rows can't have")]
    NotOfRows { column: String, found: String },
    #[error("column `{column}`: expected {expected}, as `schema` says, found {found}")]
    Another { column: String, expected: String, found: String },
}

impl TypeFault {
    /// As a fault of the file of this name.
    pub(super) fn of(self, file: &str) -> ConnectorError {
        let hint = match &self {
            Self::Missing { .. } => {
                "name in `schema` only columns that the file has, or leave `schema` out: the file brings its own".to_owned()
            }
            Self::Twice { .. } => "write the file anew with columns of different names".to_owned(),
            Self::NotOfRows { .. } => format!(
                "name the columns to be read in `schema`, without this one; the types are {}",
                column_type::NAMES.join(", ")
            ),
            Self::Another { found, .. } => {
                format!("write {found} in `schema` and cast it in an expression, or leave `schema` out")
            }
        };
        ConnectorError::new("file-schema", format!("{file}: {self}")).with_hint(hint)
    }
}

/// A column of a file as a column of rows of this type.
///
/// # Errors
/// A value that the type doesn't hold: a timestamp in seconds beyond the milliseconds of 64 bits.
pub(super) fn convert(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), to) {
        (found, to) if found == to => Ok(Arc::clone(column)),
        (DataType::Timestamp(unit, _), &TIMESTAMP) => Ok(Arc::new(millis(column, *unit)?)),
        (DataType::List(_), DataType::List(item)) => lists(column.as_list(), item),
        (DataType::Map(..), DataType::List(item)) => {
            let maps = column.as_map();
            let entries: ArrayRef = Arc::new(maps.entries().clone());
            let entries = convert(&entries, item.data_type())?;
            let lists = ListArray::try_new(Arc::clone(item), maps.offsets().clone(), entries, maps.nulls().cloned())?;
            Ok(Arc::new(lists))
        }
        // Lists of other layouts, whose items are what they were.
        (found, DataType::List(_)) if let Some(item) = item_of(found) => {
            let lists = cast_with_options(column, &DataType::List(Arc::clone(item)), &STRICT)?;
            convert(&lists, to)
        }
        (DataType::Struct(_), DataType::Struct(fields)) => structs(column.as_struct(), fields),
        _ => cast_with_options(column, to, &STRICT),
    }
}

const STRICT: CastOptions<'_> = CastOptions { safe: false, format_options: FormatOptions::new() };

fn lists(lists: &ListArray, item: &FieldRef) -> Result<ArrayRef, ArrowError> {
    let items = convert(lists.values(), item.data_type())?;
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), lists.offsets().clone(), items, lists.nulls().cloned())?))
}

fn item_of(lists: &DataType) -> Option<&FieldRef> {
    match lists {
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => Some(item),
        _ => None,
    }
}

/// The fields that are asked for, by their names.
fn structs(structs: &StructArray, fields: &Fields) -> Result<ArrayRef, ArrowError> {
    let field = |field: &FieldRef| {
        let column = structs.column_by_name(field.name());
        let column = column.ok_or_else(|| ArrowError::SchemaError(format!("there is no field `{}`", field.name())))?;
        convert(column, field.data_type())
    };
    let columns = fields.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(StructArray::try_new(fields.clone(), columns, structs.nulls().cloned())?))
}

fn millis(column: &ArrayRef, unit: TimeUnit) -> Result<TimestampMillisecondArray, ArrowError> {
    Ok(match unit {
        TimeUnit::Second => column.as_primitive::<TimestampSecondType>().try_unary(|seconds| {
            let beyond = || {
                ArrowError::ComputeError(format!("the timestamp of {seconds} seconds has more milliseconds than 64 bits hold"))
            };
            seconds.checked_mul(1000).ok_or_else(beyond)
        })?,
        TimeUnit::Millisecond => column.as_primitive::<TimestampMillisecondType>().clone().with_timezone_opt(None::<Arc<str>>),
        TimeUnit::Microsecond => column.as_primitive::<TimestampMicrosecondType>().unary(|micros| micros.div_euclid(1000)),
        TimeUnit::Nanosecond => column.as_primitive::<TimestampNanosecondType>().unary(|nanos| nanos.div_euclid(1_000_000)),
    })
}
