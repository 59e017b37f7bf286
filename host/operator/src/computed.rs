//! Expressions computed for all rows of a batch, and the death of rows that one of them fails on.

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, UInt32Array};
use wasmill_flow::Batch;
use wasmill_flow::dead_letter::Kind;

use crate::contract::{Context, Dead};
use crate::definition::DefinitionProblem;
use crate::expression::{Expression, ExpressionProblem};

/// An expression and its place in the operator's definition, for reasons: `select.felt`.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    path: String,
    expression: Expression,
}

impl Computed {
    pub(crate) fn new(path: String, expression: Expression) -> Self {
        Self { path, expression }
    }

    pub(crate) fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Why a row is dead: `filter "a / b > 1": divide by zero`.
    pub(crate) fn reason(&self, cause: &str) -> String {
        format!("{} \"{}\": {cause}", self.path, self.expression.text())
    }
}

/// Parses `name: text` pairs below `verb`, keeping every problem.
pub(crate) fn parse_named(
    verb: &str,
    columns: &[(String, String)],
    schema: &arrow_schema::Schema,
    problems: &mut Vec<DefinitionProblem>,
) -> Vec<Computed> {
    let mut parsed = Vec::with_capacity(columns.len());
    for (index, (name, text)) in columns.iter().enumerate() {
        let path = format!("{verb}.{name}");
        if columns[..index].iter().any(|(earlier, _)| earlier == name) {
            let problem = ExpressionProblem::new("duplicate-column", format!("column `{name}` is there twice"));
            problems.push(DefinitionProblem::new(path.clone(), problem));
        }
        match Expression::parse(text, schema) {
            Ok(expression) => parsed.push(Computed::new(path, expression)),
            Err(problem) => problems.push(DefinitionProblem::new(path, problem)),
        }
    }
    parsed
}

/// The values of all expressions for the rows that none of them fails on, and those rows; nothing where no row is left. The
/// others die, for the first expression that fails on them.
pub(crate) fn compute(columns: &[Computed], batch: Batch, input: usize, cx: &mut Context) -> Option<(Batch, Vec<ArrayRef>)> {
    let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
    let values = evaluate(columns, &batch, &mut reasons);
    if reasons.is_empty() {
        return Some((batch, values));
    }
    let alive = bury(&batch, &reasons, input, cx)?;
    // Expressions give the same for the same row, so that none fails on the rest.
    let values = evaluate(columns, &alive, &mut reasons);
    Some((alive, values))
}

fn evaluate(columns: &[Computed], batch: &Batch, reasons: &mut BTreeMap<usize, String>) -> Vec<ArrayRef> {
    let evaluate = |column: &Computed| {
        let evaluated = column.expression.evaluate(&batch.rows);
        for (row, cause) in evaluated.failed {
            reasons.entry(row).or_insert_with(|| column.reason(&cause));
        }
        evaluated.values
    };
    columns.iter().map(evaluate).collect()
}

/// Takes rows out of a batch as dead, with a reason each; gives the others, if there are any.
pub(crate) fn bury(batch: &Batch, reasons: &BTreeMap<usize, String>, input: usize, cx: &mut Context) -> Option<Batch> {
    let (dead, alive): (Vec<u32>, Vec<u32>) = row_numbers(batch).partition(|row| reasons.contains_key(&(*row as usize)));
    let rows = batch.take(&UInt32Array::from(dead));
    cx.dead.push(Dead { input, rows, reasons: reasons.values().cloned().collect(), kind: Kind::Expression });
    (!alive.is_empty()).then(|| batch.take(&UInt32Array::from(alive)))
}

fn row_numbers(batch: &Batch) -> impl Iterator<Item = u32> {
    #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer rows than 4 G")]
    let rows = batch.len() as u32;
    0..rows
}
