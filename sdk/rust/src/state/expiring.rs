//! Values that are forgotten when nobody has needed them for a while.

use std::marker::PhantomData;
use std::time::Duration;

use crate::Timestamp;
use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::state::{Sink, StateValue, ValueState, migrated};
use crate::timers::{Domain, EventTime, TimeDomain};

/// A value for each key that is forgotten some time after it was last written: a field of the operator, as [`ValueState`] is, made with
/// [`ExpiringState::new`].
///
/// What time it is says whoever uses it: the time of the row at hand, where the state goes by [`EventTime`]; [`Context::now`](crate::Context::now)
/// where it goes by [`ProcessingTime`](crate::ProcessingTime). A value that was written at a moment is there for what comes less than `after` later,
/// whatever came in between: by event time the same in every replay, and for every size of batches. The host takes its memory back when the
/// watermark, or the clock, has come as far. An older row moves nothing back.
///
/// ```
/// use std::time::Duration;
/// use wasmill_sdk::harness::Harness;
/// use wasmill_sdk::{Context, EventTime, ExpiringState, NoSettings, Open, Operator, Process, Record, Result, Timestamp};
///
/// #[derive(Record, Debug, PartialEq)]
/// struct Click { at: Timestamp }
///
/// /// Lets the first click of a key through, and others when it has been quiet for a minute.
/// #[derive(Operator)]
/// struct Debounce { seen: ExpiringState<(), EventTime> }
///
/// impl Process for Debounce {
///     type Input<'a> = Click;
///     type Output = Click;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { seen: ExpiringState::new(Duration::from_secs(60)) })
///     }
///
///     fn process(&mut self, click: Click, cx: &mut Context<Self>) -> Result<()> {
///         if self.seen.get(click.at).is_none() {
///             cx.emit(Click { at: click.at });
///         }
///         self.seen.set((), click.at);
///         Ok(())
///     }
/// }
///
/// let click = |seconds: i64| Click { at: Timestamp::from_millis(seconds * 1_000) };
/// let mut harness = Harness::<Debounce, &str>::keyed(())?;
/// harness.feed_keyed([0, 50, 100, 160].map(|seconds| ("ann", click(seconds))))?;
/// assert_eq!(harness.output(), [click(0), click(160)]);
/// harness.advance_watermark(Timestamp::from_millis(220_000))?;
/// assert_eq!(harness.keys("seen"), 0); // forgotten
/// # Result::<()>::Ok(())
/// ```
pub struct ExpiringState<T: StateValue, D: Domain = EventTime> {
    state: ValueState<Expiring<T>>,
    after: Duration,
    by_reading: bool,
    domain: PhantomData<D>,
}

/// A value and the moment at which it is forgotten.
#[derive(Clone)]
#[doc(hidden)]
pub struct Expiring<T> {
    pub(super) until: i64,
    pub(super) value: T,
}

impl<T> Expiring<T> {
    /// The same moment, with a value of a later version.
    pub(super) fn migrated<O: Into<T>>(before: Expiring<O>) -> Self {
        Self { until: before.until, value: before.value.into() }
    }
}

impl<T: StateValue> StateValue for Expiring<T> {
    const WIDTH: Option<u32> = match T::WIDTH {
        Some(width) => Some(8 + width),
        None => None,
    };

    #[inline]
    fn write<S: Sink>(&self, to: &mut S) {
        self.until.write(to);
        self.value.write(to);
    }

    #[inline]
    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(Self { until: i64::read(from)?, value: T::read(from)? })
    }
}

impl<T: StateValue, D: Domain> ExpiringState<T, D> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::ValueState;
    /// The bytes of every value, where values are kept in place.
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = ValueState::<Expiring<T>>::WIDTH;
    /// By which time values are forgotten.
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = Some(D::DOMAIN);

    /// A state to be put into the operator, whose values are there for so long after they were written. Panics if that is nothing.
    pub fn new(after: Duration) -> Self {
        assert!(after >= Duration::from_millis(1), "a time to live of less than a millisecond: values would never be there");
        Self { state: ValueState::new(), after, by_reading: false, domain: PhantomData }
    }

    /// The same, with values that are there for so long after they were written or read.
    pub fn refreshed_by_reading(after: Duration) -> Self {
        Self { by_reading: true, ..Self::new(after) }
    }

    /// The value, or nothing if the key has none at this moment.
    #[inline]
    pub fn get(&mut self, now: Timestamp) -> Option<T>
    where
        T: Clone,
    {
        let Expiring { until, value } = self.live(now)?;
        if self.by_reading && until < self.until(now) {
            self.state.set(Expiring { until: self.until(now), value: value.clone() });
        }
        Some(value)
    }

    /// Gives the key this value, written at this moment.
    #[inline]
    pub fn set(&mut self, value: T, now: Timestamp)
    where
        T: Clone,
    {
        let before = self.live(now).map_or(i64::MIN, |live| live.until);
        self.state.set(Expiring { until: self.until(now).max(before), value });
    }

    /// Gives the key the value that `change` makes of the one it has at this moment, or of none, and gives it back.
    #[inline]
    pub fn update(&mut self, now: Timestamp, change: impl FnOnce(Option<T>) -> T) -> T
    where
        T: Clone,
    {
        let live = self.live(now);
        let before = live.as_ref().map_or(i64::MIN, |live| live.until);
        let value = change(live.map(|live| live.value));
        self.state.set(Expiring { until: self.until(now).max(before), value: value.clone() });
        value
    }

    /// Takes the key's value away.
    #[inline]
    pub fn clear(&mut self) {
        self.state.clear();
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.state.at(key);
        self
    }

    #[inline]
    fn live(&self, now: Timestamp) -> Option<Expiring<T>>
    where
        T: Clone,
    {
        self.state.get().filter(|held| now.millis() < held.until)
    }

    #[inline]
    fn until(&self, now: Timestamp) -> i64 {
        (now + self.after).millis()
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        self.state.number(name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, keys: u32) {
        self.state.begin(keys);
    }

    #[doc(hidden)]
    pub fn fetch(&mut self) {}

    /// A value of an earlier version as this one has it, with its moment.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        T: From<O>,
    {
        migrated::<Expiring<O>, Expiring<T>>(bytes, Expiring::migrated)
    }

    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        self.state.finish()
    }
}
