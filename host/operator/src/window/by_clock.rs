//! Windows of processing time: the same windows, over the times at which rows come, and moved on by the host's clock.

use wasmill_flow::{Batch, Watermark};

use crate::contract::{Context, Due, Firing, Operator, OperatorError, PluginCounts, Step};

/// An operator with windows that can say when the next of them ends.
pub trait Ends: Operator {
    /// When the next window that has rows ends, or is done with: as event time would have to come to the millisecond before.
    fn next_end(&self, cx: &Context) -> Option<i64>;
}

/// Windows that go by the clock. No row is late.
#[derive(Debug)]
pub struct ByClock<W> {
    windows: W,
    /// How far the clock has come, as event time would be.
    reached: Watermark,
    wakes_at: Option<i64>,
}

impl<W: Ends> ByClock<W> {
    /// The same windows by the clock.
    #[must_use]
    pub fn new(windows: W) -> Self {
        Self { windows, reached: Watermark::NONE, wakes_at: None }
    }

    /// A step to a moment of the clock.
    async fn reach(&mut self, moment: Watermark, cx: &mut Context) -> Result<Due, OperatorError> {
        let event_time = std::mem::replace(&mut cx.watermark, self.reached);
        let due = self.windows.watermark(moment, cx).await;
        if matches!(due, Ok(Due::Done)) {
            self.reached = self.reached.max(moment);
            cx.watermark = self.reached;
        }
        let more = matches!(due, Ok(Due::More));
        self.wakes_at = if more { Some(i64::MIN) } else { self.windows.next_end(cx) };
        cx.watermark = event_time;
        due
    }
}

impl<W: Ends> Operator for ByClock<W> {
    fn process<'a>(&'a mut self, input: usize, batch: Batch, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            // A clock that stands doesn't take rows back into windows that have ended.
            let now = cx.clock.now().max(self.reached.0.saturating_add(1));
            let times = vec![now; batch.len()];
            let event_time = std::mem::replace(&mut cx.watermark, self.reached);
            let done = self.windows.process(input, batch.at(Some(times.into())), cx).await;
            self.wakes_at = self.windows.next_end(cx);
            cx.watermark = event_time;
            done
        })
    }

    fn restored(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
        let event_time = std::mem::replace(&mut cx.watermark, self.reached);
        let restored = self.windows.restored(cx);
        self.wakes_at = self.windows.next_end(cx);
        cx.watermark = event_time;
        restored
    }

    fn wakes_at(&self) -> Option<i64> {
        self.wakes_at
    }

    fn clock<'a>(&'a mut self, now: i64, cx: &'a mut Context) -> Firing<'a> {
        Box::pin(async move { self.reach(Watermark(now.saturating_sub(1)), cx).await })
    }

    /// Rows that have come to an end leave no window waiting for the clock.
    fn end<'a>(&'a mut self, cx: &'a mut Context) -> Step<'a> {
        Box::pin(async move {
            while self.reach(Watermark::END, cx).await? == Due::More {}
            Ok(())
        })
    }

    fn idle(&mut self) {
        self.windows.idle();
    }

    fn plugin_counts(&self) -> PluginCounts {
        self.windows.plugin_counts()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use wasmill_state::memory::MemoryState;
    use wasmill_time::ProcessingClock;

    use super::*;
    use crate::aggregate::Computation;
    use crate::testing::{batch_of, emitted, ints, run, schema_of};
    use crate::window::{SessionAggregate, Trigger, WindowedAggregate, Windows};

    fn counts() -> Vec<(String, Computation)> {
        vec![("n".to_owned(), Computation::Sql("count(*)".to_owned()))]
    }

    fn keyed(states: Vec<wasmill_state::StateNeed>, clock: &ProcessingClock) -> Context {
        let state = MemoryState::in_spaces(states);
        Context { state: Some(Box::new(state)), clock: clock.clone(), ..Context::stateless() }
    }

    fn take(operator: &mut dyn Operator, keys: &[i64], cx: &mut Context) {
        let columns = vec![ints(keys.iter().copied().map(Some))];
        run(operator, 0, batch_of(&schema_of(&[("key", "int64")]), columns), cx).expect("taken");
    }

    /// Calls it as long as it wants to be called by now; what came out.
    fn at(operator: &mut dyn Operator, now: i64, cx: &mut Context) -> Vec<String> {
        cx.clock.advance(now);
        while operator.wakes_at().is_some_and(|at| at <= now) {
            operator.clock(now, cx).now_or_never().expect("no waiting").expect("a step");
        }
        let out = emitted(cx).iter().map(|row| row.replace("1970-01-01T00:00:00", "")).collect();
        cx.emitted.clear();
        out
    }

    #[test]
    fn windows_end_when_the_clock_says_so_and_all_do_at_the_end_of_rows() {
        let clock = ProcessingClock::by_hand(3);
        let windows = Windows { size: 10, slide: 10, offset: 0, zone: None, allowed_lateness: 0 };
        let windows = WindowedAggregate::new(&[0], windows, Trigger::default(), counts(), 100, &schema_of(&[("key", "int64")]));
        let windows = windows.expect("windows");
        let mut cx = keyed(windows.declaration().states, &clock);
        let mut operator = ByClock::new(windows);
        assert_eq!(operator.wakes_at(), None);
        take(&mut operator, &[1, 2, 1], &mut cx);
        assert_eq!(operator.wakes_at(), Some(10));
        assert_eq!(at(&mut operator, 9, &mut cx), Vec::<String>::new());
        assert_eq!(at(&mut operator, 10, &mut cx), ["1  .010 2", "2  .010 1"]);
        take(&mut operator, &[1], &mut cx);
        assert_eq!(operator.wakes_at(), Some(20));
        operator.end(&mut cx).now_or_never().expect("no waiting").expect("the end");
        assert_eq!(emitted(&cx).len(), 1);
        assert_eq!(cx.state.expect("state").keys(), 0);
    }

    #[test]
    fn a_session_ends_when_the_clock_has_gone_on_by_its_gap() {
        let clock = ProcessingClock::by_hand(3);
        let sessions = SessionAggregate::new(&[0], 5, 0, Trigger::default(), counts(), 100, &schema_of(&[("key", "int64")]));
        let sessions = sessions.expect("sessions");
        let mut cx = keyed(sessions.declaration().states, &clock);
        let mut operator = ByClock::new(sessions);
        take(&mut operator, &[1], &mut cx);
        assert_eq!(at(&mut operator, 7, &mut cx), Vec::<String>::new());
        take(&mut operator, &[1], &mut cx);
        assert_eq!(at(&mut operator, 8, &mut cx), Vec::<String>::new(), "a row came meanwhile");
        assert_eq!(at(&mut operator, 12, &mut cx), ["1 .003 .012 2"]);
        assert_eq!(operator.wakes_at(), None);
    }
}
