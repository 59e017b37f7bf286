//! Every other aggregate function, by DataFusion's accumulators. What a key holds is the accumulator's state, its values one after
//! the other in [`super::encoding`]; nothing at all is nothing seen.
//!
//! An accumulator is made of its state once a key and call, takes one row after the other, and is asked for its value after each: a
//! microsecond or so a row, and for those that keep every value, as `median` does, the time to go through them all.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, new_empty_array};
use arrow_cast::cast::cast;
use arrow_schema::{DataType, Field, Schema};
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::type_coercion::functions::fields_with_udf;
use datafusion_expr::{Accumulator, AggregateUDF};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion_physical_expr::expressions::Column;
use wasmill_flow::column_type;

use super::encoding;
use super::refused::{MOST_BYTES, Refused, full};
use super::variable::Variable;
use crate::expression::cause::cause;
use crate::expression::plan::stored_type;
use crate::expression::{Expression, ExpressionProblem};

/// Functions whose state grows with the rows.
const GROWING: &[&str] = &["array_agg", "string_agg", "median", "percentile_cont", "nth_value"];

/// Functions that give the same, to the last digit, whatever order their rows come in and whatever parts of them are merged.
const IN_ANY_ORDER: &[&str] = &["approx_distinct", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "max", "min"];

/// One of DataFusion's aggregate functions over arguments of some types.
#[derive(Debug, Clone)]
pub(super) struct General {
    function: AggregateFunctionExpr,
    states: Vec<DataType>,
    value: DataType,
    growing: bool,
}

impl General {
    /// The function over these arguments, and the arguments brought into the types that it takes.
    pub(super) fn new(
        function: &Arc<AggregateUDF>,
        arguments: Vec<Expression>,
        ignore_nulls: bool,
        schema: &Schema,
    ) -> Result<(Self, Vec<Expression>), ExpressionProblem> {
        let problem = |error: DataFusionError| ExpressionProblem::new("type", cause(&error));
        let fields: Vec<_> = arguments.iter().map(|argument| Arc::new(argument.field("x"))).collect();
        let taken = fields_with_udf(&fields, function.as_ref()).map_err(problem)?;
        let arguments = arguments.into_iter().zip(&taken).map(|(argument, field)| argument.cast(field.data_type(), schema));
        let arguments = arguments.collect::<Result<Vec<_>, _>>()?;
        let columns = (0..).zip(&taken).map(|(index, field)| Field::new(format!("x{index}"), field.data_type().clone(), true));
        let columns = Schema::new(columns.collect::<Vec<_>>());
        // What must be a constant, as the percentile, is looked for among the expressions.
        let expressions = arguments.iter().enumerate().map(|(index, argument)| {
            argument.constant().unwrap_or_else(|| Arc::new(Column::new(&format!("x{index}"), index)) as Arc<dyn PhysicalExpr>)
        });
        let function = AggregateExprBuilder::new(Arc::clone(function), expressions.collect())
            .schema(Arc::new(columns))
            .with_ignore_nulls(ignore_nulls)
            .alias(function.name())
            .build()
            .map_err(problem)?;
        function.create_accumulator().map_err(problem)?;
        let states: Vec<DataType> =
            function.state_fields().map_err(problem)?.iter().map(|field| field.data_type().clone()).collect();
        if let Some(state) = states.iter().find(|state| !encoding::is_supported(state)) {
            let message = format!("`{}` keeps {state}, which state can't hold in this version", function.fun().name());
            return Err(ExpressionProblem::new("not-in-this-version", message));
        }
        let value = stored_type(function.field().data_type())?;
        let growing = GROWING.contains(&function.fun().name());
        Ok((Self { function, states, value, growing }, arguments))
    }

    fn column(&self, values: Vec<ScalarValue>) -> Result<ArrayRef, Refused> {
        if values.is_empty() {
            return Ok(new_empty_array(&self.value));
        }
        let array = ScalarValue::iter_to_array(values).map_err(|_| Refused::Damaged)?;
        if *array.data_type() == self.value {
            return Ok(array);
        }
        cast(&array, &self.value).map_err(|_| Refused::Damaged)
    }

    fn restore(&self, held: &[u8]) -> Result<Box<dyn Accumulator>, Refused> {
        let mut accumulator = self.function.create_accumulator().map_err(|_| Refused::Damaged)?;
        if !held.is_empty() {
            accumulator.merge_batch(&self.states_of(held)?).map_err(|_| Refused::Damaged)?;
        }
        Ok(accumulator)
    }

