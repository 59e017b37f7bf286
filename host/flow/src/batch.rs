//! Rows that travel together.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch, UInt32Array};
use arrow_buffer::ScalarBuffer;
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;

/// Rows that travel together, in the order of their arrival. Cheap to clone: columns and hashes are shared.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The rows. Strings and binary values are views ([`crate::column_type`]), so that moving a row moves 16 bytes of them.
    pub rows: RecordBatch,
    /// On a keyed edge, the hash of each row's key ([`crate::key`]), computed once, at the exchange.
    pub hashes: Option<Arc<[u64]>>,
    /// Each row's event time in milliseconds since 1970, UTC, where the source that it comes from says what time it was. It stays with the
    /// row whatever becomes of its columns.
    pub times: Option<ScalarBuffer<i64>>,
    /// How many rows each stands for, where rows of a key were combined before an exchange: then the columns are the key's and what an aggregate
    /// has of those rows, and its time is that of the latest of them.
    pub combined: Option<ScalarBuffer<u32>>,
}

impl Batch {
    /// Rows without a key and without event times.
    #[must_use]
    pub fn unkeyed(rows: RecordBatch) -> Self {
        Self { rows, hashes: None, times: None, combined: None }
    }

    /// The same rows with these event times, one for each.
    #[must_use]
    pub fn at(self, times: Option<ScalarBuffer<i64>>) -> Self {
        Self { times, ..self }
    }

    /// The rows for which the mask is true, without their hashes; not of combined ones. One pass a column.
    ///
    /// # Panics
    /// Where the mask has another length: a bug of the engine.
    #[must_use]
    pub fn filter(&self, mask: &BooleanArray) -> Self {
        #[expect(clippy::expect_used, reason = "the mask has a value for each row; another is a bug that must not pass silently")]
        let rows = filter_record_batch(&self.rows, mask).expect("a mask as long as its batch");
        let kept = |times: &ScalarBuffer<i64>| {
            times.iter().zip(mask).filter(|(_, keep)| *keep == Some(true)).map(|(time, _)| *time).collect()
        };
        Self { rows, hashes: None, times: self.times.as_ref().map(kept), combined: None }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// How many rows it stands for: more than it has where some are combined.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.combined.as_ref().map_or(self.len() as u64, |counts| counts.iter().map(|&count| u64::from(count)).sum())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory that the rows of this batch stand for, in bytes: what an edge counts against its limit. Buffers that are shared
    /// with other batches are counted by the part that these rows use, views by 16 bytes and their text, lists by
    /// 4 bytes and their items.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns: usize = self.rows.columns().iter().map(|column| column_bytes(column.as_ref())).sum();
        let carried = usize::from(self.hashes.is_some()) + usize::from(self.times.is_some());
        columns + carried * self.len() * 8
    }

    /// Rows `offset..offset + length`, sharing the buffers.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            rows: self.rows.slice(offset, length),
            hashes: self.hashes.as_ref().map(|hashes| hashes[offset..offset + length].into()),
            times: self.times.as_ref().map(|times| times.slice(offset, length)),
            combined: self.combined.as_ref().map(|counts| counts.slice(offset, length)),
        }
    }

    /// The rows at these indices, in their order. One gather a column.
    ///
    /// # Panics
    /// Where an index is past the end: indices come from the engine, never from outside.
    #[must_use]
    pub fn take(&self, indices: &UInt32Array) -> Self {
        #[expect(clippy::expect_used, reason = "indices are the engine's own; a bad one is a bug that must not pass silently")]
        let rows = take_record_batch(&self.rows, indices).expect("indices lie within the batch");
        let hashes = self.hashes.as_ref().map(|hashes| indices.values().iter().map(|&row| hashes[row as usize]).collect());
        let times = self.times.as_ref().map(|times| indices.values().iter().map(|&row| times[row as usize]).collect());
        let combined = self.combined.as_ref().map(|counts| indices.values().iter().map(|&row| counts[row as usize]).collect());
        Self { rows, hashes, times, combined }
    }

    /// All rows of some batches of one schema, in order; all are combined or none is. One copy a column, none where there is one batch.
    ///
    /// # Panics
    /// Where there is no batch, or the schemas differ: a bug of the engine.
    #[must_use]
    pub fn concat(batches: &[Self]) -> Self {
        if let [only] = batches {
            return only.clone();
        }
        #[expect(
            clippy::expect_used,
            reason = "batches of one edge have one schema; another is a bug that must not pass silently"
        )]
        let rows =
            concat_batches(batches[0].rows.schema_ref(), batches.iter().map(|batch| &batch.rows)).expect("batches of one schema");
        let keyed = batches.iter().all(|batch| batch.hashes.is_some());
        let hashes = keyed.then(|| batches.iter().filter_map(|batch| batch.hashes.as_deref()).flatten().copied().collect());
        let timed = batches.iter().all(|batch| batch.times.is_some());
        let times = timed.then(|| batches.iter().filter_map(|batch| batch.times.as_deref()).flatten().copied().collect());
        let combined = batches.iter().map(|batch| batch.combined.as_deref()).collect::<Option<Vec<_>>>();
        let combined = combined.map(|counts| counts.concat().into());
        Self { rows, hashes, times, combined }
    }
}

fn column_bytes(column: &dyn Array) -> usize {
    use arrow_schema::DataType as T;
    let rows = column.len();
    match column.data_type() {
        T::Boolean => rows.div_ceil(8),
        T::Utf8View | T::BinaryView => {
            let data = column.to_data();
            let views = &data.buffers()[0].typed_data::<u128>()[data.offset()..data.offset() + rows];
            #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits of a view are its length")]
            views.iter().map(|&view| 16 + (view as u32 as usize).saturating_sub(12)).sum()
        }
        T::List(_) => {
            let lists = column.as_list::<i32>();
            #[expect(clippy::cast_sign_loss, reason = "offsets of lists are never negative")]
            let (first, last) = (lists.value_offsets()[0] as usize, lists.value_offsets()[rows] as usize);
            rows * 4 + column_bytes(lists.values().slice(first, last - first).as_ref())
        }
        T::Struct(_) => column.as_struct().columns().iter().map(|field| column_bytes(field.as_ref())).sum(),
        fixed => fixed.primitive_width().map_or_else(|| column.get_array_memory_size(), |width| rows * width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column_type::parse_field;
    use arrow_array::{ArrayRef, Int64Array, ListArray, StructArray};
    use arrow_buffer::OffsetBuffer;
    use arrow_schema::{DataType, Schema};

    #[test]
    fn lists_and_structs_count_what_their_rows_use() {
        let numbers: ArrayRef = Arc::new(Int64Array::from((0..1000).collect::<Vec<_>>()));
        let fields = [parse_field("l", "list<int64>"), parse_field("s", "struct<a: int64>")].map(|field| field.expect("a type"));
        let (DataType::List(item), DataType::Struct(parts)) = (fields[0].data_type(), fields[1].data_type()) else {
            panic!("a list and a struct")
        };
        let lists = ListArray::new(Arc::clone(item), OffsetBuffer::from_lengths([990, 4, 6]), Arc::clone(&numbers), None);
        let structs = StructArray::new(parts.clone(), vec![numbers.slice(0, 3)], None);
        let columns: Vec<ArrayRef> = vec![Arc::new(lists), Arc::new(structs)];
        let batch = Batch::unkeyed(RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns).expect("rows"));
        assert_eq!(batch.bytes(), 3 * 4 + 1000 * 8 + 3 * 8);
        assert_eq!(batch.slice(1, 2).bytes(), 2 * 4 + 10 * 8 + 2 * 8);
    }
}
