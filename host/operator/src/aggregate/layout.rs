//! How the accumulators of a key lie in its one value of the state `aggregates`.
//!
//! First the accumulators of a fixed width, in the order of the aggregates and without gaps; all of them zero is "nothing seen".
//! Then, for each `min` or `max` of text in the order of the aggregates, a byte 0 where nothing was seen, or a byte 1, the length
//! as a little-endian `u32`, and the text. The state has a fixed width where there are none of those.
//!
//! The version of the state is the lower half of the hash ([`key::hash`]) of the accumulators' formats joined by `;`: a snapshot
//! of other aggregates is refused and never misread.

use std::marker::PhantomData;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimestampMillisecondType,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, StringViewArray};
use arrow_schema::DataType;
use wasmill_flow::key;
use wasmill_state::{StateNeed, Values};

use super::accumulator::{Accumulator, Cells, Overflow};
use super::average::{Average, ToFloat};
use super::call::{Aggregate, Function};
use super::count::Count;
use super::extreme::Extreme;
use super::fold::{Fold, Step};
use super::sum::{DecimalSum, FloatSum, IntegerSum};
use super::text_extreme;

/// The name of the state.
pub(super) const STATE: &str = "aggregates";

/// Where each aggregate's accumulator is.
#[derive(Debug)]
pub(super) struct Layout {
    slots: Vec<Slot>,
    fixed: usize,
    texts: usize,
}

#[derive(Debug)]
enum Slot {
    Fixed { offset: usize, accumulator: Box<dyn Accumulator> },
    Text { index: usize, greatest: bool },
}

/// The accumulators of all keys of a call.
#[derive(Debug, Default)]
pub(super) struct Accumulators {
    /// Those of a fixed width, key after key.
    pub(super) fixed: Vec<u8>,
    /// For each of text, each key's.
    texts: Vec<StringViewArray>,
}

impl Layout {
    pub(super) fn new(aggregates: &[Aggregate]) -> Self {
        let (mut fixed, mut texts) = (0, 0);
        let mut slot = |aggregate: &Aggregate| match accumulator(aggregate) {
            Some(accumulator) => {
                let offset = fixed;
                fixed += accumulator.width();
                Slot::Fixed { offset, accumulator }
            }
            None => {
                texts += 1;
                Slot::Text { index: texts - 1, greatest: aggregate.function == Function::Max }
            }
        };
        let slots = aggregates.iter().map(&mut slot).collect();
        Self { slots, fixed, texts }
    }

    /// The state that it needs.
    pub(super) fn need(&self) -> StateNeed {
        let format = |slot: &Slot| match slot {
            Slot::Fixed { accumulator, .. } => accumulator.format(),
            Slot::Text { greatest, .. } => format!("{}:utf8", if *greatest { "max" } else { "min" }),
        };
        let formats = self.slots.iter().map(format).collect::<Vec<_>>().join(";");
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
        let version = key::hash(formats.as_bytes()) as u32;
        StateNeed { name: STATE.to_owned(), version, width: self.width() }
    }

    fn width(&self) -> Option<u32> {
        #[expect(clippy::cast_possible_truncation, reason = "some bytes an aggregate")]
        (self.texts == 0).then_some(self.fixed as u32)
    }

    /// The bytes of one key among [`Accumulators::fixed`].
    pub(super) fn stride(&self) -> usize {
        self.fixed
    }

    /// Takes rows and gives each aggregate's values after each row. `arguments` has one for each aggregate that has any.
    pub(super) fn update(
        &self,
        accumulators: &mut Accumulators,
        keys: &[u32],
        arguments: &[Option<&ArrayRef>],
    ) -> Result<Vec<ArrayRef>, Overflow> {
        let Accumulators { fixed, texts } = accumulators;
        let update = |(slot, argument): (&Slot, &Option<&ArrayRef>)| match slot {
            Slot::Fixed { offset, accumulator } => {
                accumulator.update(Cells { data: fixed, stride: self.fixed, offset: *offset }, keys, *argument)
            }
            Slot::Text { index, greatest } => {
                let (values, held) = text_extreme::update(*greatest, &texts[*index], keys, argument.ok_or(Overflow)?);
                texts[*index] = held;
                Ok(values)
            }
        };
        self.slots.iter().zip(arguments).map(update).collect()
    }

