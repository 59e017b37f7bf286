//! `retract-where`: rows that say what is no longer so are taken back out of what their key holds.
//!
//! How many rows a key has is one aggregate more, which only the operator sees. A key that has none left is forgotten, as if none had ever come;
//! a row that is taken back of a key that has none dies.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;

use super::RunningAggregate;
use crate::expression::ExpressionProblem;

/// How many rows a key has.
pub(super) const ROWS: &str = "@rows";

impl RunningAggregate {
    /// The numbers of the aggregates that rows can't be taken back from.
    pub(super) fn keeping(&self) -> impl Iterator<Item = usize> {
        let elsewhere = self.elsewhere.iter().filter(|each| !each.aggregate.retracts()).map(|each| each.number);
        self.layout.keeping().chain(elsewhere)
    }

    /// How many of the aggregates don't come out: the first ones.
    pub(super) fn hidden(&self) -> usize {
        usize::from(self.retracts)
    }

    /// Which rows are taken back, of what was computed for them; nothing where none ever is.
    pub(super) fn back_of(&self, computed: &[ArrayRef]) -> Option<BooleanBuffer> {
        let condition = computed.last().filter(|_| self.retracts)?.as_boolean();
        Some(condition.nulls().map_or_else(|| condition.values().clone(), |there| condition.values() & there.inner()))
    }

    /// Rows that are taken back while their key has none, with the reason.
    pub(super) fn never_came(&self, row_keys: &[u32], back: &BooleanBuffer) -> Vec<(usize, String)> {
        let mut held: Vec<i64> = self.rows_of_keys().collect();
        let mut never_came = Vec::new();
        for (row, (&key, back)) in row_keys.iter().zip(back).enumerate() {
            let held = &mut held[key as usize];
            match (back, *held) {
                (false, _) => *held += 1,
                (true, 1..) => *held -= 1,
                (true, _) => never_came.push((row, "retract-where: the key has no row that could be taken back".to_owned())),
            }
        }
        never_came
    }

    /// Has what is written leave out the keys that have no rows any more.
    pub(super) fn forget_empty(&mut self, keys: usize) {
        let empty: Vec<usize> =
            self.rows_of_keys().take(keys).enumerate().filter(|(_, rows)| *rows == 0).map(|(key, _)| key).collect();
        empty.into_iter().for_each(|key| self.write.values.present[key / 8] &= !(1 << (key % 8)));
    }

    fn rows_of_keys(&self) -> impl Iterator<Item = i64> {
        let values = self.accumulators.fixed.chunks_exact(self.layout.stride());
        values.map(|value| value.first_chunk().map_or(0, |rows| i64::from_le_bytes(*rows)))
    }
}

/// Why rows can't be taken back from an aggregate.
pub(super) fn keeps_what_came() -> ExpressionProblem {
    let message = "rows can't be taken back from it, as it doesn't keep all that it would take; count, sum, avg, var, stddev, covar, corr and regr, without \
                   `distinct`, and plugins that retract can";
    ExpressionProblem::new("invalid-expression", message)
}
