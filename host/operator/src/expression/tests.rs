//! Expressions: what they evaluate to, which rows they fail on, and what is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int32Array, RecordBatch,
    TimestampMillisecondArray, UInt64Array,
};
use arrow_schema::SchemaRef;
use proptest::prelude::*;

use super::*;
use crate::testing::{floats, ints, schema_of, shown, texts};

mod nested;

fn schema() -> SchemaRef {
    schema_of(&[
        ("a", "int64"),
        ("b", "int64"),
        ("i", "int32"),
        ("u", "uint64"),
        ("mag", "float64 not null"),
        ("net", "utf8"),
        ("at", "timestamp"),
        ("d", "date"),
        ("dec", "decimal(10,2)"),
        ("bin", "binary"),
        ("ok", "boolean"),
        ("Upper Case", "utf8"),
        ("@t", "int64"),
        ("f", "float32"),
    ])
}

fn rows() -> RecordBatch {
    let columns: Vec<arrow_array::ArrayRef> = vec![
        ints([Some(1), Some(10), None, Some(i64::MAX)]),
        ints([Some(0), Some(3), Some(2), Some(1)]),
        Arc::new(Int32Array::from(vec![1, 2, i32::MAX, i32::MIN])),
        Arc::new(UInt64Array::from(vec![1, 2, 3, u64::MAX])),
        floats([Some(1.5), Some(2.5), Some(0.0), Some(-1.0)]),
        texts([Some("us"), Some("7"), None, Some("twelve bytes and more")]),
        Arc::new(TimestampMillisecondArray::from(vec![Some(0), Some(1_517_365_341_235), None, Some(16_725_225_600_000)])),
        Arc::new(Date32Array::from(vec![0, 1, 17000, -1])),
        Arc::new(Decimal128Array::from(vec![100, 250, 0, 9_999_999_999]).with_precision_and_scale(10, 2).expect("decimals")),
        Arc::new(BinaryViewArray::from_iter_values([b"ab", b"cd", b"ef", b"gh"])),
        Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)])),
        texts([Some("x"), None, None, None]),
        ints([Some(1), None, None, None]),
        Arc::new(Float32Array::from(vec![0.5, 1.0, 2.0, 3.0])),
    ];
    RecordBatch::try_new(schema(), columns).expect("columns of the schema")
}

/// The column that a text makes, its values, and the rows it fails on with their causes.
fn computed(text: &str) -> (String, String, Vec<(usize, String)>) {
    let expression = Expression::parse(text, &schema()).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    let evaluated = expression.evaluate(&rows());
    assert_eq!(evaluated.values.data_type(), expression.data_type(), "{text}");
    (column_type::describe(&expression.field("x")), shown(&evaluated.values).join(" "), evaluated.failed)
}

#[track_caller]
fn gives(text: &str, column: &str, values: &str) {
    let found = computed(text);
    assert_eq!((found.0.as_str(), found.1.as_str(), found.2), (column, values, vec![]), "{text}");
}

#[track_caller]
fn fails(text: &str, values: &str, causes: &[(usize, &str)]) {
    let (_, found, failed) = computed(text);
    let failed: Vec<(usize, &str)> = failed.iter().map(|(row, cause)| (*row, cause.as_str())).collect();
    assert_eq!((found.as_str(), failed.as_slice()), (values, causes), "{text}");
}

fn problem(text: &str) -> ExpressionProblem {
    Expression::parse(text, &schema()).expect_err(text)
}

