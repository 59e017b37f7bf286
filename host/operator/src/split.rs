//! `split`: each row to the output of the first condition that is true, the others to the last output. Null is not true.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_schema::SchemaRef;
use wasmill_flow::Batch;

use crate::computed::{Computed, compute};
use crate::contract::{Context, Declaration, Operator, Port, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems};
use crate::expression::{Expression, ExpressionProblem};

/// The output of the rows for which no condition is true.
const REST: &str = "rest";

/// Sends rows on, in their order and with their columns, by conditions. A condition is computed only for the rows that none
/// before it is true for, as in `case`: `none: "b = 0", much: "a / b > 10"` doesn't divide by zero.
#[derive(Debug)]
pub struct Split {
    schema: SchemaRef,
    names: Vec<String>,
    conditions: Vec<[Computed; 1]>,
}

impl Split {
    /// Outputs by name and condition over rows of `input`; the output `rest` comes after them.
    ///
    /// # Errors
    /// Every problem, at `split.NAME`; at `split` where there are no conditions.
    pub fn new(conditions: &[(String, String)], input: &SchemaRef) -> Result<Self, DefinitionProblems> {
        let mut problems = Vec::new();
        let mut parsed = Vec::with_capacity(conditions.len());
        if conditions.is_empty() {
            let problem = ExpressionProblem::new("no-columns", "expected at least one condition, found none");
            problems.push(DefinitionProblem::new("split", problem));
        }
        for (index, (name, text)) in conditions.iter().enumerate() {
            let path = format!("split.{name}");
            if name == REST || conditions[..index].iter().any(|(earlier, _)| earlier == name) {
                let problem = ExpressionProblem::new("duplicate-column", format!("output `{name}` is there already"));
                problems.push(DefinitionProblem::new(path.clone(), problem));
            }
            match Expression::parse(text, input).and_then(Expression::require_boolean) {
                Ok(condition) => parsed.push([Computed::new(path, condition)]),
                Err(problem) => problems.push(DefinitionProblem::new(path, problem)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = conditions.iter().map(|(name, _)| name.clone()).chain([REST.to_owned()]).collect();
        Ok(Self { schema: SchemaRef::clone(input), names, conditions: parsed })
    }

    /// An output for each condition and one for the rest, of the input's columns, all of which it passes on.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        let port = |name: &String| Port { name: name.clone(), schema: SchemaRef::clone(&self.schema) };
        Declaration { ports: self.names.iter().map(port).collect(), states: Vec::new(), form: None, reads: vec![None] }
    }

    fn step(&self, input: usize, batch: Batch, cx: &mut Context) {
        let mut rest = Batch { hashes: None, ..batch };
        for (port, condition) in self.conditions.iter().enumerate() {
            let Some((alive, values)) = compute(condition, rest, input, cx) else { return };
            let holds = values[0].as_boolean();
            match holds.true_count() {
                0 => rest = alive,
                all if all == alive.len() => return cx.emit(port, alive),
                _ => {
                    cx.emit(port, alive.filter(holds));
                    let holds_not: BooleanArray = holds.iter().map(|holds| Some(holds != Some(true))).collect();
                    rest = alive.filter(&holds_not);
                }
            }
        }
        cx.emit(self.conditions.len(), rest);
    }
}

impl Operator for Split {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        self.step(input, batch, cx);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