    /// Takes one row as [`Self::update`] does, but for text, which can't overflow; on an overflow the number of the aggregate.
    pub(super) fn try_row(&self, fixed: &mut [u8], key: u32, row: usize, arguments: &[Option<&ArrayRef>]) -> Result<(), usize> {
        for (index, (slot, argument)) in self.slots.iter().zip(arguments).enumerate() {
            if let Slot::Fixed { offset, accumulator } = slot {
                let argument = argument.map(|argument| argument.slice(row, 1));
                let cells = Cells { data: fixed, stride: self.fixed, offset: *offset };
                accumulator.update(cells, &[key], argument.as_ref()).map_err(|Overflow| index)?;
            }
        }
        Ok(())
    }

    /// Takes the loaded values apart; nothing where they aren't what [`Self::encode`] makes. With a fixed width the bytes only
    /// change hands.
    pub(super) fn decode(&self, values: &mut Values, keys: usize, into: &mut Accumulators) -> Option<()> {
        into.texts.clear();
        if self.texts == 0 {
            std::mem::swap(&mut into.fixed, &mut values.data);
            return (into.fixed.len() == keys * self.fixed).then_some(());
        }
        into.fixed.clear();
        into.fixed.resize(keys * self.fixed, 0);
        let mut texts: Vec<Vec<Option<&str>>> = vec![Vec::with_capacity(keys); self.texts];
        for key in 0..keys {
            let Some(mut rest) = values.get(key, None) else {
                texts.iter_mut().for_each(|texts| texts.push(None));
                continue;
            };
            into.fixed[key * self.fixed..(key + 1) * self.fixed].copy_from_slice(rest.split_off(..self.fixed)?);
            for texts in &mut texts {
                texts.push(decode_text(&mut rest)?);
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
        if self.texts == 0 {
            std::mem::swap(&mut from.fixed, &mut values.data);
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
            }
            #[expect(clippy::cast_possible_truncation, reason = "a call's state is far smaller than 4 GiB")]
            values.offsets.push(values.data.len() as u32);
        }
    }
}

fn encode_text(text: Option<&str>, out: &mut Vec<u8>) {
    let Some(text) = text else { return out.push(0) };
    out.push(1);
    #[expect(clippy::cast_possible_truncation, reason = "a text is far shorter than 4 GiB")]
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A text, or none that was seen; nothing where the bytes are damaged.
fn decode_text<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a str>> {
    if *rest.split_off_first()? == 0 {
        return Some(None);
    }
    let length = u32::from_le_bytes(*rest.split_off(..4)?.first_chunk()?);
    Some(Some(std::str::from_utf8(rest.split_off(..length as usize)?).ok()?))
}

/// The accumulator of an aggregate; none for a text's extreme.
fn accumulator(aggregate: &Aggregate) -> Option<Box<dyn Accumulator>> {
    let Some(argument) = &aggregate.argument else { return Some(Box::new(Count)) };
    let data_type = argument.data_type();
    match aggregate.function {
        Function::Count => Some(Box::new(Count)),
        Function::Sum => Some(sum(data_type)),
        Function::Average => Some(average(data_type)),
        Function::Min => extreme::<false>(data_type),
        Function::Max => extreme::<true>(data_type),
    }
}

fn sum(of: &DataType) -> Box<dyn Accumulator> {
    match of {
        DataType::Int32 => Box::new(Fold::<_, 9>(IntegerSum::<Int32Type>(PhantomData))),
        DataType::UInt64 => Box::new(Fold::<_, 9>(IntegerSum::<UInt64Type>(PhantomData))),
        DataType::Float32 => Box::new(Fold::<_, 9>(FloatSum::<Float32Type>(PhantomData))),
        DataType::Float64 => Box::new(Fold::<_, 9>(FloatSum::<Float64Type>(PhantomData))),
        DataType::Decimal128(_, scale) => Box::new(Fold::<_, 17>(DecimalSum { scale: *scale })),
        _ => Box::new(Fold::<_, 9>(IntegerSum::<Int64Type>(PhantomData))),
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
