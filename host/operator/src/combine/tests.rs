//! Rows that come combined beside the same rows one by one.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use futures_util::FutureExt as _;
use wasmill_state::memory::MemoryState;

use super::*;
use crate::contract::Context;
use crate::testing::{batch_of, dead, emitted, ints, run, schema_of};
use crate::{Operator as _, OperatorError};

fn sql(texts: &[&str]) -> Vec<(String, Computation)> {
    let named = |(number, text): (usize, &&str)| (format!("a{number}"), Computation::Sql((*text).to_owned()));
    texts.iter().enumerate().map(named).collect()
}

fn input() -> SchemaRef {
    schema_of(&[("key", "int64"), ("value", "int64")])
}

fn batch(rows: &[(i64, i64)]) -> (Batch, EncodedKeys) {
    let columns = vec![ints(rows.iter().map(|row| Some(row.0))), ints(rows.iter().map(|row| Some(row.1)))];
    let batch = batch_of(&input(), columns);
    let mut keys = EncodedKeys::default();
    keys.encode(&batch.rows.columns()[..1]);
    (Batch { hashes: Some(keys.hashes().into()), ..batch }, keys)
}

fn combine(combiner: &mut Combiner, (batch, keys): &(Batch, EncodedKeys)) -> Option<Batch> {
    combiner.combine(batch, keys).now_or_never().expect("no waiting")
}

fn of(texts: &[&str]) -> Option<Combiner> {
    Combiner::new(&[0], None, sql(texts), &input(), 8).expect("aggregates")
}

/// What keys come to in the end whose rows come combined, as far as they may be, and what dies.
fn ran(texts: &[&str], batches: &[&[(i64, i64)]], combines: bool) -> Result<(Vec<String>, Vec<String>), OperatorError> {
    let mut combiner = of(texts).filter(|_| combines);
    let emit = Emit::AtEnd { most_rows: 100 };
    let mut operator = RunningAggregate::of(&[0], sql(texts), emit, &input()).expect("aggregates");
    let state = MemoryState::new(operator.declaration().states);
    let mut cx = Context { state: Some(Box::new(state)), ..Context::stateless() };
    for rows in batches {
        let rows = batch(rows);
        let combined = combiner.as_mut().and_then(|combiner| combine(combiner, &rows));
        run(&mut operator, 0, combined.unwrap_or(rows.0), &mut cx)?;
    }
    operator.end(&mut cx).now_or_never().expect("no waiting")?;
    Ok((emitted(&cx), dead(&cx).into_iter().map(|(row, reason)| format!("{row}: {reason}")).collect()))
}

