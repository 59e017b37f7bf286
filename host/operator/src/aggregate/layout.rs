//! How the accumulators of a key lie in its one value of the state `aggregates`.
//!
//! First the accumulators of a fixed width, in the order of the aggregates and without gaps; all of them zero is "nothing seen".
//! Then, for each `min` or `max` of text in the order of the aggregates, a byte 0 where nothing was seen, or a byte 1, the length
//! as a little-endian `u32`, and the text. Then, in the order of the aggregates, what `distinct` has seen (`distinct.rs`) and what
//! the other functions hold (`variable.rs`), each with its length before it as a little-endian `u32`; and last, likewise, what is held of
//! those that are computed elsewhere (`foreign.rs`). The state has a fixed width where there are none of those. Where one aggregate that
//! is computed elsewhere is all there is, what it holds is the value, of a fixed width where it says so.
//!
//! The version of the state is the lower half of the hash ([`key::hash`]) of the accumulators' formats joined by `;`: a snapshot
//! of other aggregates is refused and never misread.

mod merge;
mod retract;

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, StringViewArray, new_null_array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use arrow_select::filter::prep_null_mask_filter;
use arrow_select::nullif::nullif;
use wasmill_flow::{column_type, key};
use wasmill_state::{StateNeed, Values};

use super::accumulator::{Accumulator, Cells};
use super::average::{Average, ToFloat};
use super::call::{Aggregate, Function};
use super::count::Count;
use super::distinct;
use super::extreme::Extreme;
use super::fold::{Fold, Step};
use super::foreign::{Foreign, Held};
use super::refused::Refused;
use super::sum::{Counted, DecimalSum, FloatSum, IntegerSum};
use super::text_extreme;
use super::variable::Variable;

/// The name of the state.
pub(super) const STATE: &str = "aggregates";

/// Where each aggregate's accumulator is.
#[derive(Debug)]
pub(super) struct Layout {
    slots: Vec<Slot>,
    fixed: usize,
    texts: usize,
    held: usize,
    foreign: usize,
}

/// An aggregate's place.
#[derive(Debug)]
struct Slot {
    kind: Kind,
    /// Where among what is held are the values that it has seen, where it counts each of them once.
    seen: Option<usize>,
    /// The types of its arguments.
    arguments: Vec<DataType>,
}

#[derive(Debug)]
enum Kind {
    Fixed {
        offset: usize,
        accumulator: Box<dyn Accumulator>,
    },
    Text {
        index: usize,
        greatest: bool,
    },
    Variable {
        index: usize,
        function: Arc<dyn Variable>,
    },
    /// One that is computed elsewhere: where its values are among those given, and its accumulators among those.
    Foreign {
        index: usize,
        function: Foreign,
    },
}

/// What an aggregate is over, for some rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    /// Its arguments; none for `count(*)`.
    pub(super) values: Vec<ArrayRef>,
    /// Which rows count; all where there is nothing.
    pub(super) counts: Option<BooleanArray>,
}

/// The accumulators of all keys of a call.
#[derive(Debug, Default)]
pub(super) struct Accumulators {
    /// Those of a fixed width, key after key.
    pub(super) fixed: Vec<u8>,
    /// For each of text, each key's.
    texts: Vec<StringViewArray>,
    /// For each of no fixed width, each key's bytes.
    held: Vec<Vec<Vec<u8>>>,
    /// The accumulators of those that are computed elsewhere.
    pub(super) foreign: Vec<Held>,
    /// What each of those that are computed elsewhere gave for the rows or keys at hand.
    pub(super) given: Vec<ArrayRef>,
}

