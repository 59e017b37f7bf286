//! `results: retracting`: results as changes of what was said before.
//!
//! What was last said of a key in a window is a state of its own, `said`: the values of its result, each as [`encoding`] has them. The first
//! result of a window is an `insert`; one that differs from what was said is two rows, what was said as `before` and what is so now as
//! `after`; one that doesn't says nothing. A window that is no more, a session that was put together with another, is a `delete` of what
//! was said.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMillisecondType;
use arrow_array::{ArrayRef, RecordBatch, StringViewArray, UInt32Array, new_empty_array};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_select::take::{take_arrays, take_record_batch};
use datafusion_common::ScalarValue;
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, KeyedState, StateNeed, StateWrite, Values};

use super::frame::bug;
use super::keys::nothing;
use crate::aggregate::{SAID, encoding};
use crate::contract::{Declaration, OperatorError};

/// The column that says what a row is to those before it.
pub(super) const CHANGE: &str = "change";

/// What was said of windows.
#[derive(Debug)]
pub(super) struct Changes {
    /// Results of a window may differ from one another; otherwise each is the first and the last.
    differ: bool,
    key: usize,
    /// Keys are in spaces, which come behind the key's columns.
    spaced: bool,
    /// The values begin with this column of what the aggregate gives.
    from: usize,
    output: SchemaRef,
    call: CallKeys,
}

/// What an aggregate declares, with the state beside its own where changes need one: its version is that of the aggregate's values.
pub(super) fn declared(changes: Option<&Changes>, mut aggregate: Declaration) -> Declaration {
    if let Some(changes) = changes.filter(|changes| changes.differ) {
        let version = aggregate.states[0].version;
        aggregate.states.push(StateNeed::values(SAID, version, None));
        if let Some(form) = &mut aggregate.form {
            form.said = Some(changes.from - changes.key - usize::from(changes.spaced));
        }
    }
    aggregate
}

impl Changes {
    /// Changes of what an aggregate by `key` columns gives, whose values begin with column `from`.
    pub(super) fn new(differ: bool, key: usize, spaced: bool, from: usize, aggregate: &Schema) -> Self {
        let change: FieldRef = Arc::new(Field::new(CHANGE, DataType::Utf8View, false));
        let output = Arc::new(Schema::new([change].into_iter().chain(aggregate.fields().iter().cloned()).collect::<Vec<_>>()));
        Self { differ, key, spaced, from, output, call: CallKeys::default() }
    }

    /// What it gives: the column of changes, and the aggregate's.
    pub(super) fn output(&self) -> &SchemaRef {
        &self.output
    }

    /// Makes changes of results, which are said from now on.
    pub(super) fn of(&mut self, results: &Batch, state: &mut dyn KeyedState) -> Result<Batch, OperatorError> {
        let Batch { rows: results, times, .. } = results;
        if !self.differ {
            let change: ArrayRef = Arc::new(StringViewArray::from_iter_values(vec!["insert"; results.num_rows()]));
            return Ok(Batch::unkeyed(self.with(change, results.columns())?).at(times.clone()));
        }
        let mut keys = EncodedKeys::default();
        keys.encode(&results.columns()[..self.key]);
        let mut said = Values::default();
        if self.spaced {
            let spaces = results.column(self.key).as_primitive::<TimestampMillisecondType>().values();
            state.resolve_in(&keys, &keys.hashes(), spaces, &mut self.call);
        } else {
            state.resolve(&keys, &keys.hashes(), &mut self.call);
        }
        state.load(1, &self.call, &mut said);
        let mut now: Vec<Option<Vec<u8>>> = (0..self.call.count()).map(|key| said.get(key, None).map(<[u8]>::to_vec)).collect();
        let (mut changes, mut rows, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &key) in (0_u32..).zip(&self.call.row_key) {
            let mut value = Vec::new();
            results.columns()[self.from..].iter().for_each(|column| encoding::encode(column.as_ref(), row as usize, &mut value));
            let said = &mut now[key as usize];
            if said.as_ref() == Some(&value) {
                continue;
            }
            let before = said.replace(value.clone());
            changes.push(if before.is_some() { "after" } else { "insert" });
            if let Some(before) = before {
                changes.insert(changes.len() - 1, "before");
                rows.push(row);
                values.push(before);
            }
            rows.push(row);
            values.push(value);
        }
        state.apply(&self.call, &[StateWrite { state: 1, keys: None, values: end_to_end(&now) }]);
        state.finish(&self.call);
        let times = times.as_ref().map(|times| rows.iter().map(|&row| times[row as usize]).collect());
        let around = take_record_batch(results, &UInt32Array::from(rows)).map_err(|error| bug(&error.to_string()))?;
        let mut columns = around.columns()[..self.from].to_vec();
        columns.extend(self.values(&values)?);
        Ok(Batch::unkeyed(self.with(Arc::new(StringViewArray::from_iter_values(changes)), &columns)?).at(times))
    }