    fn states_of(&self, mut held: &[u8]) -> Result<Vec<ArrayRef>, Refused> {
        let state = |data_type: &DataType| encoding::decode(data_type, &mut held)?.to_array().ok();
        let states: Option<Vec<ArrayRef>> = self.states.iter().map(state).collect();
        states.filter(|_| held.is_empty()).ok_or(Refused::Damaged)
    }

    fn save(&self, accumulator: &mut dyn Accumulator) -> Result<Vec<u8>, Refused> {
        let mut held = Vec::new();
        for state in accumulator.state().map_err(|_| Refused::Damaged)? {
            encoding::encode(state.to_array().map_err(|_| Refused::Damaged)?.as_ref(), 0, &mut held);
        }
        Ok(held)
    }
}

impl Variable for General {
    fn data_type(&self) -> &DataType {
        &self.value
    }

    fn has_long_values(&self) -> bool {
        column_type::is_nested(&self.value) || (self.growing && self.value.primitive_width().is_none())
    }

    /// A part of `approx_distinct` has 16 KiB, however few rows it is of: nothing that is sent ahead.
    fn is_exact(&self) -> bool {
        self.merges_in_any_order() && self.function.fun().name() != "approx_distinct"
    }

    fn format(&self) -> String {
        let states = self.states.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!("{}({states}) encoding 1", self.function.fun().name())
    }

    fn update(
        &self,
        held: &mut [Vec<u8>],
        keys: &[u32],
        arguments: &[ArrayRef],
        counts: Option<&BooleanArray>,
        wanted: bool,
    ) -> Result<ArrayRef, Refused> {
        let mut accumulators: Vec<Option<Box<dyn Accumulator>>> = held.iter().map(|_| None).collect();
        let mut bytes: Vec<usize> = held.iter().map(Vec::len).collect();
        let mut values = Vec::with_capacity(keys.len());
        let mut refused = Vec::new();
        let mut encoded = Vec::new();
        for (row, &key) in keys.iter().enumerate() {
            let key = key as usize;
            let accumulator = match &mut accumulators[key] {
                Some(accumulator) => accumulator,
                none => none.insert(self.restore(&held[key])?),
            };
            let mut take = || -> Result<ScalarValue, String> {
                if counts.is_none_or(|counts| counts.is_valid(row) && counts.value(row)) {
                    if self.growing {
                        encoded.clear();
                        arguments.iter().for_each(|argument| encoding::encode(argument.as_ref(), row, &mut encoded));
                        if bytes[key] + encoded.len() > MOST_BYTES {
                            return Err(full());
                        }
                        bytes[key] += encoded.len();
                    }
                    let row: Vec<ArrayRef> = arguments.iter().map(|argument| argument.slice(row, 1)).collect();
                    accumulator.update_batch(&row).map_err(|error| cause(&error))?;
                }
                if wanted { accumulator.evaluate().map_err(|error| cause(&error)) } else { Ok(ScalarValue::Null) }
            };
            match take() {
                Ok(value) => values.push(value),
                Err(cause) => refused.push((row, cause)),
            }
        }
        if !refused.is_empty() {
            return Err(Refused::Rows(refused));
        }
        for (accumulator, held) in accumulators.into_iter().zip(held) {
            if let Some(mut accumulator) = accumulator {
                *held = self.save(accumulator.as_mut())?;
            }
        }
        if wanted { self.column(values) } else { Ok(arrow_array::new_null_array(&self.value, keys.len())) }
    }

    fn merge(&self, held: &mut [Vec<u8>], others: &[Vec<u8>]) -> Result<(), Refused> {
        for (held, other) in held.iter_mut().zip(others).filter(|(_, other)| !other.is_empty()) {
            let mut accumulator = self.restore(held)?;
            let states = self.states_of(other)?;
            accumulator.merge_batch(&states).map_err(|_| Refused::Damaged)?;
            *held = self.save(accumulator.as_mut())?;
        }
        Ok(())
    }

    fn values(&self, held: &[Vec<u8>]) -> Result<ArrayRef, Refused> {
        let value = |held: &Vec<u8>| self.restore(held)?.evaluate().map_err(|_| Refused::Damaged);
        self.column(held.iter().map(value).collect::<Result<_, _>>()?)
    }

    fn merges_in_any_order(&self) -> bool {
        IN_ANY_ORDER.contains(&self.function.fun().name())
    }
}
