//! Lists, each in one piece, as it is stored: appending is a copy of the item, and a snapshot's entry a copy of the piece.

use crate::items::{self, Items};

/// The list of one slot.
#[derive(Debug, Clone, Default)]
struct List {
    stored: Vec<u8>,
    count: usize,
}

/// A list for each slot; the empty one for a slot without.
#[derive(Debug, Default)]
pub struct Lists {
    lists: Vec<List>,
    /// The bytes held outside of `lists`.
    outside: usize,
}

impl Lists {
    /// Makes room for `slots` lists.
    pub fn grow(&mut self, slots: usize) {
        self.lists.resize(slots.max(self.lists.len()), List::default());
    }

    /// Makes room for so many more lists.
    pub fn reserve(&mut self, slots: usize) {
        self.lists.reserve(slots);
    }

    /// Adds an item to a slot's list.
    pub fn append(&mut self, place: u32, item: &[u8]) {
        let list = &mut self.lists[place as usize];
        self.outside -= list.stored.capacity();
        items::store(item, &mut list.stored);
        list.count += 1;
        self.outside += list.stored.capacity();
    }

    /// Adds items as they are stored to a slot's list. None, and no change, where they aren't such.
    pub fn add(&mut self, place: u32, stored: &[u8]) -> Option<()> {
        let count = items::stored(stored)?.len();
        let list = &mut self.lists[place as usize];
        self.outside -= list.stored.capacity();
        list.stored.extend_from_slice(stored);
        list.count += count;
        self.outside += list.stored.capacity();
        Some(())
    }

    /// Forgets a slot's list, and gives its memory back.
    pub fn clear(&mut self, place: u32) {
        self.take(place);
    }

    /// Takes a slot's list as it is stored.
    pub fn take(&mut self, place: u32) -> Vec<u8> {
        let list = std::mem::take(&mut self.lists[place as usize]);
        self.outside -= list.stored.capacity();
        list.stored
    }

    /// A slot's list as it is stored.
    pub fn stored(&self, place: u32) -> &[u8] {
        &self.lists[place as usize].stored
    }

    /// How many items a slot's list has, and its bytes as it is stored.
    pub fn size(&self, place: u32) -> (usize, usize) {
        let List { stored, count } = &self.lists[place as usize];
        (*count, stored.len())
    }

    /// Adds a slot's items to `into`.
    pub fn list(&self, place: u32, into: &mut Items) {
        items::stored(self.stored(place)).into_iter().flatten().for_each(|item| into.push(item));
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.lists.len() * size_of::<List>() + self.outside
    }

    /// The bytes that so many more lists may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.lists.len() + slots > self.lists.capacity() { self.lists.len() * size_of::<List>() } else { 0 }
    }
}
