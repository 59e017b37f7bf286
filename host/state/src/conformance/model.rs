//! A backend beside a model of it, and random operations for both.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wasmill_flow::key::{self, EncodedKeys};
use wasmill_flow::{Epoch, KeyGroups};

use super::snapshots::{Action, Snapshots, actions};
use super::{Make, tasks};
use crate::contract::{CallKeys, ItemChange, ItemWrite, KeyedState, SnapshotKind, StateKind, StateNeed, StateWrite};
use crate::items::{self, Items};
use crate::values::Values;

/// What is held: encoded key to a value or none for each state.
pub type Held = BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

/// The states of the suite: a fixed width, any length, an odd width, no bytes at all, lists and maps.
pub fn states() -> Vec<StateNeed> {
    let mut states = [("count", Some(8)), ("text", None), ("odd", Some(3)), ("seen", Some(0))]
        .map(|(name, width)| StateNeed::values(name, 1, width))
        .to_vec();
    states.extend([StateNeed::lists("trail", 1), StateNeed::maps("tally", 1)]);
    states
}

/// One thing to do with a backend.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A call with the keys of some rows; without writes nothing is applied.
    Call {
        /// The key of each row.
        keys: Vec<u16>,
        /// What is written, in order.
        writes: Option<Vec<Write>>,
    },
    /// Something about snapshots.
    Snapshot(Action),
}

/// A write to one state: of values; to lists, where a value is an item that is added, and none clears; to maps, where a value is an entry and its
/// value, and none removes the entry.
#[derive(Debug, Clone)]
pub struct Write {
    state: usize,
    /// Whether it names the keys that it writes: those that this bit string has a 1 for.
    chosen: Option<u64>,
    /// A seed for a key's value; none removes. Used in turn.
    values: Vec<Option<u8>>,
}

impl Write {
    /// Writes one value of state 0 to all keys of the call, or removes it.
    fn to_all(value: Option<u8>) -> Self {
        Self { state: 0, chosen: None, values: vec![value] }
    }

    /// The numbers of the keys that are written.
    fn keys(&self, distinct: &[Vec<u8>]) -> Vec<u32> {
        let chosen = |key: &u32| self.chosen.is_none_or(|bits| bits >> (key % 64) & 1 == 1);
        (0..distinct.len() as u32).filter(chosen).collect()
    }
}

/// Some operations, most of them calls, on few keys, so that keys meet again.
pub fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let write = (0..states().len(), option::of(any::<u64>()), vec(option::weighted(0.7, any::<u8>()), 1..9))
        .prop_map(|(state, chosen, values)| Write { state, chosen, values });
    let operation = prop_oneof![
        6 => (vec(0..90u16, 1..60), option::weighted(0.9, vec(write, 0..4))).prop_map(|(keys, writes)| Operation::Call { keys, writes }),
        5 => actions().prop_map(Operation::Snapshot),
    ];
    vec(operation, 1..60)
}

/// The text of a key: null, or of one to 60 bytes, so that backends that treat short and long keys differently are tried with both.
fn key_text(key: u16) -> Option<String> {
    (!key.is_multiple_of(31)).then(|| format!("{key}").repeat(1 + usize::from(key % 13)))
}

/// The value that a seed stands for.
fn value(state: &StateNeed, seed: u8) -> Vec<u8> {
    vec![seed; state.width.map_or(usize::from(seed % 60), |width| width as usize)]
}

/// A backend and what it should hold.
pub struct Run {
    backend: Box<dyn KeyedState>,
    call: CallKeys,
    now: Held,
    snapshots: Snapshots<Held>,
}

impl Run {
    /// An empty backend.
    pub fn new(make: Make<'_>) -> Self {
        let backend = make(states());
        assert_eq!(backend.states(), states());
        Self { backend, call: CallKeys::default(), now: Held::new(), snapshots: Snapshots::new() }
    }

    /// The backend.
    pub fn backend(&self) -> &dyn KeyedState {
        self.backend.as_ref()
    }

    /// The backend, to be changed behind the model's back.
    pub fn backend_mut(&mut self) -> &mut dyn KeyedState {
        self.backend.as_mut()
    }

