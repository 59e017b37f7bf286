//! Rows of a batch in rounds, where a key's window ends after so many rows: in a round no key has more than its window has room for.

use std::ops::Range;

use arrow_array::UInt32Array;
use wasmill_flow::Batch;
use wasmill_state::{CallKeys, KeyedState, Values};

use super::keys::Keys;
use super::trigger::counted;

/// The rows of a batch that are left, by key and space.
#[derive(Debug)]
pub(super) struct Rounds {
    /// How many rows a window has.
    rows: u64,
    /// The numbers of all rows, key by key.
    by_key: Vec<u32>,
    /// The keys that have rows left, and which of the numbers those are.
    keys: Keys,
    spaces: Vec<i64>,
    left: Vec<Range<usize>>,
}

impl Rounds {
    /// Of the rows of a batch with the key of some columns; each is in its space where there are spaces.
    pub(super) fn new(
        rows: u64,
        batch: &Batch,
        key_by: &[usize],
        spaces: Option<&[i64]>,
        state: &mut dyn KeyedState,
        call: &mut CallKeys,
    ) -> Self {
        let all = Keys::of(batch, key_by);
        resolve(&all, spaces, state, call);
        let mut left = vec![0..0; call.count()];
        call.row_key.iter().for_each(|&key| left[key as usize].end += 1);
        let mut end = 0;
        for range in &mut left {
            (range.start, end) = (end, end + range.end);
            range.end = range.start;
        }
        let mut by_key = vec![0; batch.len()];
        for (row, &key) in (0_u32..).zip(&call.row_key) {
            let range = &mut left[key as usize];
            by_key[range.end] = row;
            range.end += 1;
        }
        let mut keys = Keys::default();
        for &row in &call.first_row {
            keys.push(all.keys.get(row as usize), all.hashes[row as usize]);
        }
        let spaces = spaces.map_or_else(Vec::new, |spaces| call.first_row.iter().map(|&row| spaces[row as usize]).collect());
        state.finish(call);
        Self { rows, by_key, keys, spaces, left }
    }

    /// The rows of the next round, in their order; nothing where none is left.
    pub(super) fn next(&mut self, state: &mut dyn KeyedState, call: &mut CallKeys) -> Option<UInt32Array> {
        if self.left.is_empty() {
            return None;
        }
        let mut values = Values::default();
        resolve(&self.keys, (!self.spaces.is_empty()).then_some(&self.spaces), state, call);
        state.load(0, call, &mut values);
        state.finish(call);
        let width = state.states()[0].width;
        let mut now = Vec::new();
        for (key, left) in self.left.iter_mut().enumerate() {
            let held = values.get(key, width).and_then(counted).unwrap_or(0);
            let room = usize::try_from(self.rows.saturating_sub(held).max(1)).unwrap_or(usize::MAX);
            let end = left.start.saturating_add(room).min(left.end);
            now.extend_from_slice(&self.by_key[left.start..end]);
            left.start = end;
        }
        now.sort_unstable();
        let some: Vec<bool> = self.left.iter().map(|left| !left.is_empty()).collect();
        if some.contains(&false) {
            let of = |some: &[bool]| UInt32Array::from_iter_values((0..).zip(some).filter_map(|(key, some)| some.then_some(key)));
            self.keys = self.keys.numbered(&of(&some));
            let mut each = some.iter();
            self.spaces.retain(|_| each.next() == Some(&true));
            self.left.retain(|left| !left.is_empty());
        }
        Some(now.into())
    }
}

/// Looks some keys up, each in its space where there are spaces.
fn resolve(of: &Keys, spaces: Option<&[i64]>, state: &mut dyn KeyedState, call: &mut CallKeys) {
    match spaces {
        Some(spaces) => state.resolve_in(&of.keys, &of.hashes, spaces, call),
        None => state.resolve(&of.keys, &of.hashes, call),
    }
}

#[cfg(test)]
mod tests {
    use wasmill_state::StateNeed;
    use wasmill_state::memory::MemoryState;

    use super::*;
    use crate::testing::{batch_of, ints, schema_of};

    #[test]
    fn a_round_takes_what_windows_have_room_for_and_looks_at_no_key_without_rows_left() {
        let mut state = MemoryState::new(vec![StateNeed::values("n", 1, Some(8))]);
        let mut call = CallKeys::default();
        let keys = [1, 2, 1, 1, 3, 2, 1, 1];
        let batch = batch_of(&schema_of(&[("key", "int64")]), vec![ints(keys.map(Some))]);
        let mut rounds = Rounds::new(2, &batch, &[0], None, &mut state, &mut call);
        let mut taken = Vec::new();
        loop {
            let looked_at = rounds.keys.hashes.len();
            let Some(rows) = rounds.next(&mut state, &mut call) else { break };
            taken.push((looked_at, rows.values().to_vec()));
        }
        assert_eq!(taken, [(3, vec![0, 1, 2, 4, 5]), (1, vec![3, 6]), (1, vec![7])]);
    }

    #[test]
    fn a_batch_of_one_key_is_gone_through_once_and_not_once_for_each_row() {
        let mut state = MemoryState::new(vec![StateNeed::values("n", 1, Some(8))]);
        let mut call = CallKeys::default();
        let batch = batch_of(&schema_of(&[("key", "int64")]), vec![ints(vec![Some(7); 1_024])]);
        let mut rounds = Rounds::new(1, &batch, &[0], None, &mut state, &mut call);
        let mut looked_at = 0;
        while let Some(rows) = rounds.next(&mut state, &mut call) {
            looked_at += rows.len().max(call.count());
        }
        assert_eq!(looked_at, 1_024);
    }
}
