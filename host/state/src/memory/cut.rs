//! Snapshots of the hot tier: what changed since which mark, and the snapshot under way.
//!
//! Each state notes what changed since the latest mark ([`Changes`]). The first change of a value after a mark, while the snapshot of that mark is
//! under way and its cursor hasn't come there, hands over what was there. Of lists and maps the entries that change are handed over, not the whole: a
//! list is only appended to, so what it had is still its first bytes; a map that is cleared is moved out as it is, and written later (`moved`).
//!
//! A snapshot that isn't confirmed may never have been stored. So a delta has everything since the latest *confirmed* mark: what changed up to
//! the latest mark (`before`, frozen there, so it is what the snapshot under way goes through too) and, at the next mark, what changed since
//! (`since`), which becomes part of it. When the latest mark is confirmed, `before` is forgotten.

mod moved;
mod walk;

use std::collections::VecDeque;

use wasmill_flow::Epoch;

use self::moved::Moved;
use self::walk::Cursor;
use super::bits::Bits;
use super::cells::Cells;
use super::changes::Left;
use super::slots::Slots;
use crate::contract::{SnapshotKind, StateNeed};
use crate::items::{self, Items};
use crate::snapshot::{Header, SnapshotWriter};

/// About how many bytes are in a piece of a snapshot, without what calls handed over since the last: few, for rows wait while a piece is made.
const PIECE: usize = 64 << 10;

/// The snapshot under way, if there is one, and what the next needs.
#[derive(Debug, Default)]
pub struct Cut {
    /// Whether a snapshot was ever marked: until then nothing is noted.
    notes: bool,
    /// The snapshot whose last piece was handed over, until that is said.
    ended: Option<Epoch>,
    /// The latest snapshot, when it is finished.
    finished: Option<Epoch>,
    /// The snapshot that the next delta goes on from.
    confirmed: Option<Epoch>,
    /// Slots made since the latest mark: their keys are in no snapshot, or were taken out of it.
    made: Bits,
    /// Keys that were removed, as [`items::store`] lays them out.
    removed: Since<u8>,
    forgotten: Since<i64>,
    under_way: Option<UnderWay>,
}

/// What happened up to the latest mark, from the confirmed one on, and since.
#[derive(Debug, Default)]
struct Since<T> {
    before: Vec<T>,
    since: Vec<T>,
}

#[derive(Debug)]
struct UnderWay {
    epoch: Epoch,
    delta: bool,
    cursor: Cursor,
    /// How many slots there were at the mark.
    slots: u32,
    /// How many of the spaces that were forgotten are written.
    forgotten: usize,
    /// How many of the bytes of keys that were removed are written.
    removed: usize,
    /// Lists and maps that were cleared before the cursor came to them.
    moved: VecDeque<Moved>,
    writer: SnapshotWriter,
}

impl Cut {
    /// Marks a snapshot; the one that it goes on from.
    ///
    /// # Panics
    /// Where one is under way.
    pub fn start(
        &mut self,
        epoch: Epoch,
        kind: SnapshotKind,
        states: &[StateNeed],
        slots: &Slots,
        cells: &mut [Cells],
    ) -> Option<Epoch> {
        assert!(self.under_way.is_none(), "a snapshot for epoch {epoch} was started while another was under way");
        self.removed.before.append(&mut self.removed.since);
        self.forgotten.before.append(&mut self.forgotten.since);
        cells.iter_mut().for_each(Cells::mark);
        if self.removed.before.len() > slots.held() {
            // Confirmations have failed to come for long; a base is smaller by now.
            self.confirmed = None;
        }
        if self.confirmed.is_none() {
            self.forget_before(cells);
        }
        self.made.clear();
        (self.notes, self.ended, self.finished) = (true, None, None);
        let since = self.confirmed.filter(|_| kind == SnapshotKind::Delta);
        let header = Header { epoch, since, keys: slots.used() as u64, states: states.to_vec() };
        #[expect(clippy::cast_possible_truncation, reason = "slots are counted in a u32")]
        let slots = slots.count() as u32;
        self.under_way = Some(UnderWay {
            epoch,
            delta: since.is_some(),
            cursor: Cursor::default(),
            slots,
            forgotten: 0,
            removed: 0,
            moved: VecDeque::new(),
            writer: SnapshotWriter::new(&header),
        });
        since
    }

    /// Gives up the snapshot under way.
    pub fn abandon(&mut self) {
        (self.under_way, self.ended) = (None, None);
    }

