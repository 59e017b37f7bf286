//! Rows that are taken back: what is left is as if they had never come, however rows are cut.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::aggregate::{Computation, ForeignAggregate, Held};

fn rows_schema() -> SchemaRef {
    schema_of(&[("k", "int64"), ("x", "int64"), ("back", "boolean")])
}

/// A row: its key, a number or none, and whether it is taken back.
type Change = (i64, Option<i64>, Option<bool>);

fn changes(rows: &[Change]) -> Batch {
    let back = arrow_array::BooleanArray::from_iter(rows.iter().map(|row| row.2));
    let columns = vec![ints(rows.iter().map(|row| Some(row.0))), ints(rows.iter().map(|row| row.1)), Arc::new(back) as ArrayRef];
    batch_of(&rows_schema(), columns)
}

/// A sum of its own, whose values are asked for by call, as a plugin's.
struct Elsewhere;

impl ForeignAggregate for Elsewhere {
    fn take<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
        wanted: bool,
    ) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        async move { Ok(change(held, keys, &arguments, 1, wanted)) }.boxed()
    }

    fn finish<'a>(&'a mut self, held: &'a Held) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        async move { Ok(ints((0..held.len()).map(|index| Some(number(held, index))))) }.boxed()
    }

    fn initial(&self) -> Option<&[u8]> {
        Some(&[0; 8])
    }

    fn retracts(&self) -> bool {
        true
    }

    fn retract<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
    ) -> BoxFuture<'a, Result<(), OperatorError>> {
        async move {
            change(held, keys, &arguments, -1, false);
            Ok(())
        }
        .boxed()
    }

    fn idle(&mut self) {}

    fn counts(&self) -> PluginCounts {
        PluginCounts::default()
    }
}

fn number(held: &Held, index: usize) -> i64 {
    i64::from_le_bytes(*held.get(index).first_chunk().expect("eight bytes"))
}

fn change(held: &mut Held, keys: &[u32], arguments: &[ArrayRef], sign: i64, wanted: bool) -> ArrayRef {
    let numbers = arguments[0].as_primitive::<arrow_array::types::Int64Type>();
    let after = keys.iter().zip(numbers).map(|(&key, value)| {
        let sum = number(held, key as usize) + sign * value.unwrap_or(0);
        held.data[key as usize * 8..][..8].copy_from_slice(&sum.to_le_bytes());
        wanted.then_some(sum)
    });
    ints(after.collect::<Vec<_>>())
}

fn taking_back(emit: Emit) -> RunningAggregate {
    let sql = |name: &str, text: &str| (name.to_owned(), Computation::Sql(text.to_owned()));
    let elsewhere = Computation::Foreign {
        text: "elsewhere".to_owned(),
        format: "elsewhere".to_owned(),
        result: arrow_schema::Field::new("value", DataType::Int64, true),
        of: vec![1],
        aggregate: Box::new(Elsewhere),
    };
    let aggregates = vec![
        sql("n", "count(*)"),
        sql("seen", "count(x)"),
        sql("sum", "sum(x)"),
        sql("small", "count(*) filter (where x < 5)"),
        sql("mean", "avg(x)"),
        ("own".to_owned(), elsewhere),
        sql("spread", "var_pop(x)"),
    ];
    RunningAggregate::retracting(&[0], aggregates, "back", emit, &rows_schema()).expect("aggregates")
}

/// What the rows of a key come to, from the beginning.
fn comes_to(rows: &[Option<i64>]) -> String {
    let numbers: Vec<i64> = rows.iter().flatten().copied().collect();
    let sum: i64 = numbers.iter().sum();
    let or_null = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let some = |value: String| (!numbers.is_empty()).then_some(value);
    let count = numbers.len() as f64;
    let mean = sum as f64 / count;
    let spread = numbers.iter().map(|number| (*number as f64 - mean).powi(2)).sum::<f64>() / count;
    let small = numbers.iter().filter(|number| **number < 5).count();
    let [sums, means, spreads] = [some(sum.to_string()), some(mean.to_string()), some(spread.to_string())].map(or_null);
    format!("{} {} {sums} {small} {means} {sum} {spreads}", rows.len(), numbers.len())
}

