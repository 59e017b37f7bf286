//! The aggregates of an operator, parsed together: every problem of their texts and names.

use arrow_schema::Schema;

use super::{Aggregate, Computation};
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::ExpressionProblem;

/// Aggregates over rows of `input`, but for rows that are kept themselves, and what is wrong with those that aren't there.
pub(super) fn parse(
    key_by: &[usize],
    aggregates: &[(String, Computation)],
    input: &Schema,
) -> (Vec<Aggregate>, DefinitionProblems) {
    let mut problems = Vec::new();
    let mut parsed = Vec::with_capacity(aggregates.len());
    if key_by.is_empty() {
        let problem = ExpressionProblem::new("no-columns", "expected at least one column, found none");
        problems.push(DefinitionProblem::new("key-by", problem));
    }
    if aggregates.is_empty() {
        let problem = ExpressionProblem::new("no-columns", "expected at least one aggregate, found none");
        problems.push(DefinitionProblem::new("aggregate", problem));
    }
    for (index, (name, computation)) in aggregates.iter().enumerate() {
        let mut complain = |problem| problems.push(DefinitionProblem::new(format!("aggregate.{name}"), problem));
        if key_by.iter().any(|&key| input.field(key).name() == name) {
            let message = format!("column `{name}` is a column of key-by already; another name is needed");
            complain(ExpressionProblem::new("duplicate-column", message));
        }
        if aggregates[..index].iter().any(|(earlier, _)| earlier == name) {
            complain(ExpressionProblem::new("duplicate-column", format!("column `{name}` is there twice")));
        }
        let aggregate = match computation {
            Computation::Sql(text) => Aggregate::parse(text, input),
            // Rows stand last, and have been taken away.
            Computation::Rows(_) => continue,
            Computation::Foreign { format, result, of, aggregate, .. } => {
                Aggregate::foreign(format.clone(), aggregate.initial().map(<[u8]>::to_vec), result, of, input)
            }
        };
        match aggregate {
            Ok(aggregate) => parsed.push(aggregate),
            Err(problem) => complain(problem),
        }
    }
    (parsed, problems)
}