    /// Later deltas go on from the snapshot of this epoch, if it is the latest and whole.
    pub fn confirm(&mut self, epoch: Epoch, cells: &mut [Cells]) {
        if self.finished == Some(epoch) && self.confirmed != Some(epoch) {
            self.confirmed = Some(epoch);
            self.forget_before(cells);
        }
    }

    fn forget_before(&mut self, cells: &mut [Cells]) {
        self.removed.before.clear();
        self.forgotten.before.clear();
        cells.iter_mut().for_each(|cells| cells.before.clear());
    }

    /// Takes note of slots that were made, of `count` in all.
    pub fn made(&mut self, made: &[u32], count: usize) {
        self.made.grow(count);
        for &place in made {
            self.made.replace(place, true);
        }
    }

    /// Before values of a state are written or removed: those that the snapshot under way still has to have are handed over.
    #[inline]
    pub fn before_write(&mut self, state: usize, places: &[u32], slots: &Slots, cells: &mut [Cells]) {
        if !self.notes {
            return;
        }
        if let Some(under_way) = &mut self.under_way {
            for &place in places {
                if cells[state].since.left(place) != Left::Nothing && under_way.has_before_it(place, state, &self.made) {
                    under_way.hand_over_value(place, state, slots, cells);
                }
                // A key may come twice.
                cells[state].since.replace(&[place]);
            }
        } else {
            cells[state].since.replace(places);
        }
    }

    /// Before values of a state are written behind. What they have stays where it is, so it is only noted how long they are.
    pub fn before_append(&mut self, state: usize, place: u32, slots: &Slots, cells: &mut [Cells]) {
        if !self.notes {
        } else if cells[state].is_present(place) {
            let length = cells[state].value(place).len();
            cells[state].since.append(place, length);
        } else {
            self.before_write(state, &[place], slots, cells);
        }
    }

    /// Before items are added to lists.
    pub fn before_items(&mut self, state: usize, places: &[u32], cells: &mut [Cells]) {
        if self.notes {
            for &place in places {
                let (_, length) = cells[state].lists().size(place);
                cells[state].since.append(place, length);
            }
        }
    }

    /// Before entries of maps are given values or removed: those that the snapshot under way still has to have are handed over.
    pub fn before_entries(&mut self, state: usize, places: &[u32], entries: &Items, slots: &Slots, cells: &mut [Cells]) {
        if !self.notes {
            return;
        }
        for (&place, entry) in places.iter().zip(entries.iter()) {
            if cells[state].since.entry(place, entry)
                && let Some(under_way) = &mut self.under_way
                && under_way.has_entry_before_it(place, state, entry, &self.made)
            {
                under_way.hand_over_entry(place, state, entry, slots, cells);
            }
        }
    }

    /// Before lists or maps are cleared: those that the snapshot under way still has to have are moved out.
    pub fn before_clear(&mut self, state: usize, places: &[u32], slots: &Slots, cells: &mut [Cells]) {
        if !self.notes {
            return;
        }
        for &place in places {
            if cells[state].has_nothing_to_say(place) {
                continue;
            }
            if let Some(under_way) = &mut self.under_way
                && under_way.has_before_it(place, state, &self.made)
            {
                under_way.move_out(place, state, slots, cells);
            }
            cells[state].note_cleared(place);
        }
    }

    /// Before the key of a slot leaves it, with all that it has.
    fn before_leaving(&mut self, place: u32, slots: &Slots, cells: &mut [Cells]) {
        for state in 0..cells.len() {
            // What isn't there may have been removed since the confirmed snapshot, which is to be said as long as the key is known.
            if !cells[state].has_nothing_to_say(place) {
                if cells[state].is_of_values() {
                    self.before_write(state, &[place], slots, cells);
                } else {
                    self.before_clear(state, &[place], slots, cells);
                }
            }
        }
    }

    /// Before the key of a slot without any value is forgotten.
    pub fn before_removal(&mut self, place: u32, slots: &Slots, cells: &mut [Cells]) {
        if !self.notes || slots.is_free(place) {
            return;
        }
        if self.under_way.is_some() {
            self.before_leaving(place, slots, cells);
        }
        if !self.made.get(place) {
            let mut key = Vec::new();
            slots.append_key(place, &mut key);
            items::store(&key, &mut self.removed.since);
        }
    }

    /// Before a space is forgotten, whose slots are `places`.
    pub fn before_forgetting(&mut self, space: i64, places: &[u32], slots: &Slots, cells: &mut [Cells]) {
        if !self.notes {
            return;
        }
        for &place in places {
            self.before_leaving(place, slots, cells);
        }
        if places.iter().any(|&place| !self.made.get(place)) {
            self.forgotten.since.push(space);
        }
    }