#[test]
fn rows_of_a_key_become_one() {
    let mut combiner = of(&["count(*)", "sum(value)"]).expect("it combines");
    let combined = combine(&mut combiner, &batch(&[(1, 5), (2, 6), (1, 7), (1, 8), (3, 9), (3, 1)])).expect("it pays");
    assert_eq!(combined.rows.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
    assert_eq!((combined.combined.as_deref(), combined.count()), (Some(&[3, 1, 2][..]), 6));
    assert_eq!(combined.hashes.expect("hashes").len(), 3);
}

#[test]
fn rows_of_other_windows_are_kept_apart() {
    let windows = Windows { size: 10, slide: 10, offset: 0, zone: None, allowed_lateness: 0 };
    let mut combiner =
        Combiner::new(&[0], Some(windows), sql(&["count(*)"]), &input(), 8).expect("aggregates").expect("it combines");
    let (rows, keys) = batch(&[(1, 0), (1, 0), (1, 0), (1, 0), (1, 0)]);
    let rows = rows.at(Some(vec![3, 12, 8, 11, 29].into()));
    let combined = combine(&mut combiner, &(rows, keys)).expect("it pays");
    assert_eq!(combined.times.as_deref(), Some(&[8, 12, 29][..]));
    assert_eq!(combined.combined.as_deref(), Some(&[2, 2, 1][..]));
}

#[test]
fn a_batch_whose_keys_are_all_different_lets_the_next_pass_as_they_are() {
    let mut combiner = of(&["count(*)"]).expect("it combines");
    let different: Vec<(i64, i64)> = (0..8).map(|key| (key, 0)).collect();
    assert!(combine(&mut combiner, &batch(&different)).is_none());
    let same = batch(&[(1, 0); 8]);
    for number in 0..PAUSE {
        assert!(combine(&mut combiner, &same).is_none(), "batch {number}");
    }
    assert!(combine(&mut combiner, &same).is_some());
}

#[test]
fn what_parts_don_t_come_to_exactly_isn_t_combined() {
    let of_rows = [
        "avg(value)",
        "sum(cast(value as float64))",
        "count(distinct value)",
        "array_agg(value)",
        "median(value)",
        "max(cast(value as utf8), 3)",
        "max_by(value, cast(value as utf8))",
        "approx_distinct(value)",
    ];
    for text in of_rows {
        assert!(of(&[text, "count(*)"]).is_none(), "{text}");
    }
    let exact = [
        "min(value)",
        "max(cast(value as utf8))",
        "sum(value) filter (where value > 2)",
        "bit_xor(value)",
        "min(value, 3)",
        "max_by(value, value % 3, 2)",
        "approx_median(value)",
    ];
    assert!(of(&exact).is_some());
}

#[test]
fn keys_come_to_the_same_whether_rows_are_combined_or_not() {
    let texts = [
        "count(*)",
        "count(*) filter (where value > 2)",
        "sum(value)",
        "sum(cast(value as decimal(10,2)))",
        "min(cast(value as float64))",
        "max(cast(value as utf8))",
        "min(value, 2)",
        "max_by(value, value % 3, 2)",
        "min_by(value, value % 2)",
        "approx_percentile_cont(value, 0.4)",
    ];
    let batches: [&[(i64, i64)]; 3] =
        [&[(1, 5), (2, -6), (1, 7), (1, 8)], &[(2, 1), (2, 10), (2, 9)], &[(3, 0), (1, 0), (1, 2), (1, 3)]];
    let one_by_one = ran(&texts, &batches, false).expect("taken");
    assert_eq!(one_by_one.0.len(), 3);
    assert_eq!(ran(&texts, &batches, true).expect("taken"), one_by_one);
}

#[test]
fn rows_that_die_are_the_same_whether_rows_are_combined_or_not() {
    let divided: [&[(i64, i64)]; 2] = [&[(1, 5), (1, 0), (1, 7)], &[(1, 1), (1, 2), (1, 3)]];
    let overflowing: [&[(i64, i64)]; 3] = [&[(1, 1), (1, 1), (1, 3)], &[(1, i64::MAX - 6), (1, 1)], &[(1, 1), (1, -5), (1, 1)]];
    for (text, batches, dies) in [("sum(10 / value)", &divided[..], 1), ("sum(value)", &overflowing[..], 1)] {
        let one_by_one = ran(&[text], batches, false).expect("taken");
        assert_eq!(one_by_one.1.len(), dies, "{one_by_one:?}");
        assert_eq!(ran(&[text], batches, true).expect("taken"), one_by_one);
    }
}

#[test]
fn a_sum_that_combined_rows_may_have_taken_out_of_its_range_stops_the_job() {
    let mut combiner = of(&["sum(value)"]).expect("it combines");
    let mut operator =
        RunningAggregate::of(&[0], sql(&["sum(value)"]), Emit::AtEnd { most_rows: 9 }, &input()).expect("aggregates");
    let state = MemoryState::new(operator.declaration().states);
    let mut cx = Context { state: Some(Box::new(state)), ..Context::stateless() };
    run(&mut operator, 0, batch(&[(1, i64::MAX)]).0, &mut cx).expect("taken");
    let parts = combine(&mut combiner, &batch(&[(1, 1), (1, -5)])).expect("it pays");
    let error = run(&mut operator, 0, parts, &mut cx).expect_err("a row may have overflowed it");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("sum-overflows", "aggregate.a0 \"sum(value)\": the sum of a window overflows")
    );
}
