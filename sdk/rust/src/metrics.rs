//! Figures for people, by name (`[a-z][a-z0-9_]{0,62}`; at most 100 names an operator).
//!
//! They are gathered here and cross the sandbox once a call, so counting every record is cheap. Figures of a failed call are undone.

use std::cell::RefCell;

use crate::host;

thread_local! {
    static COUNTERS: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
    static GAUGES: RefCell<Vec<(&'static str, f64)>> = const { RefCell::new(Vec::new()) };
}

/// Adds to a counter.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// fn process(&mut self, row: Row, _: &mut Context<Self>) -> Result<()> {
///     metrics::counter("rows_dropped", 1);
/// #     let _ = row;
///     Ok(())
/// }
/// # }
/// ```
pub fn counter(name: &'static str, add: u64) {
    COUNTERS.with_borrow_mut(|counters| match counters.iter_mut().find(|(known, _)| *known == name) {
        Some((_, sum)) => *sum = sum.saturating_add(add),
        None => counters.push((name, add)),
    });
}

/// Sets a gauge; the last value of a call counts.
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// # #[derive(Operator)] struct It { seen: ValueState<i64> }
/// # impl Process for It {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { seen: ValueState::new() }) }
/// fn process(&mut self, row: Row, _: &mut Context<Self>) -> Result<()> {
///     metrics::gauge("last_n", row.n as f64);
///     Ok(())
/// }
/// # }
/// ```
pub fn gauge(name: &'static str, value: f64) {
    GAUGES.with_borrow_mut(|gauges| match gauges.iter_mut().find(|(known, _)| *known == name) {
        Some((_, newest)) => *newest = value,
        None => gauges.push((name, value)),
    });
}

/// Hands to the host what a call gathered.
pub(crate) fn flush() {
    COUNTERS.with_borrow_mut(|counters| counters.drain(..).for_each(|(name, sum)| host::counter(name, sum)));
    GAUGES.with_borrow_mut(|gauges| gauges.drain(..).for_each(|(name, newest)| host::gauge(name, newest)));
}

/// Drops what a failed call gathered.
pub(crate) fn discard() {
    COUNTERS.with_borrow_mut(Vec::clear);
    GAUGES.with_borrow_mut(Vec::clear);
}
