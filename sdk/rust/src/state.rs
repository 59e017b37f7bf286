//! What an operator remembers for a key. The host keeps it; an operator has a copy of the values of a call's keys while the call lasts.

mod broadcast;
mod combining;
mod entries;
mod entry;
mod expiring;
mod expiring_list;
mod expiring_map;
mod fixed;
mod list;
mod map;
mod of_task;
mod value;
mod varying;

use std::cell::{Cell, OnceCell};
use std::ops::Deref;

use crate::bindings::plan::StateKind;
use crate::error::{Error, Result};
use crate::host;
use crate::timers::TimeDomain;

use fixed::Fixed;
use varying::Varying;

pub use broadcast::BroadcastState;
pub use combining::{AggregatingState, ReducingState};
pub use entries::Entries;
pub use entry::{AsMapEntry, MapEntry};
pub use expiring::{Expiring, ExpiringState};
pub use expiring_list::ExpiringList;
pub use expiring_map::ExpiringMap;
pub use list::ListState;
pub(crate) use list::item_of;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use list::next_item;
pub use map::MapState;
pub use of_task::TaskState;
pub use value::{Sink, StateValue, sum_of_widths};

/// A value for each key: a field of the operator. Its name is the field's in kebab-case; `#[state(name = "…", version = 2)]` gives
/// another name and the version of the value's encoding, 1 if it isn't given. In [`Process::open`](crate::Process::open) it is made
/// with [`ValueState::new`].
///
/// It is always that of the current record's key. The first use in a call loads the values of all keys of the call in one
/// crossing; what was changed is stored in one at the end, and kept only if the call succeeds.
///
/// Where a value's bytes can't be read as `T` (the type was changed, its version was not), there is none, and the call fails at its end.
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
/// fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///     let sum = self.seen.get().unwrap_or(0) + row.n; // of this row's key
///     if sum > 100 { self.seen.clear() } else { self.seen.set(sum) }
///     cx.emit(Row { n: sum });
///     Ok(())
/// }
/// # }
/// ```
pub struct ValueState<T: StateValue> {
    name: &'static str,
    number: u32,
    keys: usize,
    key: usize,
    held: OnceCell<Held<T>>,
    unreadable: Cell<bool>,
    /// Which keys changed.
    changed: Vec<bool>,
}

/// The values of a call's keys. Only one of the two is used; which one is known when the operator is compiled.
struct Held<T: StateValue> {
    fixed: Fixed,
    varying: Varying<T>,
}

/// A state's value: its own, or in place.
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
/// fn process(&mut self, row: Row, cx: &mut Context<Self>) -> Result<()> {
///     let sum = *self.seen.update(|sum| sum.unwrap_or(0) + row.n);
///     cx.emit(Row { n: sum });
///     Ok(())
/// }
/// # }
/// ```
pub enum Ref<'a, T> {
    /// Read for the caller.
    Owned(T),
    /// Where the state keeps it.
    InPlace(&'a T),
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        match self {
            Self::Owned(value) => value,
            Self::InPlace(value) => value,
        }
    }
}

impl<T: StateValue> Default for ValueState<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: StateValue> ValueState<T> {
    #[doc(hidden)]
    pub const KIND: StateKind = StateKind::ValueState;

    /// The bytes of every value, where values are kept in place.
    #[doc(hidden)]
    pub const WIDTH: Option<u32> = match T::WIDTH {
        Some(width @ 1..=1_024) => Some(width),
        _ => None,
    };

    /// Its values stay until they are taken away.
    #[doc(hidden)]
    pub const EXPIRES: Option<TimeDomain> = None;

    /// A state to be put into the operator.
    pub fn new() -> Self {
        let (held, unreadable) = (OnceCell::new(), Cell::new(false));
        Self { name: "", number: 0, keys: 0, key: 0, held, unreadable, changed: Vec::new() }
    }

    /// The value, or nothing if the key has none. For a value that is large and not read in place, [`get_ref`](Self::get_ref) is cheaper.
    #[inline(always)]
    pub fn get(&self) -> Option<T>
    where
        T: Clone,
    {
        match self.get_ref()? {
            Ref::Owned(value) => Some(value),
            Ref::InPlace(value) => Some(value.clone()),
        }
    }

