//! Lists whose items are forgotten, each some time after it was appended.

use std::marker::PhantomData;
use std::time::Duration;

use crate::Timestamp;
use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::state::expiring::Expiring;
use crate::state::{ListState, StateValue, migrated};
use crate::timers::{Domain, EventTime, TimeDomain};

/// A [`ListState`] each of whose items is forgotten some time after it was appended, as [`ExpiringState`](crate::ExpiringState) does with a key's
/// one value. Items that are appended later keep no earlier one.
///
/// When the first item of a list is forgotten, the list is written anew without it: what must remember thousands of items for each key is
/// better an [`ExpiringMap`](crate::ExpiringMap).
///
/// ```
/// # use std::time::Duration;
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// #[derive(Record, Debug, PartialEq)]
/// struct Login { at: Timestamp, failed: bool }
///
/// /// Lets the third failed login within a minute through.
/// #[derive(Operator)]
/// struct Guessing { failed: ExpiringList<(), EventTime> }
///
/// impl Process for Guessing {
///     type Input<'a> = Login;
///     type Output = Login;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { failed: ExpiringList::new(Duration::from_secs(60)) })
///     }
///
///     fn process(&mut self, login: Login, cx: &mut Context<Self>) -> Result<()> {
///         if login.failed {
///             self.failed.push((), login.at);
///         }
///         if self.failed.iter(login.at).count() >= 3 {
///             cx.emit(login);
///         }
///         Ok(())
///     }
/// }
///
/// let login = |seconds: i64| Login { at: Timestamp::from_millis(seconds * 1_000), failed: true };
/// let mut harness = Harness::<Guessing, &str>::keyed(())?;
/// harness.feed_keyed([0, 40, 70, 90].map(|seconds| ("ann", login(seconds))))?;
/// assert_eq!(harness.output(), [login(90)]);
/// harness.advance_watermark(Timestamp::from_millis(129_999))?;
/// assert_eq!(harness.list::<()>("failed", &"ann").len(), 2);
/// harness.advance_watermark(Timestamp::from_millis(150_000))?;
/// assert_eq!(harness.keys("failed"), 0); // forgotten
/// # Result::<()>::Ok(())
/// ```
pub struct ExpiringList<T: StateValue, D: Domain = EventTime> {
    state: ListState<Expiring<T>>,
    after: Duration,
    by_reading: bool,
    domain: PhantomData<D>,
}

impl<T: StateValue, D: Domain> ExpiringList<T, D> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::ListState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = Some(D::DOMAIN);

    /// A state to be put into the operator, whose items are there for so long after they were appended. Panics if that is nothing.
    pub fn new(after: Duration) -> Self {
        assert!(after >= Duration::from_millis(1), "a time to live of less than a millisecond: values would never be there");
        Self { state: ListState::new(), after, by_reading: false, domain: PhantomData }
    }

    /// The same, with items that are there for so long after they were appended or the list was read.
    pub fn refreshed_by_reading(after: Duration) -> Self {
        Self { by_reading: true, ..Self::new(after) }
    }

    /// Adds an item to the end, at this moment.
    pub fn push(&mut self, item: T, now: Timestamp) {
        self.state.push(Expiring { until: self.until(now), value: item });
    }

    /// The items that are there at this moment, in order. Panics where an item can't be read as `T`: its type was changed, its version was
    /// not.
    pub fn iter(&mut self, now: Timestamp) -> impl Iterator<Item = T> + use<T, D> {
        let mut live: Vec<Expiring<T>> = self.state.iter().filter(|item| now.millis() < item.until).collect();
        let until = self.until(now);
        if self.by_reading && live.iter().any(|item| item.until < until) {
            self.state.clear();
            for item in &mut live {
                item.until = item.until.max(until);
                self.state.push_ref(item);
            }
        }
        live.into_iter().map(|item| item.value)
    }

    /// Takes all items away.
    pub fn clear(&mut self) {
        self.state.clear();
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.state.at(key);
        self
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
    pub fn fetch(&mut self) {}

    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        self.state.finish()
    }

    /// An item of an earlier version as this one has it, with its moment.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        T: From<O>,
    {
        migrated::<Expiring<O>, Expiring<T>>(bytes, Expiring::migrated)
    }
}
