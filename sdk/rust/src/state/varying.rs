//! Values of any length: each is read from its bytes when it is first wanted, and written once at the end of the call.

use std::cell::OnceCell;

use crate::bindings::{BinaryArray, Values};
use crate::column::bit;
use crate::state::StateValue;

/// The values of a call's keys.
pub(super) struct Varying<T> {
    given: Values,
    values: Vec<OnceCell<Option<T>>>,
}

impl<T> Default for Varying<T> {
    fn default() -> Self {
        let values = BinaryArray { offsets: Vec::new(), data: Vec::new() };
        Self { given: Values { present: Vec::new(), values }, values: Vec::new() }
    }
}

impl<T: StateValue> Varying<T> {
    /// Takes what the host gave for `keys` keys; nothing if it isn't that many values.
    pub(super) fn new(given: Values, keys: usize) -> Option<Self> {
        let fits = given.values.offsets.len() == keys + 1 && given.present.len() >= keys.div_ceil(8);
        fits.then(|| Self { given, values: std::iter::repeat_with(OnceCell::new).take(keys).collect() })
    }

    /// The value of key `key`. The outer `None`: its bytes aren't a value.
    #[inline]
    pub(super) fn get(&self, key: usize) -> Option<Option<&T>> {
        if self.values[key].get().is_none() {
            let _ = self.values[key].set(self.read(key)?);
        }
        self.values[key].get().map(Option::as_ref)
    }

    fn read(&self, key: usize) -> Option<Option<T>> {
        if !bit(&self.given.present, key) {
            return Some(None);
        }
        let offsets = &self.given.values.offsets;
        let mut bytes = self.given.values.data.get(offsets[key] as usize..offsets[key + 1] as usize)?;
        let value = T::read(&mut bytes)?;
        bytes.is_empty().then_some(Some(value))
    }

    #[inline]
    pub(super) fn set(&mut self, key: usize, value: Option<T>) {
        self.values[key] = OnceCell::from(value);
    }

    /// Gives key `key` a value, and gives it back.
    #[inline]
    pub(super) fn put(&mut self, key: usize, value: T) -> &T {
        self.values[key] = OnceCell::new();
        match self.values[key].get_or_init(|| Some(value)) {
            Some(value) => value,
            None => unreachable!("it was just put there"),
        }
    }

    /// Takes the value of key `key` out. The outer `None`: its bytes aren't a value.
    #[inline]
    pub(super) fn take(&mut self, key: usize) -> Option<Option<T>> {
        self.get(key)?;
        self.values[key].take()
    }

    /// The values of some keys, to be stored.
    pub(super) fn values_of(&self, keys: impl ExactSizeIterator<Item = u32>) -> Values {
        let mut present = vec![0; keys.len().div_ceil(8)];
        let mut offsets = Vec::with_capacity(keys.len() + 1);
        let mut data = Vec::new();
        offsets.push(0);
        for (at, key) in keys.enumerate() {
            if let Some(Some(value)) = self.values[key as usize].get() {
                present[at / 8] |= 1 << (at % 8);
                value.write(&mut data);
            }
            offsets.push(data.len() as u32);
        }
        Values { present, values: BinaryArray { offsets, data } }
    }
}
