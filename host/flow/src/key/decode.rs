//! The columns that encoded keys were made of.

use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, StringViewBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray};
use arrow_schema::DataType;

/// The columns of some encoded keys, whose types are `types`; `None` where the bytes are no such keys. One pass over each column.
#[must_use]
pub fn decode(types: &[DataType], keys: &[&[u8]]) -> Option<Vec<ArrayRef>> {
    let mut rests = keys.to_vec();
    let columns = types.iter().map(|data_type| column(data_type, &mut rests)).collect::<Option<Vec<_>>>()?;
    rests.iter().all(|rest| rest.is_empty()).then_some(columns)
}

/// The next column of all keys, which is taken off them.
fn column(data_type: &DataType, rests: &mut [&[u8]]) -> Option<ArrayRef> {
    Some(match data_type {
        DataType::Boolean => {
            let values = rests.iter_mut().map(|rest| fixed(rest).map(|value: Option<[u8; 1]>| value.map(|[byte]| byte != 0)));
            Arc::new(values.collect::<Option<BooleanArray>>()?)
        }
        DataType::Int32 => numbers::<Int32Type, 4>(data_type, rests, i32::from_le_bytes)?,
        DataType::Date32 => numbers::<Date32Type, 4>(data_type, rests, i32::from_le_bytes)?,
        DataType::Int64 => numbers::<Int64Type, 8>(data_type, rests, i64::from_le_bytes)?,
        DataType::Timestamp(..) => numbers::<TimestampMillisecondType, 8>(data_type, rests, i64::from_le_bytes)?,
        DataType::UInt64 => numbers::<UInt64Type, 8>(data_type, rests, u64::from_le_bytes)?,
        DataType::Float32 => numbers::<Float32Type, 4>(data_type, rests, f32::from_le_bytes)?,
        DataType::Float64 => numbers::<Float64Type, 8>(data_type, rests, f64::from_le_bytes)?,
        DataType::Decimal128(..) => numbers::<Decimal128Type, 16>(data_type, rests, i128::from_le_bytes)?,
        DataType::Utf8View => {
            let mut builder = StringViewBuilder::with_capacity(rests.len());
            for rest in rests {
                match varying(rest)? {
                    Some(bytes) => builder.append_value(std::str::from_utf8(bytes).ok()?),
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::BinaryView => {
            let mut builder = BinaryViewBuilder::with_capacity(rests.len());
            for rest in rests {
                builder.append_option(varying(rest)?);
            }
            Arc::new(builder.finish())
        }
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType, const WIDTH: usize>(
    data_type: &DataType,
    rests: &mut [&[u8]],
    read: impl Fn([u8; WIDTH]) -> T::Native,
) -> Option<ArrayRef> {
    let values = rests.iter_mut().map(|rest| fixed(rest).map(|value| value.map(&read)));
    let array = values.collect::<Option<PrimitiveArray<T>>>()?;
    Some(Arc::new(array.with_data_type(data_type.clone())))
}

/// Takes a value of a fixed width off a key: `Some(None)` is a null.
#[expect(clippy::option_option, reason = "no value that can be read, a null, a value")]
fn fixed<const WIDTH: usize>(rest: &mut &[u8]) -> Option<Option<[u8; WIDTH]>> {
    if !is_value(rest)? {
        return Some(None);
    }
    let (value, others) = rest.split_first_chunk::<WIDTH>()?;
    *rest = others;
    Some(Some(*value))
}

/// Takes a value of any length off a key.
#[expect(clippy::option_option, reason = "no value that can be read, a null, a value")]
fn varying<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    if !is_value(rest)? {
        return Some(None);
    }
    let (length, others) = rest.split_first_chunk::<4>()?;
    let (value, others) = others.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = others;
    Some(Some(value))
}

/// Takes the tag byte off.
fn is_value(rest: &mut &[u8]) -> Option<bool> {
    let (tag, others) = rest.split_first()?;
    *rest = others;
    match tag {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
