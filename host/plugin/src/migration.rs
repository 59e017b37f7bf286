//! Values that a snapshot has of other versions of a plugin's states, until they have become values of its own.
//!
//! Each version is a state beside the plugin's own (`MemoryState::keeping_versions`). The values of keys that rows or timers come for are migrated
//! before the call; the others some at a time between calls, so that no task stands still for all of them. A snapshot meanwhile has both.

use std::collections::{BTreeSet, VecDeque};

use wasmill_flow::key::EncodedKeys;
use wasmill_state::{CallKeys, ItemChange, ItemWrite, Items, KeyedState, StateKind, StateNeed, StateWrite, Values};

use crate::bindings::wasmill::plugin::data::BinaryArrayResult;
use crate::limits::{STATE_PAGE_BYTES, STATE_VALUE_BYTES};

/// How many keys are looked at between two calls.
pub(crate) const KEYS_AT_ONCE: usize = 256;

/// How many values a call migrates, or some more.
const VALUES_AT_ONCE: usize = 1_024;

/// What is left to migrate.
#[derive(Debug, Default)]
pub(crate) struct Migration {
    versions: Vec<OtherVersion>,
    /// Keys that have values of other versions, or had when they were listed.
    waiting: VecDeque<Box<[u8]>>,
    /// The memory that they take.
    bytes: usize,
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
    /// Its values are forgotten.
    pub expires: bool,
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
    pub fn of(state: &dyn KeyedState, own: usize, expires: impl Fn(usize) -> bool) -> Self {
        let states = state.states();
        let mut keys = BTreeSet::new();
        let mut versions = Vec::new();
        for (index, need) in states.iter().enumerate().skip(own) {
            if let Some(of) = states[..own].iter().position(|other| other.name == need.name) {
                state.for_each_value(index, &mut |key, _| {
                    keys.insert(Box::from(key));
                });
                versions.push(OtherVersion {
                    state: index,
                    of,
                    need: need.clone(),
                    width: states[of].width,
                    expires: expires(of),
                });
            }
        }
        let waiting: VecDeque<Box<[u8]>> = keys.into_iter().collect();
        let bytes = waiting.iter().map(|key| held(key)).sum();
        if waiting.is_empty() { Self::default() } else { Self { versions, waiting, bytes } }
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
        for key in self.waiting.drain(..KEYS_AT_ONCE.min(self.waiting.len())) {
            self.bytes -= held(&key);
            keys.push(&key);
        }
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
        self.bytes
    }
}

impl OtherVersion {
    /// What the keys of a call from `from` on have of it, with about as much as a page has: of maps some entries, of lists whole ones. And with
    /// which key it goes on, none behind the last.
    pub fn load(&self, state: &dyn KeyedState, call: &CallKeys, from: u32) -> (Old, Option<u32>) {
        let mut old = Old::default();
        let mut values = Values::default();
        if self.need.kind == StateKind::Value {
            state.load(self.state, call, &mut values);
        }
        #[expect(clippy::cast_possible_truncation, reason = "keys of a call are counted in a u32")]
        for key in from..call.count() as u32 {
            if old.is_full() {
                return (old, Some(key));
            }
            let before = old.values.len();
            match self.need.kind {
                StateKind::Value => {
                    values.get(key as usize, self.need.width).into_iter().for_each(|value| old.values.push(value));
                }
                StateKind::List | StateKind::Task => state.list(self.state, call, key, &mut old.values),
                StateKind::Map | StateKind::Broadcast => state.scan(self.state, call, key, &[], &mut |entry, value| {
                    old.entries.push(entry);
                    old.values.push(value);
                    !old.is_full()
                }),
            }
            old.keys.extend(std::iter::repeat_n(key, old.values.len() - before));
            // What is left of a map: what has been migrated is gone from it by then.
            if matches!(self.need.kind, StateKind::Map | StateKind::Broadcast) && old.is_full() {
                return (old, Some(key));
            }
        }
        (old, None)
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
        if self.expires && new.iter().any(|value| value.len() < 8) {
            return Err("a value that doesn't begin with the moment at which it is forgotten".to_owned());
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
            StateKind::List | StateKind::Task => {
                let put = ItemChange::Append { keys: old.keys, items: new };
                let gone = ItemChange::ClearLists(keys);
                (Vec::new(), vec![ItemWrite { state: self.of, change: put }, ItemWrite { state: self.state, change: gone }])
            }
            StateKind::Map | StateKind::Broadcast => {
                let mut values = Values::end_to_end();
                new.iter().for_each(|value| values.push(Some(value)));
                let mut none = Values::end_to_end();
                old.keys.iter().for_each(|_| none.push(None));
                let gone = ItemChange::Put { keys: old.keys.clone(), entries: old.entries.clone(), values: none };
                let put = ItemChange::Put { keys: old.keys, entries: old.entries, values };
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

    /// Whether it is as much as goes at once.
    fn is_full(&self) -> bool {
        self.values.len() >= VALUES_AT_ONCE || self.values.data.len() + self.entries.data.len() >= STATE_PAGE_BYTES
    }
}

/// The memory that a key takes.
fn held(key: &[u8]) -> usize {
    key.len() + size_of::<Box<[u8]>>()
}
