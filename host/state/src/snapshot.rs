//! The bytes of a snapshot: a stable format, version 2; version 1 is still read.
//!
#![doc = include_str!("../../../docs/formats/state.md")]

mod chain;
pub mod header;
pub mod reader;
#[cfg(test)]
mod tests;
pub mod writer;

pub use chain::check_chain;
pub use header::Header;
pub use reader::{Change, Item, Record, Snapshot};
pub use writer::SnapshotWriter;

/// What a snapshot starts with.
pub const MAGIC: [u8; 8] = *b"WMSTATE\n";
/// The version of the format that is written.
pub const VERSION: u32 = 2;

const RECORDS: u8 = b'B';
const REMOVALS: u8 = b'R';
const SPACES: u8 = b'F';
const TRAILER: u8 = b'E';
/// The bytes of a block before its entries.
const BLOCK_HEAD: usize = 1 + 4 + 8;
/// The bytes of a header before its counted length.
const HEADER_HEAD: usize = 8 + 4 + 8;

/// What a record says of a state, in two bits: that it has this value instead of any it had.
const SET: u8 = 1;
/// That it has no value any more.
const REMOVE: u8 = 2;
/// That this follows on what it had.
const ADD: u8 = 3;

/// In the place of a value's length in the changes of a map: the entry is removed.
pub(crate) const ENTRY_REMOVED: u32 = u32::MAX;

/// The checksum of the format.
fn checksum(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
