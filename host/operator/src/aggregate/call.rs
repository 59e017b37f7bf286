//! One aggregate as it is written, `max(mag * 2) filter (where felt)`: which function, over what, of which rows, and of which type.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use datafusion_physical_expr::expressions::Literal;
use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function as Call, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    NullTreatment,
};
use wasmill_flow::column_type;

use super::foreign::Foreign;
use super::general::General;
use super::layout::Layout;
use super::pair::Pair;
use super::quantile::{self, Quantile};
use super::ranked::{self, Ranked};
use super::spread::Spread;
use super::variable::Variable;
use crate::expression::catalogue::Catalogue;
use crate::expression::problem::nearest;
use crate::expression::syntax::{self, Walked};
use crate::expression::{Expression, ExpressionProblem};

/// An aggregate function over arguments of some types.
#[derive(Debug, Clone)]
pub(super) enum Function {
    Count,
    Sum,
    Min,
    Max,
    Average,
    Spread(Spread),
    Pair(Pair),
    /// One that holds any number of bytes of a key.
    Variable(Arc<dyn Variable>),
    /// One that isn't computed here.
    Foreign(Foreign),
}

/// Functions of one number, and of two.
const SPREADS: &[(&str, Spread)] = &[
    ("var", Spread { sample: true, root: false }),
    ("var_pop", Spread { sample: false, root: false }),
    ("stddev", Spread { sample: true, root: true }),
    ("stddev_pop", Spread { sample: false, root: true }),
];
const PAIRS: &[(&str, Pair)] = &[
    ("covar_pop", Pair::CovariancePopulation),
    ("covar_samp", Pair::CovarianceSample),
    ("corr", Pair::Correlation),
    ("regr_count", Pair::Count),
    ("regr_avgx", Pair::AverageX),
    ("regr_avgy", Pair::AverageY),
    ("regr_sxx", Pair::SumXX),
    ("regr_syy", Pair::SumYY),
    ("regr_sxy", Pair::SumXY),
    ("regr_slope", Pair::Slope),
    ("regr_intercept", Pair::Intercept),
    ("regr_r2", Pair::R2),
];
/// Functions that are the same with and without `distinct`.
const INDISTINCT: &[&str] = &["min", "max", "any_value", "bool_and", "bool_or", "bit_and", "bit_or", "approx_distinct"];
/// Functions that take `within group (order by x)` for their first argument.
const WITHIN_GROUP: &[&str] = &["percentile_cont", "approx_percentile_cont"];
/// Functions that may pass over nulls.
const IGNORE_NULLS: &[&str] = &["first_value", "last_value", "nth_value"];

/// An aggregate over rows of one schema.
///
/// | function | of | is | nothing seen |
/// |---|---|---|---|
/// | `count(*)`, `count(x)` | all rows; rows whose `x` isn't null | `int64` | 0 |
/// | `sum(x)` | integers | `int64` | null |
/// | | floats | `float64` | null |
/// | | `decimal(p,s)` | `decimal(38,s)` | null |
/// | `avg(x)` | numbers | `float64`, summed as such; of decimals too | null |
/// | `min(x)`, `max(x)` | what has an order; text by bytes | the type of `x` | null |
/// | `var_pop`, `var_samp`, `stddev_pop`, `stddev_samp` | numbers | `float64` | null |
/// | `covar_pop`, `covar_samp`, `corr`, `regr_slope` and the other `regr_` | two numbers | `float64`, `regr_count` `int64` | null, 0 |
/// | `max(x, n)`, `max_by(x, y, n)`, and `min` | anything | list of the type of `x`, the first that ranks first | null |
/// | `max_by(x, y)`, `min_by(x, y)` | anything | the type of `x`, of the row whose `y` is greatest or least | null |
/// | `approx_percentile_cont(x, p)`, `approx_median(x)` | numbers | `float64`, within 1 % or the error given third | null |
/// | the others | as DataFusion has them | as DataFusion has it | null |
///
/// Nulls are passed over; only `first_value`, `last_value`, `nth_value` and `array_agg` see them. A sum that overflows fails on the
/// row that would overflow it. NaN is greater than every other float. `distinct` counts each value of a key once,
/// `filter (where …)` the rows for which it is true. What grows with its rows (`distinct`, `median`, `percentile_cont`,
/// `array_agg`, `string_agg`, `nth_value`) holds at most 1 MiB a key, and fails on the row that would make it more; it is read and
/// written as a whole for each batch in which the key has a row. Nothing depends on how rows are cut into batches.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub(super) function: Function,
    pub(super) arguments: Vec<Expression>,
    pub(super) filter: Option<Expression>,
    pub(super) distinct: bool,
    data_type: DataType,
    reads: Vec<usize>,
}

