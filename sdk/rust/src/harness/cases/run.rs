//! One run of a case: its rows in, what comes out of them, and what should.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{Case, Row, Step};
use super::cell::Cell;
use super::columns;
use crate::Timestamp;
use crate::bindings::data;
use crate::bindings::plan::{Port, Takes};
use crate::bindings::{Field, Input};
use crate::error::{Error, Result};
use crate::harness::Harness;
use crate::harness::emitted::Whence;
use crate::instance::Instance;
use crate::process_batch::ProcessBatch;

/// For each file of what is expected, its rows as JSON.
pub(super) type Outcome = BTreeMap<String, Vec<String>>;

const DEAD: &str = "dead.jsonl";

/// Runs a case with batches of at most `most` rows.
pub(super) fn run<P: ProcessBatch>(case: &Case, most: usize) -> Result<Outcome> {
    let mut harness = Harness::<P, String>::over(case.settings.clone(), case.inputs.clone())?;
    harness.batches_of(most);
    // Those that have been fed, and behind them those of the next call.
    let mut rows: Vec<(usize, Vec<Cell>)> = Vec::new();
    let mut fed = 0;
    for step in case.steps()? {
        let of_another = |number| rows.last().is_some_and(|(last, _)| *last != number);
        let full = rows.len() - fed == most || matches!(&step, Step::Row(number, _) if of_another(*number));
        if full || !matches!(step, Step::Row(..)) {
            feed(&mut harness, &rows, &mut fed)?;
        }
        match step {
            Step::Row(number, cells) => rows.push((number, cells)),
            Step::Watermark(to) => harness.advance_watermark(Timestamp::from_millis(to))?,
            Step::Clock(to) => harness.advance_clock(Timestamp::from_millis(to))?,
        }
    }
    feed(&mut harness, &rows, &mut fed)?;
    harness.end()?;
    collect(harness, case, &rows)
}

/// What should come out.
pub(super) fn expected<P: ProcessBatch>(case: &Case) -> Result<Outcome> {
    let plan = Instance::<P>::describe(&case.settings, &case.inputs)?;
    let mut outcome = Outcome::new();
    for (number, port) in plan.ports.iter().enumerate() {
        let file = file_of(number, port);
        let fields: Vec<Field> = fields_of(port, case).into_iter().map(|(field, _)| field).collect();
        let rows = match case.rows(&file)? {
            Some(rows) => rows.iter().map(|row| as_written(&fields, row)).collect(),
            None if number == 0 => return Err(Error::fail(format!("has no {file}"))),
            None => Vec::new(),
        };
        outcome.insert(file, rows);
    }
    let dead = case.rows(DEAD)?.unwrap_or_default();
    outcome.insert(DEAD.to_owned(), dead.iter().map(|row| dead_as_written(case, row)).collect());
    Ok(outcome)
}

/// Feeds the rows that have not been fed yet, all of one input.
fn feed<P: ProcessBatch>(harness: &mut Harness<P, String>, rows: &[(usize, Vec<Cell>)], fed: &mut usize) -> Result<()> {
    let first = std::mem::replace(fed, rows.len());
    let rows = &rows[first..];
    let Some((number, _)) = rows.first() else { return Ok(()) };
    let Input { schema, key, .. } = &harness.inputs[*number];
    let reads = harness.plan.reads[*number].as_ref().map_or_else(|| (0..schema.len()).collect(), |names| places(schema, names));
    let columns = reads.into_iter().map(|column| {
        let cells: Vec<&Cell> = rows.iter().map(|(_, row)| &row[column]).collect();
        columns::gather(schema[column].data_type, &cells)
    });
    let batch = data::Batch { rows: rows.len() as u32, columns: columns.collect() };
    let key = places(schema, key);
    let of_row: Vec<String> = rows.iter().map(|(_, row)| key_text(row, &key)).collect();
    harness
        .process(*number, &batch, &of_row, !key.is_empty())
        .map_err(|error| Error::fail(format!("the call with rows from {} on failed: {}", first + 1, error.message())))
}

/// The places of columns by their names.
pub(super) fn places(schema: &[Field], names: &[String]) -> Vec<usize> {
    names.iter().filter_map(|name| schema.iter().position(|field| field.name == *name)).collect()
}

/// A row's key as the harness has it.
pub(super) fn key_text(row: &[Cell], key: &[usize]) -> String {
    key.iter().map(|&column| row[column].to_json() + "\n").collect()
}

