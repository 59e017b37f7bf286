//! Rows out of the sandbox: the contract's columns as Arrow's, every list checked. What a guest hands out is never trusted.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, PrimitiveArray, StringArray, StringViewArray};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use wasmill_flow::column_type;

use crate::bindings::wasmill::plugin::data::{ArrayResult, BinaryArrayResult, ColumnResult};

/// A guest's column as an array of `rows` values of the field's type. The error says what is wrong with it, naming the column.
pub(crate) fn array(field: &Field, column: ColumnResult, rows: usize) -> Result<ArrayRef, String> {
    let name = field.name();
    let nulls = column.validity.map(|bits| nulls(name, bits, rows)).transpose()?.filter(|nulls| nulls.null_count() > 0);
    if let Some(nulls) = &nulls
        && !field.is_nullable()
    {
        let row = (0..rows).find(|&row| nulls.is_null(row)).unwrap_or_default();
        return Err(format!("column `{name}`: a null in row {row}, but the plan declares it as not nullable"));
    }
    let wrong_type = |found: &str| {
        Err(format!("column `{name}`: expected {}, as the plan declares, found {found}", column_type::name(field.data_type())))
    };
    match (field.data_type(), column.values) {
        (DataType::Boolean, ArrayResult::Boolean(bits)) => {
            let bits = bitmap(name, "values", bits, rows)?;
            Ok(Arc::new(BooleanArray::new(bits, nulls)))
        }
        (DataType::Int32, ArrayResult::Int32(values)) => primitive::<Int32Type>(field, values, nulls, rows),
        (DataType::Int64, ArrayResult::Int64(values)) => primitive::<Int64Type>(field, values, nulls, rows),
        (DataType::UInt64, ArrayResult::Uint64(values)) => primitive::<UInt64Type>(field, values, nulls, rows),
        (DataType::Float32, ArrayResult::Float32(values)) => primitive::<Float32Type>(field, values, nulls, rows),
        (DataType::Float64, ArrayResult::Float64(values)) => primitive::<Float64Type>(field, values, nulls, rows),
        (DataType::Date32, ArrayResult::Date32(values)) => primitive::<Date32Type>(field, values, nulls, rows),
        (DataType::Timestamp(..), ArrayResult::Timestamp(values)) => {
            primitive::<TimestampMillisecondType>(field, values, nulls, rows)
        }
        (DataType::Decimal128(precision, _), ArrayResult::Decimal128(bytes)) => decimal(field, *precision, &bytes, nulls, rows),
        (DataType::Utf8View, ArrayResult::Utf8(text)) => {
            let (offsets, data) = end_to_end(text, rows).map_err(|error| format!("column `{name}`: {error}"))?;
            let text = StringArray::try_new(offsets, data, nulls)
                .map_err(|error| format!("column `{name}`: its text isn't UTF-8: {error}"))?;
            Ok(Arc::new(StringViewArray::from(&text)))
        }
        (DataType::BinaryView, ArrayResult::Binary(bytes)) => {
            let (offsets, data) = end_to_end(bytes, rows).map_err(|error| format!("column `{name}`: {error}"))?;
            let bytes = BinaryArray::try_new(offsets, data, nulls).map_err(|error| format!("column `{name}`: {error}"))?;
            Ok(Arc::new(BinaryViewArray::from(&bytes)))
        }
        (_, other) => wrong_type(case(&other)),
    }
}

/// The memory that a guest's column takes.
pub(crate) fn bytes(column: &ColumnResult) -> usize {
    let values = match &column.values {
        ArrayResult::Boolean(values) | ArrayResult::Decimal128(values) => values.len(),
        ArrayResult::Int32(values) | ArrayResult::Date32(values) => size_of_val(values.as_slice()),
        ArrayResult::Int64(values) | ArrayResult::Timestamp(values) => size_of_val(values.as_slice()),
        ArrayResult::Uint64(values) => size_of_val(values.as_slice()),
        ArrayResult::Float32(values) => size_of_val(values.as_slice()),
        ArrayResult::Float64(values) => size_of_val(values.as_slice()),
        ArrayResult::Utf8(values) | ArrayResult::Binary(values) => values.data.len() + size_of_val(values.offsets.as_slice()),
    };
    values + column.validity.as_ref().map_or(0, Vec::len)
}

fn primitive<T: ArrowPrimitiveType>(
    field: &Field,
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    rows: usize,
) -> Result<ArrayRef, String>
where
    T::Native: ArrowNativeType,
{
    if values.len() != rows {
        return Err(format!("column `{}`: has {} values for {rows} rows", field.name(), values.len()));
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls)))
}

fn decimal(field: &Field, precision: u8, bytes: &[u8], nulls: Option<NullBuffer>, rows: usize) -> Result<ArrayRef, String> {
    let name = field.name();
    let (values, rest) = bytes.as_chunks::<16>();
    if values.len() != rows || !rest.is_empty() {
        return Err(format!("column `{name}`: has {} bytes for {rows} decimals of 16 bytes", bytes.len()));
    }
    let values: Vec<i128> = values.iter().map(|value| i128::from_le_bytes(*value)).collect();
    let array =
        PrimitiveArray::<Decimal128Type>::new(ScalarBuffer::from(values), nulls).with_data_type(field.data_type().clone());
    array.validate_decimal_precision(precision).map_err(|error| format!("column `{name}`: {error}"))?;
    Ok(Arc::new(array))
}

