//! Cases that hold, and what is said of those that don't.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::{
    Context, Date, Decimal, Error, EventTimers, NoSettings, Open, Operator, Port, Process, Record, Timer, Timestamp, ValueState,
};

#[derive(Record)]
struct Reading {
    value: Option<f64>,
}

#[derive(Record)]
struct Counted {
    count: u64,
}

#[derive(Record)]
struct Large {
    value: f64,
}

#[derive(Operator)]
#[operator(keep = "key")]
struct Count {
    seen: ValueState<u64>,
    #[port(keep = "input")]
    large: Port<Large>,
}

impl Process for Count {
    type Input<'a> = Reading;
    type Output = Counted;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { seen: ValueState::new(), large: Port::new() })
    }

    fn process(&mut self, reading: Reading, cx: &mut Context<Self>) -> Result<()> {
        match reading.value {
            None => cx.reject("no value"),
            Some(value) if value < 0.0 => return Err(Error::fail("below nothing")),
            Some(value) => {
                let count = *self.seen.update(|seen| seen.unwrap_or(0) + 1);
                cx.emit(Counted { count });
                if value > 9.0 {
                    self.large.emit(Large { value: 0.0 }, cx);
                }
            }
        }
        Ok(())
    }
}

#[derive(Record)]
struct At {
    at: i64,
}

#[derive(Record)]
struct Rung {
    at: i64,
    now: i64,
}

#[derive(Operator)]
#[operator(keep = "key")]
struct Alarm {
    timers: EventTimers,
}

impl Process for Alarm {
    type Input<'a> = At;
    type Output = Rung;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { timers: EventTimers::new() })
    }

    fn process(&mut self, row: At, _: &mut Context<Self>) -> Result<()> {
        self.timers.set(Timestamp::from_millis(row.at));
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(Rung { at: timer.at.millis(), now: cx.now().millis() });
        Ok(())
    }
}

const CASE: &str = r#"{ "schema": { "at": "timestamp", "net": "utf8 not null", "value": "float64" }, "key-by": ["net"] }"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    folder
}

fn said<P: ProcessBatch>(files: &[(&str, &str)]) -> String {
    match differences(folder(files).path(), None, differences_of::<P>) {
        Ok(wrong) => wrong,
        Err(error) => error.message().to_owned(),
    }
}

const INPUT: &str = r#"{"at":1517365101235,"net":"ak","value":1}
{"net":"us","value":10}
{"net":"ak"}
{"net":"ak","value":2.5}
"#;

#[test]
fn a_case_that_gives_what_it_says_has_no_differences() {
    let files = [
        ("case.json", CASE),
        ("some/input.jsonl", INPUT),
        ("some/expected.jsonl", "{\"count\":1,\"net\":\"ak\"}\n{\"net\":\"us\",\"count\":1}\n{\"net\":\"ak\",\"count\":2}\n"),
        ("some/expected.large.jsonl", "{\"at\":null,\"net\":\"us\",\"value\":0}\n"),
        ("some/dead.jsonl", "{\"row\":{\"net\":\"ak\"},\"kind\":\"rejected\",\"reason\":\"no value\"}\n"),
    ];
    assert_eq!(said::<Count>(&files), "");
}

#[test]
fn time_moves_on_where_the_rows_say_so() {
    let rows = "{\"net\":\"ak\",\"at\":5}\n{\"net\":\"us\",\"at\":3}\n{\"@watermark\":\"1970-01-01T00:00:00.004Z\"}\n{\"net\":\"ak\",\"at\":4}\n\
                {\"@clock\":\"1970-01-01T00:00:01Z\"}\n{\"@watermark\":\"1970-01-01T00:00:00.010Z\"}\n";
    let rung = |net: &str, at: i64, now: i64| format!("{{\"net\":\"{net}\",\"at\":{at},\"now\":{now}}}\n");
    let expected = [rung("us", 3, 0), rung("ak", 4, 1_000), rung("ak", 5, 1_000)].concat();
    let case = r#"{ "schema": { "net": "utf8", "at": "int64 not null" }, "key-by": ["net"] }"#;
    let files = [("case.json", case), ("some/input.jsonl", rows), ("some/expected.jsonl", expected.as_str())];
    assert_eq!(said::<Alarm>(&files), "");
}

#[test]
fn differences_are_named_by_file_and_row() {
    let files = [
        ("case.json", CASE),
        ("some/input.jsonl", INPUT),
        ("some/expected.jsonl", "{\"net\":\"ak\",\"count\":1}\n{\"net\":\"us\",\"count\":2}\n"),
    ];
    assert_eq!(
        said::<Count>(&files),
        r#"case some: dead.jsonl: row 1 is too many: {"row":{"at":null,"net":"ak","value":null},"kind":"rejected","reason":"no value"}
case some: expected.jsonl: row 2:
  expected {"net":"us","count":2}
  found    {"net":"us","count":1}
case some: expected.jsonl: row 3 is too many: {"net":"ak","count":2}
case some: expected.large.jsonl: row 1 is too many: {"at":null,"net":"us","value":0.0}
"#
    );
}

