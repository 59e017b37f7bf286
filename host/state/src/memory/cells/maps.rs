//! Maps, each a tree in the order of its entries' bytes.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::short_bytes::ShortBytes;
use crate::items;

/// What an entry takes in a tree whose nodes are about two thirds full, without what stands outside.
const ENTRY: usize = size_of::<ShortBytes>() * 3;

/// Entries and their values.
pub type Map = BTreeMap<ShortBytes, ShortBytes>;

/// A map for each slot; the empty one for a slot without.
#[derive(Debug, Default)]
pub struct Maps {
    maps: Vec<Map>,
    /// The bytes held outside of `maps`.
    outside: usize,
}

impl Maps {
    /// Makes room for `slots` maps.
    pub fn grow(&mut self, slots: usize) {
        self.maps.resize(slots.max(self.maps.len()), Map::new());
    }

    /// Makes room for so many more maps.
    pub fn reserve(&mut self, slots: usize) {
        self.maps.reserve(slots);
    }

    /// The value of an entry.
    pub fn get(&self, place: u32, entry: &[u8]) -> Option<&[u8]> {
        self.maps[place as usize].get(entry).map(ShortBytes::get)
    }

    /// Gives an entry a value, or removes it.
    pub fn set(&mut self, place: u32, entry: &[u8], value: Option<&[u8]>) {
        let map = &mut self.maps[place as usize];
        match value {
            Some(value) => {
                if let Some(held) = map.get_mut(entry) {
                    self.outside -= held.outside();
                    held.set(value);
                    self.outside += held.outside();
                } else {
                    let (entry, value) = (ShortBytes::from(entry), ShortBytes::from(value));
                    self.outside += ENTRY + entry.outside() + value.outside();
                    map.insert(entry, value);
                }
            }
            None => {
                if let Some((entry, value)) = map.remove_entry(entry) {
                    self.outside -= ENTRY + entry.outside() + value.outside();
                }
            }
        }
    }

    /// Whether a slot's map has no entry.
    pub fn is_empty(&self, place: u32) -> bool {
        self.maps[place as usize].is_empty()
    }

    /// A slot's map.
    pub fn map(&self, place: u32) -> &Map {
        &self.maps[place as usize]
    }

    /// Forgets a slot's map.
    pub fn clear(&mut self, place: u32) {
        self.take(place);
    }

    /// Takes a slot's map.
    pub fn take(&mut self, place: u32) -> Map {
        let map = std::mem::take(&mut self.maps[place as usize]);
        self.outside -= bytes(&map);
        map
    }

    /// Appends a slot's map as it is stored.
    pub fn store(&self, place: u32, into: &mut Vec<u8>) {
        for (entry, value) in &self.maps[place as usize] {
            items::store(entry.get(), into);
            items::store(value.get(), into);
        }
    }

    /// Calls `each` with entries and values from `start` on, until it returns false.
    pub fn scan(&self, place: u32, start: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        for (entry, value) in self.maps[place as usize].range::<[u8], _>((Bound::Included(start), Bound::Unbounded)) {
            if !each(entry.get(), value.get()) {
                return;
            }
        }
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.maps.len() * size_of::<Map>() + self.outside
    }

    /// The bytes that so many more maps may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.maps.len() + slots > self.maps.capacity() { self.maps.len() * size_of::<Map>() } else { 0 }
    }
}

/// The bytes that a map's entries take.
fn bytes(map: &Map) -> usize {
    map.iter().map(|(entry, value)| ENTRY + entry.outside() + value.outside()).sum()
}
