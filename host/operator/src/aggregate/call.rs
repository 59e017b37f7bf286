//! One aggregate as it is written, `max(mag * 2)`: which function, over what, and of which type.

use arrow_schema::{DataType, Field, Schema};
use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function as Call, FunctionArg, FunctionArgExpr, FunctionArguments,
};
use wasmill_flow::column_type;

use crate::expression::catalogue::AGGREGATES;
use crate::expression::problem::nearest;
use crate::expression::syntax::{self, Walked};
use crate::expression::{Expression, ExpressionProblem};

/// The aggregate functions of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
}

const FUNCTIONS: &[(&str, Function)] = &[
    ("count", Function::Count),
    ("sum", Function::Sum),
    ("min", Function::Min),
    ("max", Function::Max),
    ("avg", Function::Average),
];

const OFFER: &str = "count(*), count(x), sum(x), min(x), max(x) and avg(x)";

/// An aggregate over rows of one schema.
///
/// | function | of | is | nothing seen |
/// |---|---|---|---|
/// | `count(*)`, `count(x)` | all rows; rows whose `x` isn't null | `int64` | 0 |
/// | `sum(x)` | integers | `int64` | null |
/// | | floats | `float64` | null |
/// | | `decimal(p,s)` | `decimal(38,s)` | null |
/// | `avg(x)` | numbers | `float64`, summed as such; of decimals too | null |
/// | `min(x)`, `max(x)` | numbers, timestamps, dates, `utf8` by bytes | the type of `x` | null |
///
/// Nulls are passed over. A sum that overflows fails on the row that would overflow it. NaN is greater than every other float.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub(super) function: Function,
    pub(super) argument: Option<Expression>,
    data_type: DataType,
}

impl Aggregate {
    /// Reads and checks an aggregate over columns of `schema`.
    ///
    /// # Errors
    /// [`ExpressionProblem`] with the first problem of the text; what other systems can aggregate and this version can't is
    /// named as such.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ExpressionProblem> {
        let syntax = syntax::parse(text)?;
        let Expr::Function(call) = &syntax else { return Err(no_call(&syntax)) };
        let function = function(call, text)?;
        refuse_clauses(call)?;
        let argument = match argument(call)? {
            Argument::Star if function == Function::Count => None,
            Argument::Star => {
                let message = format!("`{}(*)`: only count takes `*`, the others a column or an expression", call.name);
                return Err(ExpressionProblem::new("syntax", message));
            }
            Argument::Of(expression) => Some(Expression::from_syntax(expression, text, schema)?),
        };
        let data_type = data_type(function, call, argument.as_ref().map(Expression::data_type))?;
        Ok(Self { function, argument, data_type })
    }

    /// The column that its values make, by that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Field {
        Field::new(name, self.data_type.clone(), self.function != Function::Count)
    }

    /// The indices of the columns that it reads, ascending.
    #[must_use]
    pub fn reads(&self) -> &[usize] {
        self.argument.as_ref().map_or(&[], Expression::reads)
    }
}

enum Argument<'a> {
    Star,
    Of(&'a Expr),
}

fn argument(call: &Call) -> Result<Argument<'_>, ExpressionProblem> {
    let arguments = match &call.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    match arguments {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => Ok(Argument::Star),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expression))] => Ok(Argument::Of(expression)),
        other => {
            let message = format!("`{}` takes one argument, found {} in `{call}`", call.name, other.len());
            Err(ExpressionProblem::new("syntax", message))
        }
    }
}

fn function(call: &Call, text: &str) -> Result<Function, ExpressionProblem> {
    let name = call.name.to_string();
    let lower = name.to_lowercase();
    if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == lower) {
        return Ok(*function);
    }
    let position = call.name.0.first().and_then(|part| part.as_ident()).and_then(|ident| syntax::offset(text, ident.span.start));
    Err(if AGGREGATES.contains(&lower.as_str()) {
        not_yet(&format!("the aggregate function `{name}`"), "")
    } else {
        let problem = ExpressionProblem::new("unknown-function", format!("`{name}` is no aggregate function; there are {OFFER}"));
        problem.suggest(nearest(&name, FUNCTIONS.iter().map(|(name, _)| *name)))
    }
    .at(position))
}

fn not_yet(what: &str, instead: &str) -> ExpressionProblem {
    ExpressionProblem::new("not-in-this-version", format!("{what} is not in this version; there are {OFFER}{instead}"))
}

fn refuse_clauses(call: &Call) -> Result<(), ExpressionProblem> {
    let (treatment, clauses) = match &call.args {
        FunctionArguments::List(list) => (list.duplicate_treatment, list.clauses.as_slice()),
        FunctionArguments::None | FunctionArguments::Subquery(_) => (None, &[][..]),
    };
    if treatment == Some(DuplicateTreatment::Distinct) {
        return Err(not_yet("`distinct` in an aggregate", ""));
    }
    if call.filter.is_some() {
        return Err(not_yet("`filter (where …)` in an aggregate", "; count(case when … then 1 end) counts some of the rows"));
    }
    if call.over.is_some() {
        return Err(not_yet("`over (…)`", "; they run by the columns of key-by"));
    }
    if !clauses.is_empty() || !call.within_group.is_empty() || call.null_treatment.is_some() {
        return Err(not_yet("`order by`, `within group`, `ignore nulls` or the like in an aggregate", ""));
    }
    Ok(())
}

/// A text that is no call: an expression around aggregates, or one without.
fn no_call(syntax: &Expr) -> ExpressionProblem {
    let mut around = false;
    let looked = syntax::walk(syntax, &mut |step| {
        if let Walked::Into(Expr::Function(call)) = step {
            around |= AGGREGATES.contains(&call.name.to_string().to_lowercase().as_str());
        }
        Ok(())
    });
    if looked.is_ok() && around {
        let message = format!("`{syntax}`: an aggregate is one call; compute with its result in a `select` or `with` after it");
        return ExpressionProblem::new("not-in-this-version", message);
    }
    ExpressionProblem::new("syntax", format!("`{syntax}` is no aggregate; there are {OFFER}"))
}

fn data_type(function: Function, call: &Call, argument: Option<&DataType>) -> Result<DataType, ExpressionProblem> {
    use DataType as T;
    let Some(argument) = argument else { return Ok(T::Int64) };
    let number = matches!(argument, T::Int32 | T::Int64 | T::UInt64 | T::Float32 | T::Float64 | T::Decimal128(..));
    let expected = match function {
        Function::Count => return Ok(T::Int64),
        Function::Average if number => return Ok(T::Float64),
        Function::Sum if number => {
            return Ok(match *argument {
                T::Float32 | T::Float64 => T::Float64,
                T::Decimal128(_, scale) => T::Decimal128(38, scale),
                _ => T::Int64,
            });
        }
        Function::Min | Function::Max if number || matches!(argument, T::Timestamp(..) | T::Date32 | T::Utf8View) => {
            return Ok(argument.clone());
        }
        Function::Sum | Function::Average => "a number",
        Function::Min | Function::Max => "a number, timestamp, date or utf8",
    };
    let message = format!("`{call}`: expected {expected}, found {}", column_type::name(argument));
    Err(ExpressionProblem::new("type", message))
}
