//! `output`: rows out, checked and staged.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_select::take::take;
use wasmill_flow::Batch;
use wasmill_operator::Emitted;

use super::call::{Call, CallOf};
use crate::bindings::wasmill::plugin::output::{Column, Host, Origin};
use crate::columns_out;
use crate::declaration::{ColumnFrom, Taken};
use crate::fault::Refusal;
use crate::instance::HostState;

/// The longest reason of a rejected row that is kept, in bytes.
const REASON_BYTES: usize = 4 << 10;

impl Host for HostState {
    fn emit(&mut self, port: u32, origin: Origin, columns: Vec<Column>) -> wasmtime::Result<()> {
        let call = self.call("output.emit")?;
        let emitted = staged(call, port as usize, &origin, columns)?;
        call.emitted.extend(emitted);
        Ok(())
    }

    fn reject(&mut self, rows: Vec<u32>, reasons: Vec<String>) -> wasmtime::Result<()> {
        let call = self.call("output.reject")?;
        let broken = |what: String| Refusal::contract(format!("rejected what can't be: {what}"));
        let batch = match call.of {
            CallOf::Rows(_) => call.rows().map_err(broken)?,
            CallOf::Timers(..) => return Err(broken("timers have no rows".to_owned())),
            CallOf::End => return Err(broken("there is no row at the end of input".to_owned())),
        };
        let count = batch.len();
        if rows.len() != reasons.len() {
            return Err(broken(format!("{} rows with {} reasons", rows.len(), reasons.len())));
        }
        for (row, mut reason) in rows.into_iter().zip(reasons) {
            if row as usize >= count {
                return Err(broken(format!("row {row} of {count}")));
            }
            if call.rejected.iter().any(|(other, _)| *other == row) {
                return Err(broken(format!("row {row} twice")));
            }
            reason.truncate(reason.floor_char_boundary(REASON_BYTES));
            call.rejected.push((row, reason));
        }
        Ok(())
    }
}

