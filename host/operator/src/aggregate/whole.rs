//! The rows themselves among what a running aggregate keeps: when they come out, move and are too many.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use wasmill_state::{CallKeys, KeyedState, Values};

use super::collected::{Collected, MOST_BYTES, NUMBER};
use super::{RunningAggregate, Updated, damaged};
use crate::contract::OperatorError;

impl RunningAggregate {
    /// Has rows come out only with those rows with which a key has so many more, where they come out with each; with all of them without a
    /// number. `counts` is which of the aggregates says how many a key has.
    pub(crate) fn set_every(&mut self, counts: usize, rows: Option<u64>) {
        if let Some(collected) = &mut self.collected {
            collected.every = rows.map(|rows| (counts, rows));
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

    /// What is to be written behind the rows of another key, of the rows that the keys of a call have; nothing where rows aren't kept.
    pub(crate) fn rows_to_move(&self, state: &dyn KeyedState, call: &CallKeys) -> Option<Values> {
        self.collected.as_ref()?;
        let mut rows = Values::default();
        state.load(NUMBER, call, &mut rows);
        Some(rows)
    }

    /// Writes rows behind those that the one key of a call has.
    pub(crate) fn move_rows(&self, state: &mut dyn KeyedState, call: &CallKeys, rows: &Values) -> Result<(), OperatorError> {
        let bytes = rows.data.len() + call.places.iter().map(|&place| state.value_bytes(NUMBER, place)).sum::<usize>();
        if bytes > 2 * MOST_BYTES {
            return Err(too_long(bytes));
        }
        state.append(call, NUMBER, rows);
        Ok(())
    }

    /// The list of each row's key after it, of rows that have just been taken.
    pub(super) fn rows_after_each(
        &self,
        state: &dyn KeyedState,
        collected: &Collected,
        updated: &Updated,
    ) -> Result<ArrayRef, OperatorError> {
        let alive = self.call.row_key.iter().enumerate().filter(|(row, _)| !updated.dead.contains_key(row));
        let keys: Vec<u32> = alive.map(|(_, &key)| key).collect();
        let counts = collected.every.map(|(aggregate, rows)| (updated.values[aggregate].as_primitive::<Int64Type>(), rows));
        let wanted = |row: usize| counts.is_none_or(|(counts, rows)| counts.value(row).cast_unsigned().is_multiple_of(rows));
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

/// Why two sessions can't be put together.
fn too_long(bytes: usize) -> OperatorError {
    OperatorError {
        code: "window-too-large",
        message: format!(
            "sessions that come together hold {} MiB of rows, at most {} may be in one",
            bytes >> 20,
            (2 * MOST_BYTES) >> 20
        ),
        row: None,
        hint: Some("a shorter gap, fewer columns that the plugin reads, or an aggregate in its place".to_owned()),
    }
}