    /// What the backend should hold.
    pub fn model_of_now(&self) -> Held {
        self.now.clone()
    }

    /// How many snapshots were finished.
    pub fn finished(&self) -> usize {
        self.snapshots.chains().count()
    }

    /// A call that only looks.
    pub fn look_up(&mut self, keys: &[u16]) {
        self.call(keys, None);
    }

    /// A call that writes one value to state 0 of all keys.
    pub fn put(&mut self, keys: &[u16], seed: u8) {
        self.call(keys, Some(&[Write::to_all(Some(seed))]));
    }

    /// A call that removes state 0 of all keys.
    pub fn remove(&mut self, keys: &[u16]) {
        self.call(keys, Some(&[Write::to_all(None)]));
    }

    /// A call: looks at all states, compares them with the model, and writes.
    pub fn call(&mut self, rows: &[u16], writes: Option<&[Write]>) {
        let mut keys = EncodedKeys::default();
        keys.encode(&[Arc::new(rows.iter().map(|&key| key_text(key)).collect::<StringViewArray>()) as ArrayRef]);
        self.backend.resolve(&keys, &keys.hashes(), &mut self.call);
        let distinct = self.check_numbers(&keys);
        for (index, state) in states().iter().enumerate() {
            match state.kind {
                StateKind::Value => {}
                StateKind::List | StateKind::Task => self.check_lists(index, &distinct),
                StateKind::Map | StateKind::Broadcast => self.check_maps(index, &distinct),
            }
            if state.kind != StateKind::Value {
                continue;
            }
            let mut loaded = Values { present: vec![7], offsets: vec![7], data: vec![7] };
            self.backend.load(index, &self.call, &mut loaded);
            assert_eq!(loaded.check(distinct.len(), state.width, usize::MAX), Ok(()), "what is loaded is laid out well");
            for (number, key) in distinct.iter().enumerate() {
                let expected = self.now.get(key).and_then(|values| values[index].as_deref());
                assert_eq!(loaded.get(number, state.width), expected, "state `{}` of key {key:02x?}", state.name);
                if let (None, Some(width)) = (expected, state.width) {
                    let width = width as usize;
                    assert!(
                        loaded.data[number * width..][..width].iter().all(|&byte| byte == 0),
                        "zeros where there is no value"
                    );
                }
            }
        }
        if let Some(writes) = writes {
            let (mut values, mut items) = (Vec::new(), Vec::new());
            for write in writes {
                match states()[write.state].kind {
                    StateKind::Value => values.push(self.write(write, &distinct)),
                    _ => items.extend(self.write_items(write, &distinct)),
                }
            }
            self.backend.apply(&self.call, &values);
            self.backend.apply_items(&self.call, &items);
        }
        self.backend.finish(&self.call);
        self.now.retain(|_, values| values.iter().any(Option::is_some));
        assert_eq!(self.backend.keys(), self.now.len(), "the number of keys");
    }

    /// Checks how the rows' keys are numbered; the distinct ones in order.
    fn check_numbers(&self, keys: &EncodedKeys) -> Vec<Vec<u8>> {
        let mut distinct: Vec<Vec<u8>> = Vec::new();
        assert_eq!(self.call.row_key.len(), keys.len());
        for row in 0..keys.len() {
            let number = distinct.iter().position(|key| key == keys.get(row)).unwrap_or_else(|| {
                assert_eq!(self.call.first_row[distinct.len()] as usize, row, "a key's first row");
                distinct.push(keys.get(row).to_vec());
                distinct.len() - 1
            });
            assert_eq!(self.call.row_key[row] as usize, number, "keys are numbered in order of first appearance");
        }
        assert_eq!((self.call.count(), self.call.first_row.len()), (distinct.len(), distinct.len()));
        distinct
    }

    /// Compares the lists of a call's keys with the model.
    fn check_lists(&self, state: usize, distinct: &[Vec<u8>]) {
        for (number, key) in (0..).zip(distinct) {
            let held = self.stored(state, key);
            let mut items = Items::default();
            self.backend.list(state, &self.call, number, &mut items);
            assert_eq!(items.iter().collect::<Vec<_>>(), strings(&held), "the list of key {key:02x?}");
            assert_eq!(self.backend.list_size(state, &self.call, number), (items.len(), items.data.len() + 4 * items.len()));
        }
    }

