//! Expressions, checked by the catalog against the columns that they see.

use std::ops::Range;

use arrow_schema::{Field, Schema};
use wasmill_flow::column_type;

use crate::catalog::{Checked, ExpressionProblem};
use crate::nearest::nearest;
use crate::place::{At, Place, Spot};
use crate::problem::{Problems, code, one_of};
use crate::validate::Given;
use crate::written::Column;

/// What expressions of an operator see.
pub struct Scope<'a> {
    /// The columns.
    pub schema: &'a Schema,
    /// Whose they are, for messages.
    pub of: String,
    /// Whether they are aggregates.
    pub aggregates: bool,
}

impl Scope<'_> {
    /// Checks an expression by itself.
    pub fn check(&self, expression: &At<String>, given: &Given<'_>, problems: &mut Problems) -> Option<Checked> {
        let checked = if self.aggregates {
            given.catalog.aggregate(&expression.value, self.schema)
        } else {
            given.catalog.expression(&expression.value, self.schema)
        };
        let fault = match checked {
            Ok(checked) => return Some(checked),
            Err(fault) => fault,
        };
        match fault {
            ExpressionProblem::UnknownColumn { name, span } => {
                let spot = within(expression, span, given.text);
                self.report_column(&At { value: name, spot }, problems);
            }
            ExpressionProblem::Invalid { message, span, suggestion } => {
                let spot = within(expression, span, given.text);
                let what = if self.aggregates { "an SQL aggregate" } else { "an SQL expression" };
                let problem = problems.error(code::INVALID_EXPRESSION, &spot).message(message);
                problem.expected(format!("{what} over the columns of {}", self.of));
                if let Some(suggestion) = suggestion {
                    problem.advice(suggestion);
                }
            }
        }
        None
    }

    /// Checks a column: its expression, and that rows may have such a column.
    pub fn check_column(&self, column: &Column, given: &Given<'_>, problems: &mut Problems) -> Option<Checked> {
        let expression = column.expression.as_ref()?;
        let checked = self.check(expression, given, problems)?;
        if !column_type::is_supported(checked.field.data_type()) {
            problems
                .error(code::UNKNOWN_TYPE, &expression.spot)
                .found(column_type::name(checked.field.data_type()))
                .expected(format!("a column's type: {}", one_of(column_type::SCALARS)))
                .advice("bring it into one of them with a cast");
            return None;
        }
        let field = Field::new(&column.name.value, checked.field.data_type().clone(), checked.field.is_nullable());
        Some(Checked { field, reads: checked.reads })
    }

    /// The index of a column, by name.
    pub fn column(&self, name: &At<String>, problems: &mut Problems) -> Option<usize> {
        let index = self.schema.fields().iter().position(|field| *field.name() == name.value);
        if index.is_none() {
            self.report_column(name, problems);
        }
        index
    }

    fn report_column(&self, name: &At<String>, problems: &mut Problems) {
        let meant = nearest(&name.value, self.schema.fields().iter().map(|field| field.name().as_str()));
        let problem = problems.error(code::UNKNOWN_COLUMN, &name.spot).found(name.value.clone());
        problem.expected(format!("a column of {}", self.of)).meant(meant);
        if meant.is_none() {
            let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
            problem.advice(format!("its columns are {}", columns.join(", ")));
        }
    }
}

/// The spot of a part of an expression, where the expression stands in the file as it is; otherwise of the whole expression.
fn within(expression: &At<String>, span: Option<Range<usize>>, text: &str) -> Spot {
    let spot = expression.spot.clone();
    let characters = span.and_then(|span| expression.value.get(..span.start)).map(|before| before.chars().count());
    let (Some(characters), Place::File { line, column }) = (characters, spot.place) else { return spot };
    let Some(from) = text.lines().nth(line - 1).and_then(|line| line.char_indices().nth(column - 1).map(|(at, _)| &line[at..]))
    else {
        return spot;
    };
    let unquoted = from.strip_prefix(['"', '\'']).unwrap_or(from);
    if !unquoted.starts_with(&expression.value) {
        return spot;
    }
    let quote = from.len() - unquoted.len();
    Spot { place: spot.place.right(quote + characters), path: spot.path }
}
