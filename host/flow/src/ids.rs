//! Numbers with a meaning.

use std::fmt;
use std::ops::Range;

/// Counts the checkpoints of a job, from 1. Rows of epoch `n` lie between barrier `n - 1` and barrier `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of an operator's parallel tasks, counted from 0, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaskIndex {
    /// The task's number.
    pub index: u32,
    /// The operator's parallelism.
    pub of: u32,
}

impl TaskIndex {
    /// The only task of an operator that isn't parallel.
    pub const ONLY: Self = Self { index: 0, of: 1 };
}

/// The fixed number of groups that keys fall into, which is the most tasks that a keyed operator can ever have
/// (`max-parallelism`). State is kept, moved and restored by key group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGroups(u32);

impl KeyGroups {
    /// The default of a job file.
    pub const DEFAULT: Self = Self(128);
    /// The most groups a job may have.
    pub const MOST: u32 = 32_768;

    /// So many groups: 1 to [`Self::MOST`], otherwise `None`.
    #[must_use]
    pub fn new(count: u32) -> Option<Self> {
        (1..=Self::MOST).contains(&count).then_some(Self(count))
    }

    /// How many groups there are.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0
    }

    /// The group of a key with this hash: `hash mod count`. Part of the state format.
    #[must_use]
    #[inline]
    pub fn group(self, hash: u64) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of groups")]
        let group = (hash % u64::from(self.0)) as u32;
        group
    }

    /// The task that owns a group: `group * tasks / count`, so that each owns a range.
    #[must_use]
    #[inline]
    pub fn owner(self, group: u32, tasks: u32) -> u32 {
        group * tasks / self.0
    }

    /// The groups that a task owns: those that [`Self::owner`] gives to it.
    #[must_use]
    pub fn owned_by(self, task: TaskIndex) -> Range<u32> {
        let first = |index: u32| (index * self.0).div_ceil(task.of);
        first(task.index)..first(task.index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_the_owner_whose_range_it_is_in() {
        for count in [1, 2, 7, 100, 128] {
            let groups = KeyGroups::new(count).expect("in range");
            for of in 1..=count.min(9) {
                for index in 0..of {
                    for group in groups.owned_by(TaskIndex { index, of }) {
                        assert_eq!(groups.owner(group, of), index, "group {group} of {count}, {of} tasks");
                    }
                }
                let owned: u32 = (0..of).map(|index| groups.owned_by(TaskIndex { index, of }).len() as u32).sum();
                assert_eq!(owned, count);
            }
        }
    }
}