#[test]
fn expressions_are_sql_over_the_columns() {
    gives("a", "int64", "1 10 - 9223372036854775807");
    gives("b * 2 + 1", "int64", "1 7 5 3");
    gives("mag >= 1", "boolean not null", "true true false false");
    gives("i > 5", "boolean", "false false true false");
    gives("a between 2 and 20", "boolean", "false true - false");
    gives("a in (1, 10)", "boolean", "true true - false");
    gives("a is null", "boolean not null", "false false true false");
    gives("net like '%s'", "boolean", "true false - false");
    gives("net ilike 'U_'", "boolean", "true false - false");
    gives("net ~ '^u'", "boolean", "true false - false");
    gives("not ok or b = 3", "boolean", "false true - false");
    gives("ok is not true", "boolean", "false true true false");
    gives("case when b > 2 then 'many' when b > 0 then 'some' end", "utf8", "- many some some");
    gives("net || '-' || b", "utf8", "us-0 7-3 - twelve bytes and more-1");
    gives("upper(substring(net from 1 for 2))", "utf8", "US 7 - TW");
    gives("trim(both 'u' from net)", "utf8", "s 7 - twelve bytes and more");
    gives("position('s' in net)", "int32", "2 0 - 12");
    gives("length(net)", "int32", "2 1 - 21");
    gives("coalesce(a, b)", "int64", "1 10 2 9223372036854775807");
    gives("nullif(b, 3)", "int64", "0 - 2 1");
    gives("round(mag * 3, 1)", "float64 not null", "4.5 7.5 0.0 -3.0");
    gives("extract(hour from at)", "int32", "0 2 - 0");
    gives("date_trunc('hour', at)", "timestamp", "1970-01-01T00:00:00 2018-01-31T02:00:00 - 2500-01-01T00:00:00");
    gives("at + interval '1 hour'", "timestamp", "1970-01-01T01:00:00 2018-01-31T03:22:21.235 - 2500-01-01T01:00:00");
    gives("d + 1", "date", "1970-01-02 1970-01-03 2016-07-19 1970-01-01");
    gives("bin = 'cd'", "boolean", "false true false false");
    gives("1.5", "float64 not null", "1.5 1.5 1.5 1.5");
    gives("b\n  + 1 -- one more", "int64", "1 4 3 2");
}

#[test]
fn names_are_case_sensitive_as_written_and_others_are_quoted() {
    gives("\"Upper Case\"", "utf8", "x - - -");
    gives("\"@t\"", "int64", "1 - - -");
    let found = problem("Mag > 2");
    assert!(found.message.starts_with("unknown column `Mag`; there are `a`, `b`, "), "{}", found.message);
    assert_eq!((found.suggestion.as_deref(), found.position, found.code), (Some("mag"), Some(0), "unknown-column"));
    assert_eq!(problem("@t").message, "a column whose name starts with @ is written in double quotes: \"@t\"");
    assert_eq!(
        problem("a + quakes.mag").message,
        "`quakes.mag`: there is no column with such parts; a column whose name has a dot is written in double quotes: \"quakes.mag\""
    );
    assert!(problem("net = \"us\"").message.ends_with("; text is written in single quotes"));
}

#[test]
fn a_comparison_of_a_timestamp_with_a_text_is_in_milliseconds_for_every_year() {
    gives("at > '2262-04-12T00:00:00Z'", "boolean", "false false - true");
    gives("'2018-01-31T02:22:21.235Z' = at", "boolean", "false true - false");
    gives("at between '1970-01-01' and timestamp '2100-01-01'", "boolean", "true true - false");
    gives("at in ('2500-01-01', '1970-01-01T00:00:00Z')", "boolean", "true false - true");
}

#[test]
fn a_row_that_it_fails_on_fails_alone() {
    let most = "9223372036854775807";
    fails("a / b", &format!("- 3 - {most}"), &[(0, "divide by zero")]);
    fails("a % b", "- 1 - 0", &[(0, "divide by zero")]);
    fails("dec / b", "- 0.833333 0.000000 99999999.990000", &[(0, "divide by zero")]);
    fails(
        "cast(net as int64)",
        "- 7 - -",
        &[
            (0, "cannot cast string 'us' to value of int64 type"),
            (3, "cannot cast string 'twelve bytes and more' to value of int64 type"),
        ],
    );
    fails("cast(a as int32)", "1 10 - -", &[(3, &format!("can't cast value {most} to type int32"))]);
    fails("sqrt(mag)", "1.224744871391589 1.5811388300841898 0.0 -", &[(3, "cannot take square root of a negative number")]);
}

#[test]
fn integers_never_wrap_around() {
    let most = "9223372036854775807";
    fails("a + 1", "2 11 - -", &[(3, &format!("overflow: {most} + 1"))]);
    fails("case when ok then a * 2 else a end", "2 10 - -", &[(3, &format!("overflow: {most} * 2"))]);
    fails("-2 - a", "-3 -12 - -", &[(3, &format!("overflow: -2 - {most}"))]);
    fails("-i", "-1 -2 -2147483647 -", &[(3, "overflow: 0 - -2147483648")]);
    fails("abs(i * i)", "1 4 - -", &[(2, "overflow: 2147483647 * 2147483647"), (3, "overflow: -2147483648 * -2147483648")]);
    gives("u + 1", "decimal(21,0)", "2 3 4 18446744073709551616");
    assert_eq!(problem("9223372036854775807 + 1").message, format!("a part of it always fails: overflow: {most} + 1"));
    assert_eq!(problem("1 in (9223372036854775807 + 1)").message, format!("a part of it always fails: overflow: {most} + 1"));
}

