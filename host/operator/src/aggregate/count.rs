//! `count(*)` and `count(x)`. Format `count`: an `i64`.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_buffer::BooleanBuffer;

use super::accumulator::{Accumulator, Cells, Overflow};
use super::number::Number;

/// Counts rows, or the rows whose argument isn't null.
#[derive(Debug)]
pub(super) struct Count;

impl Accumulator for Count {
    fn width(&self) -> usize {
        8
    }

    fn format(&self) -> String {
        "count".to_owned()
    }

    fn update(&self, mut cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef]) -> Result<ArrayRef, Overflow> {
        let mut add = |key: u32, seen: i64| {
            let cell = cells.of::<8>(key);
            let count = i64::read(cell) + seen;
            count.write(cell);
            count
        };
        let counts: Vec<i64> =
            match arguments.first().and_then(|argument| argument.logical_nulls()).filter(|nulls| nulls.null_count() > 0) {
                None => keys.iter().map(|&key| add(key, 1)).collect(),
                Some(nulls) => keys.iter().zip(&nulls).map(|(&key, valid)| add(key, i64::from(valid))).collect(),
            };
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn retracts(&self) -> bool {
        true
    }

    fn change(
        &self,
        mut cells: Cells<'_>,
        keys: &[u32],
        arguments: &[ArrayRef],
        back: &BooleanBuffer,
    ) -> Result<ArrayRef, Overflow> {
        let nulls = arguments.first().and_then(|argument| argument.logical_nulls());
        let after = |(row, (&key, back)): (usize, (&u32, bool))| {
            let cell = cells.of::<8>(key);
            let seen = i64::from(nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
            let count = i64::read(cell) + if back { -seen } else { seen };
            count.write(cell);
            count
        };
        Ok(Arc::new(keys.iter().zip(back).enumerate().map(after).collect::<Int64Array>()))
    }

    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Result<(), Overflow> {
        (i64::read(cell) + i64::read(other)).write(cell);
        Ok(())
    }

    fn is_exact(&self) -> bool {
        true
    }
}
