//! Values to columns, and columns to values.

use super::cell::Cell;
use crate::bindings::{Array, BinaryArray, Column, DataType};
use crate::column::bit;

/// A column of values, all of this type or null.
pub(super) fn gather(data_type: DataType, cells: &[&Cell]) -> Column {
    /// The values of one kind, with any value for a null.
    macro_rules! values {
        ($kind:ident) => {
            cells.iter().map(|cell| if let Cell::$kind(value) = cell { *value } else { Default::default() }).collect()
        };
    }
    let values = match data_type {
        DataType::Boolean => Array::Boolean(bits(cells.iter().map(|cell| **cell == Cell::Boolean(true)))),
        DataType::Int32 => Array::Int32(values!(Int32)),
        DataType::Int64 => Array::Int64(values!(Int64)),
        DataType::Uint64 => Array::Uint64(values!(Uint64)),
        DataType::Float32 => Array::Float32(values!(Float32)),
        DataType::Float64 => Array::Float64(values!(Float64)),
        DataType::Date32 => Array::Date32(values!(Date)),
        DataType::Timestamp => Array::Timestamp(values!(Timestamp)),
        DataType::Decimal128(_) => {
            let units = cells.iter().map(|cell| if let Cell::Decimal(units, _) = cell { *units } else { 0 });
            Array::Decimal128(units.flat_map(i128::to_le_bytes).collect())
        }
        DataType::Utf8 | DataType::Binary => {
            let (mut offsets, mut data) = (vec![0], Vec::new());
            for cell in cells {
                match cell {
                    Cell::Text(text) => data.extend_from_slice(text.as_bytes()),
                    Cell::Binary(bytes) => data.extend_from_slice(bytes),
                    _ => {}
                }
                offsets.push(data.len() as u32);
            }
            let values = BinaryArray { offsets, data };
            if matches!(data_type, DataType::Utf8) { Array::Utf8(values) } else { Array::Binary(values) }
        }
    };
    let is_null = |cell: &&Cell| matches!(cell, Cell::Null);
    let validity = cells.iter().any(is_null).then(|| bits(cells.iter().map(|cell| !is_null(cell))));
    Column { values, validity }
}

/// The value of a row of a column of this type, whose length was checked; or why it is none.
pub(super) fn value(column: &Column, data_type: DataType, row: usize) -> Result<Cell, String> {
    if column.validity.as_ref().is_some_and(|validity| !bit(validity, row)) {
        return Ok(Cell::Null);
    }
    let bytes = |values: &BinaryArray| {
        let end = values.offsets[row + 1] as usize;
        values.data.get(values.offsets[row] as usize..end).map(<[u8]>::to_vec).ok_or("its offsets lie outside of its bytes")
    };
    Ok(match (&column.values, data_type) {
        (Array::Boolean(values), DataType::Boolean) => Cell::Boolean(bit(values, row)),
        (Array::Int32(values), DataType::Int32) => Cell::Int32(values[row]),
        (Array::Int64(values), DataType::Int64) => Cell::Int64(values[row]),
        (Array::Uint64(values), DataType::Uint64) => Cell::Uint64(values[row]),
        (Array::Float32(values), DataType::Float32) => Cell::Float32(values[row]),
        (Array::Float64(values), DataType::Float64) => Cell::Float64(values[row]),
        (Array::Date32(values), DataType::Date32) => Cell::Date(values[row]),
        (Array::Timestamp(values), DataType::Timestamp) => Cell::Timestamp(values[row]),
        (Array::Decimal128(values), DataType::Decimal128(decimal)) => {
            let mut units = [0; 16];
            units.copy_from_slice(&values[row * 16..][..16]);
            Cell::Decimal(i128::from_le_bytes(units), decimal.scale)
        }
        (Array::Utf8(values), DataType::Utf8) => {
            Cell::Text(String::from_utf8(bytes(values)?).map_err(|_| "its text isn't UTF-8".to_owned())?)
        }
        (Array::Binary(values), DataType::Binary) => Cell::Binary(bytes(values)?),
        _ => return Err("it is of another type than the output declares".to_owned()),
    })
}

fn bits(values: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bits = Vec::new();
    for (at, value) in values.enumerate() {
        if at % 8 == 0 {
            bits.push(0);
        }
        bits[at / 8] |= u8::from(value) << (at % 8);
    }
    bits
}
