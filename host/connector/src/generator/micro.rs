//! The records of the micro-benchmarks, made straight into columns.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray, UInt8Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use wasmill_flow::TaskIndex;
use wasmill_flow::column_type::TIMESTAMP;

use super::mix::{mix, salt};
use super::share::Share;

/// The bytes of a record: four numbers of 8 bytes and 68 letters.
pub(super) const ROW_BYTES: u64 = 100;

const KEYS: u64 = 100_000;
const FIRST_TIME: i64 = 1_700_000_000_000;
const DISORDER: u64 = 500;
const LETTERS: usize = 68;

/// Makes the records of one task.
#[derive(Debug)]
pub(super) struct Micro {
    schema: SchemaRef,
    salt: u64,
    share: Share,
    /// After so many records a task's timeline starts anew; `None` where it never does.
    span: Option<u64>,
    /// How many milliseconds of event time a record stands for, times 1000.
    millis_per_thousand: u64,
    /// The 256 texts, in one buffer: a record's is a view of it.
    payloads: StringViewArray,
}

impl Micro {
    pub(super) fn new(seed: u64, task: TaskIndex, rows: Option<u64>) -> Self {
        let fields = [
            ("id", DataType::Int64),
            ("key", DataType::Int64),
            ("ts", TIMESTAMP),
            ("value", DataType::Float64),
            ("payload", DataType::Utf8View),
        ];
        let tasks = u64::from(task.of);
        Self {
            schema: Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, false)).to_vec())),
            salt: salt(seed),
            share: Share::of(task, rows),
            span: rows.map(|rows| (rows / tasks).max(1)),
            millis_per_thousand: if rows.is_some() { 60 * tasks } else { 60 },
            payloads: payloads(),
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The task's records from the `place`-th on.
    pub(super) fn rows(&self, place: u64, count: usize) -> RecordBatch {
        let (mut ids, mut keys, mut times, mut values) =
            (vec![0_i64; count], vec![0_i64; count], vec![0_i64; count], vec![0_f64; count]);
        let mut payloads = vec![0_u8; count];
        let mut row = self.share.row(place);
        let span = self.span.unwrap_or(u64::MAX);
        let mut local = self.local(place);
        let columns = ids.iter_mut().zip(&mut keys).zip(&mut times).zip(&mut values).zip(&mut payloads);
        #[expect(clippy::cast_possible_wrap, reason = "numbers of rows, and what was reduced to less than 2^63")]
        for ((((id, key), time), value), payload) in columns {
            let h = mix(row ^ self.salt);
            *id = row as i64;
            *key = ((h >> 1) % KEYS) as i64;
            *time = FIRST_TIME + (local.wrapping_mul(self.millis_per_thousand) / 1000) as i64 - ((h >> 40) % DISORDER) as i64;
            *value = (h & 0xffff) as f64 / 16.0;
            *payload = h as u8;
            row = row.wrapping_add(self.share.step);
            local = local.wrapping_add(self.share.step);
            if local >= span {
                local -= span;
            }
        }
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(ids)),
            Arc::new(Int64Array::from(keys)),
            Arc::new(TimestampMillisecondArray::from(times)),
            Arc::new(Float64Array::from(values)),
            self.payloads_of(payloads),
        ];
        #[expect(clippy::expect_used, reason = "columns and schema are written side by side above")]
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("columns of the schema")
    }

    /// Where the `place`-th record lies on the task's timeline.
    pub(super) fn local(&self, place: u64) -> u64 {
        self.share.row(place) % self.span.unwrap_or(u64::MAX)
    }

    fn payloads_of(&self, indices: Vec<u8>) -> ArrayRef {
        debug_assert_eq!(self.payloads.len(), 256);
        #[expect(clippy::expect_used, reason = "there are as many texts as a byte has values")]
        take(&self.payloads, &UInt8Array::from(indices), None).expect("an index within the texts")
    }
}

/// The 256 texts of 68 letters: letter `j` of text `i` is `'a' + mix(68 * i + j) mod 26`.
fn payloads() -> StringViewArray {
    let mut all = String::with_capacity(256 * LETTERS);
    for letter in 0..256 * LETTERS {
        all.push(char::from(b'a' + (mix(letter as u64) % 26) as u8));
    }
    let mut builder = arrow_array::builder::StringViewBuilder::with_capacity(256).with_fixed_block_size((256 * LETTERS) as u32);
    for text in 0..256 {
        builder.append_value(&all[text * LETTERS..(text + 1) * LETTERS]);
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};

    /// The law as the benchmarks have it, with no eye to speed.
    fn check(micro: &Micro, rows: &RecordBatch, ids: impl Iterator<Item = u64>, n_over_p: Option<u64>, p: u64) {
        let mut count = 0;
        for (index, id) in ids.enumerate() {
            let h = mix(id);
            let local_p = n_over_p.map_or(id, |n| (id % n) * p);
            let ts = 1_700_000_000_000 + (local_p * 60 / 1000) as i64 - ((h >> 40) % 500) as i64;
            assert_eq!(rows.column(0).as_primitive::<Int64Type>().value(index), id as i64);
            assert_eq!(rows.column(1).as_primitive::<Int64Type>().value(index), ((h >> 1) % 100_000) as i64);
            assert_eq!(rows.column(2).as_primitive::<TimestampMillisecondType>().value(index), ts, "id {id}");
            assert_eq!(rows.column(3).as_primitive::<Float64Type>().value(index), (h & 0xFFFF) as f64 / 16.0);
            assert_eq!(rows.column(4).as_string_view().value(index), micro.payloads.value((h & 255) as usize));
            count += 1;
        }
        assert_eq!(rows.num_rows(), count);
    }

    #[test]
    fn records_are_those_of_the_law_in_every_task_and_at_every_place() {
        for (rows, of) in [(1000_u64, 1), (1000, 2), (1001, 3), (2, 3)] {
            for index in 0..of {
                let micro = Micro::new(0, TaskIndex { index, of }, Some(rows));
                let (first, count) = (micro.share.first, micro.share.count.expect("a number of rows"));
                for place in [0, count / 3, count] {
                    let made = micro.rows(place, (count - place) as usize);
                    check(&micro, &made, first + place..first + count, Some((rows / u64::from(of)).max(1)), u64::from(of));
                }
            }
        }
        let micro = Micro::new(0, TaskIndex { index: 1, of: 2 }, None);
        check(&micro, &micro.rows(1_000_000, 100), (0..100).map(|k| 2_000_001 + 2 * k), None, 2);
    }

    #[test]
    fn payloads_are_256_texts_of_68_letters_and_share_one_buffer() {
        let micro = Micro::new(0, TaskIndex::ONLY, None);
        assert!(
            micro
                .payloads
                .iter()
                .flatten()
                .all(|text| text.len() == 68 && text.bytes().all(|letter| letter.is_ascii_lowercase()))
        );
        assert_eq!(micro.payloads.iter().flatten().collect::<std::collections::HashSet<_>>().len(), 256);
        let rows = micro.rows(0, 10);
        let payload = rows.column(4).as_string_view();
        assert_eq!(payload.data_buffers().len(), 1);
        assert!(payload.data_buffers()[0].ptr_eq(&micro.payloads.data_buffers()[0]));
    }

    #[test]
    fn another_seed_makes_other_records() {
        let rows = |seed| Micro::new(seed, TaskIndex::ONLY, None).rows(0, 10);
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(0).column(1), rows(1).column(1));
        assert_eq!(rows(0).column(0), rows(1).column(0));
    }
}
