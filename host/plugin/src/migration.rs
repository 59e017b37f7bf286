//! Values that a snapshot has of other versions of a plugin's states, until they have become values of its own.
//!
//! Each version is a state beside the plugin's own (`MemoryState::keeping_versions`). The values of keys that rows or timers come for are migrated
//! before the call; the others some at a time between calls, so that no task stands still for all of them. A snapshot meanwhile has both.

use std::collections::{BTreeSet, VecDeque};

use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState, StateKind, StateNeed, StateWrite, Values};

use crate::bindings::wasmill::plugin::data::BinaryArrayResult;
use crate::limits::STATE_VALUE_BYTES;

/// How many keys are looked at between two calls.
pub(crate) const KEYS_AT_ONCE: usize = 256;

/// What is left to migrate.
#[derive(Debug, Default)]
pub(crate) struct Migration {
    versions: Vec<OtherVersion>,
    /// Keys that have values of other versions, or had when they were listed.
    waiting: VecDeque<Box<[u8]>>,
}

/// Another version of a state.
#[derive(Debug, Clone)]
pub(crate) struct OtherVersion {
    /// Where its values are.
    pub state: usize,
    /// The plugin's state.
    pub of: usize,
    pub need: StateNeed,
    /// The plugin's width.
    pub width: Option<u32>,
}

/// Values to be migrated, and whose they are.
#[derive(Debug, Default)]
pub(crate) struct Old {
    /// The number of each value's key.
    keys: Vec<u32>,
    /// The entries, of maps.
    pub entries: Items,
    pub values: Items,
}

impl Migration {
    /// Lists what a restored state has of other versions of the first `own` of its states.
    pub fn of(state: &dyn KeyedState, own: usize) -> Self {
        let states = state.states();
        let mut keys = BTreeSet::new();
        let mut versions = Vec::new();
        for (index, need) in states.iter().enumerate().skip(own) {
            if let Some(of) = states[..own].iter().position(|other| other.name == need.name) {
                state.for_each_value(index, &mut |key, _| {
                    keys.insert(Box::from(key));
                });
                versions.push(OtherVersion { state: index, of, need: need.clone(), width: states[of].width });
            }
        }
        let waiting: VecDeque<Box<[u8]>> = keys.into_iter().collect();
        if waiting.is_empty() { Self::default() } else { Self { versions, waiting } }
    }

    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.versions.is_empty()
    }

    /// The versions that there are.
    pub fn versions(&self) -> Vec<OtherVersion> {
        self.versions.clone()
    }

    /// The next keys that wait.
    pub fn next(&mut self) -> EncodedKeys {
        let mut keys = EncodedKeys::default();
        self.waiting.drain(..KEYS_AT_ONCE.min(self.waiting.len())).for_each(|key| keys.push(&key));
        keys
    }

    /// Ends where none wait any more.
    pub fn settle(&mut self) {
        if self.waiting.is_empty() {
            self.versions.clear();
        }
    }

    /// The memory that the keys take, in bytes.
    pub fn bytes(&self) -> usize {
        self.waiting.iter().map(|key| key.len() + size_of::<Box<[u8]>>()).sum()
    }
}

impl OtherVersion {
    /// What the keys of a call have of it.
    pub fn load(&self, state: &dyn KeyedState, call: &CallKeys) -> Old {
        let mut old = Old::default();
        let mut values = Values::default();
        if self.need.kind == StateKind::Value {
            state.load(self.state, call, &mut values);
        }
        #[expect(clippy::cast_possible_truncation, reason = "keys of a call are counted in a u32")]
        for key in 0..call.count() as u32 {
            let before = old.values.len();
            match self.need.kind {
                StateKind::Value => {
                    values.get(key as usize, self.need.width).into_iter().for_each(|value| old.values.push(value))
                }
                StateKind::List => state.list(self.state, call, key, &mut old.values),
                StateKind::Map => state.scan(self.state, call, key, &[], &mut |entry, value| {
                    old.entries.push(entry);
                    old.values.push(value);
                    true
                }),
            }
            old.keys.extend(std::iter::repeat_n(key, old.values.len() - before));
        }
        old
    }

    /// The writes that put what the plugin has made of them into its own state, and take them away; the error says what is wrong with it.
    pub fn writes(&self, old: Old, new: BinaryArrayResult) -> Result<(Vec<StateWrite>, Vec<ItemWrite>), String> {
        let new = Items { offsets: new.offsets, data: new.data };
        new.check(old.values.len(), STATE_VALUE_BYTES)?;
        if let Some((width, value)) =
            self.width.and_then(|width| Some((width, new.iter().find(|value| value.len() != width as usize)?)))
        {
            return Err(format!("a value of {} bytes, expected {width}", value.len()));
        }
        let mut keys = old.keys.clone();
        keys.dedup();
        Ok(match self.need.kind {
            StateKind::Value => {
                let count = keys.len();
                let mut present = vec![u8::MAX; count.div_ceil(8)];
                if let (Some(last), rest @ 1..) = (present.last_mut(), count % 8) {
                    *last = (1 << rest) - 1;
                }
                let offsets = if self.width.is_none() { new.offsets } else { Vec::new() };
                let put =
                    StateWrite { state: self.of, keys: Some(keys.clone()), values: Values { present, offsets, data: new.data } };
                let values = match self.need.width {
                    Some(width) => {
                        Values { present: vec![0; count.div_ceil(8)], offsets: Vec::new(), data: vec![0; count * width as usize] }
                    }
                    None => Values { present: vec![0; count.div_ceil(8)], offsets: vec![0; count + 1], data: Vec::new() },
                };
                (vec![put, StateWrite { state: self.state, keys: Some(keys), values }], Vec::new())
            }
            StateKind::List => {
                let put = ItemChange::Append { keys: old.keys, items: new };
                let gone = ItemChange::ClearLists(keys);
                (Vec::new(), vec![ItemWrite { state: self.of, change: put }, ItemWrite { state: self.state, change: gone }])
            }
            StateKind::Map => {
                let mut values = Values::end_to_end();
                new.iter().for_each(|value| values.push(Some(value)));
                let put = ItemChange::Put { keys: old.keys, entries: old.entries, values };
                let gone = ItemChange::ClearMaps(keys);
                (Vec::new(), vec![ItemWrite { state: self.of, change: put }, ItemWrite { state: self.state, change: gone }])
            }
        })
    }
}

impl Old {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
