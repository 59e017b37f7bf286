//! Which slot a key has: the index of the hot tier.
//!
//! A key's slot is found through a table of slot numbers, in one probe; the slot holds the key, its hash, and the number that the
//! key has in the call under way, so that the distinct keys of a batch fall out of the same probe.
//!
//! **Hash bits.** A task owns the keys of a range of key groups, and a group is `hash mod groups`: with 128 groups over two tasks all
//! keys of a task share bit 6 of their hashes. A table that takes its position from the low bits, as `hashbrown` does, would leave
//! half of its positions empty and crowd the others. So the table sees the hash rotated by half: its position comes from bits 32
//! and up, its tag from bits 25 to 31.
//!
//! **Call marks.** A slot is in the call under way where its mark is the call's. Calls are counted in 32 bits; where the count wraps
//! around to 0, which no call has, all marks are set to 0 and the count goes on at 1. That is one pass over the slots in 4 billion
//! calls.

use wasmill_flow::key::EncodedKeys;

use super::packed_key::{LongKeys, PackedKey};
use super::spaces::Spaces;
use crate::contract::CallKeys;

/// What is known of a key beside its values: 32 bytes, two to a cache line.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u64,
    /// The call that the key was last in.
    mark: u32,
    /// Its number in that call.
    number: u32,
    key: PackedKey,
}

const _: () = assert!(size_of::<Slot>() == 32);

/// The slots of one task.
#[derive(Debug, Default)]
pub struct Slots {
    /// Keys are in spaces; otherwise they are all in space 0, which stays when it has none.
    pub spaced: bool,
    spaces: Spaces,
    slots: Vec<Slot>,
    /// The table that each slot is in; nothing of those at the end that are in table 0.
    tables: Vec<u32>,
    long_keys: LongKeys,
    free: Vec<u32>,
    call: u32,
    /// The table of each row, used by `resolve`, kept for its memory.
    row_tables: Vec<u32>,
}

/// Numbers the distinct keys of a call.
struct Numbering<'a> {
    mark: u32,
    count: usize,
    first_row: &'a mut [u32],
    places: &'a mut [u32],
}

impl Numbering<'_> {
    /// The number of a row's key. Without a branch: whether a key is new in its batch can't be predicted.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 4 billion rows")]
    fn number(&mut self, slot: &mut Slot, place: u32, row: usize) -> u32 {
        let new = slot.mark != self.mark;
        let number = if new { self.count as u32 } else { slot.number };
        slot.mark = self.mark;
        slot.number = number;
        self.first_row[self.count] = row as u32;
        self.places[self.count] = place;
        self.count += usize::from(new);
        number
    }
}

/// What the table sees of a hash.
#[inline]
fn position(hash: u64) -> u64 {
    hash.rotate_right(32)
}

impl Slots {
    /// No keys; those that come will be in spaces.
    pub fn in_spaces() -> Self {
        Self { spaced: true, ..Self::default() }
    }

    /// How many slots there are, used and free: all numbers are below it.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// How many keys have a slot.
    pub fn used(&self) -> usize {
        self.spaces.keys()
    }

    /// Finds or makes the slots of some keys, all in space 0 or each in its own, and numbers the distinct ones. Slots made are added to
    /// `made`.
    pub fn resolve(
        &mut self,
        keys: &EncodedKeys,
        hashes: &[u64],
        spaces: Option<&[i64]>,
        call: &mut CallKeys,
        made: &mut Vec<u32>,
    ) {
        let hashes = &hashes[..keys.len()];
        if hashes.is_empty() {
            // A space is there as long as it has keys.
            *call = CallKeys::default();
            return;
        }
        let mut last = (0, self.spaces.find_or_make(spaces.and_then(|spaces| spaces.first().copied()).unwrap_or(0)));
        let Some(spaces) = spaces.filter(|spaces| spaces.iter().any(|space| *space != spaces[0])) else {
            return self.resolve_by(keys, hashes, |_| last.1, call, made);
        };
        last.0 = spaces[0];
        let mut tables = std::mem::take(&mut self.row_tables);
        tables.clear();
        tables.extend(spaces.iter().map(|&space| {
            if space != last.0 {
                last = (space, self.spaces.find_or_make(space));
            }
            last.1
        }));
        self.resolve_by(keys, hashes, |row| tables[row], call, made);
        self.row_tables = tables;
    }

