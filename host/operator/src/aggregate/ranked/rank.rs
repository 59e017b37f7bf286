//! Values as bytes whose order, byte by byte, is that of the values: nulls first, false before true, text and binary by bytes, zeros and NaNs each as
//! one and NaN the greatest, lists by their first different item, structs by their first different field. A part of the state's format.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType, UInt64Type,
};
use arrow_schema::DataType;

/// Appends the value of a row; what is appended after it only counts where values are equal.
pub(super) fn append(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    use DataType as T;
    if array.is_null(row) {
        return out.push(0);
    }
    out.push(1);
    match array.data_type() {
        T::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        T::Int32 => signed(i64::from(array.as_primitive::<Int32Type>().value(row)), out),
        T::Date32 => signed(i64::from(array.as_primitive::<Date32Type>().value(row)), out),
        T::Int64 => signed(array.as_primitive::<Int64Type>().value(row), out),
        T::Timestamp(..) => signed(array.as_primitive::<TimestampMillisecondType>().value(row), out),
        T::UInt64 => out.extend_from_slice(&array.as_primitive::<UInt64Type>().value(row).to_be_bytes()),
        T::Decimal128(..) => {
            let value = array.as_primitive::<Decimal128Type>().value(row) ^ i128::MIN;
            out.extend_from_slice(&value.to_be_bytes());
        }
        T::Float32 => float(f64::from(array.as_primitive::<Float32Type>().value(row)), out),
        T::Float64 => float(array.as_primitive::<Float64Type>().value(row), out),
        T::Utf8View => bytes(array.as_string_view().value(row).as_bytes(), out),
        T::BinaryView => bytes(array.as_binary_view().value(row), out),
        T::List(_) => {
            let items = array.as_list::<i32>().value(row);
            for item in 0..items.len() {
                out.push(1);
                append(items.as_ref(), item, out);
            }
            out.push(0);
        }
        T::Struct(_) => array.as_struct().columns().iter().for_each(|field| append(field.as_ref(), row, out)),
        // No column has another type.
        _ => {}
    }
}

fn signed(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value ^ i64::MIN).to_be_bytes());
}

fn float(value: f64, out: &mut Vec<u8>) {
    let bits = if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() };
    let negative = bits >> 63 == 1;
    out.extend_from_slice(&(if negative { !bits } else { bits ^ (1 << 63) }).to_be_bytes());
}

/// Bytes of any length: a zero among them is two, and the end is less than any byte.
fn bytes(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryViewArray, Decimal128Array, Float64Array, Int64Array, StringViewArray, UInt64Array};

    use super::*;

    #[test]
    fn bytes_are_in_the_order_of_values() {
        let ascending: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![None, Some(i64::MIN), Some(-1), Some(0), Some(i64::MAX)])),
            Arc::new(UInt64Array::from(vec![Some(0), Some(1), Some(u64::MAX)])),
            Arc::new(Float64Array::from(vec![f64::NEG_INFINITY, -1.5, -1e-300, 0.0, 1e-300, 7.0, f64::INFINITY, f64::NAN])),
            Arc::new(Decimal128Array::from(vec![i128::MIN, -5, 0, 5])),
            Arc::new(StringViewArray::from(vec!["", "\0", "\0a", "a", "a\0", "aa", "b", "\u{10ffff}"])),
            Arc::new(BinaryViewArray::from(vec![&[][..], &[0], &[0, 0xff], &[1], &[0xff]])),
        ];
        for values in ascending {
            let ranks: Vec<Vec<u8>> = (0..values.len())
                .map(|row| {
                    let mut rank = Vec::new();
                    append(values.as_ref(), row, &mut rank);
                    rank.push(7);
                    rank
                })
                .collect();
            assert!(ranks.is_sorted_by(|one, next| one < next), "{values:?}: {ranks:?}");
        }
        let zeros = Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]);
        let rank = |row| {
            let mut rank = Vec::new();
            append(&zeros, row, &mut rank);
            rank
        };
        assert_eq!((rank(0), rank(2)), (rank(1), rank(3)));
    }
}
