//! An open aggregate function and the calls made to it.

use crate::aggregate::Aggregate;
use crate::bindings::aggregate_function::exports::wasmill::plugin::aggregate::AggregatePlan;
use crate::bindings::data::Batch;
use crate::bindings::{BinaryArray, Column, Field};
use crate::column::{ColumnBuilder, ColumnValue};
use crate::describe::type_name;
use crate::error::{Error, Result};
use crate::record::{ReadRecord, Record};
use crate::settings;
use crate::state::StateValue;

/// An open aggregate function.
pub struct Instance<A: Aggregate>(pub(crate) A);

impl<A: Aggregate> Instance<A> {
    /// The bytes of every accumulator, where they are read and written in place.
    const WIDTH: Option<usize> = match A::Accumulator::WIDTH {
        Some(width @ 1..=1_024) => Some(width as usize),
        _ => None,
    };

    /// What the function makes of these settings and arguments.
    pub fn describe(settings: &str, arguments: &[Field]) -> Result<AggregatePlan> {
        Self::open(settings, arguments)?;
        let result = Field { name: A::NAME.to_owned(), data_type: A::Output::TYPE, nullable: A::Output::NULLABLE };
        let initial = Self::WIDTH.map(|_| {
            let mut bytes = Vec::new();
            A::Accumulator::default().write(&mut bytes);
            bytes
        });
        Ok(AggregatePlan { result, version: A::VERSION, merges: true, retracts: A::RETRACTS, initial })
    }

    /// Makes an instance.
    pub fn open(settings: &str, arguments: &[Field]) -> Result<Self> {
        check::<A>(arguments)?;
        Ok(Self(A::open(settings::parse(settings)?)?))
    }

    /// Takes rows; `after` is given what has been seen after each.
    pub fn accumulate(
        &self,
        accumulators: BinaryArray,
        group: &[u32],
        rows: &Batch,
        mut after: impl FnMut(&A::Accumulator),
    ) -> Result<BinaryArray> {
        self.each(accumulators, group, rows, |seen, row| {
            self.0.add(seen, row)?;
            after(seen);
            Ok(())
        })
    }

    /// Takes rows back.
    pub fn retract(&self, accumulators: BinaryArray, group: &[u32], rows: &Batch) -> Result<BinaryArray> {
        self.each(accumulators, group, rows, |seen, row| self.0.retract(seen, row))
    }

