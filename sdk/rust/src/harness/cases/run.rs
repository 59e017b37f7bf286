//! One run of a case: its rows in, what comes out of them, and what should.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::{Case, Row};
use super::cell::Cell;
use super::columns;
use crate::bindings::data::{self, Keys};
use crate::bindings::plan::{Port, Takes};
use crate::bindings::{Field, Input, Plan};
use crate::error::{Error, Result};
use crate::harness::Harness;
use crate::instance::Instance;
use crate::process_batch::ProcessBatch;

/// For each file of what is expected, its rows as JSON.
pub(super) type Outcome = BTreeMap<String, Vec<String>>;

const DEAD: &str = "dead.jsonl";

/// Runs a case with batches of at most `most` rows.
pub(super) fn run<P: ProcessBatch>(case: &Case, most: usize) -> Result<Outcome> {
    let rows = read(&case.schema, &case.rows("input.jsonl")?.ok_or_else(|| Error::fail("has no input.jsonl"))?, "input.jsonl")?;
    let place = |name: &String| {
        let place = case.schema.iter().position(|field| field.name == *name);
        place.ok_or_else(|| Error::fail(format!("key-by: the schema has no column `{name}`")))
    };
    let key = case.key.iter().map(place).collect::<Result<Vec<_>>>()?;
    let mut harness = Harness::<P, String>::over(case.settings.clone(), input(case))?;
    let reads = reads(harness.plan(), &case.schema);
    for (number, batch) in rows.chunks(most).enumerate() {
        feed(&mut harness, batch, &reads, &key).map_err(|error| {
            Error::fail(format!("the call with rows from {} on failed: {}", number * most + 1, error.message()))
        })?;
    }
    harness.end()?;
    collect(harness, case, &rows)
}

/// What should come out.
pub(super) fn expected<P: ProcessBatch>(case: &Case) -> Result<Outcome> {
    let plan = Instance::<P>::describe(&case.settings, &[input(case)])?;
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
    outcome.insert(DEAD.to_owned(), dead.iter().map(|row| dead_as_written(&case.schema, row)).collect());
    Ok(outcome)
}

fn input(case: &Case) -> Input {
    Input { name: "input".to_owned(), schema: case.schema.clone(), key: case.key.clone() }
}

/// The places of the columns that the operator reads.
fn reads(plan: &Plan, schema: &[Field]) -> Vec<usize> {
    match &plan.reads[0] {
        None => (0..schema.len()).collect(),
        Some(names) => names.iter().filter_map(|name| schema.iter().position(|field| field.name == *name)).collect(),
    }
}

fn read(schema: &[Field], rows: &[Row], file: &str) -> Result<Vec<Vec<Cell>>> {
    let read = |(at, row): (usize, &Row)| {
        let cells = schema.iter().map(|field| Cell::parse(field, row.get(&field.name).map(|json| &**json)));
        cells.collect::<Result<Vec<_>>>().map_err(|error| Error::fail(format!("{file} line {}: {}", at + 1, error.message())))
    };
    rows.iter().enumerate().map(read).collect()
}

fn feed<P: ProcessBatch>(harness: &mut Harness<P, String>, rows: &[Vec<Cell>], reads: &[usize], key: &[usize]) -> Result<()> {
    let schema = harness.input.schema.clone();
    let columns = reads.iter().map(|&column| {
        let cells: Vec<&Cell> = rows.iter().map(|row| &row[column]).collect();
        columns::gather(schema[column].data_type, &cells)
    });
    let batch = data::Batch { rows: rows.len() as u32, columns: columns.collect() };
    let of_row: Vec<String> = rows.iter().map(|row| key.iter().map(|&column| row[column].to_json() + "\n").collect()).collect();
    let mut keys: Vec<String> = Vec::new();
    let mut numbers = BTreeMap::new();
    let number = |key: &String| {
        *numbers.entry(key.clone()).or_insert_with(|| {
            keys.push(key.clone());
            keys.len() as u32 - 1
        })
    };
    let row_key = of_row.iter().map(number).collect();
    let given = Keys { count: keys.len() as u32, columns: Vec::new(), row_key };
    harness.call(&keys, &of_row, |instance| instance.process(&batch, (!key.is_empty()).then_some(&given)))
}

