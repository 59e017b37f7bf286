//! Moments at which an operator is called again for a key.

use std::marker::PhantomData;

use crate::Timestamp;
use crate::host;

pub use crate::bindings::plan::TimeDomain;

/// A timer whose moment has come: what [`Process::on_timer`](crate::Process::on_timer) is called with.
///
/// ```
/// use wasmill_sdk::{TimeDomain, Timer, Timestamp};
///
/// let timer = Timer { domain: TimeDomain::EventTime, at: Timestamp::from_millis(1_517_365_101_235) };
/// assert_eq!(timer.at.millis(), 1_517_365_101_235);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer {
    /// What moved its time on.
    pub domain: TimeDomain,
    /// The moment that it was set to. Time may have gone further since.
    pub at: Timestamp,
}

/// A kind of time that timers go by: [`EventTime`] or [`ProcessingTime`].
///
/// ```
/// use wasmill_sdk::{Domain, EventTime, TimeDomain};
///
/// assert_eq!(EventTime::DOMAIN, TimeDomain::EventTime);
/// ```
pub trait Domain: sealed::Sealed + 'static {
    /// The same as a value.
    const DOMAIN: TimeDomain;
}

/// Timers of it fire when the watermark has reached them: in a replay as in the first run.
///
/// ```
/// use wasmill_sdk::{EventTime, EventTimers, Timers};
///
/// let timers: Timers<EventTime> = EventTimers::new();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum EventTime {}

/// Timers of it fire when the host's clock has reached them.
///
/// ```
/// use wasmill_sdk::{ProcessingTime, ProcessingTimers, Timers};
///
/// let timers: Timers<ProcessingTime> = ProcessingTimers::new();
/// ```
#[derive(Clone, Copy, Debug)]
pub enum ProcessingTime {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::EventTime {}
    impl Sealed for super::ProcessingTime {}
}

impl Domain for EventTime {
    const DOMAIN: TimeDomain = TimeDomain::EventTime;
}

impl Domain for ProcessingTime {
    const DOMAIN: TimeDomain = TimeDomain::ProcessingTime;
}

/// Timers by event time: a field of the operator. A job that uses it must say what time its rows have.
///
/// ```
/// use std::time::Duration;
/// use wasmill_sdk::harness::Harness;
/// use wasmill_sdk::{Context, EventTimers, NoSettings, Open, Operator, Process, Record, Result, Timer, Timestamp, ValueState};
///
/// #[derive(Record)]
/// struct Visit { at: Timestamp }
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Session { visits: u64 }
///
/// /// Visits of a key, said when it has been away for half an hour.
/// #[derive(Operator)]
/// #[operator(keep = "key")]
/// struct Sessions { visits: ValueState<u64>, ends: ValueState<i64>, timers: EventTimers }
///
/// impl Process for Sessions {
///     type Input<'a> = Visit;
///     type Output = Session;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { visits: ValueState::new(), ends: ValueState::new(), timers: EventTimers::new() })
///     }
///
///     fn process(&mut self, visit: Visit, _: &mut Context<Self>) -> Result<()> {
///         self.visits.update(|visits| visits.unwrap_or(0) + 1);
///         if let Some(end) = self.ends.get() {
///             self.timers.delete(Timestamp::from_millis(end));
///         }
///         let end = visit.at + Duration::from_secs(30 * 60);
///         self.ends.set(end.millis());
///         self.timers.set(end);
///         Ok(())
///     }
///
///     fn on_timer(&mut self, _: Timer, cx: &mut Context<Self>) -> Result<()> {
///         let visits = self.visits.get().unwrap_or(0);
///         cx.emit(Session { visits }); // with the key
///         self.visits.clear();
///         self.ends.clear();
///         Ok(())
///     }
/// }
///
/// let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
/// let mut harness = Harness::<Sessions, &str>::keyed(())?;
/// harness.feed_keyed([("ann", Visit { at: at(0) }), ("ann", Visit { at: at(20) }), ("ben", Visit { at: at(5) })])?;
/// harness.advance_watermark(at(40))?;
/// assert_eq!(harness.output(), [Session { visits: 1 }]); // ben's
/// harness.end()?;
/// assert_eq!(harness.output(), [Session { visits: 2 }]);
/// # Result::<()>::Ok(())
/// ```
pub type EventTimers = Timers<EventTime>;

/// Timers by the host's clock: a field of the operator. Those that still wait at the end of bounded input are dropped, and counted.
///
/// ```
/// use std::time::Duration;
/// use wasmill_sdk::harness::Harness;
/// use wasmill_sdk::{Context, NoSettings, Open, Operator, Process, ProcessingTimers, Record, Result, Timer, Timestamp};
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Beat { sensor: i64 }
///
/// /// A row for each key that a minute has gone by since its last.
/// #[derive(Operator)]
/// #[operator(keep = "key")]
/// struct Reminder { timers: ProcessingTimers }
///
/// impl Process for Reminder {
///     type Input<'a> = Beat;
///     type Output = ();
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { timers: ProcessingTimers::new() })
///     }
///
///     fn process(&mut self, _: Beat, cx: &mut Context<Self>) -> Result<()> {
///         self.timers.set(cx.now() + Duration::from_secs(60));
///         Ok(())
///     }
///
///     fn on_timer(&mut self, _: Timer, cx: &mut Context<Self>) -> Result<()> {
///         cx.emit(());
///         Ok(())
///     }
/// }
///
/// let mut harness = Harness::<Reminder, &str>::keyed(())?;
/// harness.feed_keyed([("a", Beat { sensor: 1 })])?;
/// harness.advance_clock(Timestamp::from_millis(60_000))?;
/// assert_eq!(harness.emitted::<()>("out")[0].key, Some("a"));
/// # Result::<()>::Ok(())
/// ```
pub type ProcessingTimers = Timers<ProcessingTime>;

