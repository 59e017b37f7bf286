//! Running aggregates against a naive model, whatever the batches.

use std::collections::HashMap;

use arrow_array::{Decimal128Array, TimestampMillisecondArray};
use arrow_schema::DataType;
use proptest::prelude::*;
use wasmill_flow::column_type;
use wasmill_state::Values;
use wasmill_state::memory::MemoryState;

mod foreign;
mod functions;
mod nested;
mod refused;
mod retract;

use super::*;
use crate::testing::{batch_of, dead, emitted, floats, ints, run, schema_of, shown, texts};

fn named(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn keyed(operator: &RunningAggregate) -> Context {
    let state = MemoryState::new(operator.declaration().states);
    Context { state: Some(Box::new(state)), ..Context::stateless() }
}

fn schema() -> SchemaRef {
    schema_of(&[("k", "utf8"), ("x", "int64"), ("f", "float64"), ("t", "utf8")])
}

fn aggregate(columns: &[(&str, &str)]) -> RunningAggregate {
    RunningAggregate::new(&[0], &named(columns), Emit::EachRow, &schema()).expect("aggregates")
}

type Row = (Option<&'static str>, Option<i64>, Option<f64>, Option<&'static str>);

fn batch(rows: &[Row]) -> Batch {
    let columns = vec![
        texts(rows.iter().map(|row| row.0)),
        ints(rows.iter().map(|row| row.1)),
        floats(rows.iter().map(|row| row.2)),
        texts(rows.iter().map(|row| row.3)),
    ];
    batch_of(&schema(), columns)
}

#[test]
fn a_row_comes_out_for_each_row_with_the_key_and_the_values_after_it() {
    let mut operator =
        aggregate(&[("n", "count(*)"), ("top", "max(x * 2)"), ("seen", "count(x)"), ("mean", "avg(x)"), ("first", "min(t)")]);
    let mut cx = keyed(&operator);
    let rows = [
        (Some("us"), Some(3), None, Some("m")),
        (Some("ak"), None, None, None),
        (None, Some(1), None, Some("a long text of more than twelve bytes")),
        (Some("us"), Some(1), None, Some("b")),
        (Some("us"), None, None, Some("c")),
    ];
    run(&mut operator, 0, batch(&rows), &mut cx).expect("a step");
    run(&mut operator, 0, batch(&[(None, Some(4), None, Some("z")), (Some("ak"), Some(9), None, None)]), &mut cx)
        .expect("a step");
    assert_eq!(
        emitted(&cx),
        [
            "us 1 6 1 3.0 m",
            "ak 1 - 0 - -",
            "- 1 2 1 1.0 a long text of more than twelve bytes",
            "us 2 6 2 2.0 b",
            "us 3 6 2 2.0 b",
            "- 2 8 2 2.5 a long text of more than twelve bytes",
            "ak 2 18 1 9.0 -",
        ]
    );
    assert!(cx.dead.is_empty());
    assert_eq!(cx.state.expect("state").keys(), 3);
}

#[test]
fn the_declaration_has_the_key_s_columns_and_then_the_aggregates_and_reads_no_others() {
    let operator = RunningAggregate::new(&[3, 0], &named(&[("n", "count(*)"), ("s", "sum(f)")]), Emit::EachRow, &schema())
        .expect("aggregates");
    let declaration = operator.declaration();
    let fields = declaration.ports[0].schema.fields();
    let described: Vec<String> =
        fields.iter().map(|field| format!("{} {}", field.name(), column_type::describe(field))).collect();
    assert_eq!(described, ["t utf8", "k utf8", "n int64 not null", "s float64"]);
    assert_eq!(declaration.reads, [Some(vec![0, 2, 3])]);
    assert_eq!((declaration.states[0].name.as_str(), declaration.states[0].width), ("aggregates", Some(17)));
}

#[test]
fn the_state_has_no_fixed_width_with_an_extreme_of_text_and_another_version_for_other_aggregates() {
    let need = |columns: &[(&str, &str)]| aggregate(columns).declaration().states[0].clone();
    assert_eq!(need(&[("n", "count(*)"), ("t", "max(t)")]).width, None);
    let version = |text| need(&[("a", text)]).version;
    assert_eq!(version("max(x)"), version("max(x + 1)"));
    let versions: std::collections::HashSet<u32> =
        ["max(x)", "min(x)", "sum(x)", "max(f)", "sum(f)", "avg(x)", "count(x)", "max(t)", "min(t)"]
            .into_iter()
            .map(version)
            .collect();
    assert_eq!(versions.len(), 9);
}

#[test]
fn the_bytes_of_a_key_are_the_documented_ones() {
    let mut operator = aggregate(&[("n", "count(*)"), ("t", "max(t)"), ("s", "sum(x)")]);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[(Some("k"), Some(-1), None, Some("ab")), (None, None, None, None)]), &mut cx).expect("a step");
    let dump = cx.state.expect("state").dump();
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 1];
    bytes.extend([0xff; 8]);
    bytes.extend([1, 2, 0, 0, 0, b'a', b'b']);
    assert_eq!(dump[&[1, 1, 0, 0, 0, b'k'][..]], [Some(bytes)]);
    let mut nothing = vec![1, 0, 0, 0, 0, 0, 0, 0];
    nothing.extend([0; 10]);
    assert_eq!(dump[&[0][..]], [Some(nothing)]);
}

