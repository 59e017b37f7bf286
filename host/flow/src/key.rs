//! The bytes and the hash of a key. Both are part of the state format: they never change within a major version.
//!
//! **Encoding.** The key's columns one after the other, each a tag byte (0 null, 1 value) and, for a value: `boolean` one byte;
//! integers, dates, timestamps and decimals little-endian in their own width; floats the same, with -0.0 as 0.0 and every NaN as
//! one; `utf8` and `binary` a `u32` length, little-endian, and the bytes. A null key is a key.
//!
//! [`EncodedKeys::decode`] makes columns of them again.
//!
//! **Hash.** XXH3, 64 bits, seed 0, of the encoded key (<https://github.com/Cyan4973/xxHash>, implemented by `twox-hash`).

mod decode;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ToByteSlice;
use arrow_schema::DataType;
use twox_hash::XxHash3_64;

use crate::column_type;

/// Whether keys may have columns of this type: every type that a row may have but lists and structs.
#[must_use]
pub fn is_supported(data_type: &DataType) -> bool {
    column_type::is_supported(data_type) && !column_type::is_nested(data_type)
}

/// The encoded keys of some rows, end to end.
#[derive(Debug, Default, Clone)]
pub struct EncodedKeys {
    bytes: Vec<u8>,
    /// The end of each key; empty where all have `width` bytes.
    ends: Vec<u32>,
    width: usize,
    rows: usize,
}

impl EncodedKeys {
    /// Encodes the keys of all rows of these columns, replacing what was there. Reuses the memory.
    ///
    /// # Panics
    /// Where a column has a type that [`is_supported`] denies: plans are checked for that.
    pub fn encode(&mut self, columns: &[ArrayRef]) {
        self.bytes.clear();
        self.ends.clear();
        self.rows = columns.first().map_or(0, |column| column.len());
        if let [column] = columns
            && column.null_count() == 0
            && self.encode_one_fixed(column.as_ref())
        {
            return;
        }
        self.width = 0;
        for row in 0..self.rows {
            for column in columns {
                encode_value(column.as_ref(), row, &mut self.bytes);
            }
            #[expect(clippy::cast_possible_truncation, reason = "a batch is far smaller than 4 GiB")]
            self.ends.push(self.bytes.len() as u32);
        }
    }

    /// A key of one fixed-width column without nulls, by far the most frequent: no lengths, no branches.
    fn encode_one_fixed(&mut self, column: &dyn Array) -> bool {
        match column.data_type() {
            DataType::Int64 => self.encode_fixed::<Int64Type, 9>(column, i64::to_le_bytes),
            DataType::UInt64 => self.encode_fixed::<UInt64Type, 9>(column, u64::to_le_bytes),
            DataType::Int32 => self.encode_fixed::<Int32Type, 5>(column, i32::to_le_bytes),
            _ => return false,
        }
        true
    }

    fn encode_fixed<T: ArrowPrimitiveType, const WIDTH: usize>(
        &mut self,
        column: &dyn Array,
        to_bytes: impl Fn(T::Native) -> <T::Native as LittleEndian>::Bytes,
    ) where
        T::Native: LittleEndian,
    {
        self.width = WIDTH;
        self.bytes.resize(WIDTH * self.rows, 0);
        for (key, value) in self.bytes.chunks_exact_mut(WIDTH).zip(column.as_primitive::<T>().values()) {
            key[0] = 1;
            key[1..].copy_from_slice(to_bytes(*value).as_ref());
        }
    }

    /// Makes it empty. Keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        (self.width, self.rows) = (0, 0);
    }

    /// Adds an encoded key.
    pub fn push(&mut self, key: &[u8]) {
        if self.width != 0 {
            // Those before had one width; with this one it takes to know where each ends.
            #[expect(clippy::cast_possible_truncation, reason = "a batch is far smaller than 4 GiB")]
            self.ends.extend((1..=self.rows).map(|row| (row * self.width) as u32));
            self.width = 0;
        }
        self.bytes.extend_from_slice(key);
        #[expect(clippy::cast_possible_truncation, reason = "a task's keys of one space are far smaller than 4 GiB")]
        self.ends.push(self.bytes.len() as u32);
        self.rows += 1;
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The key of a row.
    #[must_use]
    #[inline]
    pub fn get(&self, row: usize) -> &[u8] {
        if self.width != 0 {
            return &self.bytes[row * self.width..(row + 1) * self.width];
        }
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    /// The hash of each key, in order.
    #[must_use]
    pub fn hashes(&self) -> Vec<u64> {
        (0..self.rows).map(|row| hash(self.get(row))).collect()
    }
}

/// The hash of an encoded key.
#[must_use]
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    XxHash3_64::oneshot(key)
}

