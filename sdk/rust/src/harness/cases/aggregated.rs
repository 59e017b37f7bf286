//! One run of a case of an aggregate function.

use std::collections::BTreeMap;

use super::case::{Case, Step};
use super::cell::Cell;
use super::run::{self, Outcome, key_text, object};
use super::{columns, with_batches};
use crate::aggregate::{Aggregate, Instance};
use crate::bindings::aggregate_function::exports::wasmill::plugin::aggregate::AggregatePlan;
use crate::bindings::data::Batch;
use crate::bindings::{BinaryArray, Column, Field, Input};
use crate::error::{Error, Result};

const EXPECTED: &str = "expected.jsonl";
const VALUE: &str = "value";

/// A case with what the function makes of it.
struct Aggregated<'a, A: Aggregate> {
    case: &'a Case,
    input: &'a Input,
    key: Vec<usize>,
    /// The columns that it is over: those that aren't the key.
    arguments: Vec<usize>,
    instance: Instance<A>,
    result: Field,
    /// The bytes of an accumulator that has seen nothing, where all have as many.
    initial: Option<Vec<u8>>,
    rows: Vec<Vec<Cell>>,
}

/// What is different in a case, a line each.
pub(super) fn differences_of<A: Aggregate>(case: &Case) -> Result<Vec<String>> {
    let aggregated = Aggregated::<A>::new(case)?;
    let wrong = with_batches(|| aggregated.expected(), |most| aggregated.run(most))?;
    if wrong.is_empty() { aggregated.merged() } else { Ok(wrong) }
}

impl<'a, A: Aggregate> Aggregated<'a, A> {
    fn new(case: &'a Case) -> Result<Self> {
        let [input] = case.inputs.as_slice() else {
            return Err(Error::fail("an aggregate function has one input: a case of it has `schema`, not `inputs`"));
        };
        let key: Vec<usize> = run::places(&input.schema, &input.key);
        let arguments: Vec<usize> = (0..input.schema.len()).filter(|column| !key.contains(column)).collect();
        let fields: Vec<Field> = arguments.iter().map(|&column| input.schema[column].clone()).collect();
        let AggregatePlan { result, initial, .. } = Instance::<A>::describe(&case.settings, &fields)?;
        let result = Field { name: VALUE.to_owned(), ..result };
        let mut rows = Vec::new();
        for step in case.steps()? {
            // Nothing goes by time.
            if let Step::Row(_, row) = step {
                rows.push(row);
            }
        }
        Ok(Self { case, input, key, arguments, instance: Instance::open(&case.settings, &fields)?, result, initial, rows })
    }

    fn expected(&self) -> Result<Outcome> {
        let Some(rows) = self.case.rows(EXPECTED)? else { return Err(Error::fail(format!("has no {EXPECTED}"))) };
        let key = self.key.iter().map(|&column| self.input.schema[column].clone());
        let fields: Vec<Field> = key.chain([self.result.clone()]).collect();
        Ok(Outcome::from([(EXPECTED.to_owned(), rows.iter().map(|row| run::as_written(&fields, row)).collect())]))
    }

    /// The value after each row, with calls of at most `most` rows.
    fn run(&self, most: usize) -> Result<Outcome> {
        let mut held: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut lines = Vec::new();
        for rows in self.rows.chunks(most) {
            let (keys, group) = self.keys(rows);
            let accumulators = self.ends(keys.iter().map(|key| held.get(key).map(Vec::as_slice)));
            let (after, values) = self.instance.running(accumulators, &group, &self.batch(rows))?;
            for (at, row) in rows.iter().enumerate() {
                let cells = self.key.iter().map(|&column| (self.input.schema[column].name.as_str(), row[column].to_json()));
                lines.push(object(cells.chain([(VALUE, self.value(&values, at)?.to_json())])));
            }
            held.extend(keys.into_iter().zip(self.parts(&after)));
        }
        Ok(Outcome::from([(EXPECTED.to_owned(), lines)]))
    }

