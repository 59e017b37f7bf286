//! Each aggregate function: its values, whatever the batches, and what comes out at the end.

use super::*;

pub(super) const ROWS: [Row; 6] = [
    (Some("a"), Some(6), Some(1.0), Some("x")),
    (Some("a"), None, Some(2.0), None),
    (Some("b"), Some(1), None, Some("only")),
    (Some("a"), Some(3), Some(4.0), Some("z")),
    (Some("a"), Some(6), Some(-1.5), Some("x")),
    (Some("a"), Some(10), None, Some("y")),
];

/// The values of an aggregate after each row of [`ROWS`], which come in batches of `cut`.
pub(super) fn each(text: &str, cut: usize) -> Vec<String> {
    let mut operator = aggregate(&[("v", text)]);
    let mut cx = keyed(&operator);
    for rows in ROWS.chunks(cut) {
        run(&mut operator, 0, batch(rows), &mut cx).expect("a step");
    }
    assert!(cx.dead.is_empty(), "{text}: {:?}", dead(&cx));
    emitted(&cx).into_iter().map(|row| row[2..].to_owned()).collect()
}

#[test]
fn every_function_has_its_value_after_each_row_however_rows_are_cut() {
    let expected: &[(&str, [&str; 6])] = &[
        ("count(distinct x)", ["1", "1", "1", "2", "2", "3"]),
        ("sum(distinct x)", ["6", "6", "1", "9", "9", "19"]),
        ("avg(distinct x)", ["6.0", "6.0", "1.0", "4.5", "4.5", "6.333333333333333"]),
        ("count(distinct t)", ["1", "1", "1", "2", "2", "3"]),
        ("max(distinct x)", ["6", "6", "1", "6", "6", "10"]),
        ("count(*) filter (where x > 3)", ["1", "1", "0", "1", "2", "3"]),
        ("sum(x) filter (where t = 'x')", ["6", "6", "-", "6", "12", "12"]),
        ("count(distinct x) filter (where f > 0)", ["1", "1", "0", "2", "2", "2"]),
        ("max(t) filter (where x > 3)", ["x", "x", "-", "x", "x", "y"]),
        ("var_pop(x)", ["0.0", "0.0", "0.0", "2.25", "2.0", "6.1875"]),
        ("var_samp(x)", ["-", "-", "-", "4.5", "3.0", "8.25"]),
        ("var(x)", ["-", "-", "-", "4.5", "3.0", "8.25"]),
        ("stddev_pop(x)", ["0.0", "0.0", "0.0", "1.5", "1.4142135623730951", "2.4874685927665499"]),
        ("covar_pop(x, f)", ["0.0", "0.0", "-", "-2.25", "-2.8333333333333335", "-2.8333333333333335"]),
        ("covar_samp(x, f)", ["-", "-", "-", "-4.5", "-4.25", "-4.25"]),
        ("corr(x, f)", ["-", "-", "-", "-1.0", "-0.8910421112136306", "-0.8910421112136306"]),
        ("regr_count(x, f)", ["1", "1", "0", "2", "3", "3"]),
        ("regr_slope(x, f)", ["-", "-", "-", "-1.0", "-0.5604395604395604", "-0.5604395604395604"]),
        ("regr_avgx(x, f)", ["1.0", "1.0", "-", "2.5", "1.1666666666666667", "1.1666666666666667"]),
        ("bool_and(x > 3)", ["true", "true", "false", "false", "false", "false"]),
        ("bool_or(x > 6)", ["false", "false", "false", "false", "false", "true"]),
        ("bit_and(x)", ["6", "6", "1", "2", "2", "2"]),
        ("bit_or(x)", ["6", "6", "1", "7", "7", "15"]),
        ("bit_xor(x)", ["6", "6", "1", "5", "3", "9"]),
        ("first_value(x)", ["6", "6", "1", "6", "6", "6"]),
        ("last_value(x)", ["6", "-", "1", "3", "6", "10"]),
        ("last_value(x) ignore nulls", ["6", "6", "1", "3", "6", "10"]),
        ("last_value(t) filter (where x < 10)", ["x", "x", "only", "z", "x", "x"]),
        ("any_value(x)", ["6", "6", "1", "6", "6", "6"]),
        ("min(x > 3)", ["true", "true", "false", "false", "false", "false"]),
        ("string_agg(t, '+')", ["x", "x", "only", "x+z", "x+z+x", "x+z+x+y"]),
        ("string_agg(distinct t, '+')", ["x", "x", "only", "x+z", "x+z", "x+z+y"]),
        ("median(x)", ["6.0", "6.0", "1.0", "4.5", "6.0", "6.0"]),
        ("percentile_cont(f, 0.5)", ["1.0", "1.5", "-", "2.0", "1.5", "1.5"]),
        ("percentile_cont(0.5) within group (order by f)", ["1.0", "1.5", "-", "2.0", "1.5", "1.5"]),
        ("approx_distinct(x)", ["1", "1", "1", "2", "2", "3"]),
        ("max(x, 2)", ["[6]", "[6]", "[1]", "[6, 3]", "[6, 6]", "[10, 6]"]),
        ("max(distinct x, 2)", ["[6]", "[6]", "[1]", "[6, 3]", "[6, 3]", "[10, 6]"]),
        ("min(f, 2)", ["[1.0]", "[1.0, 2.0]", "-", "[1.0, 2.0]", "[-1.5, 1.0]", "[-1.5, 1.0]"]),
        ("min(t, 3) filter (where x > 3)", ["[x]", "[x]", "-", "[x]", "[x, x]", "[x, x, y]"]),
        ("max_by(t, x)", ["x", "x", "only", "x", "x", "y"]),
        ("max_by(x, f, 2)", ["[6]", "[-, 6]", "-", "[3, -]", "[3, -]", "[3, -]"]),
        ("min_by(t, f)", ["x", "x", "-", "x", "x", "x"]),
        ("nth_value(t, 2)", ["-", "-", "-", "-", "-", "-"]),
    ];
    for (text, values) in expected {
        for cut in [1, 2, 6] {
            let found = each(text, cut);
            let near = |found: &str, value: &str| match (found.parse::<f64>(), value.parse::<f64>()) {
                (Ok(found), Ok(value)) => (found - value).abs() < 1e-12,
                _ => found == value,
            };
            assert!(found.iter().zip(values).all(|(found, value)| near(found, value)), "{text}, {cut} a batch: {found:?}");
        }
    }
}

