//! The walk over the slots of a snapshot under way.

use super::super::bits::Bits;
use super::super::cells::Cells;
use super::super::cells::short_bytes::ShortBytes;
use super::super::changes::Left;
use super::super::slots::Slots;
use super::moved::{Rest, list_range};
use super::{PIECE, UnderWay};
use crate::items;
use crate::snapshot::{ENTRY_REMOVED, SnapshotWriter};

/// How many entries of a map are looked at in a step, at most.
const ENTRIES: usize = 8_192;

/// How far the walk has come: everything before it was written, or handed over.
#[derive(Debug, Default)]
pub struct Cursor {
    place: u32,
    state: usize,
    /// How far it has come in the list or map that it is at.
    progress: Option<Progress>,
}

/// How far writing a list or map has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// Up to this byte of a list.
    List(usize),
    /// Up to this entry of a map.
    Map(ShortBytes),
}

impl Cursor {
    /// Whether the walk is past a state of a slot.
    #[inline]
    pub fn is_behind(&self, place: u32, state: usize) -> bool {
        (place, state) < (self.place, self.state)
    }

    /// Whether the walk is past an entry of a map that it isn't past.
    pub fn is_behind_entry(&self, place: u32, state: usize, entry: &[u8]) -> bool {
        matches!(self.progress_at(place, state), Some(Progress::Map(at)) if entry <= at.get())
    }

    /// How far it has come in a list or map.
    pub fn progress_at(&self, place: u32, state: usize) -> Option<&Progress> {
        self.progress.as_ref().filter(|_| (place, state) == (self.place, self.state))
    }
}

impl UnderWay {
    /// Writes slots from the cursor on; whether all are written.
    pub fn write_slots(&mut self, keys: usize, slots: &Slots, cells: &[Cells], made: &Bits) -> bool {
        while self.cursor.place < self.slots {
            let (index, first) = (self.cursor.place as usize / 64, self.cursor.place & !63);
            let word = |cells: &Cells| if self.delta { cells.before.word(index) } else { cells.present_word(index) };
            let behind = (1 << (self.cursor.place % 64)) - 1;
            let mut left = cells.iter().fold(0, |left, cells| left | word(cells)) & !behind;
            while left != 0 {
                let place = first + left.trailing_zeros();
                left &= left - 1;
                if place >= self.slots || made.get(place) || slots.is_free(place) {
                    continue;
                }
                if self.cursor.place != place {
                    self.cursor = Cursor { place, ..Cursor::default() };
                }
                if self.is_full(keys) || !self.write_slot(slots, cells) {
                    return false;
                }
            }
            self.cursor = Cursor { place: first.saturating_add(64), ..Cursor::default() };
        }
        true
    }

    /// Writes the slot at the cursor, from the state at the cursor on; whether it is written. The cursor stays where it wasn't.
    fn write_slot(&mut self, slots: &Slots, cells: &[Cells]) -> bool {
        let place = self.cursor.place;
        self.writer.begin(|key| slots.append_key(place, key));
        let mut whole = true;
        for (state, cells) in cells.iter().enumerate().skip(self.cursor.state) {
            if cells.is_of_values() {
                write_value(&mut self.writer, self.delta, place, state, cells);
                continue;
            }
            let from = self.cursor.progress.take();
            self.cursor.state = state;
            if self.delta && !cells.before.has(place) {
                continue;
            }
            if self.delta && from.is_none() && is_cleared(place, cells) {
                self.writer.removal(|key| slots.append_key(place, key), Some(state));
            }
            self.cursor.progress = write_items(&mut self.writer, self.delta, place, state, from.as_ref(), cells);
            if self.cursor.progress.is_some() {
                whole = false;
                break;
            }
        }
        self.writer.end();
        if whole {
            self.cursor.state = cells.len();
        }
        whole
    }
}

/// Whether what the list or map of a slot had at the confirmed snapshot is gone, as far as the mark.
pub fn is_cleared(place: u32, cells: &Cells) -> bool {
    if cells.is_of_lists() {
        cells.before.left(place) == Left::Nothing
    } else {
        cells.before.map(place).is_some_and(|change| change.cleared)
    }
}

/// Writes, in a record, the value that a state of a slot had at the mark; in a delta, what became of it.
pub fn write_value(writer: &mut SnapshotWriter, delta: bool, place: u32, state: usize, cells: &Cells) {
    let left = cells.since.left(place);
    let before = if delta { cells.before.left(place) } else { Left::Nothing };
    if left == Left::Nothing || before == Left::All {
        return;
    }
    if left == Left::All && !cells.is_present(place) {
        if delta {
            writer.remove(state);
        }
        return;
    }
    let mut value = cells.value(place);
    if let Left::First(length) = left {
        value = &value[..length];
    }
    if let Left::First(length) = before {
        writer.add(state, |bytes| bytes.extend_from_slice(&value[length..]));
    } else {
        writer.set(state, value, cells.is_fixed());
    }
}

/// Writes, in a record, a part of what a list or map had at the mark, or of what became of it; how far that came where it isn't all.
fn write_items(
    writer: &mut SnapshotWriter,
    delta: bool,
    place: u32,
    state: usize,
    from: Option<&Progress>,
    cells: &Cells,
) -> Option<Progress> {
    if cells.is_of_lists() {
        let range = list_range(place, delta, from, cells)?;
        let (stored, until) = (cells.lists().stored(place), range.end);
        return write_list(writer, state, stored, range.start, until);
    }
    let skip = cells.since.map(place);
    if skip.is_some_and(|change| change.cleared) {
        return None;
    }
    let after = from.and_then(|progress| if let Progress::Map(after) = progress { Some(after) } else { None });
    let only = cells.before.map(place).filter(|_| delta).map(|change| &change.entries);
    writer.add(state, |bytes| {
        Rest::entries(cells.maps().map(place), only, after, |entry, value, looked_at| {
            if !skip.is_some_and(|change| change.entries.contains(entry)) {
                write_entry(bytes, entry, value);
            }
            bytes.len() < PIECE && looked_at < ENTRIES
        })
    })
}

/// Writes items of a list from one byte of it up to another, as many as make a piece; how far that came where it isn't all.
pub fn write_list(writer: &mut SnapshotWriter, state: usize, stored: &[u8], from: usize, until: usize) -> Option<Progress> {
    let mut to = from;
    while to < until && to - from < PIECE {
        let Some((item, _)) = items::split_stored(&stored[to..until]) else { break };
        to += 4 + item.len();
    }
    writer.add(state, |bytes| bytes.extend_from_slice(&stored[from..to]));
    (to < until).then_some(Progress::List(to))
}

/// Writes an entry of a map and its value, or that it is removed.
pub fn write_entry(bytes: &mut Vec<u8>, entry: &[u8], value: Option<&[u8]>) {
    items::store(entry, bytes);
    match value {
        Some(value) => items::store(value, bytes),
        None => bytes.extend_from_slice(&ENTRY_REMOVED.to_le_bytes()),
    }
}
