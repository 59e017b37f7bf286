//! `avg(x)`. Format `avg`: the sum as `f64`, and how many there were as `i64`.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow_schema::DataType;

use super::fold::{Native, Step};
use super::number::Number;

/// The average of numbers of type `T`, as `float64`. Values beyond 2^53 and decimals are rounded to the nearest `float64` first.
#[derive(Debug)]
pub(super) struct Average<T> {
    /// What a value is divided by: 10 to the scale of decimals, otherwise 1.
    pub(super) unit: f64,
    pub(super) of: PhantomData<fn(T)>,
}

/// A number as a `float64`.
pub(super) trait ToFloat: ArrowPrimitiveType {
    /// The nearest one.
    fn to_float(number: Self::Native) -> f64;
}

macro_rules! to_float {
    ($($number:ty),*) => {$(
        impl ToFloat for $number {
            #[inline(always)]
            #[expect(clippy::allow_attributes, reason = "not every one of these casts is lossy")]
            #[allow(clippy::cast_precision_loss, clippy::cast_lossless, clippy::unnecessary_cast, reason = "the nearest float64 is what is wanted")]
            fn to_float(number: Self::Native) -> f64 {
                number as f64
            }
        }
    )*};
}

to_float!(Int32Type, Int64Type, UInt64Type, Float32Type, Float64Type, Decimal128Type);

fn average(cell: &[u8]) -> Option<f64> {
    let count = i64::read(&cell[8..]);
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 can't be reached")]
    (count != 0).then(|| f64::read(cell) / count as f64)
}

impl<T: ToFloat + Debug> Step for Average<T> {
    type Argument = T;
    type Value = Float64Type;

    fn format(&self) -> String {
        "avg".to_owned()
    }

    fn data_type(&self) -> DataType {
        DataType::Float64
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: Native<T>) -> Option<f64> {
        (f64::read(cell) + T::to_float(argument) / self.unit).write(cell);
        (i64::read(&cell[8..]) + 1).write(&mut cell[8..]);
        average(cell)
    }

    fn retracts(&self) -> bool {
        true
    }

    fn take_back(&self, cell: &mut [u8], argument: Native<T>) -> Option<()> {
        let count = i64::read(&cell[8..]) - 1;
        (f64::read(cell) - T::to_float(argument) / self.unit).write(cell);
        count.write(&mut cell[8..]);
        if count == 0 {
            // Whatever floats have left of the sum.
            cell.fill(0);
        }
        Some(())
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        (f64::read(cell) + f64::read(other)).write(cell);
        (i64::read(&cell[8..]) + i64::read(&other[8..])).write(&mut cell[8..]);
        Some(())
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<f64> {
        average(cell)
    }
}
