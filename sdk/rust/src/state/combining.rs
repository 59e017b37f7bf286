//! Values that are combined of what is added to them.

use crate::aggregate::Aggregate;
use crate::bindings::plan::StateKind;
use crate::error::Result;
use crate::state::{StateValue, ValueState};
use crate::timers::TimeDomain;

/// A value for each key that what is added is reduced to: a field of the operator, as [`ValueState`] is, made with [`ReducingState::new`].
///
/// ```
/// # use wasmill_sdk::*;
/// # #[derive(Record)] struct Row { n: i64 }
/// #[derive(Operator)]
/// struct Highest { highest: ReducingState<i64> }
///
/// impl Process for Highest {
///     type Input<'a> = Row;
///     type Output = Row;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { highest: ReducingState::new(i64::max) })
///     }
///
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         let n = self.highest.add(row.n);
///         cx.emit(Row { n });
///         Ok(())
///     }
/// }
/// ```
pub struct ReducingState<T: StateValue> {
    state: ValueState<T>,
    reduce: fn(T, T) -> T,
}

impl<T: StateValue + Clone> ReducingState<T> {
    /// A state to be put into the operator, whose values `reduce` makes of the one before and of what is added.
    pub fn new(reduce: fn(T, T) -> T) -> Self {
        Self { state: ValueState::new(), reduce }
    }

    /// The value, or nothing if nothing was added.
    pub fn get(&self) -> Option<T> {
        self.state.get()
    }

    /// Adds to the value, and gives back what it is now.
    pub fn add(&mut self, value: T) -> T {
        let reduce = self.reduce;
        let now = self.state.update(|before| match before {
            Some(before) => reduce(before, value),
            None => value,
        });
        T::clone(&now)
    }
}

/// A value for each key that an [`Aggregate`] makes of what is added: a field of the operator, as [`ValueState`] is, made with
/// [`AggregatingState::new`]. The same function can be a job's aggregate.
///
/// ```
/// # use wasmill_sdk::*;
/// #[derive(Record, Clone)]
/// struct Bid { price: f64 }
///
/// struct Mean;
///
/// impl Aggregate for Mean {
///     const NAME: &'static str = "mean";
///     type Input<'a> = Bid;
///     type Accumulator = (u64, f64);
///     type Output = f64;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings) -> Result<Self> { Ok(Self) }
///     fn add(&self, seen: &mut (u64, f64), bid: Bid) -> Result<()> {
///         *seen = (seen.0 + 1, seen.1 + bid.price);
///         Ok(())
///     }
///     fn merge(&self, seen: &mut (u64, f64), other: (u64, f64)) { *seen = (seen.0 + other.0, seen.1 + other.1); }
///     fn finish(&self, seen: &(u64, f64)) -> f64 { seen.1 / seen.0 as f64 }
/// }
///
/// /// Lets bids through that are above the mean before them.
/// #[derive(Operator)]
/// struct Above { mean: AggregatingState<Mean> }
///
/// impl Process for Above {
///     type Input<'a> = Bid;
///     type Output = Bid;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { mean: AggregatingState::new(Mean) })
///     }
///
///     fn process(&mut self, bid: Bid, cx: &mut Context<Self>) -> Result<()> {
///         if self.mean.get().is_some_and(|mean| bid.price > mean) {
///             cx.emit(bid.clone());
///         }
///         self.mean.add(bid)
///     }
/// }
/// ```
pub struct AggregatingState<A: Aggregate> {
    state: ValueState<A::Accumulator>,
    aggregate: A,
}

impl<A: Aggregate> AggregatingState<A>
where
    A::Accumulator: Clone,
{
    /// A state to be put into the operator.
    pub fn new(aggregate: A) -> Self {
        Self { state: ValueState::new(), aggregate }
    }

    /// The value of what was added, or nothing if nothing was.
    pub fn get(&self) -> Option<A::Output> {
        self.state.get_ref().map(|seen| self.aggregate.finish(&seen))
    }

    /// Adds a row.
    pub fn add(&mut self, row: A::Input<'_>) -> Result<()> {
        let mut seen = self.state.get().unwrap_or_default();
        self.aggregate.add(&mut seen, row)?;
        self.state.set(seen);
        Ok(())
    }

    /// Adds what another accumulator has seen.
    pub fn merge(&mut self, other: A::Accumulator) {
        let mut seen = self.state.get().unwrap_or_default();
        self.aggregate.merge(&mut seen, other);
        self.state.set(seen);
    }
}

macro_rules! states {
    ($([$($parameter:tt)*] $state:ty, $value:ty;)*) => {$(
        impl<$($parameter)*> $state {
            #[doc(hidden)]
            pub const KIND: StateKind = StateKind::ValueState;
            #[doc(hidden)]
            pub const WIDTH: Option<u32> = ValueState::<$value>::WIDTH;
            #[doc(hidden)]
            pub const EXPIRES: Option<TimeDomain> = None;

            /// Forgets what was added.
            pub fn clear(&mut self) {
                self.state.clear();
            }

            /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
            #[inline(always)]
            pub fn at(&mut self, key: u32) -> &mut Self {
                self.state.at(key);
                self
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

            #[doc(hidden)]
            pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
            where
                $value: From<O>,
            {
                ValueState::<$value>::migrate::<O>(bytes)
            }
        }
    )*};
}

states! {
    [T: StateValue] ReducingState<T>, T;
    [A: Aggregate] AggregatingState<A>, A::Accumulator;
}
