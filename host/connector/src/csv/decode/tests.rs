//! Rows good and bad, and against what the encoder writes.

use arrow_array::cast::AsArray as _;
use arrow_schema::Schema;
use proptest::prelude::*;
use wasmill_flow::column_type::parse_field;

use super::*;
use crate::csv::{CsvOut, RowEncoder};
use crate::row_object;
use crate::rows::whole_rows;

fn schema(columns: &[(&str, &str)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind)| parse_field(name, kind).expect("a type")).collect::<Vec<_>>()))
}

fn decoder(columns: &[(&str, &str)], header: &str) -> RowDecoder {
    let mut decoder = RowDecoder::new(schema(columns), CsvIn::default()).expect("supported types");
    decoder.header(header.as_bytes()).expect("a header");
    decoder
}

fn read(kind: &str, field: &str) -> Result<String, String> {
    let mut decoder = decoder(&[("a", kind), ("b", "utf8")], "a,b");
    decoder.decode(format!("{field},x").as_bytes()).map_err(|fault| fault.reason)?;
    let row = row_object(&decoder.take_rows(), 0);
    Ok(row.strip_prefix("{\"a\":").and_then(|row| row.strip_suffix(",\"b\":\"x\"}")).expect("two columns").to_owned())
}

#[test]
fn each_type_is_read_as_in_json_but_for_quotes() {
    for (kind, field, value) in [
        ("boolean", "true", "true"),
        ("int32", "-7", "-7"),
        ("int64", "\"7\"", "7"),
        ("uint64", "18446744073709551615", "18446744073709551615"),
        ("float32", "0.1", "0.1"),
        ("float64", "-1e-3", "-0.001"),
        ("decimal(5,2)", "12.50", "\"12.50\""),
        ("date", "2024-02-29", "\"2024-02-29\""),
        ("timestamp", "2018-01-31T02:18:21.235Z", "\"2018-01-31T02:18:21.235Z\""),
        ("timestamp", "1517365101235", "\"2018-01-31T02:18:21.235Z\""),
        ("utf8", " a ", "\" a \""),
        ("utf8", "\"a \"\"b\"\", c\"", "\"a \\\"b\\\", c\""),
        ("utf8", "\"\"", "\"\""),
        ("utf8", "", "null"),
        ("float64", "", "null"),
        ("binary", "AQI=", "\"AQI=\""),
        ("binary", "\"\"", "\"\""),
    ] {
        assert_eq!(read(kind, field).as_deref(), Ok(value), "{kind} {field}");
    }
}

#[test]
fn what_is_not_written_as_its_type_is_malformed() {
    for (kind, field, reason) in [
        ("boolean", "True", "a: expected boolean, found \"True\""),
        ("int64", "1.0", "a: expected int64, found \"1.0\""),
        ("int64", "+1", "a: expected int64, found \"+1\""),
        ("int64", "007", "a: expected int64, found \"007\""),
        ("int64", " 7", "a: expected int64, found \" 7\""),
        ("int32", "2147483648", "a: expected int32, found \"2147483648\", which is out of range"),
        ("int64", "\"\"", "a: expected int64, found \"\""),
        ("int64 not null", "", "a: expected int64 not null, found nothing"),
        ("utf8 not null", "", "a: expected utf8 not null, found nothing"),
        ("float64", "NaN", "a: expected float64, found \"NaN\""),
        ("float64", ".5", "a: expected float64, found \".5\""),
        ("float64", "1e999", "a: expected float64, found \"1e999\", which is out of range"),
        ("decimal(5,2)", "1.005", "a: expected decimal(5,2), found \"1.005\""),
        ("date", "2023-02-29", "a: expected date, found \"2023-02-29\""),
        ("timestamp", "yesterday", "a: expected timestamp, found \"yesterday\""),
        ("binary", "A", "a: expected binary, found \"A\""),
    ] {
        assert_eq!(read(kind, field), Err(reason.to_owned()), "{kind} {field}");
    }
}

