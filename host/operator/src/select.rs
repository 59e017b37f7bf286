//! `select`: these columns, computed, in this order.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use wasmill_flow::Batch;

use crate::computed::{Computed, compute, parse_named};
use crate::contract::{Context, Declaration, Operator, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems, one_output};
use crate::expression::ExpressionProblem;

/// Makes of each row a row of its own columns. A column that is only renamed isn't copied.
#[derive(Debug)]
pub struct Select {
    input_columns: usize,
    output: SchemaRef,
    columns: Vec<Computed>,
}

impl Select {
    /// Columns by name and expression over rows of `input`.
    ///
    /// # Errors
    /// Every problem, at `select.NAME`; at `select` where there are no columns.
    pub fn new(columns: &[(String, String)], input: &SchemaRef) -> Result<Self, DefinitionProblems> {
        let mut problems = Vec::new();
        if columns.is_empty() {
            let problem = ExpressionProblem::new("no-columns", "expected at least one column, found none");
            problems.push(DefinitionProblem::new("select", problem));
        }
        let parsed = parse_named("select", columns, input, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let fields: Vec<Field> = columns.iter().zip(&parsed).map(|((name, _), column)| column.expression().field(name)).collect();
        Ok(Self { input_columns: input.fields().len(), output: Arc::new(Schema::new(fields)), columns: parsed })
    }

    /// One output of its own columns; it reads those that its expressions name, and where they name none the first, since rows
    /// without columns don't travel.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        let mut reads: Vec<usize> = self.columns.iter().flat_map(|column| column.expression().reads()).copied().collect();
        if reads.is_empty() && self.input_columns > 0 {
            reads.push(0);
        }
        reads.sort_unstable();
        reads.dedup();
        one_output(SchemaRef::clone(&self.output), Some(reads))
    }

    fn step(&self, input: usize, batch: Batch, cx: &mut Context) {
        let Some((batch, values)) = compute(&self.columns, batch, input, cx) else { return };
        #[expect(
            clippy::expect_used,
            reason = "values are of their expressions' types; others are a bug that must not pass silently"
        )]
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), values).expect("columns of the declared schema");
        cx.emit(0, Batch::unkeyed(rows).at(batch.times));
    }
}

impl Operator for Select {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        self.step(input, batch, cx);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