impl Layout {
    /// Of aggregates that rows can be taken back from, where they are to be.
    pub(super) fn new(aggregates: &[Aggregate], retracts: bool) -> Self {
        let mut layout = Self { slots: Vec::new(), fixed: 0, texts: 0, held: 0, foreign: 0 };
        for aggregate in aggregates {
            let seen = aggregate.distinct.then(|| next(&mut layout.held, 1));
            let kind = match (accumulator(aggregate, retracts), &aggregate.function) {
                (_, Function::Foreign(function)) => {
                    Kind::Foreign { index: next(&mut layout.foreign, 1), function: function.clone() }
                }
                (Some(accumulator), _) => Kind::Fixed { offset: next(&mut layout.fixed, accumulator.width()), accumulator },
                (None, Function::Variable(function)) => {
                    Kind::Variable { index: next(&mut layout.held, 1), function: Arc::clone(function) }
                }
                (None, function) => Kind::Text { index: next(&mut layout.texts, 1), greatest: matches!(function, Function::Max) },
            };
            let arguments = aggregate.arguments.iter().map(|argument| argument.data_type().clone()).collect();
            layout.slots.push(Slot { kind, seen, arguments });
        }
        layout
    }

    /// The state that it needs.
    pub(super) fn need(&self) -> StateNeed {
        let format = |slot: &Slot| {
            let format = match &slot.kind {
                Kind::Fixed { accumulator, .. } => accumulator.format(),
                Kind::Text { greatest, .. } => format!("{}:utf8", if *greatest { "max" } else { "min" }),
                Kind::Variable { function, .. } => function.format(),
                Kind::Foreign { function, .. } => function.format.clone(),
            };
            match (slot.seen, slot.arguments.first()) {
                (Some(_), Some(argument)) => format!("distinct {}:{format}", column_type::name(argument)),
                _ => format,
            }
        };
        let formats = self.slots.iter().map(format).collect::<Vec<_>>().join(";");
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let version = key::hash(formats.as_bytes()) as u32;
        StateNeed::values(STATE, version, self.width())
    }

