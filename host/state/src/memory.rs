//! The hot tier: keyed state in memory.
//!
//! A key has a slot (`slots`); each state keeps a cell for each slot (`cells`), and notes what changes (`changes`). A snapshot under way (`cut`) walks
//! the slots while calls go on, and is handed what was in a cell that is written before it got there.

mod bits;
mod cells;
mod changes;
mod cut;
mod packed_key;
mod restore;
mod slots;
mod spaces;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups};

use self::cells::Cells;
use self::cut::Cut;
use self::slots::Slots;
use crate::contract::{CallKeys, ItemChange, ItemWrite, KeyedState, SnapshotKind, StateError, StateNeed, StateWrite};
use crate::items::Items;
use crate::values::Values;

/// The bytes of a space behind a key: its number, little-endian.
pub const SPACE_BYTES: usize = 8;

/// Keyed state in memory, of one task.
#[derive(Debug)]
pub struct MemoryState {
    states: Vec<StateNeed>,
    /// How many states are the operator's, where others of their versions are kept behind them when they are restored.
    kept_behind: Option<usize>,
    slots: Slots,
    cells: Vec<Cells>,
    /// Slots that may be without any value when the call under way is finished: made by it, or with a value removed.
    doubtful: Vec<u32>,
    cut: Cut,
    /// Used by `apply`, kept for its memory.
    places: Vec<u32>,
}

impl MemoryState {
    /// Empty state.
    #[must_use]
    pub fn new(states: Vec<StateNeed>) -> Self {
        let cells = states.iter().map(Cells::new).collect();
        Self {
            states,
            kept_behind: None,
            slots: Slots::default(),
            cells,
            doubtful: Vec::new(),
            cut: Cut::default(),
            places: Vec::new(),
        }
    }

    /// The same for keys in spaces. Where keys are bytes, as in snapshots, a key's space stands behind it in [`SPACE_BYTES`].
    #[must_use]
    pub fn in_spaces(states: Vec<StateNeed>) -> Self {
        Self { slots: Slots::in_spaces(), ..Self::new(states) }
    }

    /// The same, where a restored snapshot may have other versions of the states: each is a state of its own then, behind the operator's, for the
    /// operator to migrate.
    #[must_use]
    pub fn keeping_versions(mut self) -> Self {
        self.kept_behind = Some(self.states.len());
        self
    }

    /// Makes room for the slots that were made since `doubtful` had this length.
    fn grow(&mut self, made_from: usize) {
        if self.doubtful.len() == made_from {
            return;
        }
        let count = self.slots.count();
        self.cells.iter_mut().for_each(|cells| cells.grow(count));
        self.cut.made(&self.doubtful[made_from..], count);
    }
}

impl KeyedState for MemoryState {
    fn states(&self) -> &[StateNeed] {
        &self.states
    }

    fn resolve(&mut self, keys: &EncodedKeys, hashes: &[u64], call: &mut CallKeys) {
        let made_from = self.doubtful.len();
        self.slots.resolve(keys, hashes, None, call, &mut self.doubtful);
        self.grow(made_from);
    }

    fn resolve_in(&mut self, keys: &EncodedKeys, hashes: &[u64], spaces: &[i64], call: &mut CallKeys) {
        let made_from = self.doubtful.len();
        self.slots.resolve(keys, hashes, Some(spaces), call, &mut self.doubtful);
        self.grow(made_from);
    }

    fn resolve_all(&mut self, space: i64, keys: &mut EncodedKeys, hashes: &mut Vec<u64>, call: &mut CallKeys) {
        self.slots.places_in(space, &mut call.places);
        call.row_key.clear();
        call.first_row.clear();
        hashes.clear();
        keys.clear();
        for &place in &call.places {
            keys.push(self.slots.key(place, &mut [0; 16]));
            hashes.push(self.slots.hash(place));
        }
    }

    fn forget(&mut self, space: i64) {
        let mut places = std::mem::take(&mut self.places);
        self.slots.places_in(space, &mut places);
        self.cut.before_forgetting(space, &places, &self.slots, &mut self.cells);
        for cells in &mut self.cells {
            for &place in &places {
                cells.remove(place);
            }
        }
        self.slots.forget(space, &places);
        self.places = places;
    }

    fn space_from(&self, least: i64) -> Option<i64> {
        self.slots.space_from(least)
    }

    fn load(&self, state: usize, call: &CallKeys, into: &mut Values) {
        self.cells[state].load(&call.places, self.slots.count(), into);
    }

    fn apply(&mut self, call: &CallKeys, writes: &[StateWrite]) {
        let slots = self.slots.count();
        let mut chosen = std::mem::take(&mut self.places);
        for write in writes {
            let places = match &write.keys {
                None => &call.places,
                Some(keys) => {
                    chosen.clear();
                    chosen.extend(keys.iter().map(|&key| call.places[key as usize]));
                    &chosen
                }
            };
            self.cut.before_write(write.state, places, &self.slots, &mut self.cells);
            self.cells[write.state].store(places, slots, &write.values, &mut self.doubtful);
        }
        self.places = chosen;
    }

