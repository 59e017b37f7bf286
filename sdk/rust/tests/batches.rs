//! Operators written for whole batches.

use wasmill_sdk::bindings::Origin;
use wasmill_sdk::harness::Harness;
use wasmill_sdk::{Batch, Context, Error, NoSettings, Open, Operator, ProcessBatch, Record, Result, ValueState};

#[derive(Record, Clone)]
struct Reading<'a> {
    value: f64,
    unit: Option<&'a str>,
}

#[derive(Record, Debug, PartialEq)]
struct Summed {
    sum: f64,
}

/// Adds to a sum for each key; readings without a unit are rejected, and one in `broken` makes a column too short.
#[derive(Operator)]
struct Sums {
    sum: ValueState<f64>,
    sums: SummedBuilder,
}

impl ProcessBatch for Sums {
    type Input<'a> = Reading<'a>;
    type Output = Summed;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { sum: ValueState::new(), sums: SummedBuilder::default() })
    }

    fn process_batch<'a>(&mut self, batch: Batch<'a, Reading<'a>>, cx: &mut Context<Self>) -> Result<()> {
        let columns = batch.columns();
        let mut rows = Vec::new();
        let values = columns.value.values();
        for (row, (value, key)) in values.iter().zip(batch.row_keys()).enumerate() {
            match columns.unit.get(row) {
                None => cx.reject_row(row as u32, "no unit"),
                Some("broken") => rows.push(row as u32),
                Some(_) => {
                    let sum = self.sum.at(*key).update(|sum| sum.unwrap_or(0.0) + value);
                    self.sums.sum.values_mut().push(*sum);
                    rows.push(row as u32);
                }
            }
        }
        assert!(batch.keys() as usize <= batch.rows());
        let origin = if rows.len() == batch.rows() { Origin::Batch } else { Origin::Rows(rows) };
        cx.output().emit_columns(&origin, &mut self.sums);
        Ok(())
    }
}

fn reading(value: f64, unit: Option<&str>) -> Reading<'_> {
    Reading { value, unit }
}

fn harness() -> Harness<Sums, char> {
    Harness::keyed(()).expect("an open operator")
}

#[test]
fn columns_are_read_and_sent_whole() {
    let mut harness = harness();
    let rows = [('a', 1.0), ('b', 2.0), ('a', 4.0)].map(|(key, value)| (key, reading(value, Some("m"))));
    harness.feed_keyed(rows.clone()).expect("a call that succeeds");
    harness.feed_keyed(rows).expect("a call that succeeds");
    let sums: Vec<_> = harness.output().into_iter().map(|row| row.sum).collect();
    assert_eq!(sums, [1.0, 2.0, 5.0, 6.0, 4.0, 10.0]);
    assert_eq!(harness.state("sum", &'a'), Some(10.0));
}

#[test]
fn some_rows_may_be_rejected() {
    let mut harness = harness();
    harness.feed_keyed([('a', reading(1.0, None)), ('a', reading(2.0, Some("m")))]).expect("a call that succeeds");
    assert_eq!(harness.rejected()[0].row, 0);
    let emitted = harness.emitted::<Summed>("out");
    assert_eq!((emitted[0].from, emitted[0].key, emitted[0].row.sum), (Some(1), Some('a'), 2.0));
}

#[test]
fn a_column_of_another_length_than_its_rows_is_refused() {
    let mut harness = harness();
    let error = harness.feed_keyed([('a', reading(1.0, Some("broken")))]).expect_err("a column that is too short");
    assert_eq!(error, Error::fail("output `out`: column `sum` doesn't have 1 values"));
}
