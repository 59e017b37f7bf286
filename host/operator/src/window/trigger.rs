//! When results come out beside the end of their window, and what they are of.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use crate::aggregate::Comes;
use crate::contract::Context;

/// How many rows a key has in a window: a count that only the operator sees. It is the first of its aggregates.
pub(super) const ROWS: &str = "@rows";

/// When results come out beside the end of their window, with which of the rows that have come until then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trigger {
    /// Each time that the window's time has come on by so many milliseconds from its start.
    pub early: Option<i64>,
    /// Each time that a key has so many rows more in the window.
    pub every_rows: Option<u64>,
    /// What a result is of, and is to those before it.
    pub accumulation: Accumulation,
}

/// What a result of a window is of where another came before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accumulation {
    /// All rows until then.
    #[default]
    Accumulating,
    /// The rows since the last result: what came out is forgotten.
    Discarding,
    /// All rows until then, as changes of what was said before.
    Retracting,
}

impl Trigger {
    /// Whether anything comes out before the end.
    pub(super) fn comes_before_the_end(&self) -> bool {
        self.early.is_some() || self.every_rows.is_some()
    }

    pub(super) fn retracts(&self) -> bool {
        self.accumulation == Accumulation::Retracting
    }

    /// Whether the time has come, between two moments, for a window that starts then.
    pub(super) fn comes(&self, start: i64, before: i64, now: i64) -> bool {
        self.early.is_some_and(|early| times(start, now, early) > times(start, before, early))
    }

    /// The next time that comes for a window that starts then, when event time has come so far: it comes with the millisecond before.
    pub(super) fn next(&self, start: i64, now: i64) -> Option<i64> {
        self.early.map(|early| start.saturating_add((times(start, now, early) + 1).saturating_mul(early)))
    }
}

/// How many times it has come.
fn times(start: i64, moment: i64, early: i64) -> i64 {
    moment.saturating_add(1).saturating_sub(start).max(0).div_euclid(early)
}

/// Leaves those of the results emitted from a place on that come with their number of rows, which `column` has.
pub(super) fn leave(emitted: usize, column: usize, cx: &mut Context, comes: Comes) {
    // Only those: of many results that came before, each is looked at once.
    for mut results in cx.emitted.split_off(emitted) {
        let counts = results.batch.rows.column(column).as_primitive::<Int64Type>().values();
        let left: BooleanArray = counts.iter().map(|count| Some(comes.with(count.cast_unsigned()))).collect();
        results.batch = results.batch.filter(&left);
        if !results.batch.is_empty() {
            cx.emitted.push(results);
        }
    }
}

/// How many rows a key has, of its value in the state.
pub(super) fn counted(value: &[u8]) -> Option<u64> {
    Some(i64::from_le_bytes(*value.first_chunk()?).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_results_come_at_multiples_from_a_window_s_start() {
        let trigger = Trigger { early: Some(10), ..Trigger::default() };
        assert!(!trigger.comes(100, 50, 108), "at 110, which is reached with the millisecond before");
        assert!(trigger.comes(100, 108, 109));
        assert!(!trigger.comes(100, 109, 118));
        assert!(trigger.comes(100, 118, 145), "once, however far it has come");
        assert!(!trigger.comes(100, i64::MIN, 99));
        assert!(!Trigger::default().comes(100, 0, 1_000));
        assert_eq!([i64::MIN, 108, 109].map(|now| trigger.next(100, now)), [Some(110), Some(110), Some(120)]);
    }
}
