//! Windows in event time: what comes out when, what is late, what a restored task knows.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use futures_util::FutureExt as _;
use wasmill_flow::column_type::TIMESTAMP;
use wasmill_flow::{Epoch, KeyGroups};
use wasmill_state::SnapshotKind;
use wasmill_state::memory::MemoryState;

use super::*;
use crate::contract::Emitted;
use crate::testing::{batch_of, dead, ints, rows, run, schema_of, texts};

const TUMBLING: Windows = Windows { size: 10, slide: 10, offset: 0, zone: None, allowed_lateness: 0 };

fn input() -> SchemaRef {
    schema_of(&[("net", "utf8"), ("mag", "int64")])
}

fn windowed(windows: Windows) -> (WindowedAggregate, Context) {
    let aggregates =
        [("n", "count(*)"), ("top", "max(100 / mag)")].map(|(name, text)| (name.to_owned(), Computation::Sql(text.to_owned())));
    let operator = WindowedAggregate::new(&[0], windows, Trigger::default(), aggregates.into(), 100, &input()).expect("a window");
    let state = MemoryState::in_spaces(operator.declaration().states);
    (operator, Context { state: Some(Box::new(state)), ..Context::stateless() })
}

fn batch(of: &[(i64, &str, i64)]) -> Batch {
    let columns = vec![texts(of.iter().map(|row| Some(row.1))), ints(of.iter().map(|row| Some(row.2)))];
    batch_of(&input(), columns).at(Some(of.iter().map(|row| row.0).collect()))
}

/// What comes out on an output since it was last looked at, each row with its event time in front.
fn out(cx: &mut Context, port: usize) -> Vec<String> {
    let (taken, others) = std::mem::take(&mut cx.emitted).into_iter().partition(|emitted| emitted.port == port);
    cx.emitted = others;
    let taken: Vec<Emitted> = taken;
    let of = |emitted: &Emitted| {
        let times = emitted.batch.times.clone().expect("event times");
        let plain: Vec<ArrayRef> = emitted
            .batch
            .rows
            .columns()
            .iter()
            .map(|column| match column.data_type() {
                time if *time == TIMESTAMP => {
                    let values = column.as_primitive::<TimestampMillisecondType>().values().iter();
                    ints(values.map(|value| Some(*value)))
                }
                _ => Arc::clone(column),
            })
            .collect();
        let names = (0..plain.len()).map(|column| format!("c{column}"));
        let shown = rows(&RecordBatch::try_from_iter(names.zip(plain)).expect("columns"));
        times.iter().zip(shown).map(|(time, row)| format!("{time}: {row}")).collect::<Vec<_>>()
    };
    taken.iter().flat_map(of).collect()
}

fn advance(operator: &mut WindowedAggregate, cx: &mut Context, watermark: i64) {
    while operator.watermark(Watermark(watermark), cx).now_or_never().expect("no waiting").expect("fires") == Due::More {}
    cx.watermark = Watermark(watermark);
}

#[test]
fn a_window_s_results_come_out_once_when_event_time_reaches_its_end() {
    let (mut operator, mut cx) = windowed(TUMBLING);
    run(&mut operator, 0, batch(&[(1, "b", 5), (12, "a", 4), (9, "a", 2), (3, "b", 1)]), &mut cx).expect("taken");
    advance(&mut operator, &mut cx, 8);
    assert_eq!(out(&mut cx, 0), Vec::<String>::new());
    advance(&mut operator, &mut cx, 9);
    assert_eq!(out(&mut cx, 0), ["9: a 0 10 1 50", "9: b 0 10 2 100"]);
    run(&mut operator, 0, batch(&[(14, "a", 1)]), &mut cx).expect("taken");
    advance(&mut operator, &mut cx, i64::MAX);
    assert_eq!(out(&mut cx, 0), ["19: a 10 20 2 100"]);
    assert_eq!(cx.state.expect("state").keys(), 0, "nothing is kept of what is past");
}

#[test]
fn a_row_whose_window_is_past_is_late() {
    let (mut operator, mut cx) = windowed(TUMBLING);
    advance(&mut operator, &mut cx, 9);
    run(&mut operator, 0, batch(&[(9, "a", 1), (10, "a", 2), (-5, "b", 3)]), &mut cx).expect("taken");
    assert_eq!(out(&mut cx, 1), ["9: a 1", "-5: b 3"]);
    advance(&mut operator, &mut cx, i64::MAX);
    assert_eq!(out(&mut cx, 0), ["19: a 10 20 1 50"]);
}