    fn width(&self) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "some bytes an aggregate")]
        let fixed = self.is_fixed().then_some(self.fixed as u32);
        fixed.or_else(|| self.only_foreign()?.value_width())
    }

    /// Whether the value of an aggregate may be as long as what its key holds.
    pub(super) fn has_long_values(&self) -> bool {
        self.slots.iter().any(|slot| matches!(&slot.kind, Kind::Variable { function, .. } if function.has_long_values()))
    }

    fn is_fixed(&self) -> bool {
        self.texts == 0 && self.held == 0 && self.foreign == 0
    }

    /// The aggregate that is computed elsewhere, where a value is what it holds.
    fn only_foreign(&self) -> Option<&Foreign> {
        let only = (self.fixed, self.texts, self.held, self.foreign) == (0, 0, 0, 1);
        if only { self.foreign().next() } else { None }
    }

    /// Those that are computed elsewhere.
    fn foreign(&self) -> impl Iterator<Item = &Foreign> {
        self.slots.iter().filter_map(|slot| if let Kind::Foreign { function, .. } = &slot.kind { Some(function) } else { None })
    }

    /// The bytes of one key among [`Accumulators::fixed`].
    pub(super) fn stride(&self) -> usize {
        self.fixed
    }

    /// Leaves those arguments that count: `distinct` looks at what was seen, and what doesn't count becomes null where null doesn't
    /// count. A problem comes with the number of its aggregate.
    pub(super) fn narrow(
        &self,
        accumulators: &mut Accumulators,
        keys: &[u32],
        arguments: &mut [Arguments],
    ) -> Result<(), (usize, Refused)> {
        for (index, (slot, arguments)) in self.slots.iter().zip(arguments).enumerate() {
            let Arguments { values, counts } = arguments;
            if counts.as_ref().is_some_and(|counts| counts.null_count() > 0) {
                *counts = counts.as_ref().map(prep_null_mask_filter);
            }
            if let (Some(seen), Some(value)) = (slot.seen, values.first()) {
                let seen = &mut accumulators.held[seen];
                let first = distinct::first_seen(seen, keys, value, counts.as_ref()).map_err(|refused| (index, refused))?;
                *counts = Some(first);
            }
            Self::count_only(slot, arguments);
        }
        Ok(())
    }

    /// Makes what doesn't count null, where null doesn't count.
    fn count_only(slot: &Slot, arguments: &mut Arguments) {
        let Arguments { values, counts } = arguments;
        if let (Some(counts), Kind::Fixed { .. } | Kind::Text { .. }) = (counts, &slot.kind) {
            let others = BooleanArray::new(!counts.values(), None);
            if values.is_empty() {
                values.push(Arc::new(others.clone()));
            }
            #[expect(clippy::expect_used, reason = "there is a value for each row; else a bug that must not pass silently")]
            let counted = nullif(&values[0], &others).expect("as many values as rows");
            values[0] = counted;
        }
    }

    /// Takes rows, or takes those back of which `back` is true, and gives each aggregate's values after each row; of those that take long to ask,
    /// only where they are `wanted`. A problem comes with the number of its aggregate.
    pub(super) fn update(
        &self,
        accumulators: &mut Accumulators,
        keys: &[u32],
        arguments: &[Arguments],
        back: Option<&BooleanBuffer>,
        wanted: bool,
    ) -> Result<Vec<ArrayRef>, (usize, Refused)> {
        let update = |(number, (slot, arguments))| {
            self.update_slot(slot, accumulators, keys, arguments, back, wanted).map_err(|refused| (number, refused))
        };
        self.slots.iter().zip(arguments).enumerate().map(update).collect()
    }

    fn update_slot(
        &self,
        slot: &Slot,
        accumulators: &mut Accumulators,
        keys: &[u32],
        arguments: &Arguments,
        back: Option<&BooleanBuffer>,
        wanted: bool,
    ) -> Result<ArrayRef, Refused> {
        let Accumulators { fixed, texts, held, given, .. } = accumulators;
        let Arguments { values, counts } = arguments;
        match &slot.kind {
            Kind::Fixed { offset, accumulator } => {
                let cells = Cells { data: fixed, stride: self.fixed, offset: *offset };
                match back {
                    None => accumulator.update(cells, keys, values),
                    Some(back) => accumulator.change(cells, keys, values, back),
                }
                .map_err(|_| Refused::Overflow)
            }
            Kind::Text { index, greatest } => {
                let (values, held) = text_extreme::update(*greatest, &texts[*index], keys, &values[0]);
                texts[*index] = held;
                Ok(values)
            }
            Kind::Variable { index, function } => function.update(&mut held[*index], keys, values, counts.as_ref(), wanted),
            Kind::Foreign { index, .. } => Ok(Arc::clone(&given[*index])),
        }
    }

    /// The value of each of the first `keys` keys.
    pub(super) fn values(&self, accumulators: &mut Accumulators, keys: u32) -> Result<Vec<ArrayRef>, Refused> {
        let all: Vec<u32> = (0..keys).collect();
        let Accumulators { fixed, texts, held, given, .. } = accumulators;
        // A row of nulls changes nothing, and the value after it is the value.
        let nulls = |slot: &Slot| -> Vec<ArrayRef> {
            let types: &[DataType] = if slot.arguments.is_empty() { &[DataType::Boolean] } else { &slot.arguments };
            types.iter().map(|data_type| new_null_array(data_type, all.len())).collect()
        };
        let value = |slot: &Slot| match &slot.kind {
            Kind::Fixed { offset, accumulator } => {
                let cells = Cells { data: fixed, stride: self.fixed, offset: *offset };
                accumulator.update(cells, &all, &nulls(slot)).map_err(|_| Refused::Overflow)
            }
            Kind::Text { index, greatest } => Ok(text_extreme::update(*greatest, &texts[*index], &all, &nulls(slot)[0]).0),
            Kind::Variable { index, function } => function.values(&held[*index]),
            Kind::Foreign { index, .. } => Ok(Arc::clone(&given[*index])),
        };
        self.slots.iter().map(value).collect()
    }

    /// Takes one row as [`Self::update`] does, but only of fixed width: the others can't overflow. On an overflow the number of the
    /// aggregate.
    pub(super) fn try_row(
        &self,
        fixed: &mut [u8],
        key: u32,
        row: usize,
        arguments: &[Arguments],
        back: Option<&BooleanBuffer>,
    ) -> Result<(), usize> {
        for (index, (slot, arguments)) in self.slots.iter().zip(arguments).enumerate() {
            if let Kind::Fixed { offset, accumulator } = &slot.kind {
                let values: Vec<ArrayRef> = arguments.values.iter().map(|value| value.slice(row, 1)).collect();
                let cells = Cells { data: fixed, stride: self.fixed, offset: *offset };
                let done = match back {
                    None => accumulator.update(cells, &[key], &values),
                    Some(back) => accumulator.change(cells, &[key], &values, &back.slice(row, 1)),
                };
                done.map_err(|_| index)?;
            }
        }
        Ok(())
    }

    /// Takes the loaded values apart; nothing where they aren't what [`Self::encode`] makes. With a fixed width, or what is computed elsewhere
    /// alone, the bytes only change hands.
    pub(super) fn decode(&self, values: &mut Values, keys: usize, into: &mut Accumulators) -> Option<()> {
        into.texts.clear();
        if self.is_fixed() {
            std::mem::swap(&mut into.fixed, &mut values.data);
            return (into.fixed.len() == keys * self.fixed).then_some(());
        }
        if into.foreign.len() != self.foreign {
            into.foreign = self.foreign().map(Foreign::none).collect();
        }
        if let Some(only) = self.only_foreign() {
            return only.take(values, keys, &mut into.foreign[0]);
        }
        into.fixed.clear();
        into.fixed.resize(keys * self.fixed, 0);
        let mut texts: Vec<Vec<Option<&str>>> = vec![Vec::with_capacity(keys); self.texts];
        into.held.clear();
        into.held.resize(self.held, vec![Vec::new(); keys]);
        into.foreign.iter_mut().for_each(Held::clear);
        for key in 0..keys {
            let Some(mut rest) = values.get(key, None) else {
                texts.iter_mut().for_each(|texts| texts.push(None));
                let all = into.foreign.iter_mut().zip(self.foreign());
                all.for_each(|(held, function)| held.push(function.initial.as_deref().unwrap_or_default()));
                continue;
            };
            into.fixed[key * self.fixed..(key + 1) * self.fixed].copy_from_slice(rest.split_off(..self.fixed)?);
            for texts in &mut texts {
                texts.push(decode_text(&mut rest)?);
            }
            for held in &mut into.held {
                held[key] = take_bytes(&mut rest)?.to_vec();
            }
            for (held, function) in into.foreign.iter_mut().zip(self.foreign()) {
                held.push(take_bytes(&mut rest).filter(|accumulator| function.fits(accumulator))?);
            }
            if !rest.is_empty() {
                return None;
            }
        }
        into.texts.extend(texts.into_iter().map(StringViewArray::from));
        Some(())
    }

    /// Puts the values together that are to be written, of the keys whose bits are set in `values.present`.
    pub(super) fn encode(&self, from: &mut Accumulators, keys: usize, values: &mut Values) {
        if self.is_fixed() {
            std::mem::swap(&mut from.fixed, &mut values.data);
            return;
        }
        if self.only_foreign().is_some() {
            let Held { offsets, data, .. } = &mut from.foreign[0];
            std::mem::swap(offsets, &mut values.offsets);
            std::mem::swap(data, &mut values.data);
            return;
        }
        values.data.clear();
        values.offsets.clear();
        values.offsets.push(0);
        for key in 0..keys {
            if values.is_present(key) {
                values.data.extend_from_slice(&from.fixed[key * self.fixed..(key + 1) * self.fixed]);
                for texts in &from.texts {
                    encode_text(texts.is_valid(key).then(|| texts.value(key)), &mut values.data);
                }
                from.held.iter().for_each(|held| put_bytes(&held[key], &mut values.data));
                from.foreign.iter().for_each(|held| put_bytes(held.get(key), &mut values.data));
            }
            #[expect(clippy::cast_possible_truncation, reason = "a call's state is far smaller than 4 GiB")]
            values.offsets.push(values.data.len() as u32);
        }
    }
}

