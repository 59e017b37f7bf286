//! The bytes of a snapshot: a stable format, version 1.
//!
//! A snapshot is a header, any number of blocks, and a trailer, end to end. All integers are little-endian and unsigned. A checksum is
//! XXH3, 64 bits, seed 0 (the hash of [`wasmill_flow::key`]).
//!
//! | header | bytes | |
//! |---|---|---|
//! | magic | 8 | `WMSTATE` and a line feed |
//! | format version | 4 | 1 |
//! | length | 8 | of what follows in the header, without its checksum |
//! | epoch | 8 | the snapshot holds what was applied before the barrier that ends this epoch |
//! | number of states | 4 | |
//! | for each state: name | 4 + n | the name's length in bytes, and the name in UTF-8 |
//! | … version | 4 | |
//! | … kind and fixed width | 1 + 4 | 1 and the width of every value; or 0 and 0, where values may have any length; 2 and 0 for lists, 3 and 0 for maps, 4 and 0 for broadcast maps, 5 and 0 for a task's own list |
//! | checksum | 8 | of all header bytes before it |
//!
//! | block | bytes | |
//! |---|---|---|
//! | tag | 1 | `B` |
//! | number of entries | 4 | |
//! | length | 8 | of the entries |
//! | entries | length | |
//! | checksum | 8 | of all bytes of the block before it |
//!
//! | entry | bytes | |
//! |---|---|---|
//! | key | 4 + n | the length, and the key as [`wasmill_flow::key`] encodes it; nothing where the states are the task's own |
//! | presence | states / 8, rounded up | a bit for each state, least significant first, set where the key has a value; at least one is; bits past the last state are 0 |
//! | for each state with a value, in order | width, 4 + n, or 8 + n | the value, with its length before it where the width isn't fixed; a list or a map, as [`crate::items`] lays it out, with its length in 8 bytes before it |
//!
//! | trailer | bytes | |
//! |---|---|---|
//! | tag | 1 | `E` |
//! | number of blocks | 8 | |
//! | number of entries | 8 | in all blocks |
//! | checksum | 8 | of the header's checksum, each block's, and the trailer's bytes before it: so no block is missing, moved or another's |
//!
//! Entries come in any order, and a key comes once. The key group of an entry is that of its key's hash; it isn't stored. Later
//! versions of the format will have another number in the header; this version stays readable.

pub mod reader;
#[cfg(test)]
mod tests;
pub mod writer;

pub use reader::{Entry, Snapshot};
pub use writer::SnapshotWriter;

/// What a snapshot starts with.
pub const MAGIC: [u8; 8] = *b"WMSTATE\n";
/// The version of the format that is written.
pub const VERSION: u32 = 1;

const BLOCK: u8 = b'B';
const TRAILER: u8 = b'E';
/// The bytes of a block before its entries.
const BLOCK_HEAD: usize = 1 + 4 + 8;
/// The bytes of a header before its counted length.
const HEADER_HEAD: usize = 8 + 4 + 8;

/// The checksum of the format.
fn checksum(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
