//! Which rows of a batch have a key in common.

use arrow_buffer::ScalarBuffer;
use wasmill_flow::key::EncodedKeys;

/// No row is in this slot of the table.
const EMPTY: u32 = u32::MAX;

/// The rows of a batch by their keys. Its memory is used again from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By hash: the number of a group.
    table: Vec<u32>,
    /// Each row's group.
    pub(super) of_row: Vec<u32>,
    /// Each group's first row.
    pub(super) first: Vec<u32>,
    /// How many rows each has.
    pub(super) rows: Vec<u32>,
}

impl Groups {
    /// Of rows with these keys and hashes; those of other slices of time are other groups.
    pub(super) fn of(&mut self, keys: &EncodedKeys, hashes: &[u64], slices: Option<&[i64]>) -> &Self {
        let slots = (hashes.len() * 2).next_power_of_two();
        self.table.clear();
        self.table.resize(slots, EMPTY);
        self.of_row.clear();
        self.first.clear();
        self.rows.clear();
        let slice = |row: usize| slices.map_or(0, |slices| slices[row]);
        for (row, &hash) in hashes.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "what lies beyond the table is masked off")]
            let mut slot = (hash ^ slice(row).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)) as usize;
            let group = loop {
                slot &= slots - 1;
                let group = self.table[slot];
                if group == EMPTY {
                    #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer rows than 4 G")]
                    let (group, row) = (self.first.len() as u32, row as u32);
                    self.table[slot] = group;
                    self.first.push(row);
                    self.rows.push(0);
                    break group;
                }
                let first = self.first[group as usize] as usize;
                if hashes[first] == hash && slice(first) == slice(row) && keys.get(first) == keys.get(row) {
                    break group;
                }
                slot += 1;
            };
            self.rows[group as usize] += 1;
            self.of_row.push(group);
        }
        self
    }

    /// The latest of each group's times.
    pub(super) fn latest(&self, times: &[i64]) -> ScalarBuffer<i64> {
        let mut latest = vec![i64::MIN; self.first.len()];
        for (&time, &group) in times.iter().zip(&self.of_row) {
            let latest = &mut latest[group as usize];
            *latest = time.max(*latest);
        }
        latest.into()
    }
}