fn bitmap(name: &str, list: &str, bits: Vec<u8>, rows: usize) -> Result<BooleanBuffer, String> {
    if bits.len() != rows.div_ceil(8) {
        return Err(format!("column `{name}`: {list} has {} bytes, expected {} for {rows} rows", bits.len(), rows.div_ceil(8)));
    }
    Ok(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows))
}

fn nulls(name: &str, bits: Vec<u8>, rows: usize) -> Result<NullBuffer, String> {
    bitmap(name, "validity", bits, rows).map(NullBuffer::new)
}

/// The values of a guest's list, one for each row. The error says what is wrong with it.
pub(crate) fn end_to_end(list: BinaryArrayResult, rows: usize) -> Result<(OffsetBuffer<i32>, Buffer), String> {
    check_end_to_end(&list, rows)?;
    let BinaryArrayResult { offsets, data } = list;
    #[expect(clippy::cast_possible_wrap, reason = "none is greater than the last, which fits")]
    let offsets: Vec<i32> = offsets.into_iter().map(|offset| offset as i32).collect();
    Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(data)))
}

/// Checks a list of values end to end.
pub(crate) fn check_end_to_end(list: &BinaryArrayResult, rows: usize) -> Result<(), String> {
    let BinaryArrayResult { offsets, data } = list;
    if offsets.len() != rows + 1 {
        return Err(format!("has {} offsets for {rows} rows, expected {}", offsets.len(), rows + 1));
    }
    if offsets[0] != 0 {
        return Err(format!("its offsets start with {}, expected 0", offsets[0]));
    }
    if let Some(row) = offsets.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(format!("its offsets fall from {} to {} at row {row}", offsets[row], offsets[row + 1]));
    }
    let end = offsets[rows];
    if end as usize != data.len() || i32::try_from(end).is_err() {
        return Err(format!("its offsets end with {end}, but it has {} bytes", data.len()));
    }
    Ok(())
}

fn case(array: &ArrayResult) -> &'static str {
    match array {
        ArrayResult::Boolean(_) => "boolean",
        ArrayResult::Int32(_) => "int32",
        ArrayResult::Int64(_) => "int64",
        ArrayResult::Uint64(_) => "uint64",
        ArrayResult::Float32(_) => "float32",
        ArrayResult::Float64(_) => "float64",
        ArrayResult::Decimal128(_) => "decimal",
        ArrayResult::Date32(_) => "date",
        ArrayResult::Timestamp(_) => "timestamp",
        ArrayResult::Utf8(_) => "utf8",
        ArrayResult::Binary(_) => "binary",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(offsets: &[u32], data: &[u8]) -> ColumnResult {
        let values = ArrayResult::Utf8(BinaryArrayResult { offsets: offsets.to_vec(), data: data.to_vec() });
        ColumnResult { values, validity: None }
    }

    fn refusal(data_type: DataType, column: ColumnResult, rows: usize) -> String {
        array(&Field::new("c", data_type, false), column, rows).expect_err("refused")
    }

    #[test]
    fn broken_lists_are_named() {
        let utf8 = || DataType::Utf8View;
        assert_eq!(refusal(utf8(), text(&[0, 1], b"a"), 2), "column `c`: has 2 offsets for 2 rows, expected 3");
        assert_eq!(refusal(utf8(), text(&[0, 3, 1], b"a"), 2), "column `c`: its offsets fall from 3 to 1 at row 1");
        assert_eq!(refusal(utf8(), text(&[0, 9], b"a"), 1), "column `c`: its offsets end with 9, but it has 1 bytes");
        assert_eq!(refusal(utf8(), text(&[1, 1], b"a"), 1), "column `c`: its offsets start with 1, expected 0");
        assert!(refusal(utf8(), text(&[0, 1], b"\xff"), 1).starts_with("column `c`: its text isn't UTF-8: "));
        assert!(refusal(utf8(), text(&[0, 1, 2], "é".as_bytes()), 2).starts_with("column `c`: its text isn't UTF-8: "));
    }

    #[test]
    fn wrong_types_lengths_and_nulls_are_named() {
        let ints = |values: Vec<i64>, validity| ColumnResult { values: ArrayResult::Int64(values), validity };
        assert_eq!(
            refusal(DataType::Utf8View, ints(vec![1], None), 1),
            "column `c`: expected utf8, as the plan declares, found int64"
        );
        assert_eq!(refusal(DataType::Int64, ints(vec![1], None), 2), "column `c`: has 1 values for 2 rows");
        assert_eq!(
            refusal(DataType::Int64, ints(vec![1, 2], Some(vec![0b01])), 2),
            "column `c`: a null in row 1, but the plan declares it as not nullable"
        );
        assert_eq!(
            refusal(DataType::Int64, ints(vec![1, 2], Some(vec![])), 2),
            "column `c`: validity has 0 bytes, expected 1 for 2 rows"
        );
    }
}
