//! Windows by rows: `count`, which ends when a key has so many, and `global`, which never ends and whose results come each time that a key has so
//! many more. They have no bounds, and no row is late.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{FieldRef, Schema, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, Values};

use super::changes::{self, Changes};
use super::frame::{bug, state, state_of};
use super::keys::{Keys, removal};
use super::order::Places;
use super::rounds::Rounds;
use super::trigger::{ROWS, counted, leave};
use crate::aggregate::{Comes, Computation, Emit, RunningAggregate};
use crate::contract::{Context, Declaration, Operator, OperatorError, PluginCounts, Port, Step};
use crate::definition::DefinitionProblems;

/// Aggregates by key and so many of its rows. Its context has keyed state, of the states that its declaration names.
#[derive(Debug)]
pub struct RowWindows {
    rows: u64,
    /// A window ends with a result.
    ends: bool,
    /// Results are changes of those before.
    changes: Option<Changes>,
    output: SchemaRef,
    key_by: Vec<usize>,
    aggregate: RunningAggregate,
    /// Rows that were in no result when there were no more.
    left: u64,
    call: CallKeys,
}

impl RowWindows {
    /// Aggregates by name and text over rows of `input`, for each key of the columns `key_by`: of each so many rows where a window `ends` with
    /// them, otherwise of all, each time that there are so many more; those of a window that goes on may be changes of those before.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::new`].
    pub fn new(
        key_by: &[usize],
        rows: u64,
        ends: bool,
        retracts: bool,
        mut aggregates: Vec<(String, Computation)>,
        input: &SchemaRef,
    ) -> Result<Self, DefinitionProblems> {
        aggregates.insert(0, (ROWS.to_owned(), Computation::Sql("count(*)".to_owned())));
        let mut aggregate = RunningAggregate::of(key_by, aggregates, Emit::EachRow, input)?;
        aggregate.set_comes(Comes::Every(rows));
        let key = key_by.len();
        let changes = (retracts && !ends).then(|| Changes::new(true, key, false, key + 1, aggregate.output()));
        let given = changes.as_ref().map_or_else(|| aggregate.output(), Changes::output);
        let mut fields: Vec<FieldRef> = given.fields().to_vec();
        fields.remove(key + usize::from(changes.is_some()));
        let output = Arc::new(Schema::new(fields));
        Ok(Self { rows, ends, changes, output, key_by: key_by.to_vec(), aggregate, left: 0, call: CallKeys::default() })
    }

    /// One output, and one state, or two where results are changes.
    #[must_use]
    pub fn declaration(&self) -> Declaration {
        let ports = vec![Port { name: "main".to_owned(), schema: SchemaRef::clone(&self.output) }];
        Declaration { ports, ..changes::declared(self.changes.as_ref(), self.aggregate.declaration()) }
    }

    async fn step(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        if !self.ends {
            return self.count(input, batch, cx).await;
        }
        let mut rounds = Rounds::new(self.rows, &batch, &self.key_by, None, state(cx)?, &mut self.call);
        let places = Places::of(batch.times.as_deref().map(<[i64]>::to_vec), cx);
        let numbers = (0..).take(batch.len()).collect();
        let batch = batch.at(Some(numbers));
        while let Some(now) = rounds.next(state_of(&mut cx.state)?, &mut self.call) {
            let emitted = cx.emitted.len();
            self.count(input, if now.len() == batch.len() { batch.clone() } else { batch.take(&now) }, cx).await?;
            self.forget(emitted, cx)?;
        }
        places.give_back(cx);
        Ok(())
    }

    /// Counts rows; what comes out is what is due.
    async fn count(&mut self, input: usize, batch: Batch, cx: &mut Context) -> Result<(), OperatorError> {
        let emitted = cx.emitted.len();
        self.aggregate.step(input, batch, cx).await?;
        leave(emitted, self.key_by.len(), cx, Comes::Every(self.rows));
        for mut results in cx.emitted.split_off(emitted) {
            if let Some(changes) = &mut self.changes {
                results.batch = changes.of(&results.batch, state_of(&mut cx.state)?)?;
            }
            let mut columns = results.batch.rows.columns().to_vec();
            columns.remove(self.key_by.len() + usize::from(self.changes.is_some()));
            let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).map_err(|error| bug(&error.to_string()))?;
            let times = results.batch.times.take();
            if rows.num_rows() > 0 {
                cx.emit(0, Batch::unkeyed(rows).at(times));
            }
        }
        Ok(())
    }

    /// Forgets the keys of emitted results, whose columns come first in them.
    fn forget(&mut self, emitted: usize, cx: &mut Context) -> Result<(), OperatorError> {
        let state = state_of(&mut cx.state)?;
        for emitted in &cx.emitted[emitted..] {
            let Keys { keys, hashes } = Keys::first(&emitted.batch.rows.columns()[..self.key_by.len()]);
            state.resolve(&keys, &hashes, &mut self.call);
            let none = removal(state.states(), self.call.count());
            state.apply(&self.call, &none);
            state.finish(&self.call);
        }
        Ok(())
    }
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
