//! When rows are due, where there is a rate.

use std::time::{Duration, Instant};

use wasmill_flow::TaskIndex;

/// When the rows of one task are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    start: Instant,
    /// Between two rows of this task.
    nanos: f64,
    /// How long after `start` the first is due.
    offset: f64,
}

impl Pace {
    /// The pace of a task, or of one that makes what so many of them made, where all together make `rate` rows a second.
    pub(super) fn new(rate: f64, start: Instant, task: TaskIndex, tasks: usize) -> Self {
        let apart = 1e9 / rate;
        Self { start, nanos: apart * f64::from(task.of) / tasks as f64, offset: apart * f64::from(task.index) }
    }

    /// When the `place`-th row, from 0, is due. Far beyond what a clock can tell, it is the latest moment that it can.
    pub(super) fn due(&self, place: u64) -> Instant {
        let nanos = place as f64 * self.nanos + self.offset;
        const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);
        let after = if nanos < CENTURY.as_nanos() as f64 { Duration::from_nanos(nanos as u64) } else { CENTURY };
        self.start + after
    }

    /// How many rows, from the `place`-th on, are due now: at most `most`.
    pub(super) fn due_rows(&self, place: u64, now: Instant, most: u64) -> u64 {
        let passed = now.saturating_duration_since(self.start).as_nanos() as f64;
        let mut rows = (((passed - self.offset) / self.nanos) as u64).saturating_add(1).saturating_sub(place).min(most);
        // The division may be off by one row.
        while rows > 0 && self.due(place + rows - 1) > now {
            rows -= 1;
        }
        while rows < most && self.due(place + rows) <= now {
            rows += 1;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_together_keep_the_rate() {
        let start = Instant::now();
        let mut due: Vec<_> = (0..2)
            .flat_map(|index| (0..3).map(move |place| Pace::new(1000.0, start, TaskIndex { index, of: 2 }, 1).due(place) - start))
            .collect();
        due.sort();
        assert_eq!(due, (0..6).map(Duration::from_millis).collect::<Vec<_>>());
    }

    #[test]
    fn a_row_is_due_at_its_moment_and_not_before() {
        let start = Instant::now();
        for rate in [0.1, 3.0, 50_000.0, 1e7] {
            let pace = Pace::new(rate, start, TaskIndex { index: 1, of: 3 }, 1);
            for place in [0, 1, 2, 1000, 1_000_003] {
                let due = pace.due(place);
                assert_eq!(pace.due_rows(place, due, 1000), 1, "{rate} {place}");
                assert_eq!(pace.due_rows(place, due - Duration::from_nanos(1), 1000), 0, "{rate} {place}");
                assert_eq!(pace.due_rows(0, due, u64::MAX), place + 1, "{rate} {place}");
            }
        }
        assert_eq!(Pace::new(50_000.0, start, TaskIndex::ONLY, 1).due_rows(0, start + Duration::from_secs(1), 1024), 1024);
    }
}
