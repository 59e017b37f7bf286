//! A snapshot under way: what of it is still to be serialised.
//!
//! The snapshot holds the slots that had a value at its mark. A cursor walks over them; before a slot is written that the cursor
//! hasn't reached, its entry is handed over. A bit for each slot says which were dealt with. Whether that is a 1 or a 0 changes with
//! every snapshot: at the end of one all slots have its sense, so the next one starts with the other sense, and no bit need be reset.
//! A slot made between two snapshots, or after the mark, gets the current sense, and so is in no snapshot under way and in the next.

use wasmill_flow::Epoch;

use super::bits::Bits;
use super::cells::Cells;
use super::slots::Slots;
use crate::contract::StateNeed;
use crate::snapshot::SnapshotWriter;

/// The snapshot under way, if there is one, and what the next needs.
#[derive(Debug, Default)]
pub struct Cut {
    /// For each slot, `sense` where the latest snapshot has dealt with it.
    dealt: Bits,
    sense: bool,
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    /// The word of bits that the cursor is in.
    cursor: usize,
    /// How many words there were at the mark.
    words: usize,
    states: usize,
    writer: SnapshotWriter,
}

impl Cut {
    /// Marks the snapshot.
    ///
    /// # Panics
    /// Where one is under way.
    pub fn start(&mut self, epoch: Epoch, states: &[StateNeed], slots: usize) {
        assert!(self.under_way.is_none(), "a snapshot for epoch {epoch} was started while another was under way");
        self.sense = !self.sense;
        let writer = SnapshotWriter::new(epoch, states);
        self.under_way = Some(UnderWay { cursor: 0, words: slots.div_ceil(64), states: states.len(), writer });
    }

    /// Takes note of slots that were made, of `count` in all: they are in no snapshot under way.
    pub fn exclude(&mut self, made: &[u32], count: usize) {
        self.dealt.grow(count);
        for &place in made {
            self.dealt.replace(place, self.sense);
        }
    }

    /// Serialises those of some slots that a snapshot under way still has to, before they are written.
    #[inline]
    pub fn hand_over(&mut self, places: &[u32], slots: &Slots, cells: &[Cells]) {
        if let Some(under_way) = &mut self.under_way {
            for &place in places {
                if self.dealt.replace(place, self.sense) != self.sense {
                    under_way.serialise(place, slots, cells);
                }
            }
        }
    }

    /// The next piece: what was handed over, and as many of the slots at the cursor as make `keys` of it, at least one.
    pub fn step(&mut self, keys: usize, slots: &Slots, cells: &[Cells]) -> Option<Vec<u8>> {
        let mut under_way = self.under_way.take()?;
        while under_way.cursor < under_way.words {
            let live = cells.iter().fold(0, |word, cells| word | cells.present_word(under_way.cursor));
            let dealt = self.dealt.word(under_way.cursor) ^ if self.sense { 0 } else { u64::MAX };
            let mut left = live & !dealt;
            while left != 0 {
                if under_way.writer.waiting() >= keys.max(1) {
                    let piece = under_way.writer.take();
                    self.under_way = Some(under_way);
                    return Some(piece);
                }
                #[expect(clippy::cast_possible_truncation, reason = "slots are counted in a u32")]
                let place = (under_way.cursor * 64) as u32 + left.trailing_zeros();
                self.dealt.replace(place, self.sense);
                under_way.serialise(place, slots, cells);
                left &= left - 1;
            }
            // Free slots too have now been dealt with.
            self.dealt.fill_word(under_way.cursor, self.sense);
            under_way.cursor += 1;
        }
        Some(under_way.writer.finish())
    }

    /// The memory held, in bytes, without what was handed over.
    pub fn held(&self) -> usize {
        self.dealt.held()
    }
}

impl UnderWay {
    /// Writes a slot's entry, if it has any value.
    fn serialise(&mut self, place: u32, slots: &Slots, cells: &[Cells]) {
        if !cells.iter().any(|cells| cells.is_present(place)) {
            return;
        }
        let entry = self.writer.entry();
        let start = entry.len();
        entry.extend_from_slice(&[0; 4]);
        slots.append_key(place, entry);
        #[expect(clippy::cast_possible_truncation, reason = "a key is part of a batch, which is far smaller than 4 GiB")]
        let length = (entry.len() - start - 4) as u32;
        entry[start..start + 4].copy_from_slice(&length.to_le_bytes());
        let presence = entry.len();
        entry.resize(presence + self.states.div_ceil(8), 0);
        for (index, cells) in cells.iter().enumerate() {
            if cells.is_present(place) {
                entry[presence + index / 8] |= 1 << (index % 8);
                cells.append(place, entry);
            }
        }
    }
}
