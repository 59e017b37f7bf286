//! Values of a plugin that are forgotten when their moment has come.
//!
//! A value begins with its moment. A queue has a moment for each key with a value, or for each entry of its map, which is never later than the value's own; when it has come,
//! the value is looked at: it is taken away, or, where it was written anew since, it waits again. So a write of a key that has a value
//! costs the queue nothing. Items of lists are another matter (`expiry/lists.rs`).

mod lists;

use std::collections::{BTreeMap, BTreeSet};

use wasmill_flow::key::EncodedKeys;
use wasmill_state::items;
use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState, StateKind, StateNeed, StateWrite, Values};
use wasmill_time::TimerQueue;

use crate::bindings::wasmill::plugin::plan::TimeDomain;
use lists::Lists;

/// The values of one state that are forgotten: those of its keys, of the entries of its maps, or the items of its lists.
#[derive(Debug)]
pub(crate) struct Expiry {
    pub domain: TimeDomain,
    state: usize,
    maps: bool,
    lists: Option<Lists>,
    width: Option<u32>,
    /// By keys, or by keys and entries ([`name_of`]).
    queue: TimerQueue,
}

/// What a call writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub values: &'a [StateWrite],
    pub items: &'a [ItemWrite],
}

/// The moments of what a call writes: before it, and after.
type Moments<N> = BTreeMap<N, (Option<i64>, Option<i64>)>;

impl Expiry {
    /// None yet, of the state with this index.
    pub fn new(domain: TimeDomain, state: usize, need: &StateNeed) -> Self {
        let lists = (need.kind == StateKind::List).then(Lists::default);
        Self { domain, state, maps: need.kind == StateKind::Map, lists, width: need.width, queue: TimerQueue::default() }
    }

    /// Finds the moments of what a restored state has; the error says what is wrong with it.
    pub fn restore(&mut self, state: &dyn KeyedState) -> Result<(), String> {
        self.queue.clear();
        self.lists.iter_mut().for_each(Lists::clear);
        let mut broken = None;
        let (maps, lists, queue) = (self.maps, &mut self.lists, &mut self.queue);
        let has_items = maps || lists.is_some();
        let mut add = |name: &[u8], value: &[u8]| match (moment_of(value), &mut *lists) {
            (Some(moment), Some(lists)) => lists.add(name, moment, queue),
            (Some(moment), None) => queue.move_on(name, None, Some(moment)),
            (None, _) => broken = Some(format!("a value of key {name:02x?} has {} bytes, and no moment", value.len())),
        };
        state.for_each_value(self.state, &mut |key, value| {
            if !has_items {
                return add(key, value);
            }
            let items = items::stored(value).unwrap_or_default();
            if !maps {
                return items.iter().for_each(|item| add(key, item));
            }
            items.as_chunks::<2>().0.iter().for_each(|[entry, value]| add(&name_of(key, entry), value));
        });
        broken.map_or(Ok(()), Err)
    }

    /// Notes the moments of what a call writes; before it is applied.
    pub fn note(&mut self, written: Written<'_>, call: &CallKeys, encoded: &EncodedKeys, state: &dyn KeyedState) {
        let name = |key: u32| encoded.get(call.first_row[key as usize] as usize);
        if let Some(lists) = &mut self.lists {
            lists.note(self.state, written, name, &mut self.queue);
        } else if self.maps {
            for ((key, entry), moments) in self.moments_of_entries(written.items, call, state) {
                move_on(&mut self.queue, &name_of(name(key), &entry), moments);
            }
        } else {
            for (key, moments) in self.moments_of_values(written.values, call, state) {
                move_on(&mut self.queue, name(key), moments);
            }
        }
    }

    fn moments_of_values(&self, writes: &[StateWrite], call: &CallKeys, state: &dyn KeyedState) -> Moments<u32> {
        let mut moments = Moments::new();
        let mut before = Values::default();
        for write in writes.iter().filter(|write| write.state == self.state) {
            if moments.is_empty() {
                state.load(self.state, call, &mut before);
            }
            let count = write.keys.as_ref().map_or(call.count(), Vec::len);
            for item in 0..count {
                #[expect(clippy::cast_possible_truncation, reason = "keys of a call are counted in a u32")]
                let key = write.keys.as_ref().map_or(item as u32, |keys| keys[item]);
                let was = || (before.get(key as usize, self.width).and_then(moment_of), None);
                moments.entry(key).or_insert_with(was).1 = write.values.get(item, self.width).and_then(moment_of);
            }
        }
        moments
    }

