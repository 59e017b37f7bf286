//! `min(x)` and `max(x)` of numbers, dates and timestamps. Format `min:TYPE` or `max:TYPE`: a byte, 1 once a value was seen, and
//! the value.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::marker::PhantomData;

use arrow_array::types::ArrowPrimitiveType;
use arrow_schema::DataType;
use wasmill_flow::column_type;

use super::fold::{Native, Step};
use super::number::Number;

/// The greatest value of type `T`, or the least.
#[derive(Debug)]
pub(super) struct Extreme<T, const GREATEST: bool> {
    /// The arguments' type and the value's.
    pub(super) data_type: DataType,
    pub(super) of: PhantomData<fn(T)>,
}

impl<T: ArrowPrimitiveType + Debug, const GREATEST: bool> Step for Extreme<T, GREATEST>
where
    T::Native: Number,
{
    type Argument = T;
    type Value = T;

    fn format(&self) -> String {
        format!("{}:{}", if GREATEST { "max" } else { "min" }, column_type::name(&self.data_type))
    }

    fn data_type(&self) -> DataType {
        self.data_type.clone()
    }

    #[inline(always)]
    fn add(&self, cell: &mut [u8], argument: Native<T>) -> Option<Native<T>> {
        let better = if GREATEST { Ordering::Greater } else { Ordering::Less };
        let held = <T::Native as Number>::read(&cell[1..]);
        if cell[0] == 0 || argument.order(held) == better {
            cell[0] = 1;
            argument.write(&mut cell[1..]);
            return Some(argument);
        }
        Some(held)
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()> {
        if other[0] != 0 {
            self.add(cell, <T::Native as Number>::read(&other[1..]))?;
        }
        Some(())
    }

    fn is_exact(&self) -> bool {
        true
    }

    #[inline(always)]
    fn value(&self, cell: &[u8]) -> Option<Native<T>> {
        (cell[0] != 0).then(|| <T::Native as Number>::read(&cell[1..]))
    }
}
