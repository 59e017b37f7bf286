//! The columns that rows are read into.

use std::slice::Iter;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BinaryViewBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int32Builder,
    Int64Builder, StringViewBuilder, TimestampMillisecondBuilder, UInt64Builder,
};
use arrow_schema::DataType;

use super::Cell;
use super::nested::{ListColumn, StructColumn};

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
    List(Box<ListColumn>),
    Struct(Box<StructColumn>),
}

impl Column {
    /// An empty column of this type.
    ///
    /// # Panics
    /// Where rows can't have it: decoders refuse it before.
    pub(crate) fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::UInt64 => Self::UInt64(UInt64Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Decimal128(precision, scale) => Self::Decimal(Decimal128Builder::new(), *precision, *scale),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(..) => Self::Timestamp(TimestampMillisecondBuilder::new()),
            DataType::Utf8View => Self::Utf8(StringViewBuilder::new().with_fixed_block_size(TEXT_BLOCK)),
            DataType::BinaryView => Self::Binary(BinaryViewBuilder::new().with_fixed_block_size(TEXT_BLOCK)),
            DataType::List(item) => Self::List(Box::new(ListColumn::new(item))),
            DataType::Struct(fields) => Self::Struct(Box::new(StructColumn::new(fields))),
            other => panic!("a column of type {other}, which decoders refuse"),
        }
    }

    /// Adds a value that was read for this column from this text, with the parts of its row. A cell of another kind, which no reading
    /// makes, is a null.
    #[inline]
    pub(crate) fn push(&mut self, cell: &Cell, text: &str, parts: &[Cell]) {
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
            (column, Cell::Nested(start)) => column.push_part(&mut parts[*start..].iter(), text),
            (column, _) => column.push_null(),
        }
    }

    /// Adds the value that begins with the next part, and takes its parts.
    pub(super) fn push_part(&mut self, parts: &mut Iter<'_, Cell>, text: &str) {
        match (self, parts.next()) {
            (Self::List(column), Some(Cell::List(items))) => column.push(*items, parts, text),
            (Self::Struct(column), Some(Cell::Struct(fields))) => column.push(*fields, parts, text),
            (column, Some(cell)) => column.push(cell, text, &[]),
            (column, None) => column.push_null(),
        }
    }

    pub(super) fn push_null(&mut self) {
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
            Self::List(column) => column.push_null(),
            Self::Struct(column) => column.push_null(),
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
            Self::List(column) => Arc::new(column.finish()),
            Self::Struct(column) => Arc::new(column.finish()),
        }
    }
}
