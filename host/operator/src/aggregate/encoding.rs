//! Values as bytes, for accumulators of no fixed width. Encoding 1, a part of the state's format.
//!
//! A value is a byte 0 where it is null, or a byte 1 and: `boolean` one byte; numbers, dates, timestamps and decimals little-endian
//! in their own width; text and binary a `u32` length and the bytes; a list a `u32` number of items and each item as a value; a
//! struct each of its fields as a value. It doesn't say its type. Keys are encoded likewise ([`wasmill_flow::key`]).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ListArray, PrimitiveArray, StructArray, new_empty_array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, TimeUnit};
use datafusion_common::ScalarValue;

/// Whether values of this type can be encoded.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::List(item) => is_supported(item.data_type()),
        T::Struct(fields) => fields.iter().all(|field| is_supported(field.data_type())),
        T::Boolean | T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => true,
        other => width(other).is_some(),
    }
}

/// Appends the value of a row.
pub(crate) fn encode(array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    use DataType as T;
    if array.is_null(row) {
        return out.push(0);
    }
    out.push(1);
    match array.data_type() {
        T::Boolean => out.push(u8::from(array.as_boolean().value(row))),
        T::Utf8 => put_bytes(array.as_string::<i32>().value(row).as_bytes(), out),
        T::LargeUtf8 => put_bytes(array.as_string::<i64>().value(row).as_bytes(), out),
        T::Utf8View => put_bytes(array.as_string_view().value(row).as_bytes(), out),
        T::Binary => put_bytes(array.as_binary::<i32>().value(row), out),
        T::LargeBinary => put_bytes(array.as_binary::<i64>().value(row), out),
        T::BinaryView => put_bytes(array.as_binary_view().value(row), out),
        T::List(_) => {
            let items = array.as_list::<i32>().value(row);
            put_length(items.len(), out);
            (0..items.len()).for_each(|item| encode(items.as_ref(), item, out));
        }
        T::Struct(_) => array.as_struct().columns().iter().for_each(|field| encode(field.as_ref(), row, out)),
        other => {
            let width = width(other).unwrap_or_default();
            let data = array.to_data();
            let at = (data.offset() + row) * width;
            out.extend_from_slice(&data.buffers()[0][at..at + width]);
        }
    }
}

/// Reads a value and leaves what follows it; nothing where the bytes are damaged.
pub(crate) fn decode(data_type: &DataType, bytes: &mut &[u8]) -> Option<ScalarValue> {
    use DataType as T;
    match bytes.split_off_first()? {
        0 => return ScalarValue::try_from(data_type).ok(),
        1 => {}
        _ => return None,
    }
    let text = |bytes: &mut &[u8]| String::from_utf8(take_bytes(bytes)?.to_vec()).ok();
    Some(match data_type {
        T::Boolean => ScalarValue::Boolean(Some(*bytes.split_off_first()? != 0)),
        T::Utf8 => ScalarValue::Utf8(Some(text(bytes)?)),
        T::LargeUtf8 => ScalarValue::LargeUtf8(Some(text(bytes)?)),
        T::Utf8View => ScalarValue::Utf8View(Some(text(bytes)?)),
        T::Binary => ScalarValue::Binary(Some(take_bytes(bytes)?.to_vec())),
        T::LargeBinary => ScalarValue::LargeBinary(Some(take_bytes(bytes)?.to_vec())),
        T::BinaryView => ScalarValue::BinaryView(Some(take_bytes(bytes)?.to_vec())),
        T::List(item) => {
            let count = take_length(bytes)?;
            let items = (0..count).map(|_| decode(item.data_type(), bytes)).collect::<Option<Vec<_>>>()?;
            let values = match items.is_empty() {
                true => new_empty_array(item.data_type()),
                false => ScalarValue::iter_to_array(items).ok()?,
            };
            let offsets = OffsetBuffer::from_lengths([count]);
            ScalarValue::List(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, None).ok()?))
        }
        T::Struct(fields) => {
            let columns = fields.iter().map(|field| decode(field.data_type(), bytes)?.to_array().ok());
            let columns: Vec<ArrayRef> = columns.collect::<Option<_>>()?;
            ScalarValue::Struct(Arc::new(StructArray::try_new(fields.clone(), columns, None).ok()?))
        }
        other => number(other, bytes.split_off(..width(other)?)?)?,
    })
}

/// The bytes of the first value; nothing where the bytes are damaged.
pub(super) fn length(data_type: &DataType, bytes: &[u8]) -> Option<usize> {
    use DataType as T;
    let mut rest = bytes;
    match (rest.split_off_first()?, data_type) {
        (0, _) => {}
        (_, T::Boolean) => drop(rest.split_off_first()?),
        (_, T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView) => drop(take_bytes(&mut rest)?),
        (_, other) => drop(rest.split_off(..width(other)?)?),
    }
    Some(bytes.len() - rest.len())
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "what an accumulator holds is far shorter than 4 GiB")]
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?) as usize)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(bytes)?;
    bytes.split_off(..length)
}