#[test]
fn while_lateness_is_allowed_each_late_row_mends_its_window_s_result() {
    let (mut operator, mut cx) = windowed(Windows { allowed_lateness: 5, ..TUMBLING });
    run(&mut operator, 0, batch(&[(1, "a", 5)]), &mut cx).expect("taken");
    advance(&mut operator, &mut cx, 9);
    assert_eq!(out(&mut cx, 0), ["9: a 0 10 1 20"]);
    run(&mut operator, 0, batch(&[(2, "a", 2), (3, "a", 1), (4, "b", 4)]), &mut cx).expect("taken");
    assert_eq!(out(&mut cx, 0), ["9: a 0 10 2 50", "9: a 0 10 3 100", "9: b 0 10 1 25"]);
    advance(&mut operator, &mut cx, 13);
    assert_eq!(out(&mut cx, 0), Vec::<String>::new(), "nothing new, nothing said");
    advance(&mut operator, &mut cx, 14);
    run(&mut operator, 0, batch(&[(5, "a", 1)]), &mut cx).expect("taken");
    assert_eq!((out(&mut cx, 0), out(&mut cx, 1)), (vec![], vec!["5: a 1".to_owned()]));
    assert_eq!(cx.state.expect("state").keys(), 0);
}

#[test]
fn a_row_counts_in_each_window_that_slides_over_it_and_is_late_where_all_are_past() {
    let (mut operator, mut cx) = windowed(Windows { slide: 5, ..TUMBLING });
    run(&mut operator, 0, batch(&[(7, "a", 1), (12, "a", 2)]), &mut cx).expect("taken");
    advance(&mut operator, &mut cx, 9);
    assert_eq!(out(&mut cx, 0), ["9: a 0 10 1 100"]);
    // In 0..10, which is past, and in 5..15.
    run(&mut operator, 0, batch(&[(8, "a", 4), (4, "a", 1)]), &mut cx).expect("taken");
    assert_eq!(out(&mut cx, 1), ["4: a 1"]);
    advance(&mut operator, &mut cx, i64::MAX);
    assert_eq!(out(&mut cx, 0), ["14: a 5 15 3 100", "19: a 10 20 1 50"]);
}

#[test]
fn a_row_that_an_expression_fails_on_is_dead_as_it_came_in_and_counts_nowhere() {
    let (mut operator, mut cx) = windowed(TUMBLING);
    run(&mut operator, 0, batch(&[(1, "a", 0), (2, "a", 1)]), &mut cx).expect("taken");
    let dead = dead(&cx);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, "a 0");
    assert_eq!(cx.dead[0].rows.times.as_deref(), Some(&[1][..]));
    advance(&mut operator, &mut cx, i64::MAX);
    assert_eq!(out(&mut cx, 0), ["9: a 0 10 1 100"]);
}

#[test]
fn a_restored_task_goes_on_with_its_own_keys_and_says_nothing_twice() {
    let lateness = Windows { allowed_lateness: 20, ..TUMBLING };
    let (mut operator, mut cx) = windowed(lateness);
    let nets: Vec<String> = (0..40).map(|net| format!("net{net}")).collect();
    let rows: Vec<(i64, &str, i64)> = nets.iter().flat_map(|net| [(1, net.as_str(), 1), (11, net.as_str(), 1)]).collect();
    run(&mut operator, 0, batch(&rows), &mut cx).expect("taken");
    advance(&mut operator, &mut cx, 9);
    let fired = out(&mut cx, 0).len();
    assert_eq!(fired, 40);
    let state = cx.state.as_mut().expect("state");
    state.snapshot(Epoch(1), SnapshotKind::Base);
    let mut bytes = Vec::new();
    while let Some(piece) = state.snapshot_step(7) {
        bytes.extend(piece);
    }
    // By three tasks, each with its own key groups.
    let groups = KeyGroups::DEFAULT;
    let mut results = 0;
    for index in 0..3 {
        let owned = groups.owned_by(wasmill_flow::TaskIndex { index, of: 3 });
        let (mut operator, mut cx) = windowed(lateness);
        cx.watermark = Watermark(9);
        cx.state.as_mut().expect("state").restore(&[&bytes], groups, owned.clone(), owned.clone()).expect("restored");
        operator.restored(&mut cx).expect("state of windows");
        advance(&mut operator, &mut cx, 10);
        assert_eq!(out(&mut cx, 0), Vec::<String>::new(), "0..10 has come out before");
        advance(&mut operator, &mut cx, 19);
        let out = out(&mut cx, 0);
        for row in &out {
            let net = row.split(' ').nth(1).expect("a key");
            let mut keys = wasmill_flow::key::EncodedKeys::default();
            keys.encode(&[texts([Some(net)])]);
            assert!(owned.contains(&groups.group(keys.hashes()[0])), "{net} is another task's");
        }
        results += out.len();
    }
    assert_eq!(results, 40, "each key is in one task, and 10..20 comes out once");
}

