//! The columns that rows are read into.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int32Builder,
    Int64Builder, StringViewBuilder, TimestampMillisecondBuilder, UInt64Builder,
};

use super::{Cell, Kind};

/// Text is kept in blocks of this size; a longer text has a block of its own.
const TEXT_BLOCK: u32 = 16 << 10;

/// A column that is being read.
#[derive(Debug)]
pub(crate) enum Column {
    Boolean(BooleanBuilder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt64(UInt64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Date(Date32Builder),
    Timestamp(TimestampMillisecondBuilder),
    Utf8(StringViewBuilder),
    Binary(BinaryViewBuilder),
}

impl Column {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Int32 => Self::Int32(Int32Builder::new()),
            Kind::Int64 => Self::Int64(Int64Builder::new()),
            Kind::UInt64 => Self::UInt64(UInt64Builder::new()),
            Kind::Float32 => Self::Float32(Float32Builder::new()),
            Kind::Float64 => Self::Float64(Float64Builder::new()),
            Kind::Decimal(precision, scale) => Self::Decimal(Decimal128Builder::new(), precision, scale),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::Timestamp(_) => Self::Timestamp(TimestampMillisecondBuilder::new()),
            Kind::Utf8 => Self::Utf8(StringViewBuilder::new().with_fixed_block_size(TEXT_BLOCK)),
            Kind::Binary => Self::Binary(BinaryViewBuilder::new().with_fixed_block_size(TEXT_BLOCK)),
        }
    }

    /// Adds a value that was read for this column from this text. A cell of another kind, which no reading makes, is a null.
    #[inline]
    pub(crate) fn push(&mut self, cell: &Cell, text: &str) {
        match (self, cell) {
            (Self::Boolean(column), Cell::Boolean(value)) => column.append_value(*value),
            (Self::Int32(column), Cell::Int32(value)) => column.append_value(*value),
            (Self::Int64(column), Cell::Int64(value)) => column.append_value(*value),
            (Self::UInt64(column), Cell::UInt64(value)) => column.append_value(*value),
            (Self::Float32(column), Cell::Float32(value)) => column.append_value(*value),
            (Self::Float64(column), Cell::Float64(value)) => column.append_value(*value),
            (Self::Decimal(column, ..), Cell::Decimal(value)) => column.append_value(*value),
            (Self::Date(column), Cell::Int32(value)) => column.append_value(*value),
            (Self::Timestamp(column), Cell::Int64(value)) => column.append_value(*value),
            (Self::Utf8(column), Cell::Verbatim(place)) => column.append_value(&text[place.clone()]),
            (Self::Utf8(column), Cell::Text(value)) => column.append_value(value),
            (Self::Binary(column), Cell::Binary(value)) => column.append_value(value),
            (column, _) => column.push_null(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Boolean(column) => column.append_null(),
            Self::Int32(column) => column.append_null(),
            Self::Int64(column) => column.append_null(),
            Self::UInt64(column) => column.append_null(),
            Self::Float32(column) => column.append_null(),
            Self::Float64(column) => column.append_null(),
            Self::Decimal(column, ..) => column.append_null(),
            Self::Date(column) => column.append_null(),
            Self::Timestamp(column) => column.append_null(),
            Self::Utf8(column) => column.append_null(),
            Self::Binary(column) => column.append_null(),
        }
    }

    /// The values so far; the column is empty then.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(column) => Arc::new(column.finish()),
            Self::Int32(column) => Arc::new(column.finish()),
            Self::Int64(column) => Arc::new(column.finish()),
            Self::UInt64(column) => Arc::new(column.finish()),
            Self::Float32(column) => Arc::new(column.finish()),
            Self::Float64(column) => Arc::new(column.finish()),
            #[expect(
                clippy::expect_used,
                reason = "job files have no decimals that Arrow refuses; the decoder's constructor checks"
            )]
            Self::Decimal(column, precision, scale) => {
                Arc::new(column.finish().with_precision_and_scale(*precision, *scale).expect("a decimal that was checked"))
            }
            Self::Date(column) => Arc::new(column.finish()),
            Self::Timestamp(column) => Arc::new(column.finish()),
            Self::Utf8(column) => Arc::new(column.finish()),
            Self::Binary(column) => Arc::new(column.finish()),
        }
    }
}
