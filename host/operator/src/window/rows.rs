//! Windows by rows: `count`, which ends when a key has so many, and `global`, which never ends and whose results come each time that a key has so
//! many more. They have no bounds, and no row is late.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, Values};

use super::frame::{bug, state};
use super::keys::removal;
use super::trigger::{ROWS, every_rows};
use crate::aggregate::{Computation, Emit, RunningAggregate};
use crate::contract::{Context, Declaration, Operator, OperatorError, PluginCounts, Port, Step};
use crate::definition::DefinitionProblems;

/// Aggregates by key and so many of its rows. Its context has keyed state, of the one state that its declaration names.
#[derive(Debug)]
pub struct RowWindows {
    rows: u64,
    /// A window ends with a result.
    ends: bool,
    output: SchemaRef,
    key_by: Vec<usize>,
    aggregate: RunningAggregate,
    /// Rows that were in no result when there were no more.
    left: u64,
    call: CallKeys,
}

impl RowWindows {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by`: of each so many rows where a window `ends` with
    /// them, otherwise of all, each time that there are so many more.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::new`].
    pub fn new(
        key_by: &[usize],
        rows: u64,
        ends: bool,
        mut aggregates: Vec<(String, Computation)>,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        aggregates.insert(0, (ROWS.to_owned(), Computation::Sql("count(*)".to_owned())));
        let mut aggregate = RunningAggregate::of(key_by, aggregates, Emit::EachRow, input)?;
        aggregate.set_every(0, Some(rows));
        let mut fields = aggregate.output().fields().to_vec();
        fields.remove(key_by.len());
        let output = Arc::new(Schema::new(fields));
        Ok(Self { rows, ends, output, key_by: key_by.to_vec(), aggregate, left: 0, call: CallKeys::default() })
    }

    /// One output and one state.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        let ports = vec![Port { name: "main".to_owned(), schema: SchemaRef::clone(&self.output) }];
        Declaration { ports, ..self.aggregate.declaration() }
    }

    async fn step(&mut self, input: usize, mut batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        if !self.ends {
            return self.count(input, batch, cx).await;
        }
        while !batch.is_empty() {
            // No more rows of a key at once than its window has room for.
            let (now, then) = self.rows_of_one_window(&batch, cx)?;
            self.count(input, if then.is_empty() { batch.clone() } else { batch.take(&now.into()) }, cx).await?;
            if then.is_empty() {
                break;
            }
            batch = batch.take(&UInt32Array::from(then));
        }
        Ok(())
    }

    /// The rows that go into the windows that keys have now, and those that come after.
    fn rows_of_one_window(&mut self, batch: &Batch, cx: &mut Context) -> Result<(Vec<u32>, Vec<u32>), OperatorError> {
        let keys = self.keys(batch);
        let hashes = batch.hashes.clone().unwrap_or_else(|| keys.hashes().into());
        let state = state(cx)?;
        let mut values = Values::default();
        state.resolve(&keys, &hashes, &mut self.call);
        state.load(0, &self.call, &mut values);
        state.finish(&self.call);
        let width = state.states()[0].width;
        let mut counts: Vec<u64> =
            (0..self.call.count()).map(|key| values.get(key, width).and_then(counted).unwrap_or(0)).collect();
        let (mut now, mut then) = (Vec::new(), Vec::new());
        for (row, &key) in (0_u32..).zip(&self.call.row_key) {
            let count = &mut counts[key as usize];
            *count += 1;
            if *count <= self.rows { now.push(row) } else { then.push(row) }
        }
        Ok((now, then))
    }

    fn keys(&self, batch: &Batch) -> EncodedKeys {
        let mut keys = EncodedKeys::default();
        keys.encode(&self.key_by.iter().map(|&column| ArrayRef::clone(batch.rows.column(column))).collect::<Vec<_>>());
        keys
    }

    /// Counts rows; what comes out is what is due.
    async fn count(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        let emitted = cx.emitted.len();
        self.aggregate.step(input, batch, cx).await?;
        every_rows(self.rows, emitted, self.key_by.len(), cx);
        if self.ends {
            for index in emitted..cx.emitted.len() {
                self.forget(index, cx)?;
            }
        }
        for emitted in &mut cx.emitted[emitted..] {
            let mut columns = emitted.batch.rows.columns().to_vec();
            columns.remove(self.key_by.len());
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).map_err(|error| bug(&error.to_string()))?;
            emitted.batch = Batch::unkeyed(rows).at(emitted.batch.times.take());
        }
        Ok(())
    }

    /// Forgets the keys of emitted results, whose columns come first in them.
    fn forget(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let mut keys = EncodedKeys::default();
        keys.encode(&cx.emitted[emitted].batch.rows.columns()[..self.key_by.len()]);
        let state = state(cx)?;
        state.resolve(&keys, &keys.hashes(), &mut self.call);
        let none = removal(state.states(), self.call.count());
        state.apply(&self.call, &none);
        state.finish(&self.call);
        Ok(())
    }
}

/// How many rows a key has, of its value in the state.
fn counted(value: &[u8]) -> Option<u64> {
    Some(i64::from_le_bytes(*value.first_chunk()?).cast_unsigned())
}

impl Operator for RowWindows {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move { self.step(input, batch, cx).await })
    }

    /// Windows that rows didn't fill give no result: their rows are counted.
    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            let (mut keys, mut values) = (EncodedKeys::default(), Values::default());
            let state = state(cx)?;
            state.resolve_all(0, &mut keys, &mut Vec::new(), &mut self.call);
            state.load(0, &self.call, &mut values);
            state.finish(&self.call);
            let width = state.states()[0].width;
            let counts = (0..self.call.count()).filter_map(|key| values.get(key, width).and_then(counted));
            self.left += counts.map(|count| count % self.rows).sum::<u64>();
            state.forget(0);
            Ok(())
        })
    }

    fn idle(&mut self) {
        self.aggregate.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        let counts = self.aggregate.plugin_counts();
        PluginCounts { skipped: counts.skipped + self.left, ..counts }
    }
}
