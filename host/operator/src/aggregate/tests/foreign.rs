//! Aggregates that are computed elsewhere, beside SQL's.

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, new_null_array};
use arrow_schema::Field;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};

use super::*;

/// Joins the digits of a key's numbers, which depends on their order and on every one of them.
struct Digits;

fn value(held: &[u8]) -> i64 {
    held.iter().fold(0, |value, &digit| 10 * value + i64::from(digit))
}

impl ForeignAggregate for Digits {
    fn take<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
        wanted: bool,
    ) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        let numbers = arguments[0].as_primitive::<Int64Type>();
        let mut after = Vec::new();
        let mut all: Vec<Vec<u8>> = (0..held.len()).map(|key| held.get(key).to_vec()).collect();
        for (&key, number) in keys.iter().zip(numbers) {
            let held = &mut all[key as usize];
            let Some(digit) = number.map(|number| u8::try_from(number % 10).expect("a digit")) else {
                return ready(Err(bug("no number"))).boxed();
            };
            held.push(digit);
            after.push(value(held));
        }
        *held = Held::new(None);
        all.iter().for_each(|each| held.push(each));
        let values: ArrayRef =
            if wanted { Arc::new(Int64Array::from(after)) } else { new_null_array(&DataType::Int64, keys.len()) };
        ready(Ok(values)).boxed()
    }

    fn finish<'a>(&'a mut self, held: &'a Held) -> BoxFuture<'a, Result<ArrayRef, OperatorError>> {
        let values: Int64Array = (0..held.len()).map(|key| Some(value(held.get(key)))).collect();
        ready(Ok(Arc::new(values) as ArrayRef)).boxed()
    }

    fn idle(&mut self) {}

    fn counts(&self) -> PluginCounts {
        PluginCounts { instances: 1, ..PluginCounts::default() }
    }
}

fn digits(format: &str, others: &[(&str, &str)], emit: Emit) -> RunningAggregate {
    let foreign = Computation::Foreign {
        text: "digits of x".to_owned(),
        format: format.to_owned(),
        result: Field::new("d", DataType::Int64, false),
        of: vec![1],
        aggregate: Box::new(Digits),
    };
    let sql = others.iter().map(|(name, text)| ((*name).to_owned(), Computation::Sql((*text).to_owned())));
    let columns = [("d".to_owned(), foreign)].into_iter().chain(sql).collect();
    RunningAggregate::of(&[0], columns, emit, &schema()).expect("aggregates")
}

fn row(key: &'static str, x: i64) -> Row {
    (Some(key), Some(x), None, Some("t"))
}

#[test]
fn its_value_after_each_row_stands_beside_those_of_sql() {
    let mut operator = digits("digits 1", &[("s", "sum(x)"), ("t", "max(t)")], Emit::EachRow);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[row("a", 1), row("b", 2), row("a", 3)]), &mut cx).expect("a step");
    run(&mut operator, 0, batch(&[row("a", 4)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["a 1 1 t", "b 2 2 t", "a 13 4 t", "a 134 8 t"]);
    assert_eq!(operator.plugin_counts().instances, 1);
}

#[test]
fn a_row_that_sql_can_not_take_is_not_taken_elsewhere_either() {
    let mut operator = digits("digits 1", &[("s", "sum(x)")], Emit::EachRow);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[row("a", i64::MAX), row("a", 9), row("a", 0)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), [format!("a 7 {}", i64::MAX), format!("a 70 {}", i64::MAX)]);
    assert_eq!(dead(&cx)[0].1, "aggregate.s \"sum(x)\": the sum overflows");
}

#[test]
fn its_value_at_the_end_is_that_of_what_is_held() {
    let mut operator = digits("digits 1", &[("n", "count(*)")], Emit::AtEnd { most_rows: 1 });
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[row("b", 1), row("a", 2), row("b", 3)]), &mut cx).expect("a step");
    operator.end(&mut cx).now_or_never().expect("an end without waiting").expect("an end");
    assert_eq!(emitted(&cx), ["a 2 1", "b 13 2"]);
}

#[test]
fn its_error_stops_the_job_and_changes_nothing() {
    let mut operator = digits("digits 1", &[("n", "count(*)")], Emit::EachRow);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[row("a", 1)]), &mut cx).expect("a step");
    let error = run(&mut operator, 0, batch(&[row("a", 2), (Some("a"), None, None, None)]), &mut cx).expect_err("an error");
    assert_eq!(error.to_string(), "no number");
    run(&mut operator, 0, batch(&[row("a", 3)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["a 1 1", "a 13 2"]);
}

#[test]
fn the_state_s_version_is_that_of_its_format() {
    let version = |format: &str| digits(format, &[("n", "count(*)")], Emit::EachRow).declaration().states[0].version;
    assert_eq!(version("digits 1"), version("digits 1"));
    assert_ne!(version("digits 1"), version("digits 2"));
}
