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

    /// A table by its number.
    #[inline]
    pub fn table_mut(&mut self, number: u32) -> &mut Table {
        &mut self.tables[number as usize]
    }

    /// Forgets a table and all in it. Its memory is kept where a good part of it was in use.
    pub fn forget(&mut self, number: u32) {
        let table = &mut self.tables[number as usize];
        if table.slots.len() < table.slots.capacity() / 4 {
            table.slots = HashTable::new();
        } else {
            table.slots.clear();
        }
        self.by_space.remove(&table.space);
        self.free.push(number);
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.tables.iter().map(|table| table.slots.len()).sum()
    }

    /// The slots of all keys, in any order.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        self.tables.iter().flat_map(|table| table.slots.iter().copied())
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        /// What an entry of the map by space takes, about.
        const ENTRY: usize = 24;
        let tables: usize = self.tables.iter().map(|table| table.slots.allocation_size()).sum();
        tables + self.tables.len() * size_of::<Table>() + self.by_space.len() * ENTRY + self.free.len() * size_of::<u32>()
    }

    /// The bytes that so many new keys, all in the space that has the most, may take in passing.
    pub fn growth(&self, keys: usize) -> usize {
        let growth = |table: &Table| {
            if table.slots.len() + keys > table.slots.capacity() { table.slots.allocation_size() * 2 } else { 0 }
        };
        self.tables.iter().map(growth).max().unwrap_or(0)
    }
}
