//! Maps whose values are forgotten, each when nobody has needed it for a while.

use std::marker::PhantomData;
use std::time::Duration;

use crate::Timestamp;
use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::state::expiring::Expiring;
use crate::state::{AsMapEntry, MapEntry, MapState, StateValue, migrated};
use crate::timers::{Domain, EventTime, TimeDomain};

/// A [`MapState`] each of whose values is forgotten some time after it was last written, as [`ExpiringState`](crate::ExpiringState) does with a
/// key's one value.
///
/// ```
/// # use std::time::Duration;
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// #[derive(Record, Debug, PartialEq)]
/// struct Click { at: Timestamp, page: i64 }
///
/// /// Lets a page through that its visitor hasn't seen within a minute.
/// #[derive(Operator)]
/// struct Fresh { seen: ExpiringMap<i64, (), EventTime> }
///
/// impl Process for Fresh {
///     type Input<'a> = Click;
///     type Output = Click;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { seen: ExpiringMap::new(Duration::from_secs(60)) })
///     }
///
///     fn prefetch(&mut self, click: &Click) {
///         self.seen.prefetch(&click.page);
///     }
///
///     fn process(&mut self, click: Click, cx: &mut Context<Self>) -> Result<()> {
///         if self.seen.get(&click.page, click.at).is_none() {
///             cx.emit(Click { at: click.at, page: click.page });
///         }
///         self.seen.set(&click.page, (), click.at);
///         Ok(())
///     }
/// }
///
/// let click = |seconds: i64, page| Click { at: Timestamp::from_millis(seconds * 1_000), page };
/// let mut harness = Harness::<Fresh, &str>::keyed(())?;
/// harness.feed_keyed([click(0, 7), click(10, 8), click(59, 7), click(70, 8)].map(|click| ("ann", click)))?;
/// assert_eq!(harness.output(), [click(0, 7), click(10, 8), click(70, 8)]);
/// harness.advance_watermark(Timestamp::from_millis(119_000))?;
/// assert_eq!(harness.map::<i64, ()>("seen", &"ann"), [(8, ())]);
/// # Result::<()>::Ok(())
/// ```
pub struct ExpiringMap<E: MapEntry, V: StateValue, D: Domain = EventTime> {
    state: MapState<E, Expiring<V>>,
    after: Duration,
    by_reading: bool,
    domain: PhantomData<D>,
}

impl<E: MapEntry, V: StateValue, D: Domain> ExpiringMap<E, V, D> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::MapState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = Some(D::DOMAIN);

    /// A state to be put into the operator, whose values are there for so long after they were written. Panics if that is nothing.
    pub fn new(after: Duration) -> Self {
        assert!(after >= Duration::from_millis(1), "a time to live of less than a millisecond: values would never be there");
        Self { state: MapState::new(), after, by_reading: false, domain: PhantomData }
    }

    /// The same, with values that are there for so long after they were written or read.
    pub fn refreshed_by_reading(after: Duration) -> Self {
        Self { by_reading: true, ..Self::new(after) }
    }

    /// Says that the call will look an entry up, or write it; for [`Process::prefetch`](crate::Process::prefetch).
    pub fn prefetch<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q) {
        self.state.prefetch(entry);
    }

    /// The value of an entry, or nothing if there is none at this moment.
    pub fn get<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, now: Timestamp) -> Option<V>
    where
        V: Clone,
    {
        let Expiring { until, value } = self.live(entry, now)?;
        if self.by_reading && until < self.until(now) {
            self.state.set(entry, Expiring { until: self.until(now), value: value.clone() });
        }
        Some(value)
    }

    /// Gives an entry this value, written at this moment.
    pub fn set<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, value: V, now: Timestamp) {
        let before = self.live(entry, now).map_or(i64::MIN, |live| live.until);
        self.state.set(entry, Expiring { until: self.until(now).max(before), value });
    }

    /// Takes an entry away.
    pub fn remove<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q) {
        self.state.remove(entry);
    }

    /// Takes all entries away.
    pub fn clear(&mut self) {
        self.state.clear();
    }

    /// The entries that are there at this moment and their values, in order.
    pub fn iter(&mut self, now: Timestamp) -> impl Iterator<Item = (E, V)> {
        self.state.iter().filter(move |(_, held)| now.millis() < held.until).map(|(entry, held)| (entry, held.value))
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.state.at(key);
        self
    }

    fn live<Q: AsMapEntry<E> + ?Sized>(&self, entry: &Q, now: Timestamp) -> Option<Expiring<V>> {
        self.state.get(entry).filter(|held| now.millis() < held.until)
    }

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
    pub fn fetch(&mut self) {
        self.state.fetch();
    }

    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        self.state.finish()
    }

    /// A value of an earlier version as this one has it, with its moment.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        V: From<O>,
    {
        migrated::<Expiring<O>, Expiring<V>>(bytes, Expiring::migrated)
    }
}