impl Aggregate {
    /// Reads and checks an aggregate over columns of `schema`.
    ///
    /// # Errors
    /// [`ExpressionProblem`] with the first problem of the text; what other systems can aggregate and this version can't is
    /// named as such.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ExpressionProblem> {
        let syntax = syntax::parse(text, schema)?;
        let Expr::Function(call) = &syntax else { return Err(no_call(&syntax)) };
        let name = function_name(call, text)?;
        let clauses = Clauses::read(call, name)?;
        let arguments = arguments(call, name, text, schema)?;
        let filter = match &call.filter {
            Some(filter) => Some(Expression::from_syntax(filter, text, schema)?.require_boolean()?),
            None => None,
        };
        let (function, arguments) = function(name, call, arguments, &clauses, schema)?;
        // Of several that rank first one may be there twice.
        let ranks = matches!(name, "max" | "min") && matches!(function, Function::Variable(_)) && clauses.distinct;
        let distinct = clauses.distinct && (ranks || !INDISTINCT.contains(&name));
        if distinct && !arguments.split_first().is_some_and(|(_, more)| more.iter().all(|more| more.constant().is_some())) {
            let message = format!("`{call}`: `distinct` is over one column or expression in this version");
            return Err(ExpressionProblem::new("not-in-this-version", message));
        }
        if let Some(argument) = arguments.first().filter(|argument| distinct && column_type::is_nested(argument.data_type())) {
            let message = format!(
                "`{call}`: `distinct` of {} is not in this version; a field or an item of it can be counted once",
                column_type::name(argument.data_type())
            );
            return Err(ExpressionProblem::new("not-in-this-version", message));
        }
        let data_type = value_type(&function, arguments.first().map(Expression::data_type));
        let mut reads: Vec<usize> = arguments.iter().chain(&filter).flat_map(Expression::reads).copied().collect();
        reads.sort_unstable();
        reads.dedup();
        Ok(Self { function, arguments, filter, distinct, data_type, reads })
    }

    /// An aggregate over these columns that isn't computed here: what it holds is in `format`, at
    /// first `initial` where that has a fixed width, and `result` is what its values are.
    pub(super) fn foreign(
        format: String,
        initial: Option<Vec<u8>>,
        result: &Field,
        of: &[usize],
        schema: &Schema,
    ) -> Result<Self, ExpressionProblem> {
        let column = |&column: &usize| {
            let name = schema.field(column).name().replace('"', "\"\"");
            Expression::parse(&format!("\"{name}\""), schema)
        };
        Ok(Self {
            function: Function::Foreign(Foreign { format, nullable: result.is_nullable(), initial }),
            arguments: of.iter().map(column).collect::<Result<_, _>>()?,
            filter: None,
            distinct: false,
            data_type: result.data_type().clone(),
            reads: of.to_vec(),
        })
    }

    /// The column that its values make, by that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Field {
        let nullable = match &self.function {
            Function::Count | Function::Pair(Pair::Count) => false,
            Function::Foreign(foreign) => foreign.nullable,
            _ => true,
        };
        Field::new(name, self.data_type.clone(), nullable)
    }

    /// Whether it gives exactly the same when it is put together of parts of its rows.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        Layout::new(std::slice::from_ref(self), false).is_exact()
    }

    /// Whether rows that it has counted can be taken back from it.
    #[must_use]
    pub fn retracts(&self) -> bool {
        Layout::new(std::slice::from_ref(self), true).keeping().next().is_none()
    }

    /// The indices of the columns that it reads, ascending.
    #[must_use]
    pub fn reads(&self) -> &[usize] {
        &self.reads
    }
}