#[test]
fn a_row_that_overflows_a_sum_dies_and_no_aggregate_counts_it() {
    let mut operator = aggregate(&[("n", "count(*)"), ("s", "sum(x)"), ("t", "max(t)")]);
    let mut cx = keyed(&operator);
    let rows = [
        (Some("a"), Some(i64::MAX - 1), None, Some("a")),
        (Some("a"), Some(2), None, Some("b")),
        (Some("b"), Some(5), None, None),
        (Some("a"), Some(1), None, None),
        (Some("a"), Some(1), None, None),
        (Some("a"), Some(-10), None, Some("c")),
    ];
    run(&mut operator, 0, batch(&rows), &mut cx).expect("a step");
    let most = i64::MAX;
    assert_eq!(
        emitted(&cx),
        [format!("a 1 {} a", most - 1), "b 1 5 -".to_owned(), format!("a 2 {most} a"), format!("a 3 {} c", most - 10)]
    );
    let reason = "aggregate.s \"sum(x)\": the sum overflows".to_owned();
    assert_eq!(dead(&cx), [("a 2 - b".to_owned(), reason.clone()), ("a 1 - -".to_owned(), reason)]);
}

#[test]
fn a_key_whose_only_row_dies_is_not_remembered() {
    let mut operator =
        RunningAggregate::new(&[0], &named(&[("s", "sum(u)")]), Emit::EachRow, &schema_of(&[("k", "int64"), ("u", "uint64")]))
            .expect("aggregates");
    let schema = schema_of(&[("k", "int64"), ("u", "uint64")]);
    let mut cx = keyed(&operator);
    let huge: ArrayRef = Arc::new(arrow_array::UInt64Array::from(vec![u64::MAX, 1]));
    run(&mut operator, 0, batch_of(&schema, vec![ints([Some(1), Some(2)]), huge.slice(0, 2)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["2 1"]);
    assert_eq!(dead(&cx)[0].0, "1 18446744073709551615");
    run(&mut operator, 0, batch_of(&schema, vec![ints([Some(3)]), huge.slice(0, 1)]), &mut cx).expect("a step");
    assert_eq!((cx.emitted.len(), cx.dead.len()), (1, 2));
    assert_eq!(cx.state.expect("state").keys(), 1);
}

#[test]
fn a_row_that_an_argument_fails_on_dies_and_touches_no_key() {
    let mut operator = aggregate(&[("n", "count(*)"), ("s", "sum(10 / x)")]);
    let mut cx = keyed(&operator);
    run(&mut operator, 0, batch(&[(Some("a"), Some(0), None, None), (Some("b"), Some(5), None, None)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), ["b 1 2"]);
    assert_eq!(dead(&cx), [("a 0 - -".to_owned(), "aggregate.s \"sum(10 / x)\": divide by zero".to_owned())]);
    assert_eq!(cx.state.expect("state").keys(), 1);
}

#[test]
fn every_type_has_its_aggregates() {
    let schema = schema_of(&[
        ("k", "int64"),
        ("i", "int32"),
        ("u", "uint64"),
        ("f", "float32"),
        ("d", "decimal(10,2)"),
        ("at", "timestamp"),
        ("day", "date"),
    ]);
    let columns: Vec<ArrayRef> = vec![
        ints([Some(1); 3]),
        Arc::new(arrow_array::Int32Array::from(vec![Some(5), None, Some(-7)])),
        Arc::new(arrow_array::UInt64Array::from(vec![5, 6, 7])),
        Arc::new(arrow_array::Float32Array::from(vec![0.5, f32::NAN, 0.25])),
        Arc::new(Decimal128Array::from(vec![150, -25, 100]).with_precision_and_scale(10, 2).expect("a decimal")),
        Arc::new(TimestampMillisecondArray::from(vec![Some(1000), Some(0), None])),
        Arc::new(arrow_array::Date32Array::from(vec![2, 1, 3])),
    ];
    let last = |text: &str| {
        let mut operator = RunningAggregate::new(&[0], &named(&[("v", text)]), Emit::EachRow, &schema).expect("an aggregate");
        let mut cx = keyed(&operator);
        run(&mut operator, 0, batch_of(&schema, columns.clone()), &mut cx).expect("a step");
        let values = cx.emitted[0].batch.rows.column(1).clone();
        format!("{} {}", shown(&values)[2], column_type::name(values.data_type()))
    };
    let found: Vec<String> = [
        "sum(i)", "min(i)", "max(i)", "avg(i)", "count(i)", "sum(u)", "min(u)", "max(u)", "avg(u)", "sum(f)", "min(f)", "max(f)",
        "sum(d)", "min(d)", "max(d)", "avg(d)", "min(at)", "max(at)", "min(day)", "max(day)",
    ]
    .into_iter()
    .map(last)
    .collect();
    assert_eq!(
        found,
        [
            "-2 int64",
            "-7 int32",
            "5 int32",
            "-1.0 float64",
            "2 int64",
            "18 int64",
            "5 uint64",
            "7 uint64",
            "6.0 float64",
            "NaN float64",
            "0.25 float32",
            "NaN float32",
            "2.25 decimal(38,2)",
            "-0.25 decimal(10,2)",
            "1.50 decimal(10,2)",
            "0.75 float64",
            "1970-01-01T00:00:00 timestamp",
            "1970-01-01T00:00:01 timestamp",
            "1970-01-02 date",
            "1970-01-04 date",
        ]
    );
}

#[test]
fn a_sum_of_decimals_overflows_at_38_digits() {
    let schema = schema_of(&[("k", "int64"), ("d", "decimal(38,0)")]);
    let mut operator = RunningAggregate::new(&[0], &named(&[("s", "sum(d)")]), Emit::EachRow, &schema).expect("an aggregate");
    let mut cx = keyed(&operator);
    let most = 10i128.pow(38) - 1;
    let values = Decimal128Array::from(vec![most, 1, -1]).with_precision_and_scale(38, 0).expect("decimals");
    run(&mut operator, 0, batch_of(&schema, vec![ints([Some(1); 3]), Arc::new(values)]), &mut cx).expect("a step");
    assert_eq!(emitted(&cx), [format!("1 {most}"), format!("1 {}", most - 1)]);
    assert_eq!(dead(&cx)[0], ("1 1".to_owned(), "aggregate.s \"sum(d)\": the sum overflows".to_owned()));
}

#[test]
fn bytes_that_no_aggregate_wrote_stop_the_job() {
    let mut operator = aggregate(&[("t", "max(t)")]);
    let mut cx = keyed(&operator);
    let row = batch(&[(Some("a"), None, None, Some("x"))]);
    let state = cx.state.as_deref_mut().expect("state");
    let mut keys = EncodedKeys::default();
    keys.encode(&row.rows.columns()[..1]);
    let mut call = CallKeys::default();
    state.resolve(&keys, &keys.hashes(), &mut call);
    let values = Values { present: vec![1], offsets: vec![0, 2], data: vec![1, 9] };
    state.apply(&call, &[StateWrite { state: 0, keys: None, values }]);
    state.finish(&call);
    let error = run(&mut operator, 0, row, &mut cx).expect_err("an error");
    assert_eq!(error.to_string(), "the state `aggregates` holds bytes that no aggregate has written");
    assert_eq!(error.code, "state-damaged");
}

#[test]
fn without_keyed_state_a_step_is_refused() {
    let error = run(&mut aggregate(&[("n", "count(*)")]), 0, batch(&[(None, None, None, None)]), &mut Context::stateless());
    assert_eq!(error.expect_err("an error").to_string(), "an aggregate was run without keyed state");
}

#[test]
fn every_problem_of_a_definition_is_said_with_its_place() {
    let written = named(&[("k", "count(*)"), ("a", "sum(t)"), ("b", "max(x)"), ("b", "min(x)")]);
    let problems = RunningAggregate::new(&[0], &written, Emit::EachRow, &schema()).expect_err("problems");
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "aggregate.k: column `k` is a column of key-by already; another name is needed",
            "aggregate.a: `sum(t)`: expected a number, found utf8",
            "aggregate.b: column `b` is there twice",
        ]
    );
    let problems = RunningAggregate::new(&[], &[], Emit::EachRow, &schema()).expect_err("problems");
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["key-by: expected at least one column, found none", "aggregate: expected at least one aggregate, found none"]
    );
}

