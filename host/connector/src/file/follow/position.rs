//! Where a source of followed files is.

use serde::{Deserialize, Serialize};
use wasmill_flow::key;

use super::found::Identity;
use crate::rows::Place;

/// Where the source is, by file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowPosition {
    pub follow: Vec<TailPosition>,
}

/// Where a file was read to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TailPosition {
    pub file: String,
    pub device: u64,
    pub inode: u64,
    /// Behind the last row that was handed over.
    pub byte: u64,
    pub line: u64,
    pub mark: Mark,
}

impl TailPosition {
    /// Nothing was read of a file.
    pub(super) fn start(Identity { device, inode }: Identity) -> Self {
        Self { file: String::new(), device, inode, byte: 0, line: 0, mark: Mark::of(0, &[]) }
    }

    pub(super) fn identity(&self) -> Identity {
        Identity { device: self.device, inode: self.inode }
    }

    pub(super) fn place(&self) -> Place {
        Place { byte: self.byte, line: self.line }
    }
}

/// By what a file is known again that was read up to a byte: the system gives the number of a file that is gone to another one, and a
/// file may be written anew and grow longer than it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// So many bytes were read, those of a row that isn't whole among them.
    pub read: u64,
    /// The hash of the last [`Self::BYTES`] of these, or of all.
    pub hash: String,
}

impl Mark {
    pub(super) const BYTES: u64 = 64;

    /// Of the last bytes before this one.
    pub(super) fn of(read: u64, last: &[u8]) -> Self {
        Self { read, hash: format!("{:016x}", key::hash(last)) }
    }
}
