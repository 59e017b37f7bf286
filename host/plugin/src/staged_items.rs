//! What a call changes in lists and maps, and what it finds there meanwhile.
//!
//! Changes are kept in their order, to be applied when the call has succeeded. What a call reads after it has written is looked up among them,
//! by key and entry; that index is made when it is first needed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState};

/// The changes of one call.
#[derive(Debug, Default)]
pub(crate) struct StagedItems {
    writes: Vec<ItemWrite>,
    /// How many of the writes are in `maps` and `lists`.
    known: usize,
    lists: HashMap<(usize, u32), List>,
    maps: HashMap<(usize, u32), Map>,
}

/// What a call makes of a list.
#[derive(Debug, Default)]
struct List {
    /// Nothing of what is stored counts any more.
    cleared: bool,
    added: Items,
}

/// What a call makes of a map.
#[derive(Debug, Default)]
struct Map {
    cleared: bool,
    /// Entries with a new value, or without one now.
    entries: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
}

impl StagedItems {
    /// Adds a change; it has been checked.
    pub fn write(&mut self, state: usize, change: ItemChange) {
        self.writes.push(ItemWrite { state, change });
    }

    /// All changes, in their order.
    pub fn into_writes(self) -> Vec<ItemWrite> {
        self.writes
    }

    /// How many items a key's list has, and its bytes with four for each.
    pub fn list_size(&mut self, stored: &dyn KeyedState, call: &CallKeys, state: usize, key: u32) -> (usize, usize) {
        self.index();
        let (mut items, mut bytes) = (0, 0);
        let list = self.lists.get(&(state, key));
        if list.is_none_or(|list| !list.cleared) {
            (items, bytes) = stored.list_size(state, call, key);
        }
        list.map_or((items, bytes), |list| (items + list.added.len(), bytes + list.added.data.len() + 4 * list.added.len()))
    }

    /// Adds the items of a key's list to `into`.
    pub fn list(&mut self, stored: &dyn KeyedState, call: &CallKeys, state: usize, key: u32, into: &mut Items) {
        self.index();
        let list = self.lists.get(&(state, key));
        if list.is_none_or(|list| !list.cleared) {
            stored.list(state, call, key, into);
        }
        list.iter().flat_map(|list| list.added.iter()).for_each(|item| into.push(item));
    }

    /// Calls `each` with the values of entries of maps, in order, until it returns false.
    pub fn entries(
        &mut self,
        stored: &dyn KeyedState,
        call: &CallKeys,
        state: usize,
        keys: &[u32],
        entries: &Items,
        each: &mut dyn FnMut(Option<&[u8]>) -> bool,
    ) {
        self.index();
        let mut asked = keys.iter().zip(entries.iter());
        stored.entries(state, call, keys, entries, &mut |value| {
            let Some((&key, entry)) = asked.next() else { return false };
            each(match self.maps.get(&(state, key)) {
                Some(Map { entries, .. }) if entries.contains_key(entry) => entries[entry].as_deref(),
                Some(Map { cleared: true, .. }) => None,
                _ => value,
            })
        });
    }

    /// Calls `each` with the entries of a key's map from `start` on, until it returns false.
    pub fn scan(
        &mut self,
        stored: &dyn KeyedState,
        call: &CallKeys,
        state: usize,
        key: u32,
        start: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) {
        self.index();
        let Some(map) = self.maps.get(&(state, key)) else { return stored.scan(state, call, key, start, each) };
        let mut staged = map.entries.range::<[u8], _>((Bound::Included(start), Bound::Unbounded)).peekable();
        let mut more = true;
        if !map.cleared {
            stored.scan(state, call, key, start, &mut |entry, value| {
                while let Some((other, staged)) = staged.next_if(|(other, _)| other.as_ref() < entry) {
                    more = more && staged.as_ref().is_none_or(|value| each(other, value));
                }
                more = more
                    && match staged.next_if(|(other, _)| other.as_ref() == entry) {
                        Some((_, Some(value))) => each(entry, value),
                        Some((_, None)) => true,
                        None => each(entry, value),
                    };
                more
            });
        }
        for (entry, value) in staged {
            more = more && value.as_ref().is_none_or(|value| each(entry, value));
        }
    }

    /// Takes the writes since it was last called into the index.
    fn index(&mut self) {
        for write in &self.writes[self.known..] {
            match &write.change {
                ItemChange::Append { keys, items } => {
                    for (&key, item) in keys.iter().zip(items.iter()) {
                        self.lists.entry((write.state, key)).or_default().added.push(item);
                    }
                }
                ItemChange::ClearLists(keys) => {
                    let cleared = |&key| ((write.state, key), List { cleared: true, ..List::default() });
                    self.lists.extend(keys.iter().map(cleared));
                }
                ItemChange::Put { keys, entries, values } => {
                    for (index, (&key, entry)) in keys.iter().zip(entries.iter()).enumerate() {
                        let map = self.maps.entry((write.state, key)).or_default();
                        map.entries.insert(entry.into(), values.get(index, None).map(Into::into));
                    }
                }
                ItemChange::ClearMaps(keys) => {
                    let cleared = |&key| ((write.state, key), Map { cleared: true, ..Map::default() });
                    self.maps.extend(keys.iter().map(cleared));
                }
            }
        }
        self.known = self.writes.len();
    }
}