    fn moments_of_entries(&self, writes: &[ItemWrite], call: &CallKeys, state: &dyn KeyedState) -> Moments<(u32, Vec<u8>)> {
        let mut moments = Moments::new();
        let mut cleared = BTreeSet::new();
        for write in writes.iter().filter(|write| write.state == self.state) {
            match &write.change {
                ItemChange::Put { keys, entries, values } => {
                    let mut before = Vec::with_capacity(keys.len());
                    state.entries(self.state, call, keys, entries, &mut |value| {
                        before.push(value.and_then(moment_of));
                        true
                    });
                    for (item, (&key, entry)) in keys.iter().zip(entries.iter()).enumerate() {
                        let after = values.get(item, None).and_then(moment_of);
                        moments.entry((key, entry.to_vec())).or_insert((before[item], None)).1 = after;
                    }
                }
                ItemChange::ClearMaps(keys) => {
                    for &key in keys {
                        moments.range_mut((key, Vec::new())..(key + 1, Vec::new())).for_each(|(_, (_, after))| *after = None);
                        if !cleared.insert(key) {
                            continue;
                        }
                        state.scan(self.state, call, key, &[], &mut |entry, value| {
                            moments.entry((key, entry.to_vec())).or_insert((moment_of(value), None));
                            true
                        });
                    }
                }
                ItemChange::Append { .. } | ItemChange::ClearLists(_) => {}
            }
        }
        moments
    }

    /// The earliest moment at which something may have to be forgotten.
    pub fn first(&self) -> Option<i64> {
        self.queue.first()
    }

    /// Forgets values whose moments have come, at most `most`, or of `most` lists; whether there may be more.
    pub fn forget(&mut self, moment: i64, most: usize, state: &mut dyn KeyedState) -> bool {
        let due: Vec<(i64, Vec<u8>)> = self.queue.due(moment, most).map(|(at, name)| (at, name.to_vec())).collect();
        if due.is_empty() {
            return false;
        }
        let (mut encoded, mut entries) = (EncodedKeys::default(), Items::default());
        if let Some(lists) = &mut self.lists {
            due.iter().for_each(|(_, key)| encoded.push(key));
            lists.forget(self.state, &encoded, moment, state, &mut self.queue);
            return true;
        }
        for (_, name) in &due {
            let (key, entry) = if self.maps { parts_of(name) } else { (&name[..], &[][..]) };
            encoded.push(key);
            entries.push(entry);
        }
        let mut call = CallKeys::default();
        state.resolve(&encoded, &encoded.hashes(), &mut call);
        let mut values = Values::default();
        if self.maps {
            values = Values::end_to_end();
            state.entries(self.state, &call, &call.row_key, &entries, &mut |value| {
                // Of the value only its moment is needed.
                values.push(value.map(|value| &value[..value.len().min(8)]));
                true
            });
        } else {
            state.load(self.state, &call, &mut values);
        }
        let mut past = Vec::new();
        for (row, (at, name)) in due.iter().enumerate() {
            let place = if self.maps { row } else { call.row_key[row] as usize };
            let until = values.get(place, self.width).and_then(moment_of);
            self.queue.move_on(name, Some(*at), until.filter(|until| *until > moment));
            if until.is_some_and(|until| until <= moment) {
                past.push(row);
            }
        }
        if self.maps {
            let (mut gone, mut nothing) = (Items::default(), Values::end_to_end());
            past.iter().for_each(|&row| {
                gone.push(entries.get(row));
                nothing.push(None);
            });
            let keys = past.iter().map(|&row| call.row_key[row]).collect();
            let change = ItemChange::Put { keys, entries: gone, values: nothing };
            state.apply_items(&call, &[ItemWrite { state: self.state, change }]);
        } else {
            let keys: BTreeSet<u32> = past.iter().map(|&row| call.row_key[row]).collect();
            let values = self.nothing(keys.len());
            state.apply(&call, &[StateWrite { state: self.state, keys: Some(keys.into_iter().collect()), values }]);
        }
        state.finish(&call);
        true
    }

    /// So many values that aren't there.
    fn nothing(&self, count: usize) -> Values {
        let present = vec![0; count.div_ceil(8)];
        match self.width {
            Some(width) => Values { present, offsets: Vec::new(), data: vec![0; count * width as usize] },
            None => Values { present, offsets: vec![0; count + 1], data: Vec::new() },
        }
    }

    /// The memory that the queue takes, in bytes; what is known of lists beside it takes about as much again.
    pub fn bytes(&self) -> usize {
        self.queue.bytes() * if self.lists.is_some() { 2 } else { 1 }
    }
}

/// Has a value that is written, or taken away, wait for its moment.
fn move_on(queue: &mut TimerQueue, name: &[u8], (was, is): (Option<i64>, Option<i64>)) {
    match (was, is) {
        // One that was written anew since waits under an earlier moment; then the queue forgets it when that has come.
        (Some(was), None) => queue.move_on(name, Some(was), None),
        (was, Some(is)) if was.is_none_or(|was| is < was) => queue.move_on(name, None, Some(is)),
        _ => {}
    }
}

/// What the queue calls an entry of a key's map: the key's length in four bytes, the key, the entry.
fn name_of(key: &[u8], entry: &[u8]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "a key is part of a batch, which is far smaller than 4 GiB")]
    let length = (key.len() as u32).to_le_bytes();
    [&length, key, entry].concat()
}

/// The key and the entry of such a name.
fn parts_of(name: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = name.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
    rest.split_at(u32::from_le_bytes(*length) as usize)
}

fn moment_of(value: &[u8]) -> Option<i64> {
    value.first_chunk::<8>().map(|first| i64::from_le_bytes(*first))
}
