//! Some keys with their hashes, to be looked up.

use arrow_array::{ArrayRef, UInt32Array};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{StateNeed, StateWrite, Values};

/// Some keys and their hashes.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) keys: EncodedKeys,
    pub(super) hashes: Vec<u64>,
}

impl Keys {
    /// Those of a batch's rows, of some columns.
    pub(super) fn of(batch: &Batch, key_by: &[usize]) -> Self {
        let mut keys = EncodedKeys::default();
        keys.encode(&key_by.iter().map(|&column| ArrayRef::clone(batch.rows.column(column))).collect::<Vec<_>>());
        let hashes = batch.hashes.as_ref().map_or_else(|| keys.hashes(), |hashes| hashes.to_vec());
        Self { keys, hashes }
    }

    /// Those of rows that begin with their columns.
    pub(super) fn first(columns: &[ArrayRef]) -> Self {
        let mut keys = EncodedKeys::default();
        keys.encode(columns);
        let hashes = keys.hashes();
        Self { keys, hashes }
    }

    pub(super) fn push(&mut self, key: &[u8], hash: u64) {
        self.keys.push(key);
        self.hashes.push(hash);
    }

    /// Those with these numbers.
    pub(super) fn numbered(&self, numbers: &UInt32Array) -> Self {
        let mut some = Self::default();
        for &number in numbers.values() {
            some.push(self.keys.get(number as usize), self.hashes[number as usize]);
        }
        some
    }

    /// Those that a bit is set for, or that none is set for.
    pub(super) fn only(&self, values: &Values, present: bool) -> Self {
        let mut only = Self::default();
        for (index, &hash) in self.hashes.iter().enumerate().filter(|(index, _)| values.is_present(*index) == present) {
            only.push(self.keys.get(index), hash);
        }
        only
    }
}

/// What removes the values of so many keys from all states.
pub(super) fn removal(states: &[StateNeed], keys: usize) -> Vec<StateWrite> {
    let write = |(state, need): (usize, &StateNeed)| StateWrite { state, keys: None, values: nothing(keys, need.width) };
    states.iter().enumerate().map(write).collect()
}

/// What removes the values of so many keys from a state.
pub(super) fn nothing(keys: usize, width: Option<u32>) -> Values {
    let present = vec![0; keys.div_ceil(8)];
    match width {
        Some(width) => Values { present, offsets: Vec::new(), data: vec![0; keys * width as usize] },
        None => Values { present, offsets: vec![0; keys + 1], data: Vec::new() },
    }
}
