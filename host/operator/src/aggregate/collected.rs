//! The rows of a key themselves, for what is computed of all of them at once: a window by a plugin.
//!
//! They are a state of their own, `rows`, beside what the aggregates keep: a key's value is its rows in the order in which they came, one behind
//! the other, each the values of the columns that are wanted. A value is a byte 0 where it is null, or a byte 1 and: `boolean` one byte;
//! numbers, dates, timestamps and decimals little-endian in their own width; text and binary a `u32` length and the bytes. So rows are
//! written behind those that are there, and what they cost doesn't depend on how many there are.
//!
//! What comes out is a list for each key. Lists are views: those of one key at several moments are parts of the same rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{BinaryViewBuilder, BooleanBufferBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, ListArray, ListViewArray, StringViewArray, StructArray, make_array,
    new_empty_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, Schema};
use wasmill_flow::{column_type, key};
use wasmill_state::{CallKeys, KeyedState, StateNeed, Values};

use super::whole::Comes;

/// The state's name, and its number among those of an operator.
const STATE: &str = "rows";
pub(crate) const NUMBER: usize = 1;

/// The most bytes of rows that a key may have, in a window.
pub(crate) const MOST_BYTES: usize = 16 << 20;
/// So many bytes of rows come out at once, where they aren't of one key.
const AT_ONCE: usize = 4 << 20;

/// Which columns of rows are collected.
#[derive(Debug, Clone)]
pub(super) struct Collected {
    columns: Vec<usize>,
    fields: Fields,
    /// With which rows lists come out, where they come out with rows.
    pub(super) comes: Comes,
}

impl Collected {
    /// These columns of an input.
    pub(super) fn new(columns: Vec<usize>, input: &Schema) -> Self {
        let fields = columns.iter().map(|&column| Arc::clone(&input.fields()[column])).collect();
        Self { columns, fields, comes: Comes::WithEach }
    }

    /// A column of lists of such rows.
    pub(super) fn field(&self, name: &str) -> Field {
        Field::new(name, DataType::ListView(self.item()), false)
    }

    fn item(&self) -> Arc<Field> {
        Arc::new(Field::new("row", DataType::Struct(self.fields.clone()), false))
    }

    /// The columns of the input that it takes.
    pub(super) fn reads(&self) -> &[usize] {
        &self.columns
    }

    /// The state that it needs; its version follows from the columns.
    pub(super) fn need(&self) -> StateNeed {
        let column = |field: &Arc<Field>| format!("{} {}", field.name(), column_type::name(field.data_type()));
        let columns = self.fields.iter().map(column).collect::<Vec<_>>().join(",");
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let version = key::hash(format!("rows({columns}) encoding 1").as_bytes()) as u32;
        StateNeed::values(STATE, version, None)
    }

    /// Rows of the input as bytes.
    pub(super) fn encode(&self, rows: &[ArrayRef]) -> Encoded {
        let columns: Vec<In> = self.columns.iter().map(|&column| In::of(&rows[column])).collect();
        let count = rows.first().map_or(0, |column| column.len());
        let mut encoded = Encoded { data: Vec::new(), ends: Vec::with_capacity(count) };
        for row in 0..count {
            columns.iter().for_each(|column| column.put(row, &mut encoded.data));
            encoded.ends.push(encoded.data.len());
        }
        encoded
    }

    /// The rows that their keys have no room for.
    pub(super) fn too_many(&self, state: &dyn KeyedState, call: &CallKeys, encoded: &Encoded) -> BTreeMap<usize, String> {
        let mut bytes: Vec<usize> = call.places.iter().map(|&place| state.value_bytes(NUMBER, place)).collect();
        let over = |(row, &key): (usize, &u32)| {
            let (held, more) = (&mut bytes[key as usize], encoded.get(row).len());
            let over = *held + more > MOST_BYTES;
            *held += if over { 0 } else { more };
            over.then(|| (row, full()))
        };
        call.row_key.iter().enumerate().filter_map(over).collect()
    }

