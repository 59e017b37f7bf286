//! What a condition says of single columns: comparisons that every row which meets it meets too.

use arrow_array::Array;
use arrow_schema::{DataType, Schema};
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, CastExpr, Column, Literal};
use wasmill_flow::comparison::{Comparator, Comparison};

use super::Expression;
use super::plan::Physical;

impl Expression {
    /// Comparisons of columns with constants that are true for every row for which this condition is true *or fails*: a source may
    /// leave out rows that don't meet them, and nobody sees a difference.
    ///
    /// Parts that are joined by `and` are taken from left to right, up to the first that could fail on a row: behind it, rows that
    /// a comparison rules out have failed already.
    #[must_use]
    pub fn comparisons(&self, schema: &Schema) -> Vec<Comparison> {
        let mut found = Vec::new();
        collect(&self.physical, schema, &mut found);
        found
    }
}

/// Adds the comparisons of a condition over rows of `schema`, and says whether they are all of it.
fn collect(condition: &Physical, schema: &Schema, found: &mut Vec<Comparison>) -> bool {
    let Some(binary) = condition.downcast_ref::<BinaryExpr>() else { return false };
    if *binary.op() == Operator::And {
        return collect(binary.left(), schema, found) && collect(binary.right(), schema, found);
    }
    let Some(comparator) = comparator(*binary.op()) else { return false };
    let comparison = comparison(binary.left(), comparator, binary.right(), schema)
        .or_else(|| comparison(binary.right(), comparator.reversed(), binary.left(), schema));
    let is_one = comparison.is_some();
    found.extend(comparison);
    is_one
}

fn comparator(operator: Operator) -> Option<Comparator> {
    Some(match operator {
        Operator::Eq => Comparator::Equal,
        Operator::Lt => Comparator::Less,
        Operator::LtEq => Comparator::LessOrEqual,
        Operator::Gt => Comparator::Greater,
        Operator::GtEq => Comparator::GreaterOrEqual,
        _ => return None,
    })
}

fn comparison(column: &Physical, comparator: Comparator, value: &Physical, schema: &Schema) -> Option<Comparison> {
    let (column, cast_to) = match column.downcast_ref::<CastExpr>() {
        Some(cast) => (cast.expr(), Some(cast.cast_type())),
        None => (column, None),
    };
    let column = column.downcast_ref::<Column>()?.name();
    if let Some(cast_to) = cast_to
        && !never_fails(schema.field_with_name(column).ok()?.data_type(), cast_to)
    {
        return None;
    }
    let value = value.downcast_ref::<Literal>()?.value().to_array().ok()?;
    (value.null_count() == 0).then_some(Comparison { column: column.to_owned(), comparator, value })
}

/// Whether a cast takes every number to one, and a greater one never to a lesser: those that numbers of two types are compared by.
fn never_fails(from: &DataType, to: &DataType) -> bool {
    use DataType::{Float32, Float64, Int32, Int64, UInt64};
    matches!((from, to), (Int32, Int64 | Float64) | (Int64 | UInt64 | Float32, Float64))
}
