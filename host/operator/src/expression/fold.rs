//! Parts of an expression that have only constants are computed once, when it is planned.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::ScalarFunctionExpr;
use datafusion_physical_expr::expressions::{BinaryExpr, CaseExpr, Literal};

use super::cause::cause;
use super::plan::Physical;
use super::problem::ExpressionProblem;

/// The expression with its constants computed. One that fails is a problem, unless it may never be needed: in `case`, `and`, `or`.
pub(crate) fn constants(expression: &Physical) -> Result<Physical, ExpressionProblem> {
    let one_row = RecordBatchOptions::new().with_row_count(Some(1));
    let one_row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &one_row);
    fold(expression, false, &one_row.map_err(|error| ExpressionProblem::new("type", error.to_string()))?)
}

fn fold(node: &Physical, conditional: bool, one_row: &RecordBatch) -> Result<Physical, ExpressionProblem> {
    let children = node.children();
    if children.is_empty() {
        return Ok(Arc::clone(node));
    }
    let conditional_below = conditional || is_conditional(node);
    let folded = children.iter().map(|child| fold(child, conditional_below, one_row)).collect::<Result<Vec<_>, _>>()?;
    let changed = children.iter().zip(&folded).any(|(old, new)| !Arc::ptr_eq(old, new));
    let constant = folded.iter().all(|child| child.is::<Literal>());
    let node = if changed {
        Arc::clone(node).with_new_children(folded).map_err(|error| ExpressionProblem::new("type", cause(&error)))?
    } else {
        Arc::clone(node)
    };
    if !constant || node.is_volatile_node() {
        return Ok(node);
    }
    match node.evaluate(one_row).and_then(single) {
        Ok(value) => Ok(Arc::new(Literal::new(value))),
        Err(_) if conditional => Ok(node),
        Err(error) => Err(ExpressionProblem::new("type", format!("a part of it always fails: {}", cause(&error)))),
    }
}

fn is_conditional(node: &Physical) -> bool {
    let logic = node.downcast_ref::<BinaryExpr>().is_some_and(|binary| matches!(binary.op(), Operator::And | Operator::Or));
    let function = node.downcast_ref::<ScalarFunctionExpr>().is_some_and(|function| function.fun().short_circuits());
    logic || function || node.is::<CaseExpr>()
}

fn single(value: ColumnarValue) -> Result<ScalarValue, DataFusionError> {
    match value {
        ColumnarValue::Scalar(scalar) => Ok(scalar),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0),
    }
}
