//! `var_pop`, `var_samp`, `stddev_pop` and `stddev_samp`. Format `spread`: how many there were as `i64`, their mean and the sum of
//! their squared distances from it, both as `f64`, kept by Welford's method, which stays exact where sums of squares don't.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array};
use arrow_buffer::BooleanBuffer;

use super::accumulator::{Accumulator, Cells, Overflow};
use super::number::Number;

/// A measure of the spread of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    /// Of a sample: divided by one less than there are.
    pub(super) sample: bool,
    /// The root of the variance.
    pub(super) root: bool,
}

impl Spread {
    fn add(cell: &mut [u8], argument: f64) {
        let (count, mean, squares) = (i64::read(cell) + 1, f64::read(&cell[8..]), f64::read(&cell[16..]));
        let moved = mean + (argument - mean) / float(count);
        count.write(cell);
        moved.write(&mut cell[8..]);
        (squares + (argument - mean) * (argument - moved)).write(&mut cell[16..]);
    }

    /// What [`Self::add`] does, undone.
    fn take_back(cell: &mut [u8], argument: f64) {
        let (count, mean, squares) = (i64::read(cell) - 1, f64::read(&cell[8..]), f64::read(&cell[16..]));
        if count <= 0 {
            return cell[..24].fill(0);
        }
        let before = mean - (argument - mean) / float(count);
        count.write(cell);
        before.write(&mut cell[8..]);
        (squares - (argument - before) * (argument - mean)).max(0.0).write(&mut cell[16..]);
    }

    fn value(self, cell: &[u8]) -> Option<f64> {
        let of = i64::read(cell) - i64::from(self.sample);
        let variance = (of > 0).then(|| f64::read(&cell[16..]) / float(of))?;
        Some(if self.root { variance.sqrt() } else { variance })
    }
}

/// A count as a float.
pub(super) fn float(count: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 can't be reached")]
    let float = count as f64;
    float
}

impl Accumulator for Spread {
    fn width(&self) -> usize {
        24
    }

    fn format(&self) -> String {
        "spread".to_owned()
    }

    fn update(&self, mut cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef]) -> Result<ArrayRef, Overflow> {
        let after = |(&key, argument): (&u32, Option<f64>)| {
            let cell = cells.of::<24>(key);
            if let Some(argument) = argument {
                Self::add(cell, argument);
            }
            self.value(cell)
        };
        let arguments = arguments[0].as_primitive::<Float64Type>();
        Ok(Arc::new(keys.iter().zip(arguments).map(after).collect::<Float64Array>()))
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
        let after = |((&key, argument), back): ((&u32, Option<f64>), bool)| {
            let cell = cells.of::<24>(key);
            match argument {
                Some(argument) if back => Self::take_back(cell, argument),
                Some(argument) => Self::add(cell, argument),
                None => {}
            }
            self.value(cell)
        };
        let arguments = arguments[0].as_primitive::<Float64Type>();
        Ok(Arc::new(keys.iter().zip(arguments).zip(back).map(after).collect::<Float64Array>()))
    }

    /// By Chan, Golub and LeVeque (1979).
    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Result<(), Overflow> {
        let read = |cell: &[u8]| (i64::read(cell), f64::read(&cell[8..]), f64::read(&cell[16..]));
        let ((own, mean, squares), (others, their_mean, their_squares)) = (read(cell), read(other));
        if others > 0 {
            let (all, apart) = (own + others, their_mean - mean);
            all.write(cell);
            (mean + apart * float(others) / float(all)).write(&mut cell[8..]);
            (squares + their_squares + apart * apart * float(own) * float(others) / float(all)).write(&mut cell[16..]);
        }
        Ok(())
    }
}
