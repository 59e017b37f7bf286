//! `with`: all columns, some added or replaced, some dropped.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{FieldRef, Schema, SchemaRef};
use wasmill_flow::Batch;

use crate::computed::{Computed, compute, parse_named};
use crate::contract::{Context, Declaration, Operator, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems, one_output};
use crate::expression::ExpressionProblem;

/// Adds columns to rows or replaces them in their place. Expressions see the columns as they came in; the others aren't copied.
#[derive(Debug)]
pub struct With {
    output: SchemaRef,
    columns: Vec<Computed>,
    sources: Vec<ColumnSource>,
}

/// Where a column of the output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnSource {
    /// A column of the input.
    Input(usize),
    /// An expression.
    Computed(usize),
}

impl With {
    /// Columns to add or replace, by name and expression, and names of columns to drop, over rows of `input`. New columns come
    /// last, in their order.
    ///
    /// # Errors
    /// Every problem, at `with.NAME` and `drop`.
    pub fn new(columns: &[(String, String)], drop: &[String], input: &SchemaRef) -> Result<Self, DefinitionProblems> {
        let mut problems = Vec::new();
        let parsed = parse_named("with", columns, input, &mut problems);
        problems.extend(drop_problems(columns, drop, input));
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut fields: Vec<FieldRef> = Vec::new();
        let mut sources = Vec::new();
        for (index, field) in input.fields().iter().enumerate() {
            if drop.contains(field.name()) {
                continue;
            }
            match columns.iter().position(|(name, _)| name == field.name()) {
                Some(computed) => {
                    fields.push(Arc::new(parsed[computed].expression().field(field.name())));
                    sources.push(ColumnSource::Computed(computed));
                }
                None => {
                    fields.push(Arc::clone(field));
                    sources.push(ColumnSource::Input(index));
                }
            }
        }
        for (computed, (name, _)) in columns.iter().enumerate() {
            if input.index_of(name).is_err() {
                fields.push(Arc::new(parsed[computed].expression().field(name)));
                sources.push(ColumnSource::Computed(computed));
            }
        }
        if fields.is_empty() {
            let problem = ExpressionProblem::new("no-columns", "every column is dropped; at least one must stay");
            return Err(vec![DefinitionProblem::new("drop", problem)]);
        }
        Ok(Self { output: Arc::new(Schema::new(fields)), columns: parsed, sources })
    }

    /// One output; it takes all columns.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        one_output(SchemaRef::clone(&self.output), None)
    }

    fn step(&self, input: usize, batch: Batch, cx: &mut Context) {
        let Some((batch, values)) = compute(&self.columns, batch, input, cx) else { return };
        let column = |source: &ColumnSource| -> ArrayRef {
            match *source {
                ColumnSource::Input(index) => Arc::clone(batch.rows.column(index)),
                ColumnSource::Computed(index) => Arc::clone(&values[index]),
            }
        };
        let columns = self.sources.iter().map(column).collect();
        #[expect(
            clippy::expect_used,
            reason = "values are of their expressions' types; others are a bug that must not pass silently"
        )]
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).expect("columns of the declared schema");
        cx.emit(0, Batch::unkeyed(rows).at(batch.times));
    }
}

fn drop_problems(columns: &[(String, String)], drop: &[String], input: &Schema) -> Vec<DefinitionProblem> {
    let check = |name: &String| {
        if input.index_of(name).is_err() {
            Some(ExpressionProblem::unknown_column(name, input))
        } else if columns.iter().any(|(computed, _)| computed == name) {
            Some(ExpressionProblem::new("duplicate-column", format!("column `{name}` is both dropped and computed")))
        } else {
            None
        }
    };
    drop.iter().filter_map(check).map(|problem| DefinitionProblem::new("drop", problem)).collect()
}

impl Operator for With {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        self.step(input, batch, cx);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