    /// Writes rows behind those that their keys have, but for those of which `dead` is true.
    pub(super) fn append(&self, state: &mut dyn KeyedState, call: &CallKeys, encoded: &Encoded, dead: impl Fn(usize) -> bool) {
        let mut lengths = vec![0; call.count()];
        for (row, &key) in call.row_key.iter().enumerate().filter(|(row, _)| !dead(*row)) {
            lengths[key as usize] += encoded.get(row).len();
        }
        let mut ends = Vec::with_capacity(lengths.len());
        let mut offsets = vec![0];
        for length in &lengths {
            let start = offsets.last().copied().unwrap_or(0);
            ends.push(start as usize);
            #[expect(clippy::cast_possible_truncation, reason = "the rows of a batch are far smaller than 4 GiB")]
            offsets.push(start + *length as u32);
        }
        let mut data = vec![0; encoded.data.len().min(lengths.iter().sum())];
        for (row, &key) in call.row_key.iter().enumerate().filter(|(row, _)| !dead(*row)) {
            let (bytes, end) = (encoded.get(row), &mut ends[key as usize]);
            data[*end..*end + bytes.len()].copy_from_slice(bytes);
            *end += bytes.len();
        }
        // Rows without columns are no bytes, and are there all the same: their number is counted beside.
        let mut present = vec![0_u8; call.count().div_ceil(8)];
        for (_, &key) in call.row_key.iter().enumerate().filter(|(row, _)| !dead(*row)) {
            present[key as usize / 8] |= 1 << (key % 8);
        }
        state.append(call, NUMBER, &Values { present, offsets, data });
    }

    /// How many of the first of some keys' lists may come out at once.
    pub(super) fn fitting(state: &dyn KeyedState, places: impl Iterator<Item = u32>) -> usize {
        let mut bytes = 0;
        let fits = |place: &u32| {
            bytes += state.value_bytes(NUMBER, *place);
            bytes <= AT_ONCE
        };
        places.take_while(fits).count().max(1)
    }

    /// The rows that the state has at some places, in their order; nothing where the bytes are damaged.
    pub(super) fn lists(&self, state: &dyn KeyedState, places: &[u32]) -> Option<Lists> {
        let mut values = Values::default();
        let call = CallKeys { places: places.to_vec(), ..CallKeys::default() };
        state.load(NUMBER, &call, &mut values);
        self.lists_of(&values, places.len())
    }

    /// The rows of some keys, of their values; nothing where the bytes are damaged.
    pub(super) fn lists_of(&self, values: &Values, keys: usize) -> Option<Lists> {
        let mut columns: Vec<Out> = self.fields.iter().map(|field| Out::of(field.data_type())).collect();
        let mut starts = vec![0];
        let mut rows = 0;
        for index in 0..keys {
            let mut rest = values.get(index, None).unwrap_or_default();
            while !rest.is_empty() {
                columns.iter_mut().try_for_each(|column| column.take(&mut rest))?;
                rows += 1;
            }
            starts.push(rows);
        }
        let columns: Vec<ArrayRef> = columns
            .into_iter()
            .zip(&self.fields)
            .map(|(column, field)| column.finish(field.data_type()))
            .collect::<Option<_>>()?;
        let rows = StructArray::try_new(self.fields.clone(), columns, None).ok()?;
        Some(Lists { item: self.item(), rows, starts })
    }
}

/// The reason of a row that finds no room.
fn full() -> String {
    format!(
        "the window holds {} MiB of rows of this key, the most that it may: shorter windows, fewer columns that the plugin reads, or an aggregate",
        MOST_BYTES >> 20
    )
}

/// Rows as bytes, end to end.
#[derive(Debug)]
pub(super) struct Encoded {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.data[start..self.ends[row]]
    }
}

/// The rows of some keys: key `i` has the rows from `starts[i]` to `starts[i + 1]`.
pub(super) struct Lists {
    item: Arc<Field>,
    rows: StructArray,
    starts: Vec<i32>,
}

impl Lists {
    /// The list of each key, as columns of rows have it; nothing where rows have no columns.
    pub(super) fn into_lists(self) -> Option<ArrayRef> {
        let (fields, columns, nulls) = self.rows.into_parts();
        let fields: Fields = fields.iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let item = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
        let rows = StructArray::try_new(fields, columns, nulls).ok()?;
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.starts));
        Some(Arc::new(ListArray::try_new(item, offsets, Arc::new(rows), None).ok()?))
    }

    /// The list of each key.
    pub(super) fn all(self) -> ArrayRef {
        let sizes = self.starts.windows(2).map(|ends| ends[1] - ends[0]).collect();
        let starts = self.starts[..self.starts.len() - 1].to_vec();
        self.column(starts, sizes)
    }

    /// For each row of a batch the list of its key after it, where the lists are those after all rows; an empty one where it isn't wanted.
    /// `keys` are the rows' numbers among the lists' keys, of those whose lists are there.
    pub(super) fn after_each(self, keys: &[Option<u32>], wanted: impl Fn(usize) -> bool) -> ArrayRef {
        let mut left = vec![0; self.starts.len() - 1];
        keys.iter().flatten().for_each(|&key| left[key as usize] += 1);
        let (mut starts, mut sizes) = (Vec::with_capacity(keys.len()), Vec::with_capacity(keys.len()));
        for (row, key) in keys.iter().enumerate() {
            let Some(key) = key.map(|key| key as usize) else {
                starts.push(0);
                sizes.push(0);
                continue;
            };
            left[key] -= 1;
            let (start, end) = (self.starts[key], self.starts[key + 1]);
            starts.push(start);
            sizes.push(if wanted(row) { end - left[key] - start } else { 0 });
        }
        self.column(starts, sizes)
    }

    fn column(self, starts: Vec<i32>, sizes: Vec<i32>) -> ArrayRef {
        #[expect(clippy::expect_used, reason = "they are parts of the rows; others are a bug that must not pass silently")]
        let lists =
            ListViewArray::try_new(self.item, ScalarBuffer::from(starts), ScalarBuffer::from(sizes), Arc::new(self.rows), None)
                .expect("lists of the rows");
        Arc::new(lists)
    }
}

