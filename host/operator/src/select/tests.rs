//! Columns out: their order, types and values.

use proptest::prelude::*;
use wasmill_flow::column_type;

use super::*;
use crate::testing::{batch_of, dead, emitted, floats, ints, run, schema_of, shown, texts};

fn schema() -> SchemaRef {
    schema_of(&[("net", "utf8 not null"), ("mag", "float64"), ("felt", "int64"), ("place", "utf8")])
}

fn columns(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn select(written: &[(&str, &str)]) -> Select {
    Select::new(&columns(written), &schema()).expect("a select")
}

fn described(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| format!("{} {}", field.name(), column_type::describe(field))).collect()
}

#[test]
fn columns_are_those_that_are_written_in_their_order() {
    let mut select = select(&[("strong", "mag > 2.5"), ("net", "net"), ("label", "upper(net) || '-' || felt"), ("one", "1")]);
    let declaration = select.declaration();
    assert_eq!(
        described(&declaration.ports[0].schema),
        ["strong boolean", "net utf8 not null", "label utf8", "one int64 not null"]
    );
    assert_eq!(declaration.reads, [Some(vec![0, 1, 2])]);
    let rows = vec![texts([Some("us"), Some("ak")]), floats([Some(3.0), None]), ints([Some(7), None]), texts([None, None])];
    let mut cx = Context::stateless();
    run(&mut select, 0, batch_of(&schema(), rows), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["true us US-7 1", "- ak - 1"]);
    assert_eq!(cx.emitted[0].batch.rows.schema(), declaration.ports[0].schema);
}

#[test]
fn a_row_dies_once_for_the_first_column_that_fails_on_it() {
    let mut select = select(&[("a", "10 / felt"), ("b", "cast(place as int64)"), ("c", "felt * 2")]);
    let rows = vec![
        texts([Some("x"); 4]),
        floats([None; 4]),
        ints([Some(0), Some(5), Some(2), Some(i64::MAX)]),
        texts([Some("no"), Some("no"), Some("12"), Some("12")]),
    ];
    let mut cx = Context::stateless();
    run(&mut select, 0, batch_of(&schema(), rows), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["5 12 4"]);
    assert_eq!(
        dead(&cx),
        [
            ("x - 0 no".to_owned(), "select.a \"10 / felt\": divide by zero".to_owned()),
            (
                "x - 5 no".to_owned(),
                "select.b \"cast(place as int64)\": cannot cast string 'no' to value of int64 type".to_owned()
            ),
            (format!("x - {} 12", i64::MAX), "select.c \"felt * 2\": overflow: 9223372036854775807 * 2".to_owned()),
        ]
    );
}

#[test]
fn where_every_row_dies_nothing_is_emitted() {
    let rows = vec![texts([Some("x"); 3]), floats([None; 3]), ints([Some(0); 3]), texts([None; 3])];
    let mut cx = Context::stateless();
    run(&mut select(&[("a", "1 / felt")]), 0, batch_of(&schema(), rows), &mut cx).expect("a step");
    assert!(cx.emitted.is_empty());
    assert_eq!((cx.dead.len(), cx.dead[0].rows.len()), (1, 3));
}

#[test]
fn where_no_column_is_read_the_first_travels_so_that_rows_have_one() {
    assert_eq!(select(&[("one", "1")]).declaration().reads, [Some(vec![0])]);
}

#[test]
fn every_problem_is_said_with_its_place() {
    let written = columns(&[("a", "magg"), ("b", "mag +"), ("a", "mag")]);
    let problems = Select::new(&written, &schema()).expect_err("problems");
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "select.a: unknown column `magg`; there are `net`, `mag`, `felt`, `place` (did you mean `mag`?)",
            "select.b: expected an expression, found the end",
            "select.a: column `a` is there twice",
        ]
    );
    let problems = Select::new(&[], &schema()).expect_err("a problem");
    assert_eq!(problems[0].to_string(), "select: expected at least one column, found none");
}

proptest! {
    #[test]
    fn it_is_what_a_loop_over_the_rows_gives_however_they_are_cut(
        rows in prop::collection::vec((prop::option::of(-4i64..5), -2.0f64..2.0), 1..60),
        cut in 1usize..20,
    ) {
        let input = schema_of(&[("a", "int64"), ("x", "float64")]);
        let written = columns(&[("q", "case when a > 2 then 12 / (a - 4) else a end"), ("y", "x * 2 + a")]);
        let mut select = Select::new(&written, &input).expect("a select");
        let mut cx = Context::stateless();
        for rows in rows.chunks(cut) {
            let columns = vec![ints(rows.iter().map(|row| row.0)), floats(rows.iter().map(|row| Some(row.1)))];
            run(&mut select, 0, batch_of(&input, columns), &mut cx).expect("a step");
        }
        let (mut passed, mut died) = (Vec::new(), 0);
        for (a, x) in rows {
            match a {
                None => passed.push("- -".to_owned()),
                Some(4) => died += 1,
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                Some(a) => {
                    let y = shown(&floats([Some(x * 2.0 + a as f64)])).concat();
                    passed.push(format!("{} {y}", if a > 2 { 12 / (a - 4) } else { a }));
                }
            }
        }
        prop_assert_eq!(emitted(&cx), passed);
        prop_assert_eq!(dead(&cx).len(), died);
    }
}