/// So many more of what is counted, and where they start.
fn next(count: &mut usize, more: usize) -> usize {
    *count += more;
    *count - more
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    #[expect(clippy::cast_possible_truncation, reason = "what is held of a key is far shorter than 4 GiB")]
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
    rest.split_off(..length as usize)
}

fn encode_text(text: Option<&str>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.push(0) };
    out.push(1);
    put_bytes(text.as_bytes(), out);
}

/// A text, or none that was seen; nothing where the bytes are damaged.
fn decode_text<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    if *rest.split_off_first()? == 0 {
        return Some(None);
    }
    Some(Some(std::str::from_utf8(take_bytes(rest)?).ok()?))
}

/// The accumulator of an aggregate; none for a text's extreme and for functions of no fixed width.
fn accumulator(aggregate: &Aggregate, retracts: bool) -> Option<Box<dyn Accumulator>> {
    let Some(argument) = aggregate.arguments.first() else { return Some(Box::new(Count)) };
    let data_type = argument.data_type();
    match aggregate.function {
        Function::Count => Some(Box::new(Count)),
        Function::Sum => Some(sum(data_type, retracts)),
        Function::Average => Some(average(data_type)),
        Function::Min => extreme::<false>(data_type),
        Function::Max => extreme::<true>(data_type),
        Function::Spread(spread) => Some(Box::new(spread)),
        Function::Pair(pair) => Some(Box::new(pair)),
        Function::Variable(_) | Function::Foreign(_) => None,
    }
}

