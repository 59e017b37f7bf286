//! One run of a case of a window function.

use super::case::{Case, Step};
use super::cell::Cell;
use super::run::{self, Outcome, key_text, object};
use super::{columns, with_batches};
use crate::bindings::data::Batch;
use crate::bindings::window_function::exports::wasmill::plugin::window::{Span, WindowPlan};
use crate::bindings::{Field, Input};
use crate::error::{Error, Result};
use crate::window::{Instance, WindowFunction};

const EXPECTED: &str = "expected.jsonl";

/// The rows of a key and window.
struct Rows {
    key: String,
    span: Option<Span>,
    rows: Vec<Vec<Cell>>,
}

/// What is different in a case, a line each.
pub(super) fn differences_of<F: WindowFunction>(case: &Case) -> Result<Vec<String>> {
    let [input] = case.inputs.as_slice() else {
        return Err(Error::fail("a window function has one input: a case of it has `schema`, not `inputs`"));
    };
    let plan = Instance::<F>::describe(&case.settings, &input.schema)?;
    let windows = windows(case, input)?;
    with_batches(|| expected(case, input, &plan), |most| run::<F>(case, input, &plan, &windows, most))
}

/// The windows of a case: what lies between two moments, by key in the order of their first rows; all rows of a key where there are none.
fn windows(case: &Case, input: &Input) -> Result<Vec<Rows>> {
    let key = run::places(&input.schema, &input.key);
    let (mut done, mut open, mut since) = (Vec::new(), Vec::<Rows>::new(), 0);
    for step in case.steps()? {
        match step {
            Step::Row(_, row) => {
                let key = key_text(&row, &key);
                match open.iter_mut().find(|window| window.key == key) {
                    Some(window) => window.rows.push(row),
                    None => open.push(Rows { key, span: None, rows: vec![row] }),
                }
            }
            Step::Watermark(end) => {
                open.iter_mut().for_each(|window| window.span = Some(Span { start: since, end }));
                done.append(&mut open);
                since = end;
            }
            Step::Clock(_) => {}
        }
    }
    if !done.is_empty() && !open.is_empty() {
        return Err(Error::fail("input.jsonl: rows behind the last `@watermark` are in no window: let one follow them"));
    }
    done.append(&mut open);
    Ok(done)
}

fn fields(input: &Input, plan: &WindowPlan) -> Vec<Field> {
    let key = run::places(&input.schema, &input.key).into_iter().map(|column| input.schema[column].clone());
    key.chain(plan.gives.iter().cloned()).collect()
}

fn expected(case: &Case, input: &Input, plan: &WindowPlan) -> Result<Outcome> {
    let Some(rows) = case.rows(EXPECTED)? else { return Err(Error::fail(format!("has no {EXPECTED}"))) };
    let fields = fields(input, plan);
    Ok(Outcome::from([(EXPECTED.to_owned(), rows.iter().map(|row| run::as_written(&fields, row)).collect())]))
}

/// What comes out with calls of at most `most` windows.
fn run<F: WindowFunction>(case: &Case, input: &Input, plan: &WindowPlan, windows: &[Rows], most: usize) -> Result<Outcome> {
    let mut instance = Instance::<F>::open(&case.settings, &input.schema)?;
    let key = run::places(&input.schema, &input.key);
    let reads = run::places(&input.schema, plan.reads.as_deref().unwrap_or_default());
    let fields = fields(input, plan);
    let mut lines = Vec::new();
    for windows in windows.chunks(most) {
        let rows: Vec<&Vec<Cell>> = windows.iter().flat_map(|window| &window.rows).collect();
        let mut starts = vec![0];
        for window in windows {
            starts.push(starts.last().copied().unwrap_or(0) + window.rows.len() as u32);
        }
        let column = |&column: &usize| {
            let cells: Vec<&Cell> = rows.iter().map(|row| &row[column]).collect();
            columns::gather(input.schema[column].data_type, &cells)
        };
        let batch = Batch { rows: rows.len() as u32, columns: reads.iter().map(column).collect() };
        let spans: Option<Vec<Span>> = windows.iter().map(|window| window.span).collect();
        let given = instance.fire(spans.as_deref(), &starts, &batch)?;
        for (row, &of) in given.of.iter().enumerate() {
            let mut cells: Vec<Cell> = key.iter().map(|&column| windows[of as usize].rows[0][column].clone()).collect();
            for (column, field) in given.columns.iter().zip(&plan.gives) {
                let value = columns::value(column, field.data_type, row);
                cells.push(value.map_err(|what| Error::fail(format!("column `{}`: {what}", field.name)))?);
            }
            lines.push(object(fields.iter().map(|field| field.name.as_str()).zip(cells.iter().map(Cell::to_json))));
        }
    }
    Ok(Outcome::from([(EXPECTED.to_owned(), lines)]))
}
