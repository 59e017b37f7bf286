//! Nexmark's events against a computation of them that was written apart, and against what is known of the original's.

use super::*;
use crate::json::row_object;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMillisecondType};

const RATE: f64 = 100_000.0;

fn nexmark(kind: Option<NexmarkKind>, task: TaskIndex, rows: Option<u64>) -> Nexmark {
    Nexmark::new(kind, RATE, 0, task, rows)
}

/// What `tests/nexmark/reference.py` prints: row, kind, the event as JSON.
fn reference() -> Vec<(u64, usize, String)> {
    let lines = include_str!("../../../tests/nexmark/events.ndjson").lines();
    let read = |line: &str| {
        let (head, event) = line.split_once(",\"event\":")?;
        let (row, kind) = head.strip_prefix("{\"row\":")?.split_once(",\"kind\":")?;
        Some((row.parse().ok()?, kind.parse().ok()?, event.strip_suffix('}')?.to_owned()))
    };
    lines.map(|line| read(line).expect("a line of the reference")).collect()
}

#[test]
fn events_are_those_of_the_reference_at_every_place() {
    let of_kind = NexmarkKind::ALL.map(|kind| nexmark(Some(kind), TaskIndex::ONLY, None));
    for (row, kind, expected) in reference() {
        for (other, made) in of_kind.iter().enumerate() {
            let rows = made.rows(row, 1);
            assert_eq!(rows.num_rows(), usize::from(other == kind), "row {row}");
            if other == kind {
                assert_eq!(row_object(&rows, 0), expected, "row {row}");
            }
        }
    }
}

#[test]
fn the_stream_of_all_kinds_has_the_events_of_each() {
    let all = nexmark(None, TaskIndex::ONLY, None).rows(0, 200);
    for kind in NexmarkKind::ALL {
        let own = nexmark(Some(kind), TaskIndex::ONLY, None).rows(0, 200);
        let types = all.column(0).as_primitive::<Int32Type>();
        let places: Vec<usize> = (0..200).filter(|&row| types.value(row) == kind as i32).collect();
        assert_eq!(places.len(), own.num_rows());
        for field in own.schema().fields() {
            let shared = SHARED.contains(&field.name().as_str());
            let name = if shared { field.name().clone() } else { format!("{}_{}", kind.name(), field.name()) };
            let (found, expected) =
                (all.column_by_name(&name).expect("a column"), own.column_by_name(field.name()).expect("one"));
            for (place, row) in places.iter().enumerate() {
                assert_eq!(&found.slice(*row, 1), &expected.slice(place, 1), "{name} of row {row}");
            }
            assert_eq!(found.null_count(), if shared { 0 } else { 200 - places.len() }, "{name}");
        }
    }
}

#[test]
fn kinds_sizes_and_times_are_those_that_were_measured_of_the_original() {
    let (bytes, events) = ([207.5, 507.5, 171.8], 1_000_000);
    for (kind, mean) in NexmarkKind::ALL.into_iter().zip(bytes) {
        let made = nexmark(Some(kind), TaskIndex::ONLY, Some(events));
        assert_eq!(made.row_count(), Some(events * [1, 3, 46][kind as usize] / 50));
        let rows = made.rows(0, events as usize);
        assert_eq!(rows.num_rows() as u64, made.row_count().expect("an end"));
        let size: usize = rows
            .columns()
            .iter()
            .map(|column| match column.as_string_view_opt() {
                Some(texts) => texts.lengths().map(|length| length as usize).sum(),
                None => 8 * column.len(),
            })
            .sum();
        let found = size as f64 / rows.num_rows() as f64;
        assert!((found - mean).abs() < 0.6, "{kind:?}: {found} bytes, {mean} were measured");
    }
    let all = nexmark(None, TaskIndex::ONLY, Some(events)).rows(0, events as usize);
    let times = all.column(1).as_primitive::<TimestampMillisecondType>().values();
    assert_eq!((times[0], times[times.len() - 1]), (1_700_000_000_000, 1_700_000_010_000));
    assert!(times.is_sorted());
}

/// 74,850 of 10 million events were measured, of which 92 % are bids.
#[test]
fn as_many_bids_pass_the_filter_of_q2_as_of_the_originals() {
    let rows = nexmark(Some(NexmarkKind::Bid), TaskIndex::ONLY, Some(4_000_000)).rows(0, 4_000_000);
    let auctions = rows.column(0).as_primitive::<Int64Type>();
    let passed = auctions.values().iter().filter(|auction| *auction % 123 == 0).count();
    assert!((28_800..31_100).contains(&passed), "{passed}");
}

#[test]
fn tasks_have_timelines_of_their_own_and_share_all_events() {
    let task = |index| nexmark(None, TaskIndex { index, of: 2 }, Some(1000)).rows(0, 500);
    let times = |rows: &RecordBatch| rows.column(1).as_primitive::<TimestampMillisecondType>().values().to_vec();
    assert_eq!(times(&task(0)), times(&task(1)), "both begin at the start, with events twice as far apart");
    assert_eq!(times(&task(0))[499], 1_700_000_000_010);
    let whole = nexmark(Some(NexmarkKind::Person), TaskIndex::ONLY, Some(1000)).rows(0, 1000);
    let part = nexmark(Some(NexmarkKind::Person), TaskIndex { index: 1, of: 2 }, Some(1000)).rows(0, 500);
    assert_eq!(&whole.column(0).slice(10, 10), part.column(0));
}

#[test]
fn as_many_events_are_made_as_a_number_of_rows_needs() {
    for kind in NexmarkKind::ALL {
        for rows in [0, 1, 2, 3, 4, 46, 47, 1000] {
            let events = kind.events_for(rows);
            assert_eq!(kind.rows_of(events), rows, "{kind:?}");
            assert!(rows == 0 || kind.rows_of(events - 1) < rows, "{kind:?} {rows}");
            let made = nexmark(Some(kind), TaskIndex::ONLY, None);
            assert_eq!(made.events(0, rows, u64::MAX), events, "{kind:?} {rows}");
        }
    }
}

#[test]
fn another_seed_draws_other_values_for_the_same_events() {
    let bids = |seed| Nexmark::new(Some(NexmarkKind::Bid), RATE, seed, TaskIndex::ONLY, None).rows(0, 100);
    assert_eq!(bids(1), bids(1));
    assert_ne!(bids(0).column(2), bids(1).column(2));
    assert_eq!(bids(0).column(5), bids(1).column(5));
}
