//! Accumulators of numbers: the one loop over rows, and what is done with each value in it.

use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, NullBufferBuilder};
use arrow_schema::DataType;

use super::accumulator::{Accumulator, Cells, Overflow};

/// What is done with a value: the inside of the loop.
pub(super) trait Step: Send + Sync + Debug {
    /// The type of arguments.
    type Argument: ArrowPrimitiveType;
    /// The type of values.
    type Value: ArrowPrimitiveType;

    /// The name of the encoding.
    fn format(&self) -> String;

    /// The type of values, with what the Rust type leaves open.
    fn data_type(&self) -> DataType;

    /// Takes an argument and gives the value after it; nothing where that is out of range.
    fn add(&self, cell: &mut [u8], argument: Native<Self::Argument>) -> Option<Native<Self::Value>>;

    /// As [`Accumulator::retracts`].
    fn retracts(&self) -> bool {
        false
    }

    /// Takes an argument back that was added; nothing where that is out of range, or where it doesn't [retract](Self::retracts).
    fn take_back(&self, cell: &mut [u8], argument: Native<Self::Argument>) -> Option<()> {
        let _ = (cell, argument);
        None
    }

    /// Adds what a cell of other rows has seen; nothing where that is out of range.
    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Option<()>;

    /// The value, where anything was seen.
    fn value(&self, cell: &[u8]) -> Option<Native<Self::Value>>;

    /// As [`Accumulator::is_exact`].
    fn is_exact(&self) -> bool {
        false
    }

    /// As [`Accumulator::is_small`], of one argument.
    fn is_small(&self, argument: Native<Self::Argument>) -> bool {
        let _ = argument;
        true
    }

    /// As [`Accumulator::has_room`].
    fn has_room(&self, cell: &[u8]) -> bool {
        let _ = cell;
        true
    }
}

/// A value of an Arrow type as Rust has it.
pub(super) type Native<T> = <T as ArrowPrimitiveType>::Native;

/// A step over `WIDTH` bytes as an accumulator.
#[derive(Debug)]
pub(super) struct Fold<S, const WIDTH: usize>(pub(super) S);

impl<S: Step, const WIDTH: usize> Accumulator for Fold<S, WIDTH> {
    fn width(&self) -> usize {
        WIDTH
    }

    fn format(&self) -> String {
        self.0.format()
    }

    fn update(&self, mut cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef]) -> Result<ArrayRef, Overflow> {
        let argument = arguments.first().ok_or(Overflow)?.as_primitive::<S::Argument>();
        let rows = keys.iter().zip(argument.values());
        let mut overflow = false;
        let mut add = |cells: &mut Cells<'_>, key: u32, argument| {
            let value = self.0.add(cells.of::<WIDTH>(key), argument);
            overflow |= value.is_none();
            value.unwrap_or_default()
        };
        let (values, nulls) = match argument.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => (rows.map(|(&key, &argument)| add(&mut cells, key, argument)).collect::<Vec<_>>(), None),
            Some(nulls) => {
                let mut seen = NullBufferBuilder::new(keys.len());
                let next = |((&key, &argument), valid): ((&u32, &Native<S::Argument>), bool)| {
                    let value = if valid { Some(add(&mut cells, key, argument)) } else { self.0.value(cells.of::<WIDTH>(key)) };
                    seen.append(value.is_some());
                    value.unwrap_or_default()
                };
                (rows.zip(nulls).map(next).collect(), seen.finish())
            }
        };
        if overflow {
            return Err(Overflow);
        }
        Ok(Arc::new(PrimitiveArray::<S::Value>::new(values.into(), nulls).with_data_type(self.0.data_type())))
    }

    fn retracts(&self) -> bool {
        self.0.retracts()
    }

    fn change(
        &self,
        mut cells: Cells<'_>,
        keys: &[u32],
        arguments: &[ArrayRef],
        back: &BooleanBuffer,
    ) -> Result<ArrayRef, Overflow> {
        let arguments = arguments.first().ok_or(Overflow)?.as_primitive::<S::Argument>();
        let mut overflow = false;
        let mut after = |key: u32, argument: Option<Native<S::Argument>>, back: bool| {
            let cell = cells.of::<WIDTH>(key);
            if let Some(argument) = argument {
                let done = if back { self.0.take_back(cell, argument) } else { self.0.add(cell, argument).map(|_| ()) };
                overflow |= done.is_none();
            }
            self.0.value(cell)
        };
        let rows = keys.iter().zip(arguments).zip(back);
        let values: PrimitiveArray<S::Value> = rows.map(|((&key, argument), back)| after(key, argument, back)).collect();
        if overflow { Err(Overflow) } else { Ok(Arc::new(values.with_data_type(self.0.data_type()))) }
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Result<(), Overflow> {
        self.0.merge(cell, other).ok_or(Overflow)
    }

    fn is_exact(&self) -> bool {
        self.0.is_exact()
    }

    fn is_small(&self, arguments: &[ArrayRef]) -> bool {
        let small = |argument: &ArrayRef| {
            // What lies under a null may be anything, and is asked too: a batch that is taken for large only isn't combined.
            argument.as_primitive::<S::Argument>().values().iter().all(|&argument| self.0.is_small(argument))
        };
        arguments.first().is_none_or(small)
    }

    fn has_room(&self, cell: &[u8]) -> bool {
        self.0.has_room(cell)
    }
}
