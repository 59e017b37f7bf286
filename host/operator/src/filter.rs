//! `filter`: the rows for which an expression is true. Null is not true.

use arrow_array::cast::AsArray;
use arrow_schema::SchemaRef;
use wasmill_flow::Batch;

use crate::computed::{Computed, compute};
use crate::contract::{Context, Declaration, Operator, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems, one_output};
use crate::expression::Expression;

/// Passes on the rows for which its expression is true, in their order and with their columns.
#[derive(Debug)]
pub struct Filter {
    schema: SchemaRef,
    condition: [Computed; 1],
}

impl Filter {
    /// A filter over rows of `input`.
    ///
    /// # Errors
    /// The problem of the text, at `filter`.
    pub fn new(text: &str, input: &SchemaRef) -> Result<Self, DefinitionProblems> {
        let parsed = Expression::parse(text, input).and_then(Expression::require_boolean);
        let condition = parsed.map_err(|problem| vec![DefinitionProblem::new("filter", problem)])?;
        Ok(Self { schema: SchemaRef::clone(input), condition: [Computed::new("filter".to_owned(), condition)] })
    }

    /// One output of the input's columns, all of which it passes on.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        one_output(SchemaRef::clone(&self.schema), None)
    }

    fn step(&self, input: usize, batch: Batch, cx: &mut Context) {
        let Some((batch, values)) = compute(&self.condition, batch, input, cx) else { return };
        let mask = values[0].as_boolean();
        let kept = match mask.true_count() {
            0 => return,
            all if all == batch.len() => Batch { hashes: None, ..batch },
            _ => batch.filter(mask),
        };
        cx.emit(0, kept);
    }
}

impl Operator for Filter {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        self.step(input, batch, cx);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
