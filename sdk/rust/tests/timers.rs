//! Timers under the harness: set, deleted, fired in order, undone, and without end.

use std::time::Duration;

use wasmill_sdk::bindings::{DataType, Field};
use wasmill_sdk::harness::{Harness, describe};
use wasmill_sdk::{
    Context, Error, EventTimers, NoSettings, Open, Operator, Process, ProcessingTimers, Record, Result, TimeDomain, Timer,
    Timestamp,
};

/// What an operator is told to do with timers of its key.
#[derive(Record, Clone)]
struct Order<'a> {
    what: &'a str,
    at: i64,
}

#[derive(Record, Debug, PartialEq)]
struct Fired {
    at: i64,
    by_clock: bool,
    watermark: Option<i64>,
}

#[derive(Operator)]
#[operator(keep = "key")]
struct Obedient {
    event: EventTimers,
    clock: ProcessingTimers,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

impl Process for Obedient {
    type Input<'a> = Order<'a>;
    type Output = Fired;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { event: EventTimers::new(), clock: ProcessingTimers::new() })
    }

    fn process(&mut self, order: Order<'_>, _: &mut Context<Self>) -> Result<()> {
        match order.what {
            "set" => self.event.set(at(order.at)),
            "delete" => self.event.delete(at(order.at)),
            "clock" => self.clock.set(at(order.at)),
            "forget" => self.clock.delete(at(order.at)),
            _ => return Err(Error::fail("no such order")),
        }
        Ok(())
    }

    /// A timer at a full second sets another for half a second later; one that ends with 13 for its own moment.
    fn on_timer(&mut self, timer: Timer, cx: &mut Context<Self>) -> Result<()> {
        let millis = timer.at.millis();
        if millis % 1_000 == 0 {
            self.event.set(timer.at + Duration::from_millis(500));
        }
        if millis % 100 == 13 {
            self.event.set(timer.at);
        }
        let watermark = cx.watermark().map(Timestamp::millis);
        cx.emit(Fired { at: millis, by_clock: timer.domain == TimeDomain::ProcessingTime, watermark });
        Ok(())
    }
}

fn harness() -> Harness<Obedient, char> {
    Harness::keyed(()).expect("no settings")
}

fn order<'a>(key: char, what: &'a str, at: i64) -> (char, Order<'a>) {
    (key, Order { what, at })
}

fn fired(harness: &mut Harness<Obedient, char>) -> Vec<(char, i64)> {
    harness.emitted::<Fired>("out").into_iter().map(|emitted| (emitted.key.expect("a timer has a key"), emitted.row.at)).collect()
}

#[test]
fn timers_fire_in_order_of_their_moments_and_see_what_the_ones_before_them_set() {
    for most in [1, 2, 1_000] {
        let mut harness = harness();
        harness.batches_of(most);
        let orders =
            [("set", 1_700), ("set", 1_000), ("set", 1_000), ("set", 9_999), ("set", 1_200), ("delete", 1_200), ("delete", 7)];
        harness.feed_keyed(orders.map(|(what, at)| order('a', what, at))).expect("orders");
        harness.feed_keyed([order('b', "set", 1_100)]).expect("an order");
        assert_eq!(harness.timers(&'a').iter().map(|timer| timer.at.millis()).collect::<Vec<_>>(), [1_000, 1_700, 9_999]);
        harness.advance_watermark(at(999)).expect("nothing is due");
        assert_eq!(fired(&mut harness), []);
        harness.advance_watermark(at(2_000)).expect("timers");
        let told = fired(&mut harness);
        assert_eq!(
            told.iter().filter(|(key, _)| *key == 'a').map(|(_, at)| *at).collect::<Vec<_>>(),
            [1_000, 1_500, 1_700],
            "{most}"
        );
        assert!(told.contains(&('b', 1_100)));
        harness.advance_watermark(at(10)).expect("time doesn't go back");
        harness.end().expect("the end");
        assert_eq!(fired(&mut harness), [('a', 9_999)]);
        assert_eq!(harness.timers(&'a'), []);
    }
}