#[test]
fn approximate_percentiles_are_within_their_error_of_the_value_of_their_rank_and_the_same_however_rows_are_cut() {
    for (text, error) in [
        ("approx_median(f)", 0.01),
        ("approx_percentile_cont(f, 0.5)", 0.01),
        ("approx_percentile_cont(0.5, 0.005) within group (order by f)", 0.005),
    ] {
        let found = each(text, 1);
        for cut in [2, 6] {
            assert_eq!(each(text, cut), found, "{text}");
        }
        let found: Vec<f64> = found.iter().filter_map(|value| value.parse().ok()).collect();
        let exact: [f64; 5] = [1.0, 1.0, 2.0, 1.0, 1.0];
        assert!(found.iter().zip(exact).all(|(found, exact)| (found - exact).abs() <= exact * error), "{text}: {found:?}");
        assert_eq!(found.len(), exact.len());
    }
}

#[test]
fn values_that_rank_first_are_the_same_whatever_the_order_of_rows() {
    let texts = [
        "max(x, 2)",
        "min(t, 2)",
        "max_by(t, x, 3)",
        "max_by(t, x)",
        "min_by(x, f)",
        "max_by(named_struct('t', t, 'f', f), x, 2)",
    ];
    let last = |rows: &[Row], text: &str| {
        let mut operator = aggregate(&[("v", text)]);
        let mut cx = keyed(&operator);
        rows.chunks(2).for_each(|rows| run(&mut operator, 0, batch(rows), &mut cx).expect("a step"));
        emitted(&cx).into_iter().rfind(|row| row.starts_with('a')).expect("a row")
    };
    let mut rows = ROWS.to_vec();
    rows.push((Some("a"), Some(6), Some(9.0), Some("w")));
    for text in texts {
        let found = last(&rows, text);
        for turn in 0..rows.len() {
            rows.rotate_left(1);
            assert_eq!(last(&rows, text), found, "{text}, turned {turn}");
            rows.swap(0, 1);
            assert_eq!(last(&rows, text), found, "{text}, swapped at {turn}");
        }
    }
}