    #[inline]
    fn resolve_by(
        &mut self,
        keys: &EncodedKeys,
        hashes: &[u64],
        table: impl Fn(usize) -> u32,
        call: &mut CallKeys,
        made: &mut Vec<u32>,
    ) {
        call.first_row.resize(hashes.len(), 0);
        call.places.resize(hashes.len(), 0);
        let mut numbering =
            Numbering { mark: self.next_call(), count: 0, first_row: &mut call.first_row, places: &mut call.places };
        // What the table has at each key's position is most often the key's slot. Taking it on trust first, without a look at the slot,
        // makes both loops short, and their cache misses overlap.
        call.row_key.clear();
        call.row_key.extend(
            hashes.iter().enumerate().map(|(row, &hash)| {
                self.spaces.table(table(row)).slots.find(position(hash), |_| true).copied().unwrap_or(u32::MAX)
            }),
        );
        let mut row = 0;
        loop {
            row = self.number_guessed(keys, row, &mut call.row_key, &mut numbering);
            if row == hashes.len() {
                break;
            }
            let place = self.find_or_make(keys.get(row), hashes[row], table(row), made);
            call.row_key[row] = numbering.number(&mut self.slots[place as usize], place, row);
            row += 1;
        }
        let count = numbering.count;
        call.first_row.truncate(count);
        call.places.truncate(count);
    }

    /// Numbers the keys of rows from `first` on whose guessed slot is theirs; the first row whose isn't.
    fn number_guessed(&mut self, keys: &EncodedKeys, first: usize, row_key: &mut [u32], numbering: &mut Numbering<'_>) -> usize {
        let slots = &mut self.slots[..];
        for (row, row_key) in row_key.iter_mut().enumerate().skip(first) {
            let place = *row_key;
            match (PackedKey::short(keys.get(row)), slots.get_mut(place as usize)) {
                (Some(key), Some(slot)) if slot.key == key => *row_key = numbering.number(slot, place, row),
                _ => return row,
            }
        }
        row_key.len()
    }

    /// The number of the table of a space.
    pub fn table(&mut self, space: i64) -> u32 {
        self.spaces.find_or_make(space)
    }

    /// The slot of a key of a space, if it has one.
    pub fn find(&self, key: &[u8], hash: u64, space: i64) -> Option<u32> {
        self.find_in(key, hash, self.spaces.find(space)?)
    }

    #[inline]
    fn find_in(&self, key: &[u8], hash: u64, table: u32) -> Option<u32> {
        let slots = &self.spaces.table(table).slots;
        let found = match PackedKey::short(key) {
            Some(packed) => slots.find(position(hash), |&place| self.slots[place as usize].key == packed),
            None => slots.find(position(hash), |&place| {
                let slot = &self.slots[place as usize];
                slot.hash == hash && slot.key.long_place().is_some_and(|place| self.long_keys.get(place) == key)
            }),
        };
        found.copied()
    }

    /// The slot of a key of a table, made where there is none.
    #[inline]
    pub fn find_or_make(&mut self, key: &[u8], hash: u64, table: u32, made: &mut Vec<u32>) -> u32 {
        match self.find_in(key, hash, table) {
            Some(place) => place,
            None => {
                let place = self.make(key, hash, table);
                made.push(place);
                place
            }
        }
    }

