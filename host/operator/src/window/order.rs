//! Results in the order of the rows that they come with, in whatever order those were counted.
//!
//! A result that comes with a row leaves the aggregate with the row's event time, which no window has a use for. So rows are counted with
//! their places for event times, and what has come of all of them is put into the order of those. Rows that are counted as they came, or of
//! which nothing comes out, need none of this.

use arrow_array::UInt32Array;
use arrow_buffer::ScalarBuffer;
use wasmill_flow::Batch;

use crate::contract::Context;

/// The event times of rows that have their places instead.
#[derive(Debug)]
pub(super) struct Places {
    times: Option<Vec<i64>>,
    /// What had been emitted and had died before.
    emitted: usize,
    dead: usize,
}

impl Places {
    /// Of rows with these event times, where they have any.
    pub(super) fn of(times: Option<Vec<i64>>, cx: &Context) -> Self {
        Self { times, emitted: cx.emitted.len(), dead: cx.dead.len() }
    }

    /// Puts all that was emitted since into one batch, in the order of places; what was emitted and what has died has its event times again.
    pub(super) fn give_back(self, cx: &mut Context) {
        for dead in &mut cx.dead[self.dead..] {
            dead.rows.times = self.times_at(dead.rows.times.take());
        }
        let results: Vec<Batch> = cx.emitted.split_off(self.emitted).into_iter().map(|emitted| emitted.batch).collect();
        if !results.is_empty() {
            let mut results = in_order(Batch::concat(&results));
            results.times = self.times_at(results.times.take());
            cx.emit(0, results);
        }
    }

    fn times_at(&self, places: Option<ScalarBuffer<i64>>) -> Option<ScalarBuffer<i64>> {
        let (times, places) = (self.times.as_ref()?, places?);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place is the number of a row of a batch")]
        let time = |&place: &i64| times[place as usize];
        Some(places.iter().map(time).collect())
    }
}

/// Results in the order of their places; those of one place stay as they are.
fn in_order(results: Batch) -> Batch {
    let Some(places) = results.times.as_ref().filter(|places| !places.is_sorted()) else { return results };
    let mut order: Vec<u32> = (0_u32..).take(places.len()).collect();
    order.sort_by_key(|&row| places[row as usize]);
    results.take(&UInt32Array::from(order))
}
