//! From a syntax tree to something that computes: resolved, types made to fit, overflow checked, constants computed once.

use std::sync::Arc;

use arrow_schema::{DataType, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, ScalarValue};
use datafusion_expr::execution_props::ExecutionProps;
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{Between, BinaryExpr as LogicalBinary, Cast, Expr, ExprSchemable, Operator};
use datafusion_optimizer::analyzer::type_coercion::TypeCoercionRewriter;
use datafusion_physical_expr::expressions::{BinaryExpr, Literal, NegativeExpr};
use datafusion_physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::Expr as Syntax;
use wasmill_flow::column_type::{DEEPEST, SCALARS, TIMESTAMP, is_supported, list_of, name, struct_of};

use super::catalogue::Catalogue;
use super::cause::cause;
use super::fold;
use super::problem::ExpressionProblem;

/// What computes an expression over rows of a schema.
pub(crate) type Physical = Arc<dyn PhysicalExpr>;

/// Plans a checked syntax tree over rows of `schema`.
///
/// DataFusion's logical simplifier isn't used: it computes constants with wrapping arithmetic, and drops parts that could fail.
pub(crate) fn plan(syntax: &Syntax, schema: &Schema) -> Result<Physical, ExpressionProblem> {
    let physical = resolve(syntax, schema).map_err(|error| ExpressionProblem::new("type", cause(&error)))?;
    fold::constants(&physical)
}

fn resolve(syntax: &Syntax, schema: &Schema) -> Result<Physical, DataFusionError> {
    let columns = DFSchema::try_from(schema.clone())?;
    let options = ParserOptions::new().with_enable_ident_normalization(false);
    let logical = SqlToRel::new_with_options(Catalogue::get(), options).sql_to_expr(
        syntax.clone(),
        &columns,
        &mut PlannerContext::new(),
    )?;
    let logical = logical.transform_up(|expression| read_timestamps(expression, &columns))?.data;
    let coerced = logical.rewrite(&mut TypeCoercionRewriter::new(&columns))?.data;
    let context = SimplifyContext::builder().with_schema(Arc::new(columns.clone())).build();
    let expanded = coerced.transform_up(|expression| expand(expression, &context))?.data;
    let coerced = expanded.rewrite(&mut TypeCoercionRewriter::new(&columns))?.data;
    let physical = create_physical_expr(&coerced, &columns, &ExecutionProps::new(), &PhysicalPlanningContext::default())?;
    Ok(physical.transform_up(|node| check_overflow(node, schema))?.data)
}

/// A text that is compared with a timestamp is read as one, in milliseconds: DataFusion would compare both in nanoseconds, which
/// end in the year 2262.
fn read_timestamps(expression: Expr, columns: &DFSchema) -> Result<Transformed<Expr>, DataFusionError> {
    let is_timestamp = |expression: &Expr| expression.get_type(columns).is_ok_and(|found| found == TIMESTAMP);
    let read = |expression: Expr| match expression {
        Expr::Literal(ScalarValue::Utf8(Some(_)) | ScalarValue::Utf8View(Some(_)), _) => {
            Expr::Cast(Cast::new(Box::new(expression), TIMESTAMP))
        }
        other => other,
    };
    let read_boxed = |expression: Box<Expr>| Box::new(read(*expression));
    Ok(match expression {
        Expr::BinaryExpr(LogicalBinary { left, op, right }) if compares(op) && is_timestamp(&left) => {
            Transformed::yes(Expr::BinaryExpr(LogicalBinary { left, op, right: read_boxed(right) }))
        }
        Expr::BinaryExpr(LogicalBinary { left, op, right }) if compares(op) && is_timestamp(&right) => {
            Transformed::yes(Expr::BinaryExpr(LogicalBinary { left: read_boxed(left), op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_timestamp(&expr) => {
            Transformed::yes(Expr::Between(Between { expr, negated, low: read_boxed(low), high: read_boxed(high) }))
        }
        Expr::InList(mut list) if is_timestamp(&list.expr) => {
            list.list = list.list.into_iter().map(read).collect();
            Transformed::yes(Expr::InList(list))
        }
        other => Transformed::no(other),
    })
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Some functions, as `coalesce`, exist only as what they stand for.
fn expand(expression: Expr, context: &SimplifyContext) -> Result<Transformed<Expr>, DataFusionError> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expression else {
        return Ok(Transformed::no(expression));
    };
    Ok(match func.simplify(args, context)? {
        ExprSimplifyResult::Simplified(simple) => Transformed::yes(simple),
        ExprSimplifyResult::Original(args) => Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })),
    })
}

/// Arithmetic that wraps around becomes arithmetic that fails; `-x` of an integer becomes `0 - x`, which can fail.
fn check_overflow(node: Physical, schema: &Schema) -> Result<Transformed<Physical>, DataFusionError> {
    if let Some(binary) = node.downcast_ref::<BinaryExpr>()
        && matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply)
    {
        return Ok(Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true))));
    }
    if let Some(negative) = node.downcast_ref::<NegativeExpr>() {
        let data_type = node.data_type(schema)?;
        if data_type.is_signed_integer() {
            let zero = Arc::new(Literal::new(ScalarValue::new_zero(&data_type)?));
            let minus = BinaryExpr::new(zero, Operator::Minus, Arc::clone(negative.arg())).with_fail_on_overflow(true);
            return Ok(Transformed::yes(Arc::new(minus)));
        }
    }
    Ok(Transformed::no(node))
}

/// The type that a result of this type has as a column; an error names a type that no column can have.
pub(crate) fn stored_type(found: &DataType) -> Result<DataType, ExpressionProblem> {
    let stored = match found {
        DataType::Dictionary(_, values) => return stored_type(values),
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::BinaryView,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(..) => TIMESTAMP,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            list_of(stored_type(item.data_type())?)
        }
        DataType::Struct(fields) => {
            let types = fields.iter().map(|field| stored_type(field.data_type())).collect::<Result<Vec<_>, _>>()?;
            struct_of(fields.iter().map(|field| field.name().as_str()).zip(types))
        }
        other => other.clone(),
    };
    if is_supported(&stored) {
        return Ok(stored);
    }
    let message = match found {
        DataType::Null => "the type of a bare null isn't known; cast(null as float64) says it".to_owned(),
        DataType::Map(..) => {
            let message = "the result is a map, which a column can't have in this version";
            return Err(ExpressionProblem::new("not-in-this-version", message));
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) | DataType::Struct(_) => format!(
            "the result has type {}; lists and structs are nested at most {DEEPEST} deep, and a struct has fields of different names",
            name(&stored)
        ),
        DataType::Duration(_) => {
            "a difference of timestamps is no column's type; cast(… as int64) makes it milliseconds".to_owned()
        }
        other => format!(
            "the result has type {}, which a column can't have; cast(… as …) makes it one of {}",
            name(other),
            SCALARS.join(", ")
        ),
    };
    Err(ExpressionProblem::new("type", message))
}
