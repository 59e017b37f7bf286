//! Maps, each a tree in the order of its entries' bytes.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::short_bytes::ShortBytes;
use crate::items;

/// What an entry takes in a tree whose nodes are about two thirds full, without what stands outside.
const ENTRY: usize = size_of::<ShortBytes>() * 3;

/// Entries and their values.
pub type Map = BTreeMap<ShortBytes, ShortBytes>;

/// The map of one slot.
#[derive(Debug, Clone, Default)]
struct Held {
    map: Map,
    /// The bytes that its entries take, so that a large one is let go without a look at each.
    bytes: usize,
}

/// A map for each slot; the empty one for a slot without.
#[derive(Debug, Default)]
pub struct Maps {
    maps: Vec<Held>,
    /// The bytes held outside of `maps`.
    outside: usize,
}

impl Maps {
    /// Makes room for `slots` maps.
    pub fn grow(&mut self, slots: usize) {
        self.maps.resize(slots.max(self.maps.len()), Held::default());
    }

    /// Makes room for so many more maps.
    pub fn reserve(&mut self, slots: usize) {
        self.maps.reserve(slots);
    }

    /// The value of an entry.
    pub fn get(&self, place: u32, entry: &[u8]) -> Option<&[u8]> {
        self.maps[place as usize].map.get(entry).map(ShortBytes::get)
    }

    /// Gives an entry a value, or removes it.
    pub fn set(&mut self, place: u32, entry: &[u8], value: Option<&[u8]>) {
        let Held { map, bytes } = &mut self.maps[place as usize];
        self.outside -= *bytes;
        match value {
            Some(value) => {
                if let Some(held) = map.get_mut(entry) {
                    *bytes -= held.outside();
                    held.set(value);
                    *bytes += held.outside();
                } else {
                    let (entry, value) = (ShortBytes::from(entry), ShortBytes::from(value));
                    *bytes += ENTRY + entry.outside() + value.outside();
                    map.insert(entry, value);
                }
            }
            None => {
                if let Some((entry, value)) = map.remove_entry(entry) {
                    *bytes -= ENTRY + entry.outside() + value.outside();
                }
            }
        }
        self.outside += *bytes;
    }

    /// Whether a slot's map has no entry.
    pub fn is_empty(&self, place: u32) -> bool {
        self.maps[place as usize].map.is_empty()
    }

    /// A slot's map.
    pub fn map(&self, place: u32) -> &Map {
        &self.maps[place as usize].map
    }

    /// Forgets a slot's map.
    pub fn clear(&mut self, place: u32) {
        self.take(place);
    }

    /// Takes a slot's map.
    pub fn take(&mut self, place: u32) -> Map {
        let Held { map, bytes } = std::mem::take(&mut self.maps[place as usize]);
        self.outside -= bytes;
        map
    }

    /// Appends a slot's map as it is stored.
    pub fn store(&self, place: u32, into: &mut Vec<u8>) {
        for (entry, value) in &self.maps[place as usize].map {
            items::store(entry.get(), into);
            items::store(value.get(), into);
        }
    }

    /// Calls `each` with entries and values from `start` on, until it returns false.
    pub fn scan(&self, place: u32, start: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) {
        for (entry, value) in self.maps[place as usize].map.range::<[u8], _>((Bound::Included(start), Bound::Unbounded)) {
            if !each(entry.get(), value.get()) {
                return;
            }
        }
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.maps.len() * size_of::<Held>() + self.outside
    }

    /// The bytes that so many more maps may take in passing.
    pub fn growth(&self, slots: usize) -> usize {
        if self.maps.len() + slots > self.maps.capacity() { self.maps.len() * size_of::<Held>() } else { 0 }
    }
}