    /// The value, or nothing if the key has none, without a copy of one that has no fixed width.
    #[inline(always)]
    pub fn get_ref(&self) -> Option<Ref<'_, T>> {
        let held = self.held.get_or_init(|| self.load());
        let read = match Self::WIDTH {
            Some(width) => held.fixed.get(self.key, width as usize).map(|value| value.map(Ref::Owned)),
            None => held.varying.get(self.key).map(|value| value.map(Ref::InPlace)),
        };
        read.unwrap_or_else(|| self.note_unreadable())
    }

    /// Gives the key this value.
    #[inline(always)]
    pub fn set(&mut self, value: T) {
        let key = self.key;
        let held = self.held_mut();
        match Self::WIDTH {
            Some(width) => held.fixed.set(key, width as usize, &value),
            None => held.varying.set(key, Some(value)),
        }
        self.changed[key] = true;
    }

    /// Gives the key the value that `change` makes of the one it has, or of none, and gives it back.
    #[inline(always)]
    pub fn update(&mut self, change: impl FnOnce(Option<T>) -> T) -> Ref<'_, T> {
        let key = self.key;
        match Self::WIDTH {
            Some(width) => {
                let value = change(match self.get_ref() {
                    Some(Ref::Owned(value)) => Some(value),
                    _ => None,
                });
                self.held_mut().fixed.set(key, width as usize, &value);
                self.changed[key] = true;
                Ref::Owned(value)
            }
            None => {
                let taken = self.held_mut().varying.take(key);
                let value = change(taken.unwrap_or_else(|| self.note_unreadable()));
                self.changed[key] = true;
                Ref::InPlace(self.held_mut().varying.put(key, value))
            }
        }
    }

    /// Takes the key's value away.
    #[inline]
    pub fn clear(&mut self) {
        let key = self.key;
        let held = self.held_mut();
        match Self::WIDTH {
            Some(width) => held.fixed.clear(key, width as usize),
            None => held.varying.set(key, None),
        }
        self.changed[key] = true;
    }

    /// The state of key `key` of the call, for operators over whole batches. Panics in its use if there is no such key.
    #[inline(always)]
    pub fn at(&mut self, key: u32) -> &mut Self {
        self.key = key as usize;
        self
    }

    #[doc(hidden)]
    pub fn number(&mut self, name: &'static str, number: u32) {
        (self.name, self.number) = (name, number);
    }

    #[doc(hidden)]
    pub fn begin(&mut self, keys: u32) {
        self.keys = keys as usize;
        self.key = 0;
        self.held = OnceCell::new();
        self.changed.clear();
        self.changed.resize(self.keys, false);
    }

    #[doc(hidden)]
    pub fn fetch(&mut self) {}

    /// A value of an earlier version as this one has it.
    #[doc(hidden)]
    pub fn migrate<O: StateValue>(bytes: &[u8]) -> Result<Vec<u8>>
    where
        T: From<O>,
    {
        migrated::<O, T>(bytes, T::from)
    }

    /// Stores what changed.
    #[doc(hidden)]
    pub fn finish(&mut self) -> Result<()> {
        let held = self.held.take();
        let count = self.changed.iter().filter(|changed| **changed).count();
        if self.unreadable.get() {
            return Err(self.unreadable_value());
        }
        let Some(held) = held.filter(|_| count > 0) else { return Ok(()) };
        if count == self.keys {
            let values = match Self::WIDTH {
                Some(_) => held.fixed.into_values(),
                None => held.varying.values_of(0..self.keys as u32),
            };
            host::store(self.number, None, &values);
        } else {
            let changed = (0..self.keys as u32).zip(&self.changed).filter_map(|(key, changed)| changed.then_some(key));
            let keys: Vec<u32> = changed.collect();
            let values = match Self::WIDTH {
                Some(width) => held.fixed.values_of(&keys, width as usize),
                None => held.varying.values_of(keys.iter().copied()),
            };
            host::store(self.number, Some(&keys), &values);
        }
        Ok(())
    }

    #[inline(always)]
    fn held_mut(&mut self) -> &mut Held<T> {
        if self.held.get().is_none() {
            self.held = OnceCell::from(self.load());
        }
        self.held.get_mut().unwrap_or_else(|| unreachable!("it was loaded"))
    }

    #[cold]
    #[inline(never)]
    fn load(&self) -> Held<T> {
        assert!(
            self.keys > 0,
            "state `{}` was used where there is no key: outside of `process`, or for a row of an input without one",
            self.name
        );
        let values = host::load(self.number);
        let held = match Self::WIDTH {
            Some(width) => Fixed::new(values, self.keys, width as usize).map(|fixed| Held { fixed, varying: Varying::default() }),
            None => Varying::new(values, self.keys).map(|varying| Held { fixed: Fixed::default(), varying }),
        };
        held.unwrap_or_else(|| panic!("the host gave another number of values of state `{}` than the call has keys", self.name))
    }

    #[cold]
    fn note_unreadable<V>(&self) -> Option<V> {
        self.unreadable.set(true);
        None
    }

    #[cold]
    fn unreadable_value(&self) -> Error {
        list::unreadable::<T>(self.name)
    }
}

/// The bytes of a value that was written as `O`, as `T` writes it.
fn migrated<O: StateValue, T: StateValue>(mut bytes: &[u8], change: impl FnOnce(O) -> T) -> Result<Vec<u8>> {
    let Some(before) = O::read(&mut bytes).filter(|_| bytes.is_empty()) else {
        let old = std::any::type_name::<O>();
        return Err(Error::fail(format!("a value of an earlier version can't be read as {old}, which `migrates` says it is")));
    };
    let mut after = Vec::new();
    change(before).write(&mut after);
    Ok(after)
}