/// What is written around a call's arguments.
struct Clauses {
    distinct: bool,
    ignore_nulls: bool,
}

impl Clauses {
    fn read(call: &Call, name: &str) -> Result<Self, ExpressionProblem> {
        let (treatment, clauses) = match &call.args {
            FunctionArguments::List(list) => (list.duplicate_treatment, list.clauses.as_slice()),
            FunctionArguments::None | FunctionArguments::Subquery(_) => (None, &[][..]),
        };
        if call.over.is_some() {
            return Err(not_yet("`over (…)`", "aggregates run by the columns of key-by"));
        }
        let mut nulls = call.null_treatment;
        for clause in clauses {
            match clause {
                FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => nulls = Some(*treatment),
                FunctionArgumentClause::OrderBy(_) => {
                    return Err(not_yet("`order by` in an aggregate", "rows are taken in the order of their arrival"));
                }
                other => {
                    return Err(not_yet(&format!("`{other}` in an aggregate"), "an aggregate takes arguments and `distinct`"));
                }
            }
        }
        if !call.within_group.is_empty() && !WITHIN_GROUP.contains(&name) {
            return Err(not_yet("`within group`", &format!("it is for {}", WITHIN_GROUP.join(", "))));
        }
        let ignore_nulls = nulls == Some(NullTreatment::IgnoreNulls);
        if ignore_nulls && !IGNORE_NULLS.contains(&name) {
            return Err(not_yet("`ignore nulls`", &format!("it is for {}", IGNORE_NULLS.join(", "))));
        }
        Ok(Self { distinct: treatment == Some(DuplicateTreatment::Distinct), ignore_nulls })
    }
}

fn not_yet(what: &str, instead: &str) -> ExpressionProblem {
    ExpressionProblem::new("not-in-this-version", format!("{what} is not in this version; {instead}"))
}

/// The function's own name, whatever it was called by.
fn function_name(call: &Call, text: &str) -> Result<&'static str, ExpressionProblem> {
    let name = call.name.to_string();
    let position = call.name.0.first().and_then(|part| part.as_ident()).and_then(|ident| syntax::offset(text, ident.span.start));
    let catalogue = Catalogue::get();
    match catalogue.aggregate_name(&name) {
        Some("grouping") => {
            let message = "`grouping` is about grouping sets, and rows are grouped by the columns of key-by";
            Err(ExpressionProblem::new("refused", message).at(position))
        }
        Some(name) => Ok(name),
        None => {
            let names: Vec<&str> = catalogue.aggregate_names();
            let problem = ExpressionProblem::new(
                "unknown-function",
                format!("`{name}` is no aggregate function; there are {}", names.join(", ")),
            );
            Err(problem.suggest(nearest(&name, names.into_iter())).at(position))
        }
    }
}

/// The arguments; none at all for `count(*)`.
fn arguments(call: &Call, name: &str, text: &str, schema: &Schema) -> Result<Vec<Expression>, ExpressionProblem> {
    let written = match &call.args {
        FunctionArguments::List(list) => list.args.as_slice(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => &[],
    };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = written {
        if name == "count" {
            return Ok(Vec::new());
        }
        let message = format!("`{}(*)`: only count takes `*`, the others a column or an expression", call.name);
        return Err(ExpressionProblem::new("syntax", message));
    }
    let mut arguments = Vec::new();
    for ordered in &call.within_group {
        if ordered.options.asc == Some(false) {
            return Err(not_yet("`desc` within group", "the percentile of 1 - p is the same"));
        }
        arguments.push(Expression::from_syntax(&ordered.expr, text, schema)?);
    }
    for argument in written {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) = argument else {
            return Err(ExpressionProblem::new("syntax", format!("`{argument}` is no argument of `{}`", call.name)));
        };
        arguments.push(Expression::from_syntax(expression, text, schema)?);
    }
    let takes = match name {
        "min" | "max" if arguments.len() == 2 => 2,
        "count" | "sum" | "avg" | "min" | "max" => 1,
        name if SPREADS.iter().any(|(known, _)| *known == name) => 1,
        name if PAIRS.iter().any(|(known, _)| *known == name) => 2,
        _ => return Ok(arguments),
    };
    if arguments.len() != takes {
        let takes = if takes == 1 { "one argument" } else { "two arguments" };
        let message = format!("`{}` takes {takes}, found {} in `{call}`", call.name, arguments.len());
        return Err(ExpressionProblem::new("syntax", message));
    }
    Ok(arguments)
}

