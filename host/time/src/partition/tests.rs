//! Where batches are cut, and what raises the watermark.

use super::*;

/// What travels: rows by their times, each batch with the watermark behind it.
type Sent = Vec<(Vec<i64>, Option<i64>)>;

/// Rows that are read so many at a time, and cut by `cut`.
fn travelled(times: &[i64], batch: usize, mut cut: impl FnMut(Range<usize>, &mut Vec<Cut>)) -> Sent {
    let mut all = Vec::new();
    for first in (0..times.len()).step_by(batch) {
        let (read, mut cuts) = (first..times.len().min(first + batch), Vec::new());
        cut(read.clone(), &mut cuts);
        let times = &times[read];
        all.extend(cuts.into_iter().map(|cut| (times[cut.rows].to_vec(), cut.watermark.map(|watermark| watermark.0))));
    }
    all
}

/// Rows that claim their times.
fn sent(partition: &mut PartitionTime, times: &[i64], batch: usize) -> Sent {
    travelled(times, batch, |read, cuts| partition.cut(&times[read], cuts))
}

/// Rows that say what the watermark is, or nothing.
fn said(partition: &mut PartitionTime, times: &[i64], claims: &[Option<i64>], batch: usize) -> Sent {
    travelled(times, batch, |read, cuts| partition.cut_by(&times[read.clone()], |row| claims[read.start + row], cuts))
}

fn cuts(bound: u64, times: &[i64], batch: usize) -> Sent {
    sent(&mut PartitionTime::bounded(bound), times, batch)
}

/// What each row finds: whether it is at or behind the watermark that was sent before it.
fn late(sent: Sent) -> Vec<(i64, bool)> {
    let mut watermark = i64::MIN;
    let mut found = Vec::new();
    for (rows, moved) in sent {
        found.extend(rows.into_iter().map(|time| (time, time <= watermark)));
        watermark = moved.unwrap_or(watermark);
    }
    found
}

/// A linear congruential generator: disorder that is the same every time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end) as i64
    }
}

#[test]
fn a_batch_ends_before_a_row_that_its_own_rows_make_late() {
    assert_eq!(cuts(0, &[5, 5, 6, 4, 9, 3, 2], 100), [(vec![5, 5, 6], Some(5)), (vec![4, 9], Some(8)), (vec![3, 2], None),]);
    assert_eq!(cuts(3, &[5, 5, 6, 4, 9, 3, 2], 100), [(vec![5, 5, 6, 4, 9], Some(5)), (vec![3, 2], None)]);
    assert_eq!(cuts(3, &[], 100), []);
}

#[test]
fn which_rows_are_late_does_not_depend_on_how_they_were_read_together() {
    let mut draws = Draws(7);
    for bound in [0, 5, 40] {
        let times: Vec<i64> = (0..500).map(|row| row - draws.below(60)).collect();
        let one_by_one = late(cuts(bound, &times, 1));
        assert!(one_by_one.iter().any(|(_, late)| *late) && one_by_one.iter().any(|(_, late)| !late));
        for batch in [2, 3, 7, 100, 1_000] {
            assert_eq!(late(cuts(bound, &times, batch)), one_by_one, "bound {bound}, batches of {batch}");
        }
    }
}

#[test]
fn what_counts_does_not_depend_on_how_rows_were_read_together_where_some_are_too_far_ahead() {
    let mut draws = Draws(13);
    let times: Vec<i64> = (0..2_000).map(|row| row - draws.below(60) + if draws.below(20) == 0 { 5_000 } else { 0 }).collect();
    let run = |batch| {
        let mut partition = PartitionTime::bounded(40).with_max_jump(Some(100));
        (late(sent(&mut partition, &times, batch)), partition.reached(), partition.too_far())
    };
    let one_by_one = run(1);
    assert!(one_by_one.2 > 50, "{} rows were too far ahead", one_by_one.2);
    for batch in [2, 3, 7, 100, 1_000] {
        assert_eq!(run(batch), one_by_one, "batches of {batch}");
    }
}

