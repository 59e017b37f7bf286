//! What a key remembers.
//!
//! [`contract::KeyedState`] is what an operator's task holds: values, lists and maps by key and state, written in stages, snapshotted while
//! writes go on. [`memory::MemoryState`] keeps them in memory. `conformance` (feature
//! `test-suite`) is the suite that every backend passes.

pub mod contract;
pub mod items;
pub mod values;

pub mod memory;
pub mod snapshot;

#[cfg(any(test, feature = "test-suite"))]
pub mod conformance;

pub use contract::{
    CallKeys, ItemChange, ItemWrite, KeyedState, NO_KEY, SnapshotKind, StateError, StateKind, StateNeed, StateWrite,
};
pub use items::Items;
pub use values::Values;