/// Checks what is emitted and makes rows of it.
fn staged(call: &mut Call, port: usize, origin: &Origin, columns: Vec<Column>) -> wasmtime::Result<Option<Emitted>> {
    let Some(planned) = call.plan.ports.get(port) else {
        return Err(Refusal::contract(format!("emitted to output {port}; its plan has {} outputs", call.plan.ports.len())));
    };
    let declared = &call.plan.declaration.ports[port];
    let broken = |what: String| Refusal::contract(format!("emitted to output `{}` what can't be: {what}", declared.name));

    let from = rows_from(call, origin).map_err(&broken)?;
    let rows = from.rows();
    call.emitted_rows += rows as u64;
    call.emitted_bytes += columns.iter().map(|column| columns_out::bytes(column) as u64).sum::<u64>();
    let limit = call.limits.output_rows_for(call.batch.as_ref().map_or(0, Batch::len));
    if call.emitted_rows > limit {
        return Err(Refusal::limit(format!("emitted more than {limit} rows in one call")));
    }
    if call.emitted_bytes > call.limits.output_bytes {
        return Err(Refusal::limit(format!("emitted more than {} bytes in one call", call.limits.output_bytes)));
    }
    if columns.len() != planned.gives.len() {
        return Err(broken(format!("{} columns, expected {}, as the plan declares", columns.len(), planned.gives.len())));
    }
    let given = planned
        .gives
        .iter()
        .zip(columns)
        .map(|(field, column)| columns_out::array(field, column, rows))
        .collect::<Result<Vec<_>, _>>()
        .map_err(&broken)?;
    let taken = match (&planned.takes, &call.batch) {
        (Taken::Nothing, _) => Vec::new(),
        (Taken::Input { .. }, Some(_)) if matches!(call.of, CallOf::Timers(..)) => {
            return Err(broken(
                "it takes columns of input rows, but timers have none: it may take the key, or nothing".to_owned(),
            ));
        }
        (Taken::Input { input, .. }, Some(_)) if CallOf::Rows(*input) != call.of => {
            return Err(broken(format!("it takes columns of input {input}, but the rows are of {}", input_of(call))));
        }
        (Taken::Key, Some(_)) if call.key.is_empty() => {
            return Err(broken(format!("it takes the key's columns, but the rows are of {}, which has no key", input_of(call))));
        }
        (Taken::Input { columns, .. }, Some(batch)) => from.take(batch, columns).map_err(&broken)?,
        (Taken::Key, Some(batch)) => from.take(batch, &call.key).map_err(&broken)?,
        (_, None) => return Err(broken("the output takes columns, but at the end of input there are none".to_owned())),
    };
    let columns = planned
        .columns
        .iter()
        .map(|column| match *column {
            ColumnFrom::Taken(index) => taken[index].clone(),
            ColumnFrom::Given(index) => given[index].clone(),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let rows = RecordBatch::try_new_with_options(declared.schema.clone(), columns, &options)
        .map_err(|error| broken(error.to_string()))?;
    let batch = Batch::unkeyed(rows).at(from.times(call, origin));
    Ok((!batch.is_empty()).then_some(Emitted { port, batch }))
}

/// Where output rows come from.
enum From {
    /// Every row of the batch, of so many.
    Every(usize),
    /// These rows of the batch.
    Rows(UInt32Array),
    /// Nowhere, so many.
    Nowhere(usize),
}

/// The input that a call's rows are of, in words.
fn input_of(call: &Call) -> String {
    if let CallOf::Rows(input) = call.of { format!("input {input}") } else { "none".to_owned() }
}

fn rows_from(call: &Call, origin: &Origin) -> Result<From, String> {
    match origin {
        Origin::Batch => call.rows().map(|batch| From::Every(batch.len())),
        Origin::Rows(rows) => {
            let batch = call.rows()?;
            match rows.iter().find(|&&row| row as usize >= batch.len()) {
                Some(row) => Err(format!("origin row {row} of {}", batch.len())),
                None => Ok(From::Rows(UInt32Array::from(rows.clone()))),
            }
        }
        Origin::Keys(keys) => {
            let keyed = call.keyed.as_ref().ok_or_else(|| "origin `keys`, but the input isn't keyed".to_owned())?;
            let first_row = |&key: &u32| keyed.keys.first_row.get(key as usize).copied().ok_or(key);
            let rows = keys.iter().map(first_row).collect::<Result<Vec<u32>, u32>>();
            rows.map(|rows| From::Rows(UInt32Array::from(rows)))
                .map_err(|key| format!("origin key {key} of {}", keyed.keys.count()))
        }
        Origin::Fresh(count) => Ok(From::Nowhere(*count as usize)),
    }
}

impl From {
    fn rows(&self) -> usize {
        match self {
            Self::Every(rows) | Self::Nowhere(rows) => *rows,
            Self::Rows(rows) => rows.len(),
        }
    }

    /// The rows' event times: that of the row that each comes from, the latest of its key's rows, or the latest of the call.
    fn times(&self, call: &Call, origin: &Origin) -> Option<ScalarBuffer<i64>> {
        let other = call.times.as_ref()?;
        match (self, origin, call.batch.as_ref().and_then(|batch| batch.times.as_ref())) {
            (Self::Every(_), _, times) => times.cloned(),
            (_, Origin::Keys(keys), _) => Some(keys.iter().map(|&key| other.of_keys[key as usize]).collect()),
            (Self::Rows(rows), _, Some(times)) => Some(rows.values().iter().map(|&row| times[row as usize]).collect()),
            (Self::Rows(_), _, None) => None,
            (Self::Nowhere(count), ..) => Some(vec![other.latest; *count].into()),
        }
    }

    fn take(&self, batch: &Batch, columns: &[usize]) -> Result<Vec<ArrayRef>, String> {
        let columns = columns.iter().map(|&column| batch.rows.column(column));
        match self {
            Self::Every(_) => Ok(columns.cloned().collect()),
            Self::Rows(rows) => columns.map(|column| take(column, rows, None).map_err(|error| error.to_string())).collect(),
            Self::Nowhere(_) => Err("`fresh` rows on an output that takes columns".to_owned()),
        }
    }
}
