//! When results come out beside the end of their window.

use arrow_array::BooleanArray;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use crate::contract::Context;

/// How many rows a key has in a window: a count that only the operator sees.
pub(super) const ROWS: &str = "@rows";

/// When results come out beside the end of their window, with all rows that have come until then, and as what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trigger {
    /// Each time that the window's time has come on by so many milliseconds from its start.
    pub early: Option<i64>,
    /// Each time that a key has so many rows more in the window.
    pub every_rows: Option<u64>,
    /// As changes of what was said before.
    pub retracting: bool,
}

impl Trigger {
    /// Whether anything comes out before the end.
    pub(super) fn comes_before_the_end(&self) -> bool {
        self.early.is_some() || self.every_rows.is_some()
    }

    /// Whether the time has come, between two moments, for a window that starts then.
    pub(super) fn comes(&self, start: i64, before: i64, now: i64) -> bool {
        let times = |moment: i64, early: i64| moment.saturating_add(1).saturating_sub(start).max(0).div_euclid(early);
        self.early.is_some_and(|early| times(now, early) > times(before, early))
    }
}

/// Leaves those of the results emitted from a place on that come when their key has got so many rows more; each was emitted behind its row,
/// and `column` says how many there are.
pub(super) fn every_rows(rows: u64, emitted: usize, column: usize, cx: &mut Context) {
    for emitted in &mut cx.emitted[emitted..] {
        let counts = emitted.batch.rows.column(column).as_primitive::<Int64Type>().values();
        let comes: BooleanArray = counts.iter().map(|count| Some(count.cast_unsigned().is_multiple_of(rows))).collect();
        emitted.batch = emitted.batch.filter(&comes);
    }
    cx.emitted.retain(|emitted| !emitted.batch.is_empty());
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
    }
}
