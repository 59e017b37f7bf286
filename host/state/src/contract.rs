//! The contract of a state backend.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use wasmill_flow::key::EncodedKeys;
use wasmill_flow::{Epoch, KeyGroups};

use crate::items::Items;
use crate::values::Values;

/// What a state keeps for each key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateKind {
    /// One value.
    #[default]
    Value,
    /// Items in the order in which they were appended.
    List,
    /// Entries, each with a value, in the order of their bytes.
    Map,
    /// A map that isn't a key's but the task's own, and the same in every task.
    Broadcast,
    /// A list that isn't a key's but the task's own. When the parallelism changes its items are dealt out anew.
    Task,
}

/// The bytes of what stands for a key where a state is the task's own.
pub const NO_KEY: &[u8] = &[];

/// A state that an operator keeps for each key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateNeed {
    /// Its identity in snapshots, together with the operator's name.
    pub name: String,
    /// The version of its values' encoding.
    pub version: u32,
    /// What it keeps.
    pub kind: StateKind,
    /// The exact length of every value, where it is fixed; lists and maps have none.
    pub width: Option<u32>,
}

impl StateNeed {
    /// A state of values.
    #[must_use]
    pub fn values(name: &str, version: u32, width: Option<u32>) -> Self {
        Self { name: name.to_owned(), version, kind: StateKind::Value, width }
    }

    /// A state of lists.
    #[must_use]
    pub fn lists(name: &str, version: u32) -> Self {
        Self { name: name.to_owned(), version, kind: StateKind::List, width: None }
    }

    /// Whether it is the task's own, not its keys'.
    #[must_use]
    pub fn is_of_task(&self) -> bool {
        matches!(self.kind, StateKind::Broadcast | StateKind::Task)
    }

    /// A state of maps.
    #[must_use]
    pub fn maps(name: &str, version: u32) -> Self {
        Self { name: name.to_owned(), version, kind: StateKind::Map, width: None }
    }
}

/// The distinct keys of a call. Made by [`KeyedState::resolve`], reusable from call to call; valid until [`KeyedState::finish`].
#[derive(Debug, Default)]
pub struct CallKeys {
    /// The number of each row's key; keys are numbered in order of first appearance.
    pub row_key: Vec<u32>,
    /// The first row of each key.
    pub first_row: Vec<u32>,
    /// Where the backend keeps each key; its meaning is the backend's own.
    pub places: Vec<u32>,
}

impl CallKeys {
    /// How many distinct keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.places.len()
    }
}

/// Values to be written to one state.
#[derive(Debug, Clone)]
pub struct StateWrite {
    /// Index of the state.
    pub state: usize,
    /// The numbers of the keys that are written; all keys of the call where there is no list.
    pub keys: Option<Vec<u32>>,
    /// A value for each; one that is absent removes. Already checked ([`Values::check`]).
    pub values: Values,
}

/// A change to the lists or maps of one state.
#[derive(Debug, Clone)]
pub struct ItemWrite {
    /// Index of the state.
    pub state: usize,
    /// What is changed.
    pub change: ItemChange,
}

/// What is changed in lists or maps; keys are numbers of the call's.
#[derive(Debug, Clone)]
pub enum ItemChange {
    /// Item `i` is added to the end of the list of key `keys[i]`.
    Append {
        /// Whose list, for each item; a key may come many times.
        keys: Vec<u32>,
        /// What is added.
        items: Items,
    },
    /// The lists of these keys have nothing any more.
    ClearLists(Vec<u32>),
    /// Entry `i` of the map of key `keys[i]` has this value; one that is absent removes it.
    Put {
        /// Whose map, for each entry; a key may come many times.
        keys: Vec<u32>,
        /// The entries.
        entries: Items,
        /// Their values.
        values: Values,
    },
    /// The maps of these keys have nothing any more.
    ClearMaps(Vec<u32>),
}

/// What a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotKind {
    /// Everything.
    Base,
    /// What changed since the latest snapshot that was confirmed. Everything, where none was.
    Delta,
}