/// The function for these arguments, and the arguments as it takes them.
fn function(
    name: &'static str,
    call: &Call,
    arguments: Vec<Expression>,
    clauses: &Clauses,
    schema: &Schema,
) -> Result<(Function, Vec<Expression>), ExpressionProblem> {
    use DataType as T;
    let number = |argument: &Expression| {
        matches!(argument.data_type(), T::Int32 | T::Int64 | T::UInt64 | T::Float32 | T::Float64 | T::Decimal128(..))
    };
    let all_numbers = || match arguments.iter().find(|argument| !number(argument)) {
        None => Ok(()),
        Some(other) => {
            let message = format!("`{call}`: expected a number, found {}", column_type::name(other.data_type()));
            Err(ExpressionProblem::new("type", message))
        }
    };
    let floats = |arguments: Vec<Expression>| {
        arguments.into_iter().map(|argument| argument.cast(&T::Float64, schema)).collect::<Result<Vec<_>, _>>()
    };
    let extreme = arguments
        .first()
        .is_some_and(|argument| number(argument) || matches!(argument.data_type(), T::Timestamp(..) | T::Date32 | T::Utf8View));
    Ok(match name {
        "count" => (Function::Count, arguments),
        "sum" => (all_numbers().map(|()| Function::Sum)?, arguments),
        "avg" => (all_numbers().map(|()| Function::Average)?, arguments),
        "min" | "max" if arguments.len() == 2 => ranked(name, 1, call, arguments)?,
        "min_by" | "max_by" => ranked(name, 2, call, arguments)?,
        "min" if extreme => (Function::Min, arguments),
        "max" if extreme => (Function::Max, arguments),
        "approx_percentile_cont" | "approx_median" => {
            all_numbers()?;
            quantile(name, call, arguments, schema)?
        }
        "approx_percentile_cont_with_weight" => {
            let name = "`approx_percentile_cont_with_weight`";
            return Err(not_yet(
                name,
                "DataFusion's depends on how rows are cut; `approx_percentile_cont(x, p)` doesn't, and takes no weights",
            ));
        }
        name => {
            if let Some((_, spread)) = SPREADS.iter().find(|(known, _)| *known == name) {
                all_numbers()?;
                return Ok((Function::Spread(*spread), floats(arguments)?));
            }
            if let Some((_, pair)) = PAIRS.iter().find(|(known, _)| *known == name) {
                all_numbers()?;
                return Ok((Function::Pair(*pair), floats(arguments)?));
            }
            let Some(function) = Catalogue::get().aggregate(name) else { return Err(no_call(&Expr::Function(call.clone()))) };
            let (general, arguments) = General::new(function, arguments, clauses.ignore_nulls, schema)?;
            (Function::Variable(Arc::new(general)), arguments)
        }
    })
}

