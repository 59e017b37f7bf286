//! Accumulators of the same keys combined: what two parts of a window's rows come to together.

use std::ops::Range;

use wasmill_state::Values;

use super::refused::Refused;
use super::{RunningAggregate, bug, damaged, foreign, set_all};
use crate::contract::OperatorError;

impl RunningAggregate {
    /// Whether parts of rows can be put together in whatever order they come.
    pub(crate) fn merges(&self) -> bool {
        // Rows aren't put together of parts: each of them would be copied for each of its windows.
        self.collected.is_none() && self.layout.merges() && self.elsewhere.iter().all(|each| each.aggregate.merges())
    }

    /// The aggregates that can't be put together of parts at all, as their reasons name them.
    pub(crate) fn whole(&self) -> impl Iterator<Item = usize> {
        let elsewhere = self.elsewhere.iter().filter(|each| !each.aggregate.merges()).map(|each| each.number);
        self.layout.whole().chain(elsewhere)
    }

    /// Adds to the values of some keys, of the state, what others have seen; those that are absent have seen nothing. The result is where
    /// the first were, of all keys.
    pub(crate) async fn merge(&mut self, left: &mut Values, right: &mut Values, keys: usize) -> Result<(), OperatorError> {
        self.layout.decode(left, keys, &mut self.accumulators).ok_or_else(damaged)?;
        self.layout.decode(right, keys, &mut self.others).ok_or_else(damaged)?;
        foreign::merge_all(&mut self.elsewhere, &mut self.accumulators, &self.others).await?;
        self.layout.merge(&mut self.accumulators, &self.others, keys).map_err(|refused| self.cannot_merge(refused))?;
        left.present.resize(keys.div_ceil(8), 0);
        set_all(&mut left.present, keys);
        self.layout.encode(&mut self.accumulators, keys, left);
        Ok(())
    }

    /// Parts that can't be put together, of an aggregate by its number.
    pub(super) fn cannot_merge(&self, (aggregate, refused): (usize, Refused)) -> OperatorError {
        let named = &self.named[aggregate];
        match refused {
            Refused::Damaged => damaged(),
            Refused::Overflow => OperatorError {
                code: "sum-overflows",
                message: format!("{named}: the sum of a window overflows"),
                row: None,
                hint: Some("sum numbers with more room: cast(x as decimal(38,0))".to_owned()),
            },
            Refused::Rows(rows) => OperatorError {
                code: "aggregate-full",
                message: format!("{named}: {}", rows.first().map_or("it is full", |(_, cause)| cause)),
                row: None,
                hint: Some("a shorter window, or a function that keeps less of its rows".to_owned()),
            },
        }
    }

    /// Has some keys' values, of the state, have seen nothing, but for those aggregates.
    pub(crate) fn empty(&mut self, values: &mut Values, keys: usize, but: Range<usize>) -> Result<(), OperatorError> {
        self.layout.decode(values, keys, &mut self.accumulators).ok_or_else(damaged)?;
        self.layout.empty(&mut self.accumulators, keys, but);
        self.layout.encode(&mut self.accumulators, keys, values);
        Ok(())
    }

    /// The columns that some keys' values, of the state, come to.
    pub(crate) async fn columns_of(
        &mut self,
        values: &mut Values,
        keys: usize,
    ) -> Result<Vec<arrow_array::ArrayRef>, OperatorError> {
        self.layout.decode(values, keys, &mut self.accumulators).ok_or_else(damaged)?;
        foreign::finish_all(&mut self.elsewhere, &mut self.accumulators).await?;
        let keys = u32::try_from(keys).map_err(|_| bug("a call has too many keys"))?;
        self.layout.values(&mut self.accumulators, keys).map_err(|_| damaged())
    }
}
