//! Which rows a task makes.

use wasmill_flow::TaskIndex;

/// The rows of one task: `first`, `first + step` …
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    pub first: u64,
    pub step: u64,
    /// How many; `None` where there is no end.
    pub count: Option<u64>,
}

impl Share {
    /// The share of a task in so many rows.
    pub(super) fn of(task: TaskIndex, rows: Option<u64>) -> Self {
        match rows {
            Some(rows) => {
                #[expect(clippy::cast_possible_truncation, reason = "a part of a u64")]
                let bound = |index: u32| (u128::from(index) * u128::from(rows) / u128::from(task.of)) as u64;
                Self { first: bound(task.index), step: 1, count: Some(bound(task.index + 1) - bound(task.index)) }
            }
            None => Self { first: u64::from(task.index), step: u64::from(task.of), count: None },
        }
    }

    /// The number of the task's `place`-th row, from 0. Wraps after 2^64 rows.
    #[inline]
    pub(super) fn row(self, place: u64) -> u64 {
        self.first.wrapping_add(place.wrapping_mul(self.step))
    }

    /// Which of the task's rows, from 0, this number is.
    pub(super) fn place_of(self, row: u64) -> Option<u64> {
        let ahead = row.checked_sub(self.first)?;
        let place = ahead / self.step;
        (ahead % self.step == 0 && self.count.is_none_or(|count| place < count)).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_share_all_rows_and_none_twice() {
        for rows in [0, 1, 7, 1000, u64::MAX] {
            for of in [1, 2, 3, 128] {
                let mut next = 0;
                for index in 0..of {
                    let share = Share::of(TaskIndex { index, of }, Some(rows));
                    assert_eq!(share.first, next);
                    next += share.count.expect("a number of rows");
                }
                assert_eq!(next, rows);
            }
        }
    }

    #[test]
    fn without_an_end_tasks_take_turns() {
        let share = Share::of(TaskIndex { index: 1, of: 3 }, None);
        assert_eq!((0..3).map(|place| share.row(place)).collect::<Vec<_>>(), [1, 4, 7]);
        assert_eq!((share.place_of(7), share.place_of(6), share.place_of(0)), (Some(2), None, None));
    }
}
