//! Rows that pass, rows that don't, rows that die.

use proptest::prelude::*;

use super::*;
use crate::testing::{batch_of, dead, emitted, ints, run, schema_of};

fn schema() -> SchemaRef {
    schema_of(&[("a", "int64"), ("b", "int64")])
}

fn filter(text: &str) -> Filter {
    Filter::new(text, &schema()).expect("a filter")
}

fn problem(text: &str) -> String {
    Filter::new(text, &schema()).expect_err("a problem").iter().map(ToString::to_string).collect()
}

#[test]
fn rows_pass_for_which_it_is_true_and_null_is_not_true() {
    let batch = batch_of(&schema(), vec![ints([Some(1), None, Some(3), Some(4)]), ints([Some(2); 4])]);
    let mut cx = Context::stateless();
    run(&mut filter("a > b"), 0, batch, &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["3 2", "4 2"]);
    assert!(cx.dead.is_empty());
}

#[test]
fn where_all_rows_pass_they_are_not_copied_and_lose_their_hashes() {
    let mut batch = batch_of(&schema(), vec![ints([Some(1), Some(2)]), ints([None, None])]);
    batch.hashes = Some([1, 2].into());
    let column = batch.rows.column(0).to_data().buffers()[0].as_ptr();
    let mut cx = Context::stateless();
    run(&mut filter("a > 0"), 0, batch, &mut cx).expect("a step");
    let emitted = &cx.emitted[0].batch;
    assert_eq!(emitted.rows.column(0).to_data().buffers()[0].as_ptr(), column);
    assert!(emitted.hashes.is_none());
}

#[test]
fn where_no_row_passes_nothing_is_emitted() {
    let mut cx = Context::stateless();
    run(&mut filter("a > 5"), 0, batch_of(&schema(), vec![ints([Some(1)]), ints([None])]), &mut cx).expect("a step");
    assert!(cx.emitted.is_empty() && cx.dead.is_empty());
}

#[test]
fn a_row_that_it_fails_on_dies_alone_and_the_reason_names_expression_and_cause() {
    let batch = batch_of(&schema(), vec![ints([Some(4), Some(4), Some(1)]), ints([Some(2), Some(0), Some(2)])]);
    let mut cx = Context::stateless();
    run(&mut filter("a / b > 1"), 3, batch, &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["4 2"]);
    assert_eq!(dead(&cx), [("4 0".to_owned(), "filter \"a / b > 1\": divide by zero".to_owned())]);
    assert_eq!(cx.dead[0].input, 3);
    assert_eq!(cx.dead[0].kind, wasmill_flow::dead_letter::Kind::Expression);
}

#[test]
fn what_is_neither_true_nor_false_is_no_filter() {
    assert_eq!(problem("a + b"), "filter: expected true or false, found int64");
    assert_eq!(problem("c > 1"), "filter: unknown column `c`; there are `a`, `b`");
}

#[test]
fn its_declaration_is_one_output_of_the_input_s_columns() {
    let declaration = filter("a > 0").declaration();
    assert_eq!(declaration.ports.len(), 1);
    assert_eq!((declaration.ports[0].name.as_str(), &declaration.ports[0].schema), ("main", &schema()));
    assert_eq!((declaration.states, declaration.reads), (vec![], vec![None]));
}

proptest! {
    #[test]
    fn it_is_what_a_loop_over_the_rows_gives_however_they_are_cut(
        rows in prop::collection::vec((prop::option::of(-3i64..4), prop::option::of(-3i64..4)), 1..60),
        cut in 1usize..20,
    ) {
        let mut cx = Context::stateless();
        let mut filter = filter("a % b = 0 or a > 1");
        for rows in rows.chunks(cut) {
            let batch = batch_of(&schema(), vec![ints(rows.iter().map(|row| row.0)), ints(rows.iter().map(|row| row.1))]);
            run(&mut filter, 0, batch, &mut cx).expect("a step");
        }
        let (mut passed, mut died) = (Vec::new(), Vec::new());
        for (a, b) in rows {
            let shown = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
            let row = format!("{} {}", shown(a), shown(b));
            match (a, b) {
                (Some(_), Some(0)) => died.push(row),
                (Some(a), Some(b)) if a % b == 0 => passed.push(row),
                (Some(a), _) if a > 1 => passed.push(row),
                _ => {}
            }
        }
        prop_assert_eq!(emitted(&cx), passed);
        prop_assert_eq!(dead(&cx).into_iter().map(|(row, _)| row).collect::<Vec<_>>(), died);
    }
}