#[test]
fn a_row_that_an_expression_fails_on_dies_once_where_windows_slide_over_it() {
    let sliding = Windows { slide: 5, allowed_lateness: 5, ..TUMBLING };
    let (mut operator, mut cx) = windowed(sliding);
    advance(&mut operator, &mut cx, 14);
    run(&mut operator, 0, batch(&[(17, "a", 0), (17, "a", 4), (14, "a", 0), (4, "b", 0)]), &mut cx).expect("taken");
    let dead: Vec<String> = dead(&cx).into_iter().map(|(row, _)| row).collect();
    assert_eq!(dead, ["a 0", "a 0"]);
    assert_eq!(out(&mut cx, 1), ["4: b 0"], "what is late is so, whatever expressions make of it");
    advance(&mut operator, &mut cx, i64::MAX);
    assert_eq!(out(&mut cx, 0), ["19: a 10 20 1 25", "24: a 15 25 1 25"]);
}

/// Sums of floats in windows that share slices, of a task that is restored before some of the watermarks.
fn sums(restored: &[i64]) -> Vec<String> {
    let input = schema_of(&[("net", "utf8"), ("mag", "float64")]);
    let windows = Windows { size: 70, slide: 10, ..TUMBLING };
    let make = || {
        let aggregates =
            [("s", "sum(mag)"), ("v", "var_pop(mag)")].map(|(name, text)| (name.to_owned(), Computation::Sql(text.to_owned())));
        let operator =
            WindowedAggregate::new(&[0], windows, Trigger::default(), aggregates.into(), 100, &input).expect("a window");
        let state = MemoryState::in_spaces(operator.declaration().states);
        (operator, Context { state: Some(Box::new(state)), ..Context::stateless() })
    };
    let (mut operator, mut cx) = make();
    let mut all = Vec::new();
    for time in 0..500_i32 {
        let net = ["a", "b", "c"][time as usize % 3];
        let mag = 0.1 * f64::from(time * 7919 % 1_000) * 10_f64.powi(time * 31 % 9);
        let columns = vec![texts([Some(net)]), crate::testing::floats([Some(mag)])];
        run(&mut operator, 0, batch_of(&input, columns).at(Some(vec![i64::from(time)].into())), &mut cx).expect("taken");
        let watermark = i64::from(time) - 3;
        if restored.contains(&watermark) {
            let state = cx.state.as_mut().expect("state");
            state.snapshot(Epoch(1), SnapshotKind::Base);
            let snapshot: Vec<u8> = std::iter::from_fn(|| state.snapshot_step(9)).flatten().collect();
            let before = cx.watermark;
            (operator, cx) = make();
            let groups = KeyGroups::DEFAULT;
            let owned = groups.owned_by(wasmill_flow::TaskIndex { index: 0, of: 1 });
            cx.state.as_mut().expect("state").restore(&[&snapshot], groups, owned, 0..groups.count()).expect("restored");
            cx.watermark = before;
        }
        advance(&mut operator, &mut cx, watermark);
        all.extend(out(&mut cx, 0));
    }
    all
}

#[test]
fn sums_of_floats_that_share_slices_are_the_same_to_the_last_digit_wherever_a_task_begins() {
    let through = sums(&[]);
    assert!(through.len() > 100);
    for from in [17, 55, 99, 140, 233, 301] {
        assert_eq!(sums(&[from]), through, "restored at {from}");
    }
    assert_eq!(sums(&[40, 80, 120, 160, 200, 240, 280, 320, 360]), through);
}

#[test]
fn a_row_that_an_aggregate_refuses_joins_no_sessions_however_rows_are_cut() {
    let results = |cut: usize| {
        let aggregates = vec![("s".to_owned(), Computation::Sql("sum(mag)".to_owned()))];
        let mut operator = SessionAggregate::new(&[0], 10, 0, Trigger::default(), aggregates, 100, &input()).expect("sessions");
        let state = MemoryState::in_spaces(operator.declaration().states);
        let mut cx = Context { state: Some(Box::new(state)), ..Context::stateless() };
        // The one at 8 overflows, and would join those at 0 and 15; so would that at 30, which joins 25 and 38.
        let rows =
            [(0, "a", i64::MAX), (8, "a", 1), (15, "a", 3), (25, "b", i64::MAX), (38, "b", -1), (30, "b", 2), (31, "b", -2)];
        for rows in rows.chunks(cut) {
            run(&mut operator, 0, batch(rows), &mut cx).expect("taken");
        }
        let dead: Vec<String> = dead(&cx).into_iter().map(|(row, _)| row).collect();
        while operator.watermark(Watermark(i64::MAX), &mut cx).now_or_never().expect("no waiting").expect("fires") == Due::More {}
        (dead, out(&mut cx, 0))
    };
    let expected = (
        vec!["a 1".to_owned(), "b 2".to_owned()],
        ["9: a 0 10 9223372036854775807", "24: a 15 25 3", "47: b 25 48 9223372036854775804"].map(str::to_owned).to_vec(),
    );
    for cut in 1..8 {
        assert_eq!(results(cut), expected, "{cut} a batch");
    }
}