#[test]
fn a_row_that_is_none_is_told_with_its_place() {
    let columns = [("id", "utf8 not null"), ("mag", "float64")];
    let fault = |row: &[u8]| {
        let mut decoder = decoder(&columns, "id,other,mag");
        let fault = decoder.decode(row).expect_err("a malformed row");
        assert_eq!(decoder.take_rows().num_rows(), 0, "nothing of it is kept");
        (fault.reason, fault.column, fault.field)
    };
    let expected = |reason: &str, column, field: Option<&str>| (reason.to_owned(), column, field.map(str::to_owned));
    assert_eq!(fault(b"a,b"), expected("expected 3 fields, as the header has, found 2", None, None));
    assert_eq!(fault(b"a,b,1,2"), expected("expected 3 fields, as the header has, found 4", None, None));
    assert_eq!(
        fault(b"a\"b,,1"),
        expected("id: expected quotes around the whole field, found one within it", Some(2), Some("id"))
    );
    assert_eq!(
        fault(b"a,,\"1\"x"),
        expected("mag: expected a delimiter behind the closing quote, found x", Some(7), Some("mag"))
    );
    assert_eq!(fault(b"a,\"b,1\n"), expected("expected a closing quote, found none to the end of the file", Some(3), None));
    assert_eq!(
        fault(b"a\r,b,1"),
        expected("id: expected a line end or quotes around the field, found a carriage return", Some(2), Some("id"))
    );
    assert_eq!(fault(b"a,\xff,1"), expected("expected UTF-8, found the byte 0xff", Some(3), None));
}

#[test]
fn columns_are_found_by_the_header_or_by_their_order() {
    let columns = [("b", "int64"), ("a", "utf8")];
    let mut named = decoder(&columns, "x,\"a\",b");
    named.decode(b"0,one,1").expect("a row");
    assert_eq!(row_object(&named.take_rows(), 0), r#"{"b":1,"a":"one"}"#);
    let mut plain =
        RowDecoder::new(schema(&columns), CsvIn { header: false, delimiter: b';', ..CsvIn::default() }).expect("types");
    plain.decode(b"1;\"one; two\"").expect("a row");
    assert_eq!(row_object(&plain.take_rows(), 0), r#"{"b":1,"a":"one; two"}"#);
    let fault = plain.decode(b"1").expect_err("too few fields");
    assert_eq!(fault.reason, "expected 2 fields, as the schema has, found 1");
}

#[test]
fn a_header_that_does_not_fit_the_schema_is_told() {
    let columns = [("id", "utf8"), ("mag", "float64")];
    let header = |reject_unknown_fields, row: &[u8]| {
        let mut decoder = RowDecoder::new(schema(&columns), CsvIn { reject_unknown_fields, ..CsvIn::default() }).expect("types");
        decoder.header(row).map_err(|fault| fault.reason)
    };
    assert_eq!(header(false, b"mag,x,id,x"), Ok(()));
    assert_eq!(header(false, b"id,magnitude"), Err("expected a field `mag`, found the fields id, magnitude".to_owned()));
    assert_eq!(header(false, b"id,mag,id"), Err("expected the field `id` once, found it twice".to_owned()));
    assert_eq!(header(true, b"id,mag,x"), Err("expected one of the fields id, mag, found `x`".to_owned()));
    assert_eq!(header(false, b"id,\"mag"), Err("expected a closing quote, found none to the end of the file".to_owned()));
}

fn value() -> impl Strategy<Value = (Option<String>, Option<i64>, Option<f64>)> {
    let text = proptest::option::of("[a-z \",;\n\r\u{e9}]{0,8}");
    (text, any::<Option<i64>>(), proptest::option::of(proptest::num::f64::NORMAL))
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(values in proptest::collection::vec(value(), 1..20), delimiter in proptest::sample::select(vec![b',', b';', b'\t', b' '])) {
        let schema = schema(&[("t", "utf8"), ("i", "int64"), ("f", "float64")]);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(values.iter().map(|(text, ..)| text.as_deref()).collect::<arrow_array::StringViewArray>()),
            Arc::new(values.iter().map(|(_, integer, _)| *integer).collect::<arrow_array::Int64Array>()),
            Arc::new(values.iter().map(|(.., float)| *float).collect::<arrow_array::Float64Array>()),
        ];
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("columns of the schema");
        let encoder = RowEncoder::new(&schema, CsvOut { delimiter, ..CsvOut::default() }).expect("types");
        let mut text = encoder.header().to_vec();
        encoder.encode(&rows, &mut text);
        let end = RowEnd::OutsideQuotes(delimiter);
        prop_assert_eq!(whole_rows(end, &text), (values.len() as u64 + 1, text.len()));
        let mut decoder = RowDecoder::new(Arc::clone(&schema), CsvIn { delimiter, ..CsvIn::default() }).expect("types");
        let mut rest = text.as_slice();
        let mut ends = crate::rows::RowEnds::new(end, true);
        while let Some(found) = ends.find(rest) {
            ends.start();
            if decoder.wants_header() { decoder.header(&rest[..found]).expect("a header") } else { decoder.decode(&rest[..found]).expect("a row") }
            rest = &rest[found + 1..];
        }
        let read = decoder.take_rows();
        prop_assert_eq!(read.column(0).as_string_view(), rows.column(0).as_string_view());
        prop_assert_eq!(&read, &rows);
    }
}
