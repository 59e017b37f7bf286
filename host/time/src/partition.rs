//! How far event time has come in one partition of a source, after every row, and where its batches are cut.

use std::ops::Range;

use wasmill_flow::Watermark;

/// Event time of one partition: its watermark is its largest event time so far, less the bound on how far out of order rows are, less
/// 1 ms, since rows of the same time may still come.
#[derive(Debug, Clone)]
pub struct PartitionTime {
    bound: i64,
    largest: Option<i64>,
    /// The last watermark that was sent.
    sent: Watermark,
}

/// Rows that travel as one batch, and the watermark to send behind them, where it has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The rows, as a range of those that were read.
    pub rows: Range<usize>,
    /// What follows them.
    pub watermark: Option<Watermark>,
}

impl PartitionTime {
    /// A partition whose rows are at most so many milliseconds out of order; 0 where their times ascend.
    #[must_use]
    pub fn new(bound: u64) -> Self {
        Self { bound: i64::try_from(bound).unwrap_or(i64::MAX), largest: None, sent: Watermark::NONE }
    }

    /// The largest event time so far: what a checkpoint keeps.
    #[must_use]
    pub fn largest(&self) -> Option<i64> {
        self.largest
    }

    /// Goes on from a checkpoint's largest event time; the watermark is to be sent before any row.
    pub fn resume(&mut self, largest: Option<i64>) -> Watermark {
        self.largest = largest;
        self.sent = self.watermark();
        self.sent
    }

    /// The watermark behind the rows so far.
    #[must_use]
    pub fn watermark(&self) -> Watermark {
        self.largest.map_or(Watermark::NONE, |largest| Watermark(largest.saturating_sub(self.bound).saturating_sub(1)))
    }

    /// Takes the event times of rows that were read together, and says where to cut them.
    ///
    /// A batch ends before a row that is at or behind the watermark which earlier rows of the same batch have raised: were it in one batch
    /// with them, whether it is late would depend on how rows were read together. Constant time a row.
    pub fn cut(&mut self, times: &[i64], cuts: &mut Vec<Cut>) {
        let mut start = 0;
        for (row, &time) in times.iter().enumerate() {
            let watermark = self.watermark();
            if time <= watermark.0 && watermark > self.sent {
                cuts.push(self.ending(start..row));
                start = row;
            }
            self.largest = Some(self.largest.map_or(time, |largest| largest.max(time)));
        }
        if start < times.len() {
            cuts.push(self.ending(start..times.len()));
        }
    }

    fn ending(&mut self, rows: Range<usize>) -> Cut {
        let watermark = self.watermark();
        let moved = watermark > self.sent;
        self.sent = watermark;
        Cut { rows, watermark: moved.then_some(watermark) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(bound: u64, times: &[i64], batch: usize) -> Vec<(Vec<i64>, Option<i64>)> {
        let mut partition = PartitionTime::new(bound);
        let mut all = Vec::new();
        for times in times.chunks(batch) {
            let mut cuts = Vec::new();
            partition.cut(times, &mut cuts);
            all.extend(cuts.into_iter().map(|cut| (times[cut.rows].to_vec(), cut.watermark.map(|watermark| watermark.0))));
        }
        all
    }

    #[test]
    fn a_batch_ends_before_a_row_that_its_own_rows_make_late() {
        assert_eq!(cuts(0, &[5, 5, 6, 4, 9, 3, 2], 100), [(vec![5, 5, 6], Some(5)), (vec![4, 9], Some(8)), (vec![3, 2], None),]);
        assert_eq!(cuts(3, &[5, 5, 6, 4, 9, 3, 2], 100), [(vec![5, 5, 6, 4, 9], Some(5)), (vec![3, 2], None)]);
        assert_eq!(cuts(3, &[], 100), []);
    }

    /// What each row finds: the watermark that was sent before it.
    fn found(bound: u64, times: &[i64], batch: usize) -> Vec<(i64, bool)> {
        let mut watermark = i64::MIN;
        let mut found = Vec::new();
        for (rows, moved) in cuts(bound, times, batch) {
            found.extend(rows.into_iter().map(|time| (time, time <= watermark)));
            watermark = moved.unwrap_or(watermark);
        }
        found
    }

    #[test]
    fn which_rows_are_late_does_not_depend_on_how_they_were_read_together() {
        // A linear congruential generator: disorder that is the same every time.
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        for bound in [0, 5, 40] {
            let times: Vec<i64> = (0..500).map(|row| row - (next() % 60) as i64).collect();
            let one_by_one = found(bound, &times, 1);
            assert!(one_by_one.iter().any(|(_, late)| *late) && one_by_one.iter().any(|(_, late)| !late));
            for batch in [2, 3, 7, 100, 1_000] {
                assert_eq!(found(bound, &times, batch), one_by_one, "bound {bound}, batches of {batch}");
            }
        }
    }

    #[test]
    fn times_at_the_edge_of_what_there_is_overflow_nothing() {
        assert_eq!(cuts(u64::MAX, &[i64::MIN, i64::MAX], 1), [(vec![i64::MIN], None), (vec![i64::MAX], Some(-1))]);
    }

    #[test]
    fn a_restored_partition_goes_on_with_the_watermark_that_it_had() {
        let mut partition = PartitionTime::new(2);
        partition.cut(&[10, 7], &mut Vec::new());
        let mut again = PartitionTime::new(2);
        assert_eq!(again.resume(partition.largest()), Watermark(7));
        let mut cuts = Vec::new();
        again.cut(&[8], &mut cuts);
        assert_eq!(cuts, [Cut { rows: 0..1, watermark: None }]);
    }
}
