//! Every kind of right and wrong value, and that a wrong row leaves no trace.

use std::sync::Arc;

use arrow_schema::Schema;
use proptest::prelude::*;
use wasmill_flow::column_type::parse_field;

use super::*;
use crate::json::{JsonOut, RowEncoder, TimestampUnit, row_object};
use arrow_schema::DataType;

fn schema(fields: &[(&str, &str)]) -> SchemaRef {
    let field = |(name, written): &(&str, &str)| parse_field(name, written).expect("a type");
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

fn decoder(fields: &[(&str, &str)]) -> RowDecoder {
    RowDecoder::new(schema(fields), JsonIn::default()).expect("supported types")
}

/// What one value is read as in a column of this type, as it is written out again.
fn read(written: &str, json: &str) -> Result<String, Fault> {
    let mut decoder = decoder(&[("c", written)]);
    decoder.decode(format!("{{\"c\":{json}}}").as_bytes())?;
    let row = row_object(&decoder.take_rows(), 0);
    Ok(row["{\"c\":".len()..row.len() - 1].to_owned())
}

fn reason(fields: &[(&str, &str)], line: &[u8]) -> String {
    decoder(fields).decode(line).expect_err("malformed").reason
}

const QUAKE: &[(&str, &str)] = &[("id", "utf8 not null"), ("mag", "float64")];

#[test]
fn values_are_read_as_their_column_has_them() {
    for (written, json, expected) in [
        ("boolean", "true", "true"),
        ("boolean", "null", "null"),
        ("int32", "-2147483648", "-2147483648"),
        ("int64", "9223372036854775807", "9223372036854775807"),
        ("int64", "-0", "0"),
        ("uint64", "18446744073709551615", "18446744073709551615"),
        ("uint64", "-0", "0"),
        ("float32", "0.1", "0.1"),
        ("float64", "4", "4.0"),
        ("float64", "-1.5e-3", "-0.0015"),
        ("float64", "9007199254740993", "9007199254740992.0"),
        ("float64", "1e-400", "0.0"),
        ("decimal(10,2)", "12.30", "\"12.30\""),
        ("decimal(10,2)", "\"-0.5\"", "\"-0.50\""),
        ("decimal(38,18)", "12345678901234567890.123456789012345678", "\"12345678901234567890.123456789012345678\""),
        ("date", "\"2024-02-29\"", "\"2024-02-29\""),
        ("timestamp", "1517365101235", "\"2018-01-31T02:18:21.235Z\""),
        ("timestamp", "\"2018-01-31T03:18:21.235999+01:00\"", "\"2018-01-31T02:18:21.235Z\""),
        ("utf8", r#""""#, r#""""#),
        ("utf8", r#""a longer text that is no inline view""#, r#""a longer text that is no inline view""#),
        ("utf8", r#""\u00e9\n\ud83c\udf0b\"\\\/""#, "\"é\\n\u{1f30b}\\\"\\\\/\""),
        ("utf8", r#""null""#, r#""null""#),
        ("binary", r#""/wA=""#, r#""/wA=""#),
    ] {
        assert_eq!(read(written, json).as_deref(), Ok(expected), "{json} as {written}");
    }
}

#[test]
fn integer_timestamps_are_in_the_unit_that_the_format_says() {
    for (timestamps, json, millis) in [
        (TimestampUnit::Seconds, "1517365101", "1517365101000"),
        (TimestampUnit::Milliseconds, "-1", "-1"),
        (TimestampUnit::Microseconds, "-1", "-1"),
        (TimestampUnit::Microseconds, "1517365101235999", "1517365101235"),
        (TimestampUnit::Nanoseconds, "1517365101235999999", "1517365101235"),
    ] {
        let options = JsonIn { timestamps, ..JsonIn::default() };
        let mut decoder = RowDecoder::new(schema(&[("t", "timestamp")]), options).expect("supported types");
        decoder.decode(format!("{{\"t\":{json}}}").as_bytes()).expect("a row");
        let mut out = Vec::new();
        let rows = decoder.take_rows();
        RowEncoder::new(&rows.schema(), JsonOut { timestamps_as_millis: true }).expect("supported types").encode(&rows, &mut out);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), format!("{{\"t\":{millis}}}\n"));
    }
    let options = JsonIn { timestamps: TimestampUnit::Seconds, ..JsonIn::default() };
    let mut decoder = RowDecoder::new(schema(&[("t", "timestamp")]), options).expect("supported types");
    let fault = decoder.decode(br#"{"t":9223372036854775807}"#).expect_err("too large");
    assert_eq!(fault.reason, "t: expected timestamp, found 9223372036854775807, which is out of range");
}

#[test]
fn a_value_that_is_not_its_columns_is_malformed_and_the_reason_says_what_was_found() {
    for (written, json, expected) in [
        ("boolean", "1", "c: expected boolean, found 1"),
        ("boolean", "\"true\"", "c: expected boolean, found \"true\""),
        ("int32", "2147483648", "c: expected int32, found 2147483648, which is out of range"),
        ("int64", "1.5", "c: expected int64, found 1.5"),
        ("int64", "1.0", "c: expected int64, found 1.0"),
        ("int64", "1e3", "c: expected int64, found 1e3"),
        ("int64", "\"7\"", "c: expected int64, found \"7\""),
        ("int64", "9223372036854775808", "c: expected int64, found 9223372036854775808, which is out of range"),
        ("uint64", "-1", "c: expected uint64, found -1, which is out of range"),
        ("uint64", "18446744073709551616", "c: expected uint64, found 18446744073709551616, which is out of range"),
        ("float64", "\"strong\"", "c: expected float64, found \"strong\""),
        ("float64", "\"1.5\"", "c: expected float64, found \"1.5\""),
        ("float64", "1e400", "c: expected float64, found 1e400, which is out of range"),
        ("float32", "1e39", "c: expected float32, found 1e39, which is out of range"),
        ("float64", "[1]", "c: expected float64, found [1]"),
        ("float64", "true", "c: expected float64, found true"),
        ("decimal(4,2)", "1.005", "c: expected decimal(4,2), found 1.005"),
        ("decimal(4,2)", "100", "c: expected decimal(4,2), found 100"),
        ("decimal(4,2)", "\"x\"", "c: expected decimal(4,2), found \"x\""),
        ("date", "\"31.01.2018\"", "c: expected date, found \"31.01.2018\""),
        ("date", "17562", "c: expected date, found 17562"),
        ("timestamp", "1517365101235.5", "c: expected timestamp, found 1517365101235.5"),
        ("timestamp", "\"yesterday\"", "c: expected timestamp, found \"yesterday\""),
        ("timestamp", "\"1517365101235\"", "c: expected timestamp, found \"1517365101235\""),
        ("utf8", "7", "c: expected utf8, found 7"),
        ("utf8", "{\"a\": 1}", "c: expected utf8, found {\"a\": 1}"),
        ("utf8", r#""\ud83c""#, r#"c: expected utf8, found "\ud83c", which has half of a surrogate pair"#),
        ("binary", "\"not base64\"", "c: expected binary, found \"not base64\""),
        ("binary", "\"/w\"", "c: expected binary, found \"/w\""),
        ("int64 not null", "null", "c: expected int64 not null, found null"),
        ("int64 not null", "true", "c: expected int64, found true"),
    ] {
        let fault = read(written, json).expect_err(json);
        assert_eq!(
            (fault.reason.as_str(), fault.column, fault.field.as_deref()),
            (expected, Some(6), Some("c")),
            "{json} as {written}"
        );
    }
}

#[test]
fn a_long_value_is_not_repeated_whole() {
    let fault = read("int64", &format!("\"{}\"", "é".repeat(1000))).expect_err("text");
    assert_eq!(fault.reason, format!("c: expected int64, found \"{}…", "é".repeat(63)));
}

#[test]
fn a_field_that_is_missing_is_null_or_malformed() {
    let mut quakes = decoder(QUAKE);
    quakes.decode(br#"{"id":"a"}"#).expect("mag may be null");
    let fault = quakes.decode(br#"{"mag":1}"#).expect_err("id may not");
    let expected =
        Fault { reason: "id: expected utf8 not null, found nothing".to_owned(), column: None, field: Some("id".to_owned()) };
    assert_eq!(fault, expected);
    assert_eq!(row_object(&quakes.take_rows(), 0), r#"{"id":"a","mag":null}"#);
}

#[test]
fn a_field_that_comes_twice_is_malformed() {
    let fault = decoder(QUAKE).decode(br#"{"id":"a","mag":1,"mag": 1}"#).expect_err("twice");
    let expected =
        Fault { reason: "mag: expected once, found again as 1".to_owned(), column: Some(26), field: Some("mag".to_owned()) };
    assert_eq!(fault, expected);
    assert_eq!(reason(QUAKE, br#"{"id":"a","\u0069d":"b"}"#), r#"id: expected once, found again as "b""#);
}

#[test]
fn fields_that_the_schema_does_not_name_are_ignored_or_rejected_as_the_format_says() {
    let line = br#"{"id":"a","depth":{"km":[10,null]},"mag":2.5}"#;
    let mut quakes = decoder(QUAKE);
    quakes.decode(line).expect("ignored");
    assert_eq!(row_object(&quakes.take_rows(), 0), r#"{"id":"a","mag":2.5}"#);
    let options = JsonIn { reject_unknown_fields: true, ..JsonIn::default() };
    let fault = RowDecoder::new(schema(QUAKE), options).expect("supported types").decode(line).expect_err("unknown");
    let expected = Fault {
        reason: "depth: expected one of the fields id, mag, found another".to_owned(),
        column: Some(19),
        field: Some("depth".to_owned()),
    };
    assert_eq!(fault, expected);
}

#[test]
fn a_line_that_is_no_object_is_malformed_and_the_column_says_where() {
    for (line, expected, column) in [
        (&b"hello"[..], "expected a JSON object, found hello", 1),
        (b"[1,2]", "expected a JSON object, found [1,2]", 1),
        (b"  7 ", "expected a JSON object, found 7", 3),
        (b"null", "expected a JSON object, found null", 1),
        (br#"{"id":"a""#, "expected a whole JSON object, found a line that is cut off", 10),
        (br#"{"id":"a"#, "expected a whole JSON object, found a line that is cut off", 9),
        (br#"{"id":"a"} x"#, "expected a JSON object, found x where it isn't JSON: trailing characters", 12),
        (br#"{"id":"a"}{"id":"b"}"#, "expected a JSON object, found {\"id\":\"b\"} where it isn't JSON: trailing characters", 11),
        (br#"{"id":"a",}"#, "expected a JSON object, found } where it isn't JSON: trailing comma", 11),
        (br#"{id:"a"}"#, "expected a JSON object, found id:\"a\"} where it isn't JSON: key must be a string", 2),
        (br#"{"id":'a'}"#, "expected a JSON object, found 'a'} where it isn't JSON: expected value", 7),
        (br#"{"id":"a" "mag":1}"#, "expected a JSON object, found \"mag\":1} where it isn't JSON: expected `,` or `}`", 11),
        (br#"{"mag":01,"id":"a"}"#, "expected a JSON object, found 1,\"id\":\"a\"} where it isn't JSON: invalid number", 9),
        (br#"{"mag":NaN,"id":"a"}"#, "expected a JSON object, found NaN,\"id\":\"a\"} where it isn't JSON: expected value", 8),
        (br#"{"id":"a\x"}"#, "expected a JSON object, found x\"} where it isn't JSON: invalid escape", 10),
    ] {
        let fault = decoder(QUAKE).decode(line).expect_err("malformed");
        assert_eq!(
            fault,
            Fault { reason: expected.to_owned(), column: Some(column), field: None },
            "{}",
            String::from_utf8_lossy(line)
        );
    }
}

#[test]
fn a_line_that_is_not_utf8_is_malformed_even_where_no_column_is() {
    let fault = decoder(QUAKE).decode(b"{\"id\":\"a\",\"place\":\"\xff\"}").expect_err("not UTF-8");
    assert_eq!(fault, Fault { reason: "expected UTF-8, found the byte 0xff".to_owned(), column: Some(20), field: None });
}

#[test]
fn deeply_nested_fields_are_passed_over() {
    let line = format!(r#"{{"id":"a","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    decoder(QUAKE).decode(line.as_bytes()).expect("a row");
}

#[test]
fn a_wrong_row_leaves_no_trace() {
    let fields = [("id", "utf8 not null"), ("place", "utf8"), ("mag", "float64"), ("raw", "binary"), ("n", "int32 not null")];
    let good = |n: usize| format!(r#"{{"id":"{n}","place":"a place whose name is long {n}","mag":{n},"raw":"/w==","n":{n}}}"#);
    let bad =
        |n: usize| format!(r#"{{"id":"{n}","place":"a place that must not be seen {n}","mag":{n},"raw":"/w==","n":"{n}"}}"#);
    let (mut mixed, mut clean) = (decoder(&fields), decoder(&fields));
    for n in 0..100 {
        mixed.decode(bad(n).as_bytes()).expect_err("n is text");
        mixed.decode(good(n).as_bytes()).expect("a row");
        clean.decode(good(n).as_bytes()).expect("a row");
    }
    let (mixed, clean) = (mixed.take_rows(), clean.take_rows());
    assert_eq!(mixed, clean);
    assert_eq!(mixed.get_array_memory_size(), clean.get_array_memory_size());
}

#[test]
fn a_type_that_rows_can_not_have_is_refused() {
    let schema = Arc::new(Schema::new(vec![arrow_schema::Field::new("c", DataType::Int8, true)]));
    let error = RowDecoder::new(schema, JsonIn::default()).expect_err("int8");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("type-not-in-json", "c: type `Int8` can't be read from or written as JSON")
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_a_row_or_malformed_and_never_a_crash(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut decoder = decoder(QUAKE);
        let rows = usize::from(decoder.decode(&line).is_ok());
        prop_assert_eq!(decoder.take_rows().num_rows(), rows);
    }

    #[test]
    fn a_line_is_taken_exactly_where_serde_json_takes_it_as_the_same_row(
        line in r#"\{("(id|mag|x)" ?: ?("a{0,2}"|-?[0-9]{1,3}(\.[0-9]{1,2})?|null|true|\[\]|\{"id":1\}),?){0,3}\} ?"#
    ) {
        #[derive(serde::Deserialize)]
        struct Quake { id: String, mag: Option<f64> }
        let mut decoder = decoder(QUAKE);
        let expected = serde_json::from_str::<Quake>(&line).ok();
        prop_assert_eq!(decoder.decode(line.as_bytes()).is_ok(), expected.is_some(), "{}", line);
        if let Some(quake) = expected {
            let row: serde_json::Value = serde_json::from_str(&row_object(&decoder.take_rows(), 0)).expect("JSON");
            prop_assert_eq!(row, serde_json::json!({"id": quake.id, "mag": quake.mag}));
        }
    }

    #[test]
    fn texts_and_numbers_read_back_as_they_were_written(text in any::<String>(), float in any::<f64>(), integer in any::<i64>(), time in any::<i64>()) {
        let fields = [("s", "utf8"), ("f", "float64"), ("i", "int64"), ("t", "timestamp")];
        let line = serde_json::json!({"s": text, "f": float, "i": integer, "t": time}).to_string();
        let mut decoder = decoder(&fields);
        decoder.decode(line.as_bytes()).expect("a row");
        let first = decoder.take_rows();
        decoder.decode(row_object(&first, 0).as_bytes()).expect("a row");
        prop_assert_eq!(first, decoder.take_rows());
    }
}