    /// Changes accumulators by rows, one after the other.
    #[inline(always)]
    fn each(
        &self,
        mut accumulators: BinaryArray,
        group: &[u32],
        rows: &Batch,
        mut change: impl FnMut(&mut A::Accumulator, A::Input<'_>) -> Result<()>,
    ) -> Result<BinaryArray> {
        if group.len() != rows.rows as usize {
            return Err(Error::fail("the host gave another number of groups than of rows"));
        }
        let columns = <A::Input<'_> as ReadRecord<'_>>::bind(&rows.columns, group.len())?;
        let outside = || Error::fail("the host gave a row of no accumulator");
        let mut change =
            |seen: &mut A::Accumulator, row: usize| change(seen, <A::Input<'_> as ReadRecord<'_>>::read(&columns, row));
        if let Some(width) = Self::WIDTH {
            for (row, &of) in group.iter().enumerate() {
                let start = of as usize * width;
                let mut place = accumulators.data.get_mut(start..start + width).ok_or_else(outside)?;
                let mut seen = decode(place)?;
                change(&mut seen, row)?;
                seen.write(&mut place);
            }
            return Ok(accumulators);
        }
        let mut all = all::<A>(&accumulators)?;
        for (row, &of) in group.iter().enumerate() {
            change(all.get_mut(of as usize).ok_or_else(outside)?, row)?;
        }
        Ok(encode_all::<A>(&all))
    }

    /// The same, and the value after each row.
    pub fn running(&self, accumulators: BinaryArray, group: &[u32], rows: &Batch) -> Result<(BinaryArray, Column)> {
        let mut values = <A::Output as ColumnValue>::Builder::default();
        values.reserve(group.len());
        let all = self.accumulate(accumulators, group, rows, |seen| self.0.finish(seen).append_to(&mut values))?;
        Ok((all, values.take()))
    }

    /// Each two become one.
    pub fn merge(&self, mut left: BinaryArray, right: &BinaryArray) -> Result<BinaryArray> {
        let another = || Error::fail("the host gave another number of accumulators to merge than to merge into");
        if let Some(width) = Self::WIDTH {
            if left.data.len() != right.data.len() {
                return Err(another());
            }
            for (mut place, other) in left.data.chunks_exact_mut(width).zip(right.data.chunks_exact(width)) {
                let mut seen = decode(place)?;
                self.0.merge(&mut seen, decode(other)?);
                seen.write(&mut place);
            }
            return Ok(left);
        }
        let (mut left, right) = (all::<A>(&left)?, all::<A>(right)?);
        if left.len() != right.len() {
            return Err(another());
        }
        left.iter_mut().zip(right).for_each(|(seen, other)| self.0.merge(seen, other));
        Ok(encode_all::<A>(&left))
    }

    /// The value of each.
    pub fn finish(&self, accumulators: &BinaryArray) -> Result<Column> {
        let mut values = <A::Output as ColumnValue>::Builder::default();
        match Self::WIDTH {
            Some(width) => {
                for seen in accumulators.data.chunks_exact(width) {
                    self.0.finish(&decode(seen)?).append_to(&mut values);
                }
            }
            None => all::<A>(accumulators)?.iter().for_each(|seen| self.0.finish(seen).append_to(&mut values)),
        }
        Ok(values.take())
    }
}

/// Whether the arguments are those that the function is over.
fn check<A: Aggregate>(arguments: &[Field]) -> Result<()> {
    let fields = <A::Input<'static> as Record>::FIELDS;
    if fields.len() != arguments.len() {
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        let (takes, given) = (names.join(", "), arguments.len());
        return Err(Error::fail(format!(
            "the aggregate is over {} columns ({takes}), but the job gives it {given}",
            fields.len()
        )));
    }
    for (field, column) in fields.iter().zip(arguments) {
        let (wanted, found, name) = (type_name(field.data_type), type_name(column.data_type), &column.name);
        if wanted != found {
            return Err(Error::fail(format!("column `{name}` is {found}, but the aggregate's `{}` is {wanted}", field.name)));
        }
        if column.nullable && !field.nullable {
            return Err(Error::fail(format!(
                "column `{name}` may be null, but the aggregate's `{}` is a value of every row: declare it `{found} not null`, or read \
                 an `Option`",
                field.name
            )));
        }
    }
    Ok(())
}

fn all<A: Aggregate>(accumulators: &BinaryArray) -> Result<Vec<A::Accumulator>> {
    let BinaryArray { offsets, data } = accumulators;
    let part = |ends: &[u32]| decode(data.get(ends[0] as usize..ends[1] as usize).unwrap_or_default());
    offsets.windows(2).map(part).collect()
}

fn encode_all<A: Aggregate>(all: &[A::Accumulator]) -> BinaryArray {
    let mut data = Vec::with_capacity(all.len() * 16);
    let mut offsets = Vec::with_capacity(all.len() + 1);
    offsets.push(0);
    for seen in all {
        seen.write(&mut data);
        offsets.push(data.len() as u32);
    }
    BinaryArray { offsets, data }
}

/// An accumulator of its bytes; of none, one that has seen nothing.
#[inline(always)]
pub(crate) fn decode<S: StateValue + Default>(mut bytes: &[u8]) -> Result<S> {
    if bytes.is_empty() {
        return Ok(S::default());
    }
    let seen = S::read(&mut bytes).filter(|_| bytes.is_empty());
    seen.ok_or_else(|| {
        Error::fail("an accumulator holds bytes that the aggregate has not written: raise its VERSION when it changes")
    })
}
