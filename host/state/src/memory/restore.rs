//! Restores the hot tier from chains of snapshots.

use std::ops::Range;

use wasmill_flow::KeyGroups;
use wasmill_flow::key;

use super::bits::Bits;
use super::cells::Cells;
use super::{MemoryState, SPACE_BYTES};
use crate::contract::{KeyedState, NO_KEY, StateError, StateKind, StateNeed};
use crate::items;
use crate::snapshot::{Change, Item, Snapshot, check_chain};

/// A chain that is being restored.
struct Chain<'a> {
    /// For each state of the snapshot, which of the backend's it is.
    indices: Vec<usize>,
    groups: KeyGroups,
    owned: &'a Range<u32>,
    /// The key groups of the task that made it.
    of: &'a Range<u32>,
    is_base: bool,
    /// The slots that it made.
    made: Bits,
    /// What it has of the task's own states, in states of the same indices.
    of_task: MemoryState,
}

impl MemoryState {
    pub(super) fn restore_chain(
        &mut self,
        chain: &[&[u8]],
        groups: KeyGroups,
        owned: &Range<u32>,
        of: &Range<u32>,
    ) -> Result<(), StateError> {
        let snapshots = chain.iter().map(|bytes| Snapshot::open(bytes)).collect::<Result<Vec<_>, _>>()?;
        check_chain(snapshots.iter().map(|snapshot| (snapshot.epoch(), snapshot.since())))?;
        if self.kept_behind.is_some() {
            snapshots.iter().for_each(|snapshot| self.add_versions(snapshot.states()));
        }
        let of_task = Self::new(self.states.clone());
        let mut chain = Chain { indices: Vec::new(), groups, owned, of, is_base: true, made: Bits::default(), of_task };
        for snapshot in &snapshots {
            chain.indices = match_states(snapshot.states(), &self.states)?;
            chain.is_base = snapshot.since().is_none();
            if chain.is_base {
                self.reserve(snapshot.keys(), owned, of);
            }
            snapshot.for_each(|item| self.take(&mut chain, item))?;
        }
        self.put_of_task(&chain.of_task, owned, of)?;
        self.drop_versions();
        Ok(())
    }

    /// Makes room for the keys that these groups have of so many that others have.
    fn reserve(&mut self, keys: u64, owned: &Range<u32>, of: &Range<u32>) {
        let shared = u64::from(owned.end.min(of.end).saturating_sub(owned.start.max(of.start)));
        let keys = u128::from(keys) * u128::from(shared) / u128::from(of.end.saturating_sub(of.start).max(1));
        let keys = usize::try_from(keys).unwrap_or(0);
        self.slots.reserve(keys);
        self.cells.iter_mut().for_each(|cells| cells.reserve(keys));
    }

    /// Does what a snapshot says.
    fn take(&mut self, chain: &mut Chain<'_>, item: Item<'_, '_>) -> Result<(), StateError> {
        let bytes = match item {
            // Keys that are in no space are all in space 0.
            Item::Space(space) if self.slots.spaced || space == 0 => {
                self.forget_of(space, chain);
                return Ok(());
            }
            Item::Space(space) => {
                return Err(StateError::Damaged(format!("space {space} is forgotten, but keys are in no space")));
            }
            Item::Removal { key, .. } => key,
            Item::Record(record) => record.key,
        };
        let (key, space) = match bytes.split_last_chunk::<SPACE_BYTES>().filter(|_| self.slots.spaced) {
            Some((key, space)) => (key, i64::from_le_bytes(*space)),
            None if self.slots.spaced => return Err(StateError::Damaged(format!("key {bytes:02x?} is in no space"))),
            None => (bytes, 0),
        };
        let hash = key::hash(key);
        let state = if key.is_empty() {
            &mut chain.of_task
        } else if chain.owned.contains(&chain.groups.group(hash)) {
            self
        } else {
            return Ok(());
        };
        let space = if key.is_empty() { 0 } else { space };
        let place = match item {
            Item::Removal { states, .. } => {
                let Some(place) = state.slots.find(key, hash, space) else { return Ok(()) };
                for (bit, &index) in chain.indices.iter().enumerate() {
                    if states[bit / 8] >> (bit % 8) & 1 == 1 {
                        state.cells[index].remove(place);
                    }
                }
                place
            }
            Item::Record(record) => {
                let table = state.slots.table(space);
                let place = state.slots.find_or_make(key, hash, table, &mut state.doubtful);
                if chain.is_base && !key.is_empty() {
                    chain.made.grow(place as usize + 1);
                    let again = state.doubtful.is_empty() && !chain.made.get(place);
                    chain.made.replace(place, true);
                    let set = record.changes.iter().zip(&chain.indices).any(|(change, &index)| {
                        matches!(change, Some(Change::Set(_)))
                            && !state.doubtful.contains(&place)
                            && state.cells[index].is_present(place)
                    });
                    if again || set {
                        return Err(StateError::Damaged(format!("key {key:02x?} comes twice")));
                    }
                }
                state.grow(0);
                state.doubtful.clear();
                for (change, &index) in record.changes.iter().zip(&chain.indices) {
                    if let Some(change) = change {
                        state.cells[index].restore(place, *change)?;
                    }
                }
                place
            }
            Item::Space(_) => return Ok(()),
        };
        if !state.cells.iter().any(|cells| cells.is_present(place)) {
            state.slots.free(place);
        }
        Ok(())
    }

    /// Forgets what a chain has in a space: other tasks' chains may have keys in it that theirs have not forgotten.
    fn forget_of(&mut self, space: i64, chain: &mut Chain<'_>) {
        if space == 0 {
            chain.of_task.forget(0);
        }
        let mut places = std::mem::take(&mut self.places);
        self.slots.places_in(space, &mut places);
        for &place in &places {
            let is_of_task = self.slots.key(place, &mut [0; 16]).is_empty();
            if !is_of_task && chain.of.contains(&chain.groups.group(self.slots.hash(place))) {
                for cells in &mut self.cells {
                    cells.remove(place);
                }
                self.slots.free(place);
            }
        }
        self.places = places;
    }

    /// Keeps what a chain has of the task's own states: of lists the share of a task that owns these groups.
    fn put_of_task(&mut self, found: &Self, owned: &Range<u32>, of: &Range<u32>) -> Result<(), StateError> {
        let hash = key::hash(NO_KEY);
        let Some(found_at) = found.slots.find(NO_KEY, hash, 0) else { return Ok(()) };
        let table = self.slots.table(0);
        let place = self.slots.find_or_make(NO_KEY, hash, table, &mut self.doubtful);
        self.grow(0);
        self.doubtful.clear();
        for (index, (cells, state)) in self.cells.iter_mut().zip(&self.states).enumerate() {
            let Some(stored) = found.cells[index].get(found_at) else { continue };
            match state.kind {
                // All tasks have the same.
                StateKind::Broadcast if cells.is_present(place) => {}
                StateKind::Broadcast => cells.restore(place, Change::Add(&stored))?,
                StateKind::Task => {
                    let share = share(&stored, owned, of)?;
                    if !share.is_empty() {
                        cells.restore(place, Change::Add(&share))?;
                    }
                }
                StateKind::Value | StateKind::List | StateKind::Map => {
                    return Err(StateError::Damaged(format!("state `{}` is of no key", state.name)));
                }
            }
        }
        if !self.cells.iter().any(|cells| cells.is_present(place)) {
            self.slots.free(place);
        }
        Ok(())
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
