//! `max(x, n)`, `max_by(x, y)`, `max_by(x, y, n)` and the same with `min`: values of the rows that rank first, the first first.
//!
//! Rows rank by `y`, or by `x` itself, and those of equal `y` by `x`: so which they are doesn't depend on the order of rows, nor on how parts
//! are put together. Rows whose `y` is null don't count.
//!
//! Format `ranked`: for each of them, the first first, its rank ([`rank`]) and its value ([`encoding`]), each with its length before it as a
//! little-endian `u32`.

mod rank;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, ListArray, PrimitiveArray, new_empty_array, new_null_array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, FieldRef};
use datafusion_common::ScalarValue;
use wasmill_flow::column_type;

use super::encoding;
use super::refused::{MOST_BYTES, Refused, full};
use super::variable::Variable;

/// The most rows that can be asked for.
pub(super) const MOST: i64 = 10_000;

/// The values of the rows that rank first.
#[derive(Debug)]
pub(super) struct Ranked {
    /// The greatest rank first.
    greatest: bool,
    most: usize,
    /// Ranks and values are of a few bytes each, so that so many of them are never too long.
    short: bool,
    /// What `x` is.
    item: DataType,
    /// What it is ranked by: itself, or a type.
    by: String,
    /// What comes out is a list, and not the first alone.
    lists: bool,
    /// What comes out: `x`, or a list of it.
    value: DataType,
}

/// A row that ranks among the first.
#[derive(Debug)]
struct Entry {
    rank: Vec<u8>,
    value: Vec<u8>,
}

/// Those of a key, the first first.
type Entries = Vec<Entry>;

impl Ranked {
    /// A list of at most so many values, ranked by another or by themselves, or the one value where it isn't said how many.
    pub(super) fn new(greatest: bool, most: Option<usize>, item: &DataType, by: Option<&DataType>) -> Self {
        let lists = most.is_some();
        let value = if lists { column_type::list_of(item.clone()) } else { item.clone() };
        let short = [item, by.unwrap_or(item)].iter().all(|of| of.primitive_width().is_some());
        Self {
            greatest,
            most: most.unwrap_or(1),
            short,
            item: item.clone(),
            by: by.map_or_else(|| "itself".to_owned(), |by| column_type::name(by).to_string()),
            lists,
            value,
        }
    }

    /// Where a rank belongs among the others; nothing where it isn't among the first.
    fn place(&self, entries: &Entries, rank: &[u8]) -> Option<usize> {
        let before = |entry: &Entry| match self.greatest {
            true => entry.rank.as_slice() >= rank,
            false => entry.rank.as_slice() <= rank,
        };
        if entries.len() == self.most && entries.last().is_some_and(before) {
            return None;
        }
        Some(entries.partition_point(before))
    }

    fn column(&self, all: &[&Entries]) -> Result<ArrayRef, Refused> {
        let read = |entry: &Entry| encoding::decode(&self.item, &mut entry.value.as_slice()).ok_or(Refused::Damaged);
        let column = |values: Vec<ScalarValue>| match values.is_empty() {
            true => Ok(new_empty_array(&self.item)),
            false => ScalarValue::iter_to_array(values).map_err(|_| Refused::Damaged),
        };
        let field = match &self.value {
            DataType::List(field) if self.lists => field,
            _ => {
                let none = ScalarValue::try_from(&self.item).map_err(|_| Refused::Damaged)?;
                let first = |entries: &&Entries| entries.first().map_or_else(|| Ok(none.clone()), read);
                return column(all.iter().map(first).collect::<Result<_, _>>()?);
            }
        };
        let values = column(all.iter().flat_map(|entries| entries.iter()).map(read).collect::<Result<_, _>>()?)?;
        let offsets = OffsetBuffer::from_lengths(all.iter().map(|entries| entries.len()));
        let nulls = NullBuffer::from_iter(all.iter().map(|entries| !entries.is_empty()));
        let lists = ListArray::try_new(FieldRef::clone(field), offsets, values, Some(nulls)).map_err(|_| Refused::Damaged)?;
        Ok(Arc::new(lists))
    }
}

/// Zeros are one value, and so are NaNs.
fn as_one(values: &ArrayRef) -> ArrayRef {
    fn of<T: ArrowPrimitiveType>(values: &ArrayRef, one: impl Fn(T::Native) -> T::Native) -> ArrayRef {
        let values: PrimitiveArray<T> = values.as_primitive::<T>().unary(one);
        Arc::new(values)
    }
    match values.data_type() {
        DataType::Float32 => of::<Float32Type>(values, |value| if value.is_nan() { f32::NAN } else { value + 0.0 }),
        DataType::Float64 => of::<Float64Type>(values, |value| if value.is_nan() { f64::NAN } else { value + 0.0 }),
        _ => Arc::clone(values),
    }
}