/// A column that is read.
enum In {
    Boolean(BooleanArray),
    Text(StringViewArray),
    Binary(BinaryViewArray),
    Fixed { bytes: Buffer, width: usize, nulls: Option<NullBuffer> },
}

impl In {
    fn of(column: &ArrayRef) -> Self {
        match column.data_type() {
            DataType::Boolean => Self::Boolean(column.as_boolean().clone()),
            DataType::Utf8View => Self::Text(column.as_string_view().clone()),
            DataType::BinaryView => Self::Binary(column.as_binary_view().clone()),
            other => {
                let width = other.primitive_width().unwrap_or_default();
                let data = column.to_data();
                let bytes = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
                Self::Fixed { bytes, width, nulls: column.nulls().cloned() }
            }
        }
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Boolean(values) if values.is_valid(row) => out.extend_from_slice(&[1, u8::from(values.value(row))]),
            Self::Text(values) if values.is_valid(row) => put_bytes(values.value(row).as_bytes(), out),
            Self::Binary(values) if values.is_valid(row) => put_bytes(values.value(row), out),
            Self::Fixed { bytes, width, nulls } if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) => {
                out.push(1);
                out.extend_from_slice(&bytes[row * width..(row + 1) * width]);
            }
            _ => out.push(0),
        }
    }
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(1);
    #[expect(clippy::cast_possible_truncation, reason = "a value is far shorter than 4 GiB")]
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A column that is made again.
enum Out {
    Boolean(BooleanBufferBuilder, BooleanBufferBuilder),
    Text(StringViewBuilder),
    Binary(BinaryViewBuilder),
    Fixed { bytes: MutableBuffer, width: usize, present: BooleanBufferBuilder },
}

impl Out {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0), BooleanBufferBuilder::new(0)),
            DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::BinaryView => Self::Binary(BinaryViewBuilder::new()),
            other => Self::Fixed {
                bytes: MutableBuffer::new(0),
                width: other.primitive_width().unwrap_or_default(),
                present: BooleanBufferBuilder::new(0),
            },
        }
    }

    /// Takes a value off the bytes; nothing where they are damaged.
    fn take(&mut self, rest: &mut &[u8]) -> Option<()> {
        let there = match rest.split_off_first()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        match self {
            Self::Boolean(values, present) => {
                values.append(there && *rest.split_off_first()? != 0);
                present.append(there);
            }
            Self::Text(values) => match there {
                true => values.append_value(std::str::from_utf8(take_bytes(rest)?).ok()?),
                false => values.append_null(),
            },
            Self::Binary(values) => match there {
                true => values.append_value(take_bytes(rest)?),
                false => values.append_null(),
            },
            Self::Fixed { bytes, width, present } => {
                match there {
                    true => bytes.extend_from_slice(rest.split_off(..*width)?),
                    false => bytes.extend_zeros(*width),
                }
                present.append(there);
            }
        }
        Some(())
    }

    fn finish(self, data_type: &DataType) -> Option<ArrayRef> {
        let nulls =
            |mut present: BooleanBufferBuilder| Some(NullBuffer::new(present.finish())).filter(|nulls| nulls.null_count() > 0);
        Some(match self {
            Self::Boolean(mut values, present) => {
                let values: BooleanBuffer = values.finish();
                Arc::new(BooleanArray::new(values, nulls(present)))
            }
            Self::Text(mut values) => Arc::new(values.finish()),
            Self::Binary(mut values) => Arc::new(values.finish()),
            Self::Fixed { bytes, present, .. } => {
                let data = new_empty_array(data_type).to_data().into_builder().len(present.len());
                make_array(data.buffers(vec![bytes.into()]).nulls(nulls(present)).build().ok()?)
            }
        })
    }
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?) as usize;
    bytes.split_off(..length)
}