/// What the harness holds, as JSON.
fn collect<P: ProcessBatch>(mut harness: Harness<P, String>, case: &Case, rows: &[Vec<Cell>]) -> Result<Outcome> {
    let mut outcome = Outcome::new();
    for (number, port) in harness.plan().ports.iter().enumerate() {
        let fields = fields_of(port, case);
        let mut found = Vec::new();
        for sent in harness.emitted.iter().filter(|sent| sent.port as usize == number) {
            for (at, from) in sent.from.iter().enumerate() {
                let cell = |(field, from_column): &(Field, From)| match from_column {
                    From::Given(given) => columns::value(&sent.columns[*given], field.data_type, at)
                        .map_err(|what| Error::fail(format!("output `{}`: column `{}`: {what}", port.name, field.name))),
                    From::Input(column) => Ok(from.as_ref().map_or(Cell::Null, |(row, _)| rows[*row][*column].clone())),
                };
                let cells = fields.iter().map(cell).collect::<Result<Vec<_>>>()?;
                found.push(object(fields.iter().map(|(field, _)| field.name.as_str()).zip(cells.iter().map(Cell::to_json))));
            }
        }
        outcome.insert(file_of(number, port), found);
    }
    let names = case.schema.iter().map(|field| field.name.as_str());
    let dead = harness.rejected().into_iter().map(|rejected| {
        let row = object(names.clone().zip(rows[rejected.row].iter().map(Cell::to_json)));
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
}

/// The columns of an output, in order: those kept, replaced by those given where names are the same, then the others given.
fn fields_of(port: &Port, case: &Case) -> Vec<(Field, From)> {
    let taken: Vec<&str> = match &port.takes {
        Takes::Nothing => Vec::new(),
        Takes::Key => case.key.iter().map(String::as_str).collect(),
        Takes::Input(taken) => match &taken.columns {
            None => case.schema.iter().map(|field| field.name.as_str()).collect(),
            Some(names) => names.iter().map(String::as_str).collect(),
        },
    };
    let given = |name: &str| port.gives.iter().position(|field| field.name == name);
    let mut fields = Vec::new();
    for name in &taken {
        match (given(name), case.schema.iter().position(|field| field.name == *name)) {
            (Some(given), _) => fields.push((port.gives[given].clone(), From::Given(given))),
            (None, Some(column)) => fields.push((case.schema[column].clone(), From::Input(column))),
            (None, None) => {}
        }
    }
    let others = port.gives.iter().enumerate().filter(|(_, field)| !taken.contains(&field.name.as_str()));
    fields.extend(others.map(|(given, field)| (field.clone(), From::Given(given))));
    fields
}

fn file_of(number: usize, port: &Port) -> String {
    if number == 0 { "expected.jsonl".to_owned() } else { format!("expected.{}.jsonl", port.name) }
}

/// An expected row as it would come out; as it was written, where it can't.
fn as_written(fields: &[Field], row: &Row) -> String {
    let known = row.keys().all(|name| fields.iter().any(|field| field.name == *name));
    let cells = fields.iter().map(|field| Cell::parse(field, row.get(&field.name).map(|json| &**json)).ok());
    match cells.collect::<Option<Vec<_>>>().filter(|_| known) {
        Some(cells) => object(fields.iter().map(|field| field.name.as_str()).zip(cells.iter().map(Cell::to_json))),
        None => object(row.iter().map(|(name, json)| (name.as_str(), json.get().to_owned()))),
    }
}

fn dead_as_written(schema: &[Field], dead: &Row) -> String {
    let json = |name: &str| dead.get(name).map_or("null", |json| json.get());
    let row = serde_json::from_str::<Row>(json("row")).map_or_else(|_| json("row").to_owned(), |row| as_written(schema, &row));
    dead_letter(&row, json("kind"), json("reason"))
}

fn dead_letter(row: &str, kind: &str, reason: &str) -> String {
    format!(r#"{{"row":{row},"kind":{kind},"reason":{reason}}}"#)
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("{");
    for (at, (name, json)) in fields.enumerate() {
        // Writing to a string can't fail.
        let _ = write!(text, "{}{}:{json}", if at == 0 { "" } else { "," }, serde_json::Value::from(name));
    }
    text.push('}');
    text
}
