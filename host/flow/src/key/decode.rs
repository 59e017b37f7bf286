//! Columns out of encoded keys.

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray};
use arrow_buffer::{MutableBuffer, NullBufferBuilder, ScalarBuffer};
use arrow_schema::DataType;

use super::EncodedKeys;

impl EncodedKeys {
    /// The columns that keys were encoded from, of these types; nothing where these bytes are no keys of such columns.
    #[must_use]
    pub fn decode(&self, types: &[DataType]) -> Option<Vec<ArrayRef>> {
        let mut rest: Vec<&[u8]> = (0..self.rows).map(|row| self.get(row)).collect();
        let columns = types.iter().map(|data_type| column(data_type, &mut rest)).collect::<Option<Vec<_>>>()?;
        rest.iter().all(|rest| rest.is_empty()).then_some(columns)
    }
}

/// The next column, whose values are cut off.
fn column(data_type: &DataType, rest: &mut [&[u8]]) -> Option<ArrayRef> {
    match data_type {
        DataType::Boolean => {
            let value = |rest: &mut &[u8]| Some(if is_value(rest)? { Some(*rest.split_off_first()? != 0) } else { None });
            Some(Arc::new(rest.iter_mut().map(value).collect::<Option<BooleanArray>>()?))
        }
        DataType::Int32 => numbers::<Int32Type>(data_type, rest),
        DataType::Int64 => numbers::<Int64Type>(data_type, rest),
        DataType::UInt64 => numbers::<UInt64Type>(data_type, rest),
        DataType::Float32 => numbers::<Float32Type>(data_type, rest),
        DataType::Float64 => numbers::<Float64Type>(data_type, rest),
        DataType::Date32 => numbers::<Date32Type>(data_type, rest),
        DataType::Timestamp(..) => numbers::<TimestampMillisecondType>(data_type, rest),
        DataType::Decimal128(..) => numbers::<Decimal128Type>(data_type, rest),
        DataType::Utf8View => {
            let mut texts = StringViewBuilder::with_capacity(rest.len());
            for rest in rest {
                texts.append_option(if is_value(rest)? { Some(std::str::from_utf8(bytes(rest)?).ok()?) } else { None });
            }
            Some(Arc::new(texts.finish()))
        }
        DataType::BinaryView => {
            let mut values = BinaryViewBuilder::with_capacity(rest.len());
            for rest in rest {
                values.append_option(if is_value(rest)? { Some(bytes(rest)?) } else { None });
            }
            Some(Arc::new(values.finish()))
        }
        _ => None,
    }
}

/// Whether there is a value, or null.
#[inline]
fn is_value(rest: &mut &[u8]) -> Option<bool> {
    match rest.split_off_first()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
    rest.split_off(..length as usize)
}

/// Numbers of `T`'s width, little-endian, as Arrow has them.
fn numbers<T: ArrowPrimitiveType>(data_type: &DataType, rest: &mut [&[u8]]) -> Option<ArrayRef> {
    let width = size_of::<T::Native>();
    let mut values = MutableBuffer::with_capacity(rest.len() * width);
    let mut nulls = NullBufferBuilder::new(rest.len());
    let count = rest.len();
    for rest in rest {
        let valid = is_value(rest)?;
        nulls.append(valid);
        if valid {
            values.extend_from_slice(rest.split_off(..width)?);
        } else {
            values.extend_zeros(width);
        }
    }
    let values = ScalarBuffer::new(values.into(), 0, count);
    Some(Arc::new(PrimitiveArray::<T>::new(values, nulls.finish()).with_data_type(data_type.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryViewArray, Date32Array, Decimal128Array, Float64Array, Int32Array, StringViewArray};

    #[test]
    fn columns_of_every_type_come_back_as_they_were_and_damage_is_found() {
        let decimals = Decimal128Array::from(vec![Some(-5), None, Some(7)]).with_precision_and_scale(10, 2).expect("decimals");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(Int32Array::from(vec![Some(-1), Some(2), None])),
            Arc::new(Float64Array::from(vec![0.5, -2.0, f64::INFINITY])),
            Arc::new(Date32Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(decimals),
            Arc::new(StringViewArray::from(vec![Some("a"), Some("a text that is longer than a view"), None])),
            Arc::new(BinaryViewArray::from_iter([Some(&b"x"[..]), Some(b""), None])),
        ];
        let types: Vec<DataType> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut keys = EncodedKeys::default();
        keys.encode(&columns);
        assert_eq!(keys.decode(&types), Some(columns));
        assert_eq!(keys.decode(&types[..6]), None, "bytes are left over");
        let whole = keys.get(0).to_vec();
        for cut in 0..whole.len() {
            keys.clear();
            keys.push(&whole[..cut]);
            assert_eq!(keys.decode(&types), None, "cut at {cut}");
        }
        keys.clear();
        keys.push(&[2, 0]);
        assert_eq!(keys.decode(&[DataType::Boolean]), None, "no such tag");
    }
}