/// What the aggregates of the test below hold of a key.
#[derive(Default, Clone)]
struct Model {
    rows: i64,
    seen: i64,
    sum: Option<i64>,
    least: Option<i64>,
    mean: (f64, i64),
    floats: Option<f64>,
    greatest: Option<String>,
}

impl Model {
    fn take(&mut self, x: Option<i64>, f: Option<f64>, t: Option<&str>) -> bool {
        if let Some(x) = x {
            match self.sum.unwrap_or(0).checked_add(x) {
                Some(sum) => self.sum = Some(sum),
                None => return false,
            }
            self.seen += 1;
            self.least = Some(self.least.map_or(x, |least| least.min(x)));
            #[expect(clippy::cast_precision_loss, reason = "as the operator has it")]
            let value = x as f64;
            self.mean = (self.mean.0 + value, self.mean.1 + 1);
        }
        self.rows += 1;
        if let Some(f) = f {
            self.floats = Some(self.floats.unwrap_or(0.0) + f);
        }
        if let Some(t) = t {
            self.greatest = Some(self.greatest.take().map_or(t.to_owned(), |greatest| greatest.max(t.to_owned())));
        }
        true
    }

    fn shown(&self, key: Option<&str>) -> String {
        fn or<T: std::fmt::Debug>(value: Option<T>) -> String {
            value.map_or("-".to_owned(), |value| format!("{value:?}"))
        }
        #[expect(clippy::cast_precision_loss, reason = "as the operator has it")]
        let mean = (self.mean.1 > 0).then(|| self.mean.0 / self.mean.1 as f64);
        let greatest = self.greatest.as_deref().unwrap_or("-");
        let (sum, least, floats) = (or(self.sum), or(self.least), or(self.floats));
        format!("{} {} {} {sum} {least} {} {floats} {greatest}", key.unwrap_or("-"), self.rows, self.seen, or(mean))
    }
}

