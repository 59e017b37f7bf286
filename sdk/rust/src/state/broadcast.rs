//! Maps that are the same in every task.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use crate::bindings::plan::StateKind;
use crate::bindings::{BinaryArray, Values};
use crate::error::Result;
use crate::host;
use crate::state::entries::Entries;
use crate::state::list::unreadable;
use crate::state::map::{PAGE, one, values_of};
use crate::state::{AsMapEntry, MapEntry, StateValue, migrated};
use crate::timers::TimeDomain;

/// A map that is no key's but the operator's, the same in every task: a field of the operator, made with [`BroadcastState::new`]. It is for
/// what rows of all keys are held against: rules, rates, a small table.
///
/// It changes only while rows of an input are processed that every task is handed, `#[input(broadcast)]` in [`Inputs`](derive@crate::Inputs) and `broadcast:
/// [rules]` in the job; anywhere it is read. Where such an input has several tasks before it, their rows come in an order that may differ from task to task:
/// changes of one entry should come from one of them.
///
/// ```
/// # use wasmill_sdk::*;
/// # use wasmill_sdk::harness::Harness;
/// #[derive(Record, Debug, PartialEq)]
/// struct Amount { currency: String, cents: i64 }
///
/// #[derive(Record)]
/// struct Rate { currency: String, per_mille: i64 }
///
/// #[derive(Inputs)]
/// enum Row {
///     Amounts(Amount),
///     #[input(broadcast)]
///     Rates(Rate),
/// }
///
/// #[derive(Operator)]
/// struct Convert { rates: BroadcastState<String, i64> }
///
/// impl Process for Convert {
///     type Input<'a> = Row;
///     type Output = Amount;
///     type Settings = NoSettings;
///
///     fn open(_: NoSettings, _: &mut Open) -> Result<Self> {
///         Ok(Self { rates: BroadcastState::new() })
///     }
///
///     fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///         match row {
///             Row::Rates(rate) => self.rates.set(&rate.currency, rate.per_mille),
///             Row::Amounts(Amount { currency, cents }) => match self.rates.get(&currency) {
///                 Some(per_mille) => cx.emit(Amount { currency, cents: cents * per_mille / 1_000 }),
///                 None => cx.reject("a currency without a rate"),
///             },
///         }
///         Ok(())
///     }
/// }
///
/// let mut harness = Harness::<Convert>::new(())?;
/// let amount = |cents| Row::Amounts(Amount { currency: "usd".into(), cents });
/// harness.feed([amount(100), Row::Rates(Rate { currency: "usd".into(), per_mille: 900 }), amount(200)])?;
/// assert_eq!(harness.output(), [Amount { currency: "usd".into(), cents: 180 }]);
/// assert_eq!(harness.broadcast::<String, i64>("rates"), [("usd".to_owned(), 900)]);
/// # Result::<()>::Ok(())
/// ```
pub struct BroadcastState<E: MapEntry, V: StateValue> {
    name: &'static str,
    number: u32,
    /// What the call has looked up.
    known: RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    types: PhantomData<(E, V)>,
}

impl<E: MapEntry, V: StateValue> Default for BroadcastState<E, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: MapEntry, V: StateValue> BroadcastState<E, V> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::BroadcastState;
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = None;
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = None;

    /// A state to be put into the operator.
    pub fn new() -> Self {
        Self { name: "", number: 0, known: RefCell::default(), types: PhantomData }
    }

    /// The value of an entry, or nothing if there is none. Panics where it can't be read as `V`: its type was changed, its version was not.
    pub fn get<Q: AsMapEntry<E> + ?Sized>(&self, entry: &Q) -> Option<V> {
        let mut known = self.known.borrow_mut();
        let held = known.entry(bytes_of(entry)).or_insert_with_key(|entry| {
            let given = host::broadcast_get(self.number, &one(entry));
            values_of(&given).next().flatten().map(<[u8]>::to_vec)
        });
        held.as_deref().map(|mut bytes| {
            let read = V::read(&mut bytes).filter(|_| bytes.is_empty());
            read.unwrap_or_else(|| panic!("{}", unreadable::<V>(self.name)))
        })
    }

    /// Gives an entry this value. Only for rows of a broadcast input.
    pub fn set<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, value: V) {
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        self.change(entry, Some(bytes));
    }

    /// Takes an entry away. Only for rows of a broadcast input.
    pub fn remove<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q) {
        self.change(entry, None);
    }

    /// All entries and their values, in order.
    pub fn iter(&self) -> Entries<'_, E, V> {
        self.range(..)
    }

    /// Entries of a range and their values, in order. They come from the host some at a time.
    pub fn range(&self, range: impl RangeBounds<E>) -> Entries<'_, E, V> {
        let number = self.number;
        Entries::new(self.name, range, move |start| host::broadcast_scan(number, start, PAGE))
    }

    /// Changes are few: each is handed over at once.
    fn change<Q: AsMapEntry<E> + ?Sized>(&mut self, entry: &Q, value: Option<Vec<u8>>) {
        let entry = bytes_of(entry);
        let present = vec![u8::from(value.is_some())];
        let data = value.clone().unwrap_or_default();
        let values = BinaryArray { offsets: vec![0, data.len() as u32], data };
        host::broadcast_put(self.number, &one(&entry), &Values { present, values });
        self.known.get_mut().insert(entry, value);
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        (self.name, self.number) = (name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, _: u32) {
        self.known.get_mut().clear();
    }

    #[doc(hidden)]
    pub fn at(&mut self, _: u32) {}

    #[doc(hidden)]
    pub fn fetch(&mut self) {}

    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    /// A value of an earlier version as this one has it.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        V: From<O>,
    {
        migrated::<O, V>(bytes, V::from)
    }
}

fn bytes_of<E: MapEntry, Q: AsMapEntry<E> + ?Sized>(entry: &Q) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.write_entry(&mut bytes);
    bytes
}
