//! What the tests of operators share: rows, and running a step.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{Schema, SchemaRef};
use wasmill_flow::{Batch, column_type};

use crate::contract::{Context, Operator, OperatorError};

pub(crate) fn schema_of(columns: &[(&str, &str)]) -> SchemaRef {
    let field = |(name, written): &(&str, &str)| column_type::parse_field(name, written).expect("a type");
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

pub(crate) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from_iter(values))
}

pub(crate) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values))
}

pub(crate) fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter(values))
}

pub(crate) fn batch_of(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Batch {
    Batch::unkeyed(RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the schema"))
}

/// Runs a step of an operator that never waits.
pub(crate) fn run(operator: &mut dyn Operator, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
    use futures_util::FutureExt;
    operator.process(input, batch, cx).now_or_never().expect("a step without waiting")
}

/// Rows as text, values joined by spaces, null as `-`.
pub(crate) fn rows_of<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Vec<String> {
    batches.into_iter().flat_map(|batch| rows(&batch.rows)).collect()
}

pub(crate) fn rows(rows: &RecordBatch) -> Vec<String> {
    let columns: Vec<Vec<String>> = rows.columns().iter().map(shown).collect();
    (0..rows.num_rows()).map(|row| columns.iter().map(|column| column[row].as_str()).collect::<Vec<_>>().join(" ")).collect()
}

pub(crate) fn shown(column: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::new().with_null("-");
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options).expect("a type that can be shown");
    (0..column.len()).map(|row| formatter.value(row).to_string()).collect()
}

pub(crate) fn emitted(cx: &Context) -> Vec<String> {
    rows_of(cx.emitted.iter().map(|emitted| &emitted.batch))
}

/// Dead rows as text, each with its reason.
pub(crate) fn dead(cx: &Context) -> Vec<(String, String)> {
    cx.dead.iter().flat_map(|dead| rows(&dead.rows.rows).into_iter().zip(dead.reasons.clone())).collect()
}