#[test]
fn a_decimal_beyond_its_digits_fails() {
    let schema = schema_of(&[("d", "decimal(38,0)")]);
    let most = 10i128.pow(38) - 1;
    let column = Decimal128Array::from(vec![most, 1]).with_precision_and_scale(38, 0).expect("decimals");
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)]).expect("rows");
    let evaluated = Expression::parse("d + cast(1 as decimal(38,0))", &schema).expect("an expression").evaluate(&rows);
    assert_eq!(shown(&evaluated.values), ["-", "2"]);
    assert_eq!(evaluated.failed.len(), 1);
    assert!(
        evaluated.failed[0].1.starts_with("100000000000000000000000000000000000000 is too large"),
        "{}",
        evaluated.failed[0].1
    );
}

#[test]
fn division_of_floats_follows_ieee_754() {
    gives("mag / 0", "float64 not null", "inf inf NaN -inf");
    gives("mag / b", "float64", "inf 0.8333333333333334 0.0 -1.0");
}

#[test]
fn what_is_not_needed_is_not_computed() {
    gives("b <> 0 and a / b > 3", "boolean", "false false - true");
    gives("b = 0 or a / b > 3", "boolean", "true false - true");
    gives("case when b = 0 then 0 else a / b end", "int64", "0 3 - 9223372036854775807");
    fails("case when ok then 1 / 0 else 1 end", "- 1 1 -", &[(0, "divide by zero"), (3, "divide by zero")]);
    gives("try_cast(net as int64)", "int64", "- 7 - -");
}

#[test]
fn casts_take_the_types_of_job_files_and_those_of_sql() {
    gives("cast(b as utf8)", "utf8", "0 3 2 1");
    gives("cast(b as text)", "utf8", "0 3 2 1");
    gives("b::float64", "float64", "0.0 3.0 2.0 1.0");
    gives("cast(mag as float32)", "float32 not null", "1.5 2.5 0.0 -1.0");
    gives("cast(b as uint64)", "uint64", "0 3 2 1");
    gives("cast(b as decimal(10,2))", "decimal(10,2)", "0.00 3.00 2.00 1.00");
    gives("cast(0 as timestamp)", "timestamp not null", &["1970-01-01T00:00:00"; 4].join(" "));
    gives("cast(net as binary)", "binary", "7573 37 - 7477656c766520627974657320616e64206d6f7265");
    gives("cast(at as date)", "date", "1970-01-01 2018-01-31 - 2500-01-01");
    gives("cast(at - at as int64)", "int64", "0 0 - 0");
    assert_eq!(problem("cast(a as wrong)").message, "unsupported SQL type wrong");
}

#[test]
fn results_have_types_that_columns_can_have() {
    gives("ascii(net)", "int32", "117 55 - 116");
    gives("cast(b as smallint)", "int32", "0 3 2 1");
    gives("cast(b as int unsigned)", "int64", "0 3 2 1");
    gives("to_timestamp(b)", "timestamp", "1970-01-01T00:00:00 1970-01-01T00:00:03 1970-01-01T00:00:02 1970-01-01T00:00:01");
    gives(
        "arrow_cast(at, 'Timestamp(Millisecond, Some(\"+02:00\"))')",
        "timestamp",
        "1969-12-31T22:00:00 2018-01-31T00:22:21.235 - 2499-12-31T22:00:00",
    );
    gives("dec * dec", "decimal(21,4)", "1.0000 6.2500 0.0000 9999999998000000.0001");
    assert_eq!(problem("null").message, "the type of a bare null isn't known; cast(null as float64) says it");
    assert_eq!(
        problem("at - at").message,
        "a difference of timestamps is no column's type; cast(… as int64) makes it milliseconds"
    );
    let interval = problem("interval '1 day'").message;
    assert!(interval.starts_with("the result has type Interval(MonthDayNano), which a column can't have; cast("), "{interval}");
}

#[test]
fn what_gives_another_result_each_time_or_is_about_many_rows_is_refused() {
    let refused = |name: &str| format!("`{name}()` is refused: it gives another result when a row is processed again");
    for name in ["now", "random", "uuid", "today"] {
        assert_eq!(problem(&format!("{name}()")).message, refused(name));
    }
    for name in ["current_timestamp", "current_date", "current_time"] {
        assert_eq!(problem(name).message, refused(name));
    }
    let aggregate = problem("1 + SUM(a)");
    assert_eq!(aggregate.message, "`SUM` is an aggregate function, and an expression is about one row; it goes into `aggregate`");
    assert_eq!((aggregate.code, aggregate.position), ("refused", Some(4)));
    assert_eq!(problem("lag(a) over (order by b)").message, "`lag(…) over (…)` is about many rows; an expression is about one");
    for query in ["(select 1)", "a in (select b)", "exists (select 1)", "a > all (select 1)"] {
        assert_eq!(problem(query).message, "a subquery can't be used: an expression is about the columns of one row", "{query}");
    }
    assert_eq!(
        problem("upper(distinct net)").message,
        "`upper` takes arguments only: distinct, filter, order by and the like are for aggregates"
    );
}

