//! What changed in one state since a mark.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::bits::Bits;
use super::cells::short_bytes::ShortBytes;

/// What an entry takes in a set whose nodes are about two thirds full, without what stands outside.
const ENTRY: usize = size_of::<ShortBytes>() * 3 / 2;

/// The slots whose value, list or map changed since a mark, and how.
#[derive(Debug, Default)]
pub struct Changes {
    slots: Bits,
    /// Whether there are any.
    any: bool,
    /// How long a slot's value or list was at the mark, in bytes, where it was only appended to. Where a slot changed and isn't here, nothing
    /// is left of what it had.
    lengths: HashMap<u32, usize>,
    maps: HashMap<u32, MapChange>,
    /// The bytes of the entries in `maps`.
    entry_bytes: usize,
}

/// What changed in a map.
#[derive(Debug, Default)]
pub struct MapChange {
    /// Nothing is left of what it had.
    pub cleared: bool,
    /// The entries that were given a value or removed, since it was cleared where it was.
    pub entries: BTreeSet<ShortBytes>,
}

/// What is left, in a slot's value or list, of what it had at the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All that is there.
    All,
    /// The first so many bytes.
    First(usize),
    /// Nothing.
    Nothing,
}

impl Changes {
    /// Makes room for `slots` slots.
    pub fn grow(&mut self, slots: usize) {
        self.slots.grow(slots);
    }

    /// Whether a slot changed.
    #[inline]
    pub fn has(&self, place: u32) -> bool {
        self.slots.get(place)
    }

    /// Which of slots `64 * index` and up changed.
    #[inline]
    pub fn word(&self, index: usize) -> u64 {
        self.slots.word(index)
    }

    /// What is left of the value or list of a slot.
    #[inline]
    pub fn left(&self, place: u32) -> Left {
        if !self.slots.get(place) {
            return Left::All;
        }
        self.lengths.get(&place).map_or(Left::Nothing, |&length| Left::First(length))
    }

    /// Notes that slots have other values than before.
    #[inline]
    pub fn replace(&mut self, places: &[u32]) {
        self.any = true;
        for &place in places {
            self.slots.replace(place, true);
        }
        if !self.lengths.is_empty() {
            for place in places {
                self.lengths.remove(place);
            }
        }
    }

    /// Notes that a slot's value or list, of so many bytes, is appended to.
    pub fn append(&mut self, place: u32, length: usize) {
        if !self.slots.replace(place, true) {
            self.any = true;
            self.lengths.insert(place, length);
        }
    }

    /// What changed in the map of a slot.
    pub fn map(&self, place: u32) -> Option<&MapChange> {
        self.maps.get(&place)
    }

    /// Notes that an entry of a slot's map is changed; whether it wasn't noted before. What was before the map was cleared is of no matter.
    pub fn entry(&mut self, place: u32, entry: &[u8]) -> bool {
        self.any = true;
        self.slots.replace(place, true);
        let change = self.maps.entry(place).or_default();
        if change.entries.contains(entry) {
            return false;
        }
        let entry = ShortBytes::from(entry);
        self.entry_bytes += ENTRY + entry.outside();
        change.entries.insert(entry);
        !change.cleared
    }

    /// Notes that a slot's map is cleared; the entries that had changed before, none where it was cleared already.
    pub fn clear_map(&mut self, place: u32) -> Option<BTreeSet<ShortBytes>> {
        self.any = true;
        self.slots.replace(place, true);
        let was = std::mem::replace(self.maps.entry(place).or_default(), MapChange { cleared: true, ..MapChange::default() });
        self.entry_bytes -= bytes(&was.entries);
        (!was.cleared).then_some(was.entries)
    }

    /// Adds what changed later, of which nothing stays there. Costs nothing where nothing had changed, else what follows from `later`.
    pub fn absorb(&mut self, later: &mut Self) {
        if !self.any {
            std::mem::swap(self, later);
            return;
        }
        if !self.lengths.is_empty() || !later.lengths.is_empty() {
            for place in later.slots.set() {
                match later.lengths.get(&place) {
                    Some(&length) if !self.slots.get(place) => _ = self.lengths.insert(place, length),
                    Some(_) => {}
                    None => _ = self.lengths.remove(&place),
                }
            }
        }
        self.entry_bytes += later.entry_bytes;
        for (place, change) in later.maps.drain() {
            let earlier = self.maps.entry(place).or_default();
            if change.cleared {
                self.entry_bytes -= bytes(&earlier.entries);
                *earlier = change;
            } else {
                for entry in change.entries {
                    let size = ENTRY + entry.outside();
                    if !earlier.entries.insert(entry) {
                        self.entry_bytes -= size;
                    }
                }
            }
        }
        self.slots.add(&later.slots);
        later.clear();
    }

    /// Forgets all changes.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.any) {
            self.slots.clear();
            self.lengths.clear();
            self.maps.clear();
            self.entry_bytes = 0;
        }
    }

    /// The memory held, in bytes.
    pub fn held(&self) -> usize {
        self.slots.held() + self.lengths.allocation_size() + self.maps.allocation_size() + self.entry_bytes
    }
}

/// The bytes that entries take.
fn bytes(entries: &BTreeSet<ShortBytes>) -> usize {
    entries.iter().map(|entry| ENTRY + entry.outside()).sum()
}