    /// Compares the maps of a call's keys with the model.
    fn check_maps(&self, state: usize, distinct: &[Vec<u8>]) {
        for (number, key) in (0..).zip(distinct) {
            let held = self.stored(state, key);
            let held: BTreeMap<&[u8], &[u8]> = strings(&held).chunks(2).map(|pair| (pair[0], pair[1])).collect();
            let start = [distinct.len() as u8 * 3];
            let mut scanned = Vec::new();
            self.backend.scan(state, &self.call, number, &start, &mut |entry, value| {
                scanned.push((entry.to_vec(), value.to_vec()));
                scanned.len() < 5
            });
            let expected = held.range(&start[..]..).take(5).map(|(entry, value)| (entry.to_vec(), value.to_vec()));
            assert_eq!(scanned, expected.collect::<Vec<_>>(), "the map of key {key:02x?} from {start:?}");
            let (mut asked, mut values) = (Items::default(), Values::end_to_end());
            (0..u8::MAX).step_by(5).for_each(|entry| asked.push(&[entry]));
            self.backend.entries(state, &self.call, &vec![number; asked.len()], &asked, &mut |value| {
                values.push(value);
                true
            });
            assert_eq!(values.check(asked.len(), None, usize::MAX), Ok(()), "what is looked up is laid out well");
            for (index, entry) in asked.iter().enumerate() {
                assert_eq!(values.get(index, None), held.get(entry).copied(), "entry {entry:?} of key {key:02x?}");
            }
        }
    }

    /// What the model has of a list or map.
    fn stored(&self, state: usize, key: &[u8]) -> Vec<u8> {
        self.now.get(key).and_then(|values| values[state].clone()).unwrap_or_default()
    }

    /// Performs a write to lists or maps on the model, and returns it as the backend gets it.
    fn write_items(&mut self, write: &Write, distinct: &[Vec<u8>]) -> Vec<ItemWrite> {
        let (state, kind) = (write.state, states()[write.state].kind);
        let mut writes = Vec::new();
        for (index, &key) in write.keys(distinct).iter().enumerate() {
            let seed = write.values[index % write.values.len()];
            let held = self.stored(state, &distinct[key as usize]);
            let mut items: Vec<Vec<u8>> = strings(&held).into_iter().map(<[u8]>::to_vec).collect();
            let change = match (kind, seed) {
                (StateKind::List, Some(seed)) => {
                    items.push(vec![seed; usize::from(seed % 40)]);
                    ItemChange::Append { keys: vec![key], items: item(&vec![seed; usize::from(seed % 40)]) }
                }
                (StateKind::List, None) => {
                    items.clear();
                    ItemChange::ClearLists(vec![key])
                }
                // Every sixteenth removes all.
                (_, Some(0..16)) => {
                    items.clear();
                    ItemChange::ClearMaps(vec![key])
                }
                (_, seed) => {
                    let entry =
                        vec![seed.unwrap_or(write.values.len() as u8 * 5) / 8 * 5; 1 + usize::from(seed.unwrap_or(0) / 240) * 30];
                    let mut map: BTreeMap<Vec<u8>, Vec<u8>> =
                        items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
                    let value = seed.map(|seed| vec![seed; usize::from(seed % 40)]);
                    match value.clone() {
                        Some(value) => map.insert(entry.clone(), value),
                        None => map.remove(&entry),
                    };
                    items = map.into_iter().flat_map(|(entry, value)| [entry, value]).collect();
                    let mut values = Values::end_to_end();
                    values.push(value.as_deref());
                    ItemChange::Put { keys: vec![key], entries: item(&entry), values }
                }
            };
            writes.push(ItemWrite { state, change });
            let mut stored = Vec::new();
            items.iter().for_each(|item| items::store(item, &mut stored));
            let held = self.now.entry(distinct[key as usize].clone()).or_insert_with(|| vec![None; states().len()]);
            held[state] = (!stored.is_empty()).then_some(stored);
        }
        writes
    }

