//! Expressions and aggregates: read, planned, and computed over extreme rows; what fails, fails alone.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringViewArray, TimestampMillisecondArray, UInt64Array,
};
use arrow_schema::{Field, Schema};
use wasmill_operator::{Aggregate, Expression};

/// Longer ones are refused by job files long before.
const MOST_BYTES: usize = 1024;

/// Rows that are extreme in every column, and one of nulls.
static ROWS: LazyLock<RecordBatch> = LazyLock::new(|| {
    let utc = "UTC";
    let decimals = Decimal128Array::from(vec![Some(9_999_999_999), Some(-1), Some(0), None]).with_precision_and_scale(10, 2);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("o", Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None]))),
        ("i", Arc::new(Int32Array::from(vec![Some(i32::MIN), Some(i32::MAX), Some(0), None]))),
        ("l", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(i64::MAX), Some(0), None]))),
        ("u", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(1), Some(0), None]))),
        ("f", Arc::new(Float32Array::from(vec![Some(f32::NAN), Some(f32::MAX), Some(-0.0), None]))),
        ("d", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(f64::MIN), Some(-0.0), None]))),
        ("m", Arc::new(decimals.expect("digits"))),
        ("y", Arc::new(Date32Array::from(vec![Some(i32::MAX), Some(i32::MIN), Some(0), None]))),
        ("t", Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MAX), Some(i64::MIN), Some(0), None]).with_timezone(utc))),
        (
            "s",
            Arc::new(StringViewArray::from(vec![
                Some("2024-01-31T10:00:00Z"),
                Some("a\u{0}\u{1f600} long enough to be in a buffer"),
                Some(""),
                None,
            ])),
        ),
        ("x", Arc::new(BinaryViewArray::from(vec![Some(&b"\xff\x00"[..]), Some(b"abc"), Some(b""), None]))),
    ];
    let nullable = |(name, column): (&str, ArrayRef)| (Field::new(name, column.data_type().clone(), true), column);
    let (fields, columns): (Vec<_>, Vec<_>) = columns.into_iter().map(nullable).unzip();
    let schema = Schema::new(fields);
    let fields = schema.fields().iter().map(|field| match field.name().as_str() {
        // As job files have it.
        "t" => wasmill_flow::column_type::parse_field("t", "timestamp").expect("a type"),
        _ => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns
        .into_iter()
        .zip(schema.fields())
        .map(|(column, field)| arrow_cast::cast(&column, field.data_type()).expect("the same type"));
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("columns of the schema")
});

/// The bytes are an expression.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.len() > MOST_BYTES {
        return;
    }
    let schema = ROWS.schema();
    drop(Aggregate::parse(text, &schema));
    let Ok(expression) = Expression::parse(text, &schema) else { return };
    let together = expression.evaluate(&ROWS);
    assert_eq!((together.values.len(), together.values.data_type()), (ROWS.num_rows(), expression.data_type()));
    for row in 0..ROWS.num_rows() {
        let alone = expression.evaluate(&ROWS.slice(row, 1));
        let failed = together.failed.iter().find(|(failed, _)| *failed == row).map(|(_, why)| why.as_str());
        assert_eq!(alone.failed.first().map(|(_, why)| why.as_str()), failed, "row {row} fails alone as it does among others");
        assert_eq!(&alone.values, &together.values.slice(row, 1), "row {row} has the same value alone");
        assert!(expression.field("value").is_nullable() || failed.is_some() || !alone.values.is_null(0), "row {row} is null");
    }
}
