//! What an aggregate remembers of a key in a fixed number of bytes, and how a batch of rows changes it.
//!
//! Bytes of zero are an accumulator that has seen nothing. All numbers are little-endian. These bytes are part of the state
//! format: an accumulator whose bytes change gets another [`Accumulator::format`].

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;

/// The accumulators of one aggregate for all keys of a call, among those of the other aggregates.
pub(super) struct Cells<'a> {
    /// The values of all keys, one after the other.
    pub(super) data: &'a mut [u8],
    /// The bytes of one key's value.
    pub(super) stride: usize,
    /// Where in a key's value this accumulator starts.
    pub(super) offset: usize,
}

impl Cells<'_> {
    /// The `WIDTH` bytes of a key.
    #[inline(always)]
    pub(super) fn of<const WIDTH: usize>(&mut self, key: u32) -> &mut [u8] {
        let at = key as usize * self.stride + self.offset;
        &mut self.data[at..at + WIDTH]
    }
}

/// A row would take an accumulator out of its range. What was changed so far is to be thrown away.
#[derive(Debug)]
pub(super) struct Overflow;

/// An aggregate function over arguments of one type.
///
/// # Contract
/// 1. `update` takes the rows in order, and gives for each the value after it: results don't depend on how rows are cut.
/// 2. After [`Overflow`] the cells are undefined: the caller starts again from what it loaded.
pub(super) trait Accumulator: Send + Sync + std::fmt::Debug {
    /// Its bytes.
    fn width(&self) -> usize;

    /// The name of its encoding.
    fn format(&self) -> String;

    /// Takes rows, whose keys are `keys` and whose arguments are `arguments`, and gives the value after each. A row whose argument
    /// is null doesn't count.
    fn update(&self, cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef]) -> Result<ArrayRef, Overflow>;

    /// Whether rows can be taken back.
    fn retracts(&self) -> bool;

    /// The same, but rows of which `back` is true are taken back, as if they had never come; only where it [retracts](Self::retracts).
    fn change(&self, cells: Cells<'_>, keys: &[u32], arguments: &[ArrayRef], back: &BooleanBuffer) -> Result<ArrayRef, Overflow>;

    /// Adds what a cell of other rows has seen.
    fn merge(&self, cell: &mut [u8], other: &[u8]) -> Result<(), Overflow>;

    /// Whether cells of parts of the rows, merged in whatever order, are bit by bit what all rows make.
    fn is_exact(&self) -> bool {
        false
    }

    /// Whether a cell of these rows can be merged into one with [room](Self::has_room) without passing over a row that would overflow.
    fn is_small(&self, arguments: &[ArrayRef]) -> bool {
        let _ = arguments;
        true
    }

    /// Whether a cell, as it is after a merge, was far enough from overflowing all the way.
    fn has_room(&self, cell: &[u8]) -> bool {
        let _ = cell;
        true
    }
}