/// What the harness holds, as JSON.
fn collect<P: ProcessBatch>(mut harness: Harness<P, String>, case: &Case, rows: &[(usize, Vec<Cell>)]) -> Result<Outcome> {
    let mut outcome = Outcome::new();
    // A timer's key stands for the first row that has it.
    let mut with_key = BTreeMap::new();
    for row in rows {
        let Input { schema, key, .. } = &case.inputs[row.0];
        let key = places(schema, key);
        with_key.entry(key_text(&row.1, &key)).or_insert(row);
    }
    let row_of = |from: &Whence<String>| match from.row {
        Some(row) => Some(&rows[row]),
        None => with_key.get(from.key.as_ref()?).copied(),
    };
    for (number, port) in harness.plan().ports.iter().enumerate() {
        let fields = fields_of(port, case);
        let mut found = Vec::new();
        for sent in harness.emitted.iter().filter(|sent| sent.port as usize == number) {
            for (at, from) in sent.from.iter().enumerate() {
                let cell = |(field, from_column): &(Field, From)| match from_column {
                    From::Given(given) => columns::value(&sent.columns[*given], field.data_type, at)
                        .map_err(|what| Error::fail(format!("output `{}`: column `{}`: {what}", port.name, field.name))),
                    From::Input(column) => Ok(from.row.map_or(Cell::Null, |row| rows[row].1[*column].clone())),
                    From::Key(place) => Ok(row_of(from).map_or(Cell::Null, |row| key_of(case, row, *place))),
                };
                let cells = fields.iter().map(cell).collect::<Result<Vec<_>>>()?;
                found.push(object(fields.iter().map(|(field, _)| field.name.as_str()).zip(cells.iter().map(Cell::to_json))));
            }
        }
        outcome.insert(file_of(number, port), found);
    }
    let dead = harness.rejected().into_iter().map(|rejected| {
        let (input, row) = &rows[rejected.row];
        let names = case.inputs[*input].schema.iter().map(|field| field.name.as_str());
        let row = object(names.zip(row.iter().map(Cell::to_json)));
        dead_letter(&row, "\"rejected\"", &serde_json::Value::from(rejected.reason).to_string())
    });
    outcome.insert(DEAD.to_owned(), dead.collect());
    Ok(outcome)
}

/// Where a column of an output comes from.
enum From {
    /// Of what is emitted.
    Given(usize),
    /// Of the input row.
    Input(usize),
    /// Of the key of the input row.
    Key(usize),
}

/// A part of a row's key.
fn key_of(case: &Case, (input, row): &(usize, Vec<Cell>), place: usize) -> Cell {
    let Input { schema, key, .. } = &case.inputs[*input];
    let column = key.get(place).and_then(|name| schema.iter().position(|field| field.name == *name));
    column.map_or(Cell::Null, |column| row[column].clone())
}

/// The columns of an output, in order: those kept, replaced by those given where names are the same, then the others given.
fn fields_of(port: &Port, case: &Case) -> Vec<(Field, From)> {
    let taken: Vec<(Field, From)> = match &port.takes {
        Takes::Nothing => Vec::new(),
        Takes::Key => {
            let keyed = case.inputs.iter().find(|input| !input.key.is_empty());
            let columns = keyed.into_iter().flat_map(|input| input.key.iter().filter_map(|name| field_of(input, name)));
            columns.enumerate().map(|(place, (_, field))| (field, From::Key(place))).collect()
        }
        Takes::Input(taken) => {
            let input = &case.inputs[taken.input as usize];
            let all = || input.schema.iter().map(|field| field.name.clone()).collect();
            let names: Vec<String> = taken.columns.clone().unwrap_or_else(all);
            let columns = names.iter().filter_map(|name| field_of(input, name));
            columns.map(|(column, field)| (field, From::Input(column))).collect()
        }
    };
    let given = |name: &str| port.gives.iter().position(|field| field.name == name);
    let is_taken = |name: &str| taken.iter().any(|(field, _)| field.name == name);
    let others: Vec<(Field, From)> = port
        .gives
        .iter()
        .enumerate()
        .filter(|(_, field)| !is_taken(&field.name))
        .map(|(given, field)| (field.clone(), From::Given(given)))
        .collect();
    let kept = taken.into_iter().map(|(field, from)| match given(&field.name) {
        Some(given) => (port.gives[given].clone(), From::Given(given)),
        None => (field, from),
    });
    kept.chain(others).collect()
}

fn field_of(input: &Input, name: &str) -> Option<(usize, Field)> {
    let column = input.schema.iter().position(|field| field.name == name)?;
    Some((column, input.schema[column].clone()))
}

fn file_of(number: usize, port: &Port) -> String {
    if number == 0 { "expected.jsonl".to_owned() } else { format!("expected.{}.jsonl", port.name) }
}

/// An expected row as it would come out; as it was written, where it can't.
pub(super) fn as_written(fields: &[Field], row: &Row) -> String {
    let known = row.keys().all(|name| fields.iter().any(|field| field.name == *name));
    let cells = fields.iter().map(|field| Cell::parse(field, row.get(&field.name).map(|json| &**json)).ok());
    match cells.collect::<Option<Vec<_>>>().filter(|_| known) {
        Some(cells) => object(fields.iter().map(|field| field.name.as_str()).zip(cells.iter().map(Cell::to_json))),
        None => object(row.iter().map(|(name, json)| (name.as_str(), json.get().to_owned()))),
    }
}

/// A dead row as it would come out: as one of the first input that could have such a row.
fn dead_as_written(case: &Case, dead: &Row) -> String {
    let json = |name: &str| dead.get(name).map_or("null", |json| json.get());
    let row = serde_json::from_str::<Row>(json("row")).map_or_else(
        |_| json("row").to_owned(),
        |row| {
            let fits = |input: &&Input| row.keys().all(|name| input.schema.iter().any(|field| field.name == *name));
            let input = case.inputs.iter().find(fits).unwrap_or(&case.inputs[0]);
            as_written(&input.schema, &row)
        },
    );
    dead_letter(&row, json("kind"), json("reason"))
}

fn dead_letter(row: &str, kind: &str, reason: &str) -> String {
    format!(r#"{{"row":{row},"kind":{kind},"reason":{reason}}}"#)
}

pub(super) fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("{");
    for (at, (name, json)) in fields.enumerate() {
        // Writing to a string can't fail.
        let _ = write!(text, "{}{}:{json}", if at == 0 { "" } else { "," }, serde_json::Value::from(name));
    }
    text.push('}');
    text
}
