//! Rows of a key combined before they are exchanged: in a batch, those of one key whose windows are the same become one row, with what the
//! aggregates have of them. The aggregate behind the exchange adds that to what it has.
//!
//! It is one batch that is combined, and it never waits: there is nothing to keep at a barrier, and nothing comes later than it would. Results
//! are exactly what rows one by one would come to, dead rows included: where that isn't known beforehand, the rows go as they are. So they do
//! where few rows have a key in common, and then the next batches aren't looked at.

mod groups;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;

use crate::aggregate::{Alone, Computation, Emit, RunningAggregate};
use crate::definition::DefinitionProblems;
use crate::window::Windows;
use groups::Groups;

/// What the column is called behind the key's.
const PART: &str = "@part";
/// A batch is combined that becomes shorter by so many rows in four: less costs more than to count them behind the exchange.
const PAYS: usize = 3;
/// The same where rows go to so many tasks that the one with the most of them would be what the others wait for. Plugins aren't called twice for so little.
const PAYS_FOR_MANY: (u32, usize) = (8, 1);
/// So many batches aren't looked at after one that didn't pay.
const PAUSE: u32 = 63;

/// Combines the rows that a task sends to an aggregate.
#[derive(Debug)]
pub struct Combiner {
    key_by: Vec<usize>,
    aggregate: RunningAggregate,
    windows: Option<Windows>,
    output: SchemaRef,
    groups: Groups,
    /// By so many rows in four a batch has to become shorter.
    pays: usize,
    /// So many batches go as they are.
    pause: u32,
    /// All go as they are.
    stopped: bool,
}

impl Combiner {
    /// A combiner for these aggregates over rows of `input`, by the columns `key_by`; rows of one key are kept apart where they are in other windows,
    /// if there are windows of their event times. They go to so many tasks. Nothing where parts of the rows, put together, aren't exactly what all rows come to.
    ///
    /// # Errors
    /// Every problem, as of [`RunningAggregate::of`].
    pub fn new(
        key_by: &[usize],
        windows: Option<Windows>,
        aggregates: Vec<(String, Computation)>,
        input: &SchemaRef,
        tasks: u32,
    ) -> Result<Option<Self>, DefinitionProblems> {
        let aggregate = RunningAggregate::of(key_by, aggregates, Emit::AtEnd { most_rows: usize::MAX }, input)?;
        let key = key_by.iter().map(|&column| Arc::clone(&input.fields()[column]));
        let part = Arc::new(Field::new(PART, aggregate.part_type(), false));
        let output = Arc::new(Schema::new(key.chain([part]).collect::<Vec<_>>()));
        let key_by = key_by.to_vec();
        let (many, pays_for_many) = PAYS_FOR_MANY;
        let pays = if tasks >= many && !aggregate.is_elsewhere() { pays_for_many } else { PAYS };
        let groups = Groups::default();
        let exact = aggregate.is_exact();
        Ok(exact.then_some(Self { key_by, aggregate, windows, output, groups, pays, pause: 0, stopped: false }))
    }

    /// Combines the rows of a batch that have a key in common, if that pays; `keys` are theirs, whose hashes they carry.
    pub async fn combine(&mut self, batch: &Batch, keys: &EncodedKeys) -> Option<Batch> {
        if self.stopped || self.pause > 0 {
            self.pause = self.pause.saturating_sub(1);
            return None;
        }
        let combined = self.try_to_combine(batch, keys).await;
        if combined.is_none() {
            self.pause = PAUSE;
        }
        combined
    }

    async fn try_to_combine(&mut self, batch: &Batch, keys: &EncodedKeys) -> Option<Batch> {
        let hashes = batch.hashes.as_deref()?;
        let slices = match (&self.windows, &batch.times) {
            (Some(windows), Some(times)) => Some(windows.all_open(times, i64::MIN)?),
            (Some(_), None) => return None,
            (None, _) => None,
        };
        let groups = self.groups.of(keys, hashes, slices.as_deref());
        let saved = batch.len() - groups.first.len();
        if saved * 4 < batch.len() * self.pays {
            return None;
        }
        let parts = self.aggregate.parts(batch, &groups.of_row, groups.first.len()).await;
        self.stopped = matches!(parts, Err(Alone::FromNowOn));
        let parts = parts.ok()?;
        let firsts = batch.take(&groups.first.clone().into());
        let key = self.key_by.iter().map(|&column| ArrayRef::clone(firsts.rows.column(column)));
        let columns = key.chain([parts]).collect();
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns).ok()?;
        let times = batch.times.as_deref().map(|times| groups.latest(times));
        Some(Batch { rows, hashes: firsts.hashes, times, combined: Some(groups.rows.clone().into()) })
    }
}

#[cfg(test)]
mod tests;