/// Why state can't be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Bytes that are no snapshot, or a damaged one.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
    /// Snapshots that aren't a base and deltas that go on from each other.
    #[error("the snapshots don't follow on each other: {0}")]
    Chain(String),
    /// The snapshot holds a state that the operator doesn't have.
    #[error("the snapshot holds state `{state}`, which the operator no longer has; --fresh starts without the snapshot")]
    Unmatched {
        /// The state's name.
        state: String,
    },
    /// The snapshot holds another version of a state.
    #[error(
        "the snapshot holds version {found} of state `{state}`, the operator has version {expected}, and only a plugin can migrate its state; --fresh starts without the snapshot"
    )]
    Version {
        /// The state's name.
        state: String,
        /// The version in the snapshot.
        found: u32,
        /// The operator's.
        expected: u32,
    },
    /// The snapshot holds values of another fixed width.
    #[error("the snapshot holds state `{state}` with width {found:?}, the operator has width {expected:?}")]
    Width {
        /// The state's name.
        state: String,
        /// The width in the snapshot.
        found: Option<u32>,
        /// The operator's.
        expected: Option<u32>,
    },
    /// The snapshot holds a state of another kind.
    #[error(
        "the snapshot holds state `{state}` as a {found}, the operator has a {expected}; give it another name, or --fresh starts without the snapshot"
    )]
    Kind {
        /// The state's name.
        state: String,
        /// The kind in the snapshot.
        found: StateKind,
        /// The operator's.
        expected: StateKind,
    },
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::List => "list",
            Self::Map => "map",
            Self::Broadcast => "broadcast map",
            Self::Task => "list of the task",
        })
    }
}

/// The keyed state of one task: for each key of the key groups that the task owns, a value or none in each of the states.
///
/// States that are the task's own have [`NO_KEY`] for their key: a call has them where that is among its keys.
///
/// Keys may be in spaces, as the windows of a key are: then every call is by [`Self::resolve_in`]. Those that aren't are in space 0.
///
/// # Contract
/// 1. A call is `resolve`, any number of `load` and other looks, at most one `apply` and one `apply_items`, `finish`; the next starts when it
///    is finished. A call's places may be dealt out to several `CallKeys`, each with an `apply_items` of its own. Nothing changes before they are called, and what they were given is changed entirely: a call either happened or did not.
///    (Conformance suite.)
/// 2. A key without a value in any state takes no memory after `finish`. (Conformance suite, by [`Self::keys`].)
/// 3. `snapshot` fixes what the snapshot holds: exactly what was applied before it, or what of that changed since the snapshot that it goes on
///    from. It returns at once; `snapshot_step` then hands over the bytes piece by piece while calls go on. (Conformance suite, against a model.)
/// 4. One snapshot is under way at a time: `snapshot` while another isn't finished or abandoned is a bug of the caller, and panics.
/// 5. A delta goes on from the latest snapshot that was confirmed, whatever was marked since and was abandoned, or not stored, or not confirmed:
///    so a snapshot that is never confirmed needs no call. What is confirmed is the latest snapshot, when it is finished; the confirmation of
///    any other changes nothing. The first snapshot after `restore` is a base. (Conformance suite.)
/// 6. `restore` takes a chain: a base, and deltas each of which goes on from the one before it, as `snapshot` said; each the concatenated pieces of one
///    snapshot, all of one task of whichever parallelism. It keeps the keys of the task's own groups. It may be called once for each of several tasks'
///    chains, before the first call. On an error nothing is promised of the content: the task doesn't start. (Conformance suite.)
/// 7. What is forgotten with its space is gone, and is in the snapshot under way where it was there at its mark. (Conformance suite.)
///
/// # What the runtime does with it
/// It asks for a base every so many epochs, or when the deltas of a chain have more than half of their base's bytes, and for deltas between. It
/// writes down with each snapshot which one it goes on from, as `snapshot` returned it, and keeps the objects of a chain as long as a checkpoint
/// has one that goes on from them. It confirms an epoch when its checkpoint is complete, before the next mark; where all tasks are to
/// agree on what they go on from, the barrier says which epoch is confirmed. Memory beside the state: two bits for each key and state, the
/// entries of maps that changed, and the keys that were removed, since the confirmed snapshot.
pub trait KeyedState: Send {
    /// The states, in order of their index. Behind the operator's own stand other versions of them, where snapshots have had such and the backend
    /// was made to keep them.
    fn states(&self) -> &[StateNeed];

    /// Finds the distinct keys of some rows; `hashes` are the keys' own. One probe a row.
    fn resolve(&mut self, keys: &EncodedKeys, hashes: &[u64], call: &mut CallKeys);

    /// The same for keys that are in spaces: the key of row `i` is in space `spaces[i]`. One key in two spaces is two keys, of one group.
    fn resolve_in(&mut self, keys: &EncodedKeys, hashes: &[u64], spaces: &[i64], call: &mut CallKeys);

    /// A call with all keys of a space that have a value, in an order that depends on nothing but what calls there were; the keys and their
    /// hashes in that order. Without rows.
    fn resolve_all(&mut self, space: i64, keys: &mut EncodedKeys, hashes: &mut Vec<u64>, call: &mut CallKeys);

