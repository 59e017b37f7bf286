//! How each type is written.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    RecordBatchOptions, StringViewArray, TimestampMillisecondArray, UInt64Array,
};

use super::*;
use arrow_schema::{DataType, Field};
use wasmill_flow::dead_letter::RAW_JSON;

fn column(name: &str, values: ArrayRef) -> (Field, ArrayRef) {
    (Field::new(name, values.data_type().clone(), true), values)
}

fn lines(columns: Vec<(Field, ArrayRef)>, options: JsonOut) -> String {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns of the schema");
    let mut out = Vec::new();
    RowEncoder::new(rows.schema_ref(), options).expect("supported types").encode(&rows, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn columns_come_in_order_and_nulls_are_written() {
    let decimal = Decimal128Array::from(vec![Some(-150), None]).with_precision_and_scale(10, 2).expect("a decimal");
    let written = lines(
        vec![
            column("z", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            column("i \"q\"", Arc::new(Int32Array::from(vec![Some(-7), None]))),
            column("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
            column("d", Arc::new(decimal)),
            column("day", Arc::new(Date32Array::from(vec![Some(17_562), None]))),
            column("t", Arc::new(TimestampMillisecondArray::from(vec![Some(1_517_365_101_235), None]))),
            column("s", Arc::new(StringViewArray::from(vec![Some("tab\tquote\" \u{1f30b}"), None]))),
            column("b", Arc::new(BinaryViewArray::from(vec![Some(&[255_u8, 0][..]), None]))),
        ],
        JsonOut::default(),
    );
    let expected = concat!(
        r#"{"z":true,"i \"q\"":-7,"u":18446744073709551615,"d":"-1.50","day":"2018-01-31","t":"2018-01-31T02:18:21.235Z","#,
        r#""s":"tab\tquote\" 🌋","b":"/wA="}"#,
        "\n",
        r#"{"z":null,"i \"q\"":null,"u":null,"d":null,"day":null,"t":null,"s":null,"b":null}"#,
        "\n"
    );
    assert_eq!(written, expected);
}

#[test]
fn floats_are_the_shortest_that_read_back_and_null_where_they_are_no_numbers() {
    let doubles = vec![0.1, 1.0, 1e21, 5e-324, f64::NAN, f64::INFINITY, -0.0];
    let singles = vec![0.1_f32, 16_777_216.0, 1e10, f32::MIN_POSITIVE, f32::NAN, f32::NEG_INFINITY, 3.0];
    let columns = vec![column("d", Arc::new(Float64Array::from(doubles))), column("s", Arc::new(Float32Array::from(singles)))];
    let expected = r#"{"d":0.1,"s":0.1}
{"d":1.0,"s":16777216.0}
{"d":1e+21,"s":10000000000.0}
{"d":5e-324,"s":1.1754944e-38}
{"d":null,"s":null}
{"d":null,"s":null}
{"d":-0.0,"s":3.0}
"#;
    assert_eq!(lines(columns, JsonOut::default()), expected);
}

#[test]
fn timestamps_are_integers_where_the_format_says_so() {
    let columns = vec![column("t", Arc::new(TimestampMillisecondArray::from(vec![Some(1_517_365_101_235), None])))];
    assert_eq!(lines(columns, JsonOut { timestamps_as_millis: true }), "{\"t\":1517365101235}\n{\"t\":null}\n");
}

#[test]
fn text_that_is_json_already_is_written_as_it_is() {
    let (field, values) = column("row", Arc::new(StringViewArray::from(vec![Some(r#"{"a":1}"#), None])));
    let field = field.with_metadata([(RAW_JSON.to_owned(), "true".to_owned())].into());
    assert_eq!(lines(vec![(field, values)], JsonOut::default()), "{\"row\":{\"a\":1}}\n{\"row\":null}\n");
}

#[test]
fn rows_without_columns_are_empty_objects() {
    let options = RecordBatchOptions::new().with_row_count(Some(2));
    let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).expect("no columns");
    assert_eq!(row_object(&rows, 1), "{}");
}

#[test]
fn rows_of_a_slice_are_those_of_the_slice() {
    let values = StringViewArray::from(vec![Some("a"), None, Some("a text that is longer than a view")]);
    let schema = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8View, true)]));
    let rows = RecordBatch::try_new(schema, vec![Arc::new(values)]).expect("columns of the schema").slice(1, 2);
    assert_eq!(row_object(&rows, 0), r#"{"s":null}"#);
    assert_eq!(row_object(&rows, 1), r#"{"s":"a text that is longer than a view"}"#);
}

#[test]
fn a_type_that_rows_can_not_have_is_refused() {
    let schema = Schema::new(vec![Field::new("c", DataType::Int8, true)]);
    let error = RowEncoder::new(&schema, JsonOut::default()).expect_err("int8");
    assert_eq!(
        (error.code, error.message.as_str()),
        ("type-not-in-json", "c: type `Int8` can't be read from or written as JSON")
    );
}
