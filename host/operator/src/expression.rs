//! SQL expressions over the columns of one row, as DataFusion reads them.
//!
//! Names are case-sensitive as written; a name that isn't letters, digits and `_` is in double quotes, text in single quotes.
//! There are DataFusion's scalar functions of strings, numbers, dates and times, Unicode, regular expressions and lists, as far as the
//! same arguments always give the same result: `now()`, `random()` and their like are refused, since a row that is processed
//! again after a failure must give the same. Beside SQL's names of types `cast` takes those of job files: `cast(x as float64)`.
//!
//! **What fails, fails alone.** Division of integers and decimals by zero, overflow of integers (`+ - *` and `-x` never wrap
//! around) and a `cast` that can't be done fail on their row, and the other rows of its batch have their results. Division of
//! floats follows IEEE 754: infinity or NaN. `try_cast` gives null instead of failing. `and`, `or` and `case` compute what they
//! need, from left to right: `b <> 0 and a / b > 1` doesn't fail.
//!
//! **Parts.** `a.b` and `a['b']` are the field `b` of a struct, `x[1]` the first item of a list, `x[2:3]` a list of two; what isn't there
//! is null. Functions of maps, functions that take functions, and those whose list is as long as a number says are refused.
//!
//! **Types.** A result is one of [`column_type`]'s: `utf8` of any string, small integers widened, timestamps cut to
//! milliseconds, within lists and structs too, whose items and fields may be null.

pub(crate) mod catalogue;
pub(crate) mod cause;
mod comparisons;
mod evaluate;
mod fold;
pub(crate) mod plan;
pub(crate) mod problem;
pub(crate) mod syntax;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion_physical_expr::expressions;
use datafusion_physical_expr::utils::collect_columns;
use datafusion_sql::sqlparser::ast::Expr as Syntax;
use wasmill_flow::column_type;

pub use evaluate::Evaluated;
pub use problem::ExpressionProblem;

/// An expression over rows of one schema, ready to be computed. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    physical: plan::Physical,
    data_type: DataType,
    nullable: bool,
    reads: Arc<[usize]>,
}

impl Expression {
    /// Reads, checks and plans an expression over columns of `schema`.
    ///
    /// # Errors
    /// [`ExpressionProblem`] with the first problem of the text: syntax, a name that isn't known, types that don't fit, what is
    /// refused, or a constant part that always fails.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ExpressionProblem> {
        Self::from_syntax(&syntax::parse(text, schema)?, text, schema)
    }

    /// The same for a part of `text` that is parsed already; [`Self::text`] stays the whole.
    pub(crate) fn from_syntax(syntax: &Syntax, text: &str, schema: &Schema) -> Result<Self, ExpressionProblem> {
        syntax::check(syntax, text, schema)?;
        let physical = plan::plan(syntax, schema)?;
        let unknown = |error| ExpressionProblem::new("type", cause::cause(&error));
        let data_type = plan::stored_type(&physical.data_type(schema).map_err(unknown)?)?;
        let nullable = physical.nullable(schema).map_err(unknown)?;
        let mut reads: Vec<usize> = collect_columns(&physical).iter().map(|column| column.index()).collect();
        reads.sort_unstable();
        reads.dedup();
        Ok(Self { text: text.into(), physical, data_type, nullable, reads: reads.into() })
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of its values: one that a column can have.
    #[must_use]
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The column that its values make, by that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Field {
        Field::new(name, self.data_type.clone(), self.nullable)
    }

    /// The indices of the columns that it reads, ascending.
    #[must_use]
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }

    /// The same expression with its values as this type; as of every cast, a value that doesn't fit fails on its row.
    pub(crate) fn cast(self, data_type: &DataType, schema: &Schema) -> Result<Self, ExpressionProblem> {
        let unknown = |error| ExpressionProblem::new("type", cause::cause(&error));
        if self.physical.data_type(schema).map_err(unknown)? == *data_type {
            return Ok(Self { data_type: data_type.clone(), ..self });
        }
        let physical = expressions::cast(Arc::clone(&self.physical), schema, data_type.clone()).map_err(unknown)?;
        Ok(Self { physical: fold::constants(&physical)?, data_type: data_type.clone(), ..self })
    }

    /// What computes it, where that is a constant.
    pub(crate) fn constant(&self) -> Option<plan::Physical> {
        self.physical.is::<expressions::Literal>().then(|| Arc::clone(&self.physical))
    }

    /// The problem of an expression that should be true or false and isn't.
    pub(crate) fn require_boolean(self) -> Result<Self, ExpressionProblem> {
        if self.data_type == DataType::Boolean {
            return Ok(self);
        }
        let message = format!("expected true or false, found {}", column_type::name(&self.data_type));
        Err(ExpressionProblem::new("type", message))
    }
}

#[cfg(test)]
mod tests;