fn sum(of: &DataType, retracts: bool) -> Box<dyn Accumulator> {
    fn by<S: Step + 'static>(sum: S, retracts: bool) -> Box<dyn Accumulator> {
        if retracts { Box::new(Fold::<_, 17>(Counted::<_, 9>(sum))) } else { Box::new(Fold::<_, 9>(sum)) }
    }
    match of {
        DataType::Int32 => by(IntegerSum::<Int32Type>(PhantomData), retracts),
        DataType::UInt64 => by(IntegerSum::<UInt64Type>(PhantomData), retracts),
        DataType::Float32 => by(FloatSum::<Float32Type>(PhantomData), retracts),
        DataType::Float64 => by(FloatSum::<Float64Type>(PhantomData), retracts),
        DataType::Decimal128(_, scale) if retracts => Box::new(Fold::<_, 25>(Counted::<_, 17>(DecimalSum { scale: *scale }))),
        DataType::Decimal128(_, scale) => Box::new(Fold::<_, 17>(DecimalSum { scale: *scale })),
        _ => by(IntegerSum::<Int64Type>(PhantomData), retracts),
    }
}

fn average(of: &DataType) -> Box<dyn Accumulator> {
    fn by<T: ToFloat>(unit: f64) -> Box<dyn Accumulator>
    where
        Average<T>: Step,
    {
        Box::new(Fold::<_, 16>(Average::<T> { unit, of: PhantomData }))
    }
    match of {
        DataType::Int32 => by::<Int32Type>(1.0),
        DataType::UInt64 => by::<UInt64Type>(1.0),
        DataType::Float32 => by::<Float32Type>(1.0),
        DataType::Float64 => by::<Float64Type>(1.0),
        DataType::Decimal128(_, scale) => by::<Decimal128Type>(10f64.powi(i32::from(*scale))),
        _ => by::<Int64Type>(1.0),
    }
}

fn extreme<const GREATEST: bool>(of: &DataType) -> Option<Box<dyn Accumulator>> {
    fn by<T: ArrowPrimitiveType, const GREATEST: bool, const WIDTH: usize>(of: &DataType) -> Option<Box<dyn Accumulator>>
    where
        Extreme<T, GREATEST>: Step,
    {
        Some(Box::new(Fold::<_, WIDTH>(Extreme::<T, GREATEST> { data_type: of.clone(), of: PhantomData })))
    }
    match of {
        DataType::Int32 => by::<Int32Type, GREATEST, 5>(of),
        DataType::Int64 => by::<Int64Type, GREATEST, 9>(of),
        DataType::UInt64 => by::<UInt64Type, GREATEST, 9>(of),
        DataType::Float32 => by::<Float32Type, GREATEST, 5>(of),
        DataType::Float64 => by::<Float64Type, GREATEST, 9>(of),
        DataType::Date32 => by::<Date32Type, GREATEST, 5>(of),
        DataType::Timestamp(..) => by::<TimestampMillisecondType, GREATEST, 9>(of),
        DataType::Decimal128(..) => by::<Decimal128Type, GREATEST, 17>(of),
        _ => None,
    }
}
