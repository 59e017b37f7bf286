//! Operators with several inputs: their names, keys and columns, and rows of each.

use wasmill_sdk::bindings::{DataType, Field, Input};
use wasmill_sdk::harness::{self, Emitted, Harness, Rejected};
use wasmill_sdk::{Batch, Context, Inputs, NoSettings, Open, Operator, Process, ProcessBatch, Record, Result, ValueState};

#[derive(Record)]
struct Price<'a> {
    item: &'a str,
    cents: i64,
}

#[derive(Record)]
struct Sale {
    pieces: i64,
}

#[derive(Record)]
struct Rate {
    percent: i64,
}

#[derive(Inputs)]
enum Row<'a> {
    ListPrices(Price<'a>),
    Sales(Sale),
    #[input(name = "rates", unkeyed)]
    Taxes(Rate),
}

#[derive(Record, Debug, PartialEq)]
struct Takings {
    cents: i64,
}

/// What a sale brings at the last price of its key; a rate is only counted.
#[derive(Operator)]
#[operator(keep = "key")]
struct Till {
    price: ValueState<(String, i64)>,
}

impl Process for Till {
    type Input<'a> = Row<'a>;
    type Output = Takings;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { price: ValueState::new() })
    }

    fn process(&mut self, row: Row<'_>, cx: &mut Context<Self>) -> Result<()> {
        match row {
            Row::ListPrices(price) => self.price.set((price.item.to_owned(), price.cents)),
            Row::Sales(sale) => match self.price.get() {
                Some((_, cents)) => cx.emit(Takings { cents: cents * sale.pieces }),
                None => cx.reject("no price"),
            },
            Row::Taxes(rate) if rate.percent < 0 => drop(self.price.get()),
            Row::Taxes(_) => wasmill_sdk::metrics::counter("rates", 1),
        }
        Ok(())
    }
}

fn price(item: &str, cents: i64) -> Row<'_> {
    Row::ListPrices(Price { item, cents })
}

fn sale(pieces: i64) -> Row<'static> {
    Row::Sales(Sale { pieces })
}

fn rate(percent: i64) -> Row<'static> {
    Row::Taxes(Rate { percent })
}

#[test]
fn rows_of_all_inputs_share_the_state_of_their_key_for_every_size_of_batches() {
    for rows in [usize::MAX, 2, 1] {
        let mut harness = Harness::<Till, &str>::keyed(()).expect("opens");
        harness.batches_of(rows);
        let fed = [
            ("a", price("tea", 5)),
            ("b", price("pot", 70)),
            ("a", sale(2)),
            ("", rate(19)),
            ("c", sale(1)),
            ("b", sale(1)),
            ("a", price("tea", 6)),
            ("a", sale(1)),
        ];
        harness.feed_keyed(fed).expect("succeeds");
        let emitted = |cents, from, key| Emitted { row: Takings { cents }, from: Some(from), key: Some(key) };
        let expected = [emitted(10, 2, "a"), emitted(70, 5, "b"), emitted(6, 7, "a")];
        assert_eq!(harness.emitted::<Takings>("out"), expected);
        assert_eq!(harness.rejected(), [Rejected { row: 4, reason: "no price".into() }]);
        assert_eq!((harness.keys("price"), harness.counter("rates")), (2, 1));
    }
}

#[test]
#[should_panic(expected = "state `price` was used where there is no key")]
fn a_state_that_is_used_for_a_row_without_a_key_panics() {
    let mut harness = Harness::<Till, &str>::keyed(()).expect("opens");
    let _ = harness.feed_keyed([("", rate(-1))]);
}

fn input(name: &str, columns: &[(&str, DataType)], key: &[&str]) -> Input {
    let field = |(name, data_type): &(&str, DataType)| Field { name: (*name).to_owned(), data_type: *data_type, nullable: false };
    Input {
        name: name.to_owned(),
        schema: columns.iter().map(field).collect(),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
        broadcast: false,
    }
}

#[test]
fn inputs_are_known_by_their_names_in_whatever_order_the_job_has_them() {
    let rates = input("rates", &[("percent", DataType::Int64)], &[]);
    let prices = input("list-prices", &[("id", DataType::Int64), ("item", DataType::Utf8), ("cents", DataType::Int64)], &["id"]);
    let sales = input("sales", &[("of", DataType::Int64), ("pieces", DataType::Int64)], &["of"]);
    let inputs = [rates, sales, prices];
    let plan = harness::describe_inputs::<Till>((), &inputs).expect("fits");
    let reads: Vec<_> = plan.reads.iter().map(|columns| columns.as_ref().expect("named").join(" ")).collect();
    assert_eq!(reads, ["percent", "pieces", "item cents"]);

    let refused = |inputs: &[Input]| harness::describe_inputs::<Till>((), inputs).expect_err("refused").message().to_owned();
    assert_eq!(refused(&inputs[..2]), "the operator's inputs are list-prices, sales, rates, but the job gives it rates, sales");
    let unkeyed = input("sales", &[("pieces", DataType::Utf8)], &[]);
    assert_eq!(
        refused(&[inputs[0].clone(), unkeyed, inputs[2].clone()]),
        "column `pieces` of input `sales` is utf8, but the operator reads int64; state `price` is kept for each key, but input `sales` \
         has none: give the operator a `key-by`"
    );
}

/// Sums over whole batches.
#[derive(Operator)]
#[operator(keep = "input")]
struct Sums {}

impl ProcessBatch for Sums {
    type Input<'a> = Row<'a>;
    type Output = Takings;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process_batch<'a>(&mut self, batch: Batch<'a, Row<'a>>, cx: &mut Context<Self>) -> Result<()> {
        let cents = match batch.columns() {
            RowColumns::ListPrices(prices) => prices.cents.values().iter().sum(),
            RowColumns::Sales(sales) => sales.pieces.values().iter().sum(),
            RowColumns::Taxes(_) => 0,
        };
        cx.emit(Takings { cents });
        Ok(())
    }
}

#[test]
fn an_output_of_several_inputs_keeps_no_columns_of_their_rows_in_this_version() {
    let refused = Harness::<Sums>::new(()).expect_err("refused");
    assert!(
        refused.message().contains("not in this version where there are several inputs: keep the key, or emit them"),
        "{refused}"
    );
}