#[test]
fn timers_of_the_clock_go_by_it_alone_and_are_dropped_at_the_end() {
    let mut harness = harness();
    harness.feed_keyed([order('a', "clock", 60), order('a', "clock", 90), order('b', "clock", 70)]).expect("orders");
    harness.feed_keyed([order('b', "forget", 70)]).expect("an order");
    harness.advance_watermark(at(1_000)).expect("nothing is due");
    harness.advance_clock(at(75)).expect("a timer");
    assert_eq!(harness.output(), [Fired { at: 60, by_clock: true, watermark: Some(1_000) }]);
    harness.end().expect("the end");
    assert_eq!((harness.output(), harness.timers_dropped()), (vec![], 1));
}

#[test]
fn what_a_failed_call_did_to_timers_is_undone() {
    let mut harness = harness();
    harness.feed_keyed([order('a', "set", 5)]).expect("an order");
    harness.feed_keyed([order('a', "set", 6), order('a', "delete", 5), order('a', "dance", 0)]).expect_err("no such order");
    assert_eq!(harness.timers(&'a'), [Timer { domain: TimeDomain::EventTime, at: at(5) }]);
}

#[test]
fn what_was_last_said_of_a_moment_counts() {
    let mut harness = harness();
    harness
        .feed_keyed([order('a', "delete", 5), order('a', "set", 5), order('a', "set", 6), order('a', "delete", 6)])
        .expect("orders");
    assert_eq!(harness.timers(&'a').iter().map(|timer| timer.at.millis()).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_timer_that_sets_itself_anew_for_ever_is_an_error_and_at_the_end_it_is_dropped() {
    let mut endless = harness();
    endless.feed_keyed([order('a', "set", 13)]).expect("an order");
    let error = endless.advance_watermark(at(100)).expect_err("never ends");
    assert!(
        error.message().starts_with("set a timer whose moment had passed more than 100000 times in a row"),
        "{}",
        error.message()
    );
    let mut ended = harness();
    ended.feed_keyed([order('a', "set", 13)]).expect("an order");
    ended.end().expect("the end");
    assert_eq!((ended.output().len(), ended.timers_dropped()), (1_001, 1));
}

#[test]
fn a_snapshot_has_timers_and_how_far_event_time_was() {
    let mut before = harness();
    before.feed_keyed([order('a', "set", 5), order('b', "clock", 7)]).expect("orders");
    before.advance_watermark(at(3)).expect("nothing is due");
    let mut after = Harness::<Obedient, char>::restored((), &before.snapshot()).expect("the same operator");
    after.advance_watermark(at(5)).expect("a timer");
    after.advance_clock(at(7)).expect("a timer");
    assert_eq!(fired(&mut after), [('a', 5), ('b', 7)]);
}

#[test]
fn timers_need_a_key() {
    let columns = [("what", DataType::Utf8), ("at", DataType::Int64)];
    let columns = columns.map(|(name, data_type)| Field { name: name.to_owned(), data_type, nullable: false }).to_vec();
    let error = describe::<Sleepless>((), columns, &[]).expect_err("no key");
    assert_eq!(error.message(), "timers are set for each key, but input `input` has none: give the operator a `key-by`");
}

#[derive(Operator)]
struct Sleepless {
    timers: EventTimers,
}

impl Process for Sleepless {
    type Input<'a> = Order<'a>;
    type Output = Fired;
    type Settings = NoSettings;

    fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
        Ok(Self { timers: EventTimers::new() })
    }

    fn process(&mut self, order: Order<'_>, _: &mut Context<Self>) -> Result<()> {
        self.timers.set(at(order.at));
        Ok(())
    }
}

#[test]
fn an_operator_that_sets_timers_says_what_becomes_of_them() {
    let mut harness = Harness::<Sleepless, char>::keyed(()).expect("no settings");
    harness.feed_keyed([order('a', "set", 5)]).expect("an order");
    let error = harness.end().expect_err("it doesn't say");
    assert_eq!(error.message(), "the operator sets timers, but has no `on_timer` that says what becomes of them");
}
