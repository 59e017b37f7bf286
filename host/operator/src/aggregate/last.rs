//! `emit: final`: a row for each key at the end of bounded input.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices};
use arrow_schema::SchemaRef;
use datafusion_common::ScalarValue;
use wasmill_flow::Batch;
use wasmill_state::{KeyedState, Values};

use super::{Emit, RunningAggregate, bug, damaged, encoding, foreign, no_state, take};
use crate::contract::{Context, OperatorError};

/// What becomes of some keys, which all have values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Results {
    /// They come out, and are forgotten.
    Last,
    /// They come out, and more rows may come.
    Early,
    /// They are forgotten.
    Dropped,
}

impl RunningAggregate {
    /// Emits and forgets every key, where rows come out at the end. Takes the memory of all keys once more.
    pub(super) async fn emit_all(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let Emit::AtEnd { most_rows } = self.emit else { return Ok(()) };
        let mut keys = Vec::new();
        cx.state.as_ref().ok_or_else(no_state)?.for_each_key(&mut |key| keys.push(key.to_vec()));
        self.results(&keys, Results::Last, most_rows, cx).await
    }

    /// Has the results of some encoded keys come out, ascending by the key's columns, and forgets them, as `results` says.
    pub(crate) async fn results(
        &mut self,
        keys: &[Vec<u8>],
        results: Results,
        most_rows: usize,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let mut state = cx.state.take().ok_or_else(no_state)?;
        let columns = self.columns_of(keys);
        let done = match columns {
            Ok(columns) => self.results_in_order(columns, results, most_rows, state.as_mut(), cx).await,
            Err(error) => Err(error),
        };
        cx.state = Some(state);
        done
    }

    async fn results_in_order(
        &mut self,
        columns: Vec<ArrayRef>,
        results: Results,
        most_rows: usize,
        state: &mut dyn KeyedState,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let order = in_order(&columns)?;
        for some in order.values().chunks(most_rows.max(1)) {
            let some = UInt32Array::from(some.to_vec());
            let columns: Vec<ArrayRef> = columns.iter().map(|column| take(column, &some)).collect();
            self.results_of(columns, results, state, cx).await?;
        }
        Ok(())
    }

    /// The columns of encoded keys.
    fn columns_of(&self, keys: &[Vec<u8>]) -> Result<Vec<ArrayRef>, OperatorError> {
        let mut rest: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let fields = &self.output.fields()[..self.key_by.len()];
        let column = |field: &Arc<arrow_schema::Field>| {
            if rest.is_empty() {
                return Some(arrow_array::new_empty_array(field.data_type()));
            }
            let values = rest.iter_mut().map(|rest| encoding::decode(field.data_type(), rest));
            ScalarValue::iter_to_array(values.collect::<Option<Vec<_>>>()?).ok()
        };
        fields.iter().map(column).collect::<Option<_>>().ok_or_else(damaged)
    }

    async fn results_of(
        &mut self,
        columns: Vec<ArrayRef>,
        results: Results,
        state: &mut dyn KeyedState,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        self.keys.encode(&columns);
        state.resolve(&self.keys, &self.keys.hashes(), &mut self.call);
        let count = self.call.count();
        let values = self.all_values(state, count).await;
        self.write.values = self.nothing(count);
        if values.is_ok() && results != Results::Early {
            state.apply(&self.call, std::slice::from_ref(&self.write));
        }
        state.finish(&self.call);
        let columns = columns.into_iter().chain(values?).collect();
        if results == Results::Dropped {
            return Ok(());
        }
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.output), columns);
        let rows = rows.map_err(|error| bug(&error.to_string()))?;
        let times = cx.times_at_end(rows.num_rows());
        cx.emit(0, Batch::unkeyed(rows).at(times));
        Ok(())
    }

    /// What each of the call's keys comes to.
    async fn all_values(&mut self, state: &mut dyn KeyedState, keys: usize) -> Result<Vec<ArrayRef>, OperatorError> {
        self.load(state)?;
        foreign::finish_all(&mut self.elsewhere, &mut self.accumulators).await?;
        #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer keys than 4 G")]
        let values = self.layout.values(&mut self.accumulators, keys as u32);
        values.map_err(|_| damaged())
    }

    /// What removes the values of so many keys.
    fn nothing(&self, keys: usize) -> Values {
        let present = vec![0; keys.div_ceil(8)];
        match self.layout.need().width {
            Some(width) => Values { present, offsets: Vec::new(), data: vec![0; keys * width as usize] },
            None => Values { present, offsets: vec![0; keys + 1], data: Vec::new() },
        }
    }
}

/// The order of rows: ascending, nulls last.
fn in_order(columns: &[ArrayRef]) -> Result<UInt32Array, OperatorError> {
    let ascending = SortOptions { descending: false, nulls_first: false };
    let columns: Vec<SortColumn> =
        columns.iter().map(|column| SortColumn { values: Arc::clone(column), options: Some(ascending) }).collect();
    lexsort_to_indices(&columns, None).map_err(|error| bug(&error.to_string()))
}