#[test]
fn what_is_no_expression_is_said_with_its_place() {
    let said = |text: &str| (problem(text).message, problem(text).position);
    assert_eq!(said(" "), ("expected an expression, found nothing".to_owned(), None));
    assert_eq!(said("a +"), ("expected an expression, found the end".to_owned(), Some(3)));
    assert_eq!(said("a b"), ("expected the end of the expression, found `b`".to_owned(), Some(2)));
    assert_eq!(said("a > > 1"), ("expected an expression, found `>`".to_owned(), Some(4)));
    assert_eq!(said("net = 'us"), ("unterminated string literal".to_owned(), Some(6)));
    assert_eq!(said("'\u{e9}\u{e9}' = net and\n magg > 1").1, Some(18));
    assert_eq!(problem("magg > 1").to_string().split(" (").last(), Some("did you mean `mag`?)"));
    let unknown = problem("b + uppr(net)");
    assert_eq!((unknown.message.as_str(), unknown.suggestion.as_deref()), ("unknown function `uppr`", Some("upper")));
    assert_eq!((unknown.code, unknown.position), ("unknown-function", Some(4)));
    assert_eq!(said("a > $1").0, "`$1` stands for a value that nobody gives; ${NAME} in a job file comes from the environment");
    assert_eq!(said("abs(net)").0, "function 'abs' expects Numeric but received String");
    assert_eq!(said("a and b").0, "cannot infer common argument type for logical boolean operation int64 AND int64");
    assert_eq!(said("mag > 'abc'").0, "a part of it always fails: cannot cast string 'abc' to value of float64 type");
}

/// Threads have stacks of 2 MiB and more; half of that must do for everything that is let in.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(test).expect("a thread").join().expect("no panic");
}