#[test]
fn where_rows_say_the_watermark_it_is_what_they_say_and_never_goes_back() {
    let times = [5, 9, 7, 8, 12, 6, 13];
    let marks = [None, None, Some(7), None, Some(3), None, Some(12)];
    let mut partition = PartitionTime::punctuated();
    let expected = [(vec![5, 9, 7, 8, 12], Some(7)), (vec![6, 13], Some(12))];
    assert_eq!(said(&mut partition, &times, &marks, 100), expected, "6 is at or behind 7, which was said before it");
    assert_eq!(partition.watermark(), Watermark(12));
}

#[test]
fn what_rows_say_of_the_watermark_counts_alike_however_they_are_read_together() {
    let mut draws = Draws(11);
    let times: Vec<i64> = (0..500).map(|row| row - draws.below(60)).collect();
    let marks: Vec<Option<i64>> = (0..500).map(|row| (draws.below(9) == 0).then(|| row - draws.below(40))).collect();
    let one_by_one = late(said(&mut PartitionTime::punctuated(), &times, &marks, 1));
    assert!(one_by_one.iter().any(|(_, late)| *late) && one_by_one.iter().any(|(_, late)| !late));
    for batch in [2, 3, 7, 100, 1_000] {
        assert_eq!(late(said(&mut PartitionTime::punctuated(), &times, &marks, batch)), one_by_one, "batches of {batch}");
    }
}

#[test]
fn a_row_that_is_too_far_ahead_raises_nothing() {
    let mut partition = PartitionTime::bounded(0).with_max_jump(Some(10));
    partition.cut(&[5, 9_000, 15, 26, 24], &mut Vec::new());
    assert_eq!((partition.watermark(), partition.too_far()), (Watermark(23), 2), "9000 is 8995 ahead of 5, and 26 is 11 of 15");
    let mut limitless = PartitionTime::bounded(0);
    limitless.cut(&[5, 9_000], &mut Vec::new());
    assert_eq!((limitless.watermark(), limitless.too_far()), (Watermark(8_999), 0));
}

#[test]
fn a_hundred_rows_that_are_ahead_one_after_the_other_are_believed() {
    let day = 1_000;
    let mut partition = PartitionTime::bounded(0).with_max_jump(Some(10));
    let mut times = vec![5];
    times.extend((0..98).map(|row| day + 98 - row));
    times.extend([6, 9 * day]);
    partition.cut(&times, &mut Vec::new());
    assert_eq!((partition.watermark(), partition.too_far()), (Watermark(5), 99), "a row between them begins the count anew");
    // A pause of the source: what comes after it is all ahead. The least of them counts, not what is far ahead of these in turn.
    let after: Vec<i64> = (0..98).map(|row| day + row).chain([day]).collect();
    partition.cut(&after, &mut Vec::new());
    assert_eq!((partition.watermark(), partition.too_far()), (Watermark(day - 1), 197));
}

#[test]
fn times_at_the_edge_of_what_there_is_overflow_nothing() {
    assert_eq!(cuts(u64::MAX, &[i64::MIN, i64::MAX], 1), [(vec![i64::MIN], None), (vec![i64::MAX], Some(0))]);
    let mut marked = PartitionTime::punctuated().with_max_jump(Some(u64::MAX));
    assert_eq!(
        said(&mut marked, &[i64::MIN, i64::MAX], &[Some(i64::MIN), Some(i64::MAX)], 1),
        [(vec![i64::MIN], None), (vec![i64::MAX], Some(i64::MAX - 1))],
        "a row can't say that there are no more"
    );
}

#[test]
fn a_restored_partition_goes_on_with_the_watermark_that_it_had() {
    let bounded = || PartitionTime::bounded(2).with_max_jump(Some(50));
    let mut partition = bounded();
    partition.cut(&[10, 7, 99], &mut Vec::new());
    let mut again = bounded();
    assert_eq!(again.resume(partition.reached()), Watermark(7));
    assert_eq!(again.reached(), Reached { largest: Some(10), ahead: Some((1, 99)) });
    let mut cuts = Vec::new();
    again.cut(&[8], &mut cuts);
    assert_eq!(cuts, [Cut { rows: 0..1, watermark: None }]);
}
