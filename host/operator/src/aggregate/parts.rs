//! What rows come to before they are exchanged, and the way of that into the state behind it: as a column of what [`Layout`] encodes.
//!
//! [`Layout`]: super::layout::Layout

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use wasmill_flow::Batch;
use wasmill_state::{KeyedState, StateWrite, Values};

use super::layout::Arguments;
use super::refused::Refused;
use super::{RunningAggregate, damaged, foreign, no_state, set_all};
use crate::computed::compute;
use crate::contract::{Context, OperatorError};

/// Why rows go one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alone {
    /// An expression or a function fails on one of them.
    Now,
    /// A value is so large that a sum may overflow, now or with what comes later.
    FromNowOn,
}

impl RunningAggregate {
    /// Whether what some rows come to and what others do are, put together, exactly what all come to.
    pub(crate) fn is_exact(&self) -> bool {
        self.layout.is_exact() && self.elsewhere.iter().all(|each| each.aggregate.merges())
    }

    /// Whether some of it is computed elsewhere.
    pub(crate) fn is_elsewhere(&self) -> bool {
        !self.elsewhere.is_empty()
    }

    /// The type of the columns that [`Self::parts`] makes.
    pub(crate) fn part_type(&self) -> DataType {
        self.layout.need().width.map_or(DataType::Binary, |width| DataType::FixedSizeBinary(width.cast_signed()))
    }

    /// What rows come to, by the number of their key, or why they must go one by one.
    pub(crate) async fn parts(&mut self, rows: &Batch, row_keys: &[u32], keys: usize) -> Result<ArrayRef, Alone> {
        let mut scratch = Context::stateless();
        let (_, computed) = compute(&self.arguments, rows.clone(), 0, &mut scratch).ok_or(Alone::Now)?;
        let arguments = self.arguments_of(&computed);
        if !scratch.dead.is_empty() {
            return Err(Alone::Now);
        }
        if !self.layout.is_small(&arguments) {
            return Err(Alone::FromNowOn);
        }
        self.parts_of(arguments, row_keys, keys).await.ok_or(Alone::Now)
    }

    async fn parts_of(&mut self, mut arguments: Vec<Arguments>, row_keys: &[u32], keys: usize) -> Option<ArrayRef> {
        let width = self.layout.need().width;
        let mut values = nothing(keys, width);
        self.layout.decode(&mut values, keys, &mut self.accumulators)?;
        self.layout.narrow(&mut self.accumulators, row_keys, &mut arguments).ok()?;
        foreign::take_all(&mut self.elsewhere, &mut self.accumulators, row_keys, &arguments, None, false).await.ok()?;
        self.layout.update(&mut self.accumulators, row_keys, &arguments, None, false).ok()?;
        set_all(&mut values.present, keys);
        self.layout.encode(&mut self.accumulators, keys, &mut values);
        column(values, width)
    }

    /// Adds combined rows, whose columns are the key's and what [`Self::parts`] made, to what keys have; of keys that are in spaces, in these.
    pub(crate) async fn take_parts(
        &mut self,
        combined: &Batch,
        spaces: Option<&[i64]>,
        cx: &mut Context,
    ) -> Result<(), OperatorError> {
        let state = cx.state.as_mut().ok_or_else(no_state)?.as_mut();
        let mut left = vec![(combined.clone(), spaces.map(<[i64]>::to_vec))];
        while let Some((combined, spaces)) = left.pop() {
            let (parts, key) = combined.rows.columns().split_last().ok_or_else(damaged)?;
            self.keys.encode(key);
            let hashes = combined.hashes.clone().unwrap_or_else(|| self.keys.hashes().into());
            match &spaces {
                Some(spaces) => state.resolve_in(&self.keys, &hashes, spaces, &mut self.call),
                None => state.resolve(&self.keys, &hashes, &mut self.call),
            }
            if self.call.count() < combined.len() {
                // Several parts of a key, of several batches or of slices that are in one window, are added one after the other.
                let firsts = self.call.first_row.clone();
                let others = (0_u32..).take(combined.len()).filter(|row| firsts.binary_search(row).is_err()).collect();
                state.finish(&self.call);
                let some = |rows: Vec<u32>| {
                    let spaces = spaces.as_ref().map(|spaces| rows.iter().map(|&row| spaces[row as usize]).collect());
                    (combined.take(&rows.into()), spaces)
                };
                left.extend([others, firsts].map(some));
                continue;
            }
            let added = self.add_parts(parts, state).await;
            if added.is_ok() {
                state.apply(&self.call, std::slice::from_ref(&self.write));
            }
            state.finish(&self.call);
            added?;
        }
        Ok(())
    }

    /// Leaves in `write` what the keys of the call have with their parts.
    async fn add_parts(&mut self, parts: &ArrayRef, state: &mut dyn KeyedState) -> Result<(), OperatorError> {
        let keys = self.call.count();
        let mut parts = values(parts);
        self.load(state)?;
        self.layout.decode(&mut parts, keys, &mut self.others).ok_or_else(damaged)?;
        foreign::merge_all(&mut self.elsewhere, &mut self.accumulators, &self.others).await?;
        let merged = self.layout.merge(&mut self.accumulators, &self.others, keys);
        let room = merged.and_then(|()| match self.layout.without_room(&self.accumulators) {
            Some(aggregate) => Err((aggregate, Refused::Overflow)),
            None => Ok(()),
        });
        room.map_err(|refused| self.cannot_merge(refused))?;
        let StateWrite { values, .. } = &mut self.write;
        set_all(&mut values.present, keys);
        self.layout.encode(&mut self.accumulators, keys, values);
        Ok(())
    }
}

/// Values of keys that nothing was seen of.
fn nothing(keys: usize, width: Option<u32>) -> Values {
    let present = vec![0; keys.div_ceil(8)];
    match width {
        Some(width) => Values { present, offsets: Vec::new(), data: vec![0; keys * width as usize] },
        None => Values { present, offsets: vec![0; keys + 1], data: Vec::new() },
    }
}

/// Values of the state as a column; nothing where they have more than 2 GiB.
fn column(values: Values, width: Option<u32>) -> Option<ArrayRef> {
    let data = Buffer::from_vec(values.data);
    Some(match width {
        Some(width) => Arc::new(FixedSizeBinaryArray::try_new(width.cast_signed(), data, None).ok()?),
        None => {
            let offsets = values.offsets.into_iter().map(i32::try_from).collect::<Result<Vec<_>, _>>().ok()?;
            Arc::new(BinaryArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), data, None).ok()?)
        }
    })
}

/// A column of them as values of the state.
fn values(column: &ArrayRef) -> Values {
    let mut values = Values { present: vec![0; column.len().div_ceil(8)], ..Values::default() };
    set_all(&mut values.present, column.len());
    if let Some(fixed) = column.as_fixed_size_binary_opt() {
        values.data.extend_from_slice(fixed.value_data());
        return values;
    }
    values.offsets.push(0);
    for part in column.as_binary::<i32>().iter().flatten() {
        values.data.extend_from_slice(part);
        #[expect(clippy::cast_possible_truncation, reason = "a batch's parts are far smaller than 4 GiB")]
        values.offsets.push(values.data.len() as u32);
    }
    values
}