/// The bytes of a value of fixed width; none where the type has no such values.
fn width(data_type: &DataType) -> Option<usize> {
    use DataType as T;
    let supported = matches!(
        data_type,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Date32
            | T::Timestamp(_, None)
            | T::Decimal128(..)
    );
    supported.then(|| data_type.primitive_width()).flatten()
}

fn number(data_type: &DataType, bytes: &[u8]) -> Option<ScalarValue> {
    fn of<T: ArrowPrimitiveType>(data_type: &DataType, bytes: &[u8]) -> Option<ScalarValue> {
        let value = PrimitiveArray::<T>::new(ScalarBuffer::new(Buffer::from(bytes), 0, 1), None);
        ScalarValue::try_from_array(&value.with_data_type(data_type.clone()), 0).ok()
    }
    use DataType as T;
    match data_type {
        T::Int8 => of::<Int8Type>(data_type, bytes),
        T::Int16 => of::<Int16Type>(data_type, bytes),
        T::Int32 => of::<Int32Type>(data_type, bytes),
        T::Int64 => of::<Int64Type>(data_type, bytes),
        T::UInt8 => of::<UInt8Type>(data_type, bytes),
        T::UInt16 => of::<UInt16Type>(data_type, bytes),
        T::UInt32 => of::<UInt32Type>(data_type, bytes),
        T::UInt64 => of::<UInt64Type>(data_type, bytes),
        T::Float32 => of::<Float32Type>(data_type, bytes),
        T::Float64 => of::<Float64Type>(data_type, bytes),
        T::Date32 => of::<Date32Type>(data_type, bytes),
        T::Decimal128(..) => of::<Decimal128Type>(data_type, bytes),
        T::Timestamp(TimeUnit::Second, _) => of::<TimestampSecondType>(data_type, bytes),
        T::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(data_type, bytes),
        T::Timestamp(TimeUnit::Microsecond, _) => of::<TimestampMicrosecondType>(data_type, bytes),
        T::Timestamp(TimeUnit::Nanosecond, _) => of::<TimestampNanosecondType>(data_type, bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Decimal128Array, Int64Array};
    use arrow_schema::{Field, Fields};
    use wasmill_flow::key::EncodedKeys;

    fn encoded(value: &ScalarValue) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(value.to_array().expect("an array").as_ref(), 0, &mut bytes);
        bytes
    }

    #[test]
    fn what_is_encoded_is_decoded_and_leaves_what_follows() {
        let fields = Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![None])), ScalarValue::from("x").to_array().expect("text")];
        let decimal = Decimal128Array::from(vec![-5]).with_precision_and_scale(10, 2).expect("a decimal");
        let values = [
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Int64(Some(-7)),
            ScalarValue::UInt64(None),
            ScalarValue::Float64(Some(0.5)),
            ScalarValue::TimestampMillisecond(Some(9), None),
            ScalarValue::try_from_array(&decimal, 0).expect("a decimal"),
            ScalarValue::Utf8View(Some("text".to_owned())),
            ScalarValue::LargeUtf8(Some(String::new())),
            ScalarValue::Binary(Some(vec![0, 1])),
            ScalarValue::List(ScalarValue::new_list_nullable(
                &[ScalarValue::Int64(Some(1)), ScalarValue::Int64(None)],
                &DataType::Int64,
            )),
            ScalarValue::List(ScalarValue::new_list_nullable(&[], &DataType::Float64)),
            ScalarValue::Struct(Arc::new(StructArray::new(fields, columns, None))),
        ];
        for value in values {
            assert!(is_supported(&value.data_type()), "{value:?}");
            let mut bytes = encoded(&value);
            bytes.push(42);
            let mut rest = bytes.as_slice();
            assert_eq!(decode(&value.data_type(), &mut rest), Some(value.clone()));
            assert_eq!(rest, [42], "{value:?}");
            for cut in 0..bytes.len() - 1 {
                assert_eq!(decode(&value.data_type(), &mut &bytes[..cut]), None, "{value:?} cut at {cut}");
            }
        }
        assert_eq!(decode(&DataType::Int64, &mut &[2, 0, 0][..]), None);
    }

    #[test]
    fn the_bytes_are_the_documented_ones_and_those_of_keys() {
        assert_eq!(encoded(&ScalarValue::Int64(Some(1))), [1, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encoded(&ScalarValue::from("ab")), [1, 2, 0, 0, 0, b'a', b'b']);
        let list =
            ScalarValue::new_list_nullable(&[ScalarValue::Boolean(Some(true)), ScalarValue::Boolean(None)], &DataType::Boolean);
        assert_eq!(encoded(&ScalarValue::List(list)), [1, 2, 0, 0, 0, 1, 1, 0]);
        for value in [ScalarValue::Int64(Some(-3)), ScalarValue::Utf8View(Some("k".to_owned())), ScalarValue::Date32(None)] {
            let mut keys = EncodedKeys::default();
            keys.encode(&[value.to_array().expect("an array")]);
            assert_eq!(keys.get(0), encoded(&value));
            assert_eq!(length(&value.data_type(), keys.get(0)), Some(keys.get(0).len()));
        }
    }
}