    /// Performs a write on the model, and returns it as the backend gets it.
    fn write(&mut self, write: &Write, distinct: &[Vec<u8>]) -> StateWrite {
        let state = &states()[write.state];
        let written = write.keys(distinct);
        let keys = write.chosen.map(|_| written.clone());
        let mut values = Values { present: vec![0; written.len().div_ceil(8)], ..Values::default() };
        if state.width.is_none() {
            values.offsets.push(0);
        }
        for (index, &key) in written.iter().enumerate() {
            let value = write.values[index % write.values.len()].map(|seed| value(state, seed));
            match &value {
                Some(value) => {
                    values.present[index / 8] |= 1 << (index % 8);
                    values.data.extend_from_slice(value);
                }
                None => values.data.extend(vec![0; state.width.unwrap_or(0) as usize]),
            }
            if state.width.is_none() {
                values.offsets.push(values.data.len() as u32);
            }
            let held = self.now.entry(distinct[key as usize].clone()).or_insert_with(|| vec![None; states().len()]);
            held[write.state] = value;
        }
        assert_eq!(values.check(written.len(), state.width, usize::MAX), Ok(()), "the suite writes well");
        StateWrite { state: write.state, keys, values }
    }

    /// Does something about snapshots.
    pub fn act(&mut self, action: &Action) {
        self.snapshots.act(action, self.backend.as_mut(), &self.now);
    }

    /// Starts a base, if no snapshot is under way.
    pub fn snapshot(&mut self) {
        self.act(&Action::Mark(SnapshotKind::Base));
    }

    /// A step of the snapshot under way; whether there is more.
    pub fn step(&mut self, keys: usize) -> bool {
        self.snapshots.step(keys, self.backend.as_mut())
    }

    /// The bytes of a snapshot of now.
    pub fn whole_snapshot(&mut self) -> Vec<u8> {
        self.snapshot();
        while self.step(1) {}
        self.snapshots.chains().last().map(|(_, chain)| chain.concat()).unwrap_or_default()
    }

    /// Restores the chain of every finished snapshot at several parallelisms, and what those restored tasks snapshot at others.
    pub fn check_restores(&self, make: Make<'_>) {
        for (held, chain) in self.snapshots.chains() {
            for of in [1, 2, 5] {
                let files = restore(make, std::slice::from_ref(&chain), of, held);
                let again = if of == 2 { 3 } else { 1 };
                let files: Vec<_> = files.iter().map(|file| vec![&file[..]]).collect();
                restore(make, &files, again, held);
            }
        }
    }
}

/// The byte strings of a stored list or map.
fn strings(stored: &[u8]) -> Vec<&[u8]> {
    items::stored(stored).expect("the model stores well")
}

/// One byte string.
fn item(bytes: &[u8]) -> Items {
    let mut items = Items::default();
    items.push(bytes);
    items
}

/// Restores chains into the tasks of some parallelism, checks that together they hold what they should, and snapshots each.
fn restore(make: Make<'_>, chains: &[Vec<&[u8]>], of: u32, held: &Held) -> Vec<Vec<u8>> {
    let groups = KeyGroups::DEFAULT;
    let mut together = Held::new();
    let mut files = Vec::new();
    for task in tasks(of) {
        let mut backend = make(states());
        for chain in chains {
            backend.restore(chain, groups, groups.owned_by(task), 0..groups.count()).expect("a good snapshot");
        }
        let dump = backend.dump();
        assert_eq!(backend.keys(), dump.len());
        for (key, values) in dump {
            assert!(groups.owned_by(task).contains(&groups.group(key::hash(&key))), "a task keeps the keys of its own groups");
            together.insert(key, values);
        }
        assert_eq!(backend.snapshot(Epoch(99), SnapshotKind::Delta), None, "the first after a restore is a base");
        files.push(std::iter::from_fn(|| backend.snapshot_step(4)).flatten().collect());
    }
    assert_eq!(&together, held, "what {of} tasks restored together");
    files
}