    /// Takes back what was said of a key, which is the one row of its columns, in spaces where it has nothing any more; nothing where nothing was.
    pub(super) fn taken_back(
        &mut self,
        key: &[ArrayRef],
        spaces: &[i64],
        state: &mut dyn KeyedState,
    ) -> Result<Option<RecordBatch>, OperatorError> {
        if !self.differ {
            return Ok(None);
        }
        let each = UInt32Array::from(vec![0; spaces.len()]);
        let key = take_arrays(key, &each, None).map_err(|error| bug(&error.to_string()))?;
        let mut keys = EncodedKeys::default();
        keys.encode(&key);
        let mut said = Values::default();
        state.resolve_in(&keys, &keys.hashes(), spaces, &mut self.call);
        state.load(1, &self.call, &mut said);
        state.apply(&self.call, &[StateWrite { state: 1, keys: None, values: nothing(spaces.len(), None) }]);
        state.finish(&self.call);
        let (rows, values): (Vec<u32>, Vec<Vec<u8>>) =
            (0_u32..).zip(0..spaces.len()).filter_map(|(row, index)| Some((row, said.get(index, None)?.to_vec()))).unzip();
        if values.is_empty() {
            return Ok(None);
        }
        let rows = UInt32Array::from(rows);
        let mut columns = take_arrays(&key, &rows, None).map_err(|error| bug(&error.to_string()))?;
        // What only operators see isn't known of it, and isn't looked at.
        for field in &self.output.fields()[1 + self.key..=self.from] {
            let zero = ScalarValue::new_zero(field.data_type()).and_then(|zero| zero.to_array_of_size(rows.len()));
            columns.push(zero.map_err(|error| bug(&error.to_string()))?);
        }
        columns.extend(self.values(&values)?);
        self.with(Arc::new(StringViewArray::from_iter_values(vec!["delete"; rows.len()])), &columns).map(Some)
    }

    /// The columns of values that were said.
    fn values(&self, said: &[Vec<u8>]) -> Result<Vec<ArrayRef>, OperatorError> {
        let mut rest: Vec<&[u8]> = said.iter().map(Vec::as_slice).collect();
        let column = |field: &FieldRef| {
            let values = rest.iter_mut().map(|rest| encoding::decode(field.data_type(), rest)).collect::<Option<Vec<_>>>();
            let values = values.ok_or_else(|| bug("what was said can't be read"))?;
            match values.is_empty() {
                true => Ok(new_empty_array(field.data_type())),
                false => ScalarValue::iter_to_array(values).map_err(|error| bug(&error.to_string())),
            }
        };
        self.output.fields()[1 + self.from..].iter().map(column).collect()
    }

    fn with(&self, change: ArrayRef, columns: &[ArrayRef]) -> Result<RecordBatch, OperatorError> {
        let columns = [change].into_iter().chain(columns.iter().cloned()).collect();
        RecordBatch::try_new(SchemaRef::clone(&self.output), columns).map_err(|error| bug(&error.to_string()))
    }
}

/// Values of a state, all of which are there.
fn end_to_end(values: &[Option<Vec<u8>>]) -> Values {
    let mut all = Values { present: vec![0; values.len().div_ceil(8)], offsets: vec![0], data: Vec::new() };
    for (index, value) in values.iter().enumerate() {
        if let Some(value) = value {
            all.present[index / 8] |= 1 << (index % 8);
            all.data.extend_from_slice(value);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the results of a batch are far smaller than 4 GiB")]
        all.offsets.push(all.data.len() as u32);
    }
    all
}
