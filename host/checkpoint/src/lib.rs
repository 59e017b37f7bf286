//! When a cut is complete: alignment, the coordinator as a pure function, the manifest, and where it is stored.
//!
//! A barrier of epoch `n` goes from every source to every task. A task waits until it has come on all of its inputs
//! ([`alignment`]), snapshots, and acknowledges with what the checkpoint must hold of it ([`part`]). When all have, the
//! [`coordinator`] has the [`manifest`] written, which names all of it; once that is [`store`]d the epoch is complete, and sinks make
//! it visible. After a fault, [`recovery`] says what to go on from.
//!
//! All but [`store`] is pure: no clock, no file, no network.

pub mod alignment;
pub mod coordinator;
pub mod part;

pub mod manifest;
pub mod store;

pub mod recovery;

pub mod error;

pub use alignment::{Alignment, Disorder, Progress};
pub use bytes::Bytes;
pub use coordinator::{Action, Coordinator, Event, Unexpected};
pub use error::CheckpointError;
pub use manifest::{JobFacts, Manifest, StateFacts};
pub use part::{Delta, Ended, Part, Prepared, SourcePosition, StateFile, StateObject};
pub use recovery::Choice;
pub use store::{Location, Store};