    #[cold]
    fn make(&mut self, key: &[u8], hash: u64, table: u32) -> u32 {
        let key = PackedKey::short(key).unwrap_or_else(|| self.long_keys.insert(key));
        let slot = Slot { hash, mark: 0, number: 0, key };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                #[expect(clippy::expect_used, reason = "4 billion slots take 128 GiB for their keys alone")]
                let place = u32::try_from(self.slots.len()).expect("fewer than 4 billion keys in a task");
                self.slots.push(slot);
                place
            }
        };
        if table != 0 || self.tables.len() > place as usize {
            self.tables.resize(self.tables.len().max(place as usize + 1), 0);
            self.tables[place as usize] = table;
        }
        self.spaces.insert(table, place, |&place| position(self.slots[place as usize].hash));
        place
    }

    /// Frees a slot; nothing happens where it is free already.
    pub fn free(&mut self, place: u32) {
        let slot = self.slots[place as usize];
        let number = self.table_of(place);
        if !self.spaces.remove(number, place, position(slot.hash)) {
            return;
        }
        if self.spaced && self.spaces.table(number).slots.is_empty() {
            self.spaces.forget(number);
        }
        self.long_keys.remove(slot.key);
        self.slots[place as usize].key = PackedKey::FREE;
        self.free.push(place);
    }

    /// Whether a slot is free.
    #[inline]
    pub fn is_free(&self, place: u32) -> bool {
        self.slots[place as usize].key == PackedKey::FREE
    }

    /// Makes room for so many more keys.
    pub fn reserve(&mut self, keys: usize) {
        self.slots.reserve(keys);
        if !self.spaced {
            let table = self.table(0);
            self.spaces.reserve(table, keys, |&place| position(self.slots[place as usize].hash));
        }
    }

    /// Forgets a space, whose slots are `places`.
    pub fn forget(&mut self, space: i64, places: &[u32]) {
        let Some(number) = self.spaces.find(space) else { return };
        self.spaces.forget(number);
        for &place in places.iter().rev() {
            let key = std::mem::replace(&mut self.slots[place as usize].key, PackedKey::FREE);
            self.long_keys.remove(key);
            self.free.push(place);
        }
    }

    fn table_of(&self, place: u32) -> u32 {
        self.tables.get(place as usize).copied().unwrap_or(0)
    }

    /// The slots of a space, ascending.
    pub fn places_in(&self, space: i64, into: &mut Vec<u32>) {
        into.clear();
        if let Some(number) = self.spaces.find(space) {
            into.extend(self.spaces.table(number).slots.iter().copied());
            into.sort_unstable();
        }
    }

    /// The least space from `least` on that has keys.
    pub fn space_from(&self, least: i64) -> Option<i64> {
        self.spaces.from(least)
    }

    /// The space of a slot in use.
    pub fn space(&self, place: u32) -> i64 {
        self.spaces.table(self.table_of(place)).space
    }

    /// The hash of the key of a slot in use.
    pub fn hash(&self, place: u32) -> u64 {
        self.slots[place as usize].hash
    }

    /// The key of a slot in use; a short one is put into `room`.
    pub fn key<'a>(&'a self, place: u32, room: &'a mut [u8; 16]) -> &'a [u8] {
        self.long_keys.bytes(self.slots[place as usize].key, room)
    }

    /// Appends the bytes of the key of a slot in use, and of its space where keys are in spaces.
    pub fn append_key(&self, place: u32, into: &mut Vec<u8>) {
        into.extend_from_slice(self.key(place, &mut [0; 16]));
        if self.spaced {
            into.extend_from_slice(&self.space(place).to_le_bytes());
        }
    }

    /// The slots in use, in any order.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        self.spaces.slots()
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.spaces.held()
            + self.slots.len() * size_of::<Slot>()
            + (self.tables.len() + self.free.len()) * size_of::<u32>()
            + self.long_keys.held()
    }

    /// The bytes that so many new keys may take in passing.
    pub fn growth(&self, keys: usize) -> usize {
        let more = keys.saturating_sub(self.free.len());
        let slots = if self.slots.len() + more > self.slots.capacity() { self.slots.len() * size_of::<Slot>() } else { 0 };
        slots.max(self.spaces.growth(keys))
    }

    fn next_call(&mut self) -> u32 {
        self.call = self.call.wrapping_add(1);
        if self.call == 0 {
            for slot in &mut self.slots {
                slot.mark = 0;
            }
            self.call = 1;
        }
        self.call
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use wasmill_flow::key;

    use super::*;

    fn resolve(slots: &mut Slots, numbers: Vec<i64>) -> CallKeys {
        let mut keys = EncodedKeys::default();
        keys.encode(&[Arc::new(Int64Array::from(numbers)) as ArrayRef]);
        let mut call = CallKeys::default();
        slots.resolve(&keys, &keys.hashes(), None, &mut call, &mut Vec::new());
        call
    }

    #[test]
    fn keys_are_numbered_alike_when_the_count_of_calls_wraps_around() {
        let mut slots = Slots::default();
        let places = resolve(&mut slots, vec![1, 2, 3, 2]).places;
        slots.call = u32::MAX - 1;
        for call in [u32::MAX, 1, 2] {
            let resolved = resolve(&mut slots, vec![3, 3, 1]);
            assert_eq!(slots.call, call);
            assert_eq!(resolved.row_key, [0, 0, 1]);
            assert_eq!(resolved.places, [places[2], places[0]]);
        }
    }

    #[test]
    fn keys_of_one_task_are_spread_over_the_whole_table() {
        let own = |hash: &u64| hash % 128 < 64;
        let hashes = (0..100_000u64).map(|number| key::hash(&number.to_le_bytes())).filter(own);
        let mut buckets = vec![0; 1_024];
        hashes.for_each(|hash| buckets[position(hash) as usize % 1_024] += 1);
        assert!(buckets.iter().all(|&keys| (16..100).contains(&keys)), "about 49 in each: {buckets:?}");
    }

    #[test]
    fn freeing_twice_frees_once() {
        let mut slots = Slots::default();
        let places = resolve(&mut slots, vec![1, 2]).places;
        slots.free(places[0]);
        slots.free(places[0]);
        assert_eq!((slots.used(), slots.count(), slots.free.len()), (1, 2, 1));
        assert_eq!(resolve(&mut slots, vec![5, 6]).places, [places[0], 2]);
    }
}