    /// What differs where the halves of each key's rows are merged.
    fn merged(&self) -> Result<Vec<String>> {
        let mut of_keys: BTreeMap<String, Vec<&Vec<Cell>>> = BTreeMap::new();
        self.rows.iter().for_each(|row| of_keys.entry(key_text(row, &self.key)).or_default().push(row));
        let mut wrong = Vec::new();
        for (key, rows) in &of_keys {
            let come_to = |rows: &[&Vec<Cell>]| {
                let rows: Vec<Vec<Cell>> = rows.iter().map(|row| (*row).clone()).collect();
                self.instance.accumulate(self.ends([None]), &vec![0; rows.len()], &self.batch(&rows), |_| {})
            };
            let (left, right) = rows.split_at(rows.len() / 2);
            let merged = self.instance.merge(come_to(left)?, &come_to(right)?)?;
            let (merged, whole) = (self.instance.finish(&merged)?, self.instance.finish(&come_to(rows)?)?);
            let (merged, whole) = (self.value(&merged, 0)?, self.value(&whole, 0)?);
            if !near(&merged, &whole) {
                let key = key.trim_end().replace('\n', ", ");
                let (merged, whole) = (merged.to_json(), whole.to_json());
                wrong.push(format!("key {key}: halves of its rows that are merged come to {merged}, all of them to {whole}"));
            }
        }
        Ok(wrong)
    }

    /// The distinct keys of some rows, and the number of each row's.
    fn keys(&self, rows: &[Vec<Cell>]) -> (Vec<String>, Vec<u32>) {
        let mut keys: Vec<String> = Vec::new();
        let mut numbers = BTreeMap::new();
        let number = |row: &Vec<Cell>| {
            let key = key_text(row, &self.key);
            *numbers.entry(key.clone()).or_insert_with(|| {
                keys.push(key);
                keys.len() as u32 - 1
            })
        };
        let group = rows.iter().map(number).collect();
        (keys, group)
    }

    fn batch(&self, rows: &[Vec<Cell>]) -> Batch {
        let column = |&column: &usize| {
            columns::gather(self.input.schema[column].data_type, &rows.iter().map(|row| &row[column]).collect::<Vec<_>>())
        };
        Batch { rows: rows.len() as u32, columns: self.arguments.iter().map(column).collect() }
    }

    /// Accumulators end to end; nothing for a new one.
    fn ends<'b>(&self, parts: impl IntoIterator<Item = Option<&'b [u8]>>) -> BinaryArray {
        let mut array = BinaryArray { offsets: Vec::new(), data: Vec::new() };
        let fixed = self.initial.is_some();
        array.offsets.extend((!fixed).then_some(0));
        for part in parts {
            array.data.extend_from_slice(part.or(self.initial.as_deref()).unwrap_or_default());
            array.offsets.extend((!fixed).then_some(array.data.len() as u32));
        }
        array
    }

    fn parts(&self, BinaryArray { offsets, data }: &BinaryArray) -> Vec<Vec<u8>> {
        match &self.initial {
            Some(initial) => data.chunks_exact(initial.len()).map(<[u8]>::to_vec).collect(),
            None => offsets.windows(2).map(|ends| data[ends[0] as usize..ends[1] as usize].to_vec()).collect(),
        }
    }

    fn value(&self, values: &Column, at: usize) -> Result<Cell> {
        columns::value(values, self.result.data_type, at).map_err(|what| Error::fail(format!("the value: {what}")))
    }
}

/// Whether two values are the same, or floats that are within a billionth of each other.
fn near(left: &Cell, right: &Cell) -> bool {
    match (left, right) {
        (Cell::Float64(left), Cell::Float64(right)) => (left - right).abs() <= left.abs().max(right.abs()) * 1e-9,
        (Cell::Float32(left), Cell::Float32(right)) => (left - right).abs() <= left.abs().max(right.abs()) * 1e-5,
        (left, right) => left == right,
    }
}
