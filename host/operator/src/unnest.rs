//! `unnest`: a row for each item of a column's lists. A null or empty list gives none.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::take;
use wasmill_flow::Batch;

use crate::contract::{Context, Declaration, Operator, Step};
use crate::definition::{DefinitionProblem, DefinitionProblems, one_output};
use crate::expression::ExpressionProblem;

/// Puts the items of a list in the place of the list, a row each, and repeats the other columns. Rows keep their order, and items
/// that of their list. One gather a column; the items of lists without nulls aren't copied.
#[derive(Debug)]
pub struct Unnest {
    output: SchemaRef,
    column: usize,
    most_rows: usize,
}

impl Unnest {
    /// The lists of `column`, whose items are called `name` then, over rows of `input`. At most `most_rows` rows leave in a batch.
    ///
    /// # Errors
    /// A column that isn't there or has no lists, at `unnest`; a name that another column has, at `as`.
    pub fn new(column: &str, name: &str, input: &SchemaRef, most_rows: usize) -> Result<Self, DefinitionProblems> {
        let refuse = |path: &str, problem| vec![DefinitionProblem::new(path, problem)];
        let Ok(index) = input.index_of(column) else {
            return Err(refuse("unnest", ExpressionProblem::unknown_column(column, input)));
        };
        let DataType::List(item) = input.field(index).data_type() else {
            let found = wasmill_flow::column_type::name(input.field(index).data_type());
            return Err(refuse("unnest", ExpressionProblem::new("type", format!("expected a list, found {found}"))));
        };
        if input.fields().iter().enumerate().any(|(other, field)| other != index && field.name() == name) {
            let message = format!("column `{name}` is there already");
            return Err(refuse("as", ExpressionProblem::new("duplicate-column", message)));
        }
        let mut fields: Vec<FieldRef> = input.fields().iter().map(Arc::clone).collect();
        fields[index] = Arc::new(Field::new(name, item.data_type().clone(), item.is_nullable()));
        Ok(Self { output: Arc::new(Schema::new(fields)), column: index, most_rows: most_rows.max(1) })
    }

    /// One output of the input's columns, with items for lists; it passes on all of them.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        one_output(SchemaRef::clone(&self.output), None)
    }

    fn step(&self, batch: &Batch, cx: &mut Context) {
        let lists = batch.rows.column(self.column).as_list::<i32>();
        let rows = Items::of(lists);
        let mut first = 0;
        while first < rows.row.len() {
            let part = first..rows.row.len().min(first + self.most_rows);
            first = part.end;
            let numbers = UInt32Array::from(rows.row[part.clone()].to_vec());
            let items = rows.values(lists, part);
            let column = |(index, column): (usize, &ArrayRef)| {
                if index == self.column { Arc::clone(&items) } else { gather(column, &numbers) }
            };
            let columns = batch.rows.columns().iter().enumerate().map(column).collect();
            #[expect(
                clippy::expect_used,
                reason = "items are of their list's type; others are a bug that must not pass silently"
            )]
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).expect("columns of the declared schema");
            let times = batch.times.as_ref();
            let times = times.map(|times| numbers.values().iter().map(|&row| times[row as usize]).collect());
            cx.emit(0, Batch::unkeyed(rows).at(times));
        }
    }
}

/// The items of all lists, in order.
struct Items {
    /// The row of each.
    row: Vec<u32>,
    place: Place,
}

/// Where items are among the lists' values.
enum Place {
    /// One after the other, from here.
    Together(usize),
    /// Each where it says: null lists may lie over values that are nobody's.
    Each(Vec<u32>),
}

impl Items {
    fn of(lists: &ListArray) -> Self {
        let offsets = lists.value_offsets();
        let ranges = || offsets.windows(2).zip(0u32..).filter(|(_, row)| lists.is_valid(*row as usize));
        let mut row = Vec::with_capacity(lists.values().len());
        for (range, number) in ranges() {
            row.extend((range[0]..range[1]).map(|_| number));
        }
        let (start, end) = (offsets[0], offsets[lists.len()]);
        #[expect(clippy::cast_sign_loss, reason = "offsets of lists are never negative")]
        let place = if row.len() == (end - start) as usize {
            Place::Together(start as usize)
        } else {
            Place::Each(ranges().flat_map(|(range, _)| range[0] as u32..range[1] as u32).collect())
        };
        Self { row, place }
    }

    fn values(&self, lists: &ListArray, part: Range<usize>) -> ArrayRef {
        match &self.place {
            Place::Together(start) => lists.values().slice(start + part.start, part.len()),
            Place::Each(places) => gather(lists.values(), &UInt32Array::from(places[part].to_vec())),
        }
    }
}

fn gather(column: &ArrayRef, rows: &UInt32Array) -> ArrayRef {
    #[expect(clippy::expect_used, reason = "rows and items are those of the batch; others are a bug that must not pass silently")]
    take(column, rows, None).expect("rows within the batch")
}

impl Operator for Unnest {
    fn process<'a>(&'a mut self, _input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        self.step(&batch, cx);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
