//! Columns added, replaced and dropped.

use wasmill_flow::column_type;

use super::*;
use crate::testing::{batch_of, dead, emitted, ints, run, schema_of};

fn schema() -> SchemaRef {
    schema_of(&[("a", "int64 not null"), ("b", "int64"), ("c", "int64")])
}

fn with(columns: &[(&str, &str)], drop: &[&str]) -> Result<With, Vec<String>> {
    let columns: Vec<_> = columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let drop: Vec<_> = drop.iter().map(|name| (*name).to_owned()).collect();
    With::new(&columns, &drop, &schema()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn rows() -> Batch {
    batch_of(&schema(), vec![ints([Some(1), Some(2)]), ints([Some(3), Some(0)]), ints([None, Some(5)])])
}

#[test]
fn columns_are_replaced_in_place_added_at_the_end_and_dropped() {
    let mut with = with(&[("d", "a + b"), ("b", "a * 10"), ("e", "b")], &["c"]).expect("a with");
    let declaration = with.declaration();
    let described: Vec<String> = declaration.ports[0]
        .schema
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), column_type::describe(field)))
        .collect();
    assert_eq!(described, ["a int64 not null", "b int64 not null", "d int64", "e int64"]);
    assert_eq!(declaration.reads, [None]);
    let mut cx = Context::stateless();
    run(&mut with, 0, rows(), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["1 10 4 3", "2 20 2 0"]);
}

#[test]
fn columns_that_stay_are_not_copied() {
    let batch = rows();
    let column = batch.rows.column(0).to_data().buffers()[0].as_ptr();
    let mut cx = Context::stateless();
    run(&mut with(&[("d", "1")], &[]).expect("a with"), 0, batch, &mut cx).expect("a step");
    assert_eq!(cx.emitted[0].batch.rows.column(0).to_data().buffers()[0].as_ptr(), column);
}

#[test]
fn a_row_that_a_column_fails_on_dies_with_the_columns_it_came_with() {
    let mut cx = Context::stateless();
    run(&mut with(&[("b", "a / b")], &["c"]).expect("a with"), 0, rows(), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["1 0"]);
    assert_eq!(dead(&cx), [("2 0 5".to_owned(), "with.b \"a / b\": divide by zero".to_owned())]);
}

#[test]
fn what_cannot_be_dropped_is_said() {
    assert_eq!(
        with(&[("b", "a")], &["x", "b"]).expect_err("problems"),
        ["drop: unknown column `x`; there are `a`, `b`, `c`", "drop: column `b` is both dropped and computed"]
    );
    assert_eq!(with(&[], &["a", "b", "c"]).expect_err("a problem"), ["drop: every column is dropped; at least one must stay"]);
}