fn row() -> impl Strategy<Value = Row> {
    let numbers = prop_oneof![8 => (-100i64..100).prop_map(Some), 1 => Just(None), 1 => Just(Some(i64::MAX / 2)), 1 => Just(Some(i64::MIN / 2))];
    let text = prop::option::of(prop::sample::select(vec![
        "",
        "a",
        "b",
        "a text of more than twelve bytes",
        "a text of more than twelve letters",
    ]));
    (prop::option::of(prop::sample::select(vec!["a", "b", "c"])), numbers, prop::option::of(-1e3..1e3), text)
}

proptest! {
    #[test]
    fn it_is_what_a_naive_model_gives_however_rows_are_cut(rows in prop::collection::vec(row(), 1..80), cut in 1usize..30, text in any::<bool>()) {
        let mut columns = vec![("n", "count(*)"), ("m", "count(x)"), ("s", "sum(x)"), ("l", "min(x)"), ("a", "avg(x)"), ("f", "sum(f)")];
        if text {
            columns.push(("t", "max(t)"));
        }
        let mut operator = aggregate(&columns);
        let mut cx = keyed(&operator);
        for rows in rows.chunks(cut) {
            run(&mut operator, 0, batch(rows), &mut cx).expect("a step");
        }
        let mut model: HashMap<Option<&str>, Model> = HashMap::new();
        let (mut out, mut died) = (Vec::new(), 0);
        for (key, x, f, t) in rows {
            let entry = model.entry(key).or_default();
            if entry.take(x, f, t.filter(|_| text)) {
                let shown = entry.shown(key);
                out.push(if text { shown } else { shown.strip_suffix(" -").expect("no text").to_owned() });
            } else {
                died += 1;
            }
        }
        prop_assert_eq!(emitted(&cx), out);
        prop_assert_eq!(dead(&cx).len(), died);
        let kept = model.values().filter(|model| model.rows > 0).count();
        prop_assert_eq!(cx.state.expect("state").keys(), kept);
    }
}