    fn list_size(&self, state: usize, call: &CallKeys, key: u32) -> (usize, usize) {
        self.cells[state].lists().size(call.places[key as usize])
    }

    fn list(&self, state: usize, call: &CallKeys, key: u32, into: &mut Items) {
        self.cells[state].lists().list(call.places[key as usize], into);
    }

    fn entries(&self, state: usize, call: &CallKeys, keys: &[u32], entries: &Items, each: &mut dyn FnMut(Option<&[u8]>) -> bool) {
        let maps = self.cells[state].maps();
        let _ = keys.iter().zip(entries.iter()).all(|(&key, entry)| each(maps.get(call.places[key as usize], entry)));
    }

    fn scan(&self, state: usize, call: &CallKeys, key: u32, start: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        self.cells[state].maps().scan(call.places[key as usize], start, each);
    }

    fn apply_items(&mut self, call: &CallKeys, writes: &[ItemWrite]) {
        let mut places = std::mem::take(&mut self.places);
        for write in writes {
            let (ItemChange::Append { keys, .. }
            | ItemChange::Put { keys, .. }
            | ItemChange::ClearLists(keys)
            | ItemChange::ClearMaps(keys)) = &write.change;
            places.clear();
            places.extend(keys.iter().map(|&key| call.places[key as usize]));
            let (state, cut, cells) = (write.state, &mut self.cut, &mut self.cells);
            match &write.change {
                ItemChange::Append { .. } => cut.before_items(state, &places, cells),
                ItemChange::Put { entries, .. } => cut.before_entries(state, &places, entries, &self.slots, cells),
                ItemChange::ClearLists(_) | ItemChange::ClearMaps(_) => cut.before_clear(state, &places, &self.slots, cells),
            }
            self.cells[write.state].change(&call.places, &write.change, &mut self.doubtful);
        }
        self.places = places;
    }

    fn append(&mut self, call: &CallKeys, state: usize, more: &Values) {
        for (index, &place) in call.places.iter().enumerate() {
            if more.is_present(index) {
                self.cut.before_append(state, place, &self.slots, &mut self.cells);
            }
        }
        self.cells[state].extend(&call.places, more);
    }

    fn value_bytes(&self, state: usize, place: u32) -> usize {
        self.cells[state].get(place).map_or(0, |value| value.len())
    }

    fn finish(&mut self, _call: &CallKeys) {
        for place in self.doubtful.drain(..) {
            if !self.cells.iter().any(|cells| cells.is_present(place)) {
                self.cut.before_removal(place, &self.slots, &mut self.cells);
                self.slots.free(place);
            }
        }
    }

    fn snapshot(&mut self, epoch: Epoch, kind: SnapshotKind) -> Option<Epoch> {
        self.cut.start(epoch, kind, &self.states, &self.slots, &mut self.cells)
    }

    fn abandon_snapshot(&mut self) {
        self.cut.abandon();
    }

    fn confirm_snapshot(&mut self, epoch: Epoch) {
        self.cut.confirm(epoch, &mut self.cells);
    }

    fn snapshot_step(&mut self, keys: usize) -> Option<Vec<u8>> {
        self.cut.step(keys, &self.slots, &self.cells)
    }

    fn reuse(&mut self, memory: Vec<u8>) {
        self.cut.reuse(memory);
    }

    fn restore(&mut self, chain: &[&[u8]], groups: KeyGroups, owned: Range<u32>, of: Range<u32>) -> Result<(), StateError> {
        self.restore_chain(chain, groups, &owned, &of)
    }

    fn keys(&self) -> usize {
        if self.doubtful.is_empty() {
            return self.slots.used();
        }
        let live = |word| self.cells.iter().fold(0, |live, cells| live | cells.present_word(word));
        (0..self.slots.count().div_ceil(64)).map(|word| live(word).count_ones() as usize).sum()
    }

    fn for_each_value(&self, state: usize, each: &mut dyn FnMut(&[u8], &[u8])) {
        for place in self.slots.places() {
            if let Some(value) = self.cells[state].get(place) {
                each(self.slots.key(place, &mut [0; 16]), &value);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.slots.held() + self.cells.iter().map(Cells::held).sum::<usize>() + self.cut.held() + self.doubtful.capacity() * 4
    }

    fn growth(&self, keys: usize) -> usize {
        // They grow one after the other, and each gives back what it had.
        self.cells.iter().map(|cells| cells.growth(keys)).fold(self.slots.growth(keys), usize::max)
    }

    fn dump(&self) -> BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>> {
        let mut dump = BTreeMap::new();
        for place in self.slots.places() {
            let values: Vec<_> = self.cells.iter().map(|cells| cells.get(place).map(Cow::into_owned)).collect();
            if values.iter().any(Option::is_some) {
                let mut key = Vec::new();
                self.slots.append_key(place, &mut key);
                dump.insert(key, values);
            }
        }
        dump
    }
}
