//! Aggregates that aren't computed here but, for all this crate knows, in a plugin: rows go out, accumulators and values come back.
//!
//! What a key holds is theirs alone; here it is bytes of any length in the key's value of the state.

mod changes;

use std::fmt;
use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use arrow_schema::Field;
use futures_util::future::{BoxFuture, ready};
use wasmill_state::Values;

use super::layout::{Accumulators, Arguments};
use crate::contract::{OperatorError, PluginCounts};

/// The accumulators of some keys, end to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The bytes of each, where all have as many.
    pub width: Option<usize>,
    /// Accumulator `i` is `data[offsets[i]..offsets[i + 1]]`; the first offset is 0, and the last the length of `data`. Empty where there is a width.
    pub offsets: Vec<u32>,
    /// Their bytes.
    pub data: Vec<u8>,
}

impl Held {
    /// None yet, of this width where they have one.
    #[must_use]
    pub fn new(width: Option<usize>) -> Self {
        Self { width, offsets: if width.is_some() { Vec::new() } else { vec![0] }, data: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.width.map_or_else(|| self.offsets.len() - 1, |width| self.data.len() / width)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        match self.width {
            Some(width) => &self.data[index * width..(index + 1) * width],
            None => &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize],
        }
    }

    /// Adds one, of the width where there is one.
    pub fn push(&mut self, accumulator: &[u8]) {
        self.data.extend_from_slice(accumulator);
        if self.width.is_none() {
            #[expect(clippy::cast_possible_truncation, reason = "a call's state is far smaller than 4 GiB")]
            self.offsets.push(self.data.len() as u32);
        }
    }

    /// Some of them.
    #[must_use]
    pub fn slice(&self, some: Range<usize>) -> Self {
        let mut slice = Self::new(self.width);
        some.for_each(|index| slice.push(self.get(index)));
        slice
    }

    pub(super) fn clear(&mut self) {
        self.offsets.truncate(1);
        self.data.clear();
    }
}

/// An aggregate function that is computed elsewhere.
///
/// # Contract
/// 1. No bytes are an accumulator that has seen nothing, or those of `initial` where there are such: then all have as many.
/// 2. `take` leaves as many accumulators as it found, each of at most 1 MiB, and gives as many values as there are rows, of the type
///    that was declared.
/// 3. After an error the job stops; what is in `held` doesn't matter then.
pub trait ForeignAggregate: Send {
    /// Row `i` of `arguments` goes into accumulator `keys[i]` of `held`, in order. Gives the value after each row; where they aren't `wanted`, nulls.
    fn take<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
        wanted: bool,
    ) -> BoxFuture<'a, Result<ArrayRef, OperatorError>>;

    /// The value of each accumulator.
    fn finish<'a>(&'a mut self, held: &'a Held) -> BoxFuture<'a, Result<ArrayRef, OperatorError>>;

    /// Where all accumulators have the same number of bytes, at least one: those of one that has seen nothing.
    fn initial(&self) -> Option<&[u8]> {
        None
    }

    /// Whether `merge` works.
    fn merges(&self) -> bool {
        false
    }

    /// Adds to each accumulator what another of the same key has seen; only where it merges.
    fn merge<'a>(&'a mut self, held: &'a mut Held, others: &'a Held) -> BoxFuture<'a, Result<(), OperatorError>> {
        let _ = (held, others);
        Box::pin(ready(Ok(())))
    }

    /// Whether `retract` works.
    fn retracts(&self) -> bool {
        false
    }

    /// Takes row `i` of `arguments` back out of accumulator `keys[i]` of `held`; only where it retracts.
    fn retract<'a>(
        &'a mut self,
        held: &'a mut Held,
        keys: &'a [u32],
        arguments: Vec<ArrayRef>,
    ) -> BoxFuture<'a, Result<(), OperatorError>> {
        let _ = (held, keys, arguments);
        Box::pin(ready(Ok(())))
    }

    /// Called when no rows came for a while, so that what is only a cache can be given back.
    fn idle(&mut self);

    /// What it counts.
    fn counts(&self) -> PluginCounts;
}

