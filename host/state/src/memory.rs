//! The hot tier: keyed state in memory.
//!
//! A key has a slot (`slots`); each state keeps a cell for each slot (`cells`). A snapshot under way (`cut`) walks the slots
//! while calls go on, and is handed the old entry of a slot that is written before it got there.

mod bits;
mod cells;
mod cut;
mod packed_key;
mod slots;
mod spaces;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use wasmill_flow::key::{self, EncodedKeys};
use wasmill_flow::{Epoch, KeyGroups};

use self::cells::Cells;
use self::cut::Cut;
use self::slots::Slots;
use crate::contract::{CallKeys, ItemChange, ItemWrite, KeyedState, NO_KEY, StateError, StateKind, StateNeed, StateWrite};
use crate::items::{self, Items};
use crate::snapshot::Snapshot;
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

    /// Adds states for the versions of a snapshot's that aren't the operator's.
    fn add_versions(&mut self, found: &[StateNeed]) {
        for state in found {
            let of_name = |other: &&StateNeed| other.name == state.name && other.kind == state.kind;
            if self.states.iter().any(|other| of_name(&other))
                && !self.states.iter().any(|other| of_name(&other) && other.version == state.version)
            {
                let mut cells = Cells::new(state);
                cells.grow(self.slots.count());
                self.cells.push(cells);
                self.states.push(state.clone());
            }
        }
    }

    /// Lets go of versions that the snapshots only named: nothing of them is left.
    fn drop_versions(&mut self) {
        let own = self.kept_behind.unwrap_or(usize::MAX);
        while self.states.len() > own && self.cells.last().is_some_and(Cells::is_empty) {
            self.states.pop();
            self.cells.pop();
        }
    }

    /// Makes room for the slots that were made since `doubtful` had this length. They are in no snapshot under way.
    fn grow(&mut self, made_from: usize) {
        if self.doubtful.len() == made_from {
            return;
        }
        let count = self.slots.count();
        self.cells.iter_mut().for_each(|cells| cells.grow(count));
        self.cut.exclude(&self.doubtful[made_from..], count);
    }

    /// Keeps what a snapshot has of the task's own states: of lists the share of a task that owns these groups.
    fn put_of_task(
        &mut self,
        indices: &[usize],
        values: &[Option<&[u8]>],
        owned: &Range<u32>,
        of: &Range<u32>,
    ) -> Result<(), StateError> {
        let table = self.slots.table(0);
        let place = self.slots.find_or_make(NO_KEY, key::hash(NO_KEY), table, &mut self.doubtful);
        self.grow(0);
        self.doubtful.clear();
        for (&index, value) in indices.iter().zip(values) {
            match (self.states[index].kind, value) {
                (_, None) => {}
                // All tasks have the same.
                (StateKind::Broadcast, Some(stored)) if !self.cells[index].is_present(place) => {
                    self.cells[index].put(place, stored)?
                }
                (StateKind::Broadcast, Some(_)) => {}
                (StateKind::Task, Some(stored)) => {
                    let mut all = self.cells[index].get(place).map(Cow::into_owned).unwrap_or_default();
                    all.extend(share(stored, owned, of)?);
                    if !all.is_empty() {
                        self.cells[index].remove(place);
                        self.cells[index].put(place, &all)?;
                    }
                }
                (StateKind::Value | StateKind::List | StateKind::Map, Some(_)) => {
                    return Err(StateError::Damaged(format!("state `{}` is of no key", self.states[index].name)));
                }
            }
        }
        if !self.cells.iter().any(|cells| cells.is_present(place)) {
            self.slots.free(place);
        }
        Ok(())
    }

    /// Keeps an entry of a snapshot; its values are those of states `indices`.
    fn put(&mut self, key: &[u8], space: i64, hash: u64, indices: &[usize], values: &[Option<&[u8]>]) -> Result<(), StateError> {
        let table = self.slots.table(space);
        let place = self.slots.find_or_make(key, hash, table, &mut self.doubtful);
        if self.doubtful.is_empty() {
            return Err(StateError::Damaged(format!("key {key:02x?} comes twice")));
        }
        self.grow(0);
        self.doubtful.clear();
        for (&index, value) in indices.iter().zip(values) {
            if let Some(value) = value {
                self.cells[index].put(place, value)?;
            }
        }
        Ok(())
    }
}

