//! The rows themselves among what a running aggregate keeps: when they come out, move and are too many.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use wasmill_state::{KeyedState, StateWrite, Values};

use super::collected::{Collected, Encoded, NUMBER};
use super::{Emit, RunningAggregate, Updated, damaged};
use crate::contract::OperatorError;

/// With which of a key's rows something comes out, by how many it has with that row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comes {
    WithEach,
    /// Each time that there are so many more.
    Every(u64),
    /// Where there are so many at least.
    From(u64),
}

impl Comes {
    /// Whether it comes with a row with which there are so many.
    pub(crate) fn with(self, rows: u64) -> bool {
        match self {
            Self::WithEach => true,
            Self::Every(every) => rows.is_multiple_of(every),
            Self::From(least) => rows >= least,
        }
    }
}

impl RunningAggregate {
    /// Has the rows of a key come out only with some, where a value comes out with each; with the others none come out. The first of the
    /// aggregates says how many rows a key has.
    pub(crate) fn set_comes(&mut self, comes: Comes) {
        if let Some(collected) = &mut self.collected {
            collected.comes = comes;
        }
    }

    /// How many of the first of some keys come out at once: all of them, unless they have too many rows.
    pub(crate) fn fitting(&self, state: &dyn KeyedState, places: impl ExactSizeIterator<Item = u32>) -> usize {
        if self.collected.is_none() { places.len() } else { Collected::fitting(state, places) }
    }

    /// The rows that the state has at some places, a list for each; nothing where rows aren't kept.
    pub(crate) fn rows_at(&self, state: &dyn KeyedState, places: &[u32]) -> Result<Option<ArrayRef>, OperatorError> {
        let Some(collected) = &self.collected else { return Ok(None) };
        Ok(Some(collected.lists(state, places).ok_or_else(damaged)?.all()))
    }

    /// The rows of several keys one behind the other, of what those have in each state; nothing where rows aren't kept.
    pub(crate) fn rows_together<'a>(&self, all: &'a [Values]) -> Option<&'a [u8]> {
        Some(&all.get(NUMBER).filter(|_| self.collected.is_some())?.data)
    }

    /// What has so many keys forget their rows; nothing where rows aren't kept.
    pub(crate) fn forget_rows(&self, keys: usize) -> Option<StateWrite> {
        self.collected.as_ref()?;
        let values = Values { present: vec![0; keys.div_ceil(8)], offsets: vec![0; keys + 1], data: Vec::new() };
        Some(StateWrite { state: NUMBER, keys: None, values })
    }

    /// Writes what the keys of the call hold, and the rows themselves where they are kept: those that come out are behind the values.
    pub(super) fn written(
        &self,
        mut updated: Updated,
        rows: Option<&Encoded>,
        state: &mut dyn KeyedState,
    ) -> Result<Updated, OperatorError> {
        state.apply(&self.call, std::slice::from_ref(&self.write));
        if let (Some(collected), Some(rows)) = (&self.collected, rows) {
            collected.append(state, &self.call, rows, |row| updated.dead.contains_key(&row));
            if self.emit == Emit::EachRow {
                updated.values.push(self.rows_after_each(state, collected, &updated)?);
            }
        }
        Ok(updated)
    }

    /// The list of each row's key after it, of rows that have just been taken.
    fn rows_after_each(
        &self,
        state: &dyn KeyedState,
        collected: &Collected,
        updated: &Updated,
    ) -> Result<ArrayRef, OperatorError> {
        let alive = self.call.row_key.iter().enumerate().filter(|(row, _)| !updated.dead.contains_key(row));
        let keys: Vec<u32> = alive.map(|(_, &key)| key).collect();
        let counts = updated.values[0].as_primitive::<Int64Type>();
        let wanted = |row: usize| collected.comes.with(counts.value(row).cast_unsigned());
        let (mut numbers, mut places) = (vec![None; self.call.count()], Vec::new());
        for (row, &key) in keys.iter().enumerate() {
            let number = &mut numbers[key as usize];
            if number.is_none() && wanted(row) {
                *number = u32::try_from(places.len()).ok();
                places.push(self.call.places[key as usize]);
            }
        }
        let numbers: Vec<Option<u32>> = keys.iter().map(|&key| numbers[key as usize]).collect();
        Ok(collected.lists(state, &places).ok_or_else(damaged)?.after_each(&numbers, wanted))
    }
}