/// Timers of keys in one kind of time: [`EventTimers`] or [`ProcessingTimers`], fields of an operator. In
/// [`Process::open`](crate::Process::open) they are made with [`Timers::new`].
///
/// They are always those of the current record's, or timer's, key. A key has one timer at a moment: setting it twice is setting it once.
/// When the moment has come, [`Process::on_timer`](crate::Process::on_timer) is called for the key. What is set and deleted crosses the
/// sandbox once a call, and counts only if the call succeeds.
///
/// ```
/// use wasmill_sdk::{EventTimers, Operator};
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { at: Timestamp }
///
/// #[derive(Operator)]
/// struct Watch { timers: EventTimers }
/// # impl Process for Watch {
/// #     type Input<'a> = Row;
/// #     type Output = Row;
/// #     type Settings = NoSettings;
/// #     fn open(_: NoSettings, _: &mut Open) -> Result<Self> { Ok(Self { timers: EventTimers::new() }) }
/// #     fn process(&mut self, row: Row, _: &mut Context<Self>) -> Result<()> { self.timers.set(row.at); Ok(()) }
/// #     fn on_timer(&mut self, timer: Timer, cx: &mut Context<Self>) -> Result<()> { cx.emit(Row { at: timer.at }); Ok(()) }
/// # }
///
/// assert_eq!(Watch::TIMERS, [wasmill_sdk::TimeDomain::EventTime]);
/// ```
#[derive(Debug)]
pub struct Timers<D: Domain> {
    keys: u32,
    key: u32,
    changes: Vec<Change>,
    any_set: bool,
    any_deleted: bool,
    domain: PhantomData<D>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    key: u32,
    at: i64,
    set: bool,
}

impl<D: Domain> Default for Timers<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Domain> Timers<D> {
    /// The same as a value.
    #[doc(hidden)]
    pub const DOMAIN: TimeDomain = D::DOMAIN;

    /// Timers to be put into the operator.
    pub fn new() -> Self {
        Self { keys: 0, key: 0, changes: Vec::new(), any_set: false, any_deleted: false, domain: PhantomData }
    }

    /// Sets a timer of the key. One whose moment has passed fires as soon as time is looked at next.
    #[inline]
    pub fn set(&mut self, at: Timestamp) {
        self.any_set = true;
        self.change(at, true);
    }

    /// Deletes a timer of the key; where there is none at that moment, nothing happens.
    #[inline]
    pub fn delete(&mut self, at: Timestamp) {
        self.any_deleted = true;
        self.change(at, false);
    }

    /// The timers of key `key` of the call, for operators over whole batches.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.key = key;
        self
    }

    #[inline]
    fn change(&mut self, at: Timestamp, set: bool) {
        assert!(self.key < self.keys, "a timer was used where there is no key: at the end, or for a row of an input without one");
        self.changes.push(Change { key: self.key, at: at.millis(), set });
    }

    #[doc(hidden)]
    pub fn begin(&mut self, keys: u32) {
        (self.keys, self.key) = (keys, 0);
        self.changes.clear();
        (self.any_set, self.any_deleted) = (false, false);
    }

    /// Sends what changed.
    #[doc(hidden)]
    pub fn finish(&mut self) {
        if self.any_set && self.any_deleted {
            // What a key was last told of a moment is what counts, so one of each is enough.
            self.changes.sort_by_key(|change| (change.key, change.at));
            let mut last = Vec::with_capacity(self.changes.len());
            for same in self.changes.chunk_by(|one, other| (one.key, one.at) == (other.key, other.at)) {
                last.extend(same.last());
            }
            self.changes = last;
        }
        for set in [false, true] {
            let (keys, at): (Vec<u32>, Vec<i64>) =
                self.changes.iter().filter(|change| change.set == set).map(|change| (change.key, change.at)).unzip();
            match set {
                _ if keys.is_empty() => {}
                true => host::register(D::DOMAIN, &keys, &at),
                false => host::delete(D::DOMAIN, &keys, &at),
            }
        }
    }
}

/// Timers that are due, one of each key of the call: what [`ProcessBatch::on_timers`](crate::ProcessBatch::on_timers) is called with.
///
/// ```
/// # use wasmill_sdk::*;
/// fn latest(timers: &TimerBatch<'_>) -> Option<Timestamp> {
///     (0..timers.len()).map(|key| timers.timer(key).at).max()
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimerBatch<'a> {
    pub(crate) domain: TimeDomain,
    pub(crate) at: &'a [i64],
}

impl TimerBatch<'_> {
    /// How many there are: as many as the call has keys.
    #[inline]
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there are none; the host makes no such call.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The timer of key `key`. Panics if there is no such key.
    #[inline]
    pub fn timer(&self, key: usize) -> Timer {
        Timer { domain: self.domain, at: Timestamp::from_millis(self.at[key]) }
    }
}
