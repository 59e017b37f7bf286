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
    of_row: Vec<u32>,
    /// Each group's first row.
    first: Vec<u32>,
    /// How many rows each has.
    rows: Vec<u32>,
    /// How many rows fewer there are than before when each group is one row.
    pub(super) saved: usize,
}

/// The groups of several rows, renumbered.
#[derive(Debug, Default)]
pub(super) struct Several {
    /// Their rows, in order, and the group of each.
    pub(super) rows: Vec<u32>,
    pub(super) groups: Vec<u32>,
    /// The first row of each group, and how many it has.
    pub(super) firsts: Vec<u32>,
    pub(super) counts: Vec<u32>,
    /// The rows that have a key of their own, in order.
    pub(super) others: Vec<u32>,
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
        self.saved = hashes.len() - self.first.len();
        self
    }

    /// The groups that have several rows.
    pub(super) fn several(&self) -> Several {
        let mut several = Several::default();
        let mut number = vec![EMPTY; self.first.len()];
        for (&group, row) in self.of_row.iter().zip(0_u32..) {
            let count = self.rows[group as usize];
            if count == 1 {
                several.others.push(row);
                continue;
            }
            let number = &mut number[group as usize];
            if *number == EMPTY {
                #[expect(clippy::cast_possible_truncation, reason = "there are no more groups than rows")]
                let next = several.firsts.len() as u32;
                *number = next;
                several.firsts.push(row);
                several.counts.push(count);
            }
            several.rows.push(row);
            several.groups.push(*number);
        }
        several
    }
}

impl Several {
    /// The latest of each group's times.
    pub(super) fn latest(&self, times: &[i64]) -> ScalarBuffer<i64> {
        let mut latest = vec![i64::MIN; self.firsts.len()];
        for (&row, &group) in self.rows.iter().zip(&self.groups) {
            let latest = &mut latest[group as usize];
            *latest = times[row as usize].max(*latest);
        }
        latest.into()
    }
}