    /// The next piece: what was handed over, and as much from the cursor on as makes `keys` entries or a piece of it, at least one.
    pub fn step(&mut self, keys: usize, slots: &Slots, cells: &[Cells]) -> Option<Vec<u8>> {
        let Some(mut under_way) = self.under_way.take() else {
            self.finished = self.ended.take().or(self.finished);
            return None;
        };
        if under_way.write_removed(keys, &self.removed.before, &self.forgotten.before)
            && under_way.write_moved(keys, cells)
            && under_way.write_slots(keys, slots, cells, &self.made)
        {
            self.ended = Some(under_way.epoch);
            return Some(under_way.writer.finish());
        }
        let piece = under_way.writer.take();
        self.under_way = Some(under_way);
        Some(piece)
    }

    /// Has a later piece written to memory that an earlier one was in.
    pub fn reuse(&mut self, memory: Vec<u8>) {
        if let Some(under_way) = &mut self.under_way {
            under_way.writer.reuse(memory);
        }
    }

    /// The memory held, in bytes, without what was handed over.
    pub fn held(&self) -> usize {
        self.made.held()
            + self.removed.before.capacity()
            + self.removed.since.capacity()
            + (self.forgotten.before.capacity() + self.forgotten.since.capacity()) * size_of::<i64>()
    }
}

impl UnderWay {
    /// Whether the piece is as large as it should be.
    fn is_full(&self, keys: usize) -> bool {
        self.writer.waiting() >= keys.max(1) || self.writer.bytes() >= PIECE
    }

    /// Writes which keys and spaces are gone; whether all are written.
    fn write_removed(&mut self, keys: usize, removed: &[u8], forgotten: &[i64]) -> bool {
        if !self.delta {
            return true;
        }
        while let Some(&space) = forgotten.get(self.forgotten) {
            if self.is_full(keys) {
                return false;
            }
            self.writer.space(space);
            self.forgotten += 1;
        }
        while let Some((key, _)) = items::split_stored(&removed[self.removed..]) {
            if self.is_full(keys) {
                return false;
            }
            self.writer.removal(|bytes| bytes.extend_from_slice(key), None);
            self.removed += 4 + key.len();
        }
        true
    }

    /// Whether the cursor has yet to come to a state of a slot that is in the snapshot.
    #[inline]
    fn has_before_it(&self, place: u32, state: usize, made: &Bits) -> bool {
        place < self.slots && !self.cursor.is_behind(place, state) && !made.get(place)
    }

    /// The same for an entry of a map.
    fn has_entry_before_it(&self, place: u32, state: usize, entry: &[u8], made: &Bits) -> bool {
        self.has_before_it(place, state, made) && !self.cursor.is_behind_entry(place, state, entry)
    }

    /// Writes the value that a state of a slot had at the mark.
    fn hand_over_value(&mut self, place: u32, state: usize, slots: &Slots, cells: &[Cells]) {
        self.writer.begin(|key| slots.append_key(place, key));
        walk::write_value(&mut self.writer, self.delta, place, state, &cells[state]);
        self.writer.end();
    }

    /// Writes the value that an entry of a map had at the mark.
    fn hand_over_entry(&mut self, place: u32, state: usize, entry: &[u8], slots: &Slots, cells: &[Cells]) {
        let value = cells[state].maps().get(place, entry);
        let is_in_it = if self.delta {
            cells[state].before.map(place).is_some_and(|change| change.entries.contains(entry))
        } else {
            value.is_some()
        };
        if is_in_it {
            self.writer.begin(|key| slots.append_key(place, key));
            self.writer.add(state, |bytes| walk::write_entry(bytes, entry, value));
            self.writer.end();
        }
    }

    /// Moves out what a list or map had at the mark, to be written later.
    fn move_out(&mut self, place: u32, state: usize, slots: &Slots, cells: &mut [Cells]) {
        let cells = &mut cells[state];
        if self.delta && !cells.before.has(place) {
            return;
        }
        let mut key = Vec::new();
        slots.append_key(place, &mut key);
        let progress = self.cursor.progress_at(place, state);
        if self.delta && progress.is_none() && walk::is_cleared(place, cells) {
            self.writer.removal(|bytes| bytes.extend_from_slice(&key), Some(state));
        }
        self.moved.extend(Moved::out_of(key, place, state, self.delta, progress, cells));
    }
}
