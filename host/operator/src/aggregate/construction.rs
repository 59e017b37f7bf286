//! What a running aggregate is made of: its definition, read and checked.

use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, StateWrite, Values};

use super::call::Aggregate;
use super::collected::Collected;
use super::foreign::{Computation, Elsewhere};
use super::form::{Space, StateForm};
use super::layout::{Accumulators, Layout};
use super::parsed::parse;
use super::retract::{ROWS, keeps_what_came};
use super::{Emit, RunningAggregate};
use crate::computed::Computed;
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::Expression;

impl RunningAggregate {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by`.
    ///
    /// # Errors
    /// Every problem, at `key-by` and `aggregate.NAME`; at `aggregate` where there are no aggregates.
    ///
    /// # Panics
    /// Where `input` has fewer columns than an index of `key_by` says: names have been looked up before.
    pub fn new(
        key_by: &[usize],
        aggregates: &[(String, String)],
        emit: Emit,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let sql = |(name, text): &(String, String)| (name.clone(), Computation::Sql(text.clone()));
        Self::of(key_by, aggregates.iter().map(sql).collect(), emit, input)
    }

    /// The same of aggregates that needn't be computed here.
    ///
    /// # Errors
    /// As [`Self::new`].
    ///
    /// # Panics
    /// Where `input` has fewer columns than an index says: names have been looked up before.
    pub fn of(
        key_by: &[usize],
        aggregates: Vec<(String, Computation)>,
        emit: Emit,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        Self::made(key_by, aggregates, None, emit, input)
    }

    /// The same, where rows for which a condition is true are taken back. A key whose rows have all been taken back is forgotten.
    ///
    /// # Errors
    /// As [`Self::new`], and at `retract-where`; and of each aggregate that rows can't be taken back from.
    ///
    /// # Panics
    /// As [`Self::of`].
    pub fn retracting(
        key_by: &[usize],
        mut aggregates: Vec<(String, Computation)>,
        retract_where: &str,
        emit: Emit,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let condition = Expression::parse(retract_where, input).and_then(Expression::require_boolean);
        let condition = condition.map_err(|problem| vec![DefinitionProblem::new("retract-where", problem)])?;
        aggregates.insert(0, (ROWS.to_owned(), Computation::Sql("count(*)".to_owned())));
        let names: Vec<String> = aggregates.iter().map(|(name, _)| name.clone()).collect();
        let made = Self::made(key_by, aggregates, Some(condition), emit, input)?;
        let keeping = |number: usize| DefinitionProblem::new(format!("aggregate.{}", names[number]), keeps_what_came());
        let problems: DefinitionProblems = made.keeping().map(keeping).collect();
        if problems.is_empty() { Ok(made) } else { Err(problems) }
    }

    fn made(
        key_by: &[usize],
        mut aggregates: Vec<(String, Computation)>,
        retract_where: Option<Expression>,
        emit: Emit,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        let rows = aggregates.pop_if(|(_, computation)| matches!(computation, Computation::Rows(_)));
        let collected = rows.and_then(|(name, computation)| match computation {
            Computation::Rows(columns) => Some((name, Collected::new(columns, input))),
            Computation::Sql(_) | Computation::Foreign { .. } => None,
        });
        let (parsed, problems) = parse(key_by, &aggregates, input);
        if !problems.is_empty() {
            return Err(problems);
        }
        let keys = key_by.iter().map(|&index| Arc::clone(&input.fields()[index]));
        let values = aggregates.iter().zip(&parsed).map(|((name, _), aggregate)| Arc::new(aggregate.field(name)));
        let values = values.skip(usize::from(retract_where.is_some()));
        let rows = collected.iter().map(|(name, collected)| Arc::new(collected.field(name)));
        let output = Arc::new(Schema::new(keys.chain(values).chain(rows).collect::<Vec<FieldRef>>()));
        let collected = collected.map(|(_, collected)| collected);
        let kept = collected.iter().flat_map(Collected::reads);
        let condition = retract_where.iter().flat_map(Expression::reads);
        let mut reads: Vec<usize> =
            parsed.iter().flat_map(Aggregate::reads).chain(key_by).chain(kept).chain(condition).copied().collect();
        reads.sort_unstable();
        reads.dedup();
        let (mut arguments, mut argument_of) = (Vec::new(), Vec::new());
        for ((name, _), aggregate) in aggregates.iter().zip(&parsed) {
            let mut compute =
                |expression: &Expression| arguments.push(Computed::new(format!("aggregate.{name}"), expression.clone()));
            aggregate.arguments.iter().chain(&aggregate.filter).for_each(&mut compute);
            let end = arguments.len() - usize::from(aggregate.filter.is_some());
            argument_of.push((end - aggregate.arguments.len()..end, aggregate.filter.as_ref().map(|_| end)));
        }
        let retracts = retract_where.is_some();
        arguments.extend(retract_where.map(|condition| Computed::new("retract-where".to_owned(), condition)));
        let named = |(name, computation): &(String, Computation)| match computation {
            Computation::Sql(text) | Computation::Foreign { text, .. } => format!("aggregate.{name} \"{text}\""),
            Computation::Rows(_) => name.clone(),
        };
        let named = aggregates.iter().map(named).collect();
        let layout = Layout::new(&parsed, retracts);
        let form = StateForm::new(input, &aggregates, collected.as_ref().map(Collected::reads), retracts);
        let elsewhere = aggregates.into_iter().enumerate().filter_map(|(number, (_, computation))| match computation {
            Computation::Sql(_) | Computation::Rows(_) => None,
            Computation::Foreign { aggregate, .. } => Some(Elsewhere { number, aggregate }),
        });
        Ok(Self {
            output,
            key_by: key_by.to_vec(),
            arguments,
            argument_of,
            named,
            elsewhere: elsewhere.collect(),
            collected,
            layout,
            form,
            reads,
            emit,
            retracts,
            keys: EncodedKeys::default(),
            call: CallKeys::default(),
            write: StateWrite { state: 0, keys: None, values: Values::default() },
            accumulators: Accumulators::default(),
            others: Accumulators::default(),
            space: None,
        })
    }

    /// The same of keys that are in spaces, each row's in that which a column of timestamps says. The column comes out behind the key's.
    pub(crate) fn in_spaces(mut self, space: Space, column: usize, input: &Schema) -> Self {
        self.form.space = Some(space);
        let mut fields = self.output.fields().to_vec();
        fields.insert(self.key_by.len(), Arc::new(input.field(column).clone()));
        Self { space: Some(column), output: Arc::new(Schema::new(fields)), ..self }
    }
}