/// A number as its little-endian bytes.
trait LittleEndian {
    type Bytes: AsRef<[u8]>;
}
impl LittleEndian for i32 {
    type Bytes = [u8; 4];
}
impl LittleEndian for i64 {
    type Bytes = [u8; 8];
}
impl LittleEndian for u64 {
    type Bytes = [u8; 8];
}

fn encode_value(column: &dyn Array, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    match column.data_type() {
        DataType::Boolean => out.push(u8::from(column.as_boolean().value(row))),
        DataType::Int32 => put::<Int32Type>(column, row, out),
        DataType::Int64 => put::<Int64Type>(column, row, out),
        DataType::UInt64 => put::<UInt64Type>(column, row, out),
        DataType::Date32 => put::<Date32Type>(column, row, out),
        DataType::Timestamp(..) => put::<TimestampMillisecondType>(column, row, out),
        DataType::Decimal128(..) => put::<Decimal128Type>(column, row, out),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            let value = if value.is_nan() { f32::NAN } else { value + 0.0 };
            out.extend_from_slice(&value.to_le_bytes());
        }
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
            out.extend_from_slice(&value.to_le_bytes());
        }
        DataType::Utf8View => put_bytes(column.as_string_view().value(row).as_bytes(), out),
        DataType::BinaryView => put_bytes(column.as_binary_view().value(row), out),
        other => panic!("a key column of type {other}, which validation refuses"),
    }
}

fn put<T: ArrowPrimitiveType>(column: &dyn Array, row: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(column.as_primitive::<T>().value(row).to_byte_slice());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "a value is far smaller than 4 GiB")]
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float64Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    fn encoded(columns: &[ArrayRef]) -> EncodedKeys {
        let mut keys = EncodedKeys::default();
        keys.encode(columns);
        keys
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let keys = encoded(&[Arc::new(Int64Array::from(vec![7])), Arc::new(StringViewArray::from(vec![Some("ab")]))]);
        assert_eq!(keys.get(0), [1, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, b'a', b'b']);
        let keys = encoded(&[Arc::new(Int64Array::from(vec![None, Some(-1)]))]);
        assert_eq!(keys.get(0), [0]);
        assert_eq!(keys.get(1), [1, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn the_fast_path_encodes_as_the_slow_one_does() {
        let fast = encoded(&[Arc::new(Int64Array::from(vec![1, -2, i64::MAX]))]);
        for (row, value) in [1, -2, i64::MAX].into_iter().enumerate() {
            let mut slow = Vec::new();
            encode_value(&Int64Array::from(vec![value]), 0, &mut slow);
            assert_eq!(fast.get(row), slow);
        }
    }

    #[test]
    fn zeros_are_one_key_and_so_are_nans() {
        let other_nan = f64::from_bits(f64::NAN.to_bits() | 1);
        let keys = encoded(&[Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, other_nan]))]);
        assert_eq!(keys.get(0), keys.get(1));
        assert_eq!(keys.get(2), keys.get(3));
    }

    #[test]
    fn a_key_is_added_to_keys_of_one_width() {
        let mut keys = EncodedKeys::default();
        keys.encode(&[Arc::new(Int64Array::from(vec![7, 8])) as ArrayRef]);
        let before: Vec<Vec<u8>> = (0..2).map(|row| keys.get(row).to_vec()).collect();
        keys.push(&[]);
        assert_eq!([keys.get(0), keys.get(1), keys.get(2)], [&before[0][..], &before[1], &[]]);
        assert_eq!(keys.hashes(), [hash(&before[0]), hash(&before[1]), hash(&[])]);
    }

    #[test]
    fn hashes_are_those_of_the_state_format() {
        let keys = encoded(&[Arc::new(Int64Array::from(vec![0, 1]))]);
        assert_eq!(keys.hashes(), [hash(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), hash(&[1, 1, 0, 0, 0, 0, 0, 0, 0])]);
    }
}