/// Whether rows that came out are those that are expected, but for the last digits of floats.
fn same(found: &[String], expected: &[String]) -> bool {
    let value = |found: &str, expected: &str| match (found.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(found), Ok(expected)) => (found - expected).abs() < 1e-6,
        _ => found == expected,
    };
    let row = |(found, expected): (&String, &String)| {
        found.split(' ').count() == expected.split(' ').count()
            && found.split(' ').zip(expected.split(' ')).all(|(found, expected)| value(found, expected))
    };
    found.len() == expected.len() && found.iter().zip(expected).all(row)
}

proptest! {
    #[test]
    fn taking_rows_back_is_the_inverse_of_taking_them_whatever_the_batches(
        steps in prop::collection::vec((0..4_i64, prop::option::weighted(0.8, -9..20_i64), 0..10_u8, any::<prop::sample::Index>()), 0..80),
        cut in 1..20_usize,
    ) {
        let mut held: HashMap<i64, Vec<Option<i64>>> = HashMap::new();
        let (mut rows, mut expected, mut dead_rows) = (Vec::new(), Vec::new(), 0);
        for (key, value, kind, which) in steps {
            let of_key = held.entry(key).or_default();
            match kind {
                // Null is not true.
                0..=5 => {
                    of_key.push(value);
                    rows.push((key, value, if kind == 0 { None } else { Some(false) }));
                }
                _ if of_key.is_empty() => {
                    rows.push((key, value, Some(true)));
                    dead_rows += 1;
                    continue;
                }
                _ => rows.push((key, of_key.swap_remove(which.index(of_key.len())), Some(true))),
            }
            expected.push(format!("{key} {}", comes_to(of_key)));
        }
        let mut running = taking_back(Emit::EachRow);
        let mut cx = keyed(&running);
        for part in rows.chunks(cut) {
            run(&mut running, 0, changes(part), &mut cx).expect("a step");
        }
        let found = emitted(&cx);
        prop_assert!(same(&found, &expected), "{found:#?}, expected {expected:#?}");
        prop_assert_eq!(dead(&cx).len(), dead_rows);
        held.retain(|_, rows| !rows.is_empty());
        prop_assert_eq!(cx.state.as_ref().expect("state").keys(), held.len(), "a key without rows is forgotten");

        let mut last = taking_back(Emit::AtEnd { most_rows: 100 });
        let mut cx = keyed(&last);
        for part in rows.chunks(cut) {
            run(&mut last, 0, changes(part), &mut cx).expect("a step");
        }
        last.end(&mut cx).now_or_never().expect("no waiting").expect("the end");
        let mut expected: Vec<String> = held.iter().map(|(key, rows)| format!("{key} {}", comes_to(rows))).collect();
        expected.sort();
        let found = emitted(&cx);
        prop_assert!(same(&found, &expected), "{found:#?}, expected {expected:#?}");
    }
}

#[test]
fn a_row_that_is_taken_back_of_a_key_without_rows_dies_and_says_why() {
    let mut operator = taking_back(Emit::EachRow);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, changes(&[(1, Some(5), Some(true)), (1, Some(5), Some(false))]), &mut cx).expect("a step");
    let reason = "retract-where: the key has no row that could be taken back".to_owned();
    assert_eq!(dead(&cx), [("1 5 true".to_owned(), reason)]);
    assert_eq!(emitted(&cx), ["1 1 1 5 0 5.0 5 0.0"]);
}

#[test]
fn an_aggregate_that_does_not_keep_what_it_would_need_takes_no_rows_back() {
    for text in ["max(x)", "min(k)", "count(distinct x)", "median(x)", "array_agg(x)", "first_value(x)"] {
        assert!(!Aggregate::parse(text, &rows_schema()).expect("an aggregate").retracts(), "{text}");
        let aggregates = vec![("top".to_owned(), Computation::Sql(text.to_owned()))];
        let problems =
            RunningAggregate::retracting(&[0], aggregates, "back", Emit::EachRow, &rows_schema()).expect_err("a problem");
        assert!(
            problems[0].to_string().starts_with("aggregate.top: rows can't be taken back from it, as it "),
            "{}",
            problems[0]
        );
    }
    for text in ["count(*)", "sum(x)", "avg(x)", "stddev(x)", "corr(x, k)", "regr_slope(x, k) filter (where back)"] {
        assert!(Aggregate::parse(text, &rows_schema()).expect("an aggregate").retracts(), "{text}");
    }
}