    /// Forgets all keys of a space. Between calls.
    fn forget(&mut self, space: i64);

    /// The least space from `least` on that has keys. Between calls.
    fn space_from(&self, least: i64) -> Option<i64>;

    /// The stored values of all keys of the call, replacing what was in `into`. Of a state of values.
    fn load(&self, state: usize, call: &CallKeys, into: &mut Values);

    /// Performs a call's writes, in their order. Of states of values.
    fn apply(&mut self, call: &CallKeys, writes: &[StateWrite]);

    /// Writes behind the values of a state without a fixed width, for each key of the call what `more` has for it; where a key has no value, that
    /// becomes it. Part of the call as what [`Self::apply`] writes, and costs what is written, however long the values are.
    fn append(&mut self, call: &CallKeys, state: usize, more: &Values);

    /// The length of the value that a state has at one of a call's [`places`](CallKeys::places), in bytes.
    fn value_bytes(&self, state: usize, place: u32) -> usize;

    /// How many items the list of a key of the call has, and its bytes: those of the items, and four for each.
    fn list_size(&self, state: usize, call: &CallKeys, key: u32) -> (usize, usize);

    /// Adds the items of the list of a key of the call to `into`, in order.
    fn list(&self, state: usize, call: &CallKeys, key: u32, into: &mut Items);

    /// Calls `each` with the values of entries of maps, in order, until it returns false: of entry `i` of the map of key `keys[i]`.
    fn entries(&self, state: usize, call: &CallKeys, keys: &[u32], entries: &Items, each: &mut dyn FnMut(Option<&[u8]>) -> bool);

    /// Calls `each` with the entries of the map of a key of the call and their values, in the order of their bytes, from `start` on, until it
    /// returns false.
    fn scan(&self, state: usize, call: &CallKeys, key: u32, start: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool);

    /// Performs a call's changes to lists and maps, in their order.
    fn apply_items(&mut self, call: &CallKeys, writes: &[ItemWrite]);

    /// Ends a call: forgets keys that it only looked at, or whose values it removed.
    fn finish(&mut self, call: &CallKeys);

    /// Starts a snapshot of what is there now, and returns the epoch whose snapshot it goes on from; none where it is a base. Takes as long as
    /// clearing one bit for each key: microseconds for a million. After a snapshot that wasn't confirmed, also as long as adding what changed
    /// since to what changed before.
    fn snapshot(&mut self, epoch: Epoch, kind: SnapshotKind) -> Option<Epoch>;

    /// The next piece of the snapshot under way, of some `keys` keys or a few hundred KiB, and what calls have handed over since the last; `None` when
    /// it is complete, or when none is under way.
    fn snapshot_step(&mut self, keys: usize) -> Option<Vec<u8>>;

    /// Offers the memory of an earlier piece for the next: what is written to memory that was there before needs no fresh pages.
    fn reuse(&mut self, memory: Vec<u8>);

    /// Gives up the snapshot under way, if there is one.
    fn abandon_snapshot(&mut self);

    /// The snapshot of this epoch is part of a complete checkpoint: later deltas go on from it.
    fn confirm_snapshot(&mut self, epoch: Epoch);

    /// Adds what a chain of snapshots holds of the key groups `owned`, the task's own; `of` are those of the task that made it. A broadcast map is taken whole
    /// by every task, the items of a task's own list by the tasks that own groups of `of`, each its share in order.
    ///
    /// # Errors
    /// [`StateError`] where the bytes are damaged or don't fit the states.
    fn restore(&mut self, chain: &[&[u8]], groups: KeyGroups, owned: Range<u32>, of: Range<u32>) -> Result<(), StateError>;

    /// How many keys have a value.
    fn keys(&self) -> usize;

    /// Calls `each` with every encoded key that has a value in a state, and that value, in any order. Between calls only. A list, or a map, is
    /// handed over as [`crate::items`] lays it out.
    fn for_each_value(&self, state: usize, each: &mut dyn FnMut(&[u8], &[u8]));

    /// The memory held, in bytes, as well as it can be told; room that was never written to isn't.
    fn bytes(&self) -> usize;

    /// The bytes that a call with so many new keys may take in passing, beside what is held: where a table would become full, it is
    /// copied into a larger one.
    fn growth(&self, keys: usize) -> usize;

    /// Everything that is held: encoded key to a value or none for each state, lists and maps as [`crate::items`] lays them out. For tests and
    /// inspection; slow.
    fn dump(&self) -> BTreeMap<Vec<u8>, Vec<Option<Vec<u8>>>>;
}
