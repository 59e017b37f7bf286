//! How values are written.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray, BooleanArray, Float64Array, StringViewArray, TimestampMillisecondArray};
use arrow_schema::Field;

use super::*;

fn text(columns: Vec<(&str, ArrayRef)>, options: CsvOut) -> String {
    let fields: Vec<Field> = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of the schema");
    let encoder = RowEncoder::new(rows.schema_ref(), options).expect("supported types");
    let mut out = encoder.header().to_vec();
    encoder.encode(&rows, &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn quotes_stand_only_where_they_are_needed() {
    let texts =
        StringViewArray::from(vec![Some("plain text"), Some(""), None, Some("a,b"), Some("say \"x\""), Some("1\n2"), Some("\r")]);
    let written = text(vec![("a \"b\"", Arc::new(texts.clone())), ("c", Arc::new(texts))], CsvOut::default());
    let line = |field: &str| format!("{field},{field}\n");
    let expected: String = ["plain text", "\"\"", "", "\"a,b\"", "\"say \"\"x\"\"\"", "\"1\n2\"", "\"\r\""].map(line).concat();
    assert_eq!(written, format!("\"a \"\"b\"\"\",c\n{expected}"));
}

#[test]
fn values_are_those_of_json_without_its_quotes() {
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("t", Arc::new(TimestampMillisecondArray::from(vec![Some(1_517_365_101_235), None]))),
            ("f", Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
            ("b", Arc::new(BooleanArray::from(vec![true, false]))),
            ("x", Arc::new(BinaryViewArray::from(vec![b"\x01\x02".as_slice(), b""]))),
        ]
    };
    assert_eq!(text(columns(), CsvOut::default()), "t,f,b,x\n2018-01-31T02:18:21.235Z,0.1,true,AQI=\n,,false,\"\"\n");
    let options = CsvOut { header: false, delimiter: b'\t', timestamps_as_millis: true };
    assert_eq!(text(columns(), options), "1517365101235\t0.1\ttrue\tAQI=\n\t\tfalse\t\"\"\n");
}