/// How a column of an aggregate is computed.
pub enum Computation {
    /// By an SQL aggregate, as `count(*)`.
    Sql(String),
    /// Not at all: the rows themselves, with these columns of the input, as a list. There is one at most, behind the others.
    Rows(Vec<usize>),
    /// Elsewhere.
    Foreign {
        /// What it is called in messages.
        text: String,
        /// The name of its accumulators' encoding.
        format: String,
        /// The type of its values.
        result: Field,
        /// The columns of the input that it is over, by index.
        of: Vec<usize>,
        /// What computes it.
        aggregate: Box<dyn ForeignAggregate>,
    },
}

/// What a layout needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    /// The name of its encoding.
    pub(super) format: String,
    /// Its values may be null.
    pub(super) nullable: bool,
    /// The bytes of an accumulator that has seen nothing, where all have as many.
    pub(super) initial: Option<Vec<u8>>,
}

/// One of an operator's aggregates that is computed elsewhere.
pub(super) struct Elsewhere {
    /// Which of the aggregates it is.
    pub(super) number: usize,
    pub(super) aggregate: Box<dyn ForeignAggregate>,
}

impl Foreign {
    fn width(&self) -> Option<usize> {
        self.initial.as_ref().map(Vec::len)
    }

    /// No accumulators yet.
    pub(super) fn none(&self) -> Held {
        Held::new(self.width())
    }

    /// Whether bytes may be an accumulator.
    pub(super) fn fits(&self, accumulator: &[u8]) -> bool {
        self.width().is_none_or(|width| accumulator.len() == width)
    }

    /// The width of a key's value that is an accumulator and nothing else.
    #[expect(clippy::cast_possible_truncation, reason = "some bytes an aggregate")]
    pub(super) fn value_width(&self) -> Option<u32> {
        self.width().map(|width| width as u32)
    }

    /// Takes the values of so many keys, which are accumulators and nothing else; nothing where they can't be.
    pub(super) fn take(&self, values: &mut Values, keys: usize, held: &mut Held) -> Option<()> {
        std::mem::swap(&mut held.offsets, &mut values.offsets);
        std::mem::swap(&mut held.data, &mut values.data);
        let Some(initial) = &self.initial else { return (held.offsets.len() == keys + 1).then_some(()) };
        if held.data.len() != keys * initial.len() {
            return None;
        }
        for (key, accumulator) in held.data.chunks_exact_mut(initial.len()).enumerate() {
            if !values.is_present(key) {
                accumulator.copy_from_slice(initial);
            }
        }
        Some(())
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Has each of them take some rows, or take those back of which `back` is true, and notes the values that they give.
pub(super) async fn take_all(
    elsewhere: &mut [Elsewhere],
    accumulators: &mut Accumulators,
    row_keys: &[u32],
    arguments: &[Arguments],
    back: Option<&BooleanBuffer>,
    wanted: bool,
) -> Result<(), OperatorError> {
    let Accumulators { foreign, given, .. } = accumulators;
    given.clear();
    for (each, held) in elsewhere.iter_mut().zip(foreign) {
        let arguments = arguments[each.number].values.clone();
        given.push(match back {
            None => each.aggregate.take(held, row_keys, arguments, wanted).await?,
            Some(back) => changes::change(each.aggregate.as_mut(), held, row_keys, &arguments, back, wanted).await?,
        });
    }
    Ok(())
}

/// Has each of them say what each key's value is.
pub(super) async fn finish_all(elsewhere: &mut [Elsewhere], accumulators: &mut Accumulators) -> Result<(), OperatorError> {
    let Accumulators { foreign, given, .. } = accumulators;
    given.clear();
    for (each, held) in elsewhere.iter_mut().zip(foreign) {
        given.push(each.aggregate.finish(held).await?);
    }
    Ok(())
}

/// Has each of them add others' accumulators of the same keys.
pub(super) async fn merge_all(
    elsewhere: &mut [Elsewhere],
    accumulators: &mut Accumulators,
    others: &Accumulators,
) -> Result<(), OperatorError> {
    for (each, (held, others)) in elsewhere.iter_mut().zip(accumulators.foreign.iter_mut().zip(&others.foreign)) {
        each.aggregate.merge(held, others).await?;
    }
    Ok(())
}
