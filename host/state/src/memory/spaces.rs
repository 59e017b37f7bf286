//! The tables of the index: one for each space of keys, found by the space.
//!
//! Keys that come and go together, as those of a window, are in one space: it is forgotten as a whole, and its table's memory serves the
//! next one, which most often has as many keys.

use std::collections::BTreeMap;

use hashbrown::HashTable;

/// A table of slot numbers for each space that has keys.
#[derive(Debug, Default)]
pub struct Spaces {
    tables: Vec<Table>,
    /// The number of each space's table.
    by_space: BTreeMap<i64, u32>,
    /// Tables of no space.
    free: Vec<u32>,
    /// How many keys there are in all of them.
    keys: usize,
    /// The bytes of all of them.
    bytes: usize,
    /// The one that a key was last added to: the next ones most likely go there.
    latest: u32,
}

/// The keys of one space.
#[derive(Debug, Default)]
pub struct Table {
    pub space: i64,
    pub slots: HashTable<u32>,
}

impl Spaces {
    /// The number of a space's table, which is made where there is none.
    pub fn find_or_make(&mut self, space: i64) -> u32 {
        if let Some(&number) = self.by_space.get(&space) {
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.tables.push(Table::default());
            #[expect(clippy::cast_possible_truncation, reason = "a space has at least one slot, and slots are counted in a u32")]
            let last = (self.tables.len() - 1) as u32;
            last
        });
        self.tables[number as usize].space = space;
        self.by_space.insert(space, number);
        number
    }

    /// A space's table, if it has keys.
    pub fn find(&self, space: i64) -> Option<u32> {
        self.by_space.get(&space).copied()
    }

    /// The least space from `least` on.
    pub fn from(&self, least: i64) -> Option<i64> {
        self.by_space.range(least..).next().map(|(&space, _)| space)
    }

    /// A table by its number.
    #[inline]
    pub fn table(&self, number: u32) -> &Table {
        &self.tables[number as usize]
    }

    /// Adds a slot to a table; `hash` is what tables see of a slot's hash.
    pub fn insert(&mut self, number: u32, place: u32, hash: impl Fn(&u32) -> u64) {
        let slots = &mut self.tables[number as usize].slots;
        self.bytes -= slots.allocation_size();
        slots.insert_unique(hash(&place), place, hash);
        self.bytes += slots.allocation_size();
        self.keys += 1;
        self.latest = number;
    }

    /// Makes room for so many more slots in a table.
    pub fn reserve(&mut self, number: u32, keys: usize, hash: impl Fn(&u32) -> u64) {
        let slots = &mut self.tables[number as usize].slots;
        self.bytes -= slots.allocation_size();
        slots.reserve(keys, hash);
        self.bytes += slots.allocation_size();
    }

    /// Takes a slot out of a table, if it is there.
    pub fn remove(&mut self, number: u32, place: u32, hash: u64) -> bool {
        let Ok(entry) = self.tables[number as usize].slots.find_entry(hash, |&other| other == place) else { return false };
        entry.remove();
        self.keys -= 1;
        true
    }

    /// Forgets a table and all in it. Its memory is kept where a good part of it was in use.
    pub fn forget(&mut self, number: u32) {
        let table = &mut self.tables[number as usize];
        self.keys -= table.slots.len();
        if table.slots.len() < table.slots.capacity() / 4 {
            self.bytes -= table.slots.allocation_size();
            table.slots = HashTable::new();
        } else {
            table.slots.clear();
        }
        self.by_space.remove(&table.space);
        self.free.push(number);
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The slots of all keys, in any order.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        self.tables.iter().flat_map(|table| table.slots.iter().copied())
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        /// What an entry of the map by space takes, about.
        const ENTRY: usize = 24;
        self.bytes + self.tables.len() * size_of::<Table>() + self.by_space.len() * ENTRY + self.free.len() * size_of::<u32>()
    }

    /// The bytes that so many new keys, all in the space that grew last, may take in passing.
    pub fn growth(&self, keys: usize) -> usize {
        let Some(Table { slots, .. }) = self.tables.get(self.latest as usize) else { return 0 };
        if slots.len() + keys > slots.capacity() { slots.allocation_size() * 2 } else { 0 }
    }
}