#[test]
fn names_of_many_parts_are_refused_before_the_parser_tries_all_ways_to_read_them() {
    let start = Instant::now();
    let found = problem(&format!("-x{} ++", ".x".repeat(40))).to_string();
    assert_eq!(found, "a name has at most 10 parts with points between them, found one of 41");
    for between in [".x", ".x(1)", "[1].x"] {
        problem(&format!("-x{} ++", between.repeat(40)));
        // As many as are taken, in a text that is wrong behind them.
        problem(&format!("-x{} ++", between.repeat(9)));
    }
    let many = vec!["b + 1.5 > 2.5"; 20].join(" and ");
    assert!(Expression::parse(&many, &schema()).is_ok(), "points of numbers, and of many names, don't add up");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn the_deepest_expressions_fit_into_half_a_stack_and_deeper_ones_are_refused() {
    let nested = |before: &str, after: &str, times: usize| format!("{}b{}", before.repeat(times), after.repeat(times));
    on_a_small_stack(move || {
        for (before, after, deepest) in [
            ("", " + b", 252),
            ("", "::int64", 63),
            ("", " is null", 63),
            ("abs(", ")", 50),
            ("(", " + 1)", 50),
            ("case when ok then ", " end", 50),
            ("- ", "", 51),
        ] {
            let expression = Expression::parse(&nested(before, after, deepest), &schema());
            assert_eq!(expression.expect("not too deep").evaluate(&rows()).failed, [], "{before}b{after}");
            for times in [deepest + 1, 700] {
                let found = problem(&nested(before, after, times)).message;
                assert!(found.contains("nested too deeply"), "{before}b{after}: {found}");
            }
        }
    });
    let long = vec!["b"; 5000].join(" + ");
    assert_eq!(problem(&long).message, "an expression has at most 4096 words and signs, found 9999");
}

#[test]
fn it_reads_the_columns_that_it_names() {
    let reads = |text: &str| Expression::parse(text, &schema()).expect("an expression").reads().to_vec();
    assert_eq!(reads("mag + b * b"), [1, 4]);
    assert!(reads("1 + 1").is_empty());
    assert_eq!(reads("coalesce(net, 'none')"), [5]);
}

#[test]
fn no_rows_have_no_values() {
    let evaluated = Expression::parse("a / b", &schema()).expect("an expression").evaluate(&rows().slice(0, 0));
    assert_eq!((evaluated.values.len(), evaluated.failed.len()), (0, 0));
}

proptest! {
    #[test]
    fn values_and_failures_are_those_of_each_row_alone(
        values in prop::collection::vec((prop::option::of(-3i64..4), prop::option::of(prop_oneof![-3i64..4, Just(i64::MAX)])), 1..50),
        text in prop::sample::select(vec![
            "a / b", "a + b", "case when a > 0 then b * 2 else a % b end", "a > 0 and b / a > 1", "coalesce(a / b, b + 1)", "a / b > 1 or b > 0",
        ]),
    ) {
        let schema = schema_of(&[("a", "int64"), ("b", "int64")]);
        let columns = vec![ints(values.iter().map(|row| row.0)), ints(values.iter().map(|row| row.1))];
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("rows");
        let expression = Expression::parse(text, &schema).expect("an expression");
        let together = expression.evaluate(&rows);
        let (mut shown_apart, mut failed) = (Vec::new(), Vec::new());
        for row in 0..rows.num_rows() {
            let alone = expression.evaluate(&rows.slice(row, 1));
            shown_apart.extend(shown(&alone.values));
            failed.extend(alone.failed.into_iter().map(|(_, cause)| (row, cause)));
        }
        prop_assert_eq!(shown(&together.values), shown_apart);
        prop_assert_eq!(together.failed, failed);
    }
}

/// Texts of expressions of all kinds, whose types fit or don't.
fn any_text() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "i",
        "u",
        "mag",
        "net",
        "at",
        "d",
        "dec",
        "bin",
        "ok",
        "f",
        "null",
        "true",
        "0",
        "3",
        "-1",
        "1.5",
        "1e300",
        "'x'",
        "'7'",
        "''",
        "'2018-01-31'",
        "'day'",
        "9223372036854775807",
        "interval '1 month'",
        "interval '90 minutes'",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "and", "or", "like", "ilike", "~", "is distinct from", "&", "|", "#", "<<", ">>",
        ]);
        let around = prop::sample::select(vec![
            ("-(", ")"), ("not (", ")"), ("(", ") is null"), ("(", ") is not true"), ("cast(", " as int64)"), ("cast(", " as utf8)"),
            ("cast(", " as float32)"), ("cast(", " as timestamp)"), ("cast(", " as date)"), ("cast(", " as decimal(12,3))"),
            ("cast(", " as boolean)"), ("try_cast(", " as int32)"), ("extract(hour from ", ")"), ("trim(", ")"), ("ceil(", ")"),
        ]);
        let name = prop::sample::select(functions());
        prop_oneof![
            4 => (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            2 => (around, inner.clone()).prop_map(|((before, after), a)| format!("{before}{a}{after}")),
            4 => (name, prop::collection::vec(inner.clone(), 1..4)).prop_map(|(name, list)| format!("{name}({})", list.join(", "))),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("case when {a} then {b} else {c} end")),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} between {b} and {c})")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} in ({b}, {c}))")),
        ]
    })
}

/// The functions that may be used, but for those that make as much memory as an argument says.
fn functions() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        catalogue::Catalogue::get().names().filter(|name| !matches!(*name, "repeat" | "lpad" | "rpad")).collect();
    names.sort_unstable();
    names
}

proptest! {
    #[test]
    fn every_text_is_an_expression_whose_values_are_of_its_type_or_a_problem(text in any_text()) {
        if let Ok(expression) = Expression::parse(&text, &schema()) {
            let evaluated = expression.evaluate(&rows());
            prop_assert_eq!(evaluated.values.data_type(), expression.data_type(), "{}", text);
            prop_assert_eq!(evaluated.values.len(), 4, "{}", text);
            for (row, cause) in &evaluated.failed {
                prop_assert!(evaluated.values.is_null(*row) && !cause.contains("nternal error"), "{}: {}", text, cause);
            }
        }
    }
}

#[test]
fn a_column_whose_name_sql_takes_for_a_function_is_the_column() {
    let schema = schema_of(&[("user", "utf8"), ("current_date", "date")]);
    for (text, reads) in [("upper(user)", vec![0]), ("current_date is null", vec![1]), ("\"user\" = user", vec![0])] {
        assert_eq!(Expression::parse(text, &schema).expect(text).reads(), reads, "{text}");
    }
    // Where there is no such column it stays a function, which is refused.
    let problem = Expression::parse("current_date > d", &self::schema()).expect_err("another result each day");
    assert!(problem.to_string().contains("current_date"), "{problem}");
}
