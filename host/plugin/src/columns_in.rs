//! Rows into the sandbox: Arrow columns as the contract's, with no copy but the one that crosses. (Text is the exception: a view
//! column is laid out end to end first.)

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::DataType;

use crate::bindings::wasmill::plugin::data::{ArrayParam, BinaryArrayParam, ColumnParam};

/// Columns held for the length of a call.
pub(crate) struct ColumnsIn {
    columns: Vec<Held>,
}

struct Held {
    values: Values,
    validity: Option<Buffer>,
}

enum Values {
    Boolean(Buffer),
    Int32(ScalarBuffer<i32>),
    Int64(ScalarBuffer<i64>),
    Uint64(ScalarBuffer<u64>),
    Float32(ScalarBuffer<f32>),
    Float64(ScalarBuffer<f64>),
    Decimal(Buffer),
    Date(ScalarBuffer<i32>),
    Timestamp(ScalarBuffer<i64>),
    Utf8(EndToEnd),
    Binary(EndToEnd),
}

/// Values of any length, end to end.
pub(crate) struct EndToEnd {
    offsets: Vec<u32>,
    data: Vec<u8>,
}

impl ColumnsIn {
    /// Holds these columns. Validation lets no column of another type through, so one that is here is a bug of the engine.
    pub fn hold<'a>(columns: impl Iterator<Item = &'a ArrayRef>) -> Self {
        Self {
            columns: columns.map(|column| Held { values: values(column.as_ref()), validity: validity(column.nulls()) }).collect(),
        }
    }

    /// The columns as the contract has them.
    pub fn params(&self) -> Vec<ColumnParam<'_>> {
        self.columns.iter().map(|held| ColumnParam { values: held.values.param(), validity: held.validity.as_deref() }).collect()
    }
}

impl Values {
    fn param(&self) -> ArrayParam<'_> {
        match self {
            Self::Boolean(bits) => ArrayParam::Boolean(bits),
            Self::Int32(values) => ArrayParam::Int32(values),
            Self::Int64(values) => ArrayParam::Int64(values),
            Self::Uint64(values) => ArrayParam::Uint64(values),
            Self::Float32(values) => ArrayParam::Float32(values),
            Self::Float64(values) => ArrayParam::Float64(values),
            Self::Decimal(bytes) => ArrayParam::Decimal128(bytes),
            Self::Date(values) => ArrayParam::Date32(values),
            Self::Timestamp(values) => ArrayParam::Timestamp(values),
            Self::Utf8(text) => ArrayParam::Utf8(text.param()),
            Self::Binary(bytes) => ArrayParam::Binary(bytes.param()),
        }
    }
}

impl EndToEnd {
    /// The values as the contract has them.
    pub fn param(&self) -> BinaryArrayParam<'_> {
        BinaryArrayParam { offsets: &self.offsets, data: &self.data }
    }

    /// Lays values out; one that is null has no bytes.
    pub fn of<'a>(rows: usize, values: impl Iterator<Item = Option<&'a [u8]>>) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let mut data = Vec::new();
        for value in values {
            data.extend_from_slice(value.unwrap_or_default());
            #[expect(clippy::cast_possible_truncation, reason = "a batch is far smaller than 4 GiB")]
            offsets.push(data.len() as u32);
        }
        Self { offsets, data }
    }
}

fn validity(nulls: Option<&NullBuffer>) -> Option<Buffer> {
    nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| nulls.inner().sliced())
}

fn values(column: &dyn Array) -> Values {
    match column.data_type() {
        DataType::Boolean => Values::Boolean(column.as_boolean().values().sliced()),
        DataType::Int32 => Values::Int32(column.as_primitive::<Int32Type>().values().clone()),
        DataType::Int64 => Values::Int64(column.as_primitive::<Int64Type>().values().clone()),
        DataType::UInt64 => Values::Uint64(column.as_primitive::<UInt64Type>().values().clone()),
        DataType::Float32 => Values::Float32(column.as_primitive::<Float32Type>().values().clone()),
        DataType::Float64 => Values::Float64(column.as_primitive::<Float64Type>().values().clone()),
        DataType::Decimal128(..) => Values::Decimal(column.as_primitive::<Decimal128Type>().values().inner().clone()),
        DataType::Date32 => Values::Date(column.as_primitive::<Date32Type>().values().clone()),
        DataType::Timestamp(..) => Values::Timestamp(column.as_primitive::<TimestampMillisecondType>().values().clone()),
        DataType::Utf8View => {
            Values::Utf8(EndToEnd::of(column.len(), column.as_string_view().iter().map(|value| value.map(str::as_bytes))))
        }
        DataType::BinaryView => Values::Binary(EndToEnd::of(column.len(), column.as_binary_view().iter())),
        other => unreachable!("a column of type {other} has passed validation"),
    }
}
