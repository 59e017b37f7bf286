//! Values that all have the same number of bytes: they stay as the host gave them, and are read and written in place.

use crate::bindings::{BinaryArray, Values};
use crate::column::bit;
use crate::state::StateValue;

/// The values of a call's keys, end to end.
#[derive(Default)]
pub(super) struct Fixed {
    present: Vec<u8>,
    bytes: Vec<u8>,
}

impl Fixed {
    /// Takes what the host gave for `keys` keys; nothing if it isn't that many values of `width` bytes.
    pub(super) fn new(values: Values, keys: usize, width: usize) -> Option<Self> {
        let fits = values.values.data.len() == keys * width && values.present.len() >= keys.div_ceil(8);
        fits.then_some(Self { present: values.present, bytes: values.values.data })
    }

    /// The value of key `key`. The outer `None`: its bytes aren't a value.
    #[inline(always)]
    pub(super) fn get<T: StateValue>(&self, key: usize, width: usize) -> Option<Option<T>> {
        if bit(&self.present, key) { T::read(&mut &self.bytes[key * width..][..width]).map(Some) } else { Some(None) }
    }

    #[inline(always)]
    pub(super) fn set<T: StateValue>(&mut self, key: usize, width: usize, value: &T) {
        self.present[key / 8] |= 1 << (key % 8);
        value.write(&mut &mut self.bytes[key * width..][..width]);
    }

    #[inline]
    pub(super) fn clear(&mut self, key: usize, width: usize) {
        self.present[key / 8] &= !(1 << (key % 8));
        self.bytes[key * width..][..width].fill(0);
    }

    /// All values, to be stored.
    pub(super) fn into_values(self) -> Values {
        Values { present: self.present, values: BinaryArray { offsets: Vec::new(), data: self.bytes } }
    }

    /// The values of some keys, to be stored.
    pub(super) fn values_of(&self, keys: &[u32], width: usize) -> Values {
        let mut present = vec![0; keys.len().div_ceil(8)];
        let mut bytes = Vec::with_capacity(keys.len() * width);
        for (at, key) in keys.iter().enumerate() {
            let key = *key as usize;
            present[at / 8] |= u8::from(bit(&self.present, key)) << (at % 8);
            bytes.extend_from_slice(&self.bytes[key * width..][..width]);
        }
        Values { present, values: BinaryArray { offsets: Vec::new(), data: bytes } }
    }
}
