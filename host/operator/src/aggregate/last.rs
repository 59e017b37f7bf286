//! What keys come to in the end: with `emit: final` all of them at the end of bounded input, otherwise those of a window.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow_ord::sort::{SortColumn, SortOptions, lexsort_to_indices, sort_to_indices};
use arrow_schema::{DataType, SchemaRef};
use wasmill_flow::Batch;
use wasmill_flow::key::EncodedKeys;

use super::{Emit, RunningAggregate, bug, damaged, no_state, take};
use crate::contract::{Context, OperatorError};

/// Keys, ascending by their columns, nulls last, whose results come out one part after the other. Only as long as the state isn't changed.
#[derive(Debug)]
pub(crate) struct Results {
    /// What comes out as their space.
    space: i64,
    columns: Vec<ArrayRef>,
    order: UInt32Array,
    /// How many have come out.
    given: usize,
}

impl Results {
    /// The numbers of the next keys whose results come out; none where all have.
    pub(crate) fn next(&mut self, most_rows: usize) -> UInt32Array {
        let some = most_rows.max(1).min(self.order.len() - self.given);
        self.given += some;
        self.order.slice(self.given - some, some)
    }

    /// The numbers of those that would be the next, without their coming out.
    pub(crate) fn upcoming(&self, most_rows: usize) -> UInt32Array {
        self.order.slice(self.given, most_rows.min(self.order.len() - self.given))
    }

    /// Whether all have come out.
    pub(crate) fn is_empty(&self) -> bool {
        self.given == self.order.len()
    }
}

impl RunningAggregate {
    /// Emits and forgets every key, where rows come out at the end. Takes the memory of all keys once more.
    pub(crate) async fn emit_all(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let Emit::AtEnd { most_rows } = self.emit else { return Ok(()) };
        let (mut results, places) = self.results_in(0, cx)?;
        while !results.is_empty() {
            let some = results.next(most_rows);
            let values = self.values_at(&places, &some, cx).await?;
            self.emit_results(&results, &some, values, cx)?;
        }
        cx.state.as_mut().ok_or_else(no_state)?.forget(0);
        Ok(())
    }

    /// The keys of a space, and where the state has each of them.
    pub(crate) fn results_in(&mut self, space: i64, cx: &mut Context) -> Result<(Results, Vec<u32>), OperatorError> {
        let state = cx.state.as_mut().ok_or_else(no_state)?;
        let mut keys = EncodedKeys::default();
        state.resolve_all(space, &mut keys, &mut Vec::new(), &mut self.call);
        state.finish(&self.call);
        Ok((self.results_of(space, &keys)?, std::mem::take(&mut self.call.places)))
    }

    /// These keys, with what comes out as their space.
    pub(crate) fn results_of(&self, space: i64, keys: &EncodedKeys) -> Result<Results, OperatorError> {
        let columns = self.key_columns(keys)?;
        let order = in_order(&columns)?;
        Ok(Results { space, columns, order, given: 0 })
    }

    /// What some of the keys come to that the state has at these places.
    pub(crate) async fn values_at(
        &mut self,
        places: &[u32],
        some: &UInt32Array,
        cx: &mut Context,
    ) -> Result<Vec<ArrayRef>, OperatorError> {
        let state = cx.state.as_ref().ok_or_else(no_state)?;
        self.call.places.clear();
        self.call.places.extend(some.values().iter().map(|&key| places[key as usize]));
        let mut values = std::mem::take(&mut self.write.values);
        state.load(0, &self.call, &mut values);
        let columns = self.columns_of(&mut values, some.len()).await;
        self.write.values = values;
        let mut columns = columns?;
        columns.extend(self.rows_at(cx.state.as_ref().ok_or_else(no_state)?.as_ref(), &self.call.places)?);
        Ok(columns)
    }

    /// Emits the results of some of the keys.
    pub(crate) fn emit_results(
        &self,
        results: &Results,
        some: &UInt32Array,
        values: Vec<ArrayRef>,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let space = self.space.map(|_| TimestampMillisecondArray::from_value(results.space, some.len()));
        self.emit_rows(&results.columns, some, space.map(|space| Arc::new(space) as ArrayRef), values, cx)
    }

    /// The columns of encoded keys.
    pub(crate) fn key_columns(&self, keys: &EncodedKeys) -> Result<Vec<ArrayRef>, OperatorError> {
        let fields = &self.output.fields()[..self.key_by.len()];
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        keys.decode(&types).ok_or_else(damaged)
    }

    /// Emits values of some keys, which are these rows of the columns; with the spaces that they are in.
    pub(crate) fn emit_rows(
        &self,
        columns: &[ArrayRef],
        some: &UInt32Array,
        spaces: Option<ArrayRef>,
        values: Vec<ArrayRef>,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let columns: Vec<ArrayRef> = columns.iter().map(|column| take(column, some)).chain(spaces).collect();
        let rows = RecordBatch::try_new(
            SchemaRef::clone(&self.output),
            columns.into_iter().chain(values.into_iter().skip(self.hidden())).collect(),
        )
        .map_err(|error| bug(&error.to_string()))?;
        let times = cx.times_at_end(rows.num_rows());
        cx.emit(0, Batch::unkeyed(rows).at(times));
        Ok(())
    }
}

/// The order of rows: ascending, nulls last.
pub(crate) fn in_order(columns: &[ArrayRef]) -> Result<UInt32Array, OperatorError> {
    let ascending = SortOptions { descending: false, nulls_first: false };
    let order = match columns {
        [column] => sort_to_indices(column, Some(ascending), None),
        columns => {
            let column = |values| SortColumn { values: Arc::clone(values), options: Some(ascending) };
            lexsort_to_indices(&columns.iter().map(column).collect::<Vec<_>>(), None)
        }
    };
    order.map_err(|error| bug(&error.to_string()))
}
