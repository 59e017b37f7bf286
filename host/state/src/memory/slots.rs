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

use hashbrown::HashTable;
use wasmill_flow::key::EncodedKeys;

use super::packed_key::{LongKeys, PackedKey};
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
    table: HashTable<u32>,
    slots: Vec<Slot>,
    long_keys: LongKeys,
    free: Vec<u32>,
    call: u32,
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
    /// How many slots there are, used and free: all numbers are below it.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// How many keys have a slot.
    pub fn used(&self) -> usize {
        self.table.len()
    }

    /// Finds or makes the slots of some keys, and numbers the distinct ones. Slots made are added to `made`.
    pub fn resolve(&mut self, keys: &EncodedKeys, hashes: &[u64], call: &mut CallKeys, made: &mut Vec<u32>) {
        let hashes = &hashes[..keys.len()];
        call.first_row.resize(hashes.len(), 0);
        call.places.resize(hashes.len(), 0);
        let mut numbering =
            Numbering { mark: self.next_call(), count: 0, first_row: &mut call.first_row, places: &mut call.places };
        // What the table has at each key's position is most often the key's slot. Taking it on trust first, without a look at the slot,
        // makes both loops short, and their cache misses overlap.
        call.row_key.clear();
        call.row_key.extend(hashes.iter().map(|&hash| self.table.find(position(hash), |_| true).copied().unwrap_or(u32::MAX)));
        let mut row = 0;
        loop {
            row = self.number_guessed(keys, row, &mut call.row_key, &mut numbering);
            if row == hashes.len() {
                break;
            }
            let place = self.find_or_make(keys.get(row), hashes[row], made);
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

    /// The slot of a key, made where there is none.
    #[inline]
    pub fn find_or_make(&mut self, key: &[u8], hash: u64, made: &mut Vec<u32>) -> u32 {
        let found = match PackedKey::short(key) {
            Some(packed) => self.table.find(position(hash), |&place| self.slots[place as usize].key == packed),
            None => self.table.find(position(hash), |&place| {
                let slot = &self.slots[place as usize];
                slot.hash == hash && slot.key.long_place().is_some_and(|place| self.long_keys.get(place) == key)
            }),
        };
        match found {
            Some(&place) => place,
            None => {
                let place = self.make(key, hash);
                made.push(place);
                place
            }
        }
    }

    #[cold]
    fn make(&mut self, key: &[u8], hash: u64) -> u32 {
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
        self.table.insert_unique(position(hash), place, |&place| position(self.slots[place as usize].hash));
        place
    }

    /// Frees a slot; nothing happens where it is free already.
    pub fn free(&mut self, place: u32) {
        let slot = &self.slots[place as usize];
        if let Ok(entry) = self.table.find_entry(position(slot.hash), |&other| other == place) {
            entry.remove();
            self.long_keys.remove(slot.key);
            self.free.push(place);
        }
    }

    /// The key of a slot in use; a short one is put into `room`.
    pub fn key<'a>(&'a self, place: u32, room: &'a mut [u8; 16]) -> &'a [u8] {
        self.long_keys.bytes(self.slots[place as usize].key, room)
    }

    /// The slots in use, in any order.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        self.table.iter().copied()
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.table.allocation_size()
            + self.slots.len() * size_of::<Slot>()
            + self.free.len() * size_of::<u32>()
            + self.long_keys.held()
    }

    /// The bytes that so many new keys may take in passing.
    pub fn growth(&self, keys: usize) -> usize {
        let more = keys.saturating_sub(self.free.len());
        let slots = if self.slots.len() + more > self.slots.capacity() { self.slots.len() * size_of::<Slot>() } else { 0 };
        let table = if self.table.len() + keys > self.table.capacity() { self.table.allocation_size() * 2 } else { 0 };
        slots.max(table)
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
        slots.resolve(&keys, &keys.hashes(), &mut call, &mut Vec::new());
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