fn decode(mut held: &[u8]) -> Result<Entries, Refused> {
    let mut entries = Entries::new();
    while !held.is_empty() {
        let mut take = || -> Option<Vec<u8>> {
            let length = u32::from_le_bytes(*held.split_off(..4)?.first_chunk()?);
            Some(held.split_off(..length as usize)?.to_vec())
        };
        let (rank, value) = take().zip(take()).ok_or(Refused::Damaged)?;
        entries.push(Entry { rank, value });
    }
    Ok(entries)
}

fn encode(entries: &Entries, out: &mut Vec<u8>) {
    out.clear();
    for bytes in entries.iter().flat_map(|entry| [&entry.rank, &entry.value]) {
        #[expect(clippy::cast_possible_truncation, reason = "what is held of a key is far shorter than 4 GiB")]
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    }
}

/// The bytes of what is encoded.
fn length(entries: &Entries) -> usize {
    entries.iter().map(|entry| 8 + entry.rank.len() + entry.value.len()).sum()
}

impl Variable for Ranked {
    fn data_type(&self) -> &DataType {
        &self.value
    }

    fn has_long_values(&self) -> bool {
        self.item.primitive_width().is_none() || self.most > 100
    }

    fn format(&self) -> String {
        let (order, value) = (if self.greatest { "greatest" } else { "least" }, column_type::name(&self.value));
        format!("ranked({order} {} of {value} by {})", self.most, self.by)
    }

    fn update(
        &self,
        held: &mut [Vec<u8>],
        keys: &[u32],
        arguments: &[ArrayRef],
        counts: Option<&BooleanArray>,
        wanted: bool,
    ) -> Result<ArrayRef, Refused> {
        let (item, by) = (arguments.first().ok_or(Refused::Damaged)?, arguments.last().ok_or(Refused::Damaged)?);
        let item = &as_one(item);
        let mut known: Vec<Option<Entries>> = held.iter().map(|_| None).collect();
        let mut bytes: Vec<usize> = held.iter().map(Vec::len).collect();
        let (mut rank, mut values, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &key) in keys.iter().enumerate() {
            let entries = match &mut known[key as usize] {
                Some(entries) => entries,
                none => none.insert(decode(&held[key as usize])?),
            };
            if by.is_valid(row) && counts.is_none_or(|counts| counts.is_valid(row) && counts.value(row)) {
                rank.clear();
                rank::append(by.as_ref(), row, &mut rank);
                if arguments.len() > 1 {
                    rank::append(item.as_ref(), row, &mut rank);
                }
                if let Some(place) = self.place(entries, &rank) {
                    let mut value = Vec::new();
                    encoding::encode(item.as_ref(), row, &mut value);
                    let last = entries.get(self.most - 1).map_or(0, |last| 8 + last.rank.len() + last.value.len());
                    let more = bytes[key as usize] - last + 8 + rank.len() + value.len();
                    if more > MOST_BYTES {
                        refused.push((row, full()));
                        continue;
                    }
                    bytes[key as usize] = more;
                    entries.truncate(self.most - 1);
                    entries.insert(place, Entry { rank: rank.clone(), value });
                }
            }
            if wanted && refused.is_empty() {
                values.push(self.column(&[entries])?);
            }
        }
        if !refused.is_empty() {
            return Err(Refused::Rows(refused));
        }
        for (held, known) in held.iter_mut().zip(known) {
            known.iter().for_each(|known| encode(known, held));
        }
        if !wanted || values.is_empty() {
            return Ok(new_null_array(&self.value, keys.len()));
        }
        let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
        arrow_select::concat::concat(&values).map_err(|_| Refused::Damaged)
    }

    fn merge(&self, held: &mut [Vec<u8>], others: &[Vec<u8>]) -> Result<(), Refused> {
        for (held, other) in held.iter_mut().zip(others).filter(|(_, other)| !other.is_empty()) {
            let mut entries = decode(held)?;
            for entry in decode(other)? {
                if let Some(place) = self.place(&entries, &entry.rank) {
                    entries.truncate(self.most - 1);
                    entries.insert(place, entry);
                }
            }
            if length(&entries) > MOST_BYTES {
                return Err(Refused::Rows(vec![(0, full())]));
            }
            encode(&entries, held);
        }
        Ok(())
    }

    /// Text can be too long when it is put together, and then no row is at hand that could be refused.
    fn merges_in_any_order(&self) -> bool {
        self.short
    }

    fn is_exact(&self) -> bool {
        self.short
    }

    fn values(&self, held: &[Vec<u8>]) -> Result<ArrayRef, Refused> {
        let all = held.iter().map(|held| decode(held)).collect::<Result<Vec<_>, _>>()?;
        self.column(&all.iter().collect::<Vec<_>>())
    }
}