#[test]
fn what_is_wrong_with_a_case_is_said() {
    assert!(said::<Count>(&[("case.json", CASE)]).ends_with("has no folder with a case"));
    assert_eq!(
        said::<Count>(&[("some/input.jsonl", "")]),
        "case some: no case.json has a `schema` that says which columns the rows in have"
    );
    assert!(said::<Count>(&[("case.json", "{"), ("some/input.jsonl", "")]).contains("case.json: EOF while parsing"));
    let wrong_type = r#"{ "schema": { "at": "instant" } }"#;
    assert_eq!(said::<Count>(&[("some/case.json", wrong_type)]), "case some: at: unknown type `instant`");
    let of = |input: &str, expected: &str| {
        said::<Count>(&[("case.json", CASE), ("some/input.jsonl", input), ("some/expected.jsonl", expected)])
    };
    assert_eq!(said::<Count>(&[("case.json", CASE), ("some/x", "")]), "case some: has no input.jsonl\n");
    assert_eq!(said::<Count>(&[("case.json", CASE), ("some/input.jsonl", "")]), "case some: has no expected.jsonl\n");
    assert_eq!(
        of("{\"net\":\"ak\"}\n{\"net\":null}\n", ""),
        "case some: input.jsonl line 2: net: expected utf8 not null, found null\n"
    );
    assert_eq!(
        of("{\"net\":\"ak\",\"value\":\"1\"}\n", ""),
        "case some: input.jsonl line 1: value: expected float64, found \"1\"\n"
    );
    assert_eq!(
        of("{\"@watermark\":\"noon\"}\n", ""),
        "case some: input.jsonl line 1: @watermark: expected timestamp, found \"noon\"\n"
    );
    assert_eq!(
        of("{\"@tide\":\"2026-03-01T10:00:00Z\"}\n", ""),
        "case some: input.jsonl line 1: expected a row, or only `@watermark` or `@clock` with a moment, found `@tide`\n"
    );
    assert!(of("[]\n", "").starts_with("case some: input.jsonl line 1: isn't a JSON object: invalid type: sequence"));
    assert_eq!(of("{\"net\":\"ak\",\"value\":-1}\n", ""), "case some: the call with rows from 1 on failed: below nothing\n");
}

#[derive(Record)]
struct Every<'a> {
    b: bool,
    i: Option<i32>,
    u: u64,
    f: f32,
    d: Decimal<10, 2>,
    day: Date,
    at: Timestamp,
    text: &'a str,
    bytes: Option<&'a [u8]>,
}

#[derive(Operator)]
struct Same {}

impl Process for Same {
    type Input<'a> = Every<'a>;
    type Output = Every<'static>;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self {})
    }

    fn process(&mut self, row: Every<'_>, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(row);
        Ok(())
    }
}

#[test]
fn values_of_every_type_come_through() {
    let case = r#"{ "schema": { "b": "boolean not null", "i": "int32", "u": "uint64 not null", "f": "float32 not null",
        "d": "decimal(10, 2) not null", "day": "date not null", "at": "timestamp not null", "text": "utf8 not null", "bytes": "binary" } }"#;
    let rows = r#"{"b":true,"i":-7,"u":18446744073709551615,"f":0.1,"d":"-0.05","day":"2024-02-29","at":"2018-01-31T02:18:21.235Z","text":"ä\n","bytes":"AAEC/w=="}
{"b":false,"i":null,"u":0,"f":-1.5,"d":"123.40","day":"1969-12-31","at":"1969-12-31T23:59:59.999Z","text":"","bytes":null}
{"b":false,"i":0,"u":1,"f":3.0,"d":"7.00","day":"1970-01-01","at":"1970-01-01T00:00:00.000Z","text":"x","bytes":"YWI="}
"#;
    let files = [("some/case.json", case), ("some/input.jsonl", rows), ("some/expected.jsonl", rows)];
    assert_eq!(said::<Same>(&files), "");
    let folder = folder(&files);
    let cases = Case::all(folder.path(), None).expect("a case");
    let found = run::run::<Same>(&cases[0], 2).expect("runs");
    assert_eq!(found["expected.jsonl"].join("\n") + "\n", rows);
}

#[derive(Operator)]
struct FirstOfCall {
    calls: u64,
}

impl Process for FirstOfCall {
    type Input<'a> = Reading;
    type Output = Counted;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { calls: 0 })
    }

    fn process(&mut self, _: Reading, _: &mut Context<Self>) -> Result<()> {
        self.calls += 1;
        Ok(())
    }

    fn on_end(&mut self, cx: &mut Context<Self>) -> Result<()> {
        cx.emit(Counted { count: self.calls });
        Ok(())
    }
}

#[test]
fn rows_that_come_from_nowhere_at_the_end_are_compared_too() {
    let files = [
        ("some/case.json", r#"{ "schema": { "value": "float64" } }"#),
        ("some/input.jsonl", "{}\n{}\n{}\n"),
        ("some/expected.jsonl", "{\"count\":3}\n"),
    ];
    assert_eq!(said::<FirstOfCall>(&files), "");
}
