//! Arrays and objects as lists and structs, right ones and wrong ones.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use proptest::prelude::*;
use wasmill_flow::column_type::parse_field;

use crate::format::Fault;
use crate::json::{JsonIn, JsonOut, RowDecoder, RowEncoder, row_object};

fn schema(written: &str) -> SchemaRef {
    Arc::new(Schema::new(vec![parse_field("c", written).expect("a type")]))
}

fn decoder(written: &str, reject_unknown_fields: bool) -> RowDecoder {
    RowDecoder::new(schema(written), JsonIn { reject_unknown_fields, ..JsonIn::default() }).expect("supported types")
}

/// What a value is read as, as it is written out again.
fn read(written: &str, json: &str) -> Result<String, Fault> {
    let mut decoder = decoder(written, false);
    decoder.decode(format!("{{\"c\":{json}}}").as_bytes())?;
    let row = row_object(&decoder.take_rows(), 0);
    Ok(row["{\"c\":".len()..row.len() - 1].to_owned())
}

const PLACE: &str = "struct<name: utf8, at: struct<lat: float64, lon: float64>, tags: list<utf8>>";

#[test]
fn arrays_are_lists_and_objects_are_structs_whose_missing_fields_are_null() {
    for (written, json, expected) in [
        ("list<int64>", "[1, 2 ,3]", "[1,2,3]"),
        ("list<int64>", "[ ]", "[]"),
        ("list<int64>", "[null,-0]", "[null,0]"),
        ("list<int64>", "null", "null"),
        ("list<utf8>", r#"["a","\u00e9\"",null,""]"#, r#"["a","é\"",null,""]"#),
        ("list<list<boolean>>", "[[true],[],null,[false, null]]", "[[true],[],null,[false,null]]"),
        ("list<decimal(4,2)>", r#"[1.5,"2"]"#, r#"["1.50","2.00"]"#),
        ("list<timestamp>", r#"["2018-01-31T02:18:21Z",0]"#, r#"["2018-01-31T02:18:21.000Z","1970-01-01T00:00:00.000Z"]"#),
        ("list<binary>", r#"["/wA="]"#, r#"["/wA="]"#),
        ("struct<a: int64, b: utf8>", r#"{"b":"x","a":1}"#, r#"{"a":1,"b":"x"}"#),
        ("struct<a: int64, b: utf8>", "{ }", r#"{"a":null,"b":null}"#),
        ("struct<a: int64, b: utf8>", r#"{"\u0061":1,"z":[{"a":2}],"b":null}"#, r#"{"a":1,"b":null}"#),
        ("struct<\"a \"\"b\": int64>", r#"{"a \"b":1}"#, r#"{"a \"b":1}"#),
        ("list<struct<a: int64>>", r#"[{"a":1},{},null,{"a":2}]"#, r#"[{"a":1},{"a":null},null,{"a":2}]"#),
        (
            PLACE,
            r#"{"tags":["x"],"at":{"lon":-2,"lat":1.5},"name":"here"}"#,
            r#"{"name":"here","at":{"lat":1.5,"lon":-2.0},"tags":["x"]}"#,
        ),
    ] {
        assert_eq!(read(written, json).as_deref(), Ok(expected), "{json} as {written}");
    }
}

#[test]
fn a_part_that_is_wrong_is_named_with_the_way_to_it() {
    for (written, json, expected, field, column) in [
        ("list<utf8>", r#"["a","b","c",7]"#, "c[3]: expected utf8, found 7", "c[3]", 19),
        ("list<int64>", "[1, 1.5]", "c[1]: expected int64, found 1.5", "c[1]", 10),
        ("list<int32>", "[2147483648]", "c[0]: expected int32, found 2147483648, which is out of range", "c[0]", 7),
        ("list<int64>", "7", "c: expected list<int64>, found 7", "c", 6),
        ("list<int64>", "{\"a\":1}", "c: expected list<int64>, found {\"a\":1}", "c", 6),
        ("list<int64>", "[[1]]", "c[0]: expected int64, found [1]", "c[0]", 7),
        ("list<list<int64>>", "[[1],[2,true]]", "c[1][1]: expected int64, found true", "c[1][1]", 14),
        ("struct<a: int64>", "[]", "c: expected struct<a: int64>, found []", "c", 6),
        ("struct<a: int64>", "\"x\"", "c: expected struct<a: int64>, found \"x\"", "c", 6),
        ("struct<a: int64>", r#"{"a":1,"a":2}"#, "c.a: expected once, found again as 2", "c.a", 17),
        ("list<struct<a: int64>>", r#"[{},{"a":"x"}]"#, "c[1].a: expected int64, found \"x\"", "c[1].a", 15),
        (PLACE, r#"{"at":{"lat":"1"}}"#, "c.at.lat: expected float64, found \"1\"", "c.at.lat", 19),
        (
            PLACE,
            r#"{"tags":["\ud83c"]}"#,
            r#"c.tags[0]: expected utf8, found "\ud83c", which has half of a surrogate pair"#,
            "c.tags[0]",
            15,
        ),
        ("list<int64> not null", "null", "c: expected list<int64> not null, found null", "c", 6),
    ] {
        let fault = read(written, json).expect_err(json);
        let found = (fault.reason.as_str(), fault.field.as_deref(), fault.column);
        assert_eq!(found, (expected, Some(field), Some(column)), "{json} as {written}");
    }
}

#[test]
fn fields_that_a_struct_does_not_have_are_ignored_or_rejected_as_the_format_says() {
    let line = br#"{"c":{"name":"here","at":{"lat":1,"alt":[{}]}}}"#;
    decoder(PLACE, false).decode(line).expect("ignored");
    let fault = decoder(PLACE, true).decode(line).expect_err("unknown");
    assert_eq!(fault.reason, "c.at.alt: expected one of the fields lat, lon, found another");
    assert_eq!((fault.field.as_deref(), fault.column), (Some("c.at.alt"), Some(41)));
}

#[test]
fn a_wrong_row_leaves_no_trace_in_lists_and_structs() {
    let written = "list<struct<name: utf8, n: int64>>";
    let good = |n: usize| format!(r#"{{"c":[{{"name":"a name that is long enough {n}","n":{n}}},null,{{"n":{n}}}]}}"#);
    let bad = |n: usize| format!(r#"{{"c":[{{"name":"a name that must not be seen {n}","n":{n}}},{{"n":"{n}"}}]}}"#);
    let (mut mixed, mut clean) = (decoder(written, false), decoder(written, false));
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
fn lists_are_read_as_deep_as_types_are_nested_and_what_is_ignored_as_deep_as_it_is() {
    let written = "list<".repeat(16) + "int64" + &">".repeat(16);
    let nested = |depth: usize| "[".repeat(depth) + "1" + &"]".repeat(depth);
    assert_eq!(read(&written, &nested(16)), Ok(nested(16)));
    let fault = read(&written, &nested(100_000)).expect_err("too deep");
    assert!(fault.reason.starts_with(&format!("c{}: expected int64, found [[[", "[0]".repeat(16))), "{}", fault.reason);
    read("struct<a: int64>", &format!("{{\"b\":{}}}", nested(100_000))).expect("ignored");
}

#[test]
fn timestamps_within_lists_are_written_as_the_format_says() {
    let mut decoder = decoder("list<timestamp>", false);
    decoder.decode(br#"{"c":[1,null]}"#).expect("a row");
    let rows = decoder.take_rows();
    let mut out = Vec::new();
    RowEncoder::new(&rows.schema(), JsonOut { timestamps_as_millis: true }).expect("supported types").encode(&rows, &mut out);
    assert_eq!(String::from_utf8(out).expect("UTF-8"), "{\"c\":[1,null]}\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_line_is_taken_exactly_where_serde_json_takes_it_as_the_same_row(
        value in r#"(\{ ?("(n|tags|x)" ?: ?(-?[1-9][0-9]?(\.5)?|null|\[((7|-4|null|"a"|\[1\]), ?){0,2}(7|null)\]|\[\]|\{\}),? ?){0,3}\}|null|\[\]|3)"#
    ) {
        #[derive(serde::Deserialize, serde::Serialize, PartialEq, Debug)]
        struct Column { n: Option<i64>, tags: Option<Vec<Option<i64>>> }
        #[derive(serde::Deserialize, serde::Serialize, PartialEq, Debug)]
        struct Row { c: Option<Column> }
        let mut decoder = decoder("struct<n: int64, tags: list<int64>>", false);
        let line = format!("{{\"c\":{value}}}");
        // An array is a struct to serde.
        let expected = serde_json::from_str::<Row>(&line).ok().filter(|_| !value.starts_with('['));
        prop_assert_eq!(decoder.decode(line.as_bytes()).is_ok(), expected.is_some(), "{}", line);
        if let Some(expected) = expected {
            let row: Row = serde_json::from_str(&row_object(&decoder.take_rows(), 0)).expect("JSON");
            prop_assert_eq!(row, expected);
        }
    }
}
