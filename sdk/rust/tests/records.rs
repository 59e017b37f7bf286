//! Records of every type, read from columns and written to them.

use wasmill_sdk::bindings::{DataType, DecimalType};
use wasmill_sdk::harness::Harness;
use wasmill_sdk::{Context, Date, Decimal, NoSettings, Open, Operator, Process, Record, Result, Timestamp};

/// Gives every row back as it came.
macro_rules! echo {
    ($operator:ident, $input:ty, $output:ty) => {
        #[derive(Operator)]
        struct $operator {}

        impl Process for $operator {
            type Input<'a> = $input;
            type Output = $output;
            type Settings = NoSettings;

            fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
                Ok(Self {})
            }

            fn process(&mut self, row: Self::Input<'_>, cx: &mut Context<Self>) -> Result<()> {
                cx.emit(row);
                Ok(())
            }
        }
    };
}

#[derive(Record, Clone, Debug, Default, PartialEq)]
struct Owned {
    truth: bool,
    small: i32,
    whole: i64,
    natural: u64,
    single: f32,
    double: f64,
    text: String,
    bytes: Vec<u8>,
    at: Timestamp,
    on: Date,
    price: Decimal<10, 2>,
}

#[derive(Record, Clone, Debug, Default, PartialEq)]
struct Optional<'a> {
    truth: Option<bool>,
    small: Option<i32>,
    whole: Option<i64>,
    natural: Option<u64>,
    single: Option<f32>,
    double: Option<f64>,
    text: Option<&'a str>,
    owned: Option<String>,
    bytes: Option<&'a [u8]>,
    at: Option<Timestamp>,
    on: Option<Date>,
    price: Option<Decimal<38, 10>>,
}

#[derive(Record, Clone, Debug, PartialEq)]
struct Named<'r> {
    #[record(rename = "Mag Type")]
    mag_type: &'r str,
    r#type: &'r str,
}

echo!(EchoOwned, Owned, Owned);
echo!(EchoOptional, Optional<'a>, Optional<'static>);
echo!(EchoNamed, Named<'a>, Named<'static>);
echo!(EchoNothing, (), ());

fn owned(i: i64) -> Owned {
    Owned {
        truth: i % 3 == 0,
        small: i as i32 - 5,
        whole: i * i64::from(u32::MAX),
        natural: u64::MAX - i as u64,
        single: i as f32 / 3.0,
        double: -i as f64 / 7.0,
        text: "é".repeat(i as usize % 4),
        bytes: vec![0xff; i as usize % 3],
        at: Timestamp::from_millis(i - 1),
        on: Date::from_days(-i as i32),
        price: Decimal::from_units(-i128::from(i) * 101),
    }
}

fn optional(text: &str) -> Optional<'_> {
    Optional {
        truth: Some(true),
        small: Some(i32::MIN),
        whole: Some(i64::MAX),
        natural: Some(u64::MAX),
        single: Some(0.1),
        double: Some(f64::MIN_POSITIVE),
        text: Some(text),
        owned: Some(text.to_uppercase()),
        bytes: Some(text.as_bytes()),
        at: Some(Timestamp::from_millis(i64::MIN)),
        on: Some(Date::from_days(i32::MAX)),
        price: Some(Decimal::from_units(i128::MAX / 2)),
    }
}

#[test]
fn records_of_every_type_come_out_as_they_went_in() {
    let rows: Vec<_> = (0..100).map(owned).collect();
    let mut harness = Harness::<EchoOwned>::new(()).expect("an open operator");
    harness.feed(rows.clone()).expect("a call that succeeds");
    assert_eq!(harness.output(), rows);
}

#[test]
fn nulls_come_out_where_they_went_in() {
    let text = "place".to_owned();
    let none = Optional::default();
    for nulls in 0..5 {
        let rows: Vec<_> = (0..20).map(|i| if i % 5 < nulls { none.clone() } else { optional(&text) }).collect();
        let mut harness = Harness::<EchoOptional>::new(()).expect("an open operator");
        for _ in 0..2 {
            harness.feed(rows.clone()).expect("a call that succeeds");
            assert_eq!(harness.output(), rows, "{nulls} of 5 rows are null");
        }
    }
}

#[test]
fn columns_have_the_names_and_types_of_fields() {
    let harness = Harness::<EchoNamed>::new(()).expect("an open operator");
    let plan = harness.plan();
    let names = ["Mag Type".to_owned(), "type".to_owned()];
    assert_eq!(plan.reads, [Some(names.to_vec())]);
    let gives = &plan.ports[0].gives;
    assert!(gives.iter().map(|field| &field.name).eq(names.iter()));
    assert!(gives.iter().all(|field| matches!(field.data_type, DataType::Utf8) && !field.nullable));

    let harness = Harness::<EchoOptional>::new(()).expect("an open operator");
    let gives = &harness.plan().ports[0].gives;
    assert!(gives.iter().all(|field| field.nullable));
    assert!(matches!(gives[11].data_type, DataType::Decimal128(DecimalType { precision: 38, scale: 10 })));
}

#[test]
fn a_record_without_fields_says_that_there_is_a_row() {
    let mut harness = Harness::<EchoNothing>::new(()).expect("an open operator");
    harness.feed([(), (), ()]).expect("a call that succeeds");
    assert_eq!(harness.output().len(), 3);
    assert_eq!(harness.plan().reads, [Some(Vec::new())]);
}

#[test]
fn a_borrowed_text_is_emitted_without_a_copy_of_its_own() {
    let texts: Vec<String> = (0..10).map(|i| format!("{i}").repeat(i)).collect();
    let rows: Vec<_> = texts.iter().map(|text| Named { mag_type: text, r#type: "quake" }).collect();
    let mut harness = Harness::<EchoNamed>::new(()).expect("an open operator");
    harness.feed(rows.clone()).expect("a call that succeeds");
    assert_eq!(harness.output(), rows);
}
