//! Aggregates whose values or arguments are lists and structs.

use super::functions::{ROWS, each};
use super::*;

#[test]
fn array_agg_has_what_its_key_had_so_far_however_rows_are_cut() {
    let expected: &[(&str, [&str; 6])] = &[
        ("array_agg(x)", ["[6]", "[6, -]", "[1]", "[6, -, 3]", "[6, -, 3, 6]", "[6, -, 3, 6, 10]"]),
        ("array_agg(distinct x)", ["[6]", "[6]", "[1]", "[6, 3]", "[6, 3]", "[6, 3, 10]"]),
        ("array_agg(t) filter (where x > 3)", ["[x]", "[x]", "-", "[x]", "[x, x]", "[x, x, y]"]),
        ("array_agg(distinct t)", ["[x]", "[x]", "[only]", "[x, z]", "[x, z]", "[x, z, y]"]),
        (
            "array_agg([x, 0])",
            [
                "[[6, 0]]",
                "[[6, 0], [-, 0]]",
                "[[1, 0]]",
                "[[6, 0], [-, 0], [3, 0]]",
                "[[6, 0], [-, 0], [3, 0], [6, 0]]",
                "[[6, 0], [-, 0], [3, 0], [6, 0], [10, 0]]",
            ],
        ),
        (
            "array_agg(named_struct('x', x, 't', [t])) filter (where f is not null)",
            [
                "[{x: 6, t: [x]}]",
                "[{x: 6, t: [x]}, {x: -, t: [-]}]",
                "-",
                "[{x: 6, t: [x]}, {x: -, t: [-]}, {x: 3, t: [z]}]",
                "[{x: 6, t: [x]}, {x: -, t: [-]}, {x: 3, t: [z]}, {x: 6, t: [x]}]",
                "[{x: 6, t: [x]}, {x: -, t: [-]}, {x: 3, t: [z]}, {x: 6, t: [x]}]",
            ],
        ),
        ("count([x])", ["1", "2", "1", "3", "4", "5"]),
        ("first_value([x, 1])", ["[6, 1]", "[6, 1]", "[1, 1]", "[6, 1]", "[6, 1]", "[6, 1]"]),
        (
            "last_value(named_struct('x', x, 't', t))",
            ["{x: 6, t: x}", "{x: -, t: -}", "{x: 1, t: only}", "{x: 3, t: z}", "{x: 6, t: x}", "{x: 10, t: y}"],
        ),
        ("nth_value([x], 2)", ["-", "[-]", "-", "[-]", "[-]", "[-]"]),
        ("max([coalesce(x, 0), 1])", ["[6, 1]", "[6, 1]", "[1, 1]", "[6, 1]", "[6, 1]", "[10, 1]"]),
    ];
    for (text, values) in expected {
        for cut in [1, 2, 6] {
            assert_eq!(each(text, cut), *values, "{text}, {cut} a batch");
        }
    }
}

#[test]
fn values_are_columns_of_types_that_job_files_can_write() {
    let described = |text: &str| {
        let aggregate = Aggregate::parse(text, &schema()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        column_type::describe(&aggregate.field("v"))
    };
    assert_eq!(described("array_agg(t)"), "list<utf8>");
    assert_eq!(described("array_agg(distinct f)"), "list<float64>");
    assert_eq!(described("array_agg(named_struct('a', [x]))"), "list<struct<a: list<int64>>>");
    assert_eq!(described("last_value([t])"), "list<utf8>");
}

#[test]
fn what_lists_can_not_be_aggregated_by_is_said() {
    let problem = |text: &str| Aggregate::parse(text, &schema()).expect_err(text).to_string();
    for function in ["count", "array_agg"] {
        assert_eq!(
            problem(&format!("{function}(distinct [x])")),
            format!(
                "`{function}(DISTINCT [x])`: `distinct` of list<int64> is not in this version; a field or an item of it can be counted once"
            )
        );
    }
    assert_eq!(problem("sum([x])"), "`sum([x])`: expected a number, found list<int64>");
    for text in ["median([x])", "stddev([x])"] {
        assert!(!problem(text).is_empty());
    }
}

#[test]
fn long_lists_leave_in_small_batches_and_a_full_key_takes_no_more() {
    let mut operator = aggregate(&[("n", "count(*)"), ("v", "array_agg(t)")]);
    let mut cx = keyed(&operator);
    let long: &'static str = "x".repeat(10 << 10).leak();
    let rows = vec![(Some("a"), None, None, Some(long)); 150];
    run(&mut operator, 0, batch(&rows), &mut cx).expect("a step");
    assert_eq!(cx.emitted.iter().map(|emitted| emitted.batch.len()).collect::<Vec<_>>(), [64, 38]);
    let dead = dead(&cx);
    assert_eq!(dead.len(), 48);
    assert_eq!(dead[0].1, "aggregate.v \"array_agg(t)\": it holds 1024 KiB of this key already, the most that it may");
}

#[test]
fn at_the_end_lists_come_out_whole() {
    let columns = named(&[("v", "array_agg(x)"), ("d", "array_agg(distinct t)")]);
    let mut operator = RunningAggregate::new(&[0], &columns, Emit::AtEnd { most_rows: 10 }, &schema()).expect("aggregates");
    let mut cx = keyed(&operator);
    for rows in ROWS.chunks(2) {
        run(&mut operator, 0, batch(rows), &mut cx).expect("a step");
    }
    use futures_util::FutureExt;
    operator.end(&mut cx).now_or_never().expect("an end without waiting").expect("an end");
    assert_eq!(emitted(&cx), ["a [6, -, 3, 6, 10] [x, z, y]", "b [1] [only]"]);
}
