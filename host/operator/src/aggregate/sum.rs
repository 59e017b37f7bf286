//! `sum(x)`. Formats `sum:int64`, `sum:float64`, `sum:decimal`: a byte, 1 once a value was seen, and the sum in 8, 8 or 16; `counted sum:…` with the
//! number of values in 8 more.

use std::fmt::Debug;
use std::marker::PhantomData;

use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Float64Type, Int64Type};
use arrow_schema::DataType;

use super::fold::{Native, Step};
use super::number::Number;

/// Integers below this are small: parts of a sum that are made of them leave room to overflow nowhere.
const SMALL: u64 = 1 << 31;
/// The same of decimals, whatever their scale.
const SMALL_DECIMAL: u128 = 10u128.pow(19);

fn sum<N: Number>(cell: &[u8]) -> Option<N> {
    (cell[0] != 0).then(|| N::read(&cell[1..]))
}

fn put<N: Number>(cell: &mut [u8], sum: N) -> N {
    cell[0] = 1;
    sum.write(&mut cell[1..]);
    sum
}

/// Integers of type `T`, summed as `int64`.
#[derive(Debug)]
pub(super) struct IntegerSum<T>(pub(super) PhantomData<fn(T)>);

impl<T: ArrowPrimitiveType + Debug> Step for IntegerSum<T>
where
    i64: TryFrom<T::Native>,
{
    type Argument = T;
    type Value = Int64Type;

    fn format(&self) -> String {
        "sum:int64".to_owned()
    }

    fn data_type(&self) -> DataType {
        DataType::Int64
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: Native<T>) -> Option<i64> {
        let argument = i64::try_from(argument).ok()?;
        Some(put(cell, i64::read(&cell[1..]).checked_add(argument)?))
    }

    fn take_back(&self, cell: &mut [u8], argument: Native<T>) -> Option<()> {
        let argument = i64::try_from(argument).ok()?;
        put(cell, i64::read(&cell[1..]).checked_sub(argument)?);
        Some(())
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        if let Some(other) = sum::<i64>(other) {
            put(cell, i64::read(&cell[1..]).checked_add(other)?);
        }
        Some(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    #[inline(always)]
    fn is_small(&self, argument: Native<T>) -> bool {
        i64::try_from(argument).is_ok_and(|argument| argument.unsigned_abs() < SMALL)
    }

    /// A batch has less than 2^29 rows, so that small ones of it come to less than 2^60.
    fn has_room(&self, cell: &[u8]) -> bool {
        i64::read(&cell[1..]).unsigned_abs() < i64::MAX.unsigned_abs() / 8 * 7
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<i64> {
        sum(cell)
    }
}

/// Floats of type `T`, summed as `float64` in the order of rows.
#[derive(Debug)]
pub(super) struct FloatSum<T>(pub(super) PhantomData<fn(T)>);

impl<T: ArrowPrimitiveType + Debug> Step for FloatSum<T>
where
    f64: From<T::Native>,
{
    type Argument = T;
    type Value = Float64Type;

    fn format(&self) -> String {
        "sum:float64".to_owned()
    }

    fn data_type(&self) -> DataType {
        DataType::Float64
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: Native<T>) -> Option<f64> {
        Some(put(cell, f64::read(&cell[1..]) + f64::from(argument)))
    }

    fn take_back(&self, cell: &mut [u8], argument: Native<T>) -> Option<()> {
        put(cell, f64::read(&cell[1..]) - f64::from(argument));
        Some(())
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        if let Some(other) = sum::<f64>(other) {
            put(cell, f64::read(&cell[1..]) + other);
        }
        Some(())
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<f64> {
        sum(cell)
    }
}

/// Decimals, summed in 38 digits and with their scale.
#[derive(Debug)]
pub(super) struct DecimalSum {
    /// Digits behind the point.
    pub(super) scale: i8,
}

/// The least number of 39 digits.
const TOO_LARGE: i128 = 10i128.pow(38);

impl Step for DecimalSum {
    type Argument = Decimal128Type;
    type Value = Decimal128Type;

    fn format(&self) -> String {
        format!("sum:decimal({})", self.scale)
    }

    fn data_type(&self) -> DataType {
        DataType::Decimal128(38, self.scale)
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: i128) -> Option<i128> {
        let sum = i128::read(&cell[1..]).checked_add(argument).filter(|sum| -TOO_LARGE < *sum && *sum < TOO_LARGE)?;
        Some(put(cell, sum))
    }

    fn take_back(&self, cell: &mut [u8], argument: i128) -> Option<()> {
        self.add(cell, argument.checked_neg()?).map(|_| ())
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        if let Some(other) = sum::<i128>(other) {
            self.add(cell, other)?;
        }
        Some(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    #[inline(always)]
    fn is_small(&self, argument: i128) -> bool {
        argument.unsigned_abs() < SMALL_DECIMAL
    }

    fn has_room(&self, cell: &[u8]) -> bool {
        i128::read(&cell[1..]).abs() < TOO_LARGE / 10 * 9
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<i128> {
        sum(cell)
    }
}

/// A sum that arguments can be taken back from: behind its `WIDTH` bytes is how many it has, as `i64`. Without any it is null again, whatever floats
/// have left of it.
#[derive(Debug)]
pub(super) struct Counted<S, const WIDTH: usize>(pub(super) S);

impl<S: Step, const WIDTH: usize> Counted<S, WIDTH> {
    /// Counts one more or less; how many there are then.
    fn count(cell: &mut [u8], more: i64) -> i64 {
        let count = i64::read(&cell[WIDTH..]) + more;
        count.write(&mut cell[WIDTH..]);
        count
    }
}

impl<S: Step, const WIDTH: usize> Step for Counted<S, WIDTH> {
    type Argument = S::Argument;
    type Value = S::Value;

    fn format(&self) -> String {
        format!("counted {}", self.0.format())
    }

    fn data_type(&self) -> DataType {
        self.0.data_type()
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: Native<S::Argument>) -> Option<Native<S::Value>> {
        let value = self.0.add(cell, argument)?;
        Self::count(cell, 1);
        Some(value)
    }

    fn retracts(&self) -> bool {
        true
    }

    #[inline(always)]
    fn take_back(&self, cell: &mut [u8], argument: Native<S::Argument>) -> Option<()> {
        self.0.take_back(cell, argument)?;
        if Self::count(cell, -1) == 0 {
            cell.fill(0);
        }
        Some(())
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        self.0.merge(cell, other)?;
        Self::count(cell, i64::read(&other[WIDTH..]));
        Some(())
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<Native<S::Value>> {
        self.0.value(cell)
    }
}