/// The items of a task's list that fall to one that owns these groups, where the groups of the task were `of`: each in its turn falls to the next group.
fn share(stored: &[u8], owned: &Range<u32>, of: &Range<u32>) -> Result<Vec<u8>, StateError> {
    let items = items::stored(stored).ok_or_else(|| StateError::Damaged("the list of a task can't be read".to_owned()))?;
    let groups = u64::from(of.end.saturating_sub(of.start)).max(1);
    let mut share = Vec::new();
    for (index, item) in (0_u64..).zip(&items) {
        let group = u64::from(of.start) + index * groups / items.len() as u64;
        if (u64::from(owned.start)..u64::from(owned.end)).contains(&group) {
            items::store(item, &mut share);
        }
    }
    Ok(share)
}

/// For each state of a snapshot, which of the operator's it is. One name may stand for several versions.
fn match_states(found: &[StateNeed], expected: &[StateNeed]) -> Result<Vec<usize>, StateError> {
    let mut indices = Vec::with_capacity(found.len());
    for state in found {
        let of_name = || expected.iter().enumerate().filter(|(_, other)| other.name == state.name);
        let Some((index, other)) = of_name().find(|(_, other)| other.version == state.version).or_else(|| of_name().next())
        else {
            return Err(StateError::Unmatched { state: state.name.clone() });
        };
        if other.kind != state.kind {
            return Err(StateError::Kind { state: state.name.clone(), found: state.kind, expected: other.kind });
        }
        if other.version != state.version {
            return Err(StateError::Version { state: state.name.clone(), found: state.version, expected: other.version });
        }
        if other.width != state.width {
            return Err(StateError::Width { state: state.name.clone(), found: state.width, expected: other.width });
        }
        if indices.contains(&index) {
            return Err(StateError::Damaged(format!("state `{}` comes twice", state.name)));
        }
        indices.push(index);
    }
    Ok(indices)
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
        self.cut.hand_over(&places, &self.slots, &self.cells);
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
            self.cut.hand_over(places, &self.slots, &self.cells);
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
            self.cut.hand_over(&places, &self.slots, &self.cells);
            self.cells[write.state].change(&call.places, &write.change, &mut self.doubtful);
        }
        self.places = places;
    }

    fn append(&mut self, call: &CallKeys, state: usize, more: &Values) {
        self.cut.hand_over(&call.places, &self.slots, &self.cells);
        self.cells[state].extend(&call.places, more);
    }

    fn value_bytes(&self, state: usize, place: u32) -> usize {
        self.cells[state].get(place).map_or(0, |value| value.len())
    }

    fn finish(&mut self, _call: &CallKeys) {
        for place in self.doubtful.drain(..) {
            if !self.cells.iter().any(|cells| cells.is_present(place)) {
                self.slots.free(place);
            }
        }
    }

    fn snapshot(&mut self, epoch: Epoch) {
        self.cut.start(epoch, &self.states, self.slots.count());
    }

    fn snapshot_step(&mut self, keys: usize) -> Option<Vec<u8>> {
        self.cut.step(keys, &self.slots, &self.cells)
    }

    fn restore(&mut self, snapshot: &[u8], groups: KeyGroups, owned: Range<u32>, of: Range<u32>) -> Result<(), StateError> {
        let snapshot = Snapshot::open(snapshot)?;
        if self.kept_behind.is_some() {
            self.add_versions(snapshot.states());
        }
        let indices = match_states(snapshot.states(), &self.states)?;
        let restored = snapshot.for_each(|entry| {
            let (key, space) = match entry.key.split_last_chunk::<SPACE_BYTES>().filter(|_| self.slots.spaced) {
                Some((key, space)) => (key, i64::from_le_bytes(*space)),
                None if self.slots.spaced => {
                    return Err(StateError::Damaged(format!("key {:02x?} is in no space", entry.key)));
                }
                None => (entry.key, 0),
            };
            if key.is_empty() {
                return self.put_of_task(&indices, &entry.values, &owned, &of);
            }
            let hash = key::hash(key);
            if owned.contains(&groups.group(hash)) {
                self.put(key, space, hash, &indices, &entry.values)?;
            }
            Ok(())
        });
        self.drop_versions();
        restored
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
