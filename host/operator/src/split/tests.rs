//! Rows by the first condition that is true.

use super::*;
use crate::testing::{batch_of, dead, ints, rows, run, schema_of};

fn schema() -> SchemaRef {
    schema_of(&[("a", "int64"), ("b", "int64")])
}

fn split(conditions: &[(&str, &str)]) -> Result<Split, Vec<String>> {
    let conditions: Vec<_> = conditions.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Split::new(&conditions, &schema()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn step(split: &mut Split, a: &[Option<i64>], b: &[Option<i64>]) -> Context {
    let mut cx = Context::stateless();
    run(split, 0, batch_of(&schema(), vec![ints(a.to_vec()), ints(b.to_vec())]), &mut cx).expect("a step");
    cx
}

fn by_port(cx: &Context) -> Vec<(usize, Vec<String>)> {
    cx.emitted.iter().map(|emitted| (emitted.port, rows(&emitted.batch.rows))).collect()
}

#[test]
fn a_row_goes_to_the_first_output_whose_condition_is_true() {
    let mut split = split(&[("big", "a > 5"), ("even", "a % 2 = 0")]).expect("a split");
    let ports: Vec<String> = split.declaration().ports.into_iter().map(|port| port.name).collect();
    assert_eq!(ports, ["big", "even", "rest"]);
    let values = [1, 8, 2, 7, 3, 4].map(Some);
    let cx = step(&mut split, &values, &[None; 6]);
    assert_eq!(
        by_port(&cx),
        [
            (0, vec!["8 -".to_owned(), "7 -".to_owned()]),
            (1, vec!["2 -".to_owned(), "4 -".to_owned()]),
            (2, vec!["1 -".to_owned(), "3 -".to_owned()])
        ]
    );
}

#[test]
fn null_is_not_true_and_outputs_without_rows_get_none() {
    let mut split = split(&[("big", "a > 5"), ("small", "a < 5")]).expect("a split");
    let cx = step(&mut split, &[None, None], &[None, None]);
    assert_eq!(by_port(&cx), [(2, vec!["- -".to_owned(), "- -".to_owned()])]);
    let cx = step(&mut split, &[Some(6), Some(7)], &[None, None]);
    assert_eq!(by_port(&cx), [(0, vec!["6 -".to_owned(), "7 -".to_owned()])]);
}

#[test]
fn a_condition_is_not_computed_for_rows_that_are_gone_and_kills_only_the_rows_that_it_fails_on() {
    let mut guarded = split(&[("none", "b = 0"), ("much", "a / b > 1")]).expect("a split");
    let cx = step(&mut guarded, &[Some(4), Some(4), Some(1)], &[Some(0), Some(2), Some(2)]);
    assert!(dead(&cx).is_empty());
    assert_eq!(by_port(&cx).iter().map(|(port, rows)| (*port, rows.len())).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1)]);

    let mut bare = split(&[("much", "a / b > 1")]).expect("a split");
    let cx = step(&mut bare, &[Some(4), Some(4), Some(1)], &[Some(0), Some(2), Some(2)]);
    assert_eq!(dead(&cx), [("4 0".to_owned(), "split.much \"a / b > 1\": divide by zero".to_owned())]);
    assert_eq!(by_port(&cx), [(0, vec!["4 2".to_owned()]), (1, vec!["1 2".to_owned()])]);
}

#[test]
fn every_problem_is_named_with_its_place() {
    assert_eq!(
        split(&[("big", "c > 5"), ("big", "a"), ("rest", "a > 1")]).expect_err("problems"),
        [
            "split.big: unknown column `c`; there are `a`, `b`",
            "split.big: output `big` is there already",
            "split.big: expected true or false, found int64",
            "split.rest: output `rest` is there already",
        ]
    );
    assert_eq!(split(&[]).expect_err("problems"), ["split: expected at least one condition, found none"]);
}