#[cfg(test)]
mod tests {
    use arrow_array::builder::Decimal128Builder;
    use arrow_array::{Float32Array, Int64Array, RecordBatch, UInt32Array};
    use arrow_select::take::take_record_batch;
    use wasmill_flow::key::EncodedKeys;
    use wasmill_state::memory::MemoryState;

    use super::*;
    use crate::testing::{floats, ints, rows, schema_of, shown, texts};

    /// Some rows of every kind of column, and the number of each row's key.
    fn some() -> (RecordBatch, Vec<i64>) {
        let schema = schema_of(&[
            ("flag", "boolean"),
            ("n", "int64"),
            ("x", "float64"),
            ("y", "float32 not null"),
            ("price", "decimal(20,2)"),
            ("text", "utf8"),
            ("bytes", "binary"),
        ]);
        let mut price = Decimal128Builder::new().with_data_type(DataType::Decimal128(20, 2));
        [Some(-5), None, Some(i128::from(i64::MAX) * 10), Some(0)].into_iter().for_each(|units| price.append_option(units));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])),
            ints([None, Some(i64::MIN), Some(7), Some(0)]),
            floats([Some(-0.0), Some(f64::NAN), None, Some(1.5)]),
            Arc::new(Float32Array::from(vec![0.5, f32::INFINITY, -1.0, 0.0])),
            Arc::new(price.finish()),
            texts([Some("longer than twelve bytes"), Some(""), None, Some("grün")]),
            Arc::new(BinaryViewArray::from_iter([Some(&b"\xff"[..]), None, Some(b""), Some(b"123")])),
        ];
        (RecordBatch::try_new(schema, columns).expect("rows"), vec![2, 1, 2, 2])
    }

    /// The state after the rows, in calls of so many, and the call with all keys.
    fn state_after(collected: &Collected, batch: &RecordBatch, keys: &[i64], most: usize) -> (MemoryState, CallKeys) {
        let count = StateNeed::values("count", 1, Some(8));
        let mut state = MemoryState::new(vec![count, collected.need()]);
        let mut call = CallKeys::default();
        let mut resolve = |state: &mut MemoryState, keys: &[i64]| {
            let mut encoded = EncodedKeys::default();
            encoded.encode(&[Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef]);
            state.resolve(&encoded, &encoded.hashes(), &mut call);
            std::mem::take(&mut call)
        };
        for start in (0..keys.len()).step_by(most) {
            let length = most.min(keys.len() - start);
            let encoded = collected.encode(batch.slice(start, length).columns());
            let call = resolve(&mut state, &keys[start..start + length]);
            assert!(collected.too_many(&state, &call, &encoded).is_empty());
            collected.append(&mut state, &call, &encoded, |_| false);
            state.finish(&call);
        }
        let call = resolve(&mut state, &[1, 2]);
        (state, call)
    }

    #[test]
    fn rows_of_every_type_come_back_in_the_order_in_which_they_came_however_they_travelled() {
        let (batch, keys) = some();
        let collected = Collected::new((0..batch.num_columns()).collect(), &batch.schema());
        let expected = take_record_batch(&batch, &UInt32Array::from(vec![1, 0, 2, 3])).expect("rows");
        for most in [1, 2, 4] {
            let (state, call) = state_after(&collected, &batch, &keys, most);
            let Lists { rows: found, starts, .. } = collected.lists(&state, &call.places).expect("rows");
            assert_eq!(starts, [0, 1, 4]);
            assert_eq!(rows(&RecordBatch::from(found)), rows(&expected), "in calls of {most}");
        }
    }

    #[test]
    fn a_row_s_list_ends_with_it_and_one_that_is_not_wanted_is_empty() {
        let (batch, keys) = some();
        let collected = Collected::new(vec![1], &batch.schema());
        let (state, call) = state_after(&collected, &batch, &keys, 4);
        let lists = collected.lists(&state, &call.places[1..]).expect("rows");
        let lists = lists.after_each(&[Some(0), None, Some(0), Some(0)], |row| row != 2);
        assert_eq!(shown(&lists), ["[{n: -}]", "[]", "[]", "[{n: -}, {n: 7}, {n: 0}]"]);
    }

    #[test]
    fn bytes_that_are_no_rows_are_found_out() {
        let (batch, keys) = some();
        let of_text = Collected::new(vec![5], &batch.schema());
        let (state, call) = state_after(&of_text, &batch, &keys, 4);
        assert!(Collected::new(vec![0], &batch.schema()).lists(&state, &call.places).is_none());
    }
}
