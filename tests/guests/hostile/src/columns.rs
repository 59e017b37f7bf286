//! Columns that aren't what the plan says.

use wasmill_sdk::bindings::stream_operator::wasmill::plugin::output;
use wasmill_sdk::bindings::{Array, BinaryArray, Column, DataType, DecimalType, Origin};

use crate::Call;
use crate::settings::{Do, Settings};

/// The type of column `x` that the plan declares, where something is wrong with a column.
pub(crate) fn declared(what: Do) -> Option<DataType> {
    match what {
        Do::InvalidText | Do::SplitText | Do::OffsetsFall | Do::OffsetsPastEnd | Do::OffsetsBeginLate => Some(DataType::Utf8),
        Do::OffsetsMissing | Do::OffsetsTooMany | Do::EmitBytes => Some(DataType::Utf8),
        Do::TooFewColumns | Do::TooManyColumns | Do::WrongType | Do::TooShort | Do::TooLong => Some(DataType::Int64),
        Do::NullWhereNone | Do::ValidityTooShort | Do::CountCalls | Do::EmitRows => Some(DataType::Int64),
        Do::BitsTooShort => Some(DataType::Boolean),
        Do::DecimalTooLong | Do::DecimalTornOff => Some(DataType::Decimal128(DecimalType { precision: 5, scale: 2 })),
        _ => None,
    }
}

/// Emits a column with what is wrong with it, if that is what is asked for.
pub(crate) fn emit(settings: &Settings, call: &Call) -> bool {
    let rows = call.rows.rows as usize;
    let one = || column(Array::Int64(vec![1; rows]));
    let columns = match settings.what {
        Do::InvalidText => vec![text(rows, b"\xff", 1)],
        // Whole text that is UTF-8, but whose values are half a letter each.
        Do::SplitText => vec![column(Array::Utf8(BinaryArray {
            offsets: (0..=rows as u32).collect(),
            data: "é".repeat(rows.div_ceil(2)).into(),
        }))],
        Do::OffsetsFall => vec![offsets((0..=rows as u32).rev().collect(), rows)],
        Do::OffsetsPastEnd => vec![offsets((0..=rows as u32).map(|at| at * 1_000).collect(), rows)],
        Do::OffsetsBeginLate => vec![offsets((1..=rows as u32 + 1).collect(), rows + 1)],
        Do::OffsetsMissing => vec![offsets((0..rows as u32).collect(), rows)],
        Do::OffsetsTooMany => vec![offsets((0..=rows as u32 + 1).collect(), rows + 1)],
        Do::TooFewColumns => Vec::new(),
        Do::TooManyColumns => vec![one(), one()],
        Do::WrongType => vec![column(Array::Float64(vec![1.0; rows]))],
        Do::TooShort => vec![column(Array::Int64(vec![1; rows - 1]))],
        Do::TooLong => vec![column(Array::Int64(vec![1; rows + 1]))],
        Do::BitsTooShort => vec![column(Array::Boolean(Vec::new()))],
        Do::NullWhereNone => vec![Column { validity: Some(vec![0; rows.div_ceil(8)]), ..one() }],
        Do::ValidityTooShort => vec![Column { validity: Some(Vec::new()), ..one() }],
        Do::DecimalTooLong => vec![column(Array::Decimal128(i128::MAX.to_le_bytes().repeat(rows)))],
        Do::DecimalTornOff => vec![column(Array::Decimal128(vec![0; rows * 16 - 1]))],
        Do::EmitBytes => vec![text(rows, b"x", settings.count as usize)],
        _ => return false,
    };
    output::emit(0, &Origin::Batch, &columns);
    true
}

pub(crate) fn column(values: Array) -> Column {
    Column { values, validity: None }
}

/// The same text in every row, except that the first row has it `times` times.
fn text(rows: usize, value: &[u8], times: usize) -> Column {
    let first = (value.len() * times) as u32;
    let offsets = std::iter::once(0).chain((0..rows as u32).map(|row| first + row * value.len() as u32));
    let offsets: Vec<u32> = offsets.take(rows + 1).collect();
    column(Array::Utf8(BinaryArray { offsets, data: value.repeat(times + rows - 1) }))
}

fn offsets(offsets: Vec<u32>, bytes: usize) -> Column {
    column(Array::Utf8(BinaryArray { offsets, data: vec![b'x'; bytes] }))
}
