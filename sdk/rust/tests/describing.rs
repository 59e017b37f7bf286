//! What an operator declares, and what it says about an input that doesn't fit.

use serde::Deserialize;
use wasmill_sdk::bindings::plan::{Takes, Wants};
use wasmill_sdk::bindings::{DataType, DecimalType, Field, Plan};
use wasmill_sdk::harness;
use wasmill_sdk::{Context, Decimal, Error, Open, Operator, Port, Process, Record, Result, Timestamp, ValueState};

#[derive(Record)]
struct Quake<'a> {
    net: &'a str,
    mag: f64,
    place: Option<&'a str>,
    time: Timestamp,
    loss: Option<Decimal<10, 2>>,
}

#[derive(Record)]
struct Swarm<'a> {
    net: &'a str,
    quakes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    threshold: u64,
}

#[derive(Operator)]
#[operator(keep = "key")]
struct SwarmAlert {
    count: ValueState<u64>,
    #[port(keep("net", "region"))]
    quiet: Port<Swarm<'static>>,
    threshold: u64,
}

impl Process for SwarmAlert {
    type Input<'a> = Quake<'a>;
    type Output = Swarm<'static>;
    type Settings = Settings;

    fn check(settings: &Settings) -> Result<()> {
        if settings.threshold > 0 { Ok(()) } else { Err(Error::fail("settings: threshold: expected 1 or more")) }
    }

    fn open(settings: Settings, _: &mut Open) -> Result<Self> {
        Ok(Self { count: ValueState::new(), quiet: Port::new(), threshold: settings.threshold })
    }

    fn process(&mut self, quake: Quake<'_>, cx: &mut Context<Self>) -> Result<()> {
        let quakes = *self.count.update(|count| count.unwrap_or(0) + 1);
        let swarm = Swarm { net: quake.net, quakes };
        let known = quake.place.is_some() && quake.loss.is_some() && quake.time.millis() > 0;
        if quakes >= self.threshold && quake.mag > 0.0 && known {
            cx.emit(swarm)
        } else {
            self.quiet.emit(swarm, cx)
        }
        Ok(())
    }
}

fn column(name: &str, data_type: DataType, nullable: bool) -> Field {
    Field { name: name.to_owned(), data_type, nullable }
}

fn decimal(precision: u8, scale: i8) -> DataType {
    DataType::Decimal128(DecimalType { precision, scale })
}

/// An input that fits.
fn columns() -> Vec<Field> {
    vec![
        column("id", DataType::Utf8, false),
        column("net", DataType::Utf8, false),
        column("mag", DataType::Float64, false),
        column("place", DataType::Utf8, true),
        column("time", DataType::Timestamp, false),
        column("loss", decimal(10, 2), true),
        column("region", DataType::Utf8, true),
    ]
}

fn describe(columns: Vec<Field>, key: &[&str]) -> Result<Plan> {
    harness::describe::<SwarmAlert>(serde_json::json!({"threshold": 3}), columns, key)
}

fn refused(columns: Vec<Field>, key: &[&str]) -> String {
    describe(columns, key).expect_err("an input that doesn't fit").message().to_owned()
}

#[test]
fn an_operator_declares_what_it_reads_gives_and_remembers() {
    let plan = describe(columns(), &["net"]).expect("an input that fits");
    let reads = ["net", "mag", "place", "time", "loss"].map(str::to_owned);
    assert_eq!(plan.reads, [Some(reads.to_vec())]);
    assert!(matches!(plan.ports[0].takes, Takes::Key));
    let gives: Vec<_> = plan.ports[0].gives.iter().map(|field| (field.name.as_str(), field.nullable)).collect();
    assert_eq!(gives, [("net", false), ("quakes", false)]);
    assert_eq!(plan.states.len(), 1);
    assert_eq!(plan.wants, Wants::END);
}

#[test]
fn a_column_without_nulls_may_be_read_as_one_with_nulls() {
    let mut columns = columns();
    columns[3].nullable = false;
    assert!(describe(columns, &["net"]).is_ok());
}

#[test]
fn a_missing_column_is_named_with_the_nearest_one() {
    let mut columns = columns();
    columns[2].name = "magg".to_owned();
    assert_eq!(refused(columns, &["net"]), "input `input` has no column `mag`: did you mean `magg`?");
}

#[test]
fn a_missing_column_without_a_near_one_is_named_with_all() {
    let columns = vec![column("a", DataType::Utf8, false), column("b", DataType::Utf8, false)];
    let text = refused(columns, &["a"]);
    assert!(text.starts_with("input `input` has no column `net`; it has a, b; input `input` has no column `mag`"), "{text}");
}

#[test]
fn a_column_of_another_type_is_refused() {
    let mut columns = columns();
    columns[2].data_type = DataType::Float32;
    assert_eq!(refused(columns, &["net"]), "column `mag` of input `input` is float32, but the operator reads float64");
}

#[test]
fn a_decimal_of_another_scale_is_another_type() {
    let mut columns = columns();
    columns[5].data_type = decimal(10, 3);
    assert_eq!(
        refused(columns, &["net"]),
        "column `loss` of input `input` is decimal(10,3), but the operator reads decimal(10,2)"
    );
}

#[test]
fn a_column_that_may_be_null_is_refused_where_every_row_must_have_a_value() {
    let mut columns = columns();
    columns[4].nullable = true;
    let text = "column `time` of input `input` may be null, but the operator reads a value from every row: declare it \
                `timestamp not null`, or read an `Option`";
    assert_eq!(refused(columns, &["net"]), text);
}

#[test]
fn an_input_without_a_key_is_refused_where_one_is_needed() {
    let text = "the operator keeps the key's columns, but input `input` has no key: give the operator a `key-by`; state `count` is \
                kept for each key, but input `input` has none: give the operator a `key-by`";
    assert_eq!(refused(columns(), &[]), text);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut columns = columns();
    columns.truncate(5);
    columns[1].nullable = true;
    columns[2].data_type = DataType::Boolean;
    let text = "column `net` of input `input` may be null, but the operator reads a value from every row: declare it `utf8 not null`, \
                or read an `Option`; column `mag` of input `input` is boolean, but the operator reads float64; input `input` has no \
                column `loss`; it has id, net, mag, place, time; input `input` has no column `region`; it has id, net, mag, place, time";
    assert_eq!(refused(columns, &["net"]), text);
}

#[test]
fn settings_are_checked_before_the_job_starts() {
    let refused = |settings| {
        let error = harness::describe::<SwarmAlert>(settings, columns(), &["net"]).expect_err("settings that make no sense");
        error.message().to_owned()
    };
    assert_eq!(refused(serde_json::json!({"threshold": 0})), "settings: threshold: expected 1 or more");
    assert_eq!(refused(serde_json::json!({"threshold": "3"})), "settings: threshold: found \"3\", expected u64");
    assert_eq!(refused(serde_json::json!(null)), "settings: missing setting `threshold`");
}
