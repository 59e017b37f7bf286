//! Lists and maps that were cleared while the snapshot under way still had to have them: moved out as they were, and written a part at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};

use super::super::cells::Cells;
use super::super::cells::short_bytes::ShortBytes;
use super::super::changes::Left;
use super::walk::{Progress, write_entry, write_list};
use super::{PIECE, UnderWay};

/// How many entries of a map are dealt with in a step, at most.
const ENTRIES: usize = 8_192;

/// What a list or map had at the mark.
#[derive(Debug)]
pub struct Moved {
    key: Vec<u8>,
    place: u32,
    state: usize,
    rest: Rest,
}

/// What of it is still to be written.
#[derive(Debug)]
pub enum Rest {
    /// These bytes of a list.
    List(Vec<u8>, Range<usize>),
    /// The entries of a map behind the last that was written, without those that were handed over.
    Map { map: BTreeMap<ShortBytes, ShortBytes>, handed_over: BTreeSet<ShortBytes>, after: Option<ShortBytes>, is_written: bool },
}

impl Moved {
    /// Moves the list or map of a slot out; none where nothing of it is in the snapshot.
    pub fn out_of(
        key: Vec<u8>,
        place: u32,
        state: usize,
        delta: bool,
        progress: Option<&Progress>,
        cells: &mut Cells,
    ) -> Option<Self> {
        let rest = if cells.is_of_lists() {
            let range = list_range(place, delta, progress, cells)?;
            Rest::List(cells.take_list(place), range)
        } else {
            let handed_over = cells.since.clear_map(place)?;
            let after =
                progress.and_then(|progress| if let Progress::Map(after) = progress { Some(after.clone()) } else { None });
            Rest::Map { map: cells.take_map(place), handed_over, after, is_written: false }
        };
        Some(Self { key, place, state, rest })
    }
}

/// The bytes of the list of a slot that are still to be written.
pub fn list_range(place: u32, delta: bool, progress: Option<&Progress>, cells: &Cells) -> Option<Range<usize>> {
    let until = match cells.since.left(place) {
        Left::All => cells.lists().stored(place).len(),
        Left::First(length) => length,
        Left::Nothing => return None,
    };
    let from = match (progress, cells.before.left(place)) {
        (Some(Progress::List(from)), _) => *from,
        (_, Left::First(length)) if delta => length,
        _ => 0,
    };
    (from < until).then_some(from..until)
}

impl Rest {
    /// Calls `each` with the entries of a map that are behind `after`, or with those of `only` and whether the map has them, and with how many
    /// there were before, until it returns false: then the entry that it came to.
    pub fn entries(
        map: &BTreeMap<ShortBytes, ShortBytes>,
        only: Option<&BTreeSet<ShortBytes>>,
        after: Option<&ShortBytes>,
        mut each: impl FnMut(&[u8], Option<&[u8]>, usize) -> bool,
    ) -> Option<Progress> {
        let range = (after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.get())), Bound::Unbounded);
        let at = match only {
            Some(only) => {
                let mut entries = only.range::<[u8], _>(range).enumerate();
                entries
                    .find(|(index, entry)| !each(entry.get(), map.get(entry.get()).map(ShortBytes::get), *index))
                    .map(|(_, at)| at)
            }
            None => {
                let mut entries = map.range::<[u8], _>(range).enumerate();
                entries.find(|(index, (entry, value))| !each(entry.get(), Some(value.get()), *index)).map(|(_, (at, _))| at)
            }
        };
        at.cloned().map(Progress::Map)
    }
}

impl UnderWay {
    /// Writes what was moved out; whether all is written.
    pub fn write_moved(&mut self, keys: usize, cells: &[Cells]) -> bool {
        while !self.is_full(keys)
            && let Some(mut moved) = self.moved.pop_front()
        {
            if !self.write_part(&mut moved, cells) {
                self.moved.push_front(moved);
                return false;
            }
        }
        self.moved.is_empty()
    }

    /// Writes a part of what was moved out; whether all of it is written, and let go.
    fn write_part(&mut self, moved: &mut Moved, cells: &[Cells]) -> bool {
        let Moved { key, place, state, rest } = moved;
        self.writer.begin(|bytes| bytes.extend_from_slice(key));
        let is_gone = match rest {
            Rest::List(stored, range) => match write_list(&mut self.writer, *state, stored, range.start, range.end) {
                Some(Progress::List(to)) => {
                    range.start = to;
                    false
                }
                _ => true,
            },
            Rest::Map { map, is_written: true, .. } => {
                // A large map is let go a part at a time, as it is written.
                (0..ENTRIES).any(|_| map.pop_first().is_none())
            }
            Rest::Map { map, handed_over, after, is_written } => {
                let only = cells[*state].before.map(*place).filter(|_| self.delta).map(|change| &change.entries);
                let at = self.writer.add(*state, |bytes| {
                    Rest::entries(map, only, after.as_ref(), |entry, value, looked_at| {
                        if !handed_over.contains(entry) {
                            write_entry(bytes, entry, value);
                        }
                        bytes.len() < PIECE && looked_at < ENTRIES
                    })
                });
                match at {
                    Some(Progress::Map(at)) => *after = Some(at),
                    _ => *is_written = true,
                }
                *is_written && map.is_empty()
            }
        };
        self.writer.end();
        is_gone
    }
}