#[test]
fn values_do_not_depend_on_how_rows_are_cut_to_the_last_bit() {
    for text in ["var_pop(f / 3)", "stddev(f / 7)", "corr(x, f / 3)", "regr_intercept(x / 3.0, f / 7)", "avg(distinct f / 3)"] {
        assert_eq!(each(text, 1), each(text, 6), "{text}");
    }
}

#[test]
fn zeros_are_one_value_and_so_are_nans() {
    let mut operator = aggregate(&[("v", "count(distinct f)")]);
    let mut cx = keyed(&operator);
    let rows = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0].map(|f| (Some("a"), None, Some(f), None));
    run(&mut operator, 0, batch(&rows), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["a 1", "a 1", "a 2", "a 2", "a 3"]);
}

#[test]
fn the_state_has_another_version_for_each_function_and_for_distinct() {
    let version = |text: &str| aggregate(&[("v", text)]).declaration().states[0].version;
    let texts = [
        "count(x)",
        "count(distinct x)",
        "count(distinct t)",
        "median(x)",
        "bit_or(x)",
        "first_value(x)",
        "var(x)",
        "corr(x, f)",
    ];
    let versions: std::collections::HashSet<u32> = texts.into_iter().map(version).collect();
    assert_eq!(versions.len(), texts.len());
    assert_eq!(version("var(x)"), version("stddev_pop(x)"));
    assert_eq!(aggregate(&[("v", "var(x)"), ("w", "corr(x, f)")]).declaration().states[0].width, Some(72));
}

#[test]
fn a_row_that_would_make_a_key_hold_more_than_it_may_dies_and_no_aggregate_counts_it() {
    let long = "x".repeat(600 << 10);
    let long: &'static str = long.leak();
    for text in ["string_agg(t, '')", "count(distinct t)"] {
        let mut operator = aggregate(&[("n", "count(*)"), ("v", text)]);
        let mut cx = keyed(&operator);
        let other: &'static str = format!("y{long}").leak();
        let rows =
            [(Some("a"), None, None, Some(long)), (Some("a"), None, None, Some(other)), (Some("b"), None, None, Some(long))];
        run(&mut operator, 0, batch(&rows), &mut cx).expect("a step");
        run(&mut operator, 0, batch(&[(Some("a"), None, None, Some("short"))]), &mut cx).expect("a step");
        let counted: Vec<String> = emitted(&cx).iter().map(|row| row[..3].to_owned()).collect();
        assert_eq!(counted, ["a 1", "b 1", "a 2"], "{text}");
        let reason = format!("aggregate.v \"{text}\": it holds 1024 KiB of this key already, the most that it may");
        assert_eq!(dead(&cx).iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>(), [reason]);
    }
}

#[test]
fn at_the_end_a_row_for_each_key_comes_out_in_order_and_nothing_is_remembered() {
    let columns = named(&[("n", "count(*)"), ("s", "sum(x)"), ("t", "max(t)"), ("m", "median(x)"), ("d", "count(distinct t)")]);
    let mut operator = RunningAggregate::new(&[0], &columns, Emit::AtEnd { most_rows: 2 }, &schema()).expect("aggregates");
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[(None, Some(1), None, None), (Some("c"), None, None, None)]), &mut cx).expect("a step");
    run(&mut operator, 0, batch(&ROWS), &mut cx).expect("a step");
    assert!(cx.emitted.is_empty());
    use futures_util::FutureExt;
    operator.end(&mut cx).now_or_never().expect("an end without waiting").expect("an end");
    assert_eq!(emitted(&cx), ["a 5 25 z 6.0 3", "b 1 1 only 1.0 1", "c 1 - - - 0", "- 1 1 - 1.0 0"]);
    assert_eq!(cx.emitted.iter().map(|emitted| emitted.batch.len()).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(cx.state.expect("state").keys(), 0);
}

#[test]
fn at_the_end_of_no_rows_nothing_comes_out() {
    let mut operator =
        RunningAggregate::new(&[0], &named(&[("n", "count(*)")]), Emit::AtEnd { most_rows: 2 }, &schema()).expect("aggregates");
    let mut cx = keyed(&operator);
    use futures_util::FutureExt;
    operator.end(&mut cx).now_or_never().expect("an end without waiting").expect("an end");
    assert!(cx.emitted.is_empty());
}