/// The values of rows that rank first: behind `taken` arguments, how many.
fn ranked(
    name: &str,
    taken: usize,
    call: &Call,
    mut arguments: Vec<Expression>,
) -> Result<(Function, Vec<Expression>), ExpressionProblem> {
    if !(2..=taken + 1).contains(&arguments.len()) {
        let message = format!("`{name}` takes two or three arguments, found {} in `{call}`", arguments.len());
        return Err(ExpressionProblem::new("syntax", message));
    }
    let most = match arguments.get(taken) {
        None => None,
        Some(most) => match literal(most).and_then(|most| most.cast_to(&DataType::Int64).ok()) {
            Some(ScalarValue::Int64(Some(most @ 1..=ranked::MOST))) => usize::try_from(most).ok(),
            _ => {
                let message = format!("`{call}`: the last argument says how many, a number from 1 to {}", ranked::MOST);
                return Err(ExpressionProblem::new("type", message));
            }
        },
    };
    arguments.truncate(taken);
    let (Some(item), Some(by)) = (arguments.first(), arguments.last()) else {
        return Err(no_call(&Expr::Function(call.clone())));
    };
    let ranked = Ranked::new(name.starts_with("max"), most, item.data_type(), (taken > 1).then(|| by.data_type()));
    Ok((Function::Variable(Arc::new(ranked)), arguments))
}

/// A quantile within an error: behind the value which one, and how large the error may be.
fn quantile(
    name: &str,
    call: &Call,
    mut arguments: Vec<Expression>,
    schema: &Schema,
) -> Result<(Function, Vec<Expression>), ExpressionProblem> {
    let takes = if name == "approx_median" { 1..=1 } else { 2..=3 };
    if !takes.contains(&arguments.len()) {
        let takes = if name == "approx_median" { "one argument" } else { "a value, which percentile, and perhaps the error" };
        let message = format!("`{name}` takes {takes}, found {} in `{call}`", arguments.len());
        return Err(ExpressionProblem::new("syntax", message));
    }
    let number = |index: usize, otherwise: f64, what: &str, range: RangeInclusive<f64>| {
        let Some(argument) = arguments.get(index) else { return Ok(otherwise) };
        match literal(argument).and_then(|number| number.cast_to(&DataType::Float64).ok()) {
            Some(ScalarValue::Float64(Some(number))) if range.contains(&number) => Ok(number),
            _ => {
                let (least, most) = range.into_inner();
                let message = format!("`{call}`: {what} is a number from {least} to {most}");
                Err(ExpressionProblem::new("type", message))
            }
        }
    };
    let percentile = number(1, 0.5, "the percentile", 0.0..=1.0)?;
    let error = number(2, quantile::ERROR, "the relative error", quantile::ERRORS)?;
    arguments.truncate(1);
    let arguments = arguments.into_iter().map(|value| value.cast(&DataType::Float64, schema)).collect::<Result<_, _>>()?;
    Ok((Function::Variable(Arc::new(Quantile::new(percentile, error))), arguments))
}

/// What an expression is that is a literal.
fn literal(expression: &Expression) -> Option<ScalarValue> {
    Some(expression.constant()?.downcast_ref::<Literal>()?.value().clone())
}

/// A text that is no call: an expression around aggregates, or one without.
fn no_call(syntax: &Expr) -> ExpressionProblem {
    let mut around = false;
    let looked = syntax::walk(syntax, &mut |step| {
        if let Walked::Into(Expr::Function(call)) = step {
            around |= Catalogue::get().aggregate_name(&call.name.to_string()).is_some();
        }
        Ok(())
    });
    if looked.is_ok() && around {
        let message = format!("`{syntax}`: an aggregate is one call; compute with its result in a `select` or `with` after it");
        return ExpressionProblem::new("not-in-this-version", message);
    }
    ExpressionProblem::new("syntax", format!("`{syntax}` is no aggregate; one is a call, as count(*), sum(x) or max(x)"))
}

fn value_type(function: &Function, argument: Option<&DataType>) -> DataType {
    use DataType as T;
    match (function, argument) {
        (Function::Average | Function::Spread(_), _) => T::Float64,
        (Function::Pair(pair), _) if *pair != Pair::Count => T::Float64,
        (Function::Variable(function), _) => function.data_type().clone(),
        (Function::Min | Function::Max, Some(argument)) => argument.clone(),
        (Function::Sum, Some(T::Float32 | T::Float64)) => T::Float64,
        (Function::Sum, Some(T::Decimal128(_, scale))) => T::Decimal128(38, *scale),
        _ => T::Int64,
    }
}
